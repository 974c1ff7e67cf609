"""What the agent sends, looked at byte by byte and without the core's parser: invariants 5, 6, 8 and 11."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sipcore.testing.sim.broken import BrokenInvariant
from sipcore.values import Address

__all__ = ["Sent", "Traffic"]

MAX_SENDS = 12
"""Of one request over UDP: timer E lets 11 go within timer F, and one more is granted to a 1xx."""

PER_SECOND = 8.0
"""REGISTER transactions that one attempt may have, and attempts start a second apart."""

TIMER_F = 32.0

LONGEST_ATTEMPT = 8 * TIMER_F
"""Seconds that the attempt that is on its way may take when its user does not want to be registered any more."""

MAX_REMOVALS = 8
"""REGISTER transactions of one registration when the agent closes: one attempt."""

BRANCH = re.compile(rb"branch[ \t\r\n]*+=[ \t\r\n]*+(z9hG4bK[0-9A-Za-z]++)", re.IGNORECASE)
AUTHORIZATION = re.compile(rb"uthorization: Digest ([^\r\n]*+)")
NONCE = re.compile(rb'\bnonce="([^"]*+)"')
NC = re.compile(rb"\bnc=([0-9a-f]{8})")

TAIL = 64
"""Bytes of a stream that are looked at again with what follows: longer than a branch."""


class Sent:
    """One REGISTER and its copies."""

    __slots__ = ("answered", "at", "call_id", "count", "data", "flow")

    def __init__(self, data: bytes, call_id: bytes, flow: int, at: float) -> None:
        self.data = data
        self.call_id = call_id
        self.flow = flow
        self.at = at
        self.count = 1
        self.answered = False


class Traffic:
    """Follows one agent's REGISTERs. The state of a crashed one is forgotten, but never the branches."""

    def __init__(self, secrets: Iterable[str], local: Callable[[int], Address | None]) -> None:
        """`local` says where a flow comes from; None for one that is not open."""
        self._local = local
        self._secrets = re.compile(b"|".join(re.escape(text.encode()) for text in secrets))
        self._by_branch: dict[bytes, Sent | None] = {}
        self._last: dict[bytes, Sent] = {}
        self._cseqs: dict[bytes, int] = {}
        self._homes: dict[bytes, tuple[Address, float]] = {}
        """By Call-ID: where it listened when it last said so rightly, and until when it may say so still."""
        self._counts: dict[tuple[bytes, bytes], int] = {}
        self._buckets: dict[bytes, tuple[float, float]] = {}
        self._tails: dict[int, bytes] = {}
        self._unwanted: dict[str, float] = {}
        self._removals: dict[bytes, int] = {}
        self.call_ids: dict[str, bytes] = {}
        """The Call-ID of the last REGISTER of each user that was no removal."""
        self.closing = False
        """The agent was told to close: only removals may leave."""
        self.ended = False
        """It is closed: nothing may leave."""
        self.transactions = 0
        self.answered = 0
        """Those of them to which something came that may be their final response."""
        self.copies = 0

    def on_transmit(self, data: bytes, flow: int, now: float, *, reliable: bool) -> None:
        """Something was sent."""
        if self.ended:
            raise BrokenInvariant(8, "something is sent after the agent was closed", now)
        if self._secrets.search(data):
            raise BrokenInvariant(11, "a secret is sent", now)
        if not data.startswith(b"REGISTER "):
            return
        found = BRANCH.search(data)
        if found is None:
            raise BrokenInvariant(5, "a REGISTER without a branch", now)
        branch = found[1]
        if branch in self._by_branch:
            self._copy(self._by_branch[branch], data, now, reliable=reliable)
            return
        call_id = _header(data, b"Call-ID")
        sent = self._by_branch[branch] = Sent(data, call_id, flow, now)
        self.transactions += 1
        self._one_in_flight(call_id, sent, now)
        self._count_up(data, call_id, now)
        self._pace(call_id, now)
        to = _header(data, b"To")
        user = to[to.find(b":") + 1 : to.find(b"@")].decode()
        if not _removes(data):
            # A removal may be that of what stood under another registrar before.
            self.call_ids[user] = call_id
        self._ends(user, call_id, now, removes=_removes(data))
        local = self._local(flow)
        if local is not None and not _removes(data):
            self._names(user, call_id, data, local, now)

    def want(self, user: str, wanted: bool, now: float) -> None:
        """The user wants to be registered from now on, or not to be."""
        if wanted:
            self._unwanted.pop(user, None)
        else:
            self._unwanted.setdefault(user, now)

    def on_arrival(self, flow: int, data: bytes) -> None:
        """Something is about to be received; it may answer a REGISTER."""
        if data.startswith(b"SIP/2.0 1"):
            return
        tail = self._tails.get(flow)
        text = data if tail is None else tail + data
        for branch in BRANCH.findall(text):
            sent = self._by_branch.get(branch.lower().replace(b"z9hg4bk", b"z9hG4bK"))
            if sent is not None and not sent.answered:
                sent.answered = True
                self.answered += 1
        self._tails[flow] = text[-TAIL:]

    def at_rest(self, user: str) -> None:
        """The agent says that it has nothing left to do for the user."""
        if user in self._unwanted:
            self._unwanted[user] = float("-inf")

    def flow_gone(self, flow: int) -> None:
        """What was sent on it needs no answer any more."""
        self._tails.pop(flow, None)
        for sent in self._last.values():
            if sent.flow == flow:
                sent.answered = True

    def excuse(self) -> None:
        """Sending failed, or the process ended: nothing counts as in flight."""
        for sent in self._last.values():
            sent.answered = True

    def forget_old(self, now: float) -> None:
        """What is so old that no copy of it can come is remembered by its branch alone."""
        for branch, sent in self._by_branch.items():
            if sent is not None and now - sent.at > 4 * TIMER_F and self._last.get(sent.call_id) is not sent:
                self._by_branch[branch] = None

    def _copy(self, sent: Sent | None, data: bytes, now: float, *, reliable: bool) -> None:
        self.copies += 1
        if sent is None or sent.data != data:
            raise BrokenInvariant(5, "a branch is used for two requests", now)
        sent.count += 1
        if reliable or sent.count > MAX_SENDS:
            raise BrokenInvariant(6, f"a request is sent {sent.count} times{' over a stream' * reliable}", now)

    def _one_in_flight(self, call_id: bytes, sent: Sent, now: float) -> None:
        last = self._last.get(call_id)
        waits = last is not None and not last.answered and now - last.at < TIMER_F - 0.001
        # A flow that ended may not have been told yet; its request goes to another server at once.
        if last is not None and waits and (last.flow == sent.flow or self._local(last.flow) is not None):
            raise BrokenInvariant(5, f"a second REGISTER after {now - last.at:.3f} s without an answer", now)
        self._last[call_id] = sent

    def _count_up(self, data: bytes, call_id: bytes, now: float) -> None:
        cseq = int(_header(data, b"CSeq").split()[0])
        before = self._cseqs.get(call_id)
        if before is not None and cseq <= before:
            raise BrokenInvariant(5, f"CSeq {cseq} after {before}", now)
        self._cseqs[call_id] = cseq
        for credentials in AUTHORIZATION.findall(data):
            nonce, nc = NONCE.search(credentials), NC.search(credentials)
            if nonce is None or nc is None:
                continue
            count = int(nc[1], 16)
            key = (call_id, nonce[1])
            if count <= self._counts.get(key, 0):
                raise BrokenInvariant(5, f"nc {count} after {self._counts[key]}", now)
            self._counts[key] = count

    def _names(self, user: str, call_id: bytes, data: bytes, local: Address, now: float) -> None:
        """Contact names where the flow listens. An attempt that was under way when the host moved may end as it began,
        since another follows at once."""
        if b"@%b:%d" % (local[0].encode(), local[1]) in data:
            self._homes[call_id] = (local, float("inf"))
            return
        home, until = self._homes.get(call_id, (local, 0.0))
        until = min(until, now + 2 * TIMER_F)
        self._homes[call_id] = (home, until)
        if now > until or b"@%b:%d" % (home[0].encode(), home[1]) not in data:
            raise BrokenInvariant(2, f"{user} is registered where nobody listens, for it is {local}", now)

    def _ends(self, user: str, call_id: bytes, now: float, *, removes: bool) -> None:
        if self.closing and not removes:
            raise BrokenInvariant(8, "a REGISTER with a lifetime is sent although the agent is closing", now)
        if self.closing:
            self._removals[call_id] = removals = self._removals.get(call_id, 0) + 1
            if removals > MAX_REMOVALS:
                raise BrokenInvariant(8, f"{removals} removals of one binding", now)
        since = self._unwanted.get(user)
        if since is not None and not removes and now > since + LONGEST_ATTEMPT:
            raise BrokenInvariant(8, f"{user} is registered, which nobody wants any more", now)

    def _pace(self, call_id: bytes, now: float) -> None:
        # A bucket that runs out at the allowed rate never overflows exactly when no stretch of time has too many.
        level, at = self._buckets.get(call_id, (0.0, now))
        level = max(0.0, level - PER_SECOND * (now - at)) + 1.0
        self._buckets[call_id] = (level, now)
        if level > PER_SECOND + 0.001:
            raise BrokenInvariant(6, f"more than {PER_SECOND:.0f} REGISTER transactions a second", now)


def _header(data: bytes, name: bytes) -> bytes:
    start = data.find(b"\r\n" + name + b": ")
    if start < 0:
        raise BrokenInvariant(5, f"a REGISTER without {name.decode()}", 0.0)
    start += len(name) + 4
    return data[start : data.index(b"\r\n", start)]


def _removes(data: bytes) -> bool:
    return b"\r\nExpires: 0\r\n" in data
