"""An endpoint that decides nothing: what the lower rooms and the endpoint itself are tested with."""

from __future__ import annotations

from random import Random

from sipcore.commands import Command, OpenFlow, Transmit
from sipcore.endpoint import Endpoint, Listener
from sipcore.events import Event
from sipcore.flows import Flow
from sipcore.syntax.message import Request, Response
from sipcore.values import Address, Protocol

__all__ = ["Host"]


class Host(Endpoint):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(random=Random(1))
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.ended: list[tuple[int, str]] = []
        self.told: list[tuple[object, ...]] = []
        self.sources: list[Address | None] = []
        self.settled = 0

    def on_request(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        self.requests.append(request)
        self.sources.append(source)

    def on_response(self, flow: Flow, response: Response, data: bytes, source: Address | None, now: float) -> None:
        self.responses.append(response)
        self.sources.append(source)

    def on_flow_open(self, flow: Flow, now: float) -> None:
        self.told.append(("flow open", flow.id, now))

    def on_transmit_failed(self, flow: Flow, remote: Address, error: str, now: float) -> None:
        self.told.append(("transmit failed", flow.id, remote, error, now))

    def on_listening(self, listener: Listener, now: float) -> None:
        self.told.append(("listening", listener.id, listener.local, now))

    def on_listen_failed(self, listener: Listener, error: str, now: float) -> None:
        self.told.append(("listen failed", listener.id, error, now))

    def on_flow_end(self, flow: Flow, error: str, now: float) -> None:
        self.ended.append((flow.id, error))

    def settle(self, now: float) -> None:
        self.settled += 1

    # --- for tests ---------------------------------------------------------------------------------------------------

    def outputs(self) -> list[Command | Event]:
        """All that was put since the last look."""
        found = []
        while (output := self.next_output()) is not None:
            found.append(output)
        return found

    def sent(self) -> list[bytes]:
        """All that was transmitted since the last look; other outputs are dropped."""
        return [output.data for output in self.outputs() if isinstance(output, Transmit)]

    def opened(self, protocol: Protocol = Protocol.UDP, remote: Address | None = None, now: float = 0.0) -> Flow:
        """A flow that is open; its command is not left in the queue."""
        flow = self.open_flow(protocol, local=None, remote=remote, server_name=None, until=now + 32.0)
        self.flow_opened(flow.id, ("192.0.2.9", 5062), remote, now=now)
        assert any(isinstance(output, OpenFlow) for output in self.outputs())
        return flow

    def run(self, until: float) -> None:
        """Let time pass as a driver does, deadline by deadline."""
        while (deadline := self.next_deadline()) is not None and deadline <= until:
            self.handle_deadline(now=deadline)
        self.advance(until)
