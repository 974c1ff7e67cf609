"""What we know about a user: name, password or H(A1), and for which realms and algorithms it may be used."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from unicodedata import normalize

from sipcore.auth.hashing import Algorithm
from sipcore.errors import ConfigError
from sipcore.syntax import slots
from sipcore.syntax.slots import SlotTable, fill
from sipcore.values import Secret

__all__ = ["CREDENTIAL_SLOTS", "Credential", "RealmMatch"]


class RealmMatch(enum.IntEnum):
    """How well a credential fits a realm; the greater is preferred."""

    NONE = 0
    ANY = 1
    """The credential is for any realm."""
    CASELESS = 2
    """Equal but for case. RFC 7616 section 3.3 compares exactly; Asterisk does not, and users type realms by hand."""
    EXACT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user's credential, for client and server alike.

    Raises `ConfigError` when it could never produce a correct answer.
    """

    username: str
    password: Secret | None = None
    """An empty password is a password: some lines log in with one. None means that only `ha1` is known."""
    ha1: tuple[tuple[Algorithm, Secret], ...] = ()
    """H(username:realm:password) as hex, one for each algorithm; preferred to the password.

    The -sess forms use that of their base."""
    realm: str | None = None
    """The realm to answer; None or `*` for any. An empty text is the realm with the empty name."""
    algorithms: tuple[Algorithm, ...] | None = None
    """The algorithms to use; None for all. The base of a -sess form stands for both."""

    def __post_init__(self) -> None:
        if not isinstance(self.username, str):
            raise ConfigError("username", self.username, "must be a text")
        if not isinstance(self.password, Secret | None):
            raise ConfigError("password", "***", "must be a Secret, such as Secret(text), or None")
        fill("username", CREDENTIAL_SLOTS["username"], self.username)
        if not self.username:
            raise ConfigError("username", self.username, "a user name is needed")
        if self.realm is not None:
            fill("realm", CREDENTIAL_SLOTS["realm"], self.realm)
        if self.password is None and not self.ha1:
            raise ConfigError("password", None, "a password or a password digest is needed (an empty password is one)")
        if self.password is not None:
            fill("password", CREDENTIAL_SLOTS["password"], self.password)
        if self.ha1:
            object.__setattr__(self, "ha1", _digests(self.ha1))
            if len({algorithm for algorithm, _ in self.ha1}) != len(self.ha1):
                raise ConfigError("ha1", [algorithm for algorithm, _ in self.ha1], "one digest for each algorithm")
        if self.algorithms is not None:
            self._check_algorithms(self.algorithms)

    def _check_algorithms(self, algorithms: tuple[Algorithm, ...]) -> None:
        if not algorithms:
            raise ConfigError("algorithms", "", "at least one of " + ", ".join(Algorithm))
        for algorithm in algorithms:
            if not self.supports(algorithm):
                raise ConfigError(
                    "algorithms", str(algorithm), f"without a password it needs a digest for {algorithm.base}"
                )

    def match(self, realm: str) -> RealmMatch:
        """How well this credential fits the realm of a challenge."""
        own = self.realm
        if own is None or own == "*":
            return RealmMatch.ANY
        if own == realm:
            return RealmMatch.EXACT
        return RealmMatch.CASELESS if own.lower() == realm.lower() else RealmMatch.NONE

    def supports(self, algorithm: Algorithm) -> bool:
        """True when the algorithm is allowed here and a password or a digest for it is known."""
        allowed = self.algorithms
        if allowed is not None and algorithm not in allowed and algorithm.base not in allowed:
            return False
        return self.password is not None or any(known is algorithm.base for known, _ in self.ha1)

    def ha1_for(self, algorithm: Algorithm, realm: str, *, normalised: bool = False) -> Secret:
        """H(username:realm:password), from the digest where one is known (RFC 7616 section 3.4.2).

        `normalised` brings name and password into normal form C first, as `charset=UTF-8` asks (section 4).
        Call it only when `supports(algorithm)`.
        """
        if self.ha1:
            base = algorithm.base
            for known, ha1 in self.ha1:
                if known is base:
                    return ha1
        password = self.password
        if password is None:
            raise ConfigError("password", None, f"a password or a digest for {algorithm.base} is needed")
        username = self.username
        if normalised:
            username, password = _nfc(username), password.apply(_nfc)
        # One expression: no local variable of any frame ever holds the password.
        return Secret(
            algorithm.digest(f"{username}:{realm}:{password.reveal()}".encode("utf-8", "surrogateescape")).hexdigest()
        )

    def hashed(self, realm: str, algorithms: Iterable[Algorithm]) -> Credential:
        """The same for one realm with digests in the password's place: what a server needs, computed once.

        Raises `ConfigError` when it may be used with none of the algorithms.
        """
        bases = dict.fromkeys(algorithm.base for algorithm in algorithms)
        return replace(
            self,
            password=None,
            ha1=tuple((base, self.ha1_for(base, realm)) for base in bases if self.supports(base)),
            realm=realm,
            algorithms=None if self.algorithms is None else tuple(a for a in self.algorithms if a.base in bases),
        )

    def name(self, *, normalised: bool = False) -> str:
        """The user name, in normal form C if asked for."""
        return _nfc(self.username) if normalised else self.username

    def userhash(self, algorithm: Algorithm, realm: str, *, normalised: bool = False) -> str:
        """H(username:realm), which hides the name from who listens (RFC 7616 section 3.4.4)."""
        return algorithm.hash(f"{self.name(normalised=normalised)}:{realm}")


def _digests(ha1: tuple[tuple[Algorithm, Secret], ...]) -> tuple[tuple[Algorithm, Secret], ...]:
    return tuple(_checked(algorithm, text) for algorithm, text in ha1)


CREDENTIAL_SLOTS: SlotTable = {
    "username": slots.quoted_text,
    "password": slots.password,
    "ha1": _digests,
    "realm": slots.quoted_text,
}
"""Which slot each text of a `Credential` fills."""


def _nfc(text: str) -> str:
    return normalize("NFC", text)


def _checked(algorithm: Algorithm, ha1: Secret) -> tuple[Algorithm, Secret]:
    digits = algorithm.hex_length
    if len(ha1.reveal()) != digits or ha1.reveal().strip("0123456789abcdefABCDEF"):
        # A digest of the wrong length once overran another stack's buffer; here it could only ever be refused.
        raise ConfigError(f"ha1 ({algorithm.base})", ha1, f"{digits} hexadecimal digits")
    # Hashes are compared as lower-case text (RFC 7616 section 3.1).
    return algorithm.base, ha1.apply(str.lower)
