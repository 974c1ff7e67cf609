"""The embedded registrar in a process of its own, for the benchmarks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sipcore import Account, Protocol, Transport

__all__ = ["PASSWORD", "REALM", "Peer", "accounts", "registrar"]

REALM = "example.com"
PASSWORD = "secret"

_PROGRAM = """
import sys
import threading
from random import SystemRandom
from sipcore import Listening, Protocol
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore_sync.driver import Driver
from sipcore_sync.sockets import boottime

class Counting(Registrar):
    requests = 0
    branches = set()

    def on_request(self, flow, request, data, source, now):
        Counting.requests += 1
        Counting.branches.add(request.via.branch)
        super().on_request(flow, request, data, source, now)

def tell(event):
    if isinstance(event, Listening):
        print(event.local[1], flush=True)

def report():
    for _ in sys.stdin:
        bound = sum(1 for number in range(count) if registrar.bindings(f"sip:user{number:05}@example.com"))
        print(bound, Counting.requests, len(Counting.branches), flush=True)

count = int(sys.argv[1])
users = {f"user{number:05}": "secret" for number in range(count)}
policy = RegistrarPolicy(realm="example.com", require_authentication=True)
registrar = Counting(
    [(Protocol.UDP, ("127.0.0.1", 0))], users, policy=policy, random=SystemRandom(), now=boottime()
)
driver = Driver(registrar, tell)
threading.Thread(target=report, daemon=True).start()
driver.run()
"""


class Peer:
    """A running registrar."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self.port = int(self._out.readline())

    def counts(self) -> tuple[int, int, int]:
        """Users with a binding, requests that arrived, and different requests among them."""
        self._in.write("\n")
        self._in.flush()
        bound, requests, different = self._out.readline().split()
        return int(bound), int(requests), int(different)


@contextmanager
def registrar(count: int) -> Iterator[Peer]:
    """A registrar on loopback that knows `count` users."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Peer(process)
    finally:
        process.kill()
        process.communicate()


def accounts(count: int, port: int) -> list[Account]:
    """Accounts for it."""
    transport = Transport(protocol=Protocol.UDP, local=("127.0.0.1", 0))
    return [
        Account(
            f"sip:user{number:05}@{REALM}",
            name=f"user{number:05}",
            password=PASSWORD,
            registrar=f"sip:127.0.0.1:{port}",
            transport=transport,
        )
        for number in range(count)
    ]
