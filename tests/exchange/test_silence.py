"""Nobody answers: every timer just before and at its time, on the wire."""

from __future__ import annotations

import pytest

from sipcore.config import Timing
from sipcore.events import Rejected
from sipcore.profiles import ASTERISK, SIPCORE
from sipcore.testing import Answer, Line, ok
from sipcore.values import OutcomeClass, Phase, Protocol, State
from tests.accounts import T1_100, TCP, account

COPIES = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
EPSILON = 1e-6


@pytest.mark.requirement("RFC3261-17.1.2.2-02", "RFC3261-17.1.2.2-01", "RFC3261-10.2-07")
def test_copies_are_sent_exactly_when_timer_e_fires() -> None:
    line = Line(account())
    line.register()
    first = line.sent()
    assert len(first) == 1
    for at in COPIES:
        assert line.sent(until=at - EPSILON) == []
        assert line.sent(until=at) == first
    assert line.sent(until=32.0) == []


@pytest.mark.requirement("RFC3261-17.1.2.2-03", "RFC3261-8.1.3.1-01", "RFC3261-10.2.7-01")
def test_it_is_over_at_32_seconds_and_says_no_answer() -> None:
    """Q-49: silence is told apart from a rejection, with the server that was asked and the transport."""
    line = Line(account())
    line.register(until=32.0 - EPSILON)
    assert line.told() == []
    assert line.status().phase is Phase.EXCHANGING
    [rejected] = line.told(Rejected, until=32.0)
    assert rejected.kind is OutcomeClass.TEMPORARY
    assert rejected.status is None
    assert rejected.cause.detail == "no answer"
    assert rejected.cause.server == "192.0.2.1:5060"
    assert rejected.cause.transport is Protocol.UDP
    assert line.status().state is State.UNREGISTERED
    assert rejected.retry_at is not None
    assert 62.0 <= rejected.retry_at <= 92.0


def test_the_next_attempt_is_a_new_transaction() -> None:
    line = Line(account())
    line.register(until=100.0)
    branches = [item.request.via.branch for item in line.peer.received]
    numbers = [item.request.cseq.number for item in line.peer.received]
    assert len(set(branches)) == len(set(numbers)) == 2


@pytest.mark.requirement("RFC3261-17.1.2.2-05", "RFC4320-4.1-01")
def test_after_a_100_copies_come_every_four_seconds() -> None:
    """Q-29: a CUCM says 100 before it says anything else. The copy that is due already is still sent in its time."""
    line = Line(account(), script=[Answer(200, provisional=(100,), contact="{contact};expires=60", delay=20.0)])
    line.register()
    first = line.sent()
    for at in (0.5, 4.5, 8.5, 12.5, 16.5):
        assert line.sent(until=at - EPSILON) == []
        assert line.sent(until=at) == first
    assert line.sent(until=20.0) == []
    assert line.status().registered


@pytest.mark.requirement("RFC3261-17.1.2.2-05")
def test_after_a_100_asterisk_waits_four_seconds_at_once() -> None:
    line = Line(
        account(profile=ASTERISK, max_random_initial_delay=0),
        script=[Answer(200, provisional=(100,), contact="{contact};expires=60", delay=20.0)],
    )
    line.register(until=1.0)
    first = line.sent()
    for at in (5.0, 9.0, 13.0, 17.0):
        assert line.sent(until=at - EPSILON) == []
        assert line.sent(until=at) == first


@pytest.mark.requirement("RFC3261-17.1.2.2-05", "RFC3261-17.1.2.2-03", "RFC3261-8.1.3.2-02")
@pytest.mark.parametrize("code", [100, 183, 199])
def test_a_1xx_and_then_silence_ends_at_32_seconds_too(code: int) -> None:
    line = Line(account(), script=[Answer(200, provisional=(code,), delay=1000.0)])
    line.register(until=32.0 - EPSILON)
    assert line.told(Rejected) == []
    assert len(line.told(Rejected, until=32.0)) == 1


@pytest.mark.parametrize("times", [2, 10])
def test_many_1xx_do_not_postpone_anything(times: int) -> None:
    for profile in (SIPCORE, ASTERISK):
        line = Line(
            account(profile=profile, max_random_initial_delay=0),
            script=[Answer(200, provisional=(100,) * times, delay=1000.0)],
        )
        line.register(until=2.0)
        started = line.peer.received[0].at
        assert line.told(Rejected, until=started + 32.0 - EPSILON) == []
        assert len(line.told(Rejected, until=started + 32.0)) == 1


@pytest.mark.requirement("RFC3261-17.1.2.2-04", "RFC3261-17.1.2.2-03")
def test_on_tcp_nothing_is_repeated_and_32_seconds_are_the_end() -> None:
    line = Line(account(transport=TCP))
    line.register()
    assert len(line.sent()) == 1
    assert line.sent(until=32.0 - EPSILON) == []
    assert line.told() == []
    assert [event.cause.detail for event in line.told(Rejected, until=32.0)] == ["no answer"]
    assert line.sent() == []


@pytest.mark.requirement("RFC3261-17.1.2.2-01")
def test_t1_t2_and_timer_f_are_the_accounts() -> None:
    line = Line(account(timing=Timing(t1=1.0, t2=2.0, timeout=8.0)))
    line.register()
    first = line.sent()
    for at in (1.0, 3.0, 5.0, 7.0):
        assert line.sent(until=at - EPSILON) == []
        assert line.sent(until=at) == first
    assert line.told(Rejected, until=8.0 - EPSILON) == []
    assert len(line.told(Rejected, until=8.0)) == 1


@pytest.mark.requirement("RFC3261-17.1.2.2-03")
def test_timer_f_beats_a_copy_that_is_due_at_the_same_time() -> None:
    line = Line(account(timing=Timing(t1=1.0, t2=4.0, timeout=7.0)))
    line.register(until=6.9)
    line.sent()
    assert line.sent(until=7.0) == []
    assert len(line.told(Rejected)) == 1


@pytest.mark.requirement("RFC3261-17.1.2.2-06", "RFC3261-17.1.2.2-07")
def test_an_answer_ends_the_copies_and_copies_of_it_are_absorbed_for_five_seconds() -> None:
    line = Line(account(timing=T1_100), script=[Answer(200, contact="{contact};expires=60", delay=0.25)])
    line.register(until=0.25)
    assert line.status().registered
    line.sent()
    line.told()
    for at in (0.3, 3.0, 5.25 - EPSILON):
        line.run(until=at)
        line.peer.send(line.peer.write(line.peer.requests[0], ok(60)), ("192.0.2.10", 40000))
        assert line.told(until=at) == []
    assert line.sent() == []
    # Timer K: then the branch is unknown.
    line.run(until=5.25)
    line.peer.send(line.peer.write(line.peer.requests[0], ok(60)), ("192.0.2.10", 40000))
    [dropped] = line.told()
    assert getattr(dropped, "cause", None) == "a response to no request"


@pytest.mark.requirement("RFC3261-17.1.2.2-08")
def test_a_second_final_response_that_differs_is_absorbed() -> None:
    line = Line(account(), script=[ok(60)])
    line.register()
    line.told()
    [request] = line.peer.requests
    line.peer.send(line.peer.write(request, Answer(403)), ("192.0.2.10", 40000))
    assert line.told(until=1.0) == []
    assert line.status().registered


@pytest.mark.requirement("RFC3261-10.2.4-09", "RFC3261-10.2.4-03")
def test_a_registrar_that_is_silent_during_a_call_does_not_cost_the_registration() -> None:
    """Q-43: it does not answer REGISTER while it is busy; we stay registered and try again inside the margin."""
    line = Line(account(), script=[ok(600)])
    line.register(until=1.0)
    line.peer.answer(None)
    due = line.status().next_attempt_at
    assert due is not None
    line.run(until=due + 100.0)
    assert line.status().registered
    assert line.status().attempt >= 2
    line.peer.answer(ok(600))
    line.run(until=due + 140.0)
    assert line.status().attempt == 0
    assert line.status().registered
