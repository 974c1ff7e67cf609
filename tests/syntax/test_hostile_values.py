"""Values of an enemy, in the headers that a message can do without and in its body: nothing raised, no time wasted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import RemoteProtocolError
from sipcore.syntax import (
    BodyPart,
    ContentDisposition,
    EventType,
    Mechanism,
    MediaType,
    RetryAfter,
    Timestamp,
    WarningValue,
    body_of,
    parse_date,
    parse_mechanisms,
    parse_message,
    parse_multipart,
    parse_products,
    parse_qvalue,
    select_parts,
)
from sipcore.syntax.comments import Comment, end_of_comment
from sipcore.syntax.remarks import parse_warnings
from tests.syntax.effort import BUDGET, SIZE, cost, fill

BASE = "\r\n".join(
    [
        "SIP/2.0 494 Security Agreement Required",
        "Date: Sat, 13 Nov 2010 23:29:00 GMT",
        "Retry-After: 5 (x);duration=1",
        'Warning: 399 h "x", 301 i "y"',
        "Timestamp: 54.5 0.2",
        "Event: reg;id=1",
        "Security-Server: tls;q=0.1, digest;q=0.2",
        "Content-Disposition: render;handling=optional",
        "Content-Type: multipart/mixed;boundary=b",
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "hi",
        "--b",
        "Content-Disposition: render;handling=optional",
        "",
        "",
        "--b--",
        "",
    ]
).encode()
PIECES = st.sampled_from(
    [bytes([code]) for code in b'\r\n\0 \t:,;<>"\\=()./-b9\xff'] + [b"", b"\r\n--b\r\n", b"\r\n\r\n"]
)
MUTATIONS = st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 4), PIECES), min_size=1, max_size=5)


@given(MUTATIONS)
@settings(max_examples=400)
def test_a_mutated_message_raises_nothing_but_remote_protocol_error(mutations: list[tuple[int, int, bytes]]) -> None:
    """Law: in any message that is taken, each of these headers and the body is read or refused by RemoteProtocolError,
    and what nothing depends on is never refused."""
    data = BASE
    for place, drop, piece in mutations:
        data = data[:place] + piece + data[place + drop :]
    try:
        message = parse_message(data)
    except RemoteProtocolError:
        return
    for name in ("date", "retry_after_value", "timestamp", "warnings"):
        getattr(message, name)
    for name in ("content_type", "content_disposition", "event"):
        with contextlib.suppress(RemoteProtocolError):
            getattr(message, name)
    with contextlib.suppress(RemoteProtocolError):
        parse_mechanisms(message.get_all("security-server"))
    with contextlib.suppress(RemoteProtocolError):
        whole = body_of(message)
        if whole is not None:
            select_parts(whole, {"text/plain"})


# --- time ------------------------------------------------------------------------------------------------------------

READERS: list[tuple[Callable[[str], object], str]] = [
    (parse_date, ""),
    (parse_qvalue, "0."),
    (Timestamp.parse, "1"),
    (Timestamp.parse, "1 0."),
    (RetryAfter.parse, "1"),
    (RetryAfter.parse, "1 ("),
    (WarningValue.parse, ""),
    (WarningValue.parse, "399 h"),
    (WarningValue.parse, '399 h "'),
    (lambda text: parse_warnings([text]), '399 h "x",'),
    (Comment.parse, "("),
    (lambda text: end_of_comment(text, 1), " ("),
    (parse_products, "a"),
    (parse_products, "a/"),
    (Mechanism.parse, "a;q="),
    (lambda text: parse_mechanisms([text]), "a"),
    (MediaType.parse, "a/b"),
    (MediaType.parse, 'a/b;c="'),
    (ContentDisposition.parse, "a"),
    (EventType.parse, "a"),
]


@pytest.mark.parametrize(
    "unit", ["(", ")", "()", "\\", '"', '\\"', ",", ";", "=", "/", "a ", "a/", " ", "\t", ".", "9", "٣"]
)
@pytest.mark.requirement("RFC4475-3.1.1.7-01")
def test_time_is_linear_in_the_length_of_a_value(unit: str) -> None:
    text = fill(unit)
    for read, head in READERS:

        def run(read: Callable[[str], object] = read, head: str = head) -> None:
            with contextlib.suppress(RemoteProtocolError):
                read(head + text)

        assert cost(run) < BUDGET


@pytest.mark.parametrize(
    "unit",
    [
        b"\r\n",
        b"\r\n-",
        b"\r\n--",
        b"\r\n--b",
        b"\r\n--b\r\n",
        b"\r\n--b\r\n\r\n",
        b"--b",
        b"-",
        b"\r\n ",
        b"A: b\r\n",
        b":",
        b"\0",
    ],
)
def test_time_is_linear_in_the_length_of_a_body(unit: bytes) -> None:
    body = (unit * SIZE)[:SIZE]
    for data in (
        body,
        b"--b\r\n" + body,
        b"--b\r\n\r\n" + body,
        b"--b\r\nA: b" + body,
        b"--b\r\n\r\n" + body + b"\r\n--b--",
    ):

        def run(data: bytes = data) -> None:
            with contextlib.suppress(RemoteProtocolError):
                parse_multipart(data, "b")

        assert cost(run) < BUDGET


def test_time_is_linear_in_the_length_of_a_body_in_a_body() -> None:
    kind = ("Content-Type", "multipart/mixed;boundary=b")
    deep = b"--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n" * (SIZE // 50)
    wide = b"\r\n--c\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--" * (SIZE // 70)
    for part in (BodyPart((kind,), deep), BodyPart((("Content-Type", "multipart/mixed;boundary=c"),), wide)):

        def run(part: BodyPart = part) -> None:
            with contextlib.suppress(RemoteProtocolError):
                select_parts(part, {"text/plain"})

        assert cost(run) < BUDGET
