"""From JSON values back to live ones. A document may come from a stranger.

Only what stands in the tables of `classes` is made, each attribute is checked against its type, and whatever is wrong
ends in a `ReplayError`. That cannot make a damaged image a sound one: what an agent does that was never one is for the
player to bear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache, partial
from random import Random
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar, get_type_hints

from sipcore.agent import UserAgent
from sipcore.auth.computation import session_key
from sipcore.auth.digest import DigestSession
from sipcore.errors import RemoteProtocolError, ReplayError, SipError
from sipcore.inbound.inbound import Inbound
from sipcore.profiles import PROFILES, Profile
from sipcore.replay.classes import ENUMS, ERRORS, PARTS, VALUES
from sipcore.replay.images import PLANS, Plan
from sipcore.replay.labels import Vault
from sipcore.replay.shapes import Json, fits
from sipcore.replay.writing import field_names
from sipcore.syntax.message import Message, Request, Response, parse_message
from sipcore.timers import Timers
from sipcore.transaction.server import ServerTransactions

__all__ = ["PART_NAMES", "Node", "Reader", "restored"]

MAX_DEPTH: Final = 32
"""Levels of nesting in a value: more than twice what any has."""

MAX_WHOLE: Final = 1 << 1000
"""A whole number that is greater fits into no float, so it is neither a time nor anything else that is counted."""

MAX_TEXT: Final = 1500
"""Characters of an error: the attributes of the largest class fit."""

A = TypeVar("A", bound=UserAgent)


class Node(NamedTuple):
    """One object of a segment, not made yet."""

    number: int
    kind: str
    has: Mapping[str, Json]
    line: int
    """Where it stands in the document."""


class Reader:
    """Reads one segment; parts that are known by identity are made once."""

    def __init__(self, nodes: Sequence[Node], vault: Vault) -> None:
        self.nodes = {node.number: node for node in nodes}
        self.vault = vault
        self._parts: dict[int, Request | Profile] = {}
        self._machines: dict[int, object] = {}

    def value(self, text: Json, depth: int = 0) -> Any:
        """A value. Raises `ReplayError`."""
        if text is None or isinstance(text, str | int | float):
            if isinstance(text, int) and abs(text) > MAX_WHOLE:
                raise ReplayError(f"{_shown(text)} is larger than any number can be")
            return text
        if depth > MAX_DEPTH:
            raise ReplayError(f"more than {MAX_DEPTH} values in each other")
        if isinstance(text, list):
            return tuple([self.value(item, depth + 1) for item in text])
        if not isinstance(text, dict) or len(text) != 1:
            raise ReplayError(f"{_shown(text)} is no value: an object has one member, named after what it is")
        ((name, body),) = text.items()
        read = _READ.get(name)
        if read is None:
            raise ReplayError(f"{_shown(name)} is not a kind of value that is known here")
        try:
            return read(self, body, depth + 1)
        except ReplayError:
            raise
        except (SipError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise ReplayError(f"{_shown(text)} cannot be used: {_said(error)}") from None

    def part(self, number: object) -> Request | Profile:
        """A request or a profile. Raises `ReplayError`."""
        if not isinstance(number, int):
            raise ReplayError(f"{_shown(number)} is not the number of a node")
        known = self._parts.get(number)
        if known is None:
            node = self.nodes.get(number)
            make = None if node is None else _PARTS.get(node.kind)
            if node is None or make is None:
                raise ReplayError(f"node {number} is not a request or a profile that stands above")
            with_line = partial(ReplayError, f"line {node.line}: this {node.kind} cannot be used")
            try:
                known = self._parts[number] = make(self, node.has)
            except (SipError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
                raise ReplayError(f"{with_line()}: {_said(error)}") from None
        return known

    def machine(self, number: int) -> object:
        """A machine of the image. Raises `ReplayError`."""
        machine = self._machines.get(number)
        if machine is None:
            raise ReplayError(f"there is no node {number} in this image")
        return machine

    def agent(self, kind: type[A], random: Random) -> A:
        """A new agent of the class given, in the state of the image. Raises `ReplayError`."""
        plans: list[tuple[Node, Plan]] = []
        self._machines = {}
        for node in self.nodes.values():
            plan = _BY_NAME.get(node.kind)
            if plan is None:
                if node.kind not in _PARTS:
                    raise ReplayError(f"line {node.line}: {_shown(node.kind)} is not a class that an image can hold")
                continue
            if (plan.kind is UserAgent) != (node.number == 1):
                raise ReplayError(f"line {node.line}: the agent is node 1, and there is only one")
            cls = kind if plan.kind is UserAgent else plan.kind
            self._machines[node.number] = object.__new__(cls)
            plans.append((node, plan))
        if 1 not in self._machines:
            raise ReplayError("this segment has no agent: its first node is missing")
        for node, plan in plans:
            self._fill(node, plan)
        agent = self._machines[1]
        assert isinstance(agent, kind)
        try:
            self._rebuild(agent, random)
        except ReplayError:
            raise
        except (SipError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise ReplayError(f"the image is damaged: {_said(error)}") from None
        return agent

    def _fill(self, node: Node, plan: Plan) -> None:
        machine, has = self._machines[node.number], node.has
        if has.keys() != set(plan.fields):
            odd = sorted(set(plan.fields).symmetric_difference(has))
            text = f"line {node.line}: a {plan.name} with other attributes than {', '.join(plan.fields)}: {odd}"
            raise ReplayError(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…")
        for field, shape in zip(plan.fields, plan.shapes, strict=True):
            try:
                setattr(machine, field, shape.read(has[field], self))
            except ReplayError as error:
                raise ReplayError(f"line {node.line}: {plan.name}.{field}: {error}") from None
            except (TypeError, ValueError) as error:
                raise ReplayError(f"line {node.line}: {plan.name}.{field}: {_said(error)}") from None

    def _rebuild(self, agent: UserAgent, random: Random) -> None:
        """What `classes.REBUILT` lists."""
        agent.random = random
        agent.identify = None
        due: list[tuple[float, int, Any]] = []
        for machine in self._machines.values():
            if isinstance(machine, DigestSession):
                _rebuild_session(machine)
            elif isinstance(machine, ServerTransactions):
                waiting = [item for item in machine._by_key.values() if item.request is not None]
                machine._open = {id(item.request): item for item in waiting}
            elif isinstance(machine, Inbound):
                machine._by_line, machine._by_contact = agent._name_of_line, agent._name_of_contact
                machine._endpoint_of = agent.identified
            elif isinstance(machine, Timers):
                machine._heap, machine._dead = [], 0
            if PLANS[UserAgent if machine is agent else type(machine)].due is not None:
                timed: Any = machine
                if timed.due is not None:
                    due.append((timed.due, timed.due_key, timed))
        # A sorted list is a heap.
        agent.timers._heap = sorted(due, key=lambda entry: entry[:2])
        if len({entry[1] for entry in due}) < len(due) or any(entry[1] > agent.timers._key for entry in due):
            raise ReplayError("the deadlines of the image contradict each other")


def restored(reader: Reader, kind: type[A], random: Random, *, last: bool) -> A:
    """`Reader.agent`, whatever a hostile document makes of it. `last` as in `Segment`."""
    try:
        return reader.agent(kind, random)
    except ReplayError as error:
        if last:
            raise ReplayError(f"{error} (the recording ends in this image or right behind it: cut off?)") from None
        raise
    except RecursionError:
        raise ReplayError("the image is nested too deeply") from None


def _rebuild_session(session: DigestSession) -> None:
    challenge = session.challenge
    session._ha1 = session._key = session.credential.ha1_for(
        session.algorithm, challenge.realm, normalised=challenge.charset is not None
    )
    if session.algorithm.session and session.cnonce:
        # The nonce that began the session, unless another was adopted since: then it is not known any more, and what is
        # computed from here on is another response than the recorded one, which is masked.
        session._key = session_key(session.algorithm, session._ha1, session.nonce, session.cnonce)


def _request(reader: Reader, has: Json) -> Request:
    message = _message(reader, has)
    if not isinstance(message, Request):
        raise ReplayError("these bytes are not a request")
    return message


def _response(reader: Reader, has: Json, depth: int) -> Response:
    message = _message(reader, has)
    if not isinstance(message, Response):
        raise ReplayError("these bytes are not a response")
    return message


def _message(reader: Reader, has: Json) -> Message:
    data = reader.value(has["data"])
    if not isinstance(data, bytes):
        raise ReplayError("a message is made of bytes")
    return parse_message(data)


def _profile(reader: Reader, has: Json) -> Profile:
    values = _checked(reader, Profile, has, 0)
    for name in ("retries", "defaults"):
        values[name] = MappingProxyType(values[name])
    return Profile(**values)


def _named_profile(reader: Reader, name: Json, depth: int) -> Profile:
    profile = PROFILES.get(name) if isinstance(name, str) else None
    if profile is None:
        raise ReplayError(f"there is no profile {_shown(name)}; known are {', '.join(PROFILES)}")
    return profile


def _bytes(reader: Reader, text: Json, depth: int) -> bytes:
    data: bytes = text.encode("utf-8", "surrogateescape")
    return data


def _float(reader: Reader, text: Json, depth: int) -> float:
    if text not in ("inf", "-inf", "nan"):
        raise ReplayError(f"{_shown(text)} is not one of inf, -inf, nan")
    return float(text)


def _member(reader: Reader, text: Json, depth: int) -> Enum:
    kind, _, name = text.partition(".")
    member = ENUMS[kind].__members__.get(name) if kind in ENUMS else None
    if member is None:
        raise ReplayError(f"{_shown(text)} is not a member of an enumeration that is known here")
    return member


def _mapping(reader: Reader, pairs: Json, depth: int) -> dict[Any, Any]:
    return {reader.value(key, depth): reader.value(item, depth) for key, item in pairs}


def _list(reader: Reader, items: Json, depth: int) -> list[Any]:
    return list(reader.value(_array(items), depth))


def _frozenset(reader: Reader, items: Json, depth: int) -> frozenset[Any]:
    return frozenset(reader.value(_array(items), depth))


def _array(items: Json) -> Json:
    if not isinstance(items, list):
        raise ReplayError(f"{_shown(items)} is not a list")
    return items


def _secret(reader: Reader, label: Json, depth: int) -> object:
    if not isinstance(label, str):
        raise ReplayError(f"{_shown(label)} is not the label of a secret")
    return reader.vault.secret(label)


def _error(reader: Reader, body: Json, depth: int) -> RemoteProtocolError:
    name, text, hint = body
    if name not in ERRORS or not isinstance(text, str) or not isinstance(hint, int):
        raise ReplayError(f"{_shown(body)} is not an error of a stream; known are {', '.join(ERRORS)}")
    return ERRORS[name](text, status_hint=hint)


def _make(kind: type) -> Callable[[Reader, Json, int], Any]:
    return lambda reader, body, depth: kind(**_checked(reader, kind, body, depth))


def _checked(reader: Reader, kind: type, body: Json, depth: int) -> dict[str, Any]:
    """The fields of a class, of their types."""
    names = field_names(kind)
    if not isinstance(body, dict) or body.keys() != set(names):
        raise ReplayError(f"a {kind.__name__} has exactly {', '.join(names)}")
    hints = _hints(kind)
    values = {}
    for name in names:
        value = values[name] = reader.value(body[name], depth)
        if not fits(value, hints[name]):
            raise ReplayError(f"{kind.__name__}.{name}: {_shown(body[name])} is not of type {hints[name]}")
    return values


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _shown(text: Json) -> str:
    shown = repr(text)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


_BY_NAME: Final[Mapping[str, Plan]] = {plan.name: plan for plan in PLANS.values()}

PART_NAMES: Final = frozenset(kind.__name__ for kind in PARTS)
"""Nodes that are no machines."""

_PARTS: Final[Mapping[str, Callable[[Reader, Json], Request | Profile]]] = {"Request": _request, "Profile": _profile}

_READ: Final[Mapping[str, Callable[[Reader, Json, int], Any]]] = {
    "bytes": _bytes,
    "float": _float,
    "enum": _member,
    "dict": _mapping,
    "list": _list,
    "frozenset": _frozenset,
    "secret": _secret,
    "profile": _named_profile,
    "error": _error,
    "Response": _response,
    "node": lambda reader, number, depth: reader.part(number),
    **{name: _make(kind) for name, kind in VALUES.items()},
}
