"""What Asterisk's own test suite asserts of res_pjsip_outbound_registration, and the counting that no trace shows."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.config import Account
from sipcore.events import Registered, Rejected
from sipcore.profiles import ASTERISK
from sipcore.testing import Answer, Line, ScriptedPeer, Step, challenge, ok
from sipcore.values import State
from tests.accounts import account, has_credentials


def line(*script: Step, **options: Any) -> Line:
    """An account whose first REGISTER leaves at exactly 1 s."""
    return Line(account(profile=ASTERISK, **{"max_random_initial_delay": 0, **options}), script=script)


def times(line: Line) -> list[float]:
    return [item.at for item in line.peer.received if not item.copy]


def test_the_first_attempt_waits_a_second_and_a_random_number_of_seconds() -> None:
    seen = set()
    for seed in range(200):
        one = Line(account(profile=ASTERISK), script=[ok(60)], seed=seed)
        one.register(until=11.0)
        seen.add(times(one)[0])
    assert seen == {float(second) for second in range(1, 11)}


def test_auth_loop_two_challenges_and_then_nothing() -> None:
    one = line(challenge(nonce="A"), challenge(nonce="B"))
    one.register(until=1000.0)
    assert len(times(one)) == 2
    assert len(one.told(Rejected)) == 1
    assert one.status().state is State.REJECTED


@pytest.mark.requirement("RFC3261-22.4-01", "RFC3261-22.4-03")
@pytest.mark.parametrize(
    ("port", "digest"), [(5065, "7a436814111968c5fcf13d393deca1fc"), (5066, "f2e4537a79a463484cbdf47c9688ecaa")]
)
@pytest.mark.parametrize("code", [400, 403])
def test_fatal_and_forbidden_retry(port: int, digest: str, code: int) -> None:
    """The digests are those of the suite; the retry comes after 20 s and without credentials, or not at all."""
    options: dict[str, Any] = {"fatal_retry_interval": 20} if code == 400 else {"forbidden_retry_interval": 20}
    for again in (True, False):
        alice = Account(
            f"sip:alice@127.0.0.1:{port}",
            name="alice",
            password="blah",
            registrar=f"sip:alice@127.0.0.1:{port}",
            profile=ASTERISK,
            retry_interval=10,
            max_random_initial_delay=0,
            **(options if again else {}),
        )
        one = Line(alice)
        nonce = "47ebe028cda119c35d4877b383027d28da013815"
        asked = challenge(nonce=nonce, realm="test.example.com", qop=None, algorithm=None)
        peer = ScriptedPeer(one.world, ("127.0.0.1", port), [asked, code, ok(60)])
        one.register(until=20.9)
        first, second = peer.requests
        assert not has_credentials(first)
        assert f'response="{digest}"' in (second.get("authorization") or "")
        one.run(until=21.0)
        assert len(peer.requests) == (3 if again else 2)
        assert one.status().registered is again
        if again:
            assert not has_credentials(peer.requests[2])


def test_interval_too_brief_before_the_challenge() -> None:
    one = line(Answer(423, ("Min-Expires: 20",)), challenge(), ok(20), ok(20), expires=10)
    one.register(until=2.0)
    assert [request.get("expires") for request in one.peer.requests] == ["10", "20", "20"]
    assert len(one.told(Registered)) == 1


def test_interval_too_brief_after_the_challenge() -> None:
    brief = Answer(423, ("Min-Expires: 20",))
    one = line(challenge(nonce="a"), brief, challenge(nonce="b"), ok(20), ok(20), expires=10)
    one.register(until=2.0)
    assert [(request.get("expires"), has_credentials(request)) for request in one.peer.requests] == [
        ("10", False),
        ("10", True),
        ("20", False),
        ("20", True),
    ]
    assert len(one.told(Registered)) == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_max_retries_is_a_number_of_retries(retries: int) -> None:
    one = line(503, max_retries=retries, retry_interval=5)
    one.register(until=1000.0)
    assert times(one) == [1.0 + 5 * step for step in range(retries + 1)]
    assert one.status().next_attempt_at is None
    assert "configured limit" in str(one.status().cause)


def test_a_success_starts_the_count_anew() -> None:
    one = line(503, 503, ok(60), 503, 503, ok(60), max_retries=2, retry_interval=5)
    one.register(until=100.0)
    assert one.status().registered
    assert times(one) == [1.0, 6.0, 11.0, 61.0, 66.0, 71.0]


def test_one_count_serves_all_classes() -> None:
    one = line(
        503,
        403,
        404,
        503,
        max_retries=2,
        retry_interval=2,
        forbidden_retry_interval=3,
        fatal_retry_interval=4,
    )
    one.register(until=1000.0)
    assert times(one) == [1.0, 3.0, 6.0]


def test_forbidden_goes_before_fatal_and_both_may_be_missing() -> None:
    cases: list[tuple[dict[str, Any], float | None]] = [
        ({"forbidden_retry_interval": 3, "fatal_retry_interval": 4}, 3.0),
        ({"fatal_retry_interval": 4}, 4.0),
        ({"forbidden_retry_interval": 3}, 3.0),
        ({}, None),
    ]
    for options, wait in cases:
        one = line(403, **options)
        one.register(until=1.0)
        planned = one.status().next_attempt_at
        assert (None if planned is None else planned - 1.0) == wait


def test_retry_interval_0_makes_temporary_failures_fatal() -> None:
    one = line(503, retry_interval=0)
    one.register(until=1000.0)
    assert times(one) == [1.0]
    one = line(503, retry_interval=0, fatal_retry_interval=7)
    one.register(until=9.0)
    assert times(one) == [1.0, 8.0]


def test_a_refused_401_is_temporary_if_told_so() -> None:
    one = line(challenge(), auth_rejection_permanent=False, retry_interval=5, max_retries=1)
    one.register(until=1000.0)
    assert times(one) == [1.0, 1.0, 6.0, 6.0]


def test_a_refused_refresh_is_rejected_though_the_binding_stands() -> None:
    one = line(ok(60), 503, ok(60), retry_interval=5)
    one.register(until=52.0)
    assert one.status().state is State.REJECTED
    one.run(until=57.0)
    assert one.status().registered


def test_unregister_is_sent_whatever_the_status_once_something_was_tried() -> None:
    one = line(403, 200)
    one.register(until=2.0)
    one.agent.unregister("alice", now=one.now)
    one.run(until=3.0)
    assert [request.get("expires") for request in one.peer.requests] == ["3600", "0"]


def test_a_grant_of_ten_seconds_or_less_does_not_loop() -> None:
    """Asterisk refreshes at once, over and over; ours keeps the gap."""
    one = line(ok(10))
    one.register(until=11.0)
    assert times(one) == [float(second) for second in range(1, 12)]
