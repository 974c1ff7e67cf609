"""Retry-After: before the interval of any class, within reason."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from sipcore.events import Rejected
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.testing import REGISTRAR, Answer, Line, ok
from sipcore.values import State
from tests.accounts import account


def retry_after(status: int, value: object, **options: Any) -> tuple[Line, Rejected]:
    line = Line(
        account(**{"max_random_initial_delay": 0, **options}), script=[Answer(status, (f"Retry-After: {value}",))]
    )
    line.agent.register("alice", now=0.0)
    line.run(until=2.0)
    return line, line.told(Rejected)[0]


def wait(line: Line, rejected: Rejected) -> float:
    assert rejected.retry_at is not None
    return rejected.retry_at - line.peer.received[0].at


@pytest.mark.requirement("RFC3261-20.33-02", "RFC5626-4.5-05")
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 413, 480, 486, 500, 503, 600, 603])
def test_it_comes_before_the_interval_of_every_class(status: int) -> None:
    for profile, low, high in ((SIPCORE, 120.0, 132.0), (ASTERISK, 120.0, 120.0)):
        line, rejected = retry_after(status, 120, profile=profile, fatal_retry_interval=7)
        assert low <= wait(line, rejected) <= high
        assert rejected.cause.retry_after == 120


@pytest.mark.requirement("RFC3261-20.33-01", "RFC3261-25.1-03")
@pytest.mark.parametrize("value", ["120", "120;duration=3600", "120 (back (soon\\))) ;x=y", " 0120 "])
def test_comment_and_parameters_are_passed_over(value: str) -> None:
    line, rejected = retry_after(503, value, profile=ASTERISK)
    assert wait(line, rejected) == 120.0


@pytest.mark.requirement("RFC3261-20.33-01")
@pytest.mark.parametrize("value", ["0", "abc", "-1", "", "1.5"])
def test_what_is_no_positive_number_counts_as_absent(value: str) -> None:
    line, rejected = retry_after(503, value, profile=ASTERISK)
    assert wait(line, rejected) == 60.0


@pytest.mark.parametrize("value", [86400, 2**32 - 1, 10**20])
def test_more_than_an_hour_is_not_believed(value: int) -> None:
    """Q-28: with a cap, and jittered upwards so that a crowd does not come back in one moment."""
    waits = set()
    for seed in range(20):
        line = Line(account(), script=[Answer(503, (f"Retry-After: {value}",))], seed=seed)
        line.register()
        [rejected] = line.told(Rejected)
        assert rejected.retry_at is not None
        assert 3600.0 <= rejected.retry_at <= 3960.0
        waits.add(rejected.retry_at)
    assert len(waits) > 15


def test_asterisk_takes_it_as_it_is() -> None:
    line, rejected = retry_after(503, 1_000_000, profile=ASTERISK)
    assert wait(line, rejected) == 1_000_000.0


def test_asterisk_does_not_count_it() -> None:
    line = Line(
        account(profile=ASTERISK, max_retries=2, retry_interval=5, max_random_initial_delay=0),
        script=[Answer(503, ("Retry-After: 3",))],
    )
    line.register(until=100.0)
    assert len(line.peer.requests) > 25
    line.peer.answer(503)
    asked = len(line.peer.requests)
    line.run(until=1000.0)
    assert len(line.peer.requests) == asked + 3
    assert line.status().state is State.REJECTED
    assert line.status().next_attempt_at is None


@pytest.mark.parametrize("profile", [SIPCORE, ASTERISK], ids=lambda profile: profile.name)
def test_a_short_one_keeps_the_gap(profile: Profile) -> None:
    line = Line(
        account(profile=profile, max_random_initial_delay=0), script=[Answer(503, ("Retry-After: 1",))]
    )
    line.register(until=60.0)
    times = [item.at for item in line.peer.received]
    assert 40 <= len(times) <= 61
    assert all(after - before >= 1.0 - 1e-9 for before, after in pairwise(times))


def test_jssip_does_not_look_at_it() -> None:
    _, rejected = retry_after(503, 120, profile=JSSIP)
    assert rejected.retry_at is None


@pytest.mark.requirement("RFC3261-21.5.4-02", "RFC3263-4.3-01")
def test_the_next_address_comes_first() -> None:
    """Q-28: a server that is starting says 503 with Retry-After; its neighbour may be ready."""
    line = Line(account(), script=[Answer(503, ("Retry-After: 300",))])
    line.world.name("example.com", REGISTRAR[0], "192.0.2.2")
    second = line.serve(("192.0.2.2", 5060), ok(3600))
    line.register()
    assert len(second.requests) == 1
    assert line.status().registered


@pytest.mark.requirement("RFC3261-10.2.4-09")
def test_a_refresh_that_has_to_wait_longer_than_the_binding_lapses_and_says_so() -> None:
    line = Line(account(), script=[ok(100), Answer(503, ("Retry-After: 300",))])
    line.register(until=70.0)
    assert line.status().registered
    line.run(until=100.0)
    assert line.status().state is State.UNREGISTERED
    cause = line.status().cause
    assert cause is not None
    assert "after 1 failed refresh; the last: 503" in str(cause)
