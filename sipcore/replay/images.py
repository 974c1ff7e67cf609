"""The exact state of an agent at one moment, taken fast.

Theory of operation. `capture` walks the machines of an agent class by class (`classes.MACHINES`) and copies all
machines of one class attribute by attribute: one tuple for each attribute, as a table has columns. Thousands are copied
so much quicker than one by one, no object is made for any of them, and a column that is equal to that of the image
before is shared with it; most registrations wait most of the time. Values that never change are taken by reference,
also secrets, so an image is never shown or written as it is; `writing` does that.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sipcore.agent import UserAgent
from sipcore.errors import ReplayError
from sipcore.replay.classes import MACHINES
from sipcore.replay.shapes import Items, Machine, Shape, shape

__all__ = ["PLANS", "Batch", "Image", "Plan", "capture"]

# The collector of garbage looks at a tuple of texts and numbers once and at a list again and again.
Column = tuple[Any, ...]


class Plan:
    """How all machines of one class are copied."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.name = kind.__name__.lstrip("_")
        fields = MACHINES[kind]
        self.fields = tuple(fields)
        self.shapes: tuple[Shape, ...] = tuple(shape(fields[field]) for field in fields)
        self._getters = [(attrgetter(field), item, _way(item)) for field, item in zip(fields, self.shapes, strict=True)]
        self.due = self.fields.index("due") if "due_key" in self.fields else None

    def take(self, machines: list[Any], found: list[object]) -> list[Column]:
        """All attributes; `found` gets the machines that they lead to, some of them more than once."""
        columns: list[Column] = []
        for get, item, way in self._getters:
            column = tuple(map(get, machines))
            if way == "link":
                found.extend(dict.fromkeys(column))
            elif way == "chain":
                found.extend(chain.from_iterable(column))
            elif way == "copy":
                column = tuple([item.take(live, found) for live in column])
            columns.append(column)
        return columns


def _way(item: Shape) -> str:
    if isinstance(item, Machine):
        # Those that are the agent itself lead nowhere new.
        return "none" if item.kinds == (UserAgent,) else "link"
    if isinstance(item, Items) and item.kind is tuple and isinstance(item.item, Machine):
        return "chain"
    return "none" if item.still else "copy"


class Batch(NamedTuple):
    """Machines of one class, and what was taken of them."""

    plan: Plan
    machines: list[object]
    columns: list[Column]
    """For each attribute of the plan its value in each machine."""

    def column(self, field: str) -> Column:
        """One attribute."""
        return self.columns[self.plan.fields.index(field)]


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
    seen: dict[object, None] = {None: None, agent: None}
    batches: list[Batch] = []
    found: list[object] = [agent]
    size = 0
    while found:
        led: list[object] = []
        for kind, machines in _by_class(found):
            plan = PLANS.get(kind)
            if plan is None:
                # A subclass of the agent is an agent with something of its own, which is not part of the state.
                if machines != [agent]:
                    raise ReplayError(f"a {kind.__name__} cannot be recorded: it is not in the table of machines")
                plan = PLANS[UserAgent]
            columns = plan.take(machines, led)
            size += len(machines)
            known = earlier.get(id(machines[0]))
            if known is not None and known.plan is plan:
                if known.machines == machines:
                    machines = known.machines
                columns = [
                    old if old == new else new for old, new in zip(known.columns, columns, strict=True)
                ]
            batches.append(Batch(plan, machines, columns))
        found = [machine for machine in dict.fromkeys(led) if machine not in seen]
        seen.update(dict.fromkeys(found))
    return Image(agent.now, batches, len(agent.timers), size)


def _by_class(machines: list[object]) -> Iterable[tuple[type, list[object]]]:
    kinds = set(map(type, machines))
    if len(kinds) == 1:
        return [(kinds.pop(), machines)]
    classes: dict[type, list[object]] = {}
    for machine in machines:
        classes.setdefault(type(machine), []).append(machine)
    return classes.items()
