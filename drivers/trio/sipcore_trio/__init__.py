"""sipcore for trio.

    async with sipcore_trio.registered(Account("sip:alice@example.com", password="secret")) as registration:
        async for status in registration.statuses():
            print(status.state, status.cause)

Theory of operation. `Driver.run()` owns a nursery: one task for each socket that waits to be readable or writable, and
itself for the timer, whose deadline is moved without waking it. Datagrams are read from plain sockets in a burst, so a
wake-up costs once for many. The convenience API runs the driver beside the block, shielded, since leaving has to send
after the block was cancelled; the block is a scope of its own, which a failed handler cancels. What the block or a
handler raises comes out as itself, not as a group, because the nursery is of no interest to who wrote the block.
"""

from __future__ import annotations

from sipcore.client import Wait
from sipcore.config import Account
from sipcore.errors import RegistrationFailed
from sipcore.values import Status
from sipcore_trio.api import Agent, Registration, open_agent, registered
from sipcore_trio.driver import Driver, now

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
