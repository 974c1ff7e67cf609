"""A recording that was read: what stood in its lines, each checked for what it has to be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NoReturn

from sipcore.agent import UserAgent
from sipcore.commands import Command
from sipcore.errors import ReplayError
from sipcore.events import Event
from sipcore.replay.document import FORMAT, Ending
from sipcore.replay.inputs import INPUTS
from sipcore.replay.labels import Secrets, Vault
from sipcore.replay.reading import Node, Reader, restored
from sipcore.replay.shapes import Json
from sipcore.replay.steps import NOTHING, Draw, Named, Step

__all__ = ["MAX_LINE", "Recording", "Segment", "read"]

MAX_LINE: Final = 1 << 24
"""Characters of a line: the longest has an account or a message with all that it refers to, a few hundred KiB."""

_BITS: Final = re.compile("getrandbits:([0-9]{1,4})").fullmatch

_PROOFS: Final = frozenset({"right", "wrong"})


@dataclass(eq=False)
class Segment:
    """An image of the agent, and what happened from there on."""

    number: int
    now: float
    """The agent's clock at its beginning."""
    nodes: list[Node] = field(default_factory=list)
    lines: list[tuple[int, Json]] = field(default_factory=list, repr=False)
    """Number of the line and object of each step."""
    steps: list[Step] = field(default_factory=list)
    last: bool = False
    """Nothing stands behind its image, not even an end, so that the image may be cut off."""

    def restore(self, *, random: Random, secrets: Secrets | None = None) -> UserAgent:
        """The agent as it was when the segment began. Raises `ReplayError`."""
        return restored(self.reader(Vault(secrets)), UserAgent, random, last=self.last)

    def reader(self, vault: Vault) -> Reader:
        """What makes live values of this segment's lines."""
        return Reader(self.nodes, vault)


@dataclass(frozen=True, eq=False)
class Recording:
    """A run, or the end of one."""

    version: str
    """The version of sipcore that recorded it."""
    python: str
    wall: tuple[float, float] | None
    """One moment as (`now`, Unix time), when the recorder knew."""
    segments: tuple[Segment, ...]
    ending: Ending | None
    """How the run stood at the end; None when the end is missing, as in a file whose writer was killed."""

    @property
    def steps(self) -> list[Step]:
        """All steps of all segments."""
        return [step for segment in self.segments for step in segment.steps]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The labels of all secrets that it refers to."""
        found: dict[str, None] = {}
        for segment in self.segments:
            for node in segment.nodes:
                _labels(node.has, found)
            for _, text in segment.lines:
                _labels(text, found)
        return tuple(sorted(found))


def read(lines: Iterable[str]) -> Recording:
    """A recording from its lines. Raises `ReplayError` that names the line and what would be valid there.

    There is at least one segment; its image is looked at when it is used. What was cut off is left out, since its
    writer was killed: half a line at the end, and a segment behind others of which there are no steps.
    """
    version = python = ""
    wall: tuple[float, float] | None = None
    segments: list[Segment] = []
    ending: Ending | None = None
    state = _State()
    cut: ReplayError | None = None
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        if cut is not None:
            raise cut
        if ending is not None:
            raise ReplayError(f"line {number}: there is something behind the end")
        try:
            if not state.begun:
                version, python, wall = _header(_object(text))
                state.begun = True
                continue
            found = _object(text)
            kind = next((name for name in ("step", "node", "segment", "end") if name in found), None)
            if kind == "segment":
                segments.append(_segment(found, len(segments) + 1))
                state.reader = segments[-1].reader(Vault())
            elif kind == "end":
                ending = _ending(found, state)
            elif kind is None or state.reader is None:
                raise ReplayError("this is neither a step, a node, a segment nor the end; a segment comes first")
            elif kind == "node":
                _node(found, number, segments[-1], state)
            else:
                _take_step(found, number, segments[-1], state)
        except ReplayError as error:
            refused = ReplayError(f"line {number}: {error}")
            if text.endswith("\n") or not state.begun:
                raise refused from None
            # Cut off, if nothing follows.
            cut = refused
    if not state.begun:
        raise ReplayError("line 1: the document is empty; a recording begins with a header")
    if not segments:
        raise ReplayError("this recording holds nothing: behind its header there is no segment (cut off?)")
    if ending is None and not segments[-1].steps:
        segments[-1].last = True
        if len(segments) > 1:
            segments.pop()
    return Recording(version, python, wall, tuple(segments), ending)


class _State:
    """How far the reader has come."""

    def __init__(self) -> None:
        self.begun = False
        self.reader: Reader | None = None
        self.last = 0
        """The number of the last step."""


def step_of(found: Mapping[str, Json], reader: Reader) -> Step:
    """One step. Raises `ReplayError`."""
    number, now = found.get("step"), reader.value(found.get("now"))
    if not isinstance(number, int) or isinstance(number, bool):
        raise ReplayError("a step has a whole number")
    if not isinstance(now, int | float) or isinstance(now, bool):
        raise ReplayError("now: a step has a time in seconds")
    if "out" in found:
        _only(found, "step", "now", "out")
        output = reader.value(found["out"])
        if not isinstance(output, Command | Event):
            raise ReplayError("out: this is neither a command nor an event")
        return Step(number, now, type(output).__name__, output=output)
    _only(found, "step", "now", "do", "with", "by", "drew", "raised", "proofs", "endpoints")
    name = found.get("do")
    if not isinstance(name, str) or name not in INPUTS:
        raise ReplayError(f"do: {name!r:.80} is not an input; known are {', '.join(INPUTS)}")
    positional, named = INPUTS[name]
    arguments = reader.value(_of(list, found.get("with", []), "with"))
    keywords = _of(dict, found.get("by", {}), "by")
    if len(arguments) != len(positional) or keywords.keys() != set(named):
        raise ReplayError(f"{name} takes ({', '.join(positional)}) and by name ({', '.join(named)})")
    error = found.get("raised")
    if error is not None and not isinstance(error, str):
        raise ReplayError("raised: an error is a text")
    proofs = tuple(_of(list, found.get("proofs", []), "proofs"))
    if not all(isinstance(word, str) and word in _PROOFS for word in proofs):
        raise ReplayError("proofs: each is right or wrong")
    return Step(
        number,
        now,
        name,
        arguments,
        {key: reader.value(item) for key, item in keywords.items()} if keywords else NOTHING,
        None,
        tuple(_draw(item) for item in _of(list, found.get("drew", []), "drew")),
        error,
        proofs,
        tuple(_named(item) for item in _of(list, found.get("endpoints", []), "endpoints")),
    )


def _take_step(found: dict[str, Json], number: int, segment: Segment, state: _State) -> None:
    assert state.reader is not None
    if not segment.nodes:
        raise ReplayError("a segment begins with an image, and there is no node above")
    step = step_of(found, state.reader)
    if step.number != state.last + 1:
        raise ReplayError(f"step {step.number} stands behind step {state.last}: something is missing")
    state.last = step.number
    segment.steps.append(step)
    segment.lines.append((number, found))


def _node(found: dict[str, Json], number: int, segment: Segment, state: _State) -> None:
    assert state.reader is not None
    _only(found, "node", "is", "has")
    node = Node(found["node"], _of(str, found.get("is"), "is"), _of(dict, found.get("has"), "has"), number)
    if node.number != len(segment.nodes) + 1 or isinstance(node.number, bool):
        raise ReplayError(f"node {node.number!r:.20} is out of turn: the next is {len(segment.nodes) + 1}")
    segment.nodes.append(node)
    state.reader.nodes[node.number] = node


def _segment(found: dict[str, Json], number: int) -> Segment:
    _only(found, "segment", "now")
    now = Reader((), Vault()).value(found.get("now"))
    if found["segment"] != number or not isinstance(now, int | float):
        raise ReplayError(f"this should be segment {number} with the time of its beginning")
    return Segment(number, now)


def _ending(found: dict[str, Json], state: _State) -> Ending:
    _only(found, "end", "pending", "deadline")
    pending, deadline = found.get("pending"), Reader((), Vault()).value(found.get("deadline"))
    if found["end"] != state.last or not isinstance(pending, int) or not isinstance(deadline, int | float | None):
        raise ReplayError(f"the end names the last step, {state.last}, how many outputs wait, and a deadline or null")
    return Ending(pending, deadline)


def _header(found: dict[str, Json]) -> tuple[str, str, tuple[float, float] | None]:
    if found.get("sipcore") != "recording":
        raise ReplayError('this is not a recording: its first line has no "sipcore":"recording"')
    if found.get("format") != FORMAT or isinstance(found.get("format"), bool):
        raise ReplayError(f"format {found.get('format')!r:.20} cannot be read here; this version reads format {FORMAT}")
    wall = found.get("wall")
    pair: tuple[float, float] | None = None
    if wall is not None:
        if not isinstance(wall, list) or len(wall) != 2 or not all(isinstance(item, int | float) for item in wall):
            raise ReplayError("wall: a pair of numbers, `now` and Unix time, or null")
        pair = Reader((), Vault()).value(wall)
    return str(found.get("version"))[:80], str(found.get("python"))[:80], pair


def _draw(item: Json) -> Draw:
    if isinstance(item, list) and len(item) == 2:
        kind, value = item
        if kind == "random" and isinstance(value, float) and 0.0 <= value < 1.0:
            return kind, value
        bits = _BITS(kind) if isinstance(kind, str) else None
        whole = isinstance(value, int) and not isinstance(value, bool)
        if bits is not None and whole and 0 <= value < 1 << int(bits[1]):
            return kind, value
    raise ReplayError('drew: each is ["random", number below 1] or ["getrandbits:BITS", number below 2**BITS]')


def _named(item: Json) -> Named:
    if isinstance(item, list) and len(item) == 2:
        endpoint, error = item
        if isinstance(endpoint, str | None) and isinstance(error, str | None):
            return endpoint, error
    raise ReplayError("endpoints: each is [name or null, error or null]")


def _object(text: str) -> dict[str, Json]:
    if len(text) > MAX_LINE:
        raise ReplayError(f"the line has more than {MAX_LINE} characters")
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"this is not JSON: {error}"[:200]) from None
    if not isinstance(found, dict):
        raise ReplayError("each line is a JSON object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _of(kind: type, value: Json, name: str) -> Any:
    if not isinstance(value, kind):
        raise ReplayError(f"{name}: {value!r:.80} is not of type {kind.__name__}")
    return value


def _only(found: Mapping[str, Json], *names: str) -> None:
    odd = [name for name in found if name not in names]
    if odd:
        raise ReplayError(f"{odd[0]!r:.80} is not known here; known are {', '.join(names)}")


def _labels(text: Json, found: dict[str, None]) -> None:
    stack = [text]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            label = item.get("secret")
            if len(item) == 1 and isinstance(label, str):
                found[label] = None
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)

