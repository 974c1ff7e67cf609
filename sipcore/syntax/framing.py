"""Cutting a stream into messages (RFC 3261 sections 7.5 and 18.3, RFC 5626 section 4.4.1).

One machine: between messages it sees CRLFs, which are keep-alives; then the headers, up to the empty line; then as
many bytes as Content-Length says. What it gives depends on the bytes only, never on how they were cut.
"""

from __future__ import annotations

import enum

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax.limits import MAX_BODY, MAX_HEADER_BLOCK, MAX_START_LINE

__all__ = ["KeepAlive", "StreamFramer"]


class KeepAlive(enum.Enum):
    """What can stand between two messages."""

    PING = enum.auto()
    """A double CRLF, from whoever opened the connection: answer with `\\r\\n`."""
    PONG = enum.auto()
    """A single CRLF, from whoever accepted it: the flow lives."""


class StreamFramer:
    """Cuts what one side of a connection sends into messages and keep-alives.

    `accepted` says who opened the connection, for the same CRLFs mean different things: on a connection that we
    opened, each CRLF is a PONG, also when two come in a row (that is two pongs, not a ping); on one that we
    accepted, each pair of CRLFs is a PING and an odd one says nothing (RFC 5626 section 3.5.1: only who opened sends
    pings).
    """

    __slots__ = ("_accepted", "_buffer", "_error", "_odd", "_rejected", "_scanned", "_total")

    def __init__(self, *, accepted: bool = False) -> None:
        self._accepted = accepted
        self._buffer = bytearray()
        # Where the search for the empty line goes on, so that no byte is looked at twice.
        self._scanned = 0
        # Length of the message at the front of the buffer, once its headers are complete.
        self._total = 0
        # True after the first CRLF of a pair.
        self._odd = False
        self._error: RemoteProtocolError | None = None
        self._rejected = b""

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their message; never much more than the limits of one message."""
        return len(self._buffer)

    @property
    def error(self) -> RemoteProtocolError | None:
        """Why the stream is dead; None while it lives. `LimitExceeded` when it was a limit."""
        return self._error

    @property
    def rejected(self) -> bytes:
        """Start line and headers of the message at which the stream died, as far as the limits; empty while it lives.

        Like all that a framer gives it does not depend on how the stream was cut.
        """
        return self._rejected

    def receive(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take the next bytes; give the whole messages and keep-alives that are complete now, in order.

        Look at `error` after the items: when it is set, these were the last, the stream cannot be cut any further,
        and the connection has to be closed (RFC 3261 section 18.3). From then on every call raises it. It is not
        raised here and now because what came before it would be lost, or not, depending on how the stream was cut.
        """
        if self._error is not None:
            # Without what each call before has added to its traceback.
            raise self._error.with_traceback(None)
        items: list[bytes | KeepAlive] = []
        self._buffer += data
        try:
            self._cut(items)
        except RemoteProtocolError as error:
            # A traceback would keep frames, and with them these bytes, as long as somebody keeps the error.
            self._error = error.with_traceback(None)
            self._rejected = _head(self._buffer)
            self._buffer.clear()
        return items

    def _cut(self, items: list[bytes | KeepAlive]) -> None:
        buffer = self._buffer
        while buffer:
            if not self._total:
                if not self._scanned and not self._skip_keepalives(items):
                    return
                end = buffer.find(b"\r\n\r\n", self._scanned)
                if end < 0:
                    # The empty line can begin in the last three bytes, so that much is not known to be too long.
                    self._check_lengths(len(buffer) - 3)
                    self._scanned = max(1, len(buffer) - 3)
                    return
                self._check_lengths(end)
                self._total = end + 4 + _content_length(bytes(buffer[: end + 2]))
            if len(buffer) < self._total:
                return
            items.append(bytes(buffer[: self._total]))
            del buffer[: self._total]
            self._total = self._scanned = 0
            self._odd = False

    def _skip_keepalives(self, items: list[bytes | KeepAlive]) -> bool:
        """Take the CRLFs at the front; True when a message begins behind them."""
        buffer = self._buffer
        position = 0
        while buffer[position : position + 2] == b"\r\n":
            position += 2
            if not self._accepted:
                items.append(KeepAlive.PONG)
            elif self._odd:
                items.append(KeepAlive.PING)
            self._odd = not self._odd
        del buffer[:position]
        if buffer[:1] == b"\r" and len(buffer) > 1:
            raise RemoteProtocolError("a CR that is no line end, between messages")
        return len(buffer) > 0 and buffer[0] != 13

    def _check_lengths(self, end: int) -> None:
        if end > MAX_START_LINE and self._buffer.find(b"\r\n", 0, MAX_START_LINE + 2) < 0:
            raise LimitExceeded("the start line is too long")
        if end > MAX_HEADER_BLOCK:
            raise LimitExceeded("the headers are too long")


def _head(buffer: bytearray) -> bytes:
    """What stands in the buffer at the moment of an error, however the stream was cut."""
    if buffer[:1] == b"\r" or buffer.find(b"\r\n", 0, MAX_START_LINE + 2) < 0:
        return b""
    head = bytes(buffer[: MAX_HEADER_BLOCK + 4])
    end = head.find(b"\r\n\r\n")
    return head if end < 0 else head[: end + 4]


def _content_length(head: bytes) -> int:
    """What the headers say; `head` ends with the CRLF of the last one."""
    found: set[bytes] = set()
    if b"\r\n " in head or b"\r\n\t" in head:
        head = head.replace(b"\r\n ", b"  ").replace(b"\r\n\t", b"  ")
    for line in head.split(b"\r\n"):
        if line[:1] in b"cClL":
            name, _, value = line.partition(b":")
            if name.rstrip(b" \t").lower() in (b"content-length", b"l"):
                found.add(value.strip(b" \t"))
    if not found:
        raise RemoteProtocolError("no Content-Length on a stream")
    lengths = {_uint(value) for value in found}
    if len(lengths) > 1:
        raise RemoteProtocolError("contradictory Content-Length")
    length = lengths.pop()
    if length > MAX_BODY:
        raise LimitExceeded("the body is too long")
    return length


def _uint(value: bytes) -> int:
    if not value.isdigit():
        raise RemoteProtocolError("malformed Content-Length")
    digits = value.lstrip(b"0") or b"0"
    return int(digits) if len(digits) <= 10 else MAX_BODY + 1
