"""What the registrar model says that no client may send, and what it must not say of a good one."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.testing.sim.registrar import Rules
from sipcore.testing.sim.registrar_rules import MAX_FAULTS
from tests.testing.sim_registrar_client import CLIENT, CONTACT, SERVER, Caller


def judged(old: str, new: str, **options: Any) -> list[str]:
    """The faults of a request in which one text was replaced by another."""
    caller = Caller(Rules(auth=False))
    data = caller.request(**options).decode()
    assert old in data
    caller.send(data.replace(old, new, 1).encode("utf-8", "surrogateescape"))
    return caller.registrar.faults


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("REGISTER sip:example.com SIP/2.0", "REGISTER sip:example.com SIP/3.0", "start line"),
        ("REGISTER sip:", "register sip:", "start line"),
        ("sip:example.com SIP", "sip:exam ple.com SIP", "start line"),
        ("sip:example.com SIP", "sip:alice@example.com SIP", "to a user"),
        ("Max-Forwards: 70\r\n", "", "no max-forwards"),
        ("Max-Forwards: 70", "Max-Forwards: 256", "Max-Forwards '256'"),
        ("To: <sip:alice@example.com>\r\n", "", "no to"),
        ("From: <sip:alice@example.com>;tag=a\r\n", "", "no from"),
        ("Call-ID: call\r\n", "", "no call-id"),
        ("CSeq: 1 REGISTER\r\n", "", "no cseq"),
        ("CSeq: 1 REGISTER", "CSeq: 1 INVITE", "CSeq method"),
        ("CSeq: 1 REGISTER", "CSeq: one REGISTER", "CSeq number"),
        ("CSeq: 1 REGISTER", "CSeq: 2147483648 REGISTER", "CSeq number"),
        ("Call-ID: call", "Call-ID: call\r\ni: call", "two of call-id"),
        ("Expires: 3600", "Expires: 3600\r\nExpires: 3600", "two of expires"),
        ("Expires: 3600", "Expires: -1", "Expires '-1'"),
        ("Expires: 3600", "Expires: 4294967296", "Expires '4294967296'"),
        (CONTACT, f"{CONTACT};expires=soon", "expires 'soon'"),
        (CONTACT, "*", "Contact * and more"),
        (CONTACT, "nobody", "Contact 'nobody'"),
        ("tag=a", "gat=a", "From without a tag"),
        ("To: <sip:alice@example.com>", "To: <sip:alice@example.com>;tag=b", "To with a tag"),
        ("To: <sip:alice@example.com>", "To: <sip:example.com>", "To without a user"),
        ("branch=z9hG4bK", "branch=", "no branch"),
        ("SIP/2.0/UDP", "SIP/2.0/TCP", "on UDP"),
        ("Via: SIP/2.0/UDP 192.0.2.10:5062", "Via: nonsense", "Via 'nonsense"),
        ("Content-Length: 0", "Content-Length: 5", "Content-Length '5'"),
        ("Content-Length: 0", "Content-Length: none", "Content-Length 'none'"),
        ("\r\n\r\n", "\r\n\r\nabc", "more bytes than Content-Length says"),
        ("\r\nExpires", "\nExpires", "no line end"),
        ("Call-ID: call", "Call-ID: ca\rll", "no line end"),
        ("Call-ID: call", "Call-ID: ca\0ll", "no line end"),
        ("Call-ID: call", "Call-ID: call\r\n: x", "a header line without a name"),
        ("\r\n\r\n", "\r\n", "without an empty line"),
        ("REGISTER sip:example.com SIP/2.0", "REGISTER", "no start line"),
    ],
)
def test_what_no_client_may_send(old: str, new: str, fault: str) -> None:
    assert any(fault in text for text in judged(old, new)), judged(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Content-Length: 0\r\n", ""),
        ("Call-ID:", "i:"),
        ("Contact:", "CONTACT :"),
        ("From: ", "From:\r\n\t"),
        (CONTACT, f"{CONTACT}, <sip:alice@192.0.2.11>;expires=10"),
        ("tag=a", "tag=a;x=1"),
        ("REGISTER sip:example.com SIP/2.0", "SIP/2.0 200 OK"),
        ("\r\n\r\n", "\r\nX-Other: a, b\r\nX-Other: c\r\n\r\n"),
    ],
)
def test_what_a_client_may_well_send(old: str, new: str) -> None:
    assert judged(old, new) == []


def test_a_stream_needs_a_length() -> None:
    caller = Caller(Rules(auth=False))
    caller.connect()
    caller.send(caller.request().replace(b"Content-Length: 0\r\n", b""))
    assert "no content-length on a stream" in caller.registrar.faults[0]


def test_a_branch_with_another_content_is_a_fault() -> None:
    caller = Caller(Rules(auth=False))
    assert caller.ask(branch="z9hG4bKsame").status == 200
    assert caller.ask(branch="z9hG4bKsame", expires=100).all("contact") == [f"{CONTACT};expires=3600"]
    assert "again with another content" in caller.registrar.faults[0]
    caller.later(60)
    caller.ask(branch="z9hG4bKsame", expires=200)
    assert len(caller.registrar.faults) == 2


def test_a_cseq_in_two_requests_is_a_fault_and_a_late_one_is_none() -> None:
    caller = Caller(Rules(auth=False))
    caller.ask(cseq=5)
    caller.ask(cseq=4)
    assert caller.registrar.faults == []
    caller.ask(cseq=5)
    assert "CSeq 5 in two requests" in caller.registrar.faults[0]


def test_a_copy_that_is_very_late_is_no_fault() -> None:
    caller = Caller()
    challenge = caller.ask().one("www-authenticate")
    data = caller.request(authorization=caller.credentials(challenge))
    caller.send(data)
    caller.later(40)
    caller.send(data)
    assert caller.told[-1].late
    assert caller.told[-1].verdict == "stale"
    assert caller.registrar.faults == []


def test_what_is_wrong_with_a_request_is_not_said_again_of_its_copies() -> None:
    caller = Caller(Rules(auth=False))
    data = caller.request(headers={"Max-Forwards": None})
    for _ in range(3):
        caller.send(data)
        caller.later(20)
    assert caller.told[-1].late
    assert len(caller.registrar.faults) == 1


def test_faults_say_when_and_who_and_are_bounded() -> None:
    caller = Caller(Rules(auth=False))
    for _ in range(MAX_FAULTS + 20):
        caller.later(1)
        caller.send(caller.request(headers={"Max-Forwards": None}))
    assert caller.registrar.faults[0] == "1.000 call: no max-forwards"
    assert len(caller.registrar.faults) == MAX_FAULTS
    assert caller.registrar.counters.faults == MAX_FAULTS + 20


def test_nobody_is_judged_where_somebody_changes_what_is_sent() -> None:
    caller = Caller(Rules(judge=False))
    caller.send(caller.request(headers={"Max-Forwards": None, "Authorization": "Digest x"}))
    caller.world.send(b"noise", CLIENT, SERVER)
    caller.later(0)
    assert caller.registrar.faults == []
    assert caller.registrar.counters.noise == 1
