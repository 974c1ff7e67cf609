"""Two processes whose strings have other hashes record the same lives in the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parent.parent.parent


def run(hash_seed: int) -> list[str]:
    """What the scenario wrote under that seed of string hashes."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.replay.recording_hash_seed_scenario"],
        cwd=TOP,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_recordings_do_not_depend_on_the_hashes_of_strings() -> None:
    first, second = run(1), run(4711)
    text = "\n".join(first)
    for part in ('"is":"ClientTransaction"', '"is":"ServerTransaction"', '"users":["', '"do":"receive"', '"Transmit"'):
        assert part in text, "the lives have something of everything"
    assert len(first) > 1000
    for number, (one, two) in enumerate(zip(first, second, strict=True), 1):
        assert one == two, f"line {number}"
