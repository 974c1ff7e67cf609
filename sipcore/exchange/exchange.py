"""One attempt: from a URI through targets, flow, lane and transaction to an outcome that ends it.

The exchange knows how a request travels; whoever uses it (`ExchangeUser`) knows what the request says and what an
answer means. After each reply the user is asked for the outcome; a class that continues makes the exchange send again,
to the same target or the next one, and any other ends it. How many requests are left is counted here and told to the
user, who gives no class that continues when there are none.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from sipcore.config import Timing, Transport
from sipcore.exchange.outcome import CONTINUING, Failure, Outcome, Reply
from sipcore.flows import Flow, FlowUser
from sipcore.network.nat import advertised
from sipcore.network.network import Network
from sipcore.network.pacing import Lane
from sipcore.network.targets import Target, TargetSearch
from sipcore.profiles import MAX_REQUESTS_PER_ATTEMPT
from sipcore.syntax.message import Response
from sipcore.syntax.uri import Uri
from sipcore.transaction.client import ClientTransaction
from sipcore.values import WILDCARDS, Address, OutcomeClass, RecordKind

__all__ = ["Exchange", "ExchangeUser", "Step", "Written"]


class Step(NamedTuple):
    """Where the next request goes: a URI to resolve, and over which transport."""

    uri: Uri
    transport: Transport | None
    known: Target | None = None
    """The only target, when the URI names an address and nothing has to be looked up."""


class Written(NamedTuple):
    """A request as it goes on the wire, with the identities that its response must repeat."""

    data: bytes
    call_id: str
    cseq: str
    from_value: str
    to_value: str


class ExchangeUser(Protocol):
    """What an attempt is about."""

    @property
    def provisional_restarts_copies(self) -> bool:
        """Whether a 1xx puts off the copy that is due next."""

    @property
    def reopens_connections(self) -> bool:
        """Whether a connection that ends after an answer is opened again for the request that was lost with it."""

    def on_targets_found(self, now: float) -> None:
        """The name is resolved; a connection comes next."""

    def satisfied(self, exchange: Exchange, now: float) -> bool:
        """Whether nothing has to be sent, now that target, flow and our address are known: the attempt is over."""

    def write(self, exchange: Exchange, branch: str, now: float) -> Written:
        """The next request. It is about to be sent."""

    def on_sent(self, now: float) -> None:
        """A request left."""

    def judge(self, exchange: Exchange, reply: Reply, now: float) -> Outcome:
        """What a reply means. A class that continues is given only when the exchange can continue."""

    def redirect(self, now: float) -> Step:
        """Where a REDIRECT outcome leads."""

    def on_outcome(self, exchange: Exchange, reply: Reply, outcome: Outcome, now: float) -> None:
        """The attempt is over."""


class Exchange(FlowUser):
    """One attempt on its way; see the module's text."""

    __slots__ = (
        "answered",
        "any_source",
        "contact_address",
        "due",
        "flow",
        "lane",
        "network",
        "over",
        "refresh",
        "requests",
        "sent_at",
        "sent_by",
        "target",
        "targets",
        "timing",
        "transaction",
        "user",
    )

    def __init__(
        self, network: Network, user: ExchangeUser, *, timing: Timing, any_source: bool, refresh: bool, due: float
    ) -> None:
        self.network = network
        self.user = user
        self.timing = timing
        self.any_source = any_source
        self.refresh = refresh
        self.due = due
        self.targets: list[Target] = []
        self.target: Target | None = None
        self.flow: Flow | None = None
        self.lane: Lane | None = None
        self.contact_address: Address = ("", 0)
        """Where we can be reached over the flow: what Contact says. The host may be a name."""
        self.sent_by = ""
        """What Via says."""
        self.transaction: ClientTransaction | None = None
        self.answered: Flow | None = None
        """The connection over which a final response came last."""
        self.requests = 0
        self.sent_at = due
        """When the last request left, its copies not counted."""
        self.over = False

    def start(self, step: Step, now: float) -> None:
        """Look for targets, then send. Ends with one `on_outcome`, perhaps before this returns."""
        if step.known is not None:
            self.on_targets([step.known], None, now)
        else:
            TargetSearch(step.uri, step.transport, self).start(self.network.resolver, now)

    def cancel(self, now: float) -> None:
        """Stop without an outcome: nothing more is sent."""
        self.over = True
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            if not transaction.aged and self.lane is not None:
                self.lane.leave()
                self.lane.advance(now)
            transaction.abandon()

    @property
    def requests_left(self) -> int:
        """How many requests this attempt may still send."""
        return MAX_REQUESTS_PER_ATTEMPT - self.requests

    @property
    def remote(self) -> Address | None:
        """The address asked last."""
        return self.target.remote if self.target is not None else None

    # --- targets and flow ------------------------------------------------------------------------------------------

    def on_targets(self, targets: list[Target], error: str | None, now: float) -> None:
        """The search ended."""
        if self.over:
            return
        if error is not None:
            self._reply(Reply(None, Failure.UNRESOLVED, error), now)
            return
        # Each target may take a whole timeout, so no attempt tries more of them than it may send requests.
        self.targets = targets[:MAX_REQUESTS_PER_ATTEMPT]
        self.user.on_targets_found(now)
        self._next_target(now)

    def prefer(self, remote: Address) -> None:
        """Try that address first if it is among the targets (RFC 3261 section 10.2.4)."""
        for index, target in enumerate(self.targets):
            if target.remote == remote:
                self.targets.insert(0, self.targets.pop(index))
                return

    def on_flow_open(self, flow: Flow, now: float) -> None:
        """The connection stands."""
        if self.over:
            self.network.idle.released(flow, now)
        elif self.flow is None:
            self._use(flow, now)

    def on_flow_failed(self, flow: Flow, error: str, now: float) -> None:
        """No connection, or it ended while we waited for our turn."""
        if not self.over and self.transaction is None:
            self._reply(Reply(None, Failure.FLOW, error), now)

    def on_answer(self, name: str, kind: RecordKind, addresses: tuple[str, ...], error: str | None, now: float) -> None:
        """The local address towards the target is known, or there is no way to it."""
        if self.over or self.flow is None or self.target is None or self.target.remote[0] != name:
            return
        if not self.flow.open:
            self._reply(Reply(None, Failure.FLOW, "the flow ended"), now)
        elif addresses:
            self._address(self.flow, addresses[0], now)
        else:
            self._reply(Reply(None, Failure.FLOW, error or "no route"), now)

    def _next_target(self, now: float) -> None:
        self.target = target = self.targets.pop(0)
        self.flow = None
        flow = self.network.connections.get(target, self, until=now + self.timing.f)
        if flow is not None:
            self._use(flow, now)

    def _use(self, flow: Flow, now: float) -> None:
        self.flow = flow
        assert flow.local is not None
        assert self.target is not None
        host = flow.local[0]
        if host in WILDCARDS:
            # A wildcard address never reaches Via or Contact.
            remote = self.target.remote[0]
            known = self.network.resolver.look(remote, RecordKind.SOURCE, now)
            if known is None:
                self.network.resolver.ask(remote, RecordKind.SOURCE, self, now)
                return
            host = known[0]
        self._address(flow, host, now)

    def _address(self, flow: Flow, host: str, now: float) -> None:
        assert flow.local is not None
        assert self.target is not None
        # A zone means nothing to anybody else (RFC 4007 section 11.2).
        host = host.partition("%")[0]
        port = flow.local[1]
        if flow.reliable:
            listener = self.network.listening.get(self.target.transport.socket)
            if listener is not None:
                port = listener[1]
        self.contact_address = host, port = advertised(self.target.transport, (host, port), self.target.remote)
        self.sent_by = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if self.user.satisfied(self, now):
            self.over = True
            return
        self.lane = self.network.pacer.lane(flow.id, self.target.remote)
        self.lane.submit(self, refresh=self.refresh, due=self.due, now=now)

    # --- sending and replies ---------------------------------------------------------------------------------------

    def on_turn(self, now: float) -> None:
        """The lane lets us in."""
        if not self.over:
            self._send(now)

    def _send(self, now: float) -> None:
        flow, target, lane = self.flow, self.target, self.lane
        assert flow is not None
        assert target is not None
        assert lane is not None
        branch = f"z9hG4bK{self.network.host.random.getrandbits(128):032x}"
        written = self.user.write(self, branch, now)
        timing = self.timing
        self.requests += 1
        self.sent_at = now
        self.transaction = transaction = ClientTransaction(
            self.network.transactions,
            self,
            branch=branch,
            flow=flow,
            remote=target.remote,
            request=written.data,
            sent_by=self.sent_by,
            call_id=written.call_id,
            cseq=written.cseq,
            from_value=written.from_value,
            to_value=written.to_value,
            t1=timing.t1,
            t2=timing.t2,
            t4=timing.t4,
            timeout=timing.f,
            any_source=self.any_source,
            now=now,
        )
        lane.enter()
        self.network.transactions.add(transaction)
        self.user.on_sent(now)

    def on_provisional(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A 1xx: the server has the request. The transaction slows down by itself, in some profiles at once."""
        if self.user.provisional_restarts_copies:
            transaction.slow_down(now)

    def on_final(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """The answer."""
        self.answered = transaction.flow
        self._left(transaction, Reply(response), now)

    def on_timeout(self, transaction: ClientTransaction, now: float) -> None:
        """Silence."""
        flow = transaction.flow
        self._left(transaction, Reply(None, Failure.TIMEOUT), now)
        # A connection that was silent all the time is dead; one on which others were answered is not, and is kept, so
        # that one mute account does not cut the others.
        if flow.reliable and flow.open and flow.heard_at < transaction.started_at:
            self.network.host.abandon_flow(flow, "nothing arrived on the connection", now)

    def on_flow_lost(self, transaction: ClientTransaction, error: str, now: float) -> None:
        """The flow ended, or the datagram could not be sent."""
        if self.answered is transaction.flow and transaction.flow.reliable and self.target is not None:
            self.answered = None
            if self.user.reopens_connections:
                self.targets.insert(0, self.target)
        self._left(transaction, Reply(None, Failure.FLOW, error), now)

    def on_aged(self, transaction: ClientTransaction, now: float) -> None:
        """T1 without an answer: make room in the lane."""
        if self.lane is not None:
            self.lane.leave()
            self.lane.advance(now)

    def _left(self, transaction: ClientTransaction, reply: Reply, now: float) -> None:
        lane = self.lane
        self.transaction = None
        if lane is not None and not transaction.aged:
            lane.leave()
        # A follow-up takes the place that has just become free; only then may the next in line have it.
        self._reply(reply, now, placed=not transaction.aged)
        if lane is not None:
            lane.advance(now)

    def _reply(self, reply: Reply, now: float, *, placed: bool = True) -> None:
        if self.over:
            return
        outcome = self.user.judge(self, reply, now)
        kind = outcome.kind
        if kind in CONTINUING:
            if kind is OutcomeClass.NEXT_TARGET:
                self._next_target(now)
            elif kind is OutcomeClass.REDIRECT:
                self.target = self.flow = self.lane = None
                self.start(self.user.redirect(now), now)
            elif placed or self.lane is None:
                self._send(now)
            else:
                # The place in the lane went to somebody else when the request turned T1 old.
                self.lane.submit(self, refresh=True, due=float("-inf"), now=now)
            return
        self.over = True
        self.user.on_outcome(self, reply, outcome, now)
