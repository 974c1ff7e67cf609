"""SIP text to values and back: the only room that knows how SIP is spelled.

Theory of operation. Bytes become a `Request` or `Response` by `parse_message`: one datagram, or one message that a
`StreamFramer` cut out of a stream. Start line and header lines are separated at once, and all that could make two
readers see two different messages is refused there: a CR, LF or NUL that is no line end, a name that is no token, a
Content-Length that contradicts the bytes, anything above the limits of `limits`. What the headers say is parsed when
somebody asks, and remembered, since most of what arrives is never asked for.

So malformed bytes show in two places: `parse_message` raises, or a property of the message does. Either way it is
`RemoteProtocolError` (or `LimitExceeded`, which is one) and nothing else. Who reads a message inside one
`except RemoteProtocolError` has seen all there is.

Values are immutable, and `parse` and `str` (of messages: `bytes`) are inverse: of values, always; of bytes, for what
was received, since a received message keeps its bytes. A message that was made from values is written in canonical
form, its Content-Length computed, and refuses to be written when a value would break out of its line.

Strict in what we send, lenient by named case in what we take: each case stands in the docstring of the function that
takes it, and has a test.
"""

from __future__ import annotations

from sipcore.syntax.addresses import STAR, NameAddr, Star
from sipcore.syntax.answerable import salvage
from sipcore.syntax.bodies import BodyPart, SelectedParts, body_of, format_multipart, parse_multipart, select_parts
from sipcore.syntax.comments import Comment, Product, format_products, parse_products
from sipcore.syntax.dates import format_date, parse_date
from sipcore.syntax.framing import KeepAlive, StreamFramer
from sipcore.syntax.grammar import escape_user, quote, unquote, visible
from sipcore.syntax.headers import CSeq
from sipcore.syntax.mechanisms import Mechanism, format_mechanisms, parse_mechanisms
from sipcore.syntax.media import ContentDisposition, EventType, MediaType
from sipcore.syntax.message import Message, Request, Response, make_response, parse_message
from sipcore.syntax.parameters import Parameters
from sipcore.syntax.qvalues import format_qvalue, parse_qvalue
from sipcore.syntax.remarks import RetryAfter, Timestamp, WarningValue
from sipcore.syntax.uri import Uri
from sipcore.syntax.via import Via

__all__ = [
    "STAR",
    "BodyPart",
    "CSeq",
    "Comment",
    "ContentDisposition",
    "EventType",
    "KeepAlive",
    "Mechanism",
    "MediaType",
    "Message",
    "NameAddr",
    "Parameters",
    "Product",
    "Request",
    "Response",
    "RetryAfter",
    "SelectedParts",
    "Star",
    "StreamFramer",
    "Timestamp",
    "Uri",
    "Via",
    "WarningValue",
    "body_of",
    "escape_user",
    "format_date",
    "format_mechanisms",
    "format_multipart",
    "format_products",
    "format_qvalue",
    "make_response",
    "parse_date",
    "parse_mechanisms",
    "parse_message",
    "parse_multipart",
    "parse_products",
    "parse_qvalue",
    "quote",
    "salvage",
    "select_parts",
    "unquote",
    "visible",
]
