"""Asterisk's configuration files: sections, options, comments, templates, each with the line it came from.

The rules are those of Asterisk's own reader, but nothing is skipped in silence: where it ignores a line with a warning
on a console that nobody reads, or cuts a value at a semicolon, this reader refuses or warns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sipcore.errors import ConfigError
from sipcore.syntax.grammar import check_line

__all__ = ["ConfigText", "FileFault", "Option", "Section", "decode", "nearest"]

MAX_LINE = 8191
"""Characters in a line: what fits into Asterisk's buffer. It skips longer lines."""

MAX_NESTING = 128
"""Block comments within block comments, as in Asterisk."""

_DIRECTIVES = ("include", "tryinclude", "exec")


class FileFault(ConfigError):
    """A fault of a file that has no value to show, or none that may be shown, since it could be a secret."""

    def __init__(self, option: str, expected: str, *, where: str) -> None:
        super().__init__(option, None, expected, where=where)

    def __str__(self) -> str:
        return f"{self.where}: {self.option}: {self.expected}"


class Option(NamedTuple):
    """One `name = value`."""

    name: str
    """In lower case; names are compared without case."""
    value: str
    line: int
    """Where it stands; an inherited option keeps the line of its template."""


@dataclass(frozen=True, slots=True)
class Section:
    """One `[name]` with its options, the inherited ones first."""

    name: str
    line: int
    template: bool
    """True for `(!)`: it makes no object of its own."""
    options: tuple[Option, ...]
    inherited: int
    """So many of the options came from templates."""


class ConfigText:
    """The text of one file, to be read as often as needed.

    A section is given out as soon as it is complete, and forgotten unless another inherits from it: a file of ten
    thousand registrations never exists as a tree, whose remains would stay in the memory of the process.
    """

    def __init__(self, text: str, *, file: str) -> None:
        self.file = file
        self.warnings: dict[str, None] = {}
        """In the order in which they came up, each once."""
        self._text = text
        # Registrations name the same few servers and transports: one string serves them all.
        self._shared: dict[str, str] = {}

    def sections(self) -> Iterator[Section]:
        """The sections in order, templates resolved. Raises `ConfigError` with `file:line`."""
        return _Reader(self._text, self.file, self.warnings, self._shared).sections()

    def where(self, line: int) -> str:
        """`file:line`."""
        return f"{self.file}:{line}"


def decode(data: bytes) -> str:
    """The text of a file. Bytes that are not UTF-8 do no harm in comments; elsewhere they are refused."""
    return data.decode("utf-8-sig", "surrogateescape")


def nearest(name: str, known: Sequence[str]) -> str:
    """`; did you mean '...'?` when a known name is close to `name`, else nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


class _Draft:
    __slots__ = ("inherited", "line", "name", "options", "template")

    def __init__(self, name: str, line: int) -> None:
        self.name = name
        self.line = line
        self.template = False
        self.options: list[Option] = []
        self.inherited = 0

    def finished(self) -> Section:
        return Section(self.name, self.line, self.template, tuple(self.options), self.inherited)


class _Reader:
    def __init__(self, text: str, file: str, warnings: dict[str, None], shared: dict[str, str]) -> None:
        self.text = text
        self.file = file
        self.warnings = warnings
        self.shared = shared
        self.parents = _parents(text)
        # Of most files the whole text passes at once, so that its lines need no check of their own.
        self.printable = text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ").isprintable()
        self.by_name: dict[str, _Draft] = {}
        self.complete: list[_Draft] = []
        self.current: _Draft | None = None
        self.comments: list[int] = []

    def sections(self) -> Iterator[Section]:
        for number, line in enumerate(_lines(self.text), 1):
            self.feed(line, number)
            # With '(+)' in the file any section may still grow, so all wait for its end.
            if self.complete and self.parents is not None:
                yield self.complete.pop().finished()
        if self.comments:
            raise self.fault("comment", "';--' is never closed by '--;'", self.comments[0])
        yield from [draft.finished() for draft in self.complete]
        if self.current is not None and self.parents is not None:
            yield self.current.finished()

    def feed(self, line: str, number: int) -> None:
        if len(line) > MAX_LINE:
            raise self.fault("line", f"longer than {MAX_LINE} characters", number)
        joined = False
        if ";" in line or self.comments:
            line, joined = self.uncomment(line, number)
        line = line.strip(" \t\r")
        if not line:
            return
        # Tabs stand between names and values; one within a value is for the value's own check to judge.
        if not self.printable and not check_line(line.replace("\t", " ")):
            bad = next(character for character in line if character != "\t" and not check_line(character))
            raise self.fault("line", f"holds the character {_name(bad)}, which no value can carry", number)
        if line[0] == "[":
            self.section(line, number)
        elif line[0] == "#":
            self.directive(line, number)
        else:
            # A first character that would mean something else may be escaped.
            self.option(line[1:] if line[0] == "\\" else line, number, joined)

    def fault(self, option: str, expected: str, number: int) -> FileFault:
        return FileFault(option, expected, where=f"{self.file}:{number}")

    def uncomment(self, line: str, number: int) -> tuple[str, bool]:
        """The line without comments and with `\\;` undone; and whether a comment began right after a value."""
        kept: list[str] = []
        start = position = 0
        nesting = self.comments
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
                    raise self.fault("comment", f"more than {MAX_NESTING} comments within each other", number)
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

    def directive(self, line: str, number: int) -> None:
        name = line[1:].split(None, 1)[0] if line[1:].strip() else ""
        if name in _DIRECTIVES:
            raise self.fault(f"#{name}", "not supported yet", number)
        raise self.fault("line", "begins with '#', which is a directive; comments begin with ';'", number)

    def section(self, line: str, number: int) -> None:
        name, bracket, rest = line[1:].partition("]")
        if not bracket:
            raise self.fault("section", "has no closing ']'", number)
        if not name.strip():
            raise self.fault("section", "has no name", number)
        items: list[str] = []
        if rest:
            if rest[0] != "(":
                raise self.fault("section", f"only '(...)' may follow [{name}], and at once", number)
            inside, bracket, rest = rest[1:].partition(")")
            if not bracket:
                raise self.fault("section", "has no closing ')'", number)
            if rest:
                raise self.fault("section", "nothing may follow the ')'", number)
            items = inside.split(",")
        if items and items[0].startswith("+"):
            self.current = self.appended(name, items, number)
            return
        draft = _Draft(self.shared.setdefault(name, name), number)
        for item in items:
            if item == "!":
                draft.template = True
            elif item.startswith("+"):
                raise self.fault(f"[{name}]", "'+' is not combined with anything else", number)
            else:
                draft.options += self.known(item, number).options
        draft.inherited = len(draft.options)
        if self.parents is None:
            self.complete.append(draft)
        elif self.current is not None:
            self.complete.append(self.current)
        if self.parents is None or name.lower() in self.parents:
            self.by_name.setdefault(name.lower(), draft)
        self.current = draft

    def appended(self, name: str, items: list[str], number: int) -> _Draft:
        if items != ["+"]:
            raise self.fault(f"[{name}]", "'+' with a filter or further names is not supported yet", number)
        return self.known(name, number)

    def known(self, name: str, number: int) -> _Draft:
        draft = self.by_name.get(name.lower())
        if draft is None:
            hint = nearest(name, _names_above(self.text, number))
            raise self.fault(f"[{name}]", f"no section of that name stands above{hint}", number)
        return draft

    def option(self, line: str, number: int, joined: bool) -> None:
        name, equals, value = line.partition("=")
        name = name.rstrip(" \t").lower()
        if not equals:
            raise self.fault("line", "neither a section nor 'name = value'", number)
        if not name:
            raise self.fault("line", "has no name before the '='", number)
        if name.endswith("+"):
            raise self.fault("line", "'+=' is not supported yet", number)
        if self.current is None:
            raise self.fault(name, "stands before the first [section]", number)
        if value.startswith(">"):
            value = value[1:]
        value = value.strip(" \t")
        if joined:
            told = "its value ends where ';' begins a comment; write '\\;' for a semicolon"
            self.warnings[f"{self.file}:{number}: {name}: {told}"] = None
        share = self.shared.setdefault
        self.current.options.append(Option(share(name, name), share(value, value), number))


def _name(character: str) -> str:
    code = ord(character)
    # Undecodable bytes arrive as lone surrogates.
    return f"byte 0x{code - 0xDC00:02X} (not UTF-8)" if 0xDC80 <= code <= 0xDCFF else f"U+{code:04X}"


def _lines(text: str) -> Iterator[str]:
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _parents(text: str) -> set[str] | None:
    """The names, in lower case, that sections inherit from, and perhaps a few more; None when one is appended to."""
    names: set[str] = set()
    at = text.find("](")
    while at >= 0:
        items = text[at + 2 : at + 2 + MAX_LINE].partition(")")[0].lower().split(",")
        if any(item.startswith("+") for item in items):
            return None
        names.update(items)
        at = text.find("](", at + 1)
    return names


def _names_above(text: str, number: int) -> list[str]:
    heads = [line.strip() for line in text.split("\n")[: number - 1]]
    return [head[1:].partition("]")[0].lower() for head in heads if head.startswith("[")]
