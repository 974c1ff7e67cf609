"""What a body is and what it is for: Content-Type, Content-Disposition, Event (RFC 3261 20.15 and 20.11, RFC 6665 8.4).

    media-type           =  token SLASH token *( SEMI token EQUAL ( token / quoted-string ) )
    Content-Disposition  =  token *( SEMI ( "handling" EQUAL token / generic-param ) )
    Event                =  token-nodot *( "." token-nodot ) *( SEMI event-param )

Parameters are read as everywhere (see `parse_parameters`).
"""

from __future__ import annotations

from typing import NamedTuple

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.grammar import is_token, unquote, visible
from sipcore.syntax.parameters import Parameters, format_parameters, get, parse_parameters

__all__ = ["ContentDisposition", "EventType", "MediaType"]


class MediaType(NamedTuple):
    """The type of a body (RFC 3261 section 20.15)."""

    type: str
    """In lower case."""
    subtype: str
    """In lower case."""
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> MediaType:
        """Parse a Content-Type. Raises `RemoteProtocolError`."""
        head, parameters = _parse(text, "Content-Type")
        kind, _, subtype = head.partition("/")
        kind, subtype = kind.rstrip(" \t"), subtype.lstrip(" \t")
        if not is_token(kind) or not is_token(subtype):
            raise RemoteProtocolError(f"malformed Content-Type: {visible(text)}")
        return cls(kind.lower(), subtype.lower(), parameters)

    @property
    def name(self) -> str:
        """`type/subtype`."""
        return f"{self.type}/{self.subtype}"

    def get(self, name: str) -> str | None:
        """A parameter (lower case), unquoted; None when it is absent."""
        value = get(self.parameters, name)
        return None if value is None else unquote(value)

    def __str__(self) -> str:
        return f"{self.type}/{self.subtype}{format_parameters(self.parameters)}"


class ContentDisposition(NamedTuple):
    """What a body is for, and whether one can do without it (RFC 3261 section 20.11)."""

    type: str
    """In lower case."""
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> ContentDisposition:
        """Parse a Content-Disposition. Raises `RemoteProtocolError`."""
        head, parameters = _parse(text, "Content-Disposition")
        if not is_token(head):
            raise RemoteProtocolError(f"malformed Content-Disposition: {visible(text)}")
        return cls(head.lower(), parameters)

    @property
    def optional(self) -> bool:
        """True when who does not understand the body may pass it over (RFC 3204 section 6).

        Everything but `handling=optional` counts as required: what is unknown is better refused than lost.
        """
        return (get(self.parameters, "handling") or "").lower() == "optional"

    def __str__(self) -> str:
        return f"{self.type}{format_parameters(self.parameters)}"


class EventType(NamedTuple):
    """The value of an Event header (RFC 6665 section 8.2.1)."""

    name: str
    """The package and its templates, as written: they are compared byte by byte."""
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> EventType:
        """Parse an Event header. Raises `RemoteProtocolError`."""
        head, parameters = _parse(text, "Event")
        if not all(is_token(part) for part in head.split(".")):
            raise RemoteProtocolError(f"malformed Event: {visible(text)}")
        return cls(head, parameters)

    @property
    def package(self) -> str:
        """The package: `presence` of `presence.winfo`."""
        return self.name.partition(".")[0]

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates that are applied to it, in order: `winfo` of `presence.winfo`."""
        return tuple(self.name.split(".")[1:])

    @property
    def id(self) -> str | None:
        """Tells the subscriptions of one dialog apart; None when absent."""
        return get(self.parameters, "id")

    def __str__(self) -> str:
        return f"{self.name}{format_parameters(self.parameters)}"


def _parse(text: str, what: str) -> tuple[str, Parameters]:
    place = text.find(";")
    if place < 0:
        return text.strip(" \t"), ()
    return text[:place].strip(" \t"), parse_parameters(text[place:], what)
