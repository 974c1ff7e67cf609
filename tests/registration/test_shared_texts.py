"""Accounts share what their requests have in common, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from sipcore.profiles import ASTERISK, SIPCORE
from sipcore.testing import Answer, Line, ok
from tests.accounts import account
from tests.registration.lines import reload


def test_a_profile_made_from_another_has_texts_of_its_own() -> None:
    """Its name is the same, and what it says about requests is not."""
    literal = replace(SIPCORE, userless_request_uri=False)
    one = account("one", registrar="sip:reg@example.com")
    two = account("two", registrar="sip:reg@example.com", profile=literal)
    line = Line(one, two, script=[ok()])
    line.register(until=1.0)
    assert {request.to.uri.user: request.uri for request in line.peer.requests} == {
        "one": "sip:example.com",
        "two": "sip:reg@example.com",
    }


def test_equal_accounts_share_one_object() -> None:
    line = Line(account("one"), account("two"), account("three", profile=ASTERISK))
    one, two, three = line.agent._registrations.values()
    assert one.texts is two.texts
    assert one.texts is not three.texts


def test_an_option_that_changes_no_request_keeps_the_lifetime_that_a_423_asked_for() -> None:
    brief = Answer(423, ("Min-Expires: 500",))
    line = Line(account(expires=60), script=[brief, ok(500)])
    line.register(until=5.0)
    line.sent()
    reload(line, account(expires=60, max_retries=3))
    line.agent.register("alice", now=line.now)
    assert [request.get("expires") for request in line.sent(until=10.0)] == ["500"]
    reload(line, account(expires=61, max_retries=3))
    assert [request.get("expires") for request in line.sent(until=20.0)] == ["61"]
