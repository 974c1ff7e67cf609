"""`python -m sipcore.testing.sim --seed N --years Y --profile P`: simulated years, and what broke in them."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import SystemRandom

from sipcore.testing.sim.climates import CLIMATES
from sipcore.testing.sim.examine import Examined, examine
from sipcore.testing.sim.figures import Figures
from sipcore.testing.sim.incident_files import ReadError, read_plan, write_failure
from sipcore.testing.sim.life import live
from sipcore.testing.sim.plan import Plan
from sipcore.testing.sim.shrink import shrink

__all__ = ["main"]

AHEAD = 4
"""Lives handed to each process before the first has come back."""


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 when all invariants held, 1 when one broke, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m sipcore.testing.sim", description=__doc__)
    parser.add_argument("--seed", type=int, metavar="N", help="the first life's seed; default: a fresh one")
    parser.add_argument("--years", type=float, default=1.0, metavar="Y", help="registration-years, at least (1)")
    parser.add_argument("--profile", choices=sorted(CLIMATES), default="swarm", help="kind of life; default: swarm")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="lives lived at the same time (1)")
    parser.add_argument("--until-failure", action="store_true", help="go on until an invariant breaks")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="live the plan of a file that an earlier run wrote")
    parser.add_argument("--write", type=Path, default=Path(), metavar="DIR", help="where files of a failure go (.)")
    parser.add_argument("--quiet", action="store_true", help="only the report")
    options = parser.parse_args(arguments)
    if options.plan is not None:
        return _replay(options.plan)
    seed = SystemRandom().getrandbits(32) if options.seed is None else options.seed
    years = float("inf") if options.until_failure else options.years
    print(f"profile {options.profile}, seeds from {seed}", flush=True)
    figures, started = Figures(), time.monotonic()
    try:
        for examined in _lives(seed, options.profile, options.processes, years):
            life = examined.life
            figures.add(life)
            if life.broken is not None:
                return _report_failure(examined, options.write)
            if not options.quiet and sys.stderr.isatty():
                told = f"\r{figures.years:10.1f} years, {figures.requests} requests "
                print(told, end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        # What was lived counts, and is worth a report.
        print("interrupted")
    print("\n".join(figures.lines()))
    print(f"{'took':<52} {time.monotonic() - started:.0f} s")
    return 0


def _lives(seed: int, climate: str, processes: int, years: float) -> Iterator[Examined]:
    """Lives of successive seeds, in their order, until there are enough years: the same ones with any number of
    processes."""
    lived = 0.0
    if processes <= 1:
        while lived < years:
            examined = examine(seed, climate)
            lived += examined.life.years
            yield examined
            seed += 1
        return
    pool = ProcessPoolExecutor(processes)
    try:
        ahead = [pool.submit(examine, seed + number, climate) for number in range(AHEAD * processes)]
        seed += len(ahead)
        while lived < years:
            examined = ahead.pop(0).result()
            lived += examined.life.years
            yield examined
            ahead.append(pool.submit(examine, seed, climate))
            seed += 1
    finally:
        pool.shutdown(cancel_futures=True)


def _report_failure(examined: Examined, directory: Path) -> int:
    life = examined.life
    assert life.broken is not None
    number = life.broken.number
    print(f"\nseed {life.plan.seed}, profile {life.plan.climate}, commit {_commit()}")
    print(life.broken)
    print("\n".join(life.last))
    print(f"shrinking a plan of {life.plan.incidents} incidents", flush=True)

    def breaks(plan: Plan) -> bool:
        broken = live(plan).broken
        return broken is not None and broken.number == number

    small = shrink(life.plan, breaks) if not examined.compared else life.plan
    # One life alone does not show what a comparison did.
    again = live(small) if not examined.compared else life
    print(f"{small.incidents} incidents are left: {again.broken}")
    for index, storm in enumerate(small.storms):
        for incident in storm.incidents:
            print(f"  storm {index}, {incident.at:.3f} s: {incident.kind}, {incident.lasts} s, size {incident.size}")
    for path in write_failure(small, again, directory):
        print(f"written: {path}")
    return 1


def _replay(path: Path) -> int:
    try:
        plan = read_plan(path)
    except ReadError as error:
        print(error, file=sys.stderr)
        return 2
    life = live(plan)
    print(life.broken if life.broken is not None else f"all invariants hold; trace {life.digest}")
    print("\n".join(life.last))
    return int(life.broken is not None)


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
