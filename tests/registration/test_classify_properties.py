"""The laws of classification, asked of the real rules; and the table of classes by example."""

from __future__ import annotations

import pytest

from sipcore.exchange.outcome import Failure
from sipcore.profiles import ASTERISK, JSSIP, PROFILES, SIPCORE, Profile
from sipcore.registration import Authentication, Context, classify
from sipcore.values import OutcomeClass as Class
from tests.registration.classify_laws import LAWS
from tests.registration.laws import Law, parameters


@pytest.mark.parametrize("law", parameters(LAWS))
def test_law(law: Law) -> None:
    """Each law's text is in its own docstring."""
    law.check(examples=150)


# Code, credentials sent: class under SIPCORE, ASTERISK, JSSIP.
ROWS = [
    (400, False, "permanent permanent permanent"),
    (401, True, "refused refused refused"),
    (403, False, "permanent permanent permanent"),
    (403, True, "refused permanent permanent"),
    (404, True, "permanent permanent permanent"),
    (407, True, "refused refused refused"),
    (408, False, "temporary temporary temporary"),
    (423, False, "permanent permanent permanent"),
    (429, False, "temporary permanent permanent"),
    (480, False, "temporary permanent permanent"),
    (500, False, "temporary temporary permanent"),
    (501, False, "temporary permanent permanent"),
    (503, False, "temporary temporary permanent"),
    (504, False, "temporary temporary permanent"),
    (600, False, "temporary temporary permanent"),
    (302, False, "permanent permanent permanent"),
]


@pytest.mark.requirement("RFC3261-21.4.9-01", "RFC3261-21.5.4-01")
@pytest.mark.parametrize(("code", "credentials", "classes"), ROWS)
def test_what_ends_an_attempt(code: int, credentials: bool, classes: str) -> None:
    for profile, word in zip((SIPCORE, ASTERISK, JSSIP), classes.split(), strict=True):
        context = Context(profile, credentials_sent=credentials, authentication=Authentication.EXHAUSTED)
        assert classify(code, None, context).kind.partition(" ")[0] == word, profile.name


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_first_challenge_is_answered(profile: Profile) -> None:
    context = Context(profile, authentication=Authentication.NEW)
    assert classify(401, None, context).kind is Class.CHALLENGE
    assert classify(407, None, context).kind is Class.CHALLENGE


def test_asterisk_answers_once_whatever_the_second_challenge_says() -> None:
    context = Context(ASTERISK, authentication=Authentication.NEW, stale=True, credentials_sent=True, answers=1)
    assert classify(401, None, context).kind is Class.CREDENTIALS


def test_jssip_answers_a_second_time_only_when_stale() -> None:
    context = Context(
        JSSIP, authentication=Authentication.NEW, credentials_sent=True, answers=1, answers_without_stale=1
    )
    assert classify(401, None, context).kind is Class.CREDENTIALS
    assert classify(401, None, context._replace(stale=True)).kind is Class.CHALLENGE


@pytest.mark.requirement("RFC3261-8.1.3.1-01")
def test_a_name_without_address_has_no_next_target() -> None:
    context = Context(SIPCORE, targets_left=1)
    assert classify(None, Failure.UNRESOLVED, context).kind is Class.TEMPORARY
    assert classify(None, Failure.TIMEOUT, context).kind is Class.NEXT_TARGET
