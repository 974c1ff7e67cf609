"""A message taken apart by its bytes alone: lines, names, values, words. Whatever it holds, there are parts."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Field", "Parts", "fields_of"]

# One class and one repetition: cannot go back. Quotation marks are separators, so that each end of a quoted string can
# be damaged by itself.
_WORD = re.compile(rb'[^\x00-\x20"<>()\[\],;:=?@&/]+')


class Parts(NamedTuple):
    """Start line, physical header lines and body, without their line ends."""

    start: bytes
    lines: tuple[bytes, ...]
    body: bytes

    @classmethod
    def of(cls, data: bytes) -> Parts:
        """The parts of any bytes; `bytes(Parts.of(x))` is x when x has an empty line."""
        head, _, body = data.partition(b"\r\n\r\n")
        start, *lines = head.split(b"\r\n")
        return cls(start, tuple(lines), body)

    def __bytes__(self) -> bytes:
        return b"\r\n".join([self.start, *self.lines, b"", b""]) + self.body

    def with_lines(self, *lines: bytes) -> bytes:
        """The message with other header lines."""
        return bytes(Parts(self.start, lines, self.body))

    def with_line(self, place: int, *lines: bytes) -> bytes:
        """The message with other lines, or none, where one was."""
        return self.with_lines(*self.lines[:place], *lines, *self.lines[place + 1 :])


class Field(NamedTuple):
    """A place in a message that means something."""

    name: str
    """`Via` is the header's name, `Via:` all of its value, `Via.branch` the value of a parameter or attribute,
    `CSeq#1` the first word of the value; `start` and `body` stand for themselves."""
    start: int
    end: int


def fields_of(data: bytes) -> tuple[Field, ...]:
    """Every header's name and value, and every word of the start line, the values and the body, in order."""
    found: list[Field] = []
    head, separator, _ = data.partition(b"\r\n\r\n")
    position = 0
    name = "start"
    for line in head.split(b"\r\n"):
        end = position + len(line)
        value = position
        if position and line[:1] not in (b" ", b"\t"):
            colon = data.find(b":", position, end)
            colon = end if colon < 0 else colon
            name = data[position:colon].decode("latin-1").strip()
            value = min(colon + 1, end)
            while data[value : value + 1] in (b" ", b"\t") and value < end:
                value += 1
            found += [Field(name, position, colon), Field(f"{name}:", value, end)]
        _add_words(found, name, data, value, end)
        position = end + 2
    if separator:
        _add_words(found, "body", data, len(head) + 4, len(data))
    return tuple(found)


def _add_words(found: list[Field], name: str, data: bytes, start: int, end: int) -> None:
    for number, match in enumerate(_WORD.finditer(data, start, end), 1):
        begin, stop = match.span()
        label = f"{name}#{number}"
        # What stands behind `x=` or `x="` is the parameter x.
        before = data[max(start, begin - 40) : begin].rstrip(b' "\t<')
        if before.endswith(b"="):
            words = _WORD.findall(before)
            if words:
                label = f"{name}.{words[-1].decode('latin-1')}"
        found.append(Field(label, begin, stop))
