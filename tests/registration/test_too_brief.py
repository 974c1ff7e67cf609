"""What is asked for after a 423."""

from __future__ import annotations

import pytest

from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.registration.too_brief import raised_expires
from tests.registration.laws import Law, parameters
from tests.registration.reading_laws import TOO_BRIEF


@pytest.mark.parametrize("law", parameters(TOO_BRIEF))
def test_law(law: Law) -> None:
    """Each law's text is in its own docstring."""
    law.check(examples=200)


@pytest.mark.requirement("RFC3261-10.2.8-01", "RFC3261-20.23-01")
@pytest.mark.parametrize(
    ("profile", "asked", "minimum", "guessed", "raised"),
    [
        (SIPCORE, 600, 1800, False, 1800),
        (SIPCORE, 600, 600, False, 0),
        (SIPCORE, 600, 0, False, 0),
        (SIPCORE, 600, 604800, False, 604800),
        (SIPCORE, 600, 604801, False, 0),
        (SIPCORE, 600, None, False, 1200),
        (SIPCORE, 600, None, True, 0),
        (SIPCORE, 604800, None, False, 0),
        (SIPCORE, 604000, None, False, 604800),
        (ASTERISK, 600, None, False, 3601),
        (ASTERISK, 3601, None, False, 0),
        (ASTERISK, 600, 1800, True, 1800),
        (JSSIP, 600, None, False, 0),
        (JSSIP, 5, 7, False, 10),
        (JSSIP, 10, 7, False, 0),
    ],
)
def test_what_is_asked_for_next(profile: Profile, asked: int, minimum: int | None, guessed: bool, raised: int) -> None:
    assert raised_expires(profile.too_brief, asked=asked, minimum=minimum, guessed=guessed) == raised


def test_423_after_423_comes_to_an_end() -> None:
    """Law of the chain: with a Min-Expires one above each time, and none now and then, what is asked for only grows."""
    asked, guessed, seen = 1, False, []
    for minimum in [2, None, 5, None, 5, 6, None]:
        raised = raised_expires(SIPCORE.too_brief, asked=asked, minimum=minimum, guessed=guessed)
        guessed = guessed or minimum is None
        asked = raised or asked
        seen.append(raised)
    assert seen == [2, 4, 5, 0, 0, 6, 0]
