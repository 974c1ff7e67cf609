"""The driver of an endpoint on the virtual network: performs what it commands, keeps what it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sipcore.agent import Snapshot, UserAgent
from sipcore.commands import (
    CloseFlow,
    CloseListener,
    Command,
    Listen,
    OpenFlow,
    Record,
    Remember,
    Resolve,
    Transmit,
    dated,
)
from sipcore.events import Event
from sipcore.server import Registrar
from sipcore.testing.wire import Datagram
from sipcore.testing.world import Acceptor, BrokenContract, Connection, ConnectionUser, Node, World
from sipcore.values import Address, RecordKind

__all__ = ["Output", "Station", "Stored"]

_WILDCARDS = ("0.0.0.0", "::")


class Output(NamedTuple):
    """Something that an endpoint put out, and when."""

    at: float
    output: Command | Event


class Stored(dict[str, Remember]):
    """What was said to be remembered, by its name: all that is left of an endpoint when it crashes."""

    def keep(self, command: Remember) -> None:
        """Store a record, or forget one."""
        if command.record is None:
            self.pop(command.name, None)
        else:
            self[command.name] = command

    def snapshot(self, offset: float) -> Snapshot:
        """What the next process gets; `offset` is the wall clock less the virtual one."""
        return {name: dated(item.record, offset) for name, item in self.items() if item.record is not None}


class Station:
    """A host with one endpoint, a `UserAgent` or a `Registrar`, on it."""

    def __init__(
        self,
        world: World,
        endpoint: UserAgent | Registrar,
        *,
        ipv4: str | None = "192.0.2.10",
        ipv6: str | None = "2001:db8::10",
        on_output: Callable[[Command | Event], object] | None = None,
        on_arrival: Callable[[int, bytes], object] | None = None,
    ) -> None:
        self.world = world
        self.endpoint = endpoint
        self.ipv4 = ipv4
        """Its address; may change while it runs. None when it has none."""
        self.ipv6 = ipv6
        self.outputs: list[Output] = []
        """All that was put out so far; nothing when `on_output` gets it, which a run of years needs."""
        self.stored = Stored()
        """What the endpoint said to remember."""
        self.on_output = on_output
        self.on_arrival = on_arrival
        """Told of what is received, flow and bytes, before the endpoint is."""
        self.transmitting_fails: dict[Address, str] = {}
        """Remote -> the error with which the system refuses datagrams to it."""
        self.binding_fails: str | None = None
        """The error with which the system refuses every new UDP socket and listener."""
        self._sockets: dict[int, Address] = {}
        self._connections: dict[int, Connection] = {}
        self._flows: dict[int, int] = {}
        self._opening: set[int] = set()
        self._closed: set[int] = set()
        self._listeners: dict[int, Address] = {}
        world.residents.append(self)

    # --- resident --------------------------------------------------------------------------------------------------

    def perform(self) -> None:
        """Do all that the endpoint wants done."""
        while (output := self.endpoint.next_output()) is not None:
            if self.on_output is None:
                self.outputs.append(Output(self.world.now, output))
            else:
                self.on_output(output)
            if isinstance(output, Command):
                self._perform(output)

    def next_deadline(self) -> float | None:
        """The endpoint's."""
        return self.endpoint.next_deadline()

    def on_deadline(self) -> None:
        """Tell the endpoint the time."""
        now = self.world.now
        self.endpoint.handle_deadline(now=now)
        deadline = self.endpoint.next_deadline()
        if deadline is not None and deadline <= now:
            raise BrokenContract(f"handle_deadline(now={now}) left a deadline at {deadline}")

    def node_at(self, address: Address) -> Node | None:
        """The UDP socket that gets datagrams for an address."""
        for flow, local in self._sockets.items():
            if self._reaches(local, address):
                return _Socket(self, flow)
        return None

    def acceptor_at(self, address: Address) -> Acceptor | None:
        """The listener that gets connections to an address."""
        for listener, local in self._listeners.items():
            if self._reaches(local, address):
                return _Listening(self, listener)
        return None

    # --- connections -----------------------------------------------------------------------------------------------

    def on_bytes(self, connection: Connection, data: bytes) -> None:
        """Bytes for a flow."""
        flow = self._flows.get(id(connection))
        if flow is not None:
            if self.on_arrival is not None:
                self.on_arrival(flow, data)
            self.endpoint.receive(flow, data, now=self.world.now)

    def on_end(self, connection: Connection, error: str | None) -> None:
        """The peer closed, or the network broke the connection."""
        flow = self._flows.pop(id(connection), None)
        if flow is not None:
            self._connections.pop(flow, None)
            self._closed.add(flow)
            self.endpoint.flow_closed(flow, error, now=self.world.now)

    # --- faults ----------------------------------------------------------------------------------------------------

    def break_flow(self, flow: int, error: str | None = "connection reset") -> None:
        """Let a flow end here and now; the peer of a connection is not told."""
        connection = self._connections.pop(flow, None)
        if connection is not None:
            connection.open = False
            self._flows.pop(id(connection), None)
        self._sockets.pop(flow, None)
        self._closed.add(flow)
        self.endpoint.flow_closed(flow, error, now=self.world.now)

    def crash(self) -> None:
        """The process ends here and now: the endpoint is gone without a word, and the system closes its sockets."""
        self.world.residents.remove(self)
        connections, self._connections = self._connections, {}
        self._flows.clear()
        self._sockets.clear()
        self._listeners.clear()
        for connection in connections.values():
            connection.close("connection reset")

    @property
    def sockets(self) -> tuple[Address, ...]:
        """Where its UDP sockets are bound; the host may be a wildcard."""
        return tuple(self._sockets.values())

    def local(self, flow: int) -> Address | None:
        """Where a flow's peer sees it coming from, as far as this host knows; None when it is not open."""
        connection = self._connections.get(flow)
        if connection is not None:
            return connection.local
        local = self._sockets.get(flow)
        return None if local is None or self.ipv4 is None else (self.ipv4, local[1])

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Its ends of the connections that are open now."""
        return tuple(self._connections.values())

    @property
    def flows(self) -> tuple[int, ...]:
        """The flows that are open now."""
        return (*self._sockets, *self._connections)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _perform(self, command: Command) -> None:
        match command:
            case Transmit():
                self._transmit(command)
            case OpenFlow():
                self._opening.add(command.flow)
                if command.protocol.reliable:
                    self._connect(command)
                else:
                    self.world.after(0.0, lambda: self._bind(command))
            case CloseFlow():
                self._close(command.flow)
            case Resolve():
                self.world.after(self.world.resolve_delay, lambda: self._resolve(command))
            case Listen():
                self.world.after(0.0, lambda: self._listen(command))
            case CloseListener():
                self._listeners.pop(command.listener, None)
            case Remember():
                self.stored.keep(command)
            case _:
                raise BrokenContract(f"not a command that a driver knows: {command}")

    def _transmit(self, command: Transmit) -> None:
        if command.flow in self._closed:
            raise BrokenContract(f"flow {command.flow} is closed, and something is transmitted on it")
        connection = self._connections.get(command.flow)
        if connection is not None:
            connection.send(command.data)
            return
        local, remote = self._sockets.get(command.flow), command.remote
        if local is None or remote is None:
            raise BrokenContract(f"flow {command.flow} is not open, or nobody is named: {command}")
        host = self._host(remote[0])
        error = self.transmitting_fails.get(remote) or self.world.unreachable.get(remote[0])
        if error is None and host is None:
            error = "network is unreachable"
        if error is not None:
            self.world.after(
                0.0, lambda: self.endpoint.transmit_failed(command.flow, remote, error, now=self.world.now)
            )
        else:
            self.world.send(command.data, (self._source(local, host or ""), local[1]), remote)

    def _bind(self, command: OpenFlow) -> None:
        local = command.local
        assert local is not None
        if command.flow in self._closed:
            return
        address = local[0], local[1] or self.world.port()
        error = self.binding_fails
        if address in self._sockets.values():
            error = "address already in use"
        if error is not None:
            self._closed.add(command.flow)
            self.endpoint.flow_closed(command.flow, error, now=self.world.now)
        else:
            self._sockets[command.flow] = address
            self.endpoint.flow_opened(command.flow, address, now=self.world.now)

    def _connect(self, command: OpenFlow) -> None:
        remote = command.remote
        assert remote is not None
        host = self._host(remote[0]) if command.local is None else command.local[0]
        local = host or "", (command.local[1] if command.local is not None else 0) or self.world.port()

        def opened(connection: Connection) -> ConnectionUser:
            if command.flow in self._closed or self not in self.world.residents:
                connection.close()
            else:
                self._hold(command.flow, connection)
                self.endpoint.flow_opened(command.flow, local, remote, now=self.world.now)
            return self

        def failed(error: str) -> None:
            if command.flow not in self._closed:
                self._closed.add(command.flow)
                self.endpoint.flow_closed(command.flow, error, now=self.world.now)

        if host is None:
            self.world.after(0.0, lambda: failed("network is unreachable"))
        else:
            self.world.connect(local, remote, opened, failed)

    def _accept(self, listener: int, connection: Connection) -> None:
        flow = self.endpoint.flow_accepted(listener, connection.local, connection.remote, now=self.world.now)
        self._hold(flow, connection)

    def _hold(self, flow: int, connection: Connection) -> None:
        self._connections[flow] = connection
        self._flows[id(connection)] = flow

    def _close(self, flow: int) -> None:
        self._closed.add(flow)
        self._sockets.pop(flow, None)
        connection = self._connections.pop(flow, None)
        if connection is not None:
            self._flows.pop(id(connection), None)
            connection.close()

    def _listen(self, command: Listen) -> None:
        address = command.local[0], command.local[1] or self.world.port()
        error = self.binding_fails
        if address in self._listeners.values():
            error = "address already in use"
        if error is not None:
            self.endpoint.listen_failed(command.listener, error, now=self.world.now)
        else:
            self._listeners[command.listener] = address
            self.endpoint.listening(command.listener, address, now=self.world.now)

    def _resolve(self, command: Resolve) -> None:
        if not isinstance(self.endpoint, UserAgent):
            raise BrokenContract("a registrar resolves no names")
        answer: list[Record] | str | None
        if command.kind is RecordKind.SOURCE:
            host = self._host(command.name)
            answer = [Record(host)] if host is not None else "network is unreachable"
        else:
            answer = self.world.look_up(command.name, command.kind)
        if isinstance(answer, str):
            self.endpoint.resolve_failed(command.query, answer, now=self.world.now)
        elif answer is not None:
            self.endpoint.resolved(command.query, answer, now=self.world.now)

    def _host(self, remote: str) -> str | None:
        return self.ipv6 if ":" in remote else self.ipv4

    def _source(self, local: Address, host: str) -> str:
        return host if local[0] in _WILDCARDS else local[0]

    def _reaches(self, local: Address, address: Address) -> bool:
        if local[1] != address[1]:
            return False
        if local[0] not in _WILDCARDS:
            return local[0] == address[0]
        return address[0] == (self.ipv6 if local[0] == "::" else self.ipv4)


class _Socket:
    """A bound UDP socket as the world sees it."""

    def __init__(self, station: Station, flow: int) -> None:
        self._station = station
        self._flow = flow

    def on_datagram(self, datagram: Datagram) -> None:
        station = self._station
        if station.on_arrival is not None:
            station.on_arrival(self._flow, datagram.data)
        station.endpoint.receive(self._flow, datagram.data, datagram.source, now=station.world.now)


class _Listening:
    """A listener as the world sees it."""

    def __init__(self, station: Station, listener: int) -> None:
        self._station = station
        self._listener = listener

    def on_connection(self, connection: Connection) -> ConnectionUser:
        self._station._accept(self._listener, connection)
        return self._station
