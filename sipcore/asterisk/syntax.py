"""Asterisk's configuration files: sections, options, templates, each with the file and line it came from.

The rules are those of Asterisk's own reader. Where it skips something with a warning on a console that nobody reads,
this reader skips it, too, and the warning is in `ConfigText.warnings`; where it gives up the file, this reader refuses
it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sipcore.asterisk.faults import FileFault, nearest
from sipcore.asterisk.lines import MAX_LINE, MAX_NESTING, Line, lines
from sipcore.asterisk.patterns import BadPattern, Pattern
from sipcore.asterisk.sources import Files, Sources, decode
from sipcore.syntax.grammar import check_line

__all__ = [
    "MAX_LINE",
    "MAX_NESTING",
    "UNREADABLE",
    "ConfigText",
    "FileFault",
    "Option",
    "Section",
    "decode",
    "nearest",
]

UNREADABLE = "\ufffd"
"""Stands in a value for each byte that is not UTF-8. What is used cannot hold one; Asterisk takes any bytes."""


class Option(NamedTuple):
    """One `name = value`."""

    name: str
    """In lower case; names are compared without case."""
    value: str
    line: int
    """Where it stands; an inherited option keeps the line of its template."""
    file: str
    """The file of that line: with `#include` there are several."""

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


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
    file: str
    """The file of its `[name]`."""

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


class ConfigText:
    """The text of one file and of all that it includes, to be read as often as needed.

    A section is given out as soon as it is complete, and forgotten unless another inherits from it: a file of ten
    thousand registrations never exists as a tree, whose remains would stay in the memory of the process.
    """

    def __init__(
        self, text: str, *, file: str, files: Files | None = None, warnings: dict[str, None] | None = None
    ) -> None:
        self.file = file
        self.warnings: dict[str, None] = {} if warnings is None else warnings
        """In the order in which they came up, each once."""
        self.sources = Sources(text, file, files, self.warnings)
        # Registrations name the same few servers and transports: one string serves them all.
        self._shared: dict[str, str] = {}

    @property
    def files(self) -> tuple[str, ...]:
        """All files that were read, the first one included."""
        return tuple(self.sources.texts)

    def sections(self) -> Iterator[Section]:
        """The sections in order, templates resolved. Raises `ConfigError` with `file:line`."""
        self.sources.gather()
        return _Reader(self.sources, self.warnings, self._shared).sections()

    def where(self, line: int) -> str:
        """`file:line` of a line of the first file."""
        return f"{self.file}:{line}"


class _Draft:
    __slots__ = ("file", "inherited", "line", "name", "options", "template")

    def __init__(self, name: str, line: int, file: str) -> None:
        self.name = name
        self.file = file
        self.line = line
        self.template = False
        self.options: list[Option] = []
        self.inherited = 0

    def finished(self) -> Section:
        return Section(self.name, self.line, self.template, tuple(self.options), self.inherited, self.file)


class _Reader:
    """One way through all files.

    Three things hold a section open: that it is the one of the line being read (`current`), that a file further out
    goes on with it behind its `#include` (`held`), and that it is the last that began anywhere (`latest`), since with
    that one the next file begins that is included.
    """

    def __init__(self, sources: Sources, warnings: dict[str, None], shared: dict[str, str]) -> None:
        self.sources = sources
        self.warnings = warnings
        self.shared = shared
        self.parents = _parents(sources.texts.values())
        self.by_name: dict[str, list[_Draft]] = {}
        self.pending: deque[_Draft] = deque()
        self.current: _Draft | None = None
        self.latest: _Draft | None = None
        self.held: list[_Draft | None] = []
        self.file = ""
        self.printable = True

    def sections(self) -> Iterator[Section]:
        yield from self.read(self.sources.file)
        yield from [draft.finished() for draft in self.pending]

    def read(self, file: str) -> Iterator[Section]:
        text = self.sources.texts[file]
        self.current = self.latest
        # Of most files the whole text passes at once, so that its lines need no check of their own.
        printable = text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ").isprintable()
        for line in lines(text, file, self.warnings):
            self.file, self.printable = file, printable
            if line.text[0] == "#":
                yield from self.include(line)
            else:
                self.feed(line)
                # With '(+)' in the file any section may still grow, so all wait for its end.
                while len(self.pending) > 1 and self.parents is not None and self.complete(self.pending[0]):
                    yield self.pending.popleft().finished()

    def complete(self, draft: _Draft) -> bool:
        return draft is not self.current and draft is not self.latest and draft not in self.held

    def include(self, line: Line) -> Iterator[Section]:
        file, number = self.file, line.number
        current = self.current
        for name in self.sources.included(line.text, file, number):
            self.held.append(current if (file, number) in self.sources.continued else None)
            yield from self.read(name)
            self.held.pop()
        self.current = current

    def feed(self, line: Line) -> None:
        text = line.text
        # Tabs stand between names and values; one within a value is for the value's own check to judge.
        if not self.printable and not check_line(text.replace("\t", " ")):
            text = self.readable(text, line.number)
        if text[0] == "[":
            self.section(text, line.number)
        else:
            self.option(text, line.number, line.joined)

    def readable(self, text: str, number: int) -> str:
        # Undecodable bytes arrive as lone surrogates.
        text = "".join(UNREADABLE if "\udc80" <= character <= "\udcff" else character for character in text)
        bad = next((one for one in text if one != "\t" and not check_line(one)), None)
        if bad is not None:
            raise self.fault("line", f"holds the character U+{ord(bad):04X}, which no value can carry", number)
        return text

    def fault(self, option: str, expected: str, number: int) -> FileFault:
        return FileFault(option, expected, where=f"{self.file}:{number}")

    def warn(self, option: str, text: str, number: int) -> None:
        self.warnings[f"{self.file}:{number}: {option}: {text}"] = None

    # --- sections --------------------------------------------------------------------------------------------------

    def section(self, line: str, number: int) -> None:
        name, bracket, rest = line[1:].partition("]")
        if not bracket:
            raise self.fault("section", "has no closing ']'", number)
        if not name.strip():
            raise self.fault("section", "has no name", number)
        if UNREADABLE in name:
            raise self.fault("section", "its name holds bytes that are not UTF-8", number)
        items: list[str] = []
        if rest[:1] == "(":
            inside, bracket, rest = rest[1:].partition(")")
            if not bracket:
                raise self.fault("section", "has no closing ')'", number)
            items = inside.split(",")
        if rest.strip():
            at_once = " (a '(...)' has to follow at once)" if "(" in rest else ""
            self.warn(f"[{name}]", f"what follows is not looked at, as in Asterisk{at_once}", number)
        draft = _Draft(self.shared.setdefault(name, name), number, self.file)
        target = self.filled(draft, items, number)
        self.current = self.latest = target
        if target is not draft:
            return
        draft.inherited = len(draft.options)
        self.pending.append(draft)
        if self.parents is None or name.lower() in self.parents:
            self.by_name.setdefault(name.lower(), []).append(draft)

    def filled(self, draft: _Draft, items: list[str], number: int) -> _Draft:
        """What stands between the brackets, done in its order; the section that the following options belong to."""
        target = draft
        for item in items:
            if item == "!":
                target.template = True
            elif item.startswith("+"):
                found = self.appended(draft.name, item[1:], number)
                if target is draft:
                    found.template |= draft.template
                    found.options += draft.options
                target = found
            elif not item:
                raise self.fault(f"[{draft.name}]", "an empty name stands between the brackets", number)
            else:
                target.options += self.parent(item, number).options
        return target

    def parent(self, name: str, number: int) -> _Draft:
        found = self.by_name.get(name.lower())
        if found is None:
            raise self.nothing(name, "no section of that name stands above", number)
        return found[0]

    def appended(self, name: str, text: str, number: int) -> _Draft:
        named = self.by_name.get(name.lower(), [])
        tests = [self.test(part.strip(), number) for part in text.split("&")] if text else []
        for draft in named:
            if _fits(draft, tests):
                return draft
        if not named:
            raise self.nothing(name, "no section of that name stands above", number)
        if not text:
            expected = "only a template of that name stands above, to which '(+TEMPLATES=include)' appends"
            raise self.fault(f"[{name}]", expected, number)
        raise self.fault(f"[{name}]", "no section of that name above fits the filter", number)

    def nothing(self, name: str, expected: str, number: int) -> FileFault:
        heads = [head.lower() for head in _heads(self.sources.texts[self.file], number)]
        return self.fault(f"[{name}]", f"{expected}{nearest(name, heads)}", number)

    def test(self, text: str, number: int) -> tuple[str, Pattern, Pattern]:
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.partition("=")[0].strip()
        if not equals:
            raise self.fault("section", "a filter has the form '+name=expression'", number)
        try:
            return (value.lower() if name == "TEMPLATES" else ""), Pattern(name), Pattern(value)
        except BadPattern as error:
            raise self.fault("section", f"its filter is no regular expression: {error}", number) from None

    # --- options ---------------------------------------------------------------------------------------------------

    def option(self, line: str, number: int, joined: bool) -> None:
        target = self.current
        escaped = line[0] == "\\"
        if target is None:
            raise self.fault("line", "stands before the first [section]", number)
        if escaped:
            # A first character that would mean something else may be escaped, an equal sign as well.
            line = line[1:]
            if not line.strip():
                raise self.fault("line", "has nothing behind the '\\' at its beginning", number)
        at = line.find("=", 1 if escaped else 0)
        if at < 0:
            self.warn("line", "has no '=', so it is not looked at, as in Asterisk", number)
            return
        adds = at > 0 and line[at - 1] == "+"
        name = line[: at - 1 if adds else at].strip(" \t").lower()
        value = line[at + 1 :]
        if not name:
            self.warn("line", "has no name before the '=', so it is not looked at, as in Asterisk", number)
            return
        if UNREADABLE in name:
            raise self.fault("line", "its name holds bytes that are not UTF-8", number)
        if value.startswith(">") and not adds:
            value = value[1:]
        if joined:
            self.warn(name, "its value ends where ';' begins a comment; write '\\;' for a semicolon", number)
        share = self.shared.setdefault
        if adds and self.extended(target, name, value):
            return
        value = value.strip(" \t")
        target.options.append(Option(share(name, name), share(value, value), number, self.file))

    def extended(self, target: _Draft, name: str, value: str) -> bool:
        """Whether there was a value to which this one was added: that of the last line of the name."""
        old = next((option for option in reversed(target.options) if option.name == name), None)
        if old is None:
            return False
        # As in Asterisk the first line with the same value is the one that is changed.
        place = next(
            place
            for place, option in enumerate(target.options)
            if option.name == name and option.value.lower() == old.value.lower()
        )
        target.options[place] = target.options[place]._replace(value=(old.value + value).strip(" \t"))
        return True


def _fits(draft: _Draft, tests: list[tuple[str, Pattern, Pattern]]) -> bool:
    allowed = not draft.template
    for templates, name, value in tests:
        if templates:
            if templates not in ("include", "restrict") or (templates == "restrict" and not draft.template):
                return False
            allowed = True
        elif not any(name.search(option.name) and value.search(option.value) for option in draft.options):
            return False
    return allowed


def _heads(text: str, number: int) -> Iterator[str]:
    for line in text.split("\n")[: number - 1]:
        head = line.strip()
        if head.startswith("["):
            yield head[1:].partition("]")[0]


def _parents(texts: Iterable[str]) -> set[str] | None:
    """The names, in lower case, that sections inherit from, and perhaps a few more; None when one is appended to."""
    names: set[str] = set()
    for text in texts:
        at = text.find("](")
        while at >= 0:
            items = text[at + 2 : at + 2 + MAX_LINE].partition(")")[0].lower().split(",")
            if any(item.startswith("+") for item in items):
                return None
            names.update(items)
            at = text.find("](", at + 1)
    return names
