"""What a reload means for one registration that it meets: changed, replaced by another one, or wanted back.

Which of these it is the roster decides, by address of record and registrar: while both stay, the registration is
changed in place, and Call-ID, CSeq and flow with it; otherwise it retires until its successor is registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcore.config import Account
from sipcore.registration.bound_flow import leave_flow
from sipcore.registration.request import same_on_the_wire
from sipcore.registration.schedule import initial_delay
from sipcore.registration.table import Wanted

if TYPE_CHECKING:
    from sipcore.registration.machine import Registration

__all__ = ["change", "lose_name", "retire", "revive"]


def change(registration: Registration, account: Account, now: float) -> None:
    """Another account of the same address of record and registrar (`reload`). Call-ID, CSeq and flow stay."""
    old, registration.account = registration.account, account
    if account == old:
        return
    registration.texts = registration.host.texts(account)
    if account.expires != old.expires:
        registration.expires = account.expires or 0
    registration.contact_address = None
    if registration.flow is not None:
        registration.host.keep_alive(registration.flow, account.keep_alive_interval)
    if account.line != bool(registration.line):
        registration.line = registration.host.line_token(registration)
    credentials = account.credentials != old.credentials
    if credentials:
        registration.auth.forget()
        registration.proven = False
    if registration.kept is not None:
        # The record says something of the account, too, and its name is where it stands.
        registration.kept = registration.kept._replace(cseq=-1)
        registration.host.note(registration)
    same = same_on_the_wire(old, account)
    if registration.exchange is not None:
        # Also when nothing is wanted yet: whoever revives it registers it in the next moment.
        registration.again = registration.again or credentials or not same
    elif registration.wanted is Wanted.UP and (credentials or not same or registration.planned_at is None):
        registration.forget_failures()
        # A crowd that is reloaded under a profile with an initial delay is spread by it, as at the start; but what
        # is planned to keep a binding is not put off.
        spread = account.profile.initial_delay is not None
        when = now + (initial_delay(account, registration.random) if spread else 0.0)
        if registration.expires_at is not None and registration.planned_at is not None:
            when = min(when, registration.planned_at)
        registration.plan(when, now)


def retire(registration: Registration, successor: str) -> None:
    """Do nothing more until the successor is registered; then remove the binding that is left."""
    lose_name(registration)
    registration.wanted = Wanted.GONE
    registration.successor = successor
    registration.everything = False
    if registration.exchange is None:
        registration.rest()


def lose_name(registration: Registration) -> None:
    """Another registration has the name from now on: what is still told of this one must not pass for news of that
    one."""
    leave_flow(registration)
    registration.replaced = True
    registration.host.note(registration)


def revive(registration: Registration, account: Account, now: float) -> None:
    """The application removed it and wants it back before its binding was gone: it goes on as it was."""
    registration.wanted = Wanted.DOWN
    registration.successor = None
    registration.replaced = False
    registration.everything = False
    change(registration, account, now)
    registration.host.note(registration)
