"""Hostile texts, a reader of messages by hand, and what the REGISTER of an account is meant to be, worked out by hand."""

# ruff: noqa: E501 -- the tables of texts stay tables

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from sipcore.config import Account
from sipcore.profiles import PROFILES

__all__ = [
    "ADDRESS",
    "AORS",
    "MARKS",
    "OPTIONS",
    "OWN",
    "PLAIN",
    "REGISTRARS",
    "ROUTES",
    "Lines",
    "digest_fields",
    "lines_of",
    "quoted",
    "read",
    "text",
]

Lines = list[tuple[str, str]]

OWN = "192.0.2.10:40000"
"""Where the station of `Line` sends from."""

# --- hostile texts ---------------------------------------------------------------------------------------------------

MARKS = [
    "\r\n", "\r", "\n", "\0", "\u2028", "\x85", "\x9b", "\x7f", "\x1b[2J", "\t", " ", "<", ">", ";", ",", ":", '"', "\\", "?", "@",
    "%", "%41", "%0d%0a", "=", "/", "(", ")", "'", "*", "#", "&", "[", "]", "é", "\u202e", "\ud800", "\udc80", "\U0010ffff",
    "\r\nEvil: 1", "\r\n\r\nEvil", "\r\n Evil: 1", "\nEvil: 1", ">, <sip:evil@h>", ";lr", ";x=a, <sip:evil>", ';x="', '";y="',
    "\r\nContent-Length: 5", "x" * 1000, "x" * 20000,
]  # fmt: skip
PLAIN = ["a", "bob", "x1", "-", ".", "~", ";x=1", ';y="a;b,c"', ";z", "Q"]


def text(*usual: str) -> st.SearchStrategy[str]:
    """What an option usually holds with things in it that should not be there, or made of such things alone."""
    start = st.sampled_from(usual or ("alice", ""))
    rest = st.lists(st.sampled_from([*MARKS, *PLAIN]), max_size=3).map("".join)
    plain = st.lists(st.sampled_from(PLAIN), max_size=3).map("".join)
    return st.one_of(
        start,
        st.builds("{}{}".format, start, plain),
        st.builds("{}{}".format, start, rest),
        st.builds(_inside, start, rest, st.integers(0, 30)),
        st.builds("{}{}".format, rest, start),
        st.text(max_size=12),
    )


def _inside(outer: str, inner: str, position: int) -> str:
    return outer[:position] + inner + outer[position:]


AORS = text("sip:alice@example.com", "SIP:a.b%20c@192.0.2.1:5070;user=phone", "sip:alice@[2001:db8::1];transport=udp")
REGISTRARS = text("sip:example.com", "sip:bob@example.com:05070;Lr;x=1", "sip:[2001:db8::1]", "sip:r;maddr=224.0.1.75;ttl=3")
ROUTES = text(
    "<sip:p.example;lr>", "sip:p.example;lr", '"A, \\"B\\"" <sip:p.example;lr>;y=2;z="a;b"', "Bob <sip:192.0.2.3:5070>"
)
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "aor": AORS,
    "name": text("alice"),
    "registrar": st.one_of(st.none(), REGISTRARS),
    "outbound_proxy": st.lists(ROUTES, max_size=2).map(tuple),
    "contact_user": st.one_of(st.none(), text("alice", "a%20b;c=1")),
    "contact_parameters": text("", ";ob", ";x=1;y=[2001:db8::1]:5060"),
    "contact_header_parameters": text("", ";q=0.5", ';+sip.instance="<urn:uuid:1>, \\"x\\"";reg-id=1'),
    "supported": st.lists(text("path", "outbound"), max_size=2).map(tuple),
    "allow": st.one_of(st.none(), st.lists(text("INVITE", "BYE"), max_size=2).map(tuple)),
    "user_agent": text("", "phone/1.0 (ü)"),
    "extra_headers": st.lists(st.tuples(text("X-A", "Subject"), text("", "1", 'a, "b"; <c>')), max_size=2).map(tuple),
    "expires": st.just(60),
    "max_forwards": st.just(7),
    "compact_headers": st.booleans(),
    "line": st.booleans(),
    "profile": st.sampled_from(list(PROFILES.values())),
}

# --- the reader by hand ----------------------------------------------------------------------------------------------


def read(data: bytes) -> tuple[str, Lines, bytes]:
    """Start line, headers as (name, value) and body; a line that does not look exactly as we write lines fails."""
    head, empty, body = data.partition(b"\r\n\r\n")
    assert empty
    lines = head.split(b"\r\n")
    for line in lines:
        assert not re.search(rb"[\r\n\0]", line), line
    start, *rest = [line.decode("utf-8", "surrogateescape") for line in lines]
    headers = []
    for text in rest:
        match = re.fullmatch(r"([-.!%*_+`'~0-9A-Za-z]+): (.*)", text, re.DOTALL)
        assert match, text
        headers.append((match[1], match[2]))
    return start, headers, body


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def digest_fields(value: str) -> dict[str, str]:
    """The parameters of Digest credentials, quotation marks kept."""
    assert value.startswith("Digest ")
    item = r'([a-z*]+)=("(?:[^"\\]|\\.)*"|[-.!%*_+`\'~0-9A-Za-z]+)'
    assert re.fullmatch(f"{item}(?:, {item})*", value[7:], re.DOTALL), value
    found = re.findall(item, value[7:], re.DOTALL)
    assert len(found) == len(dict(found)), "a parameter stands twice"
    return dict(found)


# --- what is meant ---------------------------------------------------------------------------------------------------

URI = r"(?i:sip):(?:([^@<>\s\"]+)@)?(\[[0-9a-fA-F:.]+\]|[-._0-9A-Za-z]+)(?::([0-9]+))?((?:;[^;@<>\s\"?]+)*)"
ADDRESS = r'[ \t]*(?:"((?:[^"\\]|\\.)*)"[ \t]*|([^"<;]*?)[ \t]*)<[ ]*([^<>]*?)[ ]*>((?:[ ]*;(?:[^;",<>]|"(?:[^"\\]|\\.)*")+)*)'


def parameters(text: str) -> str:
    """As the core writes them: names in lower case, no white space around the marks."""
    items = re.findall(r';((?:[^;"]|"(?:[^"\\]|\\.)*")*)', text)
    pairs = [item.partition("=") for item in items]
    return "".join([f";{name.strip().lower()}{equal}{value.strip()}" for name, equal, value in pairs])


def uri(text: str, *, user: bool = True) -> str:
    match = re.fullmatch(URI, text)
    assert match, f"a URI that nobody should send: {text!r}"
    port = "" if match[3] is None else f":{int(match[3])}"
    before = f"{match[1]}@" if user and match[1] is not None else ""
    return f"sip:{before}{match[2]}{port}{parameters(match[4])}"


def route(text: str) -> str:
    if "<" not in text:
        text = f"<{text}>"
    match = re.fullmatch(ADDRESS, text)
    if match is None:
        # A bare URI whose parameter values have angle brackets, in quotation marks.
        bare, semicolon, rest = text.strip(" \t").partition(";")
        assert re.fullmatch(URI, bare), f"a route that nobody should send: {text!r}"
        return f"<{bare}>{parameters(semicolon + rest)}"
    display = match[2] if match[1] is None else re.sub(r"\\(.)", r"\1", match[1])
    assert re.fullmatch(URI, match[3]), f"a route that nobody should send: {text!r}"
    return (f"{quoted(display)} " if match[1] is not None or display else "") + f"<{match[3]}>{parameters(match[4])}"


def lines_of(made: Account, got: Lines, *, address: str = OWN) -> tuple[str, Lines]:
    """The start line and headers of the first REGISTER of an account; what is random is taken from `got`."""
    profile = made.profile
    match = re.fullmatch(URI, made.aor)
    assert match
    aor = f"<sip:{match[1]}@{match[2]}>" if profile.bare_aor else f"<{made.aor}>"
    if made.registrar is None:
        raise AssertionError("worked out when the account is made")
    target = uri(made.registrar, user=not profile.userless_request_uri)
    routes = [route(item) for item in made.outbound_proxy]
    first = re.fullmatch(r"[^<]*<([^>]*)>.*", re.sub(r'"(?:[^"\\]|\\.)*"', "", routes[0]), re.DOTALL) if routes else None
    if first is not None and ";lr" not in [f";{item.partition('=')[0].lower()}" for item in first[1].split(";")[1:]]:
        # A strict router takes the place of the Request-URI (RFC 3261 section 12.2.1.1).
        routes = [*routes[1:], f"<{target}>"]
        target = uri(first[1])
    values = {name: [value for other, value in got if other == name] for name, _ in got}
    names = "v f t i m l k" if made.compact_headers else "Via From To Call-ID Contact Content-Length Supported"
    via, from_, to, call_id, contact, length, supported = names.split()
    branch = re.fullmatch(rf"SIP/2\.0/UDP {re.escape(address)};rport;branch=(z9hG4bK[0-9a-f]{{32}})", values[via][0])
    tag = re.fullmatch(r".*;tag=([0-9a-f]+)", values[from_][0], re.DOTALL)
    cseq = re.fullmatch(r"([0-9]+) REGISTER", values["CSeq"][0])
    line = re.fullmatch(r".*;line=([0-9a-f]{16})>.*", values[contact][0], re.DOTALL) if made.line else None
    assert branch
    assert tag
    assert cseq
    assert re.fullmatch("[0-9a-f]{32}", values[call_id][0])
    assert made.line == (line is not None)
    user = made.contact_user or profile.default_contact_user or match[1]
    token = "" if line is None else f";line={line[1]}"
    meant = [
        (via, f"SIP/2.0/UDP {address};rport;branch={branch[1]}"),
        *(("Route", item) for item in routes),
        *([("Max-Forwards", str(made.max_forwards))] if profile.max_forwards_first else []),
        (from_, f"{aor};tag={tag[1]}"),
        (to, aor),
        (call_id, values[call_id][0]),
        ("CSeq", f"{cseq[1]} REGISTER"),
        (contact, f"<sip:{user}@{address}{made.contact_parameters}{token}>{made.contact_header_parameters}"),
        ("Expires", str(made.expires)),
    ]
    allow = ("OPTIONS",) if made.allow is None else made.allow
    meant += [("Allow", ", ".join(allow))] if allow else []
    meant += [(supported, ", ".join(made.supported))] if made.supported else []
    meant += [] if profile.max_forwards_first else [("Max-Forwards", str(made.max_forwards))]
    meant += [("User-Agent", made.user_agent)] if made.user_agent else []
    meant += [*made.extra_headers, (length, "0")]
    return f"REGISTER {target} SIP/2.0", meant
