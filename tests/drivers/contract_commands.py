"""Commands on real sockets, caused by an agent that decides nothing."""

from __future__ import annotations

import socket
import sys
import threading
from typing import Any

import pytest

from sipcore import CloseFlow, CloseListener, Listen, OpenFlow, Record, RecordKind, Resolve, Transmit
from sipcore_sync.flows import DATAGRAMS, MAX_QUEUED
from tests.drivers.scenarios import TCP, UDP, Boom, Contract, scenario
from tests.drivers.script import Input, Script, Told

__all__ = ["CommandContract"]


class CommandContract(Contract):
    """What a driver does for the core."""

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
            data = [b"x" * 70000, b"y"]
            driver.feed(agent.put, *[Transmit(flow=1, data=item, remote=one) for item in data])
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
    async def test_a_deadline_that_the_resolvers_answer_brings_is_kept(self) -> None:
        async with self.script() as (agent, driver, mail):

            def on_input(item: Input) -> None:
                if item.name == "resolved":
                    agent.deadline = item.now + 0.02
                mail.put(item)

            agent.on_input = on_input
            driver.feed(agent.put, Resolve(query=1, name="localhost", kind=RecordKind.A))
            await mail.find(Input, name="handle_deadline")

    @scenario
    async def test_outputs_of_a_handler_come_behind_what_is_queued(self) -> None:
        mail = self.platform.mailbox()
        agent = Script()

        def on_event(event: Any) -> None:
            mail.put(event.text)
            if event.text == "first":
                driver.feed(agent.put, Told(text="third"))
                mail.put("end of first")

        async with self.platform.drive(agent, on_event) as driver:
            driver.feed(agent.put, Told(text="first"), Told(text="second"))
            assert [await mail.get() for _ in range(4)] == ["first", "end of first", "second", "third"]

    @scenario
    async def test_run_ends_when_the_agent_is_closed(self) -> None:
        agent = Script()
        agent.put(OpenFlow(flow=1, protocol=UDP, local=("127.0.0.1", 0), remote=None), now=0.0)
        agent.on_input = lambda item: agent.close(now=item.now)
        await self.platform.run_driver(self.platform.package.Driver(agent))
        assert agent.closed

    @scenario
    async def test_run_ends_when_all_that_was_queued_has_left(self) -> None:
        count = 2**24
        mail = self.platform.mailbox()
        agent = Script(mail.put)
        with socket.create_server(("127.0.0.1", 0)) as server:
            remote = server.getsockname()
            agent.put(OpenFlow(flow=1, protocol=TCP, local=None, remote=remote), now=0.0)

            def on_input(item: Input) -> None:
                assert item.name == "flow_opened"
                agent.put(Transmit(flow=1, data=b"x" * count), CloseFlow(flow=1), now=item.now)
                agent.close(now=item.now)

            agent.on_input = on_input
            reader = _Reader(server)
            await self.platform.run_driver(self.platform.package.Driver(agent))
            assert await self.platform.elsewhere(reader.total) == count

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


class _Reader:
    """Accepts one connection and reads it to its end, in a thread."""

    def __init__(self, server: socket.socket) -> None:
        self._count = 0
        self._thread = threading.Thread(target=self._run, args=(server,))
        self._thread.start()

    def total(self) -> int:
        """How many bytes came."""
        self._thread.join(30)
        return self._count

    def _run(self, server: socket.socket) -> None:
        self._count = _read_all(server.accept()[0])


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
