"""What happens in stories: acts of the application, the system, the network, the registrar and of strangers."""

from __future__ import annotations

from typing import Any

from sipcore import Address
from sipcore.testing import REGISTRAR, Connection
from tests.drivers.stories import Act, Stage

__all__ = [
    "answers",
    "arrives",
    "breaks",
    "call",
    "close_at_once",
    "connects",
    "leap",
    "names",
    "note",
    "request",
    "unreachable",
    "writes",
]

CALLER: Address = ("192.0.2.99", 5060)


def call(name: str, *args: object, **keywords: object) -> Act:
    """An input of the agent."""
    return lambda stage: stage.call(name, *args, **keywords)


def answers(*script: Any) -> Act:
    """The registrar follows this script from now on."""
    return lambda stage: stage.peer.answer(*script)


def note(what: str, value: object) -> Act:
    """Set an attribute of the network or the system: `world.resolve_delay`, `system.binding_fails`, `wire.loss`."""

    def act(stage: Stage) -> None:
        *path, name = what.split(".")
        target: Any = stage
        for part in path:
            target = target.world.wire if part == "wire" else getattr(target, part)
        setattr(target, name, value)

    return act


def unreachable(error: str | None, host: str = REGISTRAR[0]) -> Act:
    """The system refuses to send there."""

    def act(stage: Stage) -> None:
        stage.world.unreachable.pop(host, None)
        if error is not None:
            stage.world.unreachable[host] = error

    return act


def names(error: str | None = None, *addresses: str) -> Act:
    """Where example.com leads, or the error of looking; without either there is no answer."""

    def act(stage: Stage) -> None:
        if addresses:
            stage.world.name("example.com", *addresses)
        else:
            stage.world.name_fails("example.com", error)

    return act


def leap(seconds: float) -> Act:
    """The host sleeps that long."""

    def act(stage: Stage) -> None:
        stage.world.leap(seconds)
        stage.host.slept = True  # type: ignore[attr-defined]  # drivers find out by themselves

    return act


def breaks(error: str | None) -> Act:
    """All connections to the registrar end."""
    return lambda stage: stage.peer.close(error)


def request(method: str, *, sender: Address = CALLER, number: int = 1, transport: str = "UDP") -> bytes:
    """One from somebody else, for the Contact that is known to everybody."""
    lines = [
        f"{method} sip:alice@192.0.2.10:{{port}} SIP/2.0",
        f"Via: SIP/2.0/{transport} {sender[0]}:{sender[1]};branch=z9hG4bKstory{number}",
        "Max-Forwards: 70",
        "From: <sip:bob@example.com>;tag=1",
        "To: <sip:alice@example.com>",
        f"Call-ID: story{number}@example.com",
        f"CSeq: 1 {method}",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def arrives(data: bytes) -> Act:
    """A datagram from a stranger, to the socket that the last REGISTER came from."""

    def act(stage: Stage) -> None:
        source = stage.peer.received[-1].source
        stage.world.send(data.replace(b"{port}", str(source[1]).encode()), CALLER, source)

    return act


def writes(data: bytes) -> Act:
    """The registrar writes something of its own on its connections."""

    def act(stage: Stage) -> None:
        for connection in stage.peer.connections:
            connection.send(data)

    return act


class _Caller:
    """Somebody who connects, says something, and waits."""

    def __init__(self, *said: bytes) -> None:
        self.said = said

    def opened(self, connection: Connection) -> _Caller:
        for data in self.said:
            connection.send(data.replace(b"{port}", b"5060"))
        return self

    def on_bytes(self, connection: Connection, data: bytes) -> None:
        if data.startswith(b"SIP/2.0 202"):
            connection.close()

    def on_end(self, connection: Connection, error: str | None) -> None:
        pass


def connects(*said: bytes) -> Act:
    """Somebody connects to the listener."""

    def act(stage: Stage) -> None:
        caller = _Caller(*said)
        stage.world.connect(CALLER, ("192.0.2.10", 5060), caller.opened, lambda error: None)

    return act


def close_at_once(stage: Stage) -> None:
    """The application closes, although nobody answers any more."""
    stage.peer.answer()
    stage.call("close")
