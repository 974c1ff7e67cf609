"""What an exchange needs of the network, in one place."""

from __future__ import annotations

from sipcore.flows import Flow, FlowHost
from sipcore.network.connections import Connections
from sipcore.network.idle import IdleConnections
from sipcore.network.pacing import Pacer
from sipcore.network.resolver import Resolver
from sipcore.transaction.client import ClientTransactions
from sipcore.values import Address

__all__ = ["Network"]


class Network:
    """The shared parts of one agent: questions, flows, lanes, transactions, and where listeners are."""

    __slots__ = ("connections", "host", "idle", "listening", "pacer", "resolver", "transactions")

    def __init__(self, host: FlowHost) -> None:
        self.host = host
        self.resolver = Resolver(host)
        self.connections = Connections(host)
        self.pacer = Pacer()
        self.transactions = ClientTransactions(host)
        self.idle = IdleConnections(host, self.connections, self.pacer, self.transactions)
        self.listening: dict[tuple[object, ...], Address] = {}
        """Where the listener of a transport really is, by the transport's `socket`."""

    def flow_ended(self, flow: Flow, error: str, now: float) -> None:
        """Tell everybody who has a request on the flow, or was about to send one."""
        self.connections.forget(flow)
        waiting = self.pacer.flow_ended(flow.id)
        for transaction in self.transactions.on_flow(flow):
            transaction.flow_lost(error, now)
        for paced in waiting:
            paced.on_flow_failed(flow, error, now)
