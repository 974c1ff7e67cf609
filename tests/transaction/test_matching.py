"""A response is ours only when every identity is."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.message import Response, parse_message
from sipcore.transaction.matching import mismatch
from sipcore.values import Address, Protocol
from tests.transaction.case import REMOTE, Case

VIA = "SIP/2.0/UDP 192.0.2.9:5062;rport;branch=z9hG4bKab"
FROM = "<sip:alice@example.com>;tag=1"
TO = "<sip:alice@example.com>"
LINES = {"Via": VIA, "From": FROM, "To": f"{TO};tag=reg1", "Call-ID": "c", "CSeq": "1 REGISTER"}


def response(**changes: str | None) -> Response:
    lines = LINES | {name.replace("_", "-"): value for name, value in changes.items()}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    message = parse_message(f"SIP/2.0 200 OK\r\n{text}\r\n".encode())
    assert isinstance(message, Response)
    return message


def wrong(answer: Response, *, case: Case | None = None, source: Address | None = REMOTE, **options: Any) -> str | None:
    case = case or Case(**options)
    return mismatch(case.transaction, answer, case.flow, source)


def test_a_copy_of_all_identities_is_ours() -> None:
    assert wrong(response()) is None


@pytest.mark.requirement("RFC3261-17.1.3-01", "RFC3261-18.1.2-01", "RFC3261-8.1.3.3-01")
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"Via": f"{VIA}, SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKother"}, "more than one Via"),
        ({"Via": None}, "more than one Via"),
        ({"Via": VIA.replace("192.0.2.9", "192.0.2.10")}, "Via is not ours"),
        ({"Via": VIA.replace("5062", "5063")}, "Via is not ours"),
        ({"Via": VIA.replace(":5062", "")}, "Via is not ours"),
        ({"Call_ID": "d"}, "another Call-ID"),
        ({"Call_ID": "C"}, "another Call-ID"),
        ({"Call_ID": None}, "another Call-ID"),
        ({"CSeq": "2 REGISTER"}, "another CSeq"),
        ({"CSeq": "1 OPTIONS"}, "another CSeq"),
        ({"CSeq": "1 register"}, "another CSeq"),
        ({"From": FROM.replace("tag=1", "tag=2")}, "another From"),
        ({"From": TO}, "another From"),
        ({"From": FROM.replace("alice", "bob")}, "another From"),
        ({"From": FROM.replace("example.com", "example.org")}, "another From"),
        ({"To": TO.replace("alice", "bob")}, "another To"),
        ({"To": TO.replace("sip:", "sips:")}, "another To"),
    ],
)
def test_one_wrong_identity_is_enough(changes: dict[str, str | None], cause: str) -> None:
    found = wrong(response(**changes))
    assert found is not None
    assert cause in found


@pytest.mark.parametrize(
    "changes",
    [
        {"Via": "SIP / 2.0 / UDP 192.0.2.9 : 5062 ; branch = z9hG4bKab;received=192.0.2.9;rport=5062"},
        {"CSeq": "0001  REGISTER"},
        {"From": '"Alice" <sip:alice@EXAMPLE.com>; tag=1'},
        {"From": "sip:alice@example.com;tag=1"},
        {"To": "<sip:%61lice@Example.COM>;tag=x"},
        {"To": TO},
    ],
)
def test_the_same_in_other_words_is_ours(changes: dict[str, str | None]) -> None:
    assert wrong(response(**changes)) is None


@pytest.mark.parametrize(
    "changes",
    [{"CSeq": "x"}, {"CSeq": None}, {"From": "<"}, {"From": None}, {"To": "<"}, {"To": None}, {"Via": "SIP/2.0/UDP"}],
)
def test_what_cannot_be_read_is_malformed(changes: dict[str, str | None]) -> None:
    with pytest.raises(RemoteProtocolError):
        wrong(response(**changes))


def test_a_uri_that_cannot_be_read_is_another() -> None:
    assert wrong(response(To="<sip:@>")) == "a response with another To"


@pytest.mark.requirement("RFC3261-18.1.1-05")
def test_on_udp_the_answer_comes_from_the_host_that_was_asked() -> None:
    assert wrong(response(), source=("192.0.2.1", 9999)) is None
    assert wrong(response(), source=("192.0.2.66", 5060)) == "a response from another address"
    assert wrong(response(), source=("192.0.2.66", 5060), any_source=True) is None
    # A driver with a connected socket need not say it.
    assert wrong(response(), source=None) is None


def test_another_flow_is_another_connection() -> None:
    case = Case(Protocol.TCP)
    other = case.host.opened(Protocol.TCP, ("192.0.2.1", 5061))
    assert mismatch(case.transaction, response(), other, None) == "a response over another flow"
    assert mismatch(case.transaction, response(), case.flow, None) is None
    assert mismatch(case.transaction, response(), case.flow, ("198.51.100.1", 1)) is None


def test_ipv6_and_the_default_port() -> None:
    case = Case(sent_by="[2001:db8::9]:5060")
    assert wrong(response(Via="SIP/2.0/UDP [2001:DB8::9];branch=z9hG4bKab"), case=case) is None
    assert wrong(response(Via="SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bKab"), case=case) is None
    assert wrong(response(Via="SIP/2.0/UDP [2001:db8::8];branch=z9hG4bKab"), case=case) is not None
