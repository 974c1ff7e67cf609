"""The gauges that Asterisk's `res_pjsip_outbound_registration` sends to StatsD, for `--statsd`.

The same names, and the same rule: all are set to 0 at the start, then each registration and each change of what is
shown adds and takes away 1. As there, each is a datagram of its own, without a line end. Unlike there all of a start or
of a reload are told as one number, and once a minute the numbers are told as they are, since a lost datagram would
otherwise be wrong for good.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from sipcore.events import Event, StatusChanged
from sipcore.values import State, format_address
from sipcore_trio.daemon.checks import StartError
from sipcore_trio.daemon.services import Service

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["StatsD", "make"]

COUNT = "PJSIP.registrations.count"

STATES = tuple(
    f"PJSIP.registrations.state.{state}" for state in (State.REGISTERED, State.UNREGISTERED, State.REJECTED)
)

RENEWAL = 60.0
"""Seconds after which the numbers are told as they are."""


def make(daemon: Daemon) -> StatsD:
    """The service. Raises `StartError` when the name of the server has no address."""
    host, port = daemon.options.statsd
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartError(f"--statsd {format_address((host, port))}: {error.strerror or error}") from None
    sock.setblocking(False)
    return StatsD(daemon, sock, address)


class StatsD(Service):
    """Sends the gauges. A datagram that cannot be sent is lost."""

    name = "StatsD"

    def __init__(self, daemon: Daemon, sock: socket.socket, address: tuple[object, ...]) -> None:
        self._daemon = daemon
        self._socket = sock
        self._address = address
        self._known: dict[str, str] = {}
        self._told: dict[str, int] = dict.fromkeys((COUNT, *STATES), 0)

    async def run(self) -> None:
        """Tell the numbers now and then."""
        try:
            while True:
                await trio.sleep(RENEWAL)
                for gauge, number in self._told.items():
                    self._send(gauge, str(number))
        finally:
            self.close()

    def close(self) -> None:
        """Send nothing more."""
        self._socket.close()

    def on_started(self) -> None:
        """All at 0, then what there is."""
        for gauge in self._told:
            self._send(gauge, "0")
        self._load()

    def on_reloaded(self) -> None:
        """Some may be new."""
        self._load()

    def on_event(self, event: Event) -> None:
        """What is shown changed, or not."""
        if isinstance(event, StatusChanged):
            status = event.status
            known = self._known.get(status.name)
            if status.state is State.STOPPED:
                if self._known.pop(status.name, None) is not None:
                    self._add({COUNT: -1, str(known): -1})
                return
            shown = f"PJSIP.registrations.state.{status.state}"
            self._known[status.name] = shown
            if known is None:
                self._add({COUNT: 1, shown: 1})
            elif known != shown:
                self._add({known: -1, shown: 1})

    def _load(self) -> None:
        agent = self._daemon.agent
        before, self._known = self._known, {}
        for name in agent.names():
            self._known[name] = before.get(name) or f"PJSIP.registrations.state.{agent.status(name).state}"
        numbers = dict.fromkeys(self._told, 0)
        numbers[COUNT] = len(self._known)
        for shown in self._known.values():
            if shown in numbers:  # one that is just being removed is shown by nobody
                numbers[shown] += 1
        self._add({gauge: number - self._told[gauge] for gauge, number in numbers.items()})

    def _add(self, changes: dict[str, int]) -> None:
        for gauge, change in changes.items():
            if change and gauge in self._told:
                self._told[gauge] += change
                self._send(gauge, f"{change:+d}")

    def _send(self, gauge: str, value: str) -> None:
        with suppress(OSError):
            self._socket.sendto(f"{gauge}:{value}|g".encode(), self._address)
