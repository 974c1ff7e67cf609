"""At most 64 young requests in a lane; refreshes first, then by due time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.flows import Flow
from sipcore.network.pacing import MAX_LANES, WINDOW, Lane, Pacer


class Request:
    """Enters its lane when it is its turn."""

    def __init__(self, lane: Lane, log: list[object], name: object = None) -> None:
        self.lane = lane
        self.log = log
        self.name = name

    def on_turn(self, now: float) -> None:
        self.log.append(self.name)
        self.lane.enter()

    def on_flow_failed(self, flow: Flow, error: str, now: float) -> None:
        self.log.append(("failed", self.name))


def submit(lane: Lane, log: list[object], name: object, *, refresh: bool = False, due: float = 0.0) -> None:
    lane.submit(Request(lane, log, name), refresh=refresh, due=due, now=0.0)


def full() -> tuple[Lane, list[object]]:
    lane, log = Lane(), list[object]()
    for _ in range(WINDOW):
        submit(lane, log, None)
    assert len(log) == WINDOW
    log.clear()
    return lane, log


def test_the_window_lets_64_in_and_one_more_for_each_that_leaves() -> None:
    lane, log = full()
    for name in range(3):
        submit(lane, log, name)
    assert log == []
    lane.leave()
    assert log == []
    lane.advance(0.0)
    assert log == [0]
    lane.leave()
    lane.leave()
    lane.advance(0.0)
    assert log == [0, 1, 2]
    assert lane.young == WINDOW


def test_refreshes_go_first_and_then_who_is_due_first() -> None:
    lane, log = full()
    submit(lane, log, "new, late", due=9.0)
    submit(lane, log, "new, early", due=1.0)
    submit(lane, log, "refresh, late", due=99.0, refresh=True)
    submit(lane, log, "refresh, early", due=2.0, refresh=True)
    submit(lane, log, "refresh, early too", due=2.0, refresh=True)
    for _ in range(5):
        lane.leave()
    lane.advance(0.0)
    assert log == ["refresh, early", "refresh, early too", "refresh, late", "new, early", "new, late"]


def test_nobody_overtakes_those_who_wait() -> None:
    lane, log = full()
    submit(lane, log, "first")
    lane.leave()
    submit(lane, log, "second")
    assert log == []
    lane.leave()
    lane.advance(0.0)
    assert log == ["first", "second"]


def test_a_lane_is_idle_when_nobody_is_in_it() -> None:
    lane, log = Lane(), list[object]()
    assert lane.idle
    submit(lane, log, "x")
    assert not lane.idle
    lane.leave()
    assert lane.idle


def test_a_lane_for_each_flow_and_remote() -> None:
    pacer = Pacer()
    lane = pacer.lane(1, ("192.0.2.1", 5060))
    assert pacer.lane(1, ("192.0.2.1", 5060)) is lane
    assert pacer.lane(1, ("192.0.2.1", 5061)) is not lane
    assert pacer.lane(2, ("192.0.2.1", 5060)) is not lane


def test_idle_lanes_are_swept_and_busy_ones_are_kept() -> None:
    pacer = Pacer()
    busy = pacer.lane(1, ("192.0.2.1", 5060))
    busy.enter()
    for port in range(1, 3 * MAX_LANES):
        pacer.lane(2, ("192.0.2.1", port))
    assert len(pacer._lanes) <= MAX_LANES
    assert pacer.lane(1, ("192.0.2.1", 5060)) is busy


def test_with_its_flow_a_lane_ends_for_good() -> None:
    """Who waits is handed over once; an answer that comes late lets nobody in on the dead flow."""
    pacer = Pacer()
    lane = pacer.lane(1, ("192.0.2.1", 5060))
    log: list[object] = []
    for name in range(WINDOW + 2):
        submit(lane, log, name)
    other = pacer.lane(2, ("192.0.2.1", 5060))
    assert pacer.waits(1)
    assert not pacer.waits(2)
    waiting = pacer.flow_ended(1)
    assert [request.name for request in waiting if isinstance(request, Request)] == [WINDOW, WINDOW + 1]
    lane.leave()
    lane.leave()
    lane.advance(0.0)
    assert len(log) == WINDOW
    assert not pacer.waits(1)
    assert pacer.lane(2, ("192.0.2.1", 5060)) is other
    assert pacer.flow_ended(7) == []


@pytest.mark.requirement("RFC5626-4.5-06")
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    steps=st.lists(
        st.one_of(st.tuples(st.booleans(), st.integers(0, 5).map(float)), st.sampled_from(["leave"] * 3)), max_size=300
    )
)
def test_the_window_is_never_passed_and_nobody_is_forgotten(steps: list[tuple[bool, float] | str]) -> None:
    """Law: at most WINDOW are in; while somebody waits the window is full; all get their turn in order."""
    lane, log = full()
    waiting: list[tuple[bool, float, int]] = []
    for number, step in enumerate(steps):
        if isinstance(step, tuple):
            refresh, due = step
            submit(lane, log, (not refresh, due, number), refresh=refresh, due=due)
            waiting.append((not refresh, due, number))
        elif lane.young:
            lane.leave()
            lane.advance(0.0)
        while log:
            assert lane.young <= WINDOW
            turn = log.pop(0)
            assert turn == min(waiting)
            waiting.remove(min(waiting))
        assert not waiting or lane.young == WINDOW
        assert lane.crowded == bool(waiting)
