"""Lives of successive seeds, until there are enough years."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Executor, Future
from itertools import count

from sipcore.testing.sim.examine import Examined, examine

__all__ = ["lives"]


def lives(
    seed: int, climate: str, years: float, *, pool: Executor | None = None, ahead: int = 1
) -> Generator[Examined]:
    """Lives of successive seeds, in their order, until there are enough registration-years.

    They are the same ones with a `pool` as without: it gets `ahead` lives before the first has come back, and those
    that nobody waits for any more are called off.
    """
    seeds = count(seed)
    lived = 0.0
    begun: deque[Future[Examined]] = deque()
    try:
        if pool is not None:
            begun.extend(pool.submit(examine, next(seeds), climate) for _ in range(ahead))
        while lived < years:
            examined = begun.popleft().result() if begun else examine(next(seeds), climate)
            lived += examined.life.years
            yield examined
            if pool is not None:
                begun.append(pool.submit(examine, next(seeds), climate))
    finally:
        for future in begun:
            future.cancel()
