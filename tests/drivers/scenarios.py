"""What the scenarios of all drivers use: a registrar driven by the driver under test, and raw peers."""

from __future__ import annotations

import functools
import random
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from sipcore import Account, Address, Listening, OpenFlow, Protocol, Transport
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from tests.drivers.platforms import Mailbox, Platform
from tests.drivers.script import Input, Script
from tests.secrecy import PASSWORD

__all__ = ["PATHS", "TCP", "UDP", "Boom", "Contract", "Server", "call", "every_path", "scenario", "send"]

UDP, TCP = Protocol.UDP, Protocol.TCP
PATHS = [(UDP, "127.0.0.1"), (UDP, "::1"), (TCP, "127.0.0.1"), (TCP, "::1")]
NOT_CONFIRMED = "the removal was not confirmed within"

every_path = pytest.mark.parametrize(("protocol", "host"), PATHS, ids=lambda value: str(value))


class Boom(Exception):
    """What a handler or a block raises."""


def scenario(method: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An async method of a contract, run by its platform."""

    @functools.wraps(method)
    def test(self: Contract, **fixtures: Any) -> None:
        self.platform.run(lambda: method(self, **fixtures))

    return test


class Server(NamedTuple):
    """A registrar that is driven by the driver under test."""

    registrar: Registrar
    driver: Any
    ports: Mapping[Protocol, int]
    host: str

    def account(self, user: str = "alice", protocol: Protocol = UDP, **options: Any) -> Account:
        """An account here."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        options = {"password": PASSWORD, "transport": Transport(protocol=protocol), **options}
        return Account(f"sip:{user}@{host}:{self.ports[protocol]}", **options)

    def contacts(self, account: Account) -> list[str]:
        """What is bound to an account."""
        return [binding.uri for binding in self.driver.ask(self.registrar.bindings, account.aor)]

    def policy(self, **options: Any) -> None:
        """Change the rules from now on."""
        self.registrar.policy = RegistrarPolicy(**options)


class Contract:
    """What the scenarios of all drivers use."""

    platform: Platform

    @asynccontextmanager
    async def serve(
        self, host: str = "127.0.0.1", users: Mapping[str, str] | None = None, **policy: Any
    ) -> AsyncIterator[Server]:
        """A registrar on UDP and TCP."""
        mail = self.platform.mailbox()
        registrar = Registrar(
            [(UDP, (host, 0)), (TCP, (host, 0))],
            {"alice": PASSWORD} if users is None else users,
            policy=RegistrarPolicy(**policy),
            random=random.SystemRandom(),
            now=self.platform.package.now(),
        )
        async with self.platform.drive(registrar, mail.put) as driver:
            ready = [await mail.find(Listening) for _ in (UDP, TCP)]
            yield Server(registrar, driver, {Protocol(event.protocol): event.local[1] for event in ready}, host)

    @asynccontextmanager
    async def script(self) -> AsyncIterator[tuple[Script, Any, Mailbox[Any]]]:
        """A scripted agent and its driver; inputs and events go into the mailbox."""
        mail = self.platform.mailbox()
        agent = Script(mail.put)
        async with self.platform.drive(agent, mail.put) as driver:
            yield agent, driver, mail

    async def bound(self, agent: Script, driver: Any, mail: Mailbox[Any], host: str, flow: int = 1) -> Address:
        """Open a UDP flow."""
        driver.feed(agent.put, OpenFlow(flow=flow, protocol=UDP, local=(host, 0), remote=None))
        opened = await mail.find(Input, name="flow_opened")
        assert opened.arguments[0] == flow
        local: Address = opened.arguments[1]
        return local


def _request(contact: str, method: str, sender: Address) -> tuple[bytes, Address]:
    host, _, port = contact.partition("@")[2].partition(";")[0].rpartition(":")
    lines = [
        f"{method} {contact} SIP/2.0",
        f"Via: SIP/2.0/UDP {sender[0]}:{sender[1]};branch=z9hG4bK{random.getrandbits(64):x}",
        "Max-Forwards: 70",
        "From: <sip:bob@example.com>;tag=1",
        f"To: <{contact}>",
        f"Call-ID: {random.getrandbits(64):x}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:bob@{sender[0]}:{sender[1]}>",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode(), (host, int(port))


def call(contact: str, method: str) -> str:
    """Send a request and return its answer; blocks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(10)
        peer.sendto(*_request(contact, method, peer.getsockname()))
        return peer.recv(65535).decode()


def send(contact: str, method: str) -> None:
    """Send a request without waiting for an answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.sendto(*_request(contact, method, peer.getsockname()))
