"""The exit statuses of all commands; `docs/daemon.md` shows the same table."""

from __future__ import annotations

from sipcore.values import Cause, OutcomeClass

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "NOT_REGISTERED",
    "NO_ANSWER",
    "OK",
    "PROBE",
    "REDIRECTED",
    "REMOVAL_FAILED",
    "TERMINATED",
    "TOO_BRIEF",
    "UNREACHABLE",
    "USAGE",
    "interrupted",
    "probe_code",
]

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

TERMINATED = 143
"""128 + SIGTERM."""

NO_ANSWER = 10
REDIRECTED = 14
TOO_BRIEF = 15
REMOVAL_FAILED = 19
"""`probe`: registered, but the binding could not be removed again."""

PROBE = {
    OutcomeClass.SUCCESS: OK,
    OutcomeClass.TEMPORARY: 11,
    OutcomeClass.CREDENTIALS: 12,
    OutcomeClass.PERMANENT: 13,
    OutcomeClass.REMOVED: 16,
}
"""What the outcome of `sipcore probe` means to monitoring. The other classes only continue an attempt: none ends with
one, and what they would tell is in the response's code."""


def interrupted(number: int) -> int:
    """The exit status of a command that a signal ended in good order."""
    return 128 + number


def probe_code(cause: Cause | None) -> int:
    """The exit status that tells how a first attempt failed: the number of `docs/daemon.md`."""
    if cause is None or cause.code is None:
        return NO_ANSWER
    if 300 <= cause.code < 400:
        return REDIRECTED
    if cause.code == 423:
        return TOO_BRIEF
    return FAILED if cause.kind is None else PROBE.get(cause.kind, FAILED)
