"""A driver with its event loop as a resident of the virtual world: the loop runs only while the world waits for it.

Theory of operation. The driver under test runs in a thread of its own, in the event loop that it was made for, on a
`Machine`. The thread and the world never run at once: the world makes a step, wakes the loop, and waits until nothing
is left that the loop could do without more input or more time. So every run is repeated exactly, no wall time has a
say, and a day lasts as long as what happens in it.

There is one clock, the world's; the loop's follows it. An event loop promises no order between data and a timer of the
same instant, and the world does: data first. So in such an instant the loop's clock stays `TIE` behind until all data
of the instant has been handed over. Nothing else is done for the sake of order.

Who sees what: the world sees a resident that has a deadline, the loop's next timer. The loop sees sockets that are
readable or writable, and a clock that moves while it waits. The scenario calls `feed`, from outside the loop as an
application would, or in an event handler, from inside.
"""

from __future__ import annotations

import asyncio
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio
import trio.testing

import sipcore_asyncio
import sipcore_sync
import sipcore_trio
from sipcore.testing import BrokenContract, World
from sipcore_sync.base import Agent, OnEvent, SocketDriver
from tests.drivers.memory import Machine, MemorySocket
from tests.drivers.virtual_system import MAX_BUSY, MemorySelector

__all__ = ["AsyncioLockstep", "Lockstep", "SyncLockstep", "TrioLockstep"]

TIE = 1e-6
"""Seconds by which the loop's clock stays behind when data and a timer fall into one instant."""
NEAR = 1e-4
"""Seconds by which a timer may have been passed and still be of this instant; more is a leap of the clock."""
FAIL_SAFE = 30.0
"""Seconds of wall time after which a loop that does not come to rest has failed; nothing is compared with it."""

T = TypeVar("T")


class Lockstep(ABC):
    """A driver in its loop, on a host of the world. Must be made, used and stopped within `virtual_system()`."""

    driver_class: type[SocketDriver]

    def __init__(
        self, world: World, agent: Agent, on_event: OnEvent | None = None, *, machine: Machine | None = None
    ) -> None:
        self.world = world
        self.machine = machine or Machine(world)
        self.machine.enter()
        self.driver: SocketDriver = self.driver_class(agent, on_event)
        self.timer = math.inf
        """When the loop's next timer rings, on the loop's clock."""
        self.ended = False
        """The driver's `run()` has returned."""
        self.error: BaseException | None = None
        """What `run()` raised."""
        self._thread = threading.Thread(target=self._run_thread, name="lockstep", daemon=True)
        world.residents.append(self)
        self._begin()
        self.perform()

    def feed(self, method: Callable[..., T], *args: object, **keywords: object) -> T:
        """`Driver.feed`, from the scenario or from an event handler."""
        feed = partial(self.driver.feed, method, *args, **keywords)
        if threading.current_thread() is self._thread:
            return feed()
        self._follow()
        self.machine.stirred = True
        return self._call(feed)

    def stop(self) -> None:
        """End the driver if it runs still, and the thread; then the agent is on its own."""
        if self in self.world.residents:
            self.world.residents.remove(self)
        self.machine.enter()
        if self._thread.is_alive():
            self._release()
            self._thread.join(FAIL_SAFE)
        assert not self._thread.is_alive(), "the loop does not end"

    # --- resident --------------------------------------------------------------------------------------------------

    def perform(self) -> None:
        """Let the loop do what it can."""
        if self.machine.stirred and not self.ended:
            self.machine.stirred = False
            self._follow()
            self._settle()
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def next_deadline(self) -> float | None:
        """The loop's."""
        return None if self.ended or self.timer == math.inf else self.timer

    def on_deadline(self) -> None:
        """The loop's timer rings."""
        self._set_clock(max(self.world.now, self.timer))
        self.machine.stirred = True
        self.perform()

    def node_at(self, address: tuple[str, int]) -> MemorySocket | None:
        """A UDP socket."""
        return self.machine.find(address, listening=False)

    def acceptor_at(self, address: tuple[str, int]) -> MemorySocket | None:
        """A listener."""
        return self.machine.find(address, listening=True)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Let the loop's clock be the world's, or just behind a timer of this instant."""
        self.machine.enter()
        now = self.world.now
        self._set_clock(self.timer - TIE if now - NEAR < self.timer <= now + TIE else now)

    def _run_thread(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self._over()

    @abstractmethod
    def _begin(self) -> None:
        """Start the thread, and wait until the driver runs."""

    @abstractmethod
    def _run(self) -> None:
        """In the thread: the loop, and in it the driver's `run()`."""

    def _over(self) -> None:  # noqa: B027  optional
        """In the thread: it ends."""

    @abstractmethod
    def _settle(self) -> None:
        """Let the loop run until it waits for sockets or time, and set `timer`."""

    @abstractmethod
    def _call(self, function: Callable[[], T]) -> T:
        """Call it where this driver wants to be called."""

    @abstractmethod
    def _set_clock(self, now: float) -> None:
        """The loop's clock never goes back."""

    @abstractmethod
    def _release(self) -> None:
        """Cancel `run()` if it runs still, and let the thread end."""


# --- loops that wait in a selector ------------------------------------------------------------------------------------


class _SelectorLockstep(Lockstep):
    """`MemorySelector.select` is where the loop hands over to the world."""

    def _begin(self) -> None:
        self._now = self.world.now
        self._resting = threading.Semaphore(0)
        self._woken = threading.Semaphore(0)
        self._released = False
        self.machine.clock = lambda: self._now
        self.machine.rest = self._rest
        self._thread.start()
        self._wait()

    def _rest(self, until: float) -> bool:
        # In the loop's thread.
        if self._released:
            return False
        self.timer = until
        self._resting.release()
        self._woken.acquire()
        return not self._released

    def _settle(self) -> None:
        for post in self._posted():
            post()
        if not self.ended:
            self._woken.release()
            self._wait()

    def _posted(self) -> list[Callable[[], object]]:
        posted, self.machine.posted = self.machine.posted, []
        return posted

    def _wait(self) -> None:
        if not self._resting.acquire(timeout=FAIL_SAFE):
            raise BrokenContract("the loop does not come to rest")

    def _over(self) -> None:
        self._resting.release()

    def _set_clock(self, now: float) -> None:
        self._now = max(self._now, now)

    def _release(self) -> None:
        self._released = True
        self._woken.release()


class SyncLockstep(_SelectorLockstep):
    """`sipcore_sync`: `run()` in its thread; `feed` comes from another one, as it may."""

    driver_class: type[SocketDriver] = sipcore_sync.Driver

    def _run(self) -> None:
        assert isinstance(self.driver, sipcore_sync.Driver)
        self.driver.run()

    def _call(self, function: Callable[[], T]) -> T:
        return function()

    def _release(self) -> None:
        assert isinstance(self.driver, sipcore_sync.Driver)
        self.driver.close()
        super()._release()


class AsyncioLockstep(_SelectorLockstep):
    """`sipcore_asyncio`: `run()` as the main task of a loop whose time is the world's."""

    driver_class: type[SocketDriver] = sipcore_asyncio.Driver

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._make_loop) as runner:
            try:
                runner.run(self._main())
            except asyncio.CancelledError:
                assert self._released

    def _make_loop(self) -> asyncio.AbstractEventLoop:
        return _Loop(self.machine)

    async def _main(self) -> None:
        assert isinstance(self.driver, sipcore_asyncio.Driver)
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        await self.driver.run()

    def _call(self, function: Callable[[], T]) -> T:
        box: list[T] = []
        failed: list[BaseException] = []

        def call() -> None:
            try:
                box.append(function())
            except BaseException as error:
                failed.append(error)

        self._loop.call_soon_threadsafe(call)
        self._settle()
        if failed:
            raise failed[0]
        return box[0]

    def _release(self) -> None:
        if not self.ended:
            assert self._task is not None
            self._loop.call_soon_threadsafe(self._task.cancel)
        super()._release()


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        super().__init__(MemorySelector())

    def time(self) -> float:
        return self._machine.clock()


# --- trio -------------------------------------------------------------------------------------------------------------


class TrioLockstep(Lockstep):
    """`sipcore_trio`: `run()` on a `MockClock`. Tasks that wait for virtual sockets are woken one after the other."""

    driver_class: type[SocketDriver] = sipcore_trio.Driver

    def _begin(self) -> None:
        self._clock = trio.testing.MockClock()
        self._clock.jump(self.world.now)
        self.machine.clock = self._clock.current_time
        self._target = self.world.now
        self._scope = trio.CancelScope()
        self._begun = threading.Event()
        self._turns = _Turns(self._busy)
        self._thread.start()
        if not self._begun.wait(FAIL_SAFE):
            raise BrokenContract("the loop does not start")

    def _run(self) -> None:
        trio.run(self._main, clock=self._clock, instruments=[self._turns])

    def _busy(self) -> None:
        self.error = BrokenContract(f"the loop turns and turns at {self.world.now}")
        self._scope.cancel()

    async def _main(self) -> None:
        assert isinstance(self.driver, sipcore_trio.Driver)
        self._token = trio.lowlevel.current_trio_token()
        self._left = trio.Event()
        with self._scope:
            self._begun.set()
            try:
                await self.driver.run()
            except Exception as error:
                self.error = error
            self.ended = True
        # Somebody may be waiting for this loop to come to rest, so it does not end by itself.
        await self._left.wait()

    def _settle(self) -> None:
        trio.from_thread.run(self._turn_until_idle, trio_token=self._token)

    async def _turn_until_idle(self) -> None:
        posted, self.machine.posted = self.machine.posted, []
        for post in posted:
            post()
        self._jump()
        self._turns.left = MAX_BUSY
        while True:
            await trio.testing.wait_all_tasks_blocked()
            wait = trio.lowlevel.current_statistics().seconds_to_next_deadline
            ready = next(self.machine.ready(), None)
            if ready is not None:
                trio.lowlevel.reschedule(self.machine.waiters.pop(ready))
            elif self._clock.current_time() + wait <= self._target:
                # The last bit of a sum of floats.
                self._clock.jump(max(wait, 1e-9))
            else:
                break
        self.timer = self._clock.current_time() + wait

    def _call(self, function: Callable[[], T]) -> T:
        def call() -> T:
            self._jump()
            return function()

        return trio.from_thread.run_sync(call, trio_token=self._token)

    def _jump(self) -> None:
        self._clock.jump(max(self._target - self._clock.current_time(), 0.0))

    def _set_clock(self, now: float) -> None:
        self._target = max(self._target, now)

    def _release(self) -> None:
        def leave() -> None:
            self._scope.cancel()
            self._left.set()

        trio.from_thread.run_sync(leave, trio_token=self._token)


class _Turns(trio.abc.Instrument):
    def __init__(self, busy: Callable[[], None]) -> None:
        self.left = MAX_BUSY
        self._busy = busy

    def before_io_wait(self, timeout: float) -> None:
        self.left -= 1
        if self.left == 0:
            self._busy()
