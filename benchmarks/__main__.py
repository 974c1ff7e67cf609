"""All benchmarks, with their bars: `python -m benchmarks`. The exit status is 1 when one of them was missed."""

from __future__ import annotations

import sys

from benchmarks import (
    bench_configuration,
    bench_drivers,
    bench_engine,
    bench_hostile,
    bench_replay,
    bench_scale,
    bench_syntax,
)


def main() -> int:
    """Run one after the other; each takes its own arguments only when it is run by itself."""
    sys.argv[1:] = []
    missed = 0
    for module in (
        bench_syntax,
        bench_hostile,
        bench_configuration,
        bench_engine,
        bench_replay,
        bench_drivers,
        bench_scale,
    ):
        print(f"== {module.__name__}", flush=True)
        missed |= module.main()
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
