"""Bytes to start line, header lines and body: the part of parsing that cannot wait (RFC 3261 sections 7 and 25.1).

    message-header  =  name HCOLON value CRLF
    HCOLON          =  *( SP / HTAB ) ":" SWS
    LWS             =  [*WSP CRLF] 1*WSP

Deviations: the octets of a value are not looked at, but for CR, LF and NUL, since one odd display name should not
cost a registration; a NUL is taken where the grammar has it, behind the backslash of a quoted-string. What is no
UTF-8 is carried as lone surrogates, so that it comes out as it came in.

There are two ways to the same result. `split_message` itself takes what nearly every message is: small, and without
folding. One expression finds all names, so that the loop over the headers has nothing left to check; what does not fit
leaves a line end behind that shows, and `_split_any` starts over. A test holds that both give the same.
"""

from __future__ import annotations

import re
from typing import Final

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax.grammar import is_token, parse_uint, stray_nul, visible
from sipcore.syntax.limits import MAX_BODY, MAX_HEADER_BLOCK, MAX_HEADERS, MAX_LINE, MAX_START_LINE
from sipcore.syntax.names import USUAL_NAMES, header_key

__all__ = [
    "STATUS_LINES",
    "Index",
    "Split",
    "add_header",
    "content_length",
    "insert_header",
    "replace_header",
    "split_message",
    "split_start",
]

Index = dict[str, str | list[str]]
"""By lower-case long name: the value as it stands behind the colon and one space; all of them when there are several
lines."""


Split = tuple[list[str], Index, bytes, bytes]
"""Start line, name, value, name, value ..., folding undone; index; body; the message's own bytes without those around
it."""

# Three digits, 100 to 699: a table is shorter than the list of what int() takes besides.
_STATUS_CODES: Final = {str(status): status for status in range(100, 700)}

STATUS_LINES: Final = {f"SIP/2.0 {status} ": status for status in range(100, 700)}
"""What a Status-Line as nearly all are has before its phrase, and the code."""

_usual_request: Final = re.compile(r"([A-Z]++) (sips?:[-.@:;=0-9A-Za-z]++) SIP/2\.0").fullmatch

# The start line, and a name and a value for each header.
_MAX_PARTS: Final = 1 + 2 * MAX_HEADERS

# A line end, a token and the colon: what stands between two of these is a value. The quantifier is possessive.
_split_names: Final = re.compile(r"\r\n([-.!%*_+`'~0-9A-Za-z]++): ?+").split


def add_header(index: Index, key: str, value: str) -> None:
    """Enter one more line."""
    known = index.setdefault(key, [])
    if isinstance(known, str):
        index[key] = [known, value]
    elif known:
        known.append(value)
    else:
        index[key] = value


def content_length(value: str | list[str]) -> int:
    """What Content-Length says; more than `MAX_BODY` counts as `MAX_BODY` + 1 (RFC 3261 section 20.14).

    Raises `RemoteProtocolError` when malformed, and when two lines differ: they would be two messages to two readers
    (RFC 4475 section 3.3.9).
    """
    values = [value] if isinstance(value, str) else value
    lengths = {parse_uint(text.strip(" \t"), maximum=MAX_BODY + 1) for text in values}
    length = lengths.pop()
    if length is None or lengths:
        raise RemoteProtocolError(f"malformed or contradictory Content-Length: {visible(', '.join(values))}")
    return length


def split_message(data: bytes) -> Split:
    """Take one message apart.

    CRLFs in front are skipped (RFC 3261 section 7.5), and bytes behind the body that Content-Length announces are
    dropped (section 18.3). White space may stand before a colon. Raises `RemoteProtocolError` or `LimitExceeded`.
    """
    # Below MAX_START_LINE no other limit of lengths can be passed.
    end = 0
    if len(data) <= MAX_START_LINE:
        end = len(data) - 4 if data.endswith(b"\r\n\r\n") else data.find(b"\r\n\r\n")
    if end <= 0:
        return _split_any(data)
    parts = _split_names(data[:end].decode("utf-8", "surrogateescape"))
    together = "".join(parts)
    # All line ends stood before names, or there are some left.
    if not parts[0] or "\n" in together or "\r" in together or "\0" in together or len(parts) > _MAX_PARTS:
        return _split_any(data)
    keys = USUAL_NAMES
    index: Index = {}
    rest = iter(parts)
    next(rest)
    for name in rest:
        try:
            key = keys[name]
        except KeyError:
            # Compact forms are all known, in both cases.
            key = name.lower()
        if key not in index:
            index[key] = next(rest)
        else:
            known = index[key]
            if isinstance(known, str):
                index[key] = [known, next(rest)]
            else:
                known.append(next(rest))
    if end + 4 == len(data) and index.get("content-length", "0") == "0":
        return parts, index, b"", data
    return _with_body(parts, index, data, 0, end + 4)


def split_start(line: str) -> tuple[int, str] | tuple[str, str]:
    """(status, reason) of a Status-Line or (method, URI) of a Request-Line (RFC 3261 sections 7.1 and 7.2).

    Single spaces only; the version's case does not count. Raises `RemoteProtocolError`.
    """
    if line[:8] == "SIP/2.0 " or line[:8].lower() == "sip/2.0 ":
        status = _STATUS_CODES.get(line[8:11])
        # Taken although the grammar wants a space in front of the empty phrase: "SIP/2.0 200".
        if status is None or line[11:12] not in ("", " "):
            raise RemoteProtocolError(f"malformed Status-Line: {visible(line)}")
        return status, line[12:]
    if line[:4].lower() == "sip/":
        # A Status-Line, since no method has a slash.
        raise RemoteProtocolError(f"unknown SIP version: {visible(line)}", status_hint=505)
    usual = _usual_request(line)
    if usual is not None:
        method, uri = usual.groups()
        return method, uri
    try:
        method, uri, version = line.split(" ")
    except ValueError:
        raise RemoteProtocolError(f"malformed Request-Line: {visible(line)}") from None
    if not is_token(method) or ":" not in uri or uri[0] == "<" or "\t" in line:
        raise RemoteProtocolError(f"malformed Request-Line: {visible(line)}")
    if version != "SIP/2.0" and version.lower() != "sip/2.0":
        raise RemoteProtocolError(f"unknown SIP version: {visible(line)}", status_hint=505)
    return method, uri


def replace_header(raw: bytes, key: str, line: str | None) -> bytes:
    """The message `raw` with `line` for the first header of that key and none for its others; None removes it.

    A header that was not there comes last. Everything else stays as it is, folding included.
    """
    head, _, body = raw.partition(b"\r\n\r\n")
    start, *physical = head.decode("utf-8", "surrogateescape").split("\r\n")
    lines = [start]
    dropping = False
    for item in physical:
        if item[0] not in " \t":
            dropping = header_key(item.partition(":")[0].rstrip(" \t")) == key
            if dropping and line is not None:
                lines.append(line)
                line = None
        if not dropping:
            lines.append(item)
    if line is not None:
        lines.append(line)
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def insert_header(raw: bytes, line: str, *, first: bool) -> bytes:
    """The message `raw` with one more header line, in front of all others or behind them."""
    head, _, body = raw.partition(b"\r\n\r\n")
    start, _, rest = head.partition(b"\r\n")
    added = line.encode("utf-8", "surrogateescape")
    pieces = [start, added, rest] if first else [start, rest, added]
    return b"\r\n".join([piece for piece in pieces if piece]) + b"\r\n\r\n" + body


def _split_any(data: bytes) -> Split:
    begin = 0
    while data[begin : begin + 2] == b"\r\n":
        begin += 2
    end = data.find(b"\r\n\r\n", begin)
    if (len(data) if end < 0 else end) - begin > MAX_HEADER_BLOCK:
        raise LimitExceeded("the headers are too long")
    if end < 0:
        raise RemoteProtocolError("no empty line ends the headers")
    text = data[begin:end].decode("utf-8", "surrogateescape")
    lines = text.split("\r\n")
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks or ("\0" in text and stray_nul(text)):
        raise RemoteProtocolError("a CR, LF or NUL that is no line end")
    if "\r\n " in text or "\r\n\t" in text:
        lines = _unfold(lines)
    start = lines[0]
    del lines[0]
    if len(start) > MAX_START_LINE:
        raise LimitExceeded("the start line is too long")
    if len(lines) > MAX_HEADERS:
        raise LimitExceeded("too many headers")
    if any(len(line) > MAX_LINE for line in lines):
        raise LimitExceeded("a header is too long")
    parts = [start]
    index: Index = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if not colon:
            raise RemoteProtocolError(f"a header without a colon: {visible(line)}")
        if not is_token(name):
            raise RemoteProtocolError(f"malformed header name: {visible(name)}")
        value = value.removeprefix(" ")
        parts += (name, value)
        add_header(index, header_key(name), value)
    return _with_body(parts, index, data, begin, end + 4)


def _with_body(parts: list[str], index: Index, data: bytes, begin: int, end: int) -> Split:
    """The message that begins at `begin` and whose body begins at `end`."""
    body = data[end:]
    if "content-length" in index:
        length = content_length(index["content-length"])
        if length > MAX_BODY:
            raise LimitExceeded("the body is too long")
        if length > len(body):
            raise RemoteProtocolError("the body is shorter than Content-Length says")
        body = body[:length]
    elif len(body) > MAX_BODY:
        raise LimitExceeded("the body is too long")
    return parts, index, body, data[begin : end + len(body)]


def _unfold(lines: list[str]) -> list[str]:
    """Join each line that begins with white space to the one before it, by one space (RFC 3261 section 7.3.1)."""
    joined: list[list[str]] = []
    for line in lines:
        if line[:1] not in (" ", "\t"):
            joined.append([line])
        elif len(joined) < 2 or (len(joined[-1]) == 1 and ":" not in joined[-1][0]):
            # The start line is never folded, and a name ends on the line where it begins.
            raise RemoteProtocolError("a folded line that continues no header")
        else:
            joined[-1].append(line.strip(" \t"))
    return [" ".join(parts) if len(parts) > 1 else parts[0] for parts in joined]
