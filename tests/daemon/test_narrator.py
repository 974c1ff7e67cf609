"""Events as log lines: the exact texts, one for each change, and none that a peer could use to lie."""

from __future__ import annotations

import dataclasses
import logging
import time

import pytest

from sipcore.events import (
    Event,
    FlowLost,
    ListenFailed,
    Listening,
    MessageDropped,
    Registered,
    Rejected,
    StatusChanged,
    Unregistered,
)
from sipcore.values import Binding, Cause, OutcomeClass, Phase, Protocol, State, Status
from sipcore_trio.daemon.narrator import (
    DROP_INTERVAL,
    MAX_DROP_CAUSES,
    MAX_NAMES,
    Narrator,
    cause_line,
    counted,
    listed,
    moment,
)

NOW = 100.0
WALL = 1_700_000_000.0


def clock(at: float) -> str:
    """What the log shows for a time of the agent."""
    return time.strftime("%H:%M:%S", time.localtime(WALL + at))


class Log:
    def __init__(self, level: int = logging.DEBUG) -> None:
        self.lines: list[tuple[str, str]] = []
        self.narrator = Narrator(
            lambda number, text, *, extra: self.lines.append((logging.getLevelName(number), text)),
            enabled=lambda number: number >= level,
            wall=lambda at: WALL + at,
        )

    def tell(self, *events: Event, now: float = NOW) -> list[tuple[str, str]]:
        for event in events:
            self.narrator.tell(event, now)
        lines, self.lines = self.lines, []
        return lines


def changed(
    state: State,
    *,
    previous: State,
    cause: Cause | None,
    next_at: float | None = None,
    server: str | None = None,
    bindings: tuple[Binding, ...] = (),
) -> StatusChanged:
    status = Status(
        name="alice",
        state=state,
        phase=Phase.IDLE,
        cause=cause,
        server=server,
        transport=Protocol.UDP if server else None,
        flow=None,
        attempt=0,
        since=NOW,
        expires_at=None,
        next_attempt_at=next_at,
        bindings=bindings,
    )
    return StatusChanged(status=status, previous=previous)


OK = Cause(kind=OutcomeClass.SUCCESS, code=200, reason="OK")
REFUSED = Cause(
    kind=OutcomeClass.TEMPORARY,
    code=503,
    reason="Busy",
    detail="later",
    warning='399 h "full"',
    retry_after=7,
    server="192.0.2.1:5060",
    transport=Protocol.UDP,
)


def registered(*, refreshed: bool = False, assumed: bool = False) -> Registered:
    return Registered(name="alice", expires=60, refreshed=refreshed, assumed=assumed, refresh_at=NOW + 50)


def test_registered() -> None:
    event = changed(State.REGISTERED, previous=State.UNREGISTERED, cause=OK, next_at=NOW + 50, server="192.0.2.1:5060")
    assert Log().tell(registered(), event) == [
        (
            "INFO",
            "alice: Registered: registered for 60 s: 200 OK from 192.0.2.1:5060 (UDP); "
            f"next refresh at {clock(150)} (in 50 s)",
        )
    ]


def test_a_refresh_is_told_at_debug_only() -> None:
    event = changed(State.REGISTERED, previous=State.REGISTERED, cause=OK)
    assert [level for level, _ in Log().tell(registered(refreshed=True), event)] == ["DEBUG"]
    assert Log(logging.INFO).tell(registered(refreshed=True), event) == []


def test_a_refresh_after_a_failure_is_told() -> None:
    event = changed(State.REGISTERED, previous=State.REJECTED, cause=OK)
    assert [level for level, _ in Log().tell(registered(refreshed=True), event)] == ["INFO"]


def test_a_grant_that_is_assumed_says_so() -> None:
    event = changed(State.REGISTERED, previous=State.UNREGISTERED, cause=OK)
    ((_, line),) = Log().tell(registered(assumed=True), event)
    assert "registered for 60 s, assumed, since the response lists no binding: 200 OK" in line


def test_a_grant_is_not_assumed_for_want_of_bindings_when_there_are_those_of_others() -> None:
    bindings = tuple(Binding(uri=f"sip:{n}@192.0.2.9", expires_at=None, own=n == 0) for n in range(2))
    event = changed(State.REGISTERED, previous=State.UNREGISTERED, cause=OK, bindings=bindings)
    ((_, line),) = Log().tell(registered(assumed=True), event)
    assert "for 60 s, assumed, since the response does not list ours among the bindings: 200 OK" in line
    own = changed(State.REGISTERED, previous=State.UNREGISTERED, cause=OK, bindings=bindings[:1])
    ((_, line),) = Log().tell(registered(assumed=True), own)
    assert "for 60 s, assumed, since the response lists no binding: 200 OK" in line


def test_a_doubt_about_the_registrar_is_a_warning() -> None:
    cause = Cause(kind=OutcomeClass.SUCCESS, code=200, reason="OK", detail="rspauth is wrong")
    event = changed(State.REGISTERED, previous=State.REGISTERED, cause=cause)
    ((level, line),) = Log(logging.INFO).tell(registered(refreshed=True), event)
    assert level == "WARNING"
    assert "200 OK: rspauth is wrong" in line


def test_a_rejection_says_everything() -> None:
    event = Rejected(name="alice", kind=OutcomeClass.TEMPORARY, status=503, cause=REFUSED, retry_at=NOW + 7)
    after = changed(State.REJECTED, previous=State.UNREGISTERED, cause=REFUSED, next_at=NOW + 7)
    assert Log().tell(event, after) == [
        (
            "WARNING",
            'alice: Rejected: temporary: 503 Busy (Warning: 399 h "full") (Retry-After: 7) from 192.0.2.1:5060 (UDP): '
            f"later; next attempt at {clock(107)} (in 7 s)",
        )
    ]


def test_silence_and_no_further_attempt() -> None:
    cause = Cause(kind=OutcomeClass.TEMPORARY, detail="no answer", server="192.0.2.1:5060", transport=Protocol.TCP)
    event = Rejected(name="alice", kind=OutcomeClass.TEMPORARY, status=None, cause=cause, retry_at=None)
    after = changed(State.REJECTED, previous=State.UNREGISTERED, cause=cause)
    assert Log().tell(event, after) == [
        ("WARNING", "alice: Rejected: temporary: at 192.0.2.1:5060 (TCP): no answer; no further attempt")
    ]


def test_removed_by_the_registrar_is_one_line() -> None:
    cause = Cause(kind=OutcomeClass.REMOVED, code=200, reason="OK", detail="others are listed")
    events = (
        Rejected(name="alice", kind=OutcomeClass.REMOVED, status=200, cause=cause, retry_at=NOW + 1),
        Unregistered(name="alice", cause=cause),
        changed(State.UNREGISTERED, previous=State.REGISTERED, cause=cause, next_at=NOW + 1),
    )
    assert Log().tell(*events) == [
        (
            "WARNING",
            f"alice: Unregistered: removed: 200 OK: others are listed; next attempt at {clock(101)} (in 1 s)",
        )
    ]


def test_removed_on_request() -> None:
    cause = Cause(kind=OutcomeClass.REMOVED, code=200, reason="OK", detail="removed on request")
    after = changed(State.UNREGISTERED, previous=State.REGISTERED, cause=cause)
    assert Log().tell(Unregistered(name="alice", cause=cause), after) == [
        ("INFO", "alice: Unregistered: 200 OK: removed on request")
    ]


def test_a_removal_names_who_confirmed_it() -> None:
    cause = Cause(kind=OutcomeClass.REMOVED, code=200, reason="OK", detail="removed on request")
    after = changed(State.UNREGISTERED, previous=State.REGISTERED, cause=cause, server="192.0.2.1:5060")
    assert Log().tell(Unregistered(name="alice", cause=cause), after) == [
        ("INFO", "alice: Unregistered: 200 OK from 192.0.2.1:5060 (UDP): removed on request")
    ]
    named = dataclasses.replace(cause, server="192.0.2.2:5060", transport=Protocol.TCP)
    assert Log().tell(Unregistered(name="alice", cause=named), after) == [
        ("INFO", "alice: Unregistered: 200 OK from 192.0.2.2:5060 (TCP): removed on request")
    ]


def test_counts_and_lists() -> None:
    assert [counted(number, "removal") for number in range(3)] == ["0 removals", "1 removal", "2 removals"]
    names = [f"r{number}" for number in range(7)]
    assert listed(names[:1]) == "r0"
    assert listed(names[:MAX_NAMES]) == "r0, r1, r2, r3, r4"
    assert listed(names) == "r0, r1, r2, r3, r4 and 2 more"
    assert listed(["a\x1b"]).isprintable()


def test_a_lapse_is_a_warning() -> None:
    cause = Cause(detail="the binding lapsed")
    after = changed(State.UNREGISTERED, previous=State.REGISTERED, cause=cause, next_at=NOW)
    ((level, line),) = Log().tell(Unregistered(name="alice", cause=cause), after)
    assert (level, line) == (
        "WARNING",
        f"alice: Unregistered: the binding lapsed; next attempt at {clock(100)} (in 0 s)",
    )


def test_a_removal_that_failed() -> None:
    event = Rejected(name="alice", kind=OutcomeClass.TEMPORARY, status=503, cause=REFUSED, retry_at=None, removal=True)
    after = changed(State.STOPPED, previous=State.REGISTERED, cause=REFUSED)
    ((level, line),) = Log().tell(event, after)
    assert level == "WARNING"
    assert line.startswith("alice: Stopped: removal failed, temporary: 503 Busy")


@pytest.mark.parametrize(
    ("previous", "level"), [(State.UNREGISTERED, "DEBUG"), (State.REJECTED, "INFO"), (State.STOPPED, "DEBUG")]
)
def test_stopped(previous: State, level: str) -> None:
    after = changed(State.STOPPED, previous=previous, cause=Cause(detail="removed"))
    assert Log().tell(after) == [(level, "alice: Stopped: removed")]


def test_reasons_do_not_leak_into_the_next_change() -> None:
    log = Log()
    log.tell(registered(), changed(State.REGISTERED, previous=State.UNREGISTERED, cause=OK))
    assert log.tell(changed(State.STOPPED, previous=State.REGISTERED, cause=None)) == [
        ("INFO", "alice: Stopped: asked for")
    ]


def test_flows_and_listeners() -> None:
    names = tuple(f"r{number}" for number in range(7))
    log = Log()
    assert log.tell(FlowLost(flow=1, remote=("::1", 5060), error="reset", names=names)) == [
        ("WARNING", "flow to [::1]:5060 lost: reset; it carried r0, r1, r2, r3, r4 and 2 more")
    ]
    assert log.tell(FlowLost(flow=1, remote=None, error=None, names=())) == [
        ("WARNING", "flow to its peers lost: closed")
    ]
    assert log.tell(Listening(protocol="TCP", local=("0.0.0.0", 5060))) == [("INFO", "listening on TCP 0.0.0.0:5060")]
    assert log.tell(ListenFailed(protocol="TCP", local=("0.0.0.0", 5060), error="in use")) == [
        ("ERROR", "cannot listen on TCP 0.0.0.0:5060: in use")
    ]


def test_drops_of_one_cause_are_told_once_in_a_while() -> None:
    log = Log()
    drop = MessageDropped(cause="malformed", flow=1, source=("192.0.2.7", 9), count=2)
    assert log.tell(drop) == [("INFO", "dropped from 192.0.2.7:9: malformed (2 times)")]
    assert log.tell(drop, drop, now=NOW + DROP_INTERVAL - 0.1) == []
    other = MessageDropped(cause="another", flow=1, source=None)
    assert log.tell(other, now=NOW + 1) == [("INFO", "dropped: another")]
    assert log.tell(drop, now=NOW + DROP_INTERVAL) == [("INFO", "dropped from 192.0.2.7:9: malformed (6 times)")]


def test_causes_of_drops_are_bounded() -> None:
    log = Log()
    drops = [MessageDropped(cause=f"cause {number}", flow=1, source=None) for number in range(MAX_DROP_CAUSES + 50)]
    assert len(log.tell(*drops)) == MAX_DROP_CAUSES


def test_nothing_that_a_peer_says_makes_a_second_line() -> None:
    evil = "a\r\nERROR forged\x1b[2J\u2028b"
    cause = Cause(kind=OutcomeClass.PERMANENT, code=404, reason=evil, warning=evil, detail=evil)
    event = Rejected(name=evil, kind=OutcomeClass.PERMANENT, status=404, cause=cause, retry_at=None)
    log = Log()
    lines = log.tell(
        event,
        changed(State.REJECTED, previous=State.UNREGISTERED, cause=cause),
        FlowLost(flow=1, remote=None, error=evil, names=(evil,)),
        MessageDropped(cause=evil, flow=None, source=None),
        ListenFailed(protocol="TCP", local=None, error=evil),
    )
    assert len(lines) == 4
    assert all(text.isprintable() for _, text in lines)


def test_moments_far_away_have_a_date() -> None:
    assert moment(NOW + 86400, NOW, lambda at: WALL + at).startswith("at 20")
    assert moment(NOW - 1, NOW, lambda at: WALL + at).endswith("(in 0 s)")


def test_cause_line_of_nothing() -> None:
    assert cause_line(None) == "asked for"
    assert cause_line(Cause()) == "no reason"
    assert cause_line(Cause(kind=OutcomeClass.PERMANENT)) == "permanent"
