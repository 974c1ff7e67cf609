"""The trio driver: one task for each socket that waits, one for the timer, none for a datagram."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import trio

from sipcore.events import Event
from sipcore_sync.base import Agent, OnEvent, OnRemember, Resolver, SocketDriver
from sipcore_sync.sockets import boottime

__all__ = ["Driver", "now"]

_R = TypeVar("_R")


def now() -> float:
    """The clock that agents are driven by: seconds, the host's sleep included; trio's time under a mock clock."""
    return _clock()()


class Driver(SocketDriver):
    """Drives one agent in a nursery of its own.

    `await run()` until the agent is closed, or cancel it. Events are handed out where they are caused, `on_event` must
    not block, and what it raises ends `run()`.
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
        self._nursery: trio.Nursery | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._sleep = trio.CancelScope()
        self._readers: dict[socket.socket, trio.CancelScope] = {}
        self._writers: dict[socket.socket, trio.CancelScope] = {}
        self._failure: BaseException | None = None
        self._ended = False
        self._now: Callable[[], float] = boottime

    def now(self) -> float:
        """The clock of the agent."""
        return self._now()

    @trio.lowlevel.enable_ki_protection
    def feed(self, method: Callable[..., _R], *args: object, **keywords: object) -> _R:
        """Call an input of the agent at this moment, perform what it causes, and return what it returns.

        For example `driver.feed(agent.register, "alice")`. Before the driver runs the outputs wait in the agent.
        """
        return super().feed(method, *args, **keywords)

    async def run(self) -> None:
        """Drive until the agent is closed; cancelling lets go of everything at once. Raises what `on_event` raised."""
        self._now = _clock()
        self._token = trio.lowlevel.current_trio_token()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self.running = True
                self._guard(self.drain)
                try:
                    await self._keep_time()
                except KeyboardInterrupt as error:  # when this is the main task; as itself, not in a group
                    self._fail(error)
                nursery.cancel_scope.cancel()
        finally:
            self._shut()
        if self._failure is not None:
            raise self._failure

    async def _keep_time(self) -> None:
        while not self._ended:
            with trio.CancelScope() as self._sleep:
                self._sleep.deadline = trio.current_time() + (self._wake_at - self.now())
                await trio.sleep_forever()
            if not self._ended:
                self._guard(self._on_time)

    # --- what the base asks for ------------------------------------------------------------------------------------

    def watch(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call back whenever the socket is readable."""
        self._start(self._readers, sock, trio.lowlevel.wait_readable, on_readable)

    def watch_writable(self, sock: socket.socket, on_writable: Callable[[], None]) -> None:
        """Call back whenever the socket is writable."""
        self._start(self._writers, sock, trio.lowlevel.wait_writable, on_writable)

    def unwatch_writable(self, sock: socket.socket) -> None:
        """Call back for reading only, if at all."""
        if (scope := self._writers.pop(sock, None)) is not None:
            scope.cancel()

    def unwatch(self, sock: socket.socket) -> None:
        """Forget the socket."""
        self.unwatch_writable(sock)
        if (scope := self._readers.pop(sock, None)) is not None:
            scope.cancel()

    def _arm(self, wake_at: float) -> None:
        # Moving the deadline wakes nobody up: the timer's task goes on sleeping, until another time.
        self._sleep.deadline = trio.current_time() + (wake_at - self.now())

    def _from_thread(self, callback: Callable[[], None]) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._guard, callback)

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

    # --- tasks -----------------------------------------------------------------------------------------------------

    def _start(
        self,
        scopes: dict[socket.socket, trio.CancelScope],
        sock: socket.socket,
        wait: Callable[[socket.socket], Awaitable[None]],
        callback: Callable[[], None],
    ) -> None:
        assert self._nursery is not None
        if (old := scopes.get(sock)) is not None:
            old.cancel()
        scope = scopes[sock] = trio.CancelScope()
        self._nursery.start_soon(self._wait, scope, sock, wait, callback)

    async def _wait(
        self,
        scope: trio.CancelScope,
        sock: socket.socket,
        wait: Callable[[socket.socket], Awaitable[None]],
        callback: Callable[[], None],
    ) -> None:
        with scope:
            while not scope.cancel_called:
                await wait(sock)
                self._guard(callback)

    # An interrupt waits until the agent is whole again; trio then delivers it to the main task.
    @trio.lowlevel.enable_ki_protection
    def _guard(self, callback: Callable[[], None]) -> None:
        # An error ends `run()` as itself, not as a group around it.
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
        self._ended = True
        self._sleep.cancel()


def _clock() -> Callable[[], float]:
    # trio has no public name for its own clock; every other one was given to `trio.run` on purpose.
    system = type(trio.lowlevel.current_clock()).__name__ == "SystemClock"
    return boottime if system else trio.current_time
