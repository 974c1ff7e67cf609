"""What is left of a broken request for the response to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.syntax import Request, Response, make_response, parse_message
from sipcore.syntax.answerable import salvage
from sipcore.syntax.limits import MAX_HEADERS, MAX_PARAMETERS, MAX_START_LINE
from tests.syntax.samples import OK, REGISTER, lines

NEEDED = {"via", "from", "to", "call-id", "cseq"}
VIA = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport"


def salvaged(data: bytes) -> Request:
    request = salvage(data)
    assert request is not None
    return request


def with_via(*values: str) -> bytes:
    return lines("OPTIONS sip:a@h SIP/2.0", *[f"Via: {value}" for value in values], "CSeq: 1 OPTIONS")


@pytest.mark.requirement("RFC3261-8.2.6.2-01")
def test_of_a_sound_request_the_five_headers_are_left_as_they_stand() -> None:
    request = salvaged(REGISTER)
    whole = parse_message(REGISTER)
    assert isinstance(whole, Request)
    assert (request.method, request.uri) == (whole.method, whole.uri)
    kept = [(name, value) for name, value in request.headers if name != "Content-Length"]
    assert sorted(kept) == sorted(item for item in whole.headers if item[0].lower() in NEEDED)
    assert bytes(make_response(request, 400)) == bytes(make_response(whole, 400))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"Max-Forwards: 70", b"Max-Forwards 70"),
        lambda data: data.replace(b"Max-Forwards: 70", b"Max Forwards: 70"),
        lambda data: data.replace(b"Max-Forwards: 70", b"Subject: a\nb"),
        lambda data: data.replace(b"Max-Forwards: 70", b"Subject: a\0b\r"),
        lambda data: data.replace(b"Max-Forwards: 70", b": 70"),
        lambda data: data.replace(b"Max-Forwards: 70", b"Subject: " + b"x" * 70_000),
        lambda data: data.replace(b"Max-Forwards: 70", b"\r\n".join([b"X: y"] * 300)),
        lambda data: data.replace(b"Content-Length: 0", b"Content-Length: -1"),
        lambda data: data.replace(b"Content-Length: 0", b"Content-Length: 1\r\nl: 2"),
        lambda data: data.replace(b"Content-Length: 0", b"Content-Length: 10"),
        lambda data: data.replace(b" SIP/2.0\r\nVia", b"  SIP/2.0\t \r\nVia"),
        lambda data: data.replace(b"sip:example.com", b"<sip:example.com>"),
        lambda data: data.replace(b"sip:example.com", b"sip:example.com; lr"),
        lambda data: data.replace(b"sip:example.com", b"sip:" + b"x" * MAX_START_LINE),
        lambda data: data.replace(b"REGISTER sip:example.com SIP/2.0", b"REGISTER sip:example.com sip/7.0"),
        lambda data: data.replace(b"SIP/2.0\r\nVia", b"SIP/2.0\r\n folded\r\n\tagain\r\nVia"),
        lambda data: data[:-2],
        lambda data: data[:-2] + b"Content-Ty",
        lambda data: b"\r\n\r\n" + data + b"\0\r\n\r\nmore",
    ],
)  # fmt: skip
def test_what_is_broken_around_them_does_not_matter(damage: object) -> None:
    data = damage(REGISTER)  # type: ignore[operator]
    assert data != REGISTER
    request = salvaged(data)
    assert request.headers == salvaged(REGISTER).headers
    assert request.method == "REGISTER"


def test_folding_is_undone_and_compact_names_are_known() -> None:
    data = REGISTER.replace(b"From: <", b"f : \"a\r\n \tb\"\r\n  <").replace(b"Call-ID", b"i")
    request = salvaged(data)
    assert request.from_.display == "a b"
    assert request.call_id == "a84b4c76e66710"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        OK,
        OK.replace(b"SIP/2.0 200", b"SIP/2.0 4294967301"),
        OK.replace(b"SIP/2.0 200", b" SIP/2.0  200"),
        OK.replace(b"SIP/2.0 200 OK", b"SIP/2.0 200 SIP/2.0"),
        REGISTER.replace(b"REGISTER sip", b"ACK sip"),
        REGISTER.replace(b"REGISTER sip", b"ack sip"),
        REGISTER.replace(b"7 REGISTER", b"7 ACK"),
        REGISTER.replace(b"7 REGISTER", b"7\tAck "),
        REGISTER.replace(b"REGISTER sip", b"REG/ISTER sip"),
        REGISTER.replace(b"REGISTER sip:example.com SIP/2.0", b"REGISTER sip:example.com"),
        REGISTER.replace(b"REGISTER sip:example.com SIP/2.0", b"GET / HTTP/1.1"),
        REGISTER.replace(b"REGISTER sip:example.com SIP/2.0", b"REGISTER SIP/2.0"),
        REGISTER.replace(b"sip:example.com", b"sip:exam\nple.com"),
        REGISTER.replace(b"sip:example.com", b"sip:exam\0ple.com"),
        b"\r" + REGISTER,
        b"\n" + REGISTER,
        REGISTER.replace(b"\r\n", b"\n"),
        REGISTER.partition(b"Via")[0] + b"\r\n",
        REGISTER.partition(b"\r\n")[0],
        with_via(),
        with_via(""),
        with_via("", VIA),
        with_via("SIP/2.0/UDP 192.0.2.1\n;branch=a"),
        with_via("SIP/2.0/UDP"),
        with_via("SIP/2.0/UDP 192.0.2.1:0"),
        with_via("SIP/2.0/UDP a..b"),
        with_via("HTTP/2.0/UDP h"),
        with_via("h;branch=z9hG4bKx"),
        with_via(*[VIA] * (MAX_HEADERS + 1)),
    ],
)
def test_what_must_not_or_cannot_be_answered(data: bytes) -> None:
    assert salvage(data) is None


@pytest.mark.requirement("RFC4475-3.1.2.1-01", "RFC4475-3.1.2.16-01")
@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([VIA, "nonsense"], [VIA, "nonsense"]),
        (["SIP/7.0/UDP h;branch=z9hG4bKx"], ["SIP/2.0/UDP h;branch=z9hG4bKx"]),
        (["SIP/2.0/UDP h;;,;,,"], ["SIP/2.0/UDP h"]),
        (["SIP/2.0/UDP h;;branch=a;x y=1;rport"], ["SIP/2.0/UDP h;branch=a;rport"]),
        (["SIP/2.0/UDP h;branch=a;branch=b"], ["SIP/2.0/UDP h;branch=a"]),
        (['SIP/2.0/UDP h;branch=a;x="'], ["SIP/2.0/UDP h;branch=a"]),
        ([f"SIP/2.0/UDP h;;, {VIA}, nonsense", "SIP/2.0/TCP i"], ["SIP/2.0/UDP h", VIA, "SIP/2.0/TCP i"]),
    ],
)
def test_a_top_via_that_cannot_be_read_is_reduced_to_what_can(values: list[str], kept: list[str]) -> None:
    assert salvaged(with_via(*values)).get_all("via") == kept


def test_a_reduced_via_keeps_the_limits() -> None:
    value = "SIP/2.0/UDP h;;" + ";".join(f"p{number}" for number in range(MAX_PARAMETERS + 9))
    assert len(salvaged(with_via(value)).via.parameters) == MAX_PARAMETERS


@pytest.mark.parametrize("header", ["From", "To", "Call-ID", "CSeq"])
@pytest.mark.parametrize("damage", [b"a\nb", b"a\0b", b"a\rb"])
def test_a_value_that_could_break_out_of_its_line_is_left_out(header: str, damage: bytes) -> None:
    start, found, rest = REGISTER.partition(f"{header}: ".encode())
    request = salvaged(start + found + damage + rest)
    assert request.get(header.lower()) is None
    assert len(request.headers) == len(salvaged(REGISTER).headers) - 1


PIECES = st.one_of(
    st.binary(max_size=5),
    st.sampled_from([b"\r\n", b"\r\n ", b"\n", b"\0", b";", b",", b'"', b"<", b" SIP/2.0", b"Via: ", b"v:", b"ACK "]),
)
EDITS = st.lists(st.tuples(st.integers(0, len(REGISTER)), st.integers(0, 30), PIECES), max_size=6)


@settings(max_examples=400)
@given(EDITS)
def test_whatever_is_left_makes_a_response_that_can_be_read(edits: list[tuple[int, int, bytes]]) -> None:
    """Law: of any bytes comes nothing, or a request whose top Via can be read and whose response is a message."""
    data = REGISTER
    for place, length, piece in edits:
        data = data[:place] + piece + data[place + length :]
    request = salvage(data)
    if request is not None:
        assert request.method != "ACK"
        assert request.via.host
        response = parse_message(bytes(make_response(request, 400, to_tag="x")))
        assert isinstance(response, Response)
        assert {name.lower() for name, _ in response.headers} <= {*NEEDED, "content-length"}


@pytest.mark.parametrize("cut", ["CSeq: 1 OPTI", "CSeq: 1 OPTIONS", "CSeq: 1 OPTIONS\r"])
def test_a_line_that_was_cut_off_does_not_count(cut: str) -> None:
    request = salvaged(f"OPTIONS sip:a@h SIP/2.0\r\nVia: {VIA}\r\nFrom: <sip:a@h>;tag=1\r\n{cut}".encode())
    assert [name for name, _ in request.headers] == ["Via", "From", "Content-Length"]
