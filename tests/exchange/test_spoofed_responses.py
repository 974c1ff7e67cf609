"""Responses that are not ours: one identity wrong in each, and nothing happens but that it is told."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from sipcore.events import MessageDropped, StatusChanged
from sipcore.testing import Answer, Line, ok
from sipcore.values import State
from tests.accounts import TCP, account

Edit = Callable[[str], str]


def change(pattern: str, replacement: str) -> Edit:
    def edit(text: str) -> str:
        changed = re.sub(pattern, replacement, text, count=1, flags=re.MULTILINE)
        assert changed != text
        return changed

    return edit


WRONG: dict[str, tuple[Edit, str]] = {
    "branch": (change("branch=z9hG4bK", "branch=z9hG4bKx"), "a response to no request"),
    "no branch": (change(";branch=[^;\r]*", ""), "a response to no request"),
    "sent-by host": (change("UDP 192.0.2.10", "UDP 192.0.2.11"), "a response whose Via is not ours"),
    "sent-by port": (change("192.0.2.10:40000;", "192.0.2.10:40001;"), "a response whose Via is not ours"),
    "no sent-by port": (change("192.0.2.10:40000;", "192.0.2.10;"), "a response whose Via is not ours"),
    "two Vias": (change("^(Via: .*)\r", "\\1\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r"), "more than one Via"),
    "two Vias in one": (change("^Via: (.*?)\r$", "Via: \\1, SIP/2.0/UDP h;branch=z9hG4bKa\r"), "more than one Via"),
    "Call-ID": (change("^Call-ID: ", "Call-ID: x"), "a response with another Call-ID"),
    "Call-ID in upper case": (
        lambda text: re.sub("(?m)^Call-ID: .*$", lambda found: found[0][:9] + found[0][9:].upper(), text),
        "a response with another Call-ID",
    ),
    "CSeq number": (change("^CSeq: ", "CSeq: 1"), "a response with another CSeq"),
    "CSeq method": (change("^(CSeq: .*) REGISTER", r"\1 INVITE"), "a response with another CSeq"),
    "CSeq method in lower case": (change("^(CSeq: .*) REGISTER", r"\1 register"), "a response with another CSeq"),
    "From tag": (change("^(From: .*);tag=", r"\1;tag=0"), "a response with another From"),
    "no From tag": (change("^(From: .*);tag=.*\r", "\\1\r"), "a response with another From"),
    "From URI": (change("^From: <sip:alice", "From: <sip:bob"), "a response with another From"),
    "To URI": (change("^To: <sip:alice", "To: <sip:bob"), "a response with another To"),
    "no Call-ID": (change("^Call-ID: .*\n", ""), "a response with another Call-ID"),
    "no CSeq": (change("^CSeq: .*\n", ""), "malformed header"),
    "no From": (change("^From: .*\n", ""), "malformed header"),
    "no To": (change("^To: .*\n", ""), "malformed header"),
    "no Via": (change("^Via: .*\n", ""), "malformed header"),
}


def wrong_answer(edit: Edit, status: int = 200) -> Answer:
    return Answer(status, contact="{contact};expires=60", edit=lambda data: edit(data.decode()).encode())


@pytest.mark.requirement("RFC3261-17.1.3-01", "RFC3261-8.1.3.3-01", "RFC3261-18.1.2-01")
@pytest.mark.parametrize("status", [200, 403, 100])
@pytest.mark.parametrize("name", WRONG)
def test_a_response_with_one_wrong_identity_has_no_effect(name: str, status: int) -> None:
    """A1: whoever has seen a packet of ours, or sends answers to another one, must not end this one."""
    edit, cause = WRONG[name]
    line = Line(account(), script=[wrong_answer(edit, status)])
    untouched = Line(account())
    line.register(until=31.9)
    untouched.register(until=31.9)
    events = line.told()
    assert [event for event in events if not isinstance(event, MessageDropped)] == []
    drops = [event for event in events if isinstance(event, MessageDropped)]
    assert drops
    assert all(cause in event.cause for event in drops)
    assert sum(event.count for event in drops) == 11
    assert all(event.source == ("192.0.2.1", 5060) for event in drops)
    # Nothing of the other line differs: not a byte, not a moment.
    assert [(item.at, bytes(item.request)) for item in line.peer.received] == [
        (item.at, bytes(item.request)) for item in untouched.peer.received
    ]
    assert line.status().state is State.UNREGISTERED


@pytest.mark.requirement("RFC3581-3-02", "RFC3261-18.1.1-05")
def test_a_response_from_another_host_has_no_effect_and_from_another_port_has() -> None:
    line = Line(account())
    line.register(until=1.0)
    [request, *_] = line.peer.requests
    data = good(line)
    line.serve(("192.0.2.66", 5060)).send(data, ("192.0.2.10", 40000))
    line.run(until=1.1)
    assert [event.cause for event in line.told(MessageDropped)] == ["a response from another address"]
    assert line.status().state is State.UNREGISTERED
    line.serve(("192.0.2.1", 7777)).send(data, ("192.0.2.10", 40000))
    line.run(until=1.2)
    assert line.status().registered
    assert request.cseq.number


def test_a_response_from_another_host_counts_if_the_account_allows_it() -> None:
    line = Line(account(any_source=True))
    line.register(until=1.0)
    line.serve(("192.0.2.66", 5060)).send(good(line), ("192.0.2.10", 40000))
    line.run(until=1.2)
    assert line.status().registered


@pytest.mark.requirement("RFC3261-18.1.1-05")
def test_a_response_over_another_connection_has_no_effect() -> None:
    line = Line(account(transport=TCP), account("bob", transport=TCP, registrar="sip:192.0.2.2"))
    other = line.serve(("192.0.2.2", 5060), None)
    line.register(until=1.0)
    assert len(line.peer.connections) == len(other.connections) == 1
    other.connections[0].send(good(line))
    line.run(until=1.1)
    assert [event.cause for event in line.told(MessageDropped)] == ["a response over another flow"]
    assert not line.status("alice").registered
    line.peer.connections[0].send(good(line))
    line.run(until=1.2)
    assert line.status("alice").registered


def test_the_answer_to_one_registration_does_not_end_another() -> None:
    """The branch of bob's request in the response to alice's."""
    line = Line(account(), account("bob"))
    line.register(until=1.0)
    bob = next(request for request in line.peer.requests if request.to.uri.user == "bob")
    mixed = re.sub(rb"branch=z9hG4bK\w+", b"branch=" + (bob.via.branch or "").encode(), good(line))
    line.peer.send(mixed, ("192.0.2.10", 40000))
    line.run(until=1.1)
    assert [event.cause for event in line.told(MessageDropped)] == ["a response with another Call-ID"]
    assert not any(status.registered for status in line.agent.statuses())


@pytest.mark.requirement("RFC3261-7.2-02")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"\0",
        b"SIP/2.0 200 OK",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"SIP/2.0 099 No\r\n\r\n",
        b"SIP/2.0 700 No\r\n\r\n",
        b"SIP/3.0 200 OK\r\nVia: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\xff" * 2000,
        b"SIP/2.0 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"REGISTER sip:x SIP/2.0\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nVia: \r\n\r\n",
    ],
)
def test_garbage_has_no_effect(data: bytes) -> None:
    line = Line(account(), script=[ok(60)])
    line.register(until=1.0)
    before = line.status()
    line.told()
    line.peer.send(data, ("192.0.2.10", 40000))
    line.run(until=2.0)
    assert line.status() == before
    assert line.told(StatusChanged) == []


@pytest.mark.requirement("RFC3261-18.1.2-02")
def test_a_flood_of_strays_is_counted_and_not_kept() -> None:
    line = Line(account(), script=[ok(60)])
    line.register()
    line.told()
    stray = good(line).replace(b"z9hG4bK", b"z9hG4bKy")
    for port in range(5000):
        line.agent.receive(1, stray, ("198.51.100.1", port + 1000), now=line.now)
    drops = line.told(MessageDropped)
    assert sum(event.count for event in drops) == 5000
    assert len(drops) <= 1025


def good(line: Line) -> bytes:
    """A good response to the first request."""
    return line.peer.write(line.peer.requests[0], ok(60))
