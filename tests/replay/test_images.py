"""An image is the same, whether an earlier one was at hand or not."""

from __future__ import annotations

import pytest

from sipcore.agent import UserAgent
from sipcore.replay.images import Image, capture
from sipcore.replay.writing import Writer
from tests.replay.lives import Life
from tests.seeds import FRESH_SEED


def written(image: Image) -> list[str]:
    return [str(item) for item in Writer().image(image, {})]


@pytest.mark.parametrize("seed", [1, FRESH_SEED])
def test_an_image_taken_with_an_earlier_one_is_written_like_one_taken_without(seed: int) -> None:
    """Law: columns may be shared with the image before, but the machines and their numbers are the state's alone."""
    life = Life(UserAgent, seed)
    image = capture(life.agent)
    for _ in range(25):
        life.move()
        image = capture(life.agent, image)
        assert written(image) == written(capture(life.agent))
