"""Reading a message as thoroughly as anybody could: every property, every parser, every value written back.

What there is to read is found, not listed: a new property of a message or value, and a new `parse_...` function or
`parse` method of `sipcore.syntax` or `sipcore.auth`, is read from the day it is there.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import Any, Final

from sipcore.auth.challenge import parse_challenges
from sipcore.auth.fields import parse_fields, parse_schemes
from sipcore.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from sipcore.syntax.answerable import salvage
from sipcore.syntax.bodies import BodyPart, body_of, select_parts
from sipcore.syntax.message import Message, Request, Response, make_response, parse_message

__all__ = ["Violation", "outcome", "parsers", "read_message", "read_refused", "read_text", "read_values"]

ROOMS: Final = ("sipcore.syntax", "sipcore.auth")

_DEPTH: Final = 4
"""From a message to a NameAddr to its Uri to a parameter."""


class Violation(AssertionError):
    """A message was not handled as sipcore promises."""


def outcome(read: Callable[[], object]) -> object:
    """What comes of it: the value, or the documented error as text. All other errors go through."""
    try:
        return read()
    except RemoteProtocolError as error:
        return f"{type(error).__name__} {error.status_hint}: {error}"


def read_message(message: Request | Response) -> None:
    """Read all of it, write it, change it, answer it.

    Raises `Violation`, or whatever comes out of the core that is not documented to come out.
    """
    read_values(message)
    raw = bytes(message)
    again = parse_message(raw)
    if again != message or again.headers != message.headers or again.start_line != message.start_line:
        raise Violation(f"written and read again it is another message: {raw[:200]!r}")
    try:
        edited = message.with_header("X-Mutant", "1")
    except LocalProtocolError:
        pass  # It has as many headers as a message may have.
    else:
        if edited.without("x-mutant").headers != tuple([item for item in message.headers if item[0] != "X-Mutant"]):
            raise Violation("a header that came and went has changed the others")
    if isinstance(message, Request):
        answer = make_response(message, 400, to_tag="t", headers=[("Server", "x")])
        copy = parse_message(bytes(answer))
        for name in ("via", "from", "call-id", "cseq"):
            if copy.get(name) != message.get(name):
                raise Violation(f"the response has another {name}: {copy.get(name)!r}")


def read_values(message: Request | Response) -> None:
    """Read all that a message says: lines, lists, values, values of values, bodies."""
    for name in {name.strip(" \t").lower() for name, _ in message.headers[:40]}:
        message.get(name), message.get_all(name), message.values(name)
    _explore(message, _DEPTH)
    parse_challenges(message.get_all("www-authenticate"), proxy=False)
    parse_challenges(message.get_all("proxy-authenticate"), proxy=True)
    for text in (*message.get_all("authorization"), *message.get_all("authentication-info")):
        parse_schemes(text)
        parse_fields(text)
    body = outcome(lambda: body_of(message))
    if isinstance(body, BodyPart):
        _read_body(body)


def read_refused(data: bytes) -> None:
    """What can still be done with bytes that are no message: answer them. Raises as `read_message` does."""
    request = salvage(data)
    if request is not None:
        answer = bytes(make_response(request, 400, to_tag="t"))
        # What was too long comes back as long as it was.
        with suppress(LimitExceeded):
            if parse_message(answer).via_count < 1:
                raise Violation("an answer that cannot find its way")


def read_text(text: str) -> None:
    """Give a header's value to every parser; what it makes of it is written and read again.

    Raises `Violation`, or whatever comes out of a parser that is not documented to come out.
    """
    for parse in parsers():
        value = outcome(lambda parse=parse: parse(text))  # type: ignore[misc]  # bound early
        if isinstance(value, str | int | None):
            continue
        _explore(value, _DEPTH - 1)
        # What a list holds can stand in a list of its own.
        several = isinstance(value, tuple) and not _is_ours(type(value))
        for item in value[:8] if isinstance(value, tuple) and several else (value,):
            if _is_written(item):
                if (written := _written(item)) is None:
                    continue
                again = outcome(lambda parse=parse, written=written: parse(written))  # type: ignore[misc]  # bound early
                if again != ((item,) if several else item):
                    raise Violation(f"{parse.__name__}: {item!r} is written {written!r} and read as {again!r}")


@cache
def parsers() -> tuple[Callable[[str], object], ...]:
    """Every public function of the two rooms that parses one header value, or the values of one header."""
    found: dict[str, Callable[[str], object]] = {}
    for room in ROOMS:
        package = importlib.import_module(room)
        for info in pkgutil.iter_modules(package.__path__, f"{room}."):
            module = importlib.import_module(info.name)
            for name in module.__all__:
                item = getattr(module, name)
                candidate = getattr(item, "parse", None) if inspect.isclass(item) else item
                if not callable(candidate) or not getattr(candidate, "__name__", "").startswith("parse"):
                    continue
                parse = _of_one_text(candidate)
                if parse is not None:
                    found[f"{candidate.__module__}.{candidate.__qualname__}"] = parse
    return tuple(found.values())


def _of_one_text(function: Any) -> Callable[[str], object] | None:
    """The function, when a text is all that it needs; one of a list of texts is called with a list of one."""
    kinds = []
    booleans = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not inspect.Parameter.empty:
            continue
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            if parameter.annotation != "bool":
                return None
            booleans[parameter.name] = False
        else:
            kinds.append(parameter.annotation)
    if kinds == ["str"] or kinds == ["str | None"]:
        one: Callable[[str], object] = function
    elif kinds in (["Iterable[str]"], ["Sequence[str]"]):

        def one(text: str) -> object:
            return function([text], **booleans)

        one.__name__ = function.__name__
    else:
        return None
    return one


def _read_body(body: BodyPart) -> None:
    _explore(body, _DEPTH)
    outcome(lambda: select_parts(body, {"application/sdp", "text/plain"}))
    parts = outcome(body.parts)
    if isinstance(parts, tuple):
        for part in parts[:8]:
            _explore(part, _DEPTH)
            _explore(outcome(part.parts), _DEPTH)


@cache
def _properties(kind: type) -> tuple[str, ...]:
    return tuple([name for name, item in inspect.getmembers(kind) if isinstance(item, property) and name[:1] != "_"])


@cache
def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith("sipcore.")


def _written(value: object) -> str | None:
    """The text of a value; None when it has a NUL, which may come as a quoted-pair and which we do not send."""
    try:
        return str(value)
    except LocalProtocolError:
        if "\\x00" not in repr(value):
            raise
        return None


def _is_written(value: object) -> bool:
    kind: type = type(value)
    return not isinstance(value, enum.Enum) and _has_text(kind)


@cache
def _has_text(kind: type) -> bool:
    return _is_ours(kind) and inspect.getattr_static(kind, "__str__") is not object.__str__


def _explore(value: object, depth: int) -> None:
    if value is None or isinstance(value, str | bytes | int | float | enum.Enum) or depth == 0:
        return
    if isinstance(value, dict):
        _explore_all(value.values(), depth)
        return
    if isinstance(value, tuple | list):
        # A tuple of 4000 is no better tested by its last than by its first.
        _explore_all(value[:20], depth)
    kind: type = type(value)
    if not _is_ours(kind):
        return
    repr(value)
    if not isinstance(value, Message):
        _written(value)
    if hash(value) != hash(value) or value != value:
        raise Violation(f"not equal to itself: {value!r}")
    for name in _properties(kind):
        _explore(outcome(lambda name=name: getattr(value, name)), depth - 1)  # type: ignore[misc]  # bound early


def _explore_all(values: Iterable[object], depth: int) -> None:
    for value in values:
        _explore(value, depth - 1)
