"""Requests at a user agent: what is answered at once, what the application gets, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.commands import CloseFlow, Command, OpenFlow, Transmit
from sipcore.endpoint import Endpoint
from sipcore.errors import LocalProtocolError
from sipcore.events import Event, InboundRequest, MessageDropped
from sipcore.flows import Flow
from sipcore.inbound import KNOWN_METHODS, Inbound, allow, identify, line_of
from sipcore.syntax.message import Request, Response, parse_message
from sipcore.syntax.uri import Uri
from sipcore.values import Address, Protocol

PEER = ("192.0.2.7", 5062)
LOCAL = ("192.0.2.1", 5060)


class Agent(Endpoint):
    """An endpoint with the inbound room alone."""

    def __init__(
        self,
        handles: Collection[str] = (),
        *,
        protocol: Protocol = Protocol.UDP,
        extensions: Collection[str] = (),
        by_line: Callable[[str], str | None] = lambda line: None,
        by_contact: Callable[[Uri], str | None] = lambda uri: None,
    ) -> None:
        super().__init__(random=Random(1))
        self.inbound = Inbound(self, handles=handles, extensions=extensions, by_line=by_line, by_contact=by_contact)
        remote = None if protocol is Protocol.UDP else PEER
        self.flow = self.open_flow(protocol, local=LOCAL, remote=remote, server_name=None, until=32.0)
        assert isinstance(self.next_output(), OpenFlow)
        self.flow_opened(self.flow.id, LOCAL, remote, now=0.0)

    def on_request(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        self.inbound.receive(flow, request, data, source, now)

    def on_response(self, flow: Flow, response: Response, data: bytes, source: Address | None, now: float) -> None:
        raise AssertionError("no response is sent to this agent")

    def take(self, data: bytes, now: float = 1.0) -> list[Command | Event]:
        """Receive one message; what comes out."""
        self.receive(self.flow.id, data, PEER if self.flow.remote is None else None, now=now)
        return self.outputs()

    def outputs(self) -> list[Command | Event]:
        found = []
        while (output := self.next_output()) is not None:
            found.append(output)
        return found

    def answer(self, data: bytes, now: float = 1.0) -> Response:
        """The one response that a request gets at once."""
        (output,) = self.take(data, now)
        return response_in(output)

    def handed(self, data: bytes, now: float = 1.0) -> InboundRequest:
        """The one event that a request leads to."""
        (event,) = self.take(data, now)
        assert isinstance(event, InboundRequest)
        return event


def response_in(output: Command | Event) -> Response:
    assert isinstance(output, Transmit)
    message = parse_message(output.data)
    assert isinstance(message, Response)
    return message


def request(
    method: str = "OPTIONS",
    *,
    uri: str = "sip:alice@192.0.2.1",
    branch: str = "z9hG4bK1",
    to: str = "<sip:alice@example.com>",
    cseq: str | None = None,
    more: str = "",
    without: str = "",
) -> bytes:
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP pc.example:5070;branch={branch};rport",
        "From: <sip:bob@example.com>;tag=t1",
        f"To: {to}",
        "Call-ID: c1",
        f"CSeq: {cseq or f'1 {method}'}",
    ]
    kept = [line for line in lines if not without or not line.startswith(f"{without}:")]
    return ("\r\n".join(kept) + f"\r\n{more}Content-Length: 0\r\n\r\n").encode()


# --- answered at once ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-11-01", "RFC3261-8.2.6.1-01")
def test_options_is_answered_with_what_we_can() -> None:
    agent = Agent(handles=["NOTIFY", "INVITE"], extensions=["path"])
    response = agent.answer(request())
    assert response.status == 200
    assert response.get("allow") == "INVITE, OPTIONS, NOTIFY"
    assert response.get("accept") == "application/sdp"
    assert response.get("supported") == "path"
    assert response.to.tag is not None
    assert Agent().answer(request()).get("supported") == ""


@pytest.mark.requirement("RFC3261-8.2.1-01")
@pytest.mark.parametrize("method", sorted(set(KNOWN_METHODS) - {"OPTIONS", "ACK", "CANCEL"}))
def test_a_known_method_that_nobody_handles_is_405_with_allow(method: str) -> None:
    response = Agent(handles=["MESSAGE"] if method != "MESSAGE" else []).answer(request(method))
    assert response.status == 405
    assert response.get("allow") == ("OPTIONS, MESSAGE" if method != "MESSAGE" else "OPTIONS")


@pytest.mark.requirement("RFC3261-8.2.1-01")
@pytest.mark.parametrize("method", ["NEWMETHOD", "invite", "options"])
def test_an_unknown_method_is_501(method: str) -> None:
    assert Agent().answer(request(method)).status == 501


def test_a_method_of_ones_own_can_be_handled() -> None:
    agent = Agent(handles=["NEWMETHOD"])
    assert agent.handed(request("NEWMETHOD")).request.method == "NEWMETHOD"
    assert allow(["NEWMETHOD", "ACK"]) == "ACK, OPTIONS, NEWMETHOD"


def test_cancel_is_481_unless_handled() -> None:
    assert Agent().answer(request("CANCEL")).status == 481
    assert Agent(handles=["INVITE"]).answer(request("CANCEL")).status == 481
    assert Agent(handles=["CANCEL"]).handed(request("CANCEL")).request.method == "CANCEL"


@pytest.mark.requirement("RFC3261-8.2.2.3-01")
def test_an_extension_that_is_not_understood_is_420() -> None:
    agent = Agent(handles=["MESSAGE"], extensions=["Path"])
    for method in ("MESSAGE", "OPTIONS"):
        response = agent.answer(request(method, more="Require: foo, PATH\r\nRequire: bar\r\n"))
        assert response.status == 420
        assert response.get("unsupported") == "foo, bar"
    assert agent.answer(request(more="Require: path\r\n")).status == 200
    assert agent.answer(request(more="Proxy-Require: foo\r\n")).status == 200


@pytest.mark.requirement("RFC3261-8.2.2.3-01")
def test_ack_and_cancel_are_taken_whatever_they_require() -> None:
    agent = Agent(handles=["ACK", "CANCEL"])
    for method in ("ACK", "CANCEL"):
        assert agent.handed(request(method, more="Require: foo\r\n")).request.method == method


@pytest.mark.requirement("RFC3261-8.2.2.1-01")
@pytest.mark.parametrize(
    ("uri", "status"), [("tel:+1-201", 200), ("sips:a@b", 200), ("SIP:a@b", 200), ("foo:bar", 416), ("http://x", 416)]
)
def test_a_scheme_that_we_do_not_speak_is_416(uri: str, status: int) -> None:
    assert Agent().answer(request(uri=uri)).status == status


@pytest.mark.requirement("RFC4475-3.3.1-01", "RFC4475-3.3.8-01")
@pytest.mark.parametrize("method", ["OPTIONS", "NOTIFY", "INVITE", "CANCEL"])
@pytest.mark.parametrize("header", ["From", "To", "Call-ID", "CSeq"])
def test_what_cannot_be_understood_is_400(method: str, header: str) -> None:
    agent = Agent(handles=["NOTIFY"])
    missing = agent.answer(request(method, without=header))
    assert (missing.status, missing.reason) == (400, f"Missing or malformed {header}")
    value = {"From": "<sip:x@y>;tag=1", "To": "<sip:x@y>", "Call-ID": "c2", "CSeq": f"2 {method}"}[header]
    assert agent.answer(request(method, more=f"{header}: {value}\r\n")).status == 400
    malformed = "" if header == "Call-ID" else "<"
    assert agent.answer(request(method, without=header, more=f"{header}: {malformed}\r\n")).status == 400


@pytest.mark.parametrize(
    ("to", "senders", "status"),
    [
        ("<sip:a@example.com>", ["<sip:a@example.com>;tag=1"], 200),
        ("<sip:a@example.com>", ["<sip:b@example.com>;tag=1"], 200),
        ("<sip:a@example.com>", ["<sip:a@example.com>"], 200),
        ("<sip:a@example.com>;x=1", ["<sip:a@example.com>;x=1;tag=1"], 200),
        ("<sip:a@example.com>", ["<sip:a@example.com>;tag=1", "<sip:a@example.com>;tag=1"], 400),
        ("<sip:a@example.com>", ["<sip:a@example.com>;tag=1;tag=2"], 400),
        ("<sip:a@example.com>;tag=1", ["<sip:a@example.com>;tag=1;tag=2"], 400),
        ("<sip:a@example.com>", ['<sip:a@example.com>;tag="1'], 400),
        ("<sip:a@example.com>", ["<sip:a@example.com ;tag=1"], 400),
        ("<sip:a@example.com>", ["sip:a@example.comxxxxxxxxxx<"], 400),
    ],
)
def test_a_from_like_the_to_is_read_as_carefully_as_any(to: str, senders: list[str], status: int) -> None:
    """Registrations write both alike but for the tag, and that is recognised without reading the address again."""
    more = "".join(f"From: {sender}\r\n" for sender in senders)
    assert Agent().answer(request(to=to, without="From", more=more)).status == status


@pytest.mark.requirement("RFC4475-3.1.2.17-01", "RFC4475-3.1.2.18-01")
def test_a_method_that_differs_from_that_of_cseq_is_400_and_one_that_nobody_knows_501() -> None:
    agent = Agent(handles=["NOTIFY"])
    assert agent.answer(request("NOTIFY", cseq="1 REGISTER")).status == 400
    assert agent.answer(request("NEWMETHOD", cseq="1 INVITE")).status == 501
    assert agent.answer(request("NEWMETHOD", without="From")).status == 501


@pytest.mark.requirement("RFC4475-3.1.2.11-01", "RFC5118-4.2-01")
@pytest.mark.parametrize("method", ["OPTIONS", "NOTIFY", "INVITE"])
@pytest.mark.parametrize("uri", ["sip:bob@h?Route=%3Csip:a%3E", "sips:h?X=y", "sip:2001:db8::1", "sip:a@h;=", "sip:%@"])
def test_a_request_uri_that_cannot_be_read_or_has_headers_is_400(method: str, uri: str) -> None:
    answer = Agent(handles=["NOTIFY"]).answer(request(method, uri=uri))
    assert (answer.status, answer.reason) == (400, "Missing or malformed Request-URI")


def test_max_forwards_is_not_our_matter() -> None:
    for more in ("", "Max-Forwards: 0\r\n", "Max-Forwards: x\r\n"):
        assert Agent().answer(request(more=more)).status == 200


@pytest.mark.requirement("RFC3261-17.2.2-03")
def test_what_is_answered_at_once_is_answered_alike_and_nothing_is_kept() -> None:
    agent = Agent(handles=["INVITE"])
    for method in ("OPTIONS", "NOTIFY", "NEWMETHOD", "CANCEL"):
        first, second = agent.take(request(method), 1.0), agent.take(request(method), 100.0)
        assert first == second
        other = response_in(agent.take(request(method, branch="z9hG4bK2"))[0])
        assert other.to.tag != response_in(first[0]).to.tag
    assert len(agent.inbound) == 0
    assert agent.next_deadline() is None


def test_another_agent_has_other_tags() -> None:
    agent, other = Agent(), Agent()
    other.inbound._tags = type(other.inbound._tags)(Random(2))
    assert agent.answer(request()).to.tag != other.answer(request()).to.tag


def test_the_answer_goes_where_the_via_says() -> None:
    (output,) = Agent().take(request())
    assert isinstance(output, Transmit)
    assert output.remote == PEER
    (output,) = Agent().take(request().replace(b";rport", b""))
    assert isinstance(output, Transmit)
    assert output.remote == (PEER[0], 5070)
    (output,) = Agent(protocol=Protocol.TCP).take(request())
    assert isinstance(output, Transmit)
    assert output.remote is None


def test_without_a_via_there_is_no_way_back() -> None:
    agent = Agent(handles=["MESSAGE"])
    for method in ("OPTIONS", "MESSAGE"):
        (event,) = agent.take(request(method, without="Via"))
        assert isinstance(event, MessageDropped)
        assert event.cause == "a request without a usable Via"


def test_an_ack_that_nobody_waits_for_is_dropped_with_its_cause() -> None:
    agent = Agent(handles=["INVITE"])
    (event,) = agent.take(request("ACK"))
    assert isinstance(event, MessageDropped)
    assert event.cause == "an ACK that nobody waits for"
    (event,) = agent.take(request("ACK", without="Via"))
    assert isinstance(event, MessageDropped)
    assert event.cause == "malformed ACK"


def test_an_invite_that_nobody_handles_is_refused_without_a_transaction() -> None:
    agent = Agent()
    assert agent.answer(request("INVITE")).status == 405
    assert len(agent.inbound) == 0


# --- for the application ---------------------------------------------------------------------------------------------


def test_the_application_gets_the_message_as_it_arrived() -> None:
    agent = Agent(handles=["MESSAGE"])
    data = request("MESSAGE").replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: 2\r\n\r\nhi")
    event = agent.handed(data)
    assert (event.data, event.flow, event.source, event.registration) == (data, agent.flow.id, PEER, None)
    assert event.request.body == b"hi"


@pytest.mark.requirement("RFC3261-17.2.2-03", "RFC3261-8.2.6.2-02")
def test_copies_make_one_event_and_get_the_same_bytes() -> None:
    agent = Agent(handles=["NOTIFY"])
    event = agent.handed(request("NOTIFY"))
    assert agent.take(request("NOTIFY")) == []
    agent.inbound.respond(event.request, 202, now=1.5)
    (first,) = agent.outputs()
    assert response_in(first).to.tag is not None
    assert agent.take(request("NOTIFY")) == [first]
    assert agent.take(request("NOTIFY")) == [first]


def test_respond_writes_what_the_application_says() -> None:
    agent = Agent(handles=["INVITE"])
    event = agent.handed(request("INVITE"))
    agent.inbound.respond(event, 180, "Klingeln", headers=[("Contact", "<sip:bot@192.0.2.1>")], now=1.1)
    agent.inbound.respond(event, 200, headers=[("Content-Type", "application/sdp")], body=b"v=0\r\n", now=2.0)
    ringing, final = (response_in(output) for output in agent.outputs())
    assert (ringing.status, ringing.reason, ringing.get("contact")) == (180, "Klingeln", "<sip:bot@192.0.2.1>")
    assert (final.status, final.reason, final.body) == (200, "OK", b"v=0\r\n")
    assert ringing.to.tag == final.to.tag is not None
    assert ringing.call_id == final.call_id == "c1"


def test_a_100_has_no_tag_and_the_tag_comes_with_the_next() -> None:
    agent = Agent(handles=["INVITE"])
    event = agent.handed(request("INVITE"))
    agent.inbound.respond(event, 100, now=1.0)
    agent.inbound.respond(event, 486, now=1.0)
    trying, busy = (response_in(output) for output in agent.outputs())
    assert trying.to.tag is None
    assert busy.to.tag is not None


def test_a_request_is_answered_once() -> None:
    agent = Agent(handles=["MESSAGE"])
    event = agent.handed(request("MESSAGE"))
    agent.inbound.respond(event, 200, now=1.0)
    agent.outputs()
    with pytest.raises(LocalProtocolError, match="no answer is expected"):
        agent.inbound.respond(event, 500, now=1.0)
    unknown = parse_message(request("MESSAGE"))
    assert isinstance(unknown, Request)
    with pytest.raises(LocalProtocolError, match="no answer is expected"):
        agent.inbound.respond(unknown, 200, now=1.0)
    assert agent.outputs() == []


def test_an_answer_that_comes_too_late_is_refused() -> None:
    agent = Agent(handles=["MESSAGE"])
    event = agent.handed(request("MESSAGE"), now=0.0)
    agent.handle_deadline(now=32.0)
    (dropped,) = agent.outputs()
    assert isinstance(dropped, MessageDropped)
    assert dropped.cause == "the application did not answer in time"
    with pytest.raises(LocalProtocolError, match="no answer is expected"):
        agent.inbound.respond(event, 200, now=32.0)


def test_an_answer_over_a_lost_flow_is_refused() -> None:
    agent = Agent(handles=["MESSAGE"], protocol=Protocol.TCP)
    event = agent.handed(request("MESSAGE"))
    agent.flow_closed(agent.flow.id, now=2.0)
    with pytest.raises(LocalProtocolError, match="flow"):
        agent.inbound.respond(event, 200, now=3.0)


@pytest.mark.parametrize(
    ("status", "reason", "headers", "body", "complaint"),
    [
        (99, None, [], b"", "status"),
        (700, None, [], b"", "status"),
        (0, None, [], b"", "status"),
        (200, "a\r\nX: y", [], b"", "reason"),
        (200, "a\0", [], b"", "reason"),
        (200, None, [("X", "a\r\nY: b")], b"", "value for X without control characters"),
        (200, None, [("X: y", "a")], b"", "header"),
        (200, None, [("X\n", "a")], b"", "header"),
        (200, None, [("Via", "SIP/2.0/UDP a")], b"", "copied"),
        (200, None, [("v", "SIP/2.0/UDP a")], b"", "copied"),
        (200, None, [("t", "<sip:a@b>")], b"", "copied"),
        (200, None, [("content-length", "5")], b"", "computed"),
        (200, None, [], b"x", "Content-Type"),
        (180, None, [], b"", "4320"),
        (408, None, [], b"", "4320"),
        (200, None, [("c", "text/plain")], b"x" * 65536, "datagram"),
    ],
)
def test_what_cannot_go_on_the_wire_is_refused_and_nothing_is_sent(
    status: int, reason: str | None, headers: list[tuple[str, str]], body: bytes, complaint: str
) -> None:
    agent = Agent(handles=["MESSAGE"])
    event = agent.handed(request("MESSAGE"))
    with pytest.raises(LocalProtocolError, match=complaint):
        agent.inbound.respond(event, status, reason, headers=headers, body=body, now=1.0)
    assert agent.outputs() == []
    agent.inbound.respond(event, 200, now=1.0)
    assert [response_in(output).status for output in agent.outputs()] == [200]


def test_a_stream_carries_what_a_datagram_cannot() -> None:
    agent = Agent(handles=["MESSAGE"], protocol=Protocol.TCP)
    event = agent.handed(request("MESSAGE"))
    agent.inbound.respond(event, 699, headers=[("c", "text/plain")], body=b"x" * 65536, now=1.0)
    (output,) = agent.outputs()
    assert isinstance(output, Transmit)
    assert len(output.data) > 65536


@pytest.mark.parametrize("handles", [["A B"], ["MESSAGE\r\n"], [""]])
def test_methods_are_tokens(handles: list[str]) -> None:
    with pytest.raises(LocalProtocolError, match="a token"):
        Agent(handles=handles)


def test_the_ack_to_a_refusal_is_absorbed_and_that_to_a_2xx_is_handed_over() -> None:
    agent = Agent(handles=["INVITE", "ACK"])
    agent.inbound.respond(agent.handed(request("INVITE")), 486, now=1.0)
    agent.outputs()
    assert agent.take(request("ACK")) == []
    agent.inbound.respond(agent.handed(request("INVITE", branch="z9hG4bK2", cseq="2 INVITE")), 200, now=1.0)
    agent.outputs()
    assert agent.handed(request("ACK", branch="z9hG4bK3", cseq="2 ACK")).request.method == "ACK"


@pytest.mark.requirement("RFC3261-8.2.2.2-01")
def test_a_request_that_comes_by_two_ways_is_handed_over_once() -> None:
    agent = Agent(handles=["MESSAGE"])
    agent.handed(request("MESSAGE"))
    assert agent.answer(request("MESSAGE", branch="z9hG4bK2")).status == 482
    in_dialog = request("MESSAGE", branch="z9hG4bK3", to="<sip:alice@example.com>;tag=d")
    assert agent.handed(in_dialog).request.to.tag == "d"


def test_a_long_wait_sends_a_100_and_then_the_answer() -> None:
    agent = Agent(handles=["MESSAGE"])
    event = agent.handed(request("MESSAGE"), now=0.0)
    agent.handle_deadline(now=3.5)
    agent.inbound.respond(event, 200, now=10.0)
    assert [response_in(output).status for output in agent.outputs()] == [100, 200]


# --- which registration ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "to", "line"),
    [
        ("sip:a@b;line=abc", "<sip:a@b>", "abc"),
        ("sip:a@b;LINE=abc", "<sip:a@b>", "abc"),
        ("sip:a@b;line=abc", "<sip:a@b;line=xyz>", "xyz"),
        ("sip:a@b;line=abc", "<sip:a@b>;line=xyz", "abc"),
        ("sip:a@b;line=", "<sip:a@b>", None),
        ("sip:a@b", "<sip:a@b>", None),
        ("tel:+1;line=abc", "<tel:+1>", None),
        ("sip:a@b;line=abc", "<sip:>", "abc"),
        ("sip:@;line=abc", "<sip:a@b>", None),
    ],
)
def test_the_line_is_that_of_to_else_of_the_request_uri(uri: str, to: str, line: str | None) -> None:
    message = parse_message(request("MESSAGE", uri=uri, to=to))
    assert isinstance(message, Request)
    assert line_of(message) == line


def test_the_contact_tells_when_the_line_does_not() -> None:
    def by_contact(uri: Uri) -> str | None:
        return {"bot": "second"}.get(uri.user or "")

    for uri, name in (
        ("sip:bot@192.0.2.1;line=known", "first"),
        ("sip:bot@192.0.2.1;line=other", "second"),
        ("sip:bot@192.0.2.1", "second"),
        ("sip:nobody@192.0.2.1", None),
        ("sip:bot@;", None),
    ):
        message = parse_message(request("MESSAGE", uri=uri))
        assert isinstance(message, Request)
        assert identify(message, {"known": "first"}.get, by_contact) == name


def test_the_event_names_the_registration() -> None:
    agent = Agent(handles=["INVITE", "ACK"], by_line={"abc": "alice"}.get)
    assert agent.handed(request("INVITE", uri="sip:x@192.0.2.1;line=abc")).registration == "alice"
    assert agent.handed(request("ACK", uri="sip:x@192.0.2.1;line=abc", branch="z9hG4bK9")).registration == "alice"


# --- whatever comes --------------------------------------------------------------------------------------------------

SAMPLE = request("MESSAGE", more="Require: foo\r\nExpires: 5\r\n")


@given(
    st.sampled_from(["OPTIONS", "MESSAGE", "INVITE", "ACK", "CANCEL", "X"]),
    st.lists(st.tuples(st.integers(0, len(SAMPLE)), st.integers(0, 8), st.binary(max_size=4)), max_size=6),
)
def test_no_message_raises_and_each_is_answered_handed_over_or_dropped(
    method: str, edits: list[tuple[int, int, bytes]]
) -> None:
    """However a request is damaged: one output at most for each of answer, event and drop, and never an exception."""
    agent = Agent(handles=["MESSAGE", "INVITE"])
    data = request(method, more="Require: foo\r\nExpires: 5\r\n")
    for place, length, piece in edits:
        data = data[:place] + piece + data[place + length :]
    outputs = agent.take(data)
    assert len(outputs) <= 1
    assert not any(isinstance(output, CloseFlow) for output in outputs)
