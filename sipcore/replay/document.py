"""A recording as text: JSON lines, made one by one so that nobody waits for all of them.

    {"sipcore": "recording", "format": 1, "version": ..., "python": ..., "wall": [now, Unix time] or null}
    {"segment": 1, "now": ...}                              each segment: an exact image ...
    {"node": 1, "is": "UserAgent", "has": {...}}
    ...
    {"step": 1, "now": ..., "do": "receive", "with": [...]}  ... and what happened from there on
    {"step": 2, "now": ..., "out": {"Transmit": {...}}}
    ...
    {"end": 2, "pending": 0, "deadline": ...}
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sipcore.flows import Flow
from sipcore.replay.images import Image
from sipcore.replay.labels import Labels
from sipcore.replay.log import Entry, steps
from sipcore.replay.masking import mask, masked_pieces
from sipcore.replay.shapes import Json
from sipcore.replay.steps import Step
from sipcore.replay.writing import Writer
from sipcore.syntax.framing import StreamFramer

__all__ = [
    "FORMAT",
    "VERSION",
    "Buffers",
    "Ending",
    "Part",
    "document",
    "end_line",
    "framers",
    "header",
    "is_piece",
    "line",
    "segment_line",
]

FORMAT: Final = 1
"""The number of the format. A file of another one is refused: there is no telling what its lines mean."""

VERSION: Final = "0.1.0"
"""The version of sipcore that writes, for whoever wonders why another one does otherwise; a test compares it with
pyproject.toml."""

Buffers = dict[int, bytes]
"""What a framer holds, masked, by the framer's address."""


class Part(NamedTuple):
    """One segment of a recorder: where it began, and what happened since."""

    image: Image
    log: Sequence[Entry]


class Ending(NamedTuple):
    """How the run stood when the recording was taken from the recorder."""

    pending: int
    """Outputs that had not been fetched."""
    deadline: float | None


def document(parts: Sequence[Part], wall: tuple[float, float] | None, ending: Ending | None) -> Iterator[str]:
    """The lines of a recording, each with its line feed. Raises `ReplayError` for what cannot be recorded."""
    yield line(header(wall))
    masked = _streams(parts)
    labels = Labels()
    number = 1
    for index, (image, log) in enumerate(parts):
        yield line(segment_line(index + 1, image.now))
        writer = Writer(labels)
        for node in writer.image(image, masked.buffers[index]):
            yield line(node)
        for step in steps(log, number, image.now):
            number += 1
            for item in writer.step(step, masked.data.get(step.number)):
                yield line(item)
    if ending is not None:
        yield line(end_line(number - 1, ending))


def header(wall: tuple[float, float] | None) -> Json:
    """The first line."""
    python = ".".join(map(str, sys.version_info[:3]))
    return {
        "sipcore": "recording",
        "format": FORMAT,
        "version": VERSION,
        "python": python,
        "wall": None if wall is None else [float(wall[0]), float(wall[1])],
    }


def segment_line(number: int, now: float) -> Json:
    """The line in front of an image."""
    return {"segment": number, "now": Writer().value(now)}


def end_line(last: int, ending: Ending) -> Json:
    """The last line."""
    return {"end": last, "pending": ending.pending, "deadline": Writer().value(ending.deadline)}


def line(text: Json) -> str:
    """One object as a line."""
    # Keys stay in their order, and nothing but ASCII is written: any reader and any terminal takes it.
    return json.dumps(text, separators=(",", ":"), allow_nan=False) + "\n"


class _Streams(NamedTuple):
    data: dict[int, bytes]
    """Masked bytes by the number of the step that received them."""
    buffers: list[Buffers]
    """For each segment what its framers hold."""


class _Stream:
    """All bytes of one stream that the recording knows."""

    def __init__(self, held: bytes) -> None:
        self.pieces = [held]
        self.numbers = [0]
        self.length = len(held)
        self.held: list[tuple[int, int, int, bytes]] = []
        """Segment, address of the framer, where its buffer ends, and the buffer."""


def _streams(parts: Sequence[Part]) -> _Streams:
    """What may be cut anywhere is masked as the stream that it is."""
    streams: dict[int, _Stream] = {}
    number = 1
    for index, (image, log) in enumerate(parts):
        for flow, framer, held in framers(image):
            stream = streams.setdefault(flow, _Stream(held))
            stream.held.append((index, framer, stream.length, held))
        for step in steps(log, number, image.now):
            number += 1
            if is_piece(step):
                to, data = step.arguments[0], step.arguments[1]
                assert isinstance(to, int)
                assert isinstance(data, bytes)
                stream = streams.setdefault(to, _Stream(b""))
                stream.pieces.append(data)
                stream.numbers.append(step.number)
                stream.length += len(data)
    masked: dict[int, bytes] = {}
    buffers: list[Buffers] = [{} for _ in parts]
    for stream in streams.values():
        pieces = masked_pieces(stream.pieces)
        masked.update(zip(stream.numbers, pieces, strict=True))
        whole, raw = b"".join(pieces), b"".join(stream.pieces)
        for index, framer, end, held in stream.held:
            start = end - len(held)
            # A framer holds the end of what has arrived, or nothing.
            same = raw[start:end] == held
            buffers[index][framer] = whole[start:end] if same else mask(held, unfinished=True)
    masked.pop(0, None)
    return _Streams(masked, buffers)


def is_piece(step: Step) -> bool:
    """True for bytes of a stream: they have no source."""
    return step.name == "receive" and step.arguments[2] is None and isinstance(step.arguments[0], int)


def framers(image: Image) -> Iterator[tuple[int, int, bytes]]:
    """Each flow's number, its framer's address and what it holds."""
    held: dict[int, bytes] = {}
    flows: list[tuple[int, int]] = []
    for batch in image.batches:
        if batch.plan.kind is StreamFramer:
            held.update(zip(map(id, batch.machines), batch.column("_buffer"), strict=True))
        elif batch.plan.kind is Flow:
            pairs = zip(batch.column("id"), batch.column("framer"), strict=True)
            flows += [(number, id(framer)) for number, framer in pairs if framer is not None]
    for flow, address in flows:
        yield flow, address, held[address]
