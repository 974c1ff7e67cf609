"""A registrar in a thread of its own, for blocking tests."""

from __future__ import annotations

import random
import threading

import sipcore_sync
from sipcore import Account, Event, Listening, Protocol
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from tests.secrecy import PASSWORD

__all__ = ["Server"]

FAIL_SAFE = 30.0


class Server:
    """One user, alice, on UDP."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.port = 0
        random_source = random.SystemRandom()
        self.registrar = Registrar(
            [(Protocol.UDP, ("127.0.0.1", 0))], {"alice": PASSWORD}, random=random_source, now=sipcore_sync.now()
        )
        self.driver = sipcore_sync.Driver(self.registrar, self._on_event)
        self._thread = threading.Thread(target=self.driver.run)

    def __enter__(self) -> Server:
        self._thread.start()
        assert self.ready.wait(FAIL_SAFE)
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.feed(self.registrar.close)
        self._thread.join(FAIL_SAFE)

    def account(self, password: str = PASSWORD) -> Account:
        return Account(f"sip:alice@127.0.0.1:{self.port}", password=password)

    def contacts(self) -> int:
        return len(self.driver.ask(self.registrar.bindings, self.account().aor))

    def silence(self) -> None:
        self.registrar.policy = RegistrarPolicy(silent=True)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Listening):
            self.port = event.local[1]
            self.ready.set()
