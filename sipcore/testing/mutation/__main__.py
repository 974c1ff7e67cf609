"""Show or examine mutants: `python -m sipcore.testing.mutation --seed 1 --number 7`."""

from __future__ import annotations

import argparse
import json
import sys
import traceback

from sipcore.syntax.message import Message, parse_message
from sipcore.testing.mutation.corpus import Mutant, mutant
from sipcore.testing.mutation.delivery import deliver
from sipcore.testing.mutation.examination import examine_all
from sipcore.testing.mutation.reading import Violation, outcome


def main() -> int:
    """Print; the exit status is 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m sipcore.testing.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, default=0, help="the mutant, or the first of --count")
    parser.add_argument("--count", type=int, default=1, help="examine that many and print what came of them as JSON")
    parser.add_argument("--step", type=int, default=1, help="with --count: each so-many-th number")
    parser.add_argument("--raw", action="store_true", help="write the bytes as they are, and nothing else")
    parser.add_argument("--check", action="store_true", help="examine it as the tests do")
    arguments = parser.parse_args()
    if arguments.count > 1:
        return _examine(arguments.seed, arguments.number, arguments.count, arguments.step)
    case = mutant(arguments.seed, arguments.number)
    if arguments.raw:
        sys.stdout.buffer.write(case.data)
        return 0
    _show(case)
    return _examine(arguments.seed, arguments.number, 1, 1) if arguments.check else 0


def _show(case: Mutant) -> None:
    print(case)
    for line in case.data.split(b"\n"):
        print(" ", repr(line + b"\n")[2:-1][:2000])
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


if __name__ == "__main__":
    raise SystemExit(main())
