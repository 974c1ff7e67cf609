"""Where users can be reached: the bindings of each address of record (RFC 3261 section 10.3).

A lapsed binding is never seen, since who looks leaves it out; that its memory is freed is the business of one timer
for each address, which is set when an address gets its first binding and not moved by refreshes: when it fires too
early, it is set again. So a refresh costs no timer at all.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple

from sipcore.syntax.addresses import NameAddr
from sipcore.syntax.parameters import Parameters, format_parameters, get
from sipcore.syntax.uri import Uri
from sipcore.timers import Timers

__all__ = ["Change", "Location", "StoredBinding", "Update", "canonical_aor"]

MAX_COMPARED: Final = 131072
"""Characters of URIs that one request may make us compare. Each contact that is not stored letter for letter is
compared with each that is: 7 with 10, all of 600 characters, is 84 000. Past it 3 KiB would cost 200 ms."""

MAX_ADDRESSES: Final = 262144
"""Addresses of record with bindings. Only a registrar that asks for no password can be made to reach it by strangers;
at about 1 KiB each that is 256 MiB."""


class StoredBinding(NamedTuple):
    """One contact of an address of record."""

    uri: str
    """As the client wrote it; clients look for their own text in the list."""
    parameters: Parameters
    """All header parameters but expires: q, +sip.instance, reg-id and the rest, given back as they came."""
    call_id: str
    cseq: int
    expires_at: float
    """When it lapses, on the clock of `now`."""
    path: tuple[str, ...] = ()
    """The Path of the request, for whoever wants to reach the contact (RFC 3327 section 5.3)."""

    @property
    def q(self) -> str | None:
        """The preference among the contacts, as written (RFC 3261 section 20.10)."""
        return get(self.parameters, "q")

    @property
    def instance(self) -> str | None:
        """The value of +sip.instance, in its quotes (RFC 5626 section 4.1)."""
        return get(self.parameters, "+sip.instance")

    @property
    def reg_id(self) -> str | None:
        """The value of reg-id (RFC 5626 section 4.2)."""
        return get(self.parameters, "reg-id")

    def row(self, now: float) -> str:
        """The value of Contact in a 2xx."""
        # Rounded, since adding and subtracting `now` may cost a fraction of a microsecond; never 0, which would say
        # that it is gone.
        left = round(self.expires_at - now) or 1
        return f"<{self.uri}>;expires={left}{format_parameters(self.parameters)}"


class Change(NamedTuple):
    """What one Contact of a request asks for."""

    contact: NameAddr
    granted: int
    """Seconds; 0 removes."""


class Update(enum.Enum):
    """How an update went. All but DONE have changed nothing."""

    DONE = "done"
    OUT_OF_ORDER = "out of order"
    """The CSeq is not higher than that of an earlier request with the same Call-ID."""
    TOO_MANY_CONTACTS = "too many contacts"
    FULL = "full"
    """There is no room for another address of record."""


class Location:
    """The bindings of all addresses of record. Addresses are in the canonical form of `canonical_aor`."""

    __slots__ = ("_records", "_timers")

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._records: dict[str, _Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def bindings(self, aor: str, now: float) -> tuple[StoredBinding, ...]:
        """The present bindings, oldest first; none for an address that is not known."""
        record = self._records.get(aor)
        if record is None:
            return ()
        bindings = record.bindings
        for binding in bindings:
            if binding.expires_at <= now:
                return tuple([binding for binding in bindings if binding.expires_at > now])
        return bindings

    def update(
        self,
        aor: str,
        changes: Sequence[Change],
        call_id: str,
        cseq: int,
        now: float,
        *,
        path: tuple[str, ...] = (),
        max_contacts: int,
    ) -> Update:
        """Do all changes or none (RFC 3261 section 10.3 step 7). Raises `RemoteProtocolError` for a malformed URI."""
        before = self.bindings(aor, now)
        after = list(before)
        # What each URI of `after` means, once somebody had to know.
        uris: list[Uri | None] = [None] * len(after)
        compared = 0
        for contact, granted in changes:
            place = _find_text(after, contact.uri_text)
            if place is None:
                compared += sum([len(binding.uri) for binding in after]) + len(after) * len(contact.uri_text)
                if compared > MAX_COMPARED:
                    return Update.TOO_MANY_CONTACTS
                place = _find_equivalent(after, uris, contact.uri)
            if place is not None:
                known = after[place]
                # One request may name a contact twice. Then the last one counts, and is not late because of the first.
                if known.call_id == call_id and cseq <= known.cseq and any(known is binding for binding in before):
                    return Update.OUT_OF_ORDER
            if not granted:
                if place is not None:
                    del after[place], uris[place]
                continue
            parameters = contact.parameters
            if get(parameters, "expires") is not None:
                parameters = tuple([item for item in parameters if item[0] != "expires"])
            binding = StoredBinding(contact.uri_text, parameters, call_id, cseq, now + granted, path)
            if place is None:
                after.append(binding)
                uris.append(None)
            else:
                after[place], uris[place] = binding, None
        if len(after) > max_contacts:
            return Update.TOO_MANY_CONTACTS
        return self._commit(aor, tuple(after), now)

    def clear(self, aor: str, call_id: str, cseq: int, now: float) -> Update:
        """Remove all bindings, or none (RFC 3261 section 10.3 step 6)."""
        for known in self.bindings(aor, now):
            if known.call_id == call_id and cseq <= known.cseq:
                return Update.OUT_OF_ORDER
        return self._commit(aor, (), now)

    def _commit(self, aor: str, bindings: tuple[StoredBinding, ...], now: float) -> Update:
        record = self._records.get(aor)
        if record is None:
            if not bindings:
                return Update.DONE
            if len(self._records) >= MAX_ADDRESSES:
                return Update.FULL
            record = self._records[aor] = _Record(self, aor)
        record.bindings = bindings
        if not bindings:
            self.forget(record)
            return Update.DONE
        earliest = bindings[0].expires_at
        for binding in bindings:
            if binding.expires_at < earliest:
                earliest = binding.expires_at
        if record.due is None or earliest < record.due:
            self._timers.arm(record, earliest)
        return Update.DONE

    def forget(self, record: _Record) -> None:
        """The last binding of a record is gone."""
        self._timers.disarm(record)
        del self._records[record.aor]

    def lapse(self, record: _Record, now: float) -> None:
        """Time has passed for one record."""
        record.bindings = left = tuple([binding for binding in record.bindings if binding.expires_at > now])
        if left:
            self._timers.arm(record, min(binding.expires_at for binding in left))
        else:
            self.forget(record)


class _Record:
    """The bindings of one address of record."""

    __slots__ = ("aor", "bindings", "due", "due_key", "location")

    def __init__(self, location: Location, aor: str) -> None:
        self.location = location
        self.aor = aor
        self.bindings: tuple[StoredBinding, ...] = ()
        self.due: float | None = None
        self.due_key = 0

    def on_due(self, now: float) -> None:
        self.location.lapse(self, now)


def canonical_aor(uri: Uri) -> str | None:
    """The address of record as `user@host`: escapes undone, parameters gone (RFC 3261 section 10.3 step 5).

    None when it has no user. The host is in lower case; sip and sips are the same address (RFC 5630 section 5.2). The
    port goes, too: users write the registrar's port into their address of record or do not, and mean the same.
    """
    user = uri.user
    if user is None:
        return None
    if "%" in user:
        # Escaped octets are UTF-8 (RFC 3261 section 19.1.1); what is not stays apart as lone surrogates.
        head, *pieces = user.encode("ascii").split(b"%")
        octets = head + b"".join([bytes.fromhex(piece[:2].decode("ascii")) + piece[2:] for piece in pieces])
        user = octets.decode("utf-8", "surrogateescape")
    return f"{user}@{uri.host.lower()}"


def _find_text(bindings: list[StoredBinding], text: str) -> int | None:
    """Where the binding of a contact is, if it is written like the one before; that comes before an equivalent one."""
    for place, binding in enumerate(bindings):
        if binding.uri == text:
            return place
    return None


def _find_equivalent(bindings: list[StoredBinding], uris: list[Uri | None], uri: Uri) -> int | None:
    """Where the binding of an equivalent contact is (RFC 3261 section 19.1.4)."""
    for place, binding in enumerate(bindings):
        known = uris[place]
        if known is None:
            known = uris[place] = Uri.parse(binding.uri)
        if uri.equivalent(known):
            return place
    return None
