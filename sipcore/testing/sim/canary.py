"""The secrets of the simulated accounts: texts that must never be seen on the wire or in what a run leaves behind."""

from __future__ import annotations

import hashlib

__all__ = ["PASSWORD", "hashes", "password"]

PASSWORD = "kanarienvogel-7-"
"""With what every password begins."""


def password(name: str) -> str:
    """The password of a user."""
    return PASSWORD + name


def hashes(name: str, realm: str) -> list[str]:
    """H(A1) of a user in each algorithm that has one of its own (RFC 7616 section 3.4.2)."""
    text = f"{name}:{realm}:{password(name)}".encode()
    return [hashlib.new(algorithm, text).hexdigest() for algorithm in ("md5", "sha256", "sha512_256")]
