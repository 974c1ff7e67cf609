"""A story: accounts, a registrar, what goes wrong and what the application does, as data; and what is told of it.

`tell` plays a story with some host for the agent, a `Station` or a driver in lockstep, and returns the log: the events
as the application got them, and the bytes that left the host. Equal logs are what the contract asks of drivers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, Protocol, TypeVar

from sipcore import (
    Account,
    Address,
    Command,
    Event,
    InboundRequest,
    Listen,
    OpenFlow,
    RecordKind,
    Resolve,
    Transmit,
    UserAgent,
)
from sipcore.testing import REGISTRAR, ScriptedPeer, Station, Step, Wire, World
from sipcore.values import Protocol as Transport
from sipcore_sync.base import OnEvent
from tests.drivers.lockstep import Lockstep
from tests.drivers.memory import Machine

__all__ = ["Act", "Host", "Log", "MakeHost", "Prompt", "Reference", "Stage", "Story", "Told", "plain", "tell"]

TIMES = frozenset({"refresh_at", "retry_at", "since", "expires_at", "next_attempt_at"})
"""What differs from driver to driver on a real clock."""
AFTERWARDS = 100.0
"""Seconds from `close` to the end: the longest that an un-REGISTER takes, and more."""

NO_ADDRESS = "network is unreachable"
"""What a system says that has no address of the remote's family."""
TICK = 0.001
"""Seconds by which times may differ under a virtual clock: `Lockstep` moves some by less, for the sake of order."""

T = TypeVar("T")


class Host(Protocol):
    """What a story needs of whoever drives the agent."""

    def feed(self, method: Callable[..., T], *args: object, **keywords: object) -> T:
        """Call an input of the agent."""

    def stop(self) -> None:
        """The story is over."""

    @property
    def ended(self) -> bool:
        """There is nothing left to do."""


MakeHost = Callable[[World, UserAgent, OnEvent], Host]


class Told(NamedTuple):
    """One event, its times left out."""

    at: float
    text: str


class Log(NamedTuple):
    """What came of a story."""

    events: list[Told]
    datagrams: list[tuple[Address, bytes]]
    streams: dict[Address, bytes]
    ended: bool
    """The driver's `run()` came to its end."""

    def differs(self, other: Log, *, timed: bool = True) -> str | None:
        """The first difference, in words; None when there is none. Times may differ by a tick, or with `timed=False`
        as they like."""
        for number, (ours, theirs) in enumerate(zip(self.events, other.events, strict=False)):
            if ours.text != theirs.text:
                return f"event {number} at {ours.at:.3f}: {ours.text}\nand not at {theirs.at:.3f}: {theirs.text}"
            if timed and abs(ours.at - theirs.at) > TICK:
                return f"event {number}: {ours.text}\nat {ours.at} and not at {theirs.at}"
        if len(self.events) != len(other.events):
            longer = max(self.events, other.events, key=len)
            return f"{len(self.events)} events and not {len(other.events)}: {longer[-1]}"
        for name in ("datagrams", "streams", "ended"):
            if getattr(self, name) != getattr(other, name):
                return f"{name}: {getattr(self, name)}\nand not {getattr(other, name)}"
        return None


class Stage:
    """What the acts of a story work with."""

    def __init__(self, story: Story, make_host: MakeHost) -> None:
        self.story = story
        self.world = World(wire=Wire(seed=story.seed, **story.wire))
        self.world.name("example.com", REGISTRAR[0])
        # Never 0: in one instant with its question, an answer may come before or behind what else happens then.
        self.world.resolve_delay = 0.004
        self.peer = ScriptedPeer(self.world, REGISTRAR, story.script)
        self.others: dict[Address, ScriptedPeer] = {
            address: ScriptedPeer(self.world, address, script) for address, script in story.others.items()
        }
        self.agent = UserAgent(story.accounts, random=Random(story.seed), handles=story.handles)
        self.log = Log([], [], {}, False)
        self.host = make_host(self.world, self.agent, self._on_event)
        self.notes: dict[str, Any] = {}
        """What one act keeps for another."""

    def call(self, name: str, *args: object, **keywords: object) -> None:
        """An input of the agent."""
        self.host.feed(getattr(self.agent, name), *args, **keywords)

    @property
    def system(self) -> Station | Machine:
        """The agent's host, for the faults of the system."""
        if isinstance(self.host, Lockstep):
            return self.host.machine
        assert isinstance(self.host, Reference)
        return self.host

    def _on_event(self, event: Event) -> None:
        self.log.events.append(Told(self.world.now, plain(event)))
        if isinstance(event, InboundRequest) and self.story.answer is not None:
            self.call("respond", event, self.story.answer)


Act = Callable[[Stage], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """See the module's text."""

    name: str
    accounts: tuple[Account, ...]
    script: tuple[Step, ...] = ()
    """Of the registrar of example.com."""
    acts: tuple[tuple[float, Act], ...]
    """What happens when; `close` follows at `closes`."""
    closes: float = 100.0
    others: Mapping[Address, tuple[Step, ...]] = field(default_factory=dict)
    """Further servers."""
    wire: Mapping[str, Any] = field(default_factory=lambda: {"latency": 0.011, "jitter": 0.003})
    handles: tuple[str, ...] = ()
    answer: int | None = None
    """To requests that reach the application."""
    window: int | None = None
    """Of the host's streams, in bytes."""
    timed: bool = True
    """False where a real system takes time that a `Station` does not, as with a window."""
    seed: int = 1
    tells: tuple[str, ...] = ()
    """What has to be in the log, or the story would have missed its point."""


def tell(story: Story, make_host: MakeHost) -> Log:
    """Play a story to its end."""
    stage = Stage(story, make_host)
    world, host = stage.world, stage.host
    try:
        if isinstance(host, Lockstep):
            host.machine.window = story.window
        for at, act in (*story.acts, (story.closes, _close)):
            world.at(at, lambda act=act: act(stage))  # type: ignore[misc]  # mypy takes no default here
        world.run(story.closes + AFTERWARDS)
        ended = host.ended
    finally:
        host.stop()
    datagrams, streams = stage.log.datagrams, {}
    if isinstance(host, Lockstep):
        datagrams, streams = host.machine.datagrams, host.machine.streams
    else:
        assert isinstance(host, Reference)
        datagrams, streams = host.datagrams, host.streams
    return Log(stage.log.events, datagrams, {local: bytes(data) for local, data in streams.items()}, ended)


def _close(stage: Stage) -> None:
    if not stage.agent.closed:
        stage.call("close")


def plain(value: object) -> str:
    """A value in words, without times; the system's words for errors are those of the virtual one."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in dataclasses.fields(value) if item.name not in TIMES]
        # A message is in `data` as well, as it arrived.
        parts = [f"{name}={plain(getattr(value, name))}" for name in names if name not in ("request", "response")]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, tuple):
        return f"({', '.join(map(plain, value))})"
    if isinstance(value, str):
        return repr(value.lower().replace("connection reset by peer", "connection reset"))
    return repr(value)


class Prompt(Station):
    """A station whose system answers its calls at once, as real ones do: only what travels or is looked up takes time.

    Otherwise two registrations that do something in one instant might change places.
    """

    def _perform(self, command: Command) -> None:
        match command:
            case Resolve(kind=RecordKind.SOURCE):
                self._resolve(command)
            case OpenFlow(protocol=Transport.UDP):
                self._opening.add(command.flow)
                self._bind(command)
            case OpenFlow(local=None, remote=(str() as host, _)) if self._host(host) is None:
                self._closed.add(command.flow)
                self.endpoint.flow_closed(command.flow, NO_ADDRESS, now=self.world.now)
            case Listen():
                self._listen(command)
            case _:
                super()._perform(command)

    def _transmit(self, command: Transmit) -> None:
        remote = command.remote
        refusal = None if remote is None else self._refusal(remote)
        if remote is not None and refusal is not None:
            self.endpoint.transmit_failed(command.flow, remote, refusal, now=self.world.now)
        else:
            super()._transmit(command)

    def _refusal(self, remote: Address) -> str | None:
        refusal = self.transmitting_fails.get(remote) or self.world.unreachable.get(remote[0])
        return refusal or (NO_ADDRESS if self._host(remote[0]) is None else None)


class Reference(Prompt):
    """What the drivers are compared with: the agent on a `Station`, which performs everything by itself."""

    def __init__(self, world: World, agent: UserAgent, on_event: OnEvent) -> None:
        super().__init__(world, agent, on_output=self._output)
        self._on_event = on_event
        self._agent = agent
        self.datagrams: list[tuple[Address, bytes]] = []
        self.streams: dict[Address, bytearray] = {}
        self.slept = False

    def feed(self, method: Callable[..., T], *args: object, **keywords: object) -> T:
        """What it causes is performed in this instant, behind what is under way."""
        return method(*args, now=self.world.now, **keywords)

    def stop(self) -> None:
        """Nothing runs by itself here."""

    @property
    def ended(self) -> bool:
        """The agent is closed."""
        return self._agent.closed

    def next_deadline(self) -> float | None:
        """At once after a sleep."""
        return self.world.now if self.slept else super().next_deadline()

    def on_deadline(self) -> None:
        """As drivers do: who wakes up much too late says so first."""
        if self.slept:
            self.slept = False
            self._agent.network_changed(now=self.world.now)
        super().on_deadline()

    def _output(self, output: Command | Event) -> None:
        if isinstance(output, Event):
            self._on_event(output)
        elif isinstance(output, Transmit):
            if output.remote is not None:
                self.datagrams.append((output.remote, output.data))
            else:
                local = self._connections[output.flow].local
                self.streams.setdefault(local, bytearray()).extend(output.data)
