"""Log lines to stderr: as text, for a terminal or for a journal that adds its own time, or as one JSON object each.

Nothing that happens to stderr stops the daemon. What cannot be written is lost, also when a pipe is full because nobody
reads it: how many lines that were is told as soon as there is room again.
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import time
from contextlib import suppress
from typing import Any, TextIO

__all__ = ["FIELDS", "LOGGER", "LineHandler", "fault", "show_trace", "start_logging"]

LOGGER = logging.getLogger("sipcore")

FIELDS = (
    *("event", "registration", "aor", "state", "class", "code", "server", "transport", "expires_at", "next_attempt_at"),
    *("cause", "flow", "registrations", "count"),
)
"""What a record may say besides its text, as `extra`; nothing else of a record is told. Times are Unix seconds."""

ATOMIC = 4096
"""Bytes that a pipe takes without blocking when it says that it can be written to (POSIX, PIPE_BUF on Linux)."""


def start_logging(level: str, form: str = "text") -> logging.Logger:
    """Log to stderr from this level on. Messages are one line each: what is remote in them is made safe before."""
    # Nobody reads these, and each costs a call for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # A stderr that is gone must not end the daemon, nor print a traceback to it.
    logging.raiseExceptions = False
    handler = LineHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(_JsonFormatter())
    else:
        stamp = "" if _into_journal() else "%(asctime)s "
        handler.setFormatter(logging.Formatter(f"{stamp}%(levelname)s %(message)s"))
    LOGGER.handlers[:] = [handler]
    LOGGER.propagate = False
    LOGGER.setLevel(level.upper())
    return LOGGER


def show_trace(data: bytes, text: str) -> None:
    """Write a message of `--trace` as the log is written, whatever the level is."""
    for handler in LOGGER.handlers:
        if not isinstance(handler, LineHandler):
            continue
        if isinstance(handler.formatter, _JsonFormatter):
            handler.handle(_record(logging.DEBUG, text, event="trace"))
        else:
            handler.write(text)


class LineHandler(logging.Handler):
    """Writes lines to a stream that may be full, slow or gone."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream
        self._poll: select.poll | None = None
        self._missed = 0
        if stream is not None:
            with suppress(OSError, ValueError):  # one that is closed, or no file
                number = stream.fileno()
                poll = select.poll()
                poll.register(number, select.POLLOUT)
                self._poll = poll

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless there is no room."""
        with suppress(Exception):
            self.write(self.format(record))

    def write(self, text: str) -> None:
        """Write some lines, unless there is no room."""
        if self._stream is None:
            return
        if self._missed and self._room() and self._put(f"{self.format(_about_missed(self._missed))}\n"):
            self._missed = 0
        if not self._put(f"{text}\n"):
            self._missed += 1

    def _put(self, text: str) -> bool:
        if self._poll is None:
            return self._write(text)
        # A text stream writes characters, and none has more than four bytes.
        for start in range(0, len(text), ATOMIC // 4):
            if not self._room() or not self._write(text[start : start + ATOMIC // 4]):
                return False
        return True

    def _write(self, text: str) -> bool:
        assert self._stream is not None
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return False
        return True

    def _room(self) -> bool:
        if self._poll is None:
            return True
        try:
            return any(events & select.POLLOUT for _, events in self._poll.poll(0))
        except OSError:
            return False


class _JsonFormatter(logging.Formatter):
    """One object in one line. Only what is in `FIELDS` is taken from a record's `extra`, so that nothing gets into the
    log because it happened to be at hand."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        item: dict[str, Any] = {
            "time": f"{stamp}.{int(record.created * 1000) % 1000:03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for field in FIELDS:
            value = getattr(record, field, None)
            if value is not None:
                item[field] = value
        return json.dumps(item, ensure_ascii=True, separators=(",", ":"))


def fault(error: BaseException) -> str:
    """Type and place of an unexpected exception: its text could hold what no log may, its traceback has many lines."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{place}"


def _about_missed(count: int) -> logging.LogRecord:
    lines = "line was" if count == 1 else "lines were"
    text = f"{count} {lines} left out, since stderr took no more"
    return _record(logging.WARNING, text, event="lines_lost", count=count)


def _record(level: int, text: str, **fields: object) -> logging.LogRecord:
    return LOGGER.makeRecord(LOGGER.name, level, "", 0, text, (), None, extra=fields)


def _into_journal() -> bool:
    # The variable is inherited by whatever the service starts, also when that has its stderr elsewhere: sd_journal
    # compares the same way.
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
