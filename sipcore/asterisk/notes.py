"""What became of each option of a configuration, for whoever asks what of a file has a meaning here.

What is told of a section, of a line that is passed over, or of the whole file is a note without a value.

An option that stands in a template is noted once, at its line, however many sections inherit it: it is used when one
of them uses it. Secrets are never in a note, nor are values of options that nobody knows, since they could be some.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from sipcore.asterisk.options import is_hidden
from sipcore.asterisk.syntax import Option, Section
from sipcore.asterisk.tables import OPTIONS, WIZARD, known_option
from sipcore.asterisk.wizard import OPTIONS as WIZARD_OPTIONS
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


_Remarks: TypeAlias = "dict[tuple[str, str], dict[str, None]]"
"""What is said of an option, by its place and name."""


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
        wizards = {row.option.where: row.option.name for row in self._rows.values() if row.kind == WIZARD}
        told: _Remarks = {}
        for warning in warnings:
            where, option, text = (*warning.split(": ", 2), "", "")[:3]
            name, text = _by_wizard(where, option, text, wizards)
            told.setdefault((where, name), {})[text] = None
        refused: _Remarks = {}
        seen: set[tuple[str, str]] = set()
        for fault in faults:
            where = fault.where or ""
            # The same line can be at fault in each heir of a template, and is told once.
            if (where, fault.option) not in seen:
                seen.add((where, fault.option))
                name, text = _by_wizard(where, fault.option, fault.expected, wizards)
                refused.setdefault((where, name), {})[text] = None
        notes = [_note(row, refused, told) for row in self._rows.values()]
        known = {(row.option.where, row.option.name) for row in self._rows.values()}
        for verdict, remarks in ((Verdict.REFUSED, refused), (Verdict.UNUSED, told)):
            for (where, option), texts in remarks.items():
                if (where, option) not in known:
                    notes.append(_about(where, option, verdict, "; ".join(texts)))
        order = {file: number for number, file in enumerate(files)}
        return tuple(sorted(notes, key=lambda note: _order(note.where, order)))

    def _row(self, option: Option, section: str, kind: str) -> _Row:
        place = _Place(option.file, option.line, option.name)
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = _Row(option, section, kind)
        return row


def _is_hidden(kind: str, name: str) -> bool:
    if kind in OPTIONS:
        return is_hidden(kind, name)
    prefix, slash, rest = name.partition("/")
    if slash:
        # A wizard's, also where its type is missing or misspelt.
        return is_hidden(_PREFIXES.get(prefix, ""), rest)
    # Of a template without a type: what any type hides, and what none knows.
    types = [one for one in OPTIONS if name in OPTIONS[one]]
    return any(is_hidden(one, name) for one in types) or (not types and name not in WIZARD_OPTIONS)


def _wizard_uses(name: str) -> bool:
    prefix, slash, rest = name.partition("/")
    if not slash:
        return name in _WIZARD_USES
    known = known_option(_PREFIXES[prefix], rest) if prefix in _PREFIXES else None
    return known is not None and known.used and prefix != "inbound_auth"


def _note(row: _Row, refused: _Remarks, told: _Remarks) -> OptionNote:
    option = row.option
    key = (option.where, option.name)
    verdict, texts = Verdict.USED, [*told.get(key, ())]
    if key in refused:
        verdict, texts = Verdict.REFUSED, [*refused[key]]
    elif not row.used:
        verdict, texts = Verdict.UNUSED, [*filter(None, [row.idle]), *texts]
    text = "; ".join(dict.fromkeys(texts))
    return OptionNote(
        where=option.where,
        section=row.section,
        type=row.kind,
        option=option.name,
        value=None if row.hidden else redact_uri(option.value),
        verdict=verdict,
        text=text,
    )


def _by_wizard(where: str, option: str, text: str, wizards: Mapping[str, str]) -> tuple[str, str]:
    """What is told of an option that a wizard made is told of the line that it was made from."""
    name = wizards.get(where)
    # A name in brackets is about the whole section.
    if name is None or option.startswith("["):
        return option, text
    return name, text if option in (name, name.partition("/")[2]) else f"{option}: {text}"


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
