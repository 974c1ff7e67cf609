"""Bodies of several parts, and which of them to use (RFC 2046 section 5.1.1, RFC 5621).

    multipart-body   =  [ preamble CRLF ] dash-boundary *WSP CRLF body-part
                        *( delimiter *WSP CRLF body-part ) delimiter "--" *WSP [ CRLF epilogue ]
    delimiter        =  CRLF dash-boundary
    dash-boundary    =  "--" boundary
    body-part        =  *( header CRLF ) [ CRLF *OCTET ]

No line of a part may begin with the dash-boundary, not even when something follows it, so what looks like a delimiter
and is none is refused: two readers would see two bodies. For the same reason a bare LF is no line end, and a body
without its last delimiter was cut off.

What comes out of a part is what was put in, byte for byte (RFC 5621 section 3.2): SIP carries all octets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from sipcore.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from sipcore.syntax.grammar import check_line, is_token, visible
from sipcore.syntax.limits import MAX_BODY_NESTING, MAX_BODY_PARTS, MAX_PART_HEADERS
from sipcore.syntax.media import ContentDisposition, MediaType
from sipcore.syntax.message import Message

__all__ = ["BodyPart", "SelectedParts", "body_of", "format_multipart", "parse_multipart", "select_parts"]


class BodyPart(NamedTuple):
    """One part of a body, or a body as a whole."""

    headers: tuple[tuple[str, str], ...]
    """(name as written, value), folding undone, in order. There are no compact forms here."""
    body: bytes

    def get(self, name: str) -> str | None:
        """The value of the header of that name (lower case), or None.

        Raises `RemoteProtocolError` when there are two: no header of a part is a list of lines.
        """
        values = [value for key, value in self.headers if key.lower() == name]
        if len(values) > 1:
            raise RemoteProtocolError(f"more than one {name} in a body part")
        return values[0] if values else None

    @property
    def content_type(self) -> MediaType:
        """The type; text/plain when it is not said (RFC 2046 section 5.1). Raises `RemoteProtocolError`."""
        text = self.get("content-type")
        return MediaType("text", "plain") if text is None else MediaType.parse(text)

    @property
    def content_disposition(self) -> ContentDisposition:
        """What it is for; when that is not said, a session for SDP and else to be shown (RFC 3261 section 20.11).

        Raises `RemoteProtocolError`.
        """
        text = self.get("content-disposition")
        if text is not None:
            return ContentDisposition.parse(text)
        return ContentDisposition("session" if self.content_type.name == "application/sdp" else "render")

    @property
    def content_id(self) -> str | None:
        """By which name others refer to it, without the angle brackets (RFC 5621 section 9.1); None when absent."""
        text = self.get("content-id")
        return text[1:-1] if text and text[0] == "<" and text[-1] == ">" else text

    @property
    def encoded(self) -> bool:
        """True when the body has to be decoded first, which SIP has no need for (RFC 5621 section 3.2)."""
        transfer = (self.get("content-transfer-encoding") or "binary").lower()
        return transfer not in _PLAIN or (self.get("content-encoding") or "identity").lower() != "identity"

    def parts(self) -> tuple[BodyPart, ...]:
        """The parts of a multipart body. Raises `RemoteProtocolError` when it is none or malformed."""
        media = self.content_type
        if media.type != "multipart":
            raise RemoteProtocolError(f"no multipart body: {visible(media.name)}")
        boundary = media.get("boundary")
        if boundary is None:
            raise RemoteProtocolError("a multipart body without a boundary")
        return parse_multipart(self.body, boundary)


class SelectedParts(NamedTuple):
    """What a receiver does with a body."""

    used: tuple[BodyPart, ...]
    """Parts that it understands, in order."""
    unsupported: tuple[BodyPart, ...]
    """Parts that it does not understand although it has to: a server answers 415 (RFC 5621 section 8.4), and a client
    tells its user."""


def body_of(message: Message) -> BodyPart | None:
    """The body of a message as one part, or None when it is empty.

    Raises `RemoteProtocolError` when it has no Content-Type, which it must have (RFC 3261 section 20.15).
    """
    if not message.body:
        return None
    if message.get("content-type") is None:
        raise RemoteProtocolError("a body without a Content-Type")
    return BodyPart(tuple([(name, value) for name in _DESCRIBING for value in message.get_all(name)]), message.body)


def select_parts(part: BodyPart, types: Collection[str], dispositions: Collection[str] | None = None) -> SelectedParts:
    """Which parts of a body to use, by somebody who understands these `types` (`type/subtype`, in lower case).

    - A part is understood when its type is one of `types`, its disposition type one of `dispositions` (None: any but
      by-reference), and it is not encoded. A multipart type among `types` is used whole.
    - A part that is not understood is passed over when it is optional, and else reported (RFC 5621 section 9.3).
    - Of multipart/alternative the last part that can be used counts, and only the handling of the whole (section 8.3).
    - Any other multipart is taken as multipart/mixed (section 4.2); an optional one in which something is missing is
      passed over whole (section 8.2).

    Raises `RemoteProtocolError` when a multipart body is malformed, and `LimitExceeded` above `MAX_BODY_PARTS` parts
    or `MAX_BODY_NESTING` levels.
    """
    return _Selector(types, dispositions).select(part, 0)


def parse_multipart(body: bytes, boundary: str) -> tuple[BodyPart, ...]:
    """Cut a body into its parts; what stands before the first and behind the last is left out.

    Raises `RemoteProtocolError`, and `LimitExceeded` above `MAX_BODY_PARTS`.
    """
    if not _is_boundary(boundary):
        raise RemoteProtocolError(f"malformed boundary: {visible(boundary)}")
    delimiter = b"\r\n--" + boundary.encode("ascii")
    # Without a preamble the first delimiter has no CRLF.
    position = -2 if body.startswith(delimiter[2:]) else body.find(delimiter)
    if position == -1:
        raise RemoteProtocolError("a multipart body without its boundary")
    parts: list[BodyPart] = []
    while True:
        start, last = _end_of_delimiter(body, position + len(delimiter))
        if last:
            break
        if len(parts) == MAX_BODY_PARTS:
            raise LimitExceeded(f"more than {MAX_BODY_PARTS} body parts")
        # From the delimiter's own CRLF on: a delimiter right behind it is not a part, but may not be overlooked.
        position = body.find(delimiter, start - 2)
        if position < start:
            raise RemoteProtocolError("a body part does not end" if position < 0 else "two boundaries, and no part")
        parts.append(_parse_part(body[start:position]))
    if not parts:
        raise RemoteProtocolError("a multipart body without parts")
    return tuple(parts)


def format_multipart(parts: Iterable[BodyPart], boundary: str) -> bytes:
    """The inverse of `parse_multipart`.

    Raises `LocalProtocolError` when the boundary is malformed or occurs in a part, when there is no part, and when a
    header cannot be written.
    """
    if not _is_boundary(boundary):
        raise LocalProtocolError(f"malformed boundary: {visible(boundary)}")
    dashed = b"--" + boundary.encode("ascii")
    pieces: list[bytes] = []
    for part in parts:
        for name, value in part.headers:
            if not is_token(name) or not check_line(value):
                raise LocalProtocolError(f"not a header: {visible(name)}: {visible(value)}")
        head = "".join([f"{name}: {value}\r\n" for name, value in part.headers])
        piece = b"".join([b"\r\n", head.encode(), b"\r\n", part.body])
        if b"\r\n" + dashed in piece:
            raise LocalProtocolError("the boundary occurs in a body part")
        pieces.append(piece)
    if not pieces:
        raise LocalProtocolError("a multipart body has at least one part")
    return b"".join([dashed + piece + b"\r\n" for piece in pieces]) + dashed + b"--\r\n"


_DESCRIBING: Final = (
    "content-type",
    "content-disposition",
    "content-encoding",
    "content-transfer-encoding",
    "content-id",
)

# Names for octets that are what they are (RFC 2045 section 6.2).
_PLAIN: Final = frozenset({"7bit", "8bit", "binary"})

_BOUNDARY: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? "

_NOTHING: Final = SelectedParts((), ())


class _Selector:
    """Walks through the parts of one body and counts them."""

    def __init__(self, types: Collection[str], dispositions: Collection[str] | None) -> None:
        self._types = types
        self._dispositions = dispositions
        self._count = 0

    def select(self, part: BodyPart, level: int) -> SelectedParts:
        media = part.content_type
        disposition = part.content_disposition
        encoded = part.encoded
        if media.name in self._types and not encoded and self._knows(disposition):
            return SelectedParts((part,), ())
        if media.type == "multipart" and not encoded:
            if level == MAX_BODY_NESTING:
                raise LimitExceeded(f"more than {MAX_BODY_NESTING} levels of multipart bodies")
            parts = part.parts()
            self._count += len(parts)
            if self._count > MAX_BODY_PARTS:
                raise LimitExceeded(f"more than {MAX_BODY_PARTS} body parts")
            selections = [self.select(inner, level + 1) for inner in parts]
            if media.subtype != "alternative":
                used = tuple([item for selection in selections for item in selection.used])
                missing = tuple([item for selection in selections for item in selection.unsupported])
                return _NOTHING if missing and disposition.optional else SelectedParts(used, missing)
            for selection in reversed(selections):
                if selection.used and not selection.unsupported:
                    return selection
        return _NOTHING if disposition.optional else SelectedParts((), (part,))

    def _knows(self, disposition: ContentDisposition) -> bool:
        if self._dispositions is None:
            # It may only be used by who found the reference (RFC 5621 section 9.4).
            return disposition.type != "by-reference"
        return disposition.type in self._dispositions


def _is_boundary(text: str) -> bool:
    return 0 < len(text) <= 70 and text[-1] != " " and not text.strip(_BOUNDARY)


def _end_of_delimiter(body: bytes, position: int) -> tuple[int, bool]:
    """Where the next line begins, and True when it was the last delimiter."""
    last = body.startswith(b"--", position)
    if last:
        position += 2
    end = body.find(b"\r\n", position)
    if end < 0:
        end = len(body)
        if not last:
            raise RemoteProtocolError("a body part does not end")
    if body[position:end].strip(b" \t"):
        raise RemoteProtocolError("a line begins with the boundary and goes on")
    return end + 2, last


def _parse_part(data: bytes) -> BodyPart:
    if data[:2] == b"\r\n" or not data:
        return BodyPart((), data[2:])
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if not data.endswith(b"\r\n"):
            raise RemoteProtocolError("no empty line ends the headers of a body part")
        end = len(data) - 2  # There is no body.
    if end > MAX_PART_HEADERS:
        raise LimitExceeded("the headers of a body part are too long")
    text = data[:end].decode("utf-8", "surrogateescape")
    lines = text.count("\r\n")
    if text.count("\n") != lines or text.count("\r") != lines or "\0" in text:
        raise RemoteProtocolError("a CR, LF or NUL that is no line end, in a body part")
    headers: list[tuple[str, str]] = []
    for line in text.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if not colon or not is_token(name):
            raise RemoteProtocolError(f"malformed header in a body part: {visible(line)}")
        headers.append((name, value.strip(" \t")))
    return BodyPart(tuple(headers), data[end + 4 :])
