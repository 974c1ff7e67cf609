"""What may stand where: one function for each slot of the grammar that configuration or an application can fill.

Whatever comes from a configuration file, from an option or from the arguments of a call passes the function of its slot
before any of it reaches the wire, and nothing else judges it. Each function takes one value and returns it, or what was
read from it; what does not fit raises `SlotError`, whose `expected` says in plain words what would. So a value that was
accepted stands in its place and nowhere else: it adds no header and no parameter, and ends no line and no list.

What a peer sent is not judged here but by the parsers: it is passed on as it came, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address as parse_address
from typing import Any, Final

from sipcore.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from sipcore.syntax.addresses import NameAddr, parse_name_addr
from sipcore.syntax.grammar import TOKEN, check_line, check_user, is_host, is_token, parse_uint, visible
from sipcore.syntax.names import header_key
from sipcore.syntax.parameters import Parameters, get, parse_parameters
from sipcore.syntax.uri import Uri
from sipcore.values import Protocol, Secret, is_ip_address

# fmt: off
__all__ = [
    "MAX_TEXT", "MAX_VALUE", "REGISTER_HEADERS", "RESPONSE_HEADERS", "Slot", "SlotError", "SlotTable",
    "address_of_record", "call_id", "contact", "contact_header_parameters", "contact_uri_parameters", "each", "fill",
    "header_name", "header_value", "host", "ip_address", "label", "line_token", "methods", "option_tags", "password",
    "port", "quoted_text", "reason_phrase", "register_header", "registrar", "response_header", "route", "status_code",
    "token", "user",
]
# fmt: on

MAX_TEXT: Final = 1024
"""Characters of one name, URI or list of parameters: three times the longest that are met, and few enough that a
REGISTER which moves a Contact and names six of them still fits into a datagram."""

MAX_VALUE: Final = 15360
"""Characters of one header value: with a name in front it stays below `limits.MAX_LINE`."""

REGISTER_HEADERS: Final = frozenset(
    "via from to call-id cseq contact expires max-forwards content-length content-type route record-route "
    "authorization proxy-authorization user-agent allow supported require proxy-require".split()
)
"""The headers of a REGISTER that other options fill, or nobody."""

RESPONSE_HEADERS: Final = frozenset("via from to call-id cseq content-length".split())
"""The headers of a response that are copied from the request or computed (RFC 3261 section 8.2.6.2)."""

Slot = Callable[[Any], object]
"""A function of this module: returns what it was given, or what that means; raises `SlotError`."""

SlotTable = Mapping[str, Slot]
"""Option -> slot. Every text of a configuration has a row in one of these."""


class SlotError(LocalProtocolError):
    """A value does not fit where it should stand."""

    def __init__(self, value: object, expected: str) -> None:
        self.value = value
        """The refused value, or the part of it that is wrong; passwords masked."""
        self.expected = expected
        """What would have been accepted, in plain words."""
        super().__init__(value, expected)

    def __str__(self) -> str:
        return f"{visible(repr(self.value))}: {self.expected}"


def fill(option: str, slot: Slot, value: object) -> object:
    """What `slot` makes of the value of an option. Raises `ConfigError` in the slot's words."""
    try:
        return slot(value)
    except SlotError as error:
        raise ConfigError(option, error.value, error.expected) from None


def each(slot: Slot) -> Slot:
    """The slot of a tuple whose items all stand in `slot`."""

    def check(values: tuple[object, ...]) -> tuple[object, ...]:
        _tuple(values)
        return tuple([slot(value) for value in values])

    return check


# --- words -----------------------------------------------------------------------------------------------------------


def token(text: str) -> str:
    """A token: a method, an option tag (RFC 3261 section 25.1)."""
    return _fit(text, is_token, _TOKEN)


def methods(values: tuple[str, ...]) -> tuple[str, ...]:
    """The methods of an Allow header (RFC 3261 section 20.5)."""
    return _tokens(values)


def option_tags(values: tuple[str, ...]) -> tuple[str, ...]:
    """The option tags of a Supported header (RFC 3261 section 20.37)."""
    return _tokens(values)


def line_token(text: str) -> str:
    """The value of the `line` parameter in our Contact URI."""
    return token(text)


def call_id(text: str) -> str:
    """A Call-ID: word [ "@" word ] (RFC 3261 section 25.1)."""
    return _fit(text, _is_call_id, "a Call-ID: letters, digits and marks without spaces (RFC 3261 25.1)")


def label(text: str) -> str:
    """A name for events, logs and listings; it never reaches the wire, and cannot control a terminal."""
    return _fit(text, check_line, _LINE)


def password(secret: Secret) -> Secret:
    """A password; what goes on the wire is a hash of it (RFC 7616 section 3.4.2)."""
    # One expression: no local variable of any frame ever holds the password. A line end or NUL is a mistake in reading
    # it from a file; a lone surrogate cannot be hashed.
    if any(mark in "\r\n\0" or "\ud800" <= mark <= "\udfff" for mark in secret.reveal()):
        raise SlotError(secret, "no line ends and no NUL, only what UTF-8 can carry")
    return secret


# --- header lines ----------------------------------------------------------------------------------------------------


def header_name(text: str) -> str:
    """The name of any header (RFC 3261 section 7.3.1)."""
    return _fit(text, is_token, "a header name: a token (RFC 3261 25.1)")


def header_value(text: str, name: str | None = None) -> str:
    """The value of a header that is text to us, such as User-Agent and Server (RFC 3261 section 25.1, TEXT-UTF8-TRIM).

    It may be empty; white space at its ends would be lost on the way. `name` is the header's, for the error.
    """
    what = "a value" if name is None else f"a value for {visible(name)}"
    return _fit(text, _is_value, f"{what} without control characters and without white space at its ends", MAX_VALUE)


def register_header(pair: tuple[str, str]) -> tuple[str, str]:
    """A further header line of a REGISTER, as (name, value)."""
    name, value = _pair(pair)
    expected = "a header name that sipcore does not write itself"
    if header_key(_fit(name, is_token, expected)) in REGISTER_HEADERS:
        raise SlotError(name, expected)
    return name, header_value(value, name)


def response_header(pair: tuple[str, str]) -> tuple[str, str]:
    """A further header line of a response, as (name, value)."""
    name, value = _pair(pair)
    if header_key(header_name(name)) in RESPONSE_HEADERS:
        raise SlotError(name, "a header that is not copied from the request or computed")
    return name, header_value(value, name)


def reason_phrase(text: str) -> str:
    """The reason phrase of a response; it may be empty (RFC 3261 section 7.2)."""
    return _fit(text, check_line, "a reason phrase without control characters")


def status_code(number: int) -> int:
    """A status code (RFC 3261 section 7.2)."""
    if isinstance(number, bool) or not isinstance(number, int) or not 100 <= number <= 699:
        raise SlotError(number, "a status code from 100 to 699")
    # Members of an enumeration may print as their names.
    return int(number)


def quoted_text(text: str) -> str:
    """What a quoted-string stands for: a realm, a user name of a credential (RFC 3261 section 25.1)."""
    return _fit(text, check_line, _LINE)


# --- addresses -------------------------------------------------------------------------------------------------------


def host(text: str) -> str:
    """A host name or an IP address (RFC 3261 section 25.1)."""
    return _fit(text, is_host, "host names or IP addresses, IPv6 in brackets")


def ip_address(text: str) -> str:
    """A local IP address, perhaps with the zone of an interface (RFC 4007 section 11)."""
    return _fit(text, _is_local_address, "an IP address without brackets")


def port(number: int) -> int:
    """A local port; 0 lets the system choose."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 65535:
        raise SlotError(number, "a port from 0 to 65535")
    return number


def user(text: str) -> str:
    """The user part of a URI (RFC 3261 section 25.1)."""
    return _fit(text, check_user, _USER_PART)


def address_of_record(text: str) -> Uri:
    """The URI of To and From of a REGISTER (RFC 3261 sections 10.2 and 19.1.1).

    `transport=tls` is refused: TLS is asked for by sips or by configuration (RFC 5630 section 5.1.1).
    """
    uri = _sip_uri(text)
    if uri.user is None:
        raise SlotError(text, "must be a sip URI with a user part, such as sip:alice@example.com")
    if uri.secure:
        raise SlotError(text, _NO_TLS)
    if (uri.get("transport") or "").lower() == "tls":
        raise SlotError(text, _NO_TRANSPORT)
    return uri


def registrar(text: str) -> Uri:
    """The Request-URI of a REGISTER, over a transport that we have (RFC 3261 sections 10.2 and 19.1.1)."""
    uri = _sip_uri(text)
    if uri.secure:
        raise SlotError(text, _NO_TLS)
    if (uri.get("transport") or "udp").upper() not in Protocol.__members__:
        raise SlotError(text, _NO_TRANSPORT)
    return uri


def route(text: str) -> NameAddr:
    """One value of Route, over a transport that we have (RFC 3261 section 20.34)."""
    _fit(text, check_line, _ROUTE, shown=_masked)
    try:
        address = parse_name_addr(text)
    except RemoteProtocolError:
        raise SlotError(_masked(text), _ROUTE) from None
    if not _are_header_parameters(address.parameters):
        raise SlotError(_masked(text), _ROUTE)
    registrar(address.uri_text)
    return address


def contact(text: str) -> NameAddr:
    """A whole Contact in the form in which we write it, without a lifetime."""
    expected = "a Contact in the form <sip:user@host>;name=value"
    _fit(text, check_line, expected, MAX_VALUE, shown=_masked)
    try:
        address = parse_name_addr(text)
        uri = address.uri
    except RemoteProtocolError:
        raise SlotError(_masked(text), expected) from None
    good = (
        text[:1] == "<"
        and uri.scheme == "sip"
        and uri.password is None
        and not uri.headers
        and (uri.user is None or check_user(uri.user))
        and _are_uri_parameters(uri.parameters)
        and _are_header_parameters(address.parameters)
        and address.get("expires") is None
    )
    if not good:
        raise SlotError(_masked(text), expected)
    return address


def contact_uri_parameters(text: str) -> Parameters:
    """Parameters inside a Contact URI, behind those that we write (RFC 3261 section 19.1.1)."""
    _fit(text, check_line, _PARAMETERS)
    if not text:
        return ()
    try:
        uri = Uri.parse(f"sip:a@b{text}")
    except RemoteProtocolError:
        raise SlotError(text, _PARAMETERS) from None
    # Nothing but parameters was added: what stands in front of them is as it was, and no headers follow.
    if (uri.user, uri.host, uri.port, uri.headers) != ("a", "b", None, ""):
        raise SlotError(text, _PARAMETERS)
    for name, why in _NOT_IN_CONTACT_URI.items():
        if get(uri.parameters, name) is not None:
            raise SlotError(text, f"{_PARAMETERS}, without {name}, {why}")
    if not _are_uri_parameters(uri.parameters):
        raise SlotError(text, _PARAMETERS)
    return uri.parameters


def contact_header_parameters(text: str) -> Parameters:
    """Parameters of a Contact, behind its URI (RFC 3261 section 20.10)."""
    _fit(text, check_line, _PARAMETERS)
    try:
        parameters = parse_parameters(text, "Contact")
    except RemoteProtocolError:
        raise SlotError(text, _PARAMETERS) from None
    if get(parameters, "expires") is not None:
        raise SlotError(text, f"{_PARAMETERS}, without expires, which sipcore writes itself")
    if not _are_header_parameters(parameters):
        raise SlotError(text, _PARAMETERS)
    return parameters


# --- inside ----------------------------------------------------------------------------------------------------------

_TOKEN: Final = "a token (RFC 3261 25.1)"
_LINE: Final = "text without control characters"
_USER_PART: Final = "a user part (RFC 3261 25.1), other characters as %HH"
_ROUTE: Final = "a route such as <sip:proxy.example.com;lr>"
_PARAMETERS: Final = "parameters in the form ;name=value"
_NO_TLS: Final = "a sip URI: TLS is not supported yet, so what sips promises cannot be kept"
_NO_TRANSPORT: Final = "transport=udp or transport=tcp; others are not supported yet"
_NO_TTL: Final = "ttl only with a multicast address in maddr and over UDP (RFC 3261 section 19.1.1)"

_NOT_IN_CONTACT_URI: Final = {
    "transport": "which sipcore writes itself",
    "line": "which sipcore writes itself",
    # Table 1 of RFC 3261 section 19.1.1.
    "lr": "which no Contact of a REGISTER has",
    "method": "which no Contact of a REGISTER has",
    # We are reached at an address of our own; nobody listens to a group for us.
    "ttl": "which goes with multicast only",
}

# paramchar of RFC 3261 section 25.1. Escapes in values are checked by the URI's parser; in names, where they could hide
# one of ours, there are none.
_PARAMETER_VALUE: Final = TOKEN + "[]/:&$()"
_PARAMETER_NAME: Final = _PARAMETER_VALUE.replace("%", "")

# word of RFC 3261 section 25.1
_WORD: Final = TOKEN + '()<>:\\/"[]?{}'


def _fit(
    text: str,
    fits: Callable[[str], bool],
    expected: str,
    longest: int = MAX_TEXT,
    *,
    shown: Callable[[str], str] = lambda text: text,
) -> str:
    if not isinstance(text, str):
        raise SlotError(text, f"must be str and not {type(text).__name__}: {expected}")
    if len(text) > longest:
        raise SlotError(shown(text), f"{expected}, at most {longest} characters")
    if not fits(text):
        raise SlotError(shown(text), expected)
    return text


def _tuple(values: object) -> None:
    # A text is a sequence of texts, too, and would be taken apart into its letters.
    if not isinstance(values, tuple):
        raise SlotError(values, "must be a tuple")


def _pair(pair: object) -> tuple[str, str]:
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise SlotError(pair, "must be (name, value)")
    return pair


def _tokens(values: tuple[str, ...]) -> tuple[str, ...]:
    _tuple(values)
    for value in values:
        token(value)
    if sum(map(len, values)) + 2 * len(values) > MAX_VALUE:
        raise SlotError(values, f"at most {MAX_VALUE} characters together")
    return values


def _is_value(text: str) -> bool:
    return check_line(text) and text.strip(" \t") == text


def _is_call_id(text: str) -> bool:
    word, at, rest = text.partition("@")
    return bool(word) and not word.strip(_WORD) and (not at or (bool(rest) and not rest.strip(_WORD)))


def _is_local_address(text: str) -> bool:
    zone = text.partition("%")[2]
    return is_ip_address(text) and (not zone or is_token(zone))


def _sip_uri(text: str) -> Uri:
    """A URI with nothing in it that may not be sent. `SlotError`s about it show no password."""
    _fit(text, bool, "must be a sip URI", shown=_masked)
    try:
        uri = Uri.parse(text)
    except RemoteProtocolError as error:
        hint = f", such as sip:{_masked(text)}" if "@" in text and ":" not in text.partition("@")[0] else f" ({error})"
        raise SlotError(_masked(text), f"must be a sip URI{hint}") from None
    if uri.scheme not in ("sip", "sips"):
        raise SlotError(_masked(text), "must be a sip URI")
    if uri.password is not None:
        # RFC 3261 section 19.1.1 recommends against it, and it would show wherever the URI does.
        raise SlotError(_masked(text), "a URI without a password; option `password` is for that")
    if uri.headers or uri.get("method") is not None:
        raise SlotError(text, "a URI without headers and method (RFC 3261 section 19.1.1)")
    if uri.user is not None and not check_user(uri.user):
        raise SlotError(text, f"must be a sip URI with {_USER_PART}")
    maddr = uri.get("maddr")
    if not _are_uri_parameters(uri.parameters) or (maddr is not None and not is_host(maddr)):
        raise SlotError(text, f"must be a sip URI with {_PARAMETERS}")
    ttl = uri.get("ttl")
    if ttl is not None:
        hops = parse_uint(ttl, maximum=256)
        datagrams = (uri.get("transport") or "udp").lower() == "udp"
        if hops is None or hops > 255 or not datagrams or not _is_multicast(maddr or ""):
            raise SlotError(text, _NO_TTL)
    return uri


def _is_multicast(text: str) -> bool:
    try:
        return parse_address(text.strip("[]")).is_multicast
    except ValueError:
        return False


def _are_uri_parameters(parameters: Parameters) -> bool:
    """Whether they may be sent in a URI; the parser takes more."""
    return all(
        not name.strip(_PARAMETER_NAME) and (value is None or (value != "" and not value.strip(_PARAMETER_VALUE)))
        for name, value in parameters
    )


def _are_header_parameters(parameters: Parameters) -> bool:
    """Whether they may be sent behind an address; the parser takes more."""
    return all(
        is_token(name) and (value is None or value[:1] == '"' or is_token(value) or is_host(value))
        for name, value in parameters
    )


def _masked(text: str) -> str:
    """The text without what may be a password in a URI."""
    before, at, after = text.rpartition("@")
    scheme, colon, userinfo = before.partition(":")
    if not at or not colon:
        return text
    if scheme.rpartition("<")[2].strip(' \t"').lower() not in ("sip", "sips"):
        # Where the scheme was forgotten, the user stands in its place and the password in that of the user.
        return f"{scheme}:***@{after}"
    user_part, colon, _ = userinfo.partition(":")
    return f"{scheme}:{user_part}:***@{after}" if colon else text
