"""What of a registration survives a restart: its identity and its binding, never a secret."""

from __future__ import annotations

from collections.abc import Mapping

from sipcore.registration.machine import Registration

__all__ = ["recall", "remember"]

CSEQ_BLOCK = 1000
"""CSeq is remembered rounded up to the next block, so that what was sent after the last snapshot is never sent
again."""


def remember(registration: Registration, now: float, wall: float) -> dict[str, object]:
    """The record of one registration: values that JSON can hold. `wall` is the wall clock at `now`."""
    expires_at = registration.expires_at
    return {
        "aor": registration.account.aor,
        "registrar": registration.account.registrar,
        "call_id": registration.call_id,
        "cseq": (registration.cseq // CSEQ_BLOCK + 1) * CSEQ_BLOCK,
        "line": registration.line,
        "contact": registration.bound,
        "expires": registration.expires,
        "expires_at": None if expires_at is None else wall + (expires_at - now),
    }


def recall(registration: Registration, record: Mapping[str, object], then: float, wall: float, now: float) -> None:
    """Give a new registration the identity of a record; a binding whose time is over counts as lapsed.

    `wall` is the wall clock at `then`. A record of another address of record or registrar, or one that is damaged, is
    ignored: a new identity is always safe.
    """
    account = registration.account
    call_id, cseq, line = record.get("call_id"), record.get("cseq"), record.get("line")
    if (record.get("aor"), record.get("registrar")) != (account.aor, account.registrar):
        return
    if not isinstance(call_id, str) or not call_id or not isinstance(cseq, int) or not 0 <= cseq < 2**31 - 1:
        return
    registration.call_id = call_id
    registration.cseq = cseq
    if isinstance(line, str) and line and account.line:
        registration.line = line
    contact, expires_at, expires = record.get("contact"), record.get("expires_at"), record.get("expires")
    if isinstance(expires, int) and expires > registration.expires:
        registration.expires = expires
    if isinstance(contact, str) and contact.startswith("<") and isinstance(expires_at, int | float):
        until = then + (float(expires_at) - wall)
        if until > now:
            registration.adopt(contact, until)
