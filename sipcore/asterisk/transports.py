"""Objects of type transport, and which of them a registration uses."""

from __future__ import annotations

from sipcore.asterisk.options import Values
from sipcore.config import Transport
from sipcore.errors import ConfigError, RemoteProtocolError
from sipcore.redact import redact_uri
from sipcore.syntax.addresses import parse_name_addr
from sipcore.syntax.grammar import parse_uint
from sipcore.values import Address, Protocol

__all__ = ["DEFAULT_PORT", "family", "next_hop", "read_transport"]

DEFAULT_PORT = 5060
"""Of a bind without a port."""

_LATER_PROTOCOLS = ("tls", "ws", "wss", "flow", "sctp")


def read_transport(values: Values) -> Transport:
    """What an object of type transport says. Raises `ConfigError`."""
    text = (values.text("protocol") or "udp").lower()
    if text not in ("udp", "tcp"):
        expected = "not supported yet; udp and tcp are" if text in _LATER_PROTOCOLS else "udp or tcp"
        raise ConfigError("protocol", values.text("protocol"), expected, where=values.where("protocol"))
    bind = values.text("bind")
    if not bind:
        raise values.missing("bind", "an IP address with or without a port")
    protocol = Protocol(text.upper())
    expected = "an IP address with or without a port, such as 0.0.0.0:5060 or [::]:5060"
    try:
        return Transport(protocol=protocol, local=_address(bind), listen=protocol.reliable)
    except (ConfigError, ValueError):
        raise ConfigError("bind", bind, expected, where=values.where("bind")) from None


def next_hop(hop: str, option: str, values: Values) -> tuple[Protocol | None, int | None]:
    """What the URI of the next hop says about protocol and address family."""
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
        later = "not supported yet" if parameter.lower() in _LATER_PROTOCOLS else "not a transport"
        raise ConfigError(
            option, redact_uri(values.text(option)), f"transport={parameter} is {later}", where=where
        ) from None


def family(transport: Transport) -> int | None:
    """4 or 6 by the address that is bound; None when the system chooses."""
    return None if transport.local is None else 6 if ":" in transport.local[0] else 4


def _address(bind: str) -> Address:
    host, colon, port = bind, "", ""
    if bind.startswith("["):
        host, _, rest = bind[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if rest and colon != ":":
            raise ValueError(bind)
    elif bind.count(":") == 1:
        host, colon, port = bind.partition(":")
    if not colon:
        return host, DEFAULT_PORT
    number = parse_uint(port, maximum=65536)
    if number is None:
        raise ValueError(bind)
    return host, number
