"""The laws of the schedule, asked of the real rules; and the numbers of the table by example."""

from __future__ import annotations

import math

import pytest

from sipcore.config import Account
from sipcore.exchange.outcome import Outcome
from sipcore.profiles import ASTERISK, JSSIP, PROFILES, SIPCORE, Profile
from sipcore.registration import History, refresh_delay, schedule
from sipcore.registration.schedule import MAX_WAIT
from sipcore.values import OutcomeClass
from tests.registration.laws import Fixed, Law, parameters
from tests.registration.schedule_laws import LAWS


@pytest.mark.parametrize("law", parameters(LAWS))
def test_law(law: Law) -> None:
    """Each law's text is in its own docstring."""
    law.check(examples=150)


@pytest.mark.requirement("RFC3261-10.2.4-03")
@pytest.mark.parametrize(
    ("profile", "grant", "earliest", "latest"),
    [
        (SIPCORE, 60, 27, 30),
        (SIPCORE, 120, 76, 80),
        (SIPCORE, 3600, 2940, 3000),
        (SIPCORE, 7200, 6540, 6600),
        (SIPCORE, 1, 1, 1),
        (ASTERISK, 3600, 3590, 3590),
        (ASTERISK, 60, 50, 50),
        (ASTERISK, 5, 1, 1),
        (JSSIP, 600, 300, 568),
        (JSSIP, 60, 55, 55),
        (JSSIP, 5, 5, 5),
    ],
)
def test_when_a_grant_is_refreshed(profile: Profile, grant: float, earliest: float, latest: float) -> None:
    soon, late = sorted(refresh_delay(profile.refresh, grant, Fixed(chance)) for chance in (0.0, 1.0))
    assert (soon, late) == (earliest, latest)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_an_endless_grant_is_a_long_one(profile: Profile) -> None:
    assert refresh_delay(profile.refresh, math.inf, Fixed(0.5)) <= MAX_WAIT


def delay(kind: OutcomeClass, code: int, failures: int, account: Account, **history: bool) -> float | None:
    outcome = Outcome(kind, code=code)
    return schedule(outcome, History(failures=failures, same_class=failures, **history), account, Fixed(0.0)).delay


def test_a_403_is_a_decision_even_when_the_credentials_worked_before() -> None:
    account = Account("sip:alice@example.com")
    assert delay(OutcomeClass.CREDENTIALS, 403, 1, account, proven=True) == 600.0
    assert delay(OutcomeClass.CREDENTIALS, 401, 1, account, proven=True) == 30.0
    assert delay(OutcomeClass.CREDENTIALS, 401, 1, account, proven=True, standing=True) == 1.0
    assert delay(OutcomeClass.CREDENTIALS, 401, 3, account, proven=True) == 600.0
    assert delay(OutcomeClass.CREDENTIALS, 401, 4, account, proven=True) == 1200.0


def test_the_intervals_of_asterisk() -> None:
    account = Account("sip:alice@example.com", profile=ASTERISK)
    assert delay(OutcomeClass.TEMPORARY, 503, 1, account) == 60.0
    assert delay(OutcomeClass.PERMANENT, 404, 1, account) is None
    account = Account("sip:alice@example.com", profile=ASTERISK, retry_interval=0, fatal_retry_interval=300)
    assert delay(OutcomeClass.TEMPORARY, 503, 1, account) == 300.0
    assert delay(OutcomeClass.PERMANENT, 403, 1, account) == 300.0
    account = Account("sip:alice@example.com", profile=ASTERISK, forbidden_retry_interval=30)
    assert delay(OutcomeClass.PERMANENT, 403, 1, account) == 30.0
    assert delay(OutcomeClass.PERMANENT, 404, 1, account) is None
