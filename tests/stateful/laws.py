"""What must hold after every call of an agent's interface: one class for each law, its text the law.

A violation carries evidence: a Python expression about `agent`, and `outputs` as a list for each call, that would be
true if the law held. It makes the last line of the script that shows the counter-example.
"""

from __future__ import annotations

__all__ = [
    "BrokenIdentity",
    "BrokenTimer",
    "ClaimedTooMuch",
    "Disturbed",
    "LeftBehind",
    "NotSettled",
    "NotSilent",
    "Raised",
    "SentTooMuch",
    "Stuck",
    "Violation",
    "WrongTelling",
]


class Violation(AssertionError):
    """A law does not hold."""

    def __init__(self, happened: str, evidence: str = "") -> None:
        super().__init__(happened)
        self.evidence = evidence
        """What should be true; empty when the last call itself raises."""
        self.script = ""
        """The calls that led here, as Python."""

    @classmethod
    def law(cls) -> str:
        """What is broken, in words."""
        return " ".join((cls.__doc__ or "").split())


class Raised(Violation):
    """An input raises nothing, but LocalProtocolError to an application that asked for what it may not; then nothing
    has changed."""


class ClaimedTooMuch(Violation):
    """Registered is claimed only after a 2xx to a REGISTER of ours that was waited for, and never past what it
    granted."""


class BrokenIdentity(Violation):
    """CSeq rises in a Call-ID and nc for a nonce, no branch serves two requests, and of one registration at most one
    REGISTER is in flight."""


class SentTooMuch(Violation):
    """At most 11 copies of a request, none on a stream or after its end; at most 8 requests in an attempt; attempts
    start at least a second apart."""


class BrokenTimer(Violation):
    """After handle_deadline the next deadline is later than now or None; a call of it that is early, late or second
    changes nothing."""


class NotSilent(Violation):
    """Nothing is sent on a closed flow, for a registration that has stopped, or by an agent that is closed; and one
    that closes only removes."""


class WrongTelling(Violation):
    """Each change of state, cause or expiry is told by a StatusChanged, after its reason, with the state told before as
    `previous`."""


class Stuck(Violation):
    """A phase other than idle has a deadline or something in flight; what is wanted rests only with a cause, and under
    SIPCORE never."""


class Disturbed(Violation):
    """Copies, late responses, and those with an identity wrong change nothing."""


class NotSettled(Violation):
    """When everything is answered well, all that is wanted becomes Registered or rests with a cause, and close ends."""


class LeftBehind(Violation):
    """An agent that has closed while everything was answered well leaves no binding that it was told of."""
