"""The virtual network: what the wire does, when things happen, and how a broken promise shows."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from sipcore.events import ListenFailed, MessageDropped
from sipcore.server import Registrar
from sipcore.testing import (
    REGISTRAR,
    BrokenContract,
    Connection,
    Datagram,
    Line,
    Pair,
    Station,
    Wire,
    World,
    challenge,
    ok,
)
from sipcore.timers import Timers
from sipcore.values import Protocol
from tests.accounts import TCP, account
from tests.secrecy import PASSWORD

A = ("192.0.2.1", 1)
B = ("192.0.2.2", 2)


class Ear:
    """Whoever listens."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.heard: list[tuple[float, bytes]] = []

    def on_datagram(self, datagram: Datagram) -> None:
        self.heard.append((self.world.now, datagram.data))

    def on_connection(self, connection: Connection) -> Ear:
        return self

    def on_bytes(self, connection: Connection, data: bytes) -> None:
        self.heard.append((self.world.now, data))

    def on_end(self, connection: Connection, error: str | None) -> None:
        self.heard.append((self.world.now, f"end {error}".encode()))


def heard(count: int = 1000, **conditions: Any) -> list[tuple[float, bytes]]:
    world = World(wire=Wire(**conditions))
    ear = world.nodes[B] = Ear(world)
    for number in range(count):
        world.at(float(number), lambda number=number: world.send(str(number).encode(), A, B))  # type: ignore[misc]
    world.run(2.0 * count)
    return ear.heard


# --- the wire -------------------------------------------------------------------------------------------------------


def test_without_conditions_everything_arrives_at_once_and_in_order() -> None:
    assert heard(10) == [(float(number), str(number).encode()) for number in range(10)]


def test_latency_is_a_delay() -> None:
    assert heard(3, latency=0.25) == [(0.25, b"0"), (1.25, b"1"), (2.25, b"2")]


def test_loss_duplication_and_jitter() -> None:
    lossy = heard(loss=0.25)
    assert 680 < len(lossy) < 820
    doubled = heard(duplication=0.25)
    assert 1180 < len(doubled) < 1320
    late = heard(jitter=5.0)
    assert [data for _, data in late] != [data for _, data in heard()]
    assert sorted(int(data) for _, data in late) == list(range(1000))


def test_the_same_seed_gives_the_same_faults() -> None:
    conditions: dict[str, Any] = {"loss": 0.3, "duplication": 0.3, "jitter": 1.0, "latency": 0.1}
    assert heard(**conditions, seed=7) == heard(**conditions, seed=7)
    assert heard(**conditions, seed=7) != heard(**conditions, seed=8)


def test_a_fault_is_a_function() -> None:
    def night(datagram: Datagram, random: Random) -> list[tuple[float, Datagram]]:
        if 2 <= datagram.at < 4:
            return []
        damaged = datagram._replace(data=datagram.data + b"!")
        return [(0.0, damaged), (0.5, datagram)]

    assert heard(6, faults=[night]) == [
        item for number in (0, 1, 4, 5) for item in ((number, b"%d!" % number), (number + 0.5, b"%d" % number))
    ]


@pytest.mark.parametrize("seed", range(10))
def test_a_stream_arrives_whole_and_in_order_however_it_is_cut(seed: int) -> None:
    world = World(wire=Wire(seed=seed, cut=True, latency=0.1, jitter=1.0))
    ear = world.acceptors[B] = Ear(world)
    opened: list[Connection] = []

    def establish(connection: Connection) -> Ear:
        opened.append(connection)
        return ear

    world.connect(A, B, establish, pytest.fail)
    world.run(3.0)
    [connection] = opened
    text = bytes(range(256)) * 4
    connection.send(text[:500])
    connection.send(text[500:])
    connection.close()
    connection.send(b"too late")
    world.run(10.0)
    *pieces, (_, end) = ear.heard
    assert len(pieces) > 2
    assert b"".join(data for _, data in pieces) == text
    assert end == b"end None"


# --- time -----------------------------------------------------------------------------------------------------------


def test_what_arrives_comes_before_deadlines() -> None:
    """An answer at the very moment of timer F is in time."""
    line = Line(account(), script=[ok(60)])
    line.wire.latency = 16.0
    line.register(until=32.0)
    assert line.status().registered


def test_two_who_answer_each_other_for_ever_are_found() -> None:
    world = World()

    class Echo(Ear):
        def on_datagram(self, datagram: Datagram) -> None:
            self.world.send(datagram.data, datagram.destination, datagram.source)

    world.nodes[A] = world.nodes[B] = Echo(world)
    world.send(b"x", A, B)
    with pytest.raises(BrokenContract, match="time stands still"):
        world.run(1.0)


def test_a_deadline_that_stays_in_the_past_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(account())
    monkeypatch.setattr(Timers, "pop", lambda self, now: None)
    line.agent.register("alice", now=0.0)
    with pytest.raises(BrokenContract, match="left a deadline"):
        line.run()


def test_a_transmission_on_a_closed_flow_is_found() -> None:
    line = Line(account())
    line.register()
    flow = line.agent.flows[1]
    line.station.break_flow(1)
    line.run()
    flow.open = True
    line.agent.transmit(flow, b"x", REGISTRAR)
    with pytest.raises(BrokenContract, match="closed"):
        line.run()


# --- hosts ----------------------------------------------------------------------------------------------------------


def test_names_fail_answer_late_or_never() -> None:
    line = Line(account())
    line.world.resolve_delay = 0.2
    line.world.name_fails("example.com", "SERVFAIL")
    line.register(until=0.19)
    assert line.status().cause is None
    line.run(until=0.2)
    assert "SERVFAIL" in str(line.status().cause)


def test_a_port_that_cannot_be_had() -> None:
    world = World()
    registrar = Registrar([(protocol, REGISTRAR) for protocol in Protocol], random=Random(1), now=0.0)
    station = Station(world, registrar, ipv4=REGISTRAR[0])
    station.binding_fails = "address already in use"
    world.run(1.0)
    failed = [item.output for item in station.outputs if isinstance(item.output, ListenFailed)]
    assert [event.error for event in failed] == ["address already in use"] * 2
    assert station.flows == ()


def test_an_unreachable_host_refuses_datagrams_and_connections() -> None:
    for transport in (None, TCP):
        line = Line(account(transport=transport))
        line.world.unreachable[REGISTRAR[0]] = "no route to host"
        line.register()
        assert "no route to host" in str(line.status().cause)


# --- a pair ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", [None, TCP], ids=["UDP", "TCP"])
def test_a_pair_registers_refreshes_and_removes(transport: Any) -> None:
    pair = Pair(account(transport=transport), users={"alice": PASSWORD})
    pair.register()
    assert pair.status().registered
    [binding] = pair.registrar.bindings("sip:alice@example.com")
    assert binding.uri == pair.status().bindings[0].uri
    pair.run(until=10_000.0)
    assert pair.status().registered
    pair.agent.unregister("alice", now=pair.now)
    pair.run()
    assert pair.registrar.bindings("sip:alice@example.com") == ()
    assert not [item for item in pair.client.outputs if isinstance(item.output, MessageDropped)]


def test_a_pair_refuses_a_wrong_password() -> None:
    pair = Pair(account(password=f"{PASSWORD}-wrong"), users={"alice": PASSWORD})
    pair.register(until=1.0)
    assert not pair.status().registered
    assert pair.registrar.bindings("sip:alice@example.com") == ()


def test_a_script_with_challenges_and_a_real_client() -> None:
    line = Line(account(transport=TCP), script=[challenge(), ok(60)])
    line.wire.cut = True
    line.register(until=300.0)
    assert line.status().registered
    assert len(line.peer.connections) == 1
