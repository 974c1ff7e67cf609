"""One scenario, three drivers: an async function runs on trio, on asyncio, and on blocking code that never suspends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

import trio

import sipcore_asyncio
import sipcore_sync
import sipcore_trio
from sipcore import Account, Status
from sipcore.client import Wait

__all__ = ["FAIL_SAFE", "STACKS", "Registration", "Stack", "until"]

FAIL_SAFE = 60.0
"""Seconds after which a scenario counts as hanging; the longest takes a few."""

T = TypeVar("T")


class Registration(Protocol):
    """What scenarios use of the drivers' registrations."""

    @property
    def status(self) -> Status: ...

    def statuses(self) -> AsyncIterator[Status]: ...


class Stack(Protocol):
    """A driver as scenarios see it."""

    name: str

    def registered(
        self, account: Account, *, wait: float | Wait | None = ...
    ) -> AbstractAsyncContextManager[Registration]: ...

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call something that blocks, while the driver goes on."""

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a scenario to its end, within the fail-safe."""


async def until(registration: Registration, condition: Callable[[Status], bool]) -> Status:
    """The first status, from the current one on, that fulfils the condition."""
    async for status in registration.statuses():
        if condition(status):
            return status
    raise AssertionError(f"the statuses ended at {registration.status}")


class TrioStack:
    """sipcore_trio."""

    name = "trio"

    def registered(
        self, account: Account, *, wait: float | Wait | None = Wait.FIRST_ATTEMPT
    ) -> AbstractAsyncContextManager[Registration]:
        return sipcore_trio.registered(account, wait=wait)

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(function)

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def bounded() -> None:
            with trio.fail_after(FAIL_SAFE):
                await scenario()

        trio.run(bounded)


class AsyncioStack:
    """sipcore_asyncio."""

    name = "asyncio"

    def registered(
        self, account: Account, *, wait: float | Wait | None = Wait.FIRST_ATTEMPT
    ) -> AbstractAsyncContextManager[Registration]:
        return sipcore_asyncio.registered(account, wait=wait)

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.to_thread(function)

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(FAIL_SAFE):
                await scenario()

        asyncio.run(bounded())


class SyncStack:
    """sipcore_sync with its thread. What is awaited here has blocked before, so a scenario never suspends."""

    name = "sync"

    @asynccontextmanager
    async def registered(
        self, account: Account, *, wait: float | Wait | None = Wait.FIRST_ATTEMPT
    ) -> AsyncIterator[Registration]:
        with sipcore_sync.registered(account, wait=wait) as registration:
            yield _BlockingRegistration(registration)

    async def in_thread(self, function: Callable[[], T]) -> T:
        return function()

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        coroutine = scenario()
        try:
            coroutine.send(None)
        except StopIteration:
            return
        coroutine.close()
        raise AssertionError("a scenario awaited something that is not of its stack")


class _BlockingRegistration:
    def __init__(self, registration: sipcore_sync.Registration) -> None:
        self._registration = registration

    @property
    def status(self) -> Status:
        return self._registration.status

    async def statuses(self) -> AsyncIterator[Status]:
        for status in self._registration.statuses(FAIL_SAFE):
            yield status


STACKS: tuple[Stack, ...] = (TrioStack(), AsyncioStack(), SyncStack())
