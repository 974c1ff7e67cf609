"""The three ways of waiting behind one interface, so that one scenario runs on all drivers.

A scenario is an async function. Blocking code runs it as well: there the awaited functions block and never suspend.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar

import trio

import sipcore_asyncio
import sipcore_sync
import sipcore_trio
from sipcore import Status
from sipcore_sync.base import Agent, OnEvent, SocketDriver
from tests.drivers.lockstep import AsyncioLockstep, Lockstep, SyncLockstep, TrioLockstep

__all__ = ["AsyncPlatform", "AsyncioPlatform", "Job", "Mailbox", "Platform", "SyncPlatform", "TrioPlatform"]

T = TypeVar("T")
FAIL_SAFE = 30.0
"""Seconds after which a scenario hangs; nothing is compared with it."""


class Mailbox(ABC, Generic[T]):
    """Handlers put something in, a scenario takes it out."""

    @abstractmethod
    def put(self, item: T) -> None:
        """From any thread."""

    @abstractmethod
    async def get(self) -> T:
        """The oldest item, or the next one."""

    async def find(self, kind: type[Any], **fields: object) -> Any:
        """The next item of a class with these attributes; what comes before it is thrown away."""
        while True:
            item = await self.get()
            if isinstance(item, kind) and all(getattr(item, name) == value for name, value in fields.items()):
                return item


class Platform(ABC):
    """What a scenario needs."""

    package: Any
    """`sipcore_trio` and so on."""

    @abstractmethod
    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run it to its end."""

    @abstractmethod
    def mailbox(self) -> Mailbox[Any]:
        """A new one."""

    @abstractmethod
    def drive(self, agent: Agent, on_event: OnEvent | None = None, **options: Any) -> AbstractAsyncContextManager[Any]:
        """Drive an agent as long as the block is open."""

    @abstractmethod
    async def run_driver(self, driver: Any) -> None:
        """`Driver.run()`."""

    @abstractmethod
    def registered(self, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[Any]:
        """The convenience API."""

    @abstractmethod
    def open_agent(self, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[Any]:
        """The convenience API."""

    lockstep: type[Lockstep]
    """The driver in its event loop, as a resident of a virtual world."""

    @abstractmethod
    async def elsewhere(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function that blocks; the drivers go on meanwhile."""

    @abstractmethod
    def statuses(self, registration: Any) -> AsyncIterator[Status]:
        """`Registration.statuses()`."""


class Job(ABC):
    """Something that runs beside the scenario, and can be cancelled."""

    @abstractmethod
    def cancel(self) -> None:
        """End it."""

    @abstractmethod
    async def wait(self) -> BaseException | None:
        """Wait for its end: None, what it raised, or the cancellation."""


class AsyncPlatform(Platform):
    """A platform with cancellation."""

    @abstractmethod
    def start(self, function: Callable[[], Awaitable[None]]) -> Job:
        """Run it beside the scenario."""

    @abstractmethod
    async def step(self) -> None:
        """Let everybody else run once."""

    @abstractmethod
    async def sleep_forever(self) -> None:
        """Until cancelled."""

    @abstractmethod
    def is_cancellation(self, error: BaseException | None) -> bool:
        """What `Job.wait` returns after `cancel`."""


# --- blocking ---------------------------------------------------------------------------------------------------------


class SyncPlatform(Platform):
    """`sipcore_sync`, with its thread."""

    package = sipcore_sync
    lockstep = SyncLockstep

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            scenario().send(None)
        except StopIteration:
            return
        raise AssertionError("blocking code does not suspend")

    def mailbox(self) -> Mailbox[Any]:
        return _SyncMailbox()

    @asynccontextmanager
    async def drive(self, agent: Agent, on_event: OnEvent | None = None, **options: Any) -> AsyncIterator[Any]:
        driver = sipcore_sync.Driver(agent, on_event, **options)
        raised: list[BaseException] = []
        thread = threading.Thread(target=_collect, args=(raised, driver.run), name="test-driver")
        thread.start()
        try:
            yield driver
        finally:
            driver.close()
            thread.join(FAIL_SAFE)
        assert raised == []

    async def run_driver(self, driver: Any) -> None:
        raised: list[BaseException] = []
        thread = threading.Thread(target=_collect, args=(raised, driver.run), name="test-driver")
        thread.start()
        thread.join(FAIL_SAFE)
        assert not thread.is_alive()
        if raised:
            raise raised[0]

    @asynccontextmanager
    async def registered(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        with sipcore_sync.registered(*arguments, **options) as registration:
            yield registration

    @asynccontextmanager
    async def open_agent(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        with sipcore_sync.open_agent(*arguments, **options) as agent:
            yield agent

    async def elsewhere(self, function: Callable[..., T], *arguments: Any) -> T:
        return function(*arguments)

    async def statuses(self, registration: Any) -> AsyncIterator[Status]:
        for status in registration.statuses(timeout=FAIL_SAFE):
            yield status
        assert registration._session.left, "nothing came for a long time"


def _collect(raised: list[BaseException], function: Callable[[], None]) -> None:
    try:
        function()
    except BaseException as error:
        raised.append(error)


class _SyncMailbox(Mailbox[Any]):
    def __init__(self) -> None:
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, item: Any) -> None:
        self._items.put(item)

    async def get(self) -> Any:
        return self._items.get(timeout=FAIL_SAFE)


# --- asyncio ----------------------------------------------------------------------------------------------------------


class AsyncioPlatform(AsyncPlatform):
    """`sipcore_asyncio`."""

    package = sipcore_asyncio
    lockstep = AsyncioLockstep

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        complaints: list[object] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            async with asyncio.timeout(FAIL_SAFE):
                await scenario()
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(main())
        assert complaints == []

    def mailbox(self) -> Mailbox[Any]:
        return _AsyncioMailbox()

    @asynccontextmanager
    async def drive(self, agent: Agent, on_event: OnEvent | None = None, **options: Any) -> AsyncIterator[Any]:
        driver = sipcore_asyncio.Driver(agent, on_event, **options)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(driver.run())
            await asyncio.sleep(0)
            yield driver
            task.cancel()

    async def run_driver(self, driver: Any) -> None:
        await driver.run()

    def registered(self, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[Any]:
        return sipcore_asyncio.registered(*arguments, **options)

    def open_agent(self, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[Any]:
        return sipcore_asyncio.open_agent(*arguments, **options)

    async def elsewhere(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.to_thread(function, *arguments)

    def statuses(self, registration: Any) -> AsyncIterator[Status]:
        found: AsyncIterator[Status] = registration.statuses()
        return found

    def start(self, function: Callable[[], Awaitable[None]]) -> Job:
        async def call() -> None:
            await function()

        return _AsyncioJob(asyncio.create_task(call()))

    async def step(self) -> None:
        await asyncio.sleep(0)

    async def sleep_forever(self) -> None:
        await asyncio.Event().wait()

    def is_cancellation(self, error: BaseException | None) -> bool:
        return isinstance(error, asyncio.CancelledError)


class _AsyncioMailbox(Mailbox[Any]):
    def __init__(self) -> None:
        self._items: asyncio.Queue[Any] = asyncio.Queue()

    def put(self, item: Any) -> None:
        self._items.put_nowait(item)

    async def get(self) -> Any:
        return await self._items.get()


class _AsyncioJob(Job):
    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def cancel(self) -> None:
        self._task.cancel()

    async def wait(self) -> BaseException | None:
        await asyncio.wait([self._task])
        if self._task.cancelled():
            return asyncio.CancelledError()
        return self._task.exception()


# --- trio -------------------------------------------------------------------------------------------------------------


class TrioPlatform(AsyncPlatform):
    """`sipcore_trio`."""

    package = sipcore_trio
    lockstep = TrioLockstep

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            with trio.fail_after(FAIL_SAFE):
                async with trio.open_nursery() as self._nursery:
                    await scenario()
                    assert len(self._nursery.child_tasks) == 0

        try:
            trio.run(main)
        except BaseExceptionGroup as group:
            raise _alone(group) from None

    def mailbox(self) -> Mailbox[Any]:
        return _TrioMailbox()

    @asynccontextmanager
    async def drive(self, agent: Agent, on_event: OnEvent | None = None, **options: Any) -> AsyncIterator[Any]:
        driver = sipcore_trio.Driver(agent, on_event, **options)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver.run)
            while not driver.running:
                await trio.lowlevel.checkpoint()
            yield driver
            nursery.cancel_scope.cancel()

    async def run_driver(self, driver: Any) -> None:
        await driver.run()

    def registered(self, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[Any]:
        return sipcore_trio.registered(*arguments, **options)

    def open_agent(self, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[Any]:
        return sipcore_trio.open_agent(*arguments, **options)

    async def elsewhere(self, function: Callable[..., T], *arguments: Any) -> T:
        return await trio.to_thread.run_sync(function, *arguments)

    def statuses(self, registration: Any) -> AsyncIterator[Status]:
        found: AsyncIterator[Status] = registration.statuses()
        return found

    def start(self, function: Callable[[], Awaitable[None]]) -> Job:
        assert self._nursery is not None
        job = _TrioJob()
        self._nursery.start_soon(job.run, function)
        return job

    async def step(self) -> None:
        await trio.lowlevel.checkpoint()

    async def sleep_forever(self) -> None:
        await trio.sleep_forever()

    def is_cancellation(self, error: BaseException | None) -> bool:
        return isinstance(error, trio.Cancelled)


class _TrioMailbox(Mailbox[Any]):
    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._news = trio.Event()

    def put(self, item: Any) -> None:
        self._items.append(item)
        self._news.set()

    async def get(self) -> Any:
        while not self._items:
            self._news = trio.Event()
            await self._news.wait()
        return self._items.popleft()


class _TrioJob(Job):
    def __init__(self) -> None:
        self._scope = trio.CancelScope()
        self._done = trio.Event()
        self._raised: BaseException | None = None

    async def run(self, function: Callable[[], Awaitable[None]]) -> None:
        with self._scope:
            try:
                await function()
            except trio.Cancelled as error:
                self._raised = error
                raise
            except BaseException as error:
                self._raised = error
            finally:
                self._done.set()

    def cancel(self) -> None:
        self._scope.cancel()

    async def wait(self) -> BaseException | None:
        await self._done.wait()
        return self._raised


def _alone(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The nurseries are the tests' own; a failed assertion reads better without them."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return inner


# The drivers' common base is what the scenarios rely on; a drift is a type error here.
_DRIVERS: tuple[type[SocketDriver], ...] = (sipcore_sync.Driver, sipcore_asyncio.Driver, sipcore_trio.Driver)
