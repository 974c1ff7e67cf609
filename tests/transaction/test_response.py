"""The way back of a response: target, received and rport, and what is copied."""

from __future__ import annotations

import pytest

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.message import Request, Response, make_response, parse_message
from sipcore.transaction.response import response_target, write_response
from sipcore.values import Address

SOURCE = ("192.0.2.7", 40000)


def request(*vias: str, to: str = "<sip:a@example.com>") -> Request:
    lines = "".join(f"Via: {via}\r\n" for via in vias)
    message = parse_message(
        f'REGISTER sip:example.com SIP/2.0\r\n{lines}From: Alice  <sip:a@example.com> ;TAG=x;y="a;b"\r\nTo: {to}\r\n'
        "Call-ID: c1\r\nCSeq:   1   REGISTER\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, Request)
    return message


def parsed(data: bytes) -> Response:
    message = parse_message(data)
    assert isinstance(message, Response)
    return message


@pytest.mark.requirement("RFC3261-18.2.2-01", "RFC3581-4-01")
@pytest.mark.parametrize(
    ("via", "target"),
    [
        ("SIP/2.0/UDP 192.0.2.7:5070;branch=1", ("192.0.2.7", 5070)),
        ("SIP/2.0/UDP 192.0.2.7;branch=1", ("192.0.2.7", 5060)),
        ("SIP/2.0/UDP pc.example:5070;branch=1", ("192.0.2.7", 5070)),
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=1;rport", ("192.0.2.7", 40000)),
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=1;rport=1", ("192.0.2.7", 40000)),
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=1;received=198.51.100.9", ("192.0.2.7", 5070)),
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr=224.0.1.75;branch=1", ("224.0.1.75", 5070)),
        ("SIP/2.0/UDP 10.0.0.1;rport;maddr=192.0.2.99", ("192.0.2.99", 5060)),
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr=[2001:db8::1];branch=1", ("2001:db8::1", 5070)),
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr=2001:db8::1;branch=1", ("2001:db8::1", 5070)),
        # A name would have to be resolved.
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr=evil.example;branch=1", ("192.0.2.7", 5070)),
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr=evil1;branch=1", ("192.0.2.7", 5070)),
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr=pc.example1;branch=1", ("192.0.2.7", 5070)),
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr=X2001:db8::1;branch=1", ("192.0.2.7", 5070)),
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr=192.0.2.9;branch=1", ("192.0.2.9", 5070)),
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr=999.0.0.1;rport", ("192.0.2.7", 40000)),
        ("SIP/2.0/UDP 10.0.0.1:5070;maddr;rport", ("192.0.2.7", 40000)),
    ],
)
def test_where_a_response_goes_on_udp(via: str, target: Address) -> None:
    assert response_target(request(via), SOURCE) == target


def test_only_the_top_via_counts() -> None:
    assert response_target(request("SIP/2.0/UDP a:5071", "SIP/2.0/UDP b:5072;rport"), SOURCE) == ("192.0.2.7", 5071)
    assert response_target(request("SIP/2.0/UDP a:5071, SIP/2.0/UDP b:5072;rport"), SOURCE) == ("192.0.2.7", 5071)


def test_without_a_readable_via_there_is_no_response() -> None:
    for broken in (request(), request("SIP/2.0"), request("SIP/2.0/UDP h;;")):
        with pytest.raises(RemoteProtocolError):
            response_target(broken, SOURCE)
        with pytest.raises(RemoteProtocolError):
            write_response(broken, 200, SOURCE)


@pytest.mark.requirement("RFC3261-18.2.1-01", "RFC3581-4-01")
@pytest.mark.parametrize(
    ("via", "written"),
    [
        ("SIP/2.0/UDP 192.0.2.7:5070;branch=1", "SIP/2.0/UDP 192.0.2.7:5070;branch=1"),
        ("SIP/2.0/UDP pc.example;branch=1", "SIP/2.0/UDP pc.example;branch=1;received=192.0.2.7"),
        ("SIP/2.0/UDP 10.0.0.1;branch=1", "SIP/2.0/UDP 10.0.0.1;branch=1;received=192.0.2.7"),
        (
            "SIP/2.0/UDP 192.0.2.7;rport;branch=1",
            "SIP/2.0/UDP 192.0.2.7;rport=40000;branch=1;received=192.0.2.7",
        ),
        ("SIP/2.0/TCP 192.0.2.7;branch=1;rport", "SIP/2.0/TCP 192.0.2.7;branch=1;rport=40000;received=192.0.2.7"),
        # As it was written, but for what is added.
        ("SIP/2.0/UDP  PC.example ; a ;branch = 1", "SIP/2.0/UDP  PC.example ; a ;branch = 1;received=192.0.2.7"),
        ("SIP/2.0/UDP  a ;b = 1;rport;c", "SIP/2.0/UDP  a ;b = 1;rport=40000;c;received=192.0.2.7"),
        ("SIP/2.0/UDP  a ;b = 1;rport", "SIP/2.0/UDP  a ;b = 1;rport=40000;received=192.0.2.7"),
        ("SIP/2.0/UDP  a ;rport;rportx = 1", "SIP/2.0/UDP  a ;rport=40000;rportx = 1;received=192.0.2.7"),
        ("SIP/2.0/UDP 192.0.2.7X;branch=1", "SIP/2.0/UDP 192.0.2.7X;branch=1;received=192.0.2.7"),
        # What is not written plainly is written anew.
        ("SIP/2.0/UDP a;branch=1;RPort", "SIP/2.0/UDP a;branch=1;rport=40000;received=192.0.2.7"),
        ("SIP/2.0/UDP a;rportx=1; rport", "SIP/2.0/UDP a;rportx=1;rport=40000;received=192.0.2.7"),
        ("SIP/2.0/UDP a; rport;branch=1", "SIP/2.0/UDP a;rport=40000;branch=1;received=192.0.2.7"),
        ('SIP/2.0/UDP a;x=";rport;";rport', 'SIP/2.0/UDP a;x=";rport;";rport=40000;received=192.0.2.7'),
        # A client that fills in what is the server's is corrected.
        ("SIP/2.0/UDP a;rport=1;branch=1", "SIP/2.0/UDP a;rport=40000;branch=1;received=192.0.2.7"),
        ("SIP/2.0/UDP a;received=198.51.100.9;branch=1", "SIP/2.0/UDP a;branch=1;received=192.0.2.7"),
    ],
)
def test_the_top_via_is_told_where_the_request_came_from(via: str, written: str) -> None:
    response = parsed(write_response(request(via, "SIP/2.0/UDP next;rport;branch=2"), 200, SOURCE))
    assert response.get_all("via") == [written, "SIP/2.0/UDP next;rport;branch=2"]
    joined = parsed(write_response(request(f"{via}, SIP/2.0/UDP next;rport;branch=2"), 200, SOURCE))
    assert joined.values("via") == [written, "SIP/2.0/UDP next;rport;branch=2"]


def test_a_list_of_vias_does_not_grow() -> None:
    """A line for each of its values would make an answer four times as long as the request."""
    asked = request("SIP/2.0/UDP 192.0.2.7" + ",v" * 5000, "SIP/2.0/UDP last")
    answer = write_response(asked, 200, SOURCE)
    assert len(answer) < len(bytes(asked)) + 100
    assert parsed(answer).values("via") == asked.values("via")


def test_an_ipv6_source_is_written_without_brackets_and_zone() -> None:
    written = parsed(write_response(request("SIP/2.0/UDP [fe80::1];rport"), 200, ("fe80::2%eth0", 5070)))
    assert written.get("via") == "SIP/2.0/UDP [fe80::1];rport=5070;received=fe80::2"
    same = parsed(write_response(request("SIP/2.0/UDP [fe80::2]"), 200, ("fe80::2%eth0", 5070)))
    assert same.get("via") == "SIP/2.0/UDP [fe80::2]"


@pytest.mark.requirement("RFC3261-8.2.6.2-01", "RFC3261-8.2.6.2-02")
def test_the_identities_are_copied_as_they_stand() -> None:
    asked = request("SIP/2.0/UDP 192.0.2.7;branch=1", "SIP/2.0/TCP  b ; branch=2", to="A <sip:a@example.com>")
    response = parsed(write_response(asked, 200, SOURCE, to_tag="ours"))
    for name in ("from", "call-id", "cseq"):
        assert response.get(name) == asked.get(name)
    assert response.get_all("via") == asked.get_all("via")
    assert response.get("to") == "A <sip:a@example.com>;tag=ours"


def test_a_to_tag_is_added_to_a_to_that_has_none() -> None:
    via = "SIP/2.0/UDP 192.0.2.7;branch=1"
    tagged = "<sip:a@example.com>;Tag=theirs"
    assert parsed(write_response(request(via, to=tagged), 200, SOURCE, to_tag="ours")).get("to") == tagged
    assert parsed(write_response(request(via, to="<broken"), 400, SOURCE, to_tag="ours")).get("to") == "<broken"
    bare = "sip:a@example.com"
    assert parsed(write_response(request(via, to=bare), 200, SOURCE, to_tag="ours")).to.tag == "ours"
    assert parsed(write_response(request(via), 100, SOURCE)).to.tag is None


def test_bytes_that_are_no_utf8_go_back_as_they_came() -> None:
    lines = bytes(request("SIP/2.0/UDP 192.0.2.7;branch=1")).replace(b"Alice", b"Al\xefce")
    asked = parse_message(lines)
    assert isinstance(asked, Request)
    assert b"\r\nFrom: Al\xefce  <sip:a@example.com>" in write_response(asked, 200, SOURCE)


def test_where_no_source_is_known_the_top_via_goes_back_as_it_came() -> None:
    """Nothing is made up, not even for a request without a Via, which nobody could answer on UDP."""
    via = "SIP/2.0/TCP  a ; rport;branch=1"
    assert parsed(write_response(request(via), 200, None)).get_all("via") == [via]
    assert write_response(request(), 200, None).startswith(b"SIP/2.0 200 OK\r\nVia: \r\nFrom: ")


@pytest.mark.parametrize("body", [b"", b"v=0\r\n"])
def test_it_is_what_the_syntax_room_would_make(body: bytes) -> None:
    asked = request("SIP/2.0/UDP a;rport;branch=1", "SIP/2.0/UDP b")
    headers = (("Contact", "<sip:a@b>"), ("X", "é"))
    expected = make_response(asked, 200, headers=headers, to_tag="t", body=body)
    written = parsed(write_response(asked, 200, SOURCE, headers=headers, to_tag="t", body=body))
    assert written.headers[1:] == expected.headers[1:]
    assert (written.start_line, written.body) == (expected.start_line, expected.body)


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [(200, None, "200 OK"), (299, None, "299 OK"), (499, "", "499 "), (403, "No", "403 No")],
)
def test_the_reason_phrase_is_the_usual_one_unless_told(status: int, reason: str | None, line: str) -> None:
    data = write_response(request("SIP/2.0/UDP a"), status, SOURCE, reason=reason)
    assert data.partition(b"\r\n")[0] == f"SIP/2.0 {line}".encode()
