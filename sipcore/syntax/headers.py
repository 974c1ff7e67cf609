"""The header values that a registration reads: addresses, Via, CSeq, and the numbers (RFC 3261 section 20)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final, NamedTuple

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax.grammar import (
    delta_seconds,
    end_of_quoted,
    is_token,
    parse_host_port,
    parse_uint,
    quote,
    split_list,
    unquote,
    visible,
)
from sipcore.syntax.limits import MAX_CONTACTS, MAX_CSEQ, MAX_PORT
from sipcore.syntax.parameters import Parameters, format_parameters, get, parse_parameters
from sipcore.syntax.uri import Uri

__all__ = [
    "STAR",
    "CSeq",
    "NameAddr",
    "Star",
    "Via",
    "parse_contacts",
    "parse_cseq",
    "parse_expires",
    "parse_name_addr",
    "parse_retry_after",
    "parse_via",
]


class Star(enum.Enum):
    """The type of `STAR`."""

    STAR = "*"


STAR: Final = Star.STAR
"""`Contact: *`, which stands for all bindings (RFC 3261 section 10.2.2)."""


class NameAddr:
    """An address of To, From, Contact, Route and their family (RFC 3261 section 20.10). Immutable."""

    __slots__ = ("_display", "_parameters", "_uri", "_uri_text")

    def __init__(self, display: str | None, uri_text: str, parameters: Parameters = ()) -> None:
        self._display = display
        self._uri_text = uri_text
        self._parameters = parameters
        self._uri: Uri | None = None

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """See `parse_name_addr`."""
        return parse_name_addr(text)

    @classmethod
    def parse_list(cls, values: Iterable[str]) -> tuple[NameAddr, ...]:
        """Every address of the given header lines, in order. Raises `RemoteProtocolError`."""
        return tuple([parse_name_addr(item) for value in values for item in split_list(value)])

    @property
    def display(self) -> str | None:
        """The display name, unquoted; None when there is none."""
        return self._display

    @property
    def uri_text(self) -> str:
        """The URI as written, without angle brackets."""
        return self._uri_text

    @property
    def parameters(self) -> Parameters:
        """The header's parameters; those of the URI are in `uri`."""
        return self._parameters

    @property
    def uri(self) -> Uri:
        """The URI, parsed when first asked for. Raises `RemoteProtocolError`."""
        uri = self._uri
        if uri is None:
            uri = self._uri = Uri.parse(self._uri_text)
        return uri

    @property
    def tag(self) -> str | None:
        """The tag, which tells dialogs apart (RFC 3261 section 19.3)."""
        return get(self._parameters, "tag")

    def get(self, name: str) -> str | None:
        """The raw value of a header parameter (lower case): "" when it is only a name, None when it is absent."""
        return get(self._parameters, name)

    def __str__(self) -> str:
        # Always with brackets: without them the URI's parameters would become the header's (RFC 3261 section 20).
        display = "" if self._display is None else f"{quote(self._display)} "
        return f"{display}<{self._uri_text}>{format_parameters(self._parameters)}"

    def __repr__(self) -> str:
        try:
            uri = repr(self.uri)
        except RemoteProtocolError:
            uri = "malformed"
        return f"NameAddr({self._display!r}, {uri}, {self._parameters!r})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, NameAddr)
            and self._uri_text == other._uri_text
            and self._parameters == other._parameters
            and self._display == other._display
        )

    def __hash__(self) -> int:
        return hash((self._uri_text, self._parameters))


class Via(NamedTuple):
    """One hop that a request took and a response takes back (RFC 3261 section 20.42)."""

    protocol: str
    """The transport, in capitals."""
    host: str
    """IPv6 in brackets."""
    port: int | None
    parameters: Parameters

    @property
    def branch(self) -> str | None:
        """The transaction's identity (RFC 3261 section 8.1.1.7); None from peers of RFC 2543."""
        return get(self.parameters, "branch")

    @property
    def received(self) -> str | None:
        """The address that the server saw, without brackets (RFC 3261 section 18.2.1, RFC 5118 section 4.5)."""
        value = get(self.parameters, "received")
        return value[1:-1] if value and value[0] == "[" and value[-1] == "]" else value

    @property
    def rport(self) -> int | None:
        """The port that the server saw (RFC 3581); None when absent, not yet filled in, or no port."""
        port = parse_uint(get(self.parameters, "rport") or "", maximum=MAX_PORT + 1)
        return port if port is not None and 0 < port <= MAX_PORT else None

    @property
    def wants_rport(self) -> bool:
        """True when the client asks for the response to come back to its source port (RFC 3581 section 3)."""
        return get(self.parameters, "rport") is not None

    def get(self, name: str) -> str | None:
        """The raw value of a parameter (lower case): "" when it is only a name, None when it is absent."""
        return get(self.parameters, name)

    def with_received(self, host: str, port: int) -> Via:
        """What the server makes of it: `received`, and `rport` when asked for (RFC 3261 18.2.1, RFC 3581 4).

        `host` is an IP literal without brackets. `received` is left out when the sent-by says the same and nobody
        asked for rport.
        """
        wants = self.wants_rport
        kept = [(name, value) for name, value in self.parameters if name != "received"]
        if wants:
            kept = [(name, str(port) if name == "rport" else value) for name, value in kept]
        if wants or self.host.strip("[]").lower() != host.lower():
            kept.append(("received", host))
        return self._replace(parameters=tuple(kept))

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.protocol} {self.host}{port}{format_parameters(self.parameters)}"


class CSeq(NamedTuple):
    """The order of requests in a dialog or registration (RFC 3261 section 20.16)."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_name_addr(text: str) -> NameAddr:
    """Parse `"display" <uri>;parameters` or `uri;parameters` (RFC 3261 section 20.10).

    Without brackets all parameters belong to the header, and the URI may hold neither `?` nor `,`. The URI itself is
    parsed when asked for. Taken although the grammar says otherwise: white space inside the brackets, and display
    names that are neither tokens nor quoted (RFC 4475 sections 3.1.2.14 and 3.1.2.15). Raises `RemoteProtocolError`.
    """
    text = text.strip(" \t")
    display: str | None = None
    if text[:1] != "<":
        display, text = _split_display(text)
    if text[:1] == "<":
        closing = text.find(">")
        if closing < 0:
            raise RemoteProtocolError(f"address: no '>' in {visible(text)}")
        uri_text = text[1:closing].strip(" \t")
        tail = text[closing + 1 :]
    else:
        semicolon = text.find(";")
        uri_text, tail = (text, "") if semicolon < 0 else (text[:semicolon].rstrip(" \t"), text[semicolon:])
        if "?" in uri_text or "," in uri_text:
            raise RemoteProtocolError(f"address: a URI with '?' or ',' needs brackets: {visible(text)}")
    if ":" not in uri_text or not _NOT_IN_URI.isdisjoint(uri_text):
        raise RemoteProtocolError(f"address: malformed URI in {visible(text)}")
    return NameAddr(display, uri_text, parse_parameters(tail, "address") if tail else ())


def parse_via(text: str) -> Via:
    """Parse one Via value (RFC 3261 section 20.42). Raises `RemoteProtocolError`."""
    semicolon = text.find(";")
    sent = text[:semicolon] if semicolon >= 0 else text
    protocol, _, sent_by = sent.partition(" ")
    if protocol not in _USUAL_PROTOCOLS:
        protocol, sent_by = _split_via(sent)
    elif " " in sent_by or "\t" in sent_by:
        sent_by = _without_space(sent_by)
    host, port = parse_host_port(sent_by)
    return _new(Via, (protocol[8:], host, port, parse_parameters(text[semicolon:], "Via") if semicolon >= 0 else ()))


def parse_cseq(text: str) -> CSeq:
    """Parse a CSeq value; the method's case counts (RFC 3261 section 20.16).

    Raises `RemoteProtocolError`, also for a number of 2**31 or more.
    """
    digits, _, method = text.replace("\t", " ").strip(" ").partition(" ")
    number = parse_uint(digits, maximum=MAX_CSEQ + 1)
    if method not in _USUAL_METHODS:
        method = method.lstrip(" ")
        if not is_token(method):
            raise RemoteProtocolError(f"malformed CSeq: {visible(text)}")
    if number is None or number > MAX_CSEQ:
        raise RemoteProtocolError(f"malformed CSeq: {visible(text)}")
    return _new(CSeq, (number, method))


def parse_contacts(values: Iterable[str]) -> tuple[NameAddr, ...] | Star:
    """All contacts of the given Contact lines, in order, or `STAR` (RFC 3261 section 20.10).

    Raises `RemoteProtocolError`, also when the star is not alone, and `LimitExceeded` above `MAX_CONTACTS`.
    """
    items = [item for value in values for item in split_list(value)]
    if items == ["*"]:
        return STAR
    if len(items) > MAX_CONTACTS:
        raise LimitExceeded(f"more than {MAX_CONTACTS} contacts")
    return tuple([parse_name_addr(item) for item in items])


def parse_retry_after(text: str) -> int | None:
    """The seconds of a Retry-After; comment and parameters are passed over (RFC 3261 section 20.33).

    None when malformed; at most 2**32-1.
    """
    digits, _, _ = text.partition(";")
    digits, _, _ = digits.partition("(")
    return delta_seconds(digits.strip(" \t"))


def parse_expires(text: str) -> int | None:
    """The seconds of an Expires or Min-Expires header or parameter, at most 2**32-1 (RFC 3261 section 20.19).

    None when malformed: what that means depends on the place.
    """
    return delta_seconds(text.strip(" \t"))


_NOT_IN_URI: Final = frozenset(' \t<>"')

# Known by sight; all others are looked at more closely.
_USUAL_PROTOCOLS: Final = frozenset({"SIP/2.0/UDP", "SIP/2.0/TCP", "SIP/2.0/TLS", "SIP/2.0/WS", "SIP/2.0/WSS"})
_USUAL_METHODS: Final = frozenset({"REGISTER", "OPTIONS", "INVITE", "ACK", "BYE", "CANCEL", "NOTIFY", "SUBSCRIBE"})

# A NamedTuple's own constructor is a Python function and costs more than all the rest of parsing a CSeq.
_new: Final = tuple.__new__


def _split_via(sent: str) -> tuple[str, str]:
    # White space may stand around the slashes, and names of protocols may have any case (RFC 3261 section 7.3.1).
    name, _, rest = sent.replace("\t", " ").partition("/")
    version, _, rest = rest.partition("/")
    transport, _, sent_by = rest.strip(" ").partition(" ")
    if name.strip(" ").lower() != "sip" or version.strip(" ") != "2.0" or not is_token(transport):
        raise RemoteProtocolError(f"Via: malformed protocol in {visible(sent)}")
    return f"SIP/2.0/{transport.upper()}", _without_space(sent_by)


def _without_space(sent_by: str) -> str:
    # White space may stand around the colon before the port, not inside the host.
    host, colon, port = sent_by.replace("\t", " ").strip(" ").rpartition(":")
    return f"{host.rstrip(' ')}{colon}{port.lstrip(' ')}"


def _split_display(text: str) -> tuple[str | None, str]:
    """The display name, unquoted, and the rest, which begins with `<` or is a bare URI."""
    if text[:1] == '"':
        end = end_of_quoted(text, 0)
        rest = text[end:].lstrip(" \t")
        if end < 0 or rest[:1] != "<":
            raise RemoteProtocolError(f"address: malformed display name in {visible(text)}")
        return unquote(text[:end]), rest
    opening = text.find("<")
    if opening < 0 or ";" in text[:opening]:
        # A display name has no semicolon, so this "<" stands in the value of a parameter.
        return None, text
    display = text[:opening].rstrip(" \t")
    if '"' in display:
        raise RemoteProtocolError(f"address: malformed display name in {visible(text)}")
    return display, text[opening:]
