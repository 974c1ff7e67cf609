"""From a number to its mutant."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple

from sipcore.testing.mutation.bases import SIP_BASES, Base
from sipcore.testing.mutation.dice import Dice, walk
from sipcore.testing.mutation.elements import ELEMENTS, LONG_ELEMENTS, WAYS, Element
from sipcore.testing.mutation.parts import Field, fields_of
from sipcore.testing.mutation.structure import CUTS, FLIPS, INSERTIONS, OPERATIONS, Operation

__all__ = ["SIP", "Corpus", "Mutant", "mutant"]

MOST_STACKED: Final = 4
"""Mutations of one message."""

MAX_STACKED: Final = 20_000
"""Bytes above which nothing more is stacked on a message."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One damaged message. The `repr` says where it comes from and how it was damaged, not what it holds."""

    seed: int
    number: int
    base: str
    """The name of the message that it was made from."""
    changes: tuple[str, ...]
    """What was done to it, first things first: field and element, or operation and place."""
    data: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"seed {self.seed} number {self.number}: {self.base}, {'; '.join(self.changes)}"

    @property
    def command(self) -> str:
        """The command line that shows it again, and what is wrong with how it is read."""
        return f"python -m sipcore.testing.mutation --seed {self.seed} --number {self.number} --check"


class _Table(NamedTuple):
    """All the places of some operations in some bases, numbered one after the other."""

    rows: tuple[tuple[Base, Operation], ...]
    ends: tuple[int, ...]

    def find(self, index: int) -> tuple[Base, Operation, int]:
        row = bisect_right(self.ends, index)
        base, operation = self.rows[row]
        return base, operation, index - (self.ends[row - 1] if row else 0)


# One round of numbers. Elements are most of them, for there are most of them; what is long takes the most time, so it
# has one place, and shares it.
_ROUND: Final = (
    *("element", "operation", "element", "flip", "element", "insertion", "element", "stacked"),
    *("element", "operation", "element", "flip", "cut", "insertion", "element", "stacked or long"),
)
_RANKS: Final = tuple([(kind, _ROUND[:place].count(kind), _ROUND.count(kind)) for place, kind in enumerate(_ROUND)])

_LONG_EACH: Final = 3
"""Of the numbers of the shared place each third is a long one."""


class Corpus:
    """Mutants of one family of bases: messages of a start line, headers and a body."""

    def __init__(self, name: str, bases: tuple[Base, ...]) -> None:
        self.name = name
        self.bases = bases

    def mutant(self, seed: int, number: int) -> Mutant:
        """The mutant of that number; the same for ever, in one version of this package."""
        turn, place = divmod(number, len(_ROUND))
        kind, rank, share = _RANKS[place]
        step = turn * share + rank
        if kind == "stacked or long":
            step, kind = turn // _LONG_EACH, "stacked" if turn % _LONG_EACH else "long"
        # Of what has all been had nothing comes twice: its place is free for more of what has no end.
        if kind == "stacked" or step >= self._spaces[kind]:
            return self._stacked(seed, number)
        index = walk(self._spaces[kind], step, kind, seed)
        if kind in ("element", "long"):
            return self._element(seed, number, index, LONG_ELEMENTS if kind == "long" else ELEMENTS)
        base, operation, at = self._tables[kind].find(index)
        return Mutant(seed, number, base.name, (f"{operation.name} {at}",), operation.apply(base.data, at))

    @cached_property
    def size(self) -> int:
        """How many different mutants there are without the stacked ones."""
        return sum(self._spaces.values())

    @cached_property
    def _spaces(self) -> dict[str, int]:
        """How many mutants of each kind there are."""
        places = len(self._fields) * len(WAYS)
        spaces = {"element": places * len(ELEMENTS), "long": places * len(LONG_ELEMENTS)}
        return spaces | {kind: table.ends[-1] for kind, table in self._tables.items()}

    @cached_property
    def _fields(self) -> tuple[tuple[Base, Field], ...]:
        return tuple([(base, place) for base in self.bases for place in fields_of(base.data)])

    @cached_property
    def _tables(self) -> dict[str, _Table]:
        kinds = {"operation": OPERATIONS, "cut": CUTS, "insertion": INSERTIONS, "flip": FLIPS}
        return {kind: self._table(operations) for kind, operations in kinds.items()}

    def _table(self, operations: tuple[Operation, ...]) -> _Table:
        rows = tuple([(base, operation) for base in self.bases for operation in operations])
        return _Table(rows, tuple(accumulate([operation.places(base.data) for base, operation in rows])))

    def _element(self, seed: int, number: int, index: int, elements: tuple[Element, ...]) -> Mutant:
        index, way = divmod(index, len(WAYS))
        index, at = divmod(index, len(elements))
        base, place = self._fields[index]
        change, data = _put(base.data, place, elements[at], way)
        return Mutant(seed, number, base.name, (change,), data)

    def _stacked(self, seed: int, number: int) -> Mutant:
        dice = Dice("stacked", seed, number)
        base = dice.pick(self.bases)
        data = base.data
        changes: list[str] = []
        for _ in range(2 + dice.below(MOST_STACKED - 1)):
            if len(data) > MAX_STACKED:
                break
            if dice.below(2):
                place = dice.pick(fields_of(data) or (Field("start", 0, 0),))
                change, data = _put(data, place, dice.pick(ELEMENTS), dice.below(len(WAYS)))
                changes.append(change)
                continue
            operation = dice.pick(_ANY)
            if places := operation.places(data):
                at = dice.below(places)
                data = operation.apply(data, at)
                changes.append(f"{operation.name} {at}")
        return Mutant(seed, number, base.name, tuple(changes), data)


_ANY: Final = (*OPERATIONS, *OPERATIONS, *OPERATIONS, *INSERTIONS, *CUTS, *FLIPS)


def _put(data: bytes, place: Field, element: Element, way: int) -> tuple[str, bytes]:
    _, start, end = place
    middle = (start + end) // 2
    first, last = ((start, end), (start, start), (end, end), (middle, middle))[way]
    return f"{place.name} {WAYS[way]} {element.name}", data[:first] + element.data + data[last:]


SIP: Final = Corpus("SIP", SIP_BASES)
"""What a user agent and a registrar get."""


def mutant(seed: int, number: int, corpus: Corpus = SIP) -> Mutant:
    """The mutant of that number among those of that seed: a pure function, so the two numbers are the whole case.

    Neighbouring numbers are as different as far ones. No two numbers of one seed are the same case, but for the stacked
    ones, which are what remains when all others have been had.
    """
    return corpus.mutant(seed, number)
