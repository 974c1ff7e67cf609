"""One seed examined: lived once, and some seeds again in other ways that must come to the same."""

from __future__ import annotations

from typing import NamedTuple

from sipcore.replay import compare, read
from sipcore.testing.sim.broken import BrokenInvariant
from sipcore.testing.sim.canary import PASSWORD
from sipcore.testing.sim.life import Life, live, live_recorded
from sipcore.testing.sim.plan import draw

__all__ = ["Examined", "examine"]

AGAIN_EACH = 50
"""One seed in so many is lived a second time, to see the same trace."""

SPOOFED_EACH = 15
"""One seed in so many is lived again with somebody off the path, who must not be seen in the trace."""

RECORDED_EACH = 40
"""One seed in so many is lived again with a recorder, and the recording played back."""


class Examined(NamedTuple):
    """What came of one seed."""

    life: Life
    compared: bool = False
    """The fault showed in a comparison of two lives, so one life alone does not show it."""


def examine(seed: int, climate: str = "swarm") -> Examined:
    """Live the plan of a seed, and compare where it is its turn."""
    plan = draw(seed, climate)
    life = live(plan)
    if life.broken is None and seed % AGAIN_EACH == 0:
        again = live(plan)
        if again.digest != life.digest:
            text = f"the same plan left the trace {life.digest} and then {again.digest}"
            return Examined(life._replace(broken=BrokenInvariant(10, text, 0.0)), compared=True)
    if life.broken is None and seed % SPOOFED_EACH == 0:
        spoofed = live(plan, off_path=True)
        if spoofed.broken is not None or spoofed.digest != life.digest:
            text = f"with {spoofed.spoofed} forged responses another trace: {spoofed.broken or spoofed.digest}"
            return Examined(life._replace(broken=BrokenInvariant(12, text, 0.0)), compared=True)
        life = life._replace(spoofed=spoofed.spoofed)
    if life.broken is None and seed % RECORDED_EACH == RECORDED_EACH // 2:
        recorded, lines = live_recorded(plan)
        played = compare(read(lines))
        if recorded.digest != life.digest or not played.identical:
            text = f"recorded, the trace is {recorded.digest} for {life.digest}; played back: {played.difference}"
            return Examined(life._replace(broken=BrokenInvariant(10, text, 0.0)), compared=True)
        if any(PASSWORD in line for line in lines):
            return Examined(life._replace(broken=BrokenInvariant(11, "a password is in the recording", 0.0)), True)
    return Examined(life)
