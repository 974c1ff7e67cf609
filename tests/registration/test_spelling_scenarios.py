"""One meaning, many spellings: answers that are written otherwise, and what a registration makes of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from sipcore.commands import Transmit
from sipcore.config import Account
from sipcore.errors import ConfigError
from sipcore.events import MessageDropped, Registered, Rejected
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.syntax.addresses import NameAddr
from sipcore.syntax.message import Response, parse_message
from sipcore.testing import Answer, Line, challenge, ok
from sipcore.testing.line import REGISTRAR
from sipcore.values import OutcomeClass
from tests.accounts import TCP, account, has_credentials
from tests.registration.lines import every_profile

OWN = "<sip:alice@192.0.2.10:40000>"
OURS = ("192.0.2.10", 40000)


def edited(pattern: str, replacement: str, **options: str) -> Answer:
    """A 200 for 100 s whose text is changed, at one place or at all of the pattern."""

    def edit(data: bytes) -> bytes:
        changed = re.sub(pattern, replacement, data.decode(), flags=re.MULTILINE)
        assert changed != data.decode()
        return changed.encode()

    return Answer(200, contact=options.get("contact", "{contact};expires=100"), edit=edit)


def grant_of(answer: Answer) -> float:
    """What the registration was granted; nothing of the answer was dropped."""
    line = Line(account(), script=[answer])
    line.register()
    [event] = line.told(Registered)
    assert line.told(MessageDropped) == []
    return event.expires


def refused(answer: Answer) -> str:
    """The cause for which the answer was dropped; timer F ends the attempt as if nothing had come."""
    line = Line(account(), script=[answer])
    line.register(until=31.9)
    assert not line.status().registered
    assert line.told(Rejected) == []
    drops = [item.output for item in line.station.outputs if isinstance(item.output, MessageDropped)]
    assert sum(event.count for event in drops) == len(line.peer.received)
    [rejected] = line.told(Rejected, until=32.0)
    assert rejected.status is None
    [cause] = {event.cause for event in drops}
    return cause


# --- start lines -----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-7.2-02", "RFC3261-7.1-05")
@pytest.mark.parametrize(
    "start", ["SIP/2.0 099 x", "SIP/2.0 700 x", "SIP/2.0 1000 x", "SIP/2.0 20x OK", "SIP/3.0 200 OK", "SIP/7.0 200 OK"]
)
def test_a_200_with_another_start_line_is_no_answer(start: str) -> None:
    assert refused(edited("^SIP/2.0 200 OK", start)).startswith("malformed message")


@pytest.mark.requirement("RFC3261-7.1-05", "RFC3261-7.2-01")
@pytest.mark.parametrize(
    "start", ["sip/2.0 200 OK", "SIP/2.0 200 Not Found", "SIP/2.0 200 ", "SIP/2.0 200 но сто девяносто девять"]
)
def test_a_200_is_a_200_whatever_its_version_and_phrase_look_like(start: str) -> None:
    assert grant_of(edited("^SIP/2.0 200 OK", start)) == 100


@pytest.mark.requirement("RFC3261-8.1.3.2-02")
@pytest.mark.parametrize("provisional", [100, 183, 199])
def test_a_provisional_answer_and_then_the_final_one(provisional: int) -> None:
    assert grant_of(Answer(200, contact="{contact};expires=100", provisional=(provisional,))) == 100


@pytest.mark.requirement("RFC3261-7.1-06", "RFC3261-20.42-02")
def test_requests_by_the_case_of_their_method_and_without_a_branch() -> None:
    """`notify` is a method that nobody knows; NOTIFY is one that this account does not handle, branch or not."""
    line = Line(account(), script=[ok(100)])
    line.register(until=1.0)
    replies: list[Response] = []
    line.world.nodes[PEER] = Collector(replies)
    for method, branch in (("notify", ";branch=z9hG4bK1"), ("NOTIFY", ";branch=z9hG4bK2"), ("NOTIFY", "")):
        request = (
            f"{method} sip:alice@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5062{branch}\r\n"
            f"Call-ID: c{branch}\r\nFrom: <sip:b@h>;tag=1\r\nTo: <sip:alice@example.com>\r\n"
            f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
        # The last is sent twice: the same transaction, though it names none.
        for _ in range(1 if branch else 2):
            line.world.send(request.encode(), PEER, OURS)
            line.run(until=line.now + 0.1)
    assert [reply.status for reply in replies] == [501, 405, 405, 405]
    assert replies[2].to.tag == replies[3].to.tag


PEER = ("192.0.2.7", 5062)


class Collector:
    """Keeps the responses that reach an address."""

    def __init__(self, replies: list[Response]) -> None:
        self.replies = replies

    def on_datagram(self, datagram: object) -> None:
        message = parse_message(datagram.data)  # type: ignore[attr-defined]  # the wire's datagram
        assert isinstance(message, Response)
        self.replies.append(message)


# --- header lines ----------------------------------------------------------------------------------------------------


def respelled(change: Callable[[str, str], str]) -> Answer:
    """A 200 each of whose header lines was written by `change(name, value)`."""

    def edit(data: bytes) -> bytes:
        start, *lines = data.decode().removesuffix("\r\n\r\n").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        return "\r\n".join([start, *[change(name, value) for name, value in pairs], "", ""]).encode()

    return Answer(200, contact="{contact};expires=100", edit=edit)


COMPACT = {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Length": "l"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda name, value: f"{name.swapcase()}: {value}",
            id="case of names",
            marks=pytest.mark.requirement("RFC3261-7.3.1-01"),
        ),
        pytest.param(
            lambda name, value: f"{name} \t :\t   {value}  ",
            id="white space around the colon",
            marks=pytest.mark.requirement("RFC3261-7.3.1-02"),
        ),
        pytest.param(
            lambda name, value: f"{name}:{value}", id="no space", marks=pytest.mark.requirement("RFC3261-7.3.1-02")
        ),
        pytest.param(
            lambda name, value: f"{name} :\r\n {value}", id="fold", marks=pytest.mark.requirement("RFC3261-7.3.1-04")
        ),
        pytest.param(
            lambda name, value: f"{name}:\r\n\t\t{value.replace(' ', chr(13) + chr(10) + chr(9))}\r\n ",
            id="folds everywhere",
            marks=pytest.mark.requirement("RFC3261-7.3.1-04"),
        ),
        pytest.param(
            lambda name, value: f"{COMPACT.get(name, name)}: {value}",
            id="compact",
            marks=pytest.mark.requirement("RFC3261-7.3.3-01"),
        ),
        pytest.param(
            lambda name, value: f'{name}: {value}\r\nX-Foo: a;b="c,\r\n d"\r\nx-foo:',
            id="unknown headers",
            marks=pytest.mark.requirement("RFC3261-25.1-06"),
        ),
        pytest.param(
            lambda name, value: (
                f"{name}: {value}\r\nMax-Forwards: 0\r\nRoute: <sip:192.0.2.66>\r\nAuthorization: Digest x=y\r\n"
                "Proxy-Require: evil\r\nRequire: evil".removesuffix("" if name == "Via" else "\r\nRequire: evil")
            ),
            id="headers of requests",
            marks=pytest.mark.requirement("RFC3261-7.3.2-01"),
        ),
        pytest.param(
            lambda name, value: f"{name}: {value}".replace(";expires", ';foo;bar="b,z;expires=7"; EXPIRES '),
            id="unknown parameters",
            marks=pytest.mark.requirement("RFC3261-20-02"),
        ),
        pytest.param(
            lambda name, value: (
                f"{name.upper()}: {value.replace(';expires=', ';ExPiReS=')};REG-ID=1"
                if name == "Contact"
                else f"{name}: {value}"
            ),
            id="case of parameters",
            marks=pytest.mark.requirement("RFC3261-7.3.1-11"),
        ),
        pytest.param(
            lambda name, value: (
                f"{name}: {value.replace('/', ' / ').replace(':', ' : ').replace(';', ' ; ')}"
                if name == "Via"
                else f"{name}: {value}"
            ),
            id="white space in the Via",
            marks=pytest.mark.requirement("RFC3261-25.1-04", "RFC3261-20.42-01"),
        ),
        pytest.param(
            lambda name, value: (
                f"{name}: {value.replace('<', chr(34) + 'Jürgen, <x>' + chr(34) + '<')}"
                if name in ("Contact",)
                else f"{name}: {value}"
            ),
            id="display name",
            marks=pytest.mark.requirement("RFC3261-25.1-05", "RFC3261-20.10-02"),
        ),
    ],
)
def test_a_200_is_the_same_however_its_lines_are_spelled(change: Callable[[str, str], str]) -> None:
    assert grant_of(respelled(change)) == 100


@pytest.mark.requirement("RFC3261-20.42-01")
def test_the_via_of_an_ipv6_host_with_white_space() -> None:
    answer = respelled(lambda name, value: f"{name}: {re.sub(r'[]]:', '] : ', value) if name == 'Via' else value}")
    line = Line(account(registrar="sip:[2001:db8::1]"))
    line.serve(("2001:db8::1", REGISTRAR[1]), answer)
    line.register()
    assert "] : " in answer.edit(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP [::1]:5060\r\n\r\n").decode()  # type: ignore[misc]
    assert line.status().registered


@pytest.mark.requirement("RFC3261-7.3.1-05", "RFC3261-7.3.3-01")
@pytest.mark.parametrize("joined", [(3,), (1, 1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize("names", [("Contact",), ("m", "Contact", "M")])
def test_the_list_of_bindings_is_the_same_however_it_is_spread_over_lines(
    joined: tuple[int, ...], names: tuple[str, ...]
) -> None:
    values = ['"A, B" <sip:a@198.51.100.1>;expires=9', f"{OWN};expires=100", "<sip:b,c@198.51.100.2>;expires=20"]
    left = list(values)
    lines = []
    for number, count in enumerate(joined):
        lines.append(f"{names[number % len(names)]}: {', '.join(left[:count])}")
        del left[:count]
    line = Line(account(), script=[Answer(200, tuple(lines))])
    line.register()
    assert [(binding.uri, binding.own, binding.expires_at) for binding in line.status().bindings] == [
        ("sip:alice@192.0.2.10:40000", True, 100.0),
        ("sip:a@198.51.100.1", False, 9.0),
        ("sip:b,c@198.51.100.2", False, 20.0),
    ]


@pytest.mark.requirement("RFC3261-7.3.1-06")
@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_lines_of_different_names_means_nothing(seed: int) -> None:
    routes = [f"Service-Route: <sip:{name}.example;lr>" for name in "abc"]
    paths = [f"Path: <sip:{name}.example;lr>" for name in "xyz"]
    seen: list[Response] = []

    def shuffle(data: bytes) -> bytes:
        start, *lines = data.decode().removesuffix("\r\n\r\n").split("\r\n")
        keys = [line.partition(":")[0] for line in lines]
        Random(seed).shuffle(keys)
        queues = {key: [line for line in lines if line.startswith(f"{key}:")] for key in keys}
        changed = "\r\n".join([start, *[queues[key].pop(0) for key in keys], "", ""]).encode()
        message = parse_message(changed)
        assert isinstance(message, Response)
        seen.append(message)
        return changed

    contacts = (f"Contact: <sip:b@198.51.100.1>;expires=9, {OWN};expires=100", "Contact: <sip:c@198.51.100.2>")
    line = Line(account(), script=[Answer(200, (*routes, *paths, *contacts), edit=shuffle)])
    line.register()
    assert [binding.uri for binding in line.status().bindings] == [
        "sip:alice@192.0.2.10:40000",
        "sip:b@198.51.100.1",
        "sip:c@198.51.100.2",
    ]
    [message] = seen
    assert message.values("service-route") == [text.partition(": ")[2] for text in routes]
    assert message.values("path") == [text.partition(": ")[2] for text in paths]


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-7.3.1-10")
def test_a_parameter_that_stands_twice_is_used_in_neither_sense() -> None:
    line = Line(account(), script=[Answer(200, ("Expires: 60",), contact="{contact};expires=5;expires=600")])
    line.register(until=0.9)
    [rejected] = line.told(Rejected)
    assert rejected.kind is OutcomeClass.REMOVED
    assert line.status().expires_at is None
    assert not line.status().registered
    assert "malformed header" in refused(edited(";branch=([^;\r]*)", r";branch=\1;branch=\1"))


@pytest.mark.requirement("RFC3261-20.16-01")
def test_a_cseq_is_compared_as_a_number() -> None:
    assert grant_of(edited("^CSeq: ", "CSeq: 000")) == 100
    assert grant_of(edited("^CSeq: (.*) REGISTER", "CSeq:\r\n \\1\r\n\tREGISTER")) == 100
    for wrong in ("4294967296 REGISTER", "1x REGISTER", "-1 REGISTER", "2147483648 REGISTER"):
        assert "malformed header" in refused(edited("^CSeq: .*$", f"CSeq: {wrong}\r"))


@pytest.mark.requirement("RFC3261-20.16-01")
def test_what_we_send_is_below_2_to_the_31() -> None:
    for seed in range(20):
        line = Line(account(), script=[ok(2)], seed=seed)
        line.register(until=20.0)
        numbers = [request.cseq.number for request in line.peer.requests]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert numbers[0] < 2**30


@pytest.mark.requirement("RFC3261-19.1.4-01")
@pytest.mark.parametrize("contact", ["<sips:alice@192.0.2.10:40000>", "<sips:alice@203.0.113.7>"])
def test_the_sips_form_of_our_contact_is_not_our_binding(contact: str) -> None:
    line = Line(account(), script=[Answer(200, contact=f"{contact};expires=100")])
    line.register(until=0.5)
    [rejected] = [item.output for item in line.station.outputs if isinstance(item.output, Rejected)]
    assert rejected.kind is OutcomeClass.REMOVED
    assert not line.status().registered


@pytest.mark.requirement("RFC3261-20.43-01")
def test_every_warning_is_told() -> None:
    answer = Answer(403, ('Warning: 399 a.example "one, two", 380 b.example:5060 "three"', 'Warning: 307 c "four"'))
    line = Line(account(), script=[answer])
    line.register()
    [rejected] = line.told(Rejected)
    assert rejected.cause.warning == '399 a.example "one, two", 380 b.example:5060 "three", 307 c "four"'


@pytest.mark.requirement("RFC3261-7.3.1-07")
@pytest.mark.parametrize("first", ["SHA-256", "MD5"])
def test_two_challenges_in_two_lines_are_two_with_all_their_parameters(first: str) -> None:
    """The nonce of the one must not come with the algorithm of the other."""
    order = [first, {"SHA-256": "MD5", "MD5": "SHA-256"}[first]]
    rows = tuple(
        f'WWW-Authenticate: Digest realm="r", nonce="n-{name}", opaque="o, {name}", algorithm={name}, qop="auth"'
        for name in order
    )
    line = Line(account(), script=[Answer(401, rows), ok(100)])
    line.register()
    [value] = line.peer.requests[1].get_all("authorization")
    assert "algorithm=SHA-256" in value
    assert 'nonce="n-SHA-256"' in value
    assert 'opaque="o, SHA-256"' in value


@pytest.mark.requirement("RFC3261-7.3.1-08")
@pytest.mark.parametrize(("status", "name"), [(401, "Authorization"), (407, "Proxy-Authorization")])
def test_credentials_for_two_realms_are_two_lines(status: int, name: str) -> None:
    rows = tuple(row for realm in ("a", "b") for row in challenge(status, realm=realm, nonce=f"of-{realm}").headers)
    line = Line(account(), script=[Answer(status, rows), ok(100)])
    line.register()
    values = line.peer.requests[1].get_all(name.lower())
    assert len(values) == 2
    assert bytes(line.peer.requests[1]).count(f"\r\n{name}: Digest ".encode()) == 2
    for realm, value in zip("ab", values, strict=True):
        assert value.startswith("Digest ")
        assert f'realm="{realm}"' in value
        assert f'nonce="of-{realm}"' in value


# --- what we write ---------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-7.1-04", "RFC3261-7.3.1-03", "RFC3261-20.14-01")
@every_profile
@pytest.mark.parametrize("options", [{}, {"transport": TCP}])
def test_every_line_that_is_sent_is_in_the_usual_form(profile: object, options: dict[str, Any]) -> None:
    """Requests with and without credentials, a removal, and an answer to a request of somebody else."""
    line = Line(account(profile=profile, max_random_initial_delay=0, **options), script=[challenge(), ok(100)])
    line.register(until=200.0)
    if not options:
        request = "OPTIONS sip:alice@192.0.2.10 SIP/2.0\r\nv :SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK2\r\ni:c\r\n"
        request += "f:<sip:b@h>;tag=1\r\nt:<sip:alice@example.com>\r\nCSEQ:1 OPTIONS\r\nl:0\r\n\r\n"
        line.world.send(request.encode(), PEER, OURS)
    line.agent.unregister("alice", now=line.now)
    line.run(until=300.0)
    sent = [item.output.data for item in line.station.outputs if isinstance(item.output, Transmit)]
    messages = [parse_message(data) for data in sent if data.strip(b"\r\n")]
    assert len(messages) >= 4
    assert any(isinstance(message, Response) for message in messages) is not bool(options)
    for message in messages:
        start, *lines = bytes(message).decode().removesuffix("\r\n\r\n").split("\r\n")
        if isinstance(message, Response):
            assert re.fullmatch(r"SIP/2\.0 \d{3} .*", start)
        else:
            assert re.fullmatch(r"[A-Z]+ sip:\S+ SIP/2\.0", start)
        # A Supported that names no extension is an empty value (RFC 3261 section 20.37).
        assert all(re.match(r"^[A-Za-z-]+: \S", text) or text == "Supported: " for text in lines)
        assert message.content_length == len(message.body)


@pytest.mark.requirement("RFC3261-7.3.1-09")
@pytest.mark.parametrize("profile", [SIPCORE, JSSIP], ids=lambda profile: profile.name)
@pytest.mark.parametrize("proxies", [(), ("<sip:192.0.2.1;lr>", "<sip:far.example.net;lr>")])
def test_what_proxies_need_stands_first(profile: Profile, proxies: tuple[str, ...]) -> None:
    line = Line(account(profile=profile, outbound_proxy=proxies, user_agent="x"), script=[challenge(), ok(100)])
    line.register()
    assert line.status().registered
    for request in line.peer.requests:
        names = [name for name, _ in request.headers]
        assert names[: len(proxies) + 2] == ["Via", *["Route" for _ in proxies], "Max-Forwards"]
        assert names.count("Max-Forwards") == 1


@pytest.mark.requirement("RFC3261-7.3.1-09")
def test_asterisk_writes_max_forwards_where_asterisk_does() -> None:
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0, user_agent="x"), script=[ok(100)])
    line.register(until=2.0)
    [names] = [[name for name, _ in request.headers] for request in line.peer.requests]
    assert names[0] == "Via"
    assert names[-4:] == ["Allow", "Max-Forwards", "User-Agent", "Content-Length"]


@pytest.mark.requirement("RFC3261-20.10-01", "RFC3261-19.1.2-01")
@pytest.mark.parametrize("user", ["a,b", "j%40s0n%20x", "a;b", "a?b"])
def test_addresses_are_written_in_angle_brackets_and_escaped(user: str) -> None:
    line = Line(account(user, transport=TCP, contact_parameters=";ob"), script=[challenge(), ok(100)])
    line.register()
    assert line.status().registered
    for request in line.peer.requests:
        assert request.get("to") == f"<sip:{user}@example.com>"
        assert (request.get("from") or "").startswith(f"<sip:{user}@example.com>;tag=")
        [contact] = request.values("contact")
        assert re.fullmatch(rf"<sip:{re.escape(user)}@192\.0\.2\.10:\d+;transport=TCP;ob>", contact)
        assert NameAddr.parse(contact).uri.get("transport") == "TCP"
    assert has_credentials(line.peer.requests[1])


@pytest.mark.requirement("RFC3261-19.1.2-01", "RFC3261-7.1-03")
@pytest.mark.parametrize("text", ["sip:j@s0n x@example.com", "sip:a b@h", "<sip:a@example.com>", "sip:a@h\x07"])
def test_an_address_that_is_not_escaped_is_refused_before_anything_is_sent(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^aor"):
        Account(text)
    with pytest.raises(ConfigError, match=r"^registrar"):
        account(registrar=text)


@pytest.mark.requirement("RFC3261-19.1.1-04")
@pytest.mark.parametrize("parameters", [";lr", ";method=INVITE", ";x=y;LR", ";Method=x"])
def test_a_contact_carries_neither_lr_nor_method(parameters: str) -> None:
    with pytest.raises(ConfigError, match="contact_parameters"):
        account(contact_parameters=parameters)


@pytest.mark.requirement("RFC3261-19.1.1-04")
@pytest.mark.parametrize("tail", ["?x=y", ";method=INVITE"])
def test_no_address_of_a_register_has_headers_or_a_method(tail: str) -> None:
    with pytest.raises(ConfigError, match=r"^aor"):
        Account(f"sip:a@h{tail}")
    with pytest.raises(ConfigError, match=r"^registrar"):
        account(registrar=f"sip:h{tail}")
