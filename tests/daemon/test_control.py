"""The control socket: who may use it, what it takes, and what becomes of those who misuse it."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from sipcore_trio.daemon import control as module
from sipcore_trio.daemon.control import MAX_REQUEST, MAX_SESSIONS, ControlError, ControlSocket, Handler, RequestError
from sipcore_trio.daemon.logs import LOGGER

PATIENCE = 20.0

Talk = Callable[[], Awaitable[trio.SocketStream]]


async def echo(request: dict[str, Any]) -> AsyncGenerator[bytes, None]:
    """A handler that repeats, refuses, or goes on for ever."""
    match request.get("command"):
        case "refuse":
            raise RequestError("no", 7)
        case "trace":
            while True:
                yield b'{"trace": "x"}\n'
                await trio.sleep(0)
        case "wait":
            await trio.sleep_forever()
        case _:
            yield json.dumps({"got": request}).encode() + b"\n"
            yield b'{"ok": true}\n'


def serve(path: str, client: Callable[[Talk], Awaitable[None]], handler: Handler = echo) -> None:
    """Run a client against a socket with a handler behind it."""

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                server = ControlSocket(path)
                await nursery.start(server.serve, handler)
                await client(lambda: connect(path))
                nursery.cancel_scope.cancel()
        server.close()

    trio.run(main)


async def connect(path: str) -> trio.SocketStream:
    return await trio.open_unix_socket(path)


async def read_all(stream: trio.SocketStream) -> bytes:
    data = b""
    async with stream:
        with suppress(trio.BrokenResourceError):  # closed with bytes of ours unread
            async for chunk in stream:
                data += chunk
    return data


def ask(path: str, data: bytes, *, end: bool = False) -> list[dict[str, Any]]:
    """The lines that one request leads to."""
    lines: list[dict[str, Any]] = []

    async def client(talk: Talk) -> None:
        stream = await talk()
        await stream.send_all(data)
        if end:
            await stream.send_eof()
        lines.extend(json.loads(line) for line in (await read_all(stream)).splitlines())

    serve(path, client)
    return lines


def test_only_the_owner_can_open_it(control: str) -> None:
    mask = os.umask(0)
    try:
        server = ControlSocket(control)
        assert os.umask(0) == 0
    finally:
        os.umask(mask)
    assert stat.S_IMODE(os.stat(control).st_mode) == 0o600
    server.close()
    assert not Path(control).exists()


def test_a_request_and_its_reply(control: str) -> None:
    assert ask(control, b'{"command": "show", "name": "x"}\n') == [
        {"got": {"command": "show", "name": "x"}},
        {"ok": True},
    ]


def test_a_client_may_close_its_side_behind_the_request(control: str) -> None:
    assert ask(control, b"{}\n", end=True) == [{"got": {}}, {"ok": True}]


def test_a_request_may_come_in_pieces(control: str) -> None:
    async def client(talk: Talk) -> None:
        stream = await talk()
        for piece in (b'{"a', b'": ', b"1}", b"\n"):
            await stream.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()
        assert b'{"got": {"a": 1}}' in await read_all(stream)

    serve(control, client)


def test_a_refusal_carries_text_and_code(control: str) -> None:
    assert ask(control, b'{"command": "refuse"}\n') == [{"ok": False, "error": "no", "code": 7}]


@pytest.mark.parametrize(
    "data", [b"\n", b"x\n", b"[]\n", b'"show"\n', b"null\n", b"\xff\xfe\n", b"[" * 4000 + b"\n", b'{"a": 1}{"b": 2}\n']
)
def test_what_is_no_request_is_refused(control: str, data: bytes) -> None:
    (line,) = ask(control, data)
    assert line == {"ok": False, "error": "a request is one JSON object in one line", "code": 1}


@pytest.mark.parametrize("command", ["[]", "{}", "7", "null", "true", '["trace"]'])
def test_a_command_that_is_no_string_is_refused(control: str, command: str) -> None:
    (line,) = ask(control, b'{"command": ' + command.encode() + b"}\n")
    assert line == {"ok": False, "error": "command is a string", "code": 1}


@pytest.mark.parametrize("command", ["show", "trace"])
def test_a_fault_of_the_handler_ends_its_session_and_nothing_else(
    control: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(LOGGER, "error", lambda text, *arguments: told.append(text % arguments))
    request = json.dumps({"command": command}).encode() + b"\n"

    async def broken(request: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        yield b'{"note": "so far so good"}\n'
        raise KeyError("canary\nforged")

    async def client(talk: Talk) -> None:
        for _ in range(2):
            stream = await talk()
            await stream.send_all(request)
            lines = [json.loads(line) for line in (await read_all(stream)).splitlines()]
            assert lines == [{"note": "so far so good"}, {"ok": False, "error": "internal error", "code": 1}]

    serve(control, client, broken)
    assert len(told) == 2
    # The text of the exception could hold anything.
    assert told[0].startswith("internal error in a command of the control socket: KeyError at test_control.py:")
    assert "canary" not in told[0]


def test_a_request_that_is_too_long_is_refused(control: str) -> None:
    (line,) = ask(control, b" " * (MAX_REQUEST * 2))
    assert line["error"] == f"a request has at most {MAX_REQUEST} bytes"


def test_a_client_that_says_nothing_is_dropped(control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_TIMEOUT", 0.01)
    (line,) = ask(control, b"")
    assert line["error"] == "no request came"


def test_a_client_that_does_not_read_is_dropped(control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_TIMEOUT", 0.01)
    dropped = trio.Event()

    async def flood(request: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            dropped.set()

    async def client(talk: Talk) -> None:
        async with await talk() as stream:
            await stream.send_all(b"{}\n")
            await dropped.wait()

    serve(control, client, flood)


def test_a_client_that_leaves_ends_what_it_follows(control: str) -> None:
    ended = trio.Event()

    async def follow(request: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        try:
            yield b"{}\n"
            await trio.sleep_forever()
        finally:
            ended.set()

    async def client(talk: Talk) -> None:
        async with await talk() as stream:
            await stream.send_all(b'{"command": "trace"}\n')
            assert await stream.receive_some(10) == b"{}\n"
        await ended.wait()

    serve(control, client, follow)


def test_sessions_are_bounded(control: str) -> None:
    async def client(talk: Talk) -> None:
        streams = [await talk() for _ in range(MAX_SESSIONS)]
        for stream in streams:
            await stream.send_all(b'{"command": "wait"}\n')
        await trio.testing.wait_all_tasks_blocked()
        one_more = await talk()
        assert await read_all(one_more) == b""
        await streams[0].aclose()
        for stream in streams:
            await stream.aclose()

    serve(control, client)


def test_another_user_is_turned_away(control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_same_user", lambda stream: False)

    async def client(talk: Talk) -> None:
        stream = await talk()
        assert await read_all(stream) == b""

    serve(control, client)


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="needs SO_PEERCRED")
@pytest.mark.parametrize(("shift", "welcome"), [(0, True), (1, False)])
def test_the_peer_is_known_by_its_uid(control: str, monkeypatch: pytest.MonkeyPatch, shift: int, welcome: bool) -> None:
    # Root is always welcome, so the test pretends that the peer is somebody in particular.
    uid = os.geteuid() or 4711
    monkeypatch.setattr(os, "geteuid", lambda: uid + shift)
    monkeypatch.setattr("sipcore_trio.daemon.control.struct.unpack", lambda form, data: (1, uid, 1))

    async def client(talk: Talk) -> None:
        stream = await talk()
        with suppress(trio.BrokenResourceError):  # turned away before the request was sent
            await stream.send_all(b"{}\n")
        assert bool(await read_all(stream)) is welcome

    serve(control, client)


def test_a_socket_left_from_a_crash_is_replaced(control: str) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(control)
    ControlSocket(control).close()


def test_a_socket_that_answers_is_not_taken_over(control: str) -> None:
    first = ControlSocket(control)
    with pytest.raises(ControlError) as caught:
        ControlSocket(control)
    assert str(caught.value) == f"{control}: control socket: another daemon listens here; see --control"
    assert Path(control).exists()
    first.close()


def test_a_file_of_that_name_stays(control: str) -> None:
    Path(control).write_text("precious")
    with pytest.raises(ControlError) as caught:
        ControlSocket(control)
    assert str(caught.value) == f"{control}: control socket: something else has this name; see --control"
    assert Path(control).read_text() == "precious"


def test_a_folder_that_is_not_there(control: str) -> None:
    path = f"{control}.d/x.sock"
    with pytest.raises(ControlError) as caught:
        ControlSocket(path)
    assert str(caught.value) == f"{path}: control socket: No such file or directory"


def test_a_path_that_is_too_long(control: str) -> None:
    path = f"{control}{'x' * 200}"
    with pytest.raises(ControlError) as caught:
        ControlSocket(path)
    assert str(caught.value).startswith(f"{path}: control socket: ")


def test_closing_leaves_a_socket_that_is_not_ours(control: str) -> None:
    first = ControlSocket(control)
    os.unlink(control)
    second = ControlSocket(control)
    first.close()
    assert Path(control).exists()
    second.close()
