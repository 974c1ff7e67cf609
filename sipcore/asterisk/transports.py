"""Objects of type transport, and what the URI of the next hop asks of one."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple

from sipcore.asterisk.options import Values, parse_integer
from sipcore.config import Transport
from sipcore.errors import ConfigError, RemoteProtocolError
from sipcore.redact import redact_uri
from sipcore.syntax.addresses import parse_name_addr
from sipcore.syntax.grammar import parse_uint
from sipcore.values import Address, Protocol, SocketOptions

__all__ = ["DEFAULT_PORT", "DEFAULT_TLS_PORT", "Declared", "family", "next_hop", "read_transport"]

DEFAULT_PORT: Final = 5060
"""Of a bind without a port."""
DEFAULT_TLS_PORT: Final = 5061

_LATER_PROTOCOLS: Final = ("tls", "ws", "wss", "flow")
"""Asterisk has them; none of our registrations can use one yet."""

_NO_PROTOCOLS: Final = ("sctp",)

_METHODS: Final = "default unspecified tlsv1 tlsv1_1 tlsv1_2 tlsv1_3 sslv2 sslv3 sslv23".split()

# RFC 2474, 2597 and 3246; the last five are the names of RFC 1349.
_TOS: Final = MappingProxyType(
    {
        **{f"cs{number}": number << 5 for number in range(8)},
        **{f"af{row}{column}": row << 5 | column << 3 for row in range(1, 5) for column in range(1, 4)},
        "ef": 0xB8,
        "lowdelay": 0x10,
        "throughput": 0x08,
        "reliability": 0x04,
        "mincost": 0x02,
        "none": 0,
    }
)

_ECN: Final = 0x03
"""The two bits of the octet that belong to the network (RFC 3168)."""

_KEEPALIVE: Final = MappingProxyType(
    {
        "tcp_keepalive_idle": "tcp_keepalive_idle_time",
        "tcp_keepalive_interval": "tcp_keepalive_interval_time",
        "tcp_keepalive_probes": "tcp_keepalive_probe_count",
    }
)
_FILE_NAMES: Final = MappingProxyType({"local": "bind", **_KEEPALIVE})
"""What is called otherwise in `Transport` and `SocketOptions`."""


class Declared(NamedTuple):
    """One transport of the file."""

    transport: Transport | None
    """None when it is of a kind that is not supported yet."""
    protocol: str
    """As in the file, in lower case."""
    where: str
    """`file:line` of its bind."""


def read_transport(values: Values) -> Declared:
    """What an object of type transport says. Raises `ConfigError`."""
    # What is checked by its form alone comes first: behind a fault nothing more is looked at.
    values.check(used=False)
    if values.integer("async_operations") != 1:
        values.warn_about("async_operations", "is always 1, as in Asterisk")
    text = (values.text("protocol") or "udp").lower()
    if text not in ("udp", "tcp", *_LATER_PROTOCOLS):
        expected = "udp, tcp, tls, ws, wss or flow"
        raise ConfigError("protocol", values.text("protocol"), expected, where=values.where("protocol"))
    method = values.text("method").lower()
    if method and method not in _METHODS:
        expected = f"one of {', '.join(_METHODS)}"
        raise ConfigError("method", values.text("method"), expected, where=values.where("method"))
    bind = values.text("bind")
    if not bind and text != "flow":
        raise values.missing("bind", "an IP address with or without a port")
    protocol = Protocol.UDP if text == "udp" else Protocol.TCP
    try:
        local = _address(bind, DEFAULT_TLS_PORT if text == "tls" else DEFAULT_PORT) if bind else None
        # What is not supported yet is checked like the rest, so that only the one thing is left to be said.
        transport = _transport(values, protocol, local)
    except ConfigError as error:
        raise _named(error, values) from None
    except ValueError:
        raise _bad_bind(values) from None
    supported = text in ("udp", "tcp")
    return Declared(transport if supported else None, text, values.where("bind"))


def _transport(values: Values, protocol: Protocol, local: Address | None) -> Transport:
    address = values.text("external_signaling_address") or None
    hostname = values.text("external_signaling_hostname") or None
    port = values.integer("external_signaling_port")
    if port and address is None and hostname is None:
        values.idle["external_signaling_port"] = "has no effect without external_signaling_address, as in Asterisk"
        values.warn_about("external_signaling_port", values.idle["external_signaling_port"])
        port = 0
    networks = [item.strip() for option in values.every("local_net") for item in option.value.split(",")]
    return Transport(
        protocol=protocol,
        local=local,
        listen=protocol.reliable and local is not None,
        external_signaling_address=address,
        external_signaling_hostname=hostname,
        external_signaling_port=port,
        local_net=tuple(filter(None, networks)),
        options=_options(values, protocol),
    )


def _options(values: Values, protocol: Protocol) -> SocketOptions:
    numbers = {ours: values.integer(theirs) for ours, theirs in _KEEPALIVE.items()}
    if values.boolean("tcp_keepalive_enable") and protocol.reliable:
        return SocketOptions(tos=_tos(values), cos=values.integer("cos"), tcp_keepalive=True, **numbers)
    why = "has no effect without tcp_keepalive_enable = yes"
    if not protocol.reliable:
        why = "has no effect without connections, which UDP has not"
        values.idle["tcp_keepalive_enable"] = why
    values.idle.update(dict.fromkeys(_KEEPALIVE.values(), why))
    return SocketOptions(tos=_tos(values), cos=values.integer("cos"))


def _tos(values: Values) -> int:
    text = values.text("tos").lower() or "0"
    number = _TOS.get(text, parse_integer(text))
    if number is None or number > 255:
        expected = "a number from 0 to 255, or one of cs0 to cs7, af11 to af43 and ef"
        raise ConfigError("tos", values.text("tos"), expected, where=values.where("tos"))
    if number & _ECN:
        number &= ~_ECN
        values.warn_about("tos", f"its last two bits belong to the network; {number} is used, as in Asterisk")
    return number


def _named(error: ConfigError, values: Values) -> ConfigError:
    name = _FILE_NAMES.get(error.option, error.option)
    if name == "bind":
        return _bad_bind(values)
    value = error.value
    where = values.where(name)
    if name == "local_net":
        # The line with the network that is wrong, of several.
        lines = [option for option in values.every(name) if str(value) in option.value.split(",")]
        where = lines[-1].where if lines else where
    return ConfigError(name, value, error.expected, where=where)


def _bad_bind(values: Values) -> ConfigError:
    expected = "an IP address with or without a port, such as 0.0.0.0:5060 or [::]:5060"
    return ConfigError("bind", values.text("bind"), expected, where=values.where("bind"))


def next_hop(hop: str, option: str, values: Values) -> tuple[Protocol | None, int | None]:
    """What the URI of the next hop says about protocol and address family. Raises `ConfigError`."""
    try:
        uri = parse_name_addr(hop).uri
    except RemoteProtocolError:
        return None, None  # the account's own check says it better
    where = values.where(option)
    if uri.secure:
        raise ConfigError(option, redact_uri(values.text(option)), "sips and TLS are not supported yet", where=where)
    literal = 6 if uri.host.startswith("[") else 4 if uri.host.replace(".", "").isdecimal() else None
    parameter = uri.get("transport")
    if parameter is None:
        return None, literal
    try:
        return Protocol(parameter.upper()), literal
    except ValueError:
        known = parameter.lower() in (*_LATER_PROTOCOLS, *_NO_PROTOCOLS)
        later = "not supported yet" if known else "not a transport"
        raise ConfigError(
            option, redact_uri(values.text(option)), f"transport={parameter} is {later}", where=where
        ) from None


def family(transport: Transport) -> int | None:
    """4 or 6 by the address that is bound; None when the system chooses."""
    return None if transport.local is None else 6 if ":" in transport.local[0] else 4


def _address(bind: str, default: int) -> Address:
    host, colon, port = bind, "", ""
    if bind.startswith("["):
        host, _, rest = bind[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if rest and colon != ":":
            raise ValueError(bind)
    elif bind.count(":") == 1:
        host, colon, port = bind.partition(":")
    if not colon:
        return host, default
    number = parse_uint(port, maximum=65536)
    if number is None:
        raise ValueError(bind)
    return host, number
