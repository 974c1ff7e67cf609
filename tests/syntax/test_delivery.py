"""What a datagram and what a stream makes of the same bytes, and that neither depends on how they arrive."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from sipcore.errors import RemoteProtocolError
from sipcore.syntax import parse_message
from sipcore.testing.mutation.delivery import Delivered, byte_by_byte, check_datagram, check_stream, deliver
from sipcore.testing.mutation.dice import Dice


class Row(NamedTuple):
    """One line of the table in `sipcore.testing.mutation.delivery`."""

    what: str
    data: bytes
    datagram: str
    """`body` of the message that is taken, or the error."""
    stream: str
    """Items by their bodies, then the error or how much waits."""


def message(*lines: str, body: str = "") -> bytes:
    return "\r\n".join(["NOTIFY sip:a@h SIP/2.0", "Via: SIP/2.0/TCP h", *lines, "", body]).encode()


FOUR = message("Content-Length: 4", body="abcd")
TABLE = [
    Row("exact", FOUR, "abcd", "abcd"),
    Row("nothing", message("l: 0"), "''", "''"),
    Row("too short", message("Content-Length: 2", body="abcd"), "ab", "ab + 2 wait"),
    Row("too long", message("l: 5", body="abcd"), "RemoteProtocolError", "56 wait"),
    Row("absent", message(body="abcd"), "abcd", "RemoteProtocolError: no Content-Length on a stream"),
    Row("malformed", message("l: +4", body="abcd"), "RemoteProtocolError", "RemoteProtocolError: malformed"),
    Row("no digits", message("l: ٤", body="abcd"), "RemoteProtocolError", "RemoteProtocolError: malformed"),
    Row("negative", message("l: -4", body="abcd"), "RemoteProtocolError", "RemoteProtocolError: malformed"),
    Row("empty", message("l:", body="abcd"), "RemoteProtocolError", "RemoteProtocolError: malformed"),
    Row("contradictory", message("l: 4", "l: 2", body="abcd"), "RemoteProtocolError", "RemoteProtocolError"),
    Row("twice the same", message("l: 4", "Content-Length: 004", body="abcd"), "abcd", "abcd"),
    Row("over the limit", message("l: 65537", body="abcd"), "LimitExceeded", "LimitExceeded"),
    Row("far over the limit", message("l: " + "9" * 5000, body="abcd"), "LimitExceeded", "LimitExceeded"),
    Row("CRLF before", b"\r\n" + FOUR, "abcd", "PONG + abcd"),
    Row("two CRLFs before", b"\r\n\r\n" + FOUR, "abcd", "PONG + PONG + abcd"),
    Row("CR before", b"\r" + FOUR, "RemoteProtocolError", "RemoteProtocolError: a CR"),
    Row("LF before", b"\n" + FOUR, "RemoteProtocolError", "refused"),
    Row("no empty line", FOUR[:-8], "RemoteProtocolError", "61 wait"),
    Row("nothing at all", b"", "RemoteProtocolError", "0 wait"),
    Row("CRLFs alone", b"\r\n\r\n", "RemoteProtocolError", "PONG + PONG + 0 wait"),
    Row("start line too long", b"x" * 9000 + FOUR, "LimitExceeded", "LimitExceeded"),
    Row("start line without end", b"x" * 9000, "RemoteProtocolError", "LimitExceeded"),
    Row("too many headers", message(*["X: y"] * 300, "l: 0"), "LimitExceeded", "refused"),
    Row("headers too long", message(*["X: " + "y" * 9000] * 8, "l: 0"), "LimitExceeded", "LimitExceeded"),
    Row("two messages", FOUR + FOUR, "abcd", "abcd + abcd"),
    Row("CRLFs between", FOUR + b"\r\n\r\n" + FOUR, "abcd", "abcd + PONG + PONG + abcd"),
    Row("malformed inside", message("a b: c", "l: 0") + FOUR, "RemoteProtocolError", "refused + abcd"),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what)
@pytest.mark.requirement("RFC3261-18.3-01", "RFC3261-18.3-02", "RFC3261-7.5-01")
def test_what_datagram_and_stream_make_of_the_same_bytes(row: Row) -> None:
    assert taken(row.data).startswith(row.datagram)
    for pieces in ([row.data], byte_by_byte(row.data)):
        assert cut_out(deliver(pieces, accepted=False)).startswith(row.stream)
    # The laws that hold for any bytes hold for the rows that show them.
    check_datagram(row.data, check_stream(row.data, Dice(row.what)))


def taken(data: bytes) -> str:
    try:
        return parse_message(data).body.decode() or "''"
    except RemoteProtocolError as error:
        return f"{type(error).__name__}: {error}"


def cut_out(found: Delivered) -> str:
    parts = []
    for item in found.items:
        body = taken(item) if isinstance(item, bytes) else item.name
        parts.append("refused" if "Error: " in body or "Exceeded: " in body else body)
    if found.error is not None:
        parts.append(found.error)
    elif found.pending or not parts or parts[-1] == "PONG":
        parts.append(f"{found.pending} wait")
    return " + ".join(parts)
