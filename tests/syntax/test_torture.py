"""The messages of RFC 4475 and RFC 5118: what the parser and each role make of them, row by row of one table."""

from __future__ import annotations

import csv
import re
from functools import cache
from hashlib import sha256
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from sipcore.errors import RemoteProtocolError
from sipcore.registrar import RegistrarPolicy
from sipcore.syntax import NameAddr, Request, Response, StreamFramer, Uri, parse_message
from sipcore.syntax.message import Message
from sipcore.syntax.via import parse_via
from sipcore.values import Protocol
from tests.syntax.torture_outcomes import CLIENT, OPEN, answers, at_client, at_registrar, serving

TORTURE = Path(__file__).with_name("torture")

LAYERS = ("start-line", "framing", "transaction", "semantic", "none")
READ = ("request_uri", "via", "from_", "to", "call_id", "cseq", "contacts")
PROPERTIES = {"from": "from_", "contact": "contacts"}
"""Header -> property, where the names differ."""


@cache
def table() -> dict[str, dict[str, str]]:
    with (TORTURE / "manifest.csv").open(encoding="ascii", newline="") as file:
        return {row["message"]: row for row in csv.DictReader(file)}


def names(column: str = "rfc", value: str | None = None) -> list[str]:
    return [name for name, row in table().items() if value is None or row[column] == value]


def data(name: str) -> bytes:
    return (TORTURE / f"{name}.dat").read_bytes()


def request(name: str) -> Request:
    message = parse_message(data(name))
    assert isinstance(message, Request)
    return message


def response(name: str) -> Response:
    message = parse_message(data(name))
    assert isinstance(message, Response)
    return message


# --- the corpus ------------------------------------------------------------------------------------------------------


def test_every_message_has_a_row_and_every_section_a_message() -> None:
    assert sorted(path.stem for path in TORTURE.glob("*.dat")) == sorted(table())
    sections = {row["section"] for row in table().values() if row["rfc"] == "4475"} - {"-"}
    counted = {"3.1.1": 13, "3.1.2": 19, "3.2": 1, "3.3": 15, "3.4": 1}
    assert sections == {f"{part}.{number}" for part, count in counted.items() for number in range(1, count + 1)}
    sections = {row["section"] for row in table().values() if row["rfc"] == "5118"}
    assert sections == {f"4.{number}" for number in range(1, 11)}


@pytest.mark.parametrize("name", names())
def test_no_checkout_has_changed_a_byte(name: str) -> None:
    assert sha256(data(name)).hexdigest() == table()[name]["sha256"]


def test_what_was_mended_is_what_the_archive_has_but_for_line_ends_and_lengths() -> None:
    mended = {path.stem: path for path in TORTURE.glob("*-archive/*.raw")}
    assert sorted(mended) == sorted(name for name, row in table().items() if row["archive_sha256"])
    assert sorted(mended) == sorted(["baddn", *names("rfc", "5118")])
    for name, path in mended.items():
        archived = path.read_bytes()
        assert sha256(archived).hexdigest() == table()[name]["archive_sha256"]
        text = archived.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if b"\r\n\r\n" not in text:
            text += b"\r\n"
        length = str(len(text.partition(b"\r\n\r\n")[2])).encode()
        assert data(name) == re.sub(rb"(?<=\r\nContent-Length: )[0-9]+", length, text)


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_the_parser_takes_it_or_not(name: str) -> None:
    row = table()[name]
    try:
        message = parse_message(data(name))
    except RemoteProtocolError:
        assert row["verdict"] == "reject"
        assert row["layer"] in ("start-line", "framing")
        return
    assert row["verdict"] == "accept"
    assert isinstance(message, Response if row["kind"] == "response" else Request)
    raising = [item for item in READ if hasattr(type(message), item) and raises(message, item)]
    assert raising == row["raises"].split()
    layer, _, header = row["layer"].partition(":")
    if layer == "header":
        key = header.lower()
        assert PROPERTIES.get(key, key) in raising
    else:
        assert layer in LAYERS
        assert layer != "none" or not raising


@pytest.mark.parametrize("name", names("validity", "valid"))
def test_what_is_valid_is_read_whole_and_given_back_byte_for_byte(name: str) -> None:
    message = parse_message(data(name))
    assert not table()[name]["raises"]
    assert data(name).startswith(bytes(message))
    edited = message.with_header("X-Mark", "1")
    assert edited.headers == (*message.headers, ("X-Mark", "1"))
    assert edited.without("X-Mark") == message
    assert NameAddr.parse(str(message.to)) == message.to
    assert NameAddr.parse(str(message.from_)) == message.from_


@pytest.mark.parametrize("name", names())
def test_what_a_user_agent_does(name: str) -> None:
    """A client drops what it cannot read, says so, and sends nothing back."""
    row = table()[name]
    assert " | ".join(at_client(data(name), Protocol.UDP)) == row["client_datagram"]
    assert " | ".join(at_client(data(name), Protocol.TCP)) == row["client_stream"]


@pytest.mark.parametrize("name", names())
def test_what_a_registrar_does(name: str) -> None:
    """A registrar reports what it cannot read, too, and answers requests if it can."""
    row = table()[name]
    policy = RegistrarPolicy() if row["password"] == "yes" else OPEN
    assert " | ".join(at_registrar(data(name), Protocol.UDP, policy)) == row["registrar_datagram"]
    assert " | ".join(at_registrar(data(name), Protocol.TCP, policy)) == row["registrar_stream"]


@pytest.mark.parametrize("name", names())
def test_a_stream_gives_the_same_however_it_is_cut(name: str) -> None:
    """Law: whole, byte by byte and in pieces of seven, the framer gives the same items, error and rejected headers."""
    found = set()
    for size in (1, 7, len(data(name))):
        framer = StreamFramer(accepted=True)
        items = []
        for start in range(0, len(data(name)), size):
            if framer.error is None:
                items += framer.receive(data(name)[start : start + size])
        found.add((tuple(items), str(framer.error), framer.rejected))
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["request", "response"])
def test_no_outcome_is_silence(kind: str) -> None:
    for name in names("kind", kind):
        row = table()[name]
        for column in ("client_datagram", "client_stream", "registrar_datagram", "registrar_stream"):
            assert row[column]
            assert kind == "request" or not re.search(r"\b[1-6]\d\d\b", row[column]), name


@pytest.mark.requirement("RFC4475-3.3.8-01")
def test_multi01_what_stands_twice_is_nobody_s() -> None:
    message = request("multi01")
    for name in ("call-id", "cseq", "from", "to", "max-forwards"):
        assert len(message.get_all(name)) == 2
        with pytest.raises(RemoteProtocolError, match=f"(?i)more than one {name}"):
            message.once(name)
    assert message.once("content-type") == "application/sdp"
    assert message.once("subject") is None


# --- what the values of the valid ones are ---------------------------------------------------------------------------


@pytest.mark.requirement("RFC4475-3.1.1.1-01")
def test_wsinv() -> None:
    message = request("wsinv")
    assert (message.via.protocol, message.via.host, message.via.branch) == ("UDP", "192.0.2.2", "390skdjuw")
    assert message.via_count == 3
    assert (message.to.uri_text, message.to.tag) == ("sip:vivekg@chair-dnrc.example.com", "1918181833n")
    assert (message.from_.display, message.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert message.cseq == (9, "INVITE")
    assert message.get("max-forwards") == "0068"
    assert message.get("subject") == ""
    assert message.get("newfangledheader") == "newfangled value continued newfangled value"
    assert message.get("unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert message.request_uri.parameters == (("unknownparam", None),)
    (contact,) = message.contacts if isinstance(message.contacts, tuple) else ()
    assert contact.display == 'Quoted string ""'
    assert contact.parameters == (("newparam", "newvalue"), ("secondparam", None), ("q", "0.33"))
    assert NameAddr.parse_list(message.get_all("route"))[0].uri.get("unknownwith") == "value"
    assert len(message.body) == 150


@pytest.mark.requirement("RFC4475-3.1.1.2-01")
def test_intmeth() -> None:
    message = request("intmeth")
    method = "!interesting-Method0123456789_*+`.%indeed'~"
    assert (message.method, message.cseq) == (method, (139122385, method))
    user = "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.request_uri.user == user
    assert message.request_uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display == "BEL:\x07 NUL:\0 DEL:\x7f"
    assert message.to.uri.user == user
    assert message.from_.display == "token1~` token2'+_ token3*%!.-"
    assert message.from_.get("fromparam''~+*_!.-%") == '"работающий"'
    assert message.from_.tag == "_token~1'+`*%!-."
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert message.via.branch == "z9hG4bK-.!%66*_+`'~"
    assert message.get("extensionheader-!.%*+_`'~") == "\ufeff大停電"
    assert Uri.parse(str(message.request_uri)) == message.request_uri


@pytest.mark.requirement("RFC4475-3.1.1.3-01")
def test_esc01() -> None:
    message = request("esc01")
    assert message.request_uri.user == "sips%3Auser%40example.com"
    assert message.request_uri.host == "example.net"
    assert not message.request_uri.equivalent(Uri.parse("sip:sips:user%40example.com@example.net"))
    assert message.to.uri.equivalent(Uri.parse("sip:user@example.com"))
    assert message.from_.uri.user == "I%20have%20spaces"
    (contact,) = NameAddr.parse_list(message.get_all("contact"))
    assert contact.uri.equivalent(Uri.parse("sip:caller@host5.example.net;lr;name=value%2541"))
    assert not contact.uri.equivalent(Uri.parse("sip:caller@host5.example.net;lr;name=valueA")), "undone once"


@pytest.mark.requirement("RFC4475-3.1.1.4-01")
def test_escnull() -> None:
    registrar, flow = serving(Protocol.UDP)
    registrar.receive(flow, data("escnull"), CLIENT, now=1.0)
    (answer,) = answers(registrar)
    assert answer.status == 200
    assert [contact.uri_text for contact in NameAddr.parse_list(answer.get_all("contact"))] == [
        "sip:%00@host5.example.com",
        "sip:%00%00@host5.example.com",
    ]
    assert len(registrar.bindings("sip:null-%00-null@example.com")) == 2
    assert registrar.bindings("sip:null-@example.com") == ()


@pytest.mark.requirement("RFC4475-3.1.1.5-01")
def test_esc02() -> None:
    message = request("esc02")
    assert message.method == "RE%47IST%45R"
    assert message.to.display == "%Z%45"
    assert message.get("c%6fntact") is not None
    assert len(message.get_all("contact")) == 2


@pytest.mark.requirement("RFC4475-3.1.1.6-01")
def test_lwsdisp() -> None:
    sender = request("lwsdisp").from_
    assert (sender.display, sender.uri_text, sender.tag) == ("caller", "sip:caller@example.com", "323")


@pytest.mark.requirement("RFC4475-3.1.1.7-01")
def test_longreq() -> None:
    message = request("longreq")
    assert message.via_count == 34
    hosts = [f"sip{number}.example.com" for number in range(33, 0, -1)]
    assert [parse_via(value).host for value in message.values("via")] == [*hosts, "host.example.com"]
    assert len(message.call_id) > 100
    assert message.from_.tag is not None
    assert len(message.from_.tag) > 100


@pytest.mark.requirement("RFC4475-3.1.1.8-01")
def test_dblreq() -> None:
    message = request("dblreq")
    assert (message.method, message.body) == ("REGISTER", b"")
    assert b"INVITE" not in bytes(message)
    framer = StreamFramer(accepted=True)
    first, second = [item for item in framer.receive(data("dblreq")) if isinstance(item, bytes)]
    assert first == bytes(message)
    assert second.startswith(b"INVITE ")


@pytest.mark.requirement("RFC4475-3.1.1.9-01")
def test_semiuri() -> None:
    uri = request("semiuri").request_uri
    assert (uri.user, uri.host, uri.parameters) == ("user;par=u%40example.net", "example.com", ())


@pytest.mark.requirement("RFC4475-3.1.1.10-01")
def test_transports() -> None:
    values = request("transports").values("via")
    assert [value.split()[0].rpartition("/")[2] for value in values] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


@pytest.mark.requirement("RFC4475-3.1.1.11-01")
def test_mpart01() -> None:
    message = request("mpart01")
    assert len(message.body) == message.content_length == 553
    assert message.body == data("mpart01").partition(b"\r\n\r\n")[2]
    assert b"\0" in message.body
    assert message.with_header("X", "y").body == message.body


@pytest.mark.requirement("RFC4475-3.1.1.12-01", "RFC4475-3.1.1.13-01")
def test_unreason_and_noreason() -> None:
    message = response("unreason")
    assert (message.status, message.reason) == (200, "= 2**3 * 5**2 но сто девяносто девять - простое")
    message = response("noreason")
    assert (message.status, message.reason) == (100, "")


@pytest.mark.requirement("RFC5118-4.1-01", "RFC5118-4.3-01", "RFC5118-4.4-01")
def test_ipv6_addresses_and_ports() -> None:
    message = request("ipv6-good")
    (contact,) = NameAddr.parse_list(message.get_all("contact"))
    assert [message.request_uri.host, message.via.host, contact.uri.host] == [
        "[2001:db8::10]",
        "[2001:db8::9:1]",
        "[2001:db8::1]",
    ]
    uri = request("port-ambiguous").request_uri
    assert (uri.host, uri.port) == ("[2001:db8::10:5070]", None)
    uri = request("port-unambiguous").request_uri
    assert (uri.host, uri.port) == ("[2001:db8::10]", 5070)


@pytest.mark.requirement("RFC5118-4.2-01")
def test_ipv6_bad() -> None:
    with pytest.raises(RemoteProtocolError, match="malformed host"):
        _ = request("ipv6-bad").request_uri


@pytest.mark.requirement("RFC5118-4.5-01")
def test_received_with_and_without_brackets() -> None:
    branches = {"via-received-param-with-delim": "z9hG4bKas3-111", "via-received-param-no-delim": "z9hG4bKas3"}
    for name, branch in branches.items():
        via = request(name).via
        assert (via.received, via.branch) == ("2001:db8::9:255", branch), name
    assert str(via.with_received("2001:db8::7", 5060)).endswith(";received=2001:db8::7"), "sent without"


@pytest.mark.requirement("RFC5118-4.7-01")
def test_mult_ip_in_header() -> None:
    message = request("mult-ip-in-header")
    hosts = [parse_via(value).host for value in message.values("via")]
    assert hosts == ["[2001:db8::9:1]", "192.0.2.1", "[2001:db8::9:255]"]
    assert message.via.port == 6050
    assert message.values("via")[2].endswith(";received=192.0.2.200")
    assert message.to.tag == "9817--94"


def test_addresses_in_bodies_are_nobody_s_matter() -> None:
    assert b"c=IN IP6 2001:db8::20" in request("ipv6-in-sdp").body
    assert b"IP4 192.0.2.1" in request("mult-ip-in-sdp").body


@pytest.mark.requirement("RFC5118-4.9-01")
def test_ipv4_mapped_ipv6() -> None:
    message = request("ipv4-mapped-ipv6")
    assert IPv6Address(message.via.host[1:-1]) == IPv6Address("::ffff:c000:20a")
    (contact,) = NameAddr.parse_list(message.get_all("contact"))
    assert contact.uri.equivalent(Uri.parse("sip:ted@[::ffff:c000:202]"))


@pytest.mark.requirement("RFC5118-4.10-01")
def test_two_and_three_colons() -> None:
    three, two = request("ipv6-bug-abnf-3-colons"), request("ipv6-correct-abnf-2-colons")
    assert three.request_uri.host == two.request_uri.host == "[2001:db8::192.0.2.1]"
    assert three.to.uri.equivalent(two.to.uri)
    assert ":::" not in str(three.request_uri)


def raises(message: Message, item: str) -> bool:
    try:
        getattr(message, item)
    except RemoteProtocolError:
        return True
    return False
