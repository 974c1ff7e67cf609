"""Digest authentication as a server sees it, written from RFC 7616 and RFC 2069 with hashlib and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from random import Random
from typing import Final, NamedTuple

from sipcore.testing.sim.registrar_rules import Rules, Verdict
from sipcore.testing.sim.registrar_store import as_wire, from_wire

__all__ = [
    "ALGORITHMS",
    "DIGEST_RIGHT",
    "NO_FINDING",
    "Finding",
    "Gate",
    "Users",
    "a1",
    "a2",
    "digest",
    "parameters_of",
]

NONCE_MEMORY: Final = 1200.0
"""Seconds for which a nonce that is too old is still known, so that it is stale and not unknown."""

MAX_NONCES: Final = 20_000
"""Then the oldest are forgotten: a flood of challenges must not fill the memory of a run of years."""

MAX_USES: Final = 32
"""The last counts of a nonce that are remembered with their branches, to tell a count that is late from one that a
client used twice."""

DIGEST_RIGHT: Final = "the digest is right"
"""The detail with which an unknown nonce is as good as a stale one."""

MAX_FORMER: Final = 4
"""Former passwords of a user that are remembered."""

_Hash = Callable[[str], str]


ALGORITHMS: Final[dict[str, _Hash]] = {
    "MD5": lambda text: hashlib.md5(text.encode("latin-1")).hexdigest(),
    "SHA-256": lambda text: hashlib.sha256(text.encode("latin-1")).hexdigest(),
}
"""The hashes by the names of RFC 7616; with `-sess` behind the name, the same for a session key."""

if "sha512_256" in hashlib.algorithms_available:
    ALGORITHMS["SHA-512-256"] = lambda text: hashlib.new("sha512_256", text.encode("latin-1")).hexdigest()


class Finding(NamedTuple):
    """What a gate makes of a request's credentials."""

    verdict: Verdict
    detail: str = ""
    username: str = ""
    nonce: str | None = None
    nc: int | None = None
    info: tuple[str, str, str, str, str, str | None] | None = None
    """For rspauth: algorithm, A1 hash, nonce, nc, cnonce, qop."""
    uri: str = ""


class Users(dict[str, str]):
    """Passwords by user, and what they were before, so that a client that was not told yet is not blamed."""

    def __init__(self, users: Iterable[tuple[str, str]]) -> None:
        super().__init__(users)
        self._former: dict[str, list[str]] = {}

    def __repr__(self) -> str:
        return f"<{len(self)} users>"

    def __setitem__(self, user: str, password: str) -> None:
        if user in self and self[user] != password:
            self.also(user, self[user])
        super().__setitem__(user, password)

    def also(self, user: str, password: str) -> None:
        """A client may use this password, too: it is wrong, and no fault of its arithmetic."""
        former = self._former.setdefault(user, [])
        if password in former:
            former.remove(password)
        former.append(password)
        del former[:-MAX_FORMER]

    def former(self, user: str) -> list[str]:
        """The passwords that were right before."""
        return self._former.get(user, [])


class _Nonce:
    """A nonce that we issued, and with what."""

    __slots__ = ("a1", "accepted", "algorithms", "expires_at", "last", "opaque", "qop", "used")

    def __init__(self, expires_at: float, rules: Rules) -> None:
        self.expires_at = expires_at
        self.algorithms = rules.algorithms
        self.opaque = rules.opaque
        self.qop = rules.qop
        self.accepted = False
        """True when it was good for a request."""
        self.last = 0
        self.used: dict[int, str] = {}
        """Count -> branch of the request whose digest was right."""
        self.a1 = ""
        """The session key, from the first answer on (RFC 7616 section 3.4.2)."""


class Gate:
    """One server that wants credentials: the registrar, or a proxy before it."""

    def __init__(self, realm: str, users: Users, *, random: Random) -> None:
        self.realm = as_wire(realm)
        self._users = users
        self._random = random
        self._nonces: dict[str, _Nonce] = {}
        self._a1: dict[tuple[str, str, str], str] = {}
        self._a2: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._nonces)

    def forget(self) -> None:
        """As a process that starts again."""
        self._nonces.clear()

    def issue(self, now: float, rules: Rules) -> str:
        """A new nonce."""
        nonces = self._nonces
        forgotten = now - NONCE_MEMORY
        while nonces:
            oldest = next(iter(nonces))
            if nonces[oldest].expires_at > forgotten and len(nonces) < MAX_NONCES:
                break
            del nonces[oldest]
        text = f"{self._random.getrandbits(96):024x}"
        nonces[text] = _Nonce(now + rules.nonce_lifetime / rules.clock, rules)
        return text

    def challenges(self, now: float, rules: Rules, *, stale: bool) -> list[str]:
        """The values of the header lines, one for each algorithm; all have one nonce."""
        nonce = self.issue(now, rules)
        rest = "" if rules.opaque is None else f', opaque="{rules.opaque}"'
        rest += ", stale=true" if stale and rules.stale else ""
        rest += "" if rules.qop is None else f', qop="{rules.qop}"'
        return [
            f'Digest realm="{self.realm}", nonce="{nonce}"'
            + (f", algorithm={name}" if rules.algorithm_named or name != "MD5" else "")
            + rest
            for name in rules.algorithms
        ]

    def check(
        self,
        values: list[str],
        method: str,
        uri: str,
        body: str,
        branch: str,
        now: float,
        rules: Rules,
        fault: Callable[[str], object],
    ) -> Finding:
        """What the header lines prove. `fault` is told what no client may send."""
        given = None
        for value in values:
            if value[:7].lower() == "digest ":
                parameters = parameters_of(value[7:], fault)
                if parameters is not None and parameters.get("realm") == self.realm:
                    if given is not None:
                        fault("two answers to one realm")
                        break
                    given = parameters
        if given is None:
            return NO_FINDING
        try:
            nonce_text, address, response = given["nonce"], given["uri"], given["response"]
            username = given["username"]
        except KeyError as error:
            fault(f"credentials without {error.args[0]}")
            return Finding("wrong", f"no {error.args[0]}")
        nonce = self._nonces.get(nonce_text)
        if nonce is not None and nonce.expires_at + NONCE_MEMORY <= now:
            nonce = None
        algorithm = _canonical(given.get("algorithm", "MD5"))
        qop, cnonce, nc_text = given.get("qop"), given.get("cnonce", ""), given.get("nc", "")
        nc: int | None = None
        if qop is not None:
            if len(nc_text) != 8 or nc_text.strip("0123456789abcdefABCDEF") or not cnonce:
                fault(f"qop={qop} with nc={nc_text!r} and cnonce={cnonce!r}")
                return Finding("wrong", "qop without nc and cnonce", username, nonce_text)
            nc = int(nc_text, 16)
        if address != uri:
            fault(f"digest uri {address!r} in a request to {uri!r}")
            return Finding("wrong", "the digest uri is not the Request-URI", username, nonce_text, nc)
        offered = rules.algorithms if nonce is None else nonce.algorithms
        hashed = ALGORITHMS.get(algorithm.removesuffix("-sess"))
        if algorithm not in offered or hashed is None:
            if nonce is not None:
                fault(f"algorithm {algorithm} was not offered")
            return Finding("wrong", "the algorithm was not offered", username, nonce_text, nc)
        if nonce is not None:
            wanted = nonce.qop
            if (qop is None) != (wanted is None) or (qop and wanted and qop not in wanted.split(",")):
                fault(f"qop {qop!r} where {wanted!r} was offered")
                return Finding("wrong", "the qop was not offered", username, nonce_text, nc)
            if given.get("opaque") != nonce.opaque:
                fault(f"opaque {given.get('opaque')!r} where {nonce.opaque!r} was sent")
        name = from_wire(username)
        password = self._users.get(name)
        if password is None:
            fault(f"credentials of {name!r}, who is nobody")
            return Finding("wrong", "no such user", username, nonce_text, nc)
        session = algorithm.endswith("-sess")
        rest = _rest(nonce_text, nc_text, cnonce, qop, self._a2_of(hashed, algorithm, method, address, body, qop))
        key = self._a1_of(hashed, algorithm, username, password)
        if session:
            key = nonce.a1 if nonce is not None and nonce.a1 else hashed(f"{key}:{nonce_text}:{cnonce}")
        if hashed(f"{key}:{rest}") != response:
            for former in self._users.former(name):
                other = self._a1_of(hashed, algorithm, username, former)
                if session:
                    other = hashed(f"{other}:{nonce_text}:{cnonce}")
                if hashed(f"{other}:{rest}") == response:
                    return Finding("wrong", "the password was right once", username, nonce_text, nc)
            if session and nonce is None:
                # The key may be that of a session that began with another nonce.
                return Finding("unknown nonce", "the session is unknown", username, nonce_text, nc)
            fault(f"digest {response!r} of {name!r} fits none of his passwords")
            return Finding("wrong", "the digest is wrong", username, nonce_text, nc)
        if nonce is None:
            return Finding("unknown nonce", DIGEST_RIGHT, username, nonce_text, nc)
        if nc is not None:
            if nc <= nonce.last:
                if nonce.used.get(nc, branch) != branch:
                    fault(f"nc {nc_text} of nonce {nonce_text} in two requests")
                return Finding("stale", f"nc {nc} after {nonce.last}", username, nonce_text, nc)
            nonce.last = nc
            nonce.used[nc] = branch
            if len(nonce.used) > MAX_USES:
                del nonce.used[next(iter(nonce.used))]
        if now >= nonce.expires_at:
            return Finding("stale", "the nonce is too old", username, nonce_text, nc)
        if rules.nonce_once and nonce.accepted:
            return Finding("stale", "the nonce was used", username, nonce_text, nc)
        nonce.accepted = True
        if session:
            nonce.a1 = key
        info = algorithm, key, nonce_text, nc_text, cnonce, qop
        return _new(Finding, ("right", "", username, nonce_text, nc, info, address))

    def info(self, finding: Finding, now: float, rules: Rules) -> str | None:
        """The value of Authentication-Info (RFC 7616 section 3.5); None when there is nothing to say."""
        parts = []
        if rules.nextnonce:
            nonce = self.issue(now, rules)
            if finding.info is not None and finding.info[0].endswith("-sess"):
                # A session lasts until the next challenge (RFC 2617 section 3.3), and its key with it.
                self._nonces[nonce].a1 = finding.info[1]
            parts.append(f'nextnonce="{nonce}"')
        if rules.rspauth is not None and finding.info is not None:
            algorithm, key, nonce, nc, cnonce, qop = finding.info
            hashed = ALGORITHMS[algorithm.removesuffix("-sess")]
            proof = hashed(f"{key}:{_rest(nonce, nc, cnonce, qop, hashed(':' + finding.uri))}")
            if rules.rspauth == "wrong":
                proof = f"{proof[:-1]}{'0' if proof[-1] != '0' else '1'}"
            parts.append(f'rspauth="{proof}"')
            if qop is not None:
                parts.append(f'qop={qop}, cnonce="{cnonce}", nc={nc}')
        return ", ".join(parts) or None

    def _a1_of(self, hashed: _Hash, algorithm: str, username: str, password: str) -> str:
        key = algorithm.removesuffix("-sess"), username, password
        known = self._a1.get(key)
        if known is None:
            if len(self._a1) >= MAX_NONCES:
                self._a1.clear()
            known = self._a1[key] = a1(hashed, username, self.realm, password)
        return known

    def _a2_of(self, hashed: _Hash, algorithm: str, method: str, uri: str, body: str, qop: str | None) -> str:
        if qop == "auth-int" or body:
            return a2(hashed, method, uri, body, qop)
        key = f"{algorithm}:{method}:{uri}"
        known = self._a2.get(key)
        if known is None:
            if len(self._a2) >= MAX_NONCES:
                self._a2.clear()
            known = self._a2[key] = a2(hashed, method, uri, body, qop)
        return known


def a1(hashed: _Hash, username: str, realm: str, password: str) -> str:
    """The hash that stands for a user's password (RFC 7616 section 3.4.2), before it becomes a session key."""
    return hashed(f"{username}:{realm}:{as_wire(password)}")


def a2(hashed: _Hash, method: str, uri: str, body: str, qop: str | None) -> str:
    """The hash of what is asked (RFC 7616 section 3.4.3)."""
    return hashed(f"{method}:{uri}:{hashed(body)}" if qop == "auth-int" else f"{method}:{uri}")


def digest(hashed: _Hash, key: str, nonce: str, nc: str, cnonce: str, qop: str | None, a2_hash: str) -> str:
    """The response parameter (RFC 7616 section 3.4.1)."""
    return hashed(f"{key}:{_rest(nonce, nc, cnonce, qop, a2_hash)}")


def parameters_of(text: str, fault: Callable[[str], object]) -> dict[str, str] | None:
    """The parameters of credentials, names in lower case; None when they cannot be read."""
    if "\\" in text:
        return _slow_parameters(text, fault)
    parameters: dict[str, str] = {}
    for item in text.split(","):
        name, _, value = item.partition("=")
        name, value = name.strip().lower(), value.strip()
        if value[:1] == '"':
            if value[-1] != '"' or len(value) < 2:
                # A comma inside quotes, or something worse.
                return _slow_parameters(text, fault)
            value = value[1:-1]
        if name in parameters:
            fault(f"credentials with two {name}")
        parameters[name] = value
    return parameters


def _slow_parameters(text: str, fault: Callable[[str], object]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    index, size = 0, len(text)
    while index < size:
        name, _, _ = text[index:].partition("=")
        index += len(name) + 1
        value = []
        if text[index : index + 1] == '"':
            index += 1
            while index < size and text[index] != '"':
                if text[index] == "\\":
                    index += 1
                value.append(text[index : index + 1])
                index += 1
            if index >= size:
                fault("credentials with an open quote")
                return None
            index = text.find(",", index)
            index = size if index < 0 else index
        else:
            while index < size and text[index] != ",":
                value.append(text[index])
                index += 1
        name = name.strip(" \t,").lower()
        if name in parameters:
            fault(f"credentials with two {name}")
        parameters[name] = "".join(value).strip()
        index += 1
    return parameters


def _rest(nonce: str, nc: str, cnonce: str, qop: str | None, a2_hash: str) -> str:
    return f"{nonce}:{a2_hash}" if qop is None else f"{nonce}:{nc}:{cnonce}:{qop}:{a2_hash}"


def _canonical(algorithm: str) -> str:
    upper = algorithm.upper()
    return f"{upper[:-5]}-sess" if upper.endswith("-SESS") else upper


NO_FINDING: Final = Finding("none")
_new = tuple.__new__
