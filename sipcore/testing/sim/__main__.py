"""`python -m sipcore.testing.sim --seed N --years Y --profile P`: simulated years, and what broke in them."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from random import SystemRandom

from sipcore.testing.sim.broken import BrokenInvariant
from sipcore.testing.sim.climates import CLIMATES
from sipcore.testing.sim.examine import Examined, examine_plan
from sipcore.testing.sim.figures import Figures
from sipcore.testing.sim.incident_files import ReadError, read_plan, write_failure
from sipcore.testing.sim.life import Life
from sipcore.testing.sim.lives import lives
from sipcore.testing.sim.plan import Plan
from sipcore.testing.sim.shrink import shrink

__all__ = ["main"]

AHEAD = 4
"""Lives handed to each process before the first has come back."""

SHRINKING = 180.0
"""Seconds after which no smaller plan is tried: a comparison takes two lives or three for each trial."""


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 when all invariants held, 1 when one broke, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m sipcore.testing.sim", description=__doc__)
    parser.add_argument("--seed", type=int, metavar="N", help="the first life's seed; default: a fresh one")
    parser.add_argument("--years", type=_years, default=1.0, metavar="Y", help="registration-years, at least (1)")
    parser.add_argument("--profile", choices=sorted(CLIMATES), default="swarm", help="kind of life; default: swarm")
    parser.add_argument("--processes", type=_processes, default=1, metavar="N", help="lives lived at the same time (1)")
    parser.add_argument("--until-failure", action="store_true", help="go on until an invariant breaks")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="live the plan of a file that an earlier run wrote")
    parser.add_argument("--write", type=_folder, default=Path(), metavar="DIR", help="where files of a failure go (.)")
    parser.add_argument("--quiet", action="store_true", help="only the report")
    options = parser.parse_args(arguments)
    if options.plan is not None:
        return _replay(options.plan)
    seed = SystemRandom().getrandbits(32) if options.seed is None else options.seed
    years = math.inf if options.until_failure else options.years
    print(f"profile {options.profile}, seeds from {seed}", flush=True)
    figures, started = Figures(), time.monotonic()
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(options.processes)) if options.processes > 1 else None
        ahead = AHEAD * options.processes
        all_lives = stack.enter_context(closing(lives(seed, options.profile, years, pool=pool, ahead=ahead)))
        try:
            for examined in all_lives:
                life = examined.life
                figures.add(life)
                if life.broken is not None:
                    all_lives.close()
                    return _report_failure(examined, life.broken, options.write)
                if not options.quiet and sys.stderr.isatty():
                    told = f"\r{figures.years:10.1f} years, {figures.requests} requests "
                    print(told, end="", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            # What was lived counts, and is worth a report.
            print("interrupted")
    print("\n".join(figures.lines()))
    print(f"{'took':<52} {time.monotonic() - started:.0f} s")
    return 0


def _years(text: str) -> float:
    # Also false for what is not a number.
    if not 0 < (years := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not more than 0; --until-failure has no end")
    return years


def _processes(text: str) -> int:
    if (processes := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 1")
    return processes


def _folder(text: str) -> Path:
    """Made and tried before the run: what a failure is worth is in its files."""
    folder = Path(text)
    probe = folder / ".sim-probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"nothing can be written to {text!r}: {error.strerror}") from None
    return folder


def _report_failure(examined: Examined, broken: BrokenInvariant, directory: Path) -> int:
    life = examined.life
    print(f"\nseed {life.plan.seed}, profile {life.plan.climate}, commit {_commit()}")
    print(broken)
    print("\n".join(life.last))
    print(f"shrinking a plan of {_incidents(life.plan)}", flush=True)
    small = shrink(life.plan, _breaker(examined, broken.number))
    again = _examined_as(small, examined)
    if again.broken is None:
        print("which it does not do each time")
        again = life
    print(f"{_incidents(small)} left: {again.broken}")
    for index, storm in enumerate(small.storms):
        for incident in storm.incidents:
            print(f"  storm {index}, {incident.at:.3f} s: {incident.kind}, {incident.lasts} s, size {incident.size}")
    try:
        for path in write_failure(small, again, directory):
            print(f"written: {path}")
    except OSError as error:
        print(f"nothing more can be written: {error}", file=sys.stderr)
    return 1


def _breaker(examined: Examined, number: int) -> Callable[[Plan], bool]:
    """Whether a plan breaks the same invariant in the same way, for as long as there is time to try."""
    until = time.monotonic() + SHRINKING

    def breaks(plan: Plan) -> bool:
        if time.monotonic() > until:
            return False
        broken = _examined_as(plan, examined).broken
        return broken is not None and broken.number == number

    return breaks


def _examined_as(plan: Plan, examined: Examined) -> Life:
    """With the comparison that showed the fault, and no other."""
    return examine_plan(plan, () if examined.comparison is None else (examined.comparison,)).life


def _incidents(plan: Plan) -> str:
    return "1 incident" if plan.incidents == 1 else f"{plan.incidents} incidents"


def _replay(path: Path) -> int:
    try:
        plan = read_plan(path)
    except ReadError as error:
        print(error, file=sys.stderr)
        return 2
    life = examine_plan(plan).life
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
