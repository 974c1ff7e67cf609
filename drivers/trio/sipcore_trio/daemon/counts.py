"""What happened, counted for the metrics: requests, answers, challenges, flows, drops.

The agent's hooks and events feed it, nothing is parsed for it. Whatever a peer can choose is bounded: of codes and of
causes the first few are told apart, and the others are `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import NamedTuple

from sipcore.events import Event, FlowLost, MessageDropped, Registered
from sipcore.exchange import Outcome, Reply
from sipcore.registration.kinds import ChallengeKind, RequestKind
from sipcore.syntax.grammar import visible

__all__ = ["BUCKETS", "Counts", "Totals"]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the durations, in seconds: from a registrar in the next room to timer F."""

MAX_CODES = 16
"""Codes and classes told apart for one registration; honest registrars need three or four."""

MAX_REASONS = 32
"""Causes of one kind told apart; those of the core are few, those of the system have its own words."""

OTHER = "other"


class Totals:
    """What is counted for one registration."""

    __slots__ = ("granted", "requests", "responses", "succeeded_at", "unanswered")

    def __init__(self) -> None:
        self.requests: dict[RequestKind, int] = {}
        self.responses: dict[tuple[str, str], int] = {}
        """By code and class."""
        self.unanswered: dict[str, int] = {}
        self.granted: float | None = None
        self.succeeded_at: float | None = None
        """On the clock of the agent."""

    def copy(self) -> Totals:
        """As it is now, for another thread."""
        other = Totals()
        other.requests = self.requests.copy()
        other.responses = self.responses.copy()
        other.unanswered = self.unanswered.copy()
        other.granted, other.succeeded_at = self.granted, self.succeeded_at
        return other


class General(NamedTuple):
    """What is counted for all together."""

    challenges: Counter[str]
    flow_failures: Counter[str]
    dropped: Counter[str]
    durations: list[int]
    """How many lasted no longer than each of `BUCKETS`, and longer than the one before; the last longer than all."""
    duration_sum: float


class Counts:
    """The counters of one daemon; give it to a `TracedAgent` as `counts`."""

    def __init__(self) -> None:
        self._totals: dict[str, Totals] = {}
        self._challenges: Counter[str] = Counter({kind.value: 0 for kind in ChallengeKind})
        self._flow_failures: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._durations = [0] * (len(BUCKETS) + 1)
        self._duration_sum = 0.0

    # --- what the agent tells --------------------------------------------------------------------------------------

    def sent(self, name: str, kind: RequestKind) -> None:
        """A REGISTER leaves."""
        requests = self._of(name).requests
        requests[kind] = requests.get(kind, 0) + 1

    def answered(self, name: str, reply: Reply, outcome: Outcome, seconds: float) -> None:
        """It got its answer, or none."""
        totals = self._of(name)
        if reply.response is None:
            why = str(reply.failure or OTHER).replace(" ", "_")
            totals.unanswered[why] = totals.unanswered.get(why, 0) + 1
            return
        key = (str(reply.response.status), outcome.kind.value)
        if key not in totals.responses and len(totals.responses) >= MAX_CODES:
            key = (OTHER, OTHER)
        totals.responses[key] = totals.responses.get(key, 0) + 1
        self._durations[bisect_left(BUCKETS, seconds)] += 1
        self._duration_sum += max(seconds, 0.0)

    def challenged(self, kind: ChallengeKind) -> None:
        """It was answered by a challenge."""
        self._challenges[kind.value] += 1

    def tell(self, event: Event, now: float) -> None:
        """Count an event."""
        match event:
            case Registered():
                totals = self._of(event.name)
                totals.granted, totals.succeeded_at = event.expires, now
            case FlowLost():
                _count(self._flow_failures, event.error or "closed", 1)
            case MessageDropped():
                _count(self._dropped, event.cause, event.count)

    # --- what is read ----------------------------------------------------------------------------------------------

    def totals(self, name: str) -> Totals:
        """What is counted for a registration."""
        return self._totals.get(name) or Totals()

    def general(self) -> General:
        """What is counted for all together, as it is now."""
        return General(
            self._challenges.copy(),
            self._flow_failures.copy(),
            self._dropped.copy(),
            self._durations[:],
            self._duration_sum,
        )

    def forget_but(self, names: frozenset[str]) -> None:
        """Forget the registrations that are not there any more."""
        if len(self._totals) > len(names) or not self._totals.keys() <= names:
            self._totals = {name: totals for name, totals in self._totals.items() if name in names}

    def _of(self, name: str) -> Totals:
        totals = self._totals.get(name)
        if totals is None:
            totals = self._totals[name] = Totals()
        return totals


def _count(counter: Counter[str], reason: str, times: int) -> None:
    reason = visible(reason, 100)
    if reason not in counter and len(counter) >= MAX_REASONS:
        reason = OTHER
    counter[reason] += times
