"""What stands in the requests of a registration over its life, and where they go."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sipcore.config import Account, Transport
from sipcore.profiles import ASTERISK, PROFILES, SIPCORE, Profile
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.values import Protocol
from tests.accounts import TCP, account
from tests.secrecy import PASSWORD

every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
PROXY = ("192.0.2.9", 5060)


# --- identities -----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.2-06", "RFC3261-10.2-05", "RFC3261-10.2-07")
@every_profile
def test_identities_over_a_life_with_everything_in_it(profile: Profile) -> None:
    """One Call-ID; CSeq grows by one with each request; each request has a branch of its own, its copies the same."""
    script: list[Step] = [challenge(), ok(60), 503, challenge(), None, Answer(423, ("Min-Expires: 7200",)), ok(60), 200]
    line = Line(account(profile=profile, max_random_initial_delay=0, retry_interval=2), script=script)
    line.register(until=30.0)
    for until in (60.0, 120.0, 180.0, 240.0):
        line.agent.register("alice", now=line.now)
        line.run(until=until)
    line.agent.unregister("alice", now=line.now)
    line.run(until=300.0)
    requests = line.peer.requests
    assert len(requests) >= 8
    assert len({request.call_id for request in requests}) == 1
    first = requests[0].cseq.number
    assert [request.cseq.number for request in requests] == list(range(first, first + len(requests)))
    assert len({request.via.branch for request in requests}) == len(requests)
    by_branch: dict[str | None, set[bytes]] = {}
    for item in line.peer.received:
        by_branch.setdefault(item.request.via.branch, set()).add(bytes(item.request))
    assert all(len(texts) == 1 for texts in by_branch.values())
    assert any(item.copy for item in line.peer.received)
    assert all(";tag=" not in (request.get("to") or "") for request in requests)


@pytest.mark.requirement("RFC3261-8.1.1.3-01", "RFC3261-19.3-01", "RFC3261-8.1.1.4-02")
def test_the_from_tag_lives_as_long_as_the_call_id_or_as_one_attempt() -> None:
    tags: dict[str, list[str | None]] = {}
    for profile in (SIPCORE, ASTERISK):
        line = Line(
            account(profile=profile, max_random_initial_delay=0), script=[challenge(), ok(60), challenge(), ok(60)]
        )
        line.register(until=55.0)
        tags[profile.name] = [request.from_.tag for request in line.peer.requests]
    assert len(set(tags["SIPCORE"])) == 1
    one, again, two, also = tags["ASTERISK"]
    assert one == again != two == also
    assert all(re.fullmatch("[0-9a-f]{16}", tag or "") for tag in (one, two))


@pytest.mark.requirement("RFC3261-8.1.1.4-01", "RFC3261-8.1.1.7-01", "RFC3261-19.3-01")
def test_two_registrations_share_no_identity() -> None:
    line = Line(*[account(f"user{n}") for n in range(50)])
    line.register()
    requests = line.sent()
    assert len(requests) == 50
    for values in (
        {request.call_id for request in requests},
        {request.from_.tag for request in requests},
        {request.via.branch for request in requests},
    ):
        assert len(values) == 50
    assert all((request.via.branch or "").startswith("z9hG4bK") for request in requests)


@pytest.mark.requirement("RFC3261-8.1.1.5-01")
def test_cseq_starts_small_and_is_a_new_call_id_before_it_runs_out() -> None:
    line = Line(account(), script=[ok(60)])
    line.register()
    first = line.peer.requests[0]
    assert first.cseq.number <= 2**15
    registration = line.agent._registrations["alice"]
    registration.cseq = 2**31 - 2
    line.run(until=60.0)
    second, third = line.peer.requests[1:3]
    assert (second.cseq.number, second.call_id) == (2**31 - 1, first.call_id)
    assert third.call_id != first.call_id
    assert third.cseq.number <= 2**15
    assert line.status().registered


# --- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-8.1.1-01", "RFC3261-10.2-01", "RFC3261-10.2-03")
def test_a_plain_request_whole() -> None:
    line = Line(account())
    line.register()
    [request] = line.sent()
    text = bytes(request).decode()
    branch, tag = request.via.branch, request.from_.tag
    assert text.split("\r\n") == [
        "REGISTER sip:example.com SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.10:40000;rport;branch={branch}",
        "Max-Forwards: 70",
        f"From: <sip:alice@example.com>;tag={tag}",
        "To: <sip:alice@example.com>",
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.cseq.number} REGISTER",
        "Contact: <sip:alice@192.0.2.10:40000>",
        "Expires: 3600",
        "Allow: OPTIONS",
        "Content-Length: 0",
        "",
        "",
    ]


@pytest.mark.requirement("RFC3261-20.5-01", "RFC3261-8.1.1.9-01", "RFC3840-9-01")
def test_a_request_with_every_option_whole() -> None:
    options = Account(
        "sip:alice@example.com",
        name="alice",
        registrar="sip:registrar@192.0.2.1:5060;x=y",
        outbound_proxy=("<sip:192.0.2.9;lr>", "<sip:far.example.net;lr>"),
        contact_user="line1",
        contact_parameters=";ob",
        contact_header_parameters=';+sip.instance="<urn:uuid:1>";reg-id=1;methods="INVITE,BYE"',
        line=True,
        expires=600,
        supported=("path", "outbound"),
        allow=("INVITE", "ACK"),
        user_agent="phone/1.0 (x)",
        extra_headers=(("X-Branch", "Köln"), ("P-Early", "yes")),
        max_forwards=20,
    )
    line = Line(options)
    proxy = line.serve(PROXY, ok(600))
    line.register()
    [request] = proxy.requests
    token = str(request.values("contact")).partition(";line=")[2][:16]
    assert bytes(request).decode().split("\r\n") == [
        "REGISTER sip:192.0.2.1:5060;x=y SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.10:40000;rport;branch={request.via.branch}",
        "Route: <sip:192.0.2.9;lr>",
        "Route: <sip:far.example.net;lr>",
        "Max-Forwards: 20",
        f"From: <sip:alice@example.com>;tag={request.from_.tag}",
        "To: <sip:alice@example.com>",
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.cseq.number} REGISTER",
        f"Contact: <sip:line1@192.0.2.10:40000;ob;line={token}>"
        ';+sip.instance="<urn:uuid:1>";reg-id=1;methods="INVITE,BYE"',
        "Expires: 600",
        "Allow: INVITE, ACK",
        "Supported: path, outbound",
        "User-Agent: phone/1.0 (x)",
        "X-Branch: Köln",
        "P-Early: yes",
        "Content-Length: 0",
        "",
        "",
    ]


@pytest.mark.requirement("RFC3261-20.5-01")
def test_allow_names_what_is_handled_and_can_be_left_out() -> None:
    line = Line(account(), account("bob", allow=()), handles={"INVITE", "ACK", "BYE", "CANCEL"})
    line.register()
    first, second = line.sent()
    assert first.get("allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS"
    assert second.get("allow") is None


@pytest.mark.requirement("RFC3261-10.2-01")
def test_the_request_uri_has_no_user_but_is_taken_as_written_under_asterisk() -> None:
    for profile, uri in ((SIPCORE, "sip:192.0.2.1"), (ASTERISK, "sip:them@192.0.2.1")):
        line = Line(account(profile=profile, registrar="sip:them@192.0.2.1", max_random_initial_delay=0))
        line.register(until=2.0)
        assert line.sent()[0].uri == uri


@pytest.mark.requirement("RFC3261-10.2.6-01")
def test_without_a_registrar_the_host_of_the_address_is_asked() -> None:
    line = Line(Account("sip:alice@example.com:5070", name="alice"))
    peer = line.serve(("192.0.2.1", 5070), ok(60))
    line.register()
    [request] = peer.requests
    assert request.uri == "sip:example.com:5070"
    assert line.status().registered


def test_asterisks_contact_user_is_s() -> None:
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0))
    line.register(until=2.0)
    assert line.sent()[0].values("contact") == ["<sip:s@192.0.2.10:40000>"]


# --- where to -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-12.2.1.1-01", "RFC3261-10.2-10", "RFC3261-8.1.2-01")
def test_a_loose_router_gets_the_request_and_the_registrar_keeps_the_request_uri() -> None:
    line = Line(account(outbound_proxy=("<sip:192.0.2.9;lr>",)), script=[ok(60)])
    proxy = line.serve(PROXY, ok(60))
    line.register()
    [request] = proxy.requests
    assert line.peer.received == []
    assert request.uri == "sip:example.com"
    assert request.get_all("route") == ["<sip:192.0.2.9;lr>"]
    assert line.status().server == "192.0.2.9:5060"


@pytest.mark.requirement("RFC3261-12.2.1.1-02")
def test_a_strict_router_takes_the_place_of_the_request_uri() -> None:
    line = Line(account(outbound_proxy=("<sip:192.0.2.9>", "<sip:second.example.net;lr>")))
    proxy = line.serve(PROXY, ok(60))
    line.register()
    [request] = proxy.requests
    assert request.uri == "sip:192.0.2.9"
    assert request.get_all("route") == ["<sip:second.example.net;lr>", "<sip:example.com>"]


def test_credentials_for_a_strict_router_name_the_request_uri_that_is_sent() -> None:
    line = Line(account(outbound_proxy=("<sip:192.0.2.9>",)))
    proxy = line.serve(PROXY, challenge(), ok(60))
    line.register()
    second = proxy.requests[1]
    assert f'uri="{second.uri}"' in (second.get("authorization") or "")


@pytest.mark.requirement("RFC3263-4.1-01", "RFC3261-18-01")
@pytest.mark.parametrize(
    "options",
    [
        {"transport": TCP},
        {"registrar": "sip:example.com;transport=tcp"},
        {"outbound_proxy": ("<sip:192.0.2.1;transport=TCP;lr>",)},
    ],
    ids=["account", "registrar", "proxy"],
)
def test_tcp(options: dict[str, Any]) -> None:
    line = Line(account(**options), script=[challenge(), ok(60)])
    line.register()
    request = line.peer.requests[0]
    assert (request.get("via") or "").startswith("SIP/2.0/TCP 192.0.2.10:")
    assert ";transport=TCP>" in request.values("contact")[0]
    assert len(line.peer.connections) == 1
    assert line.status().transport is Protocol.TCP


@pytest.mark.requirement("RFC3263-4.1-02")
def test_maddr_is_where_the_request_goes() -> None:
    line = Line(account(registrar="sip:example.com;maddr=192.0.2.9"))
    proxy = line.serve(PROXY, ok(60))
    line.register()
    assert len(proxy.requests) == 1


@pytest.mark.requirement("RFC3261-18.1.1-04", "RFC3581-3-01")
def test_ipv6_in_via_and_contact_has_brackets() -> None:
    line = Line(Account("sip:alice@[2001:db8::1]", name="alice", password=PASSWORD))
    peer = line.serve(("2001:db8::1", 5060), challenge(), ok(60))
    line.register()
    request = peer.requests[0]
    assert request.uri == "sip:[2001:db8::1]"
    assert (request.get("via") or "").startswith("SIP/2.0/UDP [2001:db8::10]:40000;rport;branch=")
    assert request.values("contact") == ["<sip:alice@[2001:db8::10]:40000>"]
    assert line.status().registered
    assert line.status().server == "[2001:db8::1]:5060"


def test_an_ipv6_zone_stays_at_home() -> None:
    line = Line(account(registrar="sip:[fe80::1]", transport=Transport(local=("fe80::2%eth0", 5060))))
    peer = line.serve(("fe80::1", 5060), ok(60))
    line.register()
    [request] = peer.requests
    assert "%" not in (request.get("via") or "") + request.values("contact")[0]
    assert line.status().registered


@pytest.mark.requirement("RFC7984-3.1-01", "RFC3263-4.3-01")
def test_a_name_with_both_families_is_tried_on_both() -> None:
    line = Line(account(), script=[503])
    line.world.name("example.com", "192.0.2.1", "2001:db8::1")
    other = line.serve(("2001:db8::1", 5060), ok(3600))
    line.register()
    assert len(line.peer.requests) == 1
    assert len(other.requests) == 1
    assert (other.requests[0].get("via") or "").startswith("SIP/2.0/UDP [2001:db8::10]:")
    assert line.status().registered


def test_a_local_address_is_used_in_via_and_contact() -> None:
    line = Line(account(transport=Transport(local=("192.0.2.10", 5070))), script=[ok(60)])
    line.register()
    request = line.peer.requests[0]
    assert (request.get("via") or "").startswith("SIP/2.0/UDP 192.0.2.10:5070;")
    assert request.values("contact") == ["<sip:alice@192.0.2.10:5070>"]
    assert line.peer.received[0].source == ("192.0.2.10", 5070)


def test_a_listener_on_tcp_is_what_contact_names() -> None:
    transport = Transport(protocol=Protocol.TCP, local=("192.0.2.10", 5062), listen=True)
    line = Line(account(transport=transport), script=[ok(60)])
    line.run()
    line.register()
    request = line.peer.requests[0]
    assert request.values("contact") == ["<sip:alice@192.0.2.10:5062;transport=TCP>"]
    assert line.peer.received[0].source != ("192.0.2.10", 5062)


@pytest.mark.requirement("RFC3261-10.2.4-06")
def test_refreshes_go_first_to_the_address_that_took_the_binding() -> None:
    line = Line(account(), script=[503, ok(60)])
    line.world.name("example.com", "192.0.2.1", "192.0.2.2", ttl=5.0)
    second = line.serve(("192.0.2.2", 5060), ok(60))
    line.register(until=200.0)
    assert len(line.peer.requests) == 1
    assert len(second.requests) > 4


def test_a_name_without_an_address_says_so() -> None:
    line = Line(account())
    line.world.name_fails("example.com", "NXDOMAIN")
    line.register(until=1.0)
    cause = line.status().cause
    assert cause is not None
    assert cause.code is None
    assert "example.com" in cause.detail
    assert "NXDOMAIN" in cause.detail
    assert line.status().next_attempt_at is not None


def test_a_resolver_that_does_not_answer_is_given_up_after_ten_seconds() -> None:
    line = Line(account())
    line.world.name_fails("example.com", None)
    line.register(until=9.999)
    assert line.status().cause is None
    line.run(until=10.0)
    assert "no answer from the resolver" in str(line.status().cause)


@pytest.mark.requirement("RFC3263-4.1-09")
def test_names_are_looked_up_again_when_their_time_is_over() -> None:
    line = Line(account(), script=[ok(60)])
    line.world.name("example.com", "192.0.2.1", ttl=10.0)
    line.register()
    line.world.name("example.com", "192.0.2.2")
    second = line.serve(("192.0.2.2", 5060), ok(60))
    line.run(until=100.0)
    assert len(second.requests) >= 2
    assert len(line.peer.requests) == 1
