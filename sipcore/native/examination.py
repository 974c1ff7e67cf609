"""What became of each option of a file: used, without effect, or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sipcore.errors import ConfigError
from sipcore.native.reader import Reader
from sipcore.native.secrets import SecretSource
from sipcore.native.source import Path, Place, Source, dotted
from sipcore.native.tables import DEFAULTS, REGISTRATION, TABLES, Option
from sipcore.settings import OptionNote, Verdict
from sipcore.syntax.grammar import visible

__all__ = ["examine"]

_TYPES = {"transports": "transport", "credentials": "credential", "registrations": "registration"}


def examine(file: str, read: Callable[[str], bytes], *, secrets: SecretSource | None = None) -> tuple[OptionNote, ...]:
    """A note for each option of a TOML file, in the order of the document; all faults are told, not the first alone.

    Without `secrets` the files and variables that hold secrets are not looked at. Raises nothing: what cannot be read
    at all is one note.
    """
    try:
        source = Source(read(file), file=file)
    except OSError as error:
        return (_refused(file, (), f"cannot be read: {error.strerror or type(error).__name__}"),)
    except ConfigError as error:
        return (_refused(error.where or file, (), f"{error.option}: {error.expected}"),)
    faults: dict[Path, tuple[Place, ConfigError]] = {}
    reader = Reader(source, secrets, lambda place, error: _keep(faults, place, error))
    reader.read()
    idle = {place.path: text for place, text in reader.idle.items()}
    inner = {path[:length]: path for path in faults for length in range(1, len(path))}
    notes = []
    for path, value, option in _walk(source.document):
        # A fault inside of a value that is one option, such as { file = "..." }, is the option's.
        fault = faults.pop(path if path in faults else inner.get(path, path), None)
        verdict = Verdict.REFUSED if fault else Verdict.UNUSED if path in idle else Verdict.USED
        text = fault[1].expected if fault else idle.pop(path, option.text if option else "")
        shown = None if option is None or option.kind.secret else visible(_shown(value))
        notes.append(_note(source.where(path), path, shown, verdict, text))
    # What has no option of its own: a table, something that is missing, a part of a value.
    notes += [_refused(place.where, path, error.expected) for path, (place, error) in faults.items()]
    notes += [_note(source.where(path), path, None, Verdict.UNUSED, text) for path, text in idle.items()]
    return tuple(notes)


def _keep(faults: dict[Path, tuple[Place, ConfigError]], place: Place, error: ConfigError) -> None:
    faults.setdefault(place.path, (place, error))


def _walk(document: Mapping[str, Any]) -> Iterator[tuple[Path, Any, Option | None]]:
    """Every option; unknown ones come with None."""
    for key, value in document.items():
        if key == "defaults" and isinstance(value, dict):
            yield from _options(value, DEFAULTS, (key,))
        elif key in TABLES and isinstance(value, dict):
            for name, table in value.items():
                if isinstance(table, dict):
                    yield from _options(table, TABLES[key], (key, name))
        elif key == "profile":
            yield (key,), value, REGISTRATION[key]
        elif key not in TABLES and key != "defaults":
            yield (key,), value, None


def _options(
    table: Mapping[str, Any], known: Mapping[str, Option], path: Path
) -> Iterator[tuple[Path, Any, Option | None]]:
    for key, value in table.items():
        option = known.get(key)
        if option is not None and option.record is not None and isinstance(value, dict):
            yield from _options(value, option.record, (*path, key))
        else:
            yield (*path, key), value, option


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{...}"
    if isinstance(value, list):
        return ", ".join("{...}" if isinstance(item, dict | list) else str(item) for item in value)
    return str(value)


def _refused(where: str, path: Path, text: str) -> OptionNote:
    return _note(where, path, None, Verdict.REFUSED, text)


def _note(where: str, path: Path, value: str | None, verdict: Verdict, text: str) -> OptionNote:
    top, inside = path[:1], path[2:] if path[:1] and path[0] in TABLES else path[1:]
    kind = _TYPES.get(top[0], top[0] if inside else "file") if top else "file"
    section = path[: len(path) - len(inside)] if inside else path[:2] if top and top[0] in TABLES else ()
    option = dotted(inside or (() if section else path or ("file",)))
    return OptionNote(
        where=where, section=dotted(section), type=kind, option=option, value=value, verdict=verdict, text=text
    )
