"""`Line`: the shortest way to a test, and an example of how tests look."""

from __future__ import annotations

from sipcore.events import Registered, StatusChanged
from sipcore.testing import Line, challenge, ok
from tests.accounts import account


def test_retransmits_after_t1_then_doubles() -> None:
    line = Line(account())
    line.agent.register("alice", now=line.now)
    first = line.sent()
    assert line.sent(until=0.499) == []
    assert line.sent(until=0.5) == first
    assert line.sent(until=1.499) == []
    assert line.sent(until=1.5) == first


def test_sent_and_told_give_everything_once() -> None:
    line = Line(account(), script=[challenge(), ok(60)])
    line.register()
    assert [request.method for request in line.sent()] == ["REGISTER", "REGISTER"]
    assert line.sent() == []
    assert [type(event) for event in line.told()] == [Registered, StatusChanged]
    assert line.told() == []


def test_told_of_one_kind_passes_over_the_others() -> None:
    line = Line(account(), script=[ok(60)])
    line.register()
    assert len(line.told(StatusChanged)) == 1
    assert line.told(Registered) == []


def test_time_stands_where_the_test_put_it() -> None:
    line = Line(account(), start=1000.0)
    assert line.now == 1000.0
    line.register(until=1000.25)
    assert line.now == 1000.25
    line.run()
    assert line.now == 1000.25
    assert line.sent(until=1000.5)[-1] == line.peer.requests[0]


def test_a_seed_makes_another_agent_and_the_wire_has_its_own() -> None:
    def branch(seed: int) -> str | None:
        line = Line(account(), seed=seed)
        line.wire.loss = 0.5
        line.register()
        return line.sent()[0].via.branch

    assert branch(1) == branch(1)
    assert branch(1) != branch(2)


def test_the_clock_may_start_anywhere() -> None:
    line = Line(account(), script=[ok(60)], start=-5.0)
    line.register()
    assert line.status().registered
    assert line.status().expires_at == 55.0
