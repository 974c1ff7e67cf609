"""The canary: secrets that all tests use and nobody may ever see, and how they are found.

`PASSWORD` is what `tests.accounts.account` logs in with and what the registrars of the tests know. `find` says what of
it, or of what can be used in its place, stands in a text: the password in several spellings, H(A1) of the users and
realms of the tests, and `TOKEN`. `heard` is where everything goes that is printed, written or told: whoever gives the
project another mouth (a management interface, metrics, a file) calls it with what comes out, and where that was. Then
the test that is running fails; `tests.watch` sees to that.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

__all__ = ["PASSWORD", "STEM", "TOKEN", "Hit", "find", "ha1s", "heard", "mask", "taken"]

STEM: Final = "kanarienvogel"
"""In every password that may not be seen; also in those of the simulation."""

PASSWORD: Final = f"{STEM}-5e0f"

TOKEN: Final = "zeisig.eyJhbGciOiJub25lIn0.7c3b"
"""A bearer token, for whatever gets to carry one."""

USERS: Final = (*"alice bob carol dave erin frank grace heidi user".split(), *[f"user{n}" for n in range(12)])

REALMS: Final = (
    *"example.com example.org example.test sip.example.test bars.invalid localhost 127.0.0.1 192.0.2.1".split(),
    *"asterisk elsewhere inside mine one other proxy r s sipcore two".split(),
)

SPELLINGS: Final = (PASSWORD, STEM, f"{STEM}-7")
"""Passwords of which H(A1) is known; those of the simulation come with the user's name behind them."""

ALGORITHMS: Final = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


class Hit(NamedTuple):
    """A secret was seen. Says what and where, and never the secret itself."""

    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.what} in {self.where}"


def ha1s(user: str, realm: str, password: str = PASSWORD) -> Iterator[tuple[str, str]]:
    """Name of the algorithm and H(A1), for each algorithm that this Python has (RFC 7616 section 3.4.2)."""
    text = f"{user}:{realm}:{password}".encode()
    for name, function in ALGORITHMS.items():
        if function in hashlib.algorithms_available:
            yield name, hashlib.new(function, text).hexdigest()


def find(text: str) -> str | None:
    """What of the canary stands in a text, in words that may be shown; None when there is nothing."""
    for needle, what in _PLAIN.items():
        if needle in text:
            return what
    # One look for all digests, however many there are: they are the only long runs of hexadecimal digits.
    for run in _RUN.findall(text):
        for length in _LENGTHS:
            for start in range(len(run) - length + 1):
                digest = _DIGESTS.get(run[start : start + length].lower())
                if digest is not None:
                    return digest
    return None


def mask(text: str) -> str:
    """The text without any of it."""
    for needle in (PASSWORD, *_PLAIN):
        text = text.replace(needle, "***")
    return _RUN.sub(lambda found: "***" if find(found[0]) else found[0], text)


def heard(text: str, where: str) -> None:
    """Something was printed, written or told: when there is a secret in it, the test that runs now fails."""
    what = find(text)
    if what is not None:
        _HITS.append(Hit(what, where))


def taken() -> list[Hit]:
    """The hits since this was asked last."""
    hits = _HITS[:]
    del _HITS[: len(hits)]
    return hits


_HITS: list[Hit] = []
_RUN: Final = re.compile(r"[0-9a-fA-F]{32,}")
_LENGTHS: Final = (32, 64)


def _plain() -> dict[str, str]:
    """What is looked for as it stands, with its name."""
    needles = {STEM: "the password", STEM.upper(): "the password in capitals", STEM[::-1]: "the password backwards"}
    needles |= {STEM.encode().hex(): "the password in hexadecimal digits", TOKEN: "the token"}
    for offset in range(3):
        # Base64 of a text depends on what stands before it, by its length modulo 3; the edges depend on the neighbours.
        encoded = b64encode(b"x" * offset + STEM.encode()).decode()
        needles[encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]] = "the password in base64"
    return needles


_PLAIN: Final = _plain()

_DIGESTS: Final = {
    digest: f"H(A1) of {user} at {realm} by {name}"
    for user, realm in product(USERS, REALMS)
    for password in (*SPELLINGS, f"{STEM}-7-{user}")
    for name, digest in ha1s(user, realm, password)
}
