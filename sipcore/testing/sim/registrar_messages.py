"""Requests split by hand and answers written by hand: the registrar model shares no line of it with the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from sipcore.testing.sim.registrar_rules import Rules
from sipcore.testing.sim.registrar_store import split_list

__all__ = ["DAMAGES", "REASONS", "Request", "damaged", "read_request", "shaped", "top_via", "via_answered", "write"]

REASONS: Final[Mapping[int, str]] = {
    100: "Trying", 200: "OK", 302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 407: "Proxy Authentication Required", 408: "Request Timeout",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 423: "Interval Too Brief", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 486: "Busy Here", 500: "Server Internal Error", 501: "Not Implemented",
    503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline",
}  # fmt: skip

_COMPACT: Final[Mapping[str, str]] = {
    "i": "call-id", "m": "contact", "f": "from", "k": "supported", "t": "to", "v": "via", "l": "content-length",
    "c": "content-type", "e": "content-encoding", "s": "subject",
}  # fmt: skip

_SHORT: Final[Mapping[str, str]] = {
    "Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Length": "l", "Supported": "k",
}  # fmt: skip

_NAMES: Final[dict[str, str]] = {
    spelled: name
    for name in (
        "via", "max-forwards", "from", "to", "call-id", "cseq", "contact", "expires", "allow", "supported", "require",
        "authorization", "proxy-authorization", "content-length", "user-agent", "route", "path", "proxy-require",
    )
    for spelled in (name, name.title(), name.title().replace("-Id", "-ID").replace("Cseq", "CSeq"))
} | dict(_COMPACT)  # fmt: skip
"""Header names as they are usually written; others are looked at more slowly."""


_EVER_NEW: Final = frozenset({"via", "cseq", "authorization", "proxy-authorization"})
"""Headers that no two requests have alike."""

MAX_READ: Final = 2048
"""Header lines whose meaning is remembered: most stand in every request of a client."""

_lines: dict[str, tuple[str, str]] = {}


class Request:
    """A request, or so much of it as could be read. Texts have one character for each byte."""

    __slots__ = ("body", "first", "headers", "many", "method", "uri", "version")

    method: str
    uri: str
    version: str

    def __init__(self, first: str, headers: dict[str, str], many: dict[str, list[str]] | None, body: str) -> None:
        self.first = first
        """The start line."""
        self.headers = headers
        """The first value of each header, by its long name in lower case."""
        self.many = many
        """All values of headers that stand there more than once."""
        self.body = body
        self.method, _, rest = first.partition(" ")
        self.uri, _, self.version = rest.rpartition(" ")

    def all(self, name: str) -> list[str]:
        """The values of all lines of that name."""
        if self.many is not None and name in self.many:
            return self.many[name]
        value = self.headers.get(name)
        return [] if value is None else [value]


def read_request(head: str, body: str) -> Request | str:
    """Take a message apart; `head` is what stands before the empty line. A text says why it is no request."""
    if "\r\n " in head or "\r\n\t" in head:
        head = _unfolded(head)
    first, *lines = head.split("\r\n")
    headers: dict[str, str] = {}
    many: dict[str, list[str]] | None = None
    for line in lines:
        known = _lines.get(line)
        if known is None:
            name, colon, value = line.partition(":")
            key = _NAMES.get(name)
            if key is None:
                key = name.rstrip(" \t").lower()
                key = _COMPACT.get(key, key)
                if not colon or not key:
                    return "a header line without a name"
            value = value.strip()
            if key not in _EVER_NEW:
                if len(_lines) >= MAX_READ:
                    _lines.clear()
                _lines[line] = key, value
        else:
            key, value = known
        if key in headers:
            if many is None:
                many = {}
            many.setdefault(key, [headers[key]]).append(value)
        else:
            headers[key] = value
    if first[:8].upper() == "SIP/2.0 ":
        return "a response"
    request = Request(first, headers, many, body)
    return request if request.uri and request.method else "no start line"


def _unfolded(head: str) -> str:
    lines: list[str] = []
    for line in head.split("\r\n"):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] = f"{lines[-1].rstrip()} {line.strip()}"
        else:
            lines.append(line)
    return "\r\n".join(lines)


def top_via(value: str) -> tuple[str, str, str, int] | None:
    """Of a Via value: protocol, sent-by host, branch, and the port for answers (RFC 3261 section 18.2.2)."""
    head, _, parameters = value.partition(";")
    protocol, _, sent_by = head.strip().rpartition(" ")
    if not protocol or not sent_by:
        return None
    host, colon, port = sent_by.rpartition(":")
    if not colon or host.endswith(":") or (host.startswith("[") and not host.endswith("]")):
        host, port = sent_by, "5060"
    if not (port.isascii() and port.isdigit() and 0 < len(port) < 6):
        return None
    branch = ""
    for item in parameters.split(";"):
        if item[:7].lower() == "branch=":
            branch = item[7:].strip()
            break
    return protocol.replace(" ", ""), host, branch, int(port)


def via_answered(values: list[str], host: str, source: tuple[str, int]) -> tuple[list[str], bool]:
    """The Via lines of an answer, and whether the client wants it where the request came from (RFC 3581)."""
    first, *rest = split_list(values[0])
    asks = False
    place = first.find(";rport")
    if place >= 0 and first[place + 6 : place + 7] in ("", ";"):
        asks = True
        first = f"{first[:place]};rport={source[1]}{first[place + 6:]}"
    if asks or host.strip("[]").lower() != source[0]:
        first = f"{first};received={source[0]}"
    return [first, *rest, *values[1:]], asks


def write(status: int, reason: str | None, request: Request, vias: list[str], tag: str, lines: list[str]) -> list[str]:
    """An answer as lines (RFC 3261 section 8.2.6); `lines` are those that are not copied from the request."""
    headers = request.headers
    to = headers.get("to", "")
    if status != 100 and ";tag=" not in to:
        to = f"{to};tag={tag}"
    return [
        f"SIP/2.0 {status} {REASONS.get(status, 'Unknown') if reason is None else reason}",
        *[f"Via: {via}" for via in vias],
        f"From: {headers.get('from', '')}",
        f"To: {to}",
        f"Call-ID: {headers.get('call-id', '')}",
        f"CSeq: {headers.get('cseq', '')}",
        *lines,
        "Content-Length: 0",
    ]


def shaped(lines: list[str], rules: Rules) -> list[str]:
    """The same answer as another implementation would write it."""
    shaped = [lines[0]]
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        if rules.compact:
            name = _SHORT.get(name, name)
        if rules.odd_case and name.isascii():
            name = name.swapcase()
        if rules.folded and "," in value and '",' not in value:
            value = value.replace(", ", ",\r\n\t", 1)
        elif rules.folded and ";" in value and '"' not in value:
            # Behind the brackets: a URI has no white space in it.
            uri, bracket, parameters = value.rpartition(">")
            value = uri + bracket + parameters.replace(";", "\r\n ;", 1)
        shaped.append(f"{name}:{'' if rules.compact else ' '}{value}")
    return shaped


def _without(name: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [line for line in lines if not line.startswith(f"{name}:")]


def _replaced(name: str, value: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [f"{name}: {value}" if line.startswith(f"{name}:") else line for line in lines]


def _altered(name: str, old: str, new: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [line.replace(old, new) if line.startswith(f"{name}:") else line for line in lines]


def _start_line(text: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [text, *lines[1:]]


DAMAGES: Final[Mapping[str, Callable[[list[str]], list[str]]]] = {
    "no CSeq": _without("CSeq"),
    "no Via": _without("Via"),
    "no From": _without("From"),
    "no To": _without("To"),
    "no Call-ID": _without("Call-ID"),
    "no Content-Length": _without("Content-Length"),
    "no Contact": _without("Contact"),
    "no challenge": _without("WWW-Authenticate"),
    "other branch": _altered("Via", "branch=z9hG4bK", "branch=z9hG4bKx"),
    "other tag": _altered("From", "tag=", "tag=x"),
    "other Call-ID": _altered("Call-ID", "Call-ID: ", "Call-ID: x"),
    "other CSeq": _altered("CSeq", "CSeq: ", "CSeq: 1"),
    "other method": _altered("CSeq", "REGISTER", "INVITE"),
    "no To tag": _altered("To", ";tag=", ";gat="),
    "CSeq without end": _replaced("CSeq", "99999999999999999999 REGISTER"),
    "expires without end": _altered("Contact", "expires=", "expires=99999999999"),
    "expires not a number": _altered("Contact", "expires=", "expires=soon"),
    "Contact cut short": _replaced("Contact", "<sip:"),
    "challenge cut short": _replaced("WWW-Authenticate", 'Digest realm="'),
    "Content-Length too large": _replaced("Content-Length", "7"),
    "Content-Length not a number": _replaced("Content-Length", "none"),
    "a line of noise": lambda lines: [*lines[:2], "\x00\x7f\xff", *lines[2:]],
    "a status that is none": _start_line("SIP/2.0 2000 OK"),
    "another version": _start_line("SIP/3.0 200 OK"),
    "a request": _start_line("REGISTER sip:example.com SIP/2.0"),
}
"""What may be wrong with an answer, by name: each gets its lines and gives others."""


def damaged(lines: list[str], rules: Rules, random: Random) -> list[str]:
    """The answer with one of its faults."""
    return DAMAGES[random.choice(rules.damages or tuple(DAMAGES))](lines)
