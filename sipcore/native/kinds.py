"""How the values of a TOML file read: each kind with its reader, its words for errors, and its JSON Schema.

A reader looks at the shape of a value alone: whether it is a number, a table, one of some words. Whether a URI is a URI
and a number is in range is the business of `Account`, `Transport` and `Credential`, for this form and for all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sipcore.asterisk.faults import nearest
from sipcore.errors import ConfigError
from sipcore.native.secrets import PLACES, Reference
from sipcore.native.source import Place
from sipcore.syntax.expressions import compile_possessive
from sipcore.values import Secret

__all__ = [
    "BOOLEAN",
    "COUNT",
    "FRACTION",
    "HEADERS",
    "SECONDS",
    "SECRET",
    "TEXT",
    "TEXTS",
    "TEXT_OR_TEXTS",
    "Kind",
    "Schema",
    "digests",
    "unknown",
    "word",
    "words",
]

Schema = dict[str, Any]
"""A JSON Schema, or a part of one."""

UNITS = MappingProxyType({"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400})
"""Seconds in each unit of a duration."""

MAX_DIGITS = 15
"""Of a duration: as many as a float holds exactly."""

_DURATION = compile_possessive(rf"([0-9]{{1,{MAX_DIGITS}}}+)(?:\.([0-9]{{1,{MAX_DIGITS}}}+))?+(ms|s|min|h|d)")
_DURATION_SCHEMA = rf"^[0-9]{{1,{MAX_DIGITS}}}(\.[0-9]{{1,{MAX_DIGITS}}})?(ms|s|min|h|d)$"


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to read a value."""

    expected: str
    """What would be valid, for `must be ...`."""
    schema: Mapping[str, Any]
    read: Callable[[Any, Place], Any]
    """The value as `Account` and its like take it. Raises `ConfigError`."""
    secret: bool = False
    """Never shown."""


def _simple(expected: str, schema: Schema, fits: Callable[[Any], bool], make: Callable[[Any], Any]) -> Kind:
    def read(value: Any, place: Place) -> Any:
        if not fits(value):
            raise place.wrong(value, expected)
        return make(value)

    return Kind(expected, schema, read)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    # JSON knows one kind of number, and so does its schema: 600.0 is whole.
    return _is_number(value) and value >= 0 and (isinstance(value, int) or value.is_integer())


def _is_duration(value: Any) -> bool:
    return value >= 0 if _is_number(value) else isinstance(value, str) and _DURATION.fullmatch(value) is not None


def _seconds(value: Any) -> float:
    if not isinstance(value, str):
        return float(value) if isinstance(value, float) else value
    found = _DURATION.fullmatch(value)
    assert found is not None
    whole, fraction, unit = found.groups()
    number = float(f"{whole}.{fraction or 0}") * UNITS[unit]
    return round(number, 6)


def _read_seconds(value: Any, place: Place) -> int:
    number = _seconds(value) if _is_duration(value) else 0.5
    if number != number // 1 or number == float("inf"):
        raise place.wrong(value, SECONDS.expected)
    # Far above every limit it is the limit's error, and still a number that can be shown.
    return int(number)


TEXT = _simple("a text", {"type": "string"}, _is_text, str)

BOOLEAN = _simple("true or false", {"type": "boolean"}, lambda value: isinstance(value, bool), bool)

COUNT = _simple("a whole number", {"type": "integer", "minimum": 0}, _is_whole, int)

FRACTION = _simple(
    'seconds, such as 0.5, or a text such as "500ms" (ms, s, min, h, d)',
    {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION_SCHEMA}]},
    _is_duration,
    _seconds,
)
"""A duration."""

SECONDS = Kind(
    'whole seconds, such as 600, or a text such as "10min" (ms, s, min, h, d)',
    {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": _DURATION_SCHEMA}]},
    _read_seconds,
)
"""A duration of whole seconds."""

TEXTS = _simple("an array of texts", {"type": "array", "items": {"type": "string"}}, _are_texts, tuple)

TEXT_OR_TEXTS = _simple(
    "a text or an array of texts",
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    lambda value: _is_text(value) or _are_texts(value),
    lambda value: (value,) if isinstance(value, str) else tuple(value),
)

HEADERS = _simple(
    'an array of texts such as "X-Site: berlin"',
    {"type": "array", "items": {"type": "string", "pattern": ":"}},
    lambda value: _are_texts(value) and all(":" in line for line in value),
    lambda value: tuple(_header(line) for line in value),
)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(" \t"), value.strip(" \t")


def word(choices: Mapping[str, Any]) -> Kind:
    """One of some words; reads as what stands behind it."""
    return Kind(_one_of(choices), {"enum": list(choices)}, lambda value, place: _choose(value, choices, place))


def words(choices: Mapping[str, Any], make: Callable[[Iterable[Any]], Any]) -> Kind:
    """An array of some words."""
    expected = f"an array of {', '.join(map(repr, choices))}"

    def read(value: Any, place: Place) -> Any:
        if not isinstance(value, list):
            raise place.wrong(value, expected)
        return make([_choose(item, choices, place) for item in value])

    return Kind(expected, {"type": "array", "items": {"enum": list(choices)}}, read)


def _one_of(choices: Iterable[str]) -> str:
    return "one of " + ", ".join(map(repr, choices))


def _choose(value: Any, choices: Mapping[str, Any], place: Place) -> Any:
    if not isinstance(value, str) or value not in choices:
        hint = nearest(value, list(choices)) if isinstance(value, str) else ""
        raise place.wrong(value, _one_of(choices) + hint)
    return choices[value]


def unknown(place: Place, known: Iterable[str]) -> ConfigError:
    """The error for a key that there is not. Its value stays out: a misspelt password is one, too."""
    key = place.path[-1]
    names = list(known)
    by_case = {name.lower(): name for name in names}
    hint = nearest(key, list(by_case)) or f"; one of {', '.join(names)}"
    return place.fault(f"not an option here{hint}")


# --- secrets ---------------------------------------------------------------------------------------------------------

_SECRET_WORDS = 'a text, or where it stands: { file = "..." }, { env = "..." } or { credential = "..." }'


def _read_secret(value: Any, place: Place) -> Secret | Reference:
    if isinstance(value, str):
        return Secret(value)
    if not isinstance(value, dict):
        raise place.fault(f"must be {_SECRET_WORDS}")
    for key in value:
        if key not in PLACES:
            raise unknown(place.child(key), PLACES)
    if len(value) != 1:
        raise place.fault(f"must be {_SECRET_WORDS}, and one of them")
    ((where, name),) = value.items()
    if not isinstance(name, str) or not name:
        raise place.child(where).wrong(name, PLACES[where])
    return Reference(where, name)


SECRET = Kind(
    _SECRET_WORDS,
    {
        "anyOf": [
            {"type": "string"},
            *(
                {
                    "type": "object",
                    "properties": {where: {"type": "string", "minLength": 1, "description": text}},
                    "required": [where],
                    "additionalProperties": False,
                }
                for where, text in PLACES.items()
            ),
        ]
    },
    _read_secret,
    secret=True,
)


def digests(choices: Mapping[str, Any]) -> Kind:
    """A table of secrets by algorithm."""
    expected = f"a table with a secret for each of {', '.join(choices)}"

    def read(value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            raise place.fault(f"must be {expected}")
        for key in value:
            if key not in choices:
                raise unknown(place.child(key), choices)
        return tuple((choices[key], _read_secret(item, place.child(key))) for key, item in value.items())

    schema = {
        "type": "object",
        "properties": {name: dict(SECRET.schema) for name in choices},
        "additionalProperties": False,
    }
    return Kind(expected, schema, read, secret=True)
