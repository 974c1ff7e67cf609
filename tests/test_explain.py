"""An operator is told why, in words: each case of the table of advice, made by a registrar and not by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipcore.auth.credentials import Credential
from sipcore.explain import _ADVICE, Explanation, _Case, explain
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.testing import Answer, Line, challenge, ok
from sipcore.values import Cause, OutcomeClass, Phase, Secret, State
from tests.accounts import account
from tests.secrecy import PASSWORD


def told(line: Line, name: str = "alice") -> Explanation:
    return explain(line.status(), line.agent.account(name), proven=line.agent.proven(name), now=line.now)


def after(*script: Any, until: float = 30.0, profile: Profile = SIPCORE, **options: Any) -> Explanation:
    line = Line(account(profile=profile, **options), script=script)
    line.register(until=until)
    return told(line)


def test_the_fatal_response_of_asterisk_is_explained_by_name() -> None:
    """It worked, and then a refresh met two challenges: the case that operators ask about most."""
    line = Line(account(profile=ASTERISK), script=[challenge(), ok(60), challenge(nonce="b"), challenge(nonce="c")])
    line.register(until=59.0)
    found = told(line)
    text = "\n".join(found.lines())
    assert found.summary == "alice is not registered: it was rejected, 4 s ago."
    assert found.said.startswith("401 Unauthorized from 192.0.2.1:5060 over UDP: the registrar refused our credentials")
    assert "fatal_retry_interval=0" in found.rule
    assert found.next == "nothing until somebody asks: sipcore send register alice"
    assert (
        "Fatal response '401' received from 'sip:example.com' on registration attempt to 'sip:alice@example.com', "
        "stopping outbound registration"
    ) in text
    assert "worked before, so the password is hardly the reason" in text
    assert "auth_rejection_permanent=no" in text
    assert "check user name and password" not in text


def test_a_password_that_never_worked_is_looked_at_first() -> None:
    found = after(challenge(), challenge(nonce="b"), profile=ASTERISK)
    assert found.advice[0].startswith("check user name and password: alice was never accepted")
    assert "Fatal response '401'" in found.advice[1]
    assert "worked before" not in found.advice[1]


CASES: list[tuple[list[Any], dict[str, Any], str, str]] = [
    ([challenge(stale=True, nonce=str(n)) for n in range(4)], {}, "calls each answer stale", "stale: its clock"),
    ([challenge()], {"password": None}, "401", "it has no credentials"),
    (
        [challenge()],
        {"password": None, "credentials": (Credential(username="a", password=Secret(PASSWORD), realm="other"),)},
        "401",
        "compare its realm",
    ),
    ([403], {}, "403", "the registrar forbids it"),
    ([404], {}, "404 Not Found", "check user and domain"),
    ([Answer(423), Answer(423)], {}, "423", "raise expiration"),
    ([420], {}, "420", "support_path"),
    ([439], {}, "439", "does not do outbound"),
    ([302], {}, "302", "sends us elsewhere"),
    ([503], {}, "503", "busy or closed"),
    ([], {}, "no answer, asked 192.0.2.1:5060 over UDP.", "nobody answered"),
    ([], {"registrar": "sip:nowhere.invalid"}, "no address", "has no address"),
    ([Answer(200, (), "<sip:other@192.0.2.99>;expires=60")], {}, "does not list our contact", "changed it on the way"),
]
"""What the registrar does, options of the account, a part of what is said to have been heard, and of the advice."""


@pytest.mark.parametrize(("script", "options", "said", "advice"), CASES)
def test_each_case_says_what_was_heard_and_what_to_try(
    script: list[Any], options: dict[str, Any], said: str, advice: str
) -> None:
    found = after(*script, until=40.0, **options)
    assert said in found.said
    assert any(advice in text for text in found.advice), found.advice
    assert found.rule.startswith("this is class '")
    assert PASSWORD not in "\n".join(found.lines())


def test_all_advice_is_given_somewhere() -> None:
    """Law: no row of the table is without a registrar that leads to it."""
    given: set[str] = set()
    for script, options, _, _ in CASES:
        given.update(after(*script, until=40.0, **options).advice)
    again = challenge(nonce="b"), challenge(nonce="c")
    for first in ((), (challenge(), ok(20))):
        for profile in (ASTERISK, SIPCORE):
            given.update(after(*first, *again, until=19.0, profile=profile).advice)
    given.update(after(404, profile=JSSIP).advice)
    case = _Case(Line(account()).status(), account(registrar="sip:nowhere.invalid"), False, 0.0)
    assert {text(case)[:20] for _, text in _ADVICE} <= {text[:20] for text in given}


def test_a_refresh_that_fails_is_told_while_the_binding_stands() -> None:
    line = Line(account(), script=[challenge(), ok(600), 503])
    line.register(until=451.0)
    assert told(line).summary.endswith(" s; the refresh failed 4 times so far.")


def test_all_is_well() -> None:
    line = Line(account(), script=[challenge(), ok(600)])
    line.register(until=100.0)
    found = told(line)
    assert (
        found.summary == "alice is registered at 192.0.2.1:5060, for 100 s now; without a refresh it lapses in 500 s."
    )
    assert found.said == "200 OK."
    assert found.rule == ""
    assert found.next.startswith("the binding is refreshed in ")


def test_before_anything_was_tried_and_after_the_end() -> None:
    line = Line(account())
    assert told(line).summary == "alice is not registered yet: nothing was tried so far."
    status = replace(line.status(), state=State.STOPPED, cause=Cause(detail="removed"))
    found = explain(status, line.agent.account("alice"), proven=False, now=0.0)
    assert (found.summary, found.next) == ("alice is stopped: it was removed from the configuration.", "nothing.")


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in (Phase.IDLE, Phase.WAITING)])
def test_what_is_being_done_is_said(phase: Phase) -> None:
    status = replace(Line(account()).status(), phase=phase)
    assert explain(status, account(), proven=False, now=0.0).next.endswith(", now.")


@pytest.mark.parametrize("profile", [SIPCORE, ASTERISK, JSSIP])
@pytest.mark.parametrize("kind", OutcomeClass)
@pytest.mark.parametrize("code", [None, 200, 302, 401, 403, 423, 500, 603])
def test_every_outcome_can_be_explained(profile: Profile, kind: OutcomeClass, code: int | None) -> None:
    """Law: whatever is in a Status, an explanation is whole sentences."""
    for state in State:
        status = replace(Line(account()).status(), state=state, cause=Cause(kind=kind, code=code, reason="R"))
        for proven in (True, False):
            found = explain(status, account(profile=profile), proven=proven, now=5.0)
            assert all(line.rstrip().endswith((".", "alice", "dog")) or ":" in line for line in found.lines())
