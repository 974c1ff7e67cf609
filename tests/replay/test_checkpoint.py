"""A checkpoint is exact: what is restored does what the original does, and nothing is missing in the tables."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.agent import UserAgent
from sipcore.commands import Command, Transmit
from sipcore.config import Account
from sipcore.events import Event
from sipcore.replay import ReplayError, checkpoint, compare, read, restore
from sipcore.replay.classes import MACHINES, REBUILT
from sipcore.replay.images import capture
from sipcore.replay.masking import mask
from sipcore.testing import Line, Pair, challenge, ok
from sipcore.values import Address
from tests.accounts import TCP
from tests.accounts import account as plain_account
from tests.replay.lives import CANARIES, CuttingAgent, Life, all_secrets, live
from tests.secrecy import PASSWORD

SEEDS = st.integers(0, 10_000)


class Twin(UserAgent):
    """An agent that has a copy of itself do the same, and compares.

    The copy was made from a checkpoint and has dice in the same state. What may differ is what is masked.
    """

    copy: UserAgent | None = None

    def fork(self) -> None:
        """Make the copy, in the place of the one before."""
        dice = Random()
        assert isinstance(self.random, Random)
        dice.setstate(self.random.getstate())
        # What the life does later comes with the true secrets, so the copy has to have them from the beginning.
        secrets = all_secrets()
        text = checkpoint(self)
        assert set(read(text.splitlines()).secrets) <= set(secrets)
        self.copy = restore(text, random=dice, secrets=secrets)
        assert self.copy.next_deadline() == self.next_deadline()

    def both(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Do the same with both; the copy first, since the original may raise."""
        copy, result = self.copy, None
        error: str | None = None
        if copy is not None:
            try:
                result = getattr(copy, name)(*arguments, **keywords)
            except Exception as raised:
                error = repr(raised)
        own: str | None = None
        try:
            mine = getattr(super(), name)(*arguments, **keywords)
        except Exception as raised:
            own = repr(raised)
            raise
        finally:
            assert copy is None or error == own, name
        if copy is not None:
            assert mine == result, name
            assert copy.next_deadline() == super().next_deadline(), name
        return mine

    def next_output(self) -> Command | Event | None:
        output = super().next_output()
        if self.copy is not None:
            other = self.copy.next_output()
            if isinstance(output, Transmit) and isinstance(other, Transmit):
                assert mask(output.data, unfinished=True) == mask(other.data, unfinished=True)
                assert (output.flow, output.remote) == (other.flow, other.remote)
            else:
                assert _masked(output) == _masked(other)
        return output


def _masked(output: Command | Event | None) -> str:
    return mask(repr(output).encode("utf-8", "surrogateescape"), unfinished=True).decode("utf-8", "surrogateescape")


def _forward(name: str) -> Any:
    def forward(self: Twin, *arguments: Any, **keywords: Any) -> Any:
        return self.both(name, *arguments, **keywords)

    return forward


for _name in (
    "add register unregister remove reload close send_raw resolved resolve_failed network_changed listening "
    "listen_failed flow_accepted flow_opened flow_closed transmit_failed receive handle_deadline snapshot"
).split():
    setattr(Twin, _name, _forward(_name))


def test_no_attribute_of_any_machine_is_missing() -> None:
    """The core has got a new attribute? It belongs into `classes.MACHINES`, or is worked out again (`REBUILT`)."""
    for kind, fields in MACHINES.items():
        slots = set(vars(UserAgent(random=Random(1)))) if kind is UserAgent else set(kind.__slots__)  # type: ignore[attr-defined]
        assert set(fields) | REBUILT.get(kind, set()) == slots, kind.__name__
        assert not set(fields) & REBUILT.get(kind, set()), kind.__name__


@settings(max_examples=40)
@given(seed=SEEDS)
def test_a_life_goes_on_from_any_moment_as_it_did(seed: int) -> None:
    """From a checkpoint anywhere in a life, the same inputs and random numbers give the same outputs byte for byte, the
    same errors and, at the next checkpoint, the same state."""
    life = live(CuttingAgent, seed, between=_cut_sometimes)
    assert isinstance(life.agent, CuttingAgent)
    recording = read(life.agent.whole())
    outcome = compare(recording)
    assert outcome.identical, f"\n{outcome.difference}"
    assert outcome.segments == len(recording.segments)


def _cut_sometimes(life: Life) -> None:
    if life.random.random() < 0.4:
        assert isinstance(life.agent, CuttingAgent)
        life.agent.cut()


@settings(max_examples=20)
@given(seed=SEEDS, moment=st.integers(0, 24))
def test_a_restored_agent_does_what_the_original_does(seed: int, moment: int) -> None:
    """Two agents side by side, one of them restored: each input gives equal outputs and deadlines. No recorder is
    involved, which might forget the same thing twice."""
    count = [0]

    def between(life: Life) -> None:
        assert isinstance(life.agent, Twin)
        if count[0] == moment:
            life.agent.fork()
        count[0] += 1

    def make(accounts: Iterable[Account], *, random: Random, handles: Iterable[str], now: float) -> UserAgent:
        # Requests are answered with the very object that was handed out, of which the copy has another.
        return Twin(accounts, random=random, handles=[], now=now)

    live(make, seed, between=between)


@settings(max_examples=30)
@given(seed=SEEDS)
def test_a_checkpoint_of_a_restored_agent_is_the_same_text(seed: int) -> None:
    """checkpoint(restore(text)) == text, also with pending outputs and requests that wait for an answer."""
    texts: list[str] = []
    live(UserAgent, seed, moves=15, between=lambda life: texts.append(checkpoint(life.agent)))
    for text in texts[::3]:
        again = checkpoint(restore(text, random=Random(0)))
        assert again == text
        assert not any(canary in text for canary in CANARIES)


def test_with_the_secret_the_restored_agent_answers_challenges_as_the_original() -> None:
    line = Line(plain_account(registrar="sip:192.0.2.1"), script=[challenge(), ok(60)])
    line.register(until=20.0)
    text = checkpoint(line.agent)
    sent = []
    for secrets in ({"alice": PASSWORD}, {"alice/password": PASSWORD}, {}):
        agent = restore(text, random=Random(7), secrets=secrets)
        deadline = agent.next_deadline()
        assert deadline is not None
        agent.handle_deadline(now=deadline)
        output = agent.next_output()
        assert isinstance(output, Transmit)
        sent.append(output.data)
    line.agent.random = Random(7)
    assert deadline is not None
    line.agent.handle_deadline(now=deadline)
    original = line.agent.next_output()
    assert isinstance(original, Transmit)
    assert sent[0] == sent[1] == original.data
    assert sent[2] != original.data
    assert mask(sent[2]) == mask(original.data)


def test_what_waits_for_time_is_all_in_it() -> None:
    line = Line(plain_account("alice"), plain_account("bob", transport=TCP), script=[])
    line.register(until=0.7)
    assert len(line.agent.timers) >= 2
    restored = restore(checkpoint(line.agent), random=Random(0))
    assert len(restored.timers) == len(line.agent.timers)
    assert restored.next_deadline() == line.agent.next_deadline()


def test_a_machine_that_is_not_found_is_an_error_and_not_a_gap() -> None:
    class Stray:
        due: float | None = None
        due_key = 0

        def on_due(self, now: float) -> None:
            """Nothing."""

    agent = UserAgent([plain_account()], random=Random(1))
    agent.timers.arm(Stray(), 5.0)
    with pytest.raises(ReplayError, match="1 deadlines are armed, but 0 were found"):
        checkpoint(agent)


def test_an_object_of_a_class_that_is_not_in_the_table_is_an_error() -> None:
    class Odd:
        """Something that a core of tomorrow may have."""

    agent = UserAgent([plain_account()], random=Random(1))
    agent.network.idle = Odd()  # type: ignore[assignment]
    with pytest.raises(ReplayError, match="Odd cannot be recorded: it is not in the table of machines"):
        capture(agent)
    agent = UserAgent([plain_account()], random=Random(1))
    agent._registrations["alice"].cause = Odd()  # type: ignore[assignment]
    with pytest.raises(ReplayError, match=r"Registration\.cause: a Odd cannot be recorded"):
        checkpoint(agent)


def test_a_subclass_of_the_agent_is_recorded_as_an_agent() -> None:
    class Watched(UserAgent):
        looks: tuple[Address, ...] = ()

    agent = Watched([plain_account()], random=Random(1))
    agent.looks = (("192.0.2.1", 1),)
    plain = UserAgent([plain_account()], random=Random(1))
    assert checkpoint(agent) == checkpoint(plain)


def test_an_image_shares_what_has_not_changed() -> None:
    pair = Pair(*[plain_account(f"user{number}") for number in range(20)])
    pair.register(until=1.0)
    pair.run(until=40.0)
    first = capture(pair.agent)
    second = capture(pair.agent, first)
    assert all(
        old is new
        for one, other in zip(first.batches, second.batches, strict=True)
        for old, new in zip(one.columns, other.columns, strict=True)
    )


def test_two_accounts_with_one_password_have_one_label() -> None:
    accounts = [plain_account("alice"), plain_account("bob"), plain_account("carol", password="other")]
    agent = UserAgent(accounts, random=Random(1))
    assert read(checkpoint(agent).splitlines()).secrets == ("alice/password", "carol/password")


def test_a_document_without_a_segment_restores_nothing() -> None:
    text = checkpoint(UserAgent(random=Random(1))).splitlines(keepends=True)[0]
    with pytest.raises(ReplayError, match="no segment"):
        restore(text, random=Random(0))
