"""Messages that are written: as they came, in canonical form, edited, and in answer to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import LocalProtocolError
from sipcore.syntax.message import Message, Request, Response, make_response, parse_message
from sipcore.syntax.uri import Uri
from tests.syntax.samples import OK, REGISTER, lines

# --- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [REGISTER, OK])
def test_a_received_message_is_written_as_it_came(data: bytes) -> None:
    message = Message.parse(data)
    assert bytes(message) == data
    assert message == parse_message(data)
    assert hash(message) == hash(parse_message(data))


@pytest.mark.parametrize("data", [REGISTER, OK])
def test_parse_and_build_are_inverse(data: bytes) -> None:
    message = parse_message(data)
    built: Message
    if isinstance(message, Request):
        built = Request(message.method, message.uri, message.headers, message.body)
    else:
        built = Response(message.status, message.reason, message.headers, message.body)
    assert bytes(built) == data
    assert built == message
    assert built.headers == message.headers
    assert (built.via, built.to, built.cseq, built.contacts) == (
        message.via,
        message.to,
        message.cseq,
        message.contacts,
    )


@pytest.mark.requirement("RFC3261-20.14-01", "RFC3261-7.3.1-03", "RFC3261-7.1-04")
def test_the_canonical_form() -> None:
    request = Request(
        "NOTIFY",
        "sip:a@h",
        [("Call-ID", "x"), ("content-length", "99"), ("L", "98"), ("CONTENT-length", "97")],
        "ä".encode(),
    )
    assert bytes(request) == b"NOTIFY sip:a@h SIP/2.0\r\nCall-ID: x\r\nContent-Length: 2\r\n\r\n\xc3\xa4"
    assert request.content_length == 2
    for status in (100, 200, 699):
        assert bytes(Response(status, "OK")) == f"SIP/2.0 {status} OK\r\nContent-Length: 0\r\n\r\n".encode()


def test_messages_are_values() -> None:
    assert parse_message(OK) == parse_message(OK)
    assert parse_message(OK) != parse_message(REGISTER)
    assert parse_message(OK) != OK
    with pytest.raises(AttributeError):
        parse_message(OK).body = b""  # type: ignore[misc]


@pytest.mark.parametrize("bad", ["a\r\nEvil: 1", "a\nb", "a\rb", "a\0b", "\r\n", "a\r\n b"])
@pytest.mark.requirement("RFC3261-25.1-02")
def test_no_value_breaks_out_of_its_line(bad: str) -> None:
    for message in (
        Response(200, "OK", [("X", bad)]),
        Response(200, bad),
        Response(200, "OK", [(bad, "x")]),
        Request("A", f"sip:{bad}"),
        Request(bad, "sip:h"),
    ):
        with pytest.raises(LocalProtocolError):
            bytes(message)


@pytest.mark.parametrize(
    "message",
    [
        Request("A B", "sip:h"),
        Request("", "sip:h"),
        Request("A", "sip:a b@h"),
        Request("A", "<sip:h>"),
        Request("A", ""),
        Request("A", "h"),
        Response(99, "x"),
        Response(700, "x"),
        Response(200, "OK", [("a b", "x")]),
        Response(200, "OK", [("", "x")]),
        Response(200, "OK", [("a:", "x")]),
        Response(200, "OK", [("X", "\ud800")]),
    ],
    ids=lambda message: str(message.start_line),
)
@pytest.mark.requirement("RFC3261-7.1-03")
def test_what_is_no_message_is_not_written(message: Message) -> None:
    with pytest.raises(LocalProtocolError):
        bytes(message)


# Indented as it was folded: the other lines must keep their odd spelling.
ODD = b"SIP/2.0 200 OK\r\nv :  SIP/2.0/UDP a\r\nX:1\r\nSUBJECT: a\r\n\tb\r\nx-last:  z \r\nl: 2\r\n\r\nhi"


def test_with_header_replaces_where_it_stands_and_leaves_the_rest() -> None:
    message = parse_message(ODD)
    assert bytes(message.with_header("Subject", "new")) == ODD.replace(b"SUBJECT: a\r\n\tb", b"Subject: new")
    assert bytes(message.with_header("Via", "SIP/2.0/UDP b")) == ODD.replace(
        b"v :  SIP/2.0/UDP a", b"Via: SIP/2.0/UDP b"
    )
    assert bytes(message.with_header("New", "1")) == ODD.replace(b"l: 2\r\n", b"l: 2\r\nNew: 1\r\n")
    assert bytes(message) == ODD


def test_with_header_leaves_one_of_several() -> None:
    message = parse_message(OK).with_header("m", "<sip:z@h>")
    assert message.get_all("contact") == ["<sip:z@h>"]
    assert isinstance(message, Response)


def test_without_takes_all_of_a_name_and_leaves_the_rest() -> None:
    message = parse_message(ODD)
    assert bytes(message.without("subject")) == ODD.replace(b"SUBJECT: a\r\n\tb\r\n", b"")
    assert bytes(message.without("absent")) == ODD
    assert parse_message(OK).without("Contact").contacts == ()


def test_a_built_message_is_edited_like_a_received_one() -> None:
    request = Request("A", "sip:h", [("X", "1"), ("Y", "2")], b"hi").with_header("X", "3").without("y")
    assert bytes(request) == b"A sip:h SIP/2.0\r\nX: 3\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nEvil: 1"),
        ("Evil: 1\r\nX", "a"),
        ("X\r\nY", "a"),
        ("X Y", "a"),
        ("", "a"),
        ("Content-Length", "5"),
        ("l", "5"),
    ],
)
def test_with_header_refuses_what_is_no_header(name: str, value: str) -> None:
    with pytest.raises(LocalProtocolError):
        parse_message(OK).with_header(name, value)


def test_content_length_is_not_edited_even_when_it_is_right() -> None:
    with pytest.raises(LocalProtocolError):
        parse_message(OK).with_header("l", "0")
    with pytest.raises(LocalProtocolError):
        parse_message(OK).without("Content-Length")


def test_with_header_refuses_what_passes_a_limit() -> None:
    with pytest.raises(LocalProtocolError):
        parse_message(OK).with_header("X", "a" * 20_000)


# --- responses -------------------------------------------------------------------------------------------------------


def test_a_response_copies_what_belongs_to_the_request() -> None:
    request = parse_message(
        lines(
            "OPTIONS sip:h SIP/2.0",
            "i: x",
            "v: SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b",
            "To: sip:t@h",
            "Via: SIP/2.0/TCP c",
            "Max-Forwards: 3",
            "f: <sip:f@h>;tag=1",
            "CSeq: 0009   OPTIONS",
        )
    )
    assert isinstance(request, Request)
    made = make_response(request, 200, headers=[("Allow", "ACK")], to_tag="t", body=b"hi")
    assert bytes(made) == lines(
        "SIP/2.0 200 OK",
        "Via: SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b",
        "Via: SIP/2.0/TCP c",
        "From: <sip:f@h>;tag=1",
        "To: sip:t@h;tag=t",
        "Call-ID: x",
        "CSeq: 0009   OPTIONS",
        "Allow: ACK",
        "Content-Length: 2",
        body=b"hi",
    )


def test_a_tag_that_is_there_stays() -> None:
    request = Request("BYE", "sip:h", [("To", "<sip:a@h>;Tag=old")])
    assert make_response(request, 200, to_tag="new").get("to") == "<sip:a@h>;Tag=old"
    assert make_response(Request("BYE", "sip:h", [("To", "<sip:a@h>")]), 200).get("to") == "<sip:a@h>"


def test_a_response_to_a_request_that_lacks_everything() -> None:
    assert bytes(make_response(Request("A", "sip:h"), 400, to_tag="t")).startswith(
        b"SIP/2.0 400 Bad Request\r\nContent"
    )
    odd = Request("A", "sip:h", [("To", '"<sip:a@h>')])
    assert make_response(odd, 400, to_tag="t").get("to") == '"<sip:a@h>'


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, "OK"),
        (423, "Interval Too Brief"),
        (494, "Security Agreement Required"),
        (299, "OK"),
        (199, "Session Progress"),
        (399, "Multiple Choices"),
        (499, "Bad Request"),
        (599, "Server Internal Error"),
        (699, "Busy Everywhere"),
    ],
)
@pytest.mark.requirement("RFC3261-8.1.3.2-01")
def test_reason_phrases(status: int, reason: str) -> None:
    request = Request("A", "sip:h")
    assert make_response(request, status).reason == reason
    assert make_response(request, status, "Mine").reason == "Mine"
    assert make_response(request, status, "").reason == ""


def test_a_message_shows_nothing_secret() -> None:
    request = Request("REGISTER", "sip:a:hunter2@h", [("Authorization", "Digest hunter2")])
    assert "hunter2" not in repr(request)
    assert repr(parse_message(OK)) == "<Response 200>"


# --- laws ------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["Via", "v", "Contact", "m", "X-Foo", "To", "Subject", "EXPIRES", "%.~"])
VALUES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.binary(max_size=20), VALUES)
@settings(max_examples=200)
def test_what_is_built_parses_to_the_same(headers: list[tuple[str, str]], body: bytes, reason: str) -> None:
    """Law: parse(bytes(m)) == m, with the same lookups, for every message that can be written."""
    built = Response(200, reason, headers, body)
    parsed = parse_message(bytes(built))
    assert isinstance(parsed, Response)
    assert parsed == built
    assert (parsed.status, parsed.reason, parsed.body) == (200, reason, body)
    assert parsed.headers == tuple((name, value.strip(" \t")) for name, value in built.headers)
    for name in ("via", "contact", "x-foo", "to", "subject", "expires", "%.~", "content-length"):
        assert parsed.get_all(name) == built.get_all(name)


def test_a_value_that_came_can_be_put_back() -> None:
    message = parse_message(b"SIP/2.0 200 OK\r\nX: a\tb\r\nY: c\r\n\r\n")
    assert message.with_header("X", message.get("x") or "") == message


def test_headers_are_found_by_any_spelling() -> None:
    start = b"SIP/2.0 200 OK\r\n"
    message = parse_message(start + b"To: <sip:a@h>;Tag=1\r\nv: SIP/2.0/UDP h\r\nWWW-Authenticate: a, b\r\n\r\n")
    for name in ("to", "To", "TO", "t", "T"):
        assert message.get(name) == message.once(name) == "<sip:a@h>;Tag=1"
        assert message.get_all(name) == message.values(name) == ["<sip:a@h>;Tag=1"]
    assert message.get_all("Via") == ["SIP/2.0/UDP h"]
    assert message.values("WWW-Authenticate") == ["a, b"]
    assert message.get("X-None") is None
    assert message.get_all("X-None") == []
    assert message.to.get("TAG") == message.to.get("tag") == "1"


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_a_message_is_not_changed_with_the_buffer_that_it_came_from(kind: Callable[[bytearray], Any]) -> None:
    buffer = bytearray(b"SIP/2.0 200 OK\r\nX: a\r\n\r\nbody")
    message = parse_message(kind(buffer))
    buffer[-1:] = b"!"
    assert (message.body, bytes(message)[-4:]) == (b"body", b"body")


@pytest.mark.parametrize("data", ["SIP/2.0 200 OK\r\n\r\n", None, 7])
def test_what_is_no_bytes_is_no_message(data: Any) -> None:
    with pytest.raises(TypeError, match=f"from bytes, not from {type(data).__name__}"):
        parse_message(data)


def test_a_dictionary_and_a_uri_will_do() -> None:
    request = Request("OPTIONS", Uri.parse("sip:a@h;lr"), {"Subject": "a"}, b"x")
    assert bytes(request) == b"OPTIONS sip:a@h;lr SIP/2.0\r\nSubject: a\r\nContent-Length: 1\r\n\r\nx"
    assert bytes(make_response(request, 200, headers={"X": "y"})).count(b"X: y\r\n") == 1


@pytest.mark.parametrize("header", [("From", b"x"), ("From", None), (b"From", "x"), ("From",), "To"])
def test_headers_are_pairs_of_text(header: Any) -> None:
    with pytest.raises(TypeError, match="a header is a pair of str"):
        Response(200, "OK", [header])


def test_a_body_is_bytes() -> None:
    with pytest.raises(TypeError, match="a body is bytes, not str"):
        Response(200, "OK", (), "x")  # type: ignore[arg-type]  # what a user may do


@pytest.mark.parametrize("tag", ["x;y=1", "x, <sip:e@f>", "", "a\r\nb"])
def test_a_tag_that_is_no_token_is_refused(tag: str) -> None:
    with pytest.raises(LocalProtocolError):
        make_response(Request("OPTIONS", "sip:h", [("To", "<sip:a@h>")]), 200, to_tag=tag)


def test_the_error_names_the_header() -> None:
    with pytest.raises(LocalProtocolError, match=r"inside the header Subject of SIP/2\.0 200 OK"):
        bytes(Response(200, "OK", [("X", "a"), ("Subject", "b\r\nEvil: 1")]))
    with pytest.raises(LocalProtocolError, match="inside the start line"):
        bytes(Response(200, "OK\r\nEvil: 1"))


ONE = b"OPTIONS sip:h SIP/2.0\r\nv:  SIP/2.0/UDP a\r\nVia: SIP/2.0/UDP b\r\nx-odd :\t1\r\n 2\r\nl: 2\r\n\r\nhi"


@pytest.mark.parametrize("data", [ONE, b"SIP/2.0 200 OK\r\n\r\n"])
def test_a_line_is_added_in_front_or_behind(data: bytes) -> None:
    """Law: every other line stays byte for byte, its fellows of the same name among them."""
    head, _, body = data.partition(b"\r\n\r\n")
    start, *rest = head.split(b"\r\n")
    new = b"Via: SIP/2.0/TCP c"
    message = parse_message(data)
    first = message.with_added("Via", "SIP/2.0/TCP c", first=True)
    last = message.with_added("Via", "SIP/2.0/TCP c")
    assert bytes(first) == b"\r\n".join([start, new, *rest, b"", body])
    assert bytes(last) == b"\r\n".join([start, *rest, new, b"", body])
    assert first.get_all("via") == ["SIP/2.0/TCP c", *message.get_all("via")]
    assert bytes(message) == data


@pytest.mark.parametrize(
    ("name", "value"),
    [("X", "a\r\nEvil: 1"), ("Evil: 1\r\nX", "a"), ("X Y", "a"), ("Content-Length", "5"), ("l", "5")],
)
def test_what_is_no_header_is_not_added(name: str, value: str) -> None:
    with pytest.raises(LocalProtocolError):
        parse_message(ONE).with_added(name, value)


@pytest.mark.parametrize("uri", ["sip:a\x07", "sip:\u202e", "sip:a b", "sip:<a>", "a", "sip:é"])
def test_a_request_uri_that_is_none_is_not_written(uri: str) -> None:
    with pytest.raises(LocalProtocolError):
        bytes(Request("OPTIONS", uri))
