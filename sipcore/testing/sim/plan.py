"""What will happen in one simulated life, drawn from a seed before it starts, as data.

A plan can be written to a file and read again, and parts of it can be taken away: that is how a failing run is shrunk.
Nothing that happens draws from the dice that drew the plan, so an incident that is left out changes no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

from sipcore.testing.sim.climates import CLIMATES, Climate
from sipcore.testing.sim.faults import FAULTS, Grade
from sipcore.testing.sim.plan_checks import check_plan
from sipcore.testing.sim.typed import TypedError, build

__all__ = ["DAY", "YEAR", "Incident", "Plan", "PlanError", "Storm", "Subscriber", "draw"]

DAY = 86400.0
YEAR = 365.25 * DAY

SHORTER = 40.0
"""By how much a life with lifetimes of minutes is shorter: it has as many exchanges in a day as others in a month."""


class PlanError(ValueError):
    """A file is no plan; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """One registration of the agent."""

    name: str
    profile: str = "SIPCORE"
    protocol: str = "UDP"
    expires: int = 3600
    line: bool = False
    supported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One thing that goes wrong, or that somebody does."""

    at: float
    """Seconds since the storm began."""
    kind: str
    """A key of `FAULTS`."""
    lasts: float = 0.0
    """Seconds; 0 for what happens at once."""
    size: float = 0.0
    """How much of it; what that means is the fault's business."""
    who: int = 0
    """Whom it concerns, where it does not concern all: the number of a subscriber."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A time in which incidents happen; a quiet one follows."""

    lasts: float
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One life of one agent."""

    seed: int
    climate: str
    subscribers: tuple[Subscriber, ...]
    storms: tuple[Storm, ...]
    loss: float = 0.0
    """Each way, all the time."""
    latency: float = 0.01
    jitter: float = 0.01
    rules: dict[str, Any] = field(default_factory=dict)
    """What is special about the registrar all the time: attributes of its `Rules`."""
    ttl: float | None = None
    """Seconds for which the resolver says that its answers hold; None when it does not say."""
    twin: bool = False
    """A second registrar behind the same name, which knows the same bindings."""

    @property
    def incidents(self) -> int:
        """How many there are in all storms."""
        return sum(len(storm.incidents) for storm in self.storms)

    @property
    def years(self) -> float:
        """Registration-years of the storms; the quiet times in between come on top."""
        return len(self.subscribers) * sum(storm.lasts for storm in self.storms) / YEAR

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        return asdict(self)

    @staticmethod
    def from_json(value: object) -> Plan:
        """The plan that `to_json` made. Raises `PlanError`, which names the place and the value."""
        try:
            plan: Plan = build(Plan, value, "plan")
            check_plan(plan)
        except TypedError as error:
            raise PlanError(f"not a plan: {error}") from None
        return replace(plan, rules={name: _tupled(item) for name, item in plan.rules.items()})


def draw(seed: int, climate: str = "swarm") -> Plan:
    """The plan of that seed."""
    random = Random(f"plan {climate} {seed}")
    kind = CLIMATES[climate]
    # A third of the lives are calm, so that liveness is strict in them.
    calm = kind.faults == "none" or (kind.faults == "swarm" and random.random() < 1 / 3)
    short = random.random() < kind.short_lives
    rules: dict[str, Any] = {"nonce_lifetime": DAY} if calm else _rules(random)
    profile = "SIPCORE" if {"proxy_auth", "algorithms"} & set(rules) else kind.profile
    subscribers = tuple(_subscriber(random, number, short, kind, profile) for number in range(random.randint(3, 8)))
    days = kind.days / (SHORTER if short else 1.0)
    storms = []
    chosen = () if calm else _swarm(random, kind)
    rate = 10 ** random.uniform(-0.5, 1.3)
    left = days * DAY
    while left > 0:
        lasts = min(left, DAY * 10 ** random.uniform(-1.0, 0.7) if not calm else days * DAY)
        left -= lasts
        storms.append(Storm(lasts=lasts, incidents=_incidents(random, chosen, lasts, rate, len(subscribers))))
    low, high = kind.loss
    return Plan(
        seed=seed,
        climate=climate,
        subscribers=subscribers,
        storms=tuple(storms),
        loss=random.uniform(low, high) if not calm or low > 0 else 0.0,
        latency=10 ** random.uniform(-3, -0.7),
        jitter=random.choice((0.0, 0.005, 0.05)),
        rules=rules,
        ttl=random.choice((None, 300.0, DAY)),
        twin=random.random() < 0.3,
    )


def _subscriber(random: Random, number: int, short: bool, climate: Climate, profile: str) -> Subscriber:
    drawn = random.choices(("SIPCORE", "ASTERISK", "JSSIP"), (75, 15, 10))[0]
    expires = random.choice((60, 120, 300, 600)) if short else random.choices((3600, 1800), (95, 5))[0]
    return Subscriber(
        name=f"user{number}",
        profile=profile or drawn,
        protocol=climate.protocol or random.choices(("UDP", "TCP"), (70, 30))[0],
        expires=expires,
        line=random.random() < 0.3,
        supported=("path", "outbound") if random.random() < 0.3 else (),
    )


def _swarm(random: Random, climate: Climate) -> Sequence[str]:
    """Which faults are on in this life: each with even odds, so that rare combinations come alone, too."""
    kinds = [name for name, fault in FAULTS.items() if fault.hostile is False or climate.hostile]
    return [name for name in kinds if random.random() < 0.5]


def _incidents(
    random: Random, kinds: Sequence[str], lasts: float, rate: float, subscribers: int
) -> tuple[Incident, ...]:
    """`rate` of them a day, no two of one kind at once."""
    found: list[Incident] = []
    busy: dict[str, float] = {}
    at = 0.0
    while kinds:
        at += random.expovariate(rate / DAY)
        if at >= lasts:
            break
        name = random.choice(kinds)
        fault = FAULTS[name]
        duration = _between(random, fault.lasts)
        size = _between(random, fault.size)
        who = random.randrange(subscribers)
        if at < busy.get(name, 0.0):
            continue
        duration = min(duration, lasts - at)
        busy[name] = at + duration
        found.append(
            Incident(at=round(at, 3), kind=name, lasts=round(duration, 3), size=round(size, 4), who=who)
        )
        if fault.grade is not Grade.HARMLESS and random.random() < 0.3:
            # Trouble comes in company.
            at += random.uniform(0.0, 60.0)
    return tuple(found)


def _between(random: Random, bounds: tuple[float, float]) -> float:
    """Of that order of magnitude, each as likely as the other."""
    low, high = bounds
    if low <= 0 or high <= low:
        return random.uniform(low, high)
    return float(low * (high / low) ** random.random())


def _rules(random: Random) -> dict[str, Any]:
    """What makes this registrar different from others, all the time."""
    rules: dict[str, Any] = {
        "nonce_lifetime": random.choices((DAY, 3600.0, 3000.0, 300.0, 30.0), (50, 20, 10, 10, 10))[0]
    }
    if random.random() < 0.1:
        rules["stale"] = False
    if random.random() < 0.2:
        rules["algorithms"] = random.choice((("SHA-256",), ("MD5", "SHA-256"), ("SHA-256", "MD5")))
    if random.random() < 0.1:
        rules["qop"] = None
    if random.random() < 0.2:
        rules["min_expires"] = random.choice((60, 300))
    if random.random() < 0.2:
        # Only for accounts of SIPCORE, as other algorithms are: the models give up at a second challenge in one
        # attempt, and at what is not MD5.
        rules["proxy_auth"] = True
    return rules


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
