"""The header values that a registration reads: addresses, Via, CSeq, and the numbers (RFC 3261 section 20)."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax.grammar import (
    USUAL_HOST,
    USUAL_PORT,
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
from sipcore.syntax.parameters import (
    USUAL_PARAMETER,
    Parameters,
    format_parameters,
    get,
    parse_parameters,
)
from sipcore.syntax.uri import USUAL_URI, Uri

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
    "parse_tagged",
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

    # One of the last two is there from the start, the other is made of it.
    _display: str | None
    _parameters: Parameters
    _uri: Uri | None
    _uri_text: str | None

    def __init__(self, display: str | None, uri_text: str, parameters: Parameters = ()) -> None:
        self._display = display
        self._uri_text = uri_text
        self._parameters = parameters
        self._uri = None

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
        text = self._uri_text
        if text is None:
            text = self._uri_text = str(self._uri)
        return text

    @property
    def parameters(self) -> Parameters:
        """The header's parameters; those of the URI are in `uri`."""
        return self._parameters

    @property
    def uri(self) -> Uri:
        """The URI, parsed when first asked for. Raises `RemoteProtocolError`."""
        uri = self._uri
        if uri is None:
            uri = self._uri = Uri.parse(self.uri_text)
        return uri

    @property
    def tag(self) -> str | None:
        """The tag, which tells dialogs apart (RFC 3261 section 19.3)."""
        for name, value in self._parameters:
            if name == "tag":
                return value or ""
        return None

    def get(self, name: str) -> str | None:
        """The raw value of a header parameter (lower case): "" when it is only a name, None when it is absent."""
        for key, value in self._parameters:
            if key == name:
                return value or ""
        return None

    def __str__(self) -> str:
        # Always with brackets: without them the URI's parameters would become the header's (RFC 3261 section 20).
        display = "" if self._display is None else f"{_quoted(self._display)} "
        return f"{display}<{self.uri_text}>{format_parameters(self._parameters)}"

    def __repr__(self) -> str:
        try:
            uri = repr(self.uri)
        except RemoteProtocolError:
            uri = "malformed"
        return f"NameAddr({self._display!r}, {uri}, {self._parameters!r})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, NameAddr)
            and self.uri_text == other.uri_text
            and self._parameters == other._parameters
            and self._display == other._display
        )

    def __hash__(self) -> int:
        return hash((self.uri_text, self._parameters))


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
        for name, value in self.parameters:
            if name == "branch":
                return value or ""
        return None

    @property
    def received(self) -> str | None:
        """The address that the server saw, without brackets (RFC 3261 section 18.2.1, RFC 5118 section 4.5)."""
        for name, value in self.parameters:
            if name == "received":
                return value[1:-1] if value and value[0] == "[" and value[-1] == "]" else value or ""
        return None

    @property
    def rport(self) -> int | None:
        """The port that the server saw (RFC 3581); None when absent, not yet filled in, or no port."""
        for name, value in self.parameters:
            if name == "rport" and value is not None:
                port = int(value) if value.isdecimal() and value.isascii() and len(value) < 10 else 0
                return port if 0 < port <= MAX_PORT else None
        return None

    @property
    def wants_rport(self) -> bool:
        """True when the client asks for the response to come back to its source port (RFC 3581 section 3)."""
        return get(self.parameters, "rport") is not None

    def get(self, name: str) -> str | None:
        """The raw value of a parameter (lower case): "" when it is only a name, None when it is absent."""
        for key, value in self.parameters:
            if key == name:
                return value or ""
        return None

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
    match = _usual_address(text)
    if match is not None:
        display, scheme, user, host, port, key, value, first, one, second, two, more = match.groups()
        address = _new_object(NameAddr)
        address._display = display if display is None else _usual_display(display)
        # It would be equal to str(uri).
        address._uri_text = None
        number = None if port is None else int(port)
        address._uri = _new(Uri, (scheme, user, None, host, number, () if key is None else ((key, value),), "", ""))
        if more is not None or (second is not None and second == first):
            # Behind the host, for a display name may hold one, too.
            address._parameters = parse_parameters(text[text.index(">", match.end(4)) + 1 :], "address")
        elif second is not None:
            address._parameters = ((first, one), (second, two))
        else:
            address._parameters = () if first is None else ((first, one),)
        return address
    text = text.strip(" \t")
    display = None
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


def parse_tagged(text: str) -> NameAddr:
    """`parse_name_addr` for From and To: nearly all have one form, which is looked for first."""
    match = _usual_tagged(text)
    if match is not None:
        scheme, user, host, tag = match.groups()
        address = _new_object(NameAddr)
        address._display = address._uri_text = None
        address._uri = _new(Uri, (scheme, user, None, host, None, (), "", ""))
        address._parameters = () if tag is None else (("tag", tag),)
        return address
    return parse_name_addr(text)


def parse_via(text: str) -> Via:
    """Parse one Via value (RFC 3261 section 20.42). Raises `RemoteProtocolError`."""
    match = _usual_via(text)
    if match is not None:
        protocol, host, port, first, one, second, two, third, three, more = match.groups()
        parameters: Parameters
        if more is not None or (second is not None and (second in (first, third) or third == first)):
            parameters = parse_parameters(text[text.index(";") :], "Via")
        elif third is not None:
            parameters = ((first, one), (second, two), (third, three))
        elif second is not None:
            parameters = ((first, one), (second, two))
        else:
            parameters = () if first is None else ((first, one),)
        return _new(Via, (protocol, host, None if port is None else int(port), parameters))
    semicolon = text.find(";")
    sent = text[:semicolon] if semicolon >= 0 else text
    protocol, sent_by = _split_via(sent)
    name, place = parse_host_port(sent_by)
    return Via(protocol, name, place, parse_parameters(text[semicolon:], "Via") if semicolon >= 0 else ())


def parse_cseq(text: str) -> CSeq:
    """Parse a CSeq value; the method's case counts (RFC 3261 section 20.16).

    Raises `RemoteProtocolError`, also for a number of 2**31 or more.
    """
    match = _usual_cseq(text)
    if match is not None:
        digits, method = match.groups()
        return _new(CSeq, (int(digits), method))
    digits, _, method = text.replace("\t", " ").strip(" ").partition(" ")
    number = parse_uint(digits, maximum=MAX_CSEQ + 1)
    method = method.lstrip(" ")
    if number is None or number > MAX_CSEQ or not is_token(method):
        raise RemoteProtocolError(f"malformed CSeq: {visible(text)}")
    return CSeq(number, method)


def parse_contacts(values: Sequence[str]) -> tuple[NameAddr, ...] | Star:
    """All contacts of the given Contact lines, in order, or `STAR` (RFC 3261 section 20.10).

    Raises `RemoteProtocolError`, also when the star is not alone, and `LimitExceeded` above `MAX_CONTACTS`.
    """
    items: Sequence[str] = values
    for value in values:
        if "," in value or "*" in value or value[:1] <= " ":
            items = [item for value in values for item in split_list(value)]
            if items == ["*"]:
                return STAR
            break
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
    if _usual_seconds(text) is not None:
        return int(text)
    return delta_seconds(text.strip(" \t"))


# An address as nearly all are: what does not fit is looked at more closely.
_usual_address: Final = re.compile(
    r"""("[^"\\]*+" ?+|[0-9A-Za-z][-.!%*_+`'~0-9A-Za-z ]*+)?+"""
    rf"<{USUAL_URI}>{USUAL_PARAMETER}{USUAL_PARAMETER}(;.*+)?+"
).fullmatch

_usual_tagged: Final = re.compile(
    rf"<(sips?):(?:([-.!~*'()_&=+$,;?/0-9A-Za-z]++)@)?+({USUAL_HOST})>(?:;tag=([-.!%*_+`'~0-9A-Za-z]++))?+"
).fullmatch

_usual_via: Final = re.compile(
    rf"SIP/2\.0/(UDP|TCP|TLS|WSS?) ({USUAL_HOST})(?::({USUAL_PORT}))?+{USUAL_PARAMETER * 3}(;.*+)?+"
).fullmatch

_NOT_IN_URI: Final = frozenset(' \t<>"')

_usual_cseq: Final = re.compile(r"(1?[0-9]{1,9}+) ([A-Z]++)").fullmatch

_usual_seconds: Final = re.compile(r"[0-9]{1,9}+").fullmatch

# A NamedTuple's own constructor is a Python function and costs more than all the rest of parsing a CSeq.
_new: Final = tuple.__new__
_new_object: Final = object.__new__


def _usual_display(text: str) -> str:
    text = text.rstrip(" ")
    return text[1:-1] if text[0] == '"' else text


def _quoted(display: str) -> str:
    # quote() refuses NUL, which no name of ours has; in one that was received it stands as a quoted-pair.
    if "\0" not in display:
        return quote(display)
    return '"{}"'.format("\\\0".join([quote(piece)[1:-1] for piece in display.split("\0")]))


def _split_via(sent: str) -> tuple[str, str]:
    # White space may stand around the slashes, and names of protocols may have any case (RFC 3261 section 7.3.1).
    name, _, rest = sent.replace("\t", " ").partition("/")
    version, _, rest = rest.partition("/")
    transport, _, sent_by = rest.strip(" ").partition(" ")
    if name.strip(" ").lower() != "sip" or version.strip(" ") != "2.0" or not is_token(transport):
        raise RemoteProtocolError(f"Via: malformed protocol in {visible(sent)}")
    return transport.upper(), _without_space(sent_by)


def _without_space(sent_by: str) -> str:
    # White space may stand around the colon before the port, not inside the host.
    sent_by = sent_by.replace("\t", " ").strip(" ")
    if sent_by[-1:] == "]":
        return sent_by  # Its last colon is one of the address.
    host, colon, port = sent_by.rpartition(":")
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
