"""What lanes cost when there are many: counted, not timed."""

from __future__ import annotations

import pytest

from sipcore.network.pacing import MAX_LANES, Lane, Pacer


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
def test_many_lanes_are_not_looked_at_for_each_new_one(busy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that frees nothing must not be repeated for the next lane, and the next."""
    looks = 0

    def idle(lane: Lane) -> bool:
        nonlocal looks
        looks += 1
        return lane.young == 0

    monkeypatch.setattr(Lane, "idle", property(idle))
    pacer = Pacer()
    count = 16 * MAX_LANES
    for number in range(count):
        lane = pacer.lane(1, (f"192.0.2.{number % 256}", number))
        if busy:
            lane.enter()
    assert looks <= 2 * count


def test_lanes_that_are_busy_outlive_the_sweeps() -> None:
    pacer = Pacer()
    busy = pacer.lane(1, ("192.0.2.1", 5060))
    busy.enter()
    for number in range(4 * MAX_LANES):
        pacer.lane(2, ("192.0.2.2", number))
    assert pacer.lane(1, ("192.0.2.1", 5060)) is busy


def test_idle_lanes_do_not_pile_up() -> None:
    pacer = Pacer()
    for number in range(16 * MAX_LANES):
        pacer.lane(1, (f"192.0.2.{number % 256}", number))
    assert len(pacer._lanes) <= MAX_LANES
