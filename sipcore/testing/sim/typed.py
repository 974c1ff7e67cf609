"""Dataclasses out of JSON, held against their own annotations: whoever wrote a wrong value is told where it stands."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["TypedError", "build", "check", "shown"]

MAX_SHOWN = 80
"""Characters of a wrong value that an error shows."""

NAMES: dict[object, str] = {
    int: "a whole number", float: "a number", str: "a text", bool: "true or false", NoneType: "null",
}  # fmt: skip


class TypedError(ValueError):
    """A value does not fit; the text names its place and says what would."""


def build(kind: type[Any], value: object, place: str) -> Any:
    """The dataclass `kind` of a JSON object, and of those in it. Raises `TypedError`."""
    known = {item.name: item for item in fields(kind)}
    if not isinstance(value, dict):
        raise TypedError(f"{place} is {shown(value)}, which is no object")
    check_names(value, known, place)
    missing = [
        name
        for name, item in known.items()
        if name not in value and item.default is MISSING and item.default_factory is MISSING
    ]
    if missing:
        raise TypedError(f"{place} lacks {', '.join(missing)}")
    hints = get_type_hints(kind)
    return kind(**{name: check(hints[name], item, f"{place}.{name}") for name, item in value.items()})


def check(hint: Any, value: Any, place: str) -> Any:
    """The value, with tuples for lists; `hint` is an annotation. Raises `TypedError`."""
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return build(hint, value, place)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise TypedError(f"{place} is {shown(value)}, which is no list")
        return tuple(check(arguments[0], item, f"{place}[{number}]") for number, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise TypedError(f"{place} is {shown(value)}, which is no object")
        return value
    allowed = arguments if origin in (UnionType, Union) else (hint,)
    if not any(_fits(one, value) for one in allowed):
        raise TypedError(f"{place} is {shown(value)}, which is not {' or '.join(map(_named, allowed))}")
    return value


def check_names(names: Iterable[str], known: Collection[str], place: str) -> None:
    """Only known names; the nearest is told where there is another. Raises `TypedError`."""
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise TypedError(f"{place} has no {name!r}" + (f"; the nearest is {near[0]!r}" if near else ""))


def shown(value: object) -> str:
    """A value as it stood in the file, no longer than an error should be."""
    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _fits(hint: Any, value: object) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _named(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}"
    return NAMES.get(hint, str(hint))
