"""In place of the operating system: what the drivers' modules import is replaced, and the drivers run as they are.

Theory of operation. `virtual_system()` replaces the `socket` module of `sipcore_sync.sockets`, the resolver's thread,
the clock and the selector of the blocking driver, and the two functions with which trio waits for a socket. An asyncio
loop gets its selector and its clock from whoever makes it. So all code of the drivers runs, that of
`sipcore_sync.sockets` included, on sockets of the current `Machine`.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import trio

import sipcore_asyncio.driver
import sipcore_sync.base
import sipcore_sync.driver
import sipcore_sync.sockets
from sipcore import Record, Resolve
from sipcore.testing import BrokenContract
from tests.drivers.memory import MemorySocket, current_machine

__all__ = ["MAX_BUSY", "MemorySelector", "virtual_system"]

MAX_BUSY = 10_000
"""Looks of a loop that does not wait, after which it is taken to be busy for nothing."""


class MemorySelector(selectors.SelectSelector):
    """For event loops that wait in a selector: virtual sockets by their state, real ones by a real look."""

    def __init__(self) -> None:
        super().__init__()
        self._machine = current_machine()
        self._busy = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; let the world go on as long as nothing is."""
        machine = self._machine
        until = float("inf") if timeout is None else machine.clock() + max(timeout, 0.0)
        self._busy += 1
        if self._busy > MAX_BUSY:
            raise BrokenContract(f"the loop turns and turns at {machine.clock()}")
        while True:
            ready = [(key, mask) for key in self.get_map().values() if (mask := self._mask(key))]
            # Of the virtual sockets one at a time, as the others may have to wait for what it causes.
            virtual = [item for item in ready if isinstance(item[0].fileobj, MemorySocket)]
            if ready:
                return virtual[:1] or ready
            if machine.clock() >= until:
                return []
            self._busy = 0
            if not machine.rest(until):
                return []

    def _mask(self, key: selectors.SelectorKey) -> int:
        if isinstance(key.fileobj, MemorySocket):
            assert key.fileobj.fileno() == key.fd, "closed while it is watched"
            readable, writable = key.fileobj.readable(), key.fileobj.writable()
        else:
            with selectors.SelectSelector() as real:
                real.register(key.fd, key.events)
                found = real.select(0)
            mask = found[0][1] if found else 0
            readable, writable = bool(mask & selectors.EVENT_READ), bool(mask & selectors.EVENT_WRITE)
        return key.events & (selectors.EVENT_READ * readable | selectors.EVENT_WRITE * writable)


async def _wait(sock: Any, side: str, real: Callable[[Any], Any]) -> None:
    if not isinstance(sock, MemorySocket):
        await real(sock)
        return
    machine, key = sock.machine, (sock, side)
    if sock.fileno() < 0:
        raise OSError(errno.EBADF, "Bad file descriptor")
    if key in machine.waiters:
        raise trio.BusyResourceError("another task waits for this already")
    machine.waiters[key] = trio.lowlevel.current_task()

    def abort(_: object) -> trio.lowlevel.Abort:
        del machine.waiters[key]
        return trio.lowlevel.Abort.SUCCEEDED

    await trio.lowlevel.wait_task_rescheduled(abort)


# --- the resolver -----------------------------------------------------------------------------------------------------


class MemoryResolver:
    """In place of the thread: the world knows the names, and its answers take `World.resolve_delay`."""

    def __init__(self, answer: Callable[[Resolve, Sequence[Record] | OSError], None]) -> None:
        self._answer = answer
        self._machine = current_machine()
        self._closed = False

    def ask(self, question: Resolve) -> None:
        """Answer this later."""
        world = self._machine.world
        world.after(world.resolve_delay, lambda: self._look_up(question))

    def close(self) -> None:
        """Answer nothing more."""
        self._closed = True

    def _look_up(self, question: Resolve) -> None:
        found = self._machine.world.look_up(question.name, question.kind)
        if found is not None and not self._closed:
            answer = OSError(found) if isinstance(found, str) else found
            self._machine.posted.append(lambda: self._answer(question, answer))
            self._machine.stirred = True


# --- putting it in place ----------------------------------------------------------------------------------------------


def _clock() -> float:
    return current_machine().clock()


class _SocketModule:
    """The socket module with other sockets."""

    socket = MemorySocket

    def __getattr__(self, name: str) -> Any:
        return getattr(socket, name)


@contextmanager
def virtual_system() -> Iterator[None]:
    """Drivers that are made in this block run on the current machine."""
    waiting = {side: getattr(trio.lowlevel, f"wait_{side}able") for side in ("read", "writ")}

    async def wait_readable(sock: Any) -> None:
        await _wait(sock, "read", waiting["read"])

    async def wait_writable(sock: Any) -> None:
        await _wait(sock, "write", waiting["writ"])

    selecting = SimpleNamespace(
        DefaultSelector=MemorySelector, EVENT_READ=selectors.EVENT_READ, EVENT_WRITE=selectors.EVENT_WRITE
    )
    # A loop whose time is near the host's is taken for one that was not given a clock of its own.
    elsewhere = SimpleNamespace(monotonic=lambda: -1e9)
    with (
        mock.patch.object(sipcore_sync.sockets, "socket", _SocketModule()),
        mock.patch.object(sipcore_asyncio.driver, "time", elsewhere),
        mock.patch.object(sipcore_sync.base, "ResolverThread", MemoryResolver),
        mock.patch.object(sipcore_sync.driver, "boottime", _clock),
        mock.patch.object(sipcore_sync.driver, "selectors", selecting),
        mock.patch.object(trio.lowlevel, "wait_readable", wait_readable),
        mock.patch.object(trio.lowlevel, "wait_writable", wait_writable),
    ):
        yield
