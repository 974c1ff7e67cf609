"""The secrets of the simulated accounts: texts that must never be seen on the wire or in what a run leaves behind."""

from __future__ import annotations

import hashlib

__all__ = ["PASSWORD", "hashes", "password"]

PASSWORD = "kanarienvogel-7-"
"""With what every password begins."""


def password(name: str, *, renewed: bool = False) -> str:
    """The password of a user, or the one that takes turns with it."""
    return f"{PASSWORD}{name}-2" if renewed else PASSWORD + name


def hashes(name: str, realm: str) -> list[str]:
    """H(A1) of a user's passwords in each algorithm that has one of its own (RFC 7616 section 3.4.2)."""
    texts = [f"{name}:{realm}:{password(name, renewed=renewed)}".encode() for renewed in (False, True)]
    return [hashlib.new(algorithm, text).hexdigest() for algorithm in ("md5", "sha256", "sha512_256") for text in texts]
