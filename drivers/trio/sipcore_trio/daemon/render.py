"""Statuses as text: a rich table on a terminal, plain columns elsewhere, one registration in full."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from sipcore.syntax.grammar import visible
from sipcore_trio.daemon.views import cause_text, relative

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["COLUMNS", "columns", "detail", "print_table", "rich_table", "row"]

COLUMNS = ("NAME", "STATE", "SERVER", "EXPIRES", "NEXT ATTEMPT", "CAUSE")

MAX_CELL = 60
"""Characters of a column in the plain form; one long name must not push all columns apart."""

_COLOURS = {"Registered": "green", "Rejected": "red", "Unregistered": "yellow", "Stopped": "dim"}

# Phases that say no more than the state does.
_QUIET = ("idle", "waiting")


def row(item: Mapping[str, Any], now: float) -> tuple[str, ...]:
    """One registration as the texts of `COLUMNS`; `now` is wall-clock time."""
    state, phase = str(item["state"]), str(item["phase"])
    server = f"{item['server']} {item['transport'] or ''}".rstrip() if item["server"] else "-"
    return (
        visible(str(item["name"])),
        state if phase in _QUIET else f"{state} ({phase})",
        server,
        relative(item["expires_at"], now),
        relative(item["next_attempt_at"], now),
        cause_text(item["cause"]) or "-",
    )


def columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Rows as aligned lines; the last column is not padded."""
    widths = [min(MAX_CELL, max(map(len, column))) for column in zip(*rows, strict=True)][:-1]
    for cells in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)), cells[-1]])


def rich_table(
    items: Iterable[Mapping[str, Any]], now: float, *, title: str | None = None, compact: bool = False
) -> Table:
    """The same as a table with colours; `compact` has one line for each registration, however narrow the terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", expand=False)
    if compact:
        table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name in COLUMNS:
        # State and cause are the longest, and the ones that can be read when they are cut.
        fixed = compact and name not in ("STATE", "CAUSE")
        head = Text("Next" if compact and name == "NEXT ATTEMPT" else name.capitalize(), no_wrap=compact)
        table.add_column(head, overflow="fold", no_wrap=fixed, min_width=12 if compact and name == "STATE" else None)
    for item in items:
        colour = _COLOURS.get(str(item["state"]), "")
        # Text, not str: square brackets in a peer's words are no markup.
        cells = [Text(cell, no_wrap=True, overflow="ellipsis") if compact else Text(cell) for cell in row(item, now)]
        cells[1].stylize(colour)
        table.add_row(*cells)
    return table


def print_table(items: Sequence[Mapping[str, Any]], out: TextIO | None = None) -> None:
    """Print registrations, with colours when `out` is a terminal."""
    out = sys.stdout if out is None else out
    now = time.time()
    if out.isatty():
        try:
            from rich.console import Console
        except ImportError:
            pass
        else:
            Console(file=out).print(rich_table(items, now))
            return
    for line in columns([COLUMNS, *(row(item, now) for item in items)]):
        print(line.rstrip(), file=out)


def detail(item: Mapping[str, Any], now: float) -> Iterable[str]:
    """One registration with everything that is known, a line for each field."""
    for name, value in item.items():
        if name == "bindings":
            for binding in value:
                own = " (ours)" if binding["own"] else ""
                yield f"binding: {visible(binding['uri'])}, {relative(binding['expires_at'], now)}{own}"
        elif name == "cause":
            yield f"cause: {cause_text(value) or '-'}"
            yield f"class: {(value or {}).get('kind') or '-'}"
        elif name in ("since", "expires_at", "next_attempt_at"):
            yield f"{name}: {_moment(value, now)}"
        else:
            yield f"{name}: {'-' if value is None else visible(str(value))}"


def _moment(value: float | None, now: float) -> str:
    if value is None:
        return "-"
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(value))} ({relative(value, now)})"
