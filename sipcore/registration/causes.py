"""What a status says about its reason: the cause of each outcome, with the peer's words made safe."""

from __future__ import annotations

from dataclasses import replace

from sipcore.exchange import Exchange, Outcome, Reply
from sipcore.syntax.grammar import visible
from sipcore.syntax.message import Response
from sipcore.values import Address, Cause, OutcomeClass, Protocol, format_address

__all__ = ["extended", "failure_cause", "removal_cause", "success_cause"]

_OK = Cause(kind=OutcomeClass.SUCCESS, code=200, reason="OK")


def success_cause(response: Response, doubt: str) -> Cause:
    """The cause of a 2xx; `doubt` says what is odd about it. The usual one is one object for all."""
    warning = _warnings(response)
    if response.status == 200 and response.reason == "OK" and not doubt and warning is None:
        return _OK
    return Cause(
        kind=OutcomeClass.SUCCESS,
        code=response.status,
        reason=visible(response.reason),
        detail=doubt,
        warning=warning,
    )


def removal_cause(response: Response, server: Address | None, transport: Protocol | None) -> Cause:
    """The cause of a 2xx to a removal."""
    return Cause(
        kind=OutcomeClass.REMOVED,
        code=response.status,
        reason=visible(response.reason),
        detail="removed on request",
        server=format_address(server) if server is not None else None,
        transport=transport,
    )


def failure_cause(exchange: Exchange, reply: Reply, outcome: Outcome) -> Cause:
    """The cause of an attempt that ended without what it was for: what was said, by whom, and what we make of it."""
    response = reply.response
    remote = exchange.remote
    server = format_address(remote) if remote is not None else None
    transport = exchange.target.transport.protocol if exchange.target is not None else None
    if response is None:
        detail = outcome.detail
        if reply.error:
            detail = f"{detail}: {visible(reply.error)}"
        return Cause(kind=outcome.kind, detail=detail, server=server, transport=transport)
    warning = _warnings(response)
    return Cause(
        kind=outcome.kind,
        code=response.status,
        reason=visible(response.reason),
        detail=outcome.detail,
        warning=warning,
        retry_after=outcome.retry_after,
        server=server,
        transport=transport,
    )


def extended(cause: Cause, text: str) -> Cause:
    """The same cause, with more to say."""
    return replace(cause, detail=f"{cause.detail}; {text}" if cause.detail else text)


def _warnings(response: Response) -> str | None:
    if response.get("warning") is None:
        return None
    # The values of all lines, in order (RFC 3261 section 20.43).
    return visible(", ".join(response.get_all("warning")))
