"""Socket options: asked of the system for each socket, and a refused one does no harm."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Iterator

import pytest

from sipcore import Listen, OpenFlow, Protocol, SocketOptions
from sipcore_sync import Driver, options, sockets
from sipcore_sync.flows import Datagrams, Stream
from tests.drivers.script import Script

ALL = SocketOptions(
    tos=0x60, cos=3, tcp_keepalive=True, tcp_keepalive_idle=31, tcp_keepalive_interval=7, tcp_keepalive_probes=4
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="the names and what is inherited differ elsewhere")


@pytest.fixture
def agent() -> Script:
    return Script()


@pytest.fixture
def driver(agent: Script) -> Iterator[Driver]:
    with Driver(agent) as driver:
        yield driver


def marked(sock: socket.socket) -> tuple[int, int]:
    """tos and cos of a socket."""
    six = sock.family == socket.AF_INET6
    tos = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if six else (socket.IPPROTO_IP, socket.IP_TOS)
    return sock.getsockopt(*tos), sock.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY)


def kept_alive(sock: socket.socket) -> tuple[int, ...]:
    """Whether the system keeps the connection alive; idle time, interval and probes."""
    tcp = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    enabled = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return (enabled, *(sock.getsockopt(socket.IPPROTO_TCP, number) for number in tcp))


@linux
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_datagram_socket_has_what_the_command_asks_for(driver: Driver, agent: Script, host: str) -> None:
    driver.feed(agent.put, OpenFlow(flow=1, protocol=Protocol.UDP, local=(host, 0), remote=None, options=ALL))
    flow = driver.flows[1]
    assert isinstance(flow, Datagrams)
    assert marked(flow._sock) == (0x60, 3)


@linux
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_made_and_accepted_have_what_the_commands_ask_for(
    driver: Driver, agent: Script, host: str
) -> None:
    driver.feed(agent.put, Listen(listener=1, protocol=Protocol.TCP, local=(host, 0), options=ALL))
    [listener] = driver._listeners.values()
    remote = sockets.address_of(listener.getsockname())
    driver.feed(agent.put, OpenFlow(flow=1, protocol=Protocol.TCP, local=None, remote=remote, options=ALL))
    for _ in range(100):
        driver.poll(0.1)
        if len(driver.flows) == 2:
            break
    assert len(driver.flows) == 2
    for flow in driver.flows.values():
        assert isinstance(flow, Stream)
        assert marked(flow._sock) == (0x60, 3)
        assert kept_alive(flow._sock) == (1, 31, 7, 4)


@linux
def test_without_options_a_socket_is_as_the_system_makes_it() -> None:
    with sockets.bind_datagrams(("127.0.0.1", 0)) as sock, sockets.listen_streams(("127.0.0.1", 0)) as stream:
        assert marked(sock) == (0, 0)
        assert kept_alive(stream)[0] == 0


def test_a_refused_option_is_logged_and_the_socket_opened_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # No system knows an option of that number.
    monkeypatch.setattr(socket, "SO_PRIORITY", 0x7FFF, raising=False)
    with caplog.at_level(logging.WARNING, "sipcore"), sockets.bind_datagrams(
        ("127.0.0.1", 0), SocketOptions(tos=0x60, cos=7)
    ) as sock:
        assert sock.getsockname()[1]
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x60
    [record] = caplog.records
    assert record.getMessage().startswith("cos = 7: the system refused it: ")


def test_an_option_that_the_platform_does_not_have_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(socket, "TCP_KEEPIDLE", raising=False)
    with (
        caplog.at_level(logging.WARNING, "sipcore"),
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock,
    ):
        options.apply_options(sock, SocketOptions(tcp_keepalive=True))
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
    assert [record.getMessage() for record in caplog.records] == [
        "tcp_keepalive_idle = 30: this system has no such socket option"
    ]
