"""How a REGISTER is written: each line of it, and where it goes."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.config import Account, Transport
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.registration.request import Texts, contact_value, write_register
from sipcore.syntax import Request, parse_message
from sipcore.syntax.addresses import parse_name_addr
from sipcore.values import Address, Protocol
from tests.secrecy import PASSWORD

ALICE = "sip:alice@example.com"


def write(account: Account, *, allowed: str = "OPTIONS, ACK", **changes: Any) -> bytes:
    texts = Texts(account, allowed)
    values: dict[str, Any] = {
        "protocol": "UDP",
        "sent_by": "192.0.2.9:5062",
        "branch": "z9hG4bK77",
        "aor": f"<{account.aor}>",
        "from_value": f"<{account.aor}>;tag=t1",
        "call_id": "c1",
        "cseq": 5,
        "contacts": "<sip:alice@192.0.2.9:5062>",
        "expires": 3600,
        "credentials": [],
        "request_uri": texts.request_uri,
        "removal": False,
    }
    return write_register(texts, **(values | changes))


def lines(account: Account, **changes: Any) -> list[str]:
    data = write(account, **changes)
    assert data.endswith(b"\r\n\r\n")
    return data.decode()[:-4].split("\r\n")


def request(account: Account, **changes: Any) -> Request:
    message = parse_message(write(account, **changes))
    assert isinstance(message, Request)
    return message


@pytest.mark.requirement("RFC3261-8.1.1-01", "RFC3261-8.1.1.6-01", "RFC3581-3-01")
def test_a_plain_register() -> None:
    assert lines(Account(ALICE)) == [
        "REGISTER sip:example.com SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9:5062;rport;branch=z9hG4bK77",
        "Max-Forwards: 70",
        "From: <sip:alice@example.com>;tag=t1",
        "To: <sip:alice@example.com>",
        "Call-ID: c1",
        "CSeq: 5 REGISTER",
        "Contact: <sip:alice@192.0.2.9:5062>",
        "Expires: 3600",
        "Allow: OPTIONS, ACK",
        "Content-Length: 0",
    ]


@pytest.mark.requirement("RFC3261-8.1.1.9-01", "RFC3261-20.5-01", "RFC3261-20.14-01")
def test_a_full_register() -> None:
    account = Account(
        ALICE,
        outbound_proxy=("<sip:p.example;lr>",),
        supported=("path", "outbound"),
        allow=("INVITE", "BYE"),
        user_agent="phone/1 (ü)",
        extra_headers=(("X-A", "1"), ("X-B", "zwei")),
        max_forwards=5,
    )
    credentials = [("Authorization", 'Digest username="alice"'), ("Proxy-Authorization", "Digest x=1")]
    assert lines(account, protocol="TCP", credentials=credentials)[1:] == [
        "Via: SIP/2.0/TCP 192.0.2.9:5062;rport;branch=z9hG4bK77",
        "Route: <sip:p.example;lr>",
        "Max-Forwards: 5",
        "From: <sip:alice@example.com>;tag=t1",
        "To: <sip:alice@example.com>",
        "Call-ID: c1",
        "CSeq: 5 REGISTER",
        "Contact: <sip:alice@192.0.2.9:5062>",
        "Expires: 3600",
        "Allow: INVITE, BYE",
        "Supported: path, outbound",
        "User-Agent: phone/1 (ü)",
        "X-A: 1",
        "X-B: zwei",
        'Authorization: Digest username="alice"',
        "Proxy-Authorization: Digest x=1",
        "Content-Length: 0",
    ]


@pytest.mark.requirement("RFC3261-10.2.2-02")
def test_a_removal_of_everything() -> None:
    message = request(Account(ALICE), contacts="*", expires=0, removal=True)
    assert message.get_all("contact") == ["*"]
    assert message.expires == 0
    assert message.get("allow") is None


def test_no_allow_when_there_is_none() -> None:
    assert request(Account(ALICE, allow=())).get("allow") is None
    assert request(Account(ALICE), allowed="").get("allow") is None


@pytest.mark.requirement("RFC3261-10.2-01")
@pytest.mark.parametrize(
    ("profile", "uri"),
    [
        (SIPCORE, "sip:example.com:5070;transport=tcp"),
        (JSSIP, "sip:example.com:5070;transport=tcp"),
        (ASTERISK, "sip:bob@example.com:5070;transport=tcp"),
    ],
)
def test_the_request_uri_has_no_user_unless_asterisk_says_so(profile: Profile, uri: str) -> None:
    account = Account(ALICE, registrar="sip:bob@example.com:5070;transport=tcp", profile=profile)
    assert request(account).uri == uri


@pytest.mark.requirement("RFC3261-12.2.1.1-01", "RFC3261-8.1.1.1-01", "RFC3261-10.2-10")
def test_a_loose_route_leaves_the_request_uri_alone() -> None:
    account = Account(ALICE, outbound_proxy=("<sip:p.example;lr;x=1>;y=2", "<sip:q.example;lr>"))
    message = request(account)
    assert message.uri == "sip:example.com"
    assert message.get_all("route") == ["<sip:p.example;lr;x=1>;y=2", "<sip:q.example;lr>"]


@pytest.mark.requirement("RFC3261-12.2.1.1-02")
def test_a_strict_router_takes_the_request_uri() -> None:
    account = Account(ALICE, outbound_proxy=("<sip:p.example:5070>", "<sip:q.example;lr>"))
    message = request(account)
    assert message.uri == "sip:p.example:5070"
    assert message.get_all("route") == ["<sip:q.example;lr>", "<sip:example.com>"]


@pytest.mark.requirement("RFC3261-8.1.2-01")
def test_requests_go_to_the_first_route_else_to_the_registrar() -> None:
    assert str(Texts(Account(ALICE), "").hop.uri) == "sip:example.com"
    account = Account(ALICE, outbound_proxy=("<sip:p.example:5070;transport=tcp;lr>", "<sip:q.example;lr>"))
    assert str(Texts(account, "").hop.uri) == "sip:p.example:5070;transport=tcp;lr"
    strict = Account(ALICE, outbound_proxy=("<sip:p.example>",))
    assert str(Texts(strict, "").hop.uri) == "sip:p.example"
    transport = Transport(protocol=Protocol.TCP)
    assert Texts(Account(ALICE, transport=transport), "").hop.transport is transport


def test_accounts_that_write_the_same_share_their_texts() -> None:
    """Equal keys mean equal texts: two accounts share what differs in nothing but their own values."""
    account = Account(ALICE)
    assert Texts.key(account) == Texts.key(Account("sip:bob@example.com", password=f"{PASSWORD}-x", expires=60))
    for changed in (
        Account(ALICE, registrar="sip:r.example"),
        Account(ALICE, outbound_proxy=("<sip:p.example;lr>",)),
        Account(ALICE, transport=Transport(protocol=Protocol.TCP)),
        Account(ALICE, profile=ASTERISK),
        Account(ALICE, allow=("BYE",)),
        Account(ALICE, supported=("path",)),
        Account(ALICE, max_forwards=1),
        Account(ALICE, user_agent="x"),
        Account(ALICE, extra_headers=(("X-A", "1"),)),
        Account(ALICE, compact_headers=True),
    ):
        assert Texts.key(changed) != Texts.key(account)


@pytest.mark.requirement("RFC3261-20.10-01")
@pytest.mark.parametrize(
    ("address", "reliable", "line", "expected"),
    [
        (("192.0.2.9", 5062), False, "", "<sip:alice@192.0.2.9:5062>"),
        (("192.0.2.9", 5062), True, "", "<sip:alice@192.0.2.9:5062;transport=TCP>"),
        (("2001:db8::9", 5062), False, "", "<sip:alice@[2001:db8::9]:5062>"),
        (("fe80::1%eth0", 5062), False, "f00d", "<sip:alice@[fe80::1]:5062;line=f00d>"),
    ],
)
def test_the_contact_says_where_we_are(address: Address, reliable: bool, line: str, expected: str) -> None:
    assert contact_value(Account(ALICE), "alice", address, reliable=reliable, line=line) == expected


def test_the_contact_carries_the_parameters_of_both_kinds() -> None:
    account = Account(
        ALICE, contact_parameters=";ob;x=1", contact_header_parameters=';+sip.instance="<urn:uuid:1>";reg-id=1'
    )
    text = contact_value(account, "a%20b", ("192.0.2.9", 5062), reliable=True, line="f00d")
    assert text == ('<sip:a%20b@192.0.2.9:5062;transport=TCP;ob;x=1;line=f00d>;+sip.instance="<urn:uuid:1>";reg-id=1')
    contact = parse_name_addr(text)
    assert contact.get("+sip.instance") == '"<urn:uuid:1>"'
    assert contact.uri.get("ob") == ""
