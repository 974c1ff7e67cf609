"""Log lines to stderr, for a terminal or for a journal that adds its own time."""

from __future__ import annotations

import logging
import os
import sys

__all__ = ["LOGGER", "fault", "start_logging"]

LOGGER = logging.getLogger("sipcore")


def start_logging(level: str) -> logging.Logger:
    """Log to stderr from this level on. Messages are one line each: what is remote in them is made safe before."""
    # Nobody reads these, and each costs a call for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # A stderr that is gone must not end the daemon, nor print a traceback to it.
    logging.raiseExceptions = False
    stamp = "" if _into_journal() else "%(asctime)s "
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"{stamp}%(levelname)s %(message)s"))
    LOGGER.handlers[:] = [handler]
    LOGGER.propagate = False
    LOGGER.setLevel(level.upper())
    return LOGGER


def fault(error: BaseException) -> str:
    """Type and place of an unexpected exception: its text could hold what no log may, its traceback has many lines."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{place}"


def _into_journal() -> bool:
    # The variable is inherited by whatever the service starts, also when that has its stderr elsewhere: sd_journal
    # compares the same way.
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
