"""Connections that peers open are bounded, and what comes too early or too late harms nobody."""

from __future__ import annotations

from random import Random

import pytest

from sipcore import endpoint
from sipcore.agent import UserAgent
from sipcore.commands import CloseFlow, Transmit
from sipcore.config import Transport
from sipcore.endpoint import ACCEPTED_IDLE
from sipcore.events import MessageDropped
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.values import Protocol
from tests.accounts import account

LOCAL = ("192.0.2.10", 5070)
LISTENING = Transport(protocol=Protocol.TCP, local=LOCAL, listen=True)


class Agent:
    """A user agent with a listener, and room for three connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int = 3) -> None:
        monkeypatch.setattr(endpoint, "MAX_ACCEPTED", room)
        self.agent = UserAgent([account(transport=LISTENING)], random=Random(1), now=0.0)
        self.agent.listening(1, LOCAL, now=0.0)
        self.ports = 1000
        self.outputs: list[object] = []

    def accept(self, now: float) -> int:
        self.ports += 1
        flow = self.agent.flow_accepted(1, LOCAL, ("198.51.100.1", self.ports), now=now)
        while (output := self.agent.next_output()) is not None:
            self.outputs.append(output)
        return flow

    def closed(self) -> list[int]:
        return [item.flow for item in self.outputs if isinstance(item, CloseFlow)]


def test_a_user_agent_takes_no_more_connections_than_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = Agent(monkeypatch)
    flows = [peers.accept(0.0) for _ in range(5)]
    assert peers.closed() == flows[3:]
    assert set(peers.agent.flows) == set(flows[:3])
    assert [item.cause for item in peers.outputs if isinstance(item, MessageDropped)] == ["too many connections"] * 2


def test_a_silent_connection_makes_room_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = Agent(monkeypatch)
    first, second, third = (peers.accept(0.0) for _ in range(3))
    refused = peers.accept(ACCEPTED_IDLE - 0.1)
    assert peers.closed() == [refused]
    taken = peers.accept(ACCEPTED_IDLE)
    assert len(peers.closed()) == 2
    assert taken in peers.agent.flows
    assert len({first, second, third} & set(peers.agent.flows)) == 2


def test_a_busy_connection_does_not_hide_the_silent_ones_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one peer that keeps its connection alive would keep everybody else out."""
    peers = Agent(monkeypatch, room=20)
    flows = [peers.accept(0.0) for _ in range(20)]
    for busy in flows[:19]:
        peers.agent.receive(busy, b"\r\n\r\n", now=ACCEPTED_IDLE)
    answers = [peers.accept(ACCEPTED_IDLE + step) in peers.agent.flows for step in range(4)]
    assert any(answers), "each look goes on behind the connections that were found busy"
    assert flows[19] in peers.closed()
    assert not set(flows[:19]) & set(peers.closed())


def test_a_connection_that_ended_leaves_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = Agent(monkeypatch)
    flows = [peers.accept(0.0) for _ in range(3)]
    peers.agent.flow_closed(flows[1], now=1.0)
    taken = peers.accept(1.0)
    assert peers.closed() == []
    assert taken in peers.agent.flows


REGISTER = (
    b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\nFrom: <sip:x@y>;tag=1\r\n"
    b"To: <sip:x@y>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContact: <sip:x@192.0.2.7>\r\nContent-Length: 0\r\n\r\n"
)


def test_what_arrives_before_the_flow_is_open_is_ignored() -> None:
    """There is no local address yet that an answer could name."""
    registrar = Registrar(
        [(Protocol.UDP, ("192.0.2.1", 5060))],
        {},
        policy=RegistrarPolicy(require_authentication=False),
        random=Random(1),
        now=0.0,
    )

    def sent() -> list[bytes]:
        found = []
        while (output := registrar.next_output()) is not None:
            if isinstance(output, Transmit):
                found.append(output.data)
        return found

    sent()
    [flow] = registrar.flows
    registrar.receive(flow, REGISTER, ("192.0.2.7", 5060), now=0.1)
    assert sent() == []
    registrar.flow_opened(flow, ("192.0.2.1", 5060), now=0.2)
    registrar.receive(flow, REGISTER, ("192.0.2.7", 5060), now=0.3)
    [answer] = sent()
    assert answer.startswith(b"SIP/2.0 200 ")
