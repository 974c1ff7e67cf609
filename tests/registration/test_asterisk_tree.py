"""What Asterisk does with each answer to a REGISTER, in the order in which it decides: a test for each step, and one
for each status code there is.

The steps are those of its response handler; where the ASTERISK profile does otherwise on purpose (`docs/profiles.md`),
the test says so by its name.
"""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.events import Registered, Rejected
from sipcore.profiles import ASTERISK
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.values import OutcomeClass, State
from tests.accounts import account, has_credentials

TEMPORARY = {408, 500, 502, 503, 504, *range(600, 700)}
"""What Asterisk calls temporary, but for a 401 or 407 with auth_rejection_permanent=no."""

FINAL = [code for code in range(300, 700) if code not in (401, 407, 423)]

WAITS = {"retry_interval": 7, "forbidden_retry_interval": 11, "fatal_retry_interval": 13}


def line(*script: Step, **options: Any) -> Line:
    """An account whose first REGISTER leaves at exactly 1 s."""
    one = Line(account(profile=ASTERISK, **{"max_random_initial_delay": 0, **options}), script=script)
    one.register(until=1.5)
    return one


def times(one: Line) -> list[float]:
    return [item.at for item in one.peer.received if not item.copy]


def expected_wait(code: int, options: dict[str, int]) -> int:
    """The seconds until the next attempt by the rules as they are written down; 0 is never."""
    if code in TEMPORARY and options.get("retry_interval", 60):
        return options.get("retry_interval", 60)
    if code == 403 and options.get("forbidden_retry_interval"):
        return options["forbidden_retry_interval"]
    return options.get("fatal_retry_interval", 0)


@pytest.mark.parametrize(
    "options",
    [{}, WAITS, {**WAITS, "retry_interval": 0}, {**WAITS, "forbidden_retry_interval": 0}, {"fatal_retry_interval": 5}],
    ids=str,
)
def test_every_status_code_waits_as_long_as_the_rules_say(options: dict[str, int]) -> None:
    """Law: the wait after a code is that of the written rules, for each code from 300 to 699; 401, 407 and 423 have
    tests of their own."""
    wrong = []
    for code in FINAL:
        one = line(code, ok(60), **options)
        [rejected] = one.told(Rejected)
        wait = expected_wait(code, options)
        planned = None if rejected.retry_at is None else rejected.retry_at - rejected_at(one)
        if (planned or 0.0) != pytest.approx(float(wait)):
            wrong.append((code, planned, wait))
        one.run(until=1000.0)
        assert len(times(one)) >= 2 if wait else times(one) == [1.0], code
    assert wrong == []


def rejected_at(one: Line) -> float:
    return one.status().since


def test_0_stopped_nothing_that_comes_later_is_looked_at() -> None:
    one = line(Answer(200, contact="{contact};expires=60", delay=3.0), ok(0))
    one.agent.remove("alice", now=one.now)
    one.run(until=100.0)
    assert one.agent.names() == ()
    assert len(times(one)) == 2
    events = one.told()
    assert events
    one.run(until=1000.0)
    assert one.told() == []


@pytest.mark.parametrize("failure", [408, 503])
def test_2_the_next_address_is_asked_in_the_same_attempt(failure: int) -> None:
    one = Line(account(profile=ASTERISK, max_random_initial_delay=0), script=[failure])
    one.world.name("example.com", "192.0.2.1", "192.0.2.2")
    second = one.serve(("192.0.2.2", 5060), ok(60))
    one.register(until=2.0)
    assert len(second.requests) == 1
    assert one.status().registered
    assert one.told(Rejected) == []


@pytest.mark.parametrize("code", [401, 407])
def test_3_a_first_challenge_is_answered_and_not_told(code: int) -> None:
    one = line(challenge(code), ok(60))
    assert [has_credentials(request) for request in one.peer.requests] == [False, True]
    first, second = one.peer.requests
    assert (second.call_id, second.cseq.number) == (first.call_id, first.cseq.number + 1)
    assert one.told(Rejected) == []


@pytest.mark.parametrize("stale", [None, False, True])
def test_3_a_second_challenge_is_final_whatever_it_says(stale: bool | None) -> None:
    one = line(challenge(), challenge(stale=stale), ok(60))
    [rejected] = one.told(Rejected)
    assert rejected.cause.code == 401
    assert rejected.retry_at is None
    assert len(one.peer.requests) == 2


def test_3_after_a_423_the_challenge_is_answered_again() -> None:
    one = line(challenge(), Answer(423, ("Min-Expires: 7200",)), challenge(), ok(7200))
    assert one.status().registered
    assert [has_credentials(request) for request in one.peer.requests] == [False, True, False, True]


@pytest.mark.parametrize("answer", [Answer(401), challenge(algorithm="X-1"), challenge(qop="auth-int")], ids=str)
def test_3_a_challenge_that_cannot_be_answered_is_classified_itself(answer: Answer) -> None:
    one = line(answer)
    [rejected] = one.told(Rejected)
    assert (rejected.cause.code, rejected.retry_at) == (401, None)
    assert rejected.cause.kind is OutcomeClass.CREDENTIALS


@pytest.mark.parametrize("code", [401, 407])
def test_3_refused_credentials_are_temporary_when_told_so(code: int) -> None:
    one = line(challenge(code), challenge(code), auth_rejection_permanent=False, retry_interval=9)
    [rejected] = one.told(Rejected)
    assert rejected.cause.kind is OutcomeClass.TEMPORARY
    assert rejected.retry_at == pytest.approx(rejected_at(one) + 9.0)


def test_3_494_without_an_agreement_does_not_loop() -> None:
    """Asterisk asks again after 0 s, for ever; here it is a rejection."""
    one = line(494)
    assert len(one.told(Rejected)) == 1
    one.run(until=1000.0)
    assert times(one) == [1.0]


@pytest.mark.parametrize(("grant", "wait"), [(3600, 3590.0), (60, 50.0), (12, 2.0)])
def test_5_a_success_is_refreshed_ten_seconds_before_its_end(grant: int, wait: float) -> None:
    one = line(ok(grant))
    [registered] = one.told(Registered)
    assert registered.refresh_at - registered_at(one) == pytest.approx(wait)


def registered_at(one: Line) -> float:
    return one.status().since


def test_5_a_success_resets_the_count_of_retries() -> None:
    one = line(503, ok(15), 503, ok(15), 503, max_retries=1, retry_interval=2)
    one.run(until=40.0)
    assert len(times(one)) >= 5


def test_5_a_grant_of_0_is_unregistered_without_a_timer() -> None:
    one = line(Answer(200, ("Expires: 0",)))
    assert one.status().state is State.UNREGISTERED
    assert one.status().next_attempt_at is None
    one.run(until=5000.0)
    assert times(one) == [1.0]


def test_6_a_registration_that_is_going_away_is_not_tried_again() -> None:
    one = line(ok(60), 503)
    one.agent.remove("alice", now=one.now)
    one.run(until=1000.0)
    removal = one.peer.requests[1]
    assert removal.get("expires") == "0"
    assert len(times(one)) == 2


@pytest.mark.parametrize("code", [302, 400, 403, 404, 480, 486, 500, 503, 600])
def test_7_retry_after_beats_all_and_does_not_count(code: int) -> None:
    again = Answer(code, ("Retry-After: 20 (busy);duration=5",))
    one = line(again, again, again, again, ok(60), max_retries=1, retry_interval=3)
    one.run(until=100.0)
    assert times(one) == [1.0, 21.0, 41.0, 61.0, 81.0]
    assert one.status().registered


@pytest.mark.parametrize("value", ["0", "x", ""])
def test_7_a_retry_after_of_0_is_none(value: str) -> None:
    one = line(Answer(503, (f"Retry-After: {value}",)), retry_interval=9)
    [rejected] = one.told(Rejected)
    assert rejected.retry_at == pytest.approx(rejected_at(one) + 9.0)


@pytest.mark.parametrize("retries", [0, 2])
def test_8_after_the_last_retry_nothing_is_planned(retries: int) -> None:
    one = line(503, max_retries=retries, retry_interval=5)
    one.run(until=1000.0)
    assert len(times(one)) == retries + 1
    assert one.status().state is State.REJECTED


def test_9_and_10_share_one_count() -> None:
    one = line(403, 404, 403, ok(60), max_retries=2, forbidden_retry_interval=3, fatal_retry_interval=4)
    one.run(until=1000.0)
    assert times(one) == [1.0, 4.0, 8.0]


def test_11_fatal_is_rejected_for_good() -> None:
    one = line(404)
    one.run(until=100_000.0)
    assert times(one) == [1.0]
    assert one.status().state is State.REJECTED


@pytest.mark.parametrize(
    ("script", "kind"),
    [([ok(60)], Registered), ([404], Rejected), ([503], Rejected), ([Answer(200, ("Expires: 0",))], Rejected)],
)
def test_12_every_final_outcome_is_told_even_when_the_status_stays(script: list[Step], kind: type) -> None:
    """A grant of 0 is told as one that was not made; the state says Unregistered."""
    one = line(*script, retry_interval=2, max_retries=10)
    assert len(one.told(kind)) == 1


def test_12_a_refresh_is_told_each_time() -> None:
    one = line(ok(20), ok(20), ok(20))
    one.run(until=30.0)
    assert len(one.told(Registered)) == 3


def test_13_what_was_removed_is_over_with_its_last_answer() -> None:
    one = line(ok(60), 404)
    one.agent.remove("alice", now=one.now)
    one.run(until=10.0)
    assert one.agent.names() == ()


def test_silence_is_408_and_a_missing_address_502() -> None:
    """In Asterisk's numbers; both count as temporary."""
    silent = line(None, retry_interval=5)
    silent.run(until=40.0)
    [rejected] = silent.told(Rejected)
    assert rejected.cause.kind is OutcomeClass.TEMPORARY
    assert rejected_at(silent) == pytest.approx(33.0)
    nowhere = line(registrar="sip:nowhere.invalid", retry_interval=5)
    nowhere.run(until=5.0)
    [rejected] = nowhere.told(Rejected)
    assert rejected.cause.kind is OutcomeClass.TEMPORARY


def test_a_provisional_response_is_no_answer() -> None:
    one = line(Answer(200, contact="{contact};expires=60", provisional=(100, 183), delay=20.0))
    one.run(until=10.0)
    assert one.told() == []
    one.run(until=25.0)
    assert one.status().registered


def test_a_response_that_cannot_be_read_is_dropped() -> None:
    def spoilt(data: bytes) -> bytes:
        return data.replace(b"CSeq:", b"CSeq;")

    one = line(Answer(200, edit=spoilt), retry_interval=5)
    one.run(until=30.0)
    assert one.told(Rejected) == []
    one.run(until=34.0)
    [rejected] = one.told(Rejected)
    assert rejected.cause.code is None


def test_requests_of_a_refresh_carry_no_credentials() -> None:
    one = line(challenge(), ok(20), challenge(), ok(20))
    one.run(until=15.0)

    def nc(request: Request) -> str:
        return (request.get("authorization") or "").partition("nc=")[2][:8]

    assert [has_credentials(request) for request in one.peer.requests] == [False, True, False, True]
    assert [nc(request) for request in one.peer.requests[1::2]] == ["00000001", "00000001"]
