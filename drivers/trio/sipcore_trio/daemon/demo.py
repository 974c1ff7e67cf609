"""`sipcore demo`: registrars and registrations in one process on loopback, to watch and to prove.

Two registrars on ports that the system chooses, one of which never answers; registrations from a pjsip.conf written for
the occasion, so short-lived that they refresh every few seconds. What happens is compared with what should happen, and
the exit status tells.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from sipcore import asterisk
from sipcore.agent import UserAgent
from sipcore.config import Account
from sipcore.events import Event, ListenFailed, Listening, Registered, Rejected, StatusChanged
from sipcore.profiles import SIPCORE
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.values import Address, OutcomeClass, Protocol, Status, format_address
from sipcore_trio.daemon import codes
from sipcore_trio.daemon.narrator import Narrator
from sipcore_trio.daemon.render import rich_table
from sipcore_trio.daemon.views import status_json
from sipcore_trio.driver import Driver, now

if TYPE_CHECKING:
    from rich.live import Live

__all__ = ["Ledger", "Plan", "demo", "plan", "verdicts"]

LOOPBACK = "127.0.0.1"

FRAMES_PER_SECOND = 4

GOOD = ("alice", "bob", "carol")
WRONG = "mallory"
SILENT = "nobody"

TITLES = {"alice": "UDP", "bob": "TCP", "carol": "SHA-256", WRONG: "guessing", SILENT: "no answer"}

LEAVE_WITHIN = 2.0
"""Seconds for un-registering after a signal; who is in a hurry sends a second one."""

CONFIGURATION = """\
[system]
type = system
timer_t1 = {t1}
timer_b = {timeout}

[trunk](!)
type = registration
server_uri = sip:{registrar}
expiration = {expires}

[alice](trunk)
client_uri = sip:alice@demo.invalid
outbound_auth = alice

[bob](trunk)
server_uri = sip:{stream}\\;transport=tcp
client_uri = sip:bob@demo.invalid
outbound_auth = bob

[carol](trunk)
client_uri = sip:carol@demo.invalid
outbound_auth = carol

[mallory](trunk)
client_uri = sip:mallory@demo.invalid
outbound_auth = mallory

[nobody](trunk)
server_uri = sip:{silent}
client_uri = sip:nobody@demo.invalid

[user](!)
type = auth
[alice](user)
username = alice
password = wonderland
[bob](user)
username = bob
password = builder
[carol](user)
username = carol
password = singer
supported_algorithms_uac = SHA-256
[mallory](user)
username = mallory
password = guessed
"""

USERS = {"alice": "wonderland", "bob": "builder", "carol": "singer", "mallory": "not what mallory guessed"}


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds that fit into the duration: a few refreshes, and one silence that is noticed."""

    duration: float
    t1: int
    """Milliseconds; a silence is noticed after 64 times as long."""
    expires: int

    @property
    def timeout(self) -> float:
        """Seconds until a silence is noticed."""
        return 64 * self.t1 / 1000

    @property
    def leave(self) -> float:
        """Seconds for the end: an attempt that runs, the gap behind it, and a removal that nobody answers."""
        return 2 * self.timeout + 2


def plan(duration: float) -> Plan:
    """Lifetimes of at most 6 s and a timeout of at most 3.2 s, both shorter in a short demo."""
    return Plan(
        duration=duration,
        t1=max(10, min(50, int(duration / 4 / 64 * 1000))),
        expires=max(2, min(6, int(duration / 3))),
    )


@dataclass(slots=True)
class Ledger:
    """What happened."""

    registered: dict[str, int] = field(default_factory=dict)
    refreshed: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, set[OutcomeClass]] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    left: dict[str, int] = field(default_factory=dict)
    """Bindings at the registrar after the end."""
    closed: bool = False
    interrupted: int = 0
    """The signal that ended it before its time."""

    def note(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, Registered):
            counts = self.refreshed if event.refreshed else self.registered
            counts[event.name] = counts.get(event.name, 0) + 1
        elif isinstance(event, Rejected) and not event.removal:
            self.rejected.setdefault(event.name, set()).add(event.kind)
            if event.status is None:
                self.unanswered.add(event.name)


def verdicts(ledger: Ledger) -> list[tuple[bool, str]]:
    """What should have happened, and whether it did."""
    found = []
    for name in GOOD:
        times = ledger.refreshed.get(name, 0)
        found.append((ledger.registered.get(name, 0) > 0, f"{name} registered"))
        found.append((times > 0, f"{name} refreshed ({times} times)"))
        found.append((not ledger.rejected.get(name), f"{name} was never rejected"))
        found.append((ledger.left.get(name) == 0, f"{name} un-registered at the end"))
    refused = ledger.rejected.get(WRONG, set())
    found.append((OutcomeClass.CREDENTIALS in refused, f"{WRONG} was refused because of the password"))
    found.append((SILENT in ledger.unanswered, f"{SILENT} had no answer, and that is the cause shown"))
    for name in (WRONG, SILENT):
        found.append((name not in ledger.registered, f"{name} never registered"))
    found.append((ledger.closed, "nothing was left to do at the end"))
    return found


def demo(options: argparse.Namespace) -> int:
    """Run it. 0 when what was shown is what should have happened, else 1; 130 or 143 when a signal ended it."""
    code = codes.OK
    ledger = trio.run(_demo, plan(options.duration))
    if ledger is None:
        return codes.USAGE
    if ledger.interrupted:
        left = [name for name in GOOD if ledger.left.get(name)]
        print(f"interrupted: {'still registered: ' + ', '.join(left) if left else 'everything was un-registered'}")
        return codes.interrupted(ledger.interrupted)
    for good, text in verdicts(ledger):
        print(f"{'ok' if good else 'NOT OK'}: {text}")
        if not good:
            code = codes.FAILED
    return code


async def _demo(timing: Plan) -> Ledger | None:
    ledger = Ledger()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        return ledger if await _play(timing, ledger, signals) else None


async def _play(timing: Plan, ledger: Ledger, signals: AsyncIterator[int]) -> bool:
    async with trio.open_nursery() as nursery:
        policy = RegistrarPolicy(realm="demo.invalid", min_expires=1, max_expires=60, default_expires=60)
        both = await _start_registrar(nursery, (Protocol.UDP, Protocol.TCP), policy)
        mute = await _start_registrar(nursery, (Protocol.UDP,), RegistrarPolicy(silent=True))
        if both is None or mute is None:
            nursery.cancel_scope.cancel()
            return False
        configuration = asterisk.parse(
            CONFIGURATION.format(
                t1=timing.t1,
                timeout=64 * timing.t1,
                expires=timing.expires,
                registrar=format_address(both.addresses[Protocol.UDP]),
                stream=format_address(both.addresses[Protocol.TCP]),
                silent=format_address(mute.addresses[Protocol.UDP]),
            ),
            file="demo",
            profile=SIPCORE,
        )
        await _watch(configuration.accounts, timing, ledger, signals)
        for name in GOOD:
            ledger.left[name] = len(both.agent.bindings(f"sip:{name}@demo.invalid"))
        nursery.cancel_scope.cancel()
    return True


@dataclass(slots=True)
class _Running:
    agent: Registrar
    addresses: Mapping[Protocol, Address]


async def _start_registrar(
    nursery: trio.Nursery, protocols: tuple[Protocol, ...], policy: RegistrarPolicy
) -> _Running | None:
    addresses: dict[Protocol, Address] = {}
    ready = trio.Event()
    failure: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Listening):
            addresses[Protocol(event.protocol)] = event.local
        elif isinstance(event, ListenFailed):
            failure.append(event.error)
        if failure or len(addresses) == len(protocols):
            ready.set()

    listen = [(protocol, (LOOPBACK, 0)) for protocol in protocols]
    agent = Registrar(listen, USERS, policy=policy, random=random.SystemRandom(), now=now())
    nursery.start_soon(Driver(agent, on_event).run)
    await ready.wait()
    if failure:
        print(f"sipcore: no port on {LOOPBACK}: {failure[0]}", file=sys.stderr)
        return None
    return _Running(agent, addresses)


def _print_line(level: int, text: str, /, *, extra: Mapping[str, object]) -> None:
    print(f"{time.strftime('%H:%M:%S')} {logging.getLevelName(level)} {text}", flush=True)


async def _watch(accounts: tuple[Account, ...], timing: Plan, ledger: Ledger, signals: AsyncIterator[int]) -> None:
    agent = UserAgent(random=random.SystemRandom(), now=now())
    screen = _Screen.open()
    latest: dict[str, Status] = {}
    narrator = Narrator(
        _print_line,
        enabled=lambda level: True,
        wall=lambda moment: moment - now() + time.time(),
    )

    def on_event(event: Event) -> None:
        ledger.note(event)
        if isinstance(event, StatusChanged):
            # Kept here, since the agent forgets what it has removed, and the last picture shall show it.
            latest[event.status.name] = event.status
        if screen is None:
            narrator.tell(event, agent.now)

    driver = Driver(agent, on_event)
    for account in accounts:
        agent.add(account, now=now())
        latest[account.name] = agent.status(account.name)
        agent.register(account.name, now=now())
    watching = trio.CancelScope()
    leaving = trio.CancelScope()
    done = trio.Event()

    async def drive() -> None:
        await driver.run()
        done.set()

    async def obey() -> None:
        async for number in signals:
            if ledger.interrupted:
                leaving.cancel()
            ledger.interrupted = ledger.interrupted or number
            watching.cancel()
            leaving.deadline = min(leaving.deadline, trio.current_time() + LEAVE_WITHIN)

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drive)
            nursery.start_soon(obey)
            watching.deadline = trio.current_time() + timing.duration
            with watching:
                await _show(latest, screen, timing.duration)
            if screen is not None:
                screen.draw(latest.values(), "un-registering")
            leaving.deadline = min(leaving.deadline, trio.current_time() + timing.leave)
            driver.feed(agent.close)
            with leaving:
                await done.wait()
            ledger.closed = agent.closed
            if screen is not None:
                screen.draw(latest.values(), "interrupted" if ledger.interrupted else "ended")
            nursery.cancel_scope.cancel()
    finally:
        if screen is not None:
            screen.close()


async def _show(latest: Mapping[str, Status], screen: _Screen | None, duration: float) -> None:
    started = now()
    while True:
        if screen is not None:
            screen.draw(latest.values(), f"{max(0, duration - (now() - started)):.0f} s left")
        await trio.sleep(1 / FRAMES_PER_SECOND)


class _Screen:
    """Draws the table in place, on a terminal."""

    def __init__(self, live: Live) -> None:
        self._live = live
        live.start()

    @classmethod
    def open(cls) -> _Screen | None:
        """None where there is no terminal, or nothing to draw with."""
        if not sys.stdout.isatty():
            return None
        try:
            from rich.live import Live
        except ImportError:
            return None
        return cls(Live(auto_refresh=False, transient=False))

    def draw(self, statuses: Iterable[Status], title: str) -> None:
        """A new picture in place of the last."""
        wall = time.time() - now()
        items = [status_json(status, lambda moment: moment + wall) for status in statuses]
        for item in items:
            item["name"] = f"{item['name']} ({TITLES[item['name']]})"
        table = rich_table(items, time.time(), title=f"sipcore demo: {title}", compact=True)
        self._live.update(table, refresh=True)

    def close(self) -> None:
        """Leave the last picture, and give the cursor back."""
        self._live.stop()
