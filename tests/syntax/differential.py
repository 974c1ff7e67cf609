"""Two readers of one message, ours and sipmessage, and in what they differ.

What a reader makes of a message is a table of facets: the verdict on the whole, and, when that is to accept, the
start line, the headers, the body, and each value that both readers understand. A facet is written in terms that
neither reader owns, so that only a difference in meaning shows: names of headers and parameters in lower case,
escapes of a URI undone, an absent display name and an empty one alike. A facet that a reader refuses is a `Refused`;
what escapes from it and is no documented error is `CRASHED`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import unquote

import sipmessage

from sipcore.auth.fields import MALFORMED, parse_schemes, unescape
from sipcore.errors import RemoteProtocolError
from sipcore.syntax import STAR, Message, NameAddr, Parameters, Request, Uri, Via, parse_message
from sipcore.syntax.grammar import is_token
from sipcore.syntax.names import header_key
from sipcore.syntax.via import parse_via

__all__ = ["ACCEPTED", "CRASHED", "Facets", "Refused", "differences", "ours", "theirs"]

Facets = dict[str, object]
"""By name; plain values, so that `==` and `repr` say what there is to say."""

ACCEPTED: Final = "accepted"
CRASHED: Final = "crashed"


@dataclass(frozen=True, slots=True)
class Refused:
    """The documented error of a reader. Two refusals are one, whatever each says of its reason."""

    reason: str = field(compare=False)


_AUTHENTICATION = ("www-authenticate", "proxy-authenticate", "authorization", "proxy-authorization")


def ours(data: bytes) -> Facets:
    """What `sipcore.syntax` makes of a datagram."""
    try:
        message = parse_message(data)
        if isinstance(message, Request):
            # They read it at once, we when somebody asks: the verdict includes it on both sides.
            start: object = (message.method, _uri(message.request_uri))
        else:
            start = (message.status, message.reason)
    except RemoteProtocolError as error:
        return {"verdict": Refused(str(error))}
    facets: Facets = {
        "verdict": ACCEPTED,
        "start": start,
        "headers": _grouped((header_key(name), value) for name, value in message.headers),
        "body": message.body,
        "via": _ours(lambda: [_via(parse_via(value)) for value in message.values("via")]),
        "contact": _ours(lambda: _contacts(message)),
        "call-id": _ours(lambda: message.call_id) if message.get("call-id") is not None else None,
        "cseq": _ours(lambda: tuple(message.cseq)) if message.get("cseq") is not None else None,
        "from": _ours(lambda: _address(message.from_)) if message.get("from") is not None else None,
        "to": _ours(lambda: _address(message.to)) if message.get("to") is not None else None,
        "expires": _ours(lambda: _number(message, "expires", message.expires)),
        "min-expires": _ours(lambda: _number(message, "min-expires", message.min_expires)),
        "content-length": _ours(lambda: message.content_length),
    }
    for name in ("route", "record-route"):
        facets[name] = _ours(partial(_addresses, message.get_all(name)))
    for name in _AUTHENTICATION:
        facets[name] = _schemes(message.get(name))
    return facets


def theirs(data: bytes) -> Facets:
    """What sipmessage makes of it. Its only documented error is ValueError."""
    try:
        message = sipmessage.Message.parse(data)
    except ValueError as error:
        return {"verdict": Refused(str(error))}
    except Exception:
        return {"verdict": CRASHED}
    if isinstance(message, sipmessage.Request):
        start: object = (message.method, _their_uri(message.uri))
    else:
        start = (message.code, message.phrase)
    names = message.headers.keys()
    return {
        "verdict": ACCEPTED,
        "start": start,
        "headers": [(name.lower(), message.headers.getlist(name)) for name in names],
        "body": message.body,
        "via": _theirs(lambda: [_their_via(via) for via in message.via]),
        "contact": _theirs(lambda: [_their_address(address) for address in message.contact]),
        "call-id": _theirs(lambda: message.call_id, None),
        "cseq": _theirs(lambda: (message.cseq.sequence, message.cseq.method), None),
        "from": _theirs(lambda: _their_address(message.from_address), None),
        "to": _theirs(lambda: _their_address(message.to_address), None),
        "expires": _theirs(lambda: message.expires),
        "min-expires": _theirs(lambda: message.min_expires),
        "content-length": _theirs(lambda: message.content_length),
        "route": _theirs(lambda: [_their_address(address) for address in message.route]),
        "record-route": _theirs(lambda: [_their_address(address) for address in message.record_route]),
        "www-authenticate": _theirs(lambda: _their_challenge(message.www_authenticate)),
        "proxy-authenticate": _theirs(lambda: _their_challenge(message.proxy_authenticate)),
        "authorization": _theirs(lambda: _their_challenge(message.authorization)),
        "proxy-authorization": _theirs(lambda: _their_challenge(message.proxy_authorization)),
    }


def differences(data: bytes) -> dict[str, tuple[object, object]]:
    """Facet -> (ours, theirs), where they are not equal; the verdict alone when it is not the same."""
    mine, their = ours(data), theirs(data)
    if mine["verdict"] != their["verdict"]:
        return {"verdict": (mine["verdict"], their["verdict"])}
    return {name: (mine[name], their[name]) for name in mine if mine[name] != their[name]}


# --- ours, in neutral terms ------------------------------------------------------------------------------------------


def _ours(read: Callable[[], object]) -> object:
    try:
        return read()
    except RemoteProtocolError as error:
        return Refused(str(error))


def _number(message: Message, name: str, value: int | None) -> object:
    return Refused(f"malformed {name}") if value is None and message.get(name) is not None else value


def _grouped(headers: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    # They keep the order of names, and of values within a name.
    groups: dict[str, list[str]] = {}
    for name, value in headers:
        groups.setdefault(name, []).append(value)
    return list(groups.items())


def _contacts(message: Message) -> object:
    contacts = message.contacts
    return ["*"] if contacts is STAR else [_address(contact) for contact in contacts]


def _address(address: NameAddr) -> object:
    return address.display or "", _uri(address.uri), _parameters(address.parameters)


def _addresses(values: list[str]) -> object:
    return [_address(address) for address in NameAddr.parse_list(values)]


def _via(via: Via) -> object:
    return via.protocol, via.host, via.port, _parameters(via.parameters)


def _parameters(parameters: Parameters) -> dict[str, str | None]:
    return dict(parameters)


def _uri(uri: Uri) -> object:
    if uri.opaque:
        subscriber, *parameters = uri.opaque.split(";")
        split = [item.partition("=") for item in parameters]
        pairs = {name.lower(): value if equals else None for name, equals, value in split}
        return uri.scheme, "", None, subscriber, None, pairs, ""
    user = None if uri.user is None else unquote(uri.user)
    password = None if uri.password is None else unquote(uri.password)
    return uri.scheme, uri.host, uri.port, user, password, _unescaped(uri.parameters), uri.headers


def _unescaped(parameters: Iterable[tuple[str, str | None]]) -> dict[str, str | None]:
    return {unquote(name).lower(): None if value is None else unquote(value) for name, value in parameters}


def _schemes(value: str | None) -> object:
    """The one scheme of the first line, for that is what they read."""
    if value is None:
        return None
    schemes = parse_schemes(value)
    for _, fields in schemes:
        if MALFORMED in fields:
            # A name alone stands there when that parameter came twice or is too long.
            broken = fields[MALFORMED]
            return Refused("a parameter occurs twice or is too long" if is_token(broken) else "malformed parameters")
    if not schemes:
        return Refused("no scheme")
    return [(scheme.lower(), {key: unescape(text) for key, text in fields.items()}) for scheme, fields in schemes]


# --- theirs ----------------------------------------------------------------------------------------------------------


def _theirs(read: Callable[[], object], *missing: object) -> object:
    """`missing` is what stands for a header that is not there: they raise KeyError."""
    try:
        return read()
    except ValueError as error:
        return Refused(str(error))
    except KeyError:
        return missing[0] if missing else CRASHED
    except Exception:
        return CRASHED


def _their_uri(uri: sipmessage.URI) -> object:
    return uri.scheme, uri.host, uri.port, uri.user, uri.password, _their_parameters(uri.parameters), ""


def _their_address(address: sipmessage.Address) -> object:
    return address.name, _their_uri(address.uri), _their_parameters(address.parameters)


def _their_via(via: sipmessage.Via) -> object:
    return via.transport.upper(), via.host, via.port, _their_parameters(via.parameters)


def _their_parameters(parameters: sipmessage.Parameters) -> dict[str, str | None]:
    return {name.lower(): value for name, value in parameters.items()}


def _their_challenge(found: sipmessage.AuthChallenge | sipmessage.AuthCredentials | None) -> object:
    if found is None:
        return None
    return [(found.scheme.lower(), {name.lower(): value for name, value in (found.parameters or {}).items()})]
