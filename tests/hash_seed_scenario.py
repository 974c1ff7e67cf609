"""Run as a program: a life with many accounts whose outputs must not depend on the hashes of strings."""

from __future__ import annotations

import sys

from sipcore.profiles import PROFILES
from sipcore.testing import Line, Wire, challenge, ok
from tests.accounts import TCP, account

__all__ = ["main"]


def main() -> None:
    """Print every output, one a line."""
    names = [f"user{number}" for number in range(12)]
    profiles = list(PROFILES.values())
    accounts = [
        account(
            name,
            transport=TCP if number % 2 else None,
            profile=profiles[number % 3],
            line=number % 4 == 0,
            max_random_initial_delay=1,
            supported=("path", "outbound", "gruu"),
        )
        for number, name in enumerate(names)
    ]
    line = Line(
        *accounts,
        script=[challenge(), ok(60), challenge(stale=True), ok(90)],
        wire=Wire(seed=1, latency=0.02, jitter=0.1, loss=0.1, cut=True),
        handles=["INVITE", "ACK", "BYE", "CANCEL", "MESSAGE", "INFO"],
    )
    line.register(until=60.0)
    line.peer.close("connection reset")
    line.run(until=70.0)
    line.agent.network_changed(now=line.now)
    line.run(until=80.0)
    line.agent.reload([*accounts[3:], account("user0", registrar="sip:192.0.2.1")], now=line.now)
    line.run(until=100.0)
    line.agent.close(now=line.now)
    line.run(until=200.0)
    for item in line.station.outputs:
        sys.stdout.write(f"{item.at!r} {item.output!r} {getattr(item.output, 'data', b'')!r}\n")


if __name__ == "__main__":
    main()
