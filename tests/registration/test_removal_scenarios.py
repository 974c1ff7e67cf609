"""Ending a registration: one binding, all of them, for good; and everything that can come in between."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from sipcore.errors import LocalProtocolError
from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.profiles import ASTERISK, JSSIP, PROFILES, SIPCORE, Profile
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.values import Phase, State
from tests.accounts import T1_100, TCP, account

every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)


def up(*after: Step, profile: Profile = SIPCORE, **options: Any) -> Line:
    """Registered, and two seconds later; then the script `after`."""
    line = Line(account(profile=profile, max_random_initial_delay=0, **options), script=[ok(100)])
    line.register(until=2.0)
    assert line.status().registered
    line.sent()
    line.told()
    line.peer.answer(*after)
    return line


def kinds(line: Line, until: float | None = None) -> list[str]:
    """What was sent: R for a REGISTER, U for an un-REGISTER, * for that of all bindings; copies in lower case."""
    letters, branches = [], set()
    for request in line.sent(until):
        letter = "U" if request.get("expires") == "0" else "R"
        letter = "*" if request.get("contact") == "*" else letter
        letters.append(letter.lower() if request.via.branch in branches else letter)
        branches.add(request.via.branch)
    return letters


@pytest.mark.requirement("RFC3261-10.2.2-01", "RFC3261-10.2-06")
@every_profile
def test_unregister_removes_our_binding(profile: Profile) -> None:
    line = up(200, profile=profile)
    registered = line.peer.requests[0]
    line.agent.unregister("alice", now=line.now)
    [removal] = line.sent()
    assert removal.get("expires") == "0"
    assert removal.get("contact") == registered.get("contact")
    assert removal.call_id == registered.call_id
    assert removal.cseq.number == registered.cseq.number + 1
    assert removal.get("allow") is None
    assert [type(event) for event in line.told()] == [Unregistered, StatusChanged]
    status = line.status()
    assert (status.state, status.phase) == (State.UNREGISTERED, Phase.IDLE)
    assert (status.expires_at, status.next_attempt_at, status.bindings) == (None, None, ())
    assert line.sent(until=1e6) == []


@pytest.mark.requirement("RFC3261-10.2.2-02", "RFC3261-10.2.2-01")
@every_profile
def test_unregister_all_sends_a_star_and_nothing_else(profile: Profile) -> None:
    line = up(200, profile=profile)
    line.agent.unregister("alice", all=True, now=line.now)
    [removal] = line.sent()
    assert removal.get_all("contact") == ["*"]
    assert removal.get_all("expires") == ["0"]
    assert line.status().state is State.UNREGISTERED
    line.peer.answer(ok(100))
    line.agent.register("alice", now=line.now)
    line.run(until=10.0)
    assert line.status().registered


@pytest.mark.parametrize("answer", [200, 500])
def test_unregister_after_unregister_all_is_about_our_binding_again(answer: int) -> None:
    line = up(answer, ok(100), 200)
    line.agent.unregister("alice", all=True, now=line.now)
    line.run(until=4.0)
    line.agent.register("alice", now=line.now)
    line.run(until=6.0)
    line.agent.unregister("alice", now=line.now)
    assert kinds(line) == ["*", "R", "U"]


def test_after_a_removal_nothing_of_the_old_binding_is_left() -> None:
    others = Answer(200, contact="{contact};expires=100, <sip:other@198.51.100.1>;expires=50")
    line = Line(account(), script=[others, 200, ok(100)])
    line.register(until=2.0)
    assert len(line.status().bindings) == 2
    line.agent.unregister("alice", now=line.now)
    line.run(until=4.0)
    assert line.status().bindings == ()
    line.station.ipv4 = "192.0.2.77"
    line.agent.network_changed(now=line.now)
    line.agent.register("alice", now=line.now)
    line.run()
    assert line.peer.requests[-1].values("contact") == ["<sip:alice@192.0.2.77:40000>"]


def test_unregister_all_works_without_a_binding_of_ours() -> None:
    line = Line(account(), script=[200])
    line.agent.unregister("alice", all=True, now=0.0)
    assert [request.get("contact") for request in line.sent()] == ["*"]
    assert kinds(line, until=100.0) == []


@pytest.mark.requirement("RFC5626-4.2.3-01")
def test_a_star_carries_no_instance_and_no_reg_id() -> None:
    line = up(200, contact_header_parameters=';+sip.instance="<urn:uuid:1>";reg-id=1')
    line.agent.unregister("alice", all=True, now=line.now)
    [removal] = line.sent()
    assert b"sip.instance" not in bytes(removal)
    assert b"reg-id" not in bytes(removal)


def test_unregister_without_a_binding_sends_nothing() -> None:
    line = Line(account(), script=[ok(100)])
    line.agent.unregister("alice", now=0.0)
    assert line.sent(until=100.0) == []
    line.agent.register("alice", now=line.now)
    line.run()
    assert line.status().registered


def test_unregister_after_silence_removes_what_may_be_there() -> None:
    """The REGISTER may have arrived and the answers may have been lost."""
    line = Line(account(timing=T1_100), script=[None])
    line.register(until=10.0)
    line.peer.answer(200)
    line.sent()
    line.agent.unregister("alice", now=line.now)
    assert kinds(line) == ["U"]


def test_unregister_cancels_a_planned_retry() -> None:
    line = Line(account(), script=[503])
    line.register()
    assert line.status().next_attempt_at is not None
    line.agent.unregister("alice", now=line.now)
    line.sent()
    assert line.status().next_attempt_at is None
    assert line.sent(until=1e5) == []
    assert line.status().state is State.UNREGISTERED


def test_a_binding_that_lapses_before_its_removal_may_be_sent_is_not_removed() -> None:
    """Attempts are a second apart, and this grant is no longer than that."""
    line = Line(account(), script=[ok(1)])
    line.register(until=0.5)
    line.agent.unregister("alice", now=line.now)
    assert line.sent(until=100.0)[1:] == []
    assert (line.status().state, line.status().phase) == (State.UNREGISTERED, Phase.IDLE)


@pytest.mark.requirement("RFC3261-10.2-08", "RFC3261-9.1-01")
@every_profile
def test_unregister_in_flight_is_queued(profile: Profile) -> None:
    good = ok(100)
    line = Line(
        account(profile=profile, max_random_initial_delay=0),
        script=[Answer(200, contact=good.contact, delay=3.0), 200],
    )
    line.register(until=2.0)
    start = line.peer.received[0].at
    line.agent.unregister("alice", now=line.now)
    assert kinds(line, until=start + 2.999)[-1] == "r"
    assert kinds(line, until=start + 3.0) == ["U"]
    assert [type(event) for event in line.told() if not isinstance(event, StatusChanged)] == [Registered, Unregistered]
    assert line.sent(until=1e5) == []


def test_register_in_flight_of_a_removal_is_queued() -> None:
    line = up(Answer(200, delay=3.0), ok(100))
    line.agent.unregister("alice", now=line.now)
    line.run(until=3.0)
    line.agent.register("alice", now=line.now)
    assert kinds(line, until=4.99) == ["U", "u", "u"]
    assert kinds(line, until=5.0) == ["R"]
    assert line.status().registered


def test_unregister_then_register_before_anything_was_sent_is_one_refresh() -> None:
    line = up(ok(100))
    line.agent.unregister("alice", now=line.now)
    line.agent.register("alice", now=line.now)
    assert kinds(line, until=10.0) == ["R"]
    assert line.status().registered


@every_profile
@pytest.mark.parametrize("answer", [400, 403, 408, 423, 480, 500, 503, 603, None, "unreachable", challenge(nonce="n")])
def test_a_failed_un_register_never_becomes_a_register(profile: Profile, answer: Step | str) -> None:
    line = up(None, profile=profile)
    if answer == "unreachable":
        line.world.unreachable["192.0.2.1"] = "no route to host"
    elif not isinstance(answer, str):
        line.peer.answer(answer)
    line.agent.unregister("alice", now=line.now)
    sent = kinds(line, until=1e5)
    assert set(sent) <= {"U", "u"}
    assert sent.count("U") <= 4
    rejected = line.told(Rejected)
    # Only what did not get through is tried again, and only by the profile that backs off.
    again = answer == "unreachable" and profile.name == "SIPCORE"
    assert [event.removal for event in rejected] == [True] * (3 if again else 1)
    assert rejected[-1].retry_at is None
    assert "was not removed" in rejected[0].cause.detail
    status = line.status()
    assert status.state is not State.REGISTERED
    assert (status.expires_at, status.next_attempt_at) == (None, None)


@pytest.mark.parametrize(
    ("profile", "state"), [(SIPCORE, State.REGISTERED), (ASTERISK, State.REJECTED), (JSSIP, State.REJECTED)]
)
def test_a_failed_removal_is_told_with_the_status_that_the_profile_gives_it(profile: Profile, state: State) -> None:
    line = up(500, profile=profile)
    line.agent.unregister("alice", now=line.now)
    rejected, changed = line.told()
    assert isinstance(rejected, Rejected)
    assert isinstance(changed, StatusChanged)
    assert changed.status == line.status()
    assert (changed.status.state, changed.status.phase) == (state, Phase.IDLE)
    assert changed.status.expires_at is not None


def test_what_a_failed_removal_leaves_is_told_when_it_lapses() -> None:
    line = up(500)
    line.agent.unregister("alice", now=line.now)
    line.told()
    assert line.status().state is State.REGISTERED
    assert line.told(until=99.9) == []
    [lapsed, _] = line.told(until=100.0)
    assert isinstance(lapsed, Unregistered)
    assert "lapsed" in lapsed.cause.detail
    assert line.status().cause == lapsed.cause


@pytest.mark.requirement("RFC3261-10.2.2-01")
@every_profile
def test_remove_un_registers_and_ends_as_stopped(profile: Profile) -> None:
    line = up(200, profile=profile)
    line.agent.remove("alice", now=line.now)
    assert kinds(line) == ["U"]
    changes = line.told(StatusChanged)
    assert [change.status.state for change in changes] == [State.UNREGISTERED, State.STOPPED]
    last = changes[-1].status
    assert last.cause is not None
    assert last.cause.detail == "removed"
    assert (last.phase, last.expires_at, last.next_attempt_at, last.bindings) == (Phase.IDLE, None, None, ())
    with pytest.raises(LocalProtocolError, match="alice"):
        line.agent.status("alice")
    assert line.agent.names() == ()
    assert line.sent(until=1e6) == []


@every_profile
@pytest.mark.parametrize("answer", [None, 500, 403])
def test_remove_ends_as_stopped_also_when_the_removal_fails(profile: Profile, answer: Step) -> None:
    line = up(answer, profile=profile)
    line.agent.remove("alice", now=line.now)
    assert set(kinds(line, until=100.0)) <= {"U", "u"}
    last = line.told(StatusChanged)[-1]
    assert last.status.state is State.STOPPED
    assert last.status.cause is not None
    assert "was not removed" in last.status.cause.detail
    assert last.status.phase is Phase.IDLE
    assert line.agent.names() == ()


def test_remove_without_a_binding_is_stopped_at_once() -> None:
    line = Line(account())
    line.agent.remove("alice", now=0.0)
    assert line.sent() == []
    [change] = line.told(StatusChanged)
    assert change.status.state is State.STOPPED


def test_remove_in_flight_is_queued() -> None:
    line = Line(account(), script=[Answer(200, contact="{contact};expires=100", delay=3.0), 200])
    line.register(until=1.0)
    line.agent.remove("alice", now=line.now)
    assert kinds(line, until=10.0)[-1] == "U"
    assert line.told(StatusChanged)[-1].status.state is State.STOPPED


def test_remove_while_an_attempt_fails_is_stopped_once() -> None:
    line = Line(account(), script=[Answer(403, delay=3.0)])
    line.register(until=1.0)
    line.agent.remove("alice", now=line.now)
    line.run(until=100.0)
    assert [change.status.state for change in line.told(StatusChanged)] == [State.STOPPED]
    assert len(line.peer.requests) == 1


def test_remove_with_a_binding_that_nobody_answers_for_is_stopped_without_it() -> None:
    line = up(None, timing=T1_100)
    line.agent.remove("alice", now=line.now)
    line.run(until=100.0)
    last = line.told(StatusChanged)[-1].status
    assert (last.state, last.bindings, last.expires_at) == (State.STOPPED, (), None)
    assert line.agent.next_deadline() is None


def test_a_name_is_free_again_after_remove() -> None:
    line = up(200)
    line.agent.remove("alice", now=line.now)
    line.run()
    line.agent.add(account(), now=line.now)
    line.peer.answer(ok(100))
    line.register()
    assert line.status().registered
    first, second = line.peer.requests[0], line.peer.requests[-1]
    assert first.call_id != second.call_id


def test_commands_for_unknown_names_are_refused() -> None:
    line = Line(account())
    for command in (line.agent.register, line.agent.unregister, line.agent.remove):
        with pytest.raises(LocalProtocolError, match="bob"):
            command("bob", now=0.0)
    with pytest.raises(LocalProtocolError, match="alice"):
        line.agent.add(account(), now=0.0)


# --- a forced register ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [SIPCORE, JSSIP], ids=lambda profile: profile.name)
def test_register_when_registered_is_a_refresh(profile: Profile) -> None:
    line = up(ok(100), profile=profile)
    line.agent.register("alice", now=line.now)
    assert kinds(line) == ["R"]
    [event] = line.told(Registered)
    assert event.refreshed


def test_register_under_asterisk_removes_first() -> None:
    """As `pjsip send register`: Expires 0, then a REGISTER after the initial delay."""
    line = up(200, profile=ASTERISK)
    line.agent.register("alice", now=line.now)
    assert kinds(line, until=2.999) == ["U"]
    line.peer.answer(ok(100))
    assert kinds(line, until=3.0) == ["R"]
    assert line.status().registered


def test_register_under_asterisk_goes_on_when_the_removal_fails() -> None:
    line = up(500, ok(100), profile=ASTERISK)
    line.agent.register("alice", now=line.now)
    assert kinds(line, until=3.0) == ["U", "R"]
    assert line.status().registered


@pytest.mark.parametrize("ending", ["unregister", "remove"])
def test_a_forced_register_that_is_taken_back_ends_with_the_removal(ending: str) -> None:
    line = up(Answer(200, delay=1.0), ok(100), profile=ASTERISK)
    line.agent.register("alice", now=line.now)
    line.run(until=2.5)
    getattr(line.agent, ending)("alice", now=line.now)
    line.run(until=3.0)
    assert [status.next_attempt_at for status in line.agent.statuses()] == ([None] if ending == "unregister" else [])
    assert set(kinds(line, until=100.0)) <= {"U", "u"}


def test_register_forgets_the_failures_before() -> None:
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0, max_retries=1, retry_interval=5), script=[503])
    line.register(until=20.0)
    assert (line.status().attempt, line.status().next_attempt_at) == (2, None)
    line.agent.register("alice", now=line.now)
    assert line.status().attempt == 0
    line.run(until=25.0)
    assert line.status().next_attempt_at is not None


def test_register_brings_back_what_had_given_up() -> None:
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0), script=[403, 200, ok(100)])
    line.register(until=100.0)
    assert line.status().state is State.REJECTED
    assert line.agent.next_deadline() is None
    line.agent.register("alice", now=line.now)
    line.run(until=110.0)
    assert line.status().registered


def test_register_twice_is_one_attempt() -> None:
    line = Line(account(), script=[Answer(200, contact="{contact};expires=100", delay=1.0)])
    line.agent.register("alice", now=0.0)
    line.agent.register("alice", now=0.0)
    line.run(until=0.5)
    line.agent.register("alice", now=line.now)
    line.run(until=20.0)
    assert len(line.peer.requests) == 1


@every_profile
def test_register_again_and_again_keeps_the_gap(profile: Profile) -> None:
    """Promise 3: the application may be impatient, the registrar must not feel it."""
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[503])
    line.register()
    for step in range(1, 200):
        line.run(until=step * 0.1)
        line.agent.register("alice", now=line.now)
    times = [item.at for item in line.peer.received if not item.copy]
    assert len(times) > 5
    assert all(after - before >= 1.0 - 1e-9 for before, after in pairwise(times))


# --- close ----------------------------------------------------------------------------------------------------------


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
