"""`Line`: a `UserAgent`, a virtual wire, a virtual clock and a scripted registrar, for tests of a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, Final, TypeVar, overload

from sipcore.agent import UserAgent
from sipcore.commands import Transmit
from sipcore.config import Account
from sipcore.errors import RemoteProtocolError
from sipcore.events import Event
from sipcore.syntax.message import Request, Response, parse_message
from sipcore.testing.peer import ScriptedPeer, Step
from sipcore.testing.station import Station
from sipcore.testing.wire import Wire
from sipcore.testing.world import World
from sipcore.values import Address, Status

__all__ = ["REGISTRAR", "Line"]

REGISTRAR: Final[Address] = ("192.0.2.1", 5060)
"""Where the scripted registrar is; `example.com` leads to it."""

E = TypeVar("E", bound=Event)


class Line:
    """One agent with its line to a registrar that answers by `script`; an empty script is silence.

    Call the inputs of `agent` with `now=line.now`; then `sent` and `told` let time pass and say what happened.
    Everything is repeated exactly by an equal line: `seed` is the agent's dice, the wire has its own.
    """

    def __init__(
        self,
        *accounts: Account,
        script: Iterable[Step] = (),
        seed: int = 1,
        start: float = 0.0,
        wall: float = 0.0,
        wire: Wire | None = None,
        handles: Iterable[str] = (),
        snapshot: Mapping[str, Mapping[str, object]] | None = None,
        remembers: bool = False,
    ) -> None:
        self.world = World(start=start, wire=wire)
        self.world.name("example.com", REGISTRAR[0])
        self.agent = UserAgent(
            accounts,
            random=Random(seed),
            handles=handles,
            snapshot=snapshot,
            now=start,
            wall=wall,
            remembers=remembers,
        )
        self.station = Station(self.world, self.agent)
        self.peer = ScriptedPeer(self.world, REGISTRAR, script)
        self._heard = 0
        self._sent = 0

    @property
    def now(self) -> float:
        """The virtual clock, in seconds."""
        return self.world.now

    @property
    def wire(self) -> Wire:
        """The conditions of the network."""
        return self.world.wire

    def run(self, until: float | None = None) -> None:
        """Let everything happen that is due up to `until`, or now."""
        self.world.run(self.now if until is None else until)

    def register(self, *names: str, until: float | None = None) -> None:
        """Register these accounts, or all, and let what follows at once happen."""
        for name in names or self.agent.names():
            self.agent.register(name, now=self.now)
        self.run(until)

    def serve(self, address: Address, *script: Step) -> ScriptedPeer:
        """Add another server."""
        return ScriptedPeer(self.world, address, script)

    def sent(self, until: float | None = None) -> list[Request]:
        """The requests, copies among them, that were sent up to `until` and were not given before."""
        self.run(until)
        outputs, self._sent = self.station.outputs[self._sent :], len(self.station.outputs)
        requests = []
        for item in outputs:
            if isinstance(item.output, Transmit):
                message = _message(item.output.data)
                if isinstance(message, Request):
                    requests.append(message)
        return requests

    @overload
    def told(self, *, until: float | None = None) -> list[Event]: ...

    @overload
    def told(self, kind: type[E], *, until: float | None = None) -> list[E]: ...

    def told(self, kind: type[Event] = Event, *, until: float | None = None) -> list[Any]:
        """The events of one kind, or all, up to `until` that were not given before; others are passed over."""
        self.run(until)
        outputs, self._heard = self.station.outputs[self._heard :], len(self.station.outputs)
        return [item.output for item in outputs if isinstance(item.output, kind)]

    def status(self, name: str | None = None) -> Status:
        """The status of a registration, or of the only one."""
        return self.agent.status(self.agent.names()[0] if name is None else name)


def _message(data: bytes) -> Request | Response | None:
    try:
        return parse_message(data)
    except RemoteProtocolError:
        return None
