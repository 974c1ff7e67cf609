"""From a URI to a flow, and in what order the requests go out.

Theory of operation. `targets.py` turns a URI into addresses to try, asking through `resolver.py`; `connections.py`
gives the flow to a target; `pacing.py` decides when a request may leave. Each of them answers at once when it can and
calls back otherwise, and each wait has an end: a question is given up after 10 s, an opening flow after timer F, and a
lane moves on at every answer and at the latest every T1.

Conflicts: many may ask the same question or want the same flow; the first one causes the command, the others share its
answer. A flow that ends tells everybody who waits for it; those with requests on it are told by their transactions.
"""

from __future__ import annotations

from sipcore.network.connections import Connections
from sipcore.network.network import Network
from sipcore.network.pacing import Lane, Pacer
from sipcore.network.resolver import Resolver
from sipcore.network.targets import DEFAULT_PORT, Target, TargetSearch, literal_target, transport_for

__all__ = [
    "DEFAULT_PORT",
    "Connections",
    "Lane",
    "Network",
    "Pacer",
    "Resolver",
    "Target",
    "TargetSearch",
    "literal_target",
    "transport_for",
]
