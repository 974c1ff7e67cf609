"""Connections that end at the wrong moment: nobody is stormed because of it, and no answer is overridden."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from sipcore.events import Rejected
from sipcore.profiles import MAX_REQUESTS_PER_ATTEMPT, PROFILES, Profile
from sipcore.testing import Answer, Line, Step, challenge, ok
from tests.accounts import TCP, account, has_credentials

CLOSES = Answer(200, contact="{contact};expires=3600", close=True)


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (Answer(503, ("Retry-After: 300",), close=True), 300.0),
        (Answer(403, close=True), 3500.0),
    ],
    ids=["Retry-After", "refused"],
)
def test_a_registrar_that_refuses_and_hangs_up_is_left_alone_for_as_long_as_it_said(answer: Step, wait: float) -> None:
    line = Line(account(transport=TCP, expires=7200), script=[ok(7200), answer])
    line.register(until=10.0)
    line.agent.register("alice", now=line.now)
    [rejected] = line.told(Rejected, until=11.0)
    assert rejected.retry_at is not None
    assert rejected.retry_at >= 10.0 + wait
    assert line.station.flows == ()
    line.sent()
    assert line.sent(until=rejected.retry_at - 0.1) == []
    assert len(line.sent(until=rejected.retry_at + 0.1)) == 1


@pytest.mark.requirement("RFC5626-4.5-01")
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_registrar_that_closes_after_each_answer_is_asked_at_growing_intervals(profile: Profile) -> None:
    line = Line(account(transport=TCP, profile=profile, max_random_initial_delay=0), script=[CLOSES])
    line.register(until=1000.0)
    times = [item.at for item in line.peer.received]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= 1.0
    if profile.name == "SIPCORE":
        assert 4 <= len(times) <= 12
        # The first loss may be an accident; from the second on it is not.
        assert gaps[0] == 1.0
        assert min(gaps[1:]) >= 15.0
        assert max(gaps) >= 100.0


def test_a_connection_that_lasted_is_opened_again_at_once() -> None:
    line = Line(account(transport=TCP), script=[CLOSES, CLOSES, CLOSES, ok(3600)])
    line.register(until=500.0)
    for _ in range(3):
        line.run(line.now + 300.0)
        line.sent()
        line.peer.close()
        assert len(line.sent(until=line.now + 1.0)) == 1


HANGS_UP = replace(challenge(), close=True)


def test_a_challenge_that_is_followed_by_the_end_of_the_connection_is_answered_over_another() -> None:
    line = Line(account(transport=TCP), script=[HANGS_UP, HANGS_UP, ok(3600)])
    line.register(until=10.0)
    assert line.status().registered
    first, second, third = line.peer.requests
    assert not has_credentials(first)
    assert has_credentials(second)
    assert has_credentials(third)
    assert line.told(Rejected) == []


def test_a_connection_is_opened_again_only_where_the_profile_says_so() -> None:
    options: dict[str, Any] = {"transport": TCP, "profile": PROFILES["ASTERISK"], "max_random_initial_delay": 0}
    line = Line(account(**options), script=[HANGS_UP])
    line.register(until=5.0)
    assert len(line.told(Rejected)) == 1


def test_a_connection_over_which_nothing_was_answered_is_not_opened_again() -> None:
    line = Line(account(transport=TCP), script=[None])
    line.register(until=1.0)
    line.peer.close("connection reset")
    [rejected] = line.told(Rejected, until=1.0)
    assert len(line.peer.requests) == 1
    assert rejected.retry_at is not None


def test_a_server_that_hangs_up_after_each_challenge_ends_the_attempt_all_the_same() -> None:
    line = Line(account(transport=TCP), script=[HANGS_UP])
    line.register(until=0.5)
    assert len(line.peer.requests) <= MAX_REQUESTS_PER_ATTEMPT
    assert len(line.told(Rejected)) == 1
