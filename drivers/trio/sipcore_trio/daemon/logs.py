"""Log lines to stderr, for a terminal or for a journal that adds its own time."""

from __future__ import annotations

import logging
import os
import sys

__all__ = ["LOGGER", "start_logging"]

LOGGER = logging.getLogger("sipcore")


def start_logging(level: str) -> logging.Logger:
    """Log to stderr from this level on. Messages are one line each: what is remote in them is made safe before."""
    # Nobody reads these, and each costs a call for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # A stderr that is gone must not end the daemon, nor print a traceback to it.
    logging.raiseExceptions = False
    stamp = "" if os.environ.get("JOURNAL_STREAM") else "%(asctime)s "
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"{stamp}%(levelname)s %(message)s"))
    LOGGER.handlers[:] = [handler]
    LOGGER.propagate = False
    LOGGER.setLevel(level.upper())
    return LOGGER
