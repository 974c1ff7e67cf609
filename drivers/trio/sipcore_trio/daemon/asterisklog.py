"""`--asterisk-log`: besides our own lines those that Asterisk writes, word for word, for what looks for them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipcore.asterisk.logtext import MODULE, asterisk_log, refusal_log
from sipcore.errors import LocalProtocolError
from sipcore.events import Event, FlowLost, Registered, Rejected, Unregistered
from sipcore_trio.daemon.services import Service

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["AsteriskLog", "make"]

LEVELS = {"DEBUG": logging.DEBUG, "NOTICE": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}
"""Ours for those of Asterisk."""


def make(daemon: Daemon) -> AsteriskLog:
    """The service."""
    return AsteriskLog(daemon)


class AsteriskLog(Service):
    """Writes the lines into the daemon's log."""

    name = "the log lines of Asterisk"

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def on_refused(self, error: Exception) -> None:
        """What Asterisk would write of a fault in the file."""
        for line in refusal_log(error):
            self._daemon.log.log(LEVELS[line.level], "%s: %s", MODULE, line.text, extra={"event": "asterisk"})

    def on_event(self, event: Event) -> None:
        """What Asterisk would write."""
        match event:
            case Registered() | Rejected() | Unregistered():
                names: tuple[str, ...] = (event.name,)
            case FlowLost():
                names = event.names
            case _:
                return
        agent, log = self._daemon.agent, self._daemon.log
        for name in names:
            try:
                account = agent.account(name)
            except LocalProtocolError:
                continue  # removed by now
            for line in asterisk_log(event, account, now=agent.now):
                fields = {"event": "asterisk", "registration": name, "aor": account.aor}
                log.log(LEVELS[line.level], "%s: %s", MODULE, line.text, extra=fields)
