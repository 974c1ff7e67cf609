"""Promise 3 on the wire: how much one attempt may send, and how far attempts are apart."""

from __future__ import annotations

from itertools import cycle, islice, pairwise
from typing import Any

import pytest

from sipcore.events import Rejected
from sipcore.profiles import MAX_REQUESTS_PER_ATTEMPT, MAX_UNTRIED_CREDENTIALS, MIN_ATTEMPT_GAP, PROFILES, Profile
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Step, challenge, ok
from tests.accounts import account, has_credentials

every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)


REDIRECT = Answer(302, contact="<sip:192.0.2.1;x={number}>")


def growing() -> list[Step]:
    return [Answer(423, (f"Min-Expires: {4000 + 10 * step}",)) for step in range(100)]


LOOPS: dict[str, list[Step]] = {
    "stale for ever": [challenge(stale=True)],
    "new nonces for ever": [challenge()],
    "one nonce for ever": [challenge(nonce="n")],
    "407 and 401 in turn": list(islice(cycle([challenge(407, realm="p"), challenge(401)]), 100)),
    "a new realm each time": [challenge(realm="realm{number}")],
    "423 for ever": growing(),
    "redirects for ever": [REDIRECT],
    "everything in turn": [
        step
        for brief in growing()
        for step in (challenge(stale=True), brief, REDIRECT, challenge(407), 420)
    ],
}


@pytest.mark.requirement("RFC3261-8.1.3.5-06", "RFC3261-20.23-01", "RFC3261-8.1.3.4-06")
@every_profile
@pytest.mark.parametrize("name", LOOPS)
def test_one_attempt_ends_after_eight_requests_with_three_new_credentials(profile: Profile, name: str) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0, redirects=5), script=LOOPS[name])
    line.register(until=1.5)
    first = line.peer.received[0].at
    requests = [item.request for item in line.peer.received if item.at == first]
    assert len(requests) <= MAX_REQUESTS_PER_ATTEMPT == 8
    assert sum(has_credentials(request) for request in requests) <= MAX_UNTRIED_CREDENTIALS == 3
    assert line.told(Rejected)


@every_profile
@pytest.mark.parametrize("name", LOOPS)
def test_in_an_hour_there_are_at_most_eight_requests_for_each_second(profile: Profile, name: str) -> None:
    """... and in truth far fewer: a lasting refusal is never retried each second."""
    line = Line(
        account(profile=profile, max_random_initial_delay=0, redirects=5, retry_interval=1, fatal_retry_interval=1),
        script=LOOPS[name],
    )
    line.register(until=3600.0)
    attempts = sorted({item.at for item in line.peer.received})
    assert all(after - before >= MIN_ATTEMPT_GAP - 1e-9 for before, after in pairwise(attempts))
    assert len(line.peer.received) <= 8 * (1 + 3600 / MIN_ATTEMPT_GAP)
    if profile.name == "SIPCORE":
        assert len(line.peer.received) < 400


@every_profile
@pytest.mark.parametrize("answer", [ok(0), ok(1), Answer(503, ("Retry-After: 1",)), 503, "refused", "unreachable"])
def test_attempts_start_at_least_a_second_apart(profile: Profile, answer: Step | str) -> None:
    options: dict[str, Any] = {"max_random_initial_delay": 0, "max_retries": 10**6}
    options |= {"retry_interval": 1, "fatal_retry_interval": 1}
    line = Line(account(profile=profile, **options))
    if answer == "unreachable":
        line.world.unreachable["192.0.2.1"] = "no route to host"
    elif not isinstance(answer, str):
        line.peer.answer(answer)
    line.register()
    for second in range(1, 120):
        line.run(until=second / 2)
        # The application does its worst, too.
        line.agent.network_changed(now=line.now)
        if second % 3 == 0:
            line.agent.register("alice", now=line.now)
    times = [item.at for item in line.peer.received if not item.copy]
    assert all(after - before >= MIN_ATTEMPT_GAP - 1e-9 for before, after in pairwise(times))


def test_the_gap_counts_from_the_first_request_that_was_really_sent() -> None:
    """A slow resolver is no excuse for two attempts within a second on the wire."""
    line = Line(account(), script=[ok(1)])
    line.world.resolve_delay = 0.9
    line.world.name("example.com", "192.0.2.1", ttl=0.0)
    line.register(until=30.0)
    times = [item.at for item in line.peer.received]
    assert len(times) > 10
    assert all(after - before >= MIN_ATTEMPT_GAP - 1e-9 for before, after in pairwise(times))


def test_next_targets_count_too() -> None:
    line = Line(account())
    line.world.name("example.com", *[f"198.51.100.{n}" for n in range(1, 30)])
    peers = [line.serve((f"198.51.100.{n}", 5060), 503) for n in range(1, 30)]
    line.register()
    assert sum(len(peer.requests) for peer in peers) == 8
    [rejected] = line.told(Rejected)
    assert rejected.cause.code == 503


def test_a_cluster_of_nodes_each_with_its_own_nonces_is_left_in_time() -> None:
    """Every node challenges, and then fails."""

    def answer(request: Request) -> Answer | int:
        return 503 if has_credentials(request) else challenge()

    line = Line(account())
    line.world.name("example.com", *[f"198.51.100.{n}" for n in range(1, 10)])
    peers = [line.serve((f"198.51.100.{n}", 5060), answer) for n in range(1, 10)]
    line.register()
    assert sum(len(peer.requests) for peer in peers) <= 8
