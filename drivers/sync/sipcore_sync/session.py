"""What the application holds inside the block: shared by the three drivers, which only add their way of waiting.

Theory of operation. A `Session` sits between the driver and the application: it gets every event, writes the log, calls
the application's handlers, and notes when the block may be entered or is left. An exception of a handler is kept and
ends the block; no handler is called after it, but the driver goes on, so that the bindings are removed all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from random import Random, SystemRandom
from typing import TYPE_CHECKING, TypeVar

from sipcore.agent import UserAgent
from sipcore.client import Client, Entered, EnteringFailed, Left, Wait, log_line
from sipcore.config import Account
from sipcore.errors import ConfigError, LocalProtocolError, RegistrationFailed
from sipcore.events import Event, InboundRequest, StatusChanged
from sipcore.values import Address, Status

if TYPE_CHECKING:
    from sipcore_sync.base import SocketDriver

__all__ = ["Agent", "Registration", "Session", "StatusHandler"]

StatusHandler = Callable[[Status], object]
_R = TypeVar("_R")
_LOGGER = logging.getLogger("sipcore")


class Session:
    """Between driver and application; see the module's text."""

    def __init__(self, on_news: Callable[[], object], on_failure: Callable[[], object]) -> None:
        self._on_news = on_news
        self._on_failure = on_failure
        self.on_event: Callable[[Event], object] | None = None
        self.on_request: Callable[[InboundRequest], object] | None = None
        self.status_handlers: list[StatusHandler] = []
        self.decided = False
        self.left = False
        self.refusal: RegistrationFailed | None = None
        """Why the block cannot be entered."""
        self.failure: BaseException | None = None
        """What a handler raised, or what ended the driver."""
        self.client: Client
        self.driver: SocketDriver

    def begin(
        self,
        accounts: Sequence[Account],
        *,
        wait: float | Wait | None,
        leave_within: float,
        handles: Iterable[str],
        random: Random | None,
        agent: UserAgent | None,
        now: float,
    ) -> Client:
        """Make the client; the driver that drives it is set by the caller."""
        if isinstance(handles, str):
            raise ConfigError("handles", handles, "must be several methods, as in {'INVITE', 'BYE'}")
        handles = tuple(handles)
        if agent is not None:
            _check_own(agent, handles, random)
        handled = handles if agent is None else tuple(sorted(agent.handles))
        if handled and self.on_request is None and self.on_event is None:
            raise ConfigError("handles", handled, "needs a handler for these requests: on_request or on_event")
        try:
            agent = agent or UserAgent(random=random or SystemRandom(), handles=handles, now=now)
        except LocalProtocolError as error:
            raise ConfigError("handles", handles, f"must be methods: {error}") from None
        self.client = Client(agent, accounts, wait=wait, leave_within=leave_within, now=now)
        return self.client

    def deliver(self, event: Event) -> None:
        """The driver's `on_event`."""
        if line := log_line(event, now=self.driver.now(), least=_LOGGER.getEffectiveLevel()):
            _LOGGER.log(line.level, "%s", line.text)
        match event:
            case StatusChanged():
                for handler in tuple(self.status_handlers):
                    self._call(handler, event.status)
            case InboundRequest():
                self._call(self.on_request, event)
            case Entered():
                self.decided = True
                self._on_news()
                return
            case EnteringFailed():
                self.decided = True
                self.refusal = event.error
                self._on_news()
                return
            case Left():
                self.left = True
                self._on_news()
                return
        self._call(self.on_event, event)

    def fail(self, error: BaseException) -> None:
        """The block ends because of this; the first one counts."""
        if self.failure is None:
            self.failure = error
            self._on_failure()

    def _call(self, handler: Callable[..., object] | None, *args: object) -> None:
        if handler is None or self.failure is not None:
            return
        try:
            handler(*args)
        except BaseException as error:
            # Also KeyboardInterrupt: it leaves the block like an error of the handler, behind the un-REGISTER.
            self.fail(error)


def _check_own(agent: UserAgent, handles: tuple[str, ...], random: Random | None) -> None:
    if handles or random is not None:
        raise ConfigError("agent", type(agent).__name__, "has `handles` and `random` of its own, so give them to it")
    if agent.names() or agent.flows or agent.closed:
        raise ConfigError("agent", type(agent).__name__, "must be a new one, which was given nothing yet")


class _Handle:
    """What both kinds of block offer. From a handler or from the block, at any time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def now(self) -> float:
        """The clock that the times of a `Status` are on, in seconds."""
        return self._session.driver.now()

    def respond(
        self,
        request: InboundRequest,
        status: int,
        reason: str | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        """Answer an inbound request (RFC 3261 section 8.2.6).

        Raises `LocalProtocolError` when it was answered already or is too old, or when a value breaks the grammar.
        """
        agent = self._session.client.agent
        self._session.driver.feed(agent.respond, request, status, reason, headers=headers, body=body)

    def send_raw(self, flow: int, data: bytes, remote: Address | None = None) -> None:
        """Send own bytes over a flow; `remote` is needed on UDP. Raises `LocalProtocolError`."""
        self._session.driver.feed(self._session.client.agent.send_raw, flow, data, remote)

    def _ask(self, question: Callable[..., _R], *args: object) -> _R:
        return self._session.driver.ask(question, *args)


class Registration(_Handle):
    """One registration, kept alive as long as its block is open."""

    def __init__(self, session: Session, name: str) -> None:
        super().__init__(session)
        self.name = name
        """The account's name."""

    @property
    def status(self) -> Status:
        """What is true now; after the block, what was true in the end: what could not be confirmed is its cause."""
        return self._ask(self._session.client.status, self.name)

    def on_status(self, handler: StatusHandler) -> Callable[[], None]:
        """Call `handler` with every status from now on; returns a function that ends that.

        The handler must not block. What it raises ends the block.
        """
        handlers = self._session.status_handlers
        handlers.append(handler)

        def cancel() -> None:
            if handler in handlers:
                handlers.remove(handler)

        return cancel

    def refresh(self) -> None:
        """Register again now."""
        self._session.driver.feed(self._session.client.agent.register, self.name)


class Agent(_Handle):
    """Any number of registrations, kept alive as long as their block is open."""

    def status(self, name: str) -> Status:
        """What is true of one registration. Raises `LocalProtocolError` when there is none of that name."""
        return self._ask(self._session.client.status, name)

    def statuses(self) -> list[Status]:
        """All registrations, in the order in which they were added."""
        return self._ask(self._session.client.statuses)

    def add(self, account: Account) -> None:
        """Know one more registration; nothing is sent before `register`. Raises `LocalProtocolError`."""
        self._session.driver.feed(self._session.client.agent.add, account)

    def register(self, name: str) -> None:
        """Keep it registered; when it is already, refresh it now. Raises `LocalProtocolError`."""
        self._session.driver.feed(self._session.client.agent.register, name)

    def unregister(self, name: str, *, all: bool = False) -> None:
        """Remove the binding; with `all` those of other devices, too. Raises `LocalProtocolError`."""
        self._session.driver.feed(self._session.client.agent.unregister, name, all=all)

    def remove(self, name: str) -> None:
        """Remove the binding and forget the registration. Raises `LocalProtocolError`."""
        self._session.driver.feed(self._session.client.agent.remove, name)

    def reload(self, accounts: Iterable[Account]) -> None:
        """Have exactly these registrations; what did not change is not touched. Raises `LocalProtocolError`."""
        self._session.driver.feed(self._session.client.agent.reload, accounts)
