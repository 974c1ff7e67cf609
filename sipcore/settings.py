"""What a configuration says, whichever form it has: Asterisk's files or our own.

`sipcore.asterisk` and `sipcore.native` read the two forms; drivers and the daemon see only what stands here.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sipcore.config import Account
from sipcore.syntax.message import Request
from sipcore.values import Address, Protocol

__all__ = ["Configuration", "Identify", "OptionNote", "Verdict"]

Identify = Callable[[Request, Address | None, str | None], str | None]
"""The endpoint of an inbound request: given the request, who sent it and the registration that it came for."""


class Verdict(enum.StrEnum):
    """What became of an option."""

    USED = "used"
    UNUSED = "read, not used here"
    """Valid, and without meaning for registrations or for what reads them here."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionNote:
    """One option of a file, and what became of it."""

    where: str
    """`file:line`."""
    section: str
    """The name of its section, or the path of its table."""
    type: str
    """The type of the object: `registration`, `auth`, ..."""
    option: str
    value: str | None
    """None for a secret."""
    verdict: Verdict
    text: str = ""
    """What it does, why it is refused and what would be valid, or what may not be what was meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a file says, with everything that it includes."""

    file: str
    accounts: tuple[Account, ...]
    """In the order of the file."""
    warnings: tuple[str, ...]
    """What is accepted and may still not be what was meant, as `file:line: text`."""
    secret: bool
    """True when the file holds passwords or digests, so that nobody else should be able to read it."""
    binds: Mapping[tuple[Protocol, Address], str]
    """The local addresses that transports ask for, each with the `file:line` that asks."""
    files: tuple[str, ...] = ()
    """All files that were read, the first one included."""
    identify: Identify | None = None
    """Names the endpoint of an inbound request; None when no endpoint is configured."""
