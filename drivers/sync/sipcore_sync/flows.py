"""Flows as sockets: datagrams and streams have readers of their own, since an empty datagram is not an end."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from sipcore.values import Address
from sipcore_sync import sockets

if TYPE_CHECKING:
    from sipcore_sync.base import SocketDriver

__all__ = ["Datagrams", "Stream"]

DATAGRAMS = 64
"""Datagrams read in one turn: as many as a burst brings at once, and a bound so that timers and streams get theirs."""
MAX_DATAGRAM = 65535
"""No datagram is longer."""
CHUNK = 65536
"""Bytes read from a stream in one turn."""
MAX_QUEUED = 1024 * 1024
"""Bytes that a stream may have queued; a peer that reads so little is as good as gone."""
UNSENDABLE = (OSError, OverflowError, ValueError)
"""What sending a datagram raises: the system's errors, and the socket module's own about an impossible address."""
LINGER = 32.0
"""Seconds that a closed stream may take to send what it has queued, as long as a transaction lasts."""


class Datagrams:
    """One unconnected UDP socket."""

    __slots__ = ("_driver", "_ipv6", "_names", "_number", "_sock", "_sources")

    def __init__(self, driver: SocketDriver, number: int, sock: socket.socket) -> None:
        self._driver = driver
        self._number = number
        self._sock = sock
        self._ipv6 = sock.family == socket.AF_INET6
        # Zones cost a system call each way, and remotes repeat: the last one is remembered.
        self._names: tuple[Address, sockets.SockAddr] | None = None
        self._sources: tuple[sockets.SockAddr, Address] | None = None

    def send(self, data: bytes, remote: Address | None) -> None:
        """Send now or never."""
        assert remote is not None, "a datagram goes somewhere"
        try:
            self._sock.sendto(data, self._name(remote) if self._ipv6 else remote)
        except BlockingIOError:
            pass  # the core repeats what matters (RFC 3261 timer E)
        except UNSENDABLE as error:
            # Linux reports ICMP about any earlier datagram with the next call, whatever its remote. When there was
            # such a report this datagram was not tried at all.
            failed = self._send_again(data, remote) if self._reports() else error
            if failed is not None:
                text = sockets.error_text(failed)
                self._driver.agent.transmit_failed(self._number, remote, text, now=self._driver.now())

    def _send_again(self, data: bytes, remote: Address) -> Exception | None:
        try:
            self._sock.sendto(data, self._name(remote) if self._ipv6 else remote)
        except BlockingIOError:
            return None
        except UNSENDABLE as error:
            return error
        return None

    def on_readable(self) -> None:
        """Feed what has arrived, up to a bound."""
        driver = self._driver
        if driver.flows.get(self._number) is not self:
            return
        receive, number, recvfrom, ipv6 = driver.agent.receive, self._number, self._sock.recvfrom, self._ipv6
        now = driver.now()
        for turn in range(DATAGRAMS):
            try:
                data, source = recvfrom(MAX_DATAGRAM)
            except OSError:
                # Nothing more to read; or there never was, and what woke us is a report of ICMP.
                if turn == 0:
                    self._reports()
                break
            receive(number, data, self._source(source) if ipv6 else source, now=now)
        driver.drain()

    def close(self) -> None:
        """Datagrams are not queued, so there is nothing to wait for."""
        self._driver.unwatch(self._sock)
        self._sock.close()

    abort = close

    def _reports(self) -> bool:
        """Pass on what ICMP said; True when it said anything."""
        any_report = False
        for report in sockets.unreachable(self._sock):
            any_report = True
            if report is not None:
                self._driver.agent.transmit_failed(self._number, *report, now=self._driver.now())
        return any_report

    def _name(self, remote: Address) -> sockets.SockAddr:
        if self._names is None or self._names[0] != remote:
            self._names = (remote, sockets.sockaddr(remote))
        return self._names[1]

    def _source(self, name: sockets.SockAddr) -> Address:
        if self._sources is None or self._sources[0] != name:
            self._sources = (name, sockets.address_of(name))
        return self._sources[1]


class Stream:
    """One TCP connection, ours or accepted."""

    __slots__ = ("_driver", "_number", "_remote", "_sock", "connected", "queued")

    def __init__(self, driver: SocketDriver, number: int, sock: socket.socket, remote: Address) -> None:
        self._driver = driver
        self._number = number
        self._sock = sock
        self._remote = remote
        self.queued = bytearray()
        """What the socket did not take yet."""
        self.connected = False

    def on_connected(self) -> None:
        """The attempt to connect has ended."""
        driver = self._driver
        if driver.flows.get(self._number) is not self:
            return
        number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._end(os.strerror(number))
        else:
            self.connected = True
            driver.unwatch_writable(self._sock)
            driver.watch(self._sock, self.on_readable)
            local = sockets.address_of(self._sock.getsockname())
            driver.agent.flow_opened(self._number, local, self._remote, now=driver.now())
        driver.drain()

    def send(self, data: bytes, remote: Address | None = None) -> None:
        """Send what the socket takes now, and queue the rest."""
        if self.queued:
            self.queued += data
            if len(self.queued) > MAX_QUEUED:
                self._end("the peer reads too slowly")
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._end(sockets.error_text(error))
            return
        if sent < len(data):
            self.queued += memoryview(data)[sent:]
            self._driver.watch_writable(self._sock, self.on_writable)

    def on_readable(self) -> None:
        """Feed some bytes, or the end."""
        driver = self._driver
        if driver.flows.get(self._number) is not self:
            return
        try:
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(sockets.error_text(error))
        else:
            if data:
                driver.agent.receive(self._number, data, None, now=driver.now())
            else:
                self._end(None)
        driver.drain()

    def on_writable(self) -> None:
        """Send what is queued."""
        lingering = self in self._driver.lingering
        if not lingering and self._driver.flows.get(self._number) is not self:
            return
        try:
            sent = self._sock.send(self.queued)
        except BlockingIOError:
            return
        except OSError as error:
            if lingering:
                self.abort()
            else:
                self._end(sockets.error_text(error))
        else:
            del self.queued[:sent]
            if not self.queued:
                if lingering:
                    self.abort()
                else:
                    self._driver.unwatch_writable(self._sock)
        self._driver.drain()

    def close(self) -> None:
        """Send what is queued, then close; the agent has forgotten it already."""
        self._driver.unwatch(self._sock)
        if self.queued and self.connected:
            self._driver.lingering[self] = self._driver.now() + LINGER
            self._driver.watch_writable(self._sock, self.on_writable)
        else:
            self.abort()

    def abort(self) -> None:
        """Close now; what is queued is lost."""
        self._driver.lingering.pop(self, None)
        self._driver.unwatch(self._sock)
        sockets.close_stream(self._sock)

    def _end(self, error: str | None) -> None:
        driver = self._driver
        driver.flows.pop(self._number, None)
        self.abort()
        driver.agent.flow_closed(self._number, error, now=driver.now())
