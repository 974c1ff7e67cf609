"""The client's half of digest authentication: a session answers one realm, request after request.

RFC 7616 sections 3.4 to 3.6, RFC 8760, RFC 3261 section 22.4; the form without qop is that of RFC 2069.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from hmac import compare_digest
from random import Random
from typing import NamedTuple

from sipcore.auth.challenge import Challenge
from sipcore.auth.computation import a2_hash, response, session_key
from sipcore.auth.credentials import Credential
from sipcore.auth.fields import MALFORMED, Fields, parse_fields, unescape
from sipcore.auth.hashing import Algorithm
from sipcore.auth.policy import SIPCORE_POLICY, AuthPolicy, Choice, choose
from sipcore.errors import LocalProtocolError
from sipcore.syntax.grammar import quote
from sipcore.values import Secret

__all__ = ["MAX_NC", "DigestSession", "InfoResult", "Selection", "is_new_information", "select"]

MAX_NC = 0xFFFFFFFF
"""nc has eight hex digits (RFC 7616 section 3.4): after this use a nonce is worn out."""

CNONCE_BITS = 128
"""Enough that neither guessing nor a table of prepared hashes pays."""


class InfoResult(enum.Enum):
    """What an Authentication-Info proves about the server (RFC 7616 section 3.5)."""

    ABSENT = "absent"
    """There was no rspauth: nothing is proved, which is usual."""
    OK = "ok"
    """The server knows our password, too."""
    WRONG = "wrong"
    """Who answered does not know our password, or answered another request than ours."""


class Selection(NamedTuple):
    """What `select` found."""

    sessions: tuple[DigestSession, ...]
    reason: str
    """In words, why what is not answered is not."""


def select(
    challenges: Iterable[Challenge], credentials: Sequence[Credential], policy: AuthPolicy = SIPCORE_POLICY
) -> Selection:
    """A new session for each realm that can be answered, in the server's order; see `choose`."""
    chosen, reason = choose(challenges, credentials, policy)
    return _new(Selection, (tuple([DigestSession(choice) for choice in chosen]), reason))


class DigestSession:
    """The answers to one realm: H(A1), nonce, nc and cnonce, kept from one request to the next.

    It is small, since a process keeps tens of thousands, and its repr shows no secret.
    """

    __slots__ = (
        "_algorithm_text",
        "_ha1",
        "_head",
        "_key",
        "_opaque_text",
        "adopted",
        "algorithm",
        "challenge",
        "cnonce",
        "credential",
        "nc",
        "nonce",
        "proven",
        "qop",
        "sent",
        "userhash",
    )

    _ha1: Secret
    _key: Secret
    _head: str
    _algorithm_text: str
    _opaque_text: str

    challenge: Challenge
    """The last one taken."""
    credential: Credential
    algorithm: Algorithm
    qop: str | None
    """None is the form of RFC 2069."""
    userhash: bool
    """True when the hash of the user name goes out in the name's place."""
    nonce: str
    """The challenge's, or a nextnonce."""
    nc: int
    """How often the nonce was used."""
    cnonce: str
    """Empty before the nonce is used the first time."""
    adopted: bool
    """True when the nonce came as nextnonce and not in a challenge."""
    sent: bool
    """True when the last request carried an answer of this session; its owner takes it back when one does not."""
    proven: bool
    """True when the server has accepted an answer, and refused none since that it should have accepted."""

    def __init__(self, choice: Choice) -> None:
        # What repr() shows comes first: hashing may fail, and then a traceback with local variables shows this object.
        self.challenge, self.credential, self.algorithm, _, _ = choice
        self.nc = 0
        challenge = self.challenge
        self._ha1 = self._key = self.credential.ha1_for(
            self.algorithm, challenge.realm, normalised=challenge.charset is not None
        )
        self.sent = self.proven = self.adopted = False
        self.nonce = challenge.nonce
        self.cnonce = ""
        self._take(choice)

    def __repr__(self) -> str:
        if not hasattr(self, "nc"):
            # A traceback may show it before it is made, and a repr that raises hides what went wrong.
            return "<DigestSession, not made yet>"
        return f"<DigestSession realm={self.challenge.realm!r} algorithm={self.algorithm.value} nc={self.nc}>"

    @property
    def usable(self) -> bool:
        """False when the nonce has been used as often as nc can count."""
        return self.nc < MAX_NC

    @property
    def reused(self) -> bool:
        """True when the last answer was one that the server had not just asked for."""
        return self.nc > 1 or self.adopted

    def fits(self, choice: Choice) -> bool:
        """True when `renew` may take this choice, so that H(A1) stays."""
        old, new = self.challenge, choice.challenge
        return (
            old.realm == new.realm
            and old.proxy is new.proxy
            and old.charset == new.charset
            and self.algorithm is choice.algorithm
            and self.credential == choice.credential
        )

    def renew(self, choice: Choice) -> None:
        """Take a new challenge of the same realm. nc restarts, unless the server repeated its nonce."""
        if choice.challenge.nonce != self.nonce:
            self._begin(choice.challenge.nonce)
        self._take(choice)

    def authorization(self, method: str, uri: str, body: bytes, random: Random) -> str:
        """The value of an Authorization or Proxy-Authorization header for one request; counts nc on.

        A retransmission is the same bytes again, not another call. Raises `LocalProtocolError` when not `usable`.
        """
        nc = self.nc + 1
        if nc > MAX_NC:
            raise LocalProtocolError("the nonce has been used too often; a new challenge is needed")
        self.nc = nc
        self.sent = True
        algorithm = self.algorithm
        qop = self.qop
        a2 = a2_hash(algorithm, method, uri, qop, body)
        address = f'"{uri}"' if '"' not in uri and "\\" not in uri and uri.isprintable() else quote(uri)
        userhash = ", userhash=true" if self.userhash else ""
        if qop is None:
            text = response(algorithm, self._key, self.nonce, "", "", None, a2)
            return f'{self._head}{address}, response="{text}"{self._algorithm_text}{self._opaque_text}{userhash}'
        cnonce = self.cnonce
        if not cnonce:
            # A new one for each nonce is as good as one for each request, and what the -sess algorithms want.
            self.cnonce = cnonce = f"{random.getrandbits(CNONCE_BITS):032x}"
            if algorithm.session:
                self._key = session_key(algorithm, self._ha1, self.nonce, cnonce)
        count = f"{nc:08x}"
        text = response(algorithm, self._key, self.nonce, count, cnonce, qop, a2)
        # The order of Asterisk. No quotes around qop, nc and algorithm (RFC 7616 section 3.4): servers choke on them.
        return (
            f'{self._head}{address}, response="{text}"{self._algorithm_text}, cnonce="{cnonce}"{self._opaque_text}, '
            f"qop={qop}, nc={count}{userhash}"
        )

    def note_authentication_info(self, value: str, *, uri: str, body: bytes = b"") -> InfoResult:
        """Take what a 2xx says in Authentication-Info or Proxy-Authentication-Info (RFC 7616 section 3.5).

        `uri` is that of the request, `body` that of the response. A nextnonce is adopted and nc restarts, unless the
        rspauth is wrong: then nothing in the response is to be trusted. Never raises.
        """
        fields = parse_fields(value)
        if MALFORMED in fields:
            return InfoResult.ABSENT
        result = self._check(fields, uri, body)
        nonce = fields.get("nextnonce")
        if nonce and result is not InfoResult.WRONG:
            self._adopt(nonce)
        return result

    def _check(self, fields: Fields, uri: str, body: bytes) -> InfoResult:
        given = fields.get("rspauth")
        if given is None:
            return InfoResult.ABSENT
        qop, count = self.qop, f"{self.nc:08x}"
        if qop is not None and (
            # Leniency: servers leave them out, and the hash covers them anyway.
            fields.get("cnonce", self.cnonce) != self.cnonce or fields.get("nc", count).lower() != count
        ):
            return InfoResult.WRONG
        a2 = a2_hash(self.algorithm, "", uri, qop, body)
        right = response(self.algorithm, self._key, self.nonce, count, self.cnonce, qop, a2)
        same = compare_digest(right.encode(), given.lower().encode("utf-8", "surrogateescape"))
        return InfoResult.OK if same else InfoResult.WRONG

    def _adopt(self, escaped: str) -> None:
        nonce = unescape(escaped)
        if nonce == self.nonce:
            return
        key, cnonce = self._key, self.cnonce
        self._begin(nonce)
        self.adopted = True
        if self.algorithm.session:
            # The key of a -sess algorithm is made once, from what began the session (RFC 7616 section 3.4.2).
            self._key, self.cnonce = key, cnonce
        self._head = self._head_for(f'"{escaped}"')

    def _begin(self, nonce: str) -> None:
        self.nonce = nonce
        self.nc = 0
        self.cnonce = ""
        self.adopted = False
        self._key = self._ha1

    def _take(self, choice: Choice) -> None:
        self.challenge, _, _, self.qop, self.userhash = choice
        challenge = self.challenge
        self._algorithm_text = "" if challenge.algorithm is None else f", algorithm={challenge.algorithm}"
        realm, nonce, opaque, username = challenge.realm, challenge.nonce, challenge.opaque, self.credential.username
        if self.userhash or challenge.verbatim or _plain(f"{realm}{nonce}{opaque}{username}") is None:
            self._head = self._head_for(challenge.echo("nonce", nonce))
            self._opaque_text = "" if opaque is None else f", opaque={challenge.echo('opaque', opaque)}"
        else:
            self._head = f'Digest username="{username}", realm="{realm}", nonce="{nonce}", uri='
            self._opaque_text = "" if opaque is None else f', opaque="{opaque}"'

    def _head_for(self, nonce: str) -> str:
        challenge = self.challenge
        return f"Digest {self._user()}, realm={challenge.echo('realm', challenge.realm)}, nonce={nonce}, uri="

    def _user(self) -> str:
        credential = self.credential
        if self.userhash:
            challenge = self.challenge
            name = credential.userhash(self.algorithm, challenge.realm, normalised=challenge.charset is not None)
            return f'username="{name}"'
        username = credential.username
        if self.challenge.charset is not None and not username.isascii():
            # In SIP a quoted-string holds UTF-8, so only a server that speaks of charsets is given the longer form.
            return f"username*={_extended(credential.name(normalised=True))}"
        return f"username={quote(username)}"


def is_new_information(challenge: Challenge, session: DigestSession | None) -> bool:
    """True when answering is more than asking the same again (RFC 3261 section 22.1, read for each nonce).

    That is so when the refused request carried no answer of this session, when the server says that only the nonce
    was too old, and when it gives another nonce than the one that was answered: many servers never say `stale`.
    """
    if session is None or challenge.nonce != session.nonce:
        return True
    return session.usable and (challenge.stale or not session.sent)


# A NamedTuple's own constructor is a Python function.
_new = tuple.__new__

# What stands in a quoted-string as it is.
_plain = re.compile(r"[ !#-\[\]-~]++").fullmatch

_EXTENDED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~")


def _extended(text: str) -> str:
    # RFC 8187 section 3.2.1
    return "UTF-8''" + "".join(chr(byte) if byte in _EXTENDED else f"%{byte:02X}" for byte in text.encode())
