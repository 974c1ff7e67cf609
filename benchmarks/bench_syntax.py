"""What the message layer costs, beside other parsers: sipmessage, sippy, opensip, aiosipua, JsSIP, and a bare floor.

All take the same four kinds of message, each iteration another of ten thousand that differ in branch, tags, CSeq and
nonce; that all read and write the same is checked before anything is timed. README.md says how each figure is taken.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks.syntax import jssip
from benchmarks.syntax.checks import Disagreement, check, check_authorization, check_reading, check_refresh
from benchmarks.syntax.messages import CHALLENGED, KINDS, VARIANTS, WRITTEN, make, variants
from benchmarks.syntax.peers import PEERS, NotInstalled, load
from benchmarks.syntax.subjects import FLOOR, Prepare, Refresh, Subject, caches, ours
from benchmarks.syntax.timing import measure

PARSE_BAR = 1.6
"""Parse takes at most this many times the floor."""

READ_BAR = 3.0
"""To parse and read, the best Python peer takes at least this many times as long ..."""

SMALL_BAR = 2.0
"""... and this many times for the 401, whose cost is its two challenges, for credentials, and for the refresh."""


@dataclass
class Row:
    """One line of the table: seconds by the subject's name."""

    work: str
    seconds: dict[str, float]
    bar: float | None
    over_floor: bool = False
    """The bar is a multiple of the floor that may not be passed, not one that the best peer has to reach."""

    def ratio(self) -> float | None:
        """Ours over the floor, or the best Python peer over ours; None when there is nothing to compare with."""
        mine = self.seconds["sipcore"]
        if self.over_floor:
            return mine / self.seconds["floor"]
        peers = [seconds for name, seconds in self.seconds.items() if name in PEERS]
        return min(peers) / mine if peers else None

    def missed(self) -> bool:
        """True when there is a bar and it was not held."""
        ratio = self.ratio()
        if self.bar is None or ratio is None:
            return False
        return ratio > self.bar if self.over_floor else ratio < self.bar


@dataclass
class Results:
    """All that was measured."""

    names: list[str]
    rows: list[Row] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    """By peer, how to install it."""
    wrong: dict[str, str] = field(default_factory=dict)
    """By peer, what it did otherwise than all others, so that it was not timed."""
    remarks: dict[str, str] = field(default_factory=dict)


def main() -> int:
    """Print the table; 1 when a bar is missed, a peer does other work, or is absent with `--require-peers`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=VARIANTS, help="different messages of each kind")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="1000 messages, 3 runs: rough figures in seconds")
    parser.add_argument("--require-peers", action="store_true", help="a peer that is not installed is a failure")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these peers (jssip is one), or `none`")
    parser.add_argument("--work", nargs="+", choices=tuple(_WORKS), default=tuple(_WORKS))
    arguments = parser.parse_args()
    if arguments.messages < 1 or arguments.runs < 1:
        parser.error("--messages and --runs are at least 1")
    known = (*PEERS, "jssip", "none")
    if unknown := sorted(set(arguments.only or ()) - set(known)):
        parser.error(f"--only {' '.join(unknown)}: known are {', '.join(known)}")
    count, runs = (1000, 3) if arguments.quick else (arguments.messages, arguments.runs)
    results = run(count, runs, arguments.only, arguments.work)
    print(table(results))
    missed = [row.work for row in results.rows if row.missed()]
    for work in missed:
        print(f"missed: {work}")
    if results.absent and arguments.require_peers:
        print(f"missed: {', '.join(results.absent)}")
    return 1 if missed or results.wrong or (results.absent and arguments.require_peers) else 0


def run(count: int, runs: int, only: Sequence[str] | None = None, works: Sequence[str] = ()) -> Results:
    """Check, then measure what `works` names, which is everything when empty."""
    results = Results([])
    subjects = _subjects(results, only)
    for work in works or _WORKS:
        results.rows += _WORKS[work](subjects, count, runs)
    if only is None or "jssip" in only:
        try:
            _add_jssip(results, jssip.run(count, runs))
        except NotInstalled as error:
            results.absent["JsSIP"] = str(error)
        except Disagreement as error:
            results.wrong["JsSIP"] = str(error)
    return results


def table(results: Results) -> str:
    """The figures as text: microseconds for each subject, then the ratio that has a bar."""
    first = max(len(row.work) for row in results.rows)
    widths = [max(len(name), 6) for name in results.names]
    names = [f"{name:>{width}}" for name, width in zip(results.names, widths, strict=True)]
    lines = ["  ".join([f"{'microseconds of CPU':<{first}}", *names, "ratio"])]
    for row in results.rows:
        cells = [_cell(row.seconds.get(name), width) for name, width in zip(results.names, widths, strict=True)]
        lines.append("  ".join([f"{row.work:<{first}}", *cells, _verdict(row)]))
    lines += [f"{name}: {text}" for name, text in results.remarks.items() if text]
    lines += [f"{name}: {text}" for name, text in results.absent.items()]
    lines += [f"{name}: left out, does other work: {text}" for name, text in results.wrong.items()]
    return "\n".join(lines)


def _cell(seconds: float | None, width: int) -> str:
    return f"{'-':>{width}}" if seconds is None else f"{seconds * 1e6:>{width}.1f}"


def _verdict(row: Row) -> str:
    ratio = row.ratio()
    if ratio is None:
        return "no peer to compare with"
    what = "x the floor" if row.over_floor else "x faster than the best Python peer"
    if row.bar is None:
        return f"{ratio:.2f} {what}"
    bar = f"at {'most' if row.over_floor else 'least'} {row.bar}"
    return f"{ratio:.2f} {what} ({bar}{', MISSED' if row.missed() else ''})"


def _subjects(results: Results, only: Sequence[str] | None) -> list[Subject]:
    subjects = [FLOOR, ours()]
    check(subjects[1])
    for name in PEERS if only is None else [name for name in PEERS if name in only]:
        try:
            subject = load(name)
            check(subject)
        except NotInstalled as error:
            results.absent[name] = str(error)
        except Disagreement as error:
            results.wrong[name] = str(error)
        else:
            subjects.append(subject)
    results.names += [subject.name for subject in subjects]
    results.remarks |= {subject.name: subject.remark for subject in subjects}
    return subjects


def _parse(subjects: Sequence[Subject], count: int, runs: int) -> list[Row]:
    rows = []
    for kind in KINDS:
        seconds = _measure({subject.name: subject.parse for subject in subjects}, make(kind, count), runs)
        rows.append(Row(f"parse: {kind}", seconds, PARSE_BAR, over_floor=True))
    return rows


def _read(subjects: Sequence[Subject], count: int, runs: int) -> list[Row]:
    rows = []
    for kind in KINDS:
        tasks = {subject.name: subject.read for subject in subjects if subject.read is not None}
        bar = SMALL_BAR if kind == CHALLENGED else READ_BAR
        rows.append(Row(f"parse and read: {kind}", _measure(tasks, make(kind, count), runs), bar))
    return rows


def _answer(subjects: Sequence[Subject], count: int, runs: int) -> list[Row]:
    tasks = {subject.name: subject.answer for subject in subjects if subject.answer is not None}
    from_values = {subject.name: subject.answer_values for subject in subjects if subject.answer_values is not None}
    values = [variant.challenges for variant in variants(count)]
    return [
        Row("challenge to credentials", _measure(tasks, make(CHALLENGED, count), runs), SMALL_BAR),
        Row("challenge to credentials, values given", _measure(from_values, values, runs), None),
    ]


def _write(subjects: Sequence[Subject], count: int, runs: int) -> list[Row]:
    items = [
        (register, variant.challenges, variant.next_branch)
        for register, variant in zip(make(WRITTEN, count), variants(count), strict=True)
    ]
    prepare = {subject.name: partial(_state, subject.prepare) for subject in subjects if subject.prepare is not None}
    tasks = dict.fromkeys(prepare, _refresh)
    return [Row("write the next refresh", _measure(tasks, items, runs, prepare), SMALL_BAR)]


_WORKS: dict[str, Callable[[Sequence[Subject], int, int], list[Row]]] = {
    "parse": _parse,
    "read": _read,
    "answer": _answer,
    "write": _write,
}


def _state(prepare: Prepare, item: tuple[bytes, Sequence[str], str]) -> tuple[Refresh, str]:
    register, challenges, branch = item
    return prepare(register, challenges), branch


def _refresh(state: tuple[Refresh, str]) -> bytes:
    refresh, branch = state
    return refresh(branch)


def _measure(
    tasks: Mapping[str, Callable[[Any], object]],
    items: Sequence[Any],
    runs: int,
    prepare: Mapping[str, Callable[[Any], Any]] | None = None,
) -> dict[str, float]:
    # What is remembered from one message must not help with the next.
    forget = {"sipcore": [cache.cache_clear for cache in caches()]}
    # The messages are not looked at by the collections before each batch.
    gc.collect()
    gc.freeze()
    try:
        return measure(tasks, items, runs=runs, prepare=prepare, forget=forget)
    finally:
        gc.unfreeze()


def _add_jssip(results: Results, figures: Mapping[str, Any]) -> None:
    name = f"JsSIP {figures['version']}"
    (variant,) = variants(1)
    reference = ours().read
    assert reference is not None
    for kind, got in figures["samples"]["read"].items():
        check_reading("JsSIP", kind, got, reference(make(kind, 1)[0]))
    check_authorization("JsSIP", figures["samples"]["values"], variant, 1)
    check_refresh("JsSIP", figures["samples"]["write"].encode(), make(WRITTEN, 1)[0], variant, 2)
    microseconds = {f"parse: {kind}": figure for kind, figure in figures["parse"].items()}
    microseconds |= {f"parse and read: {kind}": figure for kind, figure in figures["read"].items()}
    microseconds["challenge to credentials, values given"] = figures["values"]
    microseconds["write the next refresh"] = figures["write"]
    results.names.append(name)
    results.remarks[name] = f"in Node {figures['node']}, after the others; reads one WWW-Authenticate of a message only"
    for row in results.rows:
        if row.work in microseconds:
            row.seconds[name] = microseconds[row.work] / 1e6


if __name__ == "__main__":
    sys.exit(main())
