"""Never stuck, never hammering: a whole agent against a peer, a resolver and a network that do anything."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sipcore.profiles import PROFILES, ChallengeRule
from tests.registration.adversary import FRESH, HOSTILE, Hostility, World, account, answer, hostilities


@pytest.mark.requirement("RFC3261-8.1.3.5-06", "RFC3261-10.2.4-10", "RFC5626-4.5-04")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=200, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(hostility=hostilities)
def test_whatever_the_peer_does(profile: str, transport: str, hostility: Hostility) -> None:
    """Law: attempts start at least 1 s apart; each has at most 8 requests, 3 of them with untried credentials; there is
    always a deadline or an end with a cause, and `close` comes to its end; nothing raises; no secret leaves but as the
    response of a digest."""
    options: dict[str, Any] = {"redirects": hostility.redirects, "line": hostility.line, "expires": 600}
    if profile == "ASTERISK":
        options |= {"fatal_retry_interval": 1, "retry_interval": 1, "max_retries": 1000, "max_random_initial_delay": 0}
    registrar = f"sip:example.com;transport={transport}"
    world = World(
        account(profile, registrar=registrar, **options),
        hostility.moves,
        resolver=hostility.resolver,
        network=hostility.network,
    )
    world.run(until=4 * 3600.0, steps=250)
    world.close()


@pytest.mark.requirement("RFC3261-8.1.3.5-06", "RFC3261-20.23-01", "RFC3261-22.1-04")
@pytest.mark.parametrize("script", HOSTILE)
@pytest.mark.parametrize("profile", PROFILES)
def test_the_worst_peers(profile: str, script: str) -> None:
    """The same promises for the loops that are known to bite, for half an hour."""
    options = {"fatal_retry_interval": 1, "retry_interval": 1, "max_retries": 1000} if profile == "ASTERISK" else {}
    for transport in ("udp", "tcp"):
        registrar = f"sip:192.0.2.1;transport={transport}"
        world = World(account(profile, registrar=registrar, redirects=5, expires=600, **options), HOSTILE[script])
        world.run(until=1800.0, steps=1500)
        assert world.sent > 0
        world.close()


def test_the_world_can_succeed() -> None:
    """Else nothing would be proved: a friendly peer is registered with, and refreshed."""
    world = World(account("SIPCORE", expires=60), [FRESH, answer(200, ("Contact", "$OWN;expires=60"))] * 2)
    world.run(until=200.0, steps=100)
    assert world.successes >= 4
    assert world.agent.status("sip:alice@example.com").registered


GREEDY = replace(PROFILES["SIPCORE"], challenge=ChallengeRule(answers=99, without_stale=99, only_bare_requests=False))
LIMITS = {
    "MIN_ATTEMPT_GAP": ("sipcore.registration.machine", 0.25, "registered and cut off"),
    "MAX_UNTRIED_CREDENTIALS": ("sipcore.registration.classify", 99, "every nonce is stale"),
    "MAX_REQUESTS_PER_ATTEMPT": ("sipcore.exchange.exchange", 99, "the minimum grows"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_broken_limit_is_noticed(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: each limit of the promise taken away shows with a peer that uses it."""
    module, broken, script = LIMITS[limit]

    def play() -> None:
        greedy = replace(account("SIPCORE", registrar="sip:192.0.2.1;transport=tcp", expires=600), profile=GREEDY)
        World(greedy, HOSTILE[script]).run(until=100.0, steps=500)

    play()
    monkeypatch.setattr(sys.modules[module], limit, broken)
    with pytest.raises(AssertionError):
        play()
