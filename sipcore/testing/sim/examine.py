"""One plan examined: lived once, and where it is its turn again in other ways that must come to the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sipcore.replay import compare, read
from sipcore.testing.sim.broken import BrokenInvariant
from sipcore.testing.sim.canary import PASSWORD
from sipcore.testing.sim.life import Life, live, live_recorded
from sipcore.testing.sim.plan import Plan, draw

__all__ = ["COMPARISONS", "Examined", "examine", "examine_plan"]

AGAIN_EACH = 50
"""One seed in so many is lived a second time, to see the same trace."""

SPOOFED_EACH = 15
"""One seed in so many is lived again with somebody off the path, who must not be seen in the trace."""

RECORDED_EACH = 40
"""One seed in so many is lived again with a recorder, and the recording played back."""


class Examined(NamedTuple):
    """What came of one plan."""

    life: Life
    comparison: str | None = None
    """The key of `COMPARISONS` in which the fault showed; None when one life alone shows it, or there is none."""


def examine(seed: int, climate: str = "swarm") -> Examined:
    """Live the plan of a seed, and compare where it is its turn."""
    turns = {
        "again": seed % AGAIN_EACH == 0,
        "off the path": seed % SPOOFED_EACH == 0,
        "recorded": seed % RECORDED_EACH == RECORDED_EACH // 2,
    }
    return examine_plan(draw(seed, climate), [name for name, due in turns.items() if due])


def examine_plan(plan: Plan, comparisons: Collection[str] | None = None) -> Examined:
    """Live a plan, and compare in the ways named, which are keys of `COMPARISONS`; None takes all of them.

    The first comparison that does not come to the same is the last, and its invariant is that of the life.
    """
    life = live(plan)
    for name in COMPARISONS if comparisons is None else comparisons:
        if life.broken is not None:
            break
        life = COMPARISONS[name](plan, life)
        if life.broken is not None:
            return Examined(life, name)
    return Examined(life)


def _again(plan: Plan, life: Life) -> Life:
    again = live(plan)
    if again.digest == life.digest:
        return life
    return _differs(life, 10, f"the same plan left the trace {life.digest} and then {again.digest}")


def _off_path(plan: Plan, life: Life) -> Life:
    spoofed = live(plan, off_path=True)
    if spoofed.broken is None and spoofed.digest == life.digest:
        return life._replace(spoofed=spoofed.spoofed)
    seen = spoofed.broken or spoofed.digest
    return _differs(life, 12, f"with {spoofed.spoofed} forged responses another trace: {seen}", spoofed)


def _recorded(plan: Plan, life: Life) -> Life:
    recorded, lines = live_recorded(plan)
    played = compare(read(lines))
    if recorded.digest != life.digest or not played.identical:
        text = f"recorded, the trace is {recorded.digest} for {life.digest}; played back: {played.difference}"
        return _differs(life, 10, text, recorded)
    if any(PASSWORD in line for line in lines):
        return _differs(life, 11, "a password is in the recording")
    return life


def _differs(life: Life, number: int, text: str, other: Life | None = None) -> Life:
    return life._replace(broken=BrokenInvariant(number, text, 0.0), last=() if other is None else other.last)


COMPARISONS: Final[Mapping[str, Callable[[Plan, Life], Life]]] = MappingProxyType(
    {"again": _again, "off the path": _off_path, "recorded": _recorded}
)
"""How a life is compared with another one of the same plan: a second one, one in which somebody off the path forges
responses, and one with a recorder around the agent."""
