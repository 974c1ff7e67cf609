"""A process that is out of descriptors accepts again when some are free."""

from __future__ import annotations

import errno
import socket
from typing import Any

import trio
import trio.testing

from sipcore_trio.daemon.accepting import PAUSE, accept


class Exhausted:
    """A listener for which `accept` fails a few times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def accept(self) -> trio.SocketStream:
        await trio.lowlevel.checkpoint()
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        one, other = socket.socketpair()
        other.close()
        return trio.SocketStream(trio.socket.from_stdlib_socket(one))


def test_it_waits_and_tries_again() -> None:
    async def main() -> float:
        listener: Any = Exhausted(3)
        began = trio.current_time()
        (await accept(listener)).socket.close()
        return trio.current_time() - began

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == 3 * PAUSE
