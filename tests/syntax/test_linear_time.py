"""64 KiB of anything cost what their length allows: no message is slow, and no cost grows faster than its message.

The same messages as `benchmarks/bench_hostile.py`, which compares them with `bytes.split`.
"""

from __future__ import annotations

import pytest

from benchmarks.hostile import HEADERS, KIB_64, UNITS, cost, hostile, read, stream
from sipcore.syntax import parse_message

BUDGET = 2e-6 * KIB_64 + 100e-6
"""Seconds of CPU for one message: 2 µs for a byte and 100 µs besides."""

WORTH_A_LOOK = 4e-3
"""Seconds; what costs less at full length is harmless however it grows."""

GROWTH = 9.0
"""Fourfold length may cost so much more: linear is 4, quadratic 16, and two measurements are noisy."""


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.requirement("RFC4475-3.1.1.7-01", "RFC3261-18.3-04")
def test_sixty_four_kibibytes_of_anything(unit: str) -> None:
    """Law: parsing and reading everything costs less than `BUDGET`, and grows with the length."""
    for long, short in zip(hostile(units=[unit]), hostile(KIB_64 // 4, units=[unit]), strict=True):
        for run in (read, stream):
            spent = cost(lambda run=run, data=long.data: run(data), rounds=1)  # type: ignore[misc]  # bound early
            if spent < WORTH_A_LOOK:
                continue
            for rounds in (2, 6):
                spent = cost(lambda run=run, data=long.data: run(data), rounds=rounds)  # type: ignore[misc]  # early
                quarter = cost(lambda run=run, data=short.data: run(data), rounds=3)  # type: ignore[misc]  # bound early
                if spent < min(BUDGET, GROWTH * quarter):
                    break  # Else somebody else may have been busy: it is measured again, and longer.
            assert spent < BUDGET, f"{long.slot} {unit!r}: {spent * 1e3:.1f} ms"
            assert spent < GROWTH * quarter, f"{long.slot} {unit!r}: {spent / quarter:.1f} times a quarter of it"


def test_the_messages_are_as_long_as_they_say_and_reach_the_readers() -> None:
    taken = 0
    for case in hostile(units=[";a="]):
        assert 50_000 < len(case.data) <= KIB_64 + 100, case.slot
        if case.slot not in ("names", "folds", "no message"):
            taken += len(parse_message(case.data).headers) > 1
    assert taken > len(HEADERS)


def test_a_quadratic_reader_is_seen() -> None:
    def slow(data: bytes) -> None:
        for place in range(0, len(data), 4):
            data.find(b"\xff\xff", place)

    long, short = (next(hostile(size, units=["x"])).data for size in (KIB_64, KIB_64 // 4))
    assert cost(lambda: slow(long)) > GROWTH * cost(lambda: slow(short), rounds=5)
