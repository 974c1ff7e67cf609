"""What a recorder keeps of a run: one flat list, since a list is the quickest thing to append to.

In it stand, in the order in which they happened:

* for each input its name, `now`, and as many values as `inputs.INPUTS` says that it takes;
* behind it each random number that it drew: the number of bits and the integer, or one float;
* a `Proof` for each masked `rspauth` in what it received, an `Endpoint` for each request of which `identify` was
  asked, and `Raised` when it failed;
* each output when it was fetched; of the most frequent ones the class's name and the values.

Nothing is wrapped into an object of its own where that can be helped: what lives longer than a moment is visited by
the collector of garbage several times, and that once was most of what recording cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sipcore.commands import Command, Transmit
from sipcore.events import Event, Registered, StatusChanged
from sipcore.replay.inputs import INPUTS
from sipcore.replay.steps import NOTHING, Draw, Named, Step
from sipcore.values import Binding, Cause, Status

__all__ = ["Endpoint", "Entry", "Proof", "Raised", "drawn", "note_event", "steps"]

Entry = Any
"""One place of the list."""


class Proof:
    """Whether the `rspauth` of a response was right (RFC 7616 section 3.5)."""

    __slots__ = ("word",)

    def __init__(self, right: bool) -> None:
        self.word = "right" if right else "wrong"


class Endpoint:
    """What `identify` said of a request."""

    __slots__ = ("named",)

    def __init__(self, named: Named) -> None:
        self.named = named


class Raised:
    """An input raised an error."""

    __slots__ = ("text",)

    def __init__(self, error: Exception) -> None:
        self.text = f"{type(error).__name__}: {error}"


_REGISTERED: Final = tuple(field.name for field in fields(Registered))
_STATUS: Final = tuple(field.name for field in fields(Status) if field.name not in ("cause", "bindings"))
_CAUSE: Final = tuple(field.name for field in fields(Cause))
_BINDING: Final = tuple(field.name for field in fields(Binding))

_registered_values: Final[Callable[[Registered], tuple[Any, ...]]] = attrgetter(*_REGISTERED)
_status_values: Final[Callable[[Status], tuple[Any, ...]]] = attrgetter(*_STATUS)
_cause_values: Final[Callable[[Cause], tuple[Any, ...]]] = attrgetter(*_CAUSE)
_binding_values: Final[Callable[[Binding], tuple[Any, ...]]] = attrgetter(*_BINDING)


def note_event(log: list[Entry], event: Command | Event) -> None:
    """Append an output that is no `Transmit`: of the frequent ones the values."""
    if isinstance(event, StatusChanged):
        status = event.status
        cause, bindings = status.cause, status.bindings
        log += ("StatusChanged", event.previous, cause is not None, len(bindings))
        log += _status_values(status)
        if cause is not None:
            log += _cause_values(cause)
        for binding in bindings:
            log += _binding_values(binding)
    elif isinstance(event, Registered):
        log.append("Registered")
        log += _registered_values(event)
    else:
        log.append(event)


def steps(log: Sequence[Entry], number: int, now: float) -> Iterator[Step]:
    """The steps of a log. The first has that number, and the agent's clock stands at `now` before it."""
    position = 0
    while position < len(log):
        item = log[position]
        if isinstance(item, str) and item in INPUTS:
            positional, named = INPUTS[item]
            start = position + 2
            middle = start + len(positional)
            end = middle + len(named)
            moment = log[position + 1]
            keywords = dict(zip(named, log[middle:end], strict=True)) if named else NOTHING
            arguments = tuple(log[start:middle])
            position, effects = _effects(log, end)
            yield Step(number, moment, item, arguments, keywords, None, *effects)
            now = max(now, moment)
        else:
            position, output = _output(log, position)
            yield Step(number, now, type(output).__name__, output=output)
        number += 1


def _output(log: Sequence[Entry], position: int) -> tuple[int, Command | Event]:
    """The output that stands there, and where the next entry is."""
    item = log[position]
    position += 1
    if item == "Transmit":
        flow, data, remote = log[position : position + 3]
        return position + 3, Transmit(flow=flow, data=data, remote=remote)
    if item == "Registered":
        named, position = _named(_REGISTERED, log, position)
        return position, Registered(**named)
    if item == "StatusChanged":
        return _status_changed(log, position)
    assert isinstance(item, Command | Event)
    return position, item


def _status_changed(log: Sequence[Entry], position: int) -> tuple[int, StatusChanged]:
    previous, has_cause, count = log[position : position + 3]
    values, position = _named(_STATUS, log, position + 3)
    cause: Cause | None = None
    if has_cause:
        named, position = _named(_CAUSE, log, position)
        cause = Cause(**named)
    bindings: list[Binding] = []
    for _ in range(count):
        named, position = _named(_BINDING, log, position)
        bindings.append(Binding(**named))
    return position, StatusChanged(status=Status(**values, cause=cause, bindings=tuple(bindings)), previous=previous)


class _Effects(NamedTuple):
    """The last fields of a `Step`."""

    random: tuple[Draw, ...]
    error: str | None
    proofs: tuple[str, ...]
    endpoints: tuple[Named, ...]


def _named(names: tuple[str, ...], log: Sequence[Entry], position: int) -> tuple[dict[str, Any], int]:
    end = position + len(names)
    return dict(zip(names, log[position:end], strict=True)), end


def _effects(log: Sequence[Entry], position: int) -> tuple[int, _Effects]:
    """What stands behind an input, and where the next entry is."""
    drew: list[int | float] = []
    proofs: list[str] = []
    endpoints: list[Named] = []
    error: str | None = None
    while position < len(log):
        item = log[position]
        if isinstance(item, int | float):
            drew.append(item)
        elif isinstance(item, Proof):
            proofs.append(item.word)
        elif isinstance(item, Endpoint):
            endpoints.append(item.named)
        elif isinstance(item, Raised):
            error = item.text
        else:
            break
        position += 1
    return position, _Effects(drawn(drew), error, tuple(proofs), tuple(endpoints))


def drawn(values: list[int | float]) -> tuple[Draw, ...]:
    """The draws of a step: for an integer the log has its bits first."""
    draws: list[Draw] = []
    position = 0
    while position < len(values):
        value = values[position]
        if isinstance(value, int):
            draws.append((f"getrandbits:{value}", values[position + 1]))
            position += 2
        else:
            draws.append(("random", value))
            position += 1
    return tuple(draws)

