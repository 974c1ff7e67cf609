"""Names for what a form needs names for and accounts do not have: transports, credentials, files of secrets."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from sipcore.config import Credential, Transport
from sipcore.settings import Configuration
from sipcore.syntax.expressions import compile_possessive

__all__ = ["Names", "credential_names", "file_name", "transport_names"]

T = TypeVar("T", bound=Hashable)

_OTHER = compile_possessive(r"[^A-Za-z0-9._-]++")


class Names(Generic[T]):
    """Each thing's name; equal things have one, and no name stands for two things."""

    def __init__(self, wish: Callable[[T], str]) -> None:
        self._wish = wish
        self._names: dict[T, str] = {}
        self._next: dict[str, int] = {}

    def __getitem__(self, thing: T) -> str:
        name = self._names.get(thing)
        if name is None:
            name = self._names[thing] = self._free(self._wish(thing))
        return name

    def items(self) -> Iterable[tuple[T, str]]:
        """In the order in which they were named."""
        return self._names.items()

    def _free(self, wish: str) -> str:
        number = self._next.get(wish, 1)
        while (name := wish if number == 1 else f"{wish}-{number}") in self._next:
            number += 1
        self._next[wish] = number + 1
        self._next.setdefault(name, 1)
        return name


def transport_names(configuration: Configuration) -> Names[Transport]:
    """As the file has them, else `udp`, `tcp`, `udp-2`."""
    known: dict[Transport, str] = {}
    for account in configuration.accounts:
        written = configuration.written.get(account.name)
        if account.transport is not None and written is not None and written.transport:
            known.setdefault(account.transport, written.transport)
    return Names(lambda transport: known.get(transport) or transport.protocol.lower())


def credential_names(configuration: Configuration) -> Names[Credential]:
    """As the file has them, else by user name."""
    known: dict[Credential, str] = {}
    for account in configuration.accounts:
        written = configuration.written.get(account.name)
        if written is not None and len(written.outbound_auth) == len(account.credentials):
            known |= dict(zip(account.credentials, written.outbound_auth, strict=True))
    return Names(lambda credential: known.get(credential) or file_name(credential.username))


def file_name(text: str) -> str:
    """The text with what file names and other people's readers do not like put aside."""
    return _OTHER.sub("_", text)[:64].strip(".") or "_"
