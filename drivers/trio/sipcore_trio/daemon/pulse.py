"""Whether the daemon is alive: the event loop turns, and the driver keeps the agent's time.

A task that merely answers would say yes while the registrations lapse. So `/healthz` and the ping to systemd look at
whether the one deadline of the agent is kept.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sipcore_sync.base import LEAP, MAX_SLEEP

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["LATE", "Pulse"]

LATE = 10.0
"""Seconds by which the driver may miss the agent's deadline: loading a large file takes a second or two, and no load
takes this long."""


class Pulse:
    """Whether the driver makes progress."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._asleep = self._sleep()
        self._woke_at = float("-inf")

    def fault(self) -> str:
        """What is wrong, in words; empty when all is well."""
        daemon = self._daemon
        driver = getattr(daemon, "driver", None)
        if driver is None or not driver.running:
            return "the driver does not run"
        asleep = self._sleep()
        if asleep > self._asleep + LEAP:
            # The host slept. The driver's timer did, too: it notices within its longest sleep, and is not dead.
            self._woke_at = time.monotonic()
        self._asleep = asleep
        deadline = daemon.agent.next_deadline()
        late = 0.0 if deadline is None else driver.now() - deadline
        if late > LATE and time.monotonic() - self._woke_at > MAX_SLEEP + LATE:
            return f"the driver is {late:.0f} s late"
        return ""

    def _sleep(self) -> float:
        # How long this host has been asleep since it started: the one clock counts that, the other does not.
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) - time.monotonic()
