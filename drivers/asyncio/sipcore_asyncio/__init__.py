"""sipcore for asyncio.

    async with sipcore_asyncio.registered(Account("sip:alice@example.com", password="secret")) as registration:
        async for status in registration.statuses():
            print(status.state, status.cause)

Theory of operation. The driver starts no task, so there is none to leak or to await: sockets are watched by the loop's
readers and writers, the agent's one deadline is one timer, and every callback runs to its end. What a callback raises
is kept and ends `Driver.run()`, or the block of the convenience API; nothing is left to the loop's exception handler.
A failed handler ends the block by cancelling the task that owns it, and takes that cancellation back, the way
`asyncio.timeout` does. While the block is left, cancellations wait: the un-REGISTER has its bound.
"""

from __future__ import annotations

from sipcore.client import Wait
from sipcore.config import Account
from sipcore.errors import RegistrationFailed
from sipcore.values import Status
from sipcore_asyncio.api import Agent, Registration, open_agent, registered
from sipcore_asyncio.driver import Driver, now

__all__ = [
    "Account",
    "Agent",
    "Driver",
    "Registration",
    "RegistrationFailed",
    "Status",
    "Wait",
    "now",
    "open_agent",
    "registered",
]
