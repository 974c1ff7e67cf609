"""Bytes of an enemy: nothing but the documented error, and no more time than their number allows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.addresses import STAR, NameAddr, parse_contacts, parse_name_addr
from sipcore.syntax.framing import StreamFramer
from sipcore.syntax.grammar import split_list, unquote, visible
from sipcore.syntax.headers import parse_cseq, parse_retry_after
from sipcore.syntax.message import Request, make_response, parse_message
from sipcore.syntax.parameters import parse_parameters
from sipcore.syntax.uri import Uri
from sipcore.syntax.via import parse_via
from tests.syntax.effort import BUDGET, SIZE, cost, fill

BASES = [
    b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport\r\n"
    b'From: <sip:alice@example.com>;tag=1\r\nTo: "A" <sip:alice@example.com>\r\nCall-ID: a84b4c76e66710\r\n'
    b"CSeq: 7 REGISTER\r\nContact: <sip:alice@192.0.2.1:5060>;expires=600\r\nExpires: 3600\r\nl: 0\r\n\r\n",
    b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP [2001:db8::1]:5060;branch=x;received=192.0.2.1;rport=1\r\nf: sip:a@h;tag=1\r\n"
    b't: <sip:a@h>;tag=2\r\ni: x\r\nCSeq: 7 REGISTER\r\nm: <sip:a@[::1]>;expires=6,\r\n "B, C" <sip:b@h>;q=1\r\n'
    b"Contact: sip:c@h\r\nRetry-After: 5 (x);duration=1\r\nMin-Expires: 9\r\nContent-Length: 2\r\n\r\nhi",
]

PIECES = st.sampled_from(
    [bytes([code]) for code in b'\r\n\0 \t:,;<>"\\=*\xff%@[]/()9']
    + [b"", b"\r\n", b"\r\n ", b"\r\n\r\n", b"Content-Length: 1\r\n", b"l:0\r\n", b"Via: x\r\n", b"9" * 30, b"\xd9\xa2"]
)
MUTATIONS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 4), PIECES), min_size=1, max_size=5)


@given(st.sampled_from(BASES), MUTATIONS)
@settings(max_examples=500)
def test_mutated_messages_raise_nothing_but_remote_protocol_error(
    data: bytes, mutations: list[tuple[int, int, bytes]]
) -> None:
    """Law: any bytes are taken or refused by RemoteProtocolError, whole and header by header; what is taken whole is
    written back as a part of what came."""
    original = data
    for place, drop, piece in mutations:
        place %= len(original)
        data = data[:place] + piece + data[place + drop :]
    try:
        message = parse_message(data)
    except RemoteProtocolError:
        return
    assert bytes(message) in data
    assert parse_message(bytes(message)) == message
    names = "via via_count from_ to call_id cseq contacts expires min_expires retry_after content_length headers body"
    for name in [*names.split(), *(["request_uri"] if isinstance(message, Request) else [])]:
        try:
            value = getattr(message, name)
            for address in value if name == "contacts" and value is not STAR else [value]:
                if isinstance(address, NameAddr):
                    _ = address.uri, address.tag
        except RemoteProtocolError:
            pass
    for key in ("via", "contact", "to"):
        assert len(message.values(key)) >= 0
    if isinstance(message, Request):
        bytes(make_response(message, 400, to_tag="t"))


@given(st.sampled_from(BASES), MUTATIONS, st.booleans())
@settings(max_examples=300)
def test_mutated_streams_raise_nothing(data: bytes, mutations: list[tuple[int, int, bytes]], accepted: bool) -> None:
    """Law: a framer takes any bytes, and what it cuts out is at most what came."""
    for place, drop, piece in mutations:
        place %= len(data) + 1
        data = data[:place] + piece + data[place + drop :]
    items = StreamFramer(accepted=accepted).receive(data)
    assert sum(len(item) for item in items if isinstance(item, bytes)) <= len(data)


# --- time ------------------------------------------------------------------------------------------------------------


def header(value: str) -> Callable[[], object]:
    """Read a message with that value in every header that we parse."""
    names = ["Via", "From", "To", "CSeq", "Contact", "Retry-After"]
    share = SIZE // len(names)
    data = "".join(f"{name}: {(value * share)[: share - 20]}\r\n" for name in names)
    whole = f"SIP/2.0 200 OK\r\n{data}\r\n".encode()

    def read() -> None:
        message = parse_message(whole)
        for name in ("via", "via_count", "from_", "to", "cseq", "contacts", "retry_after"):
            with contextlib.suppress(RemoteProtocolError):
                getattr(message, name)

    return read


def call(parse: Callable[[str], object], text: str) -> Callable[[], object]:
    def run() -> None:
        with contextlib.suppress(RemoteProtocolError):
            parse(text)

    return run


UNITS = [
    '"',
    "\\",
    '"\\',
    '\\"',
    ",",
    "<",
    ">",
    "<,",
    "<>,",
    '"",',
    ";",
    "=",
    ";a=",
    ';a="',
    "(",
    "%",
    "%41",
    ":",
    ".",
    "a.",
    "[",
    " ",
    "\t",
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.requirement("RFC4475-3.1.1.7-01")
def test_time_is_linear_in_the_length_of_a_value(unit: str) -> None:
    text = fill(unit)
    for run in (
        header(unit),
        call(split_list, text),
        call(unquote, f'"{text}'),
        call(lambda text: parse_parameters(text, "test"), text),
        call(lambda text: parse_parameters(text, "test"), f';a="{text}'),
        call(parse_name_addr, text),
        call(parse_name_addr, f"<sip:{text}"),
        call(parse_via, f"SIP/2.0/UDP {text}"),
        call(parse_cseq, text),
        call(parse_retry_after, f"1{text}"),
        call(lambda text: parse_contacts([text]), text),
        call(Uri.parse, f"sip:{text}"),
        call(Uri.parse, f"sip:a@h;{text}"),
        call(visible, text),
    ):
        assert cost(run) < BUDGET


@pytest.mark.parametrize(
    "data",
    [
        b"SIP/2.0 200 OK\r\n" + b"a:b\r\n" * 13_000 + b"\r\n",
        b"SIP/2.0 200 OK\r\na:b\r\n" + b" c\r\n" * 16_000 + b"\r\n",
        b"SIP/2.0 200 OK\r\na:b\r\n" + b" \r\n" * 20_000 + b"\r\n",
        b"\r\n" * 32_000,
        b"\r" * SIZE,
        b"\0" * SIZE,
        b"\xff" * SIZE,
        b"SIP/2.0 200 OK\r\n" + b"l: 0\r\n" * 10_000 + b"\r\n",
    ],
    ids=["headers", "folds", "empty folds", "CRLF", "CR", "NUL", "no UTF-8", "lengths"],
)
def test_time_is_linear_in_the_length_of_a_message(data: bytes) -> None:
    def parse() -> None:
        with contextlib.suppress(RemoteProtocolError):
            parse_message(data)

    assert cost(parse) < BUDGET
    assert cost(lambda: StreamFramer(accepted=True).receive(data)) < BUDGET


def test_time_of_a_stream_is_linear_however_it_arrives() -> None:
    def feed() -> None:
        framer = StreamFramer()
        for _ in range(SIZE):
            framer.receive(b"x\r\n"[_ % 3 : _ % 3 + 1])

    assert cost(feed) < 2 * BUDGET
