"""The way back of a response: which text, to which address (RFC 3261 sections 8.2.6.2 and 18.2, RFC 3581 section 4).

`make_response` of the syntax room makes a value; here the bytes are made at once, since a registrar writes one response
for each request that it reads, and what it copies has been checked when it was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.grammar import is_host, split_list
from sipcore.syntax.message import Request
from sipcore.syntax.reasons import REASONS, reason_phrase
from sipcore.syntax.via import Via
from sipcore.values import Address

__all__ = ["DEFAULT_PORT", "response_target", "write_response"]

DEFAULT_PORT: Final = 5060
"""Where a response on UDP goes when the sent-by names no port (RFC 3261 section 18.2.2)."""


def response_target(request: Request, source: Address) -> Address:
    """Where on UDP the response to a request from `source` goes.

    To `maddr` if that is an address (a name would have to be resolved, and no response is worth that); else to where
    the request came from, at the source port if the client asked for it by `rport`, at the sent-by port otherwise.
    Raises `RemoteProtocolError` when the Via is malformed.
    """
    via = request.via
    wants_rport = False
    for name, value in via.parameters:
        if name == "rport":
            wants_rport = True
        elif name == "maddr" and value is not None and _is_address(value):
            return value.strip("[]"), via.port or DEFAULT_PORT
    return source if wants_rport else (source[0], via.port or DEFAULT_PORT)


def write_response(
    request: Request,
    status: int,
    source: Address | None,
    *,
    reason: str | None = None,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """The bytes of the response to a request from `source`.

    Via, From, To, Call-ID and CSeq are copied as they stand, as far as the request has them; the top Via is told where
    the request came from, and `to_tag` is added unless the To has a tag. `headers`, `reason` and `body` must be fit for
    the wire: they are not checked here. Raises `RemoteProtocolError` when the Via is malformed.
    """
    first, *others = request.get_all("via") or [""]
    if "," in first:
        first, *rest = split_list(first)
        if rest:
            # In one line, as they came: a line for each would make 60 KiB of 16.
            others = [",".join(rest), *others]
    if source is not None:
        first = _stamped(request.via, first, source)
    get = request.get
    if reason is None:
        reason = REASONS.get(status) or reason_phrase(status)
    parts = [f"SIP/2.0 {status} {reason}\r\nVia: {first}"]
    parts += [f"Via: {other}" for other in others]
    if (value := get("from")) is not None:
        parts.append(f"From: {value}")
    if (value := get("to")) is not None:
        parts.append(f"To: {value};tag={to_tag}" if to_tag is not None and _lacks_tag(request) else f"To: {value}")
    if (value := get("call-id")) is not None:
        parts.append(f"Call-ID: {value}")
    if (value := get("cseq")) is not None:
        parts.append(f"CSeq: {value}")
    for name, text in headers:
        parts.append(f"{name}: {text}")
    parts.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "\r\n".join(parts).encode("utf-8", "surrogateescape") + body


def _lacks_tag(request: Request) -> bool:
    try:
        return request.to.tag is None
    except RemoteProtocolError:
        # A malformed To goes back as it came: a tag behind it would mend nothing.
        return False


def _is_address(text: str) -> bool:
    if ":" in text:
        return is_host(f"[{text.strip('[]')}]")
    # A host whose last label is all digits can only be an IPv4 address.
    return text.rpartition(".")[2].isdecimal() and is_host(text)


def _stamped(via: Via, text: str, source: Address) -> str:
    """The top Via with `received`, and `rport` when it was asked for, all else as it was written."""
    # A zone is for the use of one host only; the client's host knows its own (RFC 5954 section 4.1 has none).
    host = source[0].partition("%")[0]
    wants_rport = False
    for name, value in via.parameters:
        if name == "received" or (value is not None and (name == "rport" or value[:1] == '"')):
            break
        if name == "rport":
            wants_rport = True
    else:
        if not wants_rport:
            return text if via.host.strip("[]") == host else f"{text};received={host}"
        before, found, after = text.partition(";rport")
        if found and after[:1] in (";", ""):
            return f"{before};rport={source[1]}{after};received={host}"
    return str(via.with_received(host, source[1]))
