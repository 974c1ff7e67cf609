"""200 000 damaged messages: nothing comes out but the documented error, and the way they came never matters.

Most are of a fixed seed, so that what was right stays right; the others of a fresh one, so that each run looks
elsewhere. A failure prints the command that shows its case; `SIPCORE_SEED=...` repeats a fresh run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from sipcore.testing.mutation import MAX_CPU
from tests.programs import ENVIRONMENT
from tests.seeds import FRESH_SEED

RUNS = ((1, 130_000), (FRESH_SEED, 70_000))
"""Seed and how many of its mutants."""

PROGRAM = (sys.executable, "-m", "sipcore.testing.mutation")

WORKERS = 2
"""Processes; more make the run shorter where there are more processors, and no longer where there are not."""


@pytest.mark.requirement("RFC3261-18.3-03", "RFC3261-20.14-02")
def test_two_hundred_thousand_messages_do_no_harm() -> None:
    """Law: of any mutant `examine` finds nothing, and it takes less than a quarter of a second of CPU."""
    print(f"SIPCORE_SEED={FRESH_SEED}")
    reports = [report for seed, count in RUNS for report in examined(seed, count)]
    slowest = max(reports, key=lambda report: report["slowest_ms"])
    print(f"slowest: {slowest['slowest_ms']} ms of CPU: {slowest['slowest']}")
    cases = sum(report["cases"] for report in reports)
    assert cases == 200_000
    assert slowest["slowest_ms"] < MAX_CPU * 1e3
    became: Counter[str] = Counter()
    for report in reports:
        became.update(report["became"])
    print(dict(became.most_common()))
    # Damage that is always refused at once would test nothing behind the first check.
    assert 0.5 < became["taken"] / cases < 0.9
    assert len(became) >= 15


def examined(seed: int, count: int) -> list[dict[str, Any]]:
    """The reports of the workers, each of which got an equal share."""
    share = count // WORKERS
    workers = [
        subprocess.Popen(
            [*PROGRAM, "--seed", str(seed), "--number", str(first), "--count", str(share)],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in range(0, count, share)
    ]
    results = [(*worker.communicate(), worker.returncode) for worker in workers]
    for output, errors, status in results:
        assert status == 0, f"{errors}\n{output}"
    return [json.loads(output) for output, _, _ in results]
