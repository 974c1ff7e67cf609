"""The words everybody uses: addresses, secrets, outcome classes, causes, the status view, the back-off formula."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from random import Random
from typing import Any, NoReturn

from sipcore.errors import ConfigError

__all__ = [
    "NO_OPTIONS",
    "WILDCARDS",
    "Address",
    "Binding",
    "Cause",
    "OutcomeClass",
    "Phase",
    "Protocol",
    "RecordKind",
    "Secret",
    "SocketOptions",
    "State",
    "Status",
    "backoff",
    "canonical_address",
    "canonical_network",
    "format_address",
    "is_ip_address",
    "is_within",
]

Address = tuple[str, int]
"""An IP literal without brackets (an IPv6 zone allowed) and a port."""


WILDCARDS = frozenset({"0.0.0.0", "::"})
"""The addresses that mean any, and that no message may hold."""


class Protocol(enum.StrEnum):
    """The transport protocols, spelled as in a Via header (RFC 3261 section 20.42)."""

    UDP = "UDP"
    TCP = "TCP"

    @property
    def reliable(self) -> bool:
        """True when the transport itself repeats lost data (RFC 3261 section 17)."""
        return self is not Protocol.UDP


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOptions:
    """What a driver asks of the system for a socket, beyond its address; 0 and False leave the system's default.

    An option that the system refuses is told in the log and otherwise does no harm. Raises `ConfigError`.
    """

    tos: int = 0
    """The whole octet of DSCP and ECN in the header of IPv4, or of IPv6 (RFC 2474): 0 to 255, such as 96 for CS3."""
    cos: int = 0
    """The priority for the system's queues and for VLANs (SO_PRIORITY, Linux): 0 to 7."""
    tcp_keepalive: bool = False
    """Streams: let the system find out that the peer is gone."""
    tcp_keepalive_idle: int = 30
    """Seconds of silence before the first probe."""
    tcp_keepalive_interval: int = 10
    """Seconds between probes."""
    tcp_keepalive_probes: int = 5
    """Probes without an answer before the connection is given up."""

    def __post_init__(self) -> None:
        for option, lowest, highest in _SOCKET_RANGES:
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
                raise ConfigError(option, value, f"a whole number from {lowest} to {highest}")
        if not isinstance(self.tcp_keepalive, bool):
            raise ConfigError("tcp_keepalive", self.tcp_keepalive, "must be True or False")


_SOCKET_RANGES = (
    ("tos", 0, 255),
    ("cos", 0, 7),
    # Linux, include/net/tcp.h: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT.
    ("tcp_keepalive_idle", 1, 32767),
    ("tcp_keepalive_interval", 1, 32767),
    ("tcp_keepalive_probes", 1, 127),
)

NO_OPTIONS = SocketOptions()
"""Everything as the system has it."""


class RecordKind(enum.StrEnum):
    """What a `Resolve` command asks for."""

    A = "A"
    AAAA = "AAAA"
    SOURCE = "SOURCE"
    """The local address from which the host `name` would be reached: connect a throw-away UDP socket."""


class State(enum.StrEnum):
    """What the registrar believes, as far as we know."""

    UNREGISTERED = "Unregistered"
    REGISTERED = "Registered"
    REJECTED = "Rejected"
    STOPPED = "Stopped"


class Phase(enum.StrEnum):
    """What we are doing about it."""

    IDLE = "idle"
    WAITING = "waiting"
    RESOLVING = "resolving"
    CONNECTING = "connecting"
    EXCHANGING = "in exchange"
    REMOVING = "removing"


class OutcomeClass(enum.StrEnum):
    """The classes into which `classify` sorts every answer, every silence and every failure."""

    SUCCESS = "success"
    REMOVED = "removed"
    CHALLENGE = "challenge"
    TOO_BRIEF = "too brief"
    REDIRECT = "redirect"
    NEXT_TARGET = "next target"
    TEMPORARY = "temporary"
    CREDENTIALS = "refused credentials"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a status is what it is: what the peer said, or what happened instead of an answer."""

    kind: OutcomeClass | None = None
    """The class of the outcome; None when the application or the clock is the cause."""

    code: int | None = None
    """The response's status code, or None when no response came."""

    reason: str = ""
    """The response's reason phrase, made safe for terminals and logs (RFC 3261 section 7.2)."""

    detail: str = ""
    """What we make of it, in plain words."""

    warning: str | None = None
    """The Warning header, made safe for terminals and logs (RFC 3261 section 20.43)."""

    retry_after: int | None = None
    """The response's Retry-After, in seconds as the peer wrote it (RFC 3261 section 20.33)."""

    server: str | None = None
    """Who said it: the address that was asked, as `host:port`."""

    transport: Protocol | None = None
    """Over which transport."""

    def __str__(self) -> str:
        said = f"{self.code} {self.reason}".rstrip() if self.code is not None else ""
        parts = [part for part in (said, self.detail) if part]
        text = ": ".join(parts) or str(self.kind or "")
        if self.warning:
            text += f" (Warning: {self.warning})"
        if self.retry_after is not None:
            text += f" (Retry-After: {self.retry_after})"
        if self.server:
            text += f" [{self.transport} {self.server}]"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One row of the list that a registrar gives in a 2xx (RFC 3261 section 10.3 step 8)."""

    uri: str
    """The Contact URI as the registrar wrote it."""

    expires_at: float | None
    """When it lapses, on the clock of `now`; None when the registrar did not say."""

    own: bool
    """True for the binding that this registration keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything that is true of one registration at one moment. All times are on the clock of `now`."""

    name: str
    state: State
    """What the registrar believes."""
    phase: Phase
    """What we are doing."""
    cause: Cause | None
    """Why `state` is what it is; None as long as nothing has happened in this run."""
    server: str | None
    """The address last asked, as `host:port`."""
    transport: Protocol | None
    flow: int | None
    """The flow that the binding was made over."""
    attempt: int
    """How many attempts have failed in a row; 0 after a success."""
    since: float
    """When `state` became what it is."""
    expires_at: float | None
    """When the binding lapses if it is not refreshed; None without a binding."""
    next_attempt_at: float | None
    """When the next attempt starts; None when one is running or none is planned."""
    bindings: tuple[Binding, ...]
    """What the registrar listed in its last 2xx, ours included."""

    @property
    def registered(self) -> bool:
        """True while the registrar holds our binding, as far as we know."""
        return self.state is State.REGISTERED


class Secret:
    """A string that is used but never shown.

    No repr, str, format, pickle, JSON, copy or traceback gives it away; `reveal()` is the only way to the text, and
    is called only where the text goes into a hash or onto the wire. Two secrets are equal when their texts are.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            kind = type(text).__name__
            del text  # A traceback with local variables would print it.
            raise TypeError(f"a Secret is made of str, not of {kind}")
        self._text = text

    def reveal(self) -> str:
        """The text itself. Use it within one expression; in a local variable a traceback could show it."""
        return self._text

    def apply(self, function: Callable[[str], str]) -> Secret:
        """`function` of the text, wrapped again.

        Raises `ValueError` when the function fails, without the function's own error: its frames, and often its
        arguments, hold the text.
        """
        try:
            return Secret(function(self._text))
        except Exception as error:
            kind = type(error).__name__
        except BaseException as error:
            raise error.with_traceback(None) from None
        raise ValueError(f"a function of a Secret failed with {kind}")

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __bool__(self) -> bool:
        # An empty password is a password (some lines log in with one), so truth must not depend on the text.
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        # Equal for all, so that a printed hash tells nothing; secrets are not meant to be keys.
        return hash(Secret)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret has no visible state")


def format_address(address: Address) -> str:
    """`host:port`, with brackets around IPv6 (RFC 3986 section 3.2.2)."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_ip_address(text: str) -> bool:
    """True for an IPv4 or IPv6 literal without brackets; an IPv6 zone is allowed (RFC 4007 section 11)."""
    # A host name of the usual kind has a letter in its last label and no colon; only the others are worth a parse.
    if ":" not in text and not text[-1:].isdigit():
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def canonical_address(text: str) -> str:
    """The one spelling of an IP literal (RFC 5952), as sockets name it. Raises ValueError when it is none."""
    return str(ip_address(text)) if ":" in text else text


def canonical_network(text: str) -> str:
    """The one spelling of an IP network: address/length, address/mask, or one address. Raises ValueError.

    Bits behind the mask count as 0.
    """
    mask = text.partition("/")[2]
    network = ip_network(text, strict=False)
    # The library also reads the mask of the host part, which turns a slip into another network.
    if "." in mask and str(network.netmask) != mask:
        raise ValueError(f"{mask!r} is not a network mask")
    return str(network)


def is_within(address: str, network: str) -> bool:
    """True when the IP literal, whose zone does not count, is in the network in its one spelling."""
    return ip_address(address.partition("%")[0]) in _network(network)


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)


def backoff(failures: int, *, base: float, ceiling: float, random: Random) -> float:
    """The wait after the given number of failures in a row, in seconds (RFC 5626 section 4.5).

    W = min(ceiling, base * 2**failures), and the wait is uniform between half of W and W.
    """
    # 2.0**64 is far past every ceiling; bounding the exponent keeps the arithmetic finite for any count.
    wait = min(ceiling, base * 2.0 ** min(failures, 64))
    return wait * (0.5 + 0.5 * random.random())
