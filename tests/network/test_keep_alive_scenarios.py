"""Keep-alives on connections: a CRLF CRLF when nothing was sent for a while, and none that was not asked for."""

from __future__ import annotations

from random import Random

import pytest

from sipcore.commands import Transmit
from sipcore.config import Account, Transport
from sipcore.errors import ConfigError
from sipcore.profiles import ASTERISK, SIPCORE, Profile
from sipcore.replay import RecordingAgent, checkpoint, play, read, restore
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, ScriptedPeer, Station, World, ok
from tests.accounts import TCP, account
from tests.registration.lines import every_profile, reload

PING = b"\r\n\r\n"


def grants(request: Request) -> Answer | int:
    return 200 if request.get("expires") == "0" else ok(3600)


def kept(*names: str, interval: float | None, profile: Profile = SIPCORE, transport: Transport = TCP) -> list[Account]:
    """Accounts over one connection."""
    return [
        account(name, transport=transport, profile=profile, max_random_initial_delay=0, keep_alive_interval=interval)
        for name in names
    ]


def pings(line: Line, until: float | None = None) -> list[float]:
    """When keep-alives were sent so far."""
    line.run(until)
    outputs = line.station.outputs
    return [item.at for item in outputs if isinstance(item.output, Transmit) and item.output.data == PING]


def last_request(line: Line) -> float:
    return line.peer.received[-1].at


@every_profile
def test_an_idle_connection_gets_one_every_interval(profile: Profile) -> None:
    line = Line(*kept("alice", interval=30.0, profile=profile), script=[grants])
    line.register(until=2.0)
    at = last_request(line)
    assert pings(line, until=at + 29.999) == []
    assert pings(line, until=at + 30.0) == [at + 30.0]
    assert pings(line, until=at + 100.0) == [at + 30.0, at + 60.0, at + 90.0]
    assert line.status().registered
    assert len(line.station.connections) == 1


@every_profile
@pytest.mark.parametrize("interval", [None, 0])
def test_none_is_sent_unless_asked_for(profile: Profile, interval: int | None) -> None:
    line = Line(*kept("alice", interval=interval, profile=profile), script=[grants])
    line.register(until=2.0)
    assert pings(line, until=400.0) == []


def test_datagrams_get_none() -> None:
    line = Line(*kept("alice", interval=30.0, transport=Transport()), script=[grants])
    line.register(until=2.0)
    assert pings(line, until=200.0) == []


def test_a_connection_in_use_is_left_alone() -> None:
    line = Line(*kept("alice", interval=30.0), script=[grants])
    line.register(until=2.0)
    line.run(until=20.0)
    line.agent.register("alice", now=line.now)
    assert pings(line, until=49.9) == []
    assert pings(line, until=50.0) == [50.0]


def test_many_registrations_on_one_connection_share_its_keep_alives() -> None:
    line = Line(*kept("alice", "bob", "carol", interval=30.0), script=[grants])
    line.register(until=2.0)
    assert len(line.station.connections) == 1
    assert pings(line, until=100.0) == [30.0, 60.0, 90.0]


def test_the_shortest_interval_counts_as_long_as_its_registration_is_there() -> None:
    line = Line(*kept("alice", interval=60.0), *kept("bob", interval=20.0), script=[grants])
    line.register(until=2.0)
    assert pings(line, until=45.0) == [20.0, 40.0]
    line.agent.remove("bob", now=line.now)  # sent at 45, which is as good as a keep-alive
    assert pings(line, until=104.9) == [20.0, 40.0]
    assert pings(line, until=105.0) == [20.0, 40.0, 105.0]


def test_a_missing_answer_closes_nothing() -> None:
    """Not every server answers, and Asterisk does not look."""
    line = Line(*kept("alice", interval=30.0, profile=ASTERISK), script=[grants])
    line.register(until=2.0)
    line.station.connections[0].lose()
    assert len(pings(line, until=100.0)) == 3
    assert len(line.station.connections) == 1


def test_they_end_with_the_connection_and_begin_with_the_next() -> None:
    line = Line(*kept("alice", interval=30.0), script=[grants])
    line.register(until=2.0)
    line.run(until=40.0)
    line.peer.close("connection reset")
    line.run(until=45.0)
    assert len(line.peer.requests) == 2
    at = last_request(line)
    assert pings(line, until=at + 31.0) == [30.0, at + 30.0]
    line.agent.close(now=line.now)
    line.run(until=80.0)
    assert line.agent.closed
    assert line.agent.next_deadline() is None


def test_a_reload_changes_the_interval_and_sends_nothing() -> None:
    line = Line(*kept("alice", interval=None), script=[grants])
    line.register(until=10.0)
    line.sent()
    reload(line, *kept("alice", interval=30.0))
    assert line.sent(until=29.9) == []
    assert pings(line, until=30.0) == [30.0]
    reload(line, *kept("alice", interval=5.0))
    assert pings(line, until=41.0) == [30.0, 35.0, 40.0]
    reload(line, *kept("alice", interval=None))
    assert pings(line, until=400.0) == [30.0, 35.0, 40.0]
    assert line.sent() == []


@pytest.mark.parametrize("value", [-1, 0.5, "90", True, float("nan"), float("inf")])
def test_what_is_no_interval_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="keep_alive_interval"):
        Account("sip:alice@example.com", keep_alive_interval=value)  # type: ignore[arg-type]  # it is refused


def test_recordings_and_checkpoints_hold_them() -> None:
    world = World()
    world.name("example.com", "192.0.2.1")
    agent = RecordingAgent(kept("alice", interval=30.0), random=Random(1), now=0.0)
    station = Station(world, agent)
    ScriptedPeer(world, ("192.0.2.1", 5060), [grants])
    agent.register("alice", now=0.0)
    world.run(100.0)
    assert sum(isinstance(item.output, Transmit) and item.output.data == PING for item in station.outputs) == 3
    played = list(play(read(agent.dump(wall=(0.0, 0.0)))))
    assert len(played) > 10
    assert [item.difference for item in played if item.difference is not None] == []
    # What is due next is in an image, too.
    other = restore(checkpoint(agent), random=Random(1))
    assert other.next_deadline() == agent.next_deadline() == 120.0

