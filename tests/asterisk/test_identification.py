"""Who calls: each way of finding an endpoint, their order, what is refused, and the endpoint of an `InboundRequest`."""

from __future__ import annotations

from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.asterisk import parse
from sipcore.asterisk.identification import Identification, IdentificationReader
from sipcore.asterisk.patterns import BadPattern, Pattern
from sipcore.asterisk.syntax import ConfigText
from sipcore.asterisk.wizard import expand
from sipcore.errors import ConfigError
from sipcore.events import Identify, InboundRequest, MessageDropped
from sipcore.replay import RecordingAgent, ReplayError, compare, read, restore
from sipcore.syntax.message import Request
from sipcore.testing import REGISTRAR, Line, ok
from sipcore.testing import line as line_module
from sipcore.values import Address, State
from tests.accounts import account

HERE: Address = ("192.0.2.7", 5062)

ALICE = "[alice]\ntype = endpoint\n"
TRUNK = "[trunk]\ntype = endpoint\n"


def reading(text: str) -> tuple[Identification | None, list[str]]:
    warnings: dict[str, None] = {}
    reader = IdentificationReader(warnings)
    for section in ConfigText(text, file="p.conf").sections():
        kind = next(option.value for option in section.options if option.name == "type")
        for made in expand(section, warnings).sections if kind == "wizard" else (section,):
            reader.take(made, next(option.value for option in made.options if option.name == "type"))
    return reader.finish(), list(warnings)


def identification(text: str) -> Identification:
    found, _ = reading(text)
    assert found is not None
    return found


def request(
    from_: str = "<sip:stranger@elsewhere>;tag=1", *, uri: str = "sip:us@192.0.2.10", headers: tuple[str, ...] = ()
) -> Request:
    lines = [
        f"INVITE {uri} SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx",
        f"From: {from_}",
        "To: <sip:us@192.0.2.10>",
        "Call-ID: c",
        "CSeq: 1 INVITE",
        *headers,
        "Content-Length: 0",
    ]
    message = Request.parse("\r\n".join([*lines, "", ""]).encode())
    assert isinstance(message, Request)
    return message


def found(text: str, message: Request | None = None, source: Address | None = HERE) -> str | None:
    return identification(text).identify(message or request(), source, None)


def error(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        reading(text)
    return str(caught.value)


def identify(*lines: str, endpoint: str = "trunk") -> str:
    return "\n".join(["[i]", "type = identify", f"endpoint = {endpoint}", *lines, ""])


# --- by the registration -------------------------------------------------------------------------------------------


def test_the_line_of_a_registration_comes_before_all_else() -> None:
    text = TRUNK + ALICE + identify("match = 192.0.2.7", endpoint="alice")
    text += "[reg]\ntype = registration\nline = yes\nendpoint = trunk\n[other]\ntype = registration\n"
    assert identification(text).identify(request(), HERE, "reg") == "trunk"
    assert identification(text).identify(request(), HERE, "other") == "alice"
    assert identification(text).identify(request(), HERE, None) == "alice"


def test_an_endpoint_without_line_says_nothing() -> None:
    assert reading("[reg]\ntype = registration\nendpoint = trunk\n") == (None, [])
    assert reading("[reg]\ntype = registration\nline = no\nendpoint = trunk\n") == (None, [])


def test_the_line_of_a_wizard() -> None:
    text = "[w]\ntype = wizard\nsends_registrations = yes\nsends_line_with_registrations = yes\nremote_hosts = a, b\n"
    both = identification(text)
    assert [both.identify(request(), None, name) for name in ("w-reg-0", "w-reg-1", "w-reg-2")] == ["w", "w", None]


# --- by address ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "source", "matches"),
    [
        ("192.0.2.7", HERE, True),
        ("192.0.2.8", HERE, False),
        ("192.0.2.8, 192.0.2.7", HERE, True),
        ("192.0.2.0/24", HERE, True),
        ("192.0.2.99/24", HERE, True),
        ("192.0.2.0/255.255.255.0", HERE, True),
        ("192.0.2.0/29", HERE, True),
        ("192.0.2.0/30", HERE, False),
        ("0.0.0.0/0", HERE, True),
        ("192.0.2.7:5062", HERE, True),
        ("192.0.2.7:5060", HERE, False),
        ("192.0.2.7:5060, 192.0.2.7:5062", HERE, True),
        ("192.0.2.0:5062/24", HERE, True),
        ("192.0.2.0:5063/24", HERE, False),
        ("2001:db8::7", ("2001:db8::7", 5060), True),
        ("2001:DB8:0::7", ("2001:db8::7", 5060), True),
        ("[2001:db8::7]", ("2001:db8::7", 5060), True),
        ("[2001:db8::7]:5060", ("2001:db8::7", 5060), True),
        ("[2001:db8::7]:5061", ("2001:db8::7", 5060), False),
        ("2001:db8::/32", ("2001:db8::7", 5060), True),
        ("[2001:db8::]:5060/32", ("2001:db8::7", 5060), True),
        ("fe80::1", ("fe80::1%eth0", 5060), True),
        ("::/0", HERE, False),
        ("0.0.0.0/0", ("2001:db8::7", 5060), False),
        ("192.0.2.7", ("::ffff:192.0.2.7", 5060), True),
        ("192.0.2.7", None, False),
        ("192.0.2.7", ("not an address", 5060), False),
        ("192.0.2.7,,", HERE, True),
    ],
)
def test_by_the_address_of_the_sender(match: str, source: Address | None, matches: bool) -> None:
    assert found(TRUNK + identify(f"match = {match}"), source=source) == ("trunk" if matches else None)


def test_each_line_of_match_adds() -> None:
    text = TRUNK + identify("match = 192.0.2.6", "match = 192.0.2.7")
    assert [found(text, source=(f"192.0.2.{last}", 5060)) for last in (5, 6, 7)] == [None, "trunk", "trunk"]


def test_the_first_identify_that_matches_decides_however_wide_it_is() -> None:
    wide, narrow = identify("match = 192.0.2.0/24", endpoint="alice"), identify("match = 192.0.2.7")
    assert found(ALICE + TRUNK + wide + narrow) == "alice"
    assert found(ALICE + TRUNK + narrow + wide) == "trunk"


def test_a_host_name_matches_nothing_and_that_is_told() -> None:
    made, told = reading(TRUNK + identify("srv_lookups = yes", "match = sip.example.com, peer.example.com:5070"))
    assert made is not None
    assert made.identify(request(), HERE, None) is None
    assert told == [
        f"p.conf:7: match: {name!r} is a name, which is not looked up here: it matches nothing"
        for name in ("sip.example.com", "peer.example.com:5070")
    ]


# --- by header and Request-URI -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "headers", "matches"),
    [
        ("X-Line: trunk", ("X-Line: trunk",), True),
        ("X-Line:trunk", ("x-line:   trunk ",), True),
        ("X-Line: trunk", ("X-Line: trunk2",), False),
        ("X-Line: trunk", (), False),
        ("X-Line: trunk", ("X-Line: other", "X-Line: trunk"), True),
        ("X-Line: /^trunk[0-9]+$/", ("X-Line: trunk12",), True),
        ("X-Line: /^trunk[0-9]+$/", ("X-Line: trunk12x",), False),
        ("X-Line: /unk/", ("X-Line: trunk2",), True),
        ("X-Line: //", ("X-Line:",), True),
        ("X-Line: //", ("X-Line: x",), False),
        ("To: <sip:us@192.0.2.10>", (), True),
        ("X-Line: /(a+)+b/", (f"X-Line: {'a' * 4000}",), False),
        ("X-Line: /a/", (f"X-Line: {'a' * 4097}",), False),
    ],
)
def test_by_a_header(rule: str, headers: tuple[str, ...], matches: bool) -> None:
    text = TRUNK + identify(f"match_header = {rule}")
    assert found(text, request(headers=headers)) == ("trunk" if matches else None)


@pytest.mark.parametrize(
    ("rule", "uri", "matches"),
    [
        ("sip:echo@127.0.0.1:5060\\;param=yep", "sip:echo@127.0.0.1:5060;param=yep", True),
        ("sip:echo@127.0.0.1:5060", "sip:echo@127.0.0.1:5060;param=yep", False),
        ("/long.*exp/", "sip:a-long-regexp@127.0.0.1", True),
        ("/^long/", "sip:a-long-regexp@127.0.0.1", False),
    ],
)
def test_by_the_request_uri(rule: str, uri: str, matches: bool) -> None:
    text = TRUNK + identify(f"match_request_uri = {rule}")
    assert found(text, request(uri=uri)) == ("trunk" if matches else None)


@pytest.mark.parametrize("text", ["a" + "*" * 5000, "a" + "?" * 5000, "(" * 4 + "){255}" * 4, "a{255}{255}"])
def test_an_expression_that_would_take_for_ever_is_refused_or_read_at_once(text: str) -> None:
    try:
        Pattern(text)
    except BadPattern:
        return
    assert Pattern(text).search("a")


@pytest.mark.parametrize(
    ("expression", "text", "matches"),
    [
        ("^\\w+$", "a_1", True),
        ("^\\w+$", "a-1", False),
        ("a\\Wb", "a-b", True),
        ("a\\sb", "a b", True),
        ("a\\Sb", "a b", False),
        ("a\\.b", "a.b", True),
        ("a\\.b", "axb", False),
    ],
)
def test_what_glibc_has_besides_posix(expression: str, text: str, matches: bool) -> None:
    assert Pattern(expression).search(text) is matches


# --- by name -------------------------------------------------------------------------------------------------------

NAMED = "[alice]\ntype = endpoint\n[alice@example.com]\ntype = endpoint\n[bob]\ntype = endpoint\n"
ALIAS = "[example.net]\ntype = domain_alias\ndomain = example.com\n"


@pytest.mark.parametrize(
    ("text", "from_", "expected"),
    [
        (NAMED, "<sip:alice@elsewhere>;tag=1", "alice"),
        (NAMED, "sip:alice@elsewhere;tag=1", "alice"),
        (NAMED, "<sips:alice@elsewhere>;tag=1", "alice"),
        (NAMED, "<sip:alice@example.com>;tag=1", "alice@example.com"),
        (NAMED, "<sip:bob@example.com>;tag=1", "bob"),
        (NAMED, "<sip:Alice@example.com>;tag=1", None),
        (NAMED, "<sip:%61lice@elsewhere>;tag=1", "alice"),
        (NAMED, "<sip:alice@example.net>;tag=1", "alice"),
        (NAMED + ALIAS, "<sip:alice@example.net>;tag=1", "alice@example.com"),
        (NAMED, "<sip:example.com>;tag=1", None),
        (NAMED, "<tel:+4912345>;tag=1", None),
        (NAMED, "<sip:alice;x=y@elsewhere>;tag=1", None),
        (NAMED + "[global]\ntype = global\nignore_uri_user_options = yes\n", "<sip:alice;x=y@h>;tag=1", "alice"),
        (NAMED + "[g]\ntype = global\ndisable_multi_domain = yes\n", "<sip:alice@example.com>;tag=1", "alice"),
        ("[alice]\ntype = endpoint\nidentify_by = ip\n", "<sip:alice@elsewhere>;tag=1", None),
        ("[alice]\ntype = endpoint\nidentify_by = auth_username\n", "<sip:alice@elsewhere>;tag=1", None),
        ("[alice]\ntype = endpoint\nidentify_by = IP, Username\n", "<sip:alice@elsewhere>;tag=1", "alice"),
        ("[alice]\ntype = endpoint\nidentify_by =\n", "<sip:alice@elsewhere>;tag=1", None),
        # The one with the domain is found, and does not permit it: the search ends there.
        (NAMED + "[bob@h]\ntype = endpoint\nidentify_by = ip\n", "<sip:bob@h>;tag=1", None),
    ],
)
def test_by_the_user_of_from(text: str, from_: str, expected: str | None) -> None:
    assert found(text, request(from_)) == expected


BY_LOGIN = NAMED.replace("endpoint\n", "endpoint\nidentify_by = auth_username\n")


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        (BY_LOGIN, ['Digest username="alice", realm="example.com", nonce="n"'], "alice@example.com"),
        (BY_LOGIN, ['Digest username="alice", realm="asterisk"'], "alice"),
        (BY_LOGIN, ['Digest username="nobody"', 'Digest username="bob", realm="asterisk"'], "bob"),
        (BY_LOGIN, ["Bearer abc", 'Digest username="bob"'], None),
        (BY_LOGIN, ['Digest username="nobody"'], None),
        (BY_LOGIN, ["Digest"], None),
        (NAMED, ['Digest username="alice", realm="asterisk"'], None),
    ],
)
def test_by_the_name_of_the_login(text: str, values: list[str], expected: str | None) -> None:
    headers = tuple(f"Authorization: {value}" for value in values)
    assert found(text, request(headers=headers)) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["anonymous"], "anonymous"),
        (["anonymous@elsewhere", "anonymous"], "anonymous@elsewhere"),
        (["anonymous@example.com", "anonymous"], "anonymous@example.com"),
        (["somebody"], None),
    ],
)
def test_anybody(names: list[str], expected: str | None) -> None:
    text = "".join(f"[{name}]\ntype = endpoint\n" for name in names)
    text += "[elsewhere]\ntype = domain_alias\ndomain = example.com\n"
    assert found(text) == expected


# --- the order -----------------------------------------------------------------------------------------------------

ALL = "".join(f"[{name}]\ntype = endpoint\n" for name in ("by-ip", "by-header", "by-uri", "stranger", "anonymous"))
ALL += "[login]\ntype = endpoint\nidentify_by = auth_username\n"
ALL += "".join(
    f"[i{number}]\ntype = identify\nendpoint = {endpoint}\n{rule}\n"
    for number, (endpoint, rule) in enumerate(
        [("by-ip", "match = 192.0.2.7"), ("by-header", "match_header = X: y"), ("by-uri", "match_request_uri = /us/")]
    )
)
ANSWERS = {
    "ip": "by-ip",
    "header": "by-header",
    "request_uri": "by-uri",
    "username": "stranger",
    "auth_username": "login",
    "anonymous": "anonymous",
}


@pytest.mark.parametrize("first", list(ANSWERS))
def test_the_way_that_stands_first_decides(first: str) -> None:
    order = ",".join([first, *[way for way in reversed(ANSWERS) if way != first]])
    text = ALL + f"[global]\ntype = global\nendpoint_identifier_order = {order}\n"
    message = request(headers=("X: y", 'Authorization: Digest username="login"'))
    assert found(text, message) == ANSWERS[first]


@pytest.mark.parametrize(
    ("order", "without", "expected"),
    [
        ("", [], "by-ip"),
        ("username", [], "stranger"),
        (" anonymous , ip ", [], "anonymous"),
        # Ways that are not listed follow in their own order.
        ("anonymous", ["anonymous"], "by-ip"),
        ("ip", ["by-ip"], "by-header"),
        ("ip", ["by-ip", "by-header"], "by-uri"),
        ("ip", ["by-ip", "by-header", "by-uri"], "stranger"),
        ("ip", ["by-ip", "by-header", "by-uri", "stranger"], "login"),
        ("ip", ["by-ip", "by-header", "by-uri", "stranger", "login"], "anonymous"),
    ],
)
def test_the_order_and_what_follows_it(order: str, without: list[str], expected: str) -> None:
    sections = [f"[{part}" for part in ALL.split("[")[1:]]
    left = [part for part in sections if not any(f"[{name}]" in part or f"= {name}\n" in part for name in without)]
    text = "".join(left) + (f"[g]\ntype = global\nendpoint_identifier_order = {order}\n" if order else "")
    message = request(headers=("X: y", 'Authorization: Digest username="login"'))
    assert found(text, message) == expected


def test_the_usual_order_has_anonymous_before_the_rest() -> None:
    assert found(ALL.replace("192.0.2.7", "192.0.2.8").replace("[stranger]", "[x]"), request(headers=("X: y",))) == (
        "anonymous"
    )


# --- what is refused and what is told --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[i]\ntype = identify\nmatch = 192.0.2.1\n", "p.conf:1: [i]: needs endpoint"),
        ("[i]\ntype = identify\nendpoint = x\n", "p.conf:1: [i]: needs at least one of match, match_header, match_req"),
        (identify("match = 192.0.2.0/33"), "p.conf:4: match = '192.0.2.0/33': an address, a network such as"),
        (identify("match = 192.0.2.0/255.0.255.0"), "p.conf:4: match = '192.0.2.0/255.0.255.0': an address"),
        (identify("match = 192.0.2.1:0"), "p.conf:4: match = '192.0.2.1:0': an address"),
        (identify("match = 192.0.2.1:70000"), "p.conf:4: match = '192.0.2.1:70000': an address"),
        (identify("match = sip.example.com:0"), "p.conf:4: match = 'sip.example.com:0': an address"),
        (identify("match = 192.0.2.256"), "p.conf:4: match = '192.0.2.256': an address"),
        (identify("match = !192.0.2.1"), "p.conf:4: match = '!192.0.2.1': an address"),
        (identify("match_header = X-Line"), "p.conf:4: match_header = 'X-Line': the name of a header, ':'"),
        (identify("match_header = X Line: x"), "p.conf:4: match_header = 'X Line: x': the name of a header, ':'"),
        (identify("match_header = X: /(/"), "p.conf:4: match_header = 'X: /(/': "),
        (identify("match_request_uri = /[a/"), "p.conf:4: match_request_uri = '/[a/': "),
        (
            "[a]\ntype = endpoint\nidentify_by = usernam\n",
            "p.conf:3: identify_by = 'usernam': a list of ip, header, request_uri, username, auth_username; did you",
        ),
        ("[a]\ntype = domain_alias\n", "p.conf:1: [a]: needs domain"),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    assert error(text).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[g]\ntype = global\nendpoint_identifier_order = ip,user\n",
            "p.conf:3: endpoint_identifier_order: 'user' is not one of ip, header, request_uri, username, auth_use",
        ),
        (
            TRUNK + identify("match = 192.0.2.1", endpoint="tunk"),
            "p.conf:5: endpoint: no section [tunk] of type endpoint; did you mean 'trunk'?; it is named all the same",
        ),
        (
            TRUNK + "identify_by = username\n" + identify("match = 192.0.2.1"),
            "p.conf:6: endpoint: [trunk] is found by its address, although identify_by does not list ip",
        ),
        (
            TRUNK + identify("match_header = X: /\\d/"),
            "p.conf:6: match_header: '\\d' is the letter d in a POSIX expression; a digit is [0-9]",
        ),
    ],
)
def test_what_is_told(text: str, expected: str) -> None:
    _, [told] = reading(text)
    assert told.startswith(expected)


def test_an_endpoint_that_the_file_does_not_have_is_named_all_the_same() -> None:
    assert found(identify("match = 192.0.2.7", endpoint="elsewhere")) == "elsewhere"


def test_other_objects_have_no_say() -> None:
    assert reading("[x]\ntype = aor\nendpoint = y\n[g]\ntype = global\nendpoint_identifier_order = ip\n") == (None, [])


@settings(deadline=None)
@given(st.binary(max_size=80), st.sampled_from(["Authorization", "From", "X", "To"]))
def test_whatever_a_request_says_is_survived(junk: bytes, header: str) -> None:
    """`identify` raises nothing because of a request, and names nobody but an endpoint."""
    junk = junk.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    data = bytes(request(headers=("X: y",))).replace(b"\r\nContent", f"\r\n{header}: ".encode() + junk + b"\r\nContent")
    try:
        message = Request.parse(data)
    except Exception:
        return
    assert isinstance(message, Request)
    assert identification(ALL).identify(message, HERE, None) in ANSWERS.values()


# --- in a user agent -------------------------------------------------------------------------------------------------

_numbers = count(1)


def invite(uri: str) -> bytes:
    number = next(_numbers)
    return (
        f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKi{number}\r\nFrom: <sip:x@y>;tag=1\r\n"
        f"To: <sip:a@b>\r\nCall-ID: i{number}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def test_an_invite_to_the_line_of_a_registration_names_its_endpoint() -> None:
    line = Line(account("reg", line=True, contact_user="playback"), script=[ok()], handles=["INVITE"])
    line.agent.identify = identification("[reg]\ntype = registration\nline = yes\nendpoint = test\n").identify
    line.register(until=5.0)
    contact = next(binding.uri for binding in line.status("reg").bindings)
    line.agent.receive(1, invite(contact), REGISTRAR, now=line.now)
    [event] = line.told(InboundRequest)
    assert (event.registration, event.endpoint) == ("reg", "test")


def test_a_configuration_tells_the_agent_who_calls() -> None:
    configuration = parse(
        "[reg]\ntype = registration\nserver_uri = sip:example.com\nclient_uri = sip:us@example.com\n"
        "max_random_initial_delay = 0\n[them]\ntype = endpoint\n"
        "[i]\ntype = identify\nendpoint = them\nmatch = 192.0.2.1\n"
    )
    line = Line(*configuration.accounts, script=[ok()], handles=["INVITE"])
    line.agent.identify = configuration.identify
    line.register(until=5.0)
    line.agent.receive(1, invite("sip:nobody@192.0.2.10"), REGISTRAR, now=line.now)
    line.agent.receive(1, invite("sip:nobody@192.0.2.10"), HERE, now=line.now)
    assert [(event.registration, event.endpoint) for event in line.told(InboundRequest)] == [
        (None, "them"),
        (None, None),
    ]


def test_without_identify_no_endpoint_is_named() -> None:
    line = Line(account(), script=[ok()], handles=["INVITE"])
    line.register(until=5.0)
    line.agent.receive(1, invite("sip:alice@192.0.2.10:40000"), REGISTRAR, now=line.now)
    [event] = line.told(InboundRequest)
    assert (event.registration, event.endpoint) == ("alice", None)


def test_what_identify_is_given() -> None:
    given: list[tuple[str, Address | None, str | None]] = []

    def named(message: Request, source: Address | None, registration: str | None) -> str:
        given.append((message.method, source, registration))
        return "somebody"

    line = Line(account(), script=[ok()], handles=["INVITE"])
    line.agent.identify = named
    line.register(until=5.0)
    data = invite("sip:alice@192.0.2.10:40000")
    line.agent.receive(1, data, REGISTRAR, now=line.now)
    line.agent.receive(1, data, REGISTRAR, now=line.now)
    assert [event.endpoint for event in line.told(InboundRequest)] == ["somebody"]
    assert given == [("INVITE", REGISTRAR, "alice")]


def fails(message: Request, source: Address | None, registration: str | None) -> str | None:
    raise KeyError(registration)


def test_an_identify_that_fails_is_told_and_harms_nobody() -> None:
    line = Line(account(), script=[ok()], handles=["INVITE"])
    line.agent.identify = fails
    line.register(until=5.0)
    line.agent.receive(1, invite("sip:alice@192.0.2.10:40000"), REGISTRAR, now=line.now)
    told = [event for event in line.told() if isinstance(event, InboundRequest | MessageDropped)]
    assert [event.endpoint for event in told if isinstance(event, InboundRequest)] == [None]
    assert [event.cause for event in told if isinstance(event, MessageDropped)] == [
        "the endpoint of a request is not known: identify failed with KeyError"
    ]
    assert line.status("alice").state is State.REGISTERED


def test_identify_may_be_replaced_at_any_time() -> None:
    line = Line(account(), script=[ok()], handles=["INVITE"])
    line.register(until=5.0)
    named = []
    for answer in ("one", "two", None):
        line.agent.identify = lambda message, source, registration, answer=answer: answer
        line.agent.receive(1, invite("sip:alice@192.0.2.10:40000"), REGISTRAR, now=line.now)
        named += [event.endpoint for event in line.told(InboundRequest)]
    assert named == ["one", "two", None]


# --- recordings ------------------------------------------------------------------------------------------------------


def recorded(monkeypatch: pytest.MonkeyPatch, *answers: Identify | None) -> list[str]:
    """A run with an INVITE for each way of identifying."""
    monkeypatch.setattr(line_module, "UserAgent", RecordingAgent)
    line = Line(account(), script=[ok()], handles=["INVITE"])
    line.register(until=5.0)
    for answer in answers:
        line.agent.identify = answer
        line.agent.receive(1, invite("sip:alice@192.0.2.10:40000"), REGISTRAR, now=line.now)
        line.run()
    assert isinstance(line.agent, RecordingAgent)
    return list(line.agent.dump())


ANSWERING: Identify = lambda message, source, registration: f"{message.method} of {registration}"  # noqa: E731


def test_a_recorded_run_names_the_same_endpoints_when_it_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = recorded(monkeypatch, ANSWERING, None, fails, lambda message, source, registration: None)
    outcome = compare(read(lines))
    assert outcome.identical, outcome.difference
    steps = [step for step in read(lines).steps if step.endpoints]
    assert [step.endpoints for step in steps] == [(("INVITE of alice", None),), ((None, "KeyError"),), ((None, None),)]


def test_an_endpoint_that_was_changed_in_a_recording_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = recorded(monkeypatch, ANSWERING)
    index = next(number for number, text in enumerate(lines) if '"endpoints"' in text)
    lines[index] = lines[index].replace("INVITE of alice", "INVITE of bob")
    difference = compare(read(lines)).difference
    assert difference is not None
    assert "endpoint = 'INVITE of bob'" in str(difference)


@pytest.mark.parametrize("bad", ['"x"', '["x"]', '["x",1]', '[["x"],null]'])
def test_endpoints_of_a_hostile_recording(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    lines = recorded(monkeypatch, ANSWERING)
    index = next(number for number, text in enumerate(lines) if '"endpoints"' in text)
    lines[index] = lines[index].replace('["INVITE of alice",null]', bad)
    with pytest.raises(ReplayError, match="endpoints: each is"):
        read(lines)


def test_a_restored_agent_has_no_identify_and_may_be_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = restore(recorded(monkeypatch, ANSWERING), random=Random(1))
    assert agent.identify is None
    agent.identify = ANSWERING
    assert agent.identified(request(), HERE, "alice") == ("INVITE of alice", None)
