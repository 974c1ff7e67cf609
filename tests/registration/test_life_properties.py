"""Whatever an application asks for, in whatever order: in the end the registrar holds what the agent says it holds."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import LocalProtocolError
from sipcore.profiles import ASTERISK, SIPCORE
from sipcore.registrar import RegistrarPolicy
from sipcore.testing import Pair, Wire
from sipcore.values import Phase, State
from tests.accounts import TCP, account
from tests.secrecy import PASSWORD

NAMES = ("alice", "bob")

accounts = st.builds(
    account,
    st.sampled_from(NAMES),
    transport=st.sampled_from([None, None, TCP]),
    contact_user=st.sampled_from([None, None, "x", "y"]),
    line=st.booleans(),
    expires=st.sampled_from([60, 300, 3600]),
    profile=st.sampled_from([SIPCORE, SIPCORE, ASTERISK]),
    max_random_initial_delay=st.just(0),
    registrar=st.sampled_from([None, None, "sip:example.com:5060", "sip:192.0.2.1"]),
)
names = st.sampled_from(NAMES)
actions = st.one_of(
    st.tuples(st.just("add"), accounts),
    st.tuples(st.just("register"), names),
    st.tuples(st.just("unregister"), names),
    st.tuples(st.just("unregister all"), names),
    st.tuples(st.just("remove"), names),
    st.tuples(st.just("reload"), st.lists(accounts, max_size=2, unique_by=lambda item: item.name)),
    st.tuples(st.just("move"), st.sampled_from(["192.0.2.10", "192.0.2.11"])),
)
pauses = st.sampled_from([0.0, 0.01, 0.5, 1.0, 3.0, 40.0, 200.0])

SETTLED = 100.0
"""Seconds after which nothing is under way any more: a whole transaction, twice, and some."""


def act(pair: Pair, action: str, what: Any) -> None:
    agent, now = pair.agent, pair.now
    if action == "add":
        agent.add(what, now=now)
        agent.register(what.name, now=now)
    elif action == "unregister all":
        agent.unregister(what, all=True, now=now)
    elif action == "move":
        pair.client.ipv4 = what
        agent.network_changed(now=now)
    else:
        getattr(agent, action)(what, now=now)


def never_stuck(pair: Pair) -> None:
    """From every state there is a deadline or nothing to do."""
    busy = [status for status in pair.agent.statuses() if status.phase is not Phase.IDLE]
    assert not busy or pair.agent.next_deadline() is not None
    for status in busy:
        assert (status.phase is Phase.WAITING) == (status.next_attempt_at is not None)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(actions, pauses), min_size=1, max_size=15),
    st.sampled_from([0.0, 0.05, 0.4, 1.5]),
    st.sampled_from([0.0, 0.3]),
    st.integers(0, 2**16),
)
def test_in_the_end_there_is_one_binding_for_each_registration_and_none_for_others(
    life: list[tuple[tuple[str, Any], float]], latency: float, jitter: float, seed: int
) -> None:
    """Law: on a network that loses nothing, once all is settled an address of record that is registered has exactly
    one binding, one that is gone has none, and after close there are none."""
    pair = Pair(
        users=dict.fromkeys(NAMES, PASSWORD),
        policy=RegistrarPolicy(domains=None, realm="example.com", min_expires=60),
        seed=seed,
        wire=Wire(seed=seed, latency=latency, jitter=jitter),
    )
    for (action, what), pause in life:
        with suppress(LocalProtocolError):
            act(pair, action, what)
        pair.run(pair.now + pause)
        never_stuck(pair)
    pair.run(pair.now + SETTLED)
    held = {name: pair.registrar.bindings(f"sip:{name}@example.com") for name in NAMES}
    for name in NAMES:
        registered = name in pair.agent.names() and pair.status(name).state is State.REGISTERED
        assert len(held[name]) == (1 if registered else 0), name
    pair.agent.close(now=pair.now)
    pair.run(pair.now + 3 * SETTLED)
    assert pair.agent.closed
    assert not any(pair.registrar.bindings(f"sip:{name}@example.com") for name in NAMES)


def test_contacts_that_equal_one_that_differs_from_both_are_not_taken_for_one_binding() -> None:
    """Equality of URIs is not transitive: a Contact without `line` equals two whose tokens differ. The registrar put it
    in the place of the one; the other must be removed all the same."""
    pair = Pair(
        users={"bob": PASSWORD},
        policy=RegistrarPolicy(domains=None, realm="example.com", min_expires=60),
        wire=Wire(latency=1.5),
    )
    for registrar, line, expires, pause in (
        (None, True, 60, 40.0),
        ("sip:example.com:5060", True, 300, 4.0),
        (None, False, 60, SETTLED),
    ):
        pair.agent.reload([account("bob", registrar=registrar, line=line, expires=expires)], now=pair.now)
        pair.run(pair.now + pause)
    assert pair.status("bob").state is State.REGISTERED
    assert len(pair.registrar.bindings("sip:bob@example.com")) == 1
