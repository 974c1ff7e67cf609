"""`sipcore watch`: changes as they happen, as a table on a terminal and as lines elsewhere."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from sipcore_trio.daemon import codes
from sipcore_trio.daemon.client import Refused, Unreachable, be_lenient, complain, exchange
from sipcore_trio.daemon.render import rich_table, row

__all__ = ["watch"]

Line = dict[str, Any]


def watch(options: argparse.Namespace) -> int:
    """Print until it is interrupted or the daemon ends; the latter is an error, since nobody asked for it."""
    be_lenient()
    request: Line = {"command": "watch"}
    if options.name is not None:
        request["name"] = options.name
    lines = exchange(options.control, request, wait=None)
    try:
        if options.json:
            _as_json(lines)
        elif sys.stdout.isatty() and _rich():
            _as_table(lines)
        else:
            _as_text(lines)
    except KeyboardInterrupt:
        return codes.INTERRUPTED
    except (Unreachable, Refused) as error:
        return complain(error)
    return codes.OK


def _as_json(lines: Iterator[Line]) -> None:
    for line in lines:
        if "registration" in line:
            print(json.dumps(line["registration"], ensure_ascii=True, separators=(",", ":")), flush=True)
        _note(line)


def _as_text(lines: Iterator[Line]) -> None:
    for line in lines:
        if "registration" in line:
            now = time.time()
            name, state, server, expires, coming, cause = row(line["registration"], now)
            moment = time.strftime("%H:%M:%S", time.localtime(now))
            print(f"{moment} {name}: {state}, {server}, expires {expires}, next {coming}: {cause}", flush=True)
        _note(line)


def _as_table(lines: Iterator[Line]) -> None:
    from rich.live import Live

    known: dict[str, Mapping[str, Any]] = {}
    complete = False
    with Live(auto_refresh=False) as live:
        for line in lines:
            if "registration" in line:
                item = line["registration"]
                known[item["name"]] = item
            complete = complete or "complete" in line
            if "note" in line:
                live.console.print(f"sipcore: {line['note']}", markup=False, highlight=False)
            if complete:
                live.update(rich_table(known.values(), time.time(), compact=True), refresh=True)


def _rich() -> bool:
    try:
        import rich  # noqa: F401 (only whether it is there)
    except ImportError:
        return False
    return True


def _note(line: Line) -> None:
    if "note" in line:
        print(f"sipcore: {line['note']}", file=sys.stderr, flush=True)
