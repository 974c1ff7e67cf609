"""What a request gets before anybody looks at what it wants (RFC 3261 sections 8.2.1 and 8.2.2). Pure functions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.addresses import NameAddr
from sipcore.syntax.grammar import is_token
from sipcore.syntax.message import Request

__all__ = ["KNOWN_METHODS", "Answer", "allow", "fault", "screen", "unsupported", "uri_fault"]

KNOWN_METHODS: Final = (
    "INVITE ACK CANCEL BYE OPTIONS REGISTER PRACK UPDATE INFO SUBSCRIBE NOTIFY PUBLISH MESSAGE REFER"
).split()
"""The methods that have an RFC: one of them that nobody handles is refused with 405, any other with 501."""

_SCHEMES: Final = ("sip", "sips", "tel")


class Answer(NamedTuple):
    """What is said to a request without asking anybody."""

    status: int
    reason: str | None = None
    """None for the usual phrase."""
    headers: tuple[tuple[str, str], ...] = ()


def screen(request: Request, handles: Collection[str], extensions: Collection[str]) -> Answer | None:
    """The answer to a request that has one already, or None when it is for whoever handles its method.

    `handles` are the methods that somebody handles, `extensions` the option tags that we understand. Not for ACK, which
    is never answered. The order is that of RFC 3261 section 8.2: a method that nobody knows comes first, since what its
    headers have to look like is not known either (RFC 4475 section 3.1.2.18); then what is malformed.
    """
    method = request.method
    handled = method in handles
    if not handled and method not in KNOWN_METHODS:
        return Answer(501)
    wrong = fault(request) or uri_fault(request)
    if wrong is not None:
        return Answer(400, f"Missing or malformed {wrong}")
    if not handled:
        if method == "CANCEL":
            # Whatever it wants to cancel is answered already (RFC 3261 section 9.2).
            return Answer(481)
        if method != "OPTIONS":
            return Answer(405, None, (("Allow", allow(handles)),))
    if request.uri.partition(":")[0].lower() not in _SCHEMES:
        return Answer(416)
    refused = unsupported(request, extensions)
    if refused is not None:
        return refused
    if handled:
        return None
    headers = (("Allow", allow(handles)), ("Accept", "application/sdp"), ("Supported", ", ".join(extensions)))
    return Answer(200, None, headers)


def fault(request: Request) -> str | None:
    """The header that keeps a request from being understood, None when all that are needed can be read.

    Max-Forwards is not looked at: who does not forward can serve a request without it. Via is read by whoever sends
    the response.
    """
    try:
        name = "Call-ID"
        if not request.call_id:
            return name
        name = "CSeq"
        if request.cseq.method != request.method:
            return name
        name = "To"
        to = request.to
        name = "From"
        if not _is_to_with_tag(request.get_all("from"), to, request.get("to")):
            _ = request.from_
    except RemoteProtocolError:
        return name
    return None


def uri_fault(request: Request) -> str | None:
    """What keeps the Request-URI from being understood, None when it can be read or is of a scheme that we do not know.

    It has no headers (RFC 3261 section 19.1.1): they are meant for the request that is made from a URI, and who obeyed
    them in one that arrives would let strangers add a Route (RFC 4475 section 3.1.2.11).
    """
    if request.uri.partition(":")[0].lower() not in _SCHEMES:
        return None
    try:
        return "Request-URI" if request.request_uri.headers else None
    except RemoteProtocolError:
        return "Request-URI"


def unsupported(request: Request, extensions: Collection[str]) -> Answer | None:
    """The 420 to a request that requires what we do not understand (RFC 3261 section 8.2.2.3)."""
    if request.get("require") is None or request.method in ("ACK", "CANCEL"):
        return None
    tags = [tag for tag in request.values("require") if tag.lower() not in extensions]
    return Answer(420, None, (("Unsupported", ", ".join(tags)),)) if tags else None


def allow(handles: Collection[str]) -> str:
    """The value of Allow: what is handled, and OPTIONS, which always has an answer (RFC 3261 section 20.5)."""
    methods = [method for method in KNOWN_METHODS if method in handles or method == "OPTIONS"]
    return ", ".join([*methods, *sorted(set(handles).difference(KNOWN_METHODS))])


def _is_to_with_tag(values: list[str], to: NameAddr, text: str | None) -> bool:
    # Whoever registers writes From and To alike but for the tag, and is spared reading the same address twice.
    if len(values) != 1 or text is None or to.parameters:
        return False
    return values[0].startswith(f"{text};tag=") and is_token(values[0][len(text) + 5 :])
