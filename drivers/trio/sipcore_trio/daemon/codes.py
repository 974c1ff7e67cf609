"""The exit statuses of all commands; `docs/daemon.md` shows the same table."""

from __future__ import annotations

from sipcore.values import Cause, OutcomeClass

__all__ = ["FAILED", "INTERRUPTED", "NOT_REGISTERED", "OK", "PROBE", "UNREACHABLE", "USAGE", "probe_code"]

OK = 0
FAILED = 1
USAGE = 2
"""Wrong arguments or a wrong configuration: nothing was started."""
UNREACHABLE = 3
"""No daemon listens on the control socket."""
NOT_REGISTERED = 4
"""`show`: at least one of the registrations shown is not registered."""
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

NO_ANSWER = 10
PROBE = {
    OutcomeClass.SUCCESS: OK,
    OutcomeClass.TEMPORARY: 11,
    OutcomeClass.CREDENTIALS: 12,
    OutcomeClass.PERMANENT: 13,
    OutcomeClass.REDIRECT: 14,
    OutcomeClass.TOO_BRIEF: 15,
    OutcomeClass.REMOVED: 16,
    OutcomeClass.NEXT_TARGET: 17,
    OutcomeClass.CHALLENGE: 18,
}
"""What the outcome of `sipcore probe` means to monitoring; 10 when nobody answered at all."""

REMOVAL_FAILED = 19
"""`probe`: registered, but the binding could not be removed again."""


def probe_code(cause: Cause | None) -> int:
    """The exit status that tells the class of a failed first attempt."""
    if cause is None or cause.code is None:
        return NO_ANSWER
    return FAILED if cause.kind is None else PROBE[cause.kind]
