"""An incident in a run of two registrations, and its recording.

When the core comes to do otherwise on purpose, `python -m tests.replay.incident` writes the files anew.

alice (UDP) is challenged, told that her lifetime is too brief, and registered; a refresh is lost on the way and sent
again; her registrar falls silent until the binding lapses, and comes back. bob (TCP) is registered over a connection
that breaks. A response that nobody asked for is dropped. In the end both are removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random

from sipcore.agent import UserAgent
from sipcore.config import Account
from sipcore.replay import Recording, RecordingAgent, ladder, read
from sipcore.replay.story import Story
from sipcore.testing import Answer, Datagram, ScriptedPeer, Station, Step, Wire, World, challenge, ok
from sipcore.values import Address
from tests.secrecy import PASSWORD, STEM

__all__ = ["LADDER", "PASSWORDS", "SAMPLE", "START", "WALL", "drawn", "incident", "live", "record"]

SAMPLE = Path(__file__).with_name("incident.jsonl")
LADDER = Path(__file__).with_name("incident_ladder.txt")

WALL = 1_767_268_800.0
"""Noon of 2026-01-01 (UTC): the Unix time at which the run begins."""

PASSWORDS = {"alice": PASSWORD, "bob": f"{STEM}-7-bob"}
"""Such ones as the canary knows H(A1) of."""

FIRST: Address = ("192.0.2.1", 5060)
SECOND: Address = ("192.0.2.2", 5060)
START = 5000.0

STRAY = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK-nobody\r\nFrom: <sip:alice@example.com>;tag=1\r\n"
    b"To: <sip:alice@example.com>;tag=2\r\nCall-ID: nobody\r\nCSeq: 9 REGISTER\r\nContent-Length: 0\r\n\r\n"
)
"""A response to no request of hers."""


def grants(expires: int) -> Step:
    """A registrar's 200: with the binding for so long, or without it when it was removed."""
    return lambda request: Answer(200) if request.expires == 0 else ok(expires)


def live(agent: UserAgent) -> None:
    """The incident, from the first call to the last: `agent` has been given nothing before."""
    world = World(start=START, wire=Wire(latency=0.02))
    world.name("example.com", FIRST[0])
    world.name("example.net", SECOND[0])
    station = Station(world, agent)
    first = ScriptedPeer(world, FIRST, [challenge(), Answer(423, ("Min-Expires: 120",)), grants(120)])
    second = ScriptedPeer(world, SECOND, [challenge(qop=None), grants(600)], realm="example.org")
    lost: list[float] = []

    def once(datagram: Datagram, random: Random) -> Iterable[tuple[float, Datagram]]:
        if datagram.destination == FIRST and world.now > START + 30 and not lost:
            lost.append(world.now)
            return
        yield 0.0, datagram

    world.wire.faults.append(once)

    def at(seconds: float, action: Callable[[], object]) -> None:
        world.after(seconds, action)

    alice = Account("sip:alice@example.com", password=PASSWORDS["alice"], name="alice", expires=60)
    bob = Account(
        "sip:bob@example.net", registrar="sip:example.net;transport=tcp", password=PASSWORDS["bob"], name="bob"
    )
    agent.add(alice, now=world.now)
    agent.add(bob, now=world.now)
    agent.register("alice", now=world.now)
    at(0.5, lambda: agent.register("bob", now=world.now))
    at(100.0, lambda: first.answer(None))
    at(120.0, lambda: first.send(STRAY, ("192.0.2.10", 40000)))
    at(200.0, lambda: second.close("connection reset"))
    at(230.0, lambda: first.answer(grants(120)))
    at(320.0, lambda: agent.unregister("alice", now=world.now))
    at(330.0, lambda: agent.close(now=world.now))
    world.run(START + 360)
    assert agent.closed
    assert lost
    assert station.flows == ()


def record() -> Iterator[str]:
    """The recording of the incident, line by line."""
    agent = RecordingAgent(random=Random(1), now=START)
    live(agent)
    return agent.dump(wall=(START, WALL))


def incident() -> Recording:
    """The recording as it is stored."""
    with SAMPLE.open(encoding="ascii", newline="\n") as file:
        return read(file)


def drawn(recording: Recording) -> str:
    """Its ladder diagram."""
    scenes = Story(recording.segments[0].restore(random=Random(0))).tell(recording.steps)
    return "".join(f"{line}\n" for line in ladder.draw(scenes, start=START, wall=WALL - START))


def main() -> None:
    """Write the files anew."""
    SAMPLE.write_text("".join(record()), encoding="ascii", newline="\n")
    LADDER.write_text(drawn(incident()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
