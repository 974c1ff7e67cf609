"""Somebody who is not on the path: sees nothing, guesses, and sends with forged source addresses."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from sipcore.testing.sim.plan import Plan
from sipcore.testing.wire import Datagram

if TYPE_CHECKING:
    from sipcore.testing.sim.town import Town

__all__ = ["OffPath"]

MEAN_PAUSE = 900.0
"""Seconds between two bursts of forged responses."""

BURST = 8

STATUSES = ("100 Trying", "200 OK", "401 Unauthorized", "403 Forbidden", "423 Interval Too Brief", "302 Moved",
            "503 Service Unavailable", "400 Bad Request")  # fmt: skip


class OffPath:
    """Sends bursts of forged responses to the client's sockets, whose ports it has found out."""

    def __init__(self, town: Town, plan: Plan) -> None:
        self._town = town
        self._random = Random(f"{plan.seed} off path")
        self.sent = 0
        self._next()

    def _next(self) -> None:
        self._town.world.after(self._random.expovariate(1 / MEAN_PAUSE), self._burst)

    def _burst(self) -> None:
        self._next()
        random, town = self._random, self._town
        source = random.choice(town.registrars).address
        host = town.station.ipv4 or ""
        for flow in town.station.sockets:
            destination = (host, flow[1])
            node = town.station.node_at(destination)
            for _ in range(BURST):
                user = random.choice(town.names)
                data = _response(random, user, destination[0], destination[1])
                self.sent += 1
                if node is not None:
                    node.on_datagram(Datagram(town.world.now, data, source, destination))


def _response(random: Random, user: str, host: str, port: int) -> bytes:
    """Right in all that can be known or guessed."""
    lines = [
        f"SIP/2.0 {random.choice(STATUSES)}",
        f"Via: SIP/2.0/UDP {host}:{port};rport={port};branch=z9hG4bK{random.getrandbits(128):032x}",
        f"From: <sip:{user}@example.com>;tag={random.getrandbits(64):016x}",
        f"To: <sip:{user}@example.com>;tag={random.getrandbits(32):08x}",
        f"Call-ID: {random.getrandbits(128):032x}",
        f"CSeq: {random.randrange(40000)} REGISTER",
        f"Contact: <sip:{user}@{host}:{port}>;expires={random.choice((0, 1, 60, 3600))}",
        f'WWW-Authenticate: Digest realm="example.com", nonce="{random.getrandbits(64):x}", qop="auth"',
        f"Retry-After: {random.choice((0, 1, 3600))}",
        f"Min-Expires: {random.choice((0, 7200))}",
        "Content-Length: 0",
        "\r\n",
    ]
    return "\r\n".join(lines).encode()
