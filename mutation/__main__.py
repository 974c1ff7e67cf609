"""`python -m mutation tables [FILE ...]` and `python -m mutation report`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from mutation.faults import faults
from mutation.plant import VARIABLE

__all__ = ["main"]

RULES: Final = [
    f"tests/registration/test_{name}.py"
    for name in ("pure_defaults", "too_brief", "schedule_properties", "classify_properties")
]

OWN: Final[Mapping[str, Sequence[Sequence[str]]]] = {
    "sipcore/auth": [["tests/auth"]],
    "sipcore/transaction": [["tests/transaction"], ["tests/exchange"]],
    "sipcore/profiles": [["tests/test_profiles.py", *RULES], ["tests/registration", "tests/exchange"]],
    "sipcore/registration": [RULES, ["tests/registration", "tests/exchange"]],
}
"""The tests that have to notice a fault in a table: first those that most often do, then the others."""

ALSO: Final = ("sipcore/profiles.py",)
"""Modules that are tables and nothing else, so that mutmut is not told of them."""

RESULTS: Final = Path("mutants")
"""Where mutmut keeps what it found, and we ours; nothing there is worth a commit."""

STATUS: Final[Mapping[int | None, str]] = {None: "unchecked", 0: "survived", 1: "killed", 3: "killed", 33: "survived"}
TIMEOUTS: Final = frozenset({-24, 24, 36, 152, 255})
"""Exit codes of mutmut for a mutant that ran for ever, which the tests therefore noticed."""

SLACK: Final = 10
"""How many times longer than without a fault the tests may take."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tables, or show the scores; gives 1 when something survived."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description="Mutation testing; see docs/mutation.md.")
    commands = parser.add_subparsers(dest="command", required=True)
    tables = commands.add_parser("tables", help="break the tables that mutmut leaves alone")
    tables.add_argument("files", nargs="*", help="modules; all that mutmut breaks, and the profiles, unless told")
    tables.add_argument("--list", action="store_true", help="show the faults and run nothing")
    commands.add_parser("report", help="the scores by module, and what survived")
    options = parser.parse_args(arguments)
    if options.command == "report":
        return _report()
    chosen = sorted(Path(name) for name in options.files) or _modules()
    if options.list:
        for path in chosen:
            for number, fault in enumerate(faults(path.read_text("utf-8"))):
                print(f"{_module(path)}:{number} line {fault.line}: {fault.text}")
        return 0
    return int(sum(_break(path) for path in chosen) > 0)


def _break(path: Path) -> int:
    """Run the tests with each fault of one module; how many survived."""
    module, found = _module(path), faults(path.read_text("utf-8"))
    if not found:
        return 0
    stages = next(stages for place, stages in OWN.items() if str(path).startswith(place))
    started = time.monotonic()
    for tests in stages:
        if _pytest(tests, None, None):
            raise SystemExit(f"{' '.join(tests)}: fails without any fault")
    limit = SLACK * (time.monotonic() - started) + SLACK
    results: dict[str, str] = {}
    for number, fault in enumerate(found):
        name = f"{module}:{number} line {fault.line}: {fault.text}"
        results[name] = _outcome(stages, f"{module}:{number}", limit)
        if results[name] != "killed":
            print(f"{results[name]}: {name}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{module}.tables.json").write_text(json.dumps(results, indent=1), "utf-8")
    _row(str(path), Counter(results.values()))
    return list(results.values()).count("survived")


def _outcome(stages: Sequence[Sequence[str]], fault: str, limit: float) -> str:
    try:
        return "killed" if any(_pytest(tests, fault, limit) for tests in stages) else "survived"
    except subprocess.TimeoutExpired:
        return "timeout"


def _pytest(tests: Sequence[str], fault: str | None, limit: float | None) -> int:
    command = [sys.executable, "-m", "pytest", "-p", "mutation.plant", "-x", "-q", "--no-header", *_options(), *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if fault is not None:
        environment[VARIABLE] = fault
    return subprocess.run(command, env=environment, timeout=limit, capture_output=True, check=False).returncode


def _report() -> int:
    total: Counter[str] = Counter()
    left = []
    print(f"{'module':42} {'mutants':>8} {'killed':>7} {'timeout':>8} {'survived':>9} {'score':>7}")
    for name, results in _all_results():
        counts = Counter(results.values())
        _row(name, counts)
        total += counts
        left += [mutant for mutant, status in results.items() if status in ("survived", "unchecked")]
    _row("all", total)
    print("\n".join(left))
    return int(bool(left))


def _all_results() -> Iterator[tuple[str, dict[str, str]]]:
    for path in sorted(RESULTS.glob("sipcore/**/*.meta")):
        codes: dict[str, int | None] = json.loads(path.read_text("utf-8"))["exit_code_by_key"]
        named = {key: "timeout" if code in TIMEOUTS else STATUS.get(code, "killed") for key, code in codes.items()}
        if named:
            yield str(path.relative_to(RESULTS).with_suffix("")), named
    for path in sorted(RESULTS.glob("*.tables.json")):
        yield f"{path.name.removesuffix('.tables.json')}, tables", json.loads(path.read_text("utf-8"))


def _row(name: str, counts: Mapping[str, int]) -> None:
    killed, late, alive = counts.get("killed", 0), counts.get("timeout", 0), counts.get("survived", 0)
    score = f"{100 * (killed + late) / max(killed + late + alive, 1):.1f} %"
    print(f"{name:42} {sum(counts.values()):8} {killed:7} {late:8} {alive:9} {score:>7}", flush=True)


def _modules() -> list[Path]:
    patterns: list[str] = _configuration()["only_mutate"]
    found = [path for path in sorted(Path("sipcore").rglob("*.py")) if any(fnmatch(str(path), it) for it in patterns)]
    return [*found, *map(Path, ALSO)]


def _options() -> list[str]:
    """What mutmut gives to pytest, too: among it, what cannot be run on broken code."""
    options: list[str] = _configuration()["pytest_add_cli_args"]
    return options


def _configuration() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    return table


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


if __name__ == "__main__":
    sys.exit(main())
