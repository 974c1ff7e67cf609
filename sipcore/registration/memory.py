"""What of a registration survives its process: its identity and its binding, never a secret.

Written ahead: a Contact is in the record before the REGISTER that may bind it leaves, as `unconfirmed`, and so are the
Call-ID and a block of CSeq numbers. So whenever the process is killed, the next one knows every Contact that the
registrar may hold, and uses no CSeq again; a record that a refresh made is only more exact about the time. Nonces are
in no record but those of a snapshot, which is taken when the process ends in good order: see `known_nonces`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sipcore.commands import dated
from sipcore.registration.contacts import MAX_UNCONFIRMED, suspect, unconfirmed_at
from sipcore.registration.known_nonces import known_nonces, recall_nonces
from sipcore.registration.machine import Registration
from sipcore.registration.orphan import account_part, address
from sipcore.registration.resumption import adopt
from sipcore.registration.too_brief import MAX_MIN_EXPIRES
from sipcore.syntax import slots
from sipcore.syntax.slots import SlotError, SlotTable
from sipcore.values import Phase

__all__ = ["RECORD_SLOTS", "Kept", "key_of", "news", "recall", "remember", "stands"]

CSEQ_BLOCK = 1000
"""CSeq is remembered rounded up to the block after the next: so many requests may follow a record at least, and none
of them is sent again by whoever starts from it. An attempt has 8 at most, and they start a second apart: a record that
the last two minutes before a power failure took along is not missed."""

RECORD_SLOTS: SlotTable = {
    "call_id": slots.call_id,
    "line": slots.line_token,
    "contact": slots.contact,
    "unconfirmed": slots.each(slots.contact),
}
"""Which slot each text of a record fills that goes on the wire again."""

LONGEST = float(2**32)
"""Seconds; no registrar can grant more, so a binding that ends later was never made."""

MAX_MOMENT = 2.0**53
"""Seconds of wall-clock time that a float still counts one by one; a damaged record may hold anything."""


class Kept(NamedTuple):
    """What the store holds of a registration, as far as a change of it is worth writing."""

    key: str
    cseq: int = -1
    """The block; below any when nothing that stands there counts any more."""
    call_id: str = ""
    line: str = ""
    bound: str | None = None
    expires: int | None = None
    expires_at: float | None = None
    unconfirmed: tuple[str, ...] = ()
    unconfirmed_until: float = float("-inf")


def key_of(registration: Registration) -> str:
    """Under which name it is stored: a replaced one has lost its own to another."""
    name = registration.account.name
    return f"{name} (replaced) {registration.call_id}" if registration.replaced else name


def remember(registration: Registration, now: float, wall: float) -> dict[str, object]:
    """The record of one registration with wall-clock times, and its nonces; `wall` is the wall clock at `now`."""
    record = dated(_record(registration, _state(registration, now), now), wall - now)
    nonces = known_nonces(registration.auth, registration.account)
    return {**record, "nonces": nonces} if nonces else record


def news(registration: Registration, now: float) -> dict[str, object] | None:
    """The record, its times on the clock of `now`, if it has to be stored again; None if what is stored will do.

    It is taken for stored from then on.
    """
    kept = registration.kept
    if kept is None and not _begun(registration, now):
        return None
    state = _state(registration, now)
    if kept is not None and kept[:-2] == state[:-2]:
        # What is in doubt is stored with some time to spare, so that retries in silence cost no write each.
        known = set(state.unconfirmed) <= set(kept.unconfirmed) and state.unconfirmed_until <= kept.unconfirmed_until
        if known or not state.unconfirmed:
            return None
    registration.kept = state = state._replace(unconfirmed_until=state.unconfirmed_until + registration.expires)
    return _record(registration, state, now)


def recall(registration: Registration, record: Mapping[str, object], then: float, wall: float, now: float) -> None:
    """Give a new registration the identity of a record; a binding whose time is over counts as lapsed, but the next
    REGISTER removes it all the same.

    `wall` is the wall clock at `then`. A record of another address of record or registrar, or one that is damaged, is
    ignored: a new identity is always safe.
    """
    account = registration.account
    call_id, cseq, line = record.get("call_id"), record.get("cseq"), record.get("line")
    if (record.get("aor"), record.get("registrar")) != (account.aor, account.registrar):
        return
    # What is remembered goes on the wire again, and whatever keeps it may have been written to.
    if not isinstance(call_id, str) or not _fits("call_id", call_id):
        return
    if not isinstance(cseq, int) or not 0 <= cseq < 2**31 - 1:
        return
    registration.call_id = call_id
    registration.cseq = cseq
    if account.line and isinstance(line, str) and _fits("line", line):
        registration.line = line
    expires = record.get("expires")
    if isinstance(expires, int) and registration.expires < expires <= MAX_MIN_EXPIRES:
        registration.expires = expires
    part = record.get("account")
    if isinstance(part, Mapping) and _pairs(part.get("logins")) == _pairs(account_part(account)["logins"]):
        recall_nonces(registration.auth, account, record.get("nonces"))
    _recall_binding(registration, record, then - wall, now)


def stands(registration: Registration, now: float) -> bool:
    """True when the registrar may hold a binding of it."""
    return registration.bound is not None or bool(unconfirmed_at(registration, now))


def _recall_binding(
    registration: Registration, record: Mapping[str, object], offset: float, now: float
) -> None:
    account = registration.account
    doubted, until = record.get("unconfirmed"), _moment(record.get("unconfirmed_until"), offset, now)
    unconfirmed = tuple(doubted) if isinstance(doubted, list | tuple) else ()
    if until is not None and until > now and _fits("unconfirmed", unconfirmed):
        registration.unconfirmed = unconfirmed[-MAX_UNCONFIRMED:]
        registration.unconfirmed_until = until
    contact, until = record.get("contact"), _moment(record.get("expires_at"), offset, now)
    if not isinstance(contact, str) or until is None or not _fits("contact", contact):
        return
    if until <= now:
        # It may have been refreshed since, by whoever saved it and was then killed.
        longest = registration.unconfirmed_until
        suspect(registration, contact, now)
        registration.unconfirmed_until = max(registration.unconfirmed_until, longest)
        return
    adopt(registration, contact, until)
    registration.home = address(record.get("home"))
    part = record.get("account")
    if isinstance(part, Mapping) and part.get("asked") == account.expires and not registration.unconfirmed:
        registration.resume_at = _moment(record.get("refresh_at"), offset, now)


def _begun(registration: Registration, now: float) -> bool:
    # Of one that has sent nothing yet there is nothing to know.
    return registration.exchange is not None or stands(registration, now)


def _state(registration: Registration, now: float) -> Kept:
    unconfirmed, until = unconfirmed_at(registration, now), registration.unconfirmed_until
    contact = registration.contact
    sending = registration.phase in (Phase.CONNECTING, Phase.EXCHANGING) and registration.exchange is not None
    if sending and contact and contact != registration.bound:
        unconfirmed = (*(item for item in unconfirmed if item != contact), contact)[-MAX_UNCONFIRMED:]
        # The last copy of the request may be what binds it.
        until = max(until, now + registration.expires + registration.account.timing.f)
    raised = registration.expires > (registration.account.expires or 0)
    return Kept(
        key_of(registration),
        (registration.cseq // CSEQ_BLOCK + 2) * CSEQ_BLOCK,
        registration.call_id,
        registration.line,
        registration.bound,
        # Only what a 423 made of it: otherwise the account is asked again, which may say less by then.
        registration.expires if raised else None,
        registration.expires_at,
        unconfirmed,
        until,
    )


def _record(registration: Registration, state: Kept, now: float) -> dict[str, object]:
    return {
        "aor": registration.account.aor,
        "registrar": registration.account.registrar,
        "call_id": state.call_id,
        "cseq": state.cseq,
        "line": state.line,
        "contact": state.bound,
        "expires": state.expires,
        "expires_at": state.expires_at,
        "refresh_at": None if state.expires_at is None else registration.planned_at,
        "home": None if state.expires_at is None else registration.home,
        "unconfirmed": state.unconfirmed,
        "unconfirmed_until": state.unconfirmed_until if state.unconfirmed else None,
        "account": account_part(registration.account),
    }


def _pairs(logins: object) -> object:
    """Logins that JSON has made lists of, as the tuples that they were."""
    if not isinstance(logins, list | tuple):
        return None
    return tuple(tuple(item) if isinstance(item, list) else item for item in logins)


def _moment(value: object, offset: float, now: float) -> float | None:
    """A time on the clock of `now`; None for one that nobody can have meant."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_MOMENT:
        return None
    moment = float(value) + offset
    return moment if moment <= now + LONGEST else None


def _fits(field: str, text: object) -> bool:
    try:
        RECORD_SLOTS[field](text)
    except SlotError:
        return False
    return True
