"""How an attribute of a given type is copied, written and read.

A `Shape` is made once from each type of `classes.MACHINES`. Copying (`take`) is what happens inside a running daemon,
so values that never change are taken by reference, and only containers that change are copied; what the machine leads
to is noted in `found`. Writing and reading happen later, or elsewhere.

Taken containers are tuples: of a list, a deque or a set its items, of a dict its keys and its values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Protocol, get_args, get_origin

from sipcore.errors import ReplayError
from sipcore.replay.classes import MACHINES, Steps
from sipcore.transaction.server import INVITE, NON_INVITE

__all__ = ["Json", "Reading", "Shape", "Writing", "fits", "shape"]

Json = Any
"""What `json` reads and writes."""


class Writing(Protocol):
    """What shapes need in order to write."""

    def number(self, machine: object) -> int:
        """The number of a machine of the image."""

    def value(self, value: object) -> Json:
        """A value that never changes."""


class Reading(Protocol):
    """What shapes need in order to read."""

    def machine(self, number: int) -> object:
        """The machine of that number. Raises `ReplayError`."""

    def value(self, text: Json, depth: int = 0) -> Any:
        """A value. Raises `ReplayError`."""


class Shape(ABC):
    """One type of attribute."""

    still = False
    """What it holds never changes and leads nowhere: it is taken by reference, without `take`."""

    @abstractmethod
    def take(self, live: Any, found: list[object]) -> Any:
        """Copy what can change, and note each machine in `found`."""

    @abstractmethod
    def write(self, taken: Any, to: Writing) -> Json:
        """What was taken as JSON."""

    @abstractmethod
    def read(self, text: Json, source: Reading) -> Any:
        """The live attribute. Raises `ReplayError` when it is not of this shape."""


class Still(Shape):
    """A value that never changes."""

    still = True

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def take(self, live: Any, found: list[object]) -> Any:
        return live

    def write(self, taken: Any, to: Writing) -> Json:
        return to.value(taken)

    def read(self, text: Json, source: Reading) -> Any:
        value = source.value(text)
        if not fits(value, self.kind):
            raise ReplayError(f"{_shown(text)} is not of type {_name(self.kind)}")
        return value


class Choice(Shape):
    """One of the two tables of server transactions, told apart by identity."""

    still = True

    def take(self, live: Any, found: list[object]) -> Any:
        return live

    def write(self, taken: Any, to: Writing) -> Json:
        return to.value(Steps.INVITE if taken is INVITE else Steps.NON_INVITE)

    def read(self, text: Json, source: Reading) -> Any:
        match source.value(text):
            case Steps.INVITE:
                return INVITE
            case Steps.NON_INVITE:
                return NON_INVITE
        raise ReplayError(f"{_shown(text)} is neither INVITE nor NON_INVITE")


class Buffer(Shape):
    """A bytearray."""

    def take(self, live: Any, found: list[object]) -> Any:
        return bytes(live)

    def write(self, taken: Any, to: Writing) -> Json:
        return to.value(taken)

    def read(self, text: Json, source: Reading) -> Any:
        value = source.value(text)
        if not isinstance(value, bytes):
            raise ReplayError(f"{_shown(text)} is not bytes")
        return bytearray(value)


class Machine(Shape):
    """A reference to a machine, or to none if that is allowed."""

    def __init__(self, kinds: tuple[type, ...], *, optional: bool) -> None:
        self.kinds = kinds
        self.optional = optional

    def take(self, live: Any, found: list[object]) -> Any:
        if live is not None:
            found.append(live)
        return live

    def write(self, taken: Any, to: Writing) -> Json:
        return None if taken is None else {"node": to.number(taken)}

    def read(self, text: Json, source: Reading) -> Any:
        if text is None and self.optional:
            return None
        number = text.get("node") if isinstance(text, dict) else None
        if not isinstance(number, int):
            raise ReplayError(f"{_shown(text)} is not a reference such as {{\"node\": 7}}")
        machine = source.machine(number)
        if not isinstance(machine, self.kinds):
            expected = " or ".join(kind.__name__ for kind in self.kinds)
            found = next(kind.__name__ for kind in MACHINES if isinstance(machine, kind))
            raise ReplayError(f"node {number} is a {found}, not a {expected}")
        return machine


class Items(Shape):
    """A list, deque, set, or tuple of any length."""

    def __init__(self, kind: Callable[[list[Any]], Any], item: Shape) -> None:
        self.kind = kind
        self.item = item

    def take(self, live: Any, found: list[object]) -> Any:
        item = self.item
        if item.still:
            return tuple(live)
        return tuple([item.take(value, found) for value in live])

    def write(self, taken: Any, to: Writing) -> Json:
        written = [self.item.write(value, to) for value in taken]
        # The order of a set is nobody's business, and differs between processes.
        return sorted(written, key=_order) if self.kind is set else written

    def read(self, text: Json, source: Reading) -> Any:
        if not isinstance(text, list):
            raise ReplayError(f"{_shown(text)} is not a list")
        return self.kind([self.item.read(value, source) for value in text])


class Fixed(Shape):
    """A tuple whose items each have their own shape, some of them a machine."""

    def __init__(self, items: tuple[Shape, ...]) -> None:
        self.items = items

    def take(self, live: Any, found: list[object]) -> Any:
        for item, value in zip(self.items, live, strict=True):
            item.take(value, found)
        return live

    def write(self, taken: Any, to: Writing) -> Json:
        return [item.write(value, to) for item, value in zip(self.items, taken, strict=True)]

    def read(self, text: Json, source: Reading) -> Any:
        if not isinstance(text, list) or len(text) != len(self.items):
            raise ReplayError(f"{_shown(text)} is not a list of {len(self.items)}")
        return tuple([item.read(value, source) for item, value in zip(self.items, text, strict=True)])


class Table(Shape):
    """A dict, or None if that is allowed."""

    def __init__(self, key: Shape, value: Shape, *, optional: bool) -> None:
        self.key = key
        self.value = value
        self.optional = optional

    def take(self, live: Any, found: list[object]) -> Any:
        if live is None:
            return None
        keys, values = tuple(live), live.values()
        if not self.key.still:
            for key in keys:
                self.key.take(key, found)
        if self.value.still:
            return keys, tuple(values)
        return keys, tuple([self.value.take(value, found) for value in values])

    def write(self, taken: Any, to: Writing) -> Json:
        if taken is None:
            return None
        return [
            [self.key.write(key, to), self.value.write(value, to)] for key, value in zip(*taken, strict=True)
        ]

    def read(self, text: Json, source: Reading) -> Any:
        if text is None and self.optional:
            return None
        if not isinstance(text, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in text):
            raise ReplayError(f"{_shown(text)} is not a list of pairs")
        return {self.key.read(key, source): self.value.read(value, source) for key, value in text}


@cache
def shape(kind: Any) -> Shape:
    """The shape of a type of `MACHINES`."""
    if kind is Steps:
        return Choice()
    if kind is bytearray:
        return Buffer()
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        kinds = tuple(item for item in arguments if item is not NoneType)
        optional = len(kinds) < len(arguments)
        if all(item in MACHINES for item in kinds):
            return Machine(kinds, optional=optional)
        if len(kinds) == 1 and get_origin(kinds[0]) is dict:
            return Table(*map(shape, get_args(kinds[0])), optional=optional)
        return Still(kind)
    if kind in MACHINES:
        return Machine((kind,), optional=False)
    if origin is dict:
        return Table(*map(shape, arguments), optional=False)
    if origin in (list, deque, set):
        return Items(origin, shape(arguments[0]))
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            item = shape(arguments[0])
            return Still(kind) if item.still else Items(tuple, item)
        items = tuple(map(shape, arguments))
        return Still(kind) if all(item.still for item in items) else Fixed(items)
    return Still(kind)


def fits(value: object, kind: Any) -> bool:
    """True when `value` is of that type, as far as it is worth looking."""
    origin = get_origin(kind)
    if origin is None:
        if kind is float:
            return isinstance(value, int | float) and not isinstance(value, bool)
        if kind is int:
            return isinstance(value, int) and not isinstance(value, bool)
        # What stands in `dict[str, None]` is None itself.
        return value is None if kind is None else isinstance(value, kind)
    arguments = get_args(kind)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if arguments[-1] is Ellipsis:
            return all(fits(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    if origin is frozenset:
        return isinstance(value, frozenset) and all(fits(item, arguments[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            fits(key, arguments[0]) and fits(item, arguments[1]) for key, item in value.items()
        )
    return any(fits(value, item) for item in arguments)


def _order(written: Json) -> tuple[str, Any]:
    if isinstance(written, dict):
        key, value = next(iter(written.items()))
        return key, value
    return type(written).__name__, written


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _shown(text: Json) -> str:
    shown = repr(text)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"
