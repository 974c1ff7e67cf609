"""What `UserAgent` and `Registrar` share: flows, framers, timers and the one output queue.

Theory of operation. Every input is a method with the keyword `now`; it first advances the agent's clock, which never
runs backwards, then changes state and appends commands and events to one queue. `next_output()` empties the queue in
order, `next_deadline()` is the one timer that a driver needs. Nothing here calls back into the application, so an
event handler may call the agent again: what that causes is queued behind what is there.

Flows have numbers that are never used twice. An answer about a number that is gone comes late; it is dropped by its
number alone, which settles every race between a driver's task and a decision of the core.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from itertools import islice
from random import Random

from sipcore.commands import CloseFlow, CloseListener, Command, Listen, OpenFlow, Transmit
from sipcore.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from sipcore.events import Event, MessageDropped
from sipcore.flows import Flow, FlowHost
from sipcore.syntax.framing import KeepAlive, StreamFramer
from sipcore.syntax.limits import MAX_DATAGRAM, MAX_KEEPALIVES
from sipcore.syntax.message import Request, Response, parse_message
from sipcore.syntax.stun import is_stun
from sipcore.timers import Timers
from sipcore.values import NO_OPTIONS, Address, Protocol, SocketOptions

__all__ = ["Endpoint", "Listener"]

MAX_PENDING_DROPS = 1024
"""Distinct (cause, source) pairs kept while nobody fetches outputs; past it the source is left out, so that a flood
from forged addresses cannot fill the memory."""

INCOMPLETE_MESSAGE_TIMEOUT = 32.0
"""Seconds that a stream may leave a message unfinished: as long as a transaction lasts (RFC 3261, 64*T1)."""

MAX_ACCEPTED = 16384
"""Accepted connections at once; each costs about 2 KiB and a descriptor of the driver's."""

ACCEPTED_IDLE = 150.0
"""Seconds of silence after which an accepted connection makes room for another when there are too many: clients that
want to be reached send a keep-alive every 95 to 120 s (RFC 5626 section 4.4.1)."""

LOOKS_FOR_SILENCE = 8
"""Connections looked at for one that is silent; those that are not are looked at last the next time, so that a few
busy ones do not hide the others."""

PONG = b"\r\n"


class Listener:
    """A `Listen` that was asked for."""

    __slots__ = ("id", "local", "protocol", "ready")

    def __init__(self, number: int, protocol: Protocol, local: Address) -> None:
        self.id = number
        self.protocol = protocol
        self.local = local
        self.ready = False


class Endpoint(ABC):
    """The contract between an agent and its driver; `UserAgent` and `Registrar` add what happens to messages."""

    def __init__(self, *, random: Random) -> None:
        self.random = random
        self.timers = Timers()
        self.now = float("-inf")
        self._outputs: deque[Command | Event | tuple[str, Address | None]] = deque()
        self._drops: dict[tuple[str, Address | None], list[int | None]] = {}
        self.flows: dict[int, Flow] = {}
        self._accepted: dict[int, None] = {}
        """Flows that listeners accepted, in the order in which one of them makes room."""
        self.listeners: dict[int, Listener] = {}
        self._last_flow = 0
        self._last_listener = 0

    # --- outputs ---------------------------------------------------------------------------------------------------

    def next_output(self) -> Command | Event | None:
        """The next thing to perform or to be told, in order of cause; None when there is nothing left."""
        if not self._outputs:
            return None
        output = self._outputs.popleft()
        if isinstance(output, tuple):
            count, flow = self._drops.pop(output)
            return MessageDropped(cause=output[0], source=output[1], flow=flow, count=count or 1)
        return output

    def next_deadline(self) -> float | None:
        """When `handle_deadline` wants to be called, on the clock of `now`; None when nothing waits for time."""
        return self.timers.next()

    # --- inputs ----------------------------------------------------------------------------------------------------

    def handle_deadline(self, *, now: float) -> None:
        """Time has passed. Early, late or twice does no harm."""
        now = self.advance(now)
        while (timed := self.timers.pop(now)) is not None:
            timed.on_due(now)
        self.settle(now)

    def flow_opened(
        self, flow: int, local: Address, remote: Address | None = None, *, now: float
    ) -> None:
        """Answer to `OpenFlow`: the socket is bound to `local`, or connected."""
        now = self.advance(now)
        record = self.flows.get(flow)
        if record is None or record.open:
            return
        self.timers.disarm(record)
        record.local = local[:2]
        record.open = True
        waiting, record.waiting = record.waiting, []
        for user in waiting:
            user.on_flow_open(record, now)
        self.on_flow_open(record, now)
        self.settle(now)

    def flow_closed(self, flow: int, error: str | None = None, *, now: float) -> None:
        """The flow ended, or never came up. `error` is None when the peer closed it in good order."""
        now = self.advance(now)
        record = self.flows.pop(flow, None)
        if record is not None:
            self._end_flow(record, error or "closed by the peer", now)
            self.settle(now)

    def transmit_failed(self, flow: int, remote: Address, error: str, *, now: float) -> None:
        """One datagram could not be sent. That ends the transactions to that remote, not the flow."""
        now = self.advance(now)
        record = self.flows.get(flow)
        if record is not None:
            self.on_transmit_failed(record, remote, error, now)
            self.settle(now)

    def listening(self, listener: int, local: Address, *, now: float) -> None:
        """Answer to `Listen`: connections to `local` are accepted from now on."""
        now = self.advance(now)
        record = self.listeners.get(listener)
        if record is not None:
            record.local = local[:2]
            record.ready = True
            self.on_listening(record, now)
            self.settle(now)

    def listen_failed(self, listener: int, error: str, *, now: float) -> None:
        """Answer to `Listen`: it could not be had."""
        now = self.advance(now)
        record = self.listeners.pop(listener, None)
        if record is not None:
            self.on_listen_failed(record, error, now)
            self.settle(now)

    def flow_accepted(self, listener: int, local: Address, remote: Address, *, now: float) -> int:
        """A peer connected. Returns the flow's number; when the listener is gone a `CloseFlow` for it follows."""
        now = self.advance(now)
        record = self.listeners.get(listener)
        flow = self._new_flow(record.protocol if record else Protocol.TCP, remote[:2], accepted=True)
        flow.local = local[:2]
        flow.open = True
        flow.listener = listener
        flow.heard_at = now
        if record is None or not self._room_for(flow, now):
            self.close_flow(flow)
        else:
            self.on_flow_open(flow, now)
        self.settle(now)
        return flow.id

    def receive(self, flow: int, data: bytes, source: Address | None = None, *, now: float) -> None:
        """One datagram (with its `source`), or some bytes of a stream. Never raises because of what they hold."""
        now = self.advance(now)
        record = self.flows.get(flow)
        if record is None or not record.open:
            return
        record.heard_at = now
        if record.framer is None:
            self._receive_datagram(record, data, source[:2] if source is not None else None, now)
        else:
            self._receive_stream(record, record.framer, data, now)
        self.settle(now)

    # --- for the rooms above ---------------------------------------------------------------------------------------

    def advance(self, now: float) -> float:
        """The agent's clock: the greatest `now` it was ever given."""
        if now > self.now:
            self.now = now
        return self.now

    def put(self, output: Command | Event) -> None:
        """Queue a command or an event."""
        self._outputs.append(output)

    def drop(self, cause: str, flow: int | None, source: Address | None) -> None:
        """Queue a `MessageDropped`, or count it into an equal one that nobody has fetched yet."""
        key = (cause, source)
        pending = self._drops.get(key)
        if pending is None and len(self._drops) >= MAX_PENDING_DROPS:
            key = (cause, None)
            pending = self._drops.get(key)
        if pending is None:
            self._drops[key] = [1, flow]
            self._outputs.append(key)
        else:
            pending[0] = (pending[0] or 0) + 1

    def open_flow(
        self,
        protocol: Protocol,
        *,
        local: Address | None,
        remote: Address | None,
        server_name: str | None,
        options: SocketOptions = NO_OPTIONS,
        until: float,
    ) -> Flow:
        """Ask for a flow; it is given up when it is not open at `until`."""
        flow = self._new_flow(protocol, remote)
        self.timers.arm(flow, until)
        self.put(
            OpenFlow(
                flow=flow.id, protocol=protocol, local=local, remote=remote, server_name=server_name, options=options
            )
        )
        return flow

    def close_flow(self, flow: Flow) -> None:
        """Close it; what waits on it is not told."""
        if self.flows.pop(flow.id, None) is not None:
            self._accepted.pop(flow.id, None)
            self._disarm(flow)
            flow.open = False
            self.put(CloseFlow(flow=flow.id))

    def abandon_flow(self, flow: Flow, error: str, now: float) -> None:
        """Close it because of an error, and tell everybody who used it."""
        if self.flows.pop(flow.id, None) is not None:
            self.put(CloseFlow(flow=flow.id))
            self._end_flow(flow, error, now)

    def listen(self, protocol: Protocol, local: Address, options: SocketOptions = NO_OPTIONS) -> Listener:
        """Ask for a listener."""
        self._last_listener += 1
        listener = Listener(self._last_listener, protocol, local)
        self.listeners[listener.id] = listener
        self.put(Listen(listener=listener.id, protocol=protocol, local=local, options=options))
        return listener

    def close_listener(self, listener: Listener) -> None:
        """Stop accepting."""
        if self.listeners.pop(listener.id, None) is not None:
            self.put(CloseListener(listener=listener.id))

    def transmit(self, flow: Flow, data: bytes, remote: Address | None) -> None:
        """Send; on a stream `remote` is left out. On a flow that is gone nothing is sent."""
        if flow.open:
            if flow.reliable:
                flow.sent_at = self.now
                remote = None
            self._outputs.append(Transmit(flow=flow.id, data=data, remote=remote))

    def send_raw(self, flow: int, data: bytes, remote: Address | None = None, *, now: float) -> None:
        """Send the application's own bytes over a flow, for example a response or a request of a call.

        `remote` is needed on UDP. Raises `LocalProtocolError` when the flow is not open or `remote` is missing.
        """
        self.advance(now)
        record = self.flows.get(flow)
        if record is None or not record.open:
            raise LocalProtocolError(f"flow {flow} is not open")
        if not record.reliable and remote is None:
            raise LocalProtocolError("a datagram needs a remote address")
        if not record.reliable and len(data) > MAX_DATAGRAM:
            raise LocalProtocolError(f"{len(data)} bytes do not fit into a datagram")
        self.transmit(record, data, remote)

    # --- what subclasses decide ------------------------------------------------------------------------------------

    @abstractmethod
    def on_request(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        """A request arrived."""

    @abstractmethod
    def on_response(self, flow: Flow, response: Response, data: bytes, source: Address | None, now: float) -> None:
        """A response arrived."""

    def on_malformed(  # noqa: B027  optional
        self, flow: Flow, data: bytes, error: RemoteProtocolError, source: Address | None, now: float
    ) -> None:
        """Something arrived that is no message. It has been reported as dropped; whoever serves may answer it."""

    def on_flow_open(self, flow: Flow, now: float) -> None:  # noqa: B027  optional
        """A flow is there, ours or accepted."""

    def on_flow_end(self, flow: Flow, error: str, now: float) -> None:  # noqa: B027  optional
        """A flow ended that was not closed by `close_flow`."""

    def on_transmit_failed(self, flow: Flow, remote: Address, error: str, now: float) -> None:  # noqa: B027  optional
        """One datagram could not be sent."""

    def on_listening(self, listener: Listener, now: float) -> None:  # noqa: B027  optional
        """A listener is ready."""

    def on_listen_failed(self, listener: Listener, error: str, now: float) -> None:  # noqa: B027  optional
        """A listener could not be had."""

    def keep_alive_interval(self, flow: Flow) -> float | None:
        """Seconds without anything sent after which those who use a connection want a keep-alive; here nobody does."""
        return None

    def settle(self, now: float) -> None:  # noqa: B027  optional
        """The input is done; a last look before the driver gets the outputs."""

    # --- inside ----------------------------------------------------------------------------------------------------

    def _room_for(self, flow: Flow, now: float) -> bool:
        """Below the bound on accepted connections; at it, one that has been silent for long makes room."""
        self._accepted[flow.id] = None
        if len(self._accepted) <= MAX_ACCEPTED:
            return True
        for number in tuple(islice(self._accepted, LOOKS_FOR_SILENCE)):
            known = self.flows[number]
            if now - known.heard_at >= ACCEPTED_IDLE:
                self.abandon_flow(known, "silent, and there were too many connections", now)
                return True
            del self._accepted[number]
            self._accepted[number] = None
        self.drop("too many connections", flow.id, flow.remote)
        return False

    def _new_flow(self, protocol: Protocol, remote: Address | None, *, accepted: bool = False) -> Flow:
        self._last_flow += 1
        framer = StreamFramer(accepted=accepted) if protocol.reliable else None
        flow = Flow(self, self._last_flow, protocol, remote, framer)
        self.flows[flow.id] = flow
        return flow

    def _end_flow(self, flow: Flow, error: str, now: float) -> None:
        self._accepted.pop(flow.id, None)
        self._disarm(flow)
        flow.open = False
        waiting, flow.waiting = flow.waiting, []
        # Forgotten first: who is told that it failed may ask for a flow of the same kind at once.
        self.on_flow_end(flow, error, now)
        for user in waiting:
            user.on_flow_failed(flow, error, now)

    def _disarm(self, flow: Flow) -> None:
        self.timers.disarm(flow)
        if flow.pinger is not None:
            self.timers.disarm(flow.pinger)

    def _receive_datagram(self, flow: Flow, data: bytes, source: Address | None, now: float) -> None:
        # Keep-alives of all kinds: CRLFs (RFC 5626 section 4.4.1), and the NUL bytes that some NAT helpers send.
        if len(data) <= 4 and not data.strip(b"\r\n\0"):
            return
        if is_stun(data):
            self.drop("STUN, which is not served here", flow.id, source)
            return
        try:
            message = parse_message(data)
        except RemoteProtocolError as error:
            self.drop(_fault(error), flow.id, source)
            self.on_malformed(flow, data, error, source, now)
            return
        if isinstance(message, Response):
            self.on_response(flow, message, data, source, now)
        else:
            self.on_request(flow, message, data, source, now)

    def _receive_stream(self, flow: Flow, framer: StreamFramer, data: bytes, now: float) -> None:
        items = framer.receive(data)
        for item in items:
            if not flow.open:
                return
            if isinstance(item, KeepAlive):
                self._keepalive(flow, item, now)
                continue
            try:
                message = parse_message(item)
            except RemoteProtocolError as error:
                self.drop(_fault(error), flow.id, flow.remote)
                self.on_malformed(flow, item, error, flow.remote, now)
                continue
            if isinstance(message, Response):
                self.on_response(flow, message, item, flow.remote, now)
            else:
                self.on_request(flow, message, item, flow.remote, now)
        if framer.error is not None and flow.open:
            # There is no way to find the next message in a stream whose framing is lost.
            self.drop(_fault(framer.error), flow.id, flow.remote)
            self.on_malformed(flow, framer.rejected, framer.error, flow.remote, now)
            self.abandon_flow(flow, _fault(framer.error), now)
        if flow.open:
            if not framer.pending:
                self.timers.disarm(flow)
            elif items or flow.due is None:
                # What was finished now was not what is unfinished now.
                self.timers.arm(flow, now + INCOMPLETE_MESSAGE_TIMEOUT)

    def _keepalive(self, flow: Flow, item: KeepAlive, now: float) -> None:
        if item is not KeepAlive.PING:
            return
        if now - flow.keepalives_since >= 1.0:
            flow.keepalives_since = now
            flow.keepalives = 0
        flow.keepalives += 1
        if flow.keepalives > MAX_KEEPALIVES:
            self.drop("too many keep-alives", flow.id, flow.remote)
        else:
            self.transmit(flow, PONG, None)


def _fault(error: RemoteProtocolError) -> str:
    """A cause that stays the same for equal faults, so that they can be counted together: the kind without the
    value."""
    return f"limit: {error.kind}" if isinstance(error, LimitExceeded) else f"malformed message: {error.kind}"


def _as_host(endpoint: Endpoint) -> FlowHost:
    """`Endpoint` is what the rooms below know as `FlowHost`; stated here so that a drift is a type error."""
    return endpoint
