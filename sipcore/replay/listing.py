"""A run as a list: one line for each step, inputs and outputs, with everything that they carried in short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Final

from sipcore.commands import Record
from sipcore.config import Account
from sipcore.errors import RemoteProtocolError
from sipcore.events import InboundRequest
from sipcore.redact import redact_uri
from sipcore.replay.paths import Path, Paths, named
from sipcore.replay.story import caption, seconds
from sipcore.syntax.framing import KeepAlive
from sipcore.syntax.grammar import visible
from sipcore.syntax.message import Request, Response
from sipcore.values import Status, format_address

if TYPE_CHECKING:
    from sipcore.agent import UserAgent
    from sipcore.replay.steps import Step

__all__ = ["MAX_LINE", "lines"]

MAX_LINE: Final = 400
"""Characters of a line: a status with its cause fits."""

MAX_ITEMS: Final = 5
"""Members of a list that are shown."""


def lines(
    steps: Iterable[Step], *, agent: UserAgent | None = None, start: float | None = None
) -> Iterator[tuple[Step, str]]:
    """Each step with its line, which is safe to print.

    `agent` is the one that the run begins with, if it does not begin with an empty one. Times are seconds from `start`,
    on the agent's clock, or from the first step.
    """
    paths = Paths(agent)
    for step in steps:
        if start is None:
            start = step.now
        path = paths.learn(step)
        text = _input(step, path, start) if step.output is None else _output(step, start)
        yield step, visible(f"{step.number:>7} {seconds(step.now - start):>11}  {redact_uri(text)}", MAX_LINE)


def _input(step: Step, path: Path | None, start: float) -> str:
    values = dict(named(step))
    data = values.get("data")
    if step.name == "receive" and isinstance(data, bytes) and path is not None and path.framer is not None:
        values["data"] = _pieces(path, data)
    text = f"in   {step.name}{_values(values, start)}"
    if step.random:
        text += f" [{len(step.random)} random number{'' if len(step.random) == 1 else 's'}]"
    return text if step.error is None else f"{text} → refused: {step.error}"


def _output(step: Step, start: float) -> str:
    output = step.output
    assert output is not None
    values = {field.name: getattr(output, field.name) for field in fields(output)}
    return f"out  {step.name}{_values(values, start)}"


def _pieces(path: Path, data: bytes) -> str:
    shown = []
    for piece in path.pieces(data):
        if isinstance(piece, KeepAlive):
            shown.append(f"CRLF {piece.name.lower()}")
        elif isinstance(piece, RemoteProtocolError):
            shown.append(f"not to be read: {piece.kind}")
        else:
            shown.append(caption(piece)[0])
    more = len(shown) - MAX_ITEMS
    text = "; ".join(shown[:MAX_ITEMS]) + (f" and {more} more" if more > 0 else "")
    return f"<{len(data)} bytes{f': {text}' if text else ''}>"


def _values(values: Mapping[str, object], start: float) -> str:
    shown = []
    for name, value in values.items():
        if isinstance(value, float):
            # Moments are shown as the steps' own times are.
            value = seconds(value - start if name.endswith("_at") else value)
        if value is not None:
            shown.append(f" {name}={_value(value)}")
    return "".join(shown)


def _value(value: object) -> str:
    match value:
        case bytes():
            return f"<{len(value)} bytes: {caption(value)[0]}>"
        case Account():
            return value.name
        case Record():
            return value.address
        case Request() | Response():
            return f"<{value.start_line}>"
        case InboundRequest():
            return _value(value.request)
        case Status():
            return f"<{_status(value)}>"
        case (str() as host, int() as port):
            return format_address((host, port))
        case tuple() | list():
            more = len(value) - MAX_ITEMS
            items = ", ".join(_value(item) for item in value[:MAX_ITEMS])
            return f"({items}{f' and {more} more' if more > 0 else ''})"
        case _:
            text = str(value)
            return f"<{text}>" if " " in text and not text.startswith("<") else text


def _status(status: Status) -> str:
    text = f"{status.name} {status.state}, {status.phase}"
    return f"{text}: {status.cause}" if status.cause is not None else text
