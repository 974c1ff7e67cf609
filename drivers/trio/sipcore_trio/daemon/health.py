"""Health: is the daemon alive (`pulse`), and is it ready, which is what `--ready` makes of the registrations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sipcore_trio.daemon.commands.running import READY
from sipcore_trio.daemon.http import Answer, Asked
from sipcore_trio.daemon.pulse import Pulse
from sipcore_trio.daemon.tally import Tally

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["Health"]


class Health:
    """The pages `/healthz` and `/readyz`. 200 is yes and 503 is no; the body says why."""

    def __init__(self, daemon: Daemon, tally: Tally) -> None:
        self._daemon = daemon
        self._tally = tally
        self._pulse = Pulse(daemon)
        self._policy: str = daemon.options.ready or READY[0]
        self.loaded = False

    async def alive(self, asked: Asked) -> Answer:
        """Whether the loop turns and the driver keeps time."""
        fault = self._pulse.fault()
        return _page(not fault, {"alive": not fault, **({"fault": fault} if fault else {})})

    async def ready(self, asked: Asked) -> Answer:
        """Whether as many are registered as the policy asks for."""
        tally = self._tally
        registered, total = tally.registered, tally.total
        enough = {"all": registered == total, "any": registered > 0, "none": True}[self._policy]
        ready = enough and self.loaded and not self._daemon.stopping and not self._pulse.fault()
        return _page(ready, {"ready": ready, "policy": self._policy, "registered": registered, "registrations": total})


def _page(well: bool, body: dict[str, object]) -> Answer:
    return Answer(200 if well else 503, "application/json", json.dumps(body).encode() + b"\n")
