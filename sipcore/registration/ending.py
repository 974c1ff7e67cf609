"""How it ends, and what is told then: a binding that lapses or is given up, and a registration that stops for good.

Whatever the way, the application is told in one order: that there is no binding any more and why (`Unregistered`),
then the status. Nothing here sends or plans anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcore.events import StatusChanged, Unregistered
from sipcore.registration.table import Wanted
from sipcore.registration.view import view
from sipcore.values import Cause, OutcomeClass, State

if TYPE_CHECKING:
    from sipcore.registration.machine import Registration

__all__ = ["abandon", "lapse", "settle_down", "stop", "supersede"]


def lapse(registration: Registration, now: float) -> None:
    """The binding's time is over."""
    unconfirmed = registration.unconfirmed
    registration.forget_binding()
    registration.unconfirmed = unconfirmed
    registration.host.note(registration)
    registration.failures_while_bound = registration.failures
    if registration.wanted is Wanted.GONE and registration.exchange is None:
        stop(registration, now)
    elif registration.state is not State.REGISTERED:
        registration.put(StatusChanged(status=view(registration), previous=registration.state))
    else:
        detail = "the binding lapsed"
        if registration.failures and registration.cause is not None:
            number = registration.failures
            refreshes = "refreshes" if number > 1 else "refresh"
            detail += f" after {number} failed {refreshes}; the last: {registration.cause}"
        settle_down(registration, Cause(detail=detail), now)


def settle_down(registration: Registration, cause: Cause, now: float, previous: State | None = None) -> None:
    """There is no binding any more: say why."""
    previous = previous or registration.state
    registration.cause = cause
    registration.enter(State.UNREGISTERED, now)
    registration.put(Unregistered(name=registration.name, cause=cause))
    registration.put(StatusChanged(status=view(registration), previous=previous))


def stop(registration: Registration, now: float, previous: State | None = None, *, detail: str = "removed") -> None:
    """Nothing is left to do, for good."""
    previous = previous or registration.state
    registration.rest()
    registration.expires_at = None
    registration.bound = None
    registration.arm()
    registration.stopped = True
    if registration.cause is None or registration.cause.kind in (None, OutcomeClass.SUCCESS, OutcomeClass.REMOVED):
        registration.cause = Cause(detail=detail)
    registration.enter(State.STOPPED, now)
    registration.put(StatusChanged(status=view(registration), previous=previous))
    registration.host.stopped(registration, now)


def supersede(registration: Registration, now: float) -> None:
    """The successor made the same binding at the same server: there is nothing of ours to remove."""
    if registration.exchange is not None:
        registration.exchange.cancel(now)
        registration.exchange = None
    registration.forget_binding()
    registration.contact = ""
    registration.cause = None
    stop(registration, now)


def abandon(registration: Registration, now: float) -> None:
    """Leave the binding to the registrar: it is not removed, and nothing more is sent."""
    if registration.exchange is not None:
        registration.exchange.cancel(now)
        registration.exchange = None
    left = registration.expires_at is not None
    registration.forget_binding()
    registration.everything = False
    registration.wanted = Wanted.GONE
    stop(registration, now, detail="ended, and the binding is left as it is" if left else "removed")
