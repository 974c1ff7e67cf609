"""Recordings of the daemon: the ring in its memory, and the file of `--record`.

What is recorded, and how secrets are masked, is the core's business (`sipcore.replay`). Here it finds a file: one that
is the user's alone, that has an end, and whose failure ends the recording and nothing else.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress

import trio

from sipcore.commands import Command
from sipcore.events import Event
from sipcore.replay import RecordingAgent, ReplayError
from sipcore.syntax.grammar import visible
from sipcore_trio.daemon.checks import StartError
from sipcore_trio.daemon.control import RequestError
from sipcore_trio.daemon.narrator import counted
from sipcore_trio.daemon.tracer import TracedAgent

__all__ = ["RecordFile", "RecordedAgent", "create", "default_name", "dumped", "pieces", "summary"]

PIECE = 1 << 16
"""Characters of a dump that are made, and sent, at once."""

MIN_LIMIT = 4 << 10
"""Bytes: a recording begins with an image of the agent, without which nothing behind it can be played; that and the
first registration fit."""

BUFFER = 1 << 16
"""Bytes kept back within one burst of outputs; at its end they go to the file."""


class RecordedAgent(TracedAgent, RecordingAgent):
    """A `UserAgent` that can be watched, and that remembers what happened to it."""

    file: RecordFile | None = None
    """Where everything goes besides the ring."""
    dumping = False
    """The ring is being written for somebody: one at a time, since each holds what the ring lets go."""

    def record_to(self, file: RecordFile, *, now: float) -> None:
        """Write everything to a file from here on."""
        self.file = file
        try:
            self.start_sink(file.write, wall=(now, time.time()))
        except ReplayError as error:
            file.end(str(error))

    def next_output(self) -> Command | Event | None:
        """See `Endpoint`; when there is nothing left, what was recorded goes to the file."""
        output = super().next_output()
        if output is None and self.file is not None:
            self.file.flush()
            if self.sink_error is not None and not self.file.ended:
                self.file.end(self.sink_error)
            if self.file.ended:
                # Nothing is written down any more that nobody keeps.
                self.close_file()
        return output

    def close_file(self) -> None:
        """Write what is left to the file, and no more."""
        file, self.file = self.file, None
        if file is not None:
            self.stop_sink()
            file.close()


class RecordFile:
    """The file of `--record`. Whatever goes wrong with it ends the recording, with one line in the log.

    Raises `StartError` when the file cannot be created, or is there already.
    """

    def __init__(self, path: str, limit: int, log: logging.Logger) -> None:
        self.path = path
        self.limit = limit
        self.written = 0
        """Bytes, those that are still in the buffer among them."""
        self.ended = ""
        """Why nothing is written any more; empty while it is."""
        self._log = log
        self._file = create(path)
        self._held: list[bytes] = []
        self._safe = 0

    @classmethod
    def wanted(cls, path: str | None, limit: int, log: logging.Logger) -> RecordFile | None:
        """What `--record` asks for: None is nothing, and an empty path a name of our own. Raises `StartError`."""
        if path is None:
            return None
        if limit < MIN_LIMIT:
            raise StartError(
                f"--record-limit: {counted(limit, 'byte')}; at least {MIN_LIMIT >> 10}K, since a recording begins with "
                "an image of the agent"
            )
        return cls(path or default_name(), limit, log)

    def write(self, line: str) -> None:
        """One line of the recording."""
        if self.ended:
            return
        data = line.rstrip("\n").encode("utf-8", "backslashreplace") + b"\n"
        if self.written + len(data) > self.limit:
            self.flush()
            if not self.ended:
                self._end(f"its limit of {self.limit} bytes is reached", logging.INFO)
            return
        self._held.append(data)
        self.written += len(data)
        if self.written - self._safe >= BUFFER:
            self.flush()

    def flush(self) -> None:
        """Give the system what is in the buffer."""
        if self.ended or not self._held:
            return
        data, self._held = memoryview(b"".join(self._held)), []
        try:
            while data:
                data = data[os.write(self._file, data) :]
            self._safe = self.written
        except OSError as error:
            # Whole lines are left, so that what there is can be played.
            with suppress(OSError):
                os.ftruncate(self._file, self._safe)
            self.written = self._safe
            self.end(error.strerror or str(error))

    def close(self) -> None:
        """The daemon ends."""
        self.flush()
        if not self.ended:
            self.ended = "the daemon ended"
            os.close(self._file)

    def end(self, why: str) -> None:
        """Something went wrong."""
        self._end(why, logging.WARNING)

    def _end(self, why: str, level: int) -> None:
        self.ended = why
        with suppress(OSError):
            os.close(self._file)
        self._log.log(level, "recording to %s stopped: %s", visible(self.path), why)


def create(path: str, what: str = "recording") -> int:
    """A descriptor of a new file that only its owner can read; errors say `what` it is. Raises `StartError`."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise StartError(f"{path}: {what}: nothing is overwritten; name a new file") from None
    except (OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) else None
        raise StartError(f"{path}: {what}: {text or error}") from None


def default_name() -> str:
    """A file in the working directory, by the moment at which the recording began."""
    return f"sipcore-{time.strftime('%Y%m%dT%H%M%S')}.jsonl"


def summary(
    agent: RecordedAgent | None, file: RecordFile | None, wall: Callable[[float], float]
) -> Iterator[str]:
    """What there is to be had, in two lines for people."""
    held = agent.ring_status if agent is not None else None
    if agent is not None and agent.record_error is not None:
        yield f"ring: none: {visible(agent.record_error)}"
    elif held is None or not held.segments:
        yield "ring: none"
    else:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall(held.since)))
        yield f"ring: {counted(held.segments, 'segment')}, about {counted(held.bytes, 'byte')}, since {since}"
    if file is None:
        yield "file: none"
    else:
        state = f"ended: {file.ended}" if file.ended else f"at most {file.limit}"
        yield f"file: {visible(file.path)}, {counted(file.written, 'byte')}, {state}"


async def dumped(agent: RecordedAgent | None, *, now: float) -> AsyncGenerator[str, None]:
    """The ring as pieces of text. Raises `RequestError` when there is none, or another dump is being written."""
    if agent is None or not (agent.ring_status.segments or agent.record_error):
        raise RequestError("the daemon keeps no recording in memory, since it was started with --no-ring")
    if agent.dumping:
        raise RequestError("another dump is being written")
    agent.dumping = True
    try:
        found = pieces(agent.dump(wall=(now, time.time())))
        # In a thread, piece by piece: what was kept as it came has to be written down first, and that takes its time.
        # Refreshes are due meanwhile, and what they add is not part of it.
        while piece := await trio.to_thread.run_sync(next, found, ""):
            yield piece
    except ReplayError as error:
        raise RequestError(str(error)) from None
    finally:
        agent.dumping = False


def pieces(lines: Iterator[str]) -> Iterator[str]:
    """The text of a recording in pieces of about `PIECE` characters."""
    held: list[str] = []
    size = 0
    for line in lines:
        text = line if line.endswith("\n") else f"{line}\n"
        for start in range(0, len(text), PIECE):
            part = text[start : start + PIECE]
            held.append(part)
            size += len(part)
            if size >= PIECE:
                yield "".join(held)
                held, size = [], 0
    if held:
        yield "".join(held)
