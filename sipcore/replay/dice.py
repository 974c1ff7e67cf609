"""The random numbers of an agent: noted while it is recorded, and given again while it is played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from sipcore.replay.log import Entry
from sipcore.replay.steps import Draw

__all__ = ["NotedDice", "PlayedDice"]


class NotedDice(Random):
    """Random numbers of another source, each noted."""

    def __init__(self, source: Random) -> None:
        # With a seed, so that it asks the system for none.
        super().__init__(0)
        self._bits = source.getrandbits
        self._float = source.random
        self._note: Callable[[Entry], object] = [].append

    def note_in(self, log: list[Entry]) -> None:
        """From now on draws are noted there."""
        self._note = log.append

    def getrandbits(self, k: int, /) -> int:
        """See `random.Random`."""
        value = self._bits(k)
        note = self._note
        note(k)
        note(value)
        return value

    def random(self) -> float:
        """See `random.Random`."""
        value = self._float()
        self._note(value)
        return value


class PlayedDice(Random):
    """The recorded random numbers. Where others are asked for, something is given and the difference shows."""

    def __init__(self) -> None:
        super().__init__(0)
        self._draws: list[Draw] = []
        self.drawn: tuple[Draw, ...] = ()

    def load(self, draws: Sequence[Draw]) -> None:
        """What the next input draws."""
        self._draws = list(reversed(draws))
        self.drawn = ()

    def getrandbits(self, k: int, /) -> int:
        """See `random.Random`."""
        return int(self._draw(f"getrandbits:{k}", 0))

    def random(self) -> float:
        """See `random.Random`."""
        return float(self._draw("random", 0.5))

    def _draw(self, kind: str, otherwise: int | float) -> int | float:
        value = otherwise
        if self._draws and self._draws[-1][0] == kind:
            value = self._draws.pop()[1]
        self.drawn += ((kind, value),)
        return value
