"""3xx: followed only when asked for, never in circles, never to where our secrets do not belong."""

from __future__ import annotations

import pytest

from sipcore.config import Credential
from sipcore.events import Rejected
from sipcore.profiles import PROFILES, Profile
from sipcore.testing import Answer, Line, challenge, ok
from sipcore.values import OutcomeClass, Secret
from tests.accounts import account, has_credentials
from tests.secrecy import PASSWORD

A = ("198.51.100.1", 5060)
B = ("198.51.100.2", 5060)


def to(*contacts: str, status: int = 302) -> Answer:
    return Answer(status, contact=", ".join(contacts))


@pytest.mark.requirement("RFC3261-8.1.3.4-01", "RFC3261-8.1.3.4-06")
@pytest.mark.parametrize("status", [300, 301, 302, 305, 380, 399])
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_redirect_is_not_followed_unless_allowed(profile: Profile, status: int) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[to("<sip:198.51.100.1>", status=status)])
    elsewhere = line.serve(A, ok(60))
    line.register(until=10.0)
    assert elsewhere.received == []
    [rejected] = line.told(Rejected)
    assert rejected.kind is OutcomeClass.PERMANENT
    assert rejected.cause.code == status


@pytest.mark.requirement("RFC3261-8.1.3.4-01", "RFC3261-8.1.3.4-03", "RFC3261-8.1.3.4-04")
@pytest.mark.parametrize("status", [300, 301, 302])
def test_a_redirect_is_followed_when_allowed(status: int) -> None:
    answer = to("<sip:alice@198.51.100.1;method=INVITE?Subject=x>", status=status)
    line = Line(account(redirects=1), script=[answer])
    elsewhere = line.serve(A, ok(60))
    line.register()
    [first], [second] = line.peer.requests, elsewhere.requests
    assert second.uri == "sip:198.51.100.1"
    assert second.call_id == first.call_id
    assert second.cseq.number == first.cseq.number + 1
    assert second.via.branch != first.via.branch
    assert second.get("to") == first.get("to")
    assert line.status().registered
    assert line.status().server == "198.51.100.1:5060"


def test_a_redirect_may_lead_to_another_transport() -> None:
    line = Line(account(redirects=1), script=[to("<sip:198.51.100.1;transport=tcp>")])
    elsewhere = line.serve(A, challenge(), ok(60))
    line.wire.latency = 0.1
    line.register(until=2.0)
    assert [(request.get("via") or "").startswith("SIP/2.0/TCP ") for request in elsewhere.requests] == [True]
    # The credential is for any realm, so it is not shown to whoever this is.
    assert not line.status().registered


def test_a_redirect_to_a_connection_that_has_to_be_opened_first() -> None:
    line = Line(account(redirects=1), script=[to("<sip:198.51.100.1;transport=tcp>")])
    line.serve(A, ok(60))
    line.wire.latency = 0.1
    line.register(until=2.0)
    assert line.status().registered


@pytest.mark.requirement("RFC3261-21.3.4-01")
@pytest.mark.parametrize("status", [305, 380, 399])
def test_a_proxy_or_another_service_is_no_other_registrar(status: int) -> None:
    line = Line(account(redirects=5), script=[to("<sip:198.51.100.1>", status=status)])
    elsewhere = line.serve(A, ok(60))
    line.register(until=10.0)
    assert elsewhere.received == []
    assert line.told(Rejected)


@pytest.mark.requirement("RFC3261-8.1.3.4-06", "RFC3261-8.1.3.4-01")
def test_a_circle_ends() -> None:
    line = Line(account(redirects=5), script=[to("<sip:198.51.100.1>")])
    first = line.serve(A, to("<sip:198.51.100.2>"))
    second = line.serve(B, to("<sip:example.com>, <sip:198.51.100.1>"))
    line.register(until=10.0)
    assert [len(peer.requests) for peer in (line.peer, first, second)] == [1, 1, 1]
    assert len(line.told(Rejected)) == 1


@pytest.mark.requirement("RFC3261-8.1.3.4-06")
@pytest.mark.parametrize("allowed", [1, 2, 5])
def test_as_many_as_allowed_are_followed(allowed: int) -> None:
    line = Line(account(redirects=allowed), script=[to("<sip:198.51.100.10>")])
    peers = [
        line.serve((f"198.51.100.{10 + n}", 5060), to(f"<sip:198.51.100.{11 + n}>")) for n in range(8)
    ]
    line.register(until=10.0)
    assert [len(peer.requests) for peer in peers] == [1] * allowed + [0] * (8 - allowed)
    [rejected] = line.told(Rejected)
    assert rejected.cause.server == f"198.51.100.{9 + allowed}:5060"


@pytest.mark.requirement("RFC3261-8.1.3.4-02")
def test_the_contact_with_the_highest_q_is_tried() -> None:
    line = Line(account(redirects=1), script=[to("<sip:198.51.100.1>;q=0.2", "<sip:198.51.100.2>;q=0.9")])
    low, high = line.serve(A, ok(60)), line.serve(B, ok(60))
    line.register()
    assert (len(low.requests), len(high.requests)) == (0, 1)


@pytest.mark.requirement("RFC3261-8.1.3.4-05")
@pytest.mark.parametrize("contact", ["<sips:198.51.100.1>", "<tel:+49301234>", "<mailto:a@b>", "<<<", ""])
def test_what_cannot_be_followed_is_not(contact: str) -> None:
    line = Line(account(redirects=5), script=[to(contact)])
    elsewhere = line.serve(A, ok(60))
    line.register(until=10.0)
    assert elsewhere.received == []
    assert line.told(Rejected)


@pytest.mark.requirement("RFC3261-22.3-05")
def test_a_redirect_leads_no_credentials_away() -> None:
    """Whoever redirects us may lead to anybody, and a credential of any realm would answer anybody."""
    line = Line(account(redirects=1), script=[challenge(), to("<sip:198.51.100.1>")])
    stranger = line.serve(A, challenge(realm="example.com"))
    line.register(until=10.0)
    assert [has_credentials(request) for request in line.peer.requests] == [False, True]
    assert [has_credentials(request) for request in stranger.requests] == [False]
    [rejected] = line.told(Rejected)
    assert rejected.kind is OutcomeClass.CREDENTIALS


def test_a_credential_for_the_realm_may_follow() -> None:
    credential = Credential(username="alice", password=Secret(PASSWORD), realm="example.com")
    line = Line(account(credentials=(credential,), redirects=1), script=[to("<sip:198.51.100.1>")])
    other = line.serve(A, challenge(realm="example.com"), ok(60))
    line.register()
    assert [has_credentials(request) for request in other.requests] == [False, True]
    assert line.status().registered


@pytest.mark.requirement("RFC3261-21.3.3-01")
def test_the_next_refresh_starts_at_home_again() -> None:
    line = Line(account(redirects=1), script=[to("<sip:198.51.100.1>")])
    other = line.serve(A, ok(60))
    line.register()
    line.peer.answer(ok(60))
    line.run(until=31.0)
    assert len(line.peer.requests) == 2
    assert len(other.requests) == 1
    assert line.peer.requests[1].uri == "sip:example.com"


def test_credentials_proven_at_home_are_not_shown_to_a_new_place() -> None:
    line = Line(account(redirects=1), script=[challenge(nonce="n"), ok(60), to("<sip:198.51.100.1>")])
    other = line.serve(A, ok(60))
    line.register(until=31.0)
    assert has_credentials(line.peer.requests[2])
    assert [has_credentials(request) for request in other.requests] == [False]
