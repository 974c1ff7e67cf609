"""`registered()` and `open_agent()` for blocking code."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from weakref import WeakSet

from sipcore.agent import UserAgent
from sipcore.client import LEAVE_WITHIN, Wait
from sipcore.config import Account
from sipcore.errors import LocalProtocolError
from sipcore.events import Event, InboundRequest
from sipcore.values import Status
from sipcore_sync import session
from sipcore_sync.base import Resolver
from sipcore_sync.driver import Driver
from sipcore_sync.session import Session, StatusHandler
from sipcore_sync.sockets import boottime

__all__ = ["Agent", "Registration", "open_agent", "registered"]

GRACE = 2.0
"""Seconds beyond `leave_within` after which the thread counts as stuck, in a handler that does not return."""

LONGEST_WAIT = 3600.0
"""Seconds of one wait for the thread; the platform takes no infinite number, and the loop around it goes on."""


class _Waiting(session._Handle):
    """Waiting as blocking code does it: by the driver's own thread, or by polling."""

    _session: _BlockingSession

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Without a thread: wait at most `timeout` seconds (None: for ever) for something, and do what is due.

        Returns True when something was done. Raises what a handler raised, and `LocalProtocolError` when the block has
        a thread that does this.
        """
        if self._session.thread is not None:
            raise LocalProtocolError("the block has a thread that polls")
        done = self._session.driver.poll(timeout)
        self._session.check()
        return done


class Registration(_Waiting, session.Registration):
    """One registration, kept alive as long as its block is open."""

    def statuses(self, timeout: float | None = None) -> Iterator[Status]:
        """The current status, then every change, for `timeout` seconds altogether (None: as long as the block is open).

        Without a thread this polls. Raises what a handler raised.
        """
        blocking = self._session
        news = blocking.new_reader()
        follower = blocking.driver.ask(blocking.client.follow, self.name, news.set)
        until = None if timeout is None else self.now() + timeout
        while True:
            blocking.check()
            while (status := follower.take()) is not None:
                yield status
                blocking.check()
            left = None if until is None else until - self.now()
            if follower.ended or (left is not None and left <= 0):
                return
            if blocking.thread is None:
                blocking.driver.poll(left)
            elif news.wait(LONGEST_WAIT if left is None else min(left, LONGEST_WAIT)):
                news.clear()


class Agent(_Waiting, session.Agent):
    """Any number of registrations, kept alive as long as their block is open."""


@contextmanager
def registered(
    account: Account,
    *,
    wait: float | Wait | None = Wait.FIRST_ATTEMPT,
    leave_within: float = LEAVE_WITHIN,
    threaded: bool = True,
    handles: Iterable[str] = (),
    on_request: Callable[[Registration, InboundRequest], object] | None = None,
    on_status: StatusHandler | None = None,
    resolver: Resolver | None = None,
    random: Random | None = None,
    agent: UserAgent | None = None,
) -> Iterator[Registration]:
    """Keep `account` registered as long as the block is open.

    Entering ends with the first success, or raises `RegistrationFailed` with the outcome of the first attempt;
    `wait=None` keeps trying as long as that makes sense, a number of seconds bounds it, `Wait.NOT` does not wait.
    Leaving un-registers and takes at most `leave_within` seconds; `status` tells what could not be confirmed.

    A thread of its own keeps it alive, and calls the handlers; with `threaded=False` the application calls `poll()` or
    reads `statuses()` instead. `handles` names the methods of inbound requests for `on_request(registration, request)`;
    others are answered at once. Handlers must not block. What one raises ends `statuses()`, and is raised when the
    block ends. Raises `ConfigError`.

    `agent` takes the place of the one that would be made, such as a `sipcore.replay.RecordingAgent`; it is new, and
    has `handles` and `random` of its own.
    """
    blocking = _BlockingSession(threaded)
    registration = Registration(blocking, account.name)
    if on_request is not None:
        blocking.on_request = lambda request: on_request(registration, request)
    if on_status is not None:
        registration.on_status(on_status)
    with blocking.block([account], wait, leave_within, handles, resolver, random, agent):
        yield registration


@contextmanager
def open_agent(
    accounts: Sequence[Account],
    *,
    on_event: Callable[[Agent, Event], object] | None = None,
    wait: float | Wait | None = Wait.NOT,
    leave_within: float = LEAVE_WITHIN,
    threaded: bool = True,
    handles: Iterable[str] = (),
    resolver: Resolver | None = None,
    random: Random | None = None,
    agent: UserAgent | None = None,
) -> Iterator[Agent]:
    """Keep any number of accounts registered as long as the block is open.

    `on_event(agent, event)` gets every event, in order. Everything else is as in `registered()`, but that entering does
    not wait unless told to.
    """
    blocking = _BlockingSession(threaded)
    handle = Agent(blocking)
    if on_event is not None:
        blocking.on_event = lambda event: on_event(handle, event)
    with blocking.block(accounts, wait, leave_within, handles, resolver, random, agent):
        yield handle


class _BlockingSession(Session):
    driver: Driver

    def __init__(self, threaded: bool) -> None:
        self._news = threading.Event()
        self._readers: WeakSet[threading.Event] = WeakSet()
        super().__init__(self._news.set, self._failed)
        self._threaded = threaded
        self.thread: threading.Thread | None = None
        self._ended = False

    def new_reader(self) -> threading.Event:
        """An event for a reader of statuses, who has to be told of a failure, too."""
        news = threading.Event()
        self._readers.add(news)
        return news

    def check(self) -> None:
        """Raise what a handler raised."""
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def block(
        self,
        accounts: Sequence[Account],
        wait: float | Wait | None,
        leave_within: float,
        handles: Iterable[str],
        resolver: Resolver | None,
        random: Random | None,
        agent: UserAgent | None,
    ) -> Iterator[None]:
        """The block's life: begin, enter, leave, end; whatever happens, the last two."""
        made = self.begin(
            accounts,
            wait=wait,
            leave_within=leave_within,
            handles=handles,
            random=random,
            agent=agent,
            now=boottime(),
        )
        with Driver(made, self.deliver, resolver=resolver) as self.driver:
            try:
                try:
                    if self._threaded:
                        self.thread = threading.Thread(target=self._run, name="sipcore", daemon=True)
                        self.thread.start()
                    self._wait(lambda: self.decided)
                    self.check()
                    if self.refusal is not None:
                        raise self.refusal
                    yield
                finally:
                    self.driver.feed(made.leave)
                    # The client keeps the bound; this one is for a handler that never returns.
                    self._wait(lambda: self.left, within=leave_within + GRACE)
            finally:
                self.driver.close()
            if self.thread is not None:
                self.thread.join(GRACE)
        self.check()

    def _wait(self, condition: Callable[[], bool], within: float | None = None) -> None:
        until = None if within is None else boottime() + within
        while not condition():
            left = None if until is None else until - boottime()
            if left is not None and left <= 0:
                return
            if self.thread is None:
                self.driver.poll(left)
            else:
                if self._ended:
                    return
                self._news.wait(LONGEST_WAIT if left is None else min(left, LONGEST_WAIT))
                self._news.clear()
            if self.failure is not None and not self.client.leaving:
                return

    def _failed(self) -> None:
        self._news.set()
        for news in list(self._readers):
            news.set()

    def _run(self) -> None:
        try:
            self.driver.run()
        except BaseException as error:
            self.fail(error)
        finally:
            self._ended = True
            self._news.set()
