"""The server transactions of RFC 3261 section 17.2, with RFC 4320: table, times, matching, bounds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.commands import OpenFlow, Transmit
from sipcore.config import Timing
from sipcore.endpoint import Endpoint
from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.events import MessageDropped
from sipcore.flows import Flow
from sipcore.syntax.message import Request, Response, parse_message
from sipcore.transaction import server
from sipcore.transaction.response import write_response
from sipcore.transaction.server import (
    INVITE,
    NON_INVITE,
    ServerState,
    ServerTransaction,
    ServerTransactions,
    ServerTrigger,
)
from sipcore.values import Address, Protocol
from tests.transaction.case import read, written

CLIENT = ("192.0.2.7", 5062)
LOCAL = ("192.0.2.1", 5060)
TAG = "ours"


class Bench(Endpoint):
    """An endpoint that keeps a table and leaves the answers to the test."""

    def __init__(self, protocol: Protocol = Protocol.UDP, timing: Timing | None = None) -> None:
        super().__init__(random=Random(1))
        self.table = ServerTransactions(self, timing)
        self.new: list[ServerTransaction] = []
        remote = None if protocol is Protocol.UDP else CLIENT
        self.flow = self.open_flow(protocol, local=LOCAL, remote=remote, server_name=None, until=32.0)
        assert isinstance(self.next_output(), OpenFlow)
        self.flow_opened(self.flow.id, LOCAL, remote, now=0.0)

    def on_request(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        transaction = self.table.receive(flow, request, source, now)
        if transaction is not None:
            self.table.hold(transaction, now)
            self.new.append(transaction)

    def on_response(self, flow: Flow, response: Response, data: bytes, source: Address | None, now: float) -> None:
        raise AssertionError("no response is sent to this bench")

    def take(self, now: float, data: bytes, source: Address = CLIENT) -> ServerTransaction | None:
        """Receive a request; the transaction that it started, or None."""
        before = len(self.new)
        self.receive(self.flow.id, data, source if self.flow.remote is None else None, now=now)
        return self.new[-1] if len(self.new) > before else None

    def answer(self, transaction: ServerTransaction | None, status: int, now: float) -> bytes:
        assert transaction is not None
        request = transaction.request
        assert request is not None
        data = write_response(request, status, transaction.source, to_tag=TAG)
        transaction.respond(data, status, now)
        return data

    def sent(self, until: float | None = None) -> list[tuple[bytes, Address | None]]:
        """What is transmitted up to a time, each deadline handled when it is due."""
        if until is not None:
            while (deadline := self.next_deadline()) is not None and deadline <= until:
                self.handle_deadline(now=deadline)
            self.handle_deadline(now=until)
        outputs = []
        while (output := self.next_output()) is not None:
            outputs.append(output)
        self.drops = [output for output in outputs if isinstance(output, MessageDropped)]
        self.dropped = [drop.cause for drop in self.drops]
        return [(output.data, output.remote) for output in outputs if isinstance(output, Transmit)]


def request(
    method: str = "MESSAGE",
    *,
    uri: str = "sip:alice@192.0.2.1",
    via: str = "SIP/2.0/UDP pc.example:5070;branch=z9hG4bK1;rport",
    to: str = "<sip:alice@example.com>",
    tag: str = "t1",
    call_id: str = "c1",
    cseq: int = 1,
    more: str = "",
) -> bytes:
    return (
        f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:bob@example.com>;tag={tag}\r\nTo: {to}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{more}Content-Length: 0\r\n\r\n"
    ).encode()


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [NON_INVITE, INVITE], ids=["non-INVITE", "INVITE"])
@pytest.mark.parametrize("state", ServerState)
@pytest.mark.parametrize("trigger", ServerTrigger)
def test_every_step_is_in_the_table_or_refused_by_name(
    bench: Bench,
    table: dict[ServerState, dict[ServerTrigger, ServerState]],
    state: ServerState,
    trigger: ServerTrigger,
) -> None:
    transaction = bench.take(0.0, request("INVITE" if table is INVITE else "MESSAGE"))
    assert transaction is not None
    assert transaction.steps is table
    transaction.state = state
    if trigger in table[state]:
        transaction.step(trigger)
        assert transaction.state is table[state][trigger]
    else:
        with pytest.raises(LocalProtocolError, match=f"{trigger} in state {state}"):
            transaction.step(trigger)
        assert transaction.state is state


def test_states_and_triggers_have_the_names_of_the_figure() -> None:
    """An error names them."""
    assert ", ".join(ServerState) == "trying, proceeding, completed, terminated"
    assert ", ".join(ServerTrigger) == "copy, ACK, provisional, final, 100 due, unanswered, timer J, flow lost"


# Figure 8 with RFC 4320 and our own end, written out once more, so that a slip in the tables shows.
WAITING = "provisional -> proceeding, final -> completed, unanswered -> terminated, flow lost -> terminated"
FIGURE_8 = f"""
trying:     copy -> trying, 100 due -> proceeding, {WAITING}
proceeding: copy -> proceeding, {WAITING}
completed:  copy -> completed, timer J -> terminated, flow lost -> terminated{{}}
terminated:
"""


@pytest.mark.requirement("RFC3261-17.2.2-01", "RFC3261-17.2.2-02", "RFC3261-17.2.2-03")
def test_the_tables_are_figure_8() -> None:
    assert written(NON_INVITE) == read(FIGURE_8.format(""))
    assert written(INVITE) == read(FIGURE_8.format(", ACK -> completed"))


def test_the_bounds_in_numbers() -> None:
    assert (server.MAX_SERVER_TRANSACTIONS, server.MAX_KEPT_BYTES) == (32768, 64 * 2**20)
    assert (server.INVITE_PATIENCE, server.INVITE_TRYING_AFTER, server.SWEEP_INTERVAL) == (240.0, 0.2, 1.0)


@pytest.mark.parametrize("table", [NON_INVITE, INVITE], ids=["non-INVITE", "INVITE"])
def test_every_state_is_listed_and_only_the_last_has_no_way_out(
    table: dict[ServerState, dict[ServerTrigger, ServerState]],
) -> None:
    assert set(table) == set(ServerState)
    assert [state for state, steps in table.items() if not steps] == [ServerState.TERMINATED]


def test_a_new_transaction_has_sent_nothing(bench: Bench) -> None:
    transaction = bench.take(0.0, request())
    assert transaction is not None
    assert (transaction.response, transaction.status) == (b"", 0)
    assert transaction.to_tag is None
    assert transaction.source == CLIENT
    bench.sent(until=3.5)
    assert transaction.status == 100
    bench.answer(transaction, 299, 4.0)
    assert transaction.status == 299


@pytest.mark.requirement("RFC3261-17.2.2-02")
def test_a_final_response_leads_from_trying_to_completed(bench: Bench) -> None:
    transaction = bench.take(0.0, request())
    bench.answer(transaction, 200, 0.1)
    assert transaction is not None
    assert transaction.state is ServerState.COMPLETED


# --- copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-17.2.2-01", "RFC3261-17.2.2-03")
def test_a_copy_gets_nothing_then_the_100_then_the_final_response(bench: Bench) -> None:
    transaction = bench.take(0.0, request())
    assert bench.take(0.5, request()) is None
    assert bench.sent() == []
    ((trying, remote),) = bench.sent(until=3.5)
    assert remote == CLIENT
    assert bench.take(3.6, request()) is None
    assert bench.sent() == [(trying, CLIENT)]
    final = bench.answer(transaction, 200, 5.0)
    assert bench.sent() == [(final, CLIENT)]
    assert bench.take(7.5, request()) is None
    assert bench.sent() == [(final, CLIENT)]
    assert len(bench.new) == 1


@pytest.mark.requirement("RFC3261-17.2.2-02")
def test_timer_j_ends_after_64_t1(bench: Bench) -> None:
    final = bench.answer(bench.take(0.0, request()), 200, 1.0)
    bench.sent()
    assert bench.take(32.999, request()) is None
    assert bench.sent() == [(final, CLIENT)]
    assert bench.take(33.0, request()) is not None
    assert bench.sent() == []


@pytest.mark.requirement("RFC3261-17.2.2-02")
def test_timer_j_is_zero_where_nothing_is_repeated() -> None:
    bench = Bench(Protocol.TCP)
    transaction = bench.take(0.0, request())
    bench.answer(transaction, 200, 1.0)
    assert transaction is not None
    assert transaction.state is ServerState.TERMINATED
    assert len(bench.table) == 0
    assert bench.take(1.0, request()) is not None


def test_timer_j_follows_t1() -> None:
    bench = Bench(timing=Timing(t1=0.05))
    bench.answer(bench.take(0.0, request()), 200, 0.0)
    assert bench.take(3.19, request()) is None
    assert bench.take(3.2, request()) is not None


def test_what_is_over_is_forgotten_in_one_sweep(bench: Bench) -> None:
    for number in range(100):
        via = f"SIP/2.0/UDP pc.example;branch=z9hG4bK{number}"
        bench.answer(bench.take(number / 1000, request(via=via)), 200, number / 1000)
    assert len(bench.table) == 100
    assert bench.next_deadline() == 32.0 + server.SWEEP_INTERVAL
    bench.handle_deadline(now=32.0 + server.SWEEP_INTERVAL)
    assert len(bench.table) == 0
    assert bench.next_deadline() is None


def test_what_ends_later_is_kept_and_swept_later(bench: Bench) -> None:
    bench.answer(bench.take(0.0, request()), 200, 0.0)
    via = "SIP/2.0/UDP pc.example;branch=z9hG4bK2"
    late = bench.answer(bench.take(10.0, request(via=via)), 200, 10.0)
    bench.sent(until=34.0)
    assert len(bench.table) == 1
    assert bench.next_deadline() == 42.0 + server.SWEEP_INTERVAL
    assert bench.take(41.9, request(via=via)) is None
    assert [data for data, _ in bench.sent()] == [late]


# --- matching --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-17.2.3-01")
@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP pc.example:5070;branch=z9hG4bK2;rport",
        "SIP/2.0/UDP pc.example:5070;branch=z9hG4bK;rport",
        "SIP/2.0/UDP other.example:5070;branch=z9hG4bK1;rport",
        "SIP/2.0/UDP pc.example:5071;branch=z9hG4bK1;rport",
        "SIP/2.0/UDP pc.example;branch=z9hG4bK1;rport",
        "SIP/2.0/UDP pc.example:5070;rport",
    ],
)
def test_another_branch_or_sent_by_is_another_transaction(bench: Bench, via: str) -> None:
    assert bench.take(0.0, request()) is not None
    assert bench.take(0.0, request(via=via)) is not None


@pytest.mark.requirement("RFC3261-17.2.3-01")
def test_another_method_is_another_transaction(bench: Bench) -> None:
    assert bench.take(0.0, request("INVITE")) is not None
    assert bench.take(0.0, request("CANCEL")) is not None


@pytest.mark.requirement("RFC3261-17.2.3-01")
def test_with_the_cookie_nothing_else_is_compared(bench: Bench) -> None:
    assert bench.take(0.0, request()) is not None
    via = "SIP/2.0/UDP PC.Example:5070 ;rport ; branch=z9hG4bK1"
    assert bench.take(0.0, request(via=via, uri="sip:x@y", tag="t2", call_id="c2", cseq=9)) is None


def test_equal_devices_behind_two_nats_are_two_clients(bench: Bench) -> None:
    """Same firmware, same private address, little randomness: the same sent-by and branch from two hosts."""
    assert bench.take(0.0, request()) is not None
    assert bench.take(0.0, request(), ("192.0.2.8", 5062)) is not None
    assert bench.take(0.0, request(), ("192.0.2.7", 5099)) is None


@pytest.mark.requirement("RFC3261-17.2.3-01", "RFC3261-20.42-02")
def test_without_the_cookie_the_rule_of_rfc_2543_holds(bench: Bench) -> None:
    old = "SIP/2.0/UDP pc.example:5070;branch=1234567890"
    assert bench.take(0.0, request(via=old)) is not None
    assert bench.take(0.0, request(via=old)) is None
    for changed in (
        request(via=old, uri="sip:carol@192.0.2.1"),
        request(via=old, to="<sip:alice@example.com>;tag=x"),
        request(via=old, tag="t2"),
        request(via=old, call_id="c2"),
        request(via=old, cseq=2),
        request("INFO", via=old),
        request(via="SIP/2.0/UDP pc.example:5070"),
    ):
        assert bench.take(0.0, changed) is not None


@pytest.mark.requirement("RFC4475-3.2.1-01")
def test_a_bare_cookie_tells_no_transactions_apart(bench: Bench) -> None:
    bare = "SIP/2.0/UDP pc.example:5070;branch=z9hG4bK"
    assert bench.take(0.0, request(via=bare)) is not None
    assert bench.take(0.0, request(via=bare, cseq=2)) is not None
    assert bench.take(0.0, request(via=bare)) is None


def test_without_a_source_the_identities_of_the_via_are_enough(bench: Bench) -> None:
    old, new = (parse_message(request(via=f"SIP/2.0/UDP pc.example:5070;branch={it}")) for it in ("1", "z9hG4bK1"))
    for message in (old, new):
        assert isinstance(message, Request)
        first = bench.table.receive(bench.flow, message, None, 0.0)
        assert first is not None
        assert first.remote is None
        assert bench.table.receive(bench.flow, message, None, 0.1) is None
        assert bench.table.receive(bench.flow, message, CLIENT, 0.1) is not None


def test_on_a_stream_the_answer_goes_back_by_the_stream_and_nowhere_else() -> None:
    bench = Bench(Protocol.TCP)
    message = parse_message(request(via="SIP/2.0/TCP pc.example:5070;branch=z9hG4bK1;maddr=192.0.2.99"))
    assert isinstance(message, Request)
    transaction = bench.table.receive(bench.flow, message, CLIENT, 0.0)
    assert transaction is not None
    assert transaction.remote is None
    final = bench.answer(transaction, 200, 0.0)
    assert bench.sent() == [(final, None)]


def test_unreadable_identities_raise_the_documented_error(bench: Bench) -> None:
    for data in (request(via="SIP/2.0"), request(via="SIP/2.0/UDP h").replace(b"\r\nTo: <", b"\r\nTo: ;")):
        message = parse_message(data)
        assert isinstance(message, Request)
        with pytest.raises(RemoteProtocolError):
            bench.table.receive(bench.flow, message, CLIENT, 0.0)
    assert len(bench.table) == 0


# --- RFC 4320 --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC4320-4.1-01")
@pytest.mark.parametrize("protocol", Protocol)
def test_a_100_is_due_when_the_client_has_slowed_down(protocol: Protocol) -> None:
    bench = Bench(protocol)
    transaction = bench.take(0.0, request(more="Timestamp: 54\r\n"))
    assert transaction is not None
    assert bench.sent(until=3.499) == []
    ((data, _),) = bench.sent(until=3.5)
    trying = parse_message(data)
    assert isinstance(trying, Response)
    assert trying.status == 100
    assert trying.to.tag is None
    assert b"\r\nTimestamp: 54\r\n" in data
    asked = parse_message(request(more="Timestamp: 54\r\n"))
    assert isinstance(asked, Request)
    assert data == write_response(asked, 100, transaction.source, headers=(("Timestamp", "54"),))
    assert transaction.state is ServerState.PROCEEDING
    assert bench.sent(until=31.9) == []


def test_a_100_to_a_request_without_a_timestamp_has_none(bench: Bench) -> None:
    bench.take(0.0, request())
    ((data, _),) = bench.sent(until=3.5)
    assert b"imestamp" not in data


@pytest.mark.requirement("RFC4320-4.1-01")
@pytest.mark.parametrize("status", [100, 200])
def test_an_answer_at_once_needs_no_clocks(bench: Bench, status: int) -> None:
    message = parse_message(request())
    assert isinstance(message, Request)
    transaction = bench.table.receive(bench.flow, message, CLIENT, 0.0)
    assert transaction is not None
    if status == 100:
        with pytest.raises(LocalProtocolError, match="slowed down"):
            bench.answer(transaction, status, 0.0)
        assert bench.sent(until=100.0) == []
    else:
        final = bench.answer(transaction, status, 0.0)
        assert bench.sent(until=100.0) == [(final, CLIENT)]
        assert len(bench.timers) == len(bench.table) == 0


@pytest.mark.requirement("RFC4320-4.1-01")
def test_no_100_on_udp_before_its_time_and_no_other_1xx_ever(bench: Bench) -> None:
    transaction = bench.take(0.0, request())
    early = "no 100 on UDP before the client has slowed down (RFC 4320 section 4.1)"
    for now, status, why in (
        (3.4, 100, early),
        (3.4, 180, "a 180 is for INVITE only (RFC 4320 section 4.1)"),
        (5.0, 180, "a 180 is for INVITE only (RFC 4320 section 4.1)"),
        (5.0, 199, "a 199 is for INVITE only (RFC 4320 section 4.1)"),
    ):
        with pytest.raises(LocalProtocolError) as caught:
            bench.answer(transaction, status, now)
        assert str(caught.value) == why
    bench.answer(transaction, 100, 3.5)
    stream = Bench(Protocol.TCP)
    trying = stream.answer(stream.take(0.0, request()), 100, 0.0)
    assert [data for data, _ in stream.sent(until=31.0)] == [trying], "no second one when it would be due"


@pytest.mark.requirement("RFC4320-4.2-02")
def test_who_is_not_answered_is_forgotten_without_a_408(bench: Bench) -> None:
    transaction = bench.take(0.0, request())
    assert transaction is not None
    with pytest.raises(LocalProtocolError) as caught:
        bench.answer(transaction, 408, 4.0)
    assert str(caught.value) == "a 408 to a request other than INVITE is never sent (RFC 4320 section 4.2)"
    message = transaction.request
    assert message is not None
    bench.sent(until=31.999)
    assert bench.table.find(message) is transaction
    assert bench.sent(until=32.0) == []
    assert bench.table.find(message) is None
    why = "the application did not answer in time"
    assert bench.drops == [MessageDropped(cause=why, flow=bench.flow.id, source=CLIENT)]
    assert transaction.state is ServerState.TERMINATED
    assert len(bench.table) == 0
    with pytest.raises(LocalProtocolError, match="final in state terminated"):
        transaction.respond(b"", 200, 32.0)
    assert bench.sent() == []


def test_giving_up_beats_a_100_that_is_due_at_the_same_time() -> None:
    bench = Bench(timing=Timing(t1=0.05))  # The 100 would be due after 6.35 s, the end comes after 3.2 s.
    bench.take(0.0, request())
    assert bench.sent(until=10.0) == []
    late = Bench()
    late.take(0.0, request())
    late.handle_deadline(now=60.0)
    assert late.sent() == []


# --- answers ---------------------------------------------------------------------------------------------------------


def test_a_second_final_response_is_refused(bench: Bench) -> None:
    transaction = bench.take(0.0, request())
    bench.answer(transaction, 200, 0.0)
    bench.sent()
    assert transaction is not None
    with pytest.raises(LocalProtocolError, match="final in state completed"):
        transaction.respond(b"x", 500, 0.1)
    with pytest.raises(LocalProtocolError, match="provisional in state completed"):
        transaction.respond(b"x", 100, 4.0)
    assert bench.sent() == []


def test_a_lost_flow_ends_the_transaction() -> None:
    bench = Bench(Protocol.TCP)
    transaction = bench.take(0.0, request())
    assert transaction is not None
    bench.flow_closed(bench.flow.id, "reset", now=1.0)
    with pytest.raises(LocalProtocolError) as caught:
        bench.answer(transaction, 200, 2.0)
    assert str(caught.value) == "the flow over which the request came is gone"
    assert transaction.state is ServerState.TERMINATED
    assert len(bench.table) == 0
    assert bench.sent(until=100.0) == []


def test_a_copy_over_a_new_flow_is_new_when_the_old_flow_is_gone() -> None:
    bench = Bench(Protocol.TCP)
    old = bench.take(0.0, request())
    assert old is not None
    bench.flow_closed(bench.flow.id, now=1.0)
    bench.flow = bench.open_flow(Protocol.TCP, local=None, remote=CLIENT, server_name=None, until=32.0)
    bench.flow_opened(bench.flow.id, LOCAL, CLIENT, now=1.0)
    assert bench.take(2.0, request()) is not None
    assert len(bench.table) == 1
    assert old.state is ServerState.TERMINATED


def test_a_transaction_is_found_by_its_very_request_while_it_is_open(bench: Bench) -> None:
    transaction = bench.take(0.0, request())
    assert transaction is not None
    message = transaction.request
    assert message is not None
    twin = parse_message(request())
    assert isinstance(twin, Request)
    assert bench.table.find(message) is transaction
    assert bench.table.find(twin) is None
    bench.answer(transaction, 200, 0.0)
    assert bench.table.find(message) is None


# --- INVITE ----------------------------------------------------------------------------------------------------------


def test_an_invite_gets_its_100_after_200_ms(bench: Bench) -> None:
    bench.take(0.0, request("INVITE"))
    assert bench.sent(until=0.199) == []
    ((trying, _),) = bench.sent(until=0.2)
    assert trying.startswith(b"SIP/2.0 100 ")


def test_an_invite_rings_as_long_as_the_application_says_so(bench: Bench) -> None:
    transaction = bench.take(0.0, request("INVITE"))
    ringing = bench.answer(transaction, 180, 0.1)
    assert transaction is not None
    assert transaction.status == 180
    assert bench.sent(until=200.0) == [(ringing, CLIENT)]
    assert bench.take(200.0, request("INVITE")) is None
    assert bench.sent() == [(ringing, CLIENT)]
    bench.answer(transaction, 180, 200.0)
    bench.sent(until=439.9)
    assert len(bench.table) == 1
    bench.sent(until=440.0)
    assert len(bench.table) == 0


@pytest.mark.parametrize("status", [300, 408, 699])
@pytest.mark.parametrize("protocol", Protocol)
def test_an_invite_has_the_ack_to_its_refusal_absorbed(protocol: Protocol, status: int) -> None:
    bench = Bench(protocol)
    source = CLIENT if protocol is Protocol.UDP else bench.flow.remote
    refused = bench.answer(bench.take(0.0, request("INVITE")), status, 0.0)
    assert bench.take(0.5, request("INVITE")) is None
    assert [data for data, _ in bench.sent()] == [refused, refused]
    ack = parse_message(request("ACK", to=f"<sip:alice@example.com>;tag={TAG}"))
    assert isinstance(ack, Request)
    assert bench.table.absorb_ack(ack, source, 1.0)
    assert bench.table.absorb_ack(ack, source, 31.9)
    assert not bench.table.absorb_ack(ack, source, 32.0)


@pytest.mark.parametrize("protocol", Protocol)
def test_the_ack_to_a_2xx_is_not_absorbed_even_with_its_branch(protocol: Protocol) -> None:
    bench = Bench(protocol)
    bench.answer(bench.take(0.0, request("INVITE")), 299, 0.0)
    ack = parse_message(request("ACK"))
    assert isinstance(ack, Request)
    assert not bench.table.absorb_ack(ack, CLIENT, 0.1)


def test_an_ack_before_any_answer_is_not_absorbed(bench: Bench) -> None:
    bench.take(0.0, request("INVITE"))
    ack = parse_message(request("ACK"))
    assert isinstance(ack, Request)
    assert not bench.table.absorb_ack(ack, CLIENT, 0.1)


def test_the_ack_of_a_client_of_rfc_2543_is_absorbed(bench: Bench) -> None:
    old = "SIP/2.0/UDP pc.example:5070"
    bench.answer(bench.take(0.0, request("INVITE", via=old)), 404, 0.0)
    ack = parse_message(request("ACK", via=old, to=f"<sip:alice@example.com>;tag={TAG}"))
    other = parse_message(request("ACK", via=old, cseq=2))
    assert isinstance(ack, Request)
    assert isinstance(other, Request)
    assert bench.table.absorb_ack(ack, CLIENT, 0.1)
    assert not bench.table.absorb_ack(other, CLIENT, 0.1)


# --- merged requests -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-8.2.2.2-01")
def test_the_same_request_by_another_way_is_merged(bench: Bench) -> None:
    first = bench.take(0.0, request())
    second = bench.take(0.1, request(via="SIP/2.0/UDP proxy.example;branch=z9hG4bK9"))
    assert first is not None
    assert second is not None
    assert not bench.table.merged(first)
    assert bench.table.merged(second)
    for index, other in enumerate(
        (
            request(tag="t2", via="SIP/2.0/UDP proxy.example;branch=z9hG4bK10"),
            request(call_id="c2", via="SIP/2.0/UDP proxy.example;branch=z9hG4bK11"),
            request(cseq=2, via="SIP/2.0/UDP proxy.example;branch=z9hG4bK12"),
            request(to="<sip:alice@example.com>;tag=d", via="SIP/2.0/UDP proxy.example;branch=z9hG4bK13"),
        )
    ):
        transaction = bench.take(0.2 + index, other)
        assert transaction is not None
        assert not bench.table.merged(transaction)


def test_a_request_is_no_longer_merged_with_one_that_is_forgotten(bench: Bench) -> None:
    first = bench.take(0.0, request())
    assert first is not None
    assert not bench.table.merged(first)
    bench.answer(first, 200, 0.0)
    bench.sent(until=40.0)
    second = bench.take(40.0, request(via="SIP/2.0/UDP proxy.example;branch=z9hG4bK9"))
    assert second is not None
    assert not bench.table.merged(second)


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_the_oldest_answer_is_forgotten_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_SERVER_TRANSACTIONS", 3)
    vias = [f"SIP/2.0/UDP pc.example;branch=z9hG4bK{number}" for number in range(4)]
    waiting = bench.take(0.0, request(via=vias[0]))
    for via in vias[1:3]:
        bench.answer(bench.take(0.1, request(via=via)), 200, 0.1)
    bench.answer(bench.take(0.2, request(via=vias[3])), 200, 0.2)
    assert len(bench.table) == 3
    assert bench.take(0.3, request(via=vias[0])) is None, "who waits for an answer is kept"
    assert bench.take(0.3, request(via=vias[2])) is None
    assert bench.take(0.3, request(via=vias[1])) is not None
    bench.answer(waiting, 200, 0.4)


def test_when_all_wait_a_new_one_is_dropped_with_its_cause(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_SERVER_TRANSACTIONS", 1)
    assert bench.take(0.0, request()) is not None
    assert bench.take(0.0, request(via="SIP/2.0/UDP pc.example;branch=z9hG4bK2")) is None
    assert bench.sent() == []
    why = "too many requests wait for an answer"
    assert bench.drops == [MessageDropped(cause=why, flow=bench.flow.id, source=CLIENT)]


def test_what_is_kept_is_bounded_in_bytes_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is as long as the Via of its request; thousands of them would fill gigabytes."""
    vias = [f"SIP/2.0/UDP pc.example;branch=z9hG4bK{number};x={'x' * 1000}" for number in range(9)]
    monkeypatch.setattr(server, "MAX_KEPT_BYTES", 5000)
    for via in vias:
        bench.answer(bench.take(0.0, request(via=via)), 200, 0.0)
        assert len(bench.table) <= 5
    assert len(bench.table) == 5
    assert bench.take(0.1, request(via=vias[-1])) is None, "the latest answers are kept"
    assert bench.take(0.1, request(via=vias[0])) is not None
    # Those that wait for an answer count as well, and none of them is forgotten.
    waiting = [bench.take(0.2, request(via=via.replace("z9hG4bK", "z9hG4bKw"))) for via in vias]
    assert [one is not None for one in waiting] == [True] * 4 + [False] * 5
    bench.sent()
    assert bench.dropped == ["too many requests wait for an answer"]
    bench.sent(until=100.0)
    assert len(bench.table) == bench.table._bytes == 0


@pytest.mark.parametrize("fits", [True, False])
def test_the_bound_in_bytes_is_reached_by_the_last_byte(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fits: bool
) -> None:
    assert bench.take(0.0, request()) is not None
    monkeypatch.setattr(server, "MAX_KEPT_BYTES", len(request()) + fits)
    second = bench.take(0.0, request(via="SIP/2.0/UDP pc.example;branch=z9hG4bK2"))
    assert (second is not None) is fits


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["request", "answer", "wait"]),
        st.integers(0, 5),
        st.sampled_from([100, 180, 200, 401, 408, 486, 600]),
        st.sampled_from([0.0, 0.1, 0.5, 3.5, 31.9, 32.0, 300.0]),
    ),
    max_size=30,
)


@given(STEPS, st.sampled_from(Protocol))
def test_nothing_is_stuck_and_copies_never_differ(steps: list[tuple[str, int, int, float]], protocol: Protocol) -> None:
    """Whatever comes in which order: each transaction ends, sends one final response, and repeats only that."""
    bench = Bench(protocol)
    now = 0.0
    finals: dict[int, set[bytes]] = {}
    for what, number, status, wait in steps:
        now += wait
        if what == "request":
            method = "INVITE" if number % 2 else "MESSAGE"
            bench.take(now, request(method, via=f"SIP/2.0/UDP pc.example;branch=z9hG4bK{number}"))
        elif what == "answer" and number < len(bench.new):
            transaction = bench.new[number]
            if transaction.request is not None:
                try:
                    bench.answer(transaction, status, now)
                except LocalProtocolError:
                    continue
                if status >= 200:
                    finals.setdefault(number, set()).add(transaction.response)
        bench.sent(until=now)
        assert len(bench.table) <= len(bench.new)
        deadline = bench.next_deadline()
        assert deadline is None or deadline > now
    assert all(len(answers) == 1 for answers in finals.values())
    bench.sent(until=now + server.INVITE_PATIENCE + 1)
    assert len(bench.table) == 0
    assert bench.next_deadline() is None
    assert all(transaction.state is ServerState.TERMINATED for transaction in bench.new)
