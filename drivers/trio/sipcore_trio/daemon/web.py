"""What those who watch can read over HTTP: `/metrics`, `/healthz` and `/readyz`, on `--metrics` and `--health`.

What is told holds no secrets but names and addresses, and nobody is asked who he is: the listeners are on loopback
unless another address is given. One address for both is one listener.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from sipcore.events import Event
from sipcore.values import format_address
from sipcore_trio.daemon.checks import StartError
from sipcore_trio.daemon.health import Health
from sipcore_trio.daemon.http import Page, Server
from sipcore_trio.daemon.services import Service
from sipcore_trio.daemon.tally import Tally

if TYPE_CHECKING:
    from sipcore_trio.daemon.metrics import Metrics
    from sipcore_trio.daemon.run import Daemon

__all__ = ["Web", "make", "make_for_metrics", "needs"]

LOOPBACK = ("127.", "::1")


def make(daemon: Daemon) -> Web:
    """The service. Raises `StartError` when an address cannot be had."""
    return Web(daemon)


def make_for_metrics(daemon: Daemon) -> Web | None:
    """The service, unless `--health` asked for it already."""
    return Web(daemon) if daemon.options.health is None else None


def needs(daemon: Daemon) -> None:
    """Nothing, but options that would have no effect are refused with `StartError`."""
    options = daemon.options
    if options.asterisk_metrics and options.metrics is None:
        raise StartError("--asterisk-metrics needs --metrics")
    if options.ready is not None and options.health is None:
        raise StartError("--ready needs --health")


class Web(Service):
    """Serves the pages. Listens from `__init__` on, so that a port that is taken is told before anything starts."""

    name = "the HTTP service"

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._tally = Tally()
        self._health = Health(daemon, self._tally)
        self._metrics: Metrics | None = None
        options = daemon.options
        wanted: dict[tuple[str, int], dict[str, Page]] = {}
        if options.health is not None:
            pages = wanted.setdefault(options.health, {})
            pages |= {"/healthz": self._health.alive, "/readyz": self._health.ready}
        if options.metrics is not None:
            from sipcore_trio.daemon.metrics import Metrics

            self._metrics = Metrics(daemon, asterisk=options.asterisk_metrics)
            wanted.setdefault(options.metrics, {})["/metrics"] = self._metrics.page
        self._servers: list[Server] = []
        try:
            for address, pages in wanted.items():
                self._servers.append(Server(address, pages, daemon.log))
        except StartError:
            self.close()
            raise

    def on_event(self, event: Event) -> None:
        """Count."""
        self._tally.tell(event)
        if self._metrics is not None:
            self._metrics.tell(event)

    def on_started(self) -> None:
        """Ready, as far as the configuration goes."""
        self._tally.load(self._daemon.agent)
        self._health.loaded = True
        for server in self._servers:
            self._tell_where(server)

    def on_reloaded(self) -> None:
        """Names may be others now."""
        self._tally.load(self._daemon.agent)

    async def run(self) -> None:
        """Serve until cancelled."""
        if self._metrics is not None:
            self._metrics.start()
        try:
            async with trio.open_nursery() as nursery:
                for server in self._servers:
                    nursery.start_soon(server.serve)
        finally:
            self.close()

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()

    def _tell_where(self, server: Server) -> None:
        address = format_address(server.address)
        self._daemon.log.info("serving %s on http://%s", ", ".join(server.pages), address)
        if not server.address[0].startswith(LOOPBACK):
            self._daemon.log.warning("http://%s is not on loopback: whoever reaches it may read it", address)
