"""The server's half of digest authentication: challenges, and what an Authorization proves.

RFC 7616, RFC 8760, RFC 3261 section 22.4. Pure: time is `now`, the key for nonces comes from the injected random.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from hmac import compare_digest
from random import Random
from typing import NamedTuple

from sipcore.auth.challenge import Challenge
from sipcore.auth.computation import a2_hash, response, session_key
from sipcore.auth.credentials import Credential
from sipcore.auth.fields import MALFORMED, Fields, parse_schemes, unescape
from sipcore.auth.hashing import Algorithm
from sipcore.auth.nonces import MAX_TRACKED, Nonces
from sipcore.errors import RemoteProtocolError
from sipcore.syntax import slots
from sipcore.syntax.grammar import quote
from sipcore.syntax.uri import Uri
from sipcore.values import Secret

__all__ = ["DigestVerifier", "Verification", "VerifyOutcome", "userhash_index"]

NONCE_LIFETIME = 3600.0
"""Seconds. Longer than the usual refresh interval, so that a refresh costs one round trip; replays are refused by
their count and not by age."""

Lookup = Callable[[str, str], Credential | None]
"""From user name and realm to the credential."""

UserhashLookup = Callable[[str, Algorithm], Credential | None]
"""From the hash of a user name, in lower case, and its base algorithm to the credential."""


class VerifyOutcome(enum.Enum):
    """What a request's credentials prove."""

    OK = "ok"
    STALE = "stale"
    """The password is right and the nonce is not: too old, of another server, or used before with this count."""
    WRONG = "wrong"
    MISSING = "missing"
    """There are no digest credentials for our realm."""
    MALFORMED = "malformed"
    """There are, and they cannot be computed: 400 (RFC 7616 section 3.4)."""


class Proof(NamedTuple):
    """What `DigestVerifier.authentication_info` needs of an accepted answer."""

    algorithm: Algorithm
    key: Secret
    nonce: str
    nc: str
    cnonce: str
    qop: str | None
    uri: str


class Verification(NamedTuple):
    """The result of `DigestVerifier.verify`."""

    outcome: VerifyOutcome
    username: str | None = None
    """Whose password it was, with OK and STALE."""
    reason: str = ""
    """Why not, in words for the operator; a client need not be told."""
    proof: Proof | None = None

    @property
    def ok(self) -> bool:
        """True when the request may be served."""
        return self.outcome is VerifyOutcome.OK


class DigestVerifier:
    """Challenges clients for one realm and checks their answers.

    `algorithms` are offered most preferred first, `qops` empty offers none (RFC 2069). userhash is offered when
    `userhash_lookup` is given; see `userhash_index`.
    """

    def __init__(
        self,
        realm: str,
        *,
        random: Random,
        algorithms: Sequence[Algorithm] = (Algorithm.SHA_256, Algorithm.MD5),
        qops: Sequence[str] = ("auth",),
        nonce_lifetime: float = NONCE_LIFETIME,
        accept_without_qop: bool = True,
        userhash_lookup: UserhashLookup | None = None,
        proxy: bool = False,
        max_nonces: int = MAX_TRACKED,
    ) -> None:
        self.realm = slots.quoted_text(realm)
        self._algorithms = tuple(dict.fromkeys(algorithms))
        self._qops = tuple(qops)
        # A client that knows RFC 2069 alone ignores our qop (RFC 3261 section 22.4).
        self._accept_without_qop = accept_without_qop or not self._qops
        self._userhash_lookup = userhash_lookup
        self._proxy = proxy
        self._nonces = Nonces(random, lifetime=nonce_lifetime, limit=max_nonces)
        self._decoy = Secret(f"{random.getrandbits(256):064x}")

    def challenges(self, *, now: float, stale: bool = False) -> list[str]:
        """The values of as many WWW-Authenticate headers, one for each algorithm (RFC 8760 section 2.3)."""
        nonce = self._nonces.issue(now)
        return [
            str(
                Challenge(
                    "Digest",
                    self.realm,
                    nonce,
                    algorithm=algorithm.value,
                    qop=self._qops,
                    stale=stale,
                    userhash=self._userhash_lookup is not None,
                    proxy=self._proxy,
                )
            )
            for algorithm in self._algorithms
        ]

    def verify(
        self, authorization: str | Sequence[str] | None, method: str, uri: str, body: bytes, lookup: Lookup, now: float
    ) -> Verification:
        """Check the Authorization of one request, given as one header value, as all of them, or as None.

        `uri` is the Request-URI. An accepted answer is noted, so that it is accepted once. Never raises.
        """
        fields = self._find(authorization)
        if fields is None:
            return _MISSING
        if MALFORMED in fields:
            return _malformed("the credentials cannot be read")
        algorithm = Algorithm.parse(fields.get("algorithm"))
        if algorithm not in self._algorithms or algorithm is None:
            return Verification(VerifyOutcome.WRONG, reason="the algorithm was not offered")
        get = fields.get
        nonce, address, given = get("nonce"), get("uri"), get("response")
        qop, nc, cnonce = get("qop"), get("nc", ""), unescape(get("cnonce", ""))
        if nonce is None or address is None or given is None or (qop is not None and not (cnonce and _is_count(nc))):
            return _malformed("a parameter is missing or malformed")
        nonce, address = unescape(nonce), unescape(address)
        if qop is None:
            if not self._accept_without_qop or algorithm.session:
                return _malformed("qop is missing")
        elif qop.lower() not in self._qops:
            # Compared in any case, but hashed as it was sent.
            return _malformed("the qop was not offered")
        if address != uri and not _same_resource(address, uri):
            return _malformed("the digest uri names another resource")
        credential = self._credential(fields, algorithm, lookup)
        known = credential is not None and credential.supports(algorithm)
        ha1 = credential.ha1_for(algorithm, self.realm) if credential is not None and known else self._decoy
        key = session_key(algorithm, ha1, nonce, cnonce) if algorithm.session else ha1
        a2 = a2_hash(algorithm, method, address, qop, body)
        right = response(algorithm, key, nonce, nc, cnonce, qop, a2)
        if not compare_digest(right.encode(), given.lower().encode("utf-8", "surrogateescape")) or credential is None:
            # What is compared for an unknown user is a decoy, so that the time tells nothing.
            return _WRONG if known else _UNKNOWN
        if not self._nonces.accept(nonce, None if qop is None else int(nc, 16), now):
            # Only here may stale be said: the password is right (RFC 7616 section 3.3).
            return Verification(VerifyOutcome.STALE, credential.username, "the nonce is too old or was used")
        proof = Proof(algorithm, key, nonce, nc, cnonce, qop, address)
        return Verification(VerifyOutcome.OK, credential.username, proof=proof)

    def authentication_info(
        self, verification: Verification, *, body: bytes = b"", next_nonce_at: float | None = None
    ) -> str | None:
        """The value of Authentication-Info for an accepted request, None for others (RFC 7616 section 3.5).

        `body` is that of the response; `next_nonce_at`, the present time, adds a nextnonce.
        """
        proof = verification.proof
        if proof is None:
            return None
        a2 = a2_hash(proof.algorithm, "", proof.uri, proof.qop, body)
        right = response(proof.algorithm, proof.key, proof.nonce, proof.nc, proof.cnonce, proof.qop, a2)
        value = f'rspauth="{right}"'
        if proof.qop is not None:
            value = f"qop={proof.qop}, {value}, cnonce={quote(proof.cnonce)}, nc={proof.nc}"
        # The key of a -sess algorithm belongs to the nonce that began the session, and we keep no sessions.
        if next_nonce_at is not None and not proof.algorithm.session:
            value = f'nextnonce="{self._nonces.issue(next_nonce_at)}", {value}'
        return value

    def _find(self, authorization: str | Sequence[str] | None) -> Fields | None:
        values = () if authorization is None else (authorization,) if isinstance(authorization, str) else authorization
        for value in values:
            for scheme, fields in parse_schemes(value):
                if scheme.lower() == "digest" and unescape(fields.get("realm", "")) == self.realm:
                    return fields
        return None

    def _credential(self, fields: Fields, algorithm: Algorithm, lookup: Lookup) -> Credential | None:
        if fields.get("userhash", "").lower() == "true":
            by_hash = self._userhash_lookup
            return None if by_hash is None else by_hash(fields.get("username", "").lower(), algorithm.base)
        name = fields.get("username")
        if name is not None:
            return lookup(unescape(name), self.realm)
        extended = _decode(fields.get("username*", ""))
        return None if extended is None else lookup(extended, self.realm)


def userhash_index(credentials: Iterable[Credential], realm: str, algorithms: Iterable[Algorithm]) -> UserhashLookup:
    """A lookup by the hash of the user name, for a fixed set of users (RFC 7616 section 3.4.4)."""
    bases = {algorithm.base for algorithm in algorithms}
    index = {(user.userhash(base, realm), base): user for user in credentials for base in bases}
    return lambda text, algorithm: index.get((text, algorithm))


_MISSING = Verification(VerifyOutcome.MISSING, reason="no credentials for this realm")
_WRONG = Verification(VerifyOutcome.WRONG, reason="the password is wrong")
_UNKNOWN = Verification(VerifyOutcome.WRONG, reason="the user is unknown")


def _malformed(reason: str) -> Verification:
    return Verification(VerifyOutcome.MALFORMED, reason=reason)


def _is_count(text: str) -> bool:
    # RFC 7616 section 3.4: exactly eight hex digits.
    return len(text) == 8 and not text.strip("0123456789abcdefABCDEF")


def _same_resource(first: str, second: str) -> bool:
    # RFC 8760 section 2.6 keeps the tolerance of RFC 3261 section 22.4: a proxy may have changed parameters on the way.
    try:
        a, b = Uri.parse(first), Uri.parse(second)
    except RemoteProtocolError:
        return False
    return a.user == b.user and a.host.lower() == b.host.lower() and a.opaque == b.opaque


def _decode(extended: str) -> str | None:
    # RFC 8187 section 3.2.1: charset'language'percent-encoded
    charset, _, rest = extended.partition("'")
    _, mark, text = rest.partition("'")
    if charset.lower() != "utf-8" or not mark:
        return None
    head, *pieces = text.encode("utf-8", "surrogateescape").split(b"%")
    try:
        return (head + b"".join(bytes.fromhex(piece[:2].decode()) + piece[2:] for piece in pieces)).decode()
    except ValueError:
        return None
