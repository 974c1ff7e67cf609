"""423 Interval Too Brief: before, after and between challenges, with a good Min-Expires and with bad ones."""

from __future__ import annotations

import pytest

from sipcore.events import Registered, Rejected
from sipcore.profiles import ASTERISK, JSSIP, PROFILES, SIPCORE, Profile
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.values import OutcomeClass
from tests.accounts import account, has_credentials

every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)


def brief(minimum: object) -> Answer:
    return Answer(423, (f"Min-Expires: {minimum}",))


def run(*script: Step, profile: Profile = SIPCORE, expires: int = 60, until: float = 5.0) -> Line:
    line = Line(account(profile=profile, expires=expires, max_random_initial_delay=0), script=script)
    line.register(until=until)
    return line


def asked(line: Line) -> list[str | None]:
    """What each REGISTER asked for, with `*` behind those that carried credentials."""
    return [f"{request.get('expires')}{'*' if has_credentials(request) else ''}" for request in line.peer.requests]


@pytest.mark.requirement("RFC3261-10.2.8-01", "RFC3261-10.2-06", "RFC3261-10.2-05")
@every_profile
def test_min_expires_is_asked_for_at_once(profile: Profile) -> None:
    """Q-07."""
    line = run(brief(90), ok(90), profile=profile)
    first, second = line.peer.requests
    assert asked(line) == ["60", "90"]
    assert second.call_id == first.call_id
    assert second.cseq.number == first.cseq.number + 1
    assert line.peer.received[0].at == line.peer.received[1].at
    assert line.told(Rejected) == []
    assert line.status().registered


@pytest.mark.requirement("RFC3261-10.2.8-01", "RFC3261-10.2.2-03")
@every_profile
def test_423_before_401(profile: Profile) -> None:
    line = run(brief(90), challenge(), ok(90), profile=profile)
    assert asked(line) == ["60", "90", "90*"]
    assert line.status().registered


@pytest.mark.requirement("RFC3261-10.2.8-01", "RFC3261-22.3-03")
def test_401_before_423() -> None:
    """The registrar has looked at the lifetime, so it has taken the credentials: they are kept."""
    line = run(challenge(), brief(90), ok(90))
    assert asked(line) == ["60", "60*", "90*"]
    assert line.status().registered


def test_401_before_423_and_again_after_it() -> None:
    """... unless its nonces are good for one request."""
    line = run(challenge(), brief(90), challenge(), ok(90))
    assert asked(line) == ["60", "60*", "90*", "90*"]
    assert line.status().registered


@pytest.mark.requirement("RFC3261-10.2.8-01", "RFC3261-8.1.3.5-01")
@pytest.mark.parametrize("profile", [ASTERISK, JSSIP], ids=lambda profile: profile.name)
def test_401_before_423_where_nothing_is_sent_unasked(profile: Profile) -> None:
    """As Asterisk's regc: the request after the 423 is bare, and a new challenge is answered."""
    line = run(challenge(), brief(90), challenge(), ok(90), profile=profile)
    assert asked(line) == ["60", "60*", "90", "90*"]
    assert line.status().registered


@pytest.mark.requirement("RFC3261-10.2.8-02")
def test_the_minimum_is_remembered_for_refreshes() -> None:
    line = run(brief(90), ok(90), until=200.0)
    assert asked(line)[:5] == ["60", "90", "90", "90", "90"]


def test_a_growing_minimum_is_followed() -> None:
    line = run(brief(90), brief(120), ok(120))
    assert asked(line) == ["60", "90", "120"]
    assert line.status().registered


def test_a_registrar_that_raises_it_for_ever_is_left_after_eight_requests() -> None:
    """Promise 3 bounds an attempt, whatever the registrar says."""
    line = run(*[brief(100 + 10 * step) for step in range(50)], until=0.0)
    assert len(line.peer.requests) == 8
    [rejected] = line.told(Rejected)
    assert rejected.retry_at is not None
    assert rejected.retry_at > 1.0


@pytest.mark.requirement("RFC3261-20.23-01")
@pytest.mark.parametrize("minimum", [60, 59, 1, 0, -5, "soon", ""])
@every_profile
def test_a_minimum_that_does_not_grow_makes_no_loop(profile: Profile, minimum: object) -> None:
    line = run(brief(minimum), profile=profile, until=30.0)
    assert len(line.peer.requests) <= 2
    assert len(line.told(Rejected)) == 1
    assert line.status().cause is not None


@pytest.mark.requirement("RFC3261-20.23-01")
@pytest.mark.parametrize(
    ("profile", "guess"), [(SIPCORE, "120"), (ASTERISK, "3601"), (JSSIP, None)], ids=["SIPCORE", "ASTERISK", "JSSIP"]
)
def test_without_min_expires_one_guess_is_made(profile: Profile, guess: str | None) -> None:
    """Q-08: broken servers. We double, Asterisk asks for 3601, JsSIP gives up."""
    line = run(423, profile=profile)
    assert asked(line) == (["60", guess] if guess else ["60"])
    [rejected] = line.told(Rejected)
    assert rejected.kind is OutcomeClass.PERMANENT
    assert rejected.cause.code == 423


@pytest.mark.parametrize("minimum", [604801, 2**32, 10**30])
def test_an_absurd_minimum_is_refused(minimum: int) -> None:
    """Q-07: more than a week would outlive the device."""
    line = run(brief(minimum))
    assert asked(line) == ["60"]
    [rejected] = line.told(Rejected)
    assert "minimum" in rejected.cause.detail


def test_a_423_to_a_removal_is_no_reason_to_ask_for_more() -> None:
    line = run(ok(60), brief(90))
    line.agent.unregister("alice", now=line.now)
    line.run(until=100.0)
    assert asked(line) == ["60", "0"]


def test_a_forced_register_under_asterisk_starts_with_the_configured_lifetime() -> None:
    line = run(brief(90), ok(90), 200, ok(90), profile=ASTERISK)
    line.agent.register("alice", now=line.now)
    line.run(until=8.0)
    assert asked(line) == ["60", "90", "0", "60"]


def test_a_reload_with_another_lifetime_starts_with_that() -> None:
    line = run(brief(90), ok(90))
    line.agent.reload([account(expires=70)], now=line.now)
    line.run()
    assert asked(line) == ["60", "90", "70"]


def test_the_minimum_of_one_account_is_not_that_of_another() -> None:
    def answer(request: Request) -> Answer:
        return brief(90) if request.to.uri.user == "alice" and request.get("expires") == "60" else ok(60)

    line = Line(account("alice", expires=60), account("bob", expires=60), script=[answer])
    line.register(until=1.0)
    assert asked(line).count("90") == 1
    assert len(line.told(Registered)) == 2
