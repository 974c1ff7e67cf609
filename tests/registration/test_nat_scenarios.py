"""Behind a NAT that the configuration knows of: what Contact and Via say, and that everything else goes by it."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from sipcore.commands import OpenFlow
from sipcore.config import Transport
from sipcore.events import InboundRequest
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.registrar import RegistrarPolicy
from sipcore.syntax.message import Request
from sipcore.testing import REGISTRAR, Line, Pair, challenge, ok
from sipcore.values import Protocol
from tests.accounts import PASSWORD, account
from tests.registration.lines import every_profile, reload

_numbers = count(1)

LOCAL = ("192.0.2.10", 5060)

OUTER = {"external_signaling_address": "203.0.113.9", "external_signaling_hostname": "Pbx.Example"}


def nat(**options: Any) -> Transport:
    return Transport(**{"local": LOCAL, "external_signaling_address": "203.0.113.9", **options})


def places(request: Request) -> tuple[str, str]:
    """Host and port in Contact and in Via."""
    contact = (request.get("contact") or "").partition("@")[2]
    via = request.get("via") or ""
    return contact[: contact.index(">")].partition(";")[0], via.split(" ")[1].partition(";")[0]


def started(profile: Profile, transport: Transport, *script: Any, **options: Any) -> Line:
    made = account(transport=transport, profile=profile, max_random_initial_delay=0, **options)
    line = Line(made, script=script or [ok(120)], handles=["MESSAGE"])
    line.register(until=2.0)
    return line


def called(line: Line, uri: str) -> list[str | None]:
    """Whom a MESSAGE to that URI is for."""
    number = next(_numbers)
    line.told()
    line.agent.receive(
        1,
        f"MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx{number}\r\n"
        f"From: <sip:x@y>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c{number}\r\n"
        "CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n".encode(),
        REGISTRAR,
        now=line.now,
    )
    return [event.registration for event in line.told(InboundRequest)]


@every_profile
@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({}, "203.0.113.9:5060"),
        ({"external_signaling_port": 5099}, "203.0.113.9:5099"),
        ({"external_signaling_address": "2001:DB8:0::9"}, "[2001:db8::9]:5060"),
        ({"external_signaling_address": None, "external_signaling_hostname": "Pbx.Example"}, "Pbx.Example:5060"),
        ({"local_net": ("10.0.0.0/8", "2001:db8::/32")}, "203.0.113.9:5060"),
        ({"local_net": ("10.0.0.0/8", "192.0.2.0/255.255.255.0")}, "192.0.2.10:5060"),
        ({"external_signaling_port": 5099, "local_net": ("192.0.2.1",)}, "192.0.2.10:5060"),
    ],
)
def test_contact_and_via_say_what_the_outside_sees(profile: Profile, options: dict[str, Any], place: str) -> None:
    line = started(profile, nat(**options), challenge(), ok(120))
    assert len(line.peer.requests) == 2
    for request in line.peer.requests:
        assert places(request) == (place, place)
    assert line.status().registered


@every_profile
def test_a_connection_and_a_removal_say_it_too(profile: Profile) -> None:
    transport = nat(protocol=Protocol.TCP, listen=True, external_signaling_port=5070)
    line = started(profile, transport, ok(120), 200)
    line.agent.unregister("alice", now=line.now)
    line.run(until=4.0)
    register, removal = line.peer.requests
    assert removal.get("expires") == "0"
    assert places(register) == places(removal) == ("203.0.113.9:5070", "203.0.113.9:5070")
    assert ";transport=TCP" in (removal.get("contact") or "")


@every_profile
def test_the_smaller_grant_of_two_contacts_counts_when_ours_was_rewritten(profile: Profile) -> None:
    """Asterisk looks for its inner Contact, finds none, and refreshes when the binding has long lapsed (issue 452)."""
    line = started(profile, nat(), ok(60, contacts=("<sip:other@198.51.100.7>;expires=3600",)))
    status = line.status()
    assert status.registered
    assert status.expires_at == pytest.approx(line.peer.received[0].at + 60.0)
    assert [binding.own for binding in status.bindings] == [True, False]
    line.run(until=62.0)
    assert len(line.peer.requests) >= 2
    assert {places(request) for request in line.peer.requests} == {("203.0.113.9:5060", "203.0.113.9:5060")}


@every_profile
@pytest.mark.parametrize("name", ["external_signaling_address", "external_signaling_hostname"])
def test_what_comes_to_the_outer_contact_is_known(profile: Profile, name: str) -> None:
    options: dict[str, Any] = {name: OUTER[name]}
    host = OUTER[name]
    line = started(profile, Transport(local=LOCAL, **options), line=True, contact_user="Al")
    contact = (line.peer.requests[0].get("contact") or "")[1:].partition(">")[0]
    token = contact.partition(";line=")[2]
    assert called(line, f"sip:x@nowhere;line={token}") == ["alice"]
    assert called(line, f"sip:Al@{host.lower()}:5060") == ["alice"]
    assert called(line, f"sip:Al@{host.upper()}") == ["alice"]
    assert called(line, "sip:Al@192.0.2.10:5060") == [None]


@every_profile
def test_received_and_rport_of_the_answer_change_nothing(profile: Profile) -> None:
    """No Contact is rewritten from what a server saw; only the configuration does that."""
    line = started(profile, Transport(local=LOCAL), ok(60))
    answer = line.peer.requests[0].via
    assert "rport" in str(answer)
    line.run(until=62.0)
    assert {places(request) for request in line.peer.requests} == {("192.0.2.10:5060", "192.0.2.10:5060")}


@pytest.mark.parametrize("profile", [SIPCORE, JSSIP], ids=lambda profile: profile.name)
def test_a_reload_moves_the_binding_to_the_new_outer_address_over_the_same_socket(profile: Profile) -> None:
    line = started(profile, nat())
    line.sent()
    new = nat(external_signaling_address="203.0.113.10")
    reload(line, account(transport=new, profile=profile, max_random_initial_delay=0))
    [request] = line.sent(until=4.0)
    assert places(request)[1] == "203.0.113.10:5060"
    assert request.values("contact") == [
        "<sip:alice@203.0.113.10:5060>",
        "<sip:alice@203.0.113.9:5060>;expires=0",
    ]
    assert line.status().registered
    assert len([item for item in line.station.outputs if isinstance(item.output, OpenFlow)]) == 1


def test_a_listener_stays_when_only_the_outer_address_changes() -> None:
    inner = {"protocol": Protocol.TCP, "listen": True}
    line = started(SIPCORE, nat(**inner))
    first = line.station.acceptor_at(LOCAL)
    assert first is not None
    reload(line, account(transport=nat(**inner, external_signaling_port=5070)))
    line.run(until=4.0)
    assert line.station.acceptor_at(LOCAL) is not None
    kinds = [type(item.output).__name__ for item in line.station.outputs]
    assert kinds.count("Listen") == 1
    assert "CloseListener" not in kinds
    assert places(line.peer.requests[-1])[0] == "203.0.113.9:5070"


def test_our_own_registrar_answers_through_the_nat_and_lists_the_outer_contact() -> None:
    policy = RegistrarPolicy(realm="example.com")
    pair = Pair(account(transport=nat(local=None)), users={"alice": PASSWORD}, policy=policy)
    pair.register(until=2.0)
    [own] = pair.status().bindings
    assert own.own
    assert "@203.0.113.9:" in own.uri


def test_a_binding_of_the_outer_contact_is_known_after_a_restart() -> None:
    line = started(ASTERISK, nat(external_signaling_address=None, external_signaling_hostname="pbx.example"))
    snapshot = line.agent.snapshot(now=line.now, wall=1000.0)
    again = Line(
        account(transport=nat(), profile=ASTERISK, max_random_initial_delay=0), start=2.0, wall=1000.0,
        snapshot=snapshot, script=[ok(120)],
    )
    assert again.status().registered
    again.register(until=4.0)
    assert "sip:s@pbx.example:5060" in str(again.peer.requests[0].values("contact"))


@every_profile
@pytest.mark.parametrize("asked", [True, False])
def test_rport_stands_in_via_unless_it_is_switched_off(profile: Profile, asked: bool) -> None:
    """Asterisk's disable_rport."""
    line = started(profile, Transport(), challenge(), ok(60), rport=asked)
    assert line.status().registered
    line.agent.unregister("alice", now=line.now)
    line.run(until=4.0)
    assert len(line.peer.requests) >= 3
    for request in line.peer.requests:
        via = request.get("via") or ""
        assert (";rport;" in via) is asked
        assert ";branch=" in via


def test_a_change_of_rport_is_told_to_the_registrar_at_once() -> None:
    line = started(SIPCORE, Transport())
    line.sent()
    reload(line, account(transport=Transport(), rport=False))
    [request] = line.sent(until=4.0)
    assert "rport" not in (request.get("via") or "")


def test_passwords_of_the_account_stay_where_they_are() -> None:
    assert PASSWORD not in repr(account(transport=nat()))
