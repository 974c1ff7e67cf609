"""What many lives have in common: sums, shares and spreads, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sipcore.testing.sim.life import Life

__all__ = ["Figures"]


class Figures:
    """The sums over all lives so far."""

    def __init__(self) -> None:
        self.lives = 0
        self.years = 0.0
        self.requests = 0
        self.answered = 0
        self.copies = 0
        self.attempts = 0
        self.failed = 0
        self.wanted = 0.0
        self.claimed = 0.0
        self.covered = 0.0
        self.faults: Counter[str] = Counter()
        self.spoofed = 0
        self.gaps: list[float] = []
        self.recoveries: list[float] = []
        self.growth = 1.0
        self.datagrams = [0, 0, 0]
        self.broken = 0

    def add(self, life: Life) -> None:
        """One more life."""
        self.lives += 1
        self.years += life.years
        self.requests += life.requests
        self.answered += life.answered
        self.copies += life.copies
        self.attempts += life.attempts
        self.failed += life.failed
        self.wanted += life.wanted
        self.claimed += life.claimed
        self.covered += life.covered
        self.faults.update(life.faults)
        self.spoofed += life.spoofed
        self.gaps.extend(life.gaps)
        self.recoveries.extend(life.recoveries)
        self.growth = max(self.growth, life.memory[1] / max(1, life.memory[0]))
        self.datagrams = [one + other for one, other in zip(self.datagrams, life.datagrams, strict=True)]
        self.broken += life.broken is not None

    def merge(self, other: Figures) -> None:
        """All lives of another process."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if name == "growth":
                self.growth = max(mine, value)
            elif name == "datagrams":
                self.datagrams = [one + two for one, two in zip(mine, value, strict=True)]
            elif isinstance(mine, Counter):
                mine.update(value)
            else:
                setattr(self, name, mine + value)

    def lines(self) -> list[str]:
        """The report, for people."""
        sent, lost, damaged = self.datagrams
        rows = [
            ("lives", f"{self.lives}"),
            ("registration-years", f"{self.years:.1f}"),
            ("REGISTER transactions", f"{self.requests}, and {self.copies} copies"),
            ("... that were answered", _share(self.answered, self.requests)),
            ("attempts that ended in a binding", _share(self.attempts - self.failed, self.attempts)),
            ("datagrams sent / lost / damaged", f"{sent} / {lost} / {damaged}"),
            ("incidents", f"{sum(self.faults.values())} of {len(self.faults)} kinds"),
            ("forged responses", f"{self.spoofed}"),
            ("registered, as the agent says", _share(self.claimed, self.wanted)),
            ("with a binding, as the registrar says", _share(self.covered, self.wanted)),
            ("gaps without a binding", f"{len(self.gaps)}, {_spread(self.gaps)}"),
            ("from the end of a storm to all registered", _spread(self.recoveries)),
            ("memory at a quiet time, against the first", f"{100 * self.growth - 100:+.1f} %"),
            ("broken invariants", f"{self.broken}"),
        ]
        return [f"{name:<52} {value}" for name, value in rows]


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.4f} %" if whole else "-"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "none"
    ordered = sorted(values)
    middle, high = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"median {middle:.1f} s, 99 % within {high:.1f} s, longest {ordered[-1]:.1f} s"
