"""Closing an agent, and ending what has not sent anything yet."""

from __future__ import annotations

import pytest

from sipcore.errors import LocalProtocolError
from sipcore.events import StatusChanged
from sipcore.profiles import Profile
from sipcore.testing import Answer, Line, Step, ok
from sipcore.values import State
from tests.accounts import T1_100, TCP, account
from tests.registration.lines import every_profile, kinds, up


@pytest.mark.requirement("RFC3261-10.2.2-01", "RFC3261-9.1-01")
@every_profile
def test_close_un_registers_and_then_there_is_nothing_for_ever(profile: Profile) -> None:
    line = Line(
        *[account(f"user{n}", profile=profile, max_random_initial_delay=0) for n in range(5)],
        account("idle", profile=profile),
        script=[ok(100)],
    )
    line.register(*[f"user{n}" for n in range(5)], until=2.0)
    line.sent()
    line.peer.answer(200)
    line.agent.close(now=line.now)
    assert not line.agent.closed
    assert kinds(line) == ["U"] * 5
    assert line.agent.closed
    assert line.agent.names() == ()
    assert line.station.flows == ()
    stopped = [change.status for change in line.told(StatusChanged) if change.status.state is State.STOPPED]
    assert len(stopped) == 6
    told = len(line.station.outputs)
    line.run(until=1e7)
    assert line.station.outputs[told:] == []
    assert line.agent.next_deadline() is None


def test_close_ends_though_nobody_answers() -> None:
    line = up(None)
    line.agent.close(now=line.now)
    line.run(until=33.9)
    assert not line.agent.closed
    line.run(until=34.0)
    assert line.agent.closed
    assert line.agent.next_deadline() is None


def test_close_may_leave_the_bindings() -> None:
    line = up(200)
    line.agent.close(now=line.now, unregister=False)
    assert line.sent(until=1000.0) == []
    assert line.agent.closed


@pytest.mark.parametrize("answer", [None, 503, Answer(200, delay=5.0)])
def test_close_that_leaves_the_bindings_stops_at_once_whatever_runs(answer: Step) -> None:
    line = up(answer)
    line.agent.register("alice", now=line.now)
    line.run(until=3.0)
    line.agent.unregister("alice", all=True, now=line.now)
    line.sent()
    line.agent.close(now=line.now, unregister=False)
    assert line.sent(until=1000.0) == []
    assert line.agent.closed
    assert line.agent.next_deadline() is None


def test_close_waits_for_what_is_in_flight() -> None:
    line = Line(account(), script=[Answer(200, contact="{contact};expires=100", delay=3.0), 200])
    line.register(until=1.0)
    line.agent.close(now=line.now)
    assert kinds(line, until=3.0)[-1] == "U"
    assert line.agent.closed


def test_a_closing_agent_takes_no_more_accounts() -> None:
    line = up(None)
    line.agent.close(now=line.now)
    with pytest.raises(LocalProtocolError, match="closing"):
        line.agent.add(account("bob"), now=line.now)


def test_close_before_anything_was_opened() -> None:
    line = Line(account())
    line.agent.close(now=0.0)
    line.run(until=10.0)
    assert line.agent.closed


# --- before anything was sent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["unregister", "remove", "close"])
@pytest.mark.parametrize("waits_for", ["address", "connection", "source"])
def test_an_attempt_that_has_sent_nothing_is_called_off(ending: str, waits_for: str) -> None:
    """Nobody has heard of it: no REGISTER is sent just to be taken back."""
    line = Line(account(transport=TCP if waits_for == "connection" else None), script=[ok(100)])
    line.world.resolve_delay = 5.0 if waits_for != "connection" else 0.0
    line.peer.ignores_connections = waits_for == "connection"
    line.register(until=7.0 if waits_for == "source" else 1.0)
    if ending == "close":
        line.agent.close(now=line.now)
    else:
        getattr(line.agent, ending)("alice", now=line.now)
    line.run()
    assert line.agent.closed is (ending == "close")
    assert line.agent.names() == (("alice",) if ending == "unregister" else ())
    assert line.sent(until=1000.0) == []
    assert line.agent.next_deadline() is None


def test_those_that_wait_for_their_turn_are_called_off_and_the_others_removed() -> None:
    line = Line(*[account(f"user{n}", timing=T1_100) for n in range(500)], script=[None])
    line.register()
    assert len(line.sent()) == 64
    line.agent.close(now=line.now)
    line.run(until=100.0)
    asked = [request.get("expires") for request in line.peer.requests]
    assert asked == ["3600"] * 64 + ["0"] * 64
    assert line.agent.closed


def test_a_connection_that_opens_after_its_attempt_was_called_off_is_closed_again() -> None:
    line = Line(account(transport=TCP), script=[ok(100)])
    line.wire.latency = 1.0
    line.register(until=0.5)
    line.agent.unregister("alice", now=line.now)
    line.run(until=10.0)
    assert len(line.station.flows) == 1
    line.run(until=40.0)
    assert not line.station.flows


def test_a_refresh_that_waits_for_its_turn_is_called_off_by_the_removal() -> None:
    line = up(200)
    line.world.resolve_delay = 3.0
    line.world.name("example.com", "192.0.2.1", ttl=0.0)
    line.agent.network_changed(now=line.now)
    line.run(until=3.0)
    line.agent.unregister("alice", now=line.now)
    assert kinds(line, until=20.0) == ["U"]
