"""Requests that arrive at a user agent, from the first byte to the last response."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from hashlib import blake2b
from random import Random
from typing import Final

from sipcore.config import Timing
from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.events import InboundRequest
from sipcore.flows import Flow, FlowHost
from sipcore.inbound.identify import identify
from sipcore.inbound.screening import Answer, screen
from sipcore.syntax import slots
from sipcore.syntax.limits import MAX_DATAGRAM
from sipcore.syntax.message import Request
from sipcore.syntax.names import header_key
from sipcore.syntax.uri import Uri
from sipcore.transaction.response import response_target, write_response
from sipcore.transaction.server import ServerTransactions
from sipcore.values import Address

__all__ = ["Inbound", "StatelessTags", "answer_statelessly"]

EndpointOf = Callable[[Request, Address | None, str | None], tuple[str | None, str | None]]
"""The endpoint of a request that somebody sent and that came for a registration, and why it could not be told."""

TAG_BYTES: Final = 8
"""64 bits of a To tag; RFC 3261 section 19.3 asks for 32."""


class StatelessTags:
    """To tags of requests that are answered without a transaction: copies of a request get the same one.

    RFC 3261 section 8.2.7. The key keeps others from guessing them.
    """

    __slots__ = ("_key",)

    def __init__(self, random: Random) -> None:
        self._key = random.getrandbits(128).to_bytes(16, "big")

    def tag(self, request: Request) -> str:
        """The tag for one request. Raises `RemoteProtocolError` when its Via is malformed."""
        text = f"{request.via.branch}\n{request.get('call-id')}\n{request.get('cseq')}\n{request.get('from')}"
        return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=TAG_BYTES, key=self._key).hexdigest()


def answer_statelessly(
    host: FlowHost, tags: StatelessTags, flow: Flow, request: Request, source: Address | None, answer: Answer
) -> bool:
    """Send an answer that depends on nothing but its request, so that copies of the request get the same bytes.

    When the Via does not say where to, the request is dropped, and the result is False.
    """
    try:
        remote = None if source is None or flow.reliable else response_target(request, source)
        to_tag = tags.tag(request)
        data = write_response(
            request, answer.status, source, reason=answer.reason, to_tag=to_tag, headers=answer.headers
        )
    except RemoteProtocolError:
        host.drop("a request without a usable Via", flow.id, source)
        return False
    host.transmit(flow, data, remote)
    return True


class Inbound:
    """What a user agent does with requests. Made by `UserAgent`, which gives it every request and every `respond`."""

    __slots__ = (
        "_by_contact",
        "_by_line",
        "_endpoint_of",
        "_extensions",
        "_handles",
        "_host",
        "_tags",
        "_transactions",
    )

    def __init__(
        self,
        host: FlowHost,
        *,
        handles: Collection[str] = (),
        extensions: Collection[str] = (),
        timing: Timing | None = None,
        by_line: Callable[[str], str | None] = lambda line: None,
        by_contact: Callable[[Uri], str | None] = lambda uri: None,
        endpoint_of: EndpointOf = lambda request, source, registration: (None, None),
    ) -> None:
        """`handles` are the methods that the application answers, `extensions` the option tags it understands.

        `by_line` and `by_contact` tell the name of the registration; see `identify`. `endpoint_of` tells the endpoint,
        and what went wrong if something did. Raises `LocalProtocolError` when a method or tag is no token.
        """
        slots.methods(tuple(handles))
        slots.option_tags(tuple(extensions))
        self._host = host
        self._handles = frozenset(handles)
        self._extensions = tuple(dict.fromkeys(tag.lower() for tag in extensions))
        self._by_line = by_line
        self._by_contact = by_contact
        self._endpoint_of = endpoint_of
        self._tags = StatelessTags(host.random)
        self._transactions = ServerTransactions(host, timing)

    def receive(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        """A request arrived. Whatever it is, it is answered, given to the application, or dropped with a cause."""
        if request.method == "ACK":
            self._receive_ack(flow, request, data, source, now)
            return
        answer = screen(request, self._handles, self._extensions)
        if answer is not None:
            answer_statelessly(self._host, self._tags, flow, request, source, answer)
            return
        try:
            transaction = self._transactions.receive(flow, request, source, now)
        except RemoteProtocolError:
            self._host.drop("a request without a usable Via", flow.id, source)
            return
        if transaction is None:
            return
        if self._transactions.merged(transaction):
            transaction.to_tag = self._tags.tag(request)
            transaction.respond(write_response(request, 482, source, to_tag=transaction.to_tag), 482, now)
            return
        self._transactions.hold(transaction, now)
        self._hand_over(flow, request, data, source)

    def respond(
        self,
        request: Request | InboundRequest,
        status: int,
        reason: str | None = None,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        now: float,
    ) -> None:
        """Send the application's response to a request that was handed to it.

        `headers` come behind those that are copied from the request; a body needs a Content-Type among them. After a
        final response nothing more is sent but copies of it; a 2xx to INVITE is repeated by the application until its
        ACK comes (RFC 3261 section 13.3.1.4), with `send_raw`. Raises `LocalProtocolError` when the request is unknown
        or answered, when its flow is gone, and for what cannot go on the wire or RFC 4320 forbids.
        """
        if isinstance(request, InboundRequest):
            request = request.request
        transaction = self._transactions.find(request)
        if transaction is None:
            raise LocalProtocolError(f"{request.method}: no answer is expected any more")
        status = slots.status_code(status)
        if reason is not None:
            slots.reason_phrase(reason)
        extra = [slots.response_header(pair) for pair in headers]
        if not isinstance(body, bytes):
            raise LocalProtocolError("a body is bytes")
        if body and not any(header_key(name) == "content-type" for name, _ in extra):
            raise LocalProtocolError("a body needs a Content-Type (RFC 3261 section 20.15)")
        if transaction.to_tag is None and status > 100:
            transaction.to_tag = f"{self._host.random.getrandbits(8 * TAG_BYTES):0{2 * TAG_BYTES}x}"
        to_tag = transaction.to_tag if status > 100 else None
        text = write_response(
            request, status, transaction.source, reason=reason, to_tag=to_tag, headers=extra, body=body
        )
        if not transaction.flow.reliable and len(text) > MAX_DATAGRAM:
            raise LocalProtocolError(f"{len(text)} bytes do not fit into a datagram")
        transaction.respond(text, status, now)

    def __len__(self) -> int:
        return len(self._transactions)

    def _receive_ack(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        try:
            absorbed = self._transactions.absorb_ack(request, source, now)
        except RemoteProtocolError:
            self._host.drop("malformed ACK", flow.id, source)
            return
        if absorbed:
            return
        if "ACK" in self._handles:
            self._hand_over(flow, request, data, source)
        else:
            self._host.drop("an ACK that nobody waits for", flow.id, source)

    def _hand_over(self, flow: Flow, request: Request, data: bytes, source: Address | None) -> None:
        name = identify(request, self._by_line, self._by_contact)
        endpoint, failure = self._endpoint_of(request, source, name)
        if failure is not None:
            self._host.drop(f"the endpoint of a request is not known: identify failed with {failure}", flow.id, source)
        self._host.put(
            InboundRequest(
                request=request, data=data, flow=flow.id, source=source, registration=name, endpoint=endpoint
            )
        )
