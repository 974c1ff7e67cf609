"""What a registration with digest costs over loopback UDP through each driver, against the embedded registrar.

The registrar runs in a process of its own. Measured is the CPU time of the client's process from the opening of the
agent until every account is registered, for a burst of accounts that all start at once; making the accounts is not
included. The result is a ratio to the floor of `floor.py`, measured in the same run; the least of several runs counts.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence

import trio

import sipcore_asyncio
import sipcore_sync
import sipcore_trio
from benchmarks.floor import measure_floor
from benchmarks.peer import accounts, registrar
from sipcore import Account

BARS = {"sync": 15.0, "asyncio": 15.0, "trio": 20.0}
"""At most so many times the floor."""


def main() -> int:
    """Print the figures; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registrations", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    floor = measure_floor()
    missed = 0
    costs: dict[str, float] = {}
    for name, run in _DRIVERS.items():
        costs[name] = min(_measure(run, arguments.registrations) for _ in range(arguments.runs))
    floor = min(floor, measure_floor())
    print(f"floor    {floor * 1e6:8.1f} us of CPU for one registration")
    for name, cost in costs.items():
        print(f"{name:8} {cost * 1e6:8.1f} us  {cost / floor:5.1f} x the floor (bar {BARS[name]:.0f} x)")
        missed += cost > BARS[name] * floor
    return 1 if missed else 0


def _measure(run: Callable[[Sequence[Account]], float], count: int) -> float:
    with registrar(count) as peer:
        return run(accounts(count, peer.port)) / count


def _sync(batch: Sequence[Account]) -> float:
    began = time.process_time()
    with sipcore_sync.open_agent(batch, wait=30.0, threaded=False, leave_within=0.0):
        return time.process_time() - began


def _asyncio(batch: Sequence[Account]) -> float:
    async def run() -> float:
        began = time.process_time()
        async with sipcore_asyncio.open_agent(batch, wait=30.0, leave_within=0.0):
            return time.process_time() - began

    return asyncio.run(run())


def _trio(batch: Sequence[Account]) -> float:
    async def run() -> float:
        began = time.process_time()
        async with sipcore_trio.open_agent(batch, wait=30.0, leave_within=0.0):
            return time.process_time() - began

    return trio.run(run)


_DRIVERS: dict[str, Callable[[Sequence[Account]], float]] = {"sync": _sync, "asyncio": _asyncio, "trio": _trio}

if __name__ == "__main__":
    raise SystemExit(main())
