"""Header injection: whatever was accepted as configuration or argument, the wire holds the lines that were meant.

The bytes are taken apart here by hand, and what they should be is worked out here from the options, so that a fault
that writer and parser of the core have in common shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipcore.asterisk import parse as parse_conf
from sipcore.auth import DigestVerifier, parse_challenges, select
from sipcore.commands import OpenFlow, Record, Transmit
from sipcore.config import Account, Credential, Transport
from sipcore.errors import ConfigError, LocalProtocolError
from sipcore.events import InboundRequest
from sipcore.profiles import SIPCORE
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.syntax import Request, Response, make_response, parse_message
from sipcore.testing import REGISTRAR, Answer, Line, ok
from sipcore.values import Protocol, RecordKind, Secret
from tests.injection_tools import (
    ADDRESS,
    AORS,
    MARKS,
    OPTIONS,
    OWN,
    PLAIN,
    REGISTRARS,
    ROUTES,
    Lines,
    digest_fields,
    lines_of,
    quoted,
    read,
    text,
)
from tests.secrecy import PASSWORD

fuzzed = settings(
    max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

def one_line(error: Exception) -> None:
    """An error says what it has to say in one line."""
    assert not set("\r\n\0") & set(str(error))


def first_register(made: Account) -> tuple[str, Lines, bytes] | None:
    """What the agent sends for an account wherever its next hop is; None when it wants a connection."""
    line = Line(replace(made, max_random_initial_delay=0))
    line.world.look_up = (  # type: ignore[method-assign]  # every name leads somewhere
        lambda name, kind: [Record("192.0.2.77")] if kind is RecordKind.A else "no such name"
    )
    line.agent.register(made.name, now=0.0)
    line.run(2.0)
    sent = [item.output.data for item in line.station.outputs if isinstance(item.output, Transmit)]
    if not sent:
        assert any(isinstance(item.output, OpenFlow) and item.output.protocol.reliable for item in line.station.outputs)
        return None
    return read(sent[0])


def check(made: Account) -> None:
    """The law: start line and headers are exactly those that were meant, by hand and by the core's own parser."""
    found = first_register(made)
    if found is None:
        return
    start, headers, body = found
    own = "[2001:db8::10]:40000" if "[2001" in headers[0][1] else OWN
    assert (start, headers) == lines_of(made, headers, address=own)
    assert body == b""
    data = "\r\n".join([start, *[f"{name}: {value}" for name, value in headers], "", ""]).encode()
    message = parse_message(data)
    assert message.start_line == start
    assert list(message.headers) == headers


def attempt(**options: Any) -> Account | ConfigError:
    try:
        return Account(options.pop("aor", "sip:alice@example.com"), **options)
    except ConfigError as error:
        one_line(error)
        return error


# --- accounts --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-25.1-02", "RFC3261-7.1-02", "RFC3261-7.3.1-03")
@pytest.mark.parametrize("option", OPTIONS)
@fuzzed
@given(data=st.data(), profile=OPTIONS["profile"], compact=st.booleans())
def test_an_account_that_was_accepted_is_written_as_meant(
    option: str, data: st.DataObject, profile: Any, compact: bool
) -> None:
    """Law: an option is refused by name, or the REGISTER has exactly the start line and headers that were meant."""
    options = {"profile": profile, "compact_headers": compact, option: data.draw(OPTIONS[option])}
    made = attempt(**options)
    if isinstance(made, ConfigError):
        assert made.option == option
        return
    if option not in ("outbound_proxy", "registrar", "name"):
        assert getattr(made, option) == options[option], "nothing is silently changed"
    check(made)


@fuzzed
@given(chosen=st.fixed_dictionaries({}, optional=OPTIONS))
def test_options_do_not_complete_each_other(chosen: dict[str, Any]) -> None:
    """Law: the same when several options are drawn at once, since one could finish what another began."""
    kept = {option: value for option, value in chosen.items() if isinstance(attempt(**{option: value}), Account)}
    made = attempt(**kept)
    if isinstance(made, Account):
        check(made)
    else:
        assert made.option in ("extra_headers", "transport"), "only the bound of all texts together is passed"


def test_the_drawn_texts_cover_every_option_with_a_text() -> None:
    from sipcore.config import ACCOUNT_SLOTS

    assert set(ACCOUNT_SLOTS) - {"password", "username"} <= set(OPTIONS)


@pytest.mark.parametrize("option", ["aor", "registrar", "outbound_proxy", "contact_parameters", "extra_headers"])
def test_many_drawn_texts_are_accepted(option: str) -> None:
    """Else the laws above would hold of nothing."""
    accepted = 0

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(OPTIONS[option])
    def count(value: Any) -> None:
        nonlocal accepted
        accepted += isinstance(attempt(**{option: value}), Account)

    count()
    assert accepted > 30


@pytest.mark.parametrize(
    "options",
    [
        {"outbound_proxy": ("<sip:p.example;lr>;x=a, <sip:evil.example>",)},
        {"outbound_proxy": ("sip:p.example;x=<",)},
        {"outbound_proxy": ('"\\\r\n" <sip:p.example>',)},
        {"outbound_proxy": (5,)},
        {"aor": "sip:alice@example.com;x="},
        {"aor": "sip:al#ice@example.com"},
        {"registrar": "sip:example.com;%74ransport=tcp"},
        {"contact_parameters": ";%6cine=1"},
        {"contact_header_parameters": ";x[=1"},
        {"user_agent": " a"},
        {"extra_headers": (("X-A", "a "),)},
        {"extra_headers": (("X-A", 5),)},
        {"extra_headers": (("CONTACT", "<sip:evil@h>"),)},
        {"extra_headers": (("X-A", "x" * 15361),)},
        {"extra_headers": (("X-A", "1"),) * 129},
        {"extra_headers": (("X-A", "x" * 9000), ("X-B", "é" * 4000))},
        {"contact_user": "x" * 1025},
        {"transport": Transport(protocol=Protocol.TCP), "registrar": "sip:r.example;maddr=224.0.1.75;ttl=1"},
    ],
    ids=repr,
)
def test_what_once_slipped_through_or_would_not_be_understood(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Account(options.pop("aor", "sip:alice@example.com"), **options)
    assert len(caught.value.expected) < 300


def test_a_local_address_has_no_room_for_more() -> None:
    bad: list[Any] = [("fe80::1%\r\nEvil: 1", 0), ("fe80::1%a b", 0), ("192.0.2.1", 5060.5), ("192.0.2.1", True)]
    for local in (*bad, ("::1",), "::1"):
        with pytest.raises(ConfigError) as caught:
            Transport(local=local)
        assert caught.value.option == "local"


def test_a_profile_of_ones_own_is_checked_too() -> None:
    with pytest.raises(ConfigError, match="name"):
        replace(SIPCORE, name="a>\r\nEvil: 1")
    with pytest.raises(ConfigError, match="default_contact_user"):
        replace(SIPCORE, default_contact_user="a>\r\nEvil: 1")
    made = Account("sip:alice@example.com", profile=replace(SIPCORE, default_contact_user="x"))
    check(made)


# --- credentials, and what peers send --------------------------------------------------------------------------------

DIGEST = set("username username* realm nonce uri response algorithm cnonce opaque qop nc userhash".split())


@pytest.mark.requirement("RFC3261-25.1-02")
@fuzzed
@given(username=text("alice", 'a"b\\c'), password=text("secret"), realm=st.one_of(st.none(), text("example.com")))
def test_credentials_stay_within_their_quotes(username: str, password: str, realm: str | None) -> None:
    """Law: a credential is refused, its secrets unseen, or adds one line in which the user name is what it was."""
    try:
        credential = Credential(username=username, password=Secret(password), realm=realm)
        made = Account("sip:alice@example.com", credentials=(credential,))
    except ConfigError as error:
        named_in(error, "username", "password", "realm")
        return
    name = quoted("example.com" if realm in (None, "*") else realm)
    line = Line(made, script=[Answer(401, (f"WWW-Authenticate: Digest realm={name}, nonce=\"n\"",)), ok()])
    line.register()
    start, headers, body = read(transmitted(line)[1])
    position, value = next((index, value) for index, (name, value) in enumerate(headers) if name == "Authorization")
    found = digest_fields(value)
    assert set(found) <= DIGEST
    assert found["username"] == quoted(username)
    assert found["realm"] == name
    del headers[position]
    assert (start, headers, body) == (*lines_of(made, headers), b"")


@pytest.mark.parametrize("bad", ["sip:h\r\nEvil: 1", "sip:h\0", 'sip:"\r\n"', "sip:h\n"])
def test_a_digest_is_computed_for_no_uri_that_ends_a_line(bad: str) -> None:
    challenges = parse_challenges(['Digest realm="r", nonce="n"'], proxy=False)
    (session,) = select(challenges, [Credential(username="a", password=Secret("x"))]).sessions
    with pytest.raises(LocalProtocolError):
        session.authorization("REGISTER", bad, b"", Random(1))
    assert 'uri="sip:h"' in session.authorization("REGISTER", "sip:h", b"", Random(1))


@pytest.mark.parametrize("realm", ["a\r\nEvil: 1", "a\x1b", "\ud800", 5])
def test_a_verifier_has_a_realm_that_can_be_sent(realm: Any) -> None:
    with pytest.raises(LocalProtocolError, match="text without control characters"):
        DigestVerifier(realm, random=Random(1))


def named_in(error: ConfigError, *options: str) -> None:
    """It is about one of these options, and shows no password."""
    one_line(error)
    assert error.option in options
    assert error.option != "password" or "secret" not in f"{error} {error!r}"


def transmitted(line: Line) -> list[bytes]:
    return [item.output.data for item in line.station.outputs if isinstance(item.output, Transmit)]


# What a peer can put between quotation marks: anything but line ends and NUL; marks of its own escaped.
text_of_peers = [*[mark for mark in MARKS if not set("\r\n\0\x1b\x7f") & set(mark) and len(mark) < 50], *PLAIN]
inside = st.lists(st.sampled_from(text_of_peers), max_size=4).map(
    lambda parts: "".join(parts).replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "surrogatepass")
)
# What it can put anywhere else in a line of its response.
anything = st.lists(st.sampled_from([*MARKS, *PLAIN, "sip:", "<sip:h>", "Digest "]), max_size=6).map(
    lambda parts: "".join(parts).replace("\r", "").replace("\n", "").encode("utf-8", "surrogatepass")[:2000]
)
ECHOED = [
    b"Service-Route", b"Path", b"Record-Route", b"Contact", b"P-Associated-URI", b"Expires", b"Min-Expires", b"Server",
    b"Authentication-Info", b"Proxy-Authentication-Info", b"WWW-Authenticate", b"Proxy-Authenticate", b"Retry-After",
    b"Warning",
]  # fmt: skip


def with_lines(*extra: bytes, via: bytes = b"") -> Callable[[bytes], bytes]:
    """Add lines to a response as they are, and something to its Via."""

    def edit(data: bytes) -> bytes:
        head, _, rest = data.partition(b"\r\n\r\n")
        start, top, *others = head.split(b"\r\n")
        return b"\r\n".join([start, top + via, *others, *extra]) + b"\r\n\r\n" + rest

    return edit


@pytest.mark.requirement("RFC3261-25.1-01", "RFC3261-7.3.1-08")
@fuzzed
@given(
    status=st.sampled_from([401, 407]),
    realm=inside,
    nonce=inside,
    opaque=st.one_of(st.none(), inside),
    junk=anything,
)
def test_a_challenge_adds_one_line_of_credentials_and_nothing_else(
    status: int, realm: bytes, nonce: bytes, opaque: bytes | None, junk: bytes
) -> None:
    """Law: realm, nonce and opaque come back byte for byte within their quotes, and no other line changes for them."""
    made = Account("sip:alice@example.com", password=PASSWORD, user_agent="x")
    name = b"WWW-Authenticate" if status == 401 else b"Proxy-Authenticate"
    value = b'Digest realm="' + realm + b'", nonce="' + nonce + b'"'
    if opaque is not None:
        value += b', opaque="' + opaque + b'"'
    edit = with_lines(name + b": " + value, name + b": " + junk)
    line = Line(made, script=[Answer(status, edit=edit), ok()])
    line.register()
    sent = transmitted(line)
    assert read(sent[0])[:2] == lines_of(made, read(sent[0])[1])
    if len(sent) == 1:
        return
    start, headers, body = read(sent[1])
    ours = [(name, value) for name, value in headers if name in ("Authorization", "Proxy-Authorization")]
    rest = [item for item in headers if item not in ours]
    assert (start, rest, body) == (*lines_of(made, rest), b"")
    # The junk may be a challenge as well.
    assert 1 <= len(ours) <= 2
    assert {header for header, _ in ours} == {"Authorization" if status == 401 else "Proxy-Authorization"}
    found = [digest_fields(value) for _, value in ours]
    assert all(set(item) <= DIGEST for item in found)
    sent_back = [
        [item.get(key, "").encode("utf-8", "surrogateescape") for key in ("realm", "nonce", "opaque")] for item in found
    ]
    assert [b'"' + realm + b'"', b'"' + nonce + b'"', b"" if opaque is None else b'"' + opaque + b'"'] in sent_back


@pytest.mark.requirement("RFC3261-7.1-02", "RFC3261-25.1-06")
@fuzzed
@given(
    status=st.sampled_from([200, 200, 301, 302, 401, 423, 503]),
    extra=st.lists(st.tuples(st.sampled_from(ECHOED), anything), max_size=4),
    via=st.one_of(st.just(b""), anything.map(lambda text: b";received=" + text)),
)
def test_no_response_changes_what_the_next_request_is_made_of(
    status: int, extra: list[tuple[bytes, bytes]], via: bytes
) -> None:
    """Law: Service-Route, Path, Contact, received and the rest of a response add no line to the next REGISTER."""
    made = Account("sip:alice@example.com", password=PASSWORD, redirects=1, max_random_initial_delay=0)
    edit = with_lines(*[name + b": " + value for name, value in extra], via=via)
    line = Line(made, script=[Answer(status, edit=edit), ok()])
    line.register()
    line.agent.register(made.name, now=line.now)
    line.run(5.0)
    sent = transmitted(line)
    for data in sent:
        start, headers, body = read(data)
        names = [name for name, _ in headers if name not in ("Authorization", "Proxy-Authorization")]
        assert names == "Via Max-Forwards From To Call-ID CSeq Contact Expires Allow Content-Length".split()
        assert re.fullmatch(r"REGISTER sip:[!-~]+ SIP/2\.0", start)
        assert dict(headers)["To"] == "<sip:alice@example.com>"
        assert body == b""


@pytest.mark.requirement("RFC3261-19.1.5-01")
def test_the_headers_of_a_redirect_are_not_honoured() -> None:
    """A Contact of a 3xx names a place, and nothing of the request that goes there."""
    made = Account("sip:alice@example.com", redirects=1)
    contact = (
        "<sip:evil@192.0.2.1:5070;method=INVITE;lr;ttl=9;x=1"
        "?From=%3Csip:evil%40h%3E&Call-ID=1&Route=%3Csip:evil%3E&Authorization=Digest&Via=x&CSeq=9"
        "&Contact=%3Csip:evil%3E>"
    )
    line = Line(made, script=[Answer(302, contact=contact)])
    other = line.serve(("192.0.2.1", 5070), ok())
    line.register()
    line.run(1.0)
    assert len(other.requests) == 1
    first, second = [read(data) for data in transmitted(line)]
    assert second[0] == "REGISTER sip:192.0.2.1:5070;x=1 SIP/2.0"
    assert second[:2] == (second[0], lines_of(made, second[1])[1])
    for name in ("From", "To", "Call-ID", "Contact"):
        assert dict(first[1])[name] == dict(second[1])[name]


@pytest.mark.requirement("RFC3261-19.1.5-01", "RFC3261-19.1.1-04")
@pytest.mark.parametrize(
    "options",
    [
        {"aor": "sip:alice@example.com?Route=%3Csip:evil%3E"},
        {"registrar": "sip:example.com?From=x"},
        {"outbound_proxy": ("<sip:p.example;lr?Authorization=x>",)},
        {"contact_parameters": "?Via=x"},
        {"contact_parameters": ";x?Via=x"},
        {"contact_parameters": ";lr"},
        {"contact_parameters": ";Method=INVITE"},
        {"registrar": "sip:example.com;method=INVITE"},
    ],
    ids=repr,
)
def test_configuration_has_no_headers_in_its_uris(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Account(options.pop("aor", "sip:alice@example.com"), **options)
    assert re.search("headers and method|in the form ;name=value", caught.value.expected)


# --- pjsip.conf ------------------------------------------------------------------------------------------------------

CONF_VALUES = {
    "server_uri": REGISTRARS,
    "client_uri": AORS,
    "contact_user": text("s", "a%20b"),
    "contact_header_params": text("q=0.5", 'x="a, b"'),
    "outbound_proxy": ROUTES,
    "user_agent": text("PBX 1.0"),
    "endpoint": text("e"),
    "transport": text("t"),
}


@fuzzed
@given(st.fixed_dictionaries({}, optional=CONF_VALUES), st.booleans(), st.booleans())
def test_a_pjsip_conf_that_was_accepted_is_written_as_meant(
    values: dict[str, str], escaped: bool, compact: bool
) -> None:
    """Law: a file is refused as a whole, or each of its accounts leads to exactly the lines that the file means."""
    options = {"server_uri": "sip:example.com", "client_uri": "sip:alice@example.com", **values}
    if escaped:
        options = {name: re.sub(r"[\r\n\0]", "", value).replace(";", "\\;") for name, value in options.items()}
    system = f"[s]\ntype = system\ncompact_headers = {'yes' if compact else 'no'}\n"
    text = system + "[reg]\ntype = registration\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
    try:
        found = parse_conf(text, file="p.conf")
    except ConfigError as error:
        one_line(error)
        return
    for made in found.accounts:
        assert made.compact_headers is compact
        check(made)
        if escaped and "contact_user" in values:
            user = options["contact_user"].replace("\\;", ";").strip(" \t")
            assert made.contact_user in (user, user.removeprefix(">").strip(" \t"), None)


# --- answers of the application --------------------------------------------------------------------------------------

MESSAGE = b"\r\n".join(
    [
        b"MESSAGE sip:alice@192.0.2.10:40000 SIP/2.0",
        b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx",
        b"From: <sip:bob@example.com>;tag=1",
        b"To: <sip:alice@example.com>",
        b"Call-ID: c1",
        b"CSeq: 1 MESSAGE",
        b"Max-Forwards: 70",
        b"Content-Length: 0",
        b"",
        b"",
    ]
)


class Called:
    """An agent that was sent a MESSAGE which nobody has answered yet."""

    def __init__(self) -> None:
        self.line = Line(Account("sip:alice@example.com", name="alice"), script=[ok()], handles=["MESSAGE"])
        self.line.register()
        self.line.peer.send(MESSAGE, ("192.0.2.10", 40000))
        self.line.run(1.0)
        (self.event,) = self.line.told(InboundRequest)

    def respond(self, *arguments: Any, **options: Any) -> bytes | None:
        """The bytes of the answer; None when it was refused."""
        before = len(self.line.station.outputs)
        try:
            self.line.agent.respond(self.event, *arguments, now=self.line.now, **options)
        except LocalProtocolError as error:
            one_line(error)
            self.line.run(1.0)
            return None if len(self.line.station.outputs) == before else b"refused, and something was sent"
        self.line.run(1.0)
        (item,) = self.line.station.outputs[before:]
        assert isinstance(item.output, Transmit)
        return item.output.data


pairs = st.lists(st.tuples(text("X-A", "Subject", "c", "Contact"), text("", "1", 'a, "b"; <c>')), max_size=3)
bodies = st.sampled_from([b"", b"hi", b"\r\n\r\nEvil: 1"])


@pytest.mark.requirement("RFC3261-8.2.6.2-02", "RFC3261-7.1-02")
@fuzzed
@given(
    status=st.one_of(st.sampled_from([200, 404, 699]), st.integers(-5, 1000)),
    reason=st.one_of(st.none(), text("OK", "")),
    headers=pairs,
    body=bodies,
)
def test_a_response_of_the_application_is_written_as_meant(
    status: int, reason: str | None, headers: Lines, body: bytes
) -> None:
    """Law: `respond` refuses and sends nothing, or the response has exactly the lines that were meant."""
    data = Called().respond(status, reason, headers=headers, body=body)
    if data is None:
        return
    start, lines, sent = read(data)
    assert re.fullmatch(rf"SIP/2\.0 {status} .*" if reason is None else re.escape(f"SIP/2.0 {status} {reason}"), start)
    tag = re.fullmatch("<sip:alice@example.com>;tag=([0-9a-f]{16})", lines[2][1])
    assert tag
    assert lines == [
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx"),
        ("From", "<sip:bob@example.com>;tag=1"),
        ("To", f"<sip:alice@example.com>;tag={tag[1]}"),
        ("Call-ID", "c1"),
        ("CSeq", "1 MESSAGE"),
        *headers,
        ("Content-Length", str(len(body))),
    ]
    assert sent == body


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((200.0,), {}),
        ((True,), {}),
        (("200",), {}),
        ((200, 5), {}),
        ((200,), {"headers": [("X-A", 5)]}),
        ((200,), {"headers": [(5, "x")]}),
        ((200,), {"headers": ["X-A: 1"]}),
        ((200,), {"headers": [("X-A",)]}),
        ((200,), {"body": "text", "headers": [("Content-Type", "text/plain")]}),
        ((200,), {"headers": [("CALL-ID", "x")]}),
    ],
    ids=repr,
)
def test_an_answer_of_another_kind_is_refused_in_words(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    called = Called()
    assert called.respond(*arguments, **options) is None
    assert called.respond(200) is not None


# --- messages made of values -----------------------------------------------------------------------------------------


def written(message: Request | Response) -> tuple[str, Lines, bytes] | None:
    try:
        data = bytes(message)
    except LocalProtocolError as error:
        one_line(error)
        return None
    return raw(data)


def raw(data: bytes) -> tuple[str, Lines, bytes]:
    """As `read`, for values that may be a peer's own and are passed on as they came."""
    head, empty, body = data.partition(b"\r\n\r\n")
    assert empty
    start, *rest = [line.decode("utf-8", "surrogateescape") for line in head.split(b"\r\n")]
    for line in (start, *rest):
        assert not set("\r\n") & set(line)
    return start, [(line.split(": ", 1)[0], line.split(": ", 1)[1]) for line in rest], body


@pytest.mark.requirement("RFC3261-7.1-02", "RFC3261-7.1-03")
@fuzzed
@given(method=text("MESSAGE"), target=text("sip:a@h", "tel:1"), headers=pairs, body=bodies)
def test_a_request_made_of_values_has_their_lines(method: str, target: str, headers: Lines, body: bytes) -> None:
    """Law: it cannot be written, or its start line and headers are the values, one line each."""
    found = written(Request(method, target, headers, body))
    kept = [item for item in headers if item[0].lower() not in ("content-length", "l")]
    if found is not None:
        assert found == (f"{method} {target} SIP/2.0", [*kept, ("Content-Length", str(len(body)))], body)
        assert found[0].count(" ") == 2


@pytest.mark.requirement("RFC3261-7.1-02")
@fuzzed
@given(status=st.one_of(st.just(200), st.integers(0, 800)), reason=text("OK", ""), headers=pairs, body=bodies)
def test_a_response_made_of_values_has_their_lines(status: int, reason: str, headers: Lines, body: bytes) -> None:
    """Law: the same for a response, whether made alone or in answer to a request."""
    kept = [item for item in headers if item[0].lower() not in ("content-length", "l")]
    end = ("Content-Length", str(len(body)))
    found = written(Response(status, reason, headers, body))
    if found is not None:
        assert found == (f"SIP/2.0 {status} {reason}", [*kept, end], body)
    request = parse_message(MESSAGE)
    assert isinstance(request, Request)
    copied = [item for item in read(MESSAGE)[1] if item[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    found = written(make_response(request, status, reason, headers=headers, body=body))
    if found is not None:
        assert found == (f"SIP/2.0 {status} {reason}", [*copied, *kept, end], body)


@pytest.mark.parametrize("status", [200.0, True, "200", None])
def test_a_status_is_a_number(status: Any) -> None:
    with pytest.raises(LocalProtocolError, match="a status code from 100 to 699"):
        bytes(Response(status, "OK"))


@fuzzed
@given(name=text("Subject", "X-New", "Via"), value=text("new", ""))
def test_a_header_that_is_set_changes_one_line(name: str, value: str) -> None:
    """Law: `with_header` refuses, or one line differs."""
    before = read(MESSAGE)
    try:
        changed = read(bytes(parse_message(MESSAGE).with_header(name, value)))
    except LocalProtocolError:
        return
    lines = [item for item in before[1] if item[0].lower() != name.lower()]
    assert [item for item in changed[1] if item[0].lower() != name.lower()] == lines
    assert (name, value) in changed[1]
    assert len(changed[1]) == len(lines) + 1
    assert (changed[0], changed[2]) == (before[0], before[2])


# --- the registrar ---------------------------------------------------------------------------------------------------


@fuzzed
@given(realm=text("example.com", 'a"b\\c'), server=text("", "sipcore/1.0"))
def test_a_registrar_challenges_with_the_realm_that_was_meant(realm: str, server: str) -> None:
    """Law: a policy is refused by name, or the 401 has exactly the lines that were meant."""
    try:
        policy = RegistrarPolicy(realm=realm, server=server)
    except ConfigError as error:
        named_in(error, "realm", "server")
        return
    registrar = Registrar([(Protocol.UDP, REGISTRAR)], {"alice": "x"}, policy=policy, random=Random(1), now=0.0)
    opened = registrar.next_output()
    assert isinstance(opened, OpenFlow)
    registrar.flow_opened(opened.flow, REGISTRAR, now=0.0)
    registrar.next_output()
    data = MESSAGE.replace(b"MESSAGE", b"REGISTER")
    registrar.receive(opened.flow, data, ("192.0.2.1", 5060), now=1.0)
    output = registrar.next_output()
    assert isinstance(output, Transmit)
    start, headers, body = read(output.data)
    assert (start, body) == ("SIP/2.0 401 Unauthorized", b"")
    names = ["Via", "From", "To", "Call-ID", "CSeq", "WWW-Authenticate", "WWW-Authenticate"]
    assert [name for name, _ in headers] == names + ["Server"] * (server != "") + ["Content-Length"]
    assert dict(headers).get("Server", "") == server
    for name, value in headers:
        if name == "WWW-Authenticate":
            assert digest_fields(value)["realm"] == quoted(realm)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("realm", "a\r\nEvil: 1"),
        ("realm", 5),
        ("server", "a\0"),
        ("server", " a"),
        ("domains", ("a b",)),
        ("domains", "example.com"),
        ("domains", (5,)),
        ("min_expires", 60.5),
        ("max_contacts", True),
    ],
)
def test_a_policy_of_another_kind_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        RegistrarPolicy(**{option: value})
    assert caught.value.option == option


# --- what was remembered ---------------------------------------------------------------------------------------------


@fuzzed
@given(
    call_id=text("c1@h", "f" * 32),
    token=text("f00d"),
    contact=text("<sip:alice@192.0.2.99:5060>", '<sip:alice@192.0.2.99;ob>;+sip.instance="<urn:uuid:1>"'),
    cseq=st.sampled_from([0, 1000, True, -1, 2.5]),
)
def test_a_snapshot_from_elsewhere_adds_no_line(call_id: str, token: str, contact: str, cseq: Any) -> None:
    """Law: what a store gives back is ignored, or stands in its place in the next REGISTER and nowhere else."""
    made = Account("sip:alice@example.com", name="alice", line=True)
    record = {
        "aor": made.aor,
        "registrar": made.registrar,
        "call_id": call_id,
        "cseq": cseq,
        "line": token,
        "contact": contact,
        "expires": None,
        "expires_at": 1000.0,
    }
    line = Line(made, script=[ok()], snapshot={"alice": record})
    line.register()
    _, headers, _ = read(transmitted(line)[0])
    names = [name for name, _ in headers]
    assert names == "Via Max-Forwards From To Call-ID CSeq Contact Expires Allow Content-Length".split()
    values = dict(headers)
    assert values["Call-ID"] == call_id or re.fullmatch("[0-9a-f]{32}", values["Call-ID"])
    assert re.fullmatch("[0-9]+ REGISTER", values["CSeq"])
    pattern = r"(<sip:alice@192\.0\.2\.10:40000;line=([^;>]+)>)(?:, (.*;expires=0))?"
    own = re.fullmatch(pattern, values["Contact"], re.DOTALL)
    assert own
    assert own[2] == token or re.fullmatch("[0-9a-f]{16}", own[2])
    assert own[3] in (None, f"{contact};expires=0")
    if own[3] is not None:
        assert re.fullmatch(ADDRESS, contact)
