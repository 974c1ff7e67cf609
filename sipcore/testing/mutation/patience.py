"""An end for what never ends: else a case that hangs would be the one that no report names."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sipcore.testing.mutation.reading import Violation

__all__ = ["MAX_PATIENCE", "limited"]

MAX_PATIENCE: Final = 10.0
"""Seconds of CPU after which one case is given up: forty times what it may take."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Whatever runs inside gets a `Violation` after so many seconds of CPU, even within one regular expression.

    Only in the main thread and where the system has such timers; elsewhere it may take as long as it likes.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(number: int, frame: object) -> None:
        raise Violation(f"given up after {seconds:g} s of CPU")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
