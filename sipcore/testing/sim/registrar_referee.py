"""What no client may send: the checks that the registrar model makes of every request, beside serving it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sipcore.testing.sim.registrar_messages import Request
from sipcore.testing.sim.registrar_store import parse_contacts, user_of

__all__ = ["inspect"]

_MANDATORY: Final = ("to", "from", "call-id", "cseq", "via", "max-forwards")
"""RFC 3261 section 8.1.1."""

_ONCE: Final = (
    "to", "from", "call-id", "cseq", "max-forwards", "content-length", "expires", "content-type", "user-agent",
)  # fmt: skip

MAX_CSEQ: Final = 2**31
"""RFC 3261 section 8.1.1.5."""

MAX_EXPIRES: Final = 2**32
"""RFC 3261 section 20.19."""

Fault = Callable[[str], object]


def inspect(request: Request, text: str, protocol: str, fault: Fault) -> None:
    """Tell `fault` all that is wrong with a request whose bytes were `text`; each is told in words."""
    headers = request.headers
    for name in _MANDATORY:
        if name not in headers:
            fault(f"no {name}")
    if request.many is not None:
        for name in _ONCE:
            if name in request.many:
                fault(f"two of {name}")
    if request.version != "SIP/2.0" or not request.method.isupper() or " " in request.uri:
        fault(f"start line {request.first!r}")
    if text.count("\n") != text.count("\r\n") or text.count("\r") != text.count("\r\n") or "\0" in text:
        fault("a CR, LF or NUL that is no line end")
    number, _, method = headers.get("cseq", "").partition(" ")
    if method != request.method:
        fault(f"CSeq method {method!r} in a {request.method}")
    if not _is_number(number, MAX_CSEQ):
        fault(f"CSeq number {number!r}")
    if not _is_number(headers.get("max-forwards", "0"), 256):
        fault(f"Max-Forwards {headers.get('max-forwards')!r}")
    length = headers.get("content-length")
    if length is None:
        if protocol == "TCP":
            fault("no content-length on a stream")
    elif (length != "0" or request.body) and (not _is_number(length, 2**31) or int(length) != len(request.body)):
        fault(f"Content-Length {length!r} with a body of {len(request.body)} bytes")
    via = headers.get("via", "")
    if not via.startswith(f"SIP/2.0/{protocol} "):
        fault(f"Via {via!r} on {protocol}")
    if ";branch=z9hG4bK" not in via:
        fault("no branch of RFC 3261")
    if ";tag=" not in headers.get("from", ""):
        fault("From without a tag")
    if request.method == "REGISTER":
        _register(request, fault)


def _register(request: Request, fault: Fault) -> None:
    headers = request.headers
    if ";tag=" in headers.get("to", ""):
        fault("To with a tag outside a dialog")
    if "@" in request.uri:
        fault("a REGISTER to a user (RFC 3261 section 10.2)")
    if not user_of(headers.get("to", "")):
        fault("To without a user")
    expires = headers.get("expires")
    if expires is not None and not _is_number(expires, MAX_EXPIRES):
        fault(f"Expires {expires!r}")
    value = headers.get("contact")
    if value is None:
        return
    values = [value] if request.many is None else request.all("contact")
    for value in values:
        contacts = parse_contacts(value)
        if contacts is None:
            fault(f"Contact {value!r}")
        elif contacts == "*":
            if expires != "0" or len(values) > 1:
                fault("Contact * and more than an Expires of 0")
        else:
            for contact in contacts:
                asked = contact.expires
                if asked is not None and not _is_number(asked, MAX_EXPIRES):
                    fault(f"expires {asked!r}")


def _is_number(text: str, end: int) -> bool:
    return text.isascii() and text.isdigit() and int(text[:20]) < end and len(text) <= 20
