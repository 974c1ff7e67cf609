"""The words everybody uses: addresses, secrets, outcome classes, causes, the status view, the back-off formula."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from random import Random
from typing import Any, NoReturn

__all__ = [
    "WILDCARDS",
    "Address",
    "Binding",
    "Cause",
    "OutcomeClass",
    "Phase",
    "Protocol",
    "RecordKind",
    "Secret",
    "State",
    "Status",
    "backoff",
    "canonical_address",
    "format_address",
    "is_ip_address",
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


def backoff(failures: int, *, base: float, ceiling: float, random: Random) -> float:
    """The wait after the given number of failures in a row, in seconds (RFC 5626 section 4.5).

    W = min(ceiling, base * 2**failures), and the wait is uniform between half of W and W.
    """
    # 2.0**64 is far past every ceiling; bounding the exponent keeps the arithmetic finite for any count.
    wait = min(ceiling, base * 2.0 ** min(failures, 64))
    return wait * (0.5 + 0.5 * random.random())
