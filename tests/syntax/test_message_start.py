"""Start lines, line ends and the end of the body: what two readers could read differently."""

from __future__ import annotations

import pytest

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.message import Request, Response, parse_message
from tests.syntax.samples import OK, REGISTER, lines


def response(status: str) -> Response:
    message = parse_message(lines(status))
    assert isinstance(message, Response)
    return message


# --- start lines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0 100 ", 100, ""),
        ("SIP/2.0 699 a  b\tc ", 699, "a  b\tc "),
        ("sip/2.0 200 Not Found", 200, "Not Found"),
    ],
)
@pytest.mark.requirement("RFC3261-7.2-01", "RFC3261-7.1-05", "RFC4475-3.1.1.13-01")
def test_status_lines(line: str, status: int, reason: str) -> None:
    message = response(line)
    assert (message.status, message.reason) == (status, reason)


def test_lenient_no_space_before_an_absent_reason_phrase() -> None:
    assert (response("SIP/2.0 200").status, response("SIP/2.0 200").reason) == (200, "")


@pytest.mark.parametrize(
    "line",
    [
        "SIP/2.0 099 x",
        "SIP/2.0 700 x",
        "SIP/2.0 1000 x",
        "SIP/2.0 20x OK",
        "SIP/2.0 2_0 x",
        "SIP/2.0 +20 x",
        "SIP/2.0 ٢٠٠ x",
        "SIP/2.0 200OK",
        "SIP/2.0 200\tOK",
        "SIP/2.0  200 OK",
        "SIP/2.0\t200 OK",
        " SIP/2.0 200 OK",
        "SIP/2.0 4294967301 better not break the receiver",
        "SIP/3.0 200 OK",
        "SIP/2.00 200 OK",
        "SIP/02.0 200 OK",
        "\u017fip/2.0 200 OK",
        "SIP/2.0",
        "SIP/2.0 ",
        "HTTP/1.1 200 OK",
        "",
    ],
)
@pytest.mark.requirement("RFC3261-7.2-02", "RFC3261-7.1-05", "RFC4475-3.1.2.19-01")
def test_malformed_status_lines(line: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(lines(line, "l: 0"))


@pytest.mark.parametrize(
    ("line", "method", "uri"),
    [
        ("notify sip:a@h SIP/2.0", "notify", "sip:a@h"),
        ("RE%47IST%45R sip:a@h sip/2.0", "RE%47IST%45R", "sip:a@h"),
        (
            "OPTIONS nobodyknowsthisscheme:totallyopaquecontent SIP/2.0",
            "OPTIONS",
            "nobodyknowsthisscheme:totallyopaquecontent",
        ),
    ],
)
@pytest.mark.requirement("RFC3261-7.1-06", "RFC4475-3.1.1.5-01", "RFC3261-7.1-05")
def test_request_lines(line: str, method: str, uri: str) -> None:
    message = parse_message(lines(line, "l: 0"))
    assert isinstance(message, Request)
    assert (message.method, message.uri) == (method, uri)


@pytest.mark.parametrize(
    "line",
    [
        "REGISTER  sip:a@h SIP/2.0",
        "REGISTER sip:a@h  SIP/2.0",
        "REGISTER sip:a@h SIP/2.0 ",
        " REGISTER sip:a@h SIP/2.0",
        "REGISTER\tsip:a@h SIP/2.0",
        "REGISTER sip:a@h\tSIP/2.0",
        "REGISTER sip:a\t@h SIP/2.0",
        "REGISTER\t sip:a@h SIP/2.0",
        "REGISTER sip:a@h; lr SIP/2.0",
        "REGISTER <sip:a@h> SIP/2.0",
        "REGISTER example.com SIP/2.0",
        "REGISTER sip:a@h",
        "REGISTER sip:a@h SIP/7.0",
        "REGISTER sip:a@h SIP/2.00",
        "REGI(STER sip:a@h SIP/2.0",
        "RÉGISTER sip:a@h SIP/2.0",
        "REGISTER",
        "REGISTER sip:a\x00@h SIP/2.0",
    ],
)
@pytest.mark.requirement("RFC3261-7.1-01", "RFC4475-3.1.2.9-01", "RFC4475-3.1.2.10-01")
def test_malformed_request_lines(line: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(lines(line, "l: 0"))


@pytest.mark.requirement("RFC4475-3.1.2.7-01", "RFC4475-3.1.2.8-01", "RFC4475-3.1.2.16-01")
def test_request_uris_with_brackets_or_space_and_unknown_versions_are_refused() -> None:
    for line in ("A <sip:a@h> SIP/2.0", "A sip:a@h; lr SIP/2.0", "A sip:a@h SIP/7.0"):
        with pytest.raises(RemoteProtocolError):
            parse_message(lines(line))


@pytest.mark.requirement("RFC3261-7.1-05")
@pytest.mark.parametrize(
    ("line", "hint"),
    [("A sip:a@h SIP/7.0", 505), ("A sip:a@h SIP/2.00", 505), ("A sip:a@h; lr SIP/2.0", 400), ("A h SIP/2.0", 400)],
)
def test_what_a_server_answers_to_a_start_line(line: str, hint: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_message(lines(line))
    assert caught.value.status_hint == hint


@pytest.mark.requirement("RFC5118-4.2-01")
def test_a_malformed_request_uri_shows_when_it_is_read() -> None:
    request = parse_message(lines("REGISTER sip:2001:db8::10 SIP/2.0"))
    assert isinstance(request, Request)
    with pytest.raises(RemoteProtocolError):
        _ = request.request_uri


# --- what two readers could read differently -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"SIP/2.0 200 OK\nVia: x\r\n\r\n",
        b"OPTIONS sip:a\nX:@h SIP/2.0\r\n\r\n",
        b"OPTIONS sip:a\rX:@h SIP/2.0\r\n\r\n",
        b"OPTIONS sip:a\n SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 O\nK\r\n\r\n",
        b"SIP/2.0 200 O\rK\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: x\nFrom: y\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: x\rFrom: y\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: x\r\r\nFrom: y\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: x\n\n",
        b"SIP/2.0 200 OK\n\n",
        b"SIP/2.0 200 OK\r\nVia: a\0b\r\n\r\n",
        b"SIP/2.0 200 OK\0\r\n\r\n",
        b"\nSIP/2.0 200 OK\r\n\r\n",
        b"\rSIP/2.0 200 OK\r\n\r\n",
    ],
)
@pytest.mark.requirement("RFC3261-7.1-02")
def test_a_bare_cr_lf_or_nul_is_no_line_end_and_no_data(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(data)
    with pytest.raises(RemoteProtocolError):
        # The long way, which a body leads to, too.
        parse_message(data.replace(b"\r\n\r\n", b"\r\nl: 1\r\n\r\nx"))


@pytest.mark.parametrize(
    "line",
    [
        "Via",
        "Foobar roobar",
        ": x",
        "Vi a: x",
        "Via\x0b: x",
        "Vïa: x",
        '"Via": x',
        "a@b: x",
        " x",
        "\tx: y",
        "Via\r\n : x",
        "\u212a: x",
    ],
)
@pytest.mark.requirement("RFC3261-7.3.1-02", "RFC3261-7.3.1-04")
def test_malformed_header_lines(line: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(lines("SIP/2.0 200 OK", line, "l: 0"))


def test_a_colon_on_a_later_line_does_not_end_a_name() -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(lines("SIP/2.0 200 OK", "l: 0", "Via", " : x"))


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"\r\n\r\n", b"SIP/2.0 200 OK", b"SIP/2.0 200 OK\r\n", b"\0\0\0\0", b"\r\n\r\n\r\n\r\n"]
)
def test_no_message(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(data)


def test_crlfs_before_the_start_line_are_skipped() -> None:
    message = parse_message(b"\r\n\r\n\r\n" + REGISTER)
    assert bytes(message) == REGISTER


@pytest.mark.parametrize(
    "line", ["Content-Length: 3", "l:3", "L : 0003", "Content-Length: 3\r\nl: 3", "Content-Length:\r\n 3"]
)
@pytest.mark.requirement("RFC3261-20.14-02", "RFC4475-3.1.1.8-01")
def test_bytes_behind_the_body_are_dropped(line: str) -> None:
    whole = lines("SIP/2.0 200 OK", line, body=b"abc")
    message = parse_message(whole + b"SIP/2.0 200 OK\r\n\r\n")
    assert message.body == b"abc"
    assert message.content_length == 3
    assert bytes(message) == whole


def test_bytes_behind_a_message_without_body_are_dropped() -> None:
    message = parse_message(OK + REGISTER)
    assert isinstance(message, Response)
    assert (message.body, bytes(message)) == (b"", OK)


def test_without_content_length_the_body_is_the_rest_of_the_datagram() -> None:
    message = parse_message(lines("SIP/2.0 200 OK", body=b"a\r\n\r\nb\0\xff"))
    assert message.body == b"a\r\n\r\nb\0\xff"
    assert message.content_length is None


@pytest.mark.parametrize("body", [b"\r\n\r\n", b"a: b\r\n\r\n", b"x\r\n\r\ny\r\n\r\n"])
@pytest.mark.requirement("RFC4475-3.1.1.11-01")
def test_a_body_that_looks_like_headers(body: bytes) -> None:
    assert parse_message(lines("SIP/2.0 200 OK", f"l: {len(body)}", body=body)).body == body
    assert parse_message(lines("SIP/2.0 200 OK", body=body)).body == body


@pytest.mark.parametrize(
    "line",
    ["l: 1", "l: -999", "l: abc", "l:", "l: 0\r\nl: 1", "l: 0x0", "l: 0, 0", "l: +0", "l: 9999", "l: " + "9" * 5000],
)
@pytest.mark.requirement("RFC4475-3.1.2.2-01", "RFC4475-3.1.2.3-01", "RFC4475-3.3.9-01")
def test_a_content_length_that_is_malformed_contradictory_or_too_large(line: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(lines("SIP/2.0 200 OK", line))


@pytest.mark.parametrize("start", ["SIP/2.0 200 OK: yes", "SIP/2.0 200 OK", "OPTIONS sip:a@h SIP/2.0"])
def test_the_start_line_is_never_folded(start: str) -> None:
    """Not even when it looks like a header."""
    with pytest.raises(RemoteProtocolError, match="continues no header"):
        parse_message(f"{start}\r\n more\r\nCall-ID: a\r\n\r\n".encode())
