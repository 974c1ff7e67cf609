"""What the three drivers share: performing commands on plain non-blocking sockets.

Theory of operation. A driver watches sockets and one timer, each in the way of its event loop, and calls back here: a
socket is readable, a socket is writable, time has come. Each of those feeds the agent, then drains its outputs and
performs them at once, since nothing here ever blocks: a datagram is sent or dropped, a stream takes what it can and
keeps the rest until it is writable. No task, queue or future lies between a datagram and the agent.

Who sees what: the agent knows flows by number, the driver by number and socket. A flow leaves the table at the moment
the agent is told of its end or asks for it, so no callback that comes late finds it. A stream that was closed with
bytes still queued lingers outside the table until they are gone.

The timer is armed once per drain, and only when it has to ring earlier than it would: an early ring does no harm, so a
deadline that moves later, as with every answered request, costs nothing.
"""

from __future__ import annotations

import math
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

from sipcore.commands import CloseFlow, CloseListener, Command, Listen, OpenFlow, Record, Remember, Resolve, Transmit
from sipcore.errors import LocalProtocolError
from sipcore.events import Event
from sipcore.values import Address, RecordKind, SocketOptions, is_ip_address
from sipcore.values import Protocol as Transport
from sipcore_sync import sockets
from sipcore_sync.flows import Datagrams, Stream
from sipcore_sync.resolver import ResolverThread

__all__ = ["Agent", "Asking", "OnEvent", "OnRemember", "Resolver", "SocketDriver"]

MAX_SLEEP = 60.0
"""Seconds after which a driver looks at the clock even if nothing is due, so that a sleep of the host is noticed."""
LEAP = 30.0
"""Seconds by which a wake-up comes too late before the host counts as having slept: far more than any load explains."""
ACCEPT_PAUSE = 1.0
"""Seconds without accepting when the system has no descriptor left: the listener stays readable all the time."""
ACCEPTS = 64
"""Connections accepted in one turn, so that a flood of them does not starve the flows that exist."""

OnEvent = Callable[[Event], object]
OnRemember = Callable[[Sequence[Remember]], object]
"""Stores records: when it returns they outlive the process."""
Resolver = Callable[[str, RecordKind], Sequence[Record]]
"""A replacement for the platform's resolver: answers at once, or raises `OSError`."""

_R = TypeVar("_R")


class Agent(Protocol):
    """What a driver drives: the contract that `Registrar` keeps, and `UserAgent` and `Client` with `Asking`."""

    @property
    def closed(self) -> bool:
        """Nothing is left to do, and nothing will ever be."""

    def next_output(self) -> Command | Event | None:
        """The next output."""

    def next_deadline(self) -> float | None:
        """The one timer."""

    def handle_deadline(self, *, now: float) -> None:
        """Time has passed."""

    def listening(self, listener: int, local: Address, *, now: float) -> None:
        """Answer to `Listen`."""

    def listen_failed(self, listener: int, error: str, *, now: float) -> None:
        """Answer to `Listen`."""

    def flow_accepted(self, listener: int, local: Address, remote: Address, *, now: float) -> int:
        """A peer connected."""

    def flow_opened(self, flow: int, local: Address, remote: Address | None = None, *, now: float) -> None:
        """Answer to `OpenFlow`."""

    def flow_closed(self, flow: int, error: str | None = None, *, now: float) -> None:
        """A flow ended or never came up."""

    def transmit_failed(self, flow: int, remote: Address, error: str, *, now: float) -> None:
        """One datagram could not be sent."""

    def receive(self, flow: int, data: bytes, source: Address | None = None, *, now: float) -> None:
        """Data arrived."""


@runtime_checkable
class Asking(Protocol):
    """The rest of the contract, for agents that go somewhere and not only listen."""

    def network_changed(self, *, now: float) -> None:
        """A long sleep was noticed."""

    def resolved(self, query: int, records: Sequence[Record], *, now: float) -> None:
        """Answer to `Resolve`."""

    def resolve_failed(self, query: int, error: str, *, now: float) -> None:
        """Answer to `Resolve`."""


class SocketDriver(ABC):
    """The part of a driver that does not depend on the event loop. See the module's text."""

    def __init__(
        self,
        agent: Agent,
        on_event: OnEvent | None = None,
        *,
        resolver: Resolver | None = None,
        remember: OnRemember | None = None,
    ) -> None:
        self.agent = agent
        self._asking = agent if isinstance(agent, Asking) else None
        self.on_event = on_event
        self._resolver = resolver
        self._thread: ResolverThread | None = None
        self.flows: dict[int, Datagrams | Stream] = {}
        self.lingering: dict[Stream, float] = {}
        self._listeners: dict[int, socket.socket] = {}
        self._listener_options: dict[int, SocketOptions] = {}
        self._paused: list[int] = []
        self.running = False
        self._draining = False
        self._wake_at = math.inf
        self.remember = remember
        """Where the records of an agent that remembers are stored; called with all that are in the queue at once,
        before anything behind the first of them is done."""
        self._ahead: deque[Command | Event] = deque()
        """Outputs that were fetched and are not performed yet."""

    # --- for the application ---------------------------------------------------------------------------------------

    @abstractmethod
    def now(self) -> float:
        """The clock of the agent."""

    def feed(self, method: Callable[..., _R], *args: object, **keywords: object) -> _R:
        """Call an input of the agent at this moment, perform what it causes, and return what it returns.

        For example `driver.feed(agent.register, "alice")`. Before the driver runs the outputs wait in the agent.
        """
        result = method(*args, now=self.now(), **keywords)
        self.drain()
        return result

    def ask(self, question: Callable[..., _R], *args: object) -> _R:
        """Call something that only looks at the agent, such as `agent.status`."""
        return question(*args)

    # --- for the event loop ----------------------------------------------------------------------------------------

    @abstractmethod
    def watch(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call back whenever the socket is readable."""

    @abstractmethod
    def watch_writable(self, sock: socket.socket, on_writable: Callable[[], None]) -> None:
        """Call back whenever the socket is writable."""

    @abstractmethod
    def unwatch_writable(self, sock: socket.socket) -> None:
        """Call back for reading only, if at all."""

    @abstractmethod
    def unwatch(self, sock: socket.socket) -> None:
        """Forget the socket, which is about to be closed. One that is not watched does no harm."""

    @abstractmethod
    def _arm(self, wake_at: float) -> None:
        """Call `_on_time` at this time of the agent's clock, instead of any time before."""

    @abstractmethod
    def _from_thread(self, callback: Callable[[], None]) -> None:
        """Call back soon in the event loop's thread; called from another thread, at any time."""

    def _tell(self, event: Event) -> None:
        """Give an event to the application."""
        if self.on_event is not None:
            self.on_event(event)

    @abstractmethod
    def _drained(self) -> None:
        """All outputs are performed."""

    @property
    def finished(self) -> bool:
        """The agent is closed, and all that it sent has left."""
        return self.agent.closed and not self.lingering

    def _on_time(self) -> None:
        now = self.now()
        leapt = now > self._wake_at + LEAP
        # A timer may ring a tick early, and then not again; for the agent the time it asked for has come.
        now = max(now, self._wake_at) if self._wake_at < now + 0.01 else now
        self._wake_at = math.inf
        if leapt and self._asking is not None:
            self._asking.network_changed(now=now)
        self.agent.handle_deadline(now=now)
        self._resume_accepting()
        for stream in [stream for stream, until in self.lingering.items() if until <= now]:
            stream.abort()
        self.drain()

    def _shut(self) -> None:
        """Let go of everything at once: sockets, resolver, timer."""
        self.running = False
        if self._thread is not None:
            self._thread.close()
            self._thread = None
        for flow in list(self.flows.values()):
            flow.abort()
        for stream in list(self.lingering):
            stream.abort()
        for sock in self._listeners.values():
            self.unwatch(sock)
            sock.close()
        self.flows.clear()
        self._listeners.clear()
        self._listener_options.clear()
        self._paused.clear()

    # --- performing ------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Perform all outputs. An event handler may call this again: the outer call goes on in order."""
        if self._draining or not self.running:
            return
        self._draining = True
        next_output = self.agent.next_output
        flows, ahead = self.flows, self._ahead
        try:
            while (output := ahead.popleft() if ahead else next_output()) is not None:
                if type(output) is Transmit:
                    if (flow := flows.get(output.flow)) is not None:
                        flow.send(output.data, output.remote)
                elif isinstance(output, Event):
                    self._tell(output)
                elif type(output) is Remember:
                    self._store(output)
                else:
                    self._perform(output)
        finally:
            self._draining = False
        deadline = self.agent.next_deadline()
        if self._wake_at == math.inf or (deadline is not None and deadline < self._wake_at):
            # A deadline that has passed already is no reason to think that the host slept.
            now = self.now()
            self._wake_at = now + MAX_SLEEP if deadline is None else min(max(deadline, now), now + MAX_SLEEP)
            self._arm(self._wake_at)
        self._drained()

    def _store(self, first: Remember) -> None:
        # What was asked for later may be written sooner, so one transaction serves a whole burst.
        # Of what waits already the records were stored with the first of them.
        records = [first]
        while (output := self.agent.next_output()) is not None:
            if isinstance(output, Remember):
                records.append(output)
            else:
                self._ahead.append(output)
        if self.remember is None:
            raise LocalProtocolError("the agent remembers, but the driver has nowhere to store: set its `remember`")
        self.remember(records)

    def _perform(self, command: Command) -> None:
        match command:
            case OpenFlow(protocol=Transport.UDP):
                self._open_datagrams(command)
            case OpenFlow():
                self._open_stream(command)
            case CloseFlow():
                if (flow := self.flows.pop(command.flow, None)) is not None:
                    flow.close()
            case Resolve():
                self._resolve(command)
            case Listen():
                self._listen(command)
            case CloseListener():
                if (sock := self._listeners.pop(command.listener, None)) is not None:
                    del self._listener_options[command.listener]
                    self.unwatch(sock)
                    sock.close()
            case _:
                # `Command` is an open class, so no type checker can prove this away; a test compares the cases with
                # its subclasses.
                raise AssertionError(f"{type(command).__name__} is a command that this driver does not know")

    def _open_datagrams(self, command: OpenFlow) -> None:
        assert command.local is not None, "a datagram flow is bound"
        try:
            sock = sockets.bind_datagrams(command.local, command.options)
        except OSError as error:
            self.agent.flow_closed(command.flow, sockets.error_text(error), now=self.now())
            return
        flow = self.flows[command.flow] = Datagrams(self, command.flow, sock)
        self.watch(sock, flow.on_readable)
        self.agent.flow_opened(command.flow, sockets.address_of(sock.getsockname()), now=self.now())

    def _open_stream(self, command: OpenFlow) -> None:
        assert command.remote is not None, "a stream leads somewhere"
        try:
            sock = sockets.connect_stream(command.local, command.remote, command.options)
        except OSError as error:
            self.agent.flow_closed(command.flow, sockets.error_text(error), now=self.now())
            return
        stream = self.flows[command.flow] = Stream(self, command.flow, sock, command.remote)
        self.watch_writable(sock, stream.on_connected)

    def _listen(self, command: Listen) -> None:
        try:
            sock = sockets.listen_streams(command.local, command.options)
        except OSError as error:
            self.agent.listen_failed(command.listener, sockets.error_text(error), now=self.now())
            return
        self._listeners[command.listener] = sock
        self._listener_options[command.listener] = command.options
        self.watch(sock, partial(self._accept, command.listener))
        self.agent.listening(command.listener, sockets.address_of(sock.getsockname()), now=self.now())

    def _accept(self, listener: int) -> None:
        for _ in range(ACCEPTS):
            sock = self._listeners.get(listener)
            if sock is None:
                return
            try:
                accepted = sockets.accept(sock, self._listener_options[listener])
            except OSError:
                # No descriptor or no memory is left. That passes, when flows end; the peers wait in the backlog.
                self.unwatch(sock)
                self._paused.append(listener)
                self._wake_at = min(self._wake_at, self.now() + ACCEPT_PAUSE)
                self._arm(self._wake_at)
                return
            if accepted is None:
                break
            self._accepted(listener, *accepted)
        self.drain()

    def _accepted(self, listener: int, sock: socket.socket, remote: Address) -> None:
        local = sockets.address_of(sock.getsockname())
        flow = self.agent.flow_accepted(listener, local, remote, now=self.now())
        stream = self.flows[flow] = Stream(self, flow, sock, remote)
        stream.connected = True
        self.watch(sock, stream.on_readable)

    def _resume_accepting(self) -> None:
        paused, self._paused = self._paused, []
        for listener in paused:
            if (sock := self._listeners.get(listener)) is not None:
                self.watch(sock, partial(self._accept, listener))

    def _resolve(self, command: Resolve) -> None:
        assert self._asking is not None, "an agent that asks takes answers"
        look_up = self._resolver
        if command.kind is RecordKind.SOURCE or is_ip_address(command.name):
            look_up = sockets.look_up
        if look_up is None:
            if self._thread is None:
                self._thread = ResolverThread(self._answered)
            self._thread.ask(command)
            return
        try:
            self._answer(command, look_up(command.name, command.kind))
        except OSError as error:
            self._answer(command, error)

    def _answered(self, command: Resolve, answer: Sequence[Record] | OSError) -> None:
        self._from_thread(lambda: self._answer(command, answer))

    def _answer(self, command: Resolve, answer: Sequence[Record] | OSError) -> None:
        assert self._asking is not None
        if isinstance(answer, OSError):
            self._asking.resolve_failed(command.query, sockets.error_text(answer), now=self.now())
        else:
            self._asking.resolved(command.query, answer, now=self.now())
        self.drain()
