"""Answers to requests that cannot be read at all."""

from __future__ import annotations

from typing import Final

from sipcore.flows import Flow, FlowHost
from sipcore.inbound.inbound import StatelessTags
from sipcore.inbound.screening import Answer
from sipcore.syntax.answerable import salvage
from sipcore.syntax.limits import MAX_DATAGRAM
from sipcore.transaction.response import response_target, write_response
from sipcore.values import Address

__all__ = ["MAX_GROWTH", "refuse"]

MAX_GROWTH: Final = 256
"""Bytes by which such an answer may be longer than what it answers: room for our tag, `received` and `rport`, and a
few names that were compact. Whoever forges the address of another gains less by it than by a REGISTER that is
challenged."""


def refuse(
    host: FlowHost, tags: StatelessTags, flow: Flow, data: bytes, source: Address | None, answer: Answer
) -> bool:
    """Answer `data`, a request that cannot be read, if it says enough of itself; True when something was sent.

    The answer depends on the request alone, so that copies of it get the same bytes. On UDP it goes to the host that
    sent the request and to no other, whatever the Via says of `maddr`.
    """
    request = None if source is None else salvage(data)
    if request is None or source is None:
        return False
    remote = None if flow.reliable else response_target(request, source)
    if remote is not None and remote[0] != source[0]:
        return False
    text = write_response(
        request, answer.status, source, reason=answer.reason, to_tag=tags.tag(request), headers=answer.headers
    )
    if len(text) > len(data) + MAX_GROWTH or (remote is not None and len(text) > MAX_DATAGRAM):
        return False
    host.transmit(flow, text, remote)
    return True
