"""The virtual network and its clock: addresses, names, datagrams, connections, and what is due when."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Protocol

from sipcore.commands import Record
from sipcore.testing.wire import Datagram, Wire
from sipcore.values import Address, RecordKind

__all__ = ["BrokenContract", "Connection", "ConnectionUser", "Node", "Resident", "World"]

MAX_STEPS_AT_ONCE = 200_000
"""Steps in one instant, after which two sides are taken to answer each other for ever: ten thousand registrations that
start together need about half of that."""

FIRST_PORT = 40000
"""The first port that the virtual system chooses by itself."""

LAST_PORT = 65535


class BrokenContract(AssertionError):
    """An endpoint did what `sipcore` promises that it never does."""


class Node(Protocol):
    """Whatever has a UDP address."""

    def on_datagram(self, datagram: Datagram) -> None:
        """One arrived."""


class ConnectionUser(Protocol):
    """Whoever holds one end of a connection."""

    def on_bytes(self, connection: Connection, data: bytes) -> None:
        """Some bytes of the stream arrived."""

    def on_end(self, connection: Connection, error: str | None) -> None:
        """The other side closed, or the network broke it. Not told to who closed it."""


class Acceptor(Protocol):
    """Whatever listens on a TCP address."""

    def on_connection(self, connection: Connection) -> ConnectionUser | None:
        """Somebody wants to connect; None leaves the caller without an answer, as a filter that drops does."""


class Resident(Protocol):
    """Somebody with a clock of its own in the world."""

    def perform(self) -> None:
        """Do what there is to do now."""

    def next_deadline(self) -> float | None:
        """When it wants to be called."""

    def on_deadline(self) -> None:
        """That time came."""

    def node_at(self, address: Address) -> Node | None:
        """Its UDP socket at an address."""

    def acceptor_at(self, address: Address) -> Acceptor | None:
        """Its listener at an address."""


class Connection:
    """One end of a virtual TCP connection."""

    def __init__(self, world: World, local: Address, remote: Address) -> None:
        self.local = local
        self.remote = remote
        self.open = True
        self.lost = False
        """The way between the two ends is gone and neither is told: nothing arrives any more (a half-open
        connection)."""
        self.error: str | None = None
        """Why the other side ended it; None when it just closed."""
        self.user: ConnectionUser | None = None
        self.other: Connection | None = None
        self._world = world
        self._arrives = 0.0

    def send(self, data: bytes) -> None:
        """To the other end, in order."""
        if not self.open:
            return
        wire = self._world.wire
        whole = wire.breaks_after(data)
        for piece in wire.pieces(data if whole is None else data[:whole]):
            self._later(partial(_arrive, data=piece))
        if whole is not None:
            self.reset()

    def close(self, error: str | None = None) -> None:
        """End it; what was sent before still arrives. The other side is told, with `error` as if it had been broken."""
        if self.open:
            self.open = False
            self._later(lambda other: other._end(error))

    def reset(self, error: str = "connection reset") -> None:
        """The network breaks it: what was sent before still arrives, then both ends are told."""
        if self.open:
            self._later(lambda other: other._end(error))
            self._world.after(0.0, lambda: self._end(error) if self.open else None)

    def lose(self) -> None:
        """Take the way between the ends away without telling either."""
        self.lost = True
        if self.other is not None:
            self.other.lost = True

    def _end(self, error: str | None) -> None:
        self.open = False
        self.error = error
        if self.user is not None:
            self.user.on_end(self, error)

    def _later(self, action: Callable[[Connection], object]) -> None:
        other, world = self.other, self._world
        assert other is not None
        # Bytes never overtake each other, whatever the jitter.
        self._arrives = max(self._arrives, world.now + world.wire.stream_delay(self.local, self.remote, world.now))
        world.at(self._arrives, lambda: action(other) if other.open and not other.lost else None)


def _arrive(connection: Connection, *, data: bytes) -> None:
    if connection.user is not None:
        connection.user.on_bytes(connection, data)


class World:
    """The clock and the network. All that happens, happens in `run`."""

    def __init__(self, *, start: float = 0.0, wire: Wire | None = None) -> None:
        self.now = start
        self.wire = wire or Wire()
        self.nodes: dict[Address, Node] = {}
        """UDP addresses of those that are no residents."""
        self.acceptors: dict[Address, Acceptor] = {}
        """TCP addresses of those that are no residents."""
        self.residents: list[Resident] = []
        self.resolve_delay = 0.0
        """Seconds that every question to the resolver takes."""
        self.watch: Callable[[], object] | None = None
        """Called after every step, when all that it caused is performed: to look at what must always hold."""
        self.unreachable: dict[str, str] = {}
        """Host -> the error with which the local system refuses to send there or to connect."""
        self._names: dict[tuple[str, RecordKind], list[Record] | str | None] = {}
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._order = 0
        self._port = FIRST_PORT

    # --- names -----------------------------------------------------------------------------------------------------

    def name(self, name: str, *addresses: str, ttl: float | None = None) -> None:
        """Let a name have these IPv4 and IPv6 addresses, and no others."""
        for kind, colon in ((RecordKind.A, False), (RecordKind.AAAA, True)):
            records = [Record(address, ttl) for address in addresses if (":" in address) is colon]
            self._names[name, kind] = records or "no such record"

    def name_fails(self, name: str, error: str | None) -> None:
        """Let every question for a name fail with `error`, or with None never be answered."""
        for kind in (RecordKind.A, RecordKind.AAAA):
            self._names[name, kind] = error

    def look_up(self, name: str, kind: RecordKind) -> list[Record] | str | None:
        """The records, the error as text, or None for no answer at all."""
        return self._names.get((name, kind), "no such name")

    # --- the network -----------------------------------------------------------------------------------------------

    def port(self) -> int:
        """A free port, as a system chooses it."""
        if self._port > LAST_PORT:
            self._port = FIRST_PORT
        self._port += 1
        return self._port - 1

    def send(self, data: bytes, source: Address, destination: Address) -> None:
        """One datagram; whether it arrives, the wire decides."""
        for delay, datagram in self.wire.carry(Datagram(self.now, data, source, destination)):
            self.after(delay, partial(self._deliver, datagram))

    def connect(
        self,
        local: Address,
        remote: Address,
        opened: Callable[[Connection], ConnectionUser],
        failed: Callable[[str], None],
    ) -> None:
        """Open a connection; `opened` or `failed` is called later, or none of them when the remote does not answer."""

        def arrive() -> None:
            acceptor = self._acceptor(remote)
            if acceptor is None:
                self.after(self.wire.stream_delay(local, remote, self.now), lambda: failed("connection refused"))
                return
            ours, theirs = Connection(self, local, remote), Connection(self, remote, local)
            ours.other, theirs.other = theirs, ours
            theirs.user = acceptor.on_connection(theirs)
            if theirs.user is not None:
                self.after(self.wire.stream_delay(local, remote, self.now), lambda: establish(ours))

        def establish(connection: Connection) -> None:
            if connection.open:
                connection.user = opened(connection)
            else:
                failed(connection.error or "connection reset")

        if remote[0] in self.unreachable:
            error = self.unreachable[remote[0]]
            self.after(0.0, lambda: failed(error))
        else:
            self.after(self.wire.stream_delay(local, remote, self.now), arrive)

    def _deliver(self, datagram: Datagram) -> None:
        node = self.nodes.get(datagram.destination)
        for resident in self.residents:
            node = node or resident.node_at(datagram.destination)
        if node is not None:
            node.on_datagram(datagram)

    def _acceptor(self, address: Address) -> Acceptor | None:
        acceptor = self.acceptors.get(address)
        for resident in self.residents:
            acceptor = acceptor or resident.acceptor_at(address)
        return acceptor

    # --- time ------------------------------------------------------------------------------------------------------

    def at(self, when: float, action: Callable[[], object]) -> None:
        """Do it at that time."""
        self._order += 1
        heappush(self._queue, (when, self._order, action))

    def after(self, delay: float, action: Callable[[], object]) -> None:
        """Do it after that many seconds; with 0 in this instant, behind what is waiting already."""
        self.at(self.now + delay, action)

    def next_event(self) -> float | None:
        """When something happens next."""
        earliest = self._queue[0][0] if self._queue else None
        for resident in self.residents:
            deadline = resident.next_deadline()
            if deadline is not None and (earliest is None or deadline < earliest):
                earliest = deadline
        return earliest

    def run(self, until: float) -> None:
        """Let everything happen that is due up to `until`, `until` included. What arrives comes before deadlines."""
        steps = 0
        while True:
            for resident in self.residents:
                resident.perform()
            if self.watch is not None:
                self.watch()
            when = self.next_event()
            if when is None or when > until:
                break
            if when > self.now:
                self.now, steps = when, 0
            steps += 1
            if steps > MAX_STEPS_AT_ONCE:
                raise BrokenContract(f"time stands still at {self.now}: {steps} steps in one instant")
            self._step()
        self.now = max(self.now, until)

    def leap(self, seconds: float) -> None:
        """Let the clock jump as in a suspended machine: what was due meanwhile is due now."""
        self.now += seconds

    def _step(self) -> None:
        if self._queue and self._queue[0][0] <= self.now:
            heappop(self._queue)[2]()
            return
        for resident in self.residents:
            deadline = resident.next_deadline()
            if deadline is not None and deadline <= self.now:
                resident.on_deadline()
                return
