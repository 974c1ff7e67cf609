"""A recording line by line while it happens.

What arrives on a stream may be cut anywhere, also within a password. Such a piece is masked together with the rest of
its message, so it and all behind it wait for that; the core itself sees to it that no message stays unfinished for
long (`endpoint.INCOMPLETE_MESSAGE_TIMEOUT`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from sipcore.agent import UserAgent
from sipcore.commands import CloseFlow
from sipcore.errors import ReplayError
from sipcore.replay.document import Ending, end_line, framers, header, is_piece, line, segment_line
from sipcore.replay.images import Image
from sipcore.replay.log import Entry, steps
from sipcore.replay.masking import mask, masked_pieces
from sipcore.replay.steps import Step
from sipcore.replay.writing import Writer

__all__ = ["Sink"]

MAX_HELD: Final = 20_000
"""Steps that wait for the end of a message; past it its piece is masked as if the end never came."""


class _Stream:
    """The bytes since the last moment at which no message was unfinished."""

    def __init__(self, held: bytes = b"") -> None:
        self.pieces = [held]
        self.waiting: list[_Held] = []


class _Held:
    """A step on its way."""

    __slots__ = ("data", "ready", "step")

    def __init__(self, step: Step, *, ready: bool) -> None:
        self.step = step
        self.ready = ready
        self.data: bytes | None = None


class Sink:
    """Writes one segment without an end."""

    def __init__(
        self,
        put: Callable[[str], object],
        agent: UserAgent,
        image: Image,
        wall: tuple[float, float] | None,
        position: int,
    ) -> None:
        self.position = position
        """How much of the recorder's log is written."""
        self.error: str | None = None
        """Why no more is written: something cannot be recorded, or whoever takes the lines raised an error."""
        self._put = put
        self._agent = agent
        self._writer = Writer()
        self._now = image.now
        self._number = 1
        self._held: deque[_Held] = deque()
        self._streams: dict[int, _Stream] = {}
        buffers = {}
        for flow, framer, held in framers(image):
            self._streams[flow] = _Stream(held)
            buffers[framer] = mask(held, unfinished=True)
        put(line(header(wall)))
        put(line(segment_line(1, image.now)))
        for node in self._writer.image(image, buffers):
            put(line(node))

    def flush(self, log: Sequence[Entry]) -> None:
        """Write what the log has behind `position`; its last input is done."""
        position, self.position = self.position, len(log)
        if position == self.position or self.error is not None:
            return
        try:
            for step in steps(log[position:], self._number, self._now):
                self._number += 1
                self._now = max(self._now, step.now)
                self._take(step)
            self._release()
        except Exception as error:
            self._stop(error)

    def end(self, ending: Ending) -> None:
        """There is no more: write what was held back, and the last line."""
        if self.error is not None:
            return
        try:
            for flow in tuple(self._streams):
                self._mask(flow, unfinished=True)
            self._release()
            self._put(line(end_line(self._number - 1, ending)))
        except Exception as error:
            self._stop(error)

    def _stop(self, error: Exception) -> None:
        # Whoever records must not break what is recorded, be it a full disk or a fault of ours.
        self.error = str(error) if isinstance(error, ReplayError) else f"{type(error).__name__}: {error}"

    def _take(self, step: Step) -> None:
        held = _Held(step, ready=True)
        self._held.append(held)
        if is_piece(step):
            flow, data = step.arguments[0], step.arguments[1]
            assert isinstance(flow, int)
            assert isinstance(data, bytes)
            held.ready = False
            stream = self._streams.setdefault(flow, _Stream())
            stream.pieces.append(data)
            stream.waiting.append(held)
            known = self._agent.flows.get(flow)
            if known is None or known.framer is None:
                self._ended(flow)
            elif not known.framer.pending:
                self._mask(flow, unfinished=False)
                del self._streams[flow]
        elif step.name == "flow_closed" and isinstance(step.arguments[0], int):
            self._ended(step.arguments[0])
        elif isinstance(step.output, CloseFlow):
            self._ended(step.output.flow)
        if len(self._held) > MAX_HELD:
            for flow in tuple(self._streams):
                self._mask(flow, unfinished=True)

    def _ended(self, flow: int) -> None:
        if flow in self._streams:
            self._mask(flow, unfinished=True)
            del self._streams[flow]

    def _mask(self, flow: int, *, unfinished: bool) -> None:
        stream = self._streams[flow]
        if stream.waiting:
            pieces = masked_pieces(stream.pieces, unfinished=unfinished)
            for held, data in zip(stream.waiting, pieces[-len(stream.waiting) :], strict=True):
                held.data = data
                held.ready = True
            stream.waiting.clear()

    def _release(self) -> None:
        while self._held and self._held[0].ready:
            held = self._held.popleft()
            for item in self._writer.step(held.step, held.data):
                self._put(line(item))
