"""Show or examine mutants: `python -m sipcore.testing.mutation --seed 1 --number 7`."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final

from sipcore.syntax.message import Message, parse_message
from sipcore.testing.mutation.corpus import Mutant, mutant
from sipcore.testing.mutation.delivery import deliver
from sipcore.testing.mutation.examination import examine_all
from sipcore.testing.mutation.reading import Violation, outcome

SHOWN: Final = 2000
"""Bytes of one line that are shown; --raw has all."""


def main(given: Sequence[str] | None = None) -> int:
    """Print; the exit status is 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m sipcore.testing.mutation", description="Show or examine mutants.")
    parser.add_argument("--seed", type=int, default=0, help="which order of all mutants; 0 unless told")
    parser.add_argument("--number", type=int, default=0, help="the mutant, or the first of --count; 0 unless told")
    parser.add_argument("--count", type=_positive, help="examine that many and print what came of them as JSON")
    parser.add_argument("--step", type=_positive, help="with --count: each so-many-th number")
    parser.add_argument("--raw", action="store_true", help="write the bytes as they are, and nothing else")
    parser.add_argument("--check", action="store_true", help="examine it as the tests do")
    arguments = parser.parse_args(given)
    if arguments.raw and (arguments.count or arguments.check):
        parser.error("--raw writes one mutant and nothing else: no --count, no --check")
    if arguments.step and not arguments.count:
        parser.error("--step goes with --count")
    if arguments.count:
        return _examine(arguments.seed, arguments.number, arguments.count, arguments.step or 1)
    case = mutant(arguments.seed, arguments.number)
    if arguments.raw:
        sys.stdout.buffer.write(case.data)
        return 0
    _show(case)
    return _examine(arguments.seed, arguments.number, 1, 1) if arguments.check else 0


def _show(case: Mutant) -> None:
    print(case)
    # Not by splitlines: a bare CR is to be seen within its line.
    for line in io.BytesIO(case.data):
        more = len(line) - SHOWN
        print(" ", repr(line[:SHOWN])[2:-1], *([f"... and {more} bytes more"] if more > 0 else []))
    print(f"{len(case.data)} bytes")
    message = outcome(lambda: parse_message(case.data))
    print("datagram:", message if isinstance(message, str) else "taken")
    for accepted in (False, True):
        found = deliver([case.data], accepted=accepted)
        items = ", ".join([f"{len(item)} bytes" if isinstance(item, bytes) else item.name for item in found.items])
        ending = found.error or f"{found.pending} bytes wait"
        print(f"stream that we {'accepted' if accepted else 'opened'}: {items or 'nothing'}; {ending}")
    if isinstance(message, Message):
        for name in [name for name in dir(message) if isinstance(getattr(type(message), name, None), property)]:
            value = outcome(lambda name=name: getattr(message, name))  # type: ignore[misc]  # bound early
            print(f"  {name}: {ascii(value)[:300]}")


def _examine(seed: int, first: int, count: int, step: int) -> int:
    result = examine_all(mutant(seed, number) for number in range(first, first + count * step, step))
    for case, error in result.failed:
        print(f"{case}\n  {type(error).__name__}: {ascii(str(error))[:500]}\n  {case.command}", file=sys.stderr)
    if result.failed and not isinstance(result.failed[0][1], Violation):
        traceback.print_exception(result.failed[0][1])
    report = {
        "seed": seed,
        "cases": result.cases,
        "failed": len(result.failed),
        "slowest_ms": round(result.slowest * 1e3, 1),
        "slowest": result.slowest_case,
        "became": dict(result.became.most_common()),
    }
    print(json.dumps(report, ensure_ascii=True))
    return 1 if result.failed else 0


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return number


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read had enough, as `head` does; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    raise SystemExit(status)
