"""Ending a registration: one binding, all of them, for good; and everything that can come in between."""

from __future__ import annotations

import pytest

from sipcore.errors import LocalProtocolError
from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.values import Phase, State
from tests.accounts import T1_100, account
from tests.registration.lines import every_profile, kinds, up


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
