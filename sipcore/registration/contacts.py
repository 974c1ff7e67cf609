"""The Contacts of a registration: when two are one binding, and which the registrar may hold without our knowing.

A REGISTER that nobody answered may have made a binding all the same. Its Contact is *unconfirmed* until the lifetime
that it asked for is over: the next REGISTER that goes through removes it along with what it does itself, and a removal
names it, too (RFC 3261 section 10.2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcore.registration.request import distinct_contacts
from sipcore.syntax.uri import Uri

if TYPE_CHECKING:
    from sipcore.registration.machine import Registration

__all__ = [
    "MAX_UNCONFIRMED",
    "contact_key",
    "in_doubt",
    "same_address_of_record",
    "same_binding",
    "same_contact",
    "suspect",
    "unconfirmed_at",
]

MAX_UNCONFIRMED = 4
"""Contacts of unanswered REGISTERs that are removed together with the next that is answered; older ones lapse."""


def contact_key(registration: Registration) -> str:
    """User, host and port of the Contact as it was last sent; empty before that."""
    end = len(registration.contact)
    # The first of these ends what comes after "<sip:".
    key = registration.contact[5 : min(registration.contact.find(mark, 5) % (end + 1) for mark in ";>")] if end else ""
    user, at, host = key.rpartition("@")
    # The case of a host name, which an external one is, means nothing (RFC 3261 section 19.1.4).
    return f"{user}{at}{host.lower()}"


def same_contact(registration: Registration, other: Registration) -> bool:
    """True when both are the same Contact of the same address of record: to a registrar, one binding."""
    ours, theirs = registration.contact, other.bound or other.contact
    if not ours or not theirs or not same_address_of_record(registration, other):
        return False
    return len(distinct_contacts((ours, theirs))) == 1


def same_address_of_record(registration: Registration, other: Registration) -> bool:
    """True when a `Contact: *` of one removes the bindings of the other, too."""
    return Uri.parse(registration.account.aor).equivalent(Uri.parse(other.account.aor))


def same_binding(registration: Registration, other: Registration) -> bool:
    """True when both were bound at the same server as the same Contact, letter for letter.

    Equal URIs are not enough: equality passes over a parameter that only one of them has (RFC 3261 section
    19.1.4), so one Contact may equal two that differ, and the registrar has put it in the place of the other one.
    """
    same_text = registration.contact == (other.bound or other.contact)
    return registration.home == other.home and same_text and same_contact(registration, other)


def unconfirmed_at(registration: Registration, now: float) -> tuple[str, ...]:
    """The Contacts that the registrar may hold without our knowing."""
    return registration.unconfirmed if now < registration.unconfirmed_until else ()


def in_doubt(registration: Registration, asked: int, now: float) -> None:
    """The REGISTER that was just sent, and asked for so many seconds, may have made a binding, whatever came of
    it."""
    suspect(registration, registration.contact, now, asked)


def suspect(registration: Registration, contact: str, now: float, lifetime: int | None = None) -> None:
    """The registrar may hold that Contact, for so many seconds; None is what is asked for now."""
    until = now + (registration.expires if lifetime is None else lifetime)
    known = unconfirmed_at(registration, now)
    if known:
        until = max(until, registration.unconfirmed_until)
    registration.unconfirmed = (*(item for item in known if item != contact), contact)[-MAX_UNCONFIRMED:]
    registration.unconfirmed_until = until
