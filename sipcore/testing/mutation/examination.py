"""What every mutant has to survive, and how long it may take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from time import process_time
from typing import Final

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.message import parse_message
from sipcore.testing.mutation.bases import SIP_BASES
from sipcore.testing.mutation.corpus import Mutant
from sipcore.testing.mutation.delivery import check_datagram, check_stream
from sipcore.testing.mutation.dice import Dice
from sipcore.testing.mutation.patience import MAX_PATIENCE, limited
from sipcore.testing.mutation.reading import Violation, read_message, read_refused, read_text

__all__ = ["MAX_CPU", "Examination", "examine", "examine_all"]

MAX_CPU: Final = 0.25
"""Seconds of CPU that one case may take, all of its deliveries together."""


def examine(mutant: Mutant) -> str:
    """Deliver it in all ways, read it as thoroughly as anybody could; say what became of it in a few words.

    Raises `Violation`, or whatever comes out of the core that is not documented to come out.
    """
    stream = check_stream(mutant.data, Dice("cuts", mutant.seed, mutant.number))
    check_datagram(mutant.data, stream)
    said = _read(mutant.data)
    # What follows on the stream is a message in its own right.
    for item in [item for item in stream.items if isinstance(item, bytes)][1:3]:
        _read(item)
    return said


@dataclass(slots=True)
class Examination:
    """What came of many mutants."""

    cases: int = 0
    slowest: float = 0.0
    """Seconds of CPU of the case that took most."""
    slowest_case: str = ""
    became: Counter[str] = field(default_factory=Counter)
    """How many were taken, and how many refused for which reason."""
    failed: list[tuple[Mutant, Exception]] = field(default_factory=list)


def examine_all(mutants: Iterable[Mutant], *, stop_after: int = 10) -> Examination:
    """Examine them one after the other; give up after so many failures. Time counts as failure, too, and what does
    not end is ended."""
    result = Examination()
    _known_values()  # Not at the expense of the first case.
    for mutant in mutants:
        result.cases += 1
        began = process_time()
        try:
            with limited(MAX_PATIENCE):
                result.became[examine(mutant)] += 1
        except Exception as error:
            result.failed.append((mutant, error))
        spent = process_time() - began
        if spent > result.slowest:
            result.slowest, result.slowest_case = spent, str(mutant)
            if spent > MAX_CPU:
                result.failed.append((mutant, Violation(f"it took {spent * 1e3:.0f} ms of CPU")))
        if len(result.failed) >= stop_after:
            break
    return result


def _read(data: bytes) -> str:
    try:
        message = parse_message(data)
    except RemoteProtocolError as error:
        read_refused(data)
        return str(error).partition(":")[0]
    if bytes(message) not in data:
        raise Violation("what was taken is not a part of what came")
    read_message(message)
    # Values that were not damaged have been read often enough.
    for text in dict.fromkeys([value for _, value in message.headers if value not in _known_values()][:8]):
        read_text(text)
    return "taken"


@cache
def _known_values() -> frozenset[str]:
    for base in SIP_BASES:
        for _, value in parse_message(base.data).headers:
            read_text(value)
    return frozenset([value for base in SIP_BASES for _, value in parse_message(base.data).headers])
