"""Where a message begins and ends, as an agent sees it: on UDP, on connections, and where each has its own boundary."""

from __future__ import annotations

import pytest

from sipcore.commands import CloseFlow
from sipcore.errors import RemoteProtocolError
from sipcore.events import FlowLost, MessageDropped, Registered
from sipcore.flows import Flow
from sipcore.syntax.limits import MAX_BODY, MAX_DATAGRAM, MAX_HEADER_BLOCK, MAX_START_LINE
from sipcore.syntax.message import Response, parse_message
from sipcore.testing import Answer, Line, ok
from sipcore.values import Address, Protocol
from tests.accounts import TCP, account
from tests.host import Host

REMOTE: Address = ("192.0.2.1", 5060)
HEAD = b"Via: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: c\r\n"
REQUEST = b"OPTIONS sip:a@h SIP/2.0\r\n" + HEAD + b"CSeq: 1 OPTIONS\r\nContent-Length: 3\r\n\r\nabc"
RESPONSE = b"SIP/2.0 200 OK\r\n" + HEAD + b"CSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
NO_LENGTH = RESPONSE.replace(b"Content-Length: 0\r\n", b"")
BINDING = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)


def drops(host: Host) -> list[str]:
    return [item.cause for item in host.outputs() if isinstance(item, MessageDropped)]


def connection(host: Host, accepted: bool) -> Flow:
    if not accepted:
        return host.opened(Protocol.TCP, REMOTE)
    listener = host.listen(Protocol.TCP, ("192.0.2.9", 5062))
    number = host.flow_accepted(listener.id, ("192.0.2.9", 5062), REMOTE, now=0.0)
    host.outputs()
    return host.flows[number]


# --- datagrams -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-18.3-01")
def test_the_end_of_a_datagram_and_content_length() -> None:
    """Surplus is dropped, no length is all of it, and what is cut short is nothing."""
    host = Host()
    flow = host.opened()
    long = RESPONSE.replace(b"Length: 0", b"Length: 4") + b"body"
    for data in (long + b"0123456789", NO_LENGTH + b"body", long[:-1], REQUEST[:-1]):
        host.receive(flow.id, data, REMOTE, now=1.0)
    assert [item.body for item in host.responses] == [b"body", b"body"]
    assert host.requests == []
    assert drops(host) == ["malformed message: the body is shorter than Content-Length says"]
    # Another message behind the first is surplus like any other.
    host.receive(flow.id, REQUEST + RESPONSE, REMOTE, now=1.0)
    assert [item.body for item in host.requests] == [b"abc"]
    assert len(host.responses) == 2


@pytest.mark.requirement("RFC3261-18.3-01")
@pytest.mark.parametrize(
    ("edit", "taken"),
    [
        (lambda data: data + b"0123456789", True),
        (lambda data: data.replace(b"Content-Length: 0\r\n", b""), True),
        (lambda data: data.replace(b"Content-Length: 0\r\n", b"") + b"body", True),
        (lambda data: data.replace(b"Content-Length: 0\r\n", b"Content-Length: 5\r\n") + b"body", False),
    ],
    ids=["surplus", "no length", "no length, a body", "cut short"],
)
def test_a_200_whose_length_is_odd(edit: object, taken: bool) -> None:
    line = Line(account(), script=[Answer(200, contact="{contact};expires=100", edit=edit)])  # type: ignore[arg-type]
    line.register(until=10.0)
    assert line.status().registered is taken
    assert bool(line.told(MessageDropped)) is not taken


@pytest.mark.requirement("RFC3261-18.1.1-03")
@pytest.mark.parametrize("size", [60_000, MAX_DATAGRAM])
@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_200_as_long_as_a_datagram_can_be(size: int, where: str) -> None:
    """RFC 3261 asks for 65535 bytes; IPv4 carries 65507 of them, and the limits lie above both."""
    assert min(MAX_BODY, MAX_HEADER_BLOCK) > MAX_DATAGRAM

    def pad(data: bytes) -> bytes:
        padded = (pad_headers if where == "headers" else pad_body)(data, size)
        assert len(padded) == size
        return padded

    line = Line(account(), script=[Answer(200, contact="{contact};expires=100", edit=pad)])
    line.register()
    [event] = line.told(Registered)
    assert event.expires == 100
    assert line.told(MessageDropped) == []


def pad_body(data: bytes, size: int) -> bytes:
    head, _, _ = data.partition(b"Content-Length: 0\r\n\r\n")
    room = size - len(head) - len(b"Content-Length: 12345\r\n\r\n")
    return head + b"Content-Length: %d\r\n\r\n" % room + b"x" * room


def pad_headers(data: bytes, size: int) -> bytes:
    head = data[:-2]
    while (room := size - len(head) - 2) > 0:
        line = b"X-Pad: " + b"x" * 991 + b"\r\n"
        head += line if room > 2100 else b"X-Pad: ".ljust(room - 2, b"x") + b"\r\n"
    return head + b"\r\n"


@pytest.mark.requirement("RFC5626-8-01")
def test_stun_is_no_malformed_message() -> None:
    """Nothing here serves STUN yet: it is told by its name, once for each source, and answered by nobody."""
    host = Host()
    flow = host.opened()
    for data in (BINDING, BINDING + b"\x80\x22\x00\x00", RESPONSE):
        host.receive(flow.id, data, REMOTE, now=1.0)
    [dropped] = host.outputs()
    assert isinstance(dropped, MessageDropped)
    assert (dropped.cause, dropped.count, dropped.source) == ("STUN, which is not served here", 2, REMOTE)
    assert len(host.responses) == 1
    assert flow.heard_at == 1.0


@pytest.mark.requirement("RFC5626-8-01")
def test_the_parser_does_not_see_stun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("sipcore.endpoint.parse_message")
    host = Host()
    host.receive(host.opened().id, BINDING, REMOTE, now=1.0)
    assert len(host.outputs()) == 1


@pytest.mark.requirement("RFC5626-8-01")
def test_on_a_connection_there_is_no_stun() -> None:
    """RFC 5626 section 4.4.1: a connection is kept alive by CRLFs; its first bytes are not looked at for a cookie."""
    host = Host()
    flow = connection(host, accepted=True)
    host.receive(flow.id, b"\r\nA !" + RESPONSE, now=1.0)
    assert not any("STUN" in cause for cause in drops(host))


@pytest.mark.requirement("RFC3261-7.4.2-01")
def test_chunked_is_a_header_like_any_other() -> None:
    """RFC 3261 section 7.4.2: Content-Length alone says where a body ends, on datagrams and on connections."""
    chunks = b"5\r\nhello\r\n0\r\n\r\n"
    chunked = RESPONSE.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked\r\nContent-Length: %d" % len(chunks))
    host = Host()
    host.receive(host.opened().id, chunked + chunks + chunks, REMOTE, now=1.0)
    stream = connection(host, accepted=False)
    host.receive(stream.id, chunked + chunks + RESPONSE, now=1.0)
    assert [item.body for item in host.responses] == [chunks, chunks, b""]
    assert host.responses[0].get("transfer-encoding") == "chunked"
    # Without a length it frames nothing: a connection cannot go on behind it.
    host.receive(stream.id, chunked.replace(b"Content-Length: %d\r\n" % len(chunks), b"") + chunks, now=2.0)
    assert not stream.open
    assert len(host.responses) == 3


@pytest.mark.requirement("RFC3261-7.4.2-01")
def test_a_200_that_says_chunked_registers_and_nothing_of_ours_is_chunked() -> None:
    for transport in (None, TCP):
        line = Line(account(transport=transport), script=[ok(100, "Transfer-Encoding: chunked")])
        line.register()
        assert line.status().registered
        assert all(request.get("transfer-encoding") is None for request in line.peer.requests)


# --- one WebSocket message, one SIP message --------------------------------------------------------------------------


@pytest.mark.requirement("RFC7118-5-03")
def test_a_message_with_a_boundary_of_its_own_needs_no_length() -> None:
    for body in (b"", b"abc", b"a\r\n\r\nb"):
        message = parse_message(NO_LENGTH + body)
        assert isinstance(message, Response)
        assert (message.body, message.content_length) == (body, None)


@pytest.mark.requirement("RFC7118-5-01")
def test_what_follows_a_message_in_its_boundary_is_never_a_second_one() -> None:
    """RFC 7118 section 5: one each. The second is dropped as RFC 3261 section 18.3 drops what is behind a body; with
    no Content-Length to say so it is that body."""
    message = parse_message(REQUEST + RESPONSE)
    assert (bytes(message), message.body) == (REQUEST, b"abc")
    message = parse_message(NO_LENGTH + REQUEST)
    assert (bytes(message), message.body) == (NO_LENGTH + REQUEST, REQUEST)
    # Half a message is none, whatever comes in the next.
    with pytest.raises(RemoteProtocolError):
        parse_message(REQUEST[:-1])
    with pytest.raises(RemoteProtocolError):
        parse_message(RESPONSE[:-2])


# --- streams ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-7.5-01", "RFC5626-4.4.1-04")
@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("crlfs", range(6))
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_crlfs_before_and_between_messages_are_no_part_of_them(accepted: bool, crlfs: int, step: int) -> None:
    host = Host()
    flow = connection(host, accepted)
    # The CRLFs inside the body are data.
    inside = REQUEST.replace(b"Length: 3\r\n\r\nabc", b"Length: 8\r\n\r\n\r\n\r\n\r\nab")
    data = b"\r\n" * crlfs + RESPONSE + b"\r\n" * crlfs + inside + b"\r\n" * crlfs + RESPONSE
    for start in range(0, len(data), step):
        host.receive(flow.id, data[start : start + step], now=1.0)
    assert [bytes(item) for item in host.responses] == [RESPONSE, RESPONSE]
    assert [item.body for item in host.requests] == [b"\r\n\r\n\r\nab"]
    assert flow.open
    assert drops(host) == []


@pytest.mark.requirement("RFC3261-7.5-01")
def test_crlfs_before_the_200_on_the_line_of_a_registration() -> None:
    line = Line(
        account(transport=TCP),
        script=[Answer(200, contact="{contact};expires=100", edit=lambda data: b"\r\n" * 3 + data)],
    )
    line.register()
    assert line.status().registered
    assert line.told(MessageDropped) == []


@pytest.mark.requirement("RFC3261-18.3-02")
@pytest.mark.parametrize("accepted", [False, True])
def test_a_message_without_a_length_ends_a_connection(accepted: bool) -> None:
    """There is no lenient mode: where it ends would be a guess, and the next message another."""
    host = Host()
    flow = connection(host, accepted)
    host.receive(flow.id, REQUEST + NO_LENGTH + RESPONSE, now=1.0)
    assert len(host.requests) == 1
    assert host.responses == []
    dropped, closed = host.outputs()
    assert isinstance(dropped, MessageDropped)
    assert dropped.cause == "malformed message: no Content-Length on a stream"
    assert closed == CloseFlow(flow=flow.id)
    assert host.ended == [(flow.id, dropped.cause)]


@pytest.mark.requirement("RFC3261-18.3-02")
def test_a_200_without_a_length_on_tcp_is_not_believed() -> None:
    line = Line(
        account(transport=TCP),
        script=[
            Answer(
                200,
                contact="{contact};expires=100",
                edit=lambda data: data.replace(b"Content-Length: 0\r\n", b""),
            ),
            ok(100),
        ],
    )
    line.register(until=0.5)
    assert not line.status().registered
    assert [event.cause for event in line.told(MessageDropped)] == ["malformed message: no Content-Length on a stream"]
    assert line.peer.connections == []


@pytest.mark.requirement("RFC3261-18.3-03")
@pytest.mark.parametrize("step", [1, 2, 7, len(RESPONSE), 10_000])
def test_three_messages_in_segments_of_any_size(step: int) -> None:
    host = Host()
    flow = connection(host, accepted=False)
    data = RESPONSE + REQUEST + RESPONSE
    for start in range(0, len(data), step):
        host.receive(flow.id, data[start : start + step], now=1.0)
    assert [bytes(item) for item in host.responses] == [RESPONSE, RESPONSE]
    assert [bytes(item) for item in host.requests] == [REQUEST]
    assert host.outputs() == []


ENDLESS = {
    "start line": (b"SIP/2.0 200 ", b"x", "limit: the start line is too long", MAX_START_LINE),
    "header line": (b"SIP/2.0 200 OK\r\nSubject: ", b"x", "limit: the headers are too long", MAX_HEADER_BLOCK),
    "headers": (b"SIP/2.0 200 OK\r\n", b"X: y\r\n", "limit: the headers are too long", MAX_HEADER_BLOCK),
    "folds": (b"SIP/2.0 200 OK\r\nX: y\r\n", b" y\r\n", "limit: the headers are too long", MAX_HEADER_BLOCK),
}


@pytest.mark.requirement("RFC3261-18.3-04")
@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_is_closed_at_its_limit(name: str) -> None:
    start, unit, cause, limit = ENDLESS[name]
    host = Host()
    flow = connection(host, accepted=True)
    assert flow.framer is not None
    chunk = unit * (1000 // len(unit))
    host.receive(flow.id, start, now=1.0)
    fed = len(start)
    while flow.open and fed < 10 * limit:
        host.receive(flow.id, chunk, now=1.0)
        fed += len(chunk)
        assert flow.framer.pending <= limit + 2 * len(chunk)
    assert limit < fed <= limit + 2 * len(chunk)
    assert drops(host) == [cause]
    assert host.ended == [(flow.id, cause)]


@pytest.mark.requirement("RFC3261-18.3-04")
def test_a_body_that_is_too_long_closes_when_it_is_announced() -> None:
    host = Host()
    flow = connection(host, accepted=True)
    host.receive(flow.id, RESPONSE.replace(b"Length: 0", b"Length: %d" % MAX_BODY) + b"x" * MAX_BODY, now=1.0)
    assert [len(item.body) for item in host.responses] == [MAX_BODY]
    host.receive(flow.id, RESPONSE.replace(b"Length: 0", b"Length: %d" % (MAX_BODY + 1)), now=1.0)
    assert not flow.open
    assert drops(host) == ["limit: the body is too long"]


@pytest.mark.requirement("RFC3261-18.3-04")
def test_an_endless_answer_costs_the_connection_and_no_more() -> None:
    line = Line(account(transport=TCP), script=[ok(100)])
    line.register(until=1.0)
    line.peer.connections[0].send(b"SIP/2.0 200 OK\r\nX: " + b"x" * (MAX_HEADER_BLOCK + 1))
    line.run(until=5.0)
    [lost] = line.told(FlowLost)
    assert lost.error == "limit: the headers are too long"
    assert line.status().registered
    assert line.status().flow == 2
