"""The words that all headers are made of: tokens, quoted strings, lists, numbers, hosts (RFC 3261 section 25.1).

Two kinds of function: those that read what a peer sent and raise `RemoteProtocolError`, and predicates by which
configuration is checked before any of it reaches the wire.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.syntax.limits import MAX_DELTA_SECONDS, MAX_HOST, MAX_PORT

__all__ = [
    "TOKEN",
    "UNRESERVED",
    "USUAL_HOST",
    "USUAL_PORT",
    "check_escapes",
    "check_line",
    "check_user",
    "delta_seconds",
    "end_of_quoted",
    "escape_user",
    "is_host",
    "is_token",
    "parse_host_port",
    "parse_uint",
    "quote",
    "split_list",
    "stray_nul",
    "unquote",
    "visible",
]

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALPHANUM: Final = _LETTERS + "0123456789"

TOKEN: Final = _ALPHANUM + "-.!%*_+`'~"
"""The characters of a token (RFC 3261 section 25.1)."""

UNRESERVED: Final = _ALPHANUM + "-_.!~*'()"
"""The characters that mean the same whether escaped or not (RFC 3261 section 25.1)."""

# user-unreserved of RFC 3261 section 25.1
_USER: Final = UNRESERVED + "&=+$,;?/"

# The underscore is not in the grammar of a host, but container names have it and every resolver takes it.
_HOST: Final = _ALPHANUM + "-._"

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"

USUAL_HOST: Final = (
    rf"(?>{_OCTET}[.]{_OCTET}[.]{_OCTET}[.]{_OCTET})(?![-.0-9A-Za-z_])"
    r"|[0-9A-Za-z_]{1,31}+(?:[-.][0-9A-Za-z_]{1,31}+){0,7}+(?<![0-9])"
)
"""An expression for an IPv4 address, or a host name that cannot be mistaken for one; never longer than `MAX_HOST`."""

USUAL_PORT: Final = "[1-9][0-9]{0,3}+(?![0-9])|[1-5][0-9]{4}+"
"""An expression for a port that needs no closer look."""

_OCTETS: Final = frozenset(map(str, range(256)))

_HEX: Final = "0123456789abcdefABCDEF"

# One character class: cannot backtrack.
_LIST_MARKS: Final = re.compile(r'[",<>\\]')
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)


def is_token(text: str) -> bool:
    """True when `text` is a token (RFC 3261 section 25.1)."""
    # strip() stops at the first character from either end that is not in the set, so only tokens leave nothing.
    return text != "" and not text.strip(TOKEN)


def quote(text: str) -> str:
    """`text` as a quoted-string, its quotation marks and backslashes escaped (RFC 3261 section 25.1).

    Raises `LocalProtocolError` when it holds CR, LF or NUL, which no quoted-string can carry.
    """
    if "\r" in text or "\n" in text or "\0" in text:
        raise LocalProtocolError(f"a quoted string cannot carry a line end or NUL: {visible(text)}")
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    return f'"{text}"'


def unquote(text: str) -> str:
    """The text that a quoted-string stands for; a token stands for itself (RFC 3261 section 25.1).

    Raises `RemoteProtocolError` when a quoted-string does not end where the text ends.
    """
    if text[:1] != '"':
        return text
    if end_of_quoted(text, 0) != len(text):
        raise RemoteProtocolError(f"malformed quoted string: {visible(text)}")
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    return _QUOTED_PAIR.sub(r"\1", inner)


def end_of_quoted(text: str, start: int) -> int:
    """The position behind the quoted-string that begins at `start`, or -1 when it never ends."""
    position = start + 1
    end = text.find('"', position)
    while end >= 0:
        backslash = text.find("\\", position, end)
        if backslash < 0:
            return end + 1
        position = backslash + 2
        if position > end:
            end = text.find('"', position)
    return -1


def split_list(value: str) -> list[str]:
    """The elements of a comma-separated header value, stripped (RFC 3261 section 7.3.1).

    Commas in quoted strings and between angle brackets are data. An empty value has no elements; two commas in a row
    give an empty element, for the element's own parser to refuse. Never raises: what was opened and not closed runs
    to the end.
    """
    if '"' in value:
        return _split_quoted(value)
    if "," not in value:
        value = value.strip(" \t")
        return [value] if value else []
    pieces = value.split(",")
    if "<" not in value:
        return [piece.strip(" \t") for piece in pieces]
    items: list[str] = []
    held: list[str] = []
    for piece in pieces:
        if held:
            held.append(piece)
            if ">" not in piece or piece.rfind("<") > piece.rfind(">"):
                continue
            piece = ",".join(held)
            held = []
        elif piece.rfind("<") > piece.rfind(">"):
            held.append(piece)
            continue
        items.append(piece.strip(" \t"))
    if held:
        items.append(",".join(held).strip(" \t"))
    return items


def parse_uint(text: str, *, maximum: int) -> int | None:
    """An unsigned decimal number, or None when `text` is not one; above `maximum` it counts as `maximum`.

    ASCII digits only, leading zeros allowed: `int()` would also take signs, underscores, spaces and other scripts'
    digits, and raises for thousands of them.
    """
    if not (text.isdecimal() and text.isascii()):
        return None
    if len(text) > 10:
        text = text.lstrip("0") or "0"
        if len(text) > len(str(maximum)):
            return maximum
    return min(int(text), maximum)


def delta_seconds(text: str) -> int | None:
    """A number of seconds, at most 2**32-1, or None when malformed (RFC 3261 sections 20.19 and 25.1)."""
    return parse_uint(text, maximum=MAX_DELTA_SECONDS)


def is_host(text: str) -> bool:
    """True for a host name, an IPv4 address, or an IPv6 address in brackets (RFC 3261 section 25.1, RFC 5954).

    Taken although the grammar says otherwise: underscores, and a last label that only begins with a digit.
    """
    if not text or len(text) > MAX_HOST:
        return False
    if text[0] == "[":
        return text[-1] == "]" and _is_ipv6(text[1:-1])
    if text.strip(_HOST):
        return False
    if text[0] in "-." or ".." in text or "-." in text or ".-" in text or text[-1] == "-":
        return False
    # A name whose last label is all digits can only be an address, and then all of it has to be one. Leading zeros are
    # not in the table: to some readers they make the number octal.
    parts = text.split(".")
    if len(parts) == 4 and _OCTETS.issuperset(parts):
        return True
    return not (parts[-1] or parts[-2]).isdecimal()


def parse_host_port(text: str) -> tuple[str, int | None]:
    """`host` or `host:port`, the brackets of IPv6 kept (RFC 3261 section 25.1).

    A third colon in an IPv6 address, born from the grammar of RFC 3261, is read as two (RFC 5118 section 4.10).
    Raises `RemoteProtocolError`.
    """
    if text[:1] == "[":
        end = text.find("]") + 1
        host, rest = text[:end].replace(":::", "::"), text[end:]
        colon, digits = rest[:1], rest[1:]
        if colon not in ("", ":"):
            raise RemoteProtocolError(f"malformed host: {visible(text)}")
    else:
        host, colon, digits = text.partition(":")
    if not is_host(host):
        raise RemoteProtocolError(f"malformed host: {visible(text)}")
    if not colon:
        return host, None
    port = parse_uint(digits, maximum=MAX_PORT + 1)
    if port is None or not 0 < port <= MAX_PORT:
        raise RemoteProtocolError(f"malformed port: {visible(text)}")
    return host, port


def stray_nul(head: str) -> bool:
    """Whether a start line and its headers have a NUL anywhere but as a quoted-pair in the quoted-string of a header.

    There alone the grammar allows it (RFC 3261 section 25.1); a display name may have it (RFC 4475 section 3.1.1.2).
    """
    # A quoted-string goes on behind a fold.
    start, *lines = head.replace("\r\n ", "  ").replace("\r\n\t", "  ").split("\r\n")
    return "\0" in start or any("\0" in line and _has_stray_nul(line) for line in lines)


def check_line(text: str) -> bool:
    """True when `text` may stand in a header value: no CR, LF, NUL or other control, nothing UTF-8 cannot carry."""
    return text.isprintable() or not any(_is_control(character) for character in text)


def check_user(text: str) -> bool:
    """True when `text` may stand as the user part of a URI as it is (RFC 3261 section 25.1)."""
    return text != "" and not text.strip(_USER + "%") and check_escapes(text)


def check_escapes(text: str) -> bool:
    """True when each percent sign is followed by two hexadecimal digits."""
    if "%" not in text:
        return True
    return all(len(piece) > 1 and piece[0] in _HEX and piece[1] in _HEX for piece in text.split("%")[1:])


def escape_user(text: str) -> str:
    """`text` as the user part of a URI, everything that may not stand there escaped (RFC 3261 section 19.1.2)."""
    if not text.strip(_USER):
        return text
    return "".join(
        character if character in _USER else "".join(f"%{byte:02X}" for byte in character.encode())
        for character in text
    )


def visible(text: str, limit: int = 200) -> str:
    """`text` made safe for logs and terminals, at most `limit` characters long.

    Controls, line and paragraph separators, bidirectional marks and undecodable bytes are written as escapes.
    """
    if len(text) > limit:
        # Escapes only lengthen, so what lies behind the limit cannot be needed.
        text = text[: limit + 1]
    if not text.isprintable():
        text = "".join(character if character.isprintable() else _escape(character) for character in text)
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def _split_quoted(value: str) -> list[str]:
    items: list[str] = []
    start = 0
    skip = -1
    quoted = angle = False
    for match in _LIST_MARKS.finditer(value):
        position = match.start()
        if position == skip:
            continue
        mark = value[position]
        if quoted:
            if mark == "\\":
                skip = position + 1
            elif mark == '"':
                quoted = False
        elif angle:
            angle = mark != ">"
        elif mark == '"':
            quoted = True
        elif mark == "<":
            angle = True
        elif mark == ",":
            items.append(value[start:position].strip(" \t"))
            start = position + 1
    items.append(value[start:].strip(" \t"))
    return items


def _has_stray_nul(line: str) -> bool:
    position = 0
    while (start := line.find('"', position)) >= 0:
        end = end_of_quoted(line, start)
        if end < 0 or "\0" in line[position:start] or "\0" in _QUOTED_PAIR.sub("", line[start:end]):
            return True
        position = end
    return "\0" in line[position:]


def _is_ipv6(text: str) -> bool:
    if "%" in text:
        return False  # A zone means something on one host only (RFC 5954 section 4.1 has none).
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def _is_control(character: str) -> bool:
    code = ord(character)
    return code < 0x20 or 0x7F <= code <= 0x9F or 0x2028 <= code <= 0x2029 or 0xD800 <= code <= 0xDFFF


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # A byte that was no UTF-8 arrives as a lone surrogate (surrogateescape).
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
