"""The one view of a registration that every reader gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcore.syntax.grammar import visible
from sipcore.values import Binding, Status, format_address

if TYPE_CHECKING:
    from sipcore.registration.machine import Registration

__all__ = ["view"]


def view(registration: Registration) -> Status:
    """What is true of a registration now."""
    server = registration.server
    return Status(
        name=registration.name,
        state=registration.state,
        phase=registration.phase,
        cause=registration.cause,
        server=None if server is None else format_address(server),
        transport=registration.transport,
        flow=registration.flow,
        attempt=registration.failures,
        since=registration.since,
        expires_at=registration.expires_at,
        next_attempt_at=registration.planned_at,
        bindings=_bindings(registration),
    )


def _bindings(registration: Registration) -> tuple[Binding, ...]:
    own: tuple[Binding, ...] = ()
    bound, expires_at = registration.bound, registration.expires_at
    if bound is not None and expires_at is not None:
        own = (Binding(uri=bound[1 : bound.index(">")], expires_at=expires_at, own=True),)
    if not registration.others:
        return own
    at = registration.listed_at
    return own + tuple(
        Binding(uri=visible(other.uri), expires_at=None if other.expires is None else at + other.expires, own=False)
        for other in registration.others
    )
