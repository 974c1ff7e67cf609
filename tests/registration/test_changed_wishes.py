"""What the application wants changes while something runs or waits: nothing is lost, doubled or put off."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.commands import Resolve
from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.network.pacing import WINDOW
from sipcore.profiles import ASTERISK, PROFILES, SIPCORE, Profile
from sipcore.testing import Answer, Line, ok
from sipcore.values import Phase, State
from tests.accounts import T1_100, TCP, account
from tests.registration.lines import every_profile, kinds, reload, up
from tests.secrecy import PASSWORD

# --- all bindings, or ours ------------------------------------------------------------------------------------------


def test_unregister_all_that_was_taken_back_before_it_was_sent_is_forgotten() -> None:
    """Otherwise the next plain unregister would take the other devices' bindings along."""
    line = up(ok(3600))
    line.agent.unregister("alice", all=True, now=line.now)
    line.agent.register("alice", now=line.now)
    assert kinds(line, until=10.0) == ["R"]
    line.peer.answer(200)
    line.agent.unregister("alice", now=line.now)
    assert kinds(line, until=20.0) == ["U"]


@pytest.mark.requirement("RFC3261-10.2.2-02")
@every_profile
def test_unregister_all_while_a_plain_removal_is_in_flight_is_sent_after_it(profile: Profile) -> None:
    line = up(Answer(200, delay=0.4), 200, profile=profile)
    line.agent.unregister("alice", now=line.now)
    line.run(until=2.1)
    line.agent.unregister("alice", all=True, now=line.now)
    assert kinds(line, until=20.0) == ["U", "*"]
    assert (line.status().state, line.status().phase) == (State.UNREGISTERED, Phase.IDLE)
    assert kinds(line, until=5000.0) == []


def test_remove_while_a_plain_removal_is_in_flight_keeps_the_wish_for_all() -> None:
    line = up(Answer(200, delay=0.4), 200)
    line.agent.unregister("alice", now=line.now)
    line.run(until=2.1)
    line.agent.unregister("alice", all=True, now=line.now)
    line.agent.remove("alice", now=line.now)
    assert kinds(line, until=20.0) == ["U", "*"]
    assert line.agent.names() == ()


# --- what waits keeps its place -------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", ["unregister", "remove"])
def test_a_removal_that_waits_for_its_turn_is_not_sent_to_the_back_of_the_queue(again: str) -> None:
    count = 3 * WINDOW
    line = Line(*(account(f"u{n}", registrar="sip:192.0.2.1") for n in range(count)), script=[ok(3600)])
    line.register(until=100.0)
    line.peer.answer(None)
    line.sent()
    for name in line.agent.names():
        line.agent.unregister(name, now=line.now)
    line.run(until=100.2)
    last_of_the_second_window = f"u{2 * WINDOW - 1}"
    getattr(line.agent, again)(last_of_the_second_window, now=line.now)
    line.run(until=100.5)
    users = [str(item.request.to.uri.user) for item in line.peer.received if item.at == 100.5 and not item.copy]
    assert last_of_the_second_window in users
    assert len(users) == WINDOW


def test_a_removal_that_waits_for_an_address_is_sent_once_however_often_it_is_asked_for() -> None:
    line = up(ok(100))
    line.run(until=70.0)
    line.sent()
    line.peer.answer(200)
    line.world.resolve_delay = 2.0
    line.agent.network_changed(now=line.now)  # what was resolved before is forgotten
    line.agent.unregister("alice", now=line.now)
    line.run(until=71.0)
    line.agent.unregister("alice", now=line.now)
    line.run(until=71.5)
    line.agent.remove("alice", now=line.now)
    assert kinds(line, until=500.0) == ["U"]
    asked = [item.output.kind for item in line.station.outputs if item.at >= 70.0 and isinstance(item.output, Resolve)]
    assert sorted(asked) == ["A", "AAAA", "SOURCE"]


# --- a wish never puts off what keeps the binding -------------------------------------------------------------------


def spread(profile: Profile, delay: int = 600) -> Line:
    """Registered for a minute under a profile option that spreads the start over ten."""
    line = Line(account(profile=profile, max_random_initial_delay=delay, expires=60), script=[ok(60)], seed=3)
    line.agent.register("alice", now=0.0)
    while not line.status().registered:
        line.run(line.now + 1.0)
    line.sent()
    line.told()
    return line


@pytest.mark.parametrize("profile", [SIPCORE, PROFILES["JSSIP"]], ids=lambda profile: profile.name)
def test_a_forced_register_is_never_later_than_the_refresh_that_was_planned(profile: Profile) -> None:
    line = spread(profile)
    planned = line.status().next_attempt_at
    assert planned is not None
    for _ in range(5):
        line.agent.register("alice", now=line.now)
        attempt = line.status().next_attempt_at
        assert attempt is not None
        assert attempt <= planned
    line.run(planned + 100.0)
    assert line.told(Unregistered) == []
    assert line.status().registered


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_reload_never_puts_a_refresh_off_past_the_lapse(profile: Profile) -> None:
    line = spread(profile)
    planned = line.status().next_attempt_at
    assert planned is not None
    options: dict[str, Any] = {"profile": profile, "max_random_initial_delay": 600, "expires": 60}
    reload(line, account(**options, password=f"{PASSWORD}-other"))
    attempt = line.status().next_attempt_at
    assert attempt is not None
    assert attempt <= planned
    line.run(planned + 100.0)
    assert line.told(Unregistered) == []


# --- what a failure in between tells --------------------------------------------------------------------------------


@every_profile
def test_a_failure_after_unregister_changes_the_status_once_and_keeps_its_cause(profile: Profile) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[Answer(500, delay=2.0), 200])
    line.register(until=1.5)
    assert line.status().phase is Phase.EXCHANGING
    line.agent.unregister("alice", now=line.now)
    # Asterisk un-registers whatever the status is.
    told = line.told(until=3.5)
    changes = [event.status.cause.code for event in told if isinstance(event, StatusChanged) and event.status.cause]
    assert [event.status for event in told if isinstance(event, Rejected)] == [500]
    assert changes == ([500, 200] if profile is ASTERISK else [500])


def test_unregister_under_asterisk_is_sent_whatever_the_status() -> None:
    line = up(200, profile=ASTERISK)
    for _ in range(2):
        line.agent.unregister("alice", now=line.now)
        assert kinds(line, until=line.now + 5.0) == ["U"]
    assert line.told(Registered) == []


def test_a_removal_whose_connection_broke_is_tried_again_within_a_bound() -> None:
    line = up(200, transport=TCP, timing=T1_100)
    line.peer.refuses_connections = True
    line.peer.close()
    line.run()
    line.agent.unregister("alice", now=line.now)
    line.run(until=60.0)
    rejected = [event for event in line.told(Rejected) if event.removal]
    assert [event.retry_at is None for event in rejected] == [False, False, True]
    assert line.status().phase is Phase.IDLE
