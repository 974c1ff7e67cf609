"""Lives of the simulation, `sipcore.testing.sim`, with the agent on a driver instead of a `Station`.

The simulation draws what goes wrong, knows the registrars, and watches its invariants after every step; here it lives a
dense hour of that twice, and the two logs have to be equal. It calls its agent directly, so `DrivenStation` feeds the
driver after every step, as an application would that did the same through `Driver.feed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple
from unittest import mock

from sipcore import Address, Command, Event, Remember, UserAgent
from sipcore.testing import Connection, World
from sipcore.testing.sim.broken import BrokenInvariant
from sipcore.testing.sim.faults import FAULTS
from sipcore.testing.sim.plan import Incident, Plan, Storm, draw
from sipcore.testing.sim.town import Town
from sipcore.testing.station import Stored
from tests.drivers.lockstep import Lockstep
from tests.drivers.memory import Machine, MemorySocket
from tests.drivers.stories import Log, Prompt, Told, plain
from tests.drivers.virtual_system import virtual_system

__all__ = ["NOT_HERE", "live", "plan"]

NOT_HERE = {
    "clock leaps": "drivers notice a sleep by themselves, which the town does for its station; stories have leaps",
    "stopped": "the same, and a driver is told to stop by its own means",
    "sockets break": "no system ends a UDP socket of a process by itself",
}
"""Faults of the simulation that drivers meet in another form, and why."""

STARTS = ("crash", "clean restart", "started without")
"""One of them in a life: two agents that start from one snapshot repeat themselves, whatever drives them."""
PORTS = re.compile(r"\b[4-6]\d{4}\b")
"""Ports that the virtual system chose; a driver binds a moment earlier than a `Station`, so it may get another one."""
HOUR = 3600.0
INCIDENTS = 40
"""In an hour; enough that most refreshes of lifetimes of one to five minutes meet one."""
LONGEST = 90.0
"""Seconds that an incident lasts at most, so that there are times in between."""


def plan(seed: int) -> Plan:
    """A dense hour: the subscribers and the registrar of the simulation's plan of that seed, and incidents of ours."""
    drawn, random = draw(seed), Random(f"drivers {seed}")
    subscribers = tuple(
        replace(item, expires=random.choice((60, 120, 300)), protocol=random.choice(("UDP", "TCP")))
        for item in drawn.subscribers[:4]
    )
    kinds = [name for name, fault in FAULTS.items() if name not in NOT_HERE and not fault.hostile]
    incidents: dict[str, list[Incident]] = {}
    for at in sorted(random.uniform(0.0, HOUR) for _ in range(INCIDENTS)):
        kind = random.choice(kinds)
        fault = FAULTS[kind]
        # What changes the registrar's rules comes one after the other, as each puts back what it found.
        before = incidents.setdefault("rules" if "_rules" in fault.begin.__qualname__ else kind, [])
        if kind in STARTS and any(incidents.get(other) for other in STARTS):
            continue
        if not before or before[-1].at + before[-1].lasts < at:
            low, high = fault.lasts
            lasts = min(random.uniform(low, high), random.uniform(1.0, LONGEST)) if high else 0.0
            size = fault.size[0] + (fault.size[1] - fault.size[0]) * random.random() ** 3
            before.append(Incident(at=at, kind=kind, lasts=lasts, size=size, who=random.randrange(len(subscribers))))
    storm = Storm(lasts=HOUR, incidents=tuple(item for several in incidents.values() for item in several))
    # With jitter no two things fall into one instant, whose order would be nobody's promise.
    return replace(drawn, subscribers=subscribers, storms=(storm,), jitter=0.005)


class Life(NamedTuple):
    """What came of it."""

    log: Log
    broken: int | None
    """The number of the invariant that did not hold."""
    attempts: int


def live(plan: Plan, kind: type[Lockstep] | None) -> Life:
    """Live a plan with a driver, or with None on a `Station`."""
    events: list[Told] = []
    stations: list[DrivenStation] = []

    def make_station(world: World, agent: UserAgent, *, on_output: Callable[[Any], object], **options: Any) -> Any:
        def output(item: Command | Event) -> None:
            if isinstance(item, Event):
                events.append(Told(world.now, PORTS.sub("port", plain(item))))
            on_output(item)

        if kind is None:
            return Prompt(world, agent, on_output=output, **options)
        stations.append(DrivenStation(kind, world, agent, on_output=output, **options))
        return stations[-1]

    broken: int | None = None
    # How much an agent keeps is not the driver's business, and at a bound one might pass it and the other not.
    unweighed = mock.patch.multiple("sipcore.testing.sim.memory.Memory", begin=mock.DEFAULT, look=mock.DEFAULT)
    with virtual_system(), unweighed:
        try:
            town = Town(plan, make_station=make_station)
            town.run()
        except BrokenInvariant as error:
            broken = error.number
        finally:
            for station in stations:
                station.lockstep.stop()
    assert events, "nothing was told, so nothing is compared"
    assert bool(stations) is (kind is not None), "the agent was on another kind of station"
    ended = all(station.lockstep.ended for station in stations)
    return Life(Log(events, [], {}, ended), broken, sum(claim.attempts for claim in town.claims.claims.values()))


class DrivenStation:
    """What a `Town` needs of a `Station`, with a driver behind it."""

    def __init__(
        self,
        kind: type[Lockstep],
        world: World,
        agent: UserAgent,
        *,
        ipv4: str | None,
        ipv6: str | None,
        on_output: Callable[[Command | Event], object],
        on_arrival: Callable[[int, bytes], object],
    ) -> None:
        self.machine = Machine(world, ipv4=ipv4, ipv6=ipv6)
        self._flows = agent.flows
        self.lockstep = kind(world, _Tap(agent, on_output, on_arrival), machine=self.machine)
        self.stored = Stored()
        self.lockstep.driver.remember = self._remember
        world.residents[world.residents.index(self.lockstep)] = self

    def _remember(self, records: Sequence[Remember]) -> None:
        for item in records:
            self.stored.keep(item)

    @property
    def ipv4(self) -> str | None:
        """Its address."""
        return self.machine.ipv4

    @ipv4.setter
    def ipv4(self, address: str | None) -> None:
        self.machine.ipv4 = address

    @property
    def binding_fails(self) -> str | None:
        """The error of every new socket."""
        return self.machine.binding_fails

    @binding_fails.setter
    def binding_fails(self, error: str | None) -> None:
        self.machine.binding_fails = error

    @property
    def connections(self) -> list[Connection]:
        """Its ends of them."""
        return self.machine.connections()

    def local(self, flow: int) -> Address | None:
        """Where a flow's peer sees it coming from; None when it is not open. The driver told the agent the port."""
        record = self._flows.get(flow)
        if record is None or record.local is None or record.reliable:
            return None if record is None else record.local
        return None if self.ipv4 is None else (self.ipv4, record.local[1])

    def crash(self) -> None:
        """The process is gone."""
        self.lockstep.world.residents.remove(self)
        self.lockstep.stop()

    def perform(self) -> None:
        """The town may have called the agent."""
        if not self.lockstep.ended:
            self.lockstep.feed(_nothing)
        self.lockstep.perform()

    def next_deadline(self) -> float | None:
        """The loop's."""
        return self.lockstep.next_deadline()

    def on_deadline(self) -> None:
        """The loop's timer rings."""
        self.lockstep.on_deadline()

    def node_at(self, address: Address) -> MemorySocket | None:
        """A UDP socket."""
        return self.lockstep.node_at(address)

    def acceptor_at(self, address: Address) -> MemorySocket | None:
        """A listener."""
        return self.lockstep.acceptor_at(address)


def _nothing(*, now: float) -> None:
    pass


class _Tap:
    """An agent whose outputs and arrivals somebody else sees first."""

    def __init__(
        self,
        agent: UserAgent,
        on_output: Callable[[Command | Event], object],
        on_arrival: Callable[[int, bytes], object],
    ) -> None:
        self._agent = agent
        self._on_output = on_output
        self._on_arrival = on_arrival
        # Passed on as they are. Assigned, since a protocol that is looked for at run time has to find them.
        self.next_deadline = agent.next_deadline
        self.handle_deadline = agent.handle_deadline
        self.listening = agent.listening
        self.listen_failed = agent.listen_failed
        self.flow_accepted = agent.flow_accepted
        self.flow_opened = agent.flow_opened
        self.flow_closed = agent.flow_closed
        self.transmit_failed = agent.transmit_failed
        self.network_changed = agent.network_changed
        self.resolved = agent.resolved
        self.resolve_failed = agent.resolve_failed

    @property
    def closed(self) -> bool:
        return self._agent.closed

    def next_output(self) -> Command | Event | None:
        output = self._agent.next_output()
        if output is not None:
            self._on_output(output)
        return output

    def receive(self, flow: int, data: bytes, source: Address | None = None, *, now: float) -> None:
        self._on_arrival(flow, data)
        self._agent.receive(flow, data, source, now=now)
