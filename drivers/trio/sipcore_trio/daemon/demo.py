"""`sipcore demo`: registrars and registrations in one process on loopback, to watch and to prove.

Two registrars on ports that the system chooses, one of which never answers; registrations from a pjsip.conf written for
the occasion, so short-lived that they refresh every few seconds. What happens is compared with what should happen, and
the exit status tells.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import trio

from sipcore import asterisk
from sipcore.agent import UserAgent
from sipcore.config import Account
from sipcore.events import Event, ListenFailed, Listening, Registered, Rejected
from sipcore.profiles import SIPCORE
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.values import Address, OutcomeClass, Protocol, Status, format_address
from sipcore_trio.daemon import codes
from sipcore_trio.daemon.narrator import Narrator
from sipcore_trio.daemon.render import rich_table
from sipcore_trio.daemon.views import status_json
from sipcore_trio.driver import Driver, now

__all__ = ["Ledger", "Plan", "demo", "plan", "verdicts"]

LOOPBACK = "127.0.0.1"

FRAMES_PER_SECOND = 4

GOOD = ("alice", "bob", "carol")
WRONG = "mallory"
SILENT = "nobody"

TITLES = {"alice": "UDP", "bob": "TCP", "carol": "UDP, SHA-256", WRONG: "wrong password", SILENT: "silent registrar"}

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
    """Run it. 0 when what was shown is what should have happened, else 1."""
    code = codes.OK
    ledger = trio.run(_demo, plan(options.duration))
    if ledger is None:
        return codes.USAGE
    for good, text in verdicts(ledger):
        print(f"{'ok' if good else 'NOT OK'}: {text}")
        if not good:
            code = codes.FAILED
    return code


async def _demo(timing: Plan) -> Ledger | None:
    ledger = Ledger()
    async with trio.open_nursery() as nursery:
        policy = RegistrarPolicy(realm="demo.invalid", min_expires=1, max_expires=60, default_expires=60)
        both = await _start_registrar(nursery, (Protocol.UDP, Protocol.TCP), policy)
        mute = await _start_registrar(nursery, (Protocol.UDP,), RegistrarPolicy(silent=True))
        if both is None or mute is None:
            nursery.cancel_scope.cancel()
            return None
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
        await _watch(configuration.accounts, timing, ledger)
        for name in GOOD:
            ledger.left[name] = len(both.agent.bindings(f"sip:{name}@demo.invalid"))
        nursery.cancel_scope.cancel()
    return ledger


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


async def _watch(accounts: tuple[Account, ...], timing: Plan, ledger: Ledger) -> None:
    agent = UserAgent(random=random.SystemRandom(), now=now())
    live = _live()
    narrator = Narrator(
        lambda level, text: print(f"{logging.getLevelName(level)} {text}", flush=True),
        enabled=lambda level: live is None,
        wall=lambda moment: moment - now() + time.time(),
    )

    def on_event(event: Event) -> None:
        ledger.note(event)
        if live is None:
            narrator.tell(event, agent.now)

    driver = Driver(agent, on_event)
    for account in accounts:
        agent.add(account, now=now())
        agent.register(account.name, now=now())
    async with trio.open_nursery() as nursery:
        done = trio.Event()

        async def drive() -> None:
            await driver.run()
            done.set()

        nursery.start_soon(drive)
        with trio.move_on_after(timing.duration):
            await _show(agent.statuses, live, timing.duration)
        if live is not None:
            live(agent.statuses(), "un-registering")
        driver.feed(agent.close)
        with trio.move_on_after(timing.leave):
            await done.wait()
        ledger.closed = agent.closed
        if live is not None:
            live(agent.statuses(), None)
        nursery.cancel_scope.cancel()


_Draw = Callable[[list[Status], "str | None"], None]


async def _show(statuses: Callable[[], list[Status]], draw: _Draw | None, duration: float) -> None:
    started = now()
    while True:
        if draw is not None:
            draw(statuses(), f"{max(0, duration - (now() - started)):.0f} s left")
        await trio.sleep(1 / FRAMES_PER_SECOND)


def _live() -> _Draw | None:
    """Draws the table in place, on a terminal; None where there is none."""
    if not sys.stdout.isatty():
        return None
    try:
        from rich.live import Live
    except ImportError:
        return None
    live = Live(auto_refresh=False, transient=False)
    live.start()

    def draw(statuses: list[Status], title: str | None) -> None:
        if title is None:
            live.stop()
            return
        wall = time.time() - now()
        items = [status_json(status, lambda moment: moment + wall) for status in statuses]
        for item in items:
            item["name"] = f"{item['name']} ({TITLES[item['name']]})"
        live.update(rich_table(items, time.time(), title=f"sipcore demo: {title}"), refresh=True)

    return draw
