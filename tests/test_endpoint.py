"""The contract between an agent and its driver, on an endpoint that decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.commands import CloseFlow, CloseListener, Listen, OpenFlow, Transmit
from sipcore.endpoint import INCOMPLETE_MESSAGE_TIMEOUT, MAX_PENDING_DROPS, PONG
from sipcore.errors import LocalProtocolError
from sipcore.events import MessageDropped
from sipcore.flows import Flow, FlowUser
from sipcore.syntax.limits import MAX_KEEPALIVES
from sipcore.syntax.message import Request
from sipcore.values import Address, Protocol
from tests.host import Host

REMOTE: Address = ("192.0.2.1", 5060)
HEAD = b"Via: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: c\r\n"
REQUEST = b"OPTIONS sip:a@h SIP/2.0\r\n" + HEAD + b"CSeq: 1 OPTIONS\r\nContent-Length: 3\r\n\r\nabc"
RESPONSE = b"SIP/2.0 200 OK\r\n" + HEAD + b"CSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"


def accepted(host: Host, now: float = 0.0) -> Flow:
    listener = host.listen(Protocol.TCP, ("192.0.2.9", 5062))
    number = host.flow_accepted(listener.id, ("192.0.2.9", 5062), REMOTE, now=now)
    host.outputs()
    return host.flows[number]


def drops(host: Host) -> list[tuple[str, int]]:
    return [(item.cause, item.count) for item in host.outputs() if isinstance(item, MessageDropped)]


# --- clock and queue -----------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-17.1.2.2-09")
def test_the_clock_never_runs_backwards() -> None:
    host = Host()
    assert host.advance(5.0) == 5.0
    assert host.advance(3.0) == 5.0
    host.handle_deadline(now=1.0)
    assert host.now == 5.0


def test_outputs_come_in_order_and_once() -> None:
    host = Host()
    flow = host.opened()
    for number in range(3):
        host.transmit(flow, bytes([number]), REMOTE)
    host.drop("x", flow.id, None)
    host.transmit(flow, b"last", REMOTE)
    kinds = [type(item) for item in host.outputs()]
    assert kinds == [Transmit, Transmit, Transmit, MessageDropped, Transmit]
    assert host.next_output() is None


def test_equal_drops_are_one_until_they_are_fetched() -> None:
    host = Host()
    for source in (REMOTE, REMOTE, ("192.0.2.2", 5060)):
        host.drop("x", 1, source)
    host.drop("y", None, REMOTE)
    found = [(item.cause, item.source, item.count) for item in host.outputs() if isinstance(item, MessageDropped)]
    assert found == [("x", REMOTE, 2), ("x", ("192.0.2.2", 5060), 1), ("y", REMOTE, 1)]
    host.drop("x", 1, REMOTE)
    assert drops(host) == [("x", 1)]


def test_a_flood_of_drops_from_forged_addresses_has_a_bound() -> None:
    host = Host()
    for number in range(5 * MAX_PENDING_DROPS):
        host.drop("x", 1, (f"10.0.{number // 256}.{number % 256}", 5060))
    found = [item for item in host.outputs() if isinstance(item, MessageDropped)]
    assert len(found) <= MAX_PENDING_DROPS + 1
    assert sum(item.count for item in found) == 5 * MAX_PENDING_DROPS
    assert found[-1].source is None
    assert len(host._drops) == 0


# --- flows -----------------------------------------------------------------------


class User(FlowUser):
    def __init__(self) -> None:
        self.told: list[str] = []

    def on_flow_open(self, flow: Flow, now: float) -> None:
        self.told.append("open")

    def on_flow_failed(self, flow: Flow, error: str, now: float) -> None:
        self.told.append(error)


def test_a_flow_is_opened_once() -> None:
    host, user = Host(), User()
    flow = host.open_flow(Protocol.TCP, local=None, remote=REMOTE, server_name="h.example", until=32.0)
    flow.waiting.append(user)
    command = OpenFlow(flow=1, protocol=Protocol.TCP, local=None, remote=REMOTE, server_name="h.example")
    assert host.outputs() == [command]
    assert not flow.open
    host.transmit(flow, b"too early", None)
    assert host.outputs() == []
    host.flow_opened(1, ("192.0.2.9", 40000, 0, 0), REMOTE, now=1.0)  # type: ignore[arg-type]  # as sockets name IPv6
    host.flow_opened(1, ("192.0.2.9", 50000), REMOTE, now=1.1)
    assert (flow.open, flow.local, user.told) == (True, ("192.0.2.9", 40000), ["open"])
    assert host.next_deadline() is None


def test_a_flow_that_does_not_open_is_given_up_in_time() -> None:
    host, user = Host(), User()
    flow = host.open_flow(Protocol.TCP, local=None, remote=REMOTE, server_name=None, until=32.0)
    flow.waiting.append(user)
    host.outputs()
    host.run(31.999)
    assert user.told == []
    host.run(32.0)
    assert user.told == ["no connection in time"]
    assert host.outputs() == [CloseFlow(flow=1)]
    assert host.ended == [(1, "no connection in time")]
    host.flow_opened(1, ("192.0.2.9", 40000), REMOTE, now=33.0)
    assert user.told == ["no connection in time"]


@pytest.mark.parametrize(("error", "told"), [("reset", "reset"), (None, "closed by the peer")])
def test_a_flow_ends_once_and_nothing_is_sent_on_it(error: str | None, told: str) -> None:
    host = Host()
    flow = host.opened(Protocol.TCP, REMOTE)
    host.flow_closed(flow.id, error, now=1.0)
    host.flow_closed(flow.id, "again", now=2.0)
    host.transmit(flow, b"x", None)
    host.close_flow(flow)
    host.abandon_flow(flow, "too late", 3.0)
    host.receive(flow.id, REQUEST, now=3.0)
    assert host.ended == [(flow.id, told)]
    assert host.outputs() == []
    assert host.requests == []


def test_every_input_tells_what_happened_and_settles() -> None:
    """What an agent does last, after each input, is not forgotten for any of them."""
    host = Host()
    flow = host.open_flow(Protocol.UDP, local=None, remote=None, server_name=None, until=32.0)
    listener = host.listen(Protocol.TCP, ("192.0.2.9", 0))
    other = host.listen(Protocol.TCP, ("192.0.2.9", 1))
    inputs: list[tuple[Callable[[], object], tuple[object, ...] | None]] = [
        (lambda: host.flow_opened(flow.id, ("192.0.2.9", 1), now=1.0), ("flow open", flow.id, 1.0)),
        (
            lambda: host.transmit_failed(flow.id, REMOTE, "unreachable", now=2.0),
            ("transmit failed", flow.id, REMOTE, "unreachable", 2.0),
        ),
        (
            lambda: host.listening(listener.id, ("192.0.2.9", 5062), now=3.0),
            ("listening", listener.id, ("192.0.2.9", 5062), 3.0),
        ),
        (lambda: host.listen_failed(other.id, "in use", now=4.0), ("listen failed", other.id, "in use", 4.0)),
        (
            lambda: host.flow_accepted(listener.id, ("192.0.2.9", 5062), REMOTE, now=5.0),
            ("flow open", flow.id + 1, 5.0),
        ),
        (lambda: host.receive(flow.id, REQUEST, REMOTE, now=6.0), None),
        (lambda: host.handle_deadline(now=7.0), None),
        (lambda: host.flow_closed(flow.id, "reset", now=8.0), None),
    ]
    for give, told in inputs:
        host.told.clear()
        settled = host.settled
        give()
        assert host.settled == settled + 1
        assert host.told == ([told] if told else [])
    assert host.ended == [(flow.id, "reset")]
    assert (len(host.requests), host.now) == (1, 8.0)


@pytest.mark.parametrize("end", ["close", "abandon", "lost"])
def test_with_a_flow_its_deadline_ends(end: str) -> None:
    host = Host()
    flow = host.open_flow(Protocol.TCP, local=None, remote=REMOTE, server_name=None, until=32.0)
    assert host.next_deadline() == 32.0
    if end == "close":
        host.close_flow(flow)
    elif end == "abandon":
        host.abandon_flow(flow, "x", 1.0)
    else:
        host.flow_closed(flow.id, "x", now=1.0)
    assert host.next_deadline() is None


def test_numbers_of_flows_are_never_used_twice() -> None:
    host = Host()
    seen = set()
    for _ in range(5):
        flow = host.opened()
        seen.add(flow.id)
        host.close_flow(flow)
    assert len(seen) == 5


def test_closing_is_told_to_the_driver_only() -> None:
    host = Host()
    flow = host.opened()
    host.close_flow(flow)
    assert host.outputs() == [CloseFlow(flow=flow.id)]
    assert host.ended == []
    assert not flow.open


def test_late_answers_to_unknown_numbers_do_nothing() -> None:
    host = Host()
    host.flow_opened(7, ("192.0.2.9", 1), now=0.0)
    host.flow_closed(7, now=0.0)
    host.transmit_failed(7, REMOTE, "x", now=0.0)
    host.listening(7, ("192.0.2.9", 1), now=0.0)
    host.listen_failed(7, "x", now=0.0)
    host.receive(7, REQUEST, REMOTE, now=0.0)
    assert host.outputs() == []


# --- listeners -----------------------------------------------------------------------


def test_a_listener_and_its_connections() -> None:
    host = Host()
    listener = host.listen(Protocol.TCP, ("192.0.2.9", 0))
    assert host.outputs() == [Listen(listener=listener.id, protocol=Protocol.TCP, local=("192.0.2.9", 0))]
    host.listening(listener.id, ("192.0.2.9", 5062), now=0.0)
    assert (listener.ready, listener.local) == (True, ("192.0.2.9", 5062))
    number = host.flow_accepted(listener.id, ("192.0.2.9", 5062), REMOTE, now=1.0)
    flow = host.flows[number]
    assert (flow.open, flow.remote, flow.listener) == (True, REMOTE, listener.id)
    host.close_listener(listener)
    host.close_listener(listener)
    assert host.outputs() == [CloseListener(listener=listener.id)]
    late = host.flow_accepted(listener.id, ("192.0.2.9", 5062), REMOTE, now=2.0)
    assert host.outputs() == [CloseFlow(flow=late)]
    assert number in host.flows


def test_a_listener_that_cannot_be_had_is_forgotten() -> None:
    host = Host()
    listener = host.listen(Protocol.TCP, ("192.0.2.9", 5062))
    host.listen_failed(listener.id, "in use", now=0.0)
    assert host.listeners == {}
    host.close_listener(listener)
    assert [type(item) for item in host.outputs()] == [Listen]


# --- datagrams -----------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0"])
def test_keep_alives_on_udp_are_no_news(data: bytes) -> None:
    host = Host()
    flow = host.opened()
    host.receive(flow.id, data, REMOTE, now=1.0)
    assert host.outputs() == []
    assert flow.heard_at == 1.0


def test_a_datagram_is_a_message() -> None:
    host = Host()
    flow = host.opened()
    host.receive(flow.id, REQUEST, REMOTE, now=1.0)
    host.receive(flow.id, RESPONSE, REMOTE, now=1.0)
    host.receive(flow.id, REQUEST, ("2001:db8::1", 5060, 0, 0), now=1.0)  # type: ignore[arg-type]  # as of sockets
    host.receive(flow.id, REQUEST, None, now=1.0)
    assert [item.method for item in host.requests] == ["OPTIONS"] * 3
    assert [item.status for item in host.responses] == [200]
    assert host.sources == [REMOTE, REMOTE, ("2001:db8::1", 5060), None]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"hello", "malformed message"),
        (b"\r\n\r\n\r\n", "malformed message"),
        (b"\r\na", "malformed message"),
        (b"OPTIONS sip:a@h SIP/3.0\r\n\r\n", "malformed message"),
        (REQUEST[:-1], "malformed message"),
        (b"OPTIONS sip:a@h SIP/2.0\r\n" + b"X: " + b"a" * 70000 + b"\r\n\r\n", "limit"),
    ],
)
def test_what_is_no_message_is_dropped_with_its_cause(data: bytes, cause: str) -> None:
    host = Host()
    flow = host.opened()
    host.receive(flow.id, data, REMOTE, now=1.0)
    host.receive(flow.id, data, REMOTE, now=1.0)
    ((told, count),) = drops(host)
    assert told.startswith(cause)
    assert count == 2
    assert host.requests == host.responses == []


def test_a_cause_does_not_repeat_what_the_peer_wrote() -> None:
    """Else a flood of different junk would be as many events."""
    host = Host()
    flow = host.opened()
    for number in range(50):
        host.receive(flow.id, b"OPTIONS %d SIP/2.0\r\n\r\n" % number, REMOTE, now=1.0)
        host.receive(flow.id, b"GARBAGE %d\r\n\r\n" % number, REMOTE, now=1.0)
    assert len(drops(host)) <= 2


# --- streams -----------------------------------------------------------------------

STREAM = b"\r\n\r\n" + REQUEST + RESPONSE + b"\r\n" + REQUEST


@pytest.mark.requirement("RFC3261-18.3-03", "RFC5626-4.4.1-04")
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_however_a_stream_is_cut(cuts: list[int]) -> None:
    """Law: the messages of a stream, and the answers to its keep-alives, do not depend on how it was cut."""
    host = Host()
    flow = accepted(host)
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(edges):
        host.receive(flow.id, STREAM[start:end], now=1.0)
    assert [bytes(item) for item in host.requests] == [REQUEST, REQUEST]
    assert [item.status for item in host.responses] == [200]
    assert host.sent() == [PONG]
    assert host.next_deadline() is None


@pytest.mark.requirement("RFC3261-18.3-02")
@pytest.mark.parametrize(
    "data", [b"hello\r\n\r\n", REQUEST.replace(b"Content-Length: 3", b"Content-Length: x"), b"x" * 9000]
)
def test_a_stream_whose_framing_is_lost_is_closed(data: bytes) -> None:
    host = Host()
    flow = accepted(host)
    host.receive(flow.id, RESPONSE + data, now=1.0)
    assert [item.status for item in host.responses] == [200]
    dropped, closed = host.outputs()
    assert isinstance(dropped, MessageDropped)
    assert closed == CloseFlow(flow=flow.id)
    assert host.ended == [(flow.id, dropped.cause)]
    host.receive(flow.id, RESPONSE, now=2.0)
    assert len(host.responses) == 1


def test_a_message_that_is_wrong_inside_does_not_end_the_stream() -> None:
    host = Host()
    flow = accepted(host)
    host.receive(flow.id, b"OPTIONS sip:a@h SIP/2.0\r\nX Y: 1\r\nContent-Length: 0\r\n\r\n" + REQUEST, now=1.0)
    assert len(drops(host)) == 1
    assert len(host.requests) == 1


def test_what_follows_on_a_flow_that_was_closed_meanwhile_is_not_read() -> None:
    class Closing(Host):
        def on_request(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
            super().on_request(flow, request, data, source, now)
            self.close_flow(flow)

    host = Closing()
    flow = accepted(host)
    host.receive(flow.id, REQUEST + REQUEST + b"\r\n\r\nSIP/2.0", now=1.0)
    assert len(host.requests) == 1
    assert host.outputs() == [CloseFlow(flow=flow.id)]
    assert host.next_deadline() is None


def test_an_unfinished_message_ends_the_connection_in_time() -> None:
    host = Host()
    flow = accepted(host)
    host.receive(flow.id, REQUEST[:50], now=1.0)
    host.receive(flow.id, REQUEST[50:60], now=20.0)
    host.run(1.0 + INCOMPLETE_MESSAGE_TIMEOUT - 0.001)
    assert flow.open
    host.run(1.0 + INCOMPLETE_MESSAGE_TIMEOUT)
    assert not flow.open
    assert host.outputs() == [
        MessageDropped(cause="incomplete message", flow=flow.id, source=REMOTE),
        CloseFlow(flow=flow.id),
    ]
    assert host.ended == [(flow.id, "incomplete message")]


def test_a_busy_stream_is_never_unfinished_for_long() -> None:
    """Each piece ends inside a message, but each message is finished within a second of its start."""
    host = Host()
    flow = accepted(host)
    host.receive(flow.id, REQUEST[:40], now=0.0)
    for second in range(1, 100):
        host.run(float(second))
        host.receive(flow.id, REQUEST[40:] + REQUEST[:40], now=float(second))
    assert flow.open
    assert len(host.requests) == 99
    host.run(99.0 + INCOMPLETE_MESSAGE_TIMEOUT - 0.001)
    assert flow.open
    host.run(99.0 + INCOMPLETE_MESSAGE_TIMEOUT)
    assert not flow.open


@pytest.mark.requirement("RFC5626-4.4.1-01")
def test_pings_are_answered_up_to_a_limit_for_each_second() -> None:
    host = Host()
    flow = accepted(host)
    host.receive(flow.id, b"\r\n\r\n" * (MAX_KEEPALIVES + 5), now=1.0)
    outputs = host.outputs()
    assert sum(isinstance(item, Transmit) for item in outputs) == MAX_KEEPALIVES
    assert [(item.cause, item.count) for item in outputs if isinstance(item, MessageDropped)] == [
        ("too many keep-alives", 5)
    ]
    host.receive(flow.id, b"\r\n\r\n", now=1.999)
    assert host.sent() == []
    host.receive(flow.id, b"\r\n\r\n", now=2.0)
    assert host.sent() == [PONG]


def test_pongs_are_not_answered() -> None:
    host = Host()
    flow = host.opened(Protocol.TCP, REMOTE)
    host.receive(flow.id, b"\r\n\r\n\r\n", now=1.0)
    assert host.outputs() == []
    assert flow.heard_at == 1.0


# --- the application's own bytes -----------------------------------------------------------------------


def test_raw_bytes_go_out_as_they_are() -> None:
    host = Host()
    udp, tcp = host.opened(), host.opened(Protocol.TCP, REMOTE)
    host.send_raw(udp.id, b"a", REMOTE, now=1.0)
    host.send_raw(tcp.id, b"b", now=1.0)
    host.send_raw(tcp.id, b"c", ("192.0.2.77", 1), now=1.0)
    assert host.outputs() == [
        Transmit(flow=udp.id, data=b"a", remote=REMOTE),
        Transmit(flow=tcp.id, data=b"b", remote=None),
        Transmit(flow=tcp.id, data=b"c", remote=None),
    ]


def test_raw_bytes_that_cannot_go_are_refused() -> None:
    host = Host()
    udp = host.opened()
    opening = host.open_flow(Protocol.TCP, local=None, remote=REMOTE, server_name=None, until=32.0)
    with pytest.raises(LocalProtocolError, match="flow 9 is not open"):
        host.send_raw(9, b"x", now=0.0)
    with pytest.raises(LocalProtocolError, match=f"flow {opening.id} is not open"):
        host.send_raw(opening.id, b"x", now=0.0)
    with pytest.raises(LocalProtocolError, match="needs a remote address"):
        host.send_raw(udp.id, b"x", now=0.0)
    with pytest.raises(LocalProtocolError, match="65536 bytes do not fit into a datagram"):
        host.send_raw(udp.id, b"x" * 65536, REMOTE, now=0.0)
    assert host.sent() == []
    tcp = host.opened(Protocol.TCP, REMOTE)
    host.send_raw(udp.id, b"x" * 65535, REMOTE, now=7.0)
    host.send_raw(tcp.id, b"x" * 65536, now=7.0)
    assert [len(data) for data in host.sent()] == [65535, 65536]
    assert host.now == 7.0


# --- deadlines -----------------------------------------------------------------------


def test_deadlines_are_handled_in_order_early_late_or_twice() -> None:
    class Timed:
        due: float | None = None
        due_key = 0

        def __init__(self, name: str) -> None:
            self.name = name

        def on_due(self, now: float) -> None:
            log.append((self.name, now))

    log: list[tuple[str, float]] = []
    host = Host()
    for name, when in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        host.timers.arm(Timed(name), when)
    host.handle_deadline(now=0.5)
    assert (log, host.next_deadline(), host.next_deadline()) == ([], 1.0, 1.0)
    host.handle_deadline(now=2.5)
    host.handle_deadline(now=2.5)
    assert log == [("a", 2.5), ("b", 2.5)]
    assert host.next_deadline() == 3.0
    assert host.settled > 0
