"""Local addresses as people write them."""

from __future__ import annotations

from sipcore.syntax.grammar import parse_uint
from sipcore.values import Address

__all__ = ["DEFAULT_PORT", "bind_address"]

DEFAULT_PORT = 5060
"""Of a bind without a port (RFC 3261 section 19.1.2)."""


def bind_address(text: str) -> Address | None:
    """`192.0.2.1`, `192.0.2.1:5060`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:5060`; None for what has another
    form. Whether the host is an IP address is for `Transport` to say."""
    host, colon, port = text, "", ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not bracket or (rest and colon != ":"):
            return None
    elif text.count(":") == 1:
        host, colon, port = text.partition(":")
    if not colon:
        return host, DEFAULT_PORT
    number = parse_uint(port, maximum=65536)
    return None if number is None else (host, number)
