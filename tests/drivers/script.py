"""An agent that decides nothing: it says what the scenario queues, and notes what the driver tells it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sipcore import Address, Command, Event, Record

__all__ = ["Input", "Script", "Told"]


class Input(NamedTuple):
    """One call of the driver."""

    name: str
    arguments: tuple[Any, ...]
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Event):
    """An event for the application."""

    text: str


class Script:
    """Keeps the whole contract of an agent; `put` from the scenario, inside `driver.feed`."""

    def __init__(self, on_input: Callable[[Input], object] = lambda _: None) -> None:
        self.outputs: deque[Command | Event] = deque()
        self.on_input = on_input
        self.deadline: float | None = None
        self.closed = False
        self.next_flow = 1000

    def put(self, *outputs: Command | Event, now: float) -> None:
        """An application's input that causes these outputs."""
        self.outputs.extend(outputs)

    def close(self, *, now: float) -> None:
        """Nothing is left to do."""
        self.closed = True

    def next_output(self) -> Command | Event | None:
        return self.outputs.popleft() if self.outputs else None

    def next_deadline(self) -> float | None:
        return self.deadline

    def handle_deadline(self, *, now: float) -> None:
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None
            self._note("handle_deadline", now=now)

    def network_changed(self, *, now: float) -> None:
        self._note("network_changed", now=now)

    def resolved(self, query: int, records: Sequence[Record], *, now: float) -> None:
        self._note("resolved", query, tuple(records), now=now)

    def resolve_failed(self, query: int, error: str, *, now: float) -> None:
        self._note("resolve_failed", query, error, now=now)

    def listening(self, listener: int, local: Address, *, now: float) -> None:
        self._note("listening", listener, local, now=now)

    def listen_failed(self, listener: int, error: str, *, now: float) -> None:
        self._note("listen_failed", listener, error, now=now)

    def flow_accepted(self, listener: int, local: Address, remote: Address, *, now: float) -> int:
        self.next_flow += 1
        self._note("flow_accepted", listener, self.next_flow, local, remote, now=now)
        return self.next_flow

    def flow_opened(self, flow: int, local: Address, remote: Address | None = None, *, now: float) -> None:
        self._note("flow_opened", flow, local, remote, now=now)

    def flow_closed(self, flow: int, error: str | None = None, *, now: float) -> None:
        self._note("flow_closed", flow, error, now=now)

    def transmit_failed(self, flow: int, remote: Address, error: str, *, now: float) -> None:
        self._note("transmit_failed", flow, remote, error, now=now)

    def receive(self, flow: int, data: bytes, source: Address | None = None, *, now: float) -> None:
        self._note("receive", flow, data, source, now=now)

    def _note(self, name: str, *arguments: Any, now: float) -> None:
        self.on_input(Input(name, arguments, now))
