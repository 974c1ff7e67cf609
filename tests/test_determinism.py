"""Same inputs, same outputs, byte for byte: also in another process, whose strings have other hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(hash_seed: int) -> str:
    """What the scenario put out under that seed of string hashes."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hash_seed_scenario"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_outputs_do_not_depend_on_the_hashes_of_strings() -> None:
    first, second = run(1), run(2)
    for kind in ("Transmit(", "FlowLost(", "CloseFlow(", "StatusChanged(", "OpenFlow("):
        assert f" {kind}" in first, "the scenario has something of everything"
    assert first.count("\n") > 150
    for number, (one, two) in enumerate(zip(first.splitlines(), second.splitlines(), strict=True), 1):
        assert one == two, f"output {number}"
