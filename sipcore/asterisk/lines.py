"""The lines of one file without their comments, as Asterisk's reader sees them.

A semicolon begins a comment to the end of the line, `\\;` is a semicolon, and `;--` to `--;` is a block, which nests
and may begin and end within a line. Each file has its own blocks: one that is left open ends with its file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sipcore.asterisk.faults import FileFault

__all__ = ["MAX_LINE", "MAX_NESTING", "Line", "lines"]

MAX_LINE = 8189
"""Bytes in a line: with its end it has to leave one byte free in Asterisk's buffer of 8192, or it is skipped."""

MAX_NESTING = 128
"""Block comments within block comments, as in Asterisk."""


class Line(NamedTuple):
    """What is left of a line, stripped; never empty."""

    number: int
    text: str
    joined: bool
    """A comment began right behind its last word, without a blank."""


def lines(text: str, file: str, warnings: dict[str, None]) -> Iterator[Line]:
    """The lines that hold something. Raises `ConfigError` with `file:line`; adds to `warnings`."""
    comments = _Comments(file)
    number = 0
    start = 0
    size = len(text)
    while start <= size:
        end = text.find("\n", start)
        if end < 0:
            end = size
        line = text[start:end]
        start = end + 1
        number += 1
        if len(line) > MAX_LINE // 4 and _too_long(line):
            # A long line may be one with a password, so nothing of it is shown.
            warnings[f"{file}:{number}: line: longer than {MAX_LINE} bytes, so it is skipped, as in Asterisk"] = None
            continue
        joined = False
        if ";" in line or comments.open:
            line, joined = comments.remove(line, number)
        line = line.strip(" \t\r")
        if line:
            yield Line(number, line, joined)
    if comments.open:
        told = "';--' is never closed by '--;', so all that follows is a comment, as in Asterisk"
        warnings[f"{file}:{comments.open[-1]}: comment: {told}"] = None


def _too_long(line: str) -> bool:
    return len(line) > MAX_LINE or len(line.encode("utf-8", "surrogateescape")) > MAX_LINE


class _Comments:
    """The block comments that are open, each with the line where it began."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.open: list[int] = []

    def remove(self, line: str, number: int) -> tuple[str, bool]:
        """The line without comments and with `\\;` undone; and whether a comment began right after a value."""
        kept: list[str] = []
        start = position = 0
        nesting = self.open
        while (at := line.find(";", position)) >= 0:
            if at > position and line[at - 1] == "\\":
                if not nesting:
                    kept.append(line[start : at - 1])
                    start = at
                position = at + 1
            elif line.startswith("--", at + 1) and line[at + 3 : at + 4] != "-":
                if not nesting:
                    kept.append(line[start:at])
                if len(nesting) >= MAX_NESTING:
                    expected = f"more than {MAX_NESTING} comments within each other"
                    raise FileFault("comment", expected, where=f"{self.file}:{number}")
                nesting.append(number)
                position = at + 3
            elif nesting:
                if at >= position + 2 and line[at - 2 : at] == "--":
                    nesting.pop()
                    start = at + 1
                position = at + 1
            else:
                kept.append(line[start:at])
                before, after = line[at - 1 : at], line[at + 1 : at + 2]
                return "".join(kept), bool(before.strip() and after.strip(" \t\r;-"))
        if not nesting:
            kept.append(line[start:])
        return "".join(kept), False
