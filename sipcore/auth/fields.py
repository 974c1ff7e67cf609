"""The comma-separated parameters that challenges, credentials and Authentication-Info are made of.

RFC 3261 section 25.1, RFC 7235 section 2.1:

    challenge   =  scheme LWS ( auth-param *(COMMA auth-param) / token68 )
    auth-param  =  token EQUAL ( token / quoted-string )

The same comma separates parameters and challenges, so a challenge starts where a token stands before the parameter's
name, or where a token stands alone. Deviations, each for a peer that sends it: parameters may be quoted or not,
whatever the grammar wants (`algorithm="MD5"`, `qop=auth`, `nonce=abc==`); empty list elements are skipped.
"""

from __future__ import annotations

import re

from sipcore.syntax.expressions import compile_possessive
from sipcore.syntax.grammar import is_token
from sipcore.syntax.limits import MAX_PARAMETERS

__all__ = ["MALFORMED", "MAX_CHALLENGE", "MAX_VALUE", "Fields", "parse_fields", "parse_schemes", "size", "unescape"]

Fields = dict[str, str]
"""Names in lower case, values without their quotes but still escaped."""

MALFORMED = ""
"""The key that marks fields that break the grammar: no parameter has an empty name."""

MAX_VALUE = 4096
"""The longest value, in bytes. Realm, nonce and opaque go back in every request; no request could carry more."""

MAX_CHALLENGE = 5120
"""All values of one challenge together, in bytes: they are kept in several forms, those of four realms at once, and
stay below 64 KiB for a registration. Real ones have 200."""

# Every quantifier is possessive, so the expression never goes back; what fits nowhere ends up in the last group.
_ITEM = compile_possessive(
    r"""[ \t]*+(?:
        (?:([!#$%&'*+.^_`|~0-9A-Za-z-]++)[ \t]++(?![=,]))?+
        ([!#$%&'*+.^_`|~0-9A-Za-z/-]++)
        (?:[ \t]*+(=)[ \t]*+(?:
            "([^"\\\x00-\x08\x0a-\x1f\x7f]*+(?:\\[^\x00-\x08\x0a-\x1f\x7f][^"\\\x00-\x08\x0a-\x1f\x7f]*+)*+)"
            | ([^\x00-\x20"\\,\x7f]++)
        ))?+
        [ \t]*+(?:,|\Z)
        | ,
        | ([^,]++,?+)
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_schemes(value: str) -> list[tuple[str, Fields]]:
    """Each scheme of a header value with its fields; broken fields hold the key `MALFORMED`. Never raises."""
    found: list[tuple[str, Fields]] = []
    fields: Fields = {}
    for scheme, name, equals, text, bare, junk in _ITEM.findall(value.strip(" \t")):
        if junk:
            word, space, rest = junk.strip(" \t").partition(" ")
            if space and is_token(word) and rest.lstrip(" \t")[:1] not in ("", "=", ","):
                # What is broken starts with a scheme: the challenge before it is not to blame.
                fields = {}
                found.append((word, fields))
            fields[MALFORMED] = junk
            continue
        if scheme or (name and not equals):
            fields = {}
            found.append((scheme or name, fields))
        if equals:
            _put(fields, name, text or bare)
    return found


def parse_fields(value: str) -> Fields:
    """The fields of a value that names no scheme, as in Authentication-Info. Never raises."""
    fields: Fields = {}
    for scheme, name, equals, text, bare, junk in _ITEM.findall(value.strip(" \t")):
        if junk or scheme or (name and not equals):
            fields[MALFORMED] = value
        elif name:
            _put(fields, name, text or bare)
    return fields


def size(text: str) -> int:
    """Bytes that a text takes at most, in memory and on the wire: one character beyond ASCII makes all of them wide."""
    return len(text) if text.isascii() else 4 * len(text)


def unescape(text: str) -> str:
    """The content of a quoted-string, its quoted-pairs undone."""
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _put(fields: Fields, name: str, value: str) -> None:
    name = name.lower()
    # RFC 7616 section 3.3: no parameter occurs twice.
    if name in fields or len(fields) >= MAX_PARAMETERS or size(value) > MAX_VALUE:
        fields[MALFORMED] = name
    else:
        fields[name] = value
