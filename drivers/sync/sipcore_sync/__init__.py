"""sipcore for blocking code: a selector loop, in a thread of its own or polled.

    with sipcore_sync.registered(Account("sip:alice@example.com", password="secret")) as registration:
        for status in registration.statuses():
            print(status.state, status.cause)

Theory of operation. `base.py` performs what the core wants on plain non-blocking sockets and is shared by the three
drivers; `driver.py` adds the selector loop; `session.py` stands between a driver and the application, and is shared as
well; `api.py` is the convenience on top. One lock guards the agent: whoever calls an input holds it and performs the
commands that it causes, so that a call from any thread has left the host when it returns. Events are handed out by the
polling thread alone, without the lock, so a handler may call anything; two threads that poll are refused.

Names are looked up in one daemon thread, started when the first name has to be; IP literals need none.
"""

from __future__ import annotations

from sipcore.client import Wait
from sipcore.config import Account
from sipcore.errors import RegistrationFailed
from sipcore.values import Status
from sipcore_sync.api import Agent, Registration, open_agent, registered
from sipcore_sync.driver import Driver
from sipcore_sync.sockets import boottime as now

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
