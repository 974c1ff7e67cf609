"""Is a response really ours? Every identity is compared, not the branch alone.

A branch of 128 random bits is hard to guess from afar, but whoever has seen one packet knows it; and answers to
another request of ours must not end this one. So before a transaction sees a response, all that the standard makes a
server copy is compared: one Via, its sent-by, CSeq, Call-ID, From with tag, To without it (RFC 3261 sections 8.1.3.3,
8.2.6.2, 17.1.3, 18.1.2), and on UDP the address it comes from.
"""

from __future__ import annotations

from sipcore.errors import RemoteProtocolError
from sipcore.flows import Flow
from sipcore.syntax.addresses import NameAddr, parse_name_addr
from sipcore.syntax.message import Response
from sipcore.transaction.client import ClientTransaction
from sipcore.values import Address

__all__ = ["mismatch"]


def mismatch(
    transaction: ClientTransaction, response: Response, flow: Flow, source: Address | None
) -> str | None:
    """Which identity of the response is not that of the request; None when all are right.

    Raises `RemoteProtocolError` when a header that has to be compared cannot be read, or stands twice.
    """
    if flow is not transaction.flow:
        return "a response over another flow"
    if not flow.reliable and not transaction.any_source and source is not None and source[0] != transaction.remote[0]:
        # The port may differ: servers behind a balancer answer from another socket of the same host.
        return "a response from another address"
    if response.via_count != 1:
        return "a response with more than one Via"
    via = response.via
    port = via.port if via.port is not None else 5060
    host, _, own_port = transaction.sent_by.rpartition(":")
    if via.host.lower() != host.lower() or port != int(own_port):
        return "a response whose Via is not ours"
    if response.once("call-id") != transaction.call_id:
        return "a response with another Call-ID"
    if response.once("cseq") != transaction.cseq:
        number, _, method = transaction.cseq.partition(" ")
        if response.cseq.number != int(number) or response.cseq.method != method:
            return "a response with another CSeq"
    if response.once("from") != transaction.from_value:
        ours = parse_name_addr(transaction.from_value)
        if response.from_.tag != ours.tag or not _same_uri(response.from_, ours):
            return "a response with another From"
    if not (response.once("to") or "").startswith(transaction.to_value) and not _same_uri(
        response.to, parse_name_addr(transaction.to_value)
    ):
        return "a response with another To"
    return None


def _same_uri(theirs: NameAddr, ours: NameAddr) -> bool:
    if theirs.uri_text == ours.uri_text:
        return True
    try:
        return theirs.uri.equivalent(ours.uri)
    except RemoteProtocolError:
        return False
