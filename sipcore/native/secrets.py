"""Where a secret can stand instead of the file itself: a file of its own, the environment, a credential of systemd."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from sipcore.values import Secret

__all__ = ["PLACES", "Reference", "SecretSource"]

PLACES = {
    "file": "the name of a file that nobody but its owner can read; a relative one begins where this file stands",
    "env": "the name of a variable of the environment",
    "credential": "the name of a file in the directory that CREDENTIALS_DIRECTORY names (systemd: LoadCredential=)",
}
"""The ways to say where a secret is, with what each needs."""


class Reference(NamedTuple):
    """`{ file = "..." }` and its like."""

    place: str
    """One of `PLACES`."""
    name: str


class SecretSource(Protocol):
    """Reads secrets for a configuration; the daemon supplies one, tests another."""

    def secret(self, place: str, name: str) -> Secret:
        """The secret that `name` means in `place`, which is one of `PLACES`.

        Raises `OSError`, or `ValueError` with a text for the user that says what is wrong and holds nothing secret.
        """
