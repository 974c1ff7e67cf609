"""SIP messages as text that may be shown: what could be used to log in is masked, all else stays.

It works on lines, not on parsed messages: what is traced is often what could not be parsed. So it errs on the side of
masking: of credentials only the parameters that are known to be harmless are kept, and whatever is not understood is
masked whole.
"""

from __future__ import annotations

import re

__all__ = ["MASK", "redact", "redact_uri"]

MASK = "***"

# RFC 7616 section 3.4: all but response, from which a guessed password can be verified.
_HARMLESS = frozenset({"username", "realm", "nonce", "uri", "algorithm", "opaque", "cnonce", "qop", "nc", "userhash"})

_CREDENTIALS = frozenset({"authorization", "proxy-authorization"})

# rspauth verifies a guessed password just as well as response does (RFC 7616 section 3.5).
_INFO = frozenset({"authentication-info", "proxy-authentication-info"})

# What ends a URI in running text. A comma does not: it may stand in a user part and in a password.
_URI_ENDS = frozenset(" \t<>\"'\r\n")

# Not `text.lower()`: that can be longer than the text, and then places in the one are not places in the other.
_SCHEME = re.compile("sips?:", re.IGNORECASE | re.ASCII)


def redact(data: bytes) -> str:
    """One message as text without secrets, its lines separated by line feeds.

    Masked are `response` and unknown parameters of Digest credentials, everything behind another scheme's name (Bearer,
    Basic), `rspauth`, and passwords in URIs. Folded lines are joined. Never raises.
    """
    text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\n")
    lines: list[str] = []
    head, blank, body = text.partition("\n\n")
    for line in head.split("\n"):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    shown = [_line(line) for line in lines]
    if blank:
        shown += ["", *(redact_uri(line) for line in body.split("\n"))]
    return "\n".join(shown)


def redact_uri(text: str) -> str:
    """`text` with the passwords of all SIP URIs in it masked (`sip:user:password@host`)."""
    position = 0
    parts: list[str] = []
    copied = 0
    while (scheme := _SCHEME.search(text, position)) is not None:
        start = scheme.end() - 1
        end = next((index for index in range(start + 1, len(text)) if text[index] in _URI_ENDS), len(text))
        host = text.rfind("@", start + 1, end)
        colon = text.find(":", start + 1, host) if host >= 0 else -1
        if colon >= 0:
            parts += [text[copied : colon + 1], MASK]
            copied = position = host
        else:
            position = max(end if host < 0 else host, start)
    parts.append(text[copied:])
    return "".join(parts)


def _line(line: str) -> str:
    name, colon, value = line.partition(":")
    header = name.strip(" \t").lower()
    if colon and header in _CREDENTIALS:
        return f"{name}: {_credentials(value.strip())}"
    if colon and header in _INFO:
        return f"{name}: {_parameters(value, _HARMLESS | {'nextnonce'})}"
    return redact_uri(line)


def _credentials(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "digest":
        return f"{scheme} {MASK}" if rest and scheme.isalnum() else MASK
    return f"{scheme} {_parameters(rest, _HARMLESS)}"


def _parameters(text: str, harmless: frozenset[str]) -> str:
    shown = []
    for item in _split(text):
        name, equals, value = item.partition("=")
        # A quote too many can make a secret look like part of the value before it.
        if equals and name.strip().lower() in harmless and "response" not in value.lower():
            shown.append(f"{name.strip()}={redact_uri(value.strip())}")
        else:
            shown.append(f"{name.strip()}={MASK}" if equals and name.strip().isalnum() else MASK)
    return ", ".join(shown)


def _split(text: str) -> list[str]:
    """Pieces between commas outside quoted strings; a string that never ends takes all that follows."""
    items: list[str] = []
    start = 0
    quoted = escaped = False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            items.append(text[start:index])
            start = index + 1
    items.append(text[start:])
    return items
