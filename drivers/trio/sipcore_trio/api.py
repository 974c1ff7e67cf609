"""`registered()` and `open_agent()` for trio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random

import trio

from sipcore.agent import UserAgent
from sipcore.client import LEAVE_WITHIN, Follower, Wait
from sipcore.config import Account
from sipcore.events import Event, InboundRequest
from sipcore.values import Status
from sipcore_sync import session
from sipcore_sync.base import Resolver
from sipcore_sync.session import Session, StatusHandler
from sipcore_trio.driver import Driver, now

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
    ended; neither that nor anything the block raises is wrapped in a group. Raises `ConfigError`.

    `agent` takes the place of the one that would be made, such as a `sipcore.replay.RecordingAgent`; it is new, and
    has `handles` and `random` of its own.
    """
    block = _TrioSession()
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
    block = _TrioSession()
    handle = Agent(block)
    if on_event is not None:
        block.on_event = lambda event: on_event(handle, event)
    async with block.block(accounts, wait, leave_within, handles, resolver, random, agent):
        yield handle


class _TrioSession(Session):
    def __init__(self) -> None:
        self._news = trio.Event()
        self._body = trio.CancelScope()
        self._driving = trio.CancelScope(shield=True)
        self._driven = False
        super().__init__(self._wake, self._body.cancel)

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
        made = self.begin(
            accounts,
            wait=wait,
            leave_within=leave_within,
            handles=handles,
            random=random,
            agent=agent,
            now=now(),
        )
        self.driver = driver = Driver(made, self.deliver, resolver=resolver)
        raised: BaseException | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drive, driver)
            # What is raised here is raised again outside of the nursery, which would wrap it in a group.
            try:
                # The block has a scope of its own, so that a failed handler ends the block and nothing else.
                with self._body:
                    await self._until(lambda: self.decided)
                    if self.refusal is not None:
                        raise self.refusal
                    yield
            except BaseException as error:
                raised = error
            try:
                driver.feed(made.leave)
                with trio.CancelScope(shield=True):
                    await self._until(lambda: self.left or self._driven)
            except BaseException as error:
                # An interrupt while leaving: at the second one a user means it.
                raised = raised or error
            self._driving.cancel()
        if raised is not None and (self.failure is None or _holds_cancelled(raised)):
            raise raised
        if self.failure is not None:
            raise self.failure from (None if raised is self.failure else raised)

    async def _drive(self, driver: Driver) -> None:
        # Shielded, since the driver must outlive a cancellation of the block by as long as leaving takes.
        try:
            with self._driving:
                await driver.run()
        except BaseException as error:
            self.fail(error)
        finally:
            self._driven = True
            self._wake()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news = trio.Event()
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()


class _Statuses:
    """Reads statuses as they come."""

    def __init__(self, block: Session, name: str) -> None:
        self._news = trio.Event()
        self._follower: Follower = block.client.follow(name, self._wake)

    def __aiter__(self) -> _Statuses:
        return self

    async def __anext__(self) -> Status:
        await trio.lowlevel.checkpoint()
        while (status := self._follower.take()) is None:
            if self._follower.ended:
                raise StopAsyncIteration
            self._news = trio.Event()
            await self._news.wait()
        return status

    def _wake(self) -> None:
        self._news.set()


def _holds_cancelled(error: BaseException) -> bool:
    # A cancellation from outside has to reach its scope, alone or in a group, or trio's count is wrong.
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(trio.Cancelled) is not None
    return isinstance(error, trio.Cancelled)
