"""Listeners: Contact names their port, they come with their first account and go with their last."""

from __future__ import annotations

from random import Random

import pytest

from sipcore.agent import UserAgent
from sipcore.commands import CloseListener, Command, Listen, OpenFlow, Transmit
from sipcore.config import Transport
from sipcore.events import Event
from sipcore.syntax.message import Request, parse_message
from sipcore.testing import Line, ok
from sipcore.values import Protocol
from tests.accounts import TCP, account
from tests.registration.lines import reload

LISTENING = Transport(protocol=Protocol.TCP, local=("192.0.2.10", 5070), listen=True)
ANY_PORT = Transport(protocol=Protocol.TCP, local=("192.0.2.10", 0), listen=True)


def put(line: Line, kind: type[Listen] | type[CloseListener]) -> list[object]:
    return [item.output for item in line.station.outputs if isinstance(item.output, kind)]


def answering(*names: str, transport: Transport = LISTENING) -> Line:
    accounts = [account(name, transport=transport) for name in names]
    line = Line(*accounts, script=[lambda request: 200 if request.get("expires") == "0" else ok(3600)])
    line.register(until=5.0)
    line.sent()
    return line


def test_a_listener_that_is_ready_late_gets_into_the_contact_by_another_register() -> None:
    agent = UserAgent([account(transport=ANY_PORT, registrar="sip:192.0.2.1")], random=Random(1), now=0.0)

    def outputs() -> list[Command | Event]:
        found = []
        while (output := agent.next_output()) is not None:
            found.append(output)
        return found

    def answer(found: list[Command | Event], now: float) -> str:
        [command] = [item for item in found if isinstance(item, Transmit)]
        request = parse_message(command.data)
        assert isinstance(request, Request)
        names = ("via", "from", "to", "call-id", "cseq", "contact")
        lines = [f"{name}: {value}" for name in names for value in request.get_all(name)[:1]]
        text = "\r\n".join(["SIP/2.0 200 OK", *lines, "Expires: 3600", "Content-Length: 0"]) + "\r\n\r\n"
        agent.receive(command.flow, text.encode(), now=now)
        return request.get("contact") or ""

    agent.register("alice", now=0.0)
    agent.handle_deadline(now=0.0)
    found = outputs()
    [listener] = [item.listener for item in found if isinstance(item, Listen)]
    [flow] = [item.flow for item in found if isinstance(item, OpenFlow)]
    agent.flow_opened(flow, ("192.0.2.10", 45678), ("192.0.2.1", 5060), now=0.01)
    assert answer(outputs(), 0.02) == "<sip:alice@192.0.2.10:45678;transport=TCP>"
    agent.listening(listener, ("192.0.2.10", 5999), now=0.03)
    agent.handle_deadline(now=1.01)
    assert answer(outputs(), 1.02) == (
        "<sip:alice@192.0.2.10:5999;transport=TCP>, <sip:alice@192.0.2.10:45678;transport=TCP>;expires=0"
    )


def test_a_listener_that_is_ready_in_the_middle_of_an_attempt_is_in_the_contact_after_it() -> None:
    line = Line(account(transport=ANY_PORT), script=[ok(3600)])
    line.wire.latency = 0.2
    line.register(until=0.0)
    line.run(until=30.0)
    port = line.agent.listeners[1].local[1]
    [binding] = line.status().bindings
    assert binding.uri == f"sip:alice@192.0.2.10:{port};transport=TCP"


def test_a_reload_opens_the_listener_that_its_accounts_want() -> None:
    line = answering("alice", transport=TCP)
    assert put(line, Listen) == []
    reload(line, account(transport=LISTENING))
    line.run(until=20.0)
    assert put(line, Listen) == [Listen(listener=1, protocol=Protocol.TCP, local=("192.0.2.10", 5070))]
    assert line.sent()[-1].values("contact")[0] == "<sip:alice@192.0.2.10:5070;transport=TCP>"
    assert [binding.uri for binding in line.status().bindings] == ["sip:alice@192.0.2.10:5070;transport=TCP"]


@pytest.mark.parametrize("how", ["reload to another", "reload away", "remove"])
def test_a_listener_is_closed_when_its_last_account_is_gone(how: str) -> None:
    line = answering("alice", "bob")
    stays = account("bob", transport=LISTENING)
    reload(line, stays)
    line.run(until=10.0)
    assert put(line, CloseListener) == []
    if how == "reload to another":
        reload(line, account("bob", transport=TCP))
    elif how == "reload away":
        reload(line)
    else:
        line.agent.remove("bob", now=line.now)
    line.run(until=20.0)
    assert put(line, CloseListener) == [CloseListener(listener=1)]
    # The one that comes back gets another.
    reload(line, stays)
    line.run(until=30.0)
    assert len(put(line, Listen)) == 2


def test_close_closes_every_listener_once() -> None:
    line = answering("alice", "bob")
    line.agent.close(now=line.now)
    line.run(until=20.0)
    assert put(line, CloseListener) == [CloseListener(listener=1)]
    assert line.agent.closed
