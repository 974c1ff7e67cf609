"""Choices that depend on a key only, in every version of Python."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import gcd
from random import Random
from typing import TypeVar

__all__ = ["Dice", "walk"]

T = TypeVar("T")


class Dice:
    """Dice with a key: the same key throws the same numbers.

    Of `random.Random` only `getrandbits` is called, since how `choice` and `shuffle` draw has changed between versions.
    """

    def __init__(self, *key: object) -> None:
        self._bits = Random(":".join([str(part) for part in key])).getrandbits

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        return self._bits(64) * bound >> 64

    def pick(self, items: Sequence[T]) -> T:
        """One of them."""
        return items[self.below(len(items))]


def walk(space: int, step: int, *key: object) -> int:
    """The `step`-th of the numbers below `space`, in an order that the key chooses: each comes once in `space` steps.

    Neighbouring steps lie far apart (the golden section of the space), so that a few of them are spread over all of it.
    """
    start, stride = _order(space, *key)
    return (start + step * stride) % space


@lru_cache(maxsize=64)
def _order(space: int, *key: object) -> tuple[int, int]:
    stride = max(1, int(space * 0.6180339887))
    while gcd(stride, space) != 1:
        stride += 1
    return Dice("walk", space, *key).below(space), stride
