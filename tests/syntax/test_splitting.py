"""The two ways to take a message apart are one, and every limit is where it is said to be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax.limits import MAX_BODY, MAX_HEADER_BLOCK, MAX_HEADERS, MAX_LINE, MAX_START_LINE
from sipcore.syntax.message import parse_message
from sipcore.syntax.names import COMPACT_FORMS, USUAL_NAMES, header_key
from sipcore.syntax.splitting import Split, _split_any, split_message

LINES = st.sampled_from(
    [
        b"Via: SIP/2.0/UDP a",
        b"v:SIP/2.0/UDP b",
        b"To: <sip:a@h>",
        b"X-Odd : 1",
        b"x-odd:2",
        b"Subject:  a  ",
        b" folded",
        b"\tfolded: too",
        b"",
        b"no colon",
        b":",
        b"Content-Length: 0",
        b"Content-Length:  0",
        b"l: 00",
        b"l: 3",
        b"L: x",
        b"a\nb: c",
        b"a: \rb",
        b"a: \0",
        b"\xff: \xff",
        b"a: \xff",
    ]
)


@given(st.booleans(), st.lists(LINES, max_size=7), st.sampled_from([b"", b"abc", b"\r\n\r\n", b"l: 3\r\n\r\n", b"\0"]))
@settings(max_examples=600)
def test_the_short_way_and_the_long_way_agree(crlf: bool, lines: list[bytes], body: bytes) -> None:
    """Law: split_message gives what the general way gives, error for error."""
    data = b"\r\n".join([b"\r\n" * crlf + b"SIP/2.0 200 OK", *lines, b"", body])
    assert outcome(split_message, data) == outcome(_split_any, data)


def outcome(split: Callable[[bytes], Split], data: bytes) -> Split | str:
    try:
        return split(data)
    except RemoteProtocolError as error:
        return repr(error)


def test_the_long_way_is_taken_for_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """An everyday message does not pass through the general way; else the short way would be dead weight."""
    monkeypatch.delattr("sipcore.syntax.splitting._split_any")
    for length in ("0", " 0", "  0", "\t00 "):
        data = f"SIP/2.0 200 OK\r\nVia: a:5060\r\nV: b\r\nX-New: c\r\nContent-Length:{length}\r\n\r\n".encode()
        parts, index, body, raw = split_message(data)
        assert (parts[0], body, len(parts), raw) == ("SIP/2.0 200 OK", b"", 9, data)
        assert index == {"via": ["a:5060", "b"], "x-new": "c", "content-length": length.removeprefix(" ")}


def message(start: str = "SIP/2.0 200 OK", *lines: str, body: bytes = b"") -> bytes:
    return "".join(f"{line}\r\n" for line in (start, *lines, "")).encode() + body


def test_the_start_line_is_limited() -> None:
    start = "SIP/2.0 200 ".ljust(MAX_START_LINE, "x")
    assert parse_message(message(start)).start_line == start
    with pytest.raises(LimitExceeded):
        parse_message(message(f"{start}x"))


@pytest.mark.requirement("RFC4475-3.1.1.7-01")
def test_a_header_line_is_limited() -> None:
    line = "Subject: ".ljust(MAX_LINE, "x")
    assert parse_message(message("SIP/2.0 200 OK", line)).get("subject") == line[9:]
    with pytest.raises(LimitExceeded):
        parse_message(message("SIP/2.0 200 OK", f"{line}x"))


def test_folding_does_not_pass_the_limit_of_a_line() -> None:
    with pytest.raises(LimitExceeded):
        parse_message(message("SIP/2.0 200 OK", "Subject: x", *[f" {'x' * 1000}"] * 17))


def test_the_number_of_headers_is_limited() -> None:
    assert len(parse_message(message("SIP/2.0 200 OK", *["a:b"] * MAX_HEADERS)).headers) == MAX_HEADERS
    with pytest.raises(LimitExceeded):
        parse_message(message("SIP/2.0 200 OK", *["a:b"] * (MAX_HEADERS + 1)))
    # The same with a folded line, which only the long way takes, and with a body.
    folded = ["a:b"] * (MAX_HEADERS - 1) + ["a:\r\n b"]
    assert len(parse_message(message("SIP/2.0 200 OK", *folded)).headers) == MAX_HEADERS
    with pytest.raises(LimitExceeded):
        parse_message(message("SIP/2.0 200 OK", *folded, "a:b"))
    most = message("SIP/2.0 200 OK", *["a:b"] * (MAX_HEADERS - 1), "l: 1", body=b"x")
    assert len(parse_message(most).headers) == MAX_HEADERS
    with pytest.raises(LimitExceeded):
        parse_message(message("SIP/2.0 200 OK", *["a:b"] * MAX_HEADERS, "l: 1", body=b"x"))


def test_the_header_block_is_limited() -> None:
    def block(size: int) -> bytes:
        start = "SIP/2.0 200 OK"
        full, rest = divmod(size - len(start), 1024)
        assert rest > 5
        lines = ["X: ".ljust(1022, "x")] * full
        return message(start, *lines, "X: ".ljust(rest - 2, "x"))

    assert len(parse_message(block(MAX_HEADER_BLOCK)).headers) == 64
    assert len(parse_message(b"\r\n\r\n" + block(MAX_HEADER_BLOCK) + b"x").headers) == 64
    with pytest.raises(LimitExceeded):
        parse_message(block(MAX_HEADER_BLOCK + 1))
    with pytest.raises(LimitExceeded):
        parse_message(b"\r\n" + block(MAX_HEADER_BLOCK + 1))
    with pytest.raises(LimitExceeded):
        parse_message(b"x" * (MAX_HEADER_BLOCK + 1))


@pytest.mark.parametrize("headers", [[], ["l: {}"]])
def test_the_body_is_limited(headers: list[str]) -> None:
    def sized(size: int) -> bytes:
        return message("SIP/2.0 200 OK", *[line.format(size) for line in headers], body=b"x" * size)

    assert len(parse_message(sized(MAX_BODY)).body) == MAX_BODY
    with pytest.raises(LimitExceeded):
        parse_message(sized(MAX_BODY + 1))


def test_an_announced_body_is_limited_before_it_is_there() -> None:
    with pytest.raises(LimitExceeded):
        parse_message(message("SIP/2.0 200 OK", f"l: {10**30}"))


@pytest.mark.requirement("RFC3261-7.3.3-01", "RFC3261-7.3.1-01")
def test_names() -> None:
    assert len(COMPACT_FORMS) == 20
    assert {header_key(short.upper()) for short in COMPACT_FORMS} == set(COMPACT_FORMS.values())
    assert header_key("X-Foo") == "x-foo"
    assert header_key("WWW-AUTHENTICATE") == "www-authenticate"
    for name, key in USUAL_NAMES.items():
        assert key == key.lower()
        assert COMPACT_FORMS.get(name.lower(), name.lower()) == key
