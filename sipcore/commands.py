"""What a driver must do. Commands are imperative; they leave an agent through `next_output()`, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sipcore.values import NO_OPTIONS, Address, Protocol, RecordKind, SocketOptions

__all__ = [
    "CloseFlow", "CloseListener", "Command", "Listen", "OpenFlow", "Record", "Remember", "Resolve", "Transmit", "dated",
]  # fmt: skip


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
    options: SocketOptions = NO_OPTIONS
    """For the listener and for what it accepts."""


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
    options: SocketOptions = NO_OPTIONS
    """What to ask of the system. An option that it refuses is logged, and the flow opened all the same."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember(Command):
    """Store `dated(...)` under `name`, in place of what is there, before anything behind this in the queue is done.

    Only an agent made with `remembers=True` asks for it; what was stored is its `snapshot` in the next process.
    """

    name: str
    """The key: a registration's name, or one made of it for a binding that is only there to be removed."""
    record: Mapping[str, object] | None = field(repr=False)
    """Values that JSON can hold, no secrets; its times are on the clock of `now`. None: forget what is stored."""

    def dated(self, offset: float) -> dict[str, object] | None:
        """The record as `UserAgent.snapshot` gives it, with wall-clock times.

        `offset` is the wall clock less the clock of `now` at the moment of writing, and not once for all: the wall
        clock of a host without a battery is set long after the agent was made.
        """
        return None if self.record is None else dated(self.record, offset)


TIMES: Final = ("expires_at", "refresh_at", "unconfirmed_until")
"""The values of a record that are times."""


def dated(record: Mapping[str, object], offset: float) -> dict[str, object]:
    """A record with `offset` added to each of its times."""
    moved = dict(record)
    for name in TIMES:
        moment = moved.get(name)
        if isinstance(moment, int | float):
            moved[name] = moment + offset
    return moved
