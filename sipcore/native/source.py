"""The text of a TOML file, what it says, and in which line it says so.

`tomllib` keeps no line numbers of values. The line of a key is found by a second look at the text that knows just
enough of TOML for it: headers of tables, and keys at the beginning of a line. What it takes for a key counts only when
the document has one there. A key inside of an inline table or an array is told with the line of what it stands in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sipcore.asterisk.faults import FileFault
from sipcore.errors import ConfigError
from sipcore.syntax.expressions import compile_possessive
from sipcore.syntax.grammar import parse_uint

__all__ = ["Path", "Place", "Source", "dotted", "quoted"]

Path = tuple[str, ...]
"""The keys that lead to a value."""

MAX_BYTES = 64 << 20
"""Of a file: far more than a hundred thousand registrations take, and little enough to be held twice."""

MAX_KEYS = 32
"""Parts of a dotted key of which the line is looked for; the longest path of an option has five. A key of thousands
would cost their square."""

_KEY = compile_possessive(r'[ \t]*+(?:([A-Za-z0-9_-]++)|"((?:[^"\\]|\\.)*+)"|\'([^\']*+)\')[ \t]*+')
_BARE = compile_possessive(r"[A-Za-z0-9_-]++")
_LINE = re.compile(r"\(at line ([0-9]{1,9}), column [0-9]{1,9}\)")
_LONG = ('"""', "'''")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Source:
    """One file: its name, its text, and the document that `tomllib` makes of it."""

    def __init__(self, data: bytes, *, file: str) -> None:
        """Raises `ConfigError` with `file:line` for what is not TOML."""
        self.file = file
        self._lines: dict[Path, int] | None = None
        if len(data) > MAX_BYTES:
            raise FileFault("file", f"longer than {MAX_BYTES >> 20} MiB", where=file)
        try:
            # Editors of one system put a mark in front that TOML does not have.
            self.text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise FileFault("file", f"byte 0x{data[error.start]:02X} is not UTF-8", where=f"{file}:{line}") from None
        self.document: dict[str, Any] = self._parse()

    def _parse(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text)
        except RecursionError:
            fault = FileFault("file", "too many arrays or tables within each other", where=self.file)
        except ValueError as error:
            # Also a number of more digits than Python converts.
            said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a value that cannot be read"
            found = _LINE.search(said)
            line = parse_uint(found[1], maximum=MAX_BYTES) if found else self.text.count("\n") + 1
            fault = FileFault("TOML", said, where=f"{self.file}:{line}" if found or "end of" in said else self.file)
        raise fault

    def where(self, path: Path) -> str:
        """`file:line` of a key, or of the nearest thing around it that has a line; else the file."""
        if self._lines is None:
            self._lines = dict(_lines(self.text, self.document))
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return f"{self.file}:{self._lines[path[:length]]}"
        return self.file


class Place(NamedTuple):
    """A key of a document, and the errors about it."""

    source: Source
    path: Path = ()

    def child(self, key: str) -> Place:
        """The place of a key in this table."""
        return Place(self.source, (*self.path, key))

    @property
    def name(self) -> str:
        """The keys with dots between them."""
        return dotted(self.path)

    @property
    def where(self) -> str:
        """`file:line`."""
        return self.source.where(self.path)

    def wrong(self, value: object, expected: str) -> ConfigError:
        """The error for a value that may be shown. Of tables and arrays only that is said, since a password could
        stand in them."""
        if isinstance(value, dict | list):
            return self.fault(f"is {'a table' if isinstance(value, dict) else 'an array'}; must be {expected}")
        return ConfigError(self.name, value, f"must be {expected}", where=self.where)

    def fault(self, text: str) -> ConfigError:
        """The error that shows no value."""
        return FileFault(self.name or "file", text, where=self.where)


def dotted(path: Path) -> str:
    """A path as TOML writes it; what a terminal would obey is escaped."""
    return ".".join(key if _BARE.fullmatch(key) else quoted(key) for key in path)


def quoted(text: str) -> str:
    """A basic string of TOML, in one line."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return character if character.isprintable() else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _lines(text: str, document: dict[str, Any]) -> Iterator[tuple[Path, int]]:
    """Each path that has a line, the first line of each; later ones of the same path are not given."""
    known: set[Path] = set()
    header: Path = ()
    quote = ""
    for number, line in enumerate(text.split("\n"), 1):
        if quote:
            # Inside of a string of several lines nothing is a key.
            quote = "" if quote in line else quote
            continue
        begin = line.lstrip(" \t")
        if begin.startswith("["):
            path, rest = _keys(begin.lstrip("["))
            if not path or rest[:1] != "]" or not _exists(path, document):
                continue
            header, found = path, path
        else:
            path, rest = _keys(begin)
            found = (*header, *path)
            if not path or rest[:1] != "=" or not _exists(found, document):
                found, rest = (), begin
            value = rest.removeprefix("=").lstrip(" \t")
            quote = next((mark for mark in _LONG if value.startswith(mark) and mark not in value[3:]), "")
        for length in range(1, len(found) + 1):
            if found[:length] not in known:
                known.add(found[:length])
                yield found[:length], number


def _keys(line: str) -> tuple[Path, str]:
    """The dotted key that a line begins with, and the rest of the line."""
    path: list[str] = []
    position = 0
    while (found := _KEY.match(line, position)) is not None:
        bare, basic, literal = found.groups()
        if len(path) == MAX_KEYS:
            return (), line
        path.append(_unescaped(basic) if basic is not None else literal if bare is None else bare)
        position = found.end()
        if line[position : position + 1] != ".":
            break
        position += 1
    return tuple(path), line[position:]


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return str(tomllib.loads(f'key = "{text}"')["key"])
    except ValueError:
        return text


def _exists(path: Path, document: Mapping[str, Any]) -> bool:
    value: Any = document
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True
