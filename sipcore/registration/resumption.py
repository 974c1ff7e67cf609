"""A binding that an earlier process made: it is known again at the start, and over UDP it may go on without a REGISTER.

`memory.py` says what is known; here is what may be done with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcore.events import StatusChanged
from sipcore.exchange import Exchange
from sipcore.flows import Flow
from sipcore.registration.bound_flow import use_flow
from sipcore.registration.request import contact_value
from sipcore.registration.view import view
from sipcore.values import Cause, State

if TYPE_CHECKING:
    from sipcore.registration.machine import Registration

__all__ = ["adopt", "resume"]


def adopt(registration: Registration, contact: str, expires_at: float) -> None:
    """A binding that an earlier run made, and that the registrar still holds."""
    registration.bound = contact
    registration.expires_at = expires_at
    registration.state = State.REGISTERED
    registration.arm()


def resume(registration: Registration, exchange: Exchange, flow: Flow, now: float) -> bool:
    """Take over the binding of an earlier process if over this flow the very same would be made; True if so.

    Only over UDP: a connection ended with its process, and whoever is called over it is not reached. Only towards
    the server that has the binding, and until the moment at which that process would have refreshed it.
    """
    when, registration.resume_at = registration.resume_at, None
    account, user, address = registration.account, registration.contact_user, exchange.contact_address
    contact = contact_value(account, user, address, reliable=flow.reliable, line=registration.line)
    same = contact == registration.bound and exchange.remote == registration.home
    if when is None or when <= now or flow.reliable or not same or registration.again:
        return False
    registration.exchange = None
    registration.contact, registration.contact_address = contact, address
    registration.host.contact_changed()
    registration.server, registration.transport = exchange.remote, flow.protocol
    use_flow(registration, exchange)
    registration.plan(when, now)
    registration.cause = Cause(
        detail="resumed: an earlier process made the binding, and it is the one that we would make"
    )
    registration.put(StatusChanged(status=view(registration), previous=registration.state))
    registration.host.succeeded(registration, now)
    return True
