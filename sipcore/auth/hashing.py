"""The hash algorithms of digest authentication (RFC 7616 section 6.1, RFC 8760 section 2.1)."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Protocol, Self

__all__ = ["Algorithm", "Hash", "sha512_256_function"]


class Hash(Protocol):
    """What a hash function returns."""

    def hexdigest(self) -> str:
        """The hash as lower-case hex digits."""


def sha512_256_function() -> Callable[[bytes], Hash]:
    """SHA-512/256 from the platform's library where it has it, else our own."""
    try:
        hashlib.new("sha512_256", b"", usedforsecurity=False)
    except ValueError:
        from sipcore.auth.sha512_256 import Sha512of256

        return Sha512of256
    return partial(hashlib.new, "sha512_256", usedforsecurity=False)


def _md5() -> Callable[[bytes], Hash]:
    # The interpreter's own, where it was built with it: for texts as short as ours it takes half the time of OpenSSL's,
    # and a machine in FIPS mode does not refuse it. Registrars still ask for MD5.
    try:
        own: Callable[[bytes], Hash] = import_module("_md5").md5
    except (ImportError, AttributeError):
        return _permitted(hashlib.md5)
    return own


def _permitted(function: Callable[..., Hash]) -> Callable[[bytes], Hash]:
    # A machine in FIPS mode refuses MD5 unless told that nothing depends on it. A partial and not a function of ours:
    # while a hash is computed no Python frame has the secret text in a local variable. Elsewhere the function itself,
    # which costs half as much.
    try:
        function(b"")
    except ValueError:
        return partial(function, usedforsecurity=False)
    return function


_FUNCTIONS: dict[str, tuple[Callable[[bytes], Hash], int, int]] = {
    "MD5": (_md5(), 32, 1),
    "SHA-256": (_permitted(hashlib.sha256), 64, 2),
    "SHA-512-256": (sha512_256_function(), 64, 3),
}


class Algorithm(enum.StrEnum):
    """A digest algorithm, spelled as in a challenge. Hash functions take UTF-8."""

    MD5 = "MD5"
    MD5_SESS = "MD5-sess"
    SHA_256 = "SHA-256"
    SHA_256_SESS = "SHA-256-sess"
    SHA_512_256 = "SHA-512-256"
    SHA_512_256_SESS = "SHA-512-256-sess"

    digest: Callable[[bytes], Hash]
    """The hash function itself."""
    session: bool
    """True for the -sess forms, whose A1 holds the first nonce and cnonce (RFC 7616 section 3.4.2)."""
    hex_length: int
    """How many hex digits a hash has."""
    strength: int
    """Greater is stronger. A -sess form counts as much as its base."""

    def __new__(cls, token: str) -> Self:
        member = str.__new__(cls, token)
        member._value_ = token
        base = token.removesuffix("-sess")
        member.digest, member.hex_length, member.strength = _FUNCTIONS[base]
        member.session = base != token
        return member

    @classmethod
    def parse(cls, token: str | None) -> Algorithm | None:
        """The algorithm of a challenge's token, in any case; none given means MD5, unknown gives None."""
        if token is None:
            return cls.MD5  # RFC 7616 section 3.3
        return _BY_NAME.get(token) or _BY_NAME.get(token.lower())

    @property
    def base(self) -> Algorithm:
        """The algorithm without -sess: H(A1) of a user is the same for both."""
        return _BASES[self]

    def hash(self, text: str) -> str:
        """The hash of `text` as lower-case hex."""
        # Text from the network may hold bytes that are not UTF-8; they are hashed as they came.
        return self.digest(text.encode("utf-8", "surrogateescape")).hexdigest()


_BASES = {member: Algorithm(member.value.removesuffix("-sess")) for member in Algorithm}
_BY_NAME = {member.value.lower(): member for member in Algorithm} | {member.value: member for member in Algorithm}
