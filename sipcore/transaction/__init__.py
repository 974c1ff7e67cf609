"""Client and server transactions (RFC 3261 section 17): what makes a request and its response one thing.

Theory of operation. A transaction belongs to one flow, one remote address and one branch. The client side
(`client.py`) repeats a request until it is answered, gives up after timer F, and absorbs copies of the answer; the
server side (`server.py`) answers copies of a request with the same bytes. Both are tables with a small interpreter, and
both have one deadline at a time in the agent's `Timers`.

Conflicts, and how they are settled: a timeout beats a retransmission that is due at the same instant; the first final
response wins and all later ones are absorbed; a response that differs from its request in any identity
(`matching.py`) never reaches a machine.
"""

from __future__ import annotations

from sipcore.transaction.client import ClientTransaction, ClientTransactions, TransactionUser
from sipcore.transaction.matching import mismatch
from sipcore.transaction.response import response_target, write_response
from sipcore.transaction.server import ServerTransaction, ServerTransactions

__all__ = [
    "ClientTransaction",
    "ClientTransactions",
    "ServerTransaction",
    "ServerTransactions",
    "TransactionUser",
    "mismatch",
    "response_target",
    "write_response",
]
