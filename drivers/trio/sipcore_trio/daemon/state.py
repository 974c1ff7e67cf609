"""`--state DIR`: the daemon's side of the store, from the records that it finds to those that it leaves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from sipcore.agent import Snapshot
from sipcore.syntax.grammar import visible
from sipcore_trio.daemon.checks import StartError
from sipcore_trio.daemon.narrator import counted
from sipcore_trio.daemon.services import Service
from sipcore_trio.daemon.store import RETRY_AFTER, StateStore, StoreError
from sipcore_trio.driver import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipcore import Remember
    from sipcore_trio.daemon.run import Daemon

__all__ = ["State", "make"]


def make(daemon: Daemon) -> State:
    """The service, which is the daemon's `state` from then on. Raises `StartError`."""
    daemon.state = state = State(daemon)
    return state


class State(Service):
    """Keeps what the agent remembers. When writing fails that is told once, and the registrations go on."""

    name = "the state"

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        try:
            self._store = StateStore(Path(daemon.options.state), self._on_trouble)
            self.records: Snapshot = self._store.load()
            """What the last daemon left, until the agent has it."""
        except StoreError as error:
            raise StartError(str(error)) from None

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written at the moment."""
        return self._store.trouble

    async def run(self) -> None:
        """Try again what could not be written."""
        while True:
            await trio.sleep(RETRY_AFTER)
            self._store.retry()

    def on_started(self) -> None:
        """All accounts are added: what is left belongs to none of them."""
        found = counted(len(self.records), "registration")
        self._daemon.log.info("state: %s, %s known", self._store.path, found)
        self.records = {}
        self._daemon.agent.remove_orphans(now=now())

    def write(self, records: Sequence[Remember]) -> None:
        """Where the driver stores what the agent remembers."""
        self._store.write(records, time.time() - now())

    def save(self) -> None:
        """The agent is about to end in good order, and its bindings stay."""
        self._store.put(self._daemon.agent.snapshot(now=now(), wall=time.time()))

    def close(self) -> None:
        """Nothing more will be written."""
        self._store.close()

    def _on_trouble(self, trouble: str | None) -> None:
        log = self._daemon.log
        if trouble is None:
            log.warning("state: written again")
        else:
            log.error(
                "state: %s; the registrations go on, but after a crash their latest changes are not known",
                visible(trouble),
            )
