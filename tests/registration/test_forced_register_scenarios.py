"""register() when something was tried, is planned or runs already."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sipcore.events import Registered
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.testing import Answer, Line, ok
from sipcore.values import State
from tests.accounts import account
from tests.registration.lines import every_profile, kinds, up


@pytest.mark.parametrize("profile", [SIPCORE, JSSIP], ids=lambda profile: profile.name)
def test_register_when_registered_is_a_refresh(profile: Profile) -> None:
    line = up(ok(100), profile=profile)
    line.agent.register("alice", now=line.now)
    assert kinds(line) == ["R"]
    [event] = line.told(Registered)
    assert event.refreshed


def test_register_under_asterisk_removes_first() -> None:
    """As `pjsip send register`: Expires 0, then a REGISTER after the initial delay."""
    line = up(200, profile=ASTERISK)
    line.agent.register("alice", now=line.now)
    assert kinds(line, until=2.999) == ["U"]
    line.peer.answer(ok(100))
    assert kinds(line, until=3.0) == ["R"]
    assert line.status().registered


def test_register_under_asterisk_goes_on_when_the_removal_fails() -> None:
    line = up(500, ok(100), profile=ASTERISK)
    line.agent.register("alice", now=line.now)
    assert kinds(line, until=3.0) == ["U", "R"]
    assert line.status().registered


@pytest.mark.parametrize("ending", ["unregister", "remove"])
def test_a_forced_register_that_is_taken_back_ends_with_the_removal(ending: str) -> None:
    line = up(Answer(200, delay=1.0), ok(100), profile=ASTERISK)
    line.agent.register("alice", now=line.now)
    line.run(until=2.5)
    getattr(line.agent, ending)("alice", now=line.now)
    line.run(until=3.0)
    assert [status.next_attempt_at for status in line.agent.statuses()] == ([None] if ending == "unregister" else [])
    assert set(kinds(line, until=100.0)) <= {"U", "u"}


def test_register_forgets_the_failures_before() -> None:
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0, max_retries=1, retry_interval=5), script=[503])
    line.register(until=20.0)
    assert (line.status().attempt, line.status().next_attempt_at) == (2, None)
    line.agent.register("alice", now=line.now)
    assert line.status().attempt == 0
    line.run(until=25.0)
    assert line.status().next_attempt_at is not None


def test_register_brings_back_what_had_given_up() -> None:
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0), script=[403, 200, ok(100)])
    line.register(until=100.0)
    assert line.status().state is State.REJECTED
    assert line.agent.next_deadline() is None
    line.agent.register("alice", now=line.now)
    line.run(until=110.0)
    assert line.status().registered


def test_register_twice_is_one_attempt() -> None:
    line = Line(account(), script=[Answer(200, contact="{contact};expires=100", delay=1.0)])
    line.agent.register("alice", now=0.0)
    line.agent.register("alice", now=0.0)
    line.run(until=0.5)
    line.agent.register("alice", now=line.now)
    line.run(until=20.0)
    assert len(line.peer.requests) == 1


@every_profile
def test_register_again_and_again_keeps_the_gap(profile: Profile) -> None:
    """Promise 3: the application may be impatient, the registrar must not feel it."""
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[503])
    line.register()
    for step in range(1, 200):
        line.run(until=step * 0.1)
        line.agent.register("alice", now=line.now)
    times = [item.at for item in line.peer.received if not item.copy]
    assert len(times) > 5
    assert all(after - before >= 1.0 - 1e-9 for before, after in pairwise(times))
