"""What runs beside the registrations and may fail without them: AMI, metrics, health, notes to systemd.

Theory of operation. A service is made before anything is started, so that a port that is taken or a wrong value ends
`sipcore run` with one line, and closes what was made before it. It then runs in a task of its own as long as the daemon
does, removals included, is told each event after the log was, and is told when the daemon has started, reloads and
stops. Hooks do not wait; what takes time belongs to `run`. A service that raises is dropped with one line of the log,
and the registrations go on.

To add one: subclass `Service`, write `make(daemon)`, and name both in `SERVICES` beside the option that asks for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import trio

from sipcore.events import Event

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["SERVICES", "Service", "wanted"]


class Service:
    """The base of all services; each method may be left as it is."""

    name = "a service"
    """For the log."""

    async def run(self) -> None:
        """Serve until cancelled."""
        await trio.sleep_forever()

    def on_event(self, event: Event) -> None:
        """The agent told something."""

    def on_started(self) -> None:
        """The configuration is loaded, and the first attempts are planned."""

    def on_reloading(self) -> None:
        """The configuration is about to be read again."""

    def on_refused(self, error: Exception) -> None:
        """It was read, and refused for that; nothing changed. `on_reloaded` comes all the same."""

    def on_reloaded(self) -> None:
        """It was read, or refused."""

    def on_stopping(self) -> None:
        """The bindings are about to be removed, or kept."""

    def close(self) -> None:
        """Let go of what making it took, such as a listener. Does no harm twice; `run` may never have been called."""


SERVICES: tuple[tuple[str, str], ...] = (
    ("state", "sipcore_trio.daemon.state:make"),
    ("asterisk_log", "sipcore_trio.daemon.asterisklog:make"),
    ("asterisk_metrics", "sipcore_trio.daemon.web:needs"),
    ("ready", "sipcore_trio.daemon.web:needs"),
    ("statsd", "sipcore_trio.daemon.statsd:make"),
    ("health", "sipcore_trio.daemon.web:make"),
    ("metrics", "sipcore_trio.daemon.web:make_for_metrics"),
    ("ami", "sipcore_trio.daemon.ami:needs"),
    ("manager", "sipcore_trio.daemon.ami:make"),
    ("", "sipcore_trio.daemon.notify:make"),
)
"""The option that asks for a service, and who makes it: `module:function`, called with the `Daemon`. It may raise
`StartError` or `ConfigError`, and may return None. Without an option it is always called."""


def wanted(daemon: Daemon) -> tuple[Service, ...]:
    """The services that the options ask for. Raises `StartError` and `ConfigError`, and then those that were made
    before are closed."""
    found: list[Service] = []
    try:
        for option, maker in SERVICES:
            if not option or getattr(daemon.options, option):
                module, _, name = maker.partition(":")
                service: Service | None = getattr(import_module(module), name)(daemon)
                if service is not None:
                    found.append(service)
    except BaseException:
        for service in reversed(found):
            service.close()
        raise
    return tuple(found)
