"""What the control socket can ask for: a table of commands, each answered line by line."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import trio

from sipcore.errors import LocalProtocolError
from sipcore.events import Event, StatusChanged
from sipcore.explain import explain
from sipcore.syntax.grammar import visible
from sipcore.values import Status
from sipcore_trio.daemon.console import command
from sipcore_trio.daemon.control import RequestError
from sipcore_trio.daemon.narrator import counted
from sipcore_trio.daemon.recording import dumped, summary
from sipcore_trio.daemon.tracer import concerns
from sipcore_trio.daemon.views import status_json

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["EVERY", "Requests", "line"]

EVERY = "*all"
"""Stands for all registrations, as in Asterisk."""

STATUSES_PER_CHUNK = 100
"""Statuses rendered without giving way to the registrations themselves."""

TRACE_BUFFER = 256
"""Messages kept for a client that does not read; past it they are left out, and that is told."""

WATCH_BUFFER = 4096
"""Changes kept for a client that does not read; at a restart of a registrar all change within seconds."""

MAX_PIECE = 65536
"""Characters of a text that go into one line."""

MAX_SENTENCE = 2000
"""Characters of a line of an explanation; a peer's words in it are shorter."""

Lines = AsyncGenerator[bytes, None]
Request = dict[str, Any]


class Requests:
    """Answers requests about one daemon. A command is a method, named in `COMMANDS`."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    async def handle(self, request: Request) -> Lines:
        """Answer one request. Raises `RequestError`."""
        name = request.get("name")
        if name is not None and not isinstance(name, str):
            raise RequestError("name is a string")
        wanted = request.get("command")
        if self.daemon.stopping and wanted not in AT_ANY_TIME:
            raise RequestError("the daemon is stopping")
        found = COMMANDS.get(str(wanted))
        if found is None:
            raise RequestError(f"the commands are {', '.join(COMMANDS)}")
        lines = found(self, request)
        try:
            async for each in lines:
                yield each
        finally:
            with trio.CancelScope(shield=True):
                await lines.aclose()

    async def show(self, request: Request) -> Lines:
        """Statuses as JSON: of all registrations, or of one."""
        agent = self.daemon.agent
        names = agent.names() if request.get("name") is None else (self.daemon.known(request["name"]),)
        for start in range(0, len(names), STATUSES_PER_CHUNK):
            lines = []
            for one in names[start : start + STATUSES_PER_CHUNK]:
                try:
                    status = agent.status(one)
                except LocalProtocolError:
                    continue  # removed since
                lines.append(line({"registration": status_json(status, self.daemon.wall)}))
            yield b"".join(lines)
        state = self.daemon.state
        trouble = None if state is None else state.trouble
        yield line({"ok": True, **({"notes": [f"state: {visible(trouble, MAX_SENTENCE)}"]} if trouble else {})})

    async def send(self, request: Request) -> Lines:
        """Register or un-register now."""
        action = request["command"]
        count, skipped = self.daemon.send(action, needed(request))
        if request["name"] != EVERY:
            text = f"{action}: {visible(request['name'])}"
        else:
            more = f"; {skipped} skipped, just being removed" if skipped else ""
            text = f"{action}: {counted(count, 'registration')}{more}"
        yield line({"ok": True, "text": text})

    async def reload(self, request: Request) -> Lines:
        """Read the file again."""
        count, notes = await self.daemon.reload()
        yield line({"ok": True, "text": counted(count, "registration"), "notes": notes})

    async def stop(self, request: Request) -> Lines:
        """End, and with `unregister` remove the bindings that the state would keep."""
        unregister = request.get("unregister", False)
        if not isinstance(unregister, bool):
            raise RequestError("unregister is true or false")
        try:
            yield line({"ok": True, "text": "stopping"})
        finally:
            # Behind the answer, which would else be lost; also when nobody waits for it.
            self.daemon.stop(unregister=unregister)

    async def trace(self, request: Request) -> Lines:
        """Messages as they come and go, until the client leaves."""
        agent, name = self.daemon.agent, needed(request)
        aor = None if name == EVERY else agent.account(self.daemon.known(name)).aor.encode("utf-8", "surrogateescape")
        sender, receiver = trio.open_memory_channel[str](TRACE_BUFFER)
        missed = 0

        def look(data: bytes, text: str) -> None:
            nonlocal missed
            if aor is None or concerns(data, aor):
                try:
                    sender.send_nowait(text)
                except trio.WouldBlock:
                    missed += 1

        agent.looks += (look,)
        try:
            yield line({"note": f"tracing {visible(name)}; end with Ctrl-C"})
            async for text in receiver:
                yield line({"trace": text})
                if missed:
                    yield line({"note": f"{missed} messages were left out"})
                    missed = 0
        finally:
            agent.looks = tuple(one for one in agent.looks if one is not look)

    async def explain(self, request: Request) -> Lines:
        """Why a registration is in its state."""
        agent, name = self.daemon.agent, self.daemon.known(needed(request))
        now = self.daemon.driver.now()
        found = explain(agent.status(name), agent.account(name), proven=agent.proven(name), now=now)
        yield line({"explanation": asdict(found), "lines": [visible(text, MAX_SENTENCE) for text in found.lines()]})
        yield line({"ok": True})

    async def asterisk(self, request: Request) -> Lines:
        """A command of Asterisk's command line."""
        text = request.get("line")
        if not isinstance(text, str):
            raise RequestError("asterisk needs a line")
        output = await command(self.daemon, text)
        for start in range(0, len(output.text), MAX_PIECE):
            yield line({"piece": output.text[start : start + MAX_PIECE]})
        yield line({"ok": True, "done": output.ok})

    async def watch(self, request: Request) -> Lines:
        """The statuses as they are, then each change, until the client leaves."""
        daemon, name = self.daemon, request.get("name")
        names = daemon.agent.names() if name is None else (daemon.known(name),)
        sender, receiver = trio.open_memory_channel[Status](WATCH_BUFFER)
        missed = 0

        def look(event: Event) -> None:
            nonlocal missed
            if isinstance(event, StatusChanged) and name in (None, event.status.name):
                try:
                    sender.send_nowait(event.status)
                except trio.WouldBlock:
                    missed += 1

        # From here on nothing is missed; what changes meanwhile comes behind the list.
        daemon.watchers += (look,)
        try:
            for start in range(0, len(names), STATUSES_PER_CHUNK):
                lines = []
                for one in names[start : start + STATUSES_PER_CHUNK]:
                    with suppress(LocalProtocolError):
                        lines.append(line({"registration": status_json(daemon.agent.status(one), daemon.wall)}))
                yield b"".join(lines)
            yield line({"complete": True})
            async for status in receiver:
                yield line({"registration": status_json(status, daemon.wall)})
                if missed:
                    yield line({"note": f"{missed} changes were left out"})
                    missed = 0
        finally:
            daemon.watchers = tuple(one for one in daemon.watchers if one is not look)

    async def record(self, request: Request) -> Lines:
        """The recording in memory, or how much there is of it."""
        daemon = self.daemon
        match request.get("what"):
            case "dump":
                async for piece in dumped(daemon.recorder, now=daemon.driver.now()):
                    yield line({"piece": piece})
            case "status":
                for text in summary(daemon.recorder, daemon.record, daemon.wall):
                    yield line({"text": text})
            case _:
                raise RequestError("record dump, or record status")
        yield line({"ok": True})


COMMANDS: dict[str, Callable[[Requests, Request], Lines]] = {
    "show": Requests.show,
    "register": Requests.send,
    "unregister": Requests.send,
    "reload": Requests.reload,
    "stop": Requests.stop,
    "trace": Requests.trace,
    "explain": Requests.explain,
    "watch": Requests.watch,
    "asterisk": Requests.asterisk,
    "record": Requests.record,
}

AT_ANY_TIME = frozenset({"show", "explain", "watch"})
"""Commands that are answered while the daemon stops, too."""


def needed(request: Request) -> str:
    """The name in a request. Raises `RequestError` when there is none."""
    name = request.get("name")
    if not isinstance(name, str):
        raise RequestError(f"{request.get('command')} needs a name")
    return name


def line(item: dict[str, Any]) -> bytes:
    """One line of an answer."""
    return json.dumps(item, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
