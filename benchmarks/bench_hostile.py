"""What hostile messages cost: 64 KiB of anything, and mutants, parsed and read to the last value.

For each slot of a message the worst of all that it was filled with, as a ratio to `bytes.split` on the same data (see
`benchmarks.hostile`), measured in the same run. The mutants are those of `sipcore.testing.mutation`; their ratio is to
the messages that they were made from.
"""

from __future__ import annotations

import argparse

from benchmarks.hostile import UNITS, Hostile, cost, hostile, read, split, stream
from sipcore.testing.mutation import SIP, mutant

__all__ = ["main"]

BAR = 300.0
"""At most this many times `bytes.split`, whatever the bytes: splitting costs 3 to 5 ns for a byte, so this is the 2 µs
that one byte of a flood may cost, with room to spare."""

BAR_PER_BYTE = 2e-6
"""Seconds of CPU for a byte."""

BAR_MUTANTS = 2.0
"""A damaged message costs at most so many times a good one."""


def main() -> int:
    """Print the figures; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=len(UNITS), help="how many of the units fill the slots")
    parser.add_argument("--mutants", type=int, default=5000)
    arguments = parser.parse_args()
    worst: dict[str, tuple[float, float, float, Hostile]] = {}
    for case in hostile(units=UNITS[: arguments.units]):
        measure = cost(lambda case=case: split(case))  # type: ignore[misc]  # bound early
        spent = cost(lambda case=case: read(case.data), rounds=2)  # type: ignore[misc]  # bound early
        cut = cost(lambda case=case: stream(case.data), rounds=2)  # type: ignore[misc]  # bound early
        found = (spent / measure, spent, cut / measure, case)
        worst[case.slot] = max(worst.get(case.slot, found), found, key=lambda item: item[:3])
    print(f"{'slot':40} {'worst of':12} {'ms':>6} {'ns/byte':>8} {'x split':>8} {'stream, x split':>16}")
    missed = False
    for slot, (ratio, spent, cut, case) in sorted(worst.items(), key=lambda item: -item[1][0]):
        per_byte = spent / len(case.data)
        missed |= ratio > BAR or per_byte > BAR_PER_BYTE
        print(f"{slot:40} {case.unit!a:12} {spent * 1e3:6.1f} {per_byte * 1e9:8.0f} {ratio:8.0f} {cut:16.1f}")
    good = sum(cost(lambda data=base.data: read(data)) for base in SIP.bases) / len(SIP.bases)  # type: ignore[misc]
    drawn = [mutant(1, number).data for number in range(arguments.mutants)]
    cases = [data for data in drawn if len(data) < 4096]  # The long ones are looked at above.
    damaged = cost(lambda: _read_all(cases), rounds=2) / len(cases)
    print(f"a good message   {good * 1e6:8.1f} us to read to the last value")
    print(f"a mutant         {damaged * 1e6:8.1f} us  {damaged / good:5.2f} x (bar {BAR_MUTANTS:.1f} x)")
    missed |= damaged > BAR_MUTANTS * good
    print(f"bars: {BAR:.0f} x split and {BAR_PER_BYTE * 1e9:.0f} ns/byte: {'missed' if missed else 'held'}")
    return int(missed)


def _read_all(cases: list[bytes]) -> None:
    for data in cases:
        read(data)


if __name__ == "__main__":
    raise SystemExit(main())
