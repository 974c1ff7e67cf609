"""The files that a failing run leaves: its plan as a regression test, and what the agent was told as a recording."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sipcore.testing.sim.life import Life, live_recorded
from sipcore.testing.sim.plan import Plan

__all__ = ["FORMAT", "ReadError", "read_plan", "write_failure"]

FORMAT = 1
"""The number of the format; a file with another one is refused."""


class ReadError(Exception):
    """A file cannot be used; the text names it and says why."""


def write_failure(plan: Plan, life: Life, directory: Path) -> Iterator[Path]:
    """Write the plan, then a recording of the life for `sipcore replay`; yields each path when it is there.

    Raises `OSError`."""
    stem = f"sim-{plan.climate}-{plan.seed}"
    path = directory / f"{stem}.json"
    broken = life.broken
    document = {
        "format": FORMAT,
        "invariant": broken.number if broken is not None else None,
        "text": str(broken) if broken is not None else "",
        "plan": plan.to_json(),
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    yield path
    # What the last process was told; the ring holds as much as explains the end.
    _, lines = live_recorded(plan)
    path = directory / f"{stem}.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    yield path


def read_plan(path: Path) -> Plan:
    """The plan of a file. Raises `ReadError`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ReadError(f"{path}: not a plan of format {FORMAT}")
        return Plan.from_json(document.get("plan"))
    except OSError as error:
        raise ReadError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ReadError(f"{path}: {error}") from None
    except RecursionError:
        raise ReadError(f"{path}: too deeply nested") from None
