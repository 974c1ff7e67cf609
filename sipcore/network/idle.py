"""Connections that nobody uses any more are closed after a while, so that old servers are not held on to for ever."""

from __future__ import annotations

from sipcore.flows import Flow, FlowHost
from sipcore.network.connections import Connections
from sipcore.network.pacing import Pacer
from sipcore.transaction.client import ClientTransactions

__all__ = ["IDLE_TIME", "IdleConnections"]

IDLE_TIME = 32.0
"""Seconds: RFC 3261 section 18 asks to keep a connection for at least the longest transaction after its last
message."""


class IdleConnections:
    """The connections that had no user when they were last looked at."""

    __slots__ = ("_connections", "_host", "_pacer", "_since", "_transactions", "due", "due_key")

    def __init__(
        self, host: FlowHost, connections: Connections, pacer: Pacer, transactions: ClientTransactions
    ) -> None:
        self._host = host
        self._connections = connections
        self._pacer = pacer
        self._transactions = transactions
        self._since: dict[Flow, float] = {}
        self.due: float | None = None
        self.due_key = 0

    def released(self, flow: Flow, now: float) -> None:
        """Somebody is done with a flow; if nobody comes within the idle time it is closed."""
        if flow.reliable and flow.open and not flow.users:
            self._since[flow] = now
            if self.due is None:
                self._host.timers.arm(self, now + IDLE_TIME)

    def on_due(self, now: float) -> None:
        """Look at those that were released long enough ago."""
        for flow, since in list(self._since.items()):
            if flow.users or not flow.open:
                del self._since[flow]
            elif now - since >= IDLE_TIME and not self._busy(flow):
                del self._since[flow]
                self._connections.forget(flow)
                self._pacer.flow_ended(flow.id)
                self._host.close_flow(flow)
        if self._since:
            # Whoever is busy now is looked at again a second later; its request is over within one transaction.
            self._host.timers.arm(self, max(now + 1.0, min(self._since.values()) + IDLE_TIME))

    def _busy(self, flow: Flow) -> bool:
        return bool(flow.waiting or self._pacer.waits(flow.id) or self._transactions.on_flow(flow))
