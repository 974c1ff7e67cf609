"""What the user and the operator do: register and un-register, take accounts away and bring them back, reload."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from sipcore.config import Account
from sipcore.errors import LocalProtocolError
from sipcore.testing.sim.canary import password
from sipcore.values import Secret

if TYPE_CHECKING:
    from sipcore.testing.sim.town import Town

__all__ = ["BACKUP", "Operator"]

BACKUP = "backup.example.com"
"""Another name of the last registrar."""


class Operator:
    """Does it, and tells those who watch what is wanted from then on."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.removed: set[str] = set()
        """Names of accounts that were taken away."""
        self._registrars: dict[str, str | None] = {}
        """Where the agent was told to register whom."""

    def register(self, who: int) -> None:
        """The user wants to be registered."""
        name = self._town.names[who]
        self.want(name, True)
        self._attempt(self._town.agent.register, name)

    def unregister(self, who: int, *, everything: bool = False) -> None:
        """The user does not want to be registered."""
        name = self._town.names[who]
        self.want(name, False)
        self._attempt(self._town.agent.unregister, name, all=everything)

    def remove(self, who: int) -> None:
        """The account is taken away."""
        name = self._town.names[who]
        self.want(name, False)
        self.removed.add(name)
        self._attempt(self._town.agent.remove, name)

    def add(self, who: int) -> None:
        """The account comes back."""
        name = self._town.names[who]
        self.removed.discard(name)
        self._give(name)
        self._attempt(self._town.agent.add, self._town.accounts[name])
        self.register(who)

    def lose(self, who: int) -> None:
        """The account is taken out of the configuration while the process is down, which was killed."""
        name = self._town.names[who]
        self.want(name, False)
        self.removed.add(name)
        self._town.host.crash(state=True)

    # --- the configuration is read again ---------------------------------------------------------------------------

    def reload(self) -> None:
        """Nothing has changed in it."""
        self._reload(self._town.agent.names())

    def reload_contact(self, who: int) -> None:
        """One account has another Contact."""
        account = self._account(who)
        self._change(replace(account, contact_user="other" if account.contact_user != "other" else None))

    def reload_registrar(self, who: int) -> None:
        """One account registers by the other name, which leads to the last registrar."""
        account = self._account(who)
        backup = f"sip:{BACKUP}"
        self._change(replace(account, registrar=None if account.registrar == backup else backup))

    def reload_password(self, who: int) -> None:
        """One account has the password that the registrar has from now on."""
        renewed = Secret(self.next_password(who))
        self._town.change_password(who, renewed.reveal())
        self._change(replace(self._account(who), password=renewed, credentials=()))

    def reload_without(self, who: int) -> None:
        """One account is gone."""
        name = self._town.names[who]
        self.want(name, False)
        self._reload(self._town.agent.names(), without=name)
        self.removed.add(name)

    def reload_with(self, who: int) -> None:
        """It is there again."""
        name = self._town.names[who]
        known = self._town.agent.names()
        self.want(name, True)
        self._reload((*known, name))
        if name in known:
            # What was un-registered stays so.
            self.register(who)

    def reload_doubled(self) -> None:
        """The configuration has one name twice, and nothing of it may be used."""
        accounts = [self._town.accounts[name] for name in self._town.names]
        self._attempt(self._town.agent.reload, [*accounts[:1], *accounts])

    def next_password(self, who: int) -> str:
        """The one of a user's two passwords that the configuration does not have."""
        name = self._town.names[who]
        first = Secret(password(name))
        return password(name, renewed=self._account(who).password == first)

    def _account(self, who: int) -> Account:
        return self._town.accounts[self._town.names[who]]

    def _change(self, account: Account) -> None:
        self._town.accounts[account.name] = account
        self.reload()

    def _reload(self, known: Collection[str], *, without: str | None = None) -> None:
        town = self._town
        names = [name for name in town.names if name in known and name != without]
        town.traffic.excuse()
        for name in self.removed.intersection(names):
            # Its removal is not over yet, and it is back again.
            self.want(name, True)
        self.removed.clear()
        for name in names:
            self._give(name)
        self._attempt(town.agent.reload, [town.accounts[name] for name in names])

    def started(self, names: Iterable[str]) -> None:
        """A process started with these accounts."""
        self._registrars = {name: self._town.accounts[name].registrar for name in names}

    def _give(self, name: str) -> None:
        town, registrar = self._town, self._town.accounts[name].registrar
        if self._registrars.get(name, registrar) != registrar and name in town.agent.names():
            town.claims.replaced(name, town.world.now)
        self._registrars[name] = registrar

    # --- what is wanted --------------------------------------------------------------------------------------------

    def want(self, name: str, wanted: bool) -> None:
        """Tell those who watch whether that registration is wanted."""
        now = self._town.world.now
        self._town.claims.want(name, wanted, now)
        self._town.traffic.want(name, wanted, now)

    def _attempt(self, call: Callable[..., None], *args: object, **keywords: object) -> None:
        now = self._town.world.now
        try:
            call(*args, now=now, **keywords)
        except LocalProtocolError as error:
            # Nobody asks before whether the account is there; the answer must be this error and no change.
            self._town.trace.note(f"refused: {error}", now)
