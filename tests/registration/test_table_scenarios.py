"""Every row of the table in docs/profiles.md, under every profile, from the wire to the status."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from sipcore.config import Account
from sipcore.events import Registered, Rejected, Unregistered
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.values import OutcomeClass as Kind
from sipcore.values import State
from tests.accounts import account

NEVER = (None, None)

Wait = tuple[float | None, float | None]


class Expected(NamedTuple):
    """What one profile does about one script."""

    requests: str
    """One letter for each REGISTER up to the outcome: b bare, c with credentials."""
    kind: Kind
    state: State
    wait: Wait
    """Seconds from the outcome to the next attempt, at least and at most; NEVER when none is planned."""


def exactly(seconds: float) -> Wait:
    return seconds, seconds


def from_base(profile_base: float) -> Wait:
    """RFC 5626 section 4.5 after the first failure: 50 to 100 % of twice the base."""
    return profile_base, 2 * profile_base


LEAD = (2940.0, 3000.0)
"""SIPCORE, 3600 s granted: 600 s before the end, and up to 60 s earlier."""
JSSIP_600 = (300.0, 568.0)
FOREIGN = Answer(200, contact="<sip:bob@198.51.100.7>;expires=600, <sip:carol@198.51.100.8>;expires=600")
UNKNOWN_SCHEME = Answer(401, ('WWW-Authenticate: Basic realm="x"',))
TEMPORARY_HERE = {401, 407, 408, 500, 502, 503, 504, 600, 603, 604, 606}
"""Codes that some profile takes for temporary in a special way; tested by rows of their own."""

Row = tuple[list[Step], Expected, Expected, Expected]


def same_for_all(code: int) -> Row:
    """A code that is permanent everywhere."""
    return (
        [code],
        Expected("b", Kind.PERMANENT, State.UNREGISTERED, exactly(3600)),
        Expected("b", Kind.PERMANENT, State.REJECTED, NEVER),
        Expected("b", Kind.PERMANENT, State.REJECTED, NEVER),
    )


def rejected(script: list[Step], sipcore: Expected, asterisk: Expected, kind: Kind = Kind.PERMANENT) -> Row:
    """JSSIP rejects it with the requests of SIPCORE and waits for the application."""
    return script, sipcore, asterisk, Expected(sipcore.requests, kind, State.REJECTED, NEVER)
