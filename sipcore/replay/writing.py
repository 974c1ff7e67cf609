"""Images and steps as JSON values: numbers in the place of references, labels in the place of secrets.

Each of `Writer.image` and `Writer.step` gives the objects of the document's lines; `docs/replay.md` describes them.
What is written is masked (`masking`), and its order is that of the agent's own containers or else sorted, so equal runs
give equal bytes in every process.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

from sipcore.config import Account
from sipcore.errors import RemoteProtocolError, ReplayError
from sipcore.profiles import PROFILES, Profile
from sipcore.replay.classes import ENUMS, ERRORS, VALUES
from sipcore.replay.images import Image
from sipcore.replay.labels import Labels
from sipcore.replay.masking import mask, mask_text
from sipcore.replay.shapes import Json
from sipcore.replay.steps import Step
from sipcore.syntax.framing import StreamFramer
from sipcore.syntax.message import Request, Response
from sipcore.values import Secret

__all__ = ["Writer", "field_names"]


class Writer:
    """Writes one segment: an image, then steps."""

    def __init__(self, labels: Labels | None = None) -> None:
        self.labels = Labels() if labels is None else labels
        self._numbers: dict[int, int] = {}
        self._kept: list[object] = []
        """What has a number, so that its address is not another's as long as we know it."""
        self._new: list[Json] = []
        """Lines of parts that were met while another line was written."""

    def image(self, image: Image, buffers: Mapping[int, bytes]) -> Iterator[Json]:
        """The lines of an image. `buffers` has the masked buffers of framers, by the framer's address."""
        number = 0
        armed = 0
        for batch in image.batches:
            for machine in batch.machines:
                number += 1
                self._numbers[id(machine)] = number
        self._kept.append(image)
        number = 0
        for batch in image.batches:
            plan = batch.plan
            for machine, row in zip(batch.machines, batch.rows(), strict=True):
                number += 1
                armed += plan.due is not None and row[plan.due] is not None
                has = {}
                for field, shape, taken in zip(plan.fields, plan.shapes, row, strict=True):
                    try:
                        has[field] = shape.write(taken, self)
                    except ReplayError as error:
                        raise ReplayError(f"{plan.name}.{field}: {error}") from None
                if plan.kind is StreamFramer and id(machine) in buffers:
                    has["_buffer"] = {"bytes": _text(buffers[id(machine)])}
                yield {"node": number, "is": plan.name, "has": has}
        # They are numbered behind the machines.
        yield from self._news()
        if armed != image.timers:
            raise ReplayError(f"{image.timers} deadlines are armed, but {armed} were found: a machine is missing")

    def step(self, step: Step, data: bytes | None = None) -> Iterator[Json]:
        """The lines of a step. `data` are the masked bytes of a `receive`, where that cannot be told from it alone."""
        if step.output is not None:
            line: dict[str, Json] = {"step": step.number, "now": self.value(step.now), "out": self.value(step.output)}
            yield from self._news()
            yield line
            return
        arguments = list(step.arguments)
        if data is not None:
            arguments[1] = _Masked(data)
        line = {"step": step.number, "now": self.value(step.now), "do": step.name}
        if arguments:
            line["with"] = [self.value(item) for item in arguments]
        if step.keywords:
            line["by"] = {name: self.value(item) for name, item in step.keywords.items()}
        if step.random:
            line["drew"] = [list(draw) for draw in step.random]
        if step.proofs:
            line["proofs"] = list(step.proofs)
        if step.endpoints:
            line["endpoints"] = [[self.value(item) for item in named] for named in step.endpoints]
        if step.error is not None:
            line["raised"] = mask_text(step.error)
        yield from self._news()
        yield line

    # --- what shapes need ------------------------------------------------------------------------------------------

    def number(self, machine: object) -> int:
        """The number of a machine of the image."""
        number = self._numbers.get(id(machine))
        if number is None:
            raise ReplayError(f"a {type(machine).__name__} is not part of the image")
        return number

    def value(self, value: object) -> Json:
        """A value that never changes. Raises `ReplayError` when its class is not one that can be recorded."""
        write = _WRITE.get(type(value))
        if write is None:
            raise ReplayError(f"a {type(value).__name__} cannot be recorded: it is not in the table of values")
        return write(self, value)

    def request(self, request: Request) -> Json:
        """A request: the application answers this very one, so it has a number."""
        return self._part(request, "Request", lambda: {"data": {"bytes": _text(_safe(bytes(request)))}})

    def profile(self, profile: Profile) -> Json:
        """A profile by name if it is one of ours, otherwise by what it says, once."""
        if PROFILES.get(profile.name) is profile:
            return {"profile": profile.name}
        return self._part(
            profile, "Profile", lambda: {name: self.value(getattr(profile, name)) for name in field_names(Profile)}
        )

    def _part(self, part: object, name: str, has: Callable[[], Json]) -> Json:
        number = self._numbers.get(id(part))
        if number is None:
            number = len(self._numbers) + 1
            self._numbers[id(part)] = number
            self._kept.append(part)
            self._new.append({"node": number, "is": name, "has": has()})
        return {"node": number}

    def _news(self) -> Iterator[Json]:
        news, self._new = self._new, []
        yield from news


class _Masked(bytes):
    """Bytes that are masked already."""


def field_names(kind: type) -> tuple[str, ...]:
    """The fields of a class of `VALUES`."""
    if is_dataclass(kind):
        return tuple(field.name for field in fields(kind))
    names: tuple[str, ...] = getattr(kind, "_fields")  # noqa: B009  mypy knows no such attribute
    return names


def _safe(data: bytes) -> bytes:
    # What is cut off may be a secret: nothing that a message needs stands at the end of one that is whole.
    return mask(data, unfinished=True)


def _text(data: bytes) -> str:
    # Any bytes come back from it, and what is text can be read.
    return data.decode("utf-8", "surrogateescape")


def _float(to: Writer, value: float) -> Json:
    return value if isfinite(value) else {"float": repr(value)}


def _mapping(to: Writer, value: Mapping[object, object]) -> Json:
    return {"dict": [[to.value(key), to.value(item)] for key, item in value.items()]}


def _frozenset(to: Writer, value: frozenset[object]) -> Json:
    return {"frozenset": sorted((to.value(item) for item in value), key=repr)}


def _account(to: Writer, account: Account) -> Json:
    to.labels.account(account)
    written = {name: to.value(getattr(account, name)) for name in _NAMES[Account]}
    # A header is a secret by its name, which the value alone does not show.
    written["extra_headers"] = [
        [name, mask_text(f"{name}:{value}")[len(name) + 1 :]] for name, value in account.extra_headers
    ]
    return {"Account": written}


def _error(to: Writer, error: RemoteProtocolError) -> Json:
    return {"error": [type(error).__name__, mask_text(str(error)), error.status_hint]}


def _fields(name: str, names: tuple[str, ...]) -> Callable[[Writer, Any], Json]:
    def write(to: Writer, value: object) -> Json:
        return {name: {field: to.value(getattr(value, field)) for field in names}}

    return write


def _member(name: str) -> Callable[[Writer, enum.Enum], Json]:
    return lambda to, value: {"enum": f"{name}.{value.name}"}


_NAMES: Final[Mapping[type, tuple[str, ...]]] = {kind: field_names(kind) for kind in VALUES.values()}

_WRITE: Final[dict[type, Callable[[Writer, Any], Json]]] = {
    type(None): lambda to, value: None,
    bool: lambda to, value: value,
    int: lambda to, value: value,
    float: _float,
    str: lambda to, value: mask_text(value),
    bytes: lambda to, value: {"bytes": _text(_safe(value))},
    _Masked: lambda to, value: {"bytes": _text(value)},
    tuple: lambda to, value: [to.value(item) for item in value],
    list: lambda to, value: {"list": [to.value(item) for item in value]},
    dict: _mapping,
    MappingProxyType: _mapping,
    frozenset: _frozenset,
    Secret: lambda to, value: {"secret": to.labels.label(value)},
    Request: lambda to, value: to.request(value),
    Response: lambda to, value: {"Response": {"data": {"bytes": _text(_safe(bytes(value)))}}},
    Profile: lambda to, value: to.profile(value),
    **dict.fromkeys(ERRORS.values(), _error),
    **{kind: _fields(name, _NAMES[kind]) for name, kind in VALUES.items()},
    **{kind: _member(name) for name, kind in ENUMS.items()},
    Account: _account,
}

