"""What came of one request, and what it means: the words that exchange and registration share."""

from __future__ import annotations

import enum
from typing import NamedTuple

from sipcore.syntax.message import Response
from sipcore.values import OutcomeClass

__all__ = ["CONTINUING", "Failure", "Outcome", "Reply"]


class Failure(enum.StrEnum):
    """What happens instead of a response."""

    TIMEOUT = "no answer"
    FLOW = "no connection"
    UNRESOLVED = "no address"


class Reply(NamedTuple):
    """How one request ended."""

    response: Response | None
    """The final response, or None."""
    failure: Failure | None = None
    """What happened when there is no response."""
    error: str = ""
    """The failure in the words of the resolver or the driver."""


class Outcome(NamedTuple):
    """The class of a reply, and what else the next step needs to know."""

    kind: OutcomeClass
    detail: str = ""
    """What we make of it, in plain words."""
    code: int | None = None
    retry_after: int | None = None
    """The response's Retry-After in seconds, when it has one above 0."""
    grant: float = 0.0
    """For how many seconds the binding stands; success only."""
    assumed: bool = False
    """The grant is what was asked for, since the response did not say."""


CONTINUING = frozenset(
    {OutcomeClass.CHALLENGE, OutcomeClass.TOO_BRIEF, OutcomeClass.REDIRECT, OutcomeClass.NEXT_TARGET}
)
"""The classes after which the same attempt goes on; all others end it."""
