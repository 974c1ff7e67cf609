"""The files that make one configuration: the one that was named, and what its `#include` lines bring in.

All of them are read before anything is taken from them, once each, so that however often the text is gone through it is
the same. Names are relative to the directory of the first file, as Asterisk's are to its own directory; a name with
`*`, `?`, `[` or braces is a pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from sipcore.asterisk.faults import FileFault, nearest
from sipcore.asterisk.lines import lines

__all__ = ["Files", "Sources", "as_files", "decode", "directory"]

MAX_DEPTH: Final = 10
"""Files within each other, the first one included, as in Asterisk."""

MAX_INCLUSIONS: Final = 20_000
"""Files that are brought in, each as often as it is: enough for one for each registration; and files that include
others several times over come to an end."""

MAX_SIZE: Final = 64 * 1024 * 1024
"""Characters of all of them: some hundred bytes for each of 100 000 registrations, several times over."""

MAX_BRACES: Final = 64
"""Patterns that the braces of one can stand for."""

_DIRECTIVES: Final = ("include", "tryinclude", "exec")

_MISSING: Final = (FileNotFoundError, NotADirectoryError)


class Files(Protocol):
    """Where the files are. Both may raise `OSError`."""

    def read(self, name: str, /) -> bytes:
        """The bytes of a file."""

    def glob(self, pattern: str, /) -> Sequence[str]:
        """The names of the files that match a pattern with `*`, `?` and `[...]`; there may be none."""


class _Function:
    """A plain function that reads, as `Files`."""

    def __init__(self, function: Callable[[str], bytes]) -> None:
        self.read = function

    def glob(self, pattern: str, /) -> Sequence[str]:
        raise OSError(0, "patterns need somebody who can list files")


def as_files(files: Files | Callable[[str], bytes]) -> Files:
    """`files` itself, or a plain function that reads in its place; such a one knows no patterns."""
    return _Function(files) if callable(files) else files


def decode(data: bytes) -> str:
    """The text of a file. Bytes that are not UTF-8 do no harm in comments and in what is not used."""
    return data.decode("utf-8-sig", "surrogateescape")


def directory(file: str) -> str:
    """What stands before the name of a file in the same directory."""
    return file[: file.rfind("/") + 1]


class Sources:
    """The texts of all files by name."""

    def __init__(self, text: str, file: str, files: Files | None, warnings: dict[str, None]) -> None:
        self.file = file
        self.texts: dict[str, str] = {file: text}
        """By name, in the order in which they were read."""
        self.continued: set[tuple[str, int]] = set()
        """File and line of each `#include` behind which further options of the same section stand."""
        self._files = files
        self._warnings = warnings
        self._included: dict[tuple[str, int], tuple[str, ...]] = {}
        self._gathered = False
        self._count = 0
        self._size = len(text)

    def gather(self) -> None:
        """Read all that is included. Raises `ConfigError` with `file:line`."""
        if not self._gathered:
            self._gather((self.file,))
            self._gathered = True

    def included(self, line: str, file: str, number: int) -> tuple[str, ...]:
        """The files that a directive brings in, after `gather`. Raises `ConfigError` for what is no directive here."""
        found = self._included.get((file, number))
        if found is not None:
            return found
        where = f"{file}:{number}"
        word, _ = _directive(line)
        if word == "exec":
            expected = "commands are not run: put what it prints into a file and #include that"
            raise FileFault("#exec", expected, where=where)
        told = f"'#{word}' needs the name of a file" if word in _DIRECTIVES else _unknown(word)
        self._warnings[f"{where}: line: {told}; it is not looked at, as in Asterisk"] = None
        return ()

    def _gather(self, above: tuple[str, ...]) -> None:
        file = above[-1]
        text = self.texts[file]
        if "#" not in text or "include" not in text.lower():
            return
        waiting: list[tuple[str, int]] = []
        for number, line, _ in lines(text, file, self._warnings):
            if line[0] == "[":
                waiting.clear()
            elif line[0] != "#":
                self.continued.update(waiting)
                waiting.clear()
            else:
                names = self._names(line, file, number)
                if names is None:
                    continue
                waiting.append((file, number))
                self._included[file, number] = names
                for name in names:
                    self._enter(name, above, f"{file}:{number}")

    def _enter(self, name: str, above: tuple[str, ...], where: str) -> None:
        if name in above:
            chain = " includes ".join((*above[above.index(name) :], name))
            raise FileFault("#include", f"goes round in a circle: {chain}", where=where)
        if len(above) >= MAX_DEPTH:
            raise FileFault("#include", f"more than {MAX_DEPTH} files within each other", where=where)
        self._count += 1
        self._size += len(self.texts[name])
        if self._count > MAX_INCLUSIONS or self._size > MAX_SIZE:
            expected = f"more than {MAX_INCLUSIONS} inclusions, or {MAX_SIZE} characters"
            raise FileFault("#include", expected, where=where)
        self._gather((*above, name))

    def _names(self, line: str, file: str, number: int) -> tuple[str, ...] | None:
        """The files that a line includes, which have been read; None when it includes nothing by its form."""
        word, argument = _directive(line)
        if word not in ("include", "tryinclude") or not argument:
            return None
        where = f"{file}:{number}"
        if not argument.isprintable():
            raise FileFault(f"#{word}", "the name holds a character that no file here can have", where=where)
        if self._files is None:
            expected = f"{argument}: there is only a text here, and nobody who reads files"
            raise FileFault(f"#{word}", expected, where=where)
        path = argument if argument.startswith("/") else directory(self.file) + argument
        optional = word == "tryinclude"
        if not any(sign in path for sign in "*?[{"):
            return (path,) if self._read(path, word, where, missing=optional) else ()
        names = [name for name in self._matches(path, word, where) if self._read(name, word, where, missing=True)]
        if not names and not optional:
            raise FileFault(f"#{word}", f"{argument}: there is no such file", where=where)
        return tuple(names)

    def _matches(self, path: str, word: str, where: str) -> Iterator[str]:
        assert self._files is not None
        patterns = [path]
        while len(patterns) <= MAX_BRACES and any(map(_braces, patterns)):
            patterns = [one for pattern in patterns for one in _braces(pattern) or (pattern,)]
        seen: set[str] = set()
        for pattern in patterns[:MAX_BRACES]:
            try:
                found = sorted(self._files.glob(pattern)) if any(sign in pattern for sign in "*?[") else [pattern]
            except OSError as error:
                raise FileFault(f"#{word}", f"{path}: cannot be searched: {_reason(error)}", where=where) from None
            yield from (name for name in found if name not in seen)
            seen.update(found)

    def _read(self, name: str, word: str, where: str, *, missing: bool) -> bool:
        """Whether the file is there; it may be `missing`."""
        if name in self.texts:
            return True
        assert self._files is not None
        try:
            self.texts[name] = decode(self._files.read(name))
        except OSError as error:
            if missing and isinstance(error, _MISSING):
                return False
            if missing and isinstance(error, IsADirectoryError):
                told = f"{name} is a directory; it is not looked at, as in Asterisk"
                self._warnings[f"{where}: #{word}: {told}"] = None
                return False
            raise FileFault(f"#{word}", f"{name}: cannot be read: {_reason(error)}", where=where) from None
        return True


def _directive(line: str) -> tuple[str, str]:
    """Name in lower case, and argument without its quotes."""
    name, *rest = line[1:].split(None, 1) if line[1:2].strip() else ("", line[1:])
    argument = rest[0].strip() if rest else ""
    if len(argument) > 1 and (argument[0] + argument[-1]) in ('""', "<>"):
        argument = argument[1:-1]
    return name.lower(), argument


def _unknown(word: str) -> str:
    hint = nearest(word, _DIRECTIVES) if word.isprintable() and len(word) <= 12 else ""
    hint = hint or "; comments begin with a semicolon"
    return f"a line with '#' is a directive, and this is none that is known{hint}"


def _braces(pattern: str) -> tuple[str, ...]:
    """What the first innermost `{a,b}` of a pattern stands for; nothing without one."""
    close = pattern.find("}")
    start = pattern.rfind("{", 0, close) if close >= 0 else -1
    if start < 0:
        return ()
    return tuple(pattern[:start] + item + pattern[close + 1 :] for item in pattern[start + 1 : close].split(","))


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
