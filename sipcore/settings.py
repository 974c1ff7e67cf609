"""What a configuration says, whichever form it has: Asterisk's files or our own.

`sipcore.asterisk` and `sipcore.native` read the two forms; drivers and the daemon see only what stands here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from sipcore.config import Account
from sipcore.events import Identify
from sipcore.values import Address, Protocol

__all__ = ["Configuration", "Identify", "OptionNote", "Verdict", "Written"]


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


class Written(NamedTuple):
    """What an Asterisk file says of one registration and its `Account` does not keep, for those who print it again.

    The texts are those of the file, so that ten thousand registrations share most of them.
    """

    transport: str = ""
    """The name of the transport object."""
    outbound_auth: tuple[str, ...] = ()
    """The names of the auth objects, in the order of `Account.credentials`."""
    endpoint: str = ""
    user_agent: str = ""
    """Of the registration itself, not that of the global object."""
    outbound_proxy: str = ""
    """As it was written."""
    security_negotiation: str = "no"
    security_mechanisms: tuple[str, ...] = ()
    wizard: str = ""
    """The name of the wizard that made it."""


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
    secret_files: tuple[str, ...] = ()
    """Those of them in which passwords or digests stand; empty when that is not known."""
    identify: Identify | None = None
    """Names the endpoint of an inbound request; None when no endpoint is configured."""
    written: Mapping[str, Written] = field(default_factory=lambda: MappingProxyType({}))
    """What else the file says of a registration, by its name; empty for a native file."""
