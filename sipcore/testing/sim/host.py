"""The client's host: the agent's process that starts and ends on it, its address, and its clock.

What happens to it the plan decides; whom that excuses, and for how long, is told to those who watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING

from sipcore.agent import Snapshot, UserAgent
from sipcore.testing.sim.broken import BrokenInvariant
from sipcore.testing.sim.dice import seed_of
from sipcore.testing.station import Station, Stored
from sipcore.values import State

if TYPE_CHECKING:
    from sipcore.testing.sim.town import Town

__all__ = ["CLIENT", "WALL", "Host", "MakeAgent"]

CLIENT = "192.0.2.10"
"""Its address at the start."""

WALL = 1_700_000_000.0
"""The wall clock when the simulated one is 0."""

SUSPENDED = 30.0
"""Seconds that the host was asleep from which on its driver notices."""

MakeAgent = Callable[..., UserAgent]


class Host:
    """It always has one process, the one of the agent."""

    def __init__(self, town: Town, make_agent: MakeAgent, make_station: Callable[..., Station]) -> None:
        self._town = town
        self._make_agent = make_agent
        self._make_station = make_station
        self._processes = 0
        self._moves = 0
        self.agent, self.station = self._boot(town.names, {})

    # --- its process -----------------------------------------------------------------------------------------------

    def crash(self, *, state: bool) -> None:
        """The process is killed; another one starts, with all that was said to be remembered, or with nothing."""
        self._start_again(self._configured(), self.station.stored if state else Stored(), {})

    def stop(self, seconds: float) -> None:
        """The process ends as it is told to, and leaves its bindings; after a while another one starts with what was
        said to be remembered."""
        known = self._configured()
        self.agent.close(unregister=False, now=self._town.world.now)
        self.station.perform()
        if not self.agent.closed:
            raise BrokenInvariant(8, "not closed, though nothing is to be removed", self._town.world.now)
        self._sleep(seconds)
        self._start_again(known, self.station.stored, {})

    def restart(self) -> None:
        """The process ends in good order, its bindings stay; another one starts with what it saved."""
        now = self._town.world.now
        self._start_again(self._configured(), self.station.stored, self.agent.snapshot(now=now, wall=WALL + now))

    def _configured(self) -> list[str]:
        return [name for name in self.agent.names() if name not in self._town.operator.removed]

    def _start_again(self, known: list[str], stored: Stored, saved: Snapshot) -> None:
        town = self._town
        now = town.world.now
        self.station.crash()
        town.process_ended(forgets=not stored)
        self.agent, self.station = self._boot(known, {**stored.snapshot(WALL), **saved})
        self.station.stored = stored
        for name in known:
            if town.claims.wanted[name]:
                self.agent.register(name, now=now)
        self.agent.remove_orphans(now=now)
        for status in self.agent.statuses():
            if status.state is State.REGISTERED and status.expires_at is not None:
                town.claims.adopted(status.name, status.expires_at, now)

    def _boot(self, names: Iterable[str], snapshot: Snapshot) -> tuple[UserAgent, Station]:
        town = self._town
        now = town.world.now
        self._processes += 1
        names = list(names)
        town.operator.started(names)
        agent = self._make_agent(
            [town.accounts[name] for name in names],
            random=Random(seed_of(town.plan, f"agent {self._processes}")),
            snapshot=snapshot,
            now=now,
            wall=WALL + now,
            remembers=True,
        )
        station = self._make_station(
            town.world,
            agent,
            ipv4=town.weather.client,
            ipv6=None,
            on_output=town.on_output,
            on_arrival=town.traffic.on_arrival,
        )
        return agent, station

    # --- its address and its clock ---------------------------------------------------------------------------------

    def change_address(self) -> None:
        """It gets another address, and notices."""
        self._moves += 1
        self.station.ipv4 = self._town.weather.client = f"192.0.2.{10 + self._moves % 40}"
        self.network_changed()

    def network_changed(self) -> None:
        """It believes that its addresses changed."""
        self._town.traffic.excuse()
        self.agent.network_changed(now=self._town.world.now)

    def leap(self, seconds: float) -> None:
        """It was suspended. Its driver notices when it was for long."""
        self._sleep(seconds)
        if seconds > SUSPENDED:
            self.network_changed()

    def _sleep(self, seconds: float) -> None:
        self._town.claims.leapt(seconds)
        self._town.world.leap(seconds)

    def repeat_time(self) -> None:
        """The driver's clock goes back; the agent's does not."""
        self.agent.handle_deadline(now=self._town.world.now - 5.0)
