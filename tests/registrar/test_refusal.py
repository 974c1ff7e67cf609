"""What a registrar says to requests that cannot be read, or not be understood: never nothing, never too much."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore.commands import CloseFlow, Command, Transmit
from sipcore.events import Event, MessageDropped
from sipcore.inbound.refusal import MAX_GROWTH
from sipcore.registrar import RegistrarPolicy
from sipcore.registrar.rules import MAX_REMEMBERED
from sipcore.server import Registrar
from sipcore.syntax import Response, parse_message
from sipcore.syntax.limits import MAX_BODY, MAX_CONTACTS, MAX_DATAGRAM, MAX_HEADER_BLOCK, MAX_HEADERS, MAX_START_LINE
from sipcore.values import Protocol
from tests.syntax.test_torture import data
from tests.syntax.torture_outcomes import CLIENT, OPEN, at_registrar, serving

UDP, TCP = Protocol.UDP, Protocol.TCP


def request(start: str = "REGISTER sip:example.com SIP/2.0", **headers: str | None) -> bytes:
    """A REGISTER; a header is named with `_` for `-`, and None leaves it out."""
    method = start.partition(" ")[0]
    known: dict[str, str | None] = {
        "Via": "SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK1;rport",
        "From": "<sip:user@example.com>;tag=t",
        "To": "<sip:user@example.com>",
        "Call-ID": "c1",
        "CSeq": f"1 {method}",
        "Contact": "<sip:user@192.0.2.7>",
        "Content-Length": "0",
    }
    known.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [start, *[f"{name}: {value}" for name, value in known.items() if value is not None]]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def outputs(registrar: Registrar) -> list[Command | Event]:
    found = []
    while (output := registrar.next_output()) is not None:
        found.append(output)
    return found


def feed(text: bytes, protocol: Protocol = UDP, policy: RegistrarPolicy = OPEN) -> list[Command | Event]:
    registrar, flow = serving(protocol, policy)
    registrar.receive(flow, text, CLIENT, now=1.0)
    return outputs(registrar)


def ask(text: bytes, protocol: Protocol = UDP, policy: RegistrarPolicy = OPEN) -> Response:
    """The one response."""
    (sent,) = [output for output in feed(text, protocol, policy) if isinstance(output, Transmit)]
    message = parse_message(sent.data)
    assert isinstance(message, Response)
    return message


# --- what cannot be read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        pytest.param(
            request("REGISTER <sip:example.com> SIP/2.0"),
            400,
            "Malformed Request-Line",
            marks=pytest.mark.requirement("RFC4475-3.1.2.7-01"),
            id="ltgtruri",
        ),
        pytest.param(
            request("REGISTER sip:example.com; lr SIP/2.0"),
            400,
            "Malformed Request-Line",
            marks=pytest.mark.requirement("RFC4475-3.1.2.8-01"),
            id="lwsruri",
        ),
        pytest.param(
            request("REGISTER  sip:example.com  SIP/2.0"),
            400,
            "Malformed Request-Line",
            marks=pytest.mark.requirement("RFC4475-3.1.2.9-01"),
            id="lwsstart",
        ),
        pytest.param(
            request("REGISTER sip:example.com SIP/2.0  "),
            400,
            "Malformed Request-Line",
            marks=pytest.mark.requirement("RFC4475-3.1.2.10-01"),
            id="trws",
        ),
        pytest.param(
            request("REGISTER sip:example.com SIP/7.0"),
            505,
            "Version Not Supported",
            marks=pytest.mark.requirement("RFC4475-3.1.2.16-01", "RFC3261-7.1-05"),
            id="badvers",
        ),
        pytest.param(
            request(Content_Length="9999"),
            400,
            "The body is shorter than Content-Length says",
            marks=pytest.mark.requirement("RFC4475-3.1.2.2-01", "RFC3261-18.3-01"),
            id="clerr",
        ),
        pytest.param(
            request(Content_Length="-999"),
            400,
            "Malformed or contradictory Content-Length",
            marks=pytest.mark.requirement("RFC4475-3.1.2.3-01"),
            id="ncl",
        ),
        pytest.param(
            request(l="1"),
            400,
            "Malformed or contradictory Content-Length",
            marks=pytest.mark.requirement("RFC4475-3.3.9-01"),
            id="mcl01",
        ),
        pytest.param(
            request(Via="SIP/2.0/UDP 192.0.2.7:5062;;,;,,"),
            400,
            "Missing or malformed Via",
            marks=pytest.mark.requirement("RFC4475-3.1.2.1-01"),
            id="badinv01",
        ),
        pytest.param(
            request(Via="SIP/2.0/UDP 192.0.2.7:5062", To=None), 400, "Missing or malformed To", id="no branch, no To"
        ),
        pytest.param(request(X="y\nz"), 400, "A CR, LF or NUL that is no line end", id="bare LF"),
        pytest.param(request(**{"bad name": "x"}), 400, "Malformed header name", id="name"),
        pytest.param(request(X="y" * 20_000), 513, "A header is too long", id="long header"),
        pytest.param(
            request(f"REGISTER sip:{'x' * MAX_START_LINE} SIP/2.0"), 513, "The start line is too long", id="long line"
        ),
        pytest.param(request(**{f"X{n}": "" for n in range(300)}), 513, "Too many headers", id="many headers"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_and_reported(text: bytes, status: int, reason: str) -> None:
    dropped, sent = feed(text)
    assert isinstance(dropped, MessageDropped)
    assert dropped.source == CLIENT
    assert isinstance(sent, Transmit)
    answer = parse_message(sent.data)
    assert isinstance(answer, Response)
    assert (answer.status, answer.reason) == (status, reason)
    assert (answer.get("call-id"), answer.get("cseq")) == ("c1", "1 REGISTER")
    assert answer.via.received == CLIENT[0]


@pytest.mark.parametrize("contact", ["*", "<sip:user@192.0.2.7>"])
def test_two_lifetimes_are_none(contact: str) -> None:
    """Which of them counts, two readers would answer differently."""
    assert ask(request(Contact=contact, Expires="0\r\nExpires: 60")).status == 400
    assert ask(request(Contact=contact, Expires="0")).status == 200


def test_what_is_found_too_much_only_when_it_is_read_is_refused_as_such() -> None:
    contacts = ", ".join([f"<sip:u{number}@192.0.2.7>" for number in range(MAX_CONTACTS + 1)])
    assert ask(request(Contact=contacts)).status == 513
    assert ask(request(Contact="<sip:u@192.0.2.7>;expires=5;expires=6")).status == 400


def test_it_goes_back_where_it_came_from() -> None:
    bad = "REGISTER  sip:example.com SIP/2.0"
    for via, port in (
        ("SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK1;rport", CLIENT[1]),
        ("SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK1", 5062),
        ("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1", 5060),
        ("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1;maddr=198.51.100.7", 5060),
    ):
        (_, sent) = feed(request(bad, Via=via))
        assert isinstance(sent, Transmit)
        assert sent.remote == (CLIENT[0], port)
    assert len(feed(request(bad, Via="SIP/2.0/UDP 192.0.2.7;maddr=203.0.113.9"))) == 1, "nobody else is troubled"
    (_, sent) = feed(request(bad, Via="SIP/2.0/TCP 192.0.2.7;maddr=203.0.113.9"), TCP)
    assert isinstance(sent, Transmit)
    assert sent.remote is None


def test_copies_get_the_same_bytes_and_nothing_is_kept() -> None:
    registrar, flow = serving(UDP)
    found = set()
    for second in range(3):
        registrar.receive(flow, data("trws"), CLIENT, now=float(second))
        (sent,) = [output for output in outputs(registrar) if isinstance(output, Transmit)]
        found.add(sent.data)
    assert len(found) == 1
    assert re.search(rb"\r\nTo: [^\r]*;tag=[0-9a-f]{16}\r\n", found.pop())
    assert registrar.next_deadline() is None


def test_silence_is_still_complete() -> None:
    for name in ("trws", "badinv01", "badvers"):
        assert not any(isinstance(output, Transmit) for output in feed(data(name), UDP, RegistrarPolicy(silent=True)))


def test_nobody_is_named_and_nobody_is_answered() -> None:
    registrar, flow = serving(UDP)
    registrar.receive(flow, data("trws"), None, now=1.0)
    assert [type(output) for output in outputs(registrar)] == [MessageDropped]


# --- never too much --------------------------------------------------------------------------------------------------

PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([b"\r\n", b"\r\n ", b"\n", b"\0", b";", b",", b'"', b"  ", b"v:a\r\n", b"Via: ", b"SIP/7.0"]),
)
SOUND = request()


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(SOUND)), st.integers(0, 20), PIECES), max_size=6))
def test_an_answer_is_hardly_longer_than_its_request_and_never_answered_itself(
    edits: list[tuple[int, int, bytes]],
) -> None:
    """Law: at most one answer, to the host that asked, longer by a constant at most, and no answer gets an answer."""
    text = SOUND
    for place, length, piece in edits:
        text = text[:place] + piece + text[place + length :]
    found = feed(text)
    sent = [output for output in found if isinstance(output, Transmit)]
    assert len(sent) <= 1
    for output in sent:
        assert output.remote is not None
        assert output.remote[0] == CLIENT[0]
        assert len(output.data) <= len(text) + MAX_GROWTH
        assert [type(item) for item in feed(output.data)] == [MessageDropped]


def test_many_compact_names_are_not_written_out() -> None:
    vias = "".join(f"v:SIP/2.0/UDP h{number}\r\n" for number in range(MAX_HEADERS - 1))
    text = b"OPTIONS  sip:a SIP/2.0\r\n" + vias.encode() + b"\r\n"
    assert [type(output) for output in feed(text)] == [MessageDropped]


def test_what_no_datagram_could_carry_is_not_sent() -> None:
    text = request("REGISTER  sip:a SIP/2.0", From=f"<sip:a@{'x' * (MAX_DATAGRAM - 400)}>")
    text += b"x" * (MAX_DATAGRAM - len(text))
    (_, sent) = feed(text)
    assert isinstance(sent, Transmit)
    assert len(sent.data) <= MAX_DATAGRAM
    text = text.rstrip(b"x").replace(b"<sip:a@", b"<sip:a@" + b"x" * (MAX_DATAGRAM - len(text.rstrip(b"x"))))
    assert len(text) == MAX_DATAGRAM
    assert [type(output) for output in feed(text)] == [MessageDropped]


# --- connections -----------------------------------------------------------------------------------------------------

LOST = {
    "contradictory": (request(l="3"), 400, "Contradictory Content-Length"),
    "negative": (request(Content_Length="-999"), 400, "Malformed Content-Length"),
    "missing": (request(Content_Length=None), 400, "No Content-Length on a stream"),
    "body": (request(Content_Length=str(MAX_BODY + 1)), 513, "The body is too long"),
    "headers": (request(X="y" * MAX_HEADER_BLOCK), 513, "The headers are too long"),
    "start line": (request(f"REGISTER sip:{'x' * MAX_START_LINE} SIP/2.0"), None, ""),
    "garbage": (b"\rREGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n\r\n", None, ""),
}


@pytest.mark.requirement("RFC4475-3.3.9-01", "RFC3261-18.3-02")
@pytest.mark.parametrize("name", LOST)
def test_a_connection_whose_framing_is_lost_is_answered_and_closed(name: str) -> None:
    text, status, reason = LOST[name]
    found = feed(text + b"more that nobody reads", TCP)
    assert isinstance(found[0], MessageDropped)
    assert isinstance(found[-1], CloseFlow)
    if status is None:
        assert len(found) == 2
    else:
        (_, sent, _) = found
        assert isinstance(sent, Transmit)
        answer = parse_message(sent.data)
        assert isinstance(answer, Response)
        assert (answer.status, answer.reason) == (status, reason)


@pytest.mark.parametrize("name", [*LOST, "mcl01", "ncl", "inv2543", "dblreq", "trws", "badvers"])
def test_however_a_connection_is_cut_it_hears_the_same(name: str) -> None:
    """Law: whole and in pieces, the same outputs in the same order."""
    text = LOST[name][0] if name in LOST else data(name)
    found = []
    for size in (len(text), 1, 1000):
        registrar, flow = serving(TCP)
        for start in range(0, len(text), size):
            registrar.receive(flow, text[start : start + size], now=1.0)
        found.append(outputs(registrar))
    assert found[0] == found[1] == found[2]


@pytest.mark.requirement("RFC4475-3.1.2.2-01")
def test_a_body_that_never_comes_ends_the_connection_and_is_reported() -> None:
    assert at_registrar(data("clerr"), TCP) == ("waits", "dropped: incomplete message", "closed")


# --- what can be read and not be understood --------------------------------------------------------------------------


@pytest.mark.requirement("RFC4475-3.1.2.4-01")
def test_scalar02_only_cseq_is_fatal() -> None:
    text = data("scalar02")
    registrar, flow = serving(UDP)
    registrar.receive(flow, text, CLIENT, now=1.0)
    assert [parse_message(item.data).status for item in outputs(registrar) if isinstance(item, Transmit)] == [400]  # type: ignore[union-attr]
    assert registrar.addresses == 0
    answer = ask(text.replace(b"36893488147419103232 REGISTER", b"1 REGISTER"))
    assert answer.status == 200
    assert re.search(r";expires=3600\b", answer.get("contact") or "")
    assert ask(text.replace(b"36893488147419103232 REGISTER", b"4294967296 REGISTER")).status == 400
    assert ask(text.replace(b"36893488147419103232 REGISTER", b"-1 REGISTER")).status == 400


@pytest.mark.requirement("RFC4475-3.1.2.13-01")
def test_regbadct_is_400_and_binds_nothing() -> None:
    registrar, flow = serving(UDP)
    registrar.receive(flow, data("regbadct"), CLIENT, now=1.0)
    (sent,) = [output for output in outputs(registrar) if isinstance(output, Transmit)]
    assert sent.data.startswith(b"SIP/2.0 400 ")
    assert registrar.addresses == 0


@pytest.mark.requirement("RFC4475-3.3.5-01")
def test_bext01_lists_what_require_asks_for_and_nothing_else() -> None:
    answer = ask(data("bext01"))
    assert answer.status == 420
    assert answer.get("unsupported") == "nothingSupportsThis, nothingSupportsThisEither"


@pytest.mark.requirement("RFC4475-3.3.12-01", "RFC4475-3.3.13-01", "RFC4475-3.3.14-01")
@pytest.mark.parametrize(
    ("name", "contact"),
    [
        ("cparam01", "<sip:+19725552222@gw1.example.net>;expires=3600;unknownparam"),
        ("cparam02", "<sip:+19725552222@gw1.example.net;unknownparam>;expires=3600"),
        ("regescrt", "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>;expires=3600"),
    ],
)
def test_contacts_come_back_as_they_were(name: str, contact: str) -> None:
    assert ask(data(name)).get_all("contact") == [contact]


@pytest.mark.requirement("RFC4475-3.3.7-01")
def test_regaut01_is_challenged() -> None:
    answer = ask(data("regaut01"), policy=RegistrarPolicy())
    assert answer.status == 401
    assert answer.get("www-authenticate") is not None


@pytest.mark.parametrize(
    ("uri", "status", "reason"),
    [
        ("sip:example.com", 200, "OK"),
        ("SIPS:EXAMPLE.com", 200, "OK"),
        ("sip:example.org", 404, "Not Found"),
        ("tel:+1234", 416, "Unsupported URI Scheme"),
        ("soap.beep://192.0.2.103:3002", 416, "Unsupported URI Scheme"),
        ("nobody:%", 416, "Unsupported URI Scheme"),
        ("sip:2001:db8::10", 400, "Malformed Request-URI"),
        ("sip:example.com?Route=%3Csip:example.com%3E", 400, "Malformed Request-URI"),
        ("sip:%zz@example.com", 400, "Malformed Request-URI"),
    ],
)
@pytest.mark.requirement("RFC3261-8.2.2.1-01", "RFC5118-4.2-01", "RFC4475-3.1.2.11-01")
def test_a_register_whose_request_uri_names_no_domain_of_ours(uri: str, status: int, reason: str) -> None:
    policy = RegistrarPolicy(require_authentication=False, domains=("example.com",))
    registrar, flow = serving(UDP, policy)
    for number in (1, 2):
        text = request(f"REGISTER {uri} SIP/2.0", CSeq=f"{number} REGISTER")
        registrar.receive(flow, text.replace(b"z9hG4bK1", b"z9hG4bK%d" % number), CLIENT, now=1.0)
    found = [parse_message(output.data) for output in outputs(registrar) if isinstance(output, Transmit)]
    assert [(item.status, item.reason) for item in found if isinstance(item, Response)] == [(status, reason)] * 2
    assert registrar.addresses == (status == 200)


def test_the_judgements_that_are_remembered_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipcore.registrar.rules.MAX_REMEMBERED", 2)
    assert MAX_REMEMBERED > 2
    registrar, flow = serving(UDP)
    for number in range(9):
        text = request(f"REGISTER sip:h{number} SIP/2.0").replace(b"z9hG4bK1", b"z9hG4bK%d" % number)
        registrar.receive(flow, text, CLIENT, now=1.0)
    assert len(registrar._rules._uris) <= 2


REASONS = re.compile(rb"SIP/2\.0 [1-6][0-9]{2} [A-Za-z][A-Za-z /,-]*\r\n")


@settings(max_examples=200)
@given(st.sampled_from([b"REGISTER ", b"Via: ", b"Content-Length", b"CSeq", b" SIP/2.0"]), st.binary(max_size=12))
@example(b"Content-Length", b"<script>:")
def test_a_reason_phrase_repeats_nothing_that_the_peer_wrote(place: bytes, junk: bytes) -> None:
    """Law: whatever is wrong, the status line is of our own words."""
    before, found, after = SOUND.partition(place)
    for output in feed(before + found + junk + after):
        if isinstance(output, Transmit):
            assert REASONS.match(output.data)


