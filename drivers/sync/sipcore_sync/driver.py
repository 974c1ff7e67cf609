"""The blocking driver: a selector loop for a thread of its own, or for a program that polls."""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TypeVar

from sipcore.errors import LocalProtocolError
from sipcore.events import Event
from sipcore_sync.base import Agent, OnEvent, OnRemember, Resolver, SocketDriver
from sipcore_sync.sockets import boottime

__all__ = ["Driver"]

_R = TypeVar("_R")


class Driver(SocketDriver):
    """Drives one agent with blocking calls.

    Either call `poll()` again and again from one thread, or let `run()` do it in a thread of its own. `feed()` and
    `ask()` may be called from every thread. Commands are performed by whoever causes them; events are handed out by
    `poll()` alone, with no lock held, so a handler may call anything. `close()` it when done, or use it with `with`.
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
        self._lock = threading.RLock()
        self._polling = threading.Lock()
        self._selecting = False
        self._events: deque[Event] = deque()
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._waker, self._wakened = socket.socketpair()
        for end in (self._waker, self._wakened):
            end.setblocking(False)
        self._selector.register(self._wakened, selectors.EVENT_READ, [self._on_woken, None])
        self.running = True

    # --- for the application ---------------------------------------------------------------------------------------

    def now(self) -> float:
        """The clock of the agent."""
        return boottime()

    def feed(self, method: Callable[..., _R], *args: object, **keywords: object) -> _R:
        """Call an input of the agent at this moment, perform what it causes, and return what it returns.

        For example `driver.feed(agent.register, "alice")`; from any thread. Events wait for the next `poll()`.
        """
        with self._lock:
            result = super().feed(method, *args, **keywords)
            self._wake()
        return result

    def ask(self, question: Callable[..., _R], *args: object) -> _R:
        """Call something that only looks at the agent, such as `agent.status`, from any thread."""
        with self._lock:
            return question(*args)

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Wait at most `timeout` seconds (None: for ever) for something to happen, and do it; True when it did.

        Raises what an event handler raised; the events after that one are kept for the next call. Raises
        `LocalProtocolError` when the driver is closed, or polled already: by another thread, or around the handler.
        """
        if self._stopping:
            raise LocalProtocolError("this driver is closed")
        return self._turn(timeout)

    def run(self) -> None:
        """Poll until the agent is closed, or `close()` is called, then close."""
        try:
            while not (self._stopping or (self.finished and not self._events)):
                self._turn(None)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of all sockets; from any thread. One that polls does it itself, at once, when its handler returns.

        What was not sent is lost: call the agent's `close` first, and poll.
        """
        with self._lock:
            self._stopping = True
            self._wake()
        # A selector must not be closed under the thread that waits on it.
        if self._polling.acquire(blocking=False):
            try:
                with self._lock:
                    if self.running:
                        self._shut()
                        self._selector.close()
                        self._waker.close()
                        self._wakened.close()
            finally:
                self._polling.release()

    def __enter__(self) -> Driver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- the loop --------------------------------------------------------------------------------------------------

    def _turn(self, timeout: float | None) -> bool:
        if not self._polling.acquire(blocking=False):
            raise LocalProtocolError("this driver is polled already")
        try:
            return self._poll(timeout)
        finally:
            self._polling.release()
            if self._stopping:
                self.close()

    def _poll(self, timeout: float | None) -> bool:
        with self._lock:
            if self._stopping:
                return False
            self.drain()
            now = self.now()
            # How rarely the application polls says nothing about whether the host slept.
            self._wake_at = max(self._wake_at, now)
            wait = 0.0 if self._events or self.finished else self._wake_at - now
            if timeout is not None and timeout < wait:
                wait = max(timeout, 0.0)
            self._selecting = True
        try:
            ready = self._selector.select(wait)
        finally:
            self._selecting = False
        with self._lock:
            for key, mask in ready:
                on_readable, on_writable = key.data
                if mask & selectors.EVENT_WRITE and on_writable is not None:
                    on_writable()
                elif on_readable is not None:
                    on_readable()
            due = self.now() >= self._wake_at
            if due:
                self._on_time()
        return self._hand_out() or bool(ready) or due

    def _hand_out(self) -> bool:
        any_event = bool(self._events)
        while self._events:
            event = self._events.popleft()
            if self.on_event is not None:
                self.on_event(event)
        return any_event

    def _wake(self) -> None:
        if self._selecting and self.running:
            with suppress(BlockingIOError):  # full, so it will wake
                self._waker.send(b"\0")

    def _on_woken(self) -> None:
        with suppress(BlockingIOError):
            self._wakened.recv(4096)

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        self._events.append(event)

    def _arm(self, wake_at: float) -> None:
        pass  # each poll looks at when to wake

    def _drained(self) -> None:
        pass  # `run()` looks after each poll

    def _from_thread(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if self.running:
                callback()
                self._wake()

    def watch(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call back whenever the socket is readable."""
        self._change(sock, 0, on_readable)

    def watch_writable(self, sock: socket.socket, on_writable: Callable[[], None]) -> None:
        """Call back whenever the socket is writable."""
        self._change(sock, 1, on_writable)

    def unwatch_writable(self, sock: socket.socket) -> None:
        """Call back for reading only, if at all."""
        self._change(sock, 1, None)

    def unwatch(self, sock: socket.socket) -> None:
        """Forget the socket."""
        if sock in self._selector.get_map():
            self._selector.unregister(sock)

    def _change(self, sock: socket.socket, which: int, callback: Callable[[], None] | None) -> None:
        known = self._selector.get_map().get(sock)
        callbacks: list[Callable[[], None] | None] = [None, None] if known is None else known.data
        callbacks[which] = callback
        events = selectors.EVENT_READ * (callbacks[0] is not None) | selectors.EVENT_WRITE * (callbacks[1] is not None)
        if known is None:
            self._selector.register(sock, events, callbacks)
        elif events:
            self._selector.modify(sock, events, callbacks)
        else:
            self._selector.unregister(sock)
