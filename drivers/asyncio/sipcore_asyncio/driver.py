"""The asyncio driver: plain sockets on the loop's readers, writers and one timer."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from sipcore.events import Event
from sipcore_sync.base import Agent, OnEvent, OnRemember, Resolver, SocketDriver
from sipcore_sync.sockets import boottime

__all__ = ["Driver", "now"]


def now() -> float:
    """The clock that agents are driven by: seconds, the host's sleep included; under a mocked loop the loop's time."""
    return _clock(asyncio.get_running_loop())()


class Driver(SocketDriver):
    """Drives one agent in the running loop.

    `await run()` until the agent is closed, or cancel it. It starts no task: all happens in callbacks of the loop, and
    what one of them raises, `on_event` included, ends `run()`. Events are handed out where they are caused.
    """

    def __init__(
        self,
        agent: Agent,
        on_event: OnEvent | None = None,
        *,
        resolver: Resolver | None = None,
        remember: OnRemember | None = None,
    ) -> None:
        super().__init__(agent, on_event, resolver=resolver, remember=remember)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._readers: set[socket.socket] = set()
        self._writers: set[socket.socket] = set()
        self._failure: BaseException | None = None
        self.on_end: Callable[[BaseException | None], object] | None = None
        """Called once when the agent is closed (None), or with what ended the driver before that."""
        self._now: Callable[[], float] = boottime

    def now(self) -> float:
        """The clock of the agent."""
        return self._now()

    async def run(self) -> None:
        """Drive until the agent is closed; cancelling lets go of everything at once. Raises what `on_event` raised."""
        ended = asyncio.Event()
        self.on_end = lambda _: ended.set()
        with self:
            await ended.wait()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Driver:
        self._loop = asyncio.get_running_loop()
        self._now = _clock(self._loop)
        self.running = True
        self._guard(self.drain)
        return self

    def __exit__(self, *_: object) -> None:
        self._shut()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- what the base asks for ------------------------------------------------------------------------------------

    def watch(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call back whenever the socket is readable."""
        assert self._loop is not None
        self._readers.add(sock)
        self._loop.add_reader(sock, self._guard, on_readable)

    def watch_writable(self, sock: socket.socket, on_writable: Callable[[], None]) -> None:
        """Call back whenever the socket is writable."""
        assert self._loop is not None
        self._writers.add(sock)
        self._loop.add_writer(sock, self._guard, on_writable)

    def unwatch_writable(self, sock: socket.socket) -> None:
        """Call back for reading only, if at all."""
        assert self._loop is not None
        if sock in self._writers:
            self._writers.discard(sock)
            self._loop.remove_writer(sock)

    def unwatch(self, sock: socket.socket) -> None:
        """Forget the socket."""
        assert self._loop is not None
        self.unwatch_writable(sock)
        if sock in self._readers:
            self._readers.discard(sock)
            self._loop.remove_reader(sock)

    def _arm(self, wake_at: float) -> None:
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._loop.time() + (wake_at - self._now()), self._guard, self._on_time)

    def _from_thread(self, callback: Callable[[], None]) -> None:
        if self.running and self._loop is not None:
            with suppress(RuntimeError):  # the loop was closed in this moment, and nobody waits for the answer
                self._loop.call_soon_threadsafe(self._guard, callback)

    def _tell(self, event: Event) -> None:
        if self.on_event is not None and self._failure is None:
            try:
                self.on_event(event)
            except BaseException as error:
                # Not to whoever caused it: that may be the application, in the middle of something else.
                self._fail(error)

    def _drained(self) -> None:
        if self.finished:
            self._end()

    # --- ending ----------------------------------------------------------------------------------------------------

    def _guard(self, callback: Callable[[], None]) -> None:
        # Whatever a callback raises would only be logged by the loop.
        if self.running:
            try:
                callback()
            except BaseException as error:
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            if self.on_end is not None:
                self.on_end(self._failure)


def _clock(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    # A loop whose time is not the platform's was given a clock of its own by a test, and so is the agent.
    return boottime if math.isclose(loop.time(), time.monotonic(), abs_tol=1.0) else loop.time
