"""The control socket: one JSON object a line, both ways, for the user that the daemon runs as.

A connection carries one request and its reply. What arrives is bounded in length, number and time, and who does not
read is dropped, so that nobody at the socket can hold up a registration.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

import trio

from sipcore_trio.daemon.accepting import accept
from sipcore_trio.daemon.logs import LOGGER, fault

__all__ = ["ControlError", "ControlSocket", "Handler", "RequestError"]

MAX_SESSIONS = 32
"""At the same time; more are closed at once."""

MAX_REQUEST = 4096
"""Bytes of a request's line: a command and a registration's name."""

REQUEST_TIMEOUT = 5.0
"""Seconds for the request's line to arrive."""

SEND_TIMEOUT = 10.0
"""Seconds for the client to take one chunk of the reply."""

BACKLOG = 32

FOLLOWING = frozenset({"trace", "watch"})
"""Requests that last until the client leaves; for the others it may close its side of the connection at once."""

Handler = Callable[[dict[str, Any]], AsyncGenerator[bytes, None]]
"""Gets a request, yields chunks of whole lines; raises `RequestError` to say no."""


class ControlError(Exception):
    """The socket cannot be had; the text is for the user."""


class RequestError(Exception):
    """The request is refused; `code` is the exit status for the client."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class ControlSocket:
    """A unix socket that is there from `__init__` on, readable by its owner alone, and gone after `close`.

    Raises `ControlError`. A socket that nobody answers on is left from a crash and is replaced; anything else at the
    path stays.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The mode is right from the first moment: a chmod afterwards would leave a gap.
        mask = os.umask(0o177)
        try:
            listener.bind(path)
            listener.listen(BACKLOG)
            status = os.lstat(path)
        except OSError as error:
            listener.close()
            raise ControlError(f"{path}: control socket: {error.strerror or error}") from None
        finally:
            os.umask(mask)
        listener.setblocking(False)
        self._listener = listener
        self._identity = (status.st_dev, status.st_ino)
        self._sessions = 0

    def close(self) -> None:
        """Stop listening and remove the path, if it is still ours."""
        self._listener.close()
        try:
            status = os.lstat(self.path)
            if (status.st_dev, status.st_ino) == self._identity:
                os.unlink(self.path)
        except OSError:
            pass

    async def serve(self, handler: Handler, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer requests until cancelled."""
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._listener))
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                stream = await accept(listener)
                if self._sessions >= MAX_SESSIONS or not _same_user(stream):
                    stream.socket.close()
                    continue
                self._sessions += 1
                nursery.start_soon(self._session, stream, handler)

    async def _session(self, stream: trio.SocketStream, handler: Handler) -> None:
        try:
            await self._answer(stream, handler)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # the client left, or does not read
        except Exception as error:
            # A fault of ours in what one client asked for is no reason to end what the others rely on.
            LOGGER.error("internal error in a command of the control socket: %s", fault(error))
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                await _send(stream, _refusal(RequestError("internal error")))
        finally:
            self._sessions -= 1
            stream.socket.close()

    async def _answer(self, stream: trio.SocketStream, handler: Handler) -> None:
        try:
            request = await _read_request(stream)
        except RequestError as error:
            await _send(stream, _refusal(error))
            return
        if request is None:
            return
        if request.get("command") not in FOLLOWING:
            await _reply(stream, handler, request)
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, stream, nursery.cancel_scope)
                await _reply(stream, handler, request)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass


async def _reply(stream: trio.SocketStream, handler: Handler, request: dict[str, Any]) -> None:
    chunks = handler(request)
    try:
        async for chunk in chunks:
            await _send(stream, chunk)
    except RequestError as error:
        await _send(stream, _refusal(error))
    finally:
        # The generator is ended here, in the task that runs it, and not by the garbage collector.
        with trio.CancelScope(shield=True):
            await chunks.aclose()


async def _watch(stream: trio.SocketStream, scope: trio.CancelScope) -> None:
    try:
        while await stream.receive_some(1):
            pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    scope.cancel()


async def _read_request(stream: trio.SocketStream) -> dict[str, Any] | None:
    data = b""
    with trio.move_on_after(REQUEST_TIMEOUT):
        while b"\n" not in data:
            if len(data) >= MAX_REQUEST:
                raise RequestError(f"a request has at most {MAX_REQUEST} bytes")
            chunk = await stream.receive_some(MAX_REQUEST)
            if not chunk:
                return None
            data += chunk
        return _parse(data.partition(b"\n")[0])
    raise RequestError("no request came")


def _parse(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_REQUEST:
        raise RequestError(f"a request has at most {MAX_REQUEST} bytes")
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise RequestError("a request is one JSON object in one line") from None
    if not isinstance(request, dict):
        raise RequestError("a request is one JSON object in one line")
    if not isinstance(request.get("command", ""), str):
        raise RequestError("command is a string")
    return request


async def _send(stream: trio.SocketStream, chunk: bytes) -> None:
    with trio.fail_after(SEND_TIMEOUT):
        await stream.send_all(chunk)


def _refusal(error: RequestError) -> bytes:
    return json.dumps({"ok": False, "error": str(error), "code": error.code}).encode() + b"\n"


def _same_user(stream: trio.SocketStream) -> bool:
    # The mode of the socket says the same; on systems that ignore it for sockets this is the only lock.
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    size = struct.calcsize("3i")
    try:
        data = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    except OSError:
        return False
    _, user, _ = struct.unpack("3i", data)
    return user in (0, os.geteuid())


def _clear(path: str) -> None:
    """Remove a socket that nobody listens on; raises `ControlError` when something else is there."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ControlError(f"{path}: control socket: {error.strerror or error}") from None
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path}: control socket: something else has this name; see --control")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            pass
        except OSError as error:
            raise ControlError(f"{path}: control socket: {error.strerror or error}") from None
        else:
            raise ControlError(f"{path}: control socket: another daemon listens here; see --control")
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ControlError(f"{path}: control socket: {error.strerror or error}") from None
