"""Programs of this repository as processes, whose output is waited for line by line."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path

from tests.secrecy import heard

__all__ = ["ENVIRONMENT", "FAIL_SAFE", "TOP", "Program"]

FAIL_SAFE = 60.0
"""Seconds without what a test waits for; all of it comes within a few."""

TOP = Path(__file__).parent.parent

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(str(TOP / part) for part in (".", "drivers/trio", "drivers/asyncio", "drivers/sync")),
    "PYTHONWARNINGS": "error",
    "PYTHONUNBUFFERED": "1",
}


class Program:
    """A Python program, output and errors in one. A context manager; leaving kills it."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._output = b""
        self._seen = 0

    def __enter__(self) -> Program:
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        heard(self._output.decode("utf-8", "replace"), "what a program printed")
        assert self._process.stdout is not None
        self._process.stdout.close()

    def line(self, *words: str) -> str:
        """The next line that holds all these words."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                while (end := self._output.find(b"\n", self._seen)) >= 0:
                    text = self._output[self._seen : end].decode()
                    self._seen = end + 1
                    if all(word in text for word in words):
                        return text
                ready = selector.select(FAIL_SAFE)
                data = os.read(self._process.stdout.fileno(), 65536) if ready else b""
                assert data, f"no line with {words} in:\n{self._output.decode()}"
                self._output += data

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; SIGINT is Ctrl-C."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; returns the exit status."""
        # With a pipe that nobody reads it could not end.
        output, _ = self._process.communicate(timeout=FAIL_SAFE)
        self._output += output
        return self._process.returncode
