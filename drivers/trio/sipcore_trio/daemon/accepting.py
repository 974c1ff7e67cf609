"""Accepting connections, for all that the daemon serves."""

from __future__ import annotations

import trio

__all__ = ["accept"]

PAUSE = 1.0
"""Seconds until it is tried again when the process is out of descriptors, of which the registrations have more need."""


async def accept(listener: trio.SocketListener) -> trio.SocketStream:
    """The next connection, however long it takes."""
    while True:
        try:
            return await listener.accept()
        except OSError:
            await trio.sleep(PAUSE)
