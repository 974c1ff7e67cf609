"""The short ways through the parsers of values give what the long ways give: value for value, error for error.

What is usual is taken by one expression; what it does not fit goes the long way. A short way that took more, or
otherwise, would be a second grammar.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.addresses import NameAddr, parse_contacts, parse_name_addr, parse_tagged
from sipcore.syntax.expressions import GROUPS_WORK, compile_possessive
from sipcore.syntax.headers import parse_cseq, parse_expires, parse_retry_after
from sipcore.syntax.limits import MAX_HOST, MAX_PARAMETERS, MAX_PORT
from sipcore.syntax.parameters import parse_parameters
from sipcore.syntax.splitting import split_start
from sipcore.syntax.uri import Uri
from sipcore.syntax.via import parse_via

ROOMS = [f"sipcore.syntax.{name}" for name in ("addresses", "headers", "splitting", "uri", "via")]

FOUND: list[tuple[ModuleType, str, Any]] = [
    (module, name, value)
    for module in map(import_module, ROOMS)
    for name, value in vars(module).items()
    if name.startswith("_usual") and isinstance(getattr(value, "__self__", None), re.Pattern)
]

SHORT_WAYS = [(module, name, lambda text: None) for module, name, _ in FOUND]
"""All that decides whether a text is usual, and what takes its place: nothing is."""


@contextmanager
def the_long_way() -> Iterator[None]:
    """Nothing is usual."""
    with ExitStack() as stack:
        for module, name, nothing in SHORT_WAYS:
            stack.enter_context(patch.object(module, name, nothing))
        yield


def test_there_are_short_ways() -> None:
    """Else the laws below would compare a thing with itself."""
    assert {module for module, *_ in SHORT_WAYS} >= set(map(import_module, ROOMS))
    assert len(SHORT_WAYS) >= 4


def outcome(parse: Callable[[str], object], text: str) -> object:
    """The value with all that can be read of it, or the kind of the error."""
    try:
        value = parse(text)
    except RemoteProtocolError as error:
        return type(error)
    if isinstance(value, NameAddr):
        try:
            inner: object = value.uri
        except RemoteProtocolError as error:
            inner = type(error)
        return value.display, value.uri_text, value.parameters, inner, value.tag, str(value)
    return value, type(value), str(value)


PARAMETERS = [
    "", ";lr", ";tag=a", ";expires=60", ";Q=0.7", ";x=", ";=x", ";", ";;", ";a;a", ";a=1;A=2", ';x="a;b"', ';x="',
    "; lr", ";rport", ";branch=z9hG4bKx", ";received=[::1]", ";a=b=c", ";a%41=b", ";x=%zz", ";x=a,b", ";x=é", ";\x7f",
    ";x='y'", ";transport=tcp", "?a=b", "?", "".join(f";p{n}" for n in range(MAX_PARAMETERS)), ";x=a b", ";x=&$/",
    ";x=(y)", ";x=a@b",
]  # fmt: skip
HOSTS = [
    "h", "example.com", "example.com.", "192.0.2.1", "192.0.2.256", "1.2.3", "1.2.3.04", "12345", "a.1", "1.a", "a-b",
    "a-", "-a", "a..b", "a.-b", "my_pbx", "[2001:db8::1]", "[::1", "[x]", "::1", "", "é", "ex%61mple", "a" * MAX_HOST,
    "a" * (MAX_HOST + 1), "a.b.3com", "0x7f.1", "١", "h.", ".", "1.2.3.4.", "256.256.256.256", "00.0.0.0",
]  # fmt: skip
PORTS = ["", ":5060", ":0", f":{MAX_PORT}", f":{MAX_PORT + 1}", ":", ":05060", ":x", ":٥", ":1:2", " : 5060", ":999999"]
USERS = [
    "",
    "alice@",
    "a%20b@",
    "a b@",
    "a:pw@",
    ":pw@",
    "@",
    "a@b@",
    "#1@",
    "a;x=y@",
    "a,b@",
    "a?b@",
    "a>@",
    'a"@',
    "é@",
]
SCHEMES = ["sip:", "sips:", "SIP:", "sip", "tel:", "x:", ":", "sipp:", "ſip:"]


def often(usual: list[str], others: list[str]) -> st.SearchStrategy[str]:
    """One text in three is odd, so that what is put together of six is usual but for one or two of them."""
    return st.one_of(st.sampled_from(usual), st.sampled_from(usual), st.sampled_from(others))


TAILS = often(["", ";lr", ";transport=tcp", ";x=1;y", ";rport;branch=z9hG4bKx"], PARAMETERS)
NAMED = often(["h", "example.com", "192.0.2.1", "a-b.c"], HOSTS)


@st.composite
def uris(draw: st.DrawFn) -> str:
    scheme = draw(often(["sip:", "sips:"], SCHEMES))
    user = draw(often(["", "alice@", "+1-2;x=y@"], USERS))
    port = draw(often(["", ":5060"], PORTS))
    return "".join([scheme, user, draw(NAMED), port, draw(TAILS), draw(TAILS)])


DISPLAYS = [
    "",
    '"A" ',
    '"A"',
    '"A, <b>;c" ',
    '"',
    '"\\"" ',
    '"a\\\\" ',
    "Bob ",
    "Bob",
    "Mr. B  ",
    "é ",
    "a;b ",
    '""',
    "- ",
    " ",
]


@st.composite
def addresses(draw: st.DrawFn) -> str:
    opening, closing = draw(
        st.sampled_from([*[("<", ">")] * 6, ("", ""), ("", ""), ("< ", " >"), ("<", ""), ("", ">")])
    )
    tail = draw(TAILS) + draw(TAILS)
    return draw(often(["", '"A" ', "Bob "], DISPLAYS)) + opening + draw(uris()) + closing + tail


PROTOCOLS = ["SIP/2.0/UDP ", "SIP/2.0/WSS ", "sip/2.0/udp ", "SIP / 2.0 / TCP ", "SIP/2.0/X ", "SIP/2.0/UDP"]


@st.composite
def vias(draw: st.DrawFn) -> str:
    protocol = draw(often(["SIP/2.0/UDP "], PROTOCOLS))
    space = draw(often([""], [" ", "\t"]))
    return "".join([protocol, space, draw(NAMED), draw(often(["", ":5060"], PORTS)), draw(TAILS), draw(TAILS)])


CSEQS = st.tuples(
    st.sampled_from(["1", "0", "0009", "2147483647", "2147483648", "99999999999", "", "-1", "1_0", "٢", "1" * 5000]),
    st.sampled_from([" ", "  ", "\t", "", " \t "]),
    st.sampled_from(["REGISTER", "register", "X-y.z", "A B", "", "A/B", "REGISTER "]),
).map("".join)

EDITS: st.SearchStrategy[list[tuple[int, str]]] = st.just([]) | st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([*' \t;,<>"\\:@[]%=?.0-é\0', ""])), max_size=2
)


def mangled(text: str, edits: list[tuple[int, str]]) -> str:
    for place, piece in edits:
        place %= len(text) + 1
        text = text[:place] + piece + text[place + 1 :]
    return text


def both(parse: Callable[[str], object], text: str) -> None:
    short = outcome(parse, text)
    with the_long_way():
        assert outcome(parse, text) == short


@given(uris(), EDITS)
@settings(max_examples=500)
def test_uris(text: str, edits: list[tuple[int, str]]) -> None:
    """Law: Uri.parse is one function, whichever way it goes."""
    both(Uri.parse, mangled(text, edits))


@given(addresses(), EDITS)
@example("<sip:a@h;a;a>;tag=1", [])
@example('"A, <b>;c" <sip:a@h;x=1;x=2>', [])
@settings(max_examples=700)
def test_addresses(text: str, edits: list[tuple[int, str]]) -> None:
    """Law: so is parse_name_addr, the URI inside included."""
    both(parse_name_addr, mangled(text, edits))


@given(vias(), EDITS)
@example("SIP/2.0/UDP [2001:db8::1]:5060;rport", [])
@settings(max_examples=500)
def test_vias(text: str, edits: list[tuple[int, str]]) -> None:
    """Law: so is parse_via."""
    both(parse_via, mangled(text, edits))


@given(
    often(["REGISTER", "NOTIFY"], ["", "register", "A/B", "É", "X-y"]),
    often([" "], ["  ", "\t", ""]),
    uris(),
    often([" SIP/2.0"], [" sip/2.0", " SIP/2.1", "", " SIP/2.0 "]),
    EDITS,
)
@settings(max_examples=500)
def test_request_lines(method: str, space: str, target: str, version: str, edits: list[tuple[int, str]]) -> None:
    """Law: so is split_start."""
    both(split_start, mangled(f"{method}{space}{target}{version}", edits))


@given(CSEQS)
@settings(max_examples=200)
def test_cseqs(text: str) -> None:
    """Law: so is parse_cseq."""
    both(parse_cseq, text)


@given(st.text("0123456789 \t;()x+-_٢", max_size=14))
@example("4294967295")
@example("4294967296")
@settings(max_examples=300)
def test_numbers_of_seconds(text: str) -> None:
    """Law: so are parse_expires and parse_retry_after."""
    both(parse_expires, text)
    both(parse_retry_after, text)


@given(st.lists(st.sampled_from(PARAMETERS), max_size=4).map("".join), EDITS)
@settings(max_examples=400)
def test_parameters(text: str, edits: list[tuple[int, str]]) -> None:
    """Law: so is parse_parameters."""
    both(lambda text: parse_parameters(text, "test"), mangled(text, edits))


@given(st.lists(addresses(), max_size=3), st.sampled_from([",", ", ", " ,\t"]), st.booleans())
@settings(max_examples=300)
def test_contacts(items: list[str], comma: str, joined: bool) -> None:
    """Law: so is parse_contacts, in one line and in several."""
    lines = [comma.join(items)] if joined else items
    short = contacts_of(lines)
    with the_long_way():
        assert contacts_of(lines) == short


def contacts_of(lines: list[str]) -> object:
    try:
        found = parse_contacts(lines)
    except RemoteProtocolError as error:
        return type(error)
    return [outcome(parse_name_addr, str(item)) for item in found] if isinstance(found, tuple) else found


@pytest.mark.parametrize("line", ["*", " * ", "\t*"])
def test_the_star(line: str) -> None:
    short = parse_contacts([line])
    with the_long_way():
        assert parse_contacts([line]) is short


@pytest.mark.parametrize(
    ("expression", "greedy"),
    [
        (r"(?:a+)?+b", r"(?:a+)?b"),
        (r"(a)*+(b)++", r"(a)*(b)+"),
        (r"(?:a){0,7}+", r"(?:a){0,7}"),
        (r"[a)]++a?+\d{1,3}+(?>a)", r"[a)]++a?+\d{1,3}+(?>a)"),
    ],
)
def test_groups_are_greedy_where_possessive_ones_do_not_work(expression: str, greedy: str) -> None:
    assert compile_possessive(expression, groups_work=False).pattern == greedy
    assert compile_possessive(expression, groups_work=True).pattern == expression
    assert compile_possessive(expression.encode(), groups_work=False).pattern == greedy.encode()


def test_greedy_groups_give_the_same_values() -> None:
    """Law: where possessive groups do not work, the short ways still give what the long ways give."""
    source = random.Random(3261)
    texts = [
        "<sip:a@h>;a=;b=1", "<sip:a@h>;", "<sip:1.2.3.4.;lr>", "sip:1.2.3.4.;lr", "sip:a@", "SIP/2.0/UDP h;a=;b", "1 A",
        '"x" <sip:a@h:50600;a=b>;tag=1;q=0.5;c', "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=x;received=1.2.3.4;more=1",
        "sip:h:70000", "sip:a-", "<sip:a@h>;tag=1",
    ]  # fmt: skip
    signs = ["", ";", "=", ".", "-", "1", "a", ">", "@", ":"]
    parsers: list[Callable[[str], object]] = [Uri.parse, parse_name_addr, parse_tagged, parse_via, parse_cseq]
    changed = 0
    with ExitStack() as stack:
        for module, name, value in FOUND:
            greedy = compile_possessive(value.__self__.pattern, groups_work=False)
            changed += greedy.pattern != value.__self__.pattern
            stack.enter_context(patch.object(module, name, greedy.fullmatch))
        for _ in range(3000):
            text = source.choice(texts)
            place = source.randrange(len(text) + 1)
            text = text[:place] + source.choice(signs) + text[place + source.randrange(3) :]
            for parse in parsers:
                both(parse, text)
    assert changed or not GROUPS_WORK
