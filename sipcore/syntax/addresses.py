"""Addresses: the values of To, From, Contact, Route and their family (RFC 3261 section 20.10)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Final

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax.expressions import compile_possessive
from sipcore.syntax.grammar import USUAL_HOST, end_of_quoted, quote, split_list, unquote, visible
from sipcore.syntax.headers import parse_expires
from sipcore.syntax.limits import MAX_CONTACTS
from sipcore.syntax.parameters import USUAL_PARAMETER, Parameters, format_parameters, get, parse_parameters
from sipcore.syntax.qvalues import parse_qvalue
from sipcore.syntax.uri import USUAL_URI, USUAL_USER, Uri, without_password

__all__ = ["STAR", "NameAddr", "Star", "parse_contacts", "parse_name_addr", "parse_tagged"]


class Star(enum.Enum):
    """The type of `STAR`."""

    STAR = "*"


STAR: Final = Star.STAR
"""`Contact: *`, which stands for all bindings (RFC 3261 section 10.2.2)."""


class NameAddr:
    """An address of To, From, Contact, Route and their family (RFC 3261 section 20.10). Immutable."""

    __slots__ = ("_display", "_parameters", "_uri", "_uri_text")

    # Of `_uri` and `_uri_text` one is there from the start, the other is made of it.
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

    @property
    def expires(self) -> int | None:
        """How long a Contact lives, in seconds, at most 2**32-1; None when it does not say or is malformed."""
        text = self.get("expires")
        return None if text is None else parse_expires(text)

    @property
    def q(self) -> int | None:
        """How much a Contact is preferred, in thousandths; None when it does not say or is malformed."""
        text = self.get("q")
        return None if text is None else parse_qvalue(text)

    def get(self, name: str) -> str | None:
        """The raw value of a header parameter: "" when it is only a name, None when it is absent."""
        for key, value in self._parameters:
            if key == name:
                return value or ""
        return None if name.islower() else get(self._parameters, name.lower())

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
            raise RemoteProtocolError(f"address: no '>' in {visible(without_password(text))}")
        uri_text = text[1:closing].strip(" \t")
        tail = text[closing + 1 :]
    else:
        semicolon = text.find(";")
        uri_text, tail = (text, "") if semicolon < 0 else (text[:semicolon].rstrip(" \t"), text[semicolon:])
        if "?" in uri_text or "," in uri_text:
            shown = visible(without_password(text))
            raise RemoteProtocolError(f"address: a URI with '?' or ',' needs brackets: {shown}")
    if ":" not in uri_text or not _NOT_IN_URI.isdisjoint(uri_text):
        raise RemoteProtocolError(f"address: malformed URI in {visible(without_password(text))}")
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


def parse_contacts(values: Sequence[str]) -> tuple[NameAddr, ...] | Star:
    """All contacts of the given Contact lines, in order, or `STAR` (RFC 3261 section 20.10).

    Raises `RemoteProtocolError`, also when the star is not alone, and `LimitExceeded` above `MAX_CONTACTS`.
    """
    together = "".join(values)
    if "," not in together and "*" not in together and len(values) <= MAX_CONTACTS:
        # One address in each line, as nearly always.
        try:
            return tuple(map(parse_name_addr, values))
        except RemoteProtocolError:
            pass  # A line may be empty; what else is wrong is said below.
    items = [item for value in values for item in split_list(value)]
    if items == ["*"]:
        return STAR
    if len(items) > MAX_CONTACTS:
        raise LimitExceeded(f"more than {MAX_CONTACTS} contacts")
    return tuple(map(parse_name_addr, items))


# An address as nearly all are: what does not fit is looked at more closely.
_usual_address: Final = compile_possessive(
    r"""("[^"\\]*+" ?+|[0-9A-Za-z][-.!%*_+`'~0-9A-Za-z ]*+)?+"""
    rf"<{USUAL_URI}>{USUAL_PARAMETER}{USUAL_PARAMETER}(;.*+)?+"
).fullmatch

_usual_tagged: Final = compile_possessive(
    rf"<{USUAL_USER}({USUAL_HOST})>(?:;tag=([-.!%*_+`'~0-9A-Za-z]++))?+"
).fullmatch

_NOT_IN_URI: Final = frozenset(' \t<>"')

# Constructors are Python functions, which would cost as much as finding the values.
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


def _split_display(text: str) -> tuple[str | None, str]:
    """The display name, unquoted, and the rest, which begins with `<` or is a bare URI."""
    if text[:1] == '"':
        end = end_of_quoted(text, 0)
        rest = text[end:].lstrip(" \t")
        if end < 0 or rest[:1] != "<":
            raise RemoteProtocolError(f"address: malformed display name in {visible(without_password(text))}")
        return unquote(text[:end]), rest
    opening = text.find("<")
    if opening < 0 or ";" in text[:opening]:
        # A display name has no semicolon, so this "<" stands in the value of a parameter.
        return None, text
    display = text[:opening].rstrip(" \t")
    if '"' in display:
        raise RemoteProtocolError(f"address: malformed display name in {visible(without_password(text))}")
    return display, text[opening:]
