"""The non-INVITE client transaction: each timer just before and at its time, and every cell of its table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipcore.syntax.message import Response
from sipcore.transaction.client import TRANSITIONS, State, Trigger
from sipcore.values import Protocol
from tests.transaction.case import REMOTE, REQUEST, Case, read, written

# --- timers --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-17.1.2.2-02", "RFC3261-17.1.2.2-03")
def test_silence_on_udp() -> None:
    case = Case()
    assert case.copies(31.999) == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert case.told() == []
    assert case.state() is State.TRYING
    assert case.copies(32.0) == []
    assert case.told() == [("timeout", 32.0)]
    assert case.state() is State.TERMINATED
    assert len(case.table) == 0
    assert case.host.next_deadline() is None


@pytest.mark.requirement("RFC3261-17.1.2.2-04")
def test_silence_on_tcp() -> None:
    case = Case(Protocol.TCP)
    assert case.copies(31.999) == [0.0]
    assert case.told() == []
    case.host.run(32.0)
    assert case.told() == [("timeout", 32.0)]


@pytest.mark.requirement("RFC3261-17.1.2.2-01")
def test_all_timers_follow_their_options() -> None:
    case = Case(t1=0.1, t2=0.3, timeout=1.0)
    assert case.copies(0.999) == pytest.approx([0.0, 0.1, 0.3, 0.6, 0.9])
    case.host.run(1.0)
    assert case.told() == [("timeout", 1.0)]
    case = Case(t4=0.2)
    case.answer(200, 0.0)
    case.host.run(0.199)
    assert case.state() is State.COMPLETED
    case.host.run(0.2)
    assert case.state() is State.TERMINATED


def test_a_timeout_beats_a_copy_that_is_due_at_the_same_instant() -> None:
    case = Case(timeout=7.5)
    assert case.copies(7.5) == [0.0, 0.5, 1.5, 3.5]
    assert case.told() == [("timeout", 7.5)]


@pytest.mark.requirement("RFC3261-17.1.2.2-05", "RFC3261-8.1.3.2-02")
@pytest.mark.parametrize("status", [100, 183, 199])
def test_after_a_provisional_copies_go_every_t2_and_timer_f_keeps_its_time(status: int) -> None:
    case = Case()
    assert case.copies(0.6) == [0.0, 0.5]
    case.answer(status, 0.6)
    assert case.state() is State.PROCEEDING
    assert case.told() == [("provisional", status)]
    # The copy that was due next still goes at its time; only then the interval is T2.
    assert case.copies(31.999) == [1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    case.answer(status, 31.999)
    case.host.run(32.0)
    assert case.told()[1:] == [("provisional", status), ("timeout", 32.0)]


def test_slowed_down_the_next_copy_is_t2_away_from_the_provisional() -> None:
    case = Case()
    assert case.copies(0.6) == [0.0, 0.5]
    case.answer(100, 0.6)
    case.transaction.slow_down(0.6)
    assert case.copies(12.0) == pytest.approx([4.6, 8.6])
    case.transaction.slow_down(12.0)
    assert case.copies(13.0) == pytest.approx([12.6])
    assert [item for item in case.user.told if item[0] == "aged"] == [("aged", 0.5)]


def test_slowing_down_at_once_ends_the_youth_too() -> None:
    case = Case()
    case.answer(100, 0.1)
    case.transaction.slow_down(0.1)
    assert ("aged", 0.1) in case.user.told
    assert case.user.transactions == {case.transaction}
    assert case.copies(4.2) == pytest.approx([0.1, 4.1])
    assert [item for item in case.user.told if item[0] == "aged"] == [("aged", 0.1)]


@pytest.mark.parametrize("protocol", Protocol)
def test_slowing_down_means_nothing_before_a_provisional_and_on_streams(protocol: Protocol) -> None:
    case = Case(protocol)
    if protocol.reliable:
        case.answer(100, 0.0)
    case.transaction.slow_down(0.0)
    assert ("aged", 0.0) not in case.user.told
    assert case.copies(0.5) == ([0.0] if protocol.reliable else [0.0, 0.5])


@pytest.mark.requirement("RFC3261-17.1.2.2-06", "RFC3261-17.1.2.2-07", "RFC3261-17.1.2.2-08")
def test_the_first_final_response_counts_and_copies_are_absorbed_for_t4() -> None:
    case = Case()
    assert case.copies(0.7) == [0.0, 0.5]
    case.answer(200, 0.7)
    assert case.told() == [("final", 200)]
    case.answer(200, 1.0)
    case.answer(500, 2.0)
    case.answer(100, 3.0)
    assert case.told() == [("final", 200)]
    assert case.copies(5.699) == []
    assert case.state() is State.COMPLETED
    assert case.table.find("z9hG4bKab") is case.transaction
    assert case.copies(5.7) == []
    assert case.state() is State.TERMINATED
    assert case.table.find("z9hG4bKab") is None


@pytest.mark.requirement("RFC3261-17.1.2.2-07")
def test_on_tcp_nothing_is_absorbed() -> None:
    case = Case(Protocol.TCP)
    case.answer(200, 0.7)
    assert case.told() == [("final", 200)]
    assert case.state() is State.TERMINATED
    assert len(case.table) == 0
    assert case.host.next_deadline() is None


@pytest.mark.requirement("RFC3261-17.1.4-01")
@pytest.mark.parametrize("protocol", Protocol)
def test_a_lost_flow_ends_it_at_once(protocol: Protocol) -> None:
    case = Case(protocol)
    assert len(case.host.sent()) == 1
    case.transaction.flow_lost("reset", 1.0)
    assert case.told() == [("flow lost", "reset")]
    assert case.copies(100.0) == []
    case.transaction.flow_lost("again", 2.0)
    assert case.told() == [("flow lost", "reset")]


def test_a_lost_flow_after_the_answer_changes_nothing() -> None:
    case = Case()
    case.answer(200, 0.1)
    case.transaction.flow_lost("reset", 0.2)
    assert case.told() == [("final", 200)]
    assert case.state() is State.COMPLETED
    assert case.table.find("z9hG4bKab") is case.transaction


@pytest.mark.parametrize("protocol", Protocol)
def test_the_end_of_youth_is_told_once_at_t1(protocol: Protocol) -> None:
    case = Case(protocol)
    case.host.run(0.499)
    assert case.user.told == []
    case.host.run(31.0)
    assert case.user.told == [("aged", 0.5)]


def test_who_was_answered_before_does_not_age() -> None:
    case = Case()
    case.answer(200, 0.4)
    case.host.run(60.0)
    assert case.user.told == [("final", 200)]


def test_an_abandoned_one_is_silent() -> None:
    case = Case()
    assert len(case.host.sent()) == 1
    case.transaction.abandon()
    assert case.state() is State.TERMINATED
    assert case.copies(100.0) == []
    assert case.user.told == []
    assert len(case.table) == 0


def test_a_driver_that_is_late_does_not_shift_the_copies() -> None:
    case = Case()
    case.host.sent()
    case.host.handle_deadline(now=0.6)
    assert case.host.sent() == [REQUEST]
    assert case.copies(4.0) == [1.5, 3.5]


def test_a_clock_that_leapt_brings_one_copy() -> None:
    """After a suspend of 10 s the copies that were missed are not made up for."""
    case = Case()
    case.host.sent()
    case.host.handle_deadline(now=10.0)
    assert case.host.sent() == [REQUEST]
    assert case.copies(11.999) == [11.0]


def test_a_clock_that_leapt_past_the_end_brings_the_timeout_only() -> None:
    case = Case()
    case.host.sent()
    case.host.handle_deadline(now=10_000.0)
    assert case.host.sent() == []
    assert case.told() == [("timeout", 10_000.0)]


@pytest.mark.parametrize(
    "ending",
    [
        lambda case: case.answer(200, 0.1),
        lambda case: case.host.run(32.0),
        lambda case: case.transaction.flow_lost("x", 0.1),
        lambda case: case.transaction.abandon(),
    ],
)
def test_what_is_not_needed_any_more_is_let_go(ending: Callable[[Case], None]) -> None:
    """Thousands may wait for timer K; they keep neither their request nor their owner."""
    case = Case()
    ending(case)
    assert case.transaction.request == b""
    assert case.transaction.user is None


# --- the table of transactions ---------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-17.1.3-02")
def test_a_branch_is_found_whole_and_without_case() -> None:
    case = Case(branch="z9hG4bKabcdef".lower())
    assert case.table.find("z9hg4bkabcdef") is case.transaction
    assert case.table.find("Z9HG4BKABCDEF") is case.transaction
    assert case.table.find("z9hg4bkabcde") is None
    assert case.table.find("z9hg4bkabcdef0") is None
    assert case.table.find("") is None


def test_those_that_wait_on_a_flow_are_found() -> None:
    case = Case()
    other = case.host.opened()
    assert case.table.on_flow(case.flow) == [case.transaction]
    assert case.table.on_flow(case.flow, REMOTE) == [case.transaction]
    assert case.table.on_flow(case.flow, ("192.0.2.2", 5060)) == []
    assert case.table.on_flow(other) == []
    case.answer(200, 0.1)
    assert case.table.on_flow(case.flow) == []


@pytest.mark.parametrize(
    ("started", "order"),
    [((0.0, 0.0, 0.0), [1, 2, 0]), ((2.0, 1.0, 0.0), [2, 1, 0]), ((0.0, 2.0, 1.0), [0, 2, 1])],
)
def test_those_that_wait_are_told_oldest_first_and_then_by_branch(
    started: tuple[float, ...], order: list[int]
) -> None:
    """The order of a set differs from process to process, and with it the order of what is sent next."""
    case = Case(branch="z9hG4bKc", now=started[0])
    transactions = [
        case.transaction,
        *(case.another(branch, now) for branch, now in zip(("z9hG4bKa", "z9hG4bKb"), started[1:], strict=True)),
    ]
    assert case.table.on_flow(case.flow) == [transactions[number] for number in order]
    assert case.table.on_flow(case.flow, REMOTE) == [transactions[number] for number in order]


@pytest.mark.parametrize("ending", ["final", "timer F", "flow lost"])
def test_after_a_provisional_it_ends_as_without_one(ending: str) -> None:
    case = Case()
    case.answer(100, 0.1)
    if ending == "final":
        case.answer(200, 1.0)
        case.answer(200, 2.0)
        assert case.told()[1:] == [("final", 200)]
        assert case.state() is State.COMPLETED
    elif ending == "timer F":
        case.host.run(32.0)
        assert case.told()[1:] == [("timeout", 32.0)]
    else:
        case.transaction.flow_lost("reset", 1.0)
        assert case.told()[1:] == [("flow lost", "reset")]
    assert case.user.transactions == {case.transaction}
    case.host.run(60.0)
    assert case.state() is State.TERMINATED
    assert len(case.table) == len(case.host.timers) == 0


# --- the table of states ---------------------------------------------------------------------------------------------


def in_state(state: State) -> Case:
    case = Case()
    if state is State.PROCEEDING:
        case.answer(100, 0.1)
    elif state is State.COMPLETED:
        case.answer(200, 0.1)
    elif state is State.TERMINATED:
        case.host.run(32.0)
    assert case.state() is state
    return case


def test_states_and_triggers_have_the_names_of_the_figure() -> None:
    """An error names them."""
    assert ", ".join(State) == "trying, proceeding, completed, terminated"
    assert ", ".join(Trigger) == "timer E, timer F, timer K, provisional, final, flow lost"


# Written out once more, so that a slip in the table shows.
WAITING = "provisional -> proceeding, final -> completed, timer F -> terminated, flow lost -> terminated"
FIGURE_6 = f"""
trying:     timer E -> trying, {WAITING}
proceeding: timer E -> proceeding, {WAITING}
completed:  provisional -> completed, final -> completed, flow lost -> completed, timer K -> terminated
terminated:
"""


@pytest.mark.requirement("RFC3261-17.1.2.2-03", "RFC3261-17.1.2.2-05", "RFC3261-17.1.2.2-06")
def test_the_table_is_figure_6() -> None:
    assert written(TRANSITIONS) == read(FIGURE_6)


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(State)
    assert TRANSITIONS[State.TERMINATED] == {}
    for row in TRANSITIONS.values():
        assert set(row) <= set(Trigger)
        assert set(row.values()) <= set(State)


@pytest.mark.parametrize("trigger", Trigger)
@pytest.mark.parametrize("state", State)
def test_every_cell_is_a_step_or_refused_by_name(state: State, trigger: Trigger) -> None:
    case = in_state(state)
    if trigger in TRANSITIONS[state]:
        case.transaction._step(trigger)
        assert case.state() is TRANSITIONS[state][trigger]
    else:
        with pytest.raises(AssertionError, match=f"{trigger} in state {state}"):
            case.transaction._step(trigger)
        assert case.state() is state


@pytest.mark.parametrize("status", [100, 200])
def test_a_response_after_the_end_is_a_fault_of_ours(status: int) -> None:
    """The branch of a terminated transaction is unknown, so no response of the network gets there."""
    case = in_state(State.TERMINATED)
    assert case.table.find(case.transaction.branch) is None
    with pytest.raises(AssertionError, match="in state terminated"):
        case.transaction.receive(Response(status, ""), 33.0)
