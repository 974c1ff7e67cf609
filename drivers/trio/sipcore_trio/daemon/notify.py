"""Notes to systemd, as sd_notify(3) defines them, for `Type=notify-reload` and `WatchdogSec=`.

One datagram for each note to the socket that `NOTIFY_SOCKET` names; without that nothing happens. The ping of the
watchdog depends on the driver (`pulse`): a loop that turns while the registrations are stuck is not alive.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from sipcore.events import Event, StatusChanged
from sipcore_trio.daemon.narrator import moment
from sipcore_trio.daemon.pulse import Pulse
from sipcore_trio.daemon.services import Service
from sipcore_trio.daemon.tally import Tally

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["Notes", "make"]

STATUS_PAUSE = 1.0
"""Seconds between two texts for `systemctl status`: ten thousand registrations must not send as many."""

EXTENSION = 15.0
"""Seconds that systemd is asked to wait for while bindings are removed; `--stop-within` is what bounds that."""

EXTENSION_PAUSE = 5.0
"""Seconds after which that is asked for again."""


def make(daemon: Daemon) -> Notes | None:
    """The service, when there is a socket to tell."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return None
    return Notes(daemon, path, watchdog=_watchdog())


class Notes(Service):
    """Tells systemd what happens. A note that cannot be sent is lost, as systemd's own library has it."""

    name = "the notes to systemd"

    def __init__(self, daemon: Daemon, path: str, *, watchdog: float | None) -> None:
        self._daemon = daemon
        # A leading @ stands for the abstract namespace.
        self._path = f"\0{path[1:]}" if path.startswith("@") else path
        self._watchdog = watchdog
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._tally = Tally()
        self._pulse = Pulse(daemon)
        self._news = trio.Event()
        self._stopping = trio.Event()

    def send(self, *lines: str) -> None:
        """Send one note."""
        with suppress(OSError):
            self._socket.sendto("\n".join(lines).encode("utf-8", "backslashreplace"), self._path)

    def on_started(self) -> None:
        """Ready: nobody waits for the first answers, which may take as long as a registrar is silent."""
        self._tally.load(self._daemon.agent)
        self.send("READY=1", self._status())

    def on_event(self, event: Event) -> None:
        """Count, and tell it soon."""
        if isinstance(event, StatusChanged):
            self._tally.tell(event)
            self._news.set()

    def on_reloading(self) -> None:
        """The time has to be right for systemd to take the note."""
        self.send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def on_reloaded(self) -> None:
        """Also when the file was refused: the service is as ready as before, and the log says why."""
        self._tally.load(self._daemon.agent)
        if not self._stopping.is_set():
            self.send("READY=1", self._status())

    def on_stopping(self) -> None:
        """It may take longer than systemd would wait."""
        self.send("STOPPING=1", _extension(), "STATUS=stopping")
        self._stopping.set()

    async def run(self) -> None:
        """Tell what changes, and that we are alive."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._tell)
                nursery.start_soon(self._extend)
                if self._watchdog is not None:
                    nursery.start_soon(self._ping, self._watchdog / 2)
        finally:
            self.close()

    def close(self) -> None:
        """Tell nothing more."""
        self._socket.close()

    async def _tell(self) -> None:
        while not self._stopping.is_set():
            await self._news.wait()
            if self._stopping.is_set():
                return  # "stopping" is what is to be read to the end
            self._news = trio.Event()
            self.send(self._status())
            await trio.sleep(STATUS_PAUSE)

    async def _ping(self, pause: float) -> None:
        while True:
            if not self._pulse.fault():
                self.send("WATCHDOG=1")
            await trio.sleep(pause)

    async def _extend(self) -> None:
        await self._stopping.wait()
        while True:
            await trio.sleep(EXTENSION_PAUSE)
            self.send(_extension())

    def _status(self) -> str:
        daemon, tally = self._daemon, self._tally
        now = daemon.driver.now()
        at = tally.next_attempt(now)
        plan = "" if at is None else f", next attempt {moment(at, now, daemon.wall)}"
        return f"STATUS={tally.registered}/{tally.total} registered{plan}"


def _extension() -> str:
    return f"EXTEND_TIMEOUT_USEC={EXTENSION * 1e6:.0f}"


def _watchdog() -> float | None:
    """Seconds within which systemd wants a ping; None when it wants none of this process."""
    usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not (usec.isascii() and usec.isdigit() and len(usec) <= 18) or not int(usec):
        return None
    return int(usec) / 1e6 if pid in ("", str(os.getpid())) else None
