"""Connections to the registrar model: messages out of bytes, keep-alives, and connections that it ends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipcore.testing.sim.registrar_messages import Request, read_request
from sipcore.testing.world import Connection

if TYPE_CHECKING:
    from sipcore.testing.sim.registrar import SimRegistrar

__all__ = ["Stream"]

MAX_WAITING: Final = 65536
"""Bytes of one message; nobody who is simulated sends more."""


class Stream:
    """The registrar's end of one connection."""

    __slots__ = ("_buffer", "_heard", "_message", "_registrar", "_watched", "connection")

    def __init__(self, registrar: SimRegistrar, connection: Connection) -> None:
        self.connection = connection
        self._registrar = registrar
        self._buffer = b""
        self._message: tuple[Request, bytes, int] | None = None
        """A head whose body is awaited: the request, the head's bytes, and the length of the body."""
        self._heard = registrar.world.now
        self._watched = False

    def on_bytes(self, connection: Connection, data: bytes) -> None:
        """Some bytes of the stream."""
        registrar = self._registrar
        if registrar.rules.half_open:
            return
        self._heard = registrar.world.now
        self.watch()
        if len(self._buffer) + len(data) > MAX_WAITING:
            self.close("too much")
            return
        self._buffer += data
        while connection.open and self._buffer and self._step():
            pass

    def on_end(self, connection: Connection, error: str | None) -> None:
        """The client closed, or the network broke it."""
        self._registrar.gone(self)

    def send(self, data: bytes) -> None:
        """An answer; it goes nowhere when the connection is gone."""
        if not self.connection.open:
            return
        if self._registrar.rules.split and len(data) > 1:
            middle = len(data) // 2
            self.connection.send(data[:middle])
            self.connection.send(data[middle:])
        else:
            self.connection.send(data)

    def close(self, error: str | None = None) -> None:
        """From our side."""
        self.connection.close(error)
        self._registrar.gone(self)

    def watch(self) -> None:
        """Close it when it has been idle for as long as the rules say, counted from bytes that came under the rule."""
        idle = self._registrar.rules.idle_close
        if idle is not None and not self._watched:
            self._watched = True
            self._registrar.world.at(self._heard + idle, self._look)

    def _look(self) -> None:
        self._watched = False
        registrar = self._registrar
        idle = registrar.rules.idle_close
        if idle is None or not self.connection.open:
            return
        if registrar.world.now >= self._heard + idle:
            self.close()
        else:
            self.watch()

    def _step(self) -> bool:
        """Take one thing from the buffer; False when nothing is complete."""
        buffer, registrar = self._buffer, self._registrar
        if self._message is None:
            if buffer[:2] == b"\r\n":
                # RFC 5626 section 3.5.1: two are a ping; one alone is the rest of one, or nothing.
                if len(buffer) >= 4 and buffer[2:4] == b"\r\n":
                    self._buffer = buffer[4:]
                    registrar.counters.keepalives += 1
                    if not registrar.rules.silent:
                        self.connection.send(b"\r\n")
                    return True
                if len(buffer) == 2 or buffer == b"\r\n\r":
                    return False
                self._buffer = buffer[2:]
                return True
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = buffer[:end]
            request = read_request(head.decode("latin-1"), "")
            if isinstance(request, str):
                registrar.noise(request)
                self.close("not a request")
                return False
            length = request.headers.get("content-length", "0")
            if not (length.isascii() and length.isdigit() and len(length) < 6):
                registrar.noise(f"Content-Length {length!r}")
                self.close("no length")
                return False
            self._buffer = buffer[end + 4 :]
            self._message = request, head, int(length)
        request, head, size = self._message
        if len(self._buffer) < size:
            return False
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        self._message = None
        request.body = body.decode("latin-1")
        if not registrar.rules.silent:
            data = head + b"\r\n\r\n" + body
            registrar.take(request, data, data.decode("latin-1"), self.connection.remote, self)
        return True

