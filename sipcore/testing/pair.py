"""`Pair`: a `UserAgent` and a `Registrar`, each the other's peer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

from sipcore.agent import UserAgent
from sipcore.config import Account
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.testing.line import REGISTRAR
from sipcore.testing.station import Station
from sipcore.testing.wire import Wire
from sipcore.testing.world import World
from sipcore.values import Protocol, Status

__all__ = ["Pair"]


class Pair:
    """Accounts of `example.com` against a registrar of that domain, on UDP and TCP, over a wire without faults.

    `users` are passwords by user name; `policy` is the registrar's.
    """

    def __init__(
        self,
        *accounts: Account,
        users: Mapping[str, str] | None = None,
        policy: RegistrarPolicy | None = None,
        seed: int = 1,
        start: float = 0.0,
        wire: Wire | None = None,
        handles: Iterable[str] = (),
    ) -> None:
        self.world = World(start=start, wire=wire)
        self.world.name("example.com", REGISTRAR[0])
        self.registrar = Registrar(
            [(protocol, REGISTRAR) for protocol in Protocol],
            users or {},
            policy=policy or RegistrarPolicy(domains=("example.com",)),
            random=Random(seed + 1),
            now=start,
        )
        self.agent = UserAgent(accounts, random=Random(seed), handles=handles, now=start)
        self.server = Station(self.world, self.registrar, ipv4=REGISTRAR[0], ipv6=None)
        self.client = Station(self.world, self.agent)
        self.run()

    @property
    def now(self) -> float:
        """The virtual clock, in seconds."""
        return self.world.now

    def run(self, until: float | None = None) -> None:
        """Let everything happen that is due up to `until`, or now."""
        self.world.run(self.now if until is None else until)

    def register(self, *names: str, until: float | None = None) -> None:
        """Register these accounts, or all, and let what follows at once happen."""
        for name in names or self.agent.names():
            self.agent.register(name, now=self.now)
        self.run(until)

    def status(self, name: str | None = None) -> Status:
        """The status of a registration, or of the only one."""
        return self.agent.status(self.agent.names()[0] if name is None else name)
