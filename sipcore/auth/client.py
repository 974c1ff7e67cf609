"""What one registration knows about its servers' challenges: the sessions, and whether they may be used unasked."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from sipcore.auth.challenge import Challenge
from sipcore.auth.credentials import Credential
from sipcore.auth.digest import MAX_NC, DigestSession, InfoResult, is_new_information
from sipcore.auth.policy import SIPCORE_POLICY, AuthPolicy, choose
from sipcore.syntax.grammar import visible

__all__ = ["MAX_SESSIONS", "REUSE_FAILURES", "AuthVerdict", "ClientAuth", "Verdict"]

MAX_SESSIONS = 4
"""Realms that one request answers: a registrar and three proxies on the way. More would be a server making them up."""

REUSE_FAILURES = 2
"""After so many refusals in a row of a nonce used again, credentials are no longer sent unasked.

One may be a registrar that restarted; two with no success in between are a habit (nonces that hold once, or shorter
than a refresh, refused without `stale`). Some registrars count such a refusal as a failed login."""


class Verdict(enum.Enum):
    """What a challenge means for the attempt."""

    NEW = "new"
    """There is something new to answer: send the request again with `credentials()`."""
    EXHAUSTED = "exhausted"
    """The answer was refused, and nothing new is asked: the credentials are wrong."""
    UNUSABLE = "unusable"
    """None of the challenges can be answered; `reason` names realm and algorithm of each."""
    NONE = "none"
    """There was no challenge that can be read."""


class AuthVerdict(NamedTuple):
    """What `ClientAuth.answer` made of a 401 or 407."""

    kind: Verdict
    reason: str = ""
    """In words for people: what was not answered and why, or what was refused."""
    stale: bool = False
    """With NEW: the server said `stale`, so the password is right."""
    doubted: bool = False
    """With NEW: an answer to a nonce that the server had just given was refused without `stale`, and it asks again.

    A cluster that does not share its nonces looks like that; a wrong password at most registrars, too."""

    @property
    def new(self) -> bool:
        """True when the request is to be sent again."""
        return self.kind is Verdict.NEW


class ClientAuth:
    """The digest sessions of one registration, for registrar and proxies together.

    For the first request of an attempt call `preemptive`; after a 401 or 407 `answer`, and if its verdict is NEW put
    `credentials` into the next request; after a 2xx `succeeded`, after another final response `refused`. A session is
    used unasked only when it is proven, so a wrong password is not offered twice in an attempt.
    """

    __slots__ = ("_reuse_failures", "_sessions")

    def __init__(self) -> None:
        self._sessions: tuple[DigestSession, ...] = ()
        self._reuse_failures = 0

    @property
    def sessions(self) -> tuple[DigestSession, ...]:
        """The sessions, longest known first."""
        return self._sessions

    @property
    def reuse_fails(self) -> bool:
        """True when the registrar has shown that it takes no nonce a second time."""
        return self._reuse_failures >= REUSE_FAILURES

    def forget(self) -> None:
        """Drop all sessions and all that was learned: for new credentials or another registrar."""
        self._sessions = ()
        self._reuse_failures = 0

    def resume(self, sessions: tuple[DigestSession, ...]) -> None:
        """Go on with the sessions of an earlier process."""
        self._sessions = sessions[-MAX_SESSIONS:]

    def preemptive(
        self, method: str, uri: str, body: bytes, random: Random, policy: AuthPolicy = SIPCORE_POLICY
    ) -> list[tuple[str, str]]:
        """Headers for a request that no challenge came before (RFC 3261 section 22.3, RFC 7616 section 3.6).

        Empty when nothing is known, when the policy does not want it, and when `reuse_fails`.
        """
        if not self._sessions:
            return []
        if not policy.proactive:
            # A policy that sends nothing unasked answers every challenge as if it were the first.
            self._sessions = ()
            return []
        reuse = self._reuse_failures < REUSE_FAILURES
        headers = []
        for session in self._sessions:
            if reuse and session.proven and session.usable:
                headers.append(_header(session, method, uri, body, random))
            else:
                session.sent = False
        return headers

    def answer(
        self,
        challenges: Sequence[Challenge],
        proxy_challenges: Sequence[Challenge],
        credentials: Sequence[Credential],
        policy: AuthPolicy = SIPCORE_POLICY,
    ) -> AuthVerdict:
        """Take the challenges of WWW-Authenticate and of Proxy-Authenticate; either header may be in either response.

        Says NEW at any number of new nonces: how many are answered in one attempt is for the caller to bound.
        """
        offered = (*challenges, *proxy_challenges)
        if not offered:
            return _UNREADABLE
        choices, reason = choose(offered, credentials, policy)
        if not choices:
            return AuthVerdict(Verdict.UNUSABLE, reason)
        if not self._sessions:
            self._sessions = tuple([DigestSession(choice) for choice in choices[-MAX_SESSIONS:]])
            return AuthVerdict(Verdict.NEW, reason) if reason else _NEW
        sessions = list(self._sessions)
        if registrar := {choice.challenge.realm for choice in choices if not choice.challenge.proxy}:
            # A registrar that has changed its realm is not sent the old one's credentials any more. Proxies are kept:
            # each names its own realm only.
            sessions = [known for known in sessions if known.challenge.proxy or known.challenge.realm in registrar]
        new = stale = doubted = reuse_failed = False
        for choice in choices:
            index = _find(sessions, choice.challenge)
            if index is None:
                sessions.append(DigestSession(choice))
                new = True
                continue
            session = sessions[index]
            fits = session.fits(choice)
            if fits and not is_new_information(choice.challenge, session):
                session.proven = False
                continue
            new = True
            if session.sent and fits:
                if choice.challenge.stale:
                    stale = True
                elif session.reused:
                    reuse_failed = True
                else:
                    doubted = True
                    session.proven = False
            if fits:
                session.renew(choice)
            else:
                sessions[index] = DigestSession(choice)
        if not new:
            realms = ", ".join(visible(choice.challenge.realm, 80) for choice in choices)
            return AuthVerdict(Verdict.EXHAUSTED, f"the credentials for {realms} were refused")
        if reuse_failed:
            self._reuse_failures += 1
        self._sessions = tuple(sessions[-MAX_SESSIONS:])
        return AuthVerdict(Verdict.NEW, reason, stale, doubted) if stale or doubted or reason else _NEW

    def credentials(self, method: str, uri: str, body: bytes, random: Random) -> list[tuple[str, str]]:
        """Headers that answer all that was asked: (name, value), one for each realm.

        For the request after a NEW, and for others of the same attempt, as after a 423.
        """
        headers = []
        for session in self._sessions:
            if session.nc < MAX_NC:
                headers.append(_header(session, method, uri, body, random))
            else:
                session.sent = False
        return headers

    def refused(self) -> None:
        """Note a final failure that is no challenge, as a 403: nothing is sent unasked until it has worked again.

        A registrar that says 403 to an old nonce would otherwise be shown it again for ever, and never give another.
        """
        for session in self._sessions:
            if session.sent:
                session.proven = False

    def succeeded(
        self, info: str | None = None, proxy_info: str | None = None, *, uri: str = "", body: bytes = b""
    ) -> InfoResult:
        """Note a 2xx with its Authentication-Info and Proxy-Authentication-Info (RFC 7616 section 3.5, RFC 7615).

        `uri` is that of the request, `body` that of the response. Wrong is the result when either is wrong.
        """
        for session in self._sessions:
            if session.sent:
                session.proven = True
                if session.reused:
                    self._reuse_failures = 0
        result = InfoResult.ABSENT
        for value, proxy in ((info, False), (proxy_info, True)):
            if value is None or result is InfoResult.WRONG:
                continue
            sent = [session for session in self._sessions if session.sent and session.challenge.proxy is proxy]
            # The header names no realm (RFC 7615); of several it is the last one's, nearest to the registrar.
            if sent:
                said = sent[-1].note_authentication_info(value, uri=uri, body=body)
                result = said if said is not InfoResult.ABSENT else result
        return result


def _find(sessions: list[DigestSession], challenge: Challenge) -> int | None:
    for index, session in enumerate(sessions):
        if session.challenge.realm == challenge.realm and session.challenge.proxy is challenge.proxy:
            return index
    return None


def _header(session: DigestSession, method: str, uri: str, body: bytes, random: Random) -> tuple[str, str]:
    name = "Proxy-Authorization" if session.challenge.proxy else "Authorization"
    return name, session.authorization(method, uri, body, random)


_NEW = AuthVerdict(Verdict.NEW)
_UNREADABLE = AuthVerdict(Verdict.NONE, "the response brought no challenge that can be read")
