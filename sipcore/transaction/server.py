"""The server transactions: copies of a request get the same answer, and each request ends.

`NON_INVITE` is RFC 3261 section 17.2.2 and figure 8, with erratum 1470 (a final response leads from Trying to
Completed) and RFC 4320: no provisional response but 100, a 100 only when a client on UDP has slowed down to T2 and then
without being asked, and never a 408. One thing is ours: a request that is not answered within 64*T1 is forgotten, since
by then its client has given up and an answer would only be a stray (RFC 4320 section 4.2).

`INVITE` is no full server machine (17.2.1): it repeats no final response by itself. It absorbs copies of the INVITE and
the ACK to a refusal; who takes calls repeats a 2xx as RFC 3261 section 13.3.1.4 says.

A machine sees the copies of its request, what the application answers, its own timers and the end of its flow. While
it waits for an answer it has one deadline, the earlier of the 100 and of giving up; giving up is looked at first. After
the final response all of them wait equally long, so they stand in one queue and need no deadline of their own: a copy
that comes later finds a transaction that is over, whether or not the queue has been swept.

A datagram that could not be sent ends nothing here: if the client is still there it asks again and gets its answer.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Final

from sipcore.config import Timing
from sipcore.errors import LocalProtocolError
from sipcore.flows import Flow, FlowHost
from sipcore.syntax.message import Request
from sipcore.transaction.response import response_target, write_response
from sipcore.values import Address

__all__ = ["INVITE", "NON_INVITE", "ServerState", "ServerTransaction", "ServerTransactions", "ServerTrigger"]

MAX_SERVER_TRANSACTIONS: Final = 32768
"""Transactions kept at once: 1 000 requests in a second for the 32 s of timer J. Each usually costs about 1 KiB; past
it the oldest answer is forgotten first, whose client has most likely received it."""

MAX_KEPT_BYTES: Final = 67108864
"""Bytes of all requests and responses that are kept, 2 KiB for each transaction: an answer to 60 KiB of Via is as long,
and without this bound a flood of such requests would fill 2 GiB."""

INVITE_PATIENCE: Final = 240.0
"""Seconds after which an INVITE is forgotten that the application says nothing about. Proxies give up after a little
more than three minutes without a response (timer C, RFC 3261 section 16.6 step 11)."""

INVITE_TRYING_AFTER: Final = 0.2
"""Seconds after which an INVITE gets a 100 if the application said nothing (RFC 3261 section 17.2.1)."""

SWEEP_INTERVAL: Final = 1.0
"""Seconds by which the memory of a transaction may outlive it, so that many are forgotten by one call of the driver."""

MAGIC_COOKIE: Final = "z9hG4bK"
"""How the branch of a client of RFC 3261 begins (section 8.1.1.7)."""


class ServerState(enum.StrEnum):
    """The states of figure 8."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


class ServerTrigger(enum.StrEnum):
    """What moves a machine."""

    COPY = "copy"
    ACK = "ACK"
    PROVISIONAL = "provisional"
    FINAL = "final"
    TRYING_DUE = "100 due"
    UNANSWERED = "unanswered"
    TIMER_J = "timer J"
    FLOW_LOST = "flow lost"


S, T = ServerState, ServerTrigger

NON_INVITE: Final[dict[ServerState, dict[ServerTrigger, ServerState]]] = {
    # A copy is absorbed: there is nothing yet to repeat.
    S.TRYING: {
        T.COPY: S.TRYING,
        T.PROVISIONAL: S.PROCEEDING,
        T.FINAL: S.COMPLETED,
        T.TRYING_DUE: S.PROCEEDING,
        T.UNANSWERED: S.TERMINATED,
        T.FLOW_LOST: S.TERMINATED,
    },
    S.PROCEEDING: {
        T.COPY: S.PROCEEDING,
        T.PROVISIONAL: S.PROCEEDING,
        T.FINAL: S.COMPLETED,
        T.UNANSWERED: S.TERMINATED,
        T.FLOW_LOST: S.TERMINATED,
    },
    # Timer J is 64*T1 on UDP and 0 where nothing is repeated.
    S.COMPLETED: {T.COPY: S.COMPLETED, T.TIMER_J: S.TERMINATED, T.FLOW_LOST: S.TERMINATED},
    S.TERMINATED: {},
}

INVITE: Final[dict[ServerState, dict[ServerTrigger, ServerState]]] = {
    S.TRYING: NON_INVITE[S.TRYING],
    S.PROCEEDING: NON_INVITE[S.PROCEEDING],
    # Timer J stands for timers H and L (RFC 6026 section 7.1): 64*T1 on every transport, since the ACK has to find us.
    S.COMPLETED: {**NON_INVITE[S.COMPLETED], T.ACK: S.COMPLETED},
    S.TERMINATED: {},
}

# Spelled out because a lookup of an enum member costs as much as the step itself.
_TRYING, _PROCEEDING, _COMPLETED, _TERMINATED = S.TRYING, S.PROCEEDING, S.COMPLETED, S.TERMINATED
_PROVISIONAL, _FINAL = T.PROVISIONAL, T.FINAL

_Key = tuple[object, ...]
_Step = dict[ServerState, dict[ServerTrigger, ServerState]]


class ServerTransaction:
    """One request that arrived, and its answer."""

    __slots__ = (
        "_key",
        "_table",
        "_trying_at",
        "_wait_until",
        "due",
        "due_key",
        "flow",
        "identity",
        "remote",
        "request",
        "response",
        "size",
        "source",
        "state",
        "status",
        "steps",
        "to_tag",
    )

    def __init__(
        self, table: ServerTransactions, key: _Key, flow: Flow, request: Request, source: Address | None
    ) -> None:
        self._table = table
        self._key = key
        self.flow = flow
        self.request: Request | None = request
        """What has to be answered; None after the final response, since thousands may wait for timer J."""
        self.size = len(bytes(request))
        """Bytes that are kept of it: the request, then the final response."""
        self.source = source
        self.remote: Address | None = None
        """Where the answer goes on UDP."""
        self.steps: _Step = INVITE if request.method == "INVITE" else NON_INVITE
        self.state = _TRYING
        self.response = b""
        """What was sent last."""
        self.status = 0
        """The code of what was sent last; 0 before."""
        self.to_tag: str | None = None
        """Our tag, the same in all responses to one request (RFC 3261 section 8.2.6.2); for whoever writes them."""
        self.identity: _Key | None = None
        """By what it is recognised when it comes by another way; None when nobody asked `merged`."""
        self.due: float | None = None
        self.due_key = 0
        self._trying_at: float | None = None
        self._wait_until = 0.0

    def respond(self, data: bytes, status: int, now: float) -> None:
        """Send a response, of which `status` is the code.

        Raises `LocalProtocolError` after the final response, when the flow is lost, and for what RFC 4320 forbids.
        """
        if not self.flow.open:
            self._table.end(self, T.FLOW_LOST)
            raise LocalProtocolError("the flow over which the request came is gone")
        if status >= 200:
            if status == 408 and self.steps is NON_INVITE:
                raise LocalProtocolError("a 408 to a request other than INVITE is never sent (RFC 4320 section 4.2)")
            self.step(_FINAL)
            self._send(data, status)
            self._table.completed(self, now)
            return
        if self.steps is NON_INVITE:
            if status != 100:
                raise LocalProtocolError(f"a {status} is for INVITE only (RFC 4320 section 4.1)")
            due = self._trying_at
            if self.state is _TRYING and not self.flow.reliable and (due is None or now < due):
                raise LocalProtocolError("no 100 on UDP before the client has slowed down (RFC 4320 section 4.1)")
        self.step(_PROVISIONAL)
        self._send(data, status)
        self._table.provisional(self, now)

    def step(self, trigger: ServerTrigger) -> None:
        """Move along the table. Raises `LocalProtocolError` that names state and trigger when it has no such step."""
        try:
            self.state = self.steps[self.state][trigger]
        except KeyError:
            raise LocalProtocolError(f"server transaction: {trigger} in state {self.state}") from None

    def wait(self, *, trying_at: float | None, until: float) -> None:
        """Arm what happens as long as there is no final response: a 100 at `trying_at`, the end at `until`."""
        self._trying_at = trying_at
        self._wait_until = until
        self._table.host.timers.arm(self, until if trying_at is None else min(trying_at, until))

    def on_due(self, now: float) -> None:
        """The application has not answered yet."""
        table = self._table
        if now >= self._wait_until:
            table.host.drop("the application did not answer in time", self.flow.id, self.source)
            table.end(self, T.UNANSWERED)
            return
        if self.state is _TRYING and self.request is not None:
            self.step(T.TRYING_DUE)
            # A 100 carries the Timestamp of the request back and no To tag (RFC 3261 section 8.2.6.1).
            stamp = self.request.get("timestamp")
            headers = () if stamp is None else (("Timestamp", stamp),)
            self._send(write_response(self.request, 100, self.source, headers=headers), 100)
        self.wait(trying_at=None, until=self._wait_until)

    def repeat(self) -> None:
        """Send once more what was sent last, if anything was."""
        if self.response:
            self._table.host.transmit(self.flow, self.response, self.remote)

    def _send(self, data: bytes, status: int) -> None:
        self.response = data
        self.status = status
        self._table.host.transmit(self.flow, data, self.remote)


class ServerTransactions:
    """All server transactions of one agent, by the identities of RFC 3261 section 17.2.3."""

    __slots__ = (
        "_by_identity",
        "_by_key",
        "_bytes",
        "_completed",
        "_j",
        "_open",
        "_slowed_down",
        "due",
        "due_key",
        "host",
    )

    def __init__(self, host: FlowHost, timing: Timing | None = None) -> None:
        timing = timing or Timing()
        self.host = host
        self._j = 64 * timing.t1
        self._slowed_down = _slowed_down(timing)
        self._by_key: dict[_Key, ServerTransaction] = {}
        self._by_identity: dict[_Key, ServerTransaction] = {}
        self._open: dict[int, ServerTransaction] = {}
        self._bytes = 0
        """Of all that are kept."""
        self._completed: deque[tuple[float, ServerTransaction]] = deque()
        self.due: float | None = None
        self.due_key = 0

    def receive(self, flow: Flow, request: Request, source: Address | None, now: float) -> ServerTransaction | None:
        """The new transaction that `request` starts, or None when it was a copy, which then has its answer.

        None also when there is no room left, because all that are kept wait for the application. Not for ACK, which
        starts no transaction. Raises `RemoteProtocolError` when the identities cannot be read.
        """
        key = _key(request, source)
        known = self._by_key.get(key)
        if known is not None and self._alive(known, now):
            known.step(T.COPY)
            known.repeat()
            return None
        while len(self._by_key) >= MAX_SERVER_TRANSACTIONS or self._bytes >= MAX_KEPT_BYTES:
            if not self._forget_oldest():
                self.host.drop("too many requests wait for an answer", flow.id, source)
                return None
        transaction = ServerTransaction(self, key, flow, request, source)
        if source is not None and not flow.reliable:
            transaction.remote = response_target(request, source)
        self._by_key[key] = transaction
        self._bytes += transaction.size
        self._open[id(request)] = transaction
        return transaction

    def hold(self, transaction: ServerTransaction, now: float) -> None:
        """The answer is not ready: start the clocks of a new transaction."""
        if transaction.steps is INVITE:
            transaction.wait(trying_at=now + INVITE_TRYING_AFTER, until=now + INVITE_PATIENCE)
        else:
            transaction.wait(trying_at=now + self._slowed_down, until=now + self._j)

    def merged(self, transaction: ServerTransaction) -> bool:
        """Whether a new transaction's request is one that came by another way and is still known.

        RFC 3261 section 8.2.2.2: a forking proxy may reach us twice. Raises `RemoteProtocolError` when the identities
        cannot be read.
        """
        request = transaction.request
        if request is None or request.to.tag is not None:
            return False
        identity = request.from_.tag, request.call_id, request.cseq
        known = self._by_identity.setdefault(identity, transaction)
        if known is transaction:
            transaction.identity = identity
            return False
        return True

    def absorb_ack(self, request: Request, source: Address | None, now: float) -> bool:
        """Whether an ACK belongs to a refusal of ours, so that nobody else has to see it.

        Raises `RemoteProtocolError` when the identities cannot be read.
        """
        known = self._by_key.get(_key(request, source))
        if known is None or known.status < 300 or not self._alive(known, now):
            return False
        known.step(T.ACK)
        return True

    def find(self, request: Request) -> ServerTransaction | None:
        """The transaction that waits for the answer to this very request."""
        return self._open.get(id(request))

    def end(self, transaction: ServerTransaction, trigger: ServerTrigger) -> None:
        """Step out of the table and forget."""
        transaction.step(trigger)
        self._forget(transaction)

    def completed(self, transaction: ServerTransaction, now: float) -> None:
        """The final response is out."""
        self.host.timers.disarm(transaction)
        self._open.pop(id(transaction.request), None)
        transaction.request = None
        self._bytes += len(transaction.response) - transaction.size
        transaction.size = len(transaction.response)
        if transaction.flow.reliable and transaction.steps is NON_INVITE:
            self.end(transaction, T.TIMER_J)
            return
        ends_at = now + self._j
        self._completed.append((ends_at, transaction))
        if self.due is None:
            self.host.timers.arm(self, ends_at + SWEEP_INTERVAL)

    def provisional(self, transaction: ServerTransaction, now: float) -> None:
        """A provisional response is out: a call may ring on."""
        if transaction.steps is INVITE:
            transaction.wait(trying_at=None, until=now + INVITE_PATIENCE)

    def on_due(self, now: float) -> None:
        """Timer J of the oldest ones."""
        completed = self._completed
        while completed and completed[0][0] <= now:
            transaction = completed.popleft()[1]
            if transaction.state is _COMPLETED:
                self.end(transaction, T.TIMER_J)
        if completed:
            self.host.timers.arm(self, completed[0][0] + SWEEP_INTERVAL)

    def __len__(self) -> int:
        return len(self._by_key)

    def _alive(self, transaction: ServerTransaction, now: float) -> bool:
        """Whether a copy that comes now still finds it."""
        if not transaction.flow.open:
            self.end(transaction, T.FLOW_LOST)
            return False
        if transaction.state is _COMPLETED and self._completed[0][0] <= now:
            self.on_due(now)
        return transaction.state is not _TERMINATED

    def _forget_oldest(self) -> bool:
        while self._completed:
            transaction = self._completed.popleft()[1]
            if transaction.state is _COMPLETED:
                self.end(transaction, T.TIMER_J)
                return True
        return False

    def _forget(self, transaction: ServerTransaction) -> None:
        self.host.timers.disarm(transaction)
        if self._by_key.get(transaction._key) is transaction:
            del self._by_key[transaction._key]
        self._bytes -= transaction.size
        transaction.size = 0
        if transaction.identity is not None:
            del self._by_identity[transaction.identity]
        if transaction.request is not None:
            del self._open[id(transaction.request)]
            transaction.request = None


def _key(request: Request, source: Address | None) -> _Key:
    """What makes two requests one (RFC 3261 section 17.2.3).

    The source's host is among it: devices that start alike behind two NATs have the same private sent-by, and with
    little randomness the same branch, and must not get each other's answers.
    """
    via = request.via
    method = request.method
    if method == "ACK":
        method = "INVITE"
    host = None if source is None else source[0]
    branch = via.branch
    if branch is not None and branch[:7] == MAGIC_COOKIE and len(branch) > 7:
        return branch, via.host.lower(), via.port, method, host
    # The rule for RFC 2543. A bare cookie tells nothing and counts as none (RFC 4475 section 3.2.1). An ACK has the To
    # tag of our response, its INVITE had none, so the tag is left out of the comparison of these two.
    to_tag = None if method == "INVITE" else request.to.tag
    number, via_text = request.cseq.number, request.get("via")
    return request.uri, to_tag, request.from_.tag, request.call_id, number, method, via_text, host


def _slowed_down(timing: Timing) -> float:
    """How long timer E of a client takes to reach T2 (RFC 4320 section 4.1): 3.5 s with the usual values."""
    total, interval = 0.0, timing.t1
    while interval < timing.t2:
        total += interval
        interval *= 2
    return total
