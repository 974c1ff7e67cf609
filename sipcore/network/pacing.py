"""How many REGISTERs may be under way at once: enough to be fast, too few to make a burst that drops its own answers.

At most `WINDOW` requests for each flow and remote are in flight and younger than T1. The rest wait in order of due
time, refreshes first: a binding that exists is worth more than one that does not yet. Answers open the window again,
so a quick registrar is served at its own speed, and a silent one is sent `WINDOW` requests every T1.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Protocol

from sipcore.flows import Flow
from sipcore.values import Address

__all__ = ["WINDOW", "Lane", "Paced", "Pacer"]

WINDOW = 64
"""Requests in flight and younger than T1: their answers, of some 600 bytes, fit into any default receive buffer."""

MAX_LANES = 1024
"""Lanes kept before the idle ones are swept: names that lead to ever new addresses must not fill the memory."""


class Paced(Protocol):
    """Who wants to send."""

    def on_turn(self, now: float) -> None:
        """Send now, and call `Lane.enter` when it is done."""

    def on_flow_failed(self, flow: Flow, error: str, now: float) -> None:
        """The flow ended before the turn came."""


class Lane:
    """The window of one flow and remote."""

    __slots__ = ("_order", "_waiting", "young")

    def __init__(self) -> None:
        self.young = 0
        self._waiting: list[tuple[int, float, int, Paced]] = []
        self._order = 0

    def submit(self, paced: Paced, *, refresh: bool, due: float, now: float) -> None:
        """Call `paced.on_turn` now or when the window allows."""
        if self.young < WINDOW and not self._waiting:
            paced.on_turn(now)
            return
        self._order += 1
        heappush(self._waiting, (0 if refresh else 1, due, self._order, paced))

    def enter(self) -> None:
        """A request was sent. The second and later requests of an attempt are not kept waiting."""
        self.young += 1

    def leave(self) -> None:
        """A request was answered, failed, or is T1 old; `advance` lets the next one in."""
        self.young -= 1

    def advance(self, now: float) -> None:
        """Let those in for whom there is room."""
        while self._waiting and self.young < WINDOW:
            heappop(self._waiting)[3].on_turn(now)

    def close(self) -> list[Paced]:
        """Let nobody in any more; returns who was waiting, in no order."""
        waiting, self._waiting = self._waiting, []
        return [entry[3] for entry in waiting]

    @property
    def crowded(self) -> bool:
        """True when somebody waits."""
        return bool(self._waiting)

    @property
    def idle(self) -> bool:
        """True when nobody is in it."""
        return self.young == 0 and not self._waiting


class Pacer:
    """All lanes of one agent."""

    __slots__ = ("_lanes", "_sweep_at")

    def __init__(self) -> None:
        self._lanes: dict[tuple[int, Address], Lane] = {}
        self._sweep_at = MAX_LANES

    def lane(self, flow: int, remote: Address) -> Lane:
        """The lane of a flow and remote."""
        lane = self._lanes.get((flow, remote))
        if lane is None:
            if len(self._lanes) >= self._sweep_at:
                self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.idle}
                # Where all are busy the next sweep waits until there are twice as many, so that it stays cheap.
                self._sweep_at = max(MAX_LANES, 2 * len(self._lanes))
            lane = self._lanes[flow, remote] = Lane()
        return lane

    def waits(self, flow: int) -> bool:
        """True when somebody waits for his turn on the flow."""
        return any(lane.crowded for key, lane in self._lanes.items() if key[0] == flow)

    def flow_ended(self, flow: int) -> list[Paced]:
        """Forget the lanes of a flow; returns who was waiting in them."""
        keys = [key for key in self._lanes if key[0] == flow]
        return [paced for key in keys for paced in self._lanes.pop(key).close()]
