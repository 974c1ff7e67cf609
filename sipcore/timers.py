"""One heap of deadlines with lazy deletion: what lets one agent hold 100 000 registrations with one driver timer.

Whatever waits for time is `Timed`: it has at most one deadline at once, so a machine with several timers (RFC 3261
timers E and F, say) arms the earliest and decides in `on_due` which of them it was, in the order its table says.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Protocol

__all__ = ["Timed", "Timers"]

_COMPACT_MINIMUM = 64
"""Below this many dead entries the heap is not rebuilt. Rebuilding costs what burying half of its entries has saved, so
this is low enough that a small agent keeps nothing of long ago, and high enough that a few entries are left alone."""


class Timed(Protocol):
    """Something that can have a deadline; the two attributes belong to `Timers`."""

    due: float | None
    """When `on_due` is called next; None when nothing is armed."""
    due_key: int
    """Which heap entry is the valid one."""

    def on_due(self, now: float) -> None:
        """The deadline came; it is no longer armed."""


class Timers:
    """The deadlines of one agent. `arm` and `disarm` are O(log n) and O(1); `next` is O(1) amortised."""

    __slots__ = ("_dead", "_heap", "_key")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._key = 0
        self._dead = 0

    def arm(self, timed: Timed, when: float) -> None:
        """Call `timed.on_due` at `when`, instead of whatever was armed before."""
        again = timed.due is not None
        self._key = key = self._key + 1
        timed.due = when
        timed.due_key = key
        heappush(self._heap, (when, key, timed))
        if again:
            # Only now, since the heap may be rebuilt and must not keep the old entry for a valid one.
            self._bury()

    def disarm(self, timed: Timed) -> None:
        """Forget the deadline of `timed`, if it has one."""
        if timed.due is not None:
            timed.due = None
            self._bury()

    def next(self) -> float | None:
        """The earliest deadline, or None."""
        heap = self._heap
        while heap:
            when, key, timed = heap[0]
            if timed.due_key == key and timed.due is not None:
                return when
            heappop(heap)
            self._dead -= 1
        return None

    def pop(self, now: float) -> Timed | None:
        """The next one that is due at `now`, disarmed; None when there is none."""
        when = self.next()
        if when is None or when > now:
            return None
        timed = heappop(self._heap)[2]
        timed.due = None
        return timed

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def _bury(self) -> None:
        self._dead += 1
        # Without this a registration that is re-armed all the time would let dead entries pile up until their time.
        if self._dead > _COMPACT_MINIMUM and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].due_key == entry[1] and entry[2].due is not None]
            heapify(self._heap)
            self._dead = 0
