"""Making a failing plan small: leave out what is not needed for the same invariant to break."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sipcore.testing.sim.plan import Incident, Plan, Storm

__all__ = ["MAX_TRIALS", "shrink"]

MAX_TRIALS = 150
"""Lives that are lived at most to shrink one: a minute or two."""

Place = tuple[int, Incident]


def shrink(plan: Plan, breaks: Callable[[Plan], bool], *, trials: int = MAX_TRIALS) -> Plan:
    """The smallest plan found for which `breaks` still says yes: delta debugging (Zeller 2002) over storms,
    incidents, then subscribers, then what is special about the world."""
    left = trials

    def still(candidate: Plan) -> bool:
        nonlocal left
        if left <= 0:
            return False
        left -= 1
        return breaks(candidate)

    for storms in _shorter(plan.storms):
        candidate = replace(plan, storms=storms)
        if still(candidate):
            plan = candidate
            break
    plan = _fewer_incidents(plan, still)
    # Without incidents a storm is nothing but time.
    bare = replace(plan, storms=tuple(storm for storm in plan.storms if storm.incidents) or plan.storms[:1])
    if bare != plan and still(bare):
        plan = bare
    plan = _fewer_subscribers(plan, still)
    simpler: tuple[Callable[[Plan], Plan], ...] = (
        lambda known: replace(known, rules={}),
        lambda known: replace(known, twin=False),
        lambda known: replace(known, loss=0.0),
        lambda known: replace(known, latency=0.01, jitter=0.0),
    )
    for change in simpler:
        candidate = change(plan)
        if candidate != plan and still(candidate):
            plan = candidate
    return plan


def _shorter(storms: Sequence[Storm]) -> Iterator[tuple[Storm, ...]]:
    """Beginnings of the life, shortest first, each twice as long as the one before."""
    count = 1
    while count < len(storms):
        yield tuple(storms[:count])
        count *= 2


def _fewer_incidents(plan: Plan, still: Callable[[Plan], bool]) -> Plan:
    places = [(number, incident) for number, storm in enumerate(plan.storms) for incident in storm.incidents]
    chunk = max(1, len(places) // 2)
    while places:
        position, removed = 0, False
        while position < len(places):
            fewer = places[:position] + places[position + chunk :]
            if still(_with(plan, fewer)):
                places, removed = fewer, True
            else:
                position += chunk
        if chunk == 1 and not removed:
            break
        chunk = max(1, chunk // 2)
    return _with(plan, places)


def _with(plan: Plan, places: Sequence[Place]) -> Plan:
    storms = tuple(
        replace(storm, incidents=tuple(incident for number, incident in places if number == index))
        for index, storm in enumerate(plan.storms)
    )
    return replace(plan, storms=storms)


def _fewer_subscribers(plan: Plan, still: Callable[[Plan], bool]) -> Plan:
    for number in range(len(plan.subscribers) - 1, -1, -1):
        if len(plan.subscribers) == 1:
            break
        kept = plan.subscribers[:number] + plan.subscribers[number + 1 :]
        storms = tuple(
            replace(storm, incidents=tuple(_renumbered(storm.incidents, number))) for storm in plan.storms
        )
        candidate = replace(plan, subscribers=kept, storms=storms)
        if still(candidate):
            plan = candidate
    return plan


def _renumbered(incidents: Sequence[Incident], gone: int) -> Iterator[Incident]:
    for incident in incidents:
        if incident.who != gone:
            yield replace(incident, who=incident.who - (incident.who > gone))
        elif gone > 0:
            yield replace(incident, who=0)
        else:
            yield incident
