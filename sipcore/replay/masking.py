"""Messages without what could be used to log in, byte for byte as long as before.

What is masked is what `sipcore.redact` masks, but that module writes for people, who do not mind that lines get
shorter. A recording is read again by the core: Content-Length, framing and syntax have to stay what they were. So each
byte of a secret is replaced by one of the same class (`0` for letters, digits and most marks), which makes a valid
text valid still and an invalid one still invalid, and masking twice is masking once.

It works on lines, not on parsed messages, since what is recorded is often what could not be parsed. So it errs on the
side of masking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from sipcore.syntax.expressions import compile_possessive

__all__ = ["mask", "mask_text", "masked_pieces", "prove"]

# RFC 7616 section 3.4: all but response, from which a guessed password can be verified.
_HARMLESS: Final = frozenset(
    b"username realm nonce uri algorithm opaque cnonce qop nc userhash username* nextnonce".split()
)

# Headers with credentials, and those with rspauth, which verifies a guessed password just as response does (RFC 7616
# section 3.5). A header goes on in the lines that begin with white space.
_SECRETIVE: Final = compile_possessive(
    rb"(?:^|(?<=[\r\n]))(?P<name>(?:proxy-)?auth(?:orization|entication-info))[ \t]*+:"
    rb"(?P<value>[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+)",
    re.IGNORECASE,
)

_URI_END: Final = re.compile(rb"[\x00-\x20<>\"']")
_SIP: Final = re.compile(rb"sips?:", re.IGNORECASE)
_ESCAPE: Final = re.compile(rb"%[0-9A-Fa-f]{2}")
_HALVES: Final = re.compile("([\ud800-\udc7f\udd00-\udfff])")
_RSPAUTH: Final = re.compile(rb"rspauth[ \t]*+=[ \t]*+(?:\"([^\"]*+)\"|([^\s,\"]*+))", re.IGNORECASE)

_SCHEME: Final = re.compile(rb"[^ \t\r\n,=\"]*+")

_STRUCTURE: Final = b'"\\,=;:<>@'


def _table(token: bytes) -> bytes:
    """A translation that keeps each byte in its class; `token` are the marks that count as letters."""
    table = bytearray(range(256))
    for byte in range(0x21, 0x7F):
        if byte in _STRUCTURE:
            continue
        table[byte] = 0x30 if chr(byte).isalnum() or byte in token else 0x2F
    # Well-formed UTF-8 stays well-formed.
    for first, last, byte in ((0x80, 0xBF, 0x80), (0xC2, 0xDF, 0xC3), (0xE0, 0xEF, 0xE3), (0xF0, 0xF4, 0xF1)):
        for other in range(first, last + 1):
            table[other] = byte
    return bytes(table)


# RFC 3261 section 25.1: token, and what a password may consist of.
_AS_TOKEN: Final = _table(b"-.!%*_+`'~")
_AS_PASSWORD: Final = _table(b"-_.!~*'()&+$")


def mask(data: bytes, *, unfinished: bool = False) -> bytes:
    """`data` with credentials, `rspauth` and the passwords of SIP URIs masked, as long as before. Never raises.

    `unfinished` says that more was to come, so that what stands at the end may be the beginning of a secret.
    """
    lowered = data.lower()
    if b"auth" in lowered:
        parts: list[bytes] = []
        copied = 0
        for match in _SECRETIVE.finditer(data):
            start, end = match.span("value")
            name = match["name"].lower()
            parts += [data[copied:start], (_parameters if name.endswith(b"info") else _credentials)(data[start:end])]
            copied = end
        data = b"".join((*parts, data[copied:]))
    return _mask_uris(data, unfinished) if b"sip" in lowered and (unfinished or b"@" in data) else data


def mask_text(text: str) -> str:
    """The same for text."""
    if ":" not in text:
        return text
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half a character, from an application or a file; what stands for a byte is not meant.
        return "".join(map(mask_text, _HALVES.split(text))) if len(text) > 1 else text
    masked = mask(data)
    return text if masked == data else masked.decode("utf-8", "surrogateescape")


def masked_pieces(pieces: Iterable[bytes], *, unfinished: bool = True) -> list[bytes]:
    """The bytes of one stream masked together, then cut where they were cut."""
    pieces = list(pieces)
    whole = mask(b"".join(pieces), unfinished=unfinished)
    cut: list[bytes] = []
    position = 0
    for piece in pieces:
        cut.append(whole[position : position + len(piece)])
        position += len(piece)
    return cut


def prove(data: bytes, header: str, right: str) -> bytes:
    """A message in which each `rspauth` of that header is `right`, where that is as long as what it replaces."""
    head, blank, body = data.partition(b"\r\n\r\n")
    name = header.encode("ascii")

    def put(match: re.Match[bytes]) -> bytes:
        group = 1 if match[1] is not None else 2
        start, end = match.start(group) - match.start(), match.end(group) - match.start()
        if end - start != len(right):
            return match[0]
        return match[0][:start] + right.encode("ascii", "replace") + match[0][end:]

    def each(match: re.Match[bytes]) -> bytes:
        return _RSPAUTH.sub(put, match[0]) if match["name"].lower() == name else match[0]

    return _SECRETIVE.sub(each, head) + blank + body


def _credentials(value: bytes) -> bytes:
    stripped = value.lstrip(b" \t\r\n")
    lead = value[: len(value) - len(stripped)]
    scheme = _SCHEME.match(stripped)
    assert scheme is not None
    rest = stripped[scheme.end() :]
    if not rest.strip():
        # There is no scheme, so this is the secret.
        return lead + _masked(stripped)
    if scheme[0].lower() == b"digest":
        return lead + scheme[0] + _parameters(rest)
    return lead + (scheme[0] if scheme[0].isalnum() and rest[:1].isspace() else _masked(scheme[0])) + _masked(rest)


def _parameters(text: bytes) -> bytes:
    shown: list[bytes] = []
    for item in _split(text):
        name, equals, value = item.partition(b"=")
        # A quote too many can make a secret look like part of the value before it.
        if equals and name.strip().lower() in _HARMLESS and not _suspicious(value):
            shown.append(item)
        else:
            shown.append(name + equals + _masked(value) if equals and _is_name(name) else _masked(item))
    return b",".join(shown)


def _suspicious(value: bytes) -> bool:
    lowered = value.lower()
    return b"response" in lowered or b"rspauth" in lowered


def _is_name(name: bytes) -> bool:
    return name.strip().rstrip(b"*").replace(b"-", b"").isalnum()


def _masked(text: bytes) -> bytes:
    return text.translate(_AS_TOKEN)


def _split(text: bytes) -> list[bytes]:
    """Pieces between commas outside quoted strings; a string that never ends takes all that follows."""
    items: list[bytes] = []
    start = 0
    quoted = escaped = False
    for index, byte in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and byte == 0x5C:
            escaped = True
        elif byte == 0x22:
            quoted = not quoted
        elif byte == 0x2C and not quoted:
            items.append(text[start:index])
            start = index + 1
    items.append(text[start:])
    return items


def _mask_uris(data: bytes, unfinished: bool) -> bytes:
    parts: list[bytes] = []
    copied = position = 0
    while (match := _SIP.search(data, position)) is not None:
        start = match.end()
        stop = _URI_END.search(data, start)
        end = len(data) if stop is None else stop.start()
        host = data.rfind(b"@", start, end)
        if host < 0 and unfinished and end == len(data):
            host = end
        colon = data.find(b":", start, host) if host >= 0 else -1
        if colon >= 0:
            password = _ESCAPE.sub(b"000", data[colon + 1 : host]).translate(_AS_PASSWORD)
            parts += [data[copied : colon + 1], password]
            copied = position = host
        else:
            position = max(end if host < 0 else host, start)
    parts.append(data[copied:])
    return b"".join(parts)

