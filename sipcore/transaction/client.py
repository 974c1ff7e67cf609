"""The non-INVITE client transaction, RFC 3261 section 17.1.2 and figure 6.

One machine for each request sent. It sees the responses that carry its branch and pass the identity check, its own
timers, and the failure of its flow. It never sees a response whose identities are wrong: those are dropped before.

Timer E and timer F can be due at the same instant: F is looked at first, since a transaction that has timed out must
not send once more. A machine has one deadline, the earlier of the two; besides them it stops at T1 once to tell the
pacer that it is no longer young, which on UDP is when timer E fires first anyway.

What a terminated or completed machine no longer needs (request, owner, identities) it lets go at once, since on UDP it
stays for T4 to absorb copies of the final response, and thousands may.
"""

from __future__ import annotations

import enum
from typing import Protocol

from sipcore.flows import Flow, FlowHost
from sipcore.syntax.message import Response
from sipcore.values import Address

__all__ = ["TRANSITIONS", "ClientTransaction", "ClientTransactions", "State", "TransactionUser", "Trigger"]


class State(enum.StrEnum):
    """The states of figure 6."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


class Trigger(enum.StrEnum):
    """What moves the machine."""

    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_K = "timer K"
    PROVISIONAL = "provisional"
    FINAL = "final"
    FLOW_LOST = "flow lost"


TRANSITIONS: dict[State, dict[Trigger, State]] = {
    State.TRYING: {
        Trigger.TIMER_E: State.TRYING,
        Trigger.PROVISIONAL: State.PROCEEDING,
        Trigger.FINAL: State.COMPLETED,
        Trigger.TIMER_F: State.TERMINATED,
        Trigger.FLOW_LOST: State.TERMINATED,
    },
    # Here timer E is reset to T2 each time it fires, and doubles no more (17.1.2.2).
    State.PROCEEDING: {
        Trigger.TIMER_E: State.PROCEEDING,
        Trigger.PROVISIONAL: State.PROCEEDING,
        Trigger.FINAL: State.COMPLETED,
        Trigger.TIMER_F: State.TERMINATED,
        Trigger.FLOW_LOST: State.TERMINATED,
    },
    # Late and repeated responses are absorbed: that is why this state exists. A lost flow changes nothing any more.
    State.COMPLETED: {
        Trigger.PROVISIONAL: State.COMPLETED,
        Trigger.FINAL: State.COMPLETED,
        Trigger.FLOW_LOST: State.COMPLETED,
        Trigger.TIMER_K: State.TERMINATED,
    },
    State.TERMINATED: {},
}


class TransactionUser(Protocol):
    """Who sent the request (RFC 3261's transaction user)."""

    def on_provisional(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A 1xx; there may be many."""

    def on_final(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """The final response; once, and nothing after it."""

    def on_timeout(self, transaction: ClientTransaction, now: float) -> None:
        """Timer F: no final response came; counts as 408 (RFC 3261 section 8.1.3.1)."""

    def on_flow_lost(self, transaction: ClientTransaction, error: str, now: float) -> None:
        """The request cannot be answered any more; counts as 503 (RFC 3261 section 8.1.3.1)."""

    def on_aged(self, transaction: ClientTransaction, now: float) -> None:
        """T1 has passed without a final response."""


class ClientTransaction:
    """One request on its way; see the module's text."""

    __slots__ = (
        "aged",
        "any_source",
        "branch",
        "call_id",
        "cseq",
        "due",
        "due_key",
        "expires_at",
        "flow",
        "from_value",
        "interval",
        "next_copy",
        "remote",
        "request",
        "sent_by",
        "started_at",
        "state",
        "t2",
        "t4",
        "table",
        "to_value",
        "user",
    )

    def __init__(
        self,
        table: ClientTransactions,
        user: TransactionUser,
        *,
        branch: str,
        flow: Flow,
        remote: Address,
        request: bytes,
        sent_by: str,
        call_id: str,
        cseq: str,
        from_value: str,
        to_value: str,
        t1: float,
        t2: float,
        t4: float,
        timeout: float,
        any_source: bool,
        now: float,
    ) -> None:
        self.table = table
        self.user: TransactionUser | None = user
        self.branch = branch
        self.flow = flow
        self.remote = remote
        self.request = request
        # The identities that a response has to repeat, as texts: a peer that copies them as it must is recognised by
        # comparing strings, and only others cost a parse.
        self.sent_by = sent_by
        self.call_id = call_id
        self.cseq = cseq
        self.from_value = from_value
        self.to_value = to_value
        self.t2 = t2
        self.t4 = t4
        self.any_source = any_source
        self.state = State.TRYING
        self.started_at = now
        self.expires_at = now + timeout
        self.interval = t1
        self.next_copy = now + t1
        self.aged = False
        self.due: float | None = None
        self.due_key = 0

    def on_due(self, now: float) -> None:
        """One of timers E, F and K, or the end of youth."""
        if self.state is State.COMPLETED:
            self._step(Trigger.TIMER_K)
            self.table.forget(self)
            return
        if now >= self.expires_at:
            self._end(Trigger.TIMER_F)
            user = self._release()
            if user is not None:
                user.on_timeout(self, now)
            return
        if not self.flow.reliable and now >= self.next_copy:
            self._step(Trigger.TIMER_E)
            self.table.host.transmit(self.flow, self.request, self.remote)
            self.interval = self.t2 if self.state is State.PROCEEDING else min(2 * self.interval, self.t2)
            self.next_copy += self.interval
            if self.next_copy <= now:
                # The clock leapt (a suspended machine): one copy makes up for all that were missed.
                self.next_copy = now + self.interval
        self._arm()
        if not self.aged:
            self.aged = True
            if self.user is not None:
                self.user.on_aged(self, now)

    def receive(self, response: Response, now: float) -> None:
        """A response with our branch and identities."""
        user = self.user
        if response.status < 200:
            self._step(Trigger.PROVISIONAL)
            if user is not None:
                user.on_provisional(self, response, now)
            return
        first = self.state is not State.COMPLETED
        self._step(Trigger.FINAL)
        if not first:
            return
        if self.flow.reliable:
            # Timer K is 0 where nothing is repeated (17.1.2.2).
            self._end(Trigger.TIMER_K)
        else:
            self.table.host.timers.arm(self, now + self.t4)
        self._release()
        if user is not None:
            user.on_final(self, response, now)

    def slow_down(self, now: float) -> None:
        """Send the next copy T2 from now, as some do at a 1xx.

        By RFC 3261 section 17.1.2.2 the 1xx changes the interval only when the copy that is due next has been sent.
        """
        if self.state is not State.PROCEEDING or self.flow.reliable or self.interval >= self.t2:
            return
        self.interval = self.t2
        self.next_copy = now + self.t2
        self._arm()
        if not self.aged:
            # The deadline at T1 is gone; whom the server has heard is no part of a burst any more.
            self.aged = True
            if self.user is not None:
                self.user.on_aged(self, now)

    def flow_lost(self, error: str, now: float) -> None:
        """The flow ended, or a datagram to this remote could not be sent."""
        if self.state is State.COMPLETED or self.state is State.TERMINATED:
            return
        self._end(Trigger.FLOW_LOST)
        user = self._release()
        if user is not None:
            user.on_flow_lost(self, error, now)

    def abandon(self) -> None:
        """The user is no longer interested: nothing more is sent, and what still comes is absorbed by the branch
        check."""
        self._release()
        self.state = State.TERMINATED
        self.table.forget(self)

    def start(self) -> None:
        """Send the request and start the timers."""
        self.table.host.transmit(self.flow, self.request, self.remote)
        self._arm()

    def _arm(self) -> None:
        reliable_and_old = self.flow.reliable and self.aged
        when = self.expires_at if reliable_and_old or self.next_copy > self.expires_at else self.next_copy
        self.table.host.timers.arm(self, when)

    def _step(self, trigger: Trigger) -> None:
        try:
            self.state = TRANSITIONS[self.state][trigger]
        except KeyError:
            raise AssertionError(f"non-INVITE client transaction: {trigger} in state {self.state}") from None

    def _end(self, trigger: Trigger) -> None:
        self._step(trigger)
        self.table.forget(self)

    def _release(self) -> TransactionUser | None:
        user, self.user = self.user, None
        self.request = b""
        self.table.answered(self)
        return user


class ClientTransactions:
    """All client transactions of one agent, by branch."""

    __slots__ = ("_by_branch", "_open", "host")

    def __init__(self, host: FlowHost) -> None:
        self.host = host
        self._by_branch: dict[str, ClientTransaction] = {}
        self._open: dict[int, dict[Address, set[ClientTransaction]]] = {}
        """Those that wait for a response, by flow and remote: what a failure there concerns."""

    def add(self, transaction: ClientTransaction) -> None:
        """Keep it, and send its request."""
        self._by_branch[transaction.branch.lower()] = transaction
        places = self._open.setdefault(transaction.flow.id, {})
        places.setdefault(transaction.remote, set()).add(transaction)
        transaction.start()

    def forget(self, transaction: ClientTransaction) -> None:
        """Its branch is unknown from now on."""
        self.host.timers.disarm(transaction)
        self._by_branch.pop(transaction.branch.lower(), None)

    def answered(self, transaction: ClientTransaction) -> None:
        """It does not wait for a response any more."""
        places = self._open.get(transaction.flow.id)
        waiting = places.get(transaction.remote) if places is not None else None
        if places is None or waiting is None:
            return
        waiting.discard(transaction)
        if not waiting:
            del places[transaction.remote]
            if not places:
                del self._open[transaction.flow.id]

    def find(self, branch: str) -> ClientTransaction | None:
        """The transaction with that branch. Tokens compare without case (RFC 3261 section 7.3.1)."""
        return self._by_branch.get(branch.lower())

    def on_flow(self, flow: Flow, remote: Address | None = None) -> list[ClientTransaction]:
        """Those that wait for a response on a flow, or there from one remote, oldest first."""
        places = self._open.get(flow.id, {})
        chosen = places.values() if remote is None else (places.get(remote, set()),)
        return sorted((item for place in chosen for item in place), key=lambda item: (item.started_at, item.branch))

    def __len__(self) -> int:
        return len(self._by_branch)
