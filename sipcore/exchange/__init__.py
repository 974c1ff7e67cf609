"""One request to its outcome: through targets, flow, lane, transaction, challenges, a 423 and redirects.

Theory of operation. An `Exchange` lives for one attempt. It waits for at most one thing at a time: targets, a flow, the
local address, its turn, or the answer to its one transaction; each of these waits has an end of its own, so the
exchange has one too. What a request says and what an answer means is asked of its `ExchangeUser`.

Conflicts: an exchange that was cancelled hears late answers from whatever it had asked; it ignores them all (`over`).
"""

from __future__ import annotations

from sipcore.exchange.exchange import Exchange, ExchangeUser, Step, Written
from sipcore.exchange.outcome import CONTINUING, Failure, Outcome, Reply

__all__ = ["CONTINUING", "Exchange", "ExchangeUser", "Failure", "Outcome", "Reply", "Step", "Written"]
