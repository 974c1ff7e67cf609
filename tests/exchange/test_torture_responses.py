"""Answers to a REGISTER with the faults of RFC 4475 and RFC 5118: what a client takes, and what it drops and reports.

The messages themselves belong to no request of ours; here the faults stand in answers that would be right without them.
"""

from __future__ import annotations

import re

import pytest

from sipcore.config import Account
from sipcore.errors import ConfigError
from sipcore.events import InboundRequest, MessageDropped
from sipcore.syntax import Response, parse_message
from sipcore.testing import Answer, Line, ok
from sipcore.values import State
from tests.accounts import TCP, account
from tests.secrecy import PASSWORD
from tests.syntax.test_torture import data

GOOD = Answer(200, contact="{contact};expires=3600")


def faulty(pattern: str, replacement: str) -> Answer:
    """A 200 in which `pattern` has been replaced."""

    def edit(text: bytes) -> bytes:
        changed, count = re.subn(pattern.encode(), replacement.encode(), text, count=1, flags=re.MULTILINE)
        assert count == 1
        return changed

    return Answer(200, contact="{contact};expires=3600", edit=edit)


FAULTS = {
    "badinv01": (r"^(Via: .*)\r", "\\1;;,;,,\r"),
    "clerr": ("^Content-Length: 0", "Content-Length: 9999"),
    "ncl": ("^Content-Length: 0", "Content-Length: -999"),
    "scalarlg": (r"^CSeq: \d+", "CSeq: 9292394834772304023312"),
    "quotbal": ("^To: <", 'To: "Mr. J. User <'),
    "bigcode": ("^SIP/2.0 200", "SIP/2.0 4294967301"),
    "insuf: Call-ID": ("^Call-ID: .*\n", ""),
    "insuf: From": ("^From: .*\n", ""),
    "insuf: To": ("^To: .*\n", ""),
    "multi01: CSeq": ("^(CSeq: .*\n)", "\\1CSeq: 59 REGISTER\r\n"),
    "multi01: Call-ID": ("^(Call-ID: .*\n)", "\\1Call-ID: multi01.98asdh@192.0.2.2\r\n"),
    "multi01: From": ("^(From: .*\n)", "\\1From: <sip:alice@example.com>;tag=2923420123\r\n"),
    "multi01: To": ("^(To: .*\n)", "\\1To: <sip:other@example.net>\r\n"),
    "mcl01": ("^(Content-Length: 0\r\n)", "Content-Length: 13\r\n\\1"),
    "bcast": ("^(Via: .*\n)", "\\1Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\r\n"),
    "bad version": ("^SIP/2.0 200", "SIP/7.0 200"),
}

ROWS = [
    ("RFC4475-3.1.2.1-01", ["badinv01"]),
    ("RFC4475-3.1.2.2-01", ["clerr"]),
    ("RFC4475-3.1.2.3-01", ["ncl"]),
    ("RFC4475-3.1.2.5-01", ["scalarlg"]),
    ("RFC4475-3.1.2.6-01", ["quotbal"]),
    ("RFC4475-3.1.2.16-01", ["bad version"]),
    ("RFC4475-3.1.2.19-01", ["bigcode"]),
    ("RFC4475-3.3.1-01", ["insuf: Call-ID", "insuf: From", "insuf: To"]),
    ("RFC4475-3.3.8-01", ["multi01: CSeq", "multi01: Call-ID", "multi01: From", "multi01: To"]),
    ("RFC4475-3.3.9-01", ["mcl01"]),
    ("RFC4475-3.3.10-01", ["bcast"]),
]


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=pytest.mark.requirement(row), id=name) for row, names in ROWS for name in names]
)
def test_a_faulty_answer_is_dropped_and_reported_and_the_request_goes_on(fault: str) -> None:
    line = Line(account(), script=[faulty(*FAULTS[fault])])
    line.register()
    assert line.status().state is State.UNREGISTERED
    (dropped,) = line.told(MessageDropped)
    assert (dropped.count, dropped.source) == (1, ("192.0.2.1", 5060))
    first, copy = line.sent(until=0.5)
    assert copy == first, "timer E goes on as if nothing had come"
    line.peer.answer(ok())
    # The peer gives copies the answer of the first, so only the next attempt gets the sound one.
    line.run(until=200.0)
    assert line.status().state is State.REGISTERED


@pytest.mark.requirement("RFC4475-3.1.2.3-01", "RFC4475-3.3.9-01", "RFC4475-3.1.2.2-01")
@pytest.mark.parametrize("fault", ["ncl", "mcl01", "clerr"])
def test_on_a_connection_a_lost_framing_ends_it_and_it_is_recovered(fault: str) -> None:
    line = Line(account(transport=TCP), script=[faulty(*FAULTS[fault]), ok()])
    line.register()
    (flow,) = line.station.flows or (None,)
    if fault == "clerr":
        assert flow is not None, "a body that may still come is waited for"
        line.run(until=31.9)
        assert line.status().state is State.UNREGISTERED
        assert line.station.flows == (flow,)
    line.run(until=40.0)
    causes = [event.cause for event in line.told(MessageDropped)]
    assert len(causes) == 1
    assert ("incomplete message" if fault == "clerr" else "Content-Length") in causes[0]
    line.run(until=200.0)
    assert line.status().state is State.REGISTERED
    assert line.station.flows != (flow,)


@pytest.mark.requirement("RFC4475-3.1.1.12-01", "RFC4475-3.1.1.13-01")
@pytest.mark.parametrize("reason", ["= 2**3 * 5**2 но сто девяносто девять - простое", ""])
def test_any_reason_phrase_is_as_good_as_any(reason: str) -> None:
    line = Line(account(), script=[Answer(200, contact="{contact};expires=3600", reason=reason, provisional=(100,))])
    line.register()
    assert line.status().state is State.REGISTERED
    assert line.told(MessageDropped) == []


@pytest.mark.requirement("RFC5118-4.5-01")
def test_received_is_the_same_address_with_and_without_brackets() -> None:
    learnt = []
    for received in ("[2001:db8::9:255]", "2001:db8::9:255"):
        answers: list[bytes] = []

        def edit(text: bytes, received: str = received, answers: list[bytes] = answers) -> bytes:
            answers.append(re.sub(rb";received=[^;\r]*", b";received=" + received.encode(), text))
            return answers[0]

        line = Line(account(), script=[Answer(200, contact="{contact};expires=3600", edit=edit)])
        line.register()
        assert line.status().state is State.REGISTERED
        response = parse_message(answers[0])
        assert isinstance(response, Response)
        learnt.append(response.via.received)
    assert learnt == ["2001:db8::9:255", "2001:db8::9:255"]


@pytest.mark.requirement("RFC5118-4.2-01")
def test_ipv6_without_brackets_is_no_registrar() -> None:
    with pytest.raises(ConfigError, match="sip:2001:db8::10"):
        Account("sip:user@example.com", registrar="sip:2001:db8::10", password=PASSWORD)


# --- requests to a client --------------------------------------------------------------------------------------------

NOTIFY = (
    "NOTIFY sip:alice@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK7\r\n"
    "From: <sip:example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: c\r\nCSeq: 1 NOTIFY\r\n"
    "Content-Length: 0\r\n\r\n"
)


def notify(*edits: tuple[str, str]) -> tuple[list[int], list[InboundRequest], list[str]]:
    """The statuses sent, what was handed over and what was dropped, when each edit makes one NOTIFY."""
    line = Line(account(), script=[ok()], handles=["NOTIFY"])
    line.register()
    (flow,) = line.station.flows
    seen = len(line.station.outputs)
    for before, after in edits:
        assert before in NOTIFY
        line.agent.receive(flow, NOTIFY.replace(before, after).encode(), ("192.0.2.1", 5060), now=line.now)
    line.run()
    handed = line.told(InboundRequest)
    outputs = [item.output for item in line.station.outputs[seen:]]
    messages = [parse_message(item.data) for item in outputs if hasattr(item, "data") and hasattr(item, "remote")]
    dropped = [item.cause for item in outputs if isinstance(item, MessageDropped)]
    return [message.status for message in messages if isinstance(message, Response)], handed, dropped


def test_a_sound_notify_is_handed_over() -> None:
    sent, handed, dropped = notify(("Call-ID: c", "Call-ID: d"))
    assert (sent, len(handed), dropped) == ([], 1, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("To: <", 'To: "Mr. J. User <', marks=pytest.mark.requirement("RFC4475-3.1.2.6-01"), id="quotbal"),
        pytest.param(
            "sip:alice@192.0.2.10 ",
            "sip:alice@192.0.2.10?Route=%3Csip:example.com%3E ",
            marks=pytest.mark.requirement("RFC4475-3.1.2.11-01"),
            id="escruri",
        ),
        pytest.param(
            "sip:alice@192.0.2.10 ",
            "sip:2001:db8::10 ",
            marks=pytest.mark.requirement("RFC5118-4.2-01"),
            id="ipv6-bad",
        ),
        pytest.param("1 NOTIFY", "1 REGISTER", marks=pytest.mark.requirement("RFC4475-3.1.2.17-01"), id="mismatch01"),
        pytest.param("To: ", "X: ", marks=pytest.mark.requirement("RFC4475-3.3.1-01"), id="insuf"),
        pytest.param(
            "CSeq: ", "CSeq: 2 NOTIFY\r\nCSeq: ", marks=pytest.mark.requirement("RFC4475-3.3.8-01"), id="multi01"
        ),
        pytest.param(
            "CSeq: 1 ",
            "CSeq: 36893488147419103232 ",
            marks=pytest.mark.requirement("RFC4475-3.1.2.4-01"),
            id="scalar02",
        ),
    ],
)
def test_a_request_that_is_wrong_inside_gets_400_and_nobody_is_told(before: str, after: str) -> None:
    assert notify((before, after)) == ([400], [], [])


@pytest.mark.requirement("RFC4475-3.1.2.18-01")
def test_mismatch02_gets_501_and_nobody_is_told() -> None:
    line = Line(account(), script=[ok()], handles=["NOTIFY"])
    line.register()
    (flow,) = line.station.flows
    line.agent.receive(flow, data("mismatch02"), ("192.0.2.1", 5060), now=line.now)
    assert parse_message(line.agent.next_output().data).status == 501  # type: ignore[union-attr]
    assert line.agent.next_output() is None


@pytest.mark.requirement("RFC4475-3.2.1-01")
def test_two_requests_with_a_bare_cookie_are_two() -> None:
    sent, handed, dropped = notify(
        (";branch=z9hG4bK7\r\n", ";branch=z9hG4bK\r\n"),
        (
            ";branch=z9hG4bK7\r\nFrom: <sip:example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: c",
            ";branch=z9hG4bK\r\nFrom: <sip:example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: d",
        ),
    )
    assert (sent, len(handed), dropped) == ([], 2, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sip:alice@192.0.2.10 ", "<sip:alice@192.0.2.10> "),
        ("sip:alice@192.0.2.10 ", "sip:alice@192.0.2.10; lr "),
        ("NOTIFY sip:", "NOTIFY  sip:"),
        ("SIP/2.0\r\nVia", "SIP/2.0 \r\nVia"),
        ("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"),
        ("branch=z9hG4bK7", ";,;,,"),
        ("Content-Length: 0", "Content-Length: 9999"),
    ],
    ids=["ltgtruri", "lwsruri", "lwsstart", "trws", "badvers", "badinv01", "clerr"],
)
def test_what_a_client_cannot_read_it_drops_and_reports(before: str, after: str) -> None:
    sent, handed, dropped = notify((before, after))
    assert (sent, handed, len(dropped)) == ([], [], 1)
