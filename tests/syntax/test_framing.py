"""Streams are cut by what they hold, never by how they arrive."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax.framing import KeepAlive, StreamFramer
from sipcore.syntax.limits import MAX_BODY, MAX_HEADER_BLOCK, MAX_START_LINE
from sipcore.syntax.message import parse_message

PING, PONG = KeepAlive.PING, KeepAlive.PONG

Items = list[bytes | KeepAlive]

EMPTY = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP a\r\nContent-Length: 0\r\n\r\n"
BODY = b"NOTIFY sip:a@h SIP/2.0\r\nl : 0008\r\nSubject: a\r\n b\r\n\r\nab\r\n\r\nc\0"
FOLDED = b"SIP/2.0 200 OK\r\nCONTENT-length\t:\r\n\t 1\r\n\r\nx"
TWICE = b"SIP/2.0 200 OK\r\nContent-Length: 1\r\nl: 1\r\n\r\nx"

SPACED = b"SIP/2.0 200 OK\r\nl:\r\n 0000000000000000000001\r\n\r\nx"

GOOD = [EMPTY, BODY, FOLDED, SPACED, TWICE]

BAD = [
    b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Length: -999\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Length: abc\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Length:\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Length: 1\r\nl: 2\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Length: 1_0\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Length-X: 1\r\n\r\n",
    b"SIP/2.0 200 OK\r\nl: 65537\r\n\r\n",
    b"SIP/2.0 200 OK\r\nl: " + b"9" * 5000 + b"\r\n\r\n",
    b"\rSIP/2.0 200 OK\r\nl: 0\r\n\r\n",
    b"\r\r\n",
    b"x" * (MAX_START_LINE + 4),
]


def cut(*chunks: bytes, accepted: bool = False) -> tuple[Items, str | None]:
    """The items of a stream that arrives in the given chunks, and the error that ends it."""
    framer = StreamFramer(accepted=accepted)
    items: Items = []
    for chunk in chunks:
        if framer.error is None:
            items += framer.receive(chunk)
    error = framer.error
    return items, None if error is None else f"{type(error).__name__}: {error}"


def bytewise(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


@pytest.mark.parametrize("data", GOOD)
@pytest.mark.requirement("RFC3261-20.14-01", "RFC3261-20.14-02")
def test_a_message_whole_bytewise_and_with_bytes_behind(data: bytes) -> None:
    assert cut(data) == ([data], None)
    assert cut(*bytewise(data)) == ([data], None)
    assert cut(data + EMPTY[:-1]) == ([data], None)
    assert cut(data + data + EMPTY) == ([data, data, EMPTY], None)
    assert bytes(parse_message(data)) == data


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
@pytest.mark.requirement("RFC4475-3.1.2.3-01", "RFC4475-3.3.9-01", "RFC3261-20.14-02")
def test_what_cannot_be_cut_ends_the_stream_behind_what_came_before(data: bytes) -> None:
    items, error = cut(EMPTY + data)
    assert items == [EMPTY]
    assert error is not None
    assert cut(EMPTY, data) == (items, error)
    assert cut(*bytewise(EMPTY + data + EMPTY)) == (items, error)


def test_what_is_no_line_end_is_refused_as_soon_as_it_shows() -> None:
    assert cut(b"\r") == ([], None)
    assert cut(b"\rX")[1] is not None
    assert cut(b"\r\n\rX") == ([KeepAlive.PONG], cut(b"\rX")[1])


def test_a_dead_stream_takes_nothing_more() -> None:
    framer = StreamFramer()
    assert framer.receive(BAD[0]) == []
    assert isinstance(framer.error, RemoteProtocolError)
    assert framer.pending == 0
    for _ in range(2):
        with pytest.raises(RemoteProtocolError) as caught:
            framer.receive(EMPTY)
        assert caught.value is framer.error


def test_the_error_of_a_dead_stream_keeps_nothing_alive_and_does_not_grow() -> None:
    framer = StreamFramer()
    framer.receive(BAD[0])
    assert framer.error is not None
    assert framer.error.__traceback__ is None
    sizes = set()
    for _ in range(3):
        with pytest.raises(RemoteProtocolError) as caught:
            framer.receive(EMPTY)
        sizes.add(len(caught.traceback))
    assert len(sizes) == 1


# --- keep-alives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "items"),
    [
        (b"\r\n", [PONG]),
        (b"\r\n\r\n", [PONG, PONG]),
        (b"\r\n" + EMPTY + b"\r\n", [PONG, EMPTY, PONG]),
        (b"\r", []),
    ],
)
@pytest.mark.requirement("RFC5626-4.4.1-01", "RFC5626-4.4.1-04")
def test_on_a_connection_that_we_opened_each_crlf_is_a_pong(data: bytes, items: Items) -> None:
    assert cut(data) == (items, None)
    assert cut(*bytewise(data)) == (items, None)
    assert StreamFramer().receive(data) == items


@pytest.mark.parametrize(
    ("data", "items"),
    [
        (b"\r\n", []),
        (b"\r\n\r\n", [PING]),
        (b"\r\n\r\n\r\n", [PING]),
        (b"\r\n\r\n\r\n\r\n", [PING, PING]),
        (b"\r\n" + EMPTY + b"\r\n", [EMPTY]),
        (EMPTY + b"\r\n\r\n" + EMPTY, [EMPTY, PING, EMPTY]),
    ],
)
@pytest.mark.requirement("RFC5626-4.4.1-01", "RFC5626-4.4.1-04")
def test_on_a_connection_that_we_accepted_a_double_crlf_is_a_ping(data: bytes, items: Items) -> None:
    assert cut(data, accepted=True) == (items, None)
    assert cut(*bytewise(data), accepted=True) == (items, None)


# --- limits ----------------------------------------------------------------------------------------------------------


def headers_of(size: int) -> bytes:
    """A message whose headers, up to the empty line, have exactly that many bytes."""
    start = b"SIP/2.0 200 OK\r\nl: 0"
    filler = b"\r\nX: " + b"x" * 1000
    lines, rest = divmod(size - len(start), len(filler))
    assert rest > 5
    return start + filler * lines + b"\r\nX: ".ljust(rest, b"x") + b"\r\n\r\n"


def start_line_of(size: int) -> bytes:
    return b"SIP/2.0 200 ".ljust(size, b"x") + b"\r\nl: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("fits", "too_long"),
    [
        (start_line_of(MAX_START_LINE), start_line_of(MAX_START_LINE + 1)),
        (headers_of(MAX_HEADER_BLOCK), headers_of(MAX_HEADER_BLOCK + 1)),
    ],
    ids=["start line", "headers"],
)
def test_limits_are_exact_however_the_bytes_arrive(fits: bytes, too_long: bytes) -> None:
    for data, items in ((fits, [fits]), (too_long, [])):
        late = len(fits) - 8
        for chunks in ([data], [data[:late], *bytewise(data[late:])], [data[:1000], data[1000:]]):
            found, error = cut(*chunks)
            assert found == items
            assert (error is None) if items else (error or "").startswith("LimitExceeded")


def test_an_endless_head_is_refused_before_it_ends() -> None:
    for endless in (b"x", b"SIP/2.0 200 OK\r\n" + b"X: y\r\n" * 20_000):
        framer = StreamFramer()
        most = 0
        for _ in range(100_000):
            framer.receive(endless[:4096] if len(endless) > 1 else endless * 4096)
            most = max(most, framer.pending)
            if framer.error is not None:
                break
        assert isinstance(framer.error, LimitExceeded)
        assert most <= MAX_HEADER_BLOCK + 4096


def test_a_body_above_the_limit_is_refused_when_it_is_announced() -> None:
    head = b"SIP/2.0 200 OK\r\nl: %d\r\n\r\n"
    assert cut(head % MAX_BODY) == ([], None)
    items, error = cut(head % (MAX_BODY + 1))
    assert (items, error) == ([], "LimitExceeded: the body is too long")


def test_what_waits_is_counted() -> None:
    framer = StreamFramer()
    assert framer.receive(BODY[:-1]) == []
    assert framer.pending == len(BODY) - 1
    assert framer.receive(BODY[-1:] + b"\r") == [BODY]
    assert framer.pending == 1


def test_no_byte_is_searched_twice() -> None:
    """The time of a byte-wise message is linear: the search for the empty line never goes back to the start."""

    class Counted(bytearray):
        looked_at = 0

        def find(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
            if sub == b"\r\n\r\n":
                self.looked_at += len(self) - start
            return super().find(sub, start, len(self) if end is None else end)

    framer = StreamFramer()
    counted = framer._buffer = Counted()
    data = headers_of(6000)
    assert [item for byte in bytewise(data) for item in framer.receive(byte)] == [data]
    assert counted.looked_at < 6 * len(data)


# --- laws ------------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from([*GOOD, *BAD[:-1], b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"x"]), max_size=6),
    st.lists(st.integers(0, 400), max_size=8),
    st.booleans(),
)
@settings(max_examples=400)
def test_any_chunking_gives_equal_items(pieces: list[bytes], places: list[int], accepted: bool) -> None:
    """Law: items and error depend on the bytes of the stream, not on where it was cut."""
    data = b"".join(pieces)
    whole = cut(data, accepted=accepted)
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    chunks = [data[start:end] for start, end in pairwise(ends)]
    assert cut(*chunks, accepted=accepted) == whole
    assert cut(*bytewise(data), accepted=accepted) == whole


@given(st.lists(st.sampled_from(GOOD), max_size=5))
@settings(max_examples=50)
def test_what_goes_in_comes_out(messages: list[bytes]) -> None:
    """Law: a stream of messages is cut into these messages, whatever their bodies hold."""
    assert cut(b"".join(messages)) == (messages, None)


@given(st.binary(max_size=200), st.sampled_from(GOOD), st.integers(0, 80))
@settings(max_examples=300)
def test_any_bytes_are_survived(junk: bytes, message: bytes, place: int) -> None:
    """Law: a framer raises nothing but RemoteProtocolError, and only when it is dead."""
    framer = StreamFramer()
    items = framer.receive(message[:place] + junk + message[place:])
    assert all(isinstance(item, bytes | KeepAlive) for item in items)
