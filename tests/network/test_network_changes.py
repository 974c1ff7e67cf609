"""The host's addresses change: nothing from before is trusted, and old connections end when nobody needs them."""

from __future__ import annotations

from random import Random

import pytest

from sipcore.agent import UserAgent
from sipcore.commands import CloseFlow, Command, OpenFlow, Record, Resolve, Transmit
from sipcore.events import Event, MessageDropped
from sipcore.network.idle import IDLE_TIME
from sipcore.syntax.message import Request, parse_message
from sipcore.testing import REGISTRAR, Answer, Line, ok
from sipcore.values import Protocol, RecordKind
from tests.accounts import TCP, account


def outputs(agent: UserAgent) -> list[Command | Event]:
    found = []
    while (output := agent.next_output()) is not None:
        found.append(output)
    return found


def asked(found: list[Command | Event], kind: RecordKind) -> list[Resolve]:
    return [item for item in found if isinstance(item, Resolve) and item.kind is kind]


def request(found: list[Command | Event]) -> Request:
    [data] = [item.data for item in found if isinstance(item, Transmit)]
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize("kind", [RecordKind.SOURCE, RecordKind.A], ids=str)
def test_an_answer_from_before_the_change_is_used_once_and_not_kept(kind: RecordKind) -> None:
    """It was measured on a network that is gone."""
    literal = kind is RecordKind.SOURCE
    agent = UserAgent([account(registrar="sip:192.0.2.1" if literal else None)], random=Random(1), now=0.0)
    agent.register("alice", now=0.0)
    agent.handle_deadline(now=0.0)
    found = outputs(agent)
    if literal:
        [flow] = [item.flow for item in found if isinstance(item, OpenFlow)]
        agent.flow_opened(flow, ("0.0.0.0", 40000), now=0.0)
        found = outputs(agent)
    [query] = asked(found, kind)
    agent.network_changed(now=0.1)
    agent.resolved(query.query, [Record("192.0.2.77", 3600.0)], now=0.2)
    assert agent.network.resolver.look(query.name, kind, 0.3) is None
    if literal:
        contact = request(outputs(agent)).get("contact")
        assert contact == "<sip:alice@192.0.2.77:40000>"


@pytest.mark.requirement("RFC3261-8.1.1.8-01")
@pytest.mark.parametrize("wrong", ["0.0.0.0", "::", "0:0::0", "localhost", "", "192.0.2.1\r\nX: y", "[2001:db8::1]"])
def test_a_local_address_that_is_none_never_reaches_a_request(wrong: str) -> None:
    agent = UserAgent([account(registrar="sip:192.0.2.1")], random=Random(1), now=0.0)
    agent.register("alice", now=0.0)
    agent.handle_deadline(now=0.0)
    [flow] = [item.flow for item in outputs(agent) if isinstance(item, OpenFlow)]
    agent.flow_opened(flow, ("0.0.0.0", 40000), now=0.0)
    [query] = asked(outputs(agent), RecordKind.SOURCE)
    agent.resolved(query.query, [Record(wrong), Record("192.0.2.10")], now=0.1)
    register = request(outputs(agent))
    assert register.get("contact") == "<sip:alice@192.0.2.10:40000>"
    assert register.via.host == "192.0.2.10"


@pytest.mark.parametrize("wrong", ["0.0.0.0", "example.com", ""])
def test_an_answer_without_a_usable_address_is_no_answer(wrong: str) -> None:
    agent = UserAgent([account()], random=Random(1), now=0.0)
    agent.register("alice", now=0.0)
    agent.handle_deadline(now=0.0)
    for query in outputs(agent):
        assert isinstance(query, Resolve)
        agent.resolved(query.query, [Record(wrong)], now=0.1)
    assert not any(isinstance(item, OpenFlow | Transmit) for item in outputs(agent))
    cause = agent.status("alice").cause
    assert cause is not None
    assert "no address" in cause.detail


@pytest.mark.requirement("RFC3261-18-02")
def test_new_connections_are_opened_and_the_old_ones_closed_when_idle() -> None:
    line = Line(account(transport=TCP), script=[ok(3600)])
    line.register(until=5.0)
    line.sent()
    line.station.ipv4 = "192.0.2.77"
    line.agent.network_changed(now=line.now)
    [register] = line.sent(until=5.0)
    assert register.values("contact") == [
        "<sip:alice@192.0.2.77:40001;transport=TCP>",
        "<sip:alice@192.0.2.10:40000;transport=TCP>;expires=0",
    ]
    assert line.status().flow == 2
    line.run(until=5.0 + IDLE_TIME + 2.0)
    assert [item.output for item in line.station.outputs if isinstance(item.output, CloseFlow)] == [CloseFlow(flow=1)]
    assert len(line.sent(until=2900.0)) == 0


def test_a_request_in_flight_on_an_old_connection_is_still_answered() -> None:
    line = Line(account(transport=TCP), script=[Answer(200, contact="{contact};expires=3600", delay=3.0), ok(3600)])
    line.register(until=1.0)
    line.agent.network_changed(now=line.now)
    line.run(until=10.0)
    assert line.status().registered
    assert line.status().flow == 2
    assert len(line.peer.requests) == 2


@pytest.mark.requirement("RFC5954-4.2-01")
@pytest.mark.parametrize("literal", ["[2001:DB8::1]", "[2001:db8:0:0:0:0:0:1]", "[2001:0db8::0001]"])
@pytest.mark.parametrize("transport", [None, TCP], ids=["UDP", "TCP"])
def test_an_ipv6_address_in_any_spelling_is_the_same_host(literal: str, transport: object) -> None:
    """The system names the source of a response in its own spelling."""
    line = Line(account(registrar=f"sip:{literal}", transport=transport))
    line.serve(("2001:db8::1", REGISTRAR[1]), ok(3600))
    line.register(until=40.0)
    assert line.status().registered
    assert line.status().server == "[2001:db8::1]:5060"
    assert line.told(MessageDropped) == []


def test_addresses_of_a_resolver_in_any_spelling_are_the_same_host() -> None:
    line = Line(account(registrar="sip:six.example.net"))
    line.world.name("six.example.net", "2001:DB8:0::1")
    line.serve(("2001:db8::1", REGISTRAR[1]), ok(3600))
    line.register(until=40.0)
    assert line.status().registered
    assert line.status().transport is Protocol.UDP
