"""What of a registration survives a restart: its identity and its binding, never a secret."""

from __future__ import annotations

from collections.abc import Mapping

from sipcore.registration.machine import Registration
from sipcore.registration.too_brief import MAX_MIN_EXPIRES
from sipcore.syntax import slots
from sipcore.syntax.slots import SlotError, SlotTable

__all__ = ["RECORD_SLOTS", "recall", "remember"]

CSEQ_BLOCK = 1000
"""CSeq is remembered rounded up to the block after the next: so many requests may follow a snapshot at least, and none
of them is sent again by whoever starts from it."""

RECORD_SLOTS: SlotTable = {"call_id": slots.call_id, "line": slots.line_token, "contact": slots.contact}
"""Which slot each text of a record fills that goes on the wire again."""

LONGEST = float(2**32)
"""Seconds; no registrar can grant more, so a binding that ends later was never made."""


def remember(registration: Registration, now: float, wall: float) -> dict[str, object]:
    """The record of one registration: values that JSON can hold. `wall` is the wall clock at `now`."""
    expires_at = registration.expires_at
    raised = registration.expires > (registration.account.expires or 0)
    return {
        "aor": registration.account.aor,
        "registrar": registration.account.registrar,
        "call_id": registration.call_id,
        "cseq": (registration.cseq // CSEQ_BLOCK + 2) * CSEQ_BLOCK,
        "line": registration.line,
        "contact": registration.bound,
        # Only what a 423 made of it: otherwise the account is asked again, which may say less by then.
        "expires": registration.expires if raised else None,
        "expires_at": None if expires_at is None else wall + (expires_at - now),
    }


MAX_MOMENT = 2.0**53
"""Seconds of wall-clock time that a float still counts one by one; a damaged record may hold anything."""


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
    contact, expires_at, expires = record.get("contact"), record.get("expires_at"), record.get("expires")
    if isinstance(expires, int) and registration.expires < expires <= MAX_MIN_EXPIRES:
        registration.expires = expires
    if not isinstance(expires_at, int | float) or abs(expires_at) > MAX_MOMENT:
        return
    if isinstance(contact, str) and _fits("contact", contact):
        until = then + (float(expires_at) - wall)
        if now < until <= now + LONGEST:
            registration.adopt(contact, until)
        elif until <= now:
            # Whoever saved it may have refreshed it since, and was then killed.
            registration.suspect(contact, now)


def _fits(field: str, text: str) -> bool:
    try:
        RECORD_SLOTS[field](text)
    except SlotError:
        return False
    return True
