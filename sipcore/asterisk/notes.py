"""What became of each option of a configuration, for whoever asks what of a file has a meaning here.

What is told of a section, of a line that is passed over, or of the whole file is a note without a value.

An option that stands in a template is noted once, at its line, however many sections inherit it: it is used when one
of them uses it. Secrets are never in a note, nor are values of options that nobody knows, since they could be some.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from sipcore.asterisk.options import is_hidden
from sipcore.asterisk.syntax import Option, Section
from sipcore.asterisk.tables import OPTIONS, WIZARD, known_option
from sipcore.errors import ConfigError
from sipcore.redact import redact_uri
from sipcore.settings import OptionNote, Verdict
from sipcore.syntax.grammar import parse_uint

__all__ = ["NoteTaker"]

_PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "endpoint": "endpoint",
        "aor": "aor",
        "outbound_auth": "auth",
        "inbound_auth": "auth",
        "identify": "identify",
        "phoneprov": "phoneprov",
        "registration": "registration",
    }
)
"""What stands before the slash of a wizard's option, and the type that it belongs to."""

_WIZARD_USES: Final = frozenset(
    "type transport remote_hosts outbound_proxy sends_auth sends_registrations sends_line_with_registrations "
    "accepts_registrations server_uri_pattern client_uri_pattern".split()
)

_MAX_LINES: Final = 2**32

_NO_HEIR: Final = "no section inherits it"


class _Row:
    __slots__ = ("hidden", "idle", "kind", "option", "section", "used")

    def __init__(self, option: Option, section: str, kind: str) -> None:
        self.option = option
        self.section = section
        self.kind = kind
        self.used = False
        self.hidden = True
        self.idle = ""


class _Place(NamedTuple):
    file: str
    line: int
    name: str


class NoteTaker:
    """Is shown every section, and makes the notes at the end."""

    def __init__(self) -> None:
        self._rows: dict[_Place, _Row] = {}

    def template(self, section: Section, kind: str) -> None:
        """A template, and its type if it has one."""
        for option in section.options[section.inherited :]:
            row = self._row(option, section.name, kind)
            row.idle = _NO_HEIR
            row.hidden = _is_hidden(kind, option.name)

    def object(self, section: Section, kind: str, idle: Mapping[str, str]) -> None:
        """An object with its type, and which of its options have no effect, and why."""
        for option in section.options:
            row = self._row(option, section.name, kind)
            known = known_option(kind, option.name) if kind in OPTIONS else None
            row.kind = kind
            row.hidden = is_hidden(kind, option.name)
            row.used = row.used or (known is not None and known.used and option.name not in idle)
            row.idle = idle.get(option.name, "")

    def wizard(self, section: Section, idle: Iterable[Option]) -> None:
        """A wizard, and the options of which nothing was made."""
        nothing = frozenset((option.file, option.line, option.name) for option in idle)
        for option in section.options:
            row = self._row(option, section.name, WIZARD)
            row.kind = WIZARD
            row.hidden = _is_hidden(WIZARD, option.name)
            if (option.file, option.line, option.name) in nothing:
                row.idle = "nothing is made of it"
            else:
                row.used = row.used or _wizard_uses(option.name)
                row.idle = ""

    def unused(self, section: Section, kind: str, why: str) -> None:
        """A section that is not looked at."""
        for option in section.options:
            row = self._row(option, section.name, kind)
            row.idle = why
            row.hidden = _is_hidden(kind, option.name)

    def finish(
        self, faults: Sequence[ConfigError], warnings: Iterable[str], files: Sequence[str]
    ) -> tuple[OptionNote, ...]:
        """The notes, in the order of the files and their lines."""
        told: dict[tuple[str, str], list[str]] = {}
        for warning in warnings:
            where, option, text = (*warning.split(": ", 2), "", "")[:3]
            told.setdefault((where, option), []).append(text)
        refused: dict[tuple[str, str], ConfigError] = {}
        for fault in faults:
            refused.setdefault((fault.where or "", fault.option), fault)
        notes = [_note(row, refused, told) for row in self._rows.values()]
        matched = _matched(notes)
        notes += [_rest(fault) for key, fault in refused.items() if key not in matched]
        known = {(row.option.where, row.option.name) for row in self._rows.values()}
        for (where, option), texts in told.items():
            if (where, option) not in known:
                notes.append(_about(where, option, Verdict.UNUSED, "; ".join(texts)))
        order = {file: number for number, file in enumerate(files)}
        return tuple(sorted(notes, key=lambda note: _order(note.where, order)))

    def _row(self, option: Option, section: str, kind: str) -> _Row:
        place = _Place(option.file, option.line, option.name)
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = _Row(option, section, kind)
        return row


def _is_hidden(kind: str, name: str) -> bool:
    if kind == WIZARD and "/" in name:
        prefix, _, name = name.partition("/")
        return is_hidden(_PREFIXES.get(prefix, ""), name)
    if kind in OPTIONS:
        return is_hidden(kind, name)
    # Of a template without a type: what any type hides.
    return name.startswith("@") or any(name in OPTIONS[one] and is_hidden(one, name) for one in OPTIONS)


def _wizard_uses(name: str) -> bool:
    prefix, slash, rest = name.partition("/")
    if not slash:
        return name in _WIZARD_USES
    known = known_option(_PREFIXES[prefix], rest) if prefix in _PREFIXES else None
    return known is not None and known.used and prefix != "inbound_auth"


def _note(
    row: _Row, refused: Mapping[tuple[str, str], ConfigError], told: Mapping[tuple[str, str], Sequence[str]]
) -> OptionNote:
    option = row.option
    where = option.where
    fault = next((refused[where, name] for name in _names(option.name) if (where, name) in refused), None)
    verdict = Verdict.USED if row.used else Verdict.UNUSED
    text = "" if row.used else row.idle
    warnings = told.get((where, option.name), [])
    text = "; ".join(dict.fromkeys([*filter(None, [text]), *warnings]))
    if fault is not None:
        verdict, text = Verdict.REFUSED, fault.expected
    return OptionNote(
        where=where,
        section=row.section,
        type=row.kind,
        option=option.name,
        value=None if row.hidden else redact_uri(option.value),
        verdict=verdict,
        text=text,
    )


def _names(name: str) -> Iterator[str]:
    """What a fault can call an option: a wizard's are known by what they become, too."""
    yield name
    prefix, slash, rest = name.partition("/")
    if slash and prefix in _PREFIXES:
        yield rest


def _matched(notes: Iterable[OptionNote]) -> set[tuple[str, str]]:
    return {(note.where, name) for note in notes if note.verdict is Verdict.REFUSED for name in _names(note.option)}


def _rest(fault: ConfigError) -> OptionNote:
    return _about(fault.where or "", fault.option, Verdict.REFUSED, fault.expected)


def _about(where: str, option: str, verdict: Verdict, text: str) -> OptionNote:
    """What belongs to no option that was read: to a section, a line or the whole file."""
    named = option.startswith("[")
    return OptionNote(
        where=where,
        section=option[1:-1] if named else "",
        type="",
        option="" if named else option,
        value=None,
        verdict=verdict,
        text=text,
    )


def _order(where: str, files: Mapping[str, int]) -> tuple[int, int]:
    file, _, line = where.rpartition(":")
    number = parse_uint(line, maximum=_MAX_LINES)
    if file in files and number is not None:
        return files[file], number
    return files.get(where, len(files)), 0
