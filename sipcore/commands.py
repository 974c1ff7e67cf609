"""What a driver must do. Commands are imperative; they leave an agent through `next_output()`, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sipcore.values import Address, Protocol, RecordKind

__all__ = ["CloseFlow", "CloseListener", "Command", "Listen", "OpenFlow", "Record", "Resolve", "Transmit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The base of all commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve(Command):
    """Look up `name`, then call `resolved(query, records)` or `resolve_failed(query, error)`."""

    query: int
    """The core's number for this question."""
    name: str
    """A host name, or for SOURCE the IP literal of the remote host."""
    kind: RecordKind


class Record(NamedTuple):
    """One answer to a `Resolve`."""

    address: str
    """An IP literal without brackets."""
    ttl: float | None = None
    """Seconds the answer may be kept; None when the resolver does not tell, which counts as 60 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen(Command):
    """Accept connections on `local`; answer `listening` or `listen_failed`, then `flow_accepted` for each."""

    listener: int
    protocol: Protocol
    local: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseListener(Command):
    """Stop accepting. Flows that were accepted stay."""

    listener: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFlow(Command):
    """Bind (UDP: `local`, with `remote` None) or connect (TCP: to `remote`); answer `flow_opened` or `flow_closed`."""

    flow: int
    protocol: Protocol
    local: Address | None
    """Where to bind; port 0 lets the system choose. None (streams only) leaves the address to the system, too."""
    remote: Address | None
    """Where to connect; None for UDP, whose one unconnected socket serves every remote."""
    server_name: str | None = None
    """The name that was asked for, before DNS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmit(Command):
    """Send `data`; on UDP as one datagram to `remote`. Never block: a datagram that does not fit now is dropped."""

    flow: int
    data: bytes = field(repr=False)
    remote: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseFlow(Command):
    """Send what is queued on the flow, close it, and forget it. Nothing is transmitted on it afterwards."""

    flow: int
