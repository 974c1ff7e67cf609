"""The daemon: one agent and one driver, from the first registration to the last answer, and what the operator asks."""

from __future__ import annotations

import argparse
import gc
import logging
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import trio

from sipcore.asterisk import Configuration
from sipcore.errors import ConfigError, LocalProtocolError
from sipcore.events import Event, Rejected, Unregistered
from sipcore.profiles import PROFILES
from sipcore.settings import Written
from sipcore.syntax.grammar import visible
from sipcore_trio.daemon import codes
from sipcore_trio.daemon.checks import (
    StartError,
    check_addresses,
    descriptors_needed,
    load_file,
    raise_descriptors,
)
from sipcore_trio.daemon.control import ControlSocket, RequestError
from sipcore_trio.daemon.logs import fault, show_trace
from sipcore_trio.daemon.narrator import Narrator, counted, listed
from sipcore_trio.daemon.recording import RecordedAgent, RecordFile
from sipcore_trio.daemon.requests import EVERY, Requests
from sipcore_trio.daemon.services import Service
from sipcore_trio.daemon.state import State
from sipcore_trio.daemon.tracer import TracedAgent
from sipcore_trio.driver import Driver, now

__all__ = ["ENDING", "Daemon"]

ENDING = (signal.SIGTERM, signal.SIGINT)
"""Signals that end the daemon."""

STOP_WITHIN = 10.0
"""Seconds for the answers to un-REGISTER when nobody says how many: less than systemd waits before it kills, and enough
for three copies of each."""

READ_WITHIN = 300.0
"""Seconds to read a configuration at a reload: ten times what a hundred thousand registrations take, and an end for a
file on a server that is gone."""

STOPS_PER_SECOND = 500
"""A second more for each so many registrations: few registrars are slower than that."""

GC_THRESHOLDS = (50_000, 20, 50)
"""Registrations make little garbage in cycles, and a collection visits every object that is not frozen."""


class Daemon:
    """One agent, one driver, one control socket."""

    def __init__(
        self,
        options: argparse.Namespace,
        configuration: Configuration,
        control: ControlSocket,
        log: logging.Logger,
        record: RecordFile | None = None,
    ) -> None:
        self.options = options
        self.profile = PROFILES[options.profile]
        self.log = log
        self.control = control
        self.record = record
        self.agent: TracedAgent
        self.recorder: RecordedAgent | None = None
        """The agent, when it records."""
        self.driver: Driver
        self.state: State | None = None
        """What is remembered over the end, with `--state`."""
        self.keeps_bindings = options.state is not None
        """What the end does."""
        self.services: tuple[Service, ...] = ()
        """What runs beside the registrations."""
        self.written: Mapping[str, Written] = {}
        """What else the configuration says of each registration, for those who print it."""
        self.watchers: tuple[Callable[[Event], None], ...] = ()
        """Who follows the changes over the control socket."""
        self.started = self.loaded = 0.0
        """When the first configuration came into force, and when the one that is, on the clock of the driver."""
        self._first: Configuration | None = configuration
        self._held = frozenset(configuration.binds)
        self._stopping = trio.Event()
        self._stopped = trio.Event()
        self._reloading = trio.Lock()
        self._unremoved: dict[str, None] = {}
        self._fault = ""
        self.code = codes.OK
        """The exit status."""

    async def main(self) -> None:
        """Everything, from the first REGISTER to the last."""
        self.agent = self._make_agent()
        self.driver = self._make_driver()
        if self.recorder is not None and self.record is not None:
            self.recorder.record_to(self.record, now=self.driver.now())
        self.narrator = Narrator(self.log.log, enabled=self.log.isEnabledFor, wall=self.wall, aor=self._aor)
        if self.options.trace:
            self.agent.looks += (show_trace,)
        with trio.open_signal_receiver(*ENDING, signal.SIGHUP) as signals:
            if not signal.sigpending().isdisjoint(ENDING):
                return
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._guarded, self._signals, signals, nursery.cancel_scope)
                nursery.start_soon(self._guarded, self.control.serve, Requests(self).handle)
                for service in self.services:
                    nursery.start_soon(self._serve, service)
                try:
                    self._begin()
                except Exception as error:
                    self._fail(error)
                nursery.start_soon(self._drive)
                await self._stopping.wait()
                await self._stop()
                nursery.cancel_scope.cancel()

    def _make_agent(self) -> TracedAgent:
        if self.options.no_ring and self.record is None:
            return TracedAgent(random=random.SystemRandom(), now=now(), **self._remembering())
        self.recorder = RecordedAgent(
            random=random.SystemRandom(), now=now(), ring=not self.options.no_ring, **self._remembering()
        )
        return self.recorder

    def _remembering(self) -> dict[str, Any]:
        if self.state is None:
            return {}
        return {"snapshot": self.state.records, "wall": time.time(), "remembers": True}

    def _make_driver(self) -> Driver:
        return Driver(self.agent, self.on_event, remember=None if self.state is None else self.state.write)

    def wall(self, moment: float) -> float:
        """A time of the agent as wall-clock time."""
        return moment - self.driver.now() + time.time()

    def on_event(self, event: Event) -> None:
        """What the agent tells."""
        try:
            self.narrator.tell(event, self.agent.now)
        except Exception as error:
            self._fail(error)
        for watcher in self.watchers:
            watcher(event)
        for service in self.services:
            self._tell(service, service.on_event, event)
        if not self._stopping.is_set():
            return
        if isinstance(event, Rejected) and event.removal and event.retry_at is None:
            self._unremoved[event.name] = None
        elif isinstance(event, Unregistered):
            self._unremoved.pop(event.name, None)

    async def _serve(self, service: Service) -> None:
        try:
            await service.run()
        except Exception as error:
            self._drop(service, error)

    def _tell(self, service: Service, hook: Callable[..., None], *arguments: object) -> None:
        try:
            hook(*arguments)
        except Exception as error:
            self._drop(service, error)

    def _drop(self, service: Service, error: Exception) -> None:
        # The registrations matter more than what looks at them.
        self.log.error("internal error, %s ends: %s", service.name, fault(error))
        self.services = tuple(one for one in self.services if one is not service)
        with suppress(Exception):
            service.close()

    def _each(self, hook: str) -> None:
        for service in self.services:
            self._tell(service, getattr(service, hook))

    def _aor(self, name: str) -> str | None:
        try:
            return self.agent.account(name).aor
        except LocalProtocolError:
            return None  # removed by now

    # --- beginning and end -----------------------------------------------------------------------------------------

    async def _drive(self) -> None:
        try:
            try:
                await self.driver.run()
            except Exception as error:
                self._fail(error)
                self._replace_driver()
                await self.driver.run()
        except Exception as error:
            self._fail(error)
        self._stopped.set()

    def _replace_driver(self) -> None:
        # The sockets went with the old one; over new ones the bindings can still be removed.
        self.driver = self._make_driver()
        for flow in tuple(self.agent.flows):
            self.driver.feed(self.agent.flow_closed, flow, "internal error")

    async def _guarded(self, function: Callable[..., Awaitable[None]], *arguments: object) -> None:
        try:
            await function(*arguments)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        # What must not happen did. The bindings are removed all the same, and the exit status tells.
        text = fault(error)
        if text != self._fault:  # one that comes with every event is told once
            self.log.error("internal error, the daemon ends: %s", text)
        self._fault = text
        self.code = codes.FAILED
        self._stopping.set()

    def _begin(self) -> None:
        configuration, self._first = self._first, None
        assert configuration is not None
        accounts = configuration.accounts
        self.log.info(
            "%s: %s, profile %s, control socket %s",
            configuration.file,
            counted(len(accounts), "registration"),
            # A TOML file says itself which, and it can be several.
            " and ".join(dict.fromkeys(account.profile.name for account in accounts)),
            self.control.path,
        )
        self.started = self.loaded = now = self.driver.now()
        self.agent.identify = configuration.identify
        self.written = configuration.written
        for account in accounts:
            self.agent.add(account, now=now)
        del configuration, accounts
        for name in self.agent.names():
            self.agent.register(name, now=now)
        self._tidy()
        self._each("on_started")

    def _tidy(self) -> None:
        # What was loaded stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        gc.enable()

    async def _stop(self) -> None:
        self._each("on_stopping")
        registered = len(self.agent.names())
        keeps = self.keeps_bindings and self.state is not None
        doing = "keeping" if keeps else "removing"
        self.log.info("stopping: %s the bindings of %s", doing, counted(registered, "registration"))
        bound = self.options.stop_within or STOP_WITHIN + registered / STOPS_PER_SECOND
        try:
            if keeps and self.state is not None:
                self.state.save()
            self.driver.feed(self.agent.close, unregister=not keeps)
        except Exception as error:
            self._fail(error)
        else:
            with trio.move_on_after(bound):
                await self._stopped.wait()
        left = self.agent.names()
        if left:
            removals = counted(len(left), "removal")
            self.log.warning("stopped: %s not confirmed within %g s: %s", removals, bound, listed(left))
        still = frozenset(left)
        failed = tuple(name for name in self._unremoved if name not in still)
        if failed:
            self.log.warning("stopped: %s failed: %s", counted(len(failed), "removal"), listed(failed))
        if not left and not failed:
            self.log.info("stopped")

    async def _signals(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        async with trio.open_nursery() as nursery:
            async for number in signals:
                if number == signal.SIGHUP:
                    # One that waits reads the file later than this signal came, so that it serves for both. A file
                    # that is slow to read does not keep the other signals waiting.
                    if not self._reloading.statistics().tasks_waiting:
                        nursery.start_soon(self._guarded, self._reload_on_signal)
                elif self._stopping.is_set():
                    self.log.warning("stopped by a second %s: the bindings left stand until they lapse", _name(number))
                    scope.cancel()
                else:
                    self._stopping.set()

    async def _reload_on_signal(self) -> None:
        # When it is refused that was logged, and nothing changed.
        with suppress(RequestError):
            await self.reload()

    async def reload(self) -> tuple[int, list[str]]:
        """Read the file again and change what changed; returns how many registrations there are now, and warnings.

        Raises `RequestError`, and then nothing changed.
        """
        async with self._reloading:
            options = self.options
            self._each("on_reloading")
            try:
                # In a thread: a large file takes its time, and refreshes are due meanwhile. One that never ends (a file
                # on a server that is gone) is left to itself when the daemon ends.
                with trio.fail_after(READ_WITHIN):
                    configuration, warnings = await trio.to_thread.run_sync(
                        lambda: load_file(options.config, self.profile, strict_permissions=options.strict_permissions),
                        abandon_on_cancel=True,
                    )
                if self._stopping.is_set():
                    raise RequestError("the daemon is stopping")
                raise_descriptors(descriptors_needed(configuration.accounts))
                check_addresses(configuration.binds.items(), held=self._held)
                self._held |= frozenset(configuration.binds)
                self.driver.feed(self.agent.reload, configuration.accounts)
                self.agent.identify = configuration.identify
                self.written = configuration.written
                self.loaded = self.driver.now()
            except (ConfigError, StartError, LocalProtocolError) as error:
                self.log.error("reload refused, nothing changed: %s", visible(str(error), 1000))
                for service in self.services:
                    self._tell(service, service.on_refused, error)
                raise RequestError(str(error), codes.USAGE) from None
            except trio.TooSlowError:
                text = f"{options.config}: file: is not read within {READ_WITHIN:g} s"
                self.log.error("reload refused, nothing changed: %s", text)
                raise RequestError(text, codes.USAGE) from None
            except RequestError:
                raise
            except Exception as error:
                self.log.error("reload failed, internal error: %s", fault(error))
                raise RequestError("internal error") from None
            finally:
                self._each("on_reloaded")
            for warning in warnings:
                self.log.warning("%s", visible(warning, 1000))
            count = len(configuration.accounts)
            self.log.info("reloaded %s: %s", options.config, counted(count, "registration"))
            del configuration
            self._tidy()
            return count, warnings

    # --- what operators do -----------------------------------------------------------------------------------------

    def stop(self, *, unregister: bool) -> None:
        """End; without a state the bindings are removed in any case."""
        self.keeps_bindings = not unregister
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """True when the end has begun."""
        return self._stopping.is_set()

    def send(self, command: str, name: str) -> tuple[int, int]:
        """`register` or `unregister` one registration, or all for `EVERY`: how many, and how many were skipped, since
        they are just being removed. Raises `RequestError`."""
        names = self.agent.names() if name == EVERY else (self.known(name),)
        method = self.agent.register if command == "register" else self.agent.unregister
        now = self.driver.now()
        skipped = 0
        for one in names:
            try:
                method(one, now=now)
            except LocalProtocolError as error:
                if name != EVERY:
                    raise RequestError(str(error)) from None
                skipped += 1
        self.driver.drain()
        return len(names) - skipped, skipped

    def known(self, name: str) -> str:
        """The name, when a registration has it. Raises `RequestError`, which knows the nearest."""
        names = self.agent.names()
        if name not in names:
            from difflib import get_close_matches

            close = get_close_matches(name, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise RequestError(f"there is no registration {name!r}{hint}")
        return name


def _name(number: int) -> str:
    return signal.Signals(number).name
