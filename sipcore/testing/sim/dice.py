"""Dice for one part of a life each, so that taking a part away leaves the others' dice as they are."""

from __future__ import annotations

from random import Random

from sipcore.testing.sim.plan import Plan

__all__ = ["seed_of"]


def seed_of(plan: Plan, part: str) -> int:
    """What the dice of that part of the plan's life start from."""
    return Random(f"{plan.seed} {plan.climate} {part}").getrandbits(64)
