"""All drivers tell the same story: the same events, bytes and end, in a world without wall time."""

from __future__ import annotations

import functools

import pytest

from tests.drivers.library import STORIES
from tests.drivers.lives import Life, live, plan
from tests.drivers.scenarios import Contract
from tests.drivers.stories import Log, Reference, Story, tell
from tests.drivers.virtual_system import virtual_system
from tests.seeds import FRESH_SEED

__all__ = ["StoryContract", "expected"]

SEEDS = (0, 1, 5, 7, 13, 18)
"""Of drawn lives; each is a few hundred attempts and takes half a second."""


@functools.cache
def _expected(number: int) -> Log:
    return tell(STORIES[number], Reference)


def expected(story: Story) -> Log:
    """What a `Station` makes of it."""
    return _expected(STORIES.index(story))


@functools.cache
def _life(seed: int) -> Life:
    return live(plan(seed), None)


class StoryContract(Contract):
    """For all drivers: equal to a `Station`, hence to each other."""

    @pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
    def test_the_story_is_told_alike(self, story: Story) -> None:
        """Equal seeds, equal peers, equal logs: a driver adds nothing, loses nothing, and changes no order."""
        with virtual_system():
            log = tell(story, self.platform.lockstep)
        if (difference := log.differs(expected(story), timed=story.timed)) is not None:
            pytest.fail(difference)

    @pytest.mark.parametrize("seed", [*SEEDS, FRESH_SEED], ids=[*map(str, SEEDS), "fresh"])
    def test_a_drawn_life_is_lived_alike(self, seed: int) -> None:
        """A dense hour of the simulation's faults: nothing of it depends on who drives the agent."""
        lived, wanted = live(plan(seed), self.platform.lockstep), _life(seed)
        if (difference := lived.log.differs(wanted.log)) is not None:
            pytest.fail(f"seed {seed}: {difference}")
        assert (lived.broken, lived.attempts) == (wanted.broken, wanted.attempts), f"seed {seed}"
