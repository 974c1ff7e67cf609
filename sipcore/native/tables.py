"""What a file can say: the options of each of its tables, made from the fields of `Account` and its like.

A field of a kind that is known here by its annotation can be said as soon as the class has it; the tables below add
what an annotation does not tell: other names, durations, words. A test asks that nothing is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, NamedTuple

from sipcore.auth.hashing import Algorithm
from sipcore.config import Account, Credential, Timing, Transport
from sipcore.native import kinds
from sipcore.native.kinds import Kind
from sipcore.native.source import Place
from sipcore.profiles import PROFILES
from sipcore.values import OutcomeClass, Protocol, SocketOptions

__all__ = [
    "CREDENTIAL",
    "DEFAULTS",
    "REGISTRATION",
    "SOCKET",
    "TABLES",
    "TIMING",
    "TRANSPORT",
    "Option",
    "read_table",
    "record",
]


class Option(NamedTuple):
    """One option of a table."""

    field: str
    """Of the class."""
    kind: Kind
    text: str
    """What it does, for the schema and for `sipcore check`."""
    record: Mapping[str, Option] | None = None
    """The options of the table that it is."""
    make: Any = None
    """... and what is made of them."""


_BY_ANNOTATION: Mapping[str, Kind] = MappingProxyType(
    {
        "str": kinds.TEXT,
        "str | None": kinds.TEXT,
        "bool": kinds.BOOLEAN,
        "bool | None": kinds.BOOLEAN,
        "int": kinds.COUNT,
        "int | None": kinds.COUNT,
        "float": kinds.FRACTION,
        "float | None": kinds.FRACTION,
        "Secret | str | None": kinds.SECRET,
        "Secret | None": kinds.SECRET,
        "tuple[str, ...]": kinds.TEXTS,
        "tuple[str, ...] | None": kinds.TEXTS,
    }
)

_ALGORITHMS = MappingProxyType({str(algorithm): algorithm for algorithm in Algorithm})
_HASHES = MappingProxyType({name: algorithm for name, algorithm in _ALGORITHMS.items() if not algorithm.session})
_PROTOCOLS = MappingProxyType({protocol.lower(): protocol for protocol in Protocol})

_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "credentials": kinds.TEXT_OR_TEXTS,
        "outbound_proxy": kinds.TEXT_OR_TEXTS,
        "transport": kinds.TEXT,
        "expires": kinds.SECONDS,
        "extra_headers": kinds.HEADERS,
        "profile": kinds.word(PROFILES),
        "retry_interval": kinds.SECONDS,
        "forbidden_retry_interval": kinds.SECONDS,
        "fatal_retry_interval": kinds.SECONDS,
        "max_random_initial_delay": kinds.SECONDS,
        "give_up": kinds.words({str(kind): kind for kind in OutcomeClass}, frozenset),
        "protocol": kinds.word(_PROTOCOLS),
        "local": kinds.TEXT,
        "tcp_keepalive_idle": kinds.SECONDS,
        "tcp_keepalive_interval": kinds.SECONDS,
        "ha1": kinds.digests(_HASHES),
        "algorithms": kinds.words(_ALGORITHMS, tuple),
    }
)
"""Of fields whose annotation does not say it."""

_NAMES: Mapping[str, str] = MappingProxyType({"local": "bind", "options": "socket"})
"""Fields that are called otherwise in a file."""

_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "aor": "the address of record, such as sip:alice@example.com",
        "password": "with username, instead of credentials: a text, or where it stands",
        "username": "the name to log in with; default: the user part of aor",
        "credentials": "the name of a table of credentials, or several",
        "registrar": "where to register; default: the host of aor",
        "outbound_proxy": "routes, such as sip:proxy.example.com;lr; requests go to the first",
        "transport": "the name of a table of transports; default: what the URI of the next hop says, else UDP",
        "contact_user": "the user part of Contact; default: that of aor, under ASTERISK s",
        "contact_parameters": "parameters inside the Contact URI, as ;name=value",
        "contact_header_parameters": "parameters of the Contact header, as ;name=value: +sip.instance, reg-id",
        "line": "add ;line= and a token to the Contact URI, by which inbound requests are told apart",
        "expires": "the lifetime to ask for; default 3600 s, under JSSIP 600 s",
        "supported": "option tags for Supported, such as path and outbound",
        "allow": "methods for Allow; default: those that are answered; [] leaves the header out",
        "user_agent": "the User-Agent header; default: none",
        "compact_headers": "write the common header names in one letter each",
        "rport": "ask for the answer to the port that the request came from (default true)",
        "extra_headers": 'further header lines, such as "X-Site: berlin"',
        "max_forwards": "the Max-Forwards header; default 70",
        "profile": "the tables that decide: SIPCORE (default), ASTERISK or JSSIP",
        "max_retries": "retries after the first attempt; default: without end, under ASTERISK 10",
        "retry_interval": "ASTERISK: the wait after a temporary failure; default 60 s; 0 makes it permanent",
        "forbidden_retry_interval": "ASTERISK: the wait after a 403; default 0: fatal_retry_interval",
        "fatal_retry_interval": "ASTERISK: the wait after a permanent failure; default 0: never again",
        "max_random_initial_delay": "the first attempt waits at random up to this; default 0, under ASTERISK 10 s",
        "auth_rejection_permanent": "false: a refused 401 or 407 is a temporary failure (default true)",
        "give_up": "classes of failures after which nothing is retried",
        "redirects": "how many 3xx are followed in one attempt, 0 to 5; default 0",
        "timing": "the transaction timers",
        "keep_alive_interval": "streams: send CRLF CRLF after so long without anything sent; default: never",
        "any_source": "UDP: accept responses from an address that was not asked",
        "protocol": "udp (default) or tcp",
        "local": "the local address, such as 0.0.0.0:5060 or [::]:5060 (5060 is the default); default: any",
        "listen": "streams: accept connections on bind, and name its port in Contact; default: when there is a bind",
        "external_signaling_address": "the IP address under which the outside reaches us, for Contact and Via",
        "external_signaling_hostname": "a host name in its place",
        "external_signaling_port": "the port under which the outside reaches us",
        "local_net": "networks without NAT between them and us, such as 192.168.0.0/16",
        "options": "what to ask of the system for the sockets",
        "tos": "the octet of DSCP and ECN, 0 to 255",
        "cos": "the priority of packets, 0 to 7",
        "tcp_keepalive": "let the system find out that the peer is gone",
        "tcp_keepalive_idle": "silence before the first probe; default 30 s",
        "tcp_keepalive_interval": "between probes; default 10 s",
        "tcp_keepalive_probes": "probes without an answer before the connection is given up; default 5",
        "ha1": "H(username:realm:password) in hexadecimal digits by algorithm, each a text or where it stands",
        "realm": "the realm to answer; default: any",
        "algorithms": "the algorithms to use; default: all",
        "t1": "the round-trip estimate; default 0.5 s",
        "t2": "the longest interval between retransmissions; default 4 s",
        "t4": "how long the network may keep a message; default 5 s",
        "timeout": "timer F: how long an answer is waited for; default 64 times t1",
    }
)


def _options(of: Any, *, leave: tuple[str, ...] = (), texts: Mapping[str, str] = _TEXTS) -> Mapping[str, Option]:
    found = {}
    for item in fields(of):
        if item.name in leave:
            continue
        name, text = _NAMES.get(item.name, item.name), texts.get(item.name, "")
        if item.type in _RECORDS:
            options, make = _RECORDS[str(item.type)]
            found[name] = Option(item.name, record(options), text, options, make)
        elif (kind := _KINDS.get(item.name) or _BY_ANNOTATION.get(str(item.type))) is not None:
            found[name] = Option(item.name, kind, text)
    return MappingProxyType(found)


def record(options: Mapping[str, Option]) -> Kind:
    """A table with options of its own; reads as a mapping of those that are given."""
    schema = {
        "type": "object",
        "properties": {name: {"description": option.text, **option.kind.schema} for name, option in options.items()},
        "additionalProperties": False,
    }
    return Kind(f"a table of {', '.join(options)}", schema, lambda value, place: read_table(value, options, place))


def read_table(value: Any, options: Mapping[str, Option], place: Place) -> dict[str, Any]:
    """The values of a table by option. Raises `ConfigError`."""
    if not isinstance(value, dict):
        raise place.fault("must be a table")
    for key in value:
        if key not in options:
            raise kinds.unknown(place.child(key), options)
    return {key: options[key].kind.read(item, place.child(key)) for key, item in value.items()}


_RECORDS: dict[str, tuple[Mapping[str, Option], Any]] = {}
TIMING = _options(Timing)
SOCKET = _options(SocketOptions)
_RECORDS |= {"Timing": (TIMING, Timing), "SocketOptions": (SOCKET, SocketOptions)}
TRANSPORT = _options(Transport)
CREDENTIAL = _options(Credential, texts={**_TEXTS, "username": "the name to log in with", "password": "the password"})
# The key of the table is the name.
REGISTRATION = _options(Account, leave=("name",))
DEFAULTS: Mapping[str, Option] = MappingProxyType(
    {name: option for name, option in REGISTRATION.items() if name != "aor"}
)

TABLES: Mapping[str, Mapping[str, Option]] = MappingProxyType(
    {"transports": TRANSPORT, "credentials": CREDENTIAL, "registrations": REGISTRATION}
)
"""The tables of named tables, with what stands in each."""
