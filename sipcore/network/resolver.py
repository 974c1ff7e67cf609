"""Questions to the driver's resolver: asked once, shared by all who want to know, remembered, and given up in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from sipcore.commands import Record, Resolve
from sipcore.flows import FlowHost
from sipcore.values import WILDCARDS, RecordKind, canonical_address, is_ip_address

__all__ = ["Asker", "Resolver"]

QUERY_TIMEOUT = 10.0
"""Seconds after which an unanswered `Resolve` counts as failed: resolvers of hosts give up after 5 to 10 s."""

DEFAULT_TTL = 60.0
"""Seconds an answer is kept when the driver does not know for how long it holds."""

MIN_TTL = 1.0
"""Seconds; a TTL of 0 still serves all who ask in the same moment."""

MAX_TTL = 86400.0
"""Seconds; no answer is believed for longer than a day."""

MAX_NAMES = 4096
"""Answers kept; past it the oldest is forgotten."""

MAX_RECORDS = 32
"""Addresses kept of one answer: more than any registrar needs, and a bound on what a forged one costs."""


class Asker(Protocol):
    """Who wants to know."""

    def on_answer(self, name: str, kind: RecordKind, addresses: tuple[str, ...], error: str | None, now: float) -> None:
        """The addresses; none and an `error` when there are none."""


class _Query:
    """One `Resolve` on its way."""

    __slots__ = ("askers", "due", "due_key", "keep", "kind", "name", "number", "resolver")

    def __init__(self, resolver: Resolver, number: int, name: str, kind: RecordKind) -> None:
        self.resolver = resolver
        self.number = number
        self.name = name
        self.kind = kind
        self.askers: list[Asker] = []
        self.keep = True
        """The answer may be remembered."""
        self.due: float | None = None
        self.due_key = 0

    def on_due(self, now: float) -> None:
        """No answer came in time."""
        self.resolver.answer(self.number, (), "no answer from the resolver", now)


class Resolver:
    """All questions of one agent."""

    __slots__ = ("_cache", "_host", "_last", "_open", "_queries")

    def __init__(self, host: FlowHost) -> None:
        self._host = host
        self._last = 0
        self._queries: dict[int, _Query] = {}
        self._open: dict[tuple[str, RecordKind], _Query] = {}
        self._cache: dict[tuple[str, RecordKind], tuple[float, tuple[str, ...]]] = {}

    def look(self, name: str, kind: RecordKind, now: float) -> tuple[str, ...] | None:
        """The addresses if they are known now; None when somebody has to be asked."""
        cached = self._cache.get((name, kind))
        return cached[1] if cached is not None and cached[0] > now else None

    def ask(self, name: str, kind: RecordKind, asker: Asker, now: float) -> None:
        """Tell `asker` later. A question that is on its way already is not asked twice."""
        query = self._open.get((name, kind))
        if query is None:
            self._last += 1
            query = _Query(self, self._last, name, kind)
            self._queries[query.number] = query
            self._open[name, kind] = query
            self._host.timers.arm(query, now + QUERY_TIMEOUT)
            self._host.put(Resolve(query=query.number, name=name, kind=kind))
        query.askers.append(asker)

    def answer(self, number: int, records: Sequence[Record], error: str | None, now: float) -> None:
        """The driver's answer. One to a question that was given up is dropped by its number."""
        query = self._queries.pop(number, None)
        if query is None:
            return
        self._host.timers.disarm(query)
        key = (query.name, query.kind)
        del self._open[key]
        addresses = tuple(dict.fromkeys(_usable(records[:MAX_RECORDS])))
        if addresses and query.keep:
            ttls = [DEFAULT_TTL if record.ttl is None else record.ttl for record in records[:MAX_RECORDS]]
            # A NaN from a driver compares false and ends as the minimum.
            ttl = min(ttls) if min(ttls) >= MIN_TTL else MIN_TTL
            if len(self._cache) >= MAX_NAMES and key not in self._cache:
                del self._cache[next(iter(self._cache))]
            self._cache[key] = (now + min(ttl, MAX_TTL), addresses)
        elif not addresses:
            error = error or "no address"
        for asker in query.askers:
            asker.on_answer(query.name, query.kind, addresses, error if not addresses else None, now)

    def forget(self) -> None:
        """The network changed: what is remembered may be wrong, and so may the answers to come be."""
        self._cache.clear()
        for query in self._queries.values():
            query.keep = False


def _usable(records: Sequence[Record]) -> Iterator[str]:
    """The addresses that may stand in a request: a resolver is not trusted to answer with nothing else."""
    for record in records:
        if is_ip_address(record.address):
            address = canonical_address(record.address)
            if address not in WILDCARDS:
                yield address
