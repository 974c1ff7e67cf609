"""JsSIP, run by Node: it gets the messages as JSON, times itself, and gives its figures back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.syntax.messages import CHALLENGED, KINDS, PASSWORD, REQUEST_URI, USER, WRITTEN, make, variants
from benchmarks.syntax.peers import NotInstalled
from benchmarks.syntax.timing import BATCH

__all__ = ["DIRECTORY", "run"]

DIRECTORY = Path(__file__).parent.parent / "jssip"
"""Where package.json is, and node_modules once it is installed."""

WARM_UP = 5000
"""Messages of each kind that Node gets before any is timed: it compiles what has run often enough."""


def run(count: int, runs: int) -> dict[str, Any]:
    """What parse.mjs gives; its figures are in microseconds. Raises `NotInstalled`."""
    node = shutil.which("node")
    if node is None:
        raise NotInstalled("not installed: there is no node")
    if not (DIRECTORY / "node_modules" / "jssip").is_dir():
        raise NotInstalled("not installed: npm install --prefix benchmarks/jssip")
    data = {
        "kinds": {kind: [message.decode() for message in make(kind, count)] for kind in KINDS},
        "written": WRITTEN,
        "challenged": CHALLENGED,
        "challenges": [variant.challenges for variant in variants(count)],
        "branches": [variant.next_branch for variant in variants(count)],
        "runs": runs,
        "batch": BATCH,
        "warm_up": min(count, WARM_UP),
        "user": USER,
        "password": PASSWORD,
        "uri": REQUEST_URI,
    }
    done = subprocess.run(
        [node, str(DIRECTORY / "parse.mjs")], input=json.dumps(data), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"parse.mjs failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result
