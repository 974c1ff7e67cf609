"""HTTP/1.1 for a few pages that are read by machines: one request a connection, GET or HEAD.

Requests are bounded in length, number and time; who is slow to ask or to read is dropped, so that nobody who looks can
hold up a registration.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import h11
import trio

from sipcore.syntax.grammar import visible
from sipcore.values import format_address
from sipcore_trio.daemon.accepting import accept
from sipcore_trio.daemon.checks import StartError
from sipcore_trio.daemon.logs import fault

__all__ = ["Answer", "Asked", "Page", "Server"]

MAX_SESSIONS = 32
"""At the same time and on one address; more are closed at once."""

MAX_REQUEST = 8192
"""Bytes of a request's head."""

REQUEST_TIMEOUT = 5.0
"""Seconds for the request to arrive."""

PAGE_TIMEOUT = 60.0
"""Seconds for the answer to be made: several that read the metrics of many registrations wait for each other."""

SEND_TIMEOUT = 10.0
"""Seconds for the client to take one piece of the answer."""

PIECE = 1 << 16
"""Bytes that are sent at once."""

BACKLOG = 32


class Asked(NamedTuple):
    """What a page may want to know of a request."""

    accept: str
    accept_encoding: str


class Answer(NamedTuple):
    """An answer."""

    status: int
    kind: str
    """The content type."""
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


Page = Callable[[Asked], Awaitable[Answer]]


class Server:
    """Pages by path on one address. Listens from `__init__` on; raises `StartError` when it cannot."""

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Page], log: logging.Logger) -> None:
        self.pages = pages
        self._log = log
        self._listener = _listen(address)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        """Where it listens, with the port that the system chose for 0."""
        self._sessions = 0

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    async def serve(self) -> None:
        """Answer until cancelled."""
        acceptor = trio.SocketListener(trio.socket.from_stdlib_socket(self._listener))
        async with trio.open_nursery() as nursery:
            while True:
                stream = await accept(acceptor)
                if self._sessions >= MAX_SESSIONS:
                    stream.socket.close()
                    continue
                self._sessions += 1
                nursery.start_soon(self._session, stream)

    async def _session(self, stream: trio.SocketStream) -> None:
        try:
            await _serve(stream, self.pages)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # it left, or is too slow
        except Exception as error:
            # A fault in one page is no reason to end the others.
            self._log.error("internal error in an answer of the HTTP service: %s", fault(error))
        finally:
            self._sessions -= 1
            stream.socket.close()


async def _serve(stream: trio.SocketStream, pages: Mapping[str, Page]) -> None:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_REQUEST)
    try:
        with trio.fail_after(REQUEST_TIMEOUT):
            request = await _read(stream, connection)
    except h11.RemoteProtocolError as error:
        answer = _text(error.error_status_hint, "this is no request that can be read")
        head = False
    else:
        if request is None:
            return
        head = request.method == b"HEAD"
        with trio.fail_after(PAGE_TIMEOUT):
            answer = await _answer(request, pages)
    with suppress(h11.LocalProtocolError):  # the peer's state is beyond an answer
        for piece in _written(connection, answer, head):
            for start in range(0, len(piece), PIECE):
                with trio.fail_after(SEND_TIMEOUT):
                    await stream.send_all(piece[start : start + PIECE])


async def _read(stream: trio.SocketStream, connection: h11.Connection) -> h11.Request | None:
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(MAX_REQUEST))
        elif isinstance(event, h11.Request):
            return event
        else:
            return None


async def _answer(request: h11.Request, pages: Mapping[str, Page]) -> Answer:
    path = request.target.partition(b"?")[0].decode("ascii", "replace")
    page = pages.get(path)
    if page is None:
        return _text(404, f"there are {', '.join(pages)}")
    if request.method not in (b"GET", b"HEAD"):
        return _text(405, "GET and HEAD are what there is", ("allow", "GET, HEAD"))
    headers = {name: value.decode("latin-1") for name, value in request.headers}
    return await page(Asked(headers.get(b"accept", ""), headers.get(b"accept-encoding", "")))


def _text(status: int, text: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{visible(text)}\n".encode(), headers)


def _written(connection: h11.Connection, answer: Answer, head: bool) -> list[bytes]:
    headers = [
        ("content-type", answer.kind),
        ("content-length", str(len(answer.body))),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("connection", "close"),
        *answer.headers,
    ]
    written = [connection.send(h11.Response(status_code=answer.status, headers=headers))]
    if not head:
        written.append(connection.send(h11.Data(data=answer.body)))
    written.append(connection.send(h11.EndOfMessage()))
    return [piece for piece in written if piece]


def _listen(address: tuple[str, int]) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(f"HTTP on {format_address(address)}: {error.strerror or error}") from None
    listener.setblocking(False)
    return listener
