"""The convenience API against the embedded registrar."""

from __future__ import annotations

import logging
import random
import socket
import sys
from typing import Any

import pytest

from sipcore import (
    Account,
    FlowLost,
    InboundRequest,
    ListenFailed,
    OutcomeClass,
    Protocol,
    Record,
    RecordKind,
    Registered,
    Rejected,
    State,
    StatusChanged,
    Timing,
    Transport,
    UserAgent,
)
from sipcore.client import Wait
from sipcore.errors import ConfigError, LocalProtocolError, RegistrationFailed
from sipcore.replay import RecordingAgent, compare, read
from sipcore.server import Registrar
from tests.drivers.scenarios import TCP, UDP, Contract, call, every_path, scenario
from tests.secrecy import PASSWORD

__all__ = ["BlockContract"]

NOT_CONFIRMED = "the removal was not confirmed within"


class BlockContract(Contract):
    """What a driver does for the application."""

    @every_path
    @pytest.mark.requirement("RFC3261-18-01", "RFC3261-10.2.4-03", "RFC3261-10.2.2-01")
    @scenario
    async def test_a_block_registers_and_removes(self, protocol: Protocol, host: str) -> None:
        async with self.serve(host) as server:
            account = server.account(protocol=protocol)
            async with self.platform.registered(account) as registration:
                status = registration.status
                assert status.state is State.REGISTERED
                assert status.transport is protocol
                contacts = server.contacts(account)
                assert [binding.uri for binding in status.bindings] == contacts
                assert len(contacts) == 1
            assert server.contacts(account) == []
            assert registration.status.state is State.STOPPED
            assert registration.status.cause.detail == "removed"

    @scenario
    async def test_statuses_come_from_the_present_one_on(self) -> None:
        async with self.serve(min_expires=1) as server:
            account = server.account(expires=2)
            async with self.platform.registered(account) as registration:
                first = registration.status
                assert first.expires_at is not None
                seen = []
                async for status in self.platform.statuses(registration):
                    seen.append(status)
                    if status.expires_at is not None and status.expires_at > first.expires_at:
                        break  # refreshed by itself, after a second or so
                assert seen[0] == first
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
                async with self.platform.registered(server.account(password=f"{PASSWORD}-canary")):
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
                if isinstance(event, Rejected) and users["alice"] != PASSWORD:
                    users["alice"] = PASSWORD
                    agent.register(account.name)  # instead of waiting for ten minutes

            async with self.platform.open_agent([account], wait=None, on_event=on_event) as agent:
                assert users["alice"] == PASSWORD
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
            account = Account(f"sip:alice@localhost:{server.ports[UDP]}", password=PASSWORD)
            async with self.platform.registered(account) as registration:
                assert registration.status.server == f"127.0.0.1:{server.ports[UDP]}"
            asked = []

            def resolver(name: str, kind: RecordKind) -> list[Record]:
                asked.append((name, kind))
                if kind is RecordKind.A:
                    return [Record("127.0.0.1", 60.0)]
                raise OSError("no such record")

            account = Account(f"sip:alice@pbx.example:{server.ports[UDP]}", password=PASSWORD)
            async with self.platform.registered(account, resolver=resolver) as registration:
                assert registration.status.server == f"127.0.0.1:{server.ports[UDP]}"
            assert ("pbx.example", RecordKind.A) in asked

    @scenario
    async def test_a_name_that_leads_nowhere_is_the_cause(self) -> None:
        def resolver(name: str, kind: RecordKind) -> list[Record]:
            raise OSError(f"{name} is unknown here")

        with pytest.raises(RegistrationFailed, match="is unknown here"):
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
        users = {f"user{number}": PASSWORD for number in range(200)}
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
        async with self.serve(users={"alice": PASSWORD, "bob": PASSWORD}) as server:
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
                for method, status in (("OPTIONS", 200), ("INVITE", 405), ("MERGE", 501)):
                    answer = await self.platform.elsewhere(call, server.contacts(account)[0], method)
                    assert answer.startswith(f"SIP/2.0 {status} ")

    @scenario
    async def test_a_call_reaches_the_handler_which_answers(self) -> None:
        async with self.serve() as server:
            account = server.account(line=True)

            def on_request(registration: Any, request: InboundRequest) -> None:
                assert request.registration == registration.name
                registration.respond(request, 486, "Just now", headers=[("X-Bot", "asleep")])

            async with self.platform.registered(account, handles={"INVITE"}, on_request=on_request):
                answer = await self.platform.elsewhere(call, server.contacts(account)[0], "INVITE")
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
    async def test_an_agent_of_the_application_s_own_records_the_block(self) -> None:
        """From the first call to the removal, and what was recorded plays back identically."""
        async with self.serve() as server:
            account = server.account()
            for block in (self.platform.registered, self.platform.open_agent):
                whom = account if block == self.platform.registered else [account]
                agent = RecordingAgent(random=random.SystemRandom())
                async with block(whom, agent=agent, wait=Wait.FIRST_ATTEMPT):
                    assert server.contacts(account) != []
                recording = read(agent.dump())
                assert [step.name for step in recording.steps][:2] == ["add", "register"]
                names = [step.name for step in recording.steps]
                assert names.count("Registered") == names.count("close") == 1
                assert compare(recording).identical
                assert server.contacts(account) == []

    @pytest.mark.parametrize("options", [{"handles": {"INVITE"}}, {"random": random.Random(1)}])
    @scenario
    async def test_an_agent_of_the_application_s_own_has_its_own_handles_and_dice(self, options: Any) -> None:
        agent = UserAgent(random=random.Random(1))
        with pytest.raises(ConfigError, match="of its own, so give them to it"):
            async with self.platform.registered(
                Account("sip:alice@127.0.0.1"), agent=agent, on_request=print, **options
            ):
                pytest.fail("the block was entered")

    @scenario
    async def test_an_agent_serves_one_block(self) -> None:
        async with self.serve() as server:
            agent = UserAgent(random=random.SystemRandom())
            async with self.platform.registered(server.account(), agent=agent):
                pass
            used = UserAgent([server.account()], random=random.SystemRandom())
            for one in (agent, used):
                with pytest.raises(ConfigError, match="must be a new one"):
                    async with self.platform.registered(server.account(), agent=one):
                        pytest.fail("the block was entered")

    @scenario
    async def test_handled_methods_need_a_handler(self) -> None:
        with pytest.raises(ConfigError, match="a handler for these requests"):
            async with self.platform.registered(Account("sip:alice@127.0.0.1"), handles=["INVITE"]):
                pytest.fail("the block was entered")
        own = UserAgent(random=random.Random(1), handles=["INVITE"])
        with pytest.raises(ConfigError, match="a handler for these requests"):
            async with self.platform.registered(Account("sip:alice@127.0.0.1"), agent=own):
                pytest.fail("the block was entered")

    @pytest.mark.parametrize("options", [{"wait": -1.0}, {"wait": float("nan")}, {"leave_within": -0.1}])
    @scenario
    async def test_impossible_bounds_are_refused(self, options: dict[str, float]) -> None:
        with pytest.raises(ConfigError, match="a number of seconds"):
            async with self.platform.registered(Account("sip:alice@127.0.0.1"), **options):
                pytest.fail("the block was entered")


def _close_flow(registrar: Registrar, flow: Any, *, now: float) -> None:
    registrar.close_flow(flow)
