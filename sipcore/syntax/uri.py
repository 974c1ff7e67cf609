"""SIP and SIPS URIs; other schemes are carried whole (RFC 3261 section 19.1)."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any, Final, NamedTuple, Self

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.expressions import compile_possessive
from sipcore.syntax.grammar import (
    USUAL_HOST,
    USUAL_PORT,
    check_escapes,
    is_host,
    parse_host_port,
    visible,
)
from sipcore.syntax.parameters import USUAL_PARAMETER, Parameters, format_parameters, get, parse_parameters

__all__ = ["USUAL_URI", "USUAL_USER", "Uri", "without_password"]

# What can stand nowhere in a URI: white space and controls are caught by isprintable() and the space here.
_NEVER: Final = frozenset(' <>"\\^`{|}')

# A URI that has one of these never equals a URI that has not (RFC 3261 section 19.1.4). The section names transport
# in its rule about defaults only, and shows it among its unequal pairs.
_NEVER_IMPLIED: Final = frozenset({"user", "ttl", "method", "maddr", "transport"})

USUAL_USER: Final = r"(sips?):(?:([-.!~*'()_&=+$,;?/0-9A-Za-z]++)@)?+"
"""An expression (possessive, so linear) for scheme and user of a URI without escapes and password, both groups."""

USUAL_URI: Final = (
    rf"{USUAL_USER}({USUAL_HOST})(?::({USUAL_PORT}))?+{USUAL_PARAMETER.replace('%', '').replace('`', '')}"
)
"""An expression (possessive, so linear) for a URI with at most one parameter and without escapes, password or headers.
Its groups are scheme, user, host, port, and the parameter's name and value."""

_usual: Final = compile_possessive(USUAL_URI).fullmatch

# What an escape tells apart (RFC 3261 section 25.1), and the percent sign, which would begin another one.
_RESERVED: Final = frozenset(";/?:@&=+$,%")

_SCHEME_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789+-."

# A NamedTuple's own constructor is a Python function and costs more than the rest of it.
_new: Final = tuple.__new__

# Separators that make a telephone number easier to read and change nothing (RFC 3966 section 3).
_VISUAL_SEPARATORS: Final = str.maketrans("", "", "-.()")


class _Parts(NamedTuple):
    scheme: str
    """In lower case."""
    user: str | None = None
    """As written, escapes kept; None when there is no `@`."""
    password: str | None = None
    host: str = ""
    """As written, IPv6 in brackets; empty for schemes other than sip and sips."""
    port: int | None = None
    parameters: Parameters = ()
    headers: str = ""
    """What follows the `?`, as written."""
    opaque: str = ""
    """What follows the colon of a scheme that is neither sip nor sips."""


class Uri(_Parts):
    """A URI, split but not unescaped. `==` compares the text's parts; `equivalent` compares what they mean.

    `parse` checks; the constructor does not.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        scheme: str,
        user: str | None = None,
        password: str | None = None,
        host: str = "",
        port: int | None = None,
        parameters: Parameters = (),
        headers: str = "",
        opaque: str = "",
    ) -> Self:
        """By keyword only: eight texts in a row would be mistaken for each other."""
        return _new(cls, (scheme, user, password, host, port, parameters, headers, opaque))

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]:
        # For copy and pickle, which would otherwise pass the parts by position.
        return (), self._asdict()

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Parse a URI that stands alone, without angle brackets and white space.

        Taken although the grammar says otherwise: `#`, `[` and `]` in the user, which telephones put there unescaped;
        and behind the host any printable ASCII but white space and ``"<>@\\^`{|}``; other schemes may have `@`, too.
        Raises `RemoteProtocolError` (RFC 3261 section 25.1; IPv6 as in RFC 5954).
        """
        match = _usual(text)
        if match is not None:
            scheme, name, address, digits, key, value = match.groups()
            place = None if digits is None else int(digits)
            return _new(Uri, (scheme, name, None, address, place, () if key is None else ((key, value),), "", ""))
        if not text.isascii() or not text.isprintable() or not _NEVER.isdisjoint(text):
            raise RemoteProtocolError(f"malformed URI: {visible(without_password(text))}")
        scheme, colon, rest = text.partition(":")
        scheme = scheme.lower()
        if not colon or not rest or not check_escapes(rest):
            raise RemoteProtocolError(f"malformed URI: {visible(without_password(text))}")
        if scheme not in ("sip", "sips"):
            if not scheme[:1].isalpha() or scheme.strip(_SCHEME_CHARACTERS):
                raise RemoteProtocolError(f"malformed URI scheme: {visible(without_password(text))}")
            return cls(scheme=scheme, opaque=rest)
        user: str | None = None
        password: str | None = None
        userinfo, at, hostpart = rest.partition("@")
        if at:
            user, colon, secret = userinfo.partition(":")
            if colon:
                password = secret
            if not user or "@" in hostpart or (password and not set(";?/:").isdisjoint(password)):
                raise RemoteProtocolError(f"malformed URI: {visible(without_password(text))}")
            rest = hostpart
        rest, question, headers = rest.partition("?")
        if question and not headers:
            raise RemoteProtocolError(f"malformed URI headers: {visible(without_password(text))}")
        hostport, semicolon, tail = rest.partition(";")
        host, port = parse_host_port(hostport)
        parameters = parse_parameters(";" + tail, "URI") if semicolon else ()
        return cls(
            scheme=scheme,
            user=user,
            password=password,
            host=host,
            port=port,
            parameters=parameters,
            headers=headers,
        )

    def __repr__(self) -> str:
        # Neither the password nor what another scheme may have in its place.
        return (
            f"Uri(scheme={self.scheme!r}, user={self.user!r}, host={self.host!r}, port={self.port!r}, "
            f"parameters={self.parameters!r}, headers={self.headers!r})"
        )

    def __str__(self) -> str:
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        text = f"{self.scheme}:"
        if self.user is not None:
            text += self.user if self.password is None else f"{self.user}:{self.password}"
            text += "@"
        text += self.host
        if self.port is not None:
            text += f":{self.port}"
        if self.parameters:
            text += format_parameters(self.parameters)
        if self.headers:
            text += f"?{self.headers}"
        return text

    @property
    def secure(self) -> bool:
        """True for sips."""
        return self.scheme == "sips"

    def get(self, parameter: str) -> str | None:
        """The raw value of a URI parameter: "" when it is only a name, None when it is absent."""
        for name, value in self.parameters:
            if name == parameter:
                return value or ""
        return None if parameter.islower() else get(self.parameters, parameter.lower())

    def without_user(self) -> Uri:
        """The same URI without user and password; a REGISTER goes to a domain (RFC 3261 section 10.2)."""
        return self if self.user is None else self._replace(user=None, password=None)

    def equivalent(self, other: Uri) -> bool:
        """Whether both mean the same by the rules of RFC 3261 section 19.1.4.

        Symmetric but not transitive, so bindings are compared pairwise, never by a key. IPv6 addresses compare by
        value (RFC 5954 section 4.2), telephone numbers by RFC 3966 section 4, other schemes by their text.
        """
        if self == other:
            return True
        if self.scheme != other.scheme:
            return False
        if self.opaque or other.opaque:
            return self.scheme == "tel" and _telephone(self.opaque) == _telephone(other.opaque)
        return (
            self.port == other.port
            and _same_text(self.user, other.user)
            and _same_text(self.password, other.password)
            and _same_host(self.host, other.host)
            and _same_parameters(self.parameters, other.parameters)
            and (self.headers == other.headers or _header_items(self.headers) == _header_items(other.headers))
        )


def without_password(text: str) -> str:
    """`text` for an error, which ends in a log: what stands where a URI has its password is masked."""
    before, at, after = text.rpartition("@")
    if not at:
        return text
    scheme, colon, userinfo = before.partition(":")
    if not colon:
        return text
    if scheme.lower() not in ("sip", "sips"):
        return f"{scheme}:***@{after}"
    user, colon, _ = userinfo.partition(":")
    return f"{scheme}:{user}:***@{after}" if colon else text


def _plain(text: str) -> str:
    """Escapes of what is not reserved undone, once; the others with capital digits (RFC 3261 section 19.1.4)."""
    if "%" not in text or not check_escapes(text):
        return text
    first, *pieces = text.split("%")
    parts = [first]
    for piece in pieces:
        character = chr(int(piece[:2], 16))
        same = "!" <= character <= "~" and character not in _RESERVED
        parts.append(character if same else f"%{piece[:2].upper()}")
        parts.append(piece[2:])
    return "".join(parts)


def _same_text(one: str | None, two: str | None) -> bool:
    if one == two or one is None or two is None:
        return one == two
    return _plain(one) == _plain(two)


def _same_host(one: str, two: str) -> bool:
    if one[:1] == "[" and two[:1] == "[" and is_host(one) and is_host(two):
        return IPv6Address(one[1:-1]) == IPv6Address(two[1:-1])
    return one.lower() == two.lower()


def _same_parameters(one: Parameters, two: Parameters) -> bool:
    if one == two:
        return True
    ours, theirs = _parameter_values(one), _parameter_values(two)
    for name in ours.keys() | theirs.keys():
        if name in ours and name in theirs:
            if ours[name] != theirs[name]:
                return False
        elif name in _NEVER_IMPLIED:
            return False
    return True


def _parameter_values(parameters: Parameters) -> dict[str, str]:
    return {_plain(name).lower(): _plain(value or "").lower() for name, value in parameters}


def _header_items(headers: str) -> list[tuple[str, str]]:
    items = []
    for header in headers.split("&"):
        name, _, value = header.partition("=")
        items.append((_plain(name).lower(), _plain(value).lower()))
    return sorted(items)


def _telephone(opaque: str) -> tuple[str, dict[str, str]]:
    number, _, tail = opaque.lower().partition(";")
    parameters = dict(pair.partition("=")[::2] for pair in tail.split(";") if pair)
    for name, value in parameters.items():
        if name == "ext" or (name == "phone-context" and value[:1] == "+"):
            parameters[name] = value.translate(_VISUAL_SEPARATORS)
    return number.translate(_VISUAL_SEPARATORS), parameters
