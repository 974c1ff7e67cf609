"""Connections without users are closed, those with users and young ones are not."""

from __future__ import annotations

import pytest

from sipcore import Account, CloseFlow, Protocol, State, Transport
from sipcore.network.idle import IDLE_TIME
from sipcore.testing import Line, ok

TCP = Transport(protocol=Protocol.TCP)


def line_of(*names: str, script: object = None) -> Line:
    accounts = [Account(f"sip:{name}@example.com", name=name, transport=TCP) for name in names]
    return Line(*accounts, script=[ok(3600)] if script is None else script)  # type: ignore[arg-type] # steps of one kind


def closed(line: Line) -> list[CloseFlow]:
    return [item.output for item in line.station.outputs if isinstance(item.output, CloseFlow)]


@pytest.mark.requirement("RFC3261-18-02")
def test_the_connection_of_a_removed_binding_is_closed_after_the_idle_time() -> None:
    line = line_of("alice")
    line.register(until=5.0)
    line.agent.unregister("alice", now=line.now)
    line.run(6.0)
    assert line.status().state is State.UNREGISTERED
    line.run(5.0 + IDLE_TIME - 0.1)
    assert closed(line) == []
    line.run(5.0 + IDLE_TIME + 1.0)
    assert len(closed(line)) == 1
    line.register("alice", until=line.now + 1.0)
    assert line.status().state is State.REGISTERED


def test_a_connection_stays_while_another_binding_uses_it() -> None:
    line = line_of("alice", "bob")
    line.register(until=5.0)
    line.agent.unregister("alice", now=line.now)
    line.run(5.0 + 3 * IDLE_TIME)
    assert closed(line) == []
    assert line.status("bob").state is State.REGISTERED


def test_a_connection_over_which_everybody_was_refused_is_closed() -> None:
    line = line_of("alice", script=[404])
    line.register(until=1.0)
    assert line.status().state is State.REJECTED
    line.run(2 * IDLE_TIME)
    assert len(closed(line)) == 1


def test_a_request_under_way_keeps_the_connection() -> None:
    line = line_of("alice", "bob", script=[404, None])
    line.register("alice", until=10.0)
    line.register("bob", until=10.0 + IDLE_TIME - 1.0)
    assert closed(line) == [], "bob's request is not answered yet"
