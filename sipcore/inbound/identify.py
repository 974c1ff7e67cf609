"""For which registration a request came."""

from __future__ import annotations

from collections.abc import Callable

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.message import Request
from sipcore.syntax.uri import Uri

__all__ = ["identify", "line_of"]


def line_of(request: Request) -> str | None:
    """The `line` parameter of the To URI, else of the Request-URI; None when neither has one.

    A registration with `line=yes` puts its token into its Contact, and the registrar brings it back in the Request-URI;
    some bring it in the To.
    """
    for uri in (_to_uri(request), _request_uri(request)):
        line = None if uri is None else uri.get("line")
        if line:
            return line
    return None


def identify(
    request: Request, by_line: Callable[[str], str | None], by_contact: Callable[[Uri], str | None]
) -> str | None:
    """The name of the registration that a request came for, or None.

    `by_line` knows the registration of a token, `by_contact` that of a Contact like the Request-URI; it is asked when
    no token tells.
    """
    line = line_of(request)
    name = None if line is None else by_line(line)
    if name is not None:
        return name
    uri = _request_uri(request)
    return None if uri is None else by_contact(uri)


def _to_uri(request: Request) -> Uri | None:
    try:
        return request.to.uri
    except RemoteProtocolError:
        return None


def _request_uri(request: Request) -> Uri | None:
    try:
        return request.request_uri
    except RemoteProtocolError:
        return None
