"""The embedded registrar in a process of its own, for the benchmarks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sipcore import Account, Transport
from sipcore.values import Protocol

__all__ = ["accounts", "registrar"]

REALM = "example.com"
PASSWORD = "secret"

_PROGRAM = """
import sys
from random import SystemRandom
from sipcore import Listening, Protocol
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore_sync.driver import Driver
from sipcore_sync.sockets import boottime

def tell(event):
    if isinstance(event, Listening):
        print(event.local[1], flush=True)

count = int(sys.argv[1])
users = {f"user{number:05}": "secret" for number in range(count)}
policy = RegistrarPolicy(realm="example.com", require_authentication=True)
registrar = Registrar(
    [(Protocol.UDP, ("127.0.0.1", 0))], users, policy=policy, random=SystemRandom(), now=boottime()
)
Driver(registrar, tell).run()
"""


@contextmanager
def registrar(count: int) -> Iterator[int]:
    """The port of a registrar on loopback that knows `count` users."""
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(count)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def accounts(count: int, port: int, *, expires: int = 3600) -> list[Account]:
    """Accounts for it."""
    transport = Transport(protocol=Protocol.UDP, local=("127.0.0.1", 0))
    return [
        Account(
            f"sip:user{number:05}@{REALM}",
            name=f"user{number:05}",
            password=PASSWORD,
            registrar=f"sip:127.0.0.1:{port}",
            transport=transport,
            expires=expires,
        )
        for number in range(count)
    ]
