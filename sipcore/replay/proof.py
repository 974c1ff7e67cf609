"""The one secret that arrives: `rspauth`, from which a guessed password can be verified (RFC 7616 section 3.5).

It decides whether a 2xx is believed, so its bytes are masked but its verdict is kept. When a recording is played, the
right value for the session that the player feeds is put in where the recorded one was right.
"""

from __future__ import annotations

from sipcore.agent import UserAgent
from sipcore.auth.computation import a2_hash, response
from sipcore.auth.fields import parse_fields
from sipcore.errors import RemoteProtocolError
from sipcore.exchange.exchange import Exchange
from sipcore.registration.attempt import Attempt
from sipcore.syntax.message import Response

__all__ = ["HEADERS", "expected", "given"]

HEADERS = ("authentication-info", "proxy-authentication-info")
"""Where it stands: of the registrar, and of a proxy (RFC 7615)."""


def given(answer: Response, header: str) -> str | None:
    """The `rspauth` in one of the headers, as the core reads it."""
    value = answer.get(header)
    return None if value is None else parse_fields(value).get("rspauth")


def expected(agent: UserAgent, answer: Response, header: str) -> str | None:
    """What it has to be for the request that is answered; None when nothing was asked of who answers.

    As `DigestSession.note_authentication_info` computes it, whose own verdict comes too late and changes the session.
    """
    try:
        branch = answer.via.branch
    except RemoteProtocolError:
        return None
    transaction = agent.network.transactions.find(branch) if branch else None
    user = None if transaction is None else transaction.user
    if not isinstance(user, Exchange) or not isinstance(user.user, Attempt):
        return None
    attempt = user.user
    proxy = header == HEADERS[1]
    sessions = [item for item in attempt._auth.sessions if item.sent and item.challenge.proxy is proxy]
    if not sessions:
        return None
    session = sessions[-1]
    algorithm, qop = session.algorithm, session.qop
    a2 = a2_hash(algorithm, "", attempt.request_uri, qop, answer.body)
    return response(algorithm, session._key, session.nonce, f"{session.nc:08x}", session.cnonce, qop, a2)
