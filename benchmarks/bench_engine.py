"""What the engine costs: one whole registration with digest (REGISTER, 401, REGISTER, 200) without any I/O.

A `UserAgent` gets N accounts and registers them one after the other against prepared answers: the 401 and the 200 are
made from the request's own headers by cutting text, outside the measured time. Measured is the CPU time between the
input that starts or continues a registration and the last output fetched, so building events and commands is included.
The result is a ratio to the floor of `floor.py`, measured in the same run.
"""

from __future__ import annotations

import argparse
import gc
import random
import time

from benchmarks.floor import measure_floor
from sipcore import Account, Record, Resolve, Transmit, UserAgent

BAR = 8.0
"""At most this many times the floor."""


def main() -> int:
    """Print the figures; 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registrations", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    floor = measure_floor()
    costs = [measure(arguments.registrations) for _ in range(arguments.runs)]
    floor = min(floor, measure_floor())
    first, refresh = min(cost[0] for cost in costs), min(cost[1] for cost in costs)
    print(f"floor            {floor * 1e6:8.1f} us of CPU for one registration")
    print(f"engine           {first * 1e6:8.1f} us  {first / floor:5.1f} x the floor (bar {BAR:.0f} x)")
    print(f"engine, refresh  {refresh * 1e6:8.1f} us  {refresh / floor:5.1f} x the floor (one round trip)")
    return 0 if first <= BAR * floor else 1


def measure(count: int) -> tuple[float, float]:
    """Seconds of CPU for one registration, and for one refresh with a known nonce."""
    agent = UserAgent(random=random.SystemRandom())
    for number in range(count):
        agent.add(
            Account(
                f"sip:user{number:05}@example.com",
                registrar="sip:127.0.0.1:5070",
                username=f"user{number:05}",
                password="secret",
                name=f"user{number:05}",
            ),
            now=0.0,
        )
    now = 0.0
    spent = refreshed = 0.0
    agent.register("user00000", now=now)
    agent.handle_deadline(now=now)
    agent.flow_opened(1, ("127.0.0.1", 40000), now=now)
    opening = _drain(agent)
    spent += _answer(agent, opening, now)
    gc.collect()
    for number in range(1, count):
        now += 1e-4
        began = time.process_time()
        agent.register(f"user{number:05}", now=now)
        agent.handle_deadline(now=now)
        sent = _drain(agent)
        spent += time.process_time() - began
        spent += _answer(agent, sent, now)
    for number in range(count):
        now += 1e-4
        moment = now + 10.0
        began = time.process_time()
        agent.register(f"user{number:05}", now=moment)
        agent.handle_deadline(now=moment)
        sent = _drain(agent)
        refreshed += time.process_time() - began
        refreshed += _answer(agent, sent, moment)
    assert all(status.registered for status in agent.statuses())
    return spent / count, refreshed / count


def _answer(agent: UserAgent, sent: list[Transmit], now: float) -> float:
    """Feed the answers to what was sent until nothing more is; the seconds that the agent took."""
    spent = 0.0
    while sent:
        request = sent[0].data.decode()
        data = _response(request)
        began = time.process_time()
        agent.receive(1, data, ("127.0.0.1", 5070), now=now)
        sent = _drain(agent)
        spent += time.process_time() - began
    return spent


def _response(request: str) -> bytes:
    lines = request.split("\r\n")
    top = "".join(f"{line}\r\n" for line in lines if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:")))
    if "\r\nAuthorization:" in request:
        contact = next(line for line in lines if line.startswith("Contact:"))
        return f"SIP/2.0 200 OK\r\n{top}{contact};expires=3600\r\nContent-Length: 0\r\n\r\n".encode()
    nonce = f"{random.getrandbits(128):032x}"
    challenge = f'WWW-Authenticate: Digest realm="example.com", nonce="{nonce}", algorithm=MD5, qop="auth"\r\n'
    return f"SIP/2.0 401 Unauthorized\r\n{top}{challenge}Content-Length: 0\r\n\r\n".encode()


def _drain(agent: UserAgent) -> list[Transmit]:
    sent = []
    while (output := agent.next_output()) is not None:
        if isinstance(output, Transmit):
            sent.append(output)
        elif isinstance(output, Resolve):
            agent.resolved(output.query, [Record("127.0.0.1")], now=agent.now)
    return sent


if __name__ == "__main__":
    raise SystemExit(main())
