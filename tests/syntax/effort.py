"""What reading may cost: CPU time of one call, and the bound that a flood is held to."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

__all__ = ["BUDGET", "SIZE", "cost", "fill"]

SIZE = 65_000
"""As long as a datagram can be."""

BUDGET = 2e-6 * SIZE + 100e-6
"""Seconds of CPU: 2 µs for a byte and 100 µs for a message are what a flood may cost, tenfold what it does cost."""


def fill(unit: str) -> str:
    """That text, repeated to `SIZE` characters."""
    return (unit * SIZE)[:SIZE]


def cost(run: Callable[[], object]) -> float:
    """CPU seconds; the best of three, since other programs may spoil the caches."""
    best = float("inf")
    for _ in range(3):
        start = process_time()
        run()
        best = min(best, process_time() - start)
        if best < BUDGET:
            break
    return best
