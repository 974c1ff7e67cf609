"""What a plan of the right types must also be, so that living it can break nothing but an invariant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from sipcore.profiles import PROFILES
from sipcore.testing.sim.climates import CLIMATES
from sipcore.testing.sim.faults import FAULTS
from sipcore.testing.sim.registrar_digest import ALGORITHMS
from sipcore.testing.sim.registrar_rules import Rules
from sipcore.testing.sim.typed import TypedError, check, check_names, shown

if TYPE_CHECKING:
    from sipcore.testing.sim.plan import Incident, Plan, Subscriber

__all__ = ["check_plan"]

CENTURY: Final = 100 * 365.25 * 86400.0
"""Seconds; nobody waits for a longer life."""

BOUNDS: Final[Mapping[str, Mapping[str, tuple[float, float]]]] = {
    "subscriber": {"expires": (1, 2**32 - 1)},
    "storm": {"lasts": (0, CENTURY)},
    "incident": {"at": (0, CENTURY), "lasts": (0, CENTURY)},
    "plan": {"loss": (0, 0.9), "latency": (0, 60), "jitter": (0, 60), "ttl": (0, CENTURY)},
}
"""At least and at most, both allowed."""

ROUNDING: Final = 1e-4
"""Sizes are written with four digits."""


def check_plan(plan: Plan) -> None:
    """Raises `TypedError` for the first value that cannot be lived."""
    _bounded(plan, "plan", "plan")
    _one_of(plan.climate, CLIMATES, "plan.climate")
    if not plan.subscribers:
        raise TypedError("plan.subscribers is empty; nothing can go wrong for nobody")
    if not plan.storms:
        raise TypedError("plan.storms is empty")
    for number, subscriber in enumerate(plan.subscribers):
        _subscriber(subscriber, f"plan.subscribers[{number}]")
    names = [subscriber.name for subscriber in plan.subscribers]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise TypedError(f"plan.subscribers[{number}].name is {shown(name)}, as that of another one")
    for number, storm in enumerate(plan.storms):
        place = f"plan.storms[{number}]"
        _bounded(storm, "storm", place)
        for index, incident in enumerate(storm.incidents):
            _incident(incident, len(names), f"{place}.incidents[{index}]")
    check_names(plan.rules, get_type_hints(Rules), "plan.rules")
    hints = get_type_hints(Rules)
    for name, value in plan.rules.items():
        check(hints[name], value, f"plan.rules.{name}")
    for algorithm in plan.rules.get("algorithms", ()):
        _one_of(algorithm.removesuffix("-sess"), ALGORITHMS, "plan.rules.algorithms")


def _subscriber(subscriber: Subscriber, place: str) -> None:
    _bounded(subscriber, "subscriber", place)
    _one_of(subscriber.profile, PROFILES, f"{place}.profile")
    _one_of(subscriber.protocol, ("UDP", "TCP"), f"{place}.protocol")
    words = {"name": (subscriber.name,), "supported": subscriber.supported}
    for field, values in words.items():
        for value in values:
            if not (value.isascii() and value.isalnum()):
                raise TypedError(f"{place}.{field} is {shown(value)}; only letters and digits are known here")


def _incident(incident: Incident, subscribers: int, place: str) -> None:
    _bounded(incident, "incident", place)
    _one_of(incident.kind, FAULTS, f"{place}.kind")
    if not 0 <= incident.who < subscribers:
        raise TypedError(f"{place}.who is {incident.who}; there are {subscribers} subscribers, from 0")
    low, high = FAULTS[incident.kind].size
    if not low - ROUNDING <= incident.size <= high + ROUNDING:
        raise TypedError(f"{place}.size is {incident.size}; that of {incident.kind!r} is from {low} to {high}")


def _bounded(item: Any, kind: str, place: str) -> None:
    for name, (low, high) in BOUNDS[kind].items():
        value = getattr(item, name)
        if value is not None and not low <= value <= high:
            raise TypedError(f"{place}.{name} is {value}; it is from {low} to {high:.0f}")


def _one_of(value: str, known: Iterable[str], place: str) -> None:
    if value not in known:
        raise TypedError(f"{place} is {shown(value)}; there are {', '.join(known)}")
