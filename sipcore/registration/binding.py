"""Which Contact of a 200 is ours, and for how long it stands (RFC 3261 sections 10.2.4 and 10.3 step 8).

A registrar lists all bindings of the address of record, those of other devices too, in any order, each with its own
lifetime. Ours is found by a ladder, the surest rung first:

1. the same +sip.instance and reg-id, when we sent them (RFC 5626 section 4.2.1);
2. an equal URI (RFC 3261 section 19.1.4), compared with the Contact that was really sent;
3. our own `line` token in the URI, which nobody else can have;
4. a lone Contact with our scheme and user part: middle boxes rewrite host and port, and then nobody else is listed.

Several foreign Contacts are never taken for ours. Where several match, the shortest lifetime counts: refreshing too
early costs a message, too late costs the calls.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.addresses import STAR, NameAddr
from sipcore.syntax.headers import parse_expires
from sipcore.syntax.limits import MAX_CONTACTS
from sipcore.syntax.message import Response
from sipcore.syntax.uri import Uri

__all__ = ["Grant", "Listed", "read_grant"]

MALFORMED_EXPIRES = 3600
"""What an expires value that is no number counts as (RFC 3261 section 10.2)."""

SHOWN: Final = 201
"""Characters that are kept of a foreign URI: it is only shown, and one more than is shown tells that there are more. A
registrar could else make each of its clients keep 250 KiB."""


class Listed(NamedTuple):
    """One binding of somebody else, as listed."""

    uri: str
    """As written, its first `SHOWN` characters."""
    expires: int | None


class Grant(NamedTuple):
    """What a 2xx says about our binding."""

    listed: bool
    """True when a Contact of the list is ours."""
    others: tuple[Listed, ...]
    """The Contacts that are not."""
    expires: int
    """Seconds; 0 means that there is no binding. Meaningless when others are listed and we are not."""
    assumed: bool
    """True when the response gives no lifetime, so that what was asked for counts."""

    @property
    def lost(self) -> bool:
        """True when the list names others and not us, or grants us nothing."""
        return self.expires == 0 or (not self.listed and bool(self.others))


def read_grant(response: Response, contact: str, *, asked: int, profile_assumes: bool, zero_is_asked: bool) -> Grant:
    """What a 2xx to a REGISTER with that Contact value grants.

    `profile_assumes` takes an unlisted Contact for granted and `zero_is_asked` believes no grant of 0, as Asterisk
    does. Never raises: a Contact that cannot be read is somebody else's.
    """
    header = response.expires
    values = response.get_all("contact")
    # The common case: one Contact, which is ours letter for letter but for what the registrar appended.
    if len(values) == 1 and values[0].startswith(contact):
        tail = values[0][len(contact) :]
        # Ten digits hold any lifetime; longer ones, with zeros in front or too large, take the long way.
        if tail[:9] == ";expires=" and len(tail) < 20 and tail[9:].isdecimal() and tail.isascii():
            return _grant(True, (), [min(int(tail[9:]), 2**32 - 1)], header, asked, zero_is_asked)
    contacts = _contacts(response)
    if not contacts:
        expires = asked if header is None else header
        return Grant(False, (), expires, assumed=header is None)
    own = _own(contacts, contact)
    others = tuple(Listed(item.uri_text[:SHOWN], _expires(item)) for item in contacts if item not in own)
    if own:
        return _grant(True, others, [_expires(item) for item in own], header, asked, zero_is_asked)
    if profile_assumes:
        lone: list[int | None] = [_expires(contacts[0])] if len(contacts) == 1 else [None]
        return _grant(True, others, lone, header, asked, zero_is_asked)
    # Of a list that is longer than what is read, nobody can say that we are not in it.
    longer = len(response.values("contact")) > MAX_CONTACTS
    return Grant(longer, others, asked if header is None else header, assumed=True)


def _grant(
    listed: bool,
    others: tuple[Listed, ...],
    values: list[int | None],
    header: int | None,
    asked: int,
    zero_is_asked: bool,
) -> Grant:
    known = [value for value in values if value is not None]
    fallback = asked if header is None else header
    expires = min(known) if known else fallback
    if expires == 0 and zero_is_asked:
        expires = fallback
    return Grant(listed, others, expires, assumed=not known and header is None)


def _contacts(response: Response) -> tuple[NameAddr, ...]:
    contacts: list[NameAddr] = []
    for value in response.values("contact")[:MAX_CONTACTS]:
        try:
            contacts.append(NameAddr.parse(value))
        except RemoteProtocolError:
            contacts.append(NameAddr(None, value))
    if len(contacts) == 1 and contacts[0].uri_text == STAR.value:
        return ()
    return tuple(contacts)


def _own(contacts: tuple[NameAddr, ...], sent: str) -> list[NameAddr]:
    ours = NameAddr.parse(sent)
    instance = ours.get("+sip.instance")
    if instance is not None:
        by_instance = [
            item
            for item in contacts
            if item.get("+sip.instance") == instance and item.get("reg-id") == ours.get("reg-id")
        ]
        if by_instance:
            return by_instance
    equal = [item for item in contacts if _equivalent(item, ours.uri)]
    if equal:
        return equal
    line = ours.uri.get("line")
    if line:
        by_line = [item for item in contacts if (uri := _uri(item)) is not None and uri.get("line") == line]
        if by_line:
            return by_line
    if len(contacts) == 1 and (uri := _uri(contacts[0])) is not None and uri.user == ours.uri.user:
        # Boxes on the way rewrite host and port; sip and sips never match (RFC 3261 section 19.1.4).
        return list(contacts) if uri.scheme == ours.uri.scheme else []
    return []


def _uri(item: NameAddr) -> Uri | None:
    try:
        return item.uri
    except RemoteProtocolError:
        return None


def _equivalent(item: NameAddr, uri: Uri) -> bool:
    theirs = _uri(item)
    return theirs is not None and theirs.equivalent(uri)


def _expires(item: NameAddr) -> int | None:
    text = item.get("expires")
    if text is None:
        return None
    value = parse_expires(text)
    return MALFORMED_EXPIRES if value is None else value
