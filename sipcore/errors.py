"""Whose fault it is: the errors that leave sipcore.

    SipError
        LocalProtocolError      the caller asked for what the protocol or the state forbids; nothing was sent
            SlotError           ... since a value does not fit its place; says what would (sipcore.syntax.slots)
        RemoteProtocolError     the peer's bytes are wrong; internal, seen outside as MessageDropped
            LimitExceeded       ... because one of the named limits was passed
        ConfigError             names the option and the value, and what would be valid
        ReplayError             a recording cannot be used; names line, field and value, and what would be valid
        RegistrationFailed      the convenience API could not register; carries the status that says why

Anything else that comes out of the core is a bug.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sipcore.values import Status

__all__ = [
    "SipError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "LimitExceeded",
    "ConfigError",
    "ReplayError",
    "RegistrationFailed",
]

MAX_SHOWN: Final = 200
"""Characters of a refused value that a text of `ConfigError` shows; `value` has all of it."""


class SipError(Exception):
    """The root of all errors that sipcore raises on purpose."""


class LocalProtocolError(SipError):
    """The caller asked for what the protocol or the present state forbids. Nothing was sent."""


class RemoteProtocolError(SipError):
    """The peer's bytes are not SIP. An agent never lets it out: it becomes a `MessageDropped` event.

    `status_hint` is what a server answers if these bytes were a request that can be answered at all: 400, unless the
    fault has a code of its own (RFC 3261 section 21).
    """

    status_hint: int = 400

    def __init__(self, text: str, *, status_hint: int | None = None) -> None:
        super().__init__(text)
        if status_hint is not None:
            self.status_hint = status_hint

    @property
    def kind(self) -> str:
        """The fault without anything the peer wrote: equal for equal faults, and fit for a reason phrase."""
        return str(self).partition(":")[0]


class LimitExceeded(RemoteProtocolError):
    """The peer's bytes pass one of the limits named in `sipcore.syntax.limits`."""

    status_hint = 513


class ConfigError(SipError):
    """A value of the configuration cannot be used.

    The text names the option, the value (never a secret) and what would be valid; `where` is the file and line
    when the value came from a file.
    """

    def __init__(self, option: str, value: object, expected: str, *, where: str | None = None) -> None:
        self.option = option
        """The option's name as the user writes it."""
        self.value = value
        """The refused value; a `Secret` stays masked."""
        self.expected = expected
        """What would have been accepted, in plain words."""
        self.where = where
        """`file:line`, or None when the value did not come from a file."""
        super().__init__(option, value, expected)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        shown = repr(self.value)
        if len(shown) > MAX_SHOWN:
            shown = f"{shown[:MAX_SHOWN]}…"
        return f"{place}{self.option} = {shown}: {self.expected}"


class ReplayError(SipError):
    """A recording or a checkpoint cannot be used, or an agent cannot be recorded; the text says where and why."""


class RegistrationFailed(SipError):
    """`registered()` gave up: the first attempt failed, or the wait ended. `status` says why."""

    def __init__(self, status: Status) -> None:
        self.status = status
        """The registration's status at that moment, its `cause` included."""
        super().__init__(status)

    def __str__(self) -> str:
        cause = self.status.cause
        return f"{self.status.name}: {cause if cause is not None else 'no answer yet'}"
