"""What the pure rules take for granted where nothing is said, and their limits in numbers."""

from __future__ import annotations

import pytest

from sipcore.profiles import SIPCORE
from sipcore.registration.binding import MALFORMED_EXPIRES, SHOWN, Grant, Listed
from sipcore.registration.classify import TOO_MANY, Authentication, Context, classify
from sipcore.registration.schedule import MAX_WAIT, PROVEN_RETRIES, History, Plan
from sipcore.registration.too_brief import GUESS, MAX_MIN_EXPIRES


def test_a_context_that_says_nothing_is_a_first_request_with_one_left() -> None:
    assert Context(SIPCORE)._asdict() == {
        "profile": SIPCORE,
        "removal": False,
        "authentication": Authentication.NONE,
        "authentication_detail": "",
        "stale": False,
        "credentials_sent": False,
        "answers": 0,
        "answers_without_stale": 0,
        "auth_rejection_permanent": True,
        "can_raise_expires": False,
        "redirects_left": 0,
        "targets_left": 0,
        "requests_left": 1,
        "binding": True,
        "grant": 0.0,
        "assumed": False,
        "retry_after": None,
    }


def test_a_history_that_says_nothing_is_that_of_a_first_failure() -> None:
    assert History() == (1, 1, 0, False, False)
    assert Plan(None) == (None, True, False)


def test_the_limits_in_numbers() -> None:
    assert MAX_WAIT == 4294967296.0
    assert PROVEN_RETRIES == 2
    assert MAX_MIN_EXPIRES == 604800
    assert GUESS == 3601
    assert (MALFORMED_EXPIRES, SHOWN) == (3600, 201)
    assert TOO_MANY == "too many requests in one attempt"


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("others", [(), (Listed("sip:b@c", None),)])
@pytest.mark.parametrize("expires", [0, 1, 3600])
def test_a_binding_is_lost_when_others_are_listed_or_nothing_is_granted(
    listed: bool, others: tuple[Listed, ...], expires: int
) -> None:
    lost = Grant(listed, others, expires, False).lost
    assert lost is (expires == 0 or (not listed and others != ()))


def test_what_becomes_of_challenges_has_one_word_each() -> None:
    assert ", ".join(Authentication) == "none, new, exhausted, unusable"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (403, "forbidden with our credentials"),
        (404, "the registrar does not know this address of record"),
        (405, ""),
        (423, "the registrar's minimum cannot be met"),
        (424, ""),
    ],
)
def test_what_a_code_alone_does_not_tell_is_told(code: int, words: str) -> None:
    assert classify(code, None, Context(SIPCORE, credentials_sent=True)).detail == words
