"""The simulated world of one plan: the agent's host, the network, the registrars, the user, and what watches them.

The town lives the plan: it begins and ends the incidents, hears what all its parts report, and says when something does
not hold. What happens to the host is the `Host`'s, what somebody does there the `Operator`'s. All dice are made of the
plan's seed, for each part its own (`seed_of`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from sipcore.agent import UserAgent
from sipcore.commands import CloseFlow, Command, OpenFlow, Transmit
from sipcore.config import Account, Timing, Transport
from sipcore.events import Event, FlowLost, StatusChanged
from sipcore.profiles import PROFILES
from sipcore.testing.sim.broken import BrokenInvariant
from sipcore.testing.sim.canary import PASSWORD, hashes, password
from sipcore.testing.sim.claims import LONGEST_WAIT, Claims, Grant
from sipcore.testing.sim.dice import seed_of
from sipcore.testing.sim.faults import FAULTS, Grade
from sipcore.testing.sim.host import CLIENT, WALL, Host, MakeAgent
from sipcore.testing.sim.memory import Memory
from sipcore.testing.sim.operating import BACKUP, Operator
from sipcore.testing.sim.plan import Incident, Plan, Subscriber
from sipcore.testing.sim.registrar import SimRegistrar
from sipcore.testing.sim.registrar_rules import Handled, Rules
from sipcore.testing.sim.registrar_store import Store
from sipcore.testing.sim.trace import Trace
from sipcore.testing.sim.traffic import Traffic
from sipcore.testing.sim.weather import Weather
from sipcore.testing.station import Station
from sipcore.testing.world import World
from sipcore.values import Address, Phase, Protocol, Secret, Status

__all__ = ["WALL", "MakeAgent", "Town"]

REGISTRARS: tuple[Address, Address] = (("192.0.2.1", 5060), ("192.0.2.2", 5060))
REALM = "example.com"
TIMING = Timing()
TIMER_F = TIMING.f
PATIENCE = 5 * TIMER_F + 60.0
"""Seconds in which an attempt on a good network has come to its end, with all it may have to wait for."""

ROUNDS = 2
"""Attempts until the two ends agree: the first may be refused by what was decided before the storm ended."""

LOSSY_ROUNDS = 8
"""The same where datagrams are lost all the time."""

AGREEMENT = 2.0
"""Seconds by which the two ends may differ about an expiry, on a network without loss."""

EARLY_EACH = 64
"""Steps between two calls of `handle_deadline` that come too early."""

IN_FLIGHT = 128.0
"""Seconds for which an answer by the password of before may come: a transaction's, and those of a datagram that is
late."""

LONG_AGO = 6 * 3600.0
"""Seconds after which a fault explains nothing any more: longer than a grant, and the wait for what comes after it."""

SLACK = 45.0
"""Seconds of the refresh margin that a transaction in flight may take when a fault ends."""


class Town:
    """One life. `run` lives it; raises `BrokenInvariant` as soon as something does not hold."""

    def __init__(
        self,
        plan: Plan,
        *,
        make_agent: MakeAgent = UserAgent,
        make_station: Callable[..., Station] = Station,
        weigh: bool = True,
    ) -> None:
        """`weigh` is False for an agent that keeps things on purpose, as a recorder does."""
        self.plan = plan
        self._weigh = weigh
        self.weather: Weather = Weather(
            seed=seed_of(plan, "weather"), client=CLIENT, latency=plan.latency, jitter=plan.jitter
        )
        self.world = World(wire=self.weather)
        self.world.watch = self._step
        self.names = tuple(item.name for item in plan.subscribers)
        users = {name: password(name) for name in self.names}
        store = Store()
        self.registrars = [
            SimRegistrar(
                self.world, address, users, seed=seed_of(plan, f"registrar {number}"), realm=REALM,
                rules=Rules(**plan.rules), store=store,
            )
            for number, address in enumerate(REGISTRARS[: 2 if plan.twin else 1])
        ]  # fmt: skip
        for registrar in self.registrars:
            registrar.journal = self._handled
        self.name_registrars()
        self.accounts = {item.name: _account(item) for item in plan.subscribers}
        secrets = [PASSWORD, *(text for name in self.names for text in hashes(name, REALM))]
        self.traffic = Traffic(secrets, lambda flow: self.station.local(flow))
        self.claims = Claims(self._excused)
        self.trace = Trace()
        self.memory = Memory()
        self.incidents: Counter[str] = Counter()
        self.recoveries: list[float] = []
        """Seconds from the end of each storm until all were registered at both ends."""
        self._layers: dict[tuple[int, str], list[tuple[Incident | None, object]]] = {}
        self._past: list[tuple[float, float, Incident]] = []
        self._active: dict[int, Incident] = {}
        self._steps = 0
        self._orphans: set[str] = set()
        """Contacts of bindings that no process knows any more."""
        self._reliable: dict[int, bool] = {}
        self._wrong: set[str] = set()
        self.lose(0.0)
        self.operator: Operator = Operator(self)
        self.host: Host = Host(self, make_agent, make_station)

    @property
    def agent(self) -> UserAgent:
        """That of the process that runs now."""
        return self.host.agent

    @property
    def station(self) -> Station:
        """What performs for it."""
        return self.host.station

    # --- the life --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Live the whole plan."""
        for name in self.names:
            self.operator.register(self.names.index(name))
        self.settle()
        self._rest()
        self.memory.begin(self.agent)
        for storm in self.plan.storms:
            for incident in storm.incidents:
                self.world.after(incident.at, partial(self._begin, incident))
            self.world.run(self.world.now + storm.lasts)
            for incident in list(self._active.values()):
                self._end(incident)
            self.settle()
            self.traffic.forget_old(self.world.now)
            if self._rest() and self._weigh:
                self.memory.look(self.agent, self.world.now)
            self._trust()
        self._close()

    def settle(self) -> None:
        """Nothing goes wrong any more: wait until all who want to be are registered at both ends, and they agree."""
        start = self.world.now
        for _ in range(LOSSY_ROUNDS if self.plan.loss else ROUNDS):
            open_ = [name for name in self.names if not self._settled(name)]
            statuses = [self.agent.status(name) for name in open_]
            for status in statuses:
                self._help(status)
            times = [status.next_attempt_at for status in statuses if status.next_attempt_at is not None]
            if any(time > self.world.now + LONGEST_WAIT for time in times):
                raise BrokenInvariant(3, f"an attempt is planned for {max(times)}", self.world.now)
            self._run_until_settled(max([self.world.now, *times]) + PATIENCE)
            if all(self._settled(name) for name in self.names):
                if self._past:
                    self.recoveries.append(self.world.now - start)
                self._past = [item for item in self._past if item[1] > self.world.now - LONG_AGO]
                return
        for name in self.names:
            if not self._settled(name):
                held = self.registrars[0].bindings(name)
                raise BrokenInvariant(3, f"{self.agent.status(name)} while the registrar has {held}", self.world.now)

    def _run_until_settled(self, until: float) -> None:
        while self.world.now < until:
            self.world.run(min(until, self.world.now + 5.0))
            if all(self._settled(name) for name in self.names):
                # What is still under way, as a second REGISTER that somebody asked for, comes to its end, too.
                self.world.run(self.world.now + TIMER_F)
                if all(self._settled(name) for name in self.names):
                    return

    def _rest(self) -> bool:
        """Wait for a moment at which nothing is under way; True when there is one, which lives with lifetimes of a
        minute may not have."""
        for _ in range(20):
            self.world.run(self.world.now + 45.0)
            network = self.agent.network
            busy = len(network.transactions) or any(flow.waiting for flow in self.agent.flows.values())
            if not busy and all(status.phase in (Phase.WAITING, Phase.IDLE) for status in self.agent.statuses()):
                return True
        return False

    def _trust(self) -> None:
        """Nobody forges anything now, and what was forged is forgotten: claims count again."""
        if not self.claims.strict:
            self.claims.strict = True
            for registrar in self.registrars:
                registrar.faults.clear()

    def _settled(self, name: str) -> bool:
        if not self.claims.wanted.get(name, False):
            return True
        status = self.agent.status(name)
        if not status.registered or status.phase is not Phase.WAITING or status.expires_at is None:
            return False
        call_id = self.traffic.call_ids.get(name, b"").decode()
        tolerance = AGREEMENT if not self.plan.loss else TIMER_F
        return any(
            held.call_id == call_id and abs(held.expires_at - status.expires_at) <= tolerance
            for held in self.registrars[0].bindings(name)
        )

    def _help(self, status: Status) -> None:
        """The operator looks after those whose profile gives up; the others must get on by themselves."""
        if status.phase is not Phase.IDLE or not self.claims.wanted[status.name]:
            return
        if self.accounts[status.name].profile.name == "SIPCORE":
            raise BrokenInvariant(3, f"{status} is idle and does not know what to do", self.world.now)
        self.agent.register(status.name, now=self.world.now)

    def _close(self) -> None:
        now = self.world.now
        self.traffic.closing = True
        for name in self.names:
            self.operator.want(name, False)
        self.agent.close(now=now)
        self.world.run(now + 10 * TIMER_F)
        if not self.agent.closed:
            raise BrokenInvariant(8, "not closed", self.world.now)
        self.traffic.ended = True
        ours = {call_id.decode() for call_id in self.traffic.call_ids.values()}
        for name in self.names:
            # What a process left that was killed before it saved it lapses by itself.
            left = [held for held in self.registrars[0].bindings(name) if held.contact not in self._orphans]
            if not self.plan.loss and any(held.call_id in ours for held in left):
                raise BrokenInvariant(8, f"a binding of {name} stays behind", self.world.now)
        self.agent.handle_deadline(now=self.world.now + 1e6)
        self.world.run(self.world.now + 3600.0)
        self.claims.cover_until(self.world.now)

    # --- what watches ----------------------------------------------------------------------------------------------

    def _step(self) -> None:
        now = self.world.now
        self.claims.on_step(now, self.agent.next_deadline())
        self._steps += 1
        if self._steps % EARLY_EACH == 0:
            deadline = self.agent.next_deadline()
            if deadline is not None and deadline > now:
                self.agent.handle_deadline(now=now)
                output = self.agent.next_output()
                if output is not None or self.agent.next_deadline() != deadline:
                    raise BrokenInvariant(7, f"handle_deadline came early and caused {output}", now)

    def on_output(self, output: Command | Event) -> None:
        """The agent said something."""
        now = self.world.now
        self.trace.on_output(output, now)
        if isinstance(output, Transmit):
            self.traffic.on_transmit(
                output.data,
                output.flow,
                now,
                reliable=self._reliable.get(output.flow, False),
            )
            if self.world.unreachable:
                # The system refuses it, and the agent is told.
                self.traffic.excuse()
        elif isinstance(output, Event):
            if isinstance(output, FlowLost):
                self.traffic.flow_gone(output.flow)
            elif isinstance(output, StatusChanged) and output.status.phase is Phase.IDLE:
                self.traffic.at_rest(output.name)
            self.claims.on_event(output, now)
        elif isinstance(output, OpenFlow):
            self._reliable[output.flow] = output.protocol.reliable
        elif isinstance(output, CloseFlow):
            self.traffic.flow_gone(output.flow)
            self._reliable.pop(output.flow, None)

    def process_ended(self, *, forgets: bool) -> None:
        """The agent's process is gone, and what was under way with it; the next one knows nothing if it forgets."""
        self.traffic.excuse()
        self.claims.forget(self.world.now)
        self._reliable.clear()
        if forgets:
            for name in self.names:
                self._orphans |= {held.contact for held in self.registrars[0].bindings(name)}

    def _handled(self, handled: Handled) -> None:
        self.claims.on_handled(handled)
        if handled.verdict == "wrong" and handled.user not in self._wrong and self.claims.strict:
            raise BrokenInvariant(11, f"a wrong digest answer of {handled.user}", self.world.now)
        for registrar in self.registrars:
            if registrar.faults and self.claims.strict:
                raise BrokenInvariant(11, f"the registrar saw {registrar.faults}", self.world.now)

    def _excused(self, user: str, grant: Grant, now: float) -> bool:
        """Whether faults since the last grant explain that there was no binding."""
        account = self.accounts[user]
        margin = 0.0
        if account.profile.name == "SIPCORE":
            margin = min(max(grant.seconds / 4, 40.0), 600.0, grant.seconds / 2) * 0.9 - SLACK
        if self.plan.loss and margin < 60.0:
            return True
        hindered = 0.0
        for start, end, incident in self._past:
            if end < grant.at or start > now:
                continue
            fault = FAULTS[incident.kind]
            mine = self.names[incident.who] == user
            if fault.personal and not mine:
                continue
            # Asterisk un-registers first when it is told to register.
            anew = mine and incident.kind == "user registers" and account.profile.name == "ASTERISK"
            if fault.grade is Grade.BREAKS or anew:
                return True
            if fault.grade is Grade.HINDERS:
                hindered += min(end, now) - max(start, grant.at)
                if margin <= 0:
                    return True
        return hindered > margin

    # --- incidents -------------------------------------------------------------------------------------------------

    def _begin(self, incident: Incident) -> None:
        fault = FAULTS[incident.kind]
        now = self.world.now
        self.incidents[incident.kind] += 1
        self.trace.note(f"{incident.kind} begins, for {incident.lasts} s, size {incident.size}", now)
        self._past.append((now, now + incident.lasts, incident))
        if fault.forges:
            self.claims.strict = False
        if fault.grade is not Grade.HARMLESS:
            self.traffic.excuse()
        fault.begin(self, incident)
        if fault.end is not None:
            self._active[id(incident)] = incident
            self.world.after(incident.lasts, partial(self._end, incident))

    def _end(self, incident: Incident) -> None:
        if self._active.pop(id(incident), None) is None:
            return
        fault = FAULTS[incident.kind]
        assert fault.end is not None
        fault.end(self, incident)
        self.trace.note(f"{incident.kind} ends", self.world.now)

    def change(self, item: object, attribute: str, incident: Incident, value: object) -> None:
        """An incident sets an attribute of the world; of several that set it the latest counts."""
        layers = self._layers.setdefault((id(item), attribute), [(None, getattr(item, attribute))])
        layers.append((incident, value))
        setattr(item, attribute, value)

    def restore(self, item: object, attribute: str, incident: Incident) -> None:
        """It ends, and what it set counts no longer."""
        layers = self._layers[id(item), attribute]
        layers[:] = [layer for layer in layers if layer[0] is not incident]
        setattr(item, attribute, layers[-1][1])

    # --- what faults do to the network and the registrars ----------------------------------------------------------

    def name_registrars(self) -> None:
        """The name leads to the registrars."""
        self.world.name(REALM, *(registrar.address[0] for registrar in self.registrars), ttl=self.plan.ttl)
        self.world.name(BACKUP, self.registrars[-1].address[0], ttl=self.plan.ttl)

    def lose(self, probability: float) -> None:
        """Lose datagrams each way; with 0 only those that this life always loses."""
        self.weather.lost_out = self.weather.lost_in = max(probability, self.plan.loss)

    def restart_registrars(self, *, keep: bool) -> None:
        """The registrars start again."""
        if not keep:
            self.claims.lost(self.world.now)
        for registrar in self.registrars:
            registrar.restart(keep_bindings=keep)

    def change_password(self, who: int, text: str | None = None) -> None:
        """The registrars have that password of a user from now on; None is the one that the agent has."""
        name = self.names[who]
        self._wrong.add(name)
        for registrar in self.registrars:
            registrar.users[name] = self._password(name) if text is None else text
        self.world.after(IN_FLIGHT, partial(self._agree, name))

    def _agree(self, name: str) -> None:
        if self.registrars[0].users[name] == self._password(name):
            self._wrong.discard(name)

    def _password(self, name: str) -> str:
        known = self.accounts[name].password
        assert isinstance(known, Secret)
        return known.reveal()


def _account(subscriber: Subscriber) -> Account:
    options: dict[str, object] = {}
    if subscriber.profile == "ASTERISK":
        options["retry_interval"] = 60
    return Account(
        f"sip:{subscriber.name}@{REALM}",
        name=subscriber.name,
        password=password(subscriber.name),
        profile=PROFILES[subscriber.profile],
        transport=Transport(protocol=Protocol(subscriber.protocol)),
        expires=subscriber.expires,
        line=subscriber.line,
        supported=subscriber.supported,
        timing=TIMING,
        **options,  # type: ignore[arg-type]
    )
