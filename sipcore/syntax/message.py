"""Requests and responses (RFC 3261 section 7).

A message is split once; a header is parsed when it is asked for, and remembered. A message that was received keeps
its bytes, so that writing it gives back what came.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Self

from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.syntax import slots
from sipcore.syntax.addresses import NameAddr, Star, parse_contacts, parse_tagged
from sipcore.syntax.grammar import is_token, split_list, stray_nul, visible
from sipcore.syntax.headers import CSeq, parse_cseq, parse_expires, parse_retry_after
from sipcore.syntax.names import LONG_NAMES, USUAL_NAMES, header_key, usual_name
from sipcore.syntax.optional import OptionalHeaders
from sipcore.syntax.reasons import REASONS, reason_phrase
from sipcore.syntax.splitting import (
    STATUS_LINES,
    Index,
    add_header,
    content_length,
    insert_header,
    replace_header,
    split_message,
    split_start,
)
from sipcore.syntax.uri import Uri
from sipcore.syntax.via import Via, parse_via

__all__ = ["REASONS", "Headers", "Message", "Request", "Response", "make_response", "parse_message"]

Headers = Iterable[tuple[str, str]] | dict[str, str]
"""(name, value) in the order of the wire; a dictionary where none stands twice."""

_VERSION: Final = "SIP/2.0"

_key: Final = USUAL_NAMES.get

# Each line of these is one value whose commas separate parameters (RFC 3261 section 7.3.1).
_NEVER_SPLIT: Final = frozenset(
    {"www-authenticate", "proxy-authenticate", "authorization", "proxy-authorization", "authentication-info"}
)


class Message(OptionalHeaders):
    """What requests and responses have in common. Immutable.

    Headers are looked up by any spelling of their name; the long name in lower case is the quickest. Properties that
    parse a header raise `RemoteProtocolError` when it is missing although every message needs it, stands twice although
    it may not, or is malformed.
    """

    __slots__ = (
        "_body",
        "_contacts",
        "_cseq",
        "_from",
        "_headers",
        "_index",
        "_parts",
        "_raw",
        "_to",
        "_via",
    )

    _body: bytes
    # Received: start line, name, value, name, value ..., from which `_headers` is made when asked for.
    _parts: list[str]
    _headers: tuple[tuple[str, str], ...] | None
    # The values are stripped when they are asked for.
    _index: Index | None
    _raw: bytes | None
    # What was parsed so far.
    _via: Via | None
    _from: NameAddr | None
    _to: NameAddr | None
    _cseq: CSeq | None
    _contacts: tuple[NameAddr, ...] | Star | None

    def __init__(self, headers: Headers, body: bytes) -> None:
        if isinstance(headers, dict):
            headers = headers.items()
        headers = tuple(headers)
        for header in headers:
            _check_header(header)
        if not isinstance(body, bytes):
            raise TypeError(f"a body is bytes, not {type(body).__name__}")
        self._body = body
        self._parts = []
        # Content-Length is ours to compute; one that came along in copied headers would only be wrong.
        self._headers = (
            *[header for header in headers if (_key(header[0]) or header_key(header[0])) != "content-length"],
            ("Content-Length", str(len(body))),
        )
        self._index = None
        self._raw = None
        self._via = self._from = self._to = self._cseq = self._contacts = None

    @staticmethod
    def parse(data: bytes | bytearray | memoryview) -> Request | Response:
        """See `parse_message`."""
        return parse_message(data)

    def __bytes__(self) -> bytes:
        """The message as it came, or in canonical form when it was made from values.

        Raises `LocalProtocolError` when a value would break out of its line or cannot be written at all.
        """
        raw = self._raw
        if raw is None:
            raw = self._raw = self._write()
        return raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))

    @property
    def start_line(self) -> str:
        """The first line, without its CRLF."""
        raise AssertionError("a message is a Request or a Response")

    @property
    def body(self) -> bytes:
        """What follows the empty line."""
        return self._body

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """All (name as written, value), folding undone, in order."""
        headers = self._headers
        if headers is None:
            names, values = self._parts[1::2], self._parts[2::2]
            headers = self._headers = tuple(
                [(name, value.strip(" \t")) for name, value in zip(names, values, strict=True)]
            )
        return headers

    def get(self, name: str) -> str | None:
        """The value of the first line of that name, or None."""
        value = (self._index or self._indexed()).get(name)
        if value is None:
            return None if name in LONG_NAMES or (key := header_key(name)) == name else self.get(key)
        return (value if isinstance(value, str) else value[0]).strip(" \t")

    def once(self, name: str) -> str | None:
        """The value of a header that may not stand twice, or None (RFC 3261 section 7.3.1).

        Raises `RemoteProtocolError` when it does.
        """
        value = (self._index or self._indexed()).get(header_key(name))
        if value is None or isinstance(value, str):
            return None if value is None else value.strip(" \t")
        raise RemoteProtocolError(f"more than one {usual_name(name)}")

    def get_all(self, name: str) -> list[str]:
        """The value of each line of that name, in order, unsplit."""
        value = (self._index or self._indexed()).get(name)
        if value is None:
            return [] if name in LONG_NAMES or (key := header_key(name)) == name else self.get_all(key)
        return [value.strip(" \t")] if isinstance(value, str) else [item.strip(" \t") for item in value]

    def values(self, name: str) -> list[str]:
        """Each value of that name, lines split at their commas, in order (RFC 3261 section 7.3.1).

        Challenges and credentials are never split. Only for headers whose grammar is a list.
        """
        lines = self.get_all(name)
        if header_key(name) in _NEVER_SPLIT:
            return lines
        return [item for line in lines for item in split_list(line)]

    @property
    def via(self) -> Via:
        """The topmost Via value."""
        via = self._via
        if via is None:
            value = (self._index or self._indexed()).get("via")
            if value is None:
                raise RemoteProtocolError("no Via")
            text = value if isinstance(value, str) else value[0]
            if "," in text:
                text = split_list(text)[0]
            via = self._via = parse_via(text)
        return via

    @property
    def via_count(self) -> int:
        """How many Via values there are; a response to us has one (RFC 3261 section 8.1.3.3)."""
        value = (self._index or self._indexed()).get("via")
        if value is None:
            return 0
        if isinstance(value, str) and "," not in value:
            return 1
        return len(self.values("via"))

    @property
    def from_(self) -> NameAddr:
        """Who asks (RFC 3261 section 20.20)."""
        address = self._from
        if address is None:
            value = (self._index or self._indexed()).get("from")
            address = self._from = parse_tagged(value if isinstance(value, str) else self._only("from"))
        return address

    @property
    def to(self) -> NameAddr:
        """Whom it is about (RFC 3261 section 20.39)."""
        address = self._to
        if address is None:
            value = (self._index or self._indexed()).get("to")
            address = self._to = parse_tagged(value if isinstance(value, str) else self._only("to"))
        return address

    @property
    def call_id(self) -> str:
        """The Call-ID, whose case counts: compared and never read, so taken as it came (RFC 3261 section 20.8)."""
        return self._only("call-id")

    @property
    def cseq(self) -> CSeq:
        """Number and method (RFC 3261 section 20.16)."""
        cseq = self._cseq
        if cseq is None:
            value = (self._index or self._indexed()).get("cseq")
            cseq = self._cseq = parse_cseq(value if isinstance(value, str) else self._only("cseq"))
        return cseq

    @property
    def contacts(self) -> tuple[NameAddr, ...] | Star:
        """All contacts, or `STAR`; none is `()` (RFC 3261 section 20.10)."""
        contacts = self._contacts
        if contacts is None:
            value = (self._index or self._indexed()).get("contact", ())
            lines = (value,) if isinstance(value, str) else value
            contacts = self._contacts = parse_contacts(lines)
        return contacts

    @property
    def expires(self) -> int | None:
        """Seconds, at most 2**32-1; None when absent or malformed (RFC 3261 section 20.19)."""
        value = (self._index or self._indexed()).get("expires")
        return None if value is None else parse_expires(value if isinstance(value, str) else value[0])

    @property
    def min_expires(self) -> int | None:
        """Seconds, at most 2**32-1; None when absent or malformed (RFC 3261 section 20.23)."""
        text = self.get("min-expires")
        return None if text is None else parse_expires(text)

    @property
    def retry_after(self) -> int | None:
        """Seconds, at most 2**32-1; None when absent or malformed (RFC 3261 section 20.33)."""
        text = self.get("retry-after")
        return None if text is None else parse_retry_after(text)

    @property
    def content_length(self) -> int | None:
        """Bytes of the body as the header says them; None when there is no such header."""
        value = (self._index or self._indexed()).get("content-length")
        return None if value is None else content_length(value)

    def with_header(self, name: str, value: str) -> Self:
        """The same message with one header set; every other stays byte for byte.

        The first line of that name is replaced where it stands and further ones go (of Via, Route and the like that is
        rarely meant: see `with_added`); a new one is put last. Raises `LocalProtocolError` when name or value cannot
        stand in a header, and for Content-Length.
        """
        line = _header_line(name, value)
        return self._edited(name, replace_header(bytes(self), header_key(name), line))

    def with_added(self, name: str, value: str, *, first: bool = False) -> Self:
        """The same message with one more header line, behind all others or in front of them; those stay byte for byte.

        As a hop adds its Via (RFC 3261 section 16.6). Raises `LocalProtocolError` as `with_header` does.
        """
        return self._edited(name, insert_header(bytes(self), _header_line(name, value), first=first))

    def without(self, name: str) -> Self:
        """The same message without the header; every other stays byte for byte."""
        return self._edited(name, replace_header(bytes(self), header_key(name), None))

    def _only(self, name: str) -> str:
        value = (self._index or self._indexed()).get(name)
        if isinstance(value, str):
            return value.strip(" \t")
        raise RemoteProtocolError(f"{'no' if value is None else 'more than one'} {usual_name(name)}")

    def _indexed(self) -> Index:
        index: Index = {}
        for name, value in self.headers:
            add_header(index, header_key(name), value)
        self._index = index
        return index

    def _write(self) -> bytes:
        start = self.start_line
        headers = self.headers
        text = "".join([start, "\r\n", *[f"{name}: {value}\r\n" for name, value in headers], "\r\n"])
        # The last defence against a value that would become a header of its own.
        ends = len(headers) + 2
        if text.count("\n") != ends or text.count("\r") != ends or ("\0" in text and stray_nul(text)):
            raise LocalProtocolError(f"a line end or NUL inside {_culprit(headers)} of {visible(start)}")
        for name, _ in headers:
            if name not in USUAL_NAMES and not is_token(name):
                raise LocalProtocolError(f"not a header name: {visible(name)}")
        try:
            return text.encode("utf-8", "surrogateescape") + self._body
        except UnicodeEncodeError:
            raise LocalProtocolError(f"text that UTF-8 cannot carry in {visible(start)}") from None

    def _edited(self, name: str, data: bytes) -> Self:
        if header_key(name) == "content-length":
            raise LocalProtocolError("Content-Length is computed")
        try:
            edited = parse_message(data)
        except RemoteProtocolError as error:
            raise LocalProtocolError(str(error)) from None  # Only a limit can be in the way here.
        assert isinstance(edited, type(self))
        return edited


class Request(Message):
    """A request (RFC 3261 section 7.1)."""

    __slots__ = ("_method", "_parsed_uri", "_uri")

    _parsed_uri: Uri | None

    def __init__(self, method: str, uri: str | Uri, headers: Headers = (), body: bytes = b"") -> None:
        super().__init__(headers, body)
        self._method = method
        self._uri = str(uri)
        self._parsed_uri = None

    def __repr__(self) -> str:
        return f"<Request {self._method}>"

    @property
    def method(self) -> str:
        """The method; its case counts."""
        return self._method

    @property
    def uri(self) -> str:
        """The Request-URI as written."""
        return self._uri

    @property
    def request_uri(self) -> Uri:
        """The Request-URI, parsed. Raises `RemoteProtocolError`."""
        uri = self._parsed_uri
        if uri is None:
            uri = self._parsed_uri = Uri.parse(self._uri)
        return uri

    @property
    def start_line(self) -> str:
        """The Request-Line, without its CRLF (RFC 3261 section 7.1)."""
        return f"{self._method} {self._uri} {_VERSION}"

    def _write(self) -> bytes:
        uri = self._uri
        if (
            not is_token(self._method)
            or ":" not in uri
            or not _NOT_IN_URI.isdisjoint(uri)
            or not (uri.isascii() and uri.isprintable())
        ):
            raise LocalProtocolError(f"not a Request-Line: {visible(self.start_line)}")
        return super()._write()


class Response(Message):
    """A response (RFC 3261 section 7.2)."""

    __slots__ = ("_reason", "_status")

    def __init__(self, status: int, reason: str, headers: Headers = (), body: bytes = b"") -> None:
        super().__init__(headers, body)
        self._status = status
        self._reason = reason

    def __repr__(self) -> str:
        return f"<Response {self._status}>"

    @property
    def status(self) -> int:
        """100 to 699."""
        return self._status

    @property
    def reason(self) -> str:
        """The reason phrase, for people; not made safe for a terminal."""
        return self._reason

    @property
    def start_line(self) -> str:
        """The Status-Line, without its CRLF (RFC 3261 section 7.2)."""
        return f"{_VERSION} {self._status} {self._reason}"

    def _write(self) -> bytes:
        slots.status_code(self._status)
        return super()._write()


def parse_message(data: bytes | bytearray | memoryview) -> Request | Response:
    """Parse one message: a datagram, or what a `StreamFramer` cut out of a stream.

    CRLFs before the start line are skipped; bytes behind the body that Content-Length announces are dropped. Raises
    `RemoteProtocolError`, `LimitExceeded` among it, and nothing else, and `TypeError` for what is no bytes. What the
    headers say is not looked at here.
    """
    parts, index, body, raw = split_message(data if type(data) is bytes else _as_bytes(data))
    start = parts[0]
    message: Request | Response
    if start[:12] in STATUS_LINES:
        message = _new(Response)
        message._status = STATUS_LINES[start[:12]]
        message._reason = start[12:]
    else:
        first, second = split_start(start)
        if isinstance(first, int):
            message = _new(Response)
            message._status = first
            message._reason = second
        else:
            message = _new(Request)
            message._method = first
            message._uri = second
            message._parsed_uri = None
    message._body = body
    message._parts = parts
    message._headers = None
    message._index = index
    message._raw = raw
    message._via = message._from = message._to = message._cseq = message._contacts = None
    return message


def make_response(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    headers: Headers = (),
    to_tag: str | None = None,
    body: bytes = b"",
) -> Response:
    """The response to `request` (RFC 3261 section 8.2.6.2).

    Via, From, To, Call-ID and CSeq are copied as they stand, as far as the request has them; `to_tag` is added unless
    the To has a tag. `reason` None is the usual phrase. `headers` follow. Raises `LocalProtocolError` when `to_tag` is
    no token.
    """
    if to_tag is not None:
        slots.token(to_tag)
    more = headers.items() if isinstance(headers, dict) else headers
    copied = [("Via", value) for value in request.get_all("via")]
    for name, key in _COPIED:
        value = request.get(key)
        if value is not None:
            if key == "to" and to_tag is not None and not _has_tag(request):
                value = f"{value};tag={to_tag}"
            copied.append((name, value))
    return Response(status, reason_phrase(status) if reason is None else reason, (*copied, *more), body)


_COPIED: Final = (("From", "from"), ("To", "to"), ("Call-ID", "call-id"), ("CSeq", "cseq"))

_NOT_IN_URI: Final = frozenset(' \t<>"')

_new: Final = object.__new__


def _header_line(name: str, value: str) -> str:
    slots.header_name(name)
    # A tab is white space like another, and may have come in the value that is put back.
    slots.header_value(value.replace("\t", " ") if isinstance(value, str) else value, name)
    return f"{name}: {value}"


def _culprit(headers: Iterable[tuple[str, str]]) -> str:
    for name, value in headers:
        if any(mark in part for part in (name, value) for mark in "\r\n\0"):
            return f"the header {visible(name)}"
    return "the start line"


def _check_header(header: object) -> None:
    if not (isinstance(header, tuple) and len(header) == 2 and all(isinstance(text, str) for text in header)):
        raise TypeError(f"a header is a pair of str, name and value, not {header!r:.200}")


def _as_bytes(data: object) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        # A copy: a message must not change with the buffer that it was read from.
        return bytes(data)
    raise TypeError(f"a message is parsed from bytes, not from {type(data).__name__}")


def _has_tag(request: Request) -> bool:
    try:
        return request.to.tag is not None
    except RemoteProtocolError:
        # A malformed To goes back as it came: a tag behind it would mend nothing.
        return True
