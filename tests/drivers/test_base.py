"""What the drivers share, under a clock that the test moves."""

from __future__ import annotations

import errno
import math
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sipcore import (
    CloseFlow,
    CloseListener,
    Command,
    Listen,
    LocalProtocolError,
    OpenFlow,
    Protocol,
    Record,
    RecordKind,
    Remember,
    Resolve,
    Transmit,
    commands,
)
from sipcore_sync import sockets
from sipcore_sync.base import ACCEPT_PAUSE, LEAP, MAX_SLEEP, SocketDriver
from sipcore_sync.flows import LINGER
from tests.drivers.script import Input, Script, Told


class Stub(SocketDriver):
    """Watches nothing: the test says what is readable, writable and due."""

    def __init__(self, agent: Script, **options: Any) -> None:
        super().__init__(agent, **options)
        self.clock = 1000.0
        self.armed: list[float] = []
        self.readable: dict[socket.socket, Callable[[], None]] = {}
        self.writable: dict[socket.socket, Callable[[], None]] = {}
        self.calls: list[Callable[[], None]] = []
        self.called = threading.Event()
        self.running = True

    def now(self) -> float:
        return self.clock

    def ring(self, at: float) -> None:
        """Time has come."""
        self.clock = at
        self._on_time()

    def stop(self) -> None:
        """Let go of everything."""
        self._shut()

    def watch(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        self.readable[sock] = on_readable

    def watch_writable(self, sock: socket.socket, on_writable: Callable[[], None]) -> None:
        self.writable[sock] = on_writable

    def unwatch_writable(self, sock: socket.socket) -> None:
        self.writable.pop(sock, None)

    def unwatch(self, sock: socket.socket) -> None:
        self.readable.pop(sock, None)
        self.writable.pop(sock, None)

    def _arm(self, wake_at: float) -> None:
        self.armed.append(wake_at)

    def _drained(self) -> None:
        pass

    def _from_thread(self, callback: Callable[[], None]) -> None:
        self.calls.append(callback)
        self.called.set()


@pytest.fixture
def inputs() -> list[Input]:
    return []


@pytest.fixture
def agent(inputs: list[Input]) -> Script:
    return Script(inputs.append)


@pytest.fixture
def driver(agent: Script) -> Iterator[Stub]:
    driver = Stub(agent)
    yield driver
    driver.stop()


def test_every_command_is_performed(driver: Stub, agent: Script) -> None:
    """A new command has to be known to the drivers; no type checker finds a class that is missing there."""
    known: list[Command] = [
        Transmit(flow=1, data=b""),
        OpenFlow(flow=1, protocol=Protocol.UDP, local=("127.0.0.1", 0), remote=None),
        CloseFlow(flow=1),
        Resolve(query=1, name="127.0.0.1", kind=RecordKind.A),
        Listen(listener=1, protocol=Protocol.TCP, local=("127.0.0.1", 0)),
        CloseListener(listener=1),
    ]
    known.append(Remember(name="alice", record={"cseq": 1000}))
    kinds = [item for name in commands.__all__ if isinstance(item := getattr(commands, name), type)]
    names = {kind.__name__ for kind in kinds if issubclass(kind, Command)}
    assert {type(command).__name__ for command in known} == names - {"Command"}
    stored: list[Remember] = []
    driver.remember = stored.extend
    driver.feed(agent.put, *known)
    assert stored == known[-1:]

    class Unknown(Command):
        pass

    with pytest.raises(AssertionError, match="Unknown"):
        driver.feed(agent.put, Unknown())


def test_what_is_remembered_is_stored_at_once_and_before_what_follows(driver: Stub, agent: Script) -> None:
    """Law: one call for all that is in the queue, before anything behind the first record, and the order stays."""
    done: list[object] = []
    driver.on_event = done.append
    driver.remember = lambda records: done.append([item.name for item in records])
    names = ["alice", "bob", "alice"]
    events = [Told(text=str(number)) for number in range(4)]
    first, second, third = (Remember(name=name, record=None) for name in names)
    driver.feed(agent.put, events[0], first, events[1], second, events[2], third, events[3])
    assert done == [events[0], names, *events[1:]]


def test_an_agent_that_remembers_needs_a_place_for_it_and_goes_on_in_order_with_one(
    driver: Stub, agent: Script
) -> None:
    done: list[object] = []
    driver.on_event = done.append
    event = Told(text="behind it")
    with pytest.raises(LocalProtocolError, match="nowhere to store"):
        driver.feed(agent.put, Remember(name="alice", record=None), event)
    assert done == []
    driver.drain()
    assert done == [event]


def test_the_clock_is_looked_at_every_minute(driver: Stub, agent: Script) -> None:
    driver.feed(agent.put)
    assert driver.armed == [1000.0 + MAX_SLEEP]
    agent.deadline = 5000.0
    driver.ring(1000.0 + MAX_SLEEP)
    assert driver.armed[-1] == 1000.0 + 2 * MAX_SLEEP


def test_the_timer_is_moved_only_when_it_has_to_ring_earlier(driver: Stub, agent: Script) -> None:
    agent.deadline = 1010.0
    driver.feed(agent.put)
    agent.deadline = 1020.0
    driver.feed(agent.put)
    assert driver.armed == [1010.0]
    agent.deadline = 1005.0
    driver.feed(agent.put)
    assert driver.armed == [1010.0, 1005.0]
    driver.ring(1005.0)
    assert driver.armed == [1010.0, 1005.0, 1005.0 + MAX_SLEEP]


def test_a_timer_that_rings_a_tick_early_counts_as_due(driver: Stub, agent: Script, inputs: list[Input]) -> None:
    agent.deadline = 1010.0
    driver.feed(agent.put)
    driver.ring(1010.0 - 0.001)
    assert inputs == [Input("handle_deadline", (), 1010.0)]


def test_a_timer_that_rings_for_no_reason_changes_nothing(driver: Stub, agent: Script, inputs: list[Input]) -> None:
    agent.deadline = 1010.0
    driver.feed(agent.put)
    driver.ring(1005.0)
    assert inputs == []
    assert driver.armed == [1010.0, 1010.0]


@pytest.mark.parametrize(("late", "told"), [(LEAP, []), (LEAP + 0.001, ["network_changed"])])
def test_a_host_that_slept_is_noticed(
    driver: Stub, agent: Script, inputs: list[Input], late: float, told: list[str]
) -> None:
    driver.feed(agent.put)
    driver.ring(1000.0 + MAX_SLEEP + late)
    assert [item.name for item in inputs] == told


def test_an_agent_that_asks_nothing_need_not_know_of_networks(inputs: list[Input]) -> None:
    class Listener(Script):
        network_changed = None  # type: ignore[assignment]

    agent = Listener(inputs.append)
    driver = Stub(agent)
    driver.feed(agent.put)
    driver.ring(5000.0)
    assert inputs == []


def test_outputs_wait_until_the_driver_runs(driver: Stub, agent: Script) -> None:
    driver.running = False
    driver.feed(agent.put, Listen(listener=1, protocol=Protocol.TCP, local=("127.0.0.1", 0)))
    assert len(agent.outputs) == 1
    driver.running = True
    driver.drain()
    assert len(agent.outputs) == 0


def test_without_descriptors_accepting_pauses(
    driver: Stub, agent: Script, inputs: list[Input], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener stays readable while accept fails, so watching it on would be a busy loop."""
    driver.feed(agent.put, Listen(listener=1, protocol=Protocol.TCP, local=("127.0.0.1", 0)))
    (listener, accept) = next(iter(driver.readable.items()))
    with socket.create_connection(listener.getsockname()):
        with monkeypatch.context() as patch:
            patch.setattr(sockets, "accept", _no_descriptor)
            accept()
        assert driver.readable == {}
        assert driver.armed[-1] == 1000.0 + ACCEPT_PAUSE
        driver.ring(1000.0 + ACCEPT_PAUSE)
        driver.readable[listener]()
        assert [item.name for item in inputs] == ["listening", "flow_accepted"]


def test_a_closed_stream_lingers_no_longer_than_its_bound(
    driver: Stub, agent: Script, inputs: list[Input], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        driver.feed(agent.put, OpenFlow(flow=1, protocol=Protocol.TCP, local=None, remote=server.getsockname()))
        accepted, _ = server.accept()
        with accepted:
            next(iter(driver.writable.values()))()
            driver.feed(agent.put, Transmit(flow=1, data=b"x" * 2**25), CloseFlow(flow=1))
            assert len(driver.lingering) == 1
            assert not driver.finished
            driver.ring(1000.0 + LINGER - 0.1)
            assert len(driver.lingering) == 1
            driver.ring(1000.0 + LINGER)
            assert driver.lingering == {}
            assert driver.writable == {}
            assert [item.name for item in inputs] == ["flow_opened"]


def test_late_callbacks_of_a_closed_flow_do_nothing(driver: Stub, agent: Script, inputs: list[Input]) -> None:
    driver.feed(agent.put, OpenFlow(flow=1, protocol=Protocol.UDP, local=("127.0.0.1", 0), remote=None))
    readable = next(iter(driver.readable.values()))
    driver.feed(agent.put, CloseFlow(flow=1))
    readable()
    with socket.create_server(("127.0.0.1", 0)) as server:
        driver.feed(agent.put, OpenFlow(flow=2, protocol=Protocol.TCP, local=None, remote=server.getsockname()))
        connected = next(iter(driver.writable.values()))
        driver.feed(agent.put, CloseFlow(flow=2))
        connected()
    assert [item.name for item in inputs] == ["flow_opened"]


@pytest.mark.parametrize("remote", [("127.0.0.1", 99999), ("::1", 5060), ("127.0.0.1", 0)])
def test_an_impossible_address_fails_one_datagram(
    driver: Stub, agent: Script, inputs: list[Input], remote: tuple[str, int]
) -> None:
    driver.feed(agent.put, OpenFlow(flow=1, protocol=Protocol.UDP, local=("127.0.0.1", 0), remote=None))
    driver.feed(agent.put, Transmit(flow=1, data=b"", remote=remote))
    assert inputs[-1].name == "transmit_failed"
    assert inputs[-1].arguments[:2] == (1, remote)


def test_names_go_to_a_thread_and_come_back_in_the_loop(driver: Stub, agent: Script, inputs: list[Input]) -> None:
    driver.feed(agent.put, Resolve(query=7, name="localhost", kind=RecordKind.A))
    assert inputs == []
    driver.called.wait(30)
    driver.calls.pop()()
    assert inputs == [Input("resolved", (7, (Record("127.0.0.1"),)), 1000.0)]


def test_a_literal_is_answered_without_a_thread(driver: Stub, agent: Script, inputs: list[Input]) -> None:
    driver.feed(agent.put, Resolve(query=7, name="127.0.0.1", kind=RecordKind.A))
    assert inputs == [Input("resolved", (7, (Record("127.0.0.1"),)), 1000.0)]


def test_what_was_sent_last_arrives_although_the_peer_goes_on_talking() -> None:
    """A close over unread input is a reset, which the peer could see instead of our last bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = sockets.connect_stream(None, server.getsockname())
        theirs, _ = server.accept()
        with theirs:
            theirs.settimeout(10)
            theirs.sendall(b"unread")
            select.select([ours], [], [], 10)
            ours.sendall(b"last")
            sockets.close_stream(ours)
            assert theirs.recv(100) == b"last"
            assert theirs.recv(100) == b""


@pytest.mark.parametrize(
    ("name", "kind", "records"),
    [
        ("127.0.0.1", RecordKind.A, [Record("127.0.0.1")]),
        ("127.0.0.1", RecordKind.AAAA, []),
        ("::1", RecordKind.A, []),
        ("127.0.0.1", RecordKind.SOURCE, [Record("127.0.0.1")]),
    ],
)
def test_literals_need_no_resolver(name: str, kind: RecordKind, records: list[Record]) -> None:
    assert list(sockets.look_up(name, kind)) == records


@pytest.mark.parametrize("name", ["a..b", "a" * 64 + ".example", "nul\0.example"])
def test_what_is_no_host_name_is_an_os_error(name: str) -> None:
    with pytest.raises(OSError):
        sockets.look_up(name, RecordKind.A)


def test_zones_are_kept_both_ways() -> None:
    number, name = socket.if_nameindex()[0]
    assert sockets.sockaddr((f"fe80::1%{name}", 5060)) == ("fe80::1", 5060, 0, number)
    assert sockets.sockaddr((f"fe80::1%{number}", 5060)) == ("fe80::1", 5060, 0, number)
    assert sockets.address_of(("fe80::1", 5060, 0, number)) == (f"fe80::1%{name}", 5060)
    assert sockets.address_of(("fe80::1", 5060, 0, 0)) == ("fe80::1", 5060)
    # An interface that went away has no name any more.
    assert sockets.address_of(("fe80::1", 5060, 0, 2**31 - 1)) == (f"fe80::1%{2**31 - 1}", 5060)
    assert sockets.address_of(("192.0.2.1", 5060)) == ("192.0.2.1", 5060)
    with pytest.raises(OSError):
        sockets.sockaddr(("fe80::1%nosuch0", 5060))


def test_ipv6_sockets_leave_ipv4_alone() -> None:
    with sockets.bind_datagrams(("::", 0)) as six:
        port = six.getsockname()[1]
        assert six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
        with sockets.bind_datagrams(("0.0.0.0", port)) as four:
            assert four.getsockname() == ("0.0.0.0", port)


def test_datagrams_wait_in_a_large_buffer() -> None:
    with sockets.bind_datagrams(("127.0.0.1", 0)) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        buffer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert buffer > plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def test_the_clock_counts_on() -> None:
    first = sockets.boottime()
    assert math.isfinite(first)
    assert sockets.boottime() >= first


def _no_descriptor(*_: object) -> None:
    raise OSError(errno.EMFILE, "Too many open files")
