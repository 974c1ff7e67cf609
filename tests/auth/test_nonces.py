"""A server's nonces: issued without memory, never accepted twice, and forgetting lets nothing in."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.auth.nonces import Nonces


def nonces(*, lifetime: float = 60.0, limit: int = 1000, seed: int = 1) -> Nonces:
    return Nonces(Random(seed), lifetime=lifetime, limit=limit)


def test_a_nonce_is_good_until_just_before_its_lifetime_ends() -> None:
    ours = nonces(lifetime=60.0)
    nonce = ours.issue(100.0)
    assert ours.accept(nonce, 1, 100.0)
    assert ours.accept(nonce, 2, 159.999)
    assert not ours.accept(nonce, 3, 160.0)


@pytest.mark.requirement("RFC7616-3.4-08")
def test_a_count_is_accepted_once_and_only_upwards() -> None:
    ours = nonces()
    nonce = ours.issue(0.0)
    assert [ours.accept(nonce, nc, 1.0) for nc in (0, 1, 1, 3, 2, 3, 4)] == [
        False,
        True,
        False,
        True,
        False,
        False,
        True,
    ]


def test_without_a_count_a_nonce_is_good_once() -> None:
    ours = nonces()
    nonce, other = ours.issue(0.0), ours.issue(0.0)
    assert ours.accept(nonce, None, 1.0)
    assert not ours.accept(nonce, None, 1.0)
    assert not ours.accept(nonce, 1, 1.0)
    assert ours.accept(other, 1, 1.0)
    assert not ours.accept(other, None, 1.0)


def test_nonces_differ_and_those_of_others_are_refused() -> None:
    ours, theirs = nonces(), nonces(seed=2)
    assert len({ours.issue(0.0) for _ in range(100)}) == 100
    assert not ours.accept(theirs.issue(0.0), 1, 0.0)


@pytest.mark.parametrize("now", [0.0, -5.0, 1e9 + 0.25])
def test_any_clock_will_do(now: float) -> None:
    ours = nonces()
    assert ours.accept(ours.issue(now), 1, now + 1.0)


@settings(max_examples=100)
@given(st.integers(0, 60), st.characters() | st.sampled_from("0f.\udcff"))
def test_a_changed_nonce_is_refused_and_never_raises(position: int, character: str) -> None:
    """Law: whatever character is changed, the nonce is refused."""
    ours = nonces()
    nonce = ours.issue(12.5)
    position %= len(nonce)
    changed = nonce[:position] + character + nonce[position + 1 :]
    assert ours.accept(changed, 1, 13.0) is (changed == nonce)


@pytest.mark.parametrize("text", ["", ".", "é" * 40, "\udcff" * 40, "0" * 32, "0" * 32 + "."])
def test_nonsense_is_refused(text: str) -> None:
    assert not nonces().accept(text, 1, 0.0)


@settings(max_examples=100)
@given(st.data())
def test_what_was_accepted_is_never_accepted_again_however_small_the_table(data: st.DataObject) -> None:
    """Law: no (nonce, nc) pair is accepted twice, whatever was forgotten in between."""
    ours = nonces(limit=3)
    issued = [ours.issue(float(number)) for number in range(8)]
    accepted: set[tuple[str, int]] = set()
    for _ in range(60):
        pair = (data.draw(st.sampled_from(issued)), data.draw(st.integers(1, 4)))
        if ours.accept(*pair, 10.0):
            assert pair not in accepted
            accepted.add(pair)
        assert len(ours._used) <= 3


def test_issuing_costs_no_memory_and_evicts_nothing() -> None:
    ours = nonces(limit=2)
    first = ours.issue(0.0)
    assert ours.accept(first, 1, 0.0)
    for _ in range(100):
        ours.issue(0.0)
    assert ours.accept(first, 2, 0.0)
