"""The sockets of AMI, for `--manager FILE`: off unless it is asked for, and on loopback only.

What is said is decided by `sipcore.asterisk.ami`. Here a client gets two tasks, one that reads as long as the session
wants more and one that writes what it has to say. Who does not read for a while is dropped, so that nobody who looks
can hold up a registration.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from sipcore.asterisk.ami import AmiSession, Manager
from sipcore.asterisk.ami_settings import ManagerSettings, load_manager, loopback_address
from sipcore.asterisk.syntax import decode
from sipcore.events import Event
from sipcore.settings import Verdict
from sipcore.syntax.grammar import visible
from sipcore.values import Address, format_address
from sipcore_sync.sockets import error_text, listen_streams
from sipcore_trio.daemon.accepting import accept
from sipcore_trio.daemon.checks import StartError, SystemFiles, check_permissions
from sipcore_trio.daemon.console import DaemonView
from sipcore_trio.daemon.control import RequestError
from sipcore_trio.daemon.logs import fault
from sipcore_trio.daemon.services import Service

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

__all__ = ["AmiServer", "AmiService", "load_settings", "make", "needs"]

SEND_TIMEOUT = 10.0
"""Seconds for the client to take one piece."""

PIECE = 4096
"""Bytes that are read at once."""

Reload = Callable[[], Awaitable[str | None]]
"""Reads the configuration again; returns why it was refused, or None."""


class AmiServer:
    """Answers clients on one address. Listens from `__init__` on; raises `StartError` when it cannot."""

    def __init__(self, address: Address, log: logging.Logger) -> None:
        if loopback_address(address[0]) is None:
            raise StartError(f"AMI on {format_address(address)}: only a loopback address is listened on")
        try:
            self._listener = listen_streams(address)
        except OSError as error:
            raise StartError(f"AMI on {format_address(address)}: {error_text(error)}") from None
        self._listener.setblocking(False)
        self.address: Address = self._listener.getsockname()[:2]
        """Where it listens, with the port that the system chose for 0."""
        self._log = log
        self._links: dict[AmiSession, _Link] = {}

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    async def serve(self, manager: Manager, *, now: Callable[[], float], reload: Reload) -> None:
        """Answer until cancelled."""
        acceptor = trio.SocketListener(trio.socket.from_stdlib_socket(self._listener))
        async with trio.open_nursery() as nursery:
            while True:
                stream = await accept(acceptor)
                session = _admit(manager, stream.socket, now())
                if session is None:
                    stream.socket.close()
                    continue
                link = self._links[session] = _Link(stream, session, now, reload)
                nursery.start_soon(self._session, manager, link)

    def wake(self) -> None:
        """Sessions may have something to say."""
        for link in self._links.values():
            link.wake.set()

    async def _session(self, manager: Manager, link: _Link) -> None:
        session = link.session
        try:
            await link.run()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # it left, or does not read
        except* Exception as error:
            # A fault in what one client asked for is no reason to end the others.
            self._log.error("internal error in a session of AMI: %s", fault(error))
        finally:
            manager.disconnected(session)
            del self._links[session]
            link.stream.socket.close()
        if session.refused is not None:
            self._log.warning("AMI: %s failed to authenticate as '%s'", session.remote, visible(session.refused))


class _Link:
    """One client's connection."""

    def __init__(
        self, stream: trio.SocketStream, session: AmiSession, now: Callable[[], float], reload: Reload
    ) -> None:
        self.stream = stream
        self.session = session
        self.wake = trio.Event()
        self._room = trio.Event()
        self._now = now
        self._reload = reload
        self._ended = False
        """The client says no more."""
        self._reloading = False

    async def run(self) -> None:
        """Until either side ends it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            await self._write(nursery)
            nursery.cancel_scope.cancel()

    async def _read(self) -> None:
        while True:
            while not self.session.hungry:
                if self.session.ended:
                    return
                self._room = trio.Event()
                await self._room.wait()
            data = await self.stream.receive_some(PIECE)
            if not data:
                self._ended = True
                self.wake.set()
                return
            self.session.receive(data, now=self._now())
            self.wake.set()

    async def _write(self, nursery: trio.Nursery) -> None:
        session = self.session
        while True:
            # Set again by whatever happens from here on.
            self.wake = trio.Event()
            session.handle_deadline(now=self._now())
            data = session.take(now=self._now())
            self._room.set()
            if data:
                with trio.fail_after(SEND_TIMEOUT):
                    await self.stream.send_all(data)
                continue
            if session.ended or (self._ended and session.wants_reload is None):
                return
            if session.wants_reload is not None and not self._reloading:
                self._reloading = True
                nursery.start_soon(self._do_reload)
            deadline = session.next_deadline()
            with trio.CancelScope() as scope:
                if deadline is not None:
                    scope.deadline = trio.current_time() + max(deadline - self._now(), 0.0)
                await self.wake.wait()

    async def _do_reload(self) -> None:
        error = await self._reload()
        # From here on another one may be asked for.
        self._reloading = False
        self.session.reloaded(error, now=self._now())
        self.wake.set()


def _admit(manager: Manager, sock: trio.socket.SocketType, now: float) -> AmiSession | None:
    try:
        remote = sock.getpeername()[0]
    except OSError:
        return None  # it left again
    return manager.connect(remote, now=now)


# --- in the daemon ---------------------------------------------------------------------------------------------------


def load_settings(path: str, *, strict_permissions: bool) -> tuple[ManagerSettings, list[str]]:
    """Read a manager.conf; also what to warn about. Raises `ConfigError` and `StartError`."""
    files = SystemFiles()
    try:
        data = files.read(path)
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror or error}") from None
    settings = load_manager(decode(data), file=path, files=files)
    unused = [note for note in settings.notes if note.verdict is Verdict.UNUSED]
    warnings = [*settings.warnings, *(f"{note.where}: {note.option}: {note.verdict}" for note in unused)]
    exposed = [text for text in map(check_permissions, settings.files) if text is not None]
    if exposed and strict_permissions:
        raise StartError(exposed[0])
    return settings, warnings + exposed


def needs(daemon: Daemon) -> None:
    """Raises `StartError` when there is no AMI for the option."""
    if not daemon.options.manager:
        raise StartError("--ami: needs --manager, which says who may log in")


def make(daemon: Daemon) -> AmiService:
    """The service. Raises `StartError` and `ConfigError`."""
    settings, warnings = load_settings(daemon.options.manager, strict_permissions=daemon.options.strict_permissions)
    address = daemon.options.ami
    if address is None and not settings.enabled:
        raise StartError(f"{settings.file}: enabled is not yes; say so there, or where to listen with --ami")
    if not settings.users:
        raise StartError(f"{settings.file}: has no user who could log in")
    for warning in warnings:
        daemon.log.warning("%s", visible(warning, 1000))
    return AmiService(daemon, settings, AmiServer(address or settings.address, daemon.log))


class AmiService(Service):
    """AMI beside the registrations of a daemon."""

    name = "AMI"

    def __init__(self, daemon: Daemon, settings: ManagerSettings, server: AmiServer) -> None:
        self._daemon = daemon
        self._server = server
        self._manager = Manager(settings, DaemonView(daemon), random=random.SystemRandom())
        daemon.log.info("AMI on %s", format_address(server.address))

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            await self._server.serve(self._manager, now=self._daemon.driver.now, reload=self._reload)
        finally:
            self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def on_event(self, event: Event) -> None:
        """The agent told something."""
        self._manager.tell(event, now=self._daemon.driver.now())
        self._server.wake()

    def on_reloaded(self) -> None:
        """It was read again, or refused."""
        self._manager.learn()

    async def _reload(self) -> str | None:
        try:
            await self._daemon.reload()
        except RequestError as error:
            return str(error)
        return None
