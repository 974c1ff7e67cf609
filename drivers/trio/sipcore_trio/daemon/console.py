"""Asterisk's command line, as far as it concerns registrations: what its commands see of the daemon.

AMI's `Command`, `sipcore -rx` and `show --asterisk` share it; what is said is decided by `sipcore.asterisk.cli`.
"""

from __future__ import annotations

import time
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from sipcore.asterisk.cli import Output, reloaded, run_command
from sipcore.config import Account
from sipcore.errors import LocalProtocolError
from sipcore.settings import Written
from sipcore.values import Status
from sipcore_trio.daemon.commands.grammar import DISTRIBUTION
from sipcore_trio.daemon.control import RequestError

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["DaemonView", "command"]


async def command(daemon: Daemon, line: str) -> Output:
    """Carry out one command line, a reload included."""
    output = run_command(line, DaemonView(daemon), now=daemon.driver.now())
    if output.reload is None:
        return output
    try:
        await daemon.reload()
    except RequestError as error:
        return reloaded(output.reload, str(error))
    return reloaded(output.reload, None)


class DaemonView:
    """What commands see of a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    @property
    def started(self) -> float:
        """When the configuration was first in force."""
        return self._daemon.started

    @property
    def loaded(self) -> float:
        """When the configuration that is in force was read."""
        return self._daemon.loaded

    @property
    def version(self) -> str:
        """The version of the distribution."""
        try:
            return version(DISTRIBUTION)
        except PackageNotFoundError:
            return "unknown"

    def names(self) -> tuple[str, ...]:
        """All registrations."""
        return self._daemon.agent.names()

    def status(self, name: str) -> Status:
        """Raises `LocalProtocolError`."""
        return self._daemon.agent.status(name)

    def began(self, name: str) -> float | None:
        """When its last attempt began. Raises `LocalProtocolError`."""
        return self._daemon.agent.began(name)

    def account(self, name: str) -> Account:
        """Raises `LocalProtocolError`."""
        return self._daemon.agent.account(name)

    def written(self, name: str) -> Written | None:
        """What else the file says of it."""
        return self._daemon.written.get(name)

    def register(self, name: str) -> None:
        """Raises `LocalProtocolError`."""
        self._check()
        self._daemon.driver.feed(self._daemon.agent.register, name)

    def unregister(self, name: str) -> None:
        """Raises `LocalProtocolError`."""
        self._check()
        self._daemon.driver.feed(self._daemon.agent.unregister, name)

    def wall(self, moment: float) -> float:
        """A time of the agent as wall-clock time."""
        return self._daemon.wall(moment)

    def local(self, moment: float) -> tuple[str, str]:
        """A time of the agent as local date and time of day."""
        local = time.localtime(self._daemon.wall(moment))
        return time.strftime("%Y-%m-%d", local), time.strftime("%H:%M:%S", local)

    def _check(self) -> None:
        if self._daemon.stopping:
            raise LocalProtocolError("the daemon is stopping")
