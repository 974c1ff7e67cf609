"""One client transaction on an endpoint that decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sipcore.flows import Flow
from sipcore.syntax.message import Response
from sipcore.transaction.client import ClientTransaction, ClientTransactions, State
from sipcore.values import Address, Protocol
from tests.host import Host

__all__ = ["REMOTE", "REQUEST", "Case", "read", "written"]

REQUEST = b"REGISTER sip:example.com SIP/2.0\r\n\r\n"
REMOTE: Address = ("192.0.2.1", 5060)
STANDARD = {"t1": 0.5, "t2": 4.0, "t4": 5.0, "timeout": 32.0}


class User:
    """Keeps what its transaction tells."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.transactions: set[ClientTransaction] = set()

    def on_provisional(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        self.transactions.add(transaction)
        self.told.append(("provisional", response.status))

    def on_final(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        self.transactions.add(transaction)
        self.told.append(("final", response.status))

    def on_timeout(self, transaction: ClientTransaction, now: float) -> None:
        self.transactions.add(transaction)
        self.told.append(("timeout", now))

    def on_flow_lost(self, transaction: ClientTransaction, error: str, now: float) -> None:
        self.transactions.add(transaction)
        self.told.append(("flow lost", error))

    def on_aged(self, transaction: ClientTransaction, now: float) -> None:
        self.transactions.add(transaction)
        self.told.append(("aged", now))


class Case:
    """One transaction under way since time 0."""

    def __init__(self, protocol: Protocol = Protocol.UDP, branch: str = "z9hG4bKab", **changes: Any) -> None:
        self.host = Host()
        self.user = User()
        self.table = ClientTransactions(self.host)
        self.flow: Flow = self.host.opened(protocol, REMOTE if protocol.reliable else None)
        values: dict[str, Any] = {
            "branch": branch,
            "flow": self.flow,
            "remote": REMOTE,
            "request": REQUEST,
            "sent_by": "192.0.2.9:5062",
            "call_id": "c",
            "cseq": "1 REGISTER",
            "from_value": "<sip:alice@example.com>;tag=1",
            "to_value": "<sip:alice@example.com>",
            "any_source": False,
            "now": 0.0,
        }
        self._values = values | STANDARD | changes
        self.transaction = ClientTransaction(self.table, self.user, **self._values)
        self.table.add(self.transaction)

    def another(self, branch: str, now: float) -> ClientTransaction:
        """One more to the same remote, started at `now`."""
        transaction = ClientTransaction(self.table, self.user, **(self._values | {"branch": branch, "now": now}))
        self.table.add(transaction)
        return transaction

    def state(self) -> State:
        """The state now."""
        return self.transaction.state

    def answer(self, status: int, now: float) -> None:
        self.host.run(now)
        self.transaction.receive(Response(status, ""), now)

    def copies(self, until: float) -> list[float]:
        """When something is sent, from now to `until`."""
        times = [self.host.now] * len(self.host.sent())
        while (deadline := self.host.next_deadline()) is not None and deadline <= until:
            self.host.handle_deadline(now=deadline)
            data = self.host.sent()
            assert data in ([], [REQUEST])
            times += [deadline] * len(data)
        self.host.advance(until)
        return times

    def told(self) -> list[tuple[str, object]]:
        return [item for item in self.user.told if item[0] != "aged"]


def written(table: Mapping[Any, Mapping[Any, Any]]) -> dict[str, dict[str, str]]:
    """A table of states in plain words."""
    return {
        str(state): {str(trigger): str(target) for trigger, target in row.items()} for state, row in table.items()
    }


def read(figure: str) -> dict[str, dict[str, str]]:
    """The same from a line for each state: `state: trigger -> state, trigger -> state`."""
    rows = (line.partition(":") for line in figure.strip().splitlines())
    return {
        state: {
            trigger.strip(): target.strip()
            for trigger, arrow, target in (step.partition("->") for step in steps.split(","))
            if arrow
        }
        for state, _, steps in rows
    }
