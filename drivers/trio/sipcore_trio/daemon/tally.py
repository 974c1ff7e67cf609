"""How many registrations are in which state, without walking them all each time somebody asks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sipcore.errors import LocalProtocolError
from sipcore.events import Event, StatusChanged
from sipcore.values import State

if TYPE_CHECKING:
    from sipcore.agent import UserAgent

__all__ = ["Tally"]


class Tally:
    """Counts from the events. Load it when the daemon has started and again after a reload, which may rename."""

    def __init__(self) -> None:
        self.counts: Counter[State] = Counter()
        self._known: dict[str, tuple[State, float | None]] = {}
        self._failing: set[str] = set()

    def load(self, agent: UserAgent) -> None:
        """Know exactly the registrations that there are."""
        before, self._known = self._known, {}
        self.counts.clear()
        self._failing.clear()
        for name in agent.names():
            known = before.get(name)
            if known is None:
                try:
                    status = agent.status(name)
                except LocalProtocolError:  # pragma: no cover  (names and statuses come from one table)
                    continue
                known = (status.state, status.next_attempt_at)
            self._set(name, *known)

    def tell(self, event: Event) -> None:
        """Count what changed."""
        if isinstance(event, StatusChanged):
            status = event.status
            known = self._known.pop(status.name, None)
            if known is not None:
                self.counts[known[0]] -= 1
            self._failing.discard(status.name)
            if status.state is not State.STOPPED:
                self._set(status.name, status.state, status.next_attempt_at)

    @property
    def total(self) -> int:
        """All of them."""
        return len(self._known)

    @property
    def registered(self) -> int:
        """Those that hold a binding."""
        return self.counts[State.REGISTERED]

    def next_attempt(self, now: float) -> float | None:
        """When the next of those that are not registered tries again; None when none has a plan."""
        plans = (self._known[name][1] for name in self._failing)
        return min((at for at in plans if at is not None and at >= now), default=None)

    def _set(self, name: str, state: State, next_attempt_at: float | None) -> None:
        self._known[name] = (state, next_attempt_at)
        self.counts[state] += 1
        if state is not State.REGISTERED:
            self._failing.add(name)
