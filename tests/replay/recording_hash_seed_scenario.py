"""Run as a program: lives whose recordings and checkpoints must not depend on the hashes of strings."""

from __future__ import annotations

import sys
from random import Random

from sipcore.replay import checkpoint, read
from tests.replay.lives import CuttingAgent, Life, live

__all__ = ["main"]


def main() -> None:
    """Print the recordings of some lives, cut at random, and a checkpoint of the end of each."""
    for seed in range(6):
        life = live(CuttingAgent, seed, between=_cut)
        assert isinstance(life.agent, CuttingAgent)
        lines = life.agent.whole()
        sys.stdout.writelines(lines)
        sys.stdout.write(checkpoint(life.agent))
        sys.stdout.write(checkpoint(read(lines).segments[-1].restore(random=Random(0))))


def _cut(life: Life) -> None:
    assert isinstance(life.agent, CuttingAgent)
    if life.random.random() < 0.3:
        life.agent.cut()


if __name__ == "__main__":
    main()
