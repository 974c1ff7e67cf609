"""What registrars put into a 200, and what we make of it: which binding is ours, and for how long it stands."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.profiles import ASTERISK, SIPCORE, Profile
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Step, ok
from sipcore.values import OutcomeClass, Phase, State
from tests.accounts import account

OWN = "<sip:alice@192.0.2.10:40000>"


def registered(answer: Step, **options: Any) -> tuple[Line, Registered]:
    line = Line(account(**options), script=[answer])
    line.register()
    [event] = line.told(Registered)
    return line, event


@pytest.mark.requirement("RFC3261-10.2.4-01", "RFC3261-10.2.4-02", "RFC3261-10.2.4-04")
@pytest.mark.parametrize("position", range(4))
def test_our_binding_is_found_anywhere_in_the_list(position: int) -> None:
    """Q-01: the 200 lists all bindings of the address of record, each with its own lifetime."""
    contacts = [f"<sip:other@198.51.100.{n}>;expires={20 + n}" for n in range(3)]
    contacts.insert(position, f"{OWN};expires=100")
    line, event = registered(Answer(200, contact=", ".join(contacts)))
    assert event.expires == 100
    own, *others = line.status().bindings
    assert own.own
    assert own.expires_at == 100.0
    assert [binding.uri for binding in others] == [f"sip:other@198.51.100.{n}" for n in range(3)]
    assert not any(binding.own for binding in others)
    assert [binding.expires_at for binding in others] == [20.0, 21.0, 22.0]
    line.run(until=60.0)
    assert line.peer.requests[1].values("contact") == [OWN]
    refreshed = line.peer.received[1].at
    assert [binding.expires_at for binding in line.status().bindings[1:]] == [refreshed + 20 + n for n in range(3)]


@pytest.mark.requirement("RFC3261-7.3.1-05")
def test_our_binding_is_found_in_one_line_of_many() -> None:
    """Q-01: one Contact in each line."""
    lines = ("Contact: <sip:x@198.51.100.1>;expires=9", f"Contact: {OWN};expires=100", "m: <sip:y@198.51.100.2>")
    _, event = registered(Answer(200, lines))
    assert event.expires == 100


@pytest.mark.parametrize(
    "written",
    [
        "<SIP:alice@192.0.2.10:40000>",
        "sip:alice@192.0.2.10:40000",
        '"Alice" <sip:%61lice@192.0.2.10:40000>',
        "<sip:alice@192.0.2.10:40000;ob>",
    ],
)
@pytest.mark.requirement("RFC3261-10.2.4-02")
def test_our_binding_is_found_by_the_rules_of_uri_comparison(written: str) -> None:
    """Q-02: the registrar writes the same URI differently; with others listed, text alone would not find it."""
    _, event = registered(Answer(200, contact=f"<sip:x@198.51.100.1>;expires=9, {written};expires=100"))
    assert event.expires == 100


@pytest.mark.parametrize("written", ["<sip:alice@203.0.113.7:1024>", "<sip:alice@sbc.example.net;ob>"])
def test_a_lone_contact_with_our_user_is_ours_though_rewritten(written: str) -> None:
    """Q-02: middle boxes rewrite host and port."""
    _, event = registered(Answer(200, contact=f"{written};expires=100"))
    assert event.expires == 100


def test_a_rewritten_contact_is_found_by_its_line_token() -> None:
    """Q-02: among others, our private token in the URI tells."""

    def answer(request: Request) -> Answer:
        moved = request.values("contact")[0].replace("192.0.2.10:40000", "203.0.113.7:1024")
        return Answer(200, contact=f"<sip:alice@198.51.100.1>;expires=9, {moved};expires=100")

    _, event = registered(answer, line=True)
    assert event.expires == 100


def test_a_rewritten_contact_is_found_by_its_instance() -> None:
    """Q-02: +sip.instance and reg-id come before all else (RFC 5626 section 4.2.1)."""
    parameters = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>";reg-id=1'
    other = ';+sip.instance="<urn:uuid:11111111-0000-1000-8000-000a95a0e128>";reg-id=1'
    listed = f"{OWN}{other};expires=9, <sip:zz@203.0.113.7>{parameters};expires=100"
    _, event = registered(Answer(200, contact=listed), contact_header_parameters=parameters)
    assert event.expires == 100


@pytest.mark.requirement("RFC3261-10.2.4-07")
def test_foreign_contacts_are_never_taken_for_ours() -> None:
    """Q-01: the registrar says that we are not there. We say so, too, and try again after the gap, ever more slowly."""
    foreign = Answer(200, contact="<sip:bob@198.51.100.7>;expires=600, <sip:carol@198.51.100.8>;expires=700")
    line = Line(account(), script=[foreign])
    line.register()
    [rejected] = line.told(Rejected)
    assert rejected.kind is OutcomeClass.REMOVED
    assert rejected.cause.detail == "the registrar does not list our contact"
    assert line.status().state is State.UNREGISTERED
    line.run(until=8000.0)
    times = [item.at for item in line.peer.received]
    assert times[:6] == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0]
    assert max(b - a for a, b in pairwise(times)) == 1800.0


@pytest.mark.requirement("RFC5626-4.5-02", "RFC3261-10.2.4-09")
def test_the_quick_retries_of_a_standing_binding_do_not_count_for_the_back_off_after_it() -> None:
    """While it stands: after 1, 2, 4, 8, then every 10 s. Then the back-off starts at its base."""
    line = Line(account(), script=[ok(100), 503])
    line.register(until=99.9)
    times = [item.at for item in line.peer.received[1:]]
    assert [round(after - before, 6) for before, after in pairwise(times)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    line.run(until=100.0)
    assert line.status().state is State.UNREGISTERED
    line.run(until=120.0)
    *_, before = [item.at for item in line.peer.received]
    planned = line.status().next_attempt_at
    assert planned is not None
    assert 30.0 <= planned - before <= 60.0


def test_a_refresh_that_finds_us_gone_says_so() -> None:
    line = Line(account(), script=[ok(100), Answer(200, contact="<sip:bob@198.51.100.7>;expires=600")])
    line.register(until=1.0)
    line.told()
    events = line.told(until=60.0)
    assert [type(event) for event in events] == [Rejected, Unregistered, StatusChanged]
    assert line.status().expires_at is None


@pytest.mark.requirement("RFC3261-10.2.4-01")
@pytest.mark.parametrize(("profile", "wait"), [(SIPCORE, 60.0), (ASTERISK, 90.0)])
def test_the_expires_header_counts_when_the_contact_has_none(profile: Profile, wait: float) -> None:
    """Q-03."""
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[ok(None, "Expires: 100")])
    line.register(until=2.0)
    [event] = line.told(Registered)
    assert (event.expires, event.assumed) == (100, False)
    start = line.peer.received[0].at
    assert event.refresh_at - start == pytest.approx(wait, abs=4.0)


@pytest.mark.requirement("RFC3261-10.2.4-01")
def test_without_any_lifetime_what_was_asked_for_is_assumed_and_marked() -> None:
    """Q-04: no expires anywhere."""
    _, event = registered(ok(None), expires=300)
    assert (event.expires, event.assumed) == (300, True)


def test_a_2xx_without_any_contact_is_a_success_that_is_marked_as_assumed() -> None:
    """Q-04: no Contact in the 200."""
    line, event = registered(200, expires=300)
    assert (event.expires, event.assumed) == (300, True)
    assert line.status().state is State.REGISTERED
    [own] = line.status().bindings
    assert own.own


@pytest.mark.requirement("RFC3261-10.2.4-01")
def test_a_2xx_without_any_contact_but_with_expires_grants_that() -> None:
    _, event = registered(Answer(200, ("Expires: 100",)), expires=300)
    assert (event.expires, event.assumed) == (100, False)


@pytest.mark.requirement("RFC3261-10.2.4-03")
def test_a_short_grant_sets_the_refresh_but_is_not_asked_for_next_time() -> None:
    """Q-05: asked for 3600, granted 60."""
    line, event = registered(ok(60))
    assert event.expires == 60
    assert 27.0 <= event.refresh_at <= 30.0
    line.run(until=40.0)
    assert [request.get("expires") for request in line.peer.requests] == ["3600", "3600"]


@pytest.mark.parametrize("grant", [0, 1, 2, 3])
@pytest.mark.parametrize("profile", [SIPCORE, ASTERISK])
def test_a_tiny_grant_does_not_make_a_storm(profile: Profile, grant: int) -> None:
    """Q-05: never more often than the gap, whatever is granted."""
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[ok(grant)])
    line.register(until=100.0)
    times = [item.at for item in line.peer.received]
    assert len(times) <= 101
    assert all(b - a >= 1.0 for a, b in pairwise(times))


@pytest.mark.requirement("RFC3261-10.2.4-01")
def test_more_than_was_asked_for_counts_as_what_was_asked_for() -> None:
    _, event = registered(ok(86400), expires=600)
    assert event.expires == 600


@pytest.mark.parametrize("text", ["99999999999999999999", "4294967296", "4294967295"])
@pytest.mark.requirement("RFC3261-20.19-01", "RFC3261-10.2-14")
def test_a_huge_grant_is_a_finite_wait(text: str) -> None:
    answer = Answer(200, contact=f"{{contact}};expires={text}")
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0), script=[answer])
    line.register(until=2.0)
    [event] = line.told(Registered)
    assert event.expires == 2**32 - 1
    line.run(until=86400.0)
    assert len(line.peer.requests) == 1


@pytest.mark.requirement("RFC3261-10.2-13")
def test_a_lifetime_that_is_no_number_counts_as_an_hour() -> None:
    line = Line(account(expires=7200), script=[Answer(200, contact="{contact};expires=soon")])
    line.register()
    [event] = line.told(Registered)
    assert event.expires == 3600


@pytest.mark.requirement("RFC3261-10.2.4-08")
def test_a_grant_of_nothing_is_no_registration() -> None:
    line = Line(account(), script=[ok(0)])
    line.register()
    assert line.told(Registered) == []
    assert line.status().state is State.UNREGISTERED
    assert line.status().phase is Phase.WAITING


@pytest.mark.requirement("RFC3261-8.1.3.2-01", "RFC3261-7.2-01")
@pytest.mark.parametrize("status", [200, 202, 204, 206, 299])
@pytest.mark.parametrize("reason", ["", "OK", "Auth Failed", "schöner Tag"])
def test_any_2xx_is_a_success_and_an_odd_phrase_is_kept(status: int, reason: str) -> None:
    """Q-50: 202 and 204, and a 200 that says "Auth Failed"."""
    line = Line(account(), script=[Answer(status, contact="{contact};expires=100", reason=reason)])
    line.register()
    [event] = line.told(Registered)
    assert event.expires == 100
    cause = line.status().cause
    assert cause is not None
    assert (cause.code, cause.reason) == (status, reason)


def test_where_several_match_the_shortest_lifetime_counts() -> None:
    _, event = registered(Answer(200, contact=f"{OWN};expires=500, {OWN};expires=100"))
    assert event.expires == 100


def test_a_contact_that_cannot_be_read_is_somebody_elses() -> None:
    line, event = registered(Answer(200, contact=f"@@@, {OWN};expires=100, <sip:alice@"))
    assert event.expires == 100
    assert line.status().state is State.REGISTERED


def test_accounts_differ_by_user_and_do_not_take_each_others_bindings() -> None:
    line = Line(account("alice"), account("bob"), script=[ok(100)])
    line.register()
    assert {event.name for event in line.told(Registered)} == {"alice", "bob"}
    assert line.status("alice").bindings[0].uri == "sip:alice@192.0.2.10:40000"
    assert line.status("bob").bindings[0].uri == "sip:bob@192.0.2.10:40000"
