"""`sipcore registrar`: the embedded registrar as a tool for tests."""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
from collections.abc import Iterable

import trio

from sipcore.config import MAX_EXPIRES
from sipcore.errors import ConfigError
from sipcore.events import Event, ListenFailed, Listening, MessageDropped
from sipcore.flows import Flow
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.syntax import slots
from sipcore.syntax.grammar import parse_uint, visible
from sipcore.values import Address, Protocol, Secret, format_address, is_ip_address
from sipcore_trio.daemon import codes
from sipcore_trio.daemon.logs import start_logging
from sipcore_trio.driver import Driver, now

__all__ = ["parse_listen", "parse_user", "parse_users", "registrar"]


def registrar(options: argparse.Namespace) -> int:
    """Serve until a signal comes. 2 when an address cannot be had."""
    log = start_logging(options.log_level)
    try:
        listen = [parse_listen(text) for text in options.listen]
        users = parse_users(options.user)
        policy = make_policy(options, bool(users))
    except ConfigError as error:
        value = f" {visible(str(error.value), 300)}" if error.value != "" else ""
        print(f"sipcore: {error.option}{value}: {error.expected}", file=sys.stderr)
        return codes.USAGE
    return trio.run(_serve, listen, users, policy, log)


def parse_listen(text: str) -> tuple[Protocol, Address]:
    """`udp:127.0.0.1:5070` or `tcp:[::1]:5070`. Raises `ConfigError`."""
    protocol, _, rest = text.partition(":")
    protocol = protocol.upper()
    host, _, port = rest.rpartition(":")
    number = parse_uint(port, maximum=65536)
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if protocol not in ("UDP", "TCP") or not is_ip_address(host) or number is None or number > 65535:
        raise ConfigError("--listen", text, "udp or tcp, an IP address and a port, such as udp:127.0.0.1:5070")
    return Protocol(protocol), (host, number)


def parse_user(text: str) -> tuple[str, Secret]:
    """`alice:secret`; the password may hold colons and may be empty. Raises `ConfigError`."""
    name, colon, password = text.partition(":")
    if not name or not colon:
        # What stands there may be a password.
        raise ConfigError("--user", "", "NAME:PASSWORD")
    try:
        return slots.quoted_text(name), slots.password(Secret(password))
    except slots.SlotError as error:
        raise ConfigError("--user", visible(name), error.expected) from None


def parse_users(texts: Iterable[str]) -> dict[str, Secret]:
    """The users by name. Raises `ConfigError`."""
    users: dict[str, Secret] = {}
    for text in texts:
        name, password = parse_user(text)
        if name in users:
            raise ConfigError("--user", name, "given twice")
        users[name] = password
    return users


def make_policy(options: argparse.Namespace, authenticate: bool) -> RegistrarPolicy:
    """The rules that the options describe. Raises `ConfigError`."""
    standard = RegistrarPolicy()
    lowest = standard.min_expires if options.min_expires is None else options.min_expires
    highest = standard.max_expires if options.max_expires is None else options.max_expires
    if options.min_expires is None:
        lowest = min(lowest, highest)
    if options.max_expires is None:
        highest = max(lowest, highest)
    for option, value in (("--min-expires", lowest), ("--max-expires", highest)):
        if not 1 <= value <= MAX_EXPIRES:
            raise ConfigError(option, value, f"a whole number of seconds, from 1 to {MAX_EXPIRES}")
    if lowest > highest:
        raise ConfigError("--max-expires", highest, f"at least --min-expires, which is {lowest}")
    realm = "sipcore" if options.realm is None else options.realm
    if not realm:
        raise ConfigError("--realm", realm, "text without control characters, and not empty")
    slots.fill("--realm", slots.quoted_text, realm)
    return RegistrarPolicy(
        realm=realm,
        require_authentication=authenticate,
        min_expires=lowest,
        max_expires=highest,
        default_expires=min(max(standard.default_expires, lowest), highest),
        silent=options.silent,
    )


class _LoggedRegistrar(Registrar):
    """Says what it answers."""

    log: logging.Logger

    def transmit(self, flow: Flow, data: bytes, remote: Address | None) -> None:
        peer = flow.remote or remote
        who = format_address(peer) if peer else "?"
        to = data.partition(b"\r\nTo:")[2].partition(b"\r\n")[0].partition(b">")[0].decode("utf-8", "replace")
        status = data[8:64].partition(b"\r\n")[0].decode("utf-8", "replace")
        self.log.info("%s %s: %s>: %s", who, flow.protocol, visible(to.strip()), visible(status))
        super().transmit(flow, data, remote)


async def _serve(
    listen: list[tuple[Protocol, Address]], users: dict[str, Secret], policy: RegistrarPolicy, log: logging.Logger
) -> int:
    kind = _LoggedRegistrar if log.isEnabledFor(logging.INFO) else Registrar
    agent = kind(listen, users, policy=policy, random=random.SystemRandom(), now=now())
    if isinstance(agent, _LoggedRegistrar):
        agent.log = log
    code = codes.OK
    bound: list[str] = []

    def on_event(event: Event) -> None:
        nonlocal code
        match event:
            case Listening():
                # Told when all are bound: what is told can be used, and one that fails ends all.
                bound.append(f"listening on {event.protocol.lower()}:{format_address(event.local)}")
                if len(bound) == len(listen):
                    # On stdout and flushed: who starts a registrar on port 0 has to learn the port.
                    print("\n".join(bound), flush=True)
            case ListenFailed():
                local = format_address(event.local) if event.local else "?"
                print(f"sipcore: --listen {event.protocol.lower()}:{local}: {visible(event.error)}", file=sys.stderr)
                code = codes.USAGE
                scope.cancel()
            case MessageDropped():
                log.info("dropped: %s (%d)", visible(event.cause), event.count)

    driver = Driver(agent, on_event)
    with trio.CancelScope() as scope, trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver.run)
            async for _ in signals:
                break
            nursery.cancel_scope.cancel()
    return code
