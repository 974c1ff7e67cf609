"""The grammar of RFC 3261 section 25.1 as it is written: a judge when two readers disagree.

Not a parser and not fast: each rule of the ABNF is an expression under its own name, made of the rules before it, and
a value either matches from end to end or does not. IPv6 addresses are those of RFC 5954. Folding is undone before, so
LWS is SP and HTAB. What the text of the RFC adds to its grammar (no duplicate parameters, bounds of numbers) is not
looked at, but for which header stands once.

`LENIENCIES` names what `sipcore.syntax` takes beyond the grammar; each can be granted to the judge.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from sipcore.syntax.names import header_key

__all__ = ["LENIENCIES", "header_values", "valid"]

LENIENCIES: Final = {
    "octets": "what a value is made of is not looked at, but for CR, LF and NUL (`sipcore.syntax.splitting`)",
    "display": "a display name may be unquoted text of any kind (`parse_name_addr`)",
    "brackets": "white space inside the angle brackets (`parse_name_addr`)",
    "parameters": "names with the characters of a URI's, any value or an empty one (`parse_parameters`)",
    "uri": "characters that stand unescaped in a URI (`Uri.parse`)",
    "host": "underscores, labels that begin with a digit, a third colon in IPv6 (`is_host`, `parse_host_port`)",
    "empty": "a line without a value has no elements (`split_list`)",
    "reason": "no space before an absent reason phrase (`split_start`)",
    "call-id": "a Call-ID is compared, never read (`Message.call_id`)",
    "schemes": "parameters of challenges in any form, empty list elements (`sipcore.auth.fields`)",
}
"""What the room takes beyond the grammar, and where it says so."""

_BLANK = " \t"
_LWS = r"[ \t]+"
_SWS = r"[ \t]*"
_COMMA, _SEMI, _EQUAL, _SLASH, _COLON = (rf"{_SWS}{mark}{_SWS}" for mark in ",;=/:")
_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
_WORD = r"""[A-Za-z0-9\-.!%*_+`'~()<>:\\"/\[\]?{}]+"""
_UTF8 = "\x80-\ud7ff\ue000-\U0010ffff"
_PAIR = r"\\[\x00-\x09\x0b\x0c\x0e-\x7f]"
_DIGITS = "[0-9]+"

_IPV4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_H16 = "[0-9A-Fa-f]{1,4}"
_LS32 = rf"(?:{_H16}:{_H16}|{_IPV4})"
_IPV6 = "(?:{})".format(
    "|".join(
        [rf"(?:{_H16}:){{6}}{_LS32}", rf"::(?:{_H16}:){{5}}{_LS32}"]
        + [rf"(?:{_H16}(?::{_H16}){{0,{n}}})?::(?:{_H16}:){{{4 - n}}}{_LS32}" for n in range(5)]
        + [rf"(?:{_H16}(?::{_H16}){{0,5}})?::{_H16}", rf"(?:{_H16}(?::{_H16}){{0,6}})?::"]
    )
)
_ESCAPED = "%[0-9A-Fa-f]{2}"
_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_ANYWHERE = r"!#$&-;=?@A-Z\[\]_a-z~"  # Printable ASCII without white space, quotes, brackets and percent.
_ANY_QUOTED = r'"(?:[^"\\\r\n\0]|\\[^\r\n])*"'

_ONCE: Final = frozenset({"from", "to", "call-id", "cseq"})

# Of these the first line alone is read here, by both sides.
_FIRST: Final = frozenset(
    "expires min-expires www-authenticate proxy-authenticate authorization proxy-authorization".split()
)


def header_values(data: bytes) -> dict[str, list[str]]:
    """The values of each header, by long name in lower case, folding undone; "start" is the start line's."""
    head = _message(data)[0].decode("utf-8", "surrogateescape")
    start, *physical = head.split("\r\n")
    lines: list[str] = []
    for line in physical:
        # What stands before the colon is never folded, and neither is the start line.
        if line[:1] in (" ", "\t") and lines and ":" in lines[-1]:
            lines[-1] = f"{lines[-1]} {line.lstrip(_BLANK)}"
        else:
            lines.append(line)
    values: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        # A line without a colon goes under a name that none can have.
        name = header_key(name.rstrip(_BLANK)) if colon else "no colon"
        values.setdefault(name, []).append(value.strip(_BLANK))
    values["start"] = [start]
    return values


def valid(facet: str, data: bytes, *granted: str) -> bool:
    """Whether the header `facet` follows the grammar, where each of the `granted` leniencies holds.

    "verdict" is all that a message needs to be taken apart: start line, names, octets and the length of the body.
    """
    rules = _rules(frozenset(granted))
    values = header_values(data)
    if facet != "verdict":
        texts = values.get(facet, [])
        if facet in _FIRST:
            del texts[1:]
        return all(rules[facet].fullmatch(text) for text in texts) and (facet not in _ONCE or len(texts) < 2)
    (start,) = values.pop("start")
    _, end, body = _message(data)
    lengths = values.get("content-length", [])
    return (
        end != b""
        and any(rules[kind].fullmatch(start) for kind in ("request", "response"))
        and all(rules["name"].fullmatch(name) for name in values)
        and all(rules["text"].fullmatch(text) for texts in values.values() for text in texts)
        and all(rules["content-length"].fullmatch(text) for text in lengths)
        and all(_number(text) == _number(lengths[0]) <= len(body) for text in lengths)
    )


def _message(data: bytes) -> tuple[bytes, bytes, bytes]:
    # CRLFs in front are no part of it (section 7.5).
    return re.sub(rb"\A(?:\r\n)+", b"", data).partition(b"\r\n\r\n")


def _number(text: str) -> int:
    return int(text.lstrip("0")[:20] or "0")


@cache
def _rules(granted: frozenset[str]) -> dict[str, re.Pattern[str]]:
    def rule(leniency: str, lenient: str, strict: str) -> str:
        return lenient if leniency in granted else strict

    quoted = rule("octets", _ANY_QUOTED, rf'"(?:[\t \x21\x23-\x5b\x5d-\x7e{_UTF8}]|{_PAIR})*"')
    # NUL has its one place in a quoted-string, so there all quotes have to be balanced.
    plain = rule("octets", r"[^\r\n\0]*", rf"(?:[\t \x21-\x7e{_UTF8}]|\\[\x01-\x09\x0b\x0c\x0e-\x7f])*")
    outside = rule("octets", r'[^"\r\n\0]', rf"[\t \x21\x23-\x7e{_UTF8}]")
    text = rf"(?:{plain}|(?:{outside}|{quoted})*)"
    address = rule("host", rf"(?::::)?{_IPV6}|[0-9A-Fa-f:.]*:::[0-9A-Fa-f:.]*", _IPV6)
    label = r"[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?"
    name = rf"(?:{label}\.)*[A-Za-z](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.?"
    host = rf"(?:\[(?:{address})\]|{rule('host', '[A-Za-z0-9._-]+', name)}|{_IPV4})"

    def some(extra: str, but: str = "") -> str:
        characters = rule("uri", rf"[{_ANYWHERE}]", rf"[{_UNRESERVED}{extra}]")
        return rf"(?:{but}(?:{characters}|{_ESCAPED}))"

    scheme = r"(?i:sips?):"
    other = rf"(?!{scheme})[A-Za-z][A-Za-z0-9+\-.]*:"

    def any_uri(but: str, tail: str) -> str:
        userinfo = rf"(?:{some('&=+$,;?/', but)}+(?::{some('&=+$,', but)}*)?@)?"
        return rf"(?:{scheme}{userinfo}{host}(?::{_DIGITS})?{tail}|{other}{some(';/?:@&=+$,', but)}+)"

    parameter = some(r"\[\]/:&+$")
    value = rf"{parameter}{rule('parameters', '*', '+')}"
    character = some(r"\[\]/?:+$")
    header = rf"{character}+={character}*"
    headers = rule("uri", rf"(?:\?{some('')}+)?", rf"(?:\?{header}(?:&{header})*)?")
    uri = any_uri("", rf"(?:;{parameter}+(?:={value})?)*{headers}")
    # Without brackets a semicolon, a comma and a question mark end the URI (section 20).
    bare = any_uri("(?![;,?])", "")

    strict_value = rf"(?:{host}|{_TOKEN}|{quoted})"
    loose_value = rf'(?:{_ANY_QUOTED}|(?!")(?:[^;"]|{_ANY_QUOTED})*)'
    generic = rule(
        "parameters",
        rf"(?:{_TOKEN}|[\[\]/:&$()])+(?:{_EQUAL}{loose_value})?",
        rf"{_TOKEN}(?:{_EQUAL}{strict_value})?",
    )
    # LWS may be missing before "<", though the grammar does not say so (RFC 4475 section 3.1.1.6).
    display = rf"(?:(?:{_TOKEN}{_LWS})*(?:{_TOKEN})?|{quoted})"
    display = rule("display", rf'(?:{_ANY_QUOTED}|[^"<;]*)', display)
    inside = rule("brackets", _SWS, "")
    name_addr = rf"(?:{display}{_SWS}<{inside}{uri}{inside}>{_SWS}|{bare})(?:{_SEMI}{generic})*{_SWS}"
    received = rf"(?i:received){_EQUAL}{_IPV6}"
    via = rf"(?i:SIP){_SLASH}2\.0{_SLASH}{_TOKEN}{_LWS}{host}(?:{_COLON}{_DIGITS})?(?:{_SEMI}(?:{received}|{generic}))*"
    auth_param = rf"{_TOKEN}{_EQUAL}(?:{_TOKEN}|{quoted})"
    schemes = rule("schemes", r"[^\r\n]*", rf"{_TOKEN}{_LWS}{auth_param}(?:{_COMMA}{auth_param})*")

    def several(item: str) -> str:
        return rf"(?:{item}(?:{_COMMA}{item})*){rule('empty', '?', '')}"

    phrase = rule("octets", r"[^\r\n\0]*", rf"[\t \x21-\x7e{_UTF8}]*")
    rules = {
        "request": rf"{_TOKEN} {uri} (?i:SIP)/2\.0",
        "response": rf"(?i:SIP)/2\.0 [1-6][0-9][0-9](?: {phrase}){rule('reason', '?', '')}",
        "name": _TOKEN,
        "text": text,
        "from": name_addr,
        "to": name_addr,
        "contact": rf"(?:\*|{several(name_addr)})",
        "route": several(name_addr),
        "record-route": several(name_addr),
        "via": several(via),
        "cseq": rf"{_DIGITS}{_LWS}{_TOKEN}",
        "call-id": rule("call-id", r"[^\r\n]*", rf"{_WORD}(?:@{_WORD})?"),
        "expires": _DIGITS,
        "min-expires": _DIGITS,
        "content-length": _DIGITS,
        "www-authenticate": schemes,
        "proxy-authenticate": schemes,
        "authorization": schemes,
        "proxy-authorization": schemes,
    }
    return {key: re.compile(expression, re.DOTALL) for key, expression in rules.items()}
