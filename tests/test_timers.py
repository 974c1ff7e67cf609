"""The heap of deadlines, compared with the simplest thing that does the same."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.timers import Timers


class Item:
    def __init__(self, name: int = 0) -> None:
        self.name = name
        self.due: float | None = None
        self.due_key = 0

    def on_due(self, now: float) -> None:
        raise AssertionError("whoever pops calls it")


@pytest.mark.requirement("RFC3261-17.1.2.2-09")
def test_nothing_is_due_before_its_time() -> None:
    timers, item = Timers(), Item()
    assert timers.next() is None
    timers.arm(item, 1.0)
    assert (timers.next(), item.due, len(timers)) == (1.0, 1.0, 1)
    assert timers.pop(0.999) is None
    assert timers.pop(1.0) is item
    assert (item.due, timers.next(), len(timers)) == (None, None, 0)
    assert timers.pop(2.0) is None


def test_the_earliest_goes_first_and_equals_in_the_order_of_arming() -> None:
    timers, items = Timers(), [Item(number) for number in range(4)]
    for item, when in zip(items, (3.0, 1.0, 2.0, 1.0), strict=True):
        timers.arm(item, when)
    order = []
    while (timed := timers.pop(10.0)) is not None:
        assert isinstance(timed, Item)
        order.append(timed.name)
    assert order == [1, 3, 2, 0]


@pytest.mark.parametrize("later", [0.5, 1.0, 5.0])
def test_arming_again_replaces_the_deadline(later: float) -> None:
    timers, item = Timers(), Item()
    timers.arm(item, 1.0)
    timers.arm(item, later)
    assert (timers.next(), len(timers)) == (later, 1)
    assert timers.pop(10.0) is item
    assert timers.pop(10.0) is None


def test_disarming_twice_does_no_harm() -> None:
    timers, item, other = Timers(), Item(), Item()
    timers.disarm(item)
    timers.arm(item, 1.0)
    timers.arm(other, 2.0)
    timers.disarm(item)
    timers.disarm(item)
    assert (item.due, timers.next(), len(timers)) == (None, 2.0, 1)
    assert timers.pop(10.0) is other


def test_what_is_popped_can_be_armed_again_at_once() -> None:
    timers, item = Timers(), Item()
    timers.arm(item, 1.0)
    assert timers.pop(1.0) is item
    timers.arm(item, 1.0)
    assert timers.pop(1.0) is item


def test_dead_entries_do_not_pile_up() -> None:
    """A registration that is planned anew all the time must not fill the memory until its first plan is due."""
    timers, items = Timers(), [Item(number) for number in range(10)]
    for turn in range(20_000):
        timers.arm(items[turn % 10], 1e9 - turn)
    assert len(timers) == 10
    assert len(timers._heap) < 3000
    assert timers.next() == 1e9 - 19_999


def test_order_and_count_survive_the_sweeping_of_dead_entries() -> None:
    random = Random(1)
    timers, items = Timers(), [Item(number) for number in range(50)]
    table: dict[int, float] = {}
    swept = 0
    for _ in range(20_000):
        item, when, before = random.choice(items), random.random(), len(timers._heap)
        if random.random() < 0.2:
            timers.disarm(item)
            table.pop(item.name, None)
        else:
            timers.arm(item, when)
            table[item.name] = when
        assert len(timers) == len(table)
        if len(timers._heap) < before:
            swept += 1
            assert timers.next() == min(table.values())
    assert swept > 5
    assert len(timers._heap) < 3000
    order = []
    while (timed := timers.pop(2.0)) is not None:
        assert isinstance(timed, Item)
        order.append(timed.name)
    assert order == sorted(table, key=lambda name: table[name])


Step = tuple[str, int, float]
steps = st.lists(
    st.tuples(st.sampled_from(["arm", "arm", "disarm", "pop"]), st.integers(0, 4), st.integers(0, 20).map(float)),
    max_size=60,
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(steps=steps)
def test_like_a_plain_table(steps: list[Step]) -> None:
    """Law: after any arming, disarming and popping, what comes next is what a table of deadlines says."""
    timers, items = Timers(), [Item(number) for number in range(5)]
    table: dict[int, tuple[float, int]] = {}
    for order, (what, number, when) in enumerate(steps):
        if what == "arm":
            timers.arm(items[number], when)
            table[number] = (when, order)
        elif what == "disarm":
            timers.disarm(items[number])
            table.pop(number, None)
        else:
            first = min(table, key=lambda key: table[key], default=None)
            expected = None if first is None or table[first][0] > when else items[first]
            assert timers.pop(when) is expected
            if expected is not None and first is not None:
                del table[first]
        assert timers.next() == min((value for value, _ in table.values()), default=None)
        assert len(timers) == len(table)
        assert {item.name: item.due for item in items if item.due is not None} == {
            key: value for key, (value, _) in table.items()
        }
