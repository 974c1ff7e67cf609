"""What recording costs: engine CPU of a `RecordingAgent` beside that of a `UserAgent`, without any I/O.

Both do the same in the same process, in turns of `BATCH` registrations, so that a busy moment is everybody's: first
each registration is made (REGISTER, 401, REGISTER, 200), then each is refreshed `REFRESHES` times with a known nonce.
Measured is the CPU time between an input and the last output fetched; what prepares the answers is left out. The ring
is on and turns over while it is measured, so the images that its segments begin with are part of the cost. Of several
runs the least of each batch counts, as noise only adds. The minute of rest behind each round counts, too: then the ring
gives up what the round has left in it.

Measured besides: what taking an image costs, and what the ring holds on to when the registrations have come to rest.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from random import Random

from benchmarks.bench_engine import _drain, _response
from sipcore import Account, UserAgent
from sipcore.replay import RecordingAgent
from sipcore.replay.images import capture

BAR = 1.20
"""Recording costs at most a fifth more."""

IMAGE_BAR = 5e-6
"""Seconds of CPU for each registration in an image."""

MEMORY_BAR = 1536
"""Bytes that the ring holds on to for each of `MEMORY_REGISTRATIONS` that wait."""

MEMORY_REGISTRATIONS = 10_000

REFRESHES = 4
BATCH = 50
GRANT = 3600.0
"""Seconds, as the prepared answers grant."""


def main() -> int:
    """Print the figures; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registrations", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    runs = [measure(arguments.registrations) for _ in range(arguments.runs)]
    missed = 0
    for phase, name in enumerate(("registration", "refresh")):
        plain, recorded = (
            sum(map(min, zip(*[run[phase][kind] for run in runs], strict=True))) / arguments.registrations
            for kind in (0, 1)
        )
        if phase:
            plain, recorded = plain / REFRESHES, recorded / REFRESHES
        ratio = recorded / plain
        missed |= ratio > BAR
        print(f"{name:14}{plain * 1e6:8.1f} us, recorded {recorded * 1e6:8.1f} us: {ratio:5.2f} x (bar {BAR:.2f} x)")
    image = measure_image(MEMORY_REGISTRATIONS)
    missed |= image > IMAGE_BAR
    print(f"image         {image * 1e6:8.2f} us for each registration (bar {IMAGE_BAR * 1e6:.0f} us)")
    memory = measure_memory(MEMORY_REGISTRATIONS)
    missed |= memory > MEMORY_BAR
    print(f"ring          {memory:8.0f} bytes for each of {MEMORY_REGISTRATIONS} at rest (bar {MEMORY_BAR})")
    return int(missed)


Batches = list[float]


def measure(count: int) -> tuple[tuple[Batches, Batches], tuple[Batches, Batches]]:
    """Seconds of CPU of each batch: of first registrations, plain and recorded, then of refreshes."""
    agents = (_agent(UserAgent, count), _agent(RecordingAgent, count))
    gc.collect()
    numbers = list(range(count))
    # The very first one has opened the flow.
    first = _turns(agents, numbers[1:], 1.0)
    refreshed: tuple[Batches, Batches] = ([], [])
    for turn in range(REFRESHES):
        # Far enough apart that a segment may end when it is long, as in life.
        plain, recorded = _turns(agents, numbers, (turn + 1) * GRANT / 2)
        refreshed[0].extend(plain)
        refreshed[1].extend(recorded)
    for agent in agents:
        assert all(status.registered for status in agent.statuses())
    return first, refreshed


def measure_image(count: int) -> float:
    """Seconds of CPU for each registration when an image is taken, the one before it at hand."""
    agent = _registered(UserAgent, count)
    image = capture(agent)
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        image = capture(agent, image)
        best = min(best, time.process_time() - began)
    return best / count


def measure_memory(count: int) -> float:
    """Bytes for each registration that go when the ring is given up, a minute after the last was registered."""
    tracemalloc.start()
    agent = _registered(RecordingAgent, count)
    for _ in range(60):
        _rest(agent, agent.now + 1.0)
    assert isinstance(agent, RecordingAgent)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    agent._parts.clear()
    agent._log = []
    agent._dice.note_in(agent._log)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (before - after) / count


def _agent(kind: type[UserAgent], count: int) -> UserAgent:
    agent = kind(random=Random(1))
    for number in range(count):
        agent.add(_account(number), now=0.0)
    agent.register("user00000", now=0.0)
    agent.handle_deadline(now=0.0)
    agent.flow_opened(1, ("127.0.0.1", 40000), now=0.0)
    _answer(agent, 0.0)
    return agent


def _registered(kind: type[UserAgent], count: int) -> UserAgent:
    agent = _agent(kind, count)
    for number in range(1, count):
        now = 1.0 + number * 1e-4
        agent.register(f"user{number:05}", now=now)
        agent.handle_deadline(now=now)
        _answer(agent, now)
    agent.handle_deadline(now=agent.now + 10.0)
    _drain(agent)
    return agent


def _account(number: int) -> Account:
    name = f"user{number:05}"
    return Account(
        f"sip:{name}@example.com", registrar="sip:127.0.0.1:5070", username=name, password="secret", name=name
    )


def _turns(agents: tuple[UserAgent, UserAgent], numbers: list[int], start: float) -> tuple[Batches, Batches]:
    """Each batch by one agent, then by the other, the second one first every other time."""
    spent: tuple[Batches, Batches] = ([], [])
    # A full collection looks at both agents, and would count as the one's in whose turn it happens to come.
    gc.collect()
    for index in range(0, len(numbers), BATCH):
        batch = numbers[index : index + BATCH]
        for kind in ((0, 1), (1, 0))[index // BATCH % 2]:
            spent[kind].append(sum(_one(agents[kind], number, start + number * 1e-4) for number in batch))
    for kind in (0, 1):
        spent[kind].append(sum(_rest(agents[kind], start + seconds) for seconds in range(1, 60)))
    return spent


def _rest(agent: UserAgent, now: float) -> float:
    """Nothing arrives, and a driver has slept until its next deadline: the seconds that the agent took."""
    began = time.process_time()
    agent.handle_deadline(now=now)
    _drain(agent)
    return time.process_time() - began


def _one(agent: UserAgent, number: int, now: float) -> float:
    began = time.process_time()
    agent.register(f"user{number:05}", now=now)
    agent.handle_deadline(now=now)
    return time.process_time() - began + _answer(agent, now)


def _answer(agent: UserAgent, now: float) -> float:
    """Fetch the outputs and feed the answers to them until there are none; the seconds that the agent took."""
    began = time.process_time()
    sent = _drain(agent)
    spent = time.process_time() - began
    while sent:
        data = _response(sent[0].data.decode())
        began = time.process_time()
        agent.receive(1, data, ("127.0.0.1", 5070), now=now)
        sent = _drain(agent)
        spent += time.process_time() - began
    return spent


if __name__ == "__main__":
    raise SystemExit(main())
