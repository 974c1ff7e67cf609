"""What a peer lets pass is checked for it, so that all do the same work.

The work of parsing includes that each name is a token, that no CR, LF or NUL is anything but a line end, and that the
limits hold: that is what keeps two readers from seeing two messages. A peer that takes one of `HOSTILE` does not look;
then two expressions over the head, the cheapest way that was found in Python, look in its place and count as its own
time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks.syntax.messages import CHALLENGED, KINDS, make
from benchmarks.syntax.subjects import Subject
from sipcore.syntax.limits import MAX_HEADERS, MAX_LINE, MAX_START_LINE

__all__ = ["HOSTILE", "lets_pass", "screened", "sound"]

HOSTILE: dict[str, bytes] = {
    "a name that is no token": b"Ser(ver: x",
    "a NUL": b"Server: \0x",
    "a bare CR": b"Server: x\rTo: <sip:mallory@example.com>",
    "a bare LF": b"Server: x\nTo: <sip:mallory@example.com>",
    "too many headers": b"\r\n".join([b"X: y"] * (MAX_HEADERS + 1)),
    "a header that is too long": b"Server: ".ljust(MAX_LINE + 1, b"x"),
}
"""Header lines that no parser may let pass."""

# The quickest of all that were tried: "." is looped over faster than any set of characters. Below the length of a start
# line no other limit of lengths can be passed, and no message here is longer.
_lines = re.compile(rb".++(?:(?<=\r)\n[-.!%*_+`'~0-9A-Za-z]++:.*+)*(?<=\r)\n\r\n").match
_bare = re.compile(rb"\r(?!\n)").search


def sound(data: bytes) -> None:
    """Raise `ValueError` when a message is one of those that no parser may let pass."""
    if (
        len(data) > MAX_START_LINE
        or _lines(data) is None
        or b"\0" in data
        or _bare(data) is not None
        or data.count(b"\n") > MAX_HEADERS
    ):
        raise ValueError("not a message")


def lets_pass(subject: Subject) -> list[str]:
    """Which of `HOSTILE` the parser of `subject` takes."""
    (message,) = make(CHALLENGED, 1)
    taken = []
    for what, line in HOSTILE.items():
        try:
            subject.parse(message.replace(b"Content-Length", line + b"\r\nContent-Length"))
        except Exception:  # Each library has errors of its own, and not all are documented.
            continue
        taken.append(what)
    return taken


def screened(subject: Subject) -> Subject:
    """`subject` with the checks that it leaves out, if there are any."""
    taken = lets_pass(subject)
    if not taken:
        return subject
    for kind in KINDS:
        sound(make(kind, 1)[0])
    remark = f"takes {', '.join(taken)}: the benchmark refuses that for it"
    return replace(
        subject,
        parse=_behind(subject.parse),
        read=None if subject.read is None else _behind(subject.read),
        answer=None if subject.answer is None else _behind(subject.answer),
        remark=f"{subject.remark}; {remark}" if subject.remark else remark,
    )


def _behind(task: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def checked(data: bytes) -> Any:
        if len(data) > MAX_START_LINE or _lines(data) is None or b"\0" in data or _bare(data) is not None:
            raise ValueError("not a message")
        return task(data)

    return checked
