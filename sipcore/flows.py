"""Flows as the rooms see them: what a flow is, who waits for one, and what the endpoint does for its rooms."""

from __future__ import annotations

from random import Random
from typing import Protocol as Interface

from sipcore.commands import Command
from sipcore.events import Event
from sipcore.syntax.framing import StreamFramer
from sipcore.timers import Timers
from sipcore.values import Address, Protocol, SocketOptions

__all__ = ["Flow", "FlowHost", "FlowUser", "Pinger"]

PING = b"\r\n\r\n"
"""RFC 5626 section 4.4.1."""


class FlowUser:
    """Whoever waits for a flow."""

    __slots__ = ()

    def on_flow_open(self, flow: Flow, now: float) -> None:
        """The flow that was asked for is there."""

    def on_flow_failed(self, flow: Flow, error: str, now: float) -> None:
        """The flow that was asked for never came up."""


class FlowHost(Interface):
    """What an endpoint does for the rooms below it."""

    random: Random
    timers: Timers
    now: float

    def put(self, output: Command | Event) -> None:
        """Queue a command or an event."""

    def drop(self, cause: str, flow: int | None, source: Address | None) -> None:
        """Report something that was ignored."""

    def transmit(self, flow: Flow, data: bytes, remote: Address | None) -> None:
        """Send over a flow."""

    def open_flow(
        self,
        protocol: Protocol,
        *,
        local: Address | None,
        remote: Address | None,
        server_name: str | None,
        options: SocketOptions,
        until: float,
    ) -> Flow:
        """Ask the driver for a flow; it is given up when it is not open at `until`."""

    def keep_alive_interval(self, flow: Flow) -> float | None:
        """Seconds without anything sent after which those who use a connection want a keep-alive; None when nobody
        does."""

    def close_flow(self, flow: Flow) -> None:
        """Close a flow without telling anybody."""

    def abandon_flow(self, flow: Flow, error: str, now: float) -> None:
        """Close a flow because of an error and tell everybody who used it."""


class Flow:
    """One bound UDP socket, or one connection."""

    __slots__ = (
        "due",
        "due_key",
        "framer",
        "heard_at",
        "host",
        "id",
        "keepalives",
        "keepalives_since",
        "key",
        "listener",
        "local",
        "open",
        "pinger",
        "protocol",
        "reliable",
        "remote",
        "sent_at",
        "users",
        "waiting",
    )

    def __init__(
        self, host: FlowHost, number: int, protocol: Protocol, remote: Address | None, framer: StreamFramer | None
    ) -> None:
        self.host = host
        self.id = number
        self.protocol = protocol
        self.reliable = protocol.reliable
        self.remote = remote
        """The other side of a connection; None for UDP, whose socket serves every remote."""
        self.framer = framer
        """Cuts a stream into messages; None for UDP."""
        self.local: Address | None = None
        """Where it is bound; None until it is open. On UDP the host may be a wildcard."""
        self.open = False
        self.key: object = None
        """Under which the network room finds it again; None for accepted connections."""
        self.listener: int | None = None
        """The listener that accepted it."""
        self.heard_at = float("-inf")
        """When anything at all arrived on it last."""
        self.sent_at = float("-inf")
        """When anything was sent on it last; for streams only."""
        self.pinger: Pinger | None = None
        """Sends its keep-alives, when somebody wanted them."""
        self.waiting: list[FlowUser] = []
        """Who asked for it while it was not open yet."""
        self.users: set[str] = set()
        """Names of the registrations whose binding was made over it; for streams only, a UDP flow has no end."""
        self.keepalives = 0
        self.keepalives_since = float("-inf")
        self.due: float | None = None
        self.due_key = 0

    def on_due(self, now: float) -> None:
        """It did not open in time, or a peer left a message unfinished for too long."""
        if self.open:
            self.host.drop("incomplete message", self.id, self.remote)
        self.host.abandon_flow(self, "incomplete message" if self.open else "no connection in time", now)


class Pinger:
    """The keep-alives of one connection: a CRLF CRLF when nothing was sent for as long as its users want.

    The answer is not waited for, since many servers give none. Who wants keep-alives no more, or more rarely, says
    nothing: that is asked when the next is due.
    """

    __slots__ = ("due", "due_key", "flow")

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.due: float | None = None
        self.due_key = 0

    def want(self, interval: float) -> None:
        """Somebody who uses the connection wants one after so many seconds."""
        when = self.flow.sent_at + interval
        if self.due is None or when < self.due:
            self.flow.host.timers.arm(self, when)

    def on_due(self, now: float) -> None:
        """Look whether something else was sent meanwhile."""
        flow = self.flow
        interval = flow.host.keep_alive_interval(flow)
        if interval is not None:
            if now >= flow.sent_at + interval:
                flow.host.transmit(flow, PING, None)
            self.want(interval)
