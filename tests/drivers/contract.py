"""What every driver has to do: commands on real sockets, and the convenience API against the embedded registrar.

A driver's own test file only plugs a platform in. Nothing here sleeps or compares wall time: scenarios wait for what has
to happen, with a fail-safe around them.
"""

from __future__ import annotations

import functools
import logging
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from sipcore_sync.flows import DATAGRAMS, MAX_QUEUED

from sipcore import (
    Account,
    Address,
    CloseFlow,
    CloseListener,
    FlowLost,
    InboundRequest,
    Listen,
    ListenFailed,
    Listening,
    OpenFlow,
    OutcomeClass,
    Protocol,
    Record,
    RecordKind,
    Registered,
    Rejected,
    Resolve,
    State,
    Status,
    StatusChanged,
    Timing,
    Transmit,
    Transport,
)
from sipcore.client import Wait
from sipcore.errors import ConfigError, LocalProtocolError, RegistrationFailed
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from tests.drivers.platforms import AsyncPlatform, Mailbox, Platform
from tests.drivers.script import Input, Script, Told

__all__ = ["AsyncDriverContract", "DriverContract"]

UDP, TCP = Protocol.UDP, Protocol.TCP
PATHS = [(UDP, "127.0.0.1"), (UDP, "::1"), (TCP, "127.0.0.1"), (TCP, "::1")]
NOT_CONFIRMED = "the removal was not confirmed within"

every_path = pytest.mark.parametrize(("protocol", "host"), PATHS, ids=lambda value: str(value))


class Boom(Exception):
    """What a handler or a block raises."""


def scenario(method: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An async method of a contract, run by its platform."""

    @functools.wraps(method)
    def test(self: DriverContract, **fixtures: Any) -> None:
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
        options = {"password": "secret", "transport": Transport(protocol=protocol), **options}
        return Account(f"sip:{user}@{host}:{self.ports[protocol]}", **options)

    def contacts(self, account: Account) -> list[str]:
        """What is bound to an account."""
        return [binding.uri for binding in self.driver.ask(self.registrar.bindings, account.aor)]

    def policy(self, **options: Any) -> None:
        """Change the rules from now on."""
        self.registrar.policy = RegistrarPolicy(**options)


class DriverContract:
    """For all drivers."""

    platform: Platform

    # --- helpers ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def serve(
        self, host: str = "127.0.0.1", users: Mapping[str, str] | None = None, **policy: Any
    ) -> AsyncIterator[Server]:
        """A registrar on UDP and TCP."""
        mail = self.platform.mailbox()
        registrar = Registrar(
            [(UDP, (host, 0)), (TCP, (host, 0))],
            {"alice": "secret"} if users is None else users,
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
        return opened.arguments[1]

    # --- commands --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    @pytest.mark.requirement("RFC3261-18-01")
    @scenario
    async def test_datagrams_pass_both_ways_and_an_empty_one_is_no_end(self, host: str) -> None:
        async with self.script() as (agent, driver, mail):
            one = await self.bound(agent, driver, mail, host, 1)
            two = await self.bound(agent, driver, mail, host, 2)
            assert one[0] == host
            driver.feed(
                agent.put,
                Transmit(flow=1, data=b"ping", remote=two),
                Transmit(flow=1, data=b"", remote=two),
                Transmit(flow=2, data=b"pong", remote=one),
            )
            seen = [(await mail.find(Input, name="receive")).arguments for _ in range(3)]
            assert sorted(seen) == [(1, b"pong", two), (2, b"", one), (2, b"ping", one)]

    @scenario
    async def test_a_burst_of_datagrams_is_read_whole_and_in_order(self) -> None:
        async with self.script() as (agent, driver, mail):
            one = await self.bound(agent, driver, mail, "127.0.0.1")
            count = 3 * DATAGRAMS + 1
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                for number in range(count):
                    peer.sendto(b"%d" % number, one)
            seen = [(await mail.find(Input, name="receive")).arguments[1] for _ in range(count)]
            assert seen == [b"%d" % number for number in range(count)]

    @pytest.mark.requirement("RFC3261-18.1.1-03")
    @scenario
    async def test_the_longest_datagram_arrives_whole(self) -> None:
        async with self.script() as (agent, driver, mail):
            one = await self.bound(agent, driver, mail, "127.0.0.1")
            longest = b"x" * 65507  # 65535 less the IPv4 and UDP headers
            driver.feed(agent.put, Transmit(flow=1, data=longest, remote=one))
            assert (await mail.find(Input, name="receive")).arguments[1] == longest

    @scenario
    async def test_a_datagram_that_cannot_be_sent_ends_nothing_but_itself(self) -> None:
        async with self.script() as (agent, driver, mail):
            one = await self.bound(agent, driver, mail, "127.0.0.1")
            driver.feed(agent.put, Transmit(flow=1, data=b"x" * 70000, remote=one), Transmit(flow=1, data=b"y", remote=one))
            failed = await mail.find(Input, name="transmit_failed")
            assert failed.arguments == (1, one, "Message too long")
            assert (await mail.find(Input, name="receive")).arguments[1] == b"y"

    @pytest.mark.skipif(sys.platform != "linux", reason="IP_RECVERR is Linux's")
    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    @pytest.mark.requirement("RFC3261-18.4-01", "RFC3261-17.1.4-01")
    @scenario
    async def test_a_closed_port_is_told_at_once_and_of_its_own_remote(self, host: str) -> None:
        async with self.script() as (agent, driver, mail):
            one = await self.bound(agent, driver, mail, host, 1)
            two = await self.bound(agent, driver, mail, host, 2)
            gone = await self.bound(agent, driver, mail, host, 3)
            driver.feed(
                agent.put,
                CloseFlow(flow=3),
                Transmit(flow=1, data=b"into the void", remote=gone),
                # The report about the void comes with the next call; this datagram must not suffer for it.
                Transmit(flow=1, data=b"ping", remote=two),
            )
            seen = [await mail.find(Input) for _ in range(2)]
            assert sorted(item[:2] for item in seen) == [
                ("receive", (2, b"ping", one)),
                ("transmit_failed", (1, gone, "Connection refused")),
            ]

    @scenario
    async def test_a_port_in_use_is_a_closed_flow_and_a_failed_listener(self) -> None:
        async with self.script() as (agent, driver, mail):
            taken = await self.bound(agent, driver, mail, "127.0.0.1")
            driver.feed(agent.put, OpenFlow(flow=2, protocol=UDP, local=taken, remote=None))
            assert (await mail.get())[:2] == ("flow_closed", (2, "Address already in use"))
            driver.feed(agent.put, Listen(listener=1, protocol=TCP, local=("127.0.0.1", 0)))
            _, local = (await mail.find(Input, name="listening")).arguments
            driver.feed(agent.put, Listen(listener=2, protocol=TCP, local=local))
            assert (await mail.get())[:2] == ("listen_failed", (2, "Address already in use"))

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    @pytest.mark.requirement("RFC3261-18-01")
    @scenario
    async def test_a_stream_is_accepted_used_and_closed(self, host: str) -> None:
        async with self.script() as (agent, driver, mail):
            driver.feed(agent.put, Listen(listener=1, protocol=TCP, local=(host, 0)))
            _, local = (await mail.find(Input, name="listening")).arguments
            assert local[0] == host
            driver.feed(agent.put, OpenFlow(flow=1, protocol=TCP, local=None, remote=local))
            told = {item.name: item.arguments for item in [await mail.find(Input) for _ in range(2)]}
            _, ours, remote = told["flow_opened"]
            assert remote == local
            listener, accepted, at, source = told["flow_accepted"]
            assert (listener, at, source) == (1, local, ours)
            driver.feed(agent.put, Transmit(flow=1, data=b"hello"))
            assert (await mail.find(Input)).arguments == (accepted, b"hello", None)
            driver.feed(agent.put, Transmit(flow=accepted, data=b"welcome"), CloseFlow(flow=accepted))
            assert (await mail.find(Input)).arguments == (1, b"welcome", None)
            assert (await mail.find(Input))[:2] == ("flow_closed", (1, None))
            driver.feed(agent.put, CloseListener(listener=1))
            driver.feed(agent.put, OpenFlow(flow=2, protocol=TCP, local=None, remote=local))
            assert (await mail.find(Input))[:2] == ("flow_closed", (2, "Connection refused"))

    @pytest.mark.requirement("RFC3261-18.4-02")
    @scenario
    async def test_a_reset_stream_is_told_with_its_error(self) -> None:
        async with self.script() as (agent, driver, mail):
            with socket.create_server(("127.0.0.1", 0)) as server:
                driver.feed(agent.put, OpenFlow(flow=1, protocol=TCP, local=None, remote=server.getsockname()))
                await mail.find(Input, name="flow_opened")
                accepted, _ = server.accept()
                # Linger with zero seconds makes the close a reset.
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                accepted.close()
                assert (await mail.find(Input))[:2] == ("flow_closed", (1, "Connection reset by peer"))

    @scenario
    async def test_a_closed_flow_sends_what_is_queued(self) -> None:
        async with self.script() as (agent, driver, mail):
            with socket.create_server(("127.0.0.1", 0)) as server:
                driver.feed(agent.put, OpenFlow(flow=1, protocol=TCP, local=None, remote=server.getsockname()))
                await mail.find(Input, name="flow_opened")
                accepted, _ = server.accept()
                # Enough to fill what the kernel takes; the rest has to wait in the driver.
                total = _fill(driver, agent)
                driver.feed(agent.put, Transmit(flow=1, data=b"the end"), CloseFlow(flow=1))
                driver.feed(agent.put, Transmit(flow=1, data=b"nothing is sent after CloseFlow"))
                received = await self.platform.elsewhere(_read_all, accepted)
                assert received == total + len(b"the end")

    @scenario
    async def test_a_stream_whose_peer_does_not_read_is_closed(self) -> None:
        async with self.script() as (agent, driver, mail):
            with socket.create_server(("127.0.0.1", 0)) as server:
                driver.feed(agent.put, OpenFlow(flow=1, protocol=TCP, local=None, remote=server.getsockname()))
                await mail.find(Input, name="flow_opened")
                accepted, _ = server.accept()
                with accepted:
                    _fill(driver, agent)
                    driver.feed(agent.put, *[Transmit(flow=1, data=b"x" * 65536)] * (MAX_QUEUED // 65536 + 1))
                    assert (await mail.find(Input))[:2] == ("flow_closed", (1, "the peer reads too slowly"))

    @scenario
    async def test_questions_are_answered(self) -> None:
        async with self.script() as (agent, driver, mail):
            for query, name, kind in [
                (1, "localhost", RecordKind.A),
                (2, "127.0.0.1", RecordKind.SOURCE),
                (3, "::1", RecordKind.SOURCE),
                (4, "::1", RecordKind.AAAA),
            ]:
                driver.feed(agent.put, Resolve(query=query, name=name, kind=kind))
            answers = dict([(await mail.find(Input, name="resolved")).arguments for _ in range(4)])
            assert answers == {
                1: (Record("127.0.0.1"),),
                2: (Record("127.0.0.1"),),
                3: (Record("::1"),),
                4: (Record("::1"),),
            }
            driver.feed(agent.put, Resolve(query=5, name="a..b", kind=RecordKind.A))
            failed = await mail.find(Input)
            assert failed.name == "resolve_failed"
            assert failed.arguments[0] == 5

    @scenario
    async def test_a_deadline_is_kept_also_one_that_moved_earlier(self) -> None:
        async with self.script() as (agent, driver, mail):
            agent.deadline = driver.now() + 1000
            driver.feed(agent.put)
            agent.deadline = due = driver.now() + 0.02
            driver.feed(agent.put)
            assert (await mail.find(Input, name="handle_deadline")).now >= due

    @scenario
    async def test_outputs_of_a_handler_come_behind_what_is_queued(self) -> None:
        mail = self.platform.mailbox()
        agent = Script()

        def on_event(event: Any) -> None:
            mail.put(event)
            if event.text == "first":
                driver.feed(agent.put, Told(text="third"))

        async with self.platform.drive(agent, on_event) as driver:
            driver.feed(agent.put, Told(text="first"), Told(text="second"))
            assert [(await mail.get()).text for _ in range(3)] == ["first", "second", "third"]

    @scenario
    async def test_run_ends_when_the_agent_is_closed(self) -> None:
        agent = Script()
        agent.put(OpenFlow(flow=1, protocol=UDP, local=("127.0.0.1", 0), remote=None), now=0.0)
        agent.on_input = lambda item: agent.close(now=item.now)
        await self.platform.run_driver(self.platform.package.Driver(agent))
        assert agent.closed

    @scenario
    async def test_what_a_handler_raises_ends_run_as_itself(self) -> None:
        agent = Script()
        agent.put(OpenFlow(flow=1, protocol=UDP, local=("127.0.0.1", 0), remote=None), Told(text="now"), now=0.0)

        def on_event(_: object) -> None:
            raise Boom

        with pytest.raises(Boom):
            await self.platform.run_driver(self.platform.package.Driver(agent, on_event))

    @scenario
    async def test_what_the_agent_raises_ends_run_as_itself(self) -> None:
        """A bug of the core is not lost in a callback."""
        agent = Script()

        def on_input(_: object) -> None:
            raise Boom

        agent.on_input = on_input
        agent.deadline = 0.0
        with pytest.raises(Boom):
            await self.platform.run_driver(self.platform.package.Driver(agent))

    # --- convenience -----------------------------------------------------------------------------------------------

    @every_path
    @pytest.mark.requirement("RFC3261-18-01", "RFC3261-10.2.4-03", "RFC3261-10.2.2-01")
    @scenario
    async def test_a_block_registers_and_removes(self, protocol: Protocol, host: str) -> None:
        async with self.serve(host) as server:
            account = server.account(protocol=protocol)
            async with self.platform.registered(account) as registration:
                assert registration.status.state is State.REGISTERED
                assert registration.status.transport is protocol
                contacts = server.contacts(account)
                assert [binding.uri for binding in registration.status.bindings] == contacts
                assert len(contacts) == 1
            assert server.contacts(account) == []
            assert registration.status.state is State.STOPPED
            assert registration.status.cause.detail == "removed"

    @scenario
    async def test_statuses_come_from_the_present_one_on(self) -> None:
        async with self.serve(min_expires=1) as server:
            account = server.account(expires=2)
            async with self.platform.registered(account) as registration:
                first: Status | None = None
                async for status in self.platform.statuses(registration):
                    if first is None:
                        first = status
                        assert status == registration.status
                    elif status.expires_at > first.expires_at:  # refreshed by itself, after a second or so
                        break
                assert server.contacts(account) != []

    @scenario
    async def test_statuses_end_with_the_block(self) -> None:
        async with self.serve() as server:
            async with self.platform.registered(server.account()) as registration:
                reader = self.platform.statuses(registration)
                seen = [await anext(reader)]
            seen += [status async for status in reader]
            assert [status.state for status in seen] == [State.REGISTERED, State.UNREGISTERED, State.STOPPED]

    @scenario
    async def test_status_handlers_are_called_until_they_are_cancelled(self) -> None:
        mail = self.platform.mailbox()
        more = self.platform.mailbox()
        async with self.serve() as server:
            async with self.platform.registered(server.account(), on_status=more.put) as registration:
                cancel = registration.on_status(mail.put)
                registration.refresh()
                assert (await mail.get()).state is State.REGISTERED
                cancel()
                cancel()
            mail.put("nothing between")
            assert await mail.get() == "nothing between"
            states = [(await more.get()).state for _ in range(4)]
            assert states == [State.REGISTERED, State.REGISTERED, State.UNREGISTERED, State.STOPPED]

    @pytest.mark.requirement("RFC3261-22.2-03")
    @scenario
    async def test_a_wrong_password_raises_with_its_cause(self, caplog: pytest.LogCaptureFixture) -> None:
        async with self.serve() as server:
            with pytest.raises(RegistrationFailed) as caught:
                async with self.platform.registered(server.account(password="canary")):
                    pytest.fail("the block was entered")
            cause = caught.value.status.cause
            assert cause is not None
            assert (cause.kind, cause.code) == (OutcomeClass.CREDENTIALS, 401)
            lines = [record for record in caplog.records if record.name == "sipcore"]
            assert [record.levelno for record in lines] == [logging.WARNING]
            assert "401 Unauthorized" in lines[0].getMessage()
            assert "canary" not in str(caught.value) + repr(caught.value.status) + caplog.text

    @scenario
    async def test_a_silent_registrar_is_the_outcome_of_the_first_attempt(self) -> None:
        async with self.serve(silent=True) as server:
            with pytest.raises(RegistrationFailed) as caught:
                async with self.platform.registered(server.account(timing=Timing(t1=0.001)), leave_within=0.05):
                    pytest.fail("the block was entered")
            cause = caught.value.status.cause
            assert cause is not None
            assert (cause.kind, cause.code) == (OutcomeClass.TEMPORARY, None)
            assert cause.server == f"127.0.0.1:{server.ports[UDP]}"

    @scenario
    async def test_a_bounded_wait_ends_without_an_outcome(self) -> None:
        async with self.serve(silent=True) as server:
            with pytest.raises(RegistrationFailed, match="no answer yet"):
                async with self.platform.registered(server.account(), wait=0.1, leave_within=0.0):
                    pytest.fail("the block was entered")

    @scenario
    async def test_waiting_for_ever_outlives_a_failure(self) -> None:
        users = {"alice": "another"}
        async with self.serve(users=users) as server:
            account = server.account()

            def on_event(agent: Any, event: object) -> None:
                if isinstance(event, Rejected) and users["alice"] != "secret":
                    users["alice"] = "secret"
                    agent.register(account.name)  # instead of waiting for ten minutes

            async with self.platform.open_agent([account], wait=None, on_event=on_event) as agent:
                assert users["alice"] == "secret"
                assert agent.status(account.name).registered

    @scenario
    async def test_nothing_listens_there(self) -> None:
        for protocol in (UDP, TCP) if sys.platform == "linux" else (TCP,):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol is UDP else socket.SOCK_STREAM) as unused:
                unused.bind(("127.0.0.1", 0))
                port = unused.getsockname()[1]
            account = Account(f"sip:alice@127.0.0.1:{port}", transport=Transport(protocol=protocol))
            with pytest.raises(RegistrationFailed, match="Connection refused"):
                async with self.platform.registered(account, leave_within=0.0):
                    pytest.fail("the block was entered")

    @scenario
    async def test_a_local_port_in_use_is_the_cause(self) -> None:
        async with self.serve() as server:
            transport = Transport(local=("127.0.0.1", server.ports[UDP]))
            with pytest.raises(RegistrationFailed, match="Address already in use"):
                async with self.platform.registered(server.account(transport=transport)):
                    pytest.fail("the block was entered")

    @scenario
    async def test_a_registrar_tells_of_a_port_in_use(self) -> None:
        mail = self.platform.mailbox()
        async with self.serve() as server:
            registrar = Registrar(
                [(UDP, ("127.0.0.1", server.ports[UDP])), (TCP, ("127.0.0.1", server.ports[TCP]))],
                random=random.SystemRandom(),
                now=self.platform.package.now(),
            )
            async with self.platform.drive(registrar, mail.put):
                failed = [await mail.find(ListenFailed) for _ in (UDP, TCP)]
                assert {event.error for event in failed} == {"Address already in use"}

    @scenario
    async def test_names_are_looked_up_by_the_platform_or_by_the_given_resolver(self) -> None:
        async with self.serve() as server:
            account = Account(f"sip:alice@localhost:{server.ports[UDP]}", password="secret")
            async with self.platform.registered(account) as registration:
                assert registration.status.server == f"127.0.0.1:{server.ports[UDP]}"
            asked = []

            def resolver(name: str, kind: RecordKind) -> list[Record]:
                asked.append((name, kind))
                if kind is RecordKind.A:
                    return [Record("127.0.0.1", 60.0)]
                raise OSError("no such record")

            account = Account(f"sip:alice@pbx.example:{server.ports[UDP]}", password="secret")
            async with self.platform.registered(account, resolver=resolver) as registration:
                assert registration.status.server == f"127.0.0.1:{server.ports[UDP]}"
            assert ("pbx.example", RecordKind.A) in asked

    @scenario
    async def test_a_name_that_leads_nowhere_is_the_cause(self) -> None:
        def resolver(name: str, kind: RecordKind) -> list[Record]:
            raise OSError(f"{name} is unknown here")

        with pytest.raises(RegistrationFailed, match="pbx.example is unknown here"):
            async with self.platform.registered(Account("sip:alice@pbx.example"), resolver=resolver):
                pytest.fail("the block was entered")

    @every_path
    @scenario
    async def test_an_unconfirmed_removal_is_said_in_the_final_status(
        self, protocol: Protocol, host: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with self.serve(host) as server:
            account = server.account(protocol=protocol)
            async with self.platform.registered(account, leave_within=0.1) as registration:
                server.policy(silent=True)
            assert registration.status.state is State.STOPPED
            assert registration.status.cause.detail.startswith(NOT_CONFIRMED)
            assert registration.status.expires_at is not None
            assert "removals not confirmed in time" in caplog.text
            assert server.contacts(account) != []

    @pytest.mark.requirement("RFC3261-18.4-02")
    @scenario
    async def test_a_lost_connection_is_told_and_made_again(self) -> None:
        mail = self.platform.mailbox()
        async with self.serve() as server:
            account = server.account(protocol=TCP)
            async with self.platform.open_agent(
                [account], wait=Wait.FIRST_ATTEMPT, on_event=lambda _, event: mail.put(event)
            ) as agent:
                first = agent.status(account.name).flow
                for flow in [flow for flow in server.registrar.flows.values() if flow.reliable]:
                    server.driver.feed(_close_flow, server.registrar, flow)
                lost = await mail.find(FlowLost)
                assert (lost.flow, lost.names) == (first, (account.name,))
                again = await mail.find(Registered)
                assert again.name == account.name
                assert agent.status(account.name).flow != first
            assert server.contacts(account) == []

    @pytest.mark.parametrize("protocol", [UDP, TCP])
    @scenario
    async def test_a_burst_of_accounts_loses_none(self, protocol: Protocol) -> None:
        mail = self.platform.mailbox()
        users = {f"user{number}": "secret" for number in range(200)}
        async with self.serve(users=users) as server:
            accounts = [server.account(user, protocol) for user in users]
            async with self.platform.open_agent(
                accounts, wait=Wait.FIRST_ATTEMPT, on_event=lambda _, event: mail.put(event)
            ) as agent:
                assert all(status.registered for status in agent.statuses())
                assert server.driver.ask(lambda: server.registrar.addresses) == 200
            assert server.driver.ask(lambda: server.registrar.addresses) == 0
            assert {status.state for status in agent.statuses()} == {State.STOPPED}

    @scenario
    async def test_an_agent_does_what_it_is_told(self) -> None:
        mail = self.platform.mailbox()
        async with self.serve(users={"alice": "secret", "bob": "secret"}) as server:
            alice, bob = server.account(), server.account("bob")
            async with self.platform.open_agent([alice], on_event=lambda _, event: mail.put(event)) as agent:
                await mail.find(Registered, name=alice.name)
                agent.add(bob)
                agent.register(bob.name)
                await mail.find(Registered, name=bob.name)
                agent.unregister(alice.name)
                await mail.find(StatusChanged, previous=State.REGISTERED)
                assert server.contacts(alice) == []
                agent.remove(alice.name)
                assert [status.name for status in agent.statuses()] == [bob.name]
                with pytest.raises(LocalProtocolError, match="no registration"):
                    agent.status(alice.name)
                agent.reload([alice, bob])
                await mail.find(Registered, name=alice.name)
                assert server.contacts(alice) != []
            assert server.contacts(alice) == server.contacts(bob) == []

    # --- requests that arrive --------------------------------------------------------------------------------------

    @scenario
    async def test_what_nobody_handles_is_answered_at_once(self) -> None:
        async with self.serve() as server:
            account = server.account()
            async with self.platform.registered(account):
                for method, line in (("OPTIONS", "SIP/2.0 200 "), ("INVITE", "SIP/2.0 405 "), ("MERGE", "SIP/2.0 501 ")):
                    answer = await self.platform.elsewhere(_call, server.contacts(account)[0], method)
                    assert answer.startswith(line)

    @scenario
    async def test_a_call_reaches_the_handler_which_answers(self) -> None:
        async with self.serve() as server:
            account = server.account(line=True)

            def on_request(registration: Any, request: InboundRequest) -> None:
                assert request.registration == registration.name
                registration.respond(request, 486, "Just now", headers=[("X-Bot", "asleep")])

            async with self.platform.registered(account, handles={"INVITE"}, on_request=on_request):
                answer = await self.platform.elsewhere(_call, server.contacts(account)[0], "INVITE")
            assert answer.startswith("SIP/2.0 486 Just now\r\n")
            assert "\r\nX-Bot: asleep\r\n" in answer

    @scenario
    async def test_own_bytes_leave_over_the_registered_flow(self) -> None:
        async with self.serve() as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.bind(("127.0.0.1", 0))
                peer.settimeout(10)
                async with self.platform.registered(server.account()) as registration:
                    registration.send_raw(registration.status.flow, b"own bytes", peer.getsockname())
                    data, source = await self.platform.elsewhere(peer.recvfrom, 100)
                    assert data == b"own bytes"
                    assert f"sip:alice@127.0.0.1:{source[1]}" == registration.status.bindings[0].uri
                    with pytest.raises(LocalProtocolError):
                        registration.send_raw(999, b"", peer.getsockname())

    @scenario
    async def test_handled_methods_need_a_handler(self) -> None:
        with pytest.raises(ConfigError, match="a handler for these requests"):
            async with self.platform.registered(Account("sip:alice@127.0.0.1"), handles=["INVITE"]):
                pytest.fail("the block was entered")

    @pytest.mark.parametrize("options", [{"wait": -1.0}, {"wait": float("nan")}, {"leave_within": -0.1}])
    @scenario
    async def test_impossible_bounds_are_refused(self, options: dict[str, float]) -> None:
        with pytest.raises(ConfigError, match="a number of seconds"):
            async with self.platform.registered(Account("sip:alice@127.0.0.1"), **options):
                pytest.fail("the block was entered")

    # --- what goes wrong in the application ------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", [Boom, KeyboardInterrupt, SystemExit])
    @scenario
    async def test_what_the_block_raises_comes_out_behind_the_removal(self, kind: type[BaseException]) -> None:
        async with self.serve() as server:
            account = server.account()
            error = kind("mine")
            with pytest.raises(kind) as caught:
                async with self.platform.registered(account) as registration:
                    assert server.contacts(account) != []
                    raise error
            assert caught.value is error
            assert server.contacts(account) == []
            assert registration.status.state is State.STOPPED

    @pytest.mark.parametrize("kind", [Boom, KeyboardInterrupt])
    @scenario
    async def test_what_a_status_handler_raises_ends_the_block(self, kind: type[BaseException]) -> None:
        async with self.serve() as server:
            account = server.account()
            calls = []

            def on_status(status: Status) -> None:
                calls.append(status)
                raise kind("mine")

            with pytest.raises(kind, match="mine"):
                async with self.platform.registered(account) as registration:
                    registration.on_status(on_status)
                    registration.refresh()
                    async for _ in self.platform.statuses(registration):
                        pass
            assert len(calls) == 1
            assert server.contacts(account) == []

    @scenario
    async def test_what_a_status_handler_raises_ends_entering(self) -> None:
        async with self.serve() as server:
            account = server.account()

            def on_status(status: Status) -> None:
                raise Boom

            with pytest.raises(Boom):
                async with self.platform.registered(account, on_status=on_status) as registration:
                    async for _ in self.platform.statuses(registration):
                        pass
            assert server.contacts(account) == []

    @scenario
    async def test_what_a_request_handler_raises_ends_the_block(self) -> None:
        async with self.serve() as server:
            account = server.account()

            def on_request(registration: Any, request: InboundRequest) -> None:
                raise Boom

            with pytest.raises(Boom):
                async with self.platform.registered(account, handles=["INVITE"], on_request=on_request) as registration:
                    _send(server.contacts(account)[0], "INVITE")
                    async for _ in self.platform.statuses(registration):
                        pass
            assert server.contacts(account) == []


class AsyncDriverContract(DriverContract):
    """For drivers with cancellation."""

    platform: AsyncPlatform

    @scenario
    async def test_a_cancelled_block_is_left_in_good_order(self) -> None:
        async with self.serve() as server:
            account = server.account()
            mail = self.platform.mailbox()

            async def body() -> None:
                async with self.platform.registered(account) as registration:
                    mail.put(registration)
                    await self.platform.sleep_forever()

            job = self.platform.start(body)
            registration = await mail.get()
            assert server.contacts(account) != []
            job.cancel()
            assert self.platform.is_cancellation(await job.wait())
            assert server.contacts(account) == []
            assert registration.status.state is State.STOPPED

    @scenario
    async def test_cancelling_while_entering(self) -> None:
        async with self.serve(silent=True) as server:

            async def body() -> None:
                async with self.platform.registered(server.account(), leave_within=0.05):
                    pytest.fail("the block was entered")

            for steps in range(20):
                job = self.platform.start(body)
                for _ in range(steps):
                    await self.platform.step()
                job.cancel()
                assert self.platform.is_cancellation(await job.wait())

    @scenario
    async def test_cancelling_after_any_number_of_steps_leaves_no_binding(self) -> None:
        """Whenever the cancellation comes: the block ends, and the registrar holds nothing of it."""
        async with self.serve() as server:
            account = server.account()

            async def body() -> None:
                async with self.platform.registered(account):
                    await self.platform.sleep_forever()

            for steps in range(40):
                job = self.platform.start(body)
                for _ in range(steps):
                    await self.platform.step()
                job.cancel()
                assert self.platform.is_cancellation(await job.wait())
                assert server.contacts(account) == []

    @scenario
    async def test_cancelling_while_leaving_waits_for_the_bound(self) -> None:
        async with self.serve() as server:
            account = server.account()
            mail = self.platform.mailbox()

            async def body() -> None:
                async with self.platform.registered(account, leave_within=0.2) as registration:
                    server.policy(silent=True)
                    mail.put(registration)
                await self.platform.step()

            job = self.platform.start(body)
            registration = await mail.get()
            await self.platform.step()
            job.cancel()
            await self.platform.step()
            job.cancel()
            assert self.platform.is_cancellation(await job.wait())
            assert registration.status.cause.detail.startswith(NOT_CONFIRMED)

    @scenario
    async def test_a_failed_handler_does_not_cancel_what_is_around_the_block(self) -> None:
        async with self.serve() as server:
            with pytest.raises(Boom):
                async with self.platform.registered(server.account()) as registration:
                    registration.on_status(_raise)
                    registration.refresh()
                    await self.platform.sleep_forever()
            for _ in range(3):
                await self.platform.step()  # would raise, were the scenario itself cancelled

    @scenario
    async def test_a_handler_that_fails_when_the_block_is_over_already(self) -> None:
        async with self.serve() as server:
            with pytest.raises(Boom):
                async with self.platform.registered(server.account()) as registration:
                    # Fails while the block is being left, by the status of the removal.
                    registration.on_status(_raise)
            for _ in range(3):
                await self.platform.step()


# --- helpers ------------------------------------------------------------------------------------------------------------


def _raise(status: Status) -> None:
    raise Boom


def _close_flow(registrar: Registrar, flow: Any, *, now: float) -> None:
    registrar.close_flow(flow)


def _fill(driver: Any, agent: Script) -> int:
    """Transmit until the driver has to queue; returns how much."""
    total = 0
    stream = driver.flows[1]
    while not stream.queued:
        driver.feed(agent.put, Transmit(flow=1, data=b"x" * 65536))
        total += 65536
    return total


def _read_all(sock: socket.socket) -> int:
    with sock:
        sock.settimeout(10)
        total = 0
        while data := sock.recv(1 << 20):
            total += len(data)
        return total


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


def _call(contact: str, method: str) -> str:
    """Send a request and return its answer; blocks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(10)
        peer.sendto(*_request(contact, method, peer.getsockname()))
        return peer.recv(65535).decode()


def _send(contact: str, method: str) -> None:
    """Send a request without waiting for an answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.sendto(*_request(contact, method, peer.getsockname()))
