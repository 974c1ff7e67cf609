"""The registrar model and the core's registrar get the same scripts, and answer alike where their rules are alike."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.auth.hashing import Algorithm
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.testing import Station
from sipcore.testing.sim.registrar import Rules
from sipcore.values import Protocol
from tests.secrecy import PASSWORD
from tests.testing.sim_registrar_client import SERVER, Answer, Caller

USERS = {"alice": PASSWORD, "bob": "hidden"}


class Core(Caller):
    """The same client with the core's registrar in the model's place."""

    def __init__(self, *, auth: bool) -> None:
        super().__init__(Rules(auth=auth))
        self.registrar.stop()
        policy = RegistrarPolicy(
            domains=("example.com",), require_authentication=auth, algorithms=(Algorithm.MD5,), max_expires=7200
        )
        self.core = Registrar(
            [(protocol, SERVER) for protocol in Protocol], USERS, policy=policy, random=Random(1), now=0.0
        )
        self.station = Station(self.world, self.core, ipv4=SERVER[0], ipv6=None)
        self.world.run(0.0)

    @property
    def contacts(self) -> list[str]:
        return [binding.uri for binding in self.core.bindings("sip:alice@example.com")]


CONTACTS = [
    "<sip:alice@192.0.2.10:5062>",
    "<SIP:alice@192.0.2.10:5062>",
    "<sip:alice@192.0.2.10:5062;line=1>",
    "<sip:alice@192.0.2.10:5062;line=2;ob>",
    "sip:%61lice@192.0.2.10:5062",
    "<sip:alice@H.example>;q=0.5",
    "<sip:alice@h.example:5060>",
    '"A, B" <sip:alice@h.example;transport=tcp>;+sip.instance="<urn:x,y;z>"',
    "<sip:alice@[2001:db8::1]:5070>",
    "<sip:alice@192.0.2.10:5062",
    "<mailto:alice@example.com>x",
]


class Act(NamedTuple):
    """One request of a script."""

    contacts: list[tuple[str, int | None]]
    expires: int | None
    call: str
    step: int
    """How far CSeq moves; 0 and less is late."""
    wait: float
    star: bool
    copy: bool


ACTS = st.builds(
    Act,
    st.lists(st.tuples(st.sampled_from(CONTACTS), st.sampled_from([None, 0, 30, 60, 100, 7200, 100_000])), max_size=3),
    st.sampled_from([None, 0, 0, 59, 3600, 4_000]),
    st.sampled_from(["one", "two"]),
    st.sampled_from([1, 1, 1, 2, 0, -1]),
    st.sampled_from([0.0, 0.0, 1.0, 33.0, 99.5, 7000.0]),
    st.integers(0, 9).map(lambda number: number == 0),
    st.booleans(),
)


def seen(answers: list[Answer]) -> list[tuple[int, list[str], list[str]]]:
    """What has to be alike: status, Min-Expires, and the contacts without the order of their parameters."""

    def rows(answer: Answer) -> list[str]:
        return sorted(";".join(sorted(row.split(";"))) for row in answer.all("contact"))

    return [(answer.status, answer.all("min-expires"), rows(answer)) for answer in answers]


def play(caller: Caller, script: list[Act]) -> list[object]:
    """What the registrar answers to a script, and what it holds after each step."""
    counts = {"one": 10, "two": 10}
    log: list[object] = []
    for number, act in enumerate(script):
        counts[act.call] += act.step
        values = [text if expires is None else f"{text};expires={expires}" for text, expires in act.contacts]
        contact = "*" if act.star else ", ".join(values) or None
        data = caller.request(
            contact, act.expires, cseq=max(counts[act.call], 1), call=act.call, branch=f"z9hG4bKact{number}"
        )
        log.append(seen(caller.send(data)))
        if act.copy:
            log.append(seen(caller.send(data)))
        caller.later(act.wait)
        log.append(sorted(caller.contacts))
    return log


@settings(max_examples=300)
@given(st.lists(ACTS, min_size=1, max_size=8))
def test_the_same_script_the_same_answers(script: list[Act]) -> None:
    """Law: for any script of REGISTER requests, well-formed or not, in order or late, repeated or not, both registrars
    give the same statuses, the same lists of contacts, and hold the same bindings after each step."""
    assert play(Caller(Rules(auth=False)), script) == play(Core(auth=False), script)


def verdicts(caller: Caller) -> list[tuple[int, bool]]:
    """Status and stale, of requests with credentials of every kind that both can compute: what is malformed is 400 for
    the core and one more challenge for the model."""
    found = []

    def ask(authorization: str | None = None, **options: Any) -> Answer:
        answer = caller.ask(authorization=authorization, **options)
        found.append((answer.status, "stale=true" in "".join(answer.all("www-authenticate"))))
        return answer

    challenge = ask().one("www-authenticate")
    for changes in (
        {},
        {},
        {"nc": "00000001"},
        {"nc": "00000009"},
        {"nc": "0000000a"},
        {"nc": "00000005"},
        {"response": "0" * 32},
        {"username": "bob"},
        {"username": "nobody"},
        {"realm": "elsewhere"},
        {"algorithm": "SHA-256"},
    ):
        ask(caller.credentials(challenge, **changes))
    ask(caller.credentials(challenge, "bob", "hidden", nc="0000000b"))
    ask(caller.credentials(challenge, "bob", "hidden", nc="0000000c"), user="bob")
    ask(caller.credentials(challenge, nc="0000000d"), user="nobody")
    caller.later(3600.0)
    challenge = ask(caller.credentials(challenge, nc="0000000e")).one("www-authenticate")
    ask(caller.credentials(challenge))
    return found


def test_the_same_credentials_the_same_verdicts() -> None:
    model, core = verdicts(Caller()), verdicts(Core(auth=True))
    assert model == core
    assert {200, 401, 403, 404} == {status for status, _ in model}
    assert sum(stale for _, stale in model) > 2


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE", "ACK"])
def test_other_methods(method: str) -> None:
    def ask(caller: Caller) -> list[int]:
        return [answer.status for answer in caller.send(caller.request(None, None, method=method))]

    assert ask(Caller()) == ask(Core(auth=True))
