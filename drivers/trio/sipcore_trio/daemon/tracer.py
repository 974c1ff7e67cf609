"""Messages as they come and go, for `--trace` and `sipcore trace`; nothing is done while nobody looks."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from sipcore.agent import UserAgent
from sipcore.exchange import Outcome, Reply
from sipcore.flows import Flow
from sipcore.redact import redact
from sipcore.registration.kinds import ChallengeKind, RequestKind
from sipcore.syntax.grammar import visible
from sipcore.syntax.message import Request, Response
from sipcore.values import Address, format_address
from sipcore_trio.daemon.counts import Counts

__all__ = ["Look", "TracedAgent", "concerns", "format_message"]

MAX_SHOWN = 16384
"""Bytes of a message that are shown."""

Look = Callable[[bytes, str], None]
"""Gets the raw message, to tell whom it concerns, and its text without secrets."""


class TracedAgent(UserAgent):
    """A `UserAgent` whose messages can be watched. Streams are shown by the message, datagrams as they came."""

    looks: tuple[Look, ...] = ()
    counts: Counts | None = None
    """Who counts for the metrics."""

    def transmit(self, flow: Flow, data: bytes, remote: Address | None) -> None:
        """Send; see `Endpoint`."""
        if self.looks and flow.open:
            self._show("sent to", flow, data, flow.remote or remote)
        super().transmit(flow, data, remote)

    def receive(self, flow: int, data: bytes, source: Address | None = None, *, now: float) -> None:
        """Take what arrived; see `Endpoint`."""
        if self.looks:
            record = self.flows.get(flow)
            if record is not None and not record.reliable:
                self._show("received from", record, data, source)
        super().receive(flow, data, source, now=now)

    def on_request(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        """See `Endpoint`."""
        if self.looks and flow.reliable:
            self._show("received from", flow, data, flow.remote)
        super().on_request(flow, request, data, source, now)

    def on_response(self, flow: Flow, response: Response, data: bytes, source: Address | None, now: float) -> None:
        """See `Endpoint`."""
        if self.looks and flow.reliable:
            self._show("received from", flow, data, flow.remote)
        super().on_response(flow, response, data, source, now)

    def on_register_sent(self, name: str, kind: RequestKind) -> None:
        """See `UserAgent`."""
        if self.counts is not None:
            self.counts.sent(name, kind)

    def on_register_answered(self, name: str, reply: Reply, outcome: Outcome, seconds: float) -> None:
        """See `UserAgent`."""
        if self.counts is not None:
            self.counts.answered(name, reply, outcome, seconds)

    def on_challenge(self, name: str, kind: ChallengeKind) -> None:
        """See `UserAgent`."""
        if self.counts is not None:
            self.counts.challenged(kind)

    def _show(self, direction: str, flow: Flow, data: bytes, remote: Address | None) -> None:
        # Who watches must not be able to disturb what is watched.
        with suppress(Exception):
            text = format_message(direction, str(flow.protocol), data, remote)
            for look in self.looks:
                with suppress(Exception):
                    look(data, text)


def concerns(data: bytes, aor: bytes) -> bool:
    """Whether a message names an address of record: as we write it, and as responses repeat it."""
    at = data.find(aor)
    while at >= 0:
        # Not the beginning of a longer one.
        if data[at + len(aor) : at + len(aor) + 1] in (b">", b";", b"?", b"\r", b"\n", b" ", b"\t", b""):
            return True
        at = data.find(aor, at + 1)
    return False


def format_message(direction: str, protocol: str, data: bytes, remote: Address | None) -> str:
    """A headline and the message, safe to print, without secrets."""
    stamp = time.time()
    clock = f"{time.strftime('%H:%M:%S', time.localtime(stamp))}.{int(stamp * 1000) % 1000:03d}"
    peer = format_address(remote) if remote else "?"
    cut = "" if len(data) <= MAX_SHOWN else f", the first {MAX_SHOWN} shown"
    lines = [visible(line, 4096) for line in redact(data[:MAX_SHOWN]).rstrip("\n").split("\n")]
    return "\n".join([f"--- {clock} {direction} {peer} ({protocol}), {len(data)} bytes{cut}", *lines, ""])
