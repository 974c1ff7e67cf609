"""Connections that come, go, break, say nothing or are shared; sockets that cannot be had."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from sipcore.commands import CloseFlow, OpenFlow
from sipcore.events import FlowLost, Rejected, StatusChanged, Unregistered
from sipcore.testing import REGISTRAR, Answer, Line, challenge, ok
from sipcore.values import State
from tests.accounts import T1_100, TCP, account

SECOND = ("192.0.2.2", 5060)


def up(*users: str, **options: Any) -> Line:
    line = Line(*[account(user, **{"transport": TCP, **options}) for user in users or ("alice",)], script=[ok(100)])
    line.register(until=2.0)
    assert all(status.registered for status in line.agent.statuses())
    line.sent()
    line.told()
    return line


# --- opening --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-18.4-02", "RFC3261-8.1.3.1-01")
def test_a_refused_connection_is_a_failure_at_once() -> None:
    line = Line(account(transport=TCP))
    line.peer.refuses_connections = True
    line.register()
    [rejected] = line.told(Rejected)
    assert rejected.cause.detail == "no connection: connection refused"
    assert rejected.cause.server == "192.0.2.1:5060"
    assert rejected.retry_at is not None
    assert 30.0 <= rejected.retry_at <= 60.0


@pytest.mark.requirement("RFC3261-18.4-02", "RFC3263-4.3-01")
def test_a_refused_connection_leads_to_the_next_address() -> None:
    line = Line(account(transport=TCP))
    line.world.name("example.com", REGISTRAR[0], SECOND[0])
    line.peer.refuses_connections = True
    second = line.serve(SECOND, ok(100))
    line.register()
    assert len(second.requests) == 1
    assert line.status().registered


def test_a_connection_that_does_not_open_is_given_up_after_timer_f() -> None:
    line = Line(account(transport=TCP))
    line.peer.ignores_connections = True
    line.register(until=31.999)
    assert line.told() == []
    [rejected] = line.told(Rejected, until=32.0)
    assert rejected.cause.detail == "no connection: no connection in time"
    opened = [item.output for item in line.station.outputs if isinstance(item.output, OpenFlow)]
    closed = [item.output.flow for item in line.station.outputs if isinstance(item.output, CloseFlow)]
    assert closed == [opened[0].flow]


def test_after_a_failed_connection_the_next_attempt_opens_another() -> None:
    line = Line(account(transport=TCP), script=[ok(100)])
    line.peer.refuses_connections = True
    line.register(until=1.0)
    line.peer.refuses_connections = False
    line.run(until=61.0)
    assert line.status().registered


def test_a_socket_that_cannot_be_bound_says_so() -> None:
    line = Line(account())
    line.station.binding_fails = "address already in use"
    line.register()
    [rejected] = line.told(Rejected)
    assert "address already in use" in rejected.cause.detail
    line.station.binding_fails = None
    line.peer.answer(ok(100))
    line.run(until=61.0)
    assert line.status().registered


def test_no_route_says_so() -> None:
    line = Line(account())
    line.station.ipv4 = None
    line.register()
    [rejected] = line.told(Rejected)
    assert "network is unreachable" in rejected.cause.detail


@pytest.mark.requirement("RFC7984-3.1-01", "RFC3263-4.3-01")
@pytest.mark.parametrize("transport", [None, TCP], ids=["UDP", "TCP"])
def test_a_host_without_ipv4_goes_on_with_ipv6(transport: Any) -> None:
    line = Line(account(transport=transport))
    line.world.name("example.com", "192.0.2.1", "2001:db8::1")
    peer = line.serve(("2001:db8::1", 5060), ok(100))
    line.station.ipv4 = None
    line.register()
    assert len(peer.requests) == 1
    assert line.status().registered


@pytest.mark.requirement("RFC3261-18.4-01", "RFC3261-17.1.4-01")
def test_a_datagram_that_cannot_be_sent_fails_the_request_and_not_the_socket() -> None:
    line = Line(account(), account("bob", registrar="sip:192.0.2.2"))
    line.serve(SECOND, ok(100))
    line.station.transmitting_fails[REGISTRAR] = "port unreachable"
    line.register()
    [rejected] = line.told(Rejected)
    assert rejected.name == "alice"
    assert "port unreachable" in rejected.cause.detail
    assert line.status("bob").registered
    line.run(until=100.0)
    assert len(line.station.flows) == 1


@pytest.mark.requirement("RFC3261-18.4-02")
def test_a_socket_that_ends_while_the_local_address_is_asked_for_fails_the_attempt() -> None:
    line = Line(account(registrar="sip:192.0.2.1"), script=[ok(100)])
    line.world.resolve_delay = 1.0
    line.register(until=0.5)
    line.station.break_flow(line.station.flows[0], "socket error")
    [rejected] = line.told(Rejected, until=1.0)
    assert "no connection" in rejected.cause.detail
    line.run(until=61.0)
    assert line.status().registered


# --- losing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, "connection reset"])
def test_a_lost_connection_is_told_and_every_binding_on_it_is_made_again(error: str | None) -> None:
    line = up("alice", "bob", "carol")
    line.peer.close(error)
    line.run(until=2.5)
    [lost] = line.told(FlowLost)
    assert lost.names == ("alice", "bob", "carol")
    assert lost.error == (error or "closed by the peer")
    assert lost.remote == REGISTRAR
    assert len(line.sent()) == 3
    assert len(line.peer.connections) == 1
    assert all(status.registered for status in line.agent.statuses())


def test_a_lost_connection_does_not_end_the_status_before_the_binding_does() -> None:
    line = up()
    line.peer.refuses_connections = True
    line.peer.close()
    line.run(until=99.0)
    assert line.status().state is State.REGISTERED
    assert line.status().flow is None
    assert line.told(Unregistered, until=99.9) == []
    assert len(line.told(Unregistered, until=100.0)) == 1


def test_a_registrar_that_closes_after_each_answer_is_not_stormed() -> None:
    line = Line(account(transport=TCP), script=[Answer(200, contact="{contact};expires=100", close=True)])
    line.register(until=60.0)
    times = [item.at for item in line.peer.received]
    assert len(times) <= 61
    assert all(after - before >= 1.0 - 1e-9 for before, after in pairwise(times))


@pytest.mark.requirement("RFC3261-17.1.4-01", "RFC3261-8.1.3.1-01")
def test_a_connection_that_is_lost_in_flight_fails_the_attempt() -> None:
    line = Line(account(transport=TCP))
    line.register(until=1.0)
    line.peer.close("connection reset")
    [rejected] = line.told(Rejected, until=1.5)
    assert rejected.cause.detail == "no connection: connection reset"


@pytest.mark.requirement("RFC5923-8.1-03")
def test_a_refresh_after_the_connection_was_lost_opens_another() -> None:
    line = up()
    line.station.break_flow(line.station.flows[0])
    line.run(until=5.0)
    assert len(line.sent()) == 1
    assert line.status().registered
    assert line.status().flow == 2


@pytest.mark.requirement("RFC3261-10.2.4-06")
def test_a_lost_udp_socket_is_bound_again() -> None:
    line = Line(account(), account("bob"), script=[ok(100)])
    line.register(until=2.0)
    line.station.break_flow(line.station.flows[0], "socket error")
    line.run(until=3.0)
    [lost] = line.told(FlowLost)
    assert (lost.names, lost.error) == (("alice", "bob"), "socket error")
    assert {status.flow for status in line.agent.statuses()} == {2}
    # The new socket has another port, so the binding moves.
    assert line.peer.requests[-1].values("contact") == [
        "<sip:bob@192.0.2.10:40001>",
        "<sip:bob@192.0.2.10:40000>;expires=0",
    ]


# --- sharing --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-18.1.1-07")
def test_accounts_share_a_connection() -> None:
    line = up("alice", "bob")
    assert len(line.peer.connections) == 1
    assert {status.flow for status in line.agent.statuses()} == {1}


def test_a_mute_account_does_not_cut_the_others() -> None:
    """One is never answered on the connection on which all the others are."""
    line = Line(
        *[account(user, transport=TCP) for user in ("alice", "bob", "mute")],
        script=[lambda request: None if request.to.uri.user == "mute" else ok(60)],
    )
    line.register(until=400.0)
    assert line.told(FlowLost) == []
    assert len(line.peer.connections) == 1
    assert line.status("alice").registered
    assert line.status("bob").registered
    assert line.status("mute").state is State.UNREGISTERED
    assert "no answer" in str(line.status("mute").cause)


def test_a_connection_on_which_nothing_came_is_closed_and_another_is_opened() -> None:
    line = up("alice", "bob", timing=T1_100)
    line.peer.answer(None)
    due = min(status.next_attempt_at or 0.0 for status in line.agent.statuses())
    line.run(until=due + 6.5)
    [lost] = line.told(FlowLost)
    assert lost.error == "nothing arrived on the connection"
    line.peer.answer(ok(100))
    line.run(until=due + 12.0)
    assert all(status.registered for status in line.agent.statuses())
    assert len(line.peer.connections) == 1


@pytest.mark.requirement("RFC5626-4.4.1-04")
def test_a_keep_alive_is_a_sign_of_life() -> None:
    line = up(timing=T1_100)
    line.peer.answer(None)
    due = line.status().next_attempt_at or 0.0
    line.run(until=due + 1.0)
    line.peer.connections[0].send(b"\r\n")
    line.run(until=due + 7.0)
    assert line.told(FlowLost) == []


@pytest.mark.requirement("RFC3261-18.3-03")
@pytest.mark.parametrize("seed", range(5))
def test_a_stream_that_arrives_in_pieces_is_the_same_stream(seed: int) -> None:
    def run(cut: bool) -> list[object]:
        line = Line(*[account(f"user{n}", transport=TCP) for n in range(20)], script=[challenge(), ok(100)], seed=seed)
        line.peer.answer(*[step for _ in range(20) for step in (challenge(nonce="n"),)], ok(100))
        line.wire.cut = cut
        line.register(until=300.0)
        return [(item.at, item.output) for item in line.station.outputs]

    assert run(cut=True) == run(cut=False)


def test_a_stream_that_is_no_sip_is_closed_and_opened_again() -> None:
    line = up()
    line.peer.connections[0].send(b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n")
    line.run(until=3.0)
    [lost] = line.told(FlowLost)
    assert "Content-Length" in str(lost.error) or "malformed" in str(lost.error)
    assert line.status().registered
    assert line.status().flow == 2


def test_a_message_that_is_never_finished_ends_the_connection() -> None:
    line = up()
    line.peer.connections[0].send(b"OPTIONS sip:alice@192.0.2.10 SIP/2.0\r\nVia: ")
    assert line.told(FlowLost, until=33.9) == []
    [lost] = line.told(FlowLost, until=34.0)
    assert lost.error == "incomplete message"


@pytest.mark.requirement("RFC3261-18-02")
def test_a_connection_that_served_a_failed_attempt_is_closed_when_it_is_idle() -> None:
    line = Line(account(transport=TCP), script=[403])
    line.register(until=31.9)
    assert len(line.peer.connections) == 1
    line.run(until=40.0)
    assert line.peer.connections == []
    line.peer.answer(ok(100))
    line.register()
    assert len(line.peer.connections) == 1
    assert line.status().registered


def test_no_flow_is_left_when_nobody_uses_it() -> None:
    line = up()
    line.peer.answer(200)
    line.agent.unregister("alice", now=line.now)
    line.run(until=100.0)
    assert line.station.flows == ()
    assert line.told(FlowLost) == []
    assert line.told(StatusChanged) == []


@pytest.mark.requirement("RFC5626-5.4-01", "RFC5626-4.4.1-01")
def test_a_ping_of_the_server_is_not_answered_on_a_connection_of_ours_and_disturbs_nothing() -> None:
    line = up()
    line.peer.connections[0].send(b"\r\n\r\n\r\n\r\n")
    line.run(until=3.0)
    assert line.told() == []
    assert line.status().registered
