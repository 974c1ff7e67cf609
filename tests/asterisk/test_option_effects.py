"""Every option that is used, with several values, from the text of a pjsip.conf to its effect: what leaves on the wire,
when, and what the status says. Never what stands in the `Account`."""

# ruff: noqa: E501 -- each row of the tables stays on one line

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from sipcore.asterisk import parse
from sipcore.asterisk.tables import OPTIONS
from sipcore.commands import Listen, OpenFlow, Transmit
from sipcore.errors import ConfigError
from sipcore.events import InboundRequest, Rejected
from sipcore.syntax.message import Request
from sipcore.testing import Line, Step, challenge, ok
from sipcore.values import SocketOptions
from tests.accounts import has_credentials
from tests.asterisk.conf_lines import AUTH, REGISTRATION, conf_line, text_of, times
from tests.secrecy import PASSWORD

TRANSPORT: Final = {"type": "transport", "protocol": "udp", "bind": "192.0.2.10:5060"}
TCP: Final = {"type": "transport", "protocol": "tcp", "bind": "192.0.2.10:5070"}

See = Callable[[Line], object]


# --- what can be seen ------------------------------------------------------------------------------------------------


def requests(line: Line) -> list[Request]:
    return line.peer.requests


def header(name: str, number: int = 0) -> See:
    def see(line: Line) -> object:
        return requests(line)[number].get(name)

    return see


def headers(name: str) -> See:
    return lambda line: requests(line)[0].values(name)


def names(line: Line) -> list[str]:
    """Names of the header lines as they are spelt on the wire."""
    return [name for name, _ in requests(line)[0].headers]


def request_uri(line: Line) -> str:
    return str(requests(line)[0].request_uri)


def protocol(line: Line) -> str:
    return requests(line)[0].via.protocol


def source(line: Line) -> object:
    return line.peer.received[0].source


def contact_pattern(expression: str) -> See:
    return lambda line: bool(re.fullmatch(expression, requests(line)[0].get("contact") or ""))


def asks_rport(line: Line) -> bool:
    return ";rport" in (requests(line)[0].get("via") or "")


def sent_by(line: Line) -> str:
    return (requests(line)[0].get("via") or "").split()[1].partition(";")[0]


def answered(line: Line) -> list[bool]:
    """Of each request, whether it carries an answer to a challenge."""
    return [has_credentials(request) for request in requests(line)]


def credential(name: str) -> See:
    """A parameter of the answer to the challenge."""

    def see(line: Line) -> object:
        found = re.search(rf'\b{name}="?([^",]*)', requests(line)[1].get("authorization") or "")
        return found and found[1]

    return see


def right_response(line: Line) -> bool:
    """The answer is what RFC 7616 section 3.4.1 makes of alice's password."""
    algorithm = str(credential("algorithm")(line))
    function = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[algorithm]

    def h(text: str) -> str:
        return hashlib.new(function, text.encode()).hexdigest()

    values = [credential(name)(line) for name in ("nonce", "nc", "cnonce", "qop")]
    ha1 = h(f"alice:example.com:{PASSWORD}")
    return credential("response")(line) == h(":".join([ha1, *map(str, values), h("REGISTER:sip:example.com")]))


def copies(line: Line) -> list[float]:
    return [round(item.at, 3) for item in line.peer.received]


def rejected_at(line: Line) -> list[float]:
    return [item.at for item in line.station.outputs if isinstance(item.output, Rejected)]


def pings(line: Line) -> list[float]:
    return [
        item.at for item in line.station.outputs if isinstance(item.output, Transmit) and not item.output.data.strip()
    ]


def socket_options(line: Line) -> SocketOptions:
    """What the system is asked for: beyond what the virtual wire can show, a driver sets these."""
    commands = [item.output for item in line.station.outputs if isinstance(item.output, OpenFlow | Listen)]
    return commands[0].options


def supported(line: Line) -> list[str]:
    return requests(line)[0].values("supported")


def state(line: Line) -> str:
    return str(line.status().state)


def endpoint(line: Line) -> str | None:
    """Whom a request is from that a stranger sends to the Contact."""
    contact = (requests(line)[0].get("contact") or "").partition("<")[2].partition(">")[0]
    message = [
        f"MESSAGE {contact} SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx",
        "Max-Forwards: 70",
        "From: <sip:bob;phone=1@other.example>;tag=1",
        "To: <sip:alice@example.com>",
        "Call-ID: c",
        "CSeq: 1 MESSAGE",
        "X-Trunk: one",
        "Content-Length: 0",
    ]
    line.peer.send("\r\n".join([*message, "", ""]).encode(), line.peer.received[0].source)
    [event] = line.told(InboundRequest, until=line.now + 1.0)
    return event.endpoint


# --- the table -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Row:
    """One option with one value, and what comes of it."""

    kind: str
    option: str
    value: str | None
    see: See
    seen: object
    script: tuple[Step, ...] = (ok(60),)
    until: float = 1.5
    extra: dict[str, str] = field(default_factory=dict)
    """Further options of the same section."""
    more: str = ""
    """Further sections."""
    registration: dict[str, str | None] = field(default_factory=dict)
    auth: dict[str, str | None] = field(default_factory=dict)
    handles: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}-{self.option}={self.value}"


MAIN: Final = {"registration": REGISTRATION, "auth": AUTH}
"""What stands in the file anyhow; other types get a section of their own."""

HEADS: Final[dict[str, dict[str, str]]] = {
    "transport": TRANSPORT,
    "global": {"type": "global"},
    "system": {"type": "system"},
    "endpoint": {"type": "endpoint"},
    "identify": {"type": "identify", "endpoint": "trunk"},
    "domain_alias": {"type": "domain_alias"},
}


def text(row: Row) -> str:
    own = {row.option: row.value, **row.extra}
    registration: dict[str, str | None] = {**REGISTRATION, **row.registration}
    auth: dict[str, str | None] = {**AUTH, **row.auth}
    if row.kind == "registration":
        registration |= own
    elif row.kind == "auth":
        auth |= own
    sections = [text_of("alice", registration), text_of("alice", auth)]
    if row.kind not in MAIN:
        sections.append(text_of(NAMES.get(row.kind, row.kind), dict(HEADS[row.kind]), own))
    return "".join(sections) + row.more


NAMES: Final = {"endpoint": "bob", "domain_alias": "other.example"}
"""Of sections whose name matters."""


def rows(kind: str, option: str, see: See, seen: dict[str | None, object], **more: Any) -> list[Row]:
    """One row for each value; None is the option left out, so its default."""
    return [Row(kind=kind, option=option, value=value, see=see, seen=one, **more) for value, one in seen.items()]


C2: Final = challenge(algorithm="SHA-256")
AUTHED: Final = {"script": (challenge(), ok(60))}
REFUSING: Final = {"script": (challenge(), challenge(), ok(60)), "until": 100.0}
TO_TCP: Final = {"registration": {"server_uri": "sip:example.com\\;transport=tcp", "transport": "transport"}}
TO_UDP: Final = {"registration": {"transport": "transport"}}
HANDLES: Final = {"handles": ("MESSAGE",)}
TRUNK: Final = "[trunk]\ntype = endpoint\nidentify_by = ip\n"


def hashed(algorithm: str, password: str = PASSWORD) -> str:
    return hashlib.new(algorithm, f"alice:example.com:{password}".encode()).hexdigest()


REGISTRATION_ROWS: Final = [
    *rows("registration", "server_uri", request_uri, {"sip:example.com": "sip:example.com", "<sip:bob@example.com:5060>": "sip:bob@example.com:5060", "sip:192.0.2.1\\;transport=tcp": "sip:192.0.2.1;transport=tcp"}),
    *rows("registration", "server_uri", protocol, {"sip:example.com\\;transport=tcp": "TCP", "sip:example.com\\;transport=udp": "UDP", "sip:example.com": "UDP"}),
    *rows("registration", "client_uri", lambda line: (requests(line)[0].from_.uri_text, requests(line)[0].to.uri_text), {"sip:alice@example.com": ("sip:alice@example.com",) * 2, "sip:b%20b@example.org:5070": ("sip:b%20b@example.org:5070",) * 2}),
    *rows("registration", "contact_user", header("contact"), {None: "<sip:s@192.0.2.10:40000>", "alice": "<sip:alice@192.0.2.10:40000>", "+49.30": "<sip:+49.30@192.0.2.10:40000>"}),
    *rows("registration", "contact_header_params", header("contact"), {None: "<sip:s@192.0.2.10:40000>", "reg-id=1": "<sip:s@192.0.2.10:40000>;reg-id=1", 'reg-id=1\\;+sip.instance="<urn:uuid:1>"': '<sip:s@192.0.2.10:40000>;reg-id=1;+sip.instance="<urn:uuid:1>"'}),
    *rows("registration", "outbound_auth", answered, {None: [False], "alice": [False, True], "alice, bob": [False, True], "bob,alice": [False, True]}, script=(challenge(), ok(60)), more=text_of("bob", dict(AUTH), username="bob", realm="elsewhere")),
    *rows("registration", "outbound_auth", credential("username"), {"bob,alice": "alice", "carol,alice": "carol"}, **AUTHED, more=text_of("bob", dict(AUTH), username="bob", realm="elsewhere") + text_of("carol", dict(AUTH), username="carol", realm="example.com")),
    *rows("registration", "outbound_proxy", headers("route"), {None: [], "sip:192.0.2.1\\;lr": ["<sip:192.0.2.1;lr>"], "<sip:192.0.2.1\\;lr>,<sip:edge.invalid\\;lr>": ["<sip:192.0.2.1;lr>", "<sip:edge.invalid;lr>"]}),
    *rows("registration", "outbound_proxy", request_uri, {"sip:192.0.2.1\\;lr": "sip:nowhere.invalid"}, extra={"server_uri": "sip:nowhere.invalid"}),
    *rows("registration", "transport", source, {"one": ("192.0.2.10", 5061), "two": ("192.0.2.10", 5062)}, more=text_of("one", dict(TRANSPORT), bind="192.0.2.10:5061") + text_of("two", dict(TRANSPORT), bind="192.0.2.10:5062")),
    *rows("registration", "transport", protocol, {"one": "UDP", "two": "TCP", None: "UDP"}, more=text_of("one", dict(TRANSPORT)) + text_of("two", dict(TCP))),
    *rows("registration", "endpoint", endpoint, {"trunk": "trunk", "other": "other"}, extra={"line": "yes"}, more=TRUNK, **HANDLES),
    *rows("registration", "user_agent", header("user-agent"), {None: "sipcore", "Example 2": "Example 2"}),
    *rows("registration", "user_agent", header("user-agent"), {None: "Global", "Example 2": "Example 2"}, more="[global]\nuser_agent = Global\n"),
    *rows("registration", "security_negotiation", headers("security-client"), {None: [], "no": []}),
    *rows("registration", "security_mechanisms", headers("security-client"), {"sdes-srtp\\;mediasec": [], "msrp-tls": []}),
    *rows("registration", "expiration", header("expires"), {None: "3600", "60": "60", "0x3c": "60", "074": "60", "4294967295": "4294967295"}),
    *rows("registration", "max_random_initial_delay", times, {"0": [1.0], "1": [1.0]}, script=(None,), until=1.4),
    *rows("registration", "max_random_initial_delay", lambda line: all(1.0 <= at < 1.0 + 5 and at == int(at) for at in times(line)) and len(times(line)), {"5": 1}, script=(ok(600),), until=30.0),
    *rows("registration", "retry_interval", times, {None: [1.0, 61.0], "7": [1.0, 8.0], "0": [1.0]}, script=(503, ok(600)), until=100.0),
    *rows("registration", "forbidden_retry_interval", times, {None: [1.0], "9": [1.0, 10.0], "0": [1.0]}, script=(403, ok(600)), until=100.0),
    *rows("registration", "fatal_retry_interval", times, {None: [1.0], "11": [1.0, 12.0], "0": [1.0]}, script=(404, ok(600)), until=100.0),
    *rows("registration", "fatal_retry_interval", times, {"11": [1.0, 12.0]}, script=(403, ok(600)), until=100.0),
    *rows("registration", "max_retries", lambda line: len(times(line)), {None: 11, "0": 1, "1": 2, "4": 5}, script=(503,), until=2000.0, extra={"retry_interval": "5"}),
    *rows("registration", "auth_rejection_permanent", lambda line: [at for at, bare in zip(times(line), answered(line), strict=True) if not bare], {None: [1.0], "yes": [1.0], "no": [1.0, 61.0], "maybe": [1.0, 61.0]}, **REFUSING),
    *rows("registration", "line", contact_pattern(r"<sip:s@192\.0\.2\.10:40000;line=[a-z0-9]+>"), {"yes": True, "1": True}, extra={"endpoint": "trunk"}, more=TRUNK),
    *rows("registration", "line", contact_pattern(r"<sip:s@192\.0\.2\.10:40000>"), {None: True, "no": True, "off": True}),
    *rows("registration", "support_path", supported, {None: [], "no": [], "yes": ["path"], "whatever": []}),
    *rows("registration", "support_outbound", supported, {None: [], "no": [], "yes": ["outbound"], "on": ["outbound"]}),
    *rows("registration", "support_outbound", supported, {"yes": ["path", "outbound"]}, extra={"support_path": "yes"}),
]

SHA_ALONE: Final = {"supported_algorithms_uac": "SHA-256", "supported_algorithms_uas": "SHA-256", "password": None}

AUTH_ROWS: Final = [
    *rows("auth", "auth_type", answered, {key: [False, True] for key in (None, "userpass", "md5", "digest", "UserPass")}, **AUTHED),
    *rows("auth", "username", credential("username"), {"alice": "alice", "trunk 7": "trunk 7"}, **AUTHED),
    *rows("auth", "password", right_response, {PASSWORD: True, "wrong": False}, **AUTHED),
    *rows("auth", "realm", answered, {None: [False, True], "": [False, True], "*": [False, True], "example.com": [False, True], "EXAMPLE.com": [False, True], "elsewhere": [False]}, **AUTHED),
    *rows("auth", "realm", credential("realm"), {None: "example.com", "example.com": "example.com"}, **AUTHED),
    *rows("auth", "supported_algorithms_uac", credential("algorithm"), {"MD5, SHA-256": "SHA-256", "sha-256": "SHA-256"}, script=(C2, ok(60))),
    *rows("auth", "supported_algorithms_uac", answered, {None: [False], "MD5": [False], "SHA-256": [False, True]}, script=(C2, ok(60))),
    *rows("auth", "supported_algorithms_uac", answered, {"SHA-256": [False], "SHA-512-256": [False], None: [False, True]}, **AUTHED),
    *rows("auth", "supported_algorithms_uas", right_response, {None: True, "MD5": True, "SHA-256,MD5": True}, **AUTHED),
    *rows("auth", "md5_cred", right_response, {hashed("md5"): True, hashed("md5", "wrong"): False}, **AUTHED, auth={"password": None}),
    *rows("auth", "password_digest", right_response, {f"MD5:{hashed('md5')}": True, hashed("md5"): True, f"MD5:{'0' * 32}": False, f"SHA-256:{'0' * 64}\nMD5:{hashed('md5')}": True}, **AUTHED, auth={"password": None}),
    *rows("auth", "password_digest", right_response, {f"SHA-256:{hashed('sha256')}": True}, script=(C2, ok(60)), auth=SHA_ALONE),
    *rows("auth", "password_digest", right_response, {f"MD5:{hashed('md5')}": True, f"MD5:{'0' * 32}": False}, **AUTHED),
]

TRANSPORT_ROWS: Final = [
    *rows("transport", "protocol", protocol, {None: "UDP", "udp": "UDP", "tcp": "TCP", "TCP": "TCP"}, registration={"transport": "transport"}),
    *rows("transport", "bind", source, {"192.0.2.10": ("192.0.2.10", 5060), "192.0.2.10:5077": ("192.0.2.10", 5077), "0.0.0.0:5078": ("192.0.2.10", 5078)}, **TO_UDP),
    *rows("transport", "bind", header("contact"), {"192.0.2.10:5077": "<sip:s@192.0.2.10:5077;transport=TCP>", "0.0.0.0:5078": "<sip:s@192.0.2.10:5078;transport=TCP>"}, extra={"protocol": "tcp"}, **TO_TCP),
    *rows("transport", "external_signaling_address", header("contact"), {None: "<sip:s@192.0.2.10:5060>", "198.51.100.7": "<sip:s@198.51.100.7:5060>"}, **TO_UDP),
    *rows("transport", "external_signaling_address", sent_by, {None: "192.0.2.10:5060", "198.51.100.7": "198.51.100.7:5060"}, **TO_UDP),
    *rows("transport", "external_signaling_hostname", header("contact"), {None: "<sip:s@192.0.2.10:5060>", "pbx.example.com": "<sip:s@pbx.example.com:5060>"}, **TO_UDP),
    *rows("transport", "external_signaling_port", header("contact"), {"0": "<sip:s@198.51.100.7:5060>", "6060": "<sip:s@198.51.100.7:6060>"}, extra={"external_signaling_address": "198.51.100.7"}, **TO_UDP),
    *rows("transport", "external_signaling_port", header("contact"), {"6060": "<sip:s@192.0.2.10:5060>"}, **TO_UDP),
    *rows("transport", "local_net", header("contact"), {None: "<sip:s@198.51.100.7:5060>", "192.0.2.0/24": "<sip:s@192.0.2.10:5060>", "10.0.0.0/255.0.0.0": "<sip:s@198.51.100.7:5060>", "10.0.0.0/8\n192.0.2.1/32": "<sip:s@192.0.2.10:5060>", "10.0.0.0/8,192.0.2.0/24": "<sip:s@192.0.2.10:5060>"}, extra={"external_signaling_address": "198.51.100.7"}, **TO_UDP),
    *rows("transport", "tos", lambda line: socket_options(line).tos, {None: 0, "cs3": 0x60, "ef": 0xB8, "0x68": 0x68, "184": 184}, **TO_UDP),
    *rows("transport", "cos", lambda line: socket_options(line).cos, {None: 0, "5": 5}, **TO_UDP),
    *rows("transport", "tcp_keepalive_enable", lambda line: socket_options(line).tcp_keepalive, {None: False, "no": False, "yes": True}, extra={"protocol": "tcp"}, **TO_TCP),
    *rows("transport", "tcp_keepalive_enable", lambda line: socket_options(line).tcp_keepalive, {"yes": False}, **TO_UDP),
    *rows("transport", "tcp_keepalive_idle_time", lambda line: socket_options(line).tcp_keepalive_idle, {None: 30, "77": 77}, extra={"protocol": "tcp", "tcp_keepalive_enable": "yes"}, **TO_TCP),
    *rows("transport", "tcp_keepalive_interval_time", lambda line: socket_options(line).tcp_keepalive_interval, {None: 1, "7": 7}, extra={"protocol": "tcp", "tcp_keepalive_enable": "yes"}, **TO_TCP),
    *rows("transport", "tcp_keepalive_probe_count", lambda line: socket_options(line).tcp_keepalive_probes, {None: 5, "9": 9}, extra={"protocol": "tcp", "tcp_keepalive_enable": "yes"}, **TO_TCP),
]

SHA_CHALLENGED: Final = {"script": (C2, ok(60))}
IN_TCP: Final = {"registration": {"server_uri": "sip:example.com\\;transport=tcp"}}
BOB: Final = "[bob]\ntype = endpoint\nidentify_by = username\n"

GLOBAL_ROWS: Final = [
    *rows("global", "user_agent", header("user-agent"), {None: "sipcore", "Example PBX": "Example PBX"}),
    *rows("global", "max_forwards", header("max-forwards"), {None: "70", "20": "20", "0": "0"}),
    *rows("global", "keep_alive_interval", pings, {None: [91.0, 181.0], "30": [31.0, 61.0, 91.0, 121.0, 151.0, 181.0], "0": []}, script=(ok(3600),), until=200.0, **IN_TCP),
    *rows("global", "default_auth_algorithms_uac", answered, {None: [False], "MD5": [False], "SHA-256": [False, True], "MD5,SHA-256": [False, True]}, **SHA_CHALLENGED),
    *rows("global", "default_auth_algorithms_uas", answered, {None: [False, True], "SHA-256": [False, True]}, **AUTHED),
    *rows("global", "endpoint_identifier_order", endpoint, {None: "trunk", "username,ip": "bob;phone=1", "ip,username": "trunk"}, more=TRUNK + "[bob\\;phone=1]\ntype = endpoint\n[i]\ntype = identify\nendpoint = trunk\nmatch = 192.0.2.1\n", **HANDLES),
    *rows("global", "disable_multi_domain", endpoint, {None: "bob@home", "no": "bob@home", "yes": None}, extra={"ignore_uri_user_options": "yes"}, more="[bob@home]\ntype = endpoint\n[other.example]\ntype = domain_alias\ndomain = home\n", **HANDLES),
    *rows("global", "ignore_uri_user_options", endpoint, {None: None, "no": None, "yes": "bob"}, more=BOB, **HANDLES),
]

SYSTEM_ROWS: Final = [
    *rows("system", "timer_t1", copies, {None: [1.0, 1.5, 2.5], "500": [1.0, 1.5, 2.5], "100": [1.0, 1.1, 1.3, 1.7, 2.5], "1000": [1.0, 2.0]}, script=(None,), until=3.0),
    *rows("system", "timer_b", rejected_at, {None: [33.0], "40000": [41.0], "1000": [33.0]}, script=(None,), until=42.0),
    *rows("system", "timer_b", rejected_at, {"7000": [8.0], None: [33.0]}, script=(None,), until=34.0, extra={"timer_t1": "100"}),
    *rows("system", "compact_headers", lambda line: [name for name in names(line) if len(name) == 1], {None: [], "no": [], "yes": ["v", "f", "t", "i", "m", "l"]}),
    *rows("system", "disable_rport", asks_rport, {None: True, "no": True, "yes": False}),
    *rows("system", "disable_tcp_switch", protocol, {None: "UDP", "yes": "UDP"}),
]

INBOUND_ROWS: Final = [
    *rows("endpoint", "identify_by", endpoint, {None: "bob", "username": "bob", "ip": None, "auth_username": None}, more="[global]\nignore_uri_user_options = yes\n", **HANDLES),
    *rows("identify", "endpoint", endpoint, {"trunk": "trunk", "other": "other"}, extra={"match": "192.0.2.1"}, more=TRUNK, **HANDLES),
    *rows("identify", "match", endpoint, {"192.0.2.1": "trunk", "192.0.2.0/24": "trunk", "192.0.2.1:5060": "trunk", "192.0.2.1:5061": None, "10.0.0.1\n192.0.2.1": "trunk", "198.51.100.1": None}, more=TRUNK, **HANDLES),
    *rows("identify", "match_header", endpoint, {"X-Trunk: one": "trunk", "X-Trunk: two": None, "X-Trunk: /^o/": "trunk"}, more=TRUNK + "[global]\nendpoint_identifier_order = header,ip\n", **HANDLES),
    *rows("identify", "match_request_uri", endpoint, {"/^sip:s@/": "trunk", "/^sip:t@/": None}, more=TRUNK + "[global]\nendpoint_identifier_order = request_uri\n", **HANDLES),
    *rows("domain_alias", "domain", endpoint, {"home": "bob@home", "away": None}, more="[bob@home]\ntype = endpoint\n[global]\nignore_uri_user_options = yes\n", **HANDLES),
]

ROWS: Final = [*REGISTRATION_ROWS, *AUTH_ROWS, *TRANSPORT_ROWS, *GLOBAL_ROWS, *SYSTEM_ROWS, *INBOUND_ROWS]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_option_does_what_it_says(row: Row) -> None:
    line = conf_line(text(row), *row.script, until=row.until, handles=row.handles)
    assert row.see(line) == row.seen


# --- values that are refused, by name --------------------------------------------------------------------------------

REFUSED: Final = [
    ("registration", "security_negotiation", "mediasec"),
    ("registration", "security_negotiation", "often"),
    ("registration", "server_uri", "sips:example.com"),
    ("registration", "server_uri", "sip:example.com\\;transport=tls"),
    ("registration", "server_uri", "sip:example.com\\;transport=ws"),
    ("registration", "client_uri", "tel:+4930"),
    ("registration", "expiration", "0"),
    ("registration", "expiration", "-1"),
    ("registration", "expiration", "08"),
    ("registration", "expiration", "4294967296"),
    ("registration", "retry_interval", "1m"),
    ("registration", "forbidden_retry_interval", ""),
    ("registration", "fatal_retry_interval", "x"),
    ("registration", "max_retries", "-1"),
    ("registration", "max_random_initial_delay", "1.5"),
    ("registration", "outbound_proxy", "<sip:"),
    ("registration", "outbound_auth", "nobody"),
    ("registration", "transport", "nothing"),
    ("registration", "endpoint", "trunk"),
    ("registration", "line", "yes"),
    ("registration", "contact_user", "a b@c"),
    ("registration", "contact_header_params", "<"),
    ("auth", "auth_type", "plain"),
    ("auth", "supported_algorithms_uac", "SHA-1"),
    ("auth", "supported_algorithms_uas", "MD4"),
    ("auth", "password_digest", "MD5:123"),
    ("auth", "md5_cred", "123"),
    ("transport", "protocol", "sctp"),
    ("transport", "bind", "pbx.example.com"),
    ("transport", "external_signaling_address", "999.0.0.1"),
    ("transport", "external_signaling_hostname", "a b"),
    ("transport", "local_net", "192.0.2.0/33"),
    ("transport", "tos", "fast"),
    ("transport", "cos", "x"),
    ("transport", "tcp_keepalive_idle_time", "x"),
    ("global", "max_forwards", "256"),
    ("global", "keep_alive_interval", "x"),
    ("global", "default_auth_algorithms_uac", "SHA-1"),
    ("system", "disable_tcp_switch", "no"),
    ("system", "timer_t1", "0"),
    ("system", "timer_b", "99999999"),
]


@pytest.mark.parametrize(("kind", "option", "value"), REFUSED)
def test_a_value_that_cannot_be_is_refused_with_its_option_and_line(kind: str, option: str, value: str) -> None:
    bad = text(Row(kind=kind, option=option, value=value, see=state, seen=None))
    line = next(number for number, one in enumerate(bad.split("\n"), 1) if one.startswith(f"{option} = {value}"))
    with pytest.raises(ConfigError) as caught:
        parse(bad)
    assert option in str(caught.value)
    assert f"pjsip.conf:{line}: " in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_an_auth_for_oauth_is_refused_by_name_when_it_is_complete() -> None:
    oauth = {"auth_type": "google_oauth", "refresh_token": PASSWORD, "oauth_clientid": "c", "oauth_secret": PASSWORD}
    with pytest.raises(ConfigError, match="auth_type = 'google_oauth': not supported yet"):
        parse(text_of("alice", dict(REGISTRATION)) + text_of("alice", dict(AUTH), dict(oauth)))


def test_a_port_behind_a_nat_is_refused_where_it_would_be_written() -> None:
    bad = text_of("t", dict(TRANSPORT), external_signaling_address="198.51.100.7", external_signaling_port="65536")
    with pytest.raises(ConfigError, match=r"pjsip.conf:6: external_signaling_port"):
        parse(bad + text_of("alice", dict(REGISTRATION)))


# --- none is left out ------------------------------------------------------------------------------------------------

NO_ROW: Final = {"type": "names the object; without it, or with another, there is no registration to look at"}
"""Options that are used and have no effect of their own, each with the reason."""


def test_every_option_that_is_used_has_a_row() -> None:
    """Law: what the tables call used is seen at work above, or has a named reason not to be."""
    covered = {(row.kind, row.option) for row in ROWS}
    used = {
        (kind, name)
        for kind, table in OPTIONS.items()
        for name, known in table.items()
        if known.used and name not in NO_ROW
    }
    assert used - covered == set()
    assert covered - used == set()


def test_every_option_has_at_least_two_values() -> None:
    """Law: an option of which one value was tried might be ignored."""
    for kind, option in {(row.kind, row.option) for row in ROWS}:
        values = {row.value for row in ROWS if (row.kind, row.option) == (kind, option)}
        values |= {value for kinds, name, value in REFUSED if (kinds, name) == (kind, option)}
        assert len(values) >= 2, (kind, option)


def test_a_type_that_is_not_registration_registers_nothing() -> None:
    with pytest.raises(ConfigError, match="no section of type registration"):
        parse(text_of("alice", dict(AUTH)))
