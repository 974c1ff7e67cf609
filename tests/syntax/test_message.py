"""Requests and responses: bytes in, values out, and back."""

from __future__ import annotations

import pytest

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.addresses import STAR, NameAddr
from sipcore.syntax.headers import CSeq
from sipcore.syntax.message import Request, Response, parse_message
from sipcore.syntax.uri import Uri
from tests.syntax.samples import OK, REGISTER, lines


def response(*headers: str, status: str = "SIP/2.0 200 OK") -> Response:
    message = parse_message(lines(status, *headers))
    assert isinstance(message, Response)
    return message


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-7.1-01")
def test_a_request() -> None:
    request = parse_message(REGISTER)
    assert isinstance(request, Request)
    assert (request.method, request.uri, request.body) == ("REGISTER", "sip:example.com", b"")
    assert request.request_uri == Uri(scheme="sip", host="example.com")
    assert request.request_uri is request.request_uri
    assert request.start_line == "REGISTER sip:example.com SIP/2.0"
    assert request.via.branch == "z9hG4bKx"
    assert request.via_count == 1
    assert request.from_ == NameAddr(None, "sip:alice@example.com", (("tag", "1"),))
    assert request.to.tag is None
    assert request.call_id == "a84b4c76e66710"
    assert request.cseq == CSeq(7, "REGISTER")
    assert request.contacts == (NameAddr(None, "sip:alice@192.0.2.1:5060", (("expires", "600"),)),)
    assert request.expires == 3600
    assert request.content_length == 0
    assert request.headers[1] == ("Max-Forwards", "70")
    assert request.headers[-1] == ("Content-Length", "0")


@pytest.mark.requirement("RFC3261-7.2-01", "RFC3261-7.3.1-05", "RFC3261-7.3.1-06")
def test_a_response() -> None:
    message = parse_message(OK)
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.start_line) == (200, "OK", "SIP/2.0 200 OK")
    assert message.to.tag == "2"
    assert message.contacts is not STAR
    assert [contact.uri_text for contact in message.contacts] == ["sip:alice@192.0.2.1:5060", "sip:b@h", "sip:c@h"]
    assert message.get("contact") == "<sip:alice@192.0.2.1:5060>;expires=600, <sip:b@h>;expires=5"
    assert message.get_all("contact") == [message.get("contact"), "<sip:c@h>"]
    assert message.values("contact") == ["<sip:alice@192.0.2.1:5060>;expires=600", "<sip:b@h>;expires=5", "<sip:c@h>"]
    assert message.get("x") is None
    assert message.get_all("x") == message.values("x") == []


def test_lenient_a_call_id_is_taken_as_it_came() -> None:
    assert response("Call-ID: a b,;c@@d").call_id == "a b,;c@@d"


def test_what_was_parsed_is_remembered() -> None:
    message = parse_message(OK)
    for name in ("via", "from_", "to", "cseq", "contacts", "headers"):
        assert getattr(message, name) is getattr(message, name)


def test_what_a_caller_does_with_a_list_changes_nothing() -> None:
    message = parse_message(OK)
    message.get_all("contact").clear()
    message.values("www-authenticate").append("x")
    assert len(message.get_all("contact")) == 2


@pytest.mark.requirement("RFC3261-7.3.1-01", "RFC3261-7.3.3-01", "RFC3261-7.3.1-02")
def test_names_in_any_case_compact_and_with_space_are_one() -> None:
    message = response(
        "v: SIP/2.0/UDP a",
        "VIA : SIP/2.0/UDP b",
        "vIa\t: SIP/2.0/UDP c",
        "f:<sip:f@h>;tag=1",
        "T  :   <sip:t@h>",
        "i:call",
        "cSEQ: 1 REGISTER",
        "m: <sip:m@h>",
        "cOnTaCt: <sip:n@h>",
        "K: path",
        "L: 0",
        "EXPIRES: 5",
    )
    assert message.get_all("via") == ["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]
    assert message.via_count == 3
    assert (message.from_.uri_text, message.to.uri_text, message.call_id) == ("sip:f@h", "sip:t@h", "call")
    assert message.cseq.number == 1
    assert message.values("contact") == ["<sip:m@h>", "<sip:n@h>"]
    assert message.get("supported") == "path"
    assert (message.content_length, message.expires) == (0, 5)
    assert ("VIA", "SIP/2.0/UDP b") in message.headers


COMPACT = {
    "a": "accept-contact",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "j": "reject-contact",
    "o": "event",
    "b": "referred-by",
    "r": "refer-to",
    "s": "subject",
    "u": "allow-events",
    "x": "session-expires",
    "y": "identity",
}


@pytest.mark.parametrize("short", COMPACT)
@pytest.mark.requirement("RFC3261-7.3.3-01")
def test_every_compact_form(short: str) -> None:
    assert response(f"{short}: one", f"{short.upper()}: two").get_all(COMPACT[short]) == ["one", "two"]


@pytest.mark.parametrize("fold", [" ", "\t", "   \t "])
@pytest.mark.requirement("RFC3261-7.3.1-04", "RFC3261-7.3.1-02", "RFC4475-3.1.1.1-01")
def test_folding(fold: str) -> None:
    message = response(
        "To :", f"{fold}<sip:t@h>", f"{fold};tag=1", 'Contact: "A', f'{fold}B" <sip:a@h>,', f"{fold}<sip:b@h>", "l: 0"
    )
    assert message.get("to") == "<sip:t@h> ;tag=1"
    assert response(f"Subject:{fold}a{fold}", f"s:{fold}b{fold}").get_all("subject") == ["a", "b"]
    assert message.to.tag == "1"
    assert message.contacts is not STAR
    assert [contact.display for contact in message.contacts] == ["A B", None]


def test_a_line_of_nothing_but_space_is_a_fold() -> None:
    assert response("Subject: a", "  ", " b", "l: 0").get("subject") == "a  b"


@pytest.mark.requirement("RFC3261-7.3.1-07")
@pytest.mark.parametrize("name", ["WWW-Authenticate", "Proxy-Authenticate", "Authorization", "Proxy-Authorization"])
def test_challenges_and_credentials_are_never_split_or_joined(name: str) -> None:
    rows = ['Digest realm="a", nonce="b", algorithm=SHA-256', 'Digest realm="a", nonce="b"']
    message = response(*[f"{name}: {row}" for row in rows])
    assert message.values(name.lower()) == message.get_all(name.lower()) == rows
    assert response(f"{name}: {rows[0]}").values(name.lower()) == rows[:1]


def test_the_top_via_of_several_in_a_line() -> None:
    message = response("Via: SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b", "Via: SIP/2.0/UDP c")
    assert (message.via.host, message.via.branch) == ("a", "1")
    assert message.via_count == 3
    message = response("Via: SIP/2.0/UDP a;branch=1 , SIP/2.0/UDP b;branch=2")
    assert (message.via.host, message.via.branch) == ("a", "1")
    assert message.via_count == 2


@pytest.mark.requirement("RFC4475-3.3.1-01", "RFC4475-3.3.8-01")
def test_what_every_message_needs_stands_once() -> None:
    values = {"from_": "From: <sip:a@h>", "to": "To: <sip:a@h>", "call_id": "Call-ID: x", "cseq": "CSeq: 1 REGISTER"}
    for name, line in values.items():
        assert getattr(response(line), name)
        with pytest.raises(RemoteProtocolError, match=r"^no "):
            getattr(response(), name)
        with pytest.raises(RemoteProtocolError, match="more than one"):
            getattr(response(line, line), name)
    with pytest.raises(RemoteProtocolError, match="no Via"):
        _ = response().via
    assert response().via_count == 0


@pytest.mark.parametrize("name", ["expires", "min-expires", "retry-after"])
def test_numbers_are_none_when_absent_or_malformed(name: str) -> None:
    attribute = name.replace("-", "_")
    assert getattr(response(), attribute) is None
    assert getattr(response(f"{name}: 90"), attribute) == 90
    assert getattr(response(f"{name}: soon"), attribute) is None
    assert getattr(response(f"{name}: 99999999999"), attribute) == 2**32 - 1


@pytest.mark.requirement("RFC3261-25.1-06", "RFC3261-7.3.2-01")
def test_unknown_and_misplaced_headers_disturb_nobody() -> None:
    message = response('X-Foo: a;b="c,', ' d"', "Max-Forwards: 1", "!odd-name.%: ", "Route: <sip:a@h;lr>")
    assert message.get("x-foo") == 'a;b="c, d"'
    assert message.get("!odd-name.%") == ""


@pytest.mark.requirement("RFC3261-25.1-05", "RFC4475-3.1.1.12-01")
def test_text_beyond_ascii() -> None:
    message = response('To: "Iñaki" <sip:a@h>', status="SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое")
    assert message.reason.endswith("простое")
    assert message.to.display == "Iñaki"


def test_octets_that_are_no_utf_8_come_out_as_they_came_in() -> None:
    data = b'SIP/2.0 200 \xff\r\nTo: "\xe9\xff" <sip:a@h>\r\n\r\n'
    message = parse_message(data)
    assert bytes(message) == data
    assert bytes(Response(200, "\udcff", message.headers)).startswith(data[:-2])
