"""What the application is told. Events are past tense; they leave an agent through `next_output()`, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sipcore.syntax.message import Request, Response
from sipcore.values import Address, Cause, OutcomeClass, State, Status

__all__ = [
    "Event",
    "FlowLost",
    "Identify",
    "InboundRequest",
    "InboundResponse",
    "ListenFailed",
    "Listening",
    "MessageDropped",
    "Registered",
    "Rejected",
    "StatusChanged",
    "Unregistered",
]

Identify = Callable[[Request, Address | None, str | None], str | None]
"""The endpoint of an inbound request: given the request, who sent it and the registration that it came for.

It is asked once for each `InboundRequest`, while the agent works, so it must be quick and may not call the agent.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged(Event):
    """State, cause or expiry of a registration changed; comes after the event that names the reason.

    A change of phase or plan alone makes no event: what is asked for is told when it has come to something.
    """

    status: Status
    previous: State
    """The state before; equal to `status.state` when only cause, expiry or plan changed."""

    @property
    def name(self) -> str:
        """The registration's name."""
        return self.status.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered(Event):
    """The registrar confirmed our binding (RFC 3261 section 10.2.4)."""

    name: str
    expires: float
    """For how long, in seconds; they count from when the request left, since the registrar had it no earlier."""
    refreshed: bool
    """True when the binding stood before."""
    assumed: bool
    """True when the 2xx listed no Contact at all, so that the grant is what was asked for."""
    refresh_at: float
    """When the next refresh starts, on the clock of `now`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unregistered(Event):
    """The binding is gone: removed by us, removed by the registrar, or lapsed. `cause` says which."""

    name: str
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Event):
    """An attempt failed, and what we make of it."""

    name: str
    kind: OutcomeClass
    status: int | None
    """The response's code, or None when no response came (timeout, no route)."""
    cause: Cause
    retry_at: float | None
    """When we try again, on the clock of `now`; None when we never will without being asked."""
    removal: bool = False
    """True when it was the removal of a binding that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLost(Event):
    """A flow ended that we did not close."""

    flow: int
    remote: Address | None
    error: str | None
    names: tuple[str, ...]
    """The registrations whose binding was made over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRequest(Event):
    """A request whose method the application said it handles. Answer with `respond()` or `send_raw()`."""

    request: Request
    data: bytes = field(repr=False)
    """The message as it arrived."""
    flow: int
    source: Address | None
    """Who sent it."""
    registration: str | None
    """The registration it came for, by the `line` parameter or our Contact; None when neither tells."""
    endpoint: str | None = None
    """Whom it is from, as the `identify` of the agent says; None when it has none, or that knows no endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundResponse(Event):
    """A response that belongs to no request of ours; an application that uses the flow itself may want it."""

    response: Response
    data: bytes = field(repr=False)
    flow: int
    source: Address | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDropped(Event):
    """Something arrived and was not acted upon: ignored, or by a server refused because it could not be read.

    Equal drops that were not fetched in time are merged into one.
    """

    cause: str
    """Why, in a few words that stay the same for equal reasons."""
    flow: int | None
    source: Address | None
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening(Event):
    """A listener, or the UDP socket of a server, is ready."""

    protocol: str
    local: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenFailed(Event):
    """A listener, or the UDP socket of a server, could not be had."""

    protocol: str
    local: Address | None
    error: str
