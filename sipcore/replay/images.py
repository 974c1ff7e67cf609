"""The exact state of an agent at one moment, taken fast.

Theory of operation. `capture` walks the machines of an agent class by class (`classes.MACHINES`) and copies all
machines of one class attribute by attribute: one column for each attribute, as a table has. Thousands are copied so
much quicker than one by one, and no object is made for any of them. Values that never change are taken by reference,
also secrets, so an image is never shown or written as it is; `writing` does that.

Most registrations wait most of the time, and an image costs little more than what has changed since the one before:

* A column that is equal to the earlier one is shared with it; one that has the same value everywhere has one place.
* Of the largest classes only the attributes are looked at without which no other changes; the others
  (`classes.STEADY`) are read where one of these has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, repeat
from operator import attrgetter, is_not
from typing import Any, Final, NamedTuple

from sipcore.agent import UserAgent
from sipcore.errors import ReplayError
from sipcore.replay.classes import MACHINES, STEADY
from sipcore.replay.shapes import Items, Machine, Shape, shape

__all__ = ["PLANS", "Batch", "Image", "Plan", "capture"]

# The collector of garbage looks at a tuple of texts and numbers once and at a list again and again.
Column = tuple[Any, ...]
"""A value for each machine, or the one that all have."""


class Attribute:
    """How one attribute of all machines of a class is copied."""

    def __init__(self, name: str, kind: Any, *, steady: bool) -> None:
        self.name = name
        self.shape: Shape = shape(kind)
        self.steady = steady
        self._get = attrgetter(name)
        item = self.shape
        # Those that are the agent itself lead nowhere new.
        self._leads = isinstance(item, Machine) and item.kinds != (UserAgent,)
        self._chained = isinstance(item, Items) and item.kind is tuple and isinstance(item.item, Machine)
        self._copied = not (item.still or isinstance(item, Machine) or self._chained)

    def read(self, machines: Sequence[Any]) -> tuple[Column, list[object]]:
        """The values of all machines; what changes in place is copied, and the machines in it come along."""
        column = tuple(map(self._get, machines))
        led: list[object] = []
        if self._copied:
            column = tuple([self.shape.take(live, led) for live in column])
        return column, led

    def follow(self, column: Column) -> Iterable[object]:
        """To which machines a column leads that is not copied."""
        if self._leads:
            return column
        return chain.from_iterable(column) if self._chained else ()


class Plan:
    """How all machines of one class are copied."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.name = kind.__name__.lstrip("_")
        steady = STEADY.get(kind, frozenset())
        self.attributes = [Attribute(name, kind, steady=name in steady) for name, kind in MACHINES[kind].items()]
        self.fields = tuple(attribute.name for attribute in self.attributes)
        self.shapes = tuple(attribute.shape for attribute in self.attributes)
        self.due = self.fields.index("due") if "due_key" in self.fields else None
        self._steady = bool(steady)

    def take(self, machines: list[object], found: list[Iterable[object]], known: Batch | None) -> list[Column]:
        """The columns of these machines, shared with those of the earlier batch of the same ones if there is one.

        `found` gets what they lead to, machines or None, some of them more than once.
        """
        read = self._read(machines, known)
        columns: list[Column] = []
        for index, (attribute, (column, led)) in enumerate(zip(self.attributes, read, strict=True)):
            if known is not None and _same(known.columns[index], column):
                column = known.columns[index]
            else:
                column = _short(column, len(machines))
            columns.append(column)
            found.append(led or attribute.follow(column))
        return columns

    def _read(self, machines: list[object], known: Batch | None) -> list[tuple[Column, list[object]]]:
        if known is None or not self._steady:
            return [attribute.read(machines) for attribute in self.attributes]
        count = len(machines)
        changed: set[int] = set()
        fresh: dict[int, tuple[Column, list[object]]] = {}
        for index, attribute in enumerate(self.attributes):
            if not attribute.steady:
                fresh[index] = column, _ = attribute.read(machines)
                old = known.columns[index]
                if not _same(old, column):
                    before = old if len(old) == count else repeat(old[0], count)
                    changed.update(compress(range(count), map(is_not, before, column)))
        places = sorted(changed)
        some = [machines[place] for place in places]
        return [
            (_patched(known.columns[index], places, attribute.read(some)[0], count), [])
            if attribute.steady
            else fresh[index]
            for index, attribute in enumerate(self.attributes)
        ]


class Batch(NamedTuple):
    """Machines of one class, and what was taken of them."""

    plan: Plan
    machines: list[object]
    columns: list[Column]

    def column(self, field: str) -> Iterable[Any]:
        """One attribute of each machine."""
        return self._spread(self.columns[self.plan.fields.index(field)])

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """All attributes of each machine."""
        return zip(*map(self._spread, self.columns), strict=True)

    def _spread(self, column: Column) -> Iterable[Any]:
        count = len(self.machines)
        return column if len(column) == count else (column[0] for _ in range(count))


class Image(NamedTuple):
    """The state of an agent. The machines are numbered from 1 in the order of the batches; the agent is the first."""

    now: float
    batches: list[Batch]
    timers: int
    """How many deadlines were armed."""
    size: int
    """How many machines there are."""


PLANS: Final[dict[type, Plan]] = {kind: Plan(kind) for kind in MACHINES}


def capture(agent: UserAgent, previous: Image | None = None) -> Image:
    """Take the state of `agent`, whose outputs may not have been fetched yet.

    `previous` is an earlier image of the same agent, which may be shared in part. Raises `ReplayError` when the agent
    holds an object of a class that is not known here.
    """
    earlier = {} if previous is None else {id(batch.machines[0]): batch for batch in previous.batches}
    seen: dict[object, None] = {None: None}
    batches: list[Batch] = []
    found: list[Iterable[object]] = [(agent,)]
    size = 0
    for group in found:
        fresh = dict.fromkeys(group)
        if not seen.keys().isdisjoint(fresh):
            fresh = dict.fromkeys([machine for machine in fresh if machine not in seen])
        seen.update(fresh)
        for kind, machines in _by_class(list(fresh)):
            plan = PLANS.get(kind)
            if plan is None:
                # A subclass of the agent is an agent with something of its own, which is not part of the state.
                if machines != [agent]:
                    raise ReplayError(f"a {kind.__name__} cannot be recorded: it is not in the table of machines")
                plan = PLANS[UserAgent]
            known = earlier.get(id(machines[0]))
            if known is not None and known.machines == machines:
                machines = known.machines
            else:
                known = None
            size += len(machines)
            batches.append(Batch(plan, machines, plan.take(machines, found, known)))
    return Image(agent.now, batches, len(agent.timers), size)


def _by_class(machines: list[object]) -> Iterable[tuple[type, list[object]]]:
    kinds = set(map(type, machines))
    if len(kinds) <= 1:
        return [(kind, machines) for kind in kinds]
    classes: dict[type, list[object]] = {}
    for machine in machines:
        classes.setdefault(type(machine), []).append(machine)
    return classes.items()


def _short(column: Column, count: int) -> Column:
    """One place for a value that all have."""
    same = len(column) == count and column[-1] is column[0] and column.count(column[0]) == count
    return column[:1] if same else column


def _same(old: Column, column: Column) -> bool:
    """True when an earlier column says the same."""
    return old is column or (column.count(old[0]) == len(column) if len(old) == 1 else old == column)


def _patched(old: Column, places: list[int], values: Column, count: int) -> Column:
    """An earlier column with other values at some places."""
    if not places:
        return old
    column = list(old) if len(old) == count else [old[0]] * count
    for place, value in zip(places, values, strict=True):
        column[place] = value
    return tuple(column)
