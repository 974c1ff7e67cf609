"""The nonces that a registration may go on with after a restart in good order.

A registrar that takes a nonce more than once (RFC 7616 section 3.3) saves a round trip with each refresh, and the
first one after a restart is no exception. What is kept is what the peer said in the open: realm, nonce, opaque,
algorithm, the qops that it offers, and how often the nonce was used. Never H(A1) nor a session's key, which are as good
as the password; the next process makes them of the password that it is configured with.

Only what has been accepted is kept, and only by those that send it unasked. Not kept is a session of the `-sess`
algorithms, whose key hangs on a cnonce of the process that ended. Whoever was killed leaves no nonce: nobody would know
how often it was used, and a registrar that counts would take a repeated nc for an attack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sipcore.auth.challenge import parse_challenges
from sipcore.auth.client import MAX_SESSIONS, ClientAuth
from sipcore.auth.digest import MAX_NC, DigestSession
from sipcore.auth.policy import choose
from sipcore.config import Account
from sipcore.syntax import slots
from sipcore.syntax.slots import SlotError, SlotTable

__all__ = ["NONCE_SLOTS", "known_nonces", "recall_nonces"]

NONCE_SLOTS: Final[SlotTable] = {"challenge": slots.header_value}
"""Which slot each text fills that goes on the wire again."""


def known_nonces(auth: ClientAuth, account: Account) -> tuple[dict[str, object], ...]:
    """What of the sessions is worth to be kept."""
    if not account.profile.auth.proactive or auth.reuse_fails:
        return ()
    return tuple(
        {"challenge": _challenge(session), "proxy": session.challenge.proxy, "nc": session.nc}
        for session in auth.sessions
        if session.proven and session.usable and not session.algorithm.session
    )


def recall_nonces(auth: ClientAuth, account: Account, kept: object) -> None:
    """Go on with what `known_nonces` said, as far as it still fits the account. What is damaged is left out."""
    if not isinstance(kept, list | tuple) or not account.profile.auth.proactive:
        return
    sessions = (_session(item, account) for item in kept[:MAX_SESSIONS] if isinstance(item, Mapping))
    auth.resume(tuple(session for session in sessions if session is not None))


def _challenge(session: DigestSession) -> str:
    challenge = session.challenge
    if session.adopted:
        # What the peer escaped in its own way belonged to the nonce before.
        verbatim = tuple(item for item in challenge.verbatim if item[0] != "nonce")
        challenge = challenge._replace(nonce=session.nonce, verbatim=verbatim)
    return str(challenge._replace(stale=False, domain=None))


def _session(item: Mapping[str, object], account: Account) -> DigestSession | None:
    text, proxy, nc = item.get("challenge"), item.get("proxy"), item.get("nc")
    if not isinstance(text, str) or not isinstance(proxy, bool) or isinstance(nc, bool):
        return None
    if not isinstance(nc, int) or not 0 <= nc < MAX_NC:
        return None
    try:
        NONCE_SLOTS["challenge"](text)
    except SlotError:
        return None
    challenges = parse_challenges([text], proxy=proxy)
    choices, _ = choose(challenges, account.credentials, account.profile.auth)
    if len(challenges) != 1 or not choices or choices[0].algorithm.session:
        return None
    session = DigestSession(choices[0])
    session.nc = nc
    # Nobody has just asked for it, so a refusal of it says nothing about the password.
    session.proven = session.adopted = True
    return session
