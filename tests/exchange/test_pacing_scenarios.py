"""Many registrations at once: a burst that the registrar and our own socket can swallow, refreshes first."""

from __future__ import annotations

import pytest

from sipcore.config import Account
from sipcore.network.pacing import WINDOW
from sipcore.testing import REGISTRAR, Answer, Line, Pair, challenge, ok
from tests.accounts import TCP, account
from tests.secrecy import PASSWORD

T1 = 0.5


def accounts(count: int, prefix: str = "user", **options: object) -> list[Account]:
    return [account(f"{prefix}{n}", **options) for n in range(count)]


def most_in_flight(line: Line) -> int:
    """The greatest number of requests that were unanswered and younger than T1 at one time."""
    starts = [(item.at, item.request.via.branch) for item in line.peer.received if not item.copy]
    greatest = 0
    for at, _ in starts:
        young = [branch for start, branch in starts if start <= at < start + T1]
        greatest = max(greatest, len(young))
    return greatest


def test_at_most_64_are_in_flight_and_young() -> None:
    line = Line(*accounts(1000))
    line.register(until=20.0)
    requests = [item for item in line.peer.received if not item.copy]
    assert len(requests) == 1000
    assert most_in_flight(line) == WINDOW == 64
    # A silent registrar is sent a window each T1, no more and no less.
    assert [sum(1 for item in requests if item.at == step * T1) for step in range(15)] == [64] * 15


@pytest.mark.parametrize("transport", [None, TCP], ids=["UDP", "TCP"])
def test_a_quick_registrar_is_served_at_its_own_speed(transport: object) -> None:
    line = Line(*accounts(1000, transport=transport), script=[ok(3600)])
    line.wire.latency = 0.005
    line.register(until=10.0)
    last = max(item.at for item in line.peer.received)
    assert all(status.registered for status in line.agent.statuses())
    # One window for each round trip of 10 ms, and a little for the name and the connection.
    assert last < 1000 / WINDOW * 0.01 + 0.05
    assert not any(item.copy for item in line.peer.received)


def test_with_challenges_the_second_request_does_not_queue_behind_others() -> None:
    line = Line(*accounts(500), script=[lambda request: ok(3600) if request.get("authorization") else challenge()])
    line.wire.latency = 0.005
    line.register(until=10.0)
    assert all(status.registered for status in line.agent.statuses())
    assert most_waiting(line) <= 0.05


def most_waiting(line: Line) -> float:
    """The longest time between a registration's challenge and its answer."""
    first: dict[str, float] = {}
    longest = 0.0
    for item in line.peer.received:
        longest = max(longest, item.at - first.setdefault(item.request.call_id, item.at))
    return longest


def test_refreshes_go_before_first_registrations() -> None:
    """A binding that exists is worth more than one that does not yet."""
    line = Line(*accounts(300, "old"), script=[ok(3600)])
    line.wire.latency = 0.01
    line.register(until=5.0)
    for new in accounts(300, "new"):
        line.agent.add(new, now=line.now)
    received = len(line.peer.received)
    for name in sorted(line.agent.names()):  # the new ones first
        line.agent.register(name, now=line.now)
    line.run(until=10.0)
    order = [str(item.request.to.uri.user)[:3] for item in line.peer.received[received:]]
    assert len(order) == 600
    # What was in the window already cannot be called back.
    assert "old" not in order[:64]
    assert order[64:364] == ["old"] * 300
    assert order[364:] == ["new"] * 236


def test_each_registrar_has_a_window_of_its_own() -> None:
    line = Line(*accounts(100), *accounts(100, "other", registrar="sip:192.0.2.2"))
    second = line.serve(("192.0.2.2", 5060))
    line.register()
    assert len(line.peer.received) == len(second.received) == WINDOW


def test_a_slow_registrar_does_not_hold_up_another() -> None:
    line = Line(*accounts(200), *accounts(200, "other", registrar="sip:192.0.2.2"), script=[None])
    line.serve(("192.0.2.2", 5060), ok(3600))
    line.register()
    assert sum(status.registered for status in line.agent.statuses()) == 200


def test_all_register_though_every_third_datagram_is_lost() -> None:
    line = Line(*accounts(300), script=[ok(3600)])
    line.wire.loss = 0.33
    line.wire.latency = 0.02
    line.register(until=60.0)
    assert all(status.registered for status in line.agent.statuses())


def test_lost_doubled_and_late_datagrams_with_digest() -> None:
    pair = Pair(*accounts(100), users={f"user{n}": PASSWORD for n in range(100)})
    wire = pair.world.wire
    wire.loss, wire.duplication, wire.latency, wire.jitter = 0.2, 0.2, 0.02, 0.2
    pair.register(until=120.0)
    assert all(status.registered for status in pair.agent.statuses())
    assert all(len(pair.registrar.bindings(f"sip:user{n}@example.com")) == 1 for n in range(100))


def test_unregistering_a_thousand_is_paced_too() -> None:
    line = Line(*accounts(1000), script=[ok(3600)])
    line.register(until=10.0)
    received = len(line.peer.received)
    line.peer.answer(Answer(200, delay=0.01))
    line.agent.close(now=line.now)
    line.run()
    assert len(line.peer.received) - received == WINDOW
    line.run(until=11.0)
    assert len(line.peer.received) - received == 1000
    assert line.agent.closed


def test_one_connection_serves_all() -> None:
    line = Line(*accounts(1000, transport=TCP), script=[ok(3600)])
    line.register(until=1.0)
    assert len(line.peer.connections) == 1
    assert len(line.station.flows) == 1


def test_one_question_serves_all() -> None:
    line = Line(*accounts(1000), script=[ok(3600)])
    line.world.resolve_delay = 0.1
    line.register(until=10.0)
    questions = [item for item in line.station.outputs if type(item.output).__name__ == "Resolve"]
    # A, AAAA and the local address towards the registrar.
    assert len(questions) == 3
    assert all(status.server == f"{REGISTRAR[0]}:{REGISTRAR[1]}" for status in line.agent.statuses())
