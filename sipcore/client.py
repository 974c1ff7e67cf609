"""The logic of the convenience API without I/O, so that drivers only wait.

Theory of operation. A `Client` is a `UserAgent` with the manners of a `with` block: it registers its accounts when it
is made, says when the block may be entered or why it cannot, and, told to `leave`, removes the bindings and says when
that is done or has taken too long. It keeps the contract of an agent, so a driver drives it as it drives any other:
what it has to say are events, behind the event that caused them, and its two bounds are part of `next_deadline()`.

Who sees what: the driver sees `Entered` or `EnteringFailed` once, and `Left` once, after which the client is closed.
Every other event goes through unchanged; on its way each status is handed to those who follow it.

Conflicts: leaving may begin before entering has been decided, then it never is. An answer that comes after the bound of
leaving finds the client closed.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from weakref import WeakSet

from sipcore.agent import UserAgent
from sipcore.commands import Command, Record
from sipcore.config import Account
from sipcore.errors import ConfigError, RegistrationFailed
from sipcore.events import (
    Event,
    FlowLost,
    ListenFailed,
    Listening,
    MessageDropped,
    Registered,
    Rejected,
    StatusChanged,
    Unregistered,
)
from sipcore.values import Address, Cause, Phase, State, Status, format_address

__all__ = [
    "LEAVE_WITHIN",
    "Client",
    "Entered",
    "EnteringFailed",
    "Follower",
    "Left",
    "LogLevel",
    "LogLine",
    "Wait",
    "log_line",
]

LEAVE_WITHIN = 5.0
"""Seconds that leaving takes at most: enough for four copies of the un-REGISTER over a network that loses datagrams."""

MAX_UNREAD = 1000
"""Statuses kept for a follower that does not read; past it the oldest go, since the newest says what is true."""


class Wait(enum.Enum):
    """How entering waits, when neither for ever (None) nor for a number of seconds."""

    FIRST_ATTEMPT = "first attempt"
    """Until the first attempt of every account has succeeded, or one has failed."""
    NOT = "not"
    """Enter at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered(Event):
    """Every account was registered once, or nobody wanted to wait for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnteringFailed(Event):
    """What was waited for did not come. Call `leave`: there may be bindings all the same."""

    status: Status
    """Of the account that failed, or of the first that had no binding when the time was over."""

    @property
    def error(self) -> RegistrationFailed:
        """What the application gets to see."""
        return RegistrationFailed(self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left(Event):
    """The last event: every removal was answered, or the bound was reached."""

    unconfirmed: tuple[str, ...]
    """The registrations whose removal nobody has answered."""


class Follower:
    """Reads every status of one registration, or of all: the current ones first, then each change.

    Call `take` until it returns None, then wait until `on_news` is called; when `ended` nothing more will come.
    """

    __slots__ = ("__weakref__", "_unread", "ended", "name", "on_news")

    def __init__(self, name: str | None, current: Sequence[Status], on_news: Callable[[], object]) -> None:
        self.name = name
        self.on_news = on_news
        self.ended = False
        self._unread: deque[Status] = deque(current, maxlen=MAX_UNREAD)

    def put(self, status: Status) -> None:
        """A status changed."""
        if self.name is None or self.name == status.name:
            self._unread.append(status)
            self.on_news()

    def end(self) -> None:
        """Nothing will change any more."""
        self.ended = True
        self.on_news()

    def take(self) -> Status | None:
        """The oldest status that was not read; None when all were."""
        return self._unread.popleft() if self._unread else None


class Client:
    """One or more registrations with a beginning and an end; see the module's text.

    Raises `ConfigError` when two accounts have one name, or when a number of seconds is negative.
    """

    def __init__(
        self,
        agent: UserAgent,
        accounts: Sequence[Account],
        *,
        wait: float | Wait | None = Wait.FIRST_ATTEMPT,
        leave_within: float = LEAVE_WITHIN,
        now: float,
    ) -> None:
        if wait is not None and not isinstance(wait, Wait):
            _check_seconds("wait", wait, ", None or a `Wait`")
        _check_seconds("leave_within", leave_within)
        self.agent = agent
        self._wait = wait
        self._leave_within = leave_within
        self._missing: set[str] = set()
        self._enter_until: float | None = None
        self._leave_until: float | None = None
        self._entering = True
        self._leaving = False
        self._gave_up = False
        self._left = False
        self._names: dict[str, Status | None] = {}
        self._unremoved: set[str] = set()
        """Those whose removal failed."""
        self._own: deque[Event] = deque()
        self._followers: WeakSet[Follower] = WeakSet()
        # The inputs that matter for speed go straight to the agent.
        self.receive = agent.receive
        for account in accounts:
            if account.name in self._names:
                raise ConfigError("name", account.name, "a name that no other account has")
            self._names[account.name] = None
        for account in accounts:
            agent.add(account, now=now)
            agent.register(account.name, now=now)
        if wait is not Wait.NOT:
            self._missing.update(self._names)
        if isinstance(wait, int | float):
            self._enter_until = now + wait
        if not self._missing:
            self._decide(Entered())

    # --- for the application ---------------------------------------------------------------------------------------

    def status(self, name: str) -> Status:
        """What is true of one registration; after `Left`, what was true in the end.

        Raises `LocalProtocolError` when there is none of that name.
        """
        last = self._names.get(name)
        return self.agent.status(name) if last is None else last

    def statuses(self) -> list[Status]:
        """All registrations; after `Left` those that the block began with."""
        if self._leaving:
            return [status for status in self._names.values() if status is not None]
        return self.agent.statuses()

    def follow(self, name: str | None, on_news: Callable[[], object]) -> Follower:
        """Read every status of one registration (None: of all), the current one first. Forgotten with its reader."""
        follower = Follower(name, self.statuses() if name is None else [self.status(name)], on_news)
        self._followers.add(follower)
        if self._left:
            follower.end()
        return follower

    def leave(self, *, now: float) -> None:
        """Remove all bindings; `Left` comes within the bound. A second call does nothing."""
        if self._leaving:
            return
        self._entering = False
        self._leaving = True
        self._leave_until = now + self._leave_within
        # What is gone is forgotten by the agent, but its last status is what the block's owner may ask for.
        self._names = {status.name: status for status in self.agent.statuses()}
        self.agent.close(now=now)

    # --- the contract of an agent ----------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Nothing is left to do: `Left` was told."""
        return self._left

    @property
    def leaving(self) -> bool:
        """`leave` was called."""
        return self._leaving

    def next_output(self) -> Command | Event | None:
        """The next thing to perform or to be told, in order of cause."""
        if self._own:
            return self._own.popleft()
        if self._left:
            return None
        output = self.agent.next_output()
        if isinstance(output, Event):
            self._observe(output)
        elif output is None and self._leaving and (self.agent.closed or self._gave_up):
            self._end_leaving()
            return self._own.popleft()
        return output

    def next_deadline(self) -> float | None:
        """The agent's, or the bound of entering or leaving."""
        bound = self._leave_until if self._leaving else self._enter_until
        if self._left or bound is None:
            return None if self._left else self.agent.next_deadline()
        deadline = self.agent.next_deadline()
        return bound if deadline is None else min(bound, deadline)

    def handle_deadline(self, *, now: float) -> None:
        """Time has passed."""
        if self._left:
            return
        self.agent.handle_deadline(now=now)
        if self._leaving and self._leave_until is not None and now >= self._leave_until:
            # `Left` comes behind what the agent still wants sent, which may be the very un-REGISTER.
            self._leave_until = None
            self._gave_up = True
        elif self._entering and self._enter_until is not None and now >= self._enter_until:
            missing = next((name for name in self.agent.names() if name in self._missing), None)
            if missing is None:
                # What was waited for has been removed meanwhile.
                self._decide(Entered())
            else:
                self._decide(EnteringFailed(status=self.status(missing)))

    def network_changed(self, *, now: float) -> None:
        """See `UserAgent`."""
        self.agent.network_changed(now=now)

    def resolved(self, query: int, records: Sequence[Record], *, now: float) -> None:
        """See `UserAgent`."""
        self.agent.resolved(query, records, now=now)

    def resolve_failed(self, query: int, error: str, *, now: float) -> None:
        """See `UserAgent`."""
        self.agent.resolve_failed(query, error, now=now)

    def listening(self, listener: int, local: Address, *, now: float) -> None:
        """See `Endpoint`."""
        self.agent.listening(listener, local, now=now)

    def listen_failed(self, listener: int, error: str, *, now: float) -> None:
        """See `Endpoint`."""
        self.agent.listen_failed(listener, error, now=now)

    def flow_accepted(self, listener: int, local: Address, remote: Address, *, now: float) -> int:
        """See `Endpoint`."""
        return self.agent.flow_accepted(listener, local, remote, now=now)

    def flow_opened(self, flow: int, local: Address, remote: Address | None = None, *, now: float) -> None:
        """See `Endpoint`."""
        self.agent.flow_opened(flow, local, remote, now=now)

    def flow_closed(self, flow: int, error: str | None = None, *, now: float) -> None:
        """See `Endpoint`."""
        self.agent.flow_closed(flow, error, now=now)

    def transmit_failed(self, flow: int, remote: Address, error: str, *, now: float) -> None:
        """See `Endpoint`."""
        self.agent.transmit_failed(flow, remote, error, now=now)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _observe(self, event: Event) -> None:
        if isinstance(event, StatusChanged):
            status = event.status
            if self._leaving and status.name in self._names:
                self._names[status.name] = status
            if self._followers:
                self._publish(status)
            # One that is gone is not waited for.
            if self._entering and (status.registered or status.state is State.STOPPED) and status.name in self._missing:
                self._missing.discard(status.name)
                if not self._missing:
                    self._decide(Entered())
        elif isinstance(event, Rejected) and event.removal:
            if event.retry_at is None:
                self._unremoved.add(event.name)
        elif (
            self._entering
            and isinstance(event, Rejected)
            and event.name in self._missing
            # One that is not tried again would be waited for in vain.
            and (self._wait is Wait.FIRST_ATTEMPT or event.retry_at is None)
            # One that is gone by now is told of behind this.
            and event.name in self.agent.names()
        ):
            self._decide(EnteringFailed(status=self.status(event.name)))

    def _decide(self, event: Entered | EnteringFailed) -> None:
        self._entering = False
        self._enter_until = None
        self._own.append(event)

    def _publish(self, status: Status) -> None:
        for follower in list(self._followers):
            follower.put(status)

    def _end_leaving(self) -> None:
        unconfirmed = []
        for name, status in self._names.items():
            if status is None or (status.state is State.STOPPED and name not in self._unremoved):
                continue
            unconfirmed.append(name)
            if status.state is State.STOPPED:
                # It says itself why the binding was not removed.
                continue
            final = self._names[name] = _unconfirmed(status, self._leave_within)
            self._own.append(StatusChanged(status=final, previous=status.state))
            self._publish(final)
        self._left = True
        self._own.append(Left(unconfirmed=tuple(unconfirmed)))
        for follower in list(self._followers):
            follower.end()


def _check_seconds(option: str, value: object, others: str = "") -> None:
    # A bool is an int to Python, and no number of seconds to anybody else; a NaN compares false.
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ConfigError(option, value, f"must be a number of seconds, 0 or more{others}")


class LogLevel(enum.IntEnum):
    """The numbers of the logging module, which the core does not import."""

    DEBUG = 10
    INFO = 20
    WARNING = 30


class LogLine(NamedTuple):
    """What an operator should be able to read."""

    level: LogLevel
    text: str


def log_line(event: Event, *, now: float, least: int = LogLevel.DEBUG) -> LogLine | None:
    """The line that an event is worth, or None; lines below the level `least` are not even written.

    Texts of peers inside are safe for terminals already.
    """
    level = _LEVELS.get(type(event))
    if isinstance(event, Registered) and event.refreshed:
        level = LogLevel.DEBUG
    elif isinstance(event, Unregistered) and event.cause.kind is None:
        level = LogLevel.WARNING  # the clock's doing: it lapsed
    elif isinstance(event, Left) and event.unconfirmed:
        level = LogLevel.WARNING
    if level is None or level < least:
        return None
    return LogLine(level, _text(event, now))


_LEVELS: dict[type[Event], LogLevel] = {
    Rejected: LogLevel.WARNING,
    Registered: LogLevel.INFO,
    Unregistered: LogLevel.INFO,
    FlowLost: LogLevel.INFO,
    Listening: LogLevel.INFO,
    ListenFailed: LogLevel.WARNING,
    MessageDropped: LogLevel.DEBUG,
    Left: LogLevel.DEBUG,
}


def _text(event: Event, now: float) -> str:
    match event:
        case Rejected():
            what = "removal failed" if event.removal else "rejected"
            plan = "not tried again" if event.retry_at is None else f"next attempt in {event.retry_at - now:.0f} s"
            return f"{event.name}: {what}: {event.kind}: {event.cause}; {plan}"
        case Registered():
            what = "refreshed" if event.refreshed else "registered"
            assumed = " (assumed: the answer did not list ours)" if event.assumed else ""
            return f"{event.name}: {what} for {event.expires:.0f} s{assumed}"
        case Unregistered():
            return f"{event.name}: unregistered: {event.cause}"
        case FlowLost():
            remote = "" if event.remote is None else f" to {format_address(event.remote)}"
            return f"flow {event.flow}{remote} lost: {event.error or 'closed by the peer'}"
        case Listening():
            return f"listening on {event.protocol} {format_address(event.local)}"
        case ListenFailed():
            local = "" if event.local is None else f" {format_address(event.local)}"
            return f"cannot listen on {event.protocol}{local}: {event.error}"
        case MessageDropped():
            source = "" if event.source is None else f" from {format_address(event.source)}"
            return f"dropped {event.count}{source}: {event.cause}"
        case Left(unconfirmed=()):
            return "all bindings were removed"
        case Left():
            names = ", ".join(event.unconfirmed[:_NAMES_IN_A_LINE])
            more = len(event.unconfirmed) - _NAMES_IN_A_LINE
            return f"removals not confirmed in time: {names}{f' and {more} more' if more > 0 else ''}"
        case _:
            return ""


_NAMES_IN_A_LINE = 5


def _unconfirmed(status: Status, seconds: float) -> Status:
    detail = f"the removal was not confirmed within {seconds:g} s, so the binding may stand until it lapses"
    if status.cause is not None and status.cause.kind is not None and status.cause.code != 200:
        detail += f"; before that: {status.cause}"
    cause = Cause(detail=detail, server=status.server, transport=status.transport)
    return replace(status, state=State.STOPPED, phase=Phase.IDLE, cause=cause, next_attempt_at=None)
