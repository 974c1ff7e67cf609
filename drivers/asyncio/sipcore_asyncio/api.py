"""`registered()` and `open_agent()` for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random

from sipcore.agent import UserAgent
from sipcore.client import LEAVE_WITHIN, Follower, Wait
from sipcore.config import Account
from sipcore.events import Event, InboundRequest
from sipcore.values import Status
from sipcore_asyncio.driver import Driver, now
from sipcore_sync import session
from sipcore_sync.base import Resolver
from sipcore_sync.session import Session, StatusHandler

__all__ = ["Agent", "Registration", "open_agent", "registered"]


class Registration(session.Registration):
    """One registration, kept alive as long as its block is open."""

    def statuses(self) -> AsyncIterator[Status]:
        """The current status, then every change. Does not end while the block is open."""
        return _Statuses(self._session, self.name)


class Agent(session.Agent):
    """Any number of registrations, kept alive as long as their block is open."""


@asynccontextmanager
async def registered(
    account: Account,
    *,
    wait: float | Wait | None = Wait.FIRST_ATTEMPT,
    leave_within: float = LEAVE_WITHIN,
    handles: Iterable[str] = (),
    on_request: Callable[[Registration, InboundRequest], object] | None = None,
    on_status: StatusHandler | None = None,
    resolver: Resolver | None = None,
    random: Random | None = None,
    agent: UserAgent | None = None,
) -> AsyncIterator[Registration]:
    """Keep `account` registered as long as the block is open.

    Entering ends with the first success, or raises `RegistrationFailed` with the outcome of the first attempt;
    `wait=None` keeps trying as long as that makes sense, a number of seconds bounds it, `Wait.NOT` does not wait.
    Leaving un-registers and takes at most `leave_within` seconds, also when the block was cancelled; `status` tells
    what could not be confirmed.

    `handles` names the methods of inbound requests for `on_request(registration, request)`; others are answered at
    once. Handlers are plain functions that must not block. What one raises cancels the block, and is raised when it has
    ended. Raises `ConfigError`.

    `agent` takes the place of the one that would be made, such as a `sipcore.replay.RecordingAgent`; it is new, and
    has `handles` and `random` of its own.
    """
    block = _AsyncSession()
    registration = Registration(block, account.name)
    if on_request is not None:
        block.on_request = lambda request: on_request(registration, request)
    if on_status is not None:
        registration.on_status(on_status)
    async with block.block([account], wait, leave_within, handles, resolver, random, agent):
        yield registration


@asynccontextmanager
async def open_agent(
    accounts: Sequence[Account],
    *,
    on_event: Callable[[Agent, Event], object] | None = None,
    wait: float | Wait | None = Wait.NOT,
    leave_within: float = LEAVE_WITHIN,
    handles: Iterable[str] = (),
    resolver: Resolver | None = None,
    random: Random | None = None,
    agent: UserAgent | None = None,
) -> AsyncIterator[Agent]:
    """Keep any number of accounts registered as long as the block is open.

    `on_event(agent, event)` gets every event, in order. Everything else is as in `registered()`, but that entering does
    not wait unless told to.
    """
    block = _AsyncSession()
    handle = Agent(block)
    if on_event is not None:
        block.on_event = lambda event: on_event(handle, event)
    async with block.block(accounts, wait, leave_within, handles, resolver, random, agent):
        yield handle


class _AsyncSession(Session):
    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._owner: asyncio.Task[object] | None = None
        self._aborted = False
        self._ended = False
        super().__init__(self._news.set, self._abort)

    @asynccontextmanager
    async def block(
        self,
        accounts: Sequence[Account],
        wait: float | Wait | None,
        leave_within: float,
        handles: Iterable[str],
        resolver: Resolver | None,
        random: Random | None,
        agent: UserAgent | None,
    ) -> AsyncIterator[None]:
        """The block's life: begin, enter, leave, end; whatever happens, the last two."""
        owner = asyncio.current_task()
        assert owner is not None, "asynchronous code runs in a task"
        made = self.begin(
            accounts,
            wait=wait,
            leave_within=leave_within,
            handles=handles,
            random=random,
            agent=agent,
            now=now(),
        )
        driver = self.driver = Driver(made, self.deliver, resolver=resolver)
        driver.on_end = self._driver_ended
        before = owner.cancelling()
        raised: BaseException | None = None
        self._owner = owner
        with driver:
            try:
                while not self.decided:
                    await self._news.wait()
                    self._news.clear()
                if self.refusal is not None:
                    raise self.refusal
                yield
            except GeneratorExit:
                # Nobody is left who could wait; what can be sent at once is sent.
                driver.feed(made.leave)
                raise
            except BaseException as error:
                raised = error
            self._owner = None
            if self._aborted:
                raised = await _take_back(owner, before, raised)
            driver.feed(made.leave)
            cancelled = await self._until_left(owner)
        _raise(raised, cancelled, self.failure)

    async def _until_left(self, owner: asyncio.Task[object]) -> asyncio.CancelledError | None:
        """Wait, however often the task is cancelled meanwhile: the client keeps the bound. Returns the cancellation."""
        cancelled: asyncio.CancelledError | None = None
        while not (self.left or self._ended):
            try:
                await self._news.wait()
            except asyncio.CancelledError as error:
                cancelled = error
            self._news.clear()
        return cancelled

    def _abort(self) -> None:
        if self._owner is not None and not self._aborted:
            self._aborted = True
            self._owner.cancel()

    def _driver_ended(self, error: BaseException | None) -> None:
        self._ended = True
        self._news.set()
        if error is not None:
            self.fail(error)


class _Statuses:
    """Reads statuses as they come."""

    def __init__(self, block: Session, name: str) -> None:
        self._news = asyncio.Event()
        self._follower: Follower = block.client.follow(name, self._news.set)

    def __aiter__(self) -> _Statuses:
        return self

    async def __anext__(self) -> Status:
        while (status := self._follower.take()) is None:
            if self._follower.ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return status


async def _take_back(owner: asyncio.Task[object], before: int, raised: BaseException | None) -> BaseException | None:
    """Undo the cancellation with which a failed handler ended the block; returns what the block raised besides."""
    others = owner.uncancel() > before
    if isinstance(raised, asyncio.CancelledError):
        return raised if others else None
    # The block ended before the cancellation reached it. Python 3.11 and 3.12 deliver it all the same, so here.
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        if others:
            return error
    return raised


def _raise(
    raised: BaseException | None, cancelled: asyncio.CancelledError | None, failure: BaseException | None
) -> None:
    """What the block ends with. A cancellation comes first, or whoever asked for it would wait in vain."""
    if isinstance(raised, asyncio.CancelledError):
        raise raised
    if cancelled is not None:
        raise cancelled from raised
    if failure is not None:
        raise failure from (None if raised is failure else raised)
    if raised is not None:
        raise raised
