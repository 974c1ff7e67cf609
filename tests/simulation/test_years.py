"""Simulated years in every run of the tests: always the same ones, and others with a seed of this run alone.

A longer run is one variable away: `SIPCORE_YEARS=300 make test ARGS=tests/simulation/test_years.py`; or use
`python -m sipcore.testing.sim`, which also shrinks what it finds.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from sipcore.testing.sim import CLIMATES, FAULTS, Figures, Plan, draw, lives
from sipcore.testing.sim.claims import MAX_EXPIRES
from tests.seeds import FRESH_SEED

YEARS = float(os.environ.get("SIPCORE_YEARS") or 30)
"""Registration-years in all: as many as are promised for every run."""

PROCESSES = os.cpu_count() or 1

AHEAD = 3

SHARES = {
    ("swarm", 1000): 0.35,
    ("swarm", FRESH_SEED): 0.35,
    ("calm", 1): 0.05,
    ("loss30", 1): 0.1,
    ("loss50", FRESH_SEED): 0.05,
    ("hostile", FRESH_SEED): 0.1,
}
"""Kind of life and first seed, and their part of the years."""


def test_years() -> None:
    """Law: in whatever happens, the twelve invariants hold."""
    figures = Figures()
    with ProcessPoolExecutor(PROCESSES) as pool:
        for (climate, seed), share in SHARES.items():
            part = Figures()
            for examined in lives(seed, climate, share * YEARS, pool=pool, ahead=PROCESSES * AHEAD):
                life = examined.life
                again = f"python -m sipcore.testing.sim --seed {life.plan.seed} --profile {climate}"
                assert life.broken is None, "\n".join([again, str(life.broken), *life.last])
                assert all(subscriber.expires <= MAX_EXPIRES for subscriber in life.plan.subscribers)
                part.add(life)
            if climate == "calm":
                assert part.gaps == []
                assert part.failed == 0
            if climate == "loss30":
                assert part.claimed / part.wanted >= 0.9999
            figures.merge(part)
    print("\n".join(figures.lines()))
    assert figures.years >= YEARS
    assert figures.requests >= 5000 * YEARS
    if YEARS >= 30:
        assert figures.spoofed > 0
        assert len(figures.faults) >= 0.9 * len(FAULTS)


def test_a_third_of_the_swarms_lives_is_calm_and_every_fault_is_drawn() -> None:
    plans = [draw(seed) for seed in range(300)]
    calm = sum(plan.incidents == 0 for plan in plans)
    assert 70 <= calm <= 130
    kinds = {incident.kind for plan in plans for storm in plan.storms for incident in storm.incidents}
    assert kinds == {name for name, fault in FAULTS.items() if not fault.hostile}


@pytest.mark.parametrize("climate", CLIMATES)
def test_a_plan_is_made_of_its_seed_alone_and_survives_a_file(climate: str) -> None:
    for seed in range(20):
        plan = draw(seed, climate)
        assert plan == draw(seed, climate)
        assert Plan.from_json(plan.to_json()) == plan
        for storm in plan.storms:
            for incident in storm.incidents:
                assert 0 <= incident.at <= storm.lasts
                assert incident.at + incident.lasts <= storm.lasts + 0.001
    assert draw(1, climate) != draw(2, climate)
