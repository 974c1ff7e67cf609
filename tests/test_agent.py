"""The promises of an agent to its driver, and what it hands on to the application."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.agent import UserAgent
from sipcore.commands import CloseFlow, OpenFlow, Record, Resolve, Transmit
from sipcore.errors import LocalProtocolError
from sipcore.events import InboundRequest, InboundResponse, MessageDropped, Registered, StatusChanged
from sipcore.syntax.message import Request, Response, parse_message
from sipcore.testing import REGISTRAR, Line, Pair, ScriptedPeer, World, challenge, ok
from sipcore.values import Phase, State
from tests.accounts import TCP, account
from tests.secrecy import PASSWORD

CLIENT = ("192.0.2.10", 40000)
CALLS = frozenset({"INVITE", "ACK", "BYE", "CANCEL"})


def script(seed: int) -> Line:
    """A life with everything in it: loss, copies, late datagrams, challenges, failures, streams in pieces."""
    line = Line(
        account("alice"),
        account("bob", transport=TCP),
        account("carol", redirects=1),
        script=[challenge(), ok(60), 503, challenge(stale=True), ok(30), 403, ok(60)],
        seed=seed,
    )
    wire = line.wire
    wire.loss, wire.duplication, wire.latency, wire.jitter, wire.cut = 0.2, 0.2, 0.03, 0.3, True
    return line


# --- promises -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-17.1.2.2-09")
@pytest.mark.parametrize("seed", range(5))
def test_the_same_inputs_give_the_same_outputs_byte_for_byte(seed: int) -> None:
    """Law: a run is a function of its inputs."""

    def run() -> list[object]:
        line = script(seed)
        line.register(until=2000.0)
        return list(line.station.outputs)

    first = run()
    assert len(first) > 100
    assert run() == first


@settings(max_examples=40)
@given(st.integers(0, 2**16), st.lists(st.floats(0.01, 100.0), max_size=20))
def test_next_deadline_changes_nothing_and_handle_deadline_moves_it_on(seed: int, steps: list[float]) -> None:
    """Law: next_deadline is a view; after handle_deadline(now=t) it is None or later than t."""
    line = script(seed)
    line.register()
    for step in steps:
        line.run(until=line.now + step)
        agent = line.agent
        assert agent.next_deadline() == agent.next_deadline()
        agent.handle_deadline(now=line.now)
        deadline = agent.next_deadline()
        assert deadline is None or deadline > line.now


@settings(max_examples=30)
@given(st.integers(0, 2**16), st.lists(st.floats(0.0, 500.0), max_size=30))
def test_handle_deadline_early_late_or_twice_does_no_harm(seed: int, moments: list[float]) -> None:
    """Law: calls of handle_deadline that nobody asked for change nothing at all."""
    plain, disturbed = script(seed), script(seed)
    plain.register(until=600.0)
    disturbed.register()
    for moment in sorted(moments):
        disturbed.run(until=moment)
        disturbed.agent.handle_deadline(now=disturbed.now)
        disturbed.agent.handle_deadline(now=disturbed.now)
    disturbed.run(until=600.0)
    assert disturbed.station.outputs == plain.station.outputs


def test_time_never_runs_backwards_inside() -> None:
    line = Line(account(), script=[ok(100)])
    line.register(until=50.0)
    line.agent.unregister("alice", now=3.0)
    line.agent.register("alice", now=2.0)
    line.agent.handle_deadline(now=1.0)
    line.run(until=51.0)
    assert line.status().since >= 0.0
    assert [item.at for item in line.peer.received] == [0.0, 50.0]


@settings(max_examples=300)
@given(st.integers(-1, 400), st.binary(max_size=200))
def test_bytes_from_the_network_never_raise(position: int, junk: bytes) -> None:
    """Law: any bytes, and any good message damaged anywhere, are survived, on datagrams and streams."""
    for transport in (None, TCP):
        line = Line(account(transport=transport), handles=CALLS)
        line.register()
        good = line.peer.write(line.peer.requests[0], ok(60))
        data = junk if position < 0 else good[:position] + junk[:9] + good[position + len(junk[:9]) :]
        line.agent.receive(1, data, REGISTRAR, now=line.now)
        line.run(until=1.0)
        assert line.agent.status("alice").name == "alice"


@pytest.mark.parametrize("transport", [None, TCP], ids=["UDP", "TCP"])
def test_nothing_is_transmitted_on_a_flow_that_is_gone(transport: Any) -> None:
    """The line's station raises when something is; here every way of losing a flow is tried at every moment."""
    for step in range(40):
        line = Line(account(transport=transport), script=[None, challenge(), ok(60)])
        line.register(until=step * 0.25)
        if line.station.flows:
            line.station.break_flow(line.station.flows[0])
        line.run(until=line.now + 100.0)
        line.agent.close(now=line.now)
        line.run(until=line.now + 100.0)
        assert line.agent.closed


def test_late_answers_to_dead_ids_are_dropped() -> None:
    line = Line(account(), script=[ok(100)])
    line.register()
    before = line.status()
    agent, now = line.agent, line.now
    agent.resolved(99, [Record("198.51.100.1")], now=now)
    agent.resolve_failed(1, "late", now=now)
    agent.flow_opened(99, CLIENT, now=now)
    agent.flow_closed(99, now=now)
    agent.receive(99, b"SIP/2.0 200 OK\r\n\r\n", REGISTRAR, now=now)
    agent.transmit_failed(99, REGISTRAR, "late", now=now)
    agent.listening(99, CLIENT, now=now)
    agent.listen_failed(99, "late", now=now)
    accepted = agent.flow_accepted(99, CLIENT, REGISTRAR, now=now)
    outputs = []
    while (output := agent.next_output()) is not None:
        outputs.append(output)
    # The only one that needs an answer: a connection for which there is no listener any more.
    assert outputs == [CloseFlow(flow=accepted)]
    assert line.status() == before


def test_outputs_keep_the_order_of_their_causes_also_when_the_application_calls_from_a_handler() -> None:
    """The application un-registers as soon as it hears of the registration: first the status, then the removal."""
    agent = UserAgent([account()], random=Random(1))
    seen: list[str] = []

    def drain(now: float, on_registered: Callable[[], None] | None = None) -> Transmit | None:
        sent = None
        while (output := agent.next_output()) is not None:
            if isinstance(output, Transmit):
                sent = output
                seen.append(b" ".join(output.data.split(b"\r\n")[0].split()[:1]).decode())
            elif isinstance(output, OpenFlow):
                agent.flow_opened(output.flow, CLIENT, now=now)
            elif isinstance(output, Resolve):
                agent.resolved(output.query, [Record(REGISTRAR[0])] if output.kind == "A" else [], now=now)
            elif isinstance(output, Registered):
                seen.append("Registered")
                if on_registered is not None:
                    on_registered()
            elif isinstance(output, StatusChanged):
                seen.append(str(output.status.state))
        return sent

    agent.register("alice", now=0.0)
    agent.handle_deadline(now=0.0)
    request = drain(0.0)
    assert request is not None
    asked = parse_message(request.data)
    assert isinstance(asked, Request)
    agent.receive(1, ScriptedPeer(World(), REGISTRAR).write(asked, ok(60)), REGISTRAR, now=2.0)
    drain(2.0, lambda: agent.unregister("alice", now=2.0))
    agent.handle_deadline(now=2.0)
    drain(2.0)
    assert seen == ["REGISTER", "Registered", "Registered", "REGISTER"]
    assert agent.status("alice").phase is Phase.REMOVING


def test_many_drops_of_one_kind_are_one_event() -> None:
    line = Line(account())
    line.register()
    line.told()
    for _ in range(1000):
        line.agent.receive(1, b"nonsense", REGISTRAR, now=line.now)
    [dropped] = line.told()
    assert isinstance(dropped, MessageDropped)
    assert dropped.count == 1000


def test_a_hundred_thousand_times_nothing_costs_nothing() -> None:
    """Timers of what is over are not kept: an agent that is idle has no deadline."""
    line = Line(*[account(f"user{n}") for n in range(200)], script=[ok(60)])
    line.register(until=300.0)
    line.peer.answer(200)
    for name in line.agent.names():
        line.agent.unregister(name, now=line.now)
    line.run(until=400.0)
    assert line.agent.next_deadline() is None
    assert len(line.agent.timers) == 0
    assert len(line.agent.network.transactions) == 0


def test_statuses_are_told_for_every_change() -> None:
    """Promise 4: the last status told is the status that is."""
    line = script(3)
    line.register(until=3000.0)
    told = {event.name: event.status for event in line.told(StatusChanged)}
    for status in line.agent.statuses():
        assert told[status.name].state is status.state
        assert told[status.name].expires_at == status.expires_at
        assert told[status.name].cause == status.cause


def test_since_is_when_the_state_changed() -> None:
    line = Line(account(), script=[ok(60)])
    line.register(until=200.0)
    assert line.status().since == 0.0
    line.peer.answer(None)
    lapses_at = line.status().expires_at
    line.run(until=400.0)
    assert line.status().state is State.UNREGISTERED
    assert line.status().since == lapses_at


# --- what arrives ---------------------------------------------------------------------------------------------------


def request(method: str, uri: str, *headers: str, to: str = "sip:alice@example.com", branch: str = "1") -> bytes:
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK{branch}",
        "From: <sip:bob@example.com>;tag=b",
        f"To: <{to}>",
        f"Call-ID: call-{branch}",
        f"CSeq: 1 {method}",
        "Max-Forwards: 70",
        *headers,
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


class Phone(Line):
    """A registered line with a peer that keeps the responses it gets."""

    def __init__(self, *accounts: Any, **options: Any) -> None:
        super().__init__(*(accounts or [account(line=True)]), script=[ok(3600)], **options)
        self.responses: list[Response] = []
        self.wire.faults.append(self._keep)
        self.register()
        self.told()

    def _keep(self, datagram: Any, random: Random) -> list[tuple[float, Any]]:
        if datagram.destination == REGISTRAR:
            message = parse_message(datagram.data)
            if isinstance(message, Response):
                self.responses.append(message)
        return [(0.0, datagram)]

    def contact(self, user: str = "alice") -> str:
        requests = [item for item in self.peer.requests if item.to.uri.user == user]
        return requests[-1].values("contact")[0].strip("<>")

    def call(self, data: bytes) -> list[Any]:
        self.peer.send(data, CLIENT)
        self.run(until=self.now + 0.1)
        return self.told()


@pytest.mark.requirement("RFC3261-13-01")
def test_a_call_comes_to_the_application_with_its_registration() -> None:
    phone = Phone(account("alice", line=True), account("bob", line=True), handles=CALLS)
    for user in ("alice", "bob"):
        data = request("INVITE", phone.contact(user), branch=user, to=f"sip:{user}@example.com")
        [event] = phone.call(data)
        assert isinstance(event, InboundRequest)
        assert event.registration == user
        assert event.data == data
        assert event.source == REGISTRAR
        assert event.flow == 1


def test_the_registration_is_found_by_line_in_the_to_too() -> None:
    phone = Phone(handles=CALLS)
    token = phone.contact().partition("line=")[2]
    [event] = phone.call(request("INVITE", "sip:somebody@192.0.2.10", to=f"sip:x@y;line={token}"))
    assert event.registration == "alice"


def test_the_registration_is_found_by_contact_and_else_is_none() -> None:
    phone = Phone(account(), handles=CALLS)
    [event] = phone.call(request("INVITE", "sip:alice@192.0.2.10:40000", branch="a"))
    assert event.registration == "alice"
    [event] = phone.call(request("INVITE", "sip:nobody@192.0.2.10:40000", branch="b"))
    assert event.registration is None


def test_a_removed_registration_gets_no_calls() -> None:
    phone = Phone(handles=CALLS)
    contact = phone.contact()
    phone.agent.remove("alice", now=phone.now)
    phone.run(until=phone.now + 1.0)
    phone.told()
    [event] = phone.call(request("INVITE", contact))
    assert event.registration is None


@pytest.mark.requirement("RFC3261-11-01", "RFC3261-8.2.1-01", "RFC3261-8.2.6.2-02")
@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("INVITE", 405), ("MESSAGE", 405), ("NOTIFY", 405), ("FOO", 501)]
)
def test_what_the_application_does_not_handle_is_answered_at_once(method: str, status: int) -> None:
    phone = Phone()
    assert phone.call(request(method, phone.contact())) == []
    [response] = phone.responses
    assert response.status == status
    assert response.to.tag
    if status == 405:
        assert response.get("allow") == "OPTIONS"


@pytest.mark.requirement("RFC3261-8.2.6.2-02", "RFC3261-17.2.2-03")
def test_the_application_answers_and_copies_get_the_same_bytes() -> None:
    phone = Phone(handles={"MESSAGE"})
    data = request("MESSAGE", phone.contact())
    [event] = phone.call(data)
    phone.agent.respond(event, 486, "Busy", headers=(("X-Why", "lunch"),), now=phone.now)
    assert phone.call(data) == []
    first, copy = phone.responses
    assert bytes(first) == bytes(copy)
    assert (first.status, first.reason, first.get("x-why")) == (486, "Busy", "lunch")
    assert first.get("call-id") == "call-1"


def test_an_answer_can_be_given_once_and_only_what_fits() -> None:
    phone = Phone(handles={"MESSAGE"})
    [event] = phone.call(request("MESSAGE", phone.contact()))
    with pytest.raises(LocalProtocolError):
        phone.agent.respond(event, 200, headers=(("X", "a\r\nInjected: b"),), now=phone.now)
    assert phone.responses == []
    phone.agent.respond(event, 200, now=phone.now)
    with pytest.raises(LocalProtocolError):
        phone.agent.respond(event, 200, now=phone.now)


def test_send_raw_goes_over_the_registered_flow() -> None:
    phone = Phone(handles=CALLS)
    flow = phone.status().flow
    assert flow is not None
    data = request("BYE", "sip:bob@example.com")
    phone.agent.send_raw(flow, data, REGISTRAR, now=phone.now)
    phone.run(until=phone.now + 0.1)
    assert bytes(phone.peer.received[-1].request) == data
    assert phone.peer.received[-1].source == CLIENT


@pytest.mark.parametrize(("flow", "remote"), [(99, REGISTRAR), (1, None)])
def test_send_raw_refuses_what_cannot_be_sent(flow: int, remote: Any) -> None:
    phone = Phone()
    with pytest.raises(LocalProtocolError):
        phone.agent.send_raw(flow, b"x", remote, now=phone.now)
    with pytest.raises(LocalProtocolError, match="fit"):
        phone.agent.send_raw(1, b"x" * 70000, REGISTRAR, now=phone.now)


@pytest.mark.requirement("RFC3261-18.1.2-02")
def test_a_response_to_the_applications_own_request_is_handed_on_if_it_handles_calls() -> None:
    data = request("BYE", "sip:x").replace(b"BYE sip:x SIP/2.0", b"SIP/2.0 200 OK")
    [event] = Phone(handles=CALLS).call(data)
    assert isinstance(event, InboundResponse)
    assert event.data == data
    [dropped] = Phone().call(data)
    assert isinstance(dropped, MessageDropped)


@pytest.mark.requirement("RFC3261-26.3.2.1-01", "RFC5923-8.1-01")
def test_a_call_over_the_registered_connection() -> None:
    line = Line(account(line=True, transport=TCP), script=[ok(3600)], handles=CALLS)
    line.wire.cut = True
    line.register()
    contact = line.peer.requests[0].values("contact")[0].strip("<>")
    [connection] = line.peer.connections
    connection.send(request("INVITE", contact).replace(b"/UDP", b"/TCP"))
    [event] = line.told(InboundRequest, until=60.0)
    assert event.registration == "alice"
    assert event.source in (None, REGISTRAR)
    line.agent.respond(event, 486, now=line.now)
    line.run()
    assert line.status().registered


# --- against a real registrar ---------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.2.4-03", "RFC3261-10.2-06", "RFC3261-22.3-03")
@pytest.mark.parametrize("transport", [None, TCP], ids=["UDP", "TCP"])
def test_ten_users_for_a_day(transport: Any) -> None:
    users = {f"user{n}": PASSWORD for n in range(10)}
    pair = Pair(*[account(user, transport=transport) for user in users], users=users)
    pair.register(until=86400.0)
    assert all(status.registered for status in pair.agent.statuses())
    for user in users:
        [binding] = pair.registrar.bindings(f"sip:{user}@example.com")
        assert binding.expires_at > pair.now
    sent = [item for item in pair.client.outputs if isinstance(item.output, Transmit)]
    # One request each 50 minutes, and a challenge at the start and when the nonce is an hour old.
    assert len(sent) <= 10 * 2 * (86400 / 2900 + 2)
    pair.agent.close(now=pair.now)
    pair.run(until=pair.now + 1.0)
    assert pair.agent.closed
    assert all(pair.registrar.bindings(f"sip:{user}@example.com") == () for user in users)


def test_over_a_bad_wire_for_an_hour_nothing_is_ever_claimed_that_is_not_so() -> None:
    """Law: while the status says Registered, the registrar has the binding, but for what is in flight."""
    pair = Pair(account(expires=120), users={"alice": PASSWORD})
    wire = pair.world.wire
    wire.loss, wire.duplication, wire.latency, wire.jitter = 0.3, 0.3, 0.05, 0.5
    pair.register()
    wrong = 0
    for step in range(1, 3600):
        pair.run(until=float(step))
        if pair.status().registered and not pair.registrar.bindings("sip:alice@example.com"):
            wrong += 1
    assert wrong == 0
    assert pair.status().registered


def test_requests_over_a_bad_wire_never_overlap() -> None:
    """Law: once a request has left, nothing of an earlier one is sent any more (RFC 3261 section 10.2)."""
    line = script(7)
    line.register("alice", until=3000.0)
    numbers = [message.cseq.number for message in line.sent()]
    assert len(set(numbers)) > 20
    assert len(numbers) > len(set(numbers))
    assert all(after - before in (0, 1) for before, after in pairwise(numbers))

