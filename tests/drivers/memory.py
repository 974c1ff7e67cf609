"""A host on the virtual network as drivers see it: sockets that are made of plain values.

`Machine` is such a host: a resident's half of a `World`, with the faults that `Station` has. `virtual_system` makes
drivers use it instead of the real one.

A socket behaves like the system's: it is readable as long as anything waits in it, its end included; it has no number
after it was closed; and two tasks that wait for one direction of it are an error.

There is one current machine at a time, that whose driver is being called: see `Machine.enter`.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

import trio

from sipcore import Address
from sipcore.testing import BrokenContract, Connection, ConnectionUser, Datagram, World

__all__ = ["Machine", "MemorySocket", "current_machine"]

WILDCARDS = ("0.0.0.0", "::")
FIRST_NUMBER = 1 << 20
"""Descriptors of virtual sockets begin here, far above those that the process really has."""
PAUSE = 0.003
"""Seconds until a stream whose window is full takes bytes again."""
UNKNOWN = errno.EHOSTUNREACH
"""The number of an error that the system has no number for."""

_numbers = count(FIRST_NUMBER)
_current: list[Machine] = []


def current_machine() -> Machine:
    """The machine whose driver is being called."""
    return _current[-1]


class Machine:
    """The operating system of one host in a world. Whoever drives it sets `clock` and calls `enter`."""

    def __init__(self, world: World, *, ipv4: str | None = "192.0.2.10", ipv6: str | None = "2001:db8::10") -> None:
        self.world = world
        self.ipv4 = ipv4
        """Its address; may change while it runs. None when it has none."""
        self.ipv6 = ipv6
        self.transmitting_fails: dict[Address, str] = {}
        """Remote -> the error with which the system refuses datagrams to it."""
        self.binding_fails: str | None = None
        """The error with which the system refuses every new UDP socket and listener."""
        self.accepting_fails: str | None = None
        """The error with which the system refuses to hand out connections."""
        self.window: int | None = None
        """Bytes that a stream takes before it is full for a moment; None takes all."""
        self.clock: Callable[[], float] = lambda: world.now
        """What the driver's clock shows."""
        self.rest: Callable[[float], bool] = _nobody_rests
        """For selectors: wait until something may have changed; False when nothing will any more."""
        self.stirred = True
        """Something happened that the driver has not been asked about yet."""
        self.posted: list[Callable[[], object]] = []
        """What the resolver has to say, to be called before the driver goes on."""
        self.open: dict[MemorySocket, None] = {}
        self.waiters: dict[tuple[MemorySocket, str], trio.lowlevel.Task] = {}
        """For trio: who waits for which direction of which socket."""
        self.datagrams: list[tuple[Address, bytes]] = []
        """All that was sent, or was refused by the system."""
        self.streams: dict[Address, bytearray] = {}
        """All that was sent on connections, by their local addresses."""

    def enter(self) -> None:
        """The driver of this machine is called from now on."""
        _current[:] = [self]

    def host(self, remote: str) -> str | None:
        """The address from which this host talks to another."""
        return self.ipv6 if ":" in remote else self.ipv4

    def find(self, address: Address, *, listening: bool) -> MemorySocket | None:
        """The UDP socket, or listener, that serves an address."""
        for sock in self.open:
            if sock.local is not None and sock.serves == ("listener" if listening else "datagrams"):
                host = sock.local[0]
                wanted = address[0] if host not in WILDCARDS else (self.ipv6 if host == "::" else self.ipv4)
                if sock.local[1] == address[1] and (wanted if host in WILDCARDS else host) == address[0]:
                    return sock
        return None

    def connections(self) -> list[Connection]:
        """Its ends of the connections that are open now."""
        ends = (sock.connection for sock in self.open)
        return [end for end in ends if end is not None and end.open]

    def ready(self) -> Iterator[tuple[MemorySocket, str]]:
        """Who of the tasks that wait may go on."""
        for sock, side in self.waiters:
            if sock.readable() if side == "read" else sock.writable():
                yield sock, side


class MemorySocket:
    """What the drivers use of `socket.socket`."""

    def __init__(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> None:
        self.family = family
        self.machine = current_machine()
        self.local: Address | None = None
        self.serves = "datagrams" if kind == socket.SOCK_DGRAM else "stream"
        self._number = next(_numbers)
        self._arrived: deque[tuple[bytes, Address]] = deque()
        self._bytes = bytearray()
        self._ended = False
        self._error: OSError | None = None
        self._backlog: deque[MemorySocket] = deque()
        self.connection: Connection | None = None
        self._connecting = False
        self._room = self.machine.window
        self.machine.open[self] = None

    # --- of the socket module --------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """-1 once it is closed, which no selector takes."""
        return self._number

    def setblocking(self, flag: bool) -> None:
        """None of them blocks."""
        assert not flag

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """No option changes anything here."""

    def getsockopt(self, level: int, option: int) -> int:
        """SO_ERROR, which is told once."""
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        error, self._error = self._error, None
        return 0 if error is None or error.errno is None else error.errno

    def bind(self, name: tuple[Any, ...]) -> None:
        """Take a local address."""
        self.local = name[0], name[1] or self.machine.world.port()
        if self.serves == "datagrams":
            self._serve("datagrams")

    def getsockname(self) -> tuple[Any, ...]:
        """The local address."""
        local = self.local or (WILDCARDS[self.family == socket.AF_INET6], 0)
        return local if self.family == socket.AF_INET else (*local, 0, 0)

    def close(self) -> None:
        """The other side is told; what was sent still arrives."""
        for side in ("read", "write"):
            assert (self, side) not in self.machine.waiters, "closed under a task that waits, which nobody would wake"
        self._number = -1
        self.machine.open.pop(self, None)
        for sock in self._backlog:
            sock.close()
        if self.connection is not None:
            self.connection.close()

    def __enter__(self) -> MemorySocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- datagrams -------------------------------------------------------------------------------------------------

    def sendto(self, data: bytes, name: tuple[Any, ...]) -> int:
        """Send one."""
        machine, remote = self.machine, (name[0], name[1])
        assert self.serves == "datagrams"
        assert self.local is not None
        machine.datagrams.append((remote, bytes(data)))
        host = machine.host(remote[0])
        error = machine.transmitting_fails.get(remote) or machine.world.unreachable.get(remote[0])
        if error is not None or host is None:
            raise _error(error or "network is unreachable")
        source = host if self.local[0] in WILDCARDS else self.local[0]
        machine.world.send(bytes(data), (source, self.local[1]), remote)
        return len(data)

    def recvfrom(self, size: int) -> tuple[bytes, tuple[Any, ...]]:
        """The oldest one that arrived."""
        if not self._arrived:
            raise BlockingIOError
        data, source = self._arrived.popleft()
        return data[:size], source if self.family == socket.AF_INET else (*source, 0, 0)

    def recvmsg(self, *_: int) -> Any:
        """No ICMP here."""
        raise BlockingIOError

    def on_datagram(self, datagram: Datagram) -> None:
        """The world has one."""
        self._arrived.append((datagram.data, datagram.source))
        self.machine.stirred = True

    # --- streams ---------------------------------------------------------------------------------------------------

    def connect(self, name: tuple[Any, ...]) -> None:
        """Streams: begin to; datagrams: only learn the local address."""
        machine, remote = self.machine, (name[0], name[1])
        host = machine.host(remote[0]) if self.local is None else self.local[0]
        if host is None:
            raise _error("network is unreachable")
        if self.serves == "datagrams":
            self.local, self.serves = (host, 0), "nothing"
            return
        self.local = self.local or (host, machine.world.port())
        self._connecting = True
        machine.world.connect(self.local, remote, self._opened, self._failed)
        raise BlockingIOError

    def send(self, data: bytes | bytearray) -> int:
        """As much as there is room for."""
        assert self.connection is not None
        assert self.local is not None
        if self._error is not None:
            raise self._error
        taken = bytes(data if self._room is None else data[: self._room])
        if not taken and data:
            raise BlockingIOError
        if self._room is not None:
            self._room -= len(taken)
            if self._room == 0:
                self.machine.world.after(PAUSE, self._has_room)
        self.machine.streams.setdefault(self.local, bytearray()).extend(taken)
        self.connection.send(taken)
        return len(taken)

    def recv(self, size: int) -> bytes:
        """What has arrived, then the end."""
        if self._bytes:
            data = bytes(self._bytes[:size])
            del self._bytes[:size]
            return data
        if self._error is not None:
            raise self._error
        if self._ended:
            return b""
        raise BlockingIOError

    def listen(self, backlog: int) -> None:
        """Accept connections."""
        self._serve("listener")

    def accept(self) -> tuple[MemorySocket, tuple[Any, ...]]:
        """The oldest one that waits."""
        if self.machine.accepting_fails is not None:
            raise _error(self.machine.accepting_fails)
        if not self._backlog:
            raise BlockingIOError
        sock = self._backlog.popleft()
        assert sock.connection is not None
        remote = sock.connection.remote
        return sock, remote if self.family == socket.AF_INET else (*remote, 0, 0)

    def on_connection(self, connection: Connection) -> ConnectionUser:
        """The world has a connection for this listener."""
        self.machine.enter()
        sock = MemorySocket(self.family)
        sock.local, sock.connection = connection.local, connection
        self._backlog.append(sock)
        self.machine.stirred = True
        return sock

    def on_bytes(self, connection: Connection, data: bytes) -> None:
        """The world has bytes."""
        self._bytes += data
        self.machine.stirred = True

    def on_end(self, connection: Connection, error: str | None) -> None:
        """The world ended it."""
        self._ended = True
        self._error = None if error is None else _error(error)
        self.machine.stirred = True

    def _opened(self, connection: Connection) -> ConnectionUser:
        if self._number < 0:
            connection.close()
        self.connection, self._connecting = connection, False
        self.machine.stirred = True
        return self

    def _failed(self, error: str) -> None:
        self._error, self._connecting = _error(error), False
        self.machine.stirred = True

    def _has_room(self) -> None:
        self._room = self.machine.window
        self.machine.stirred = True

    def _serve(self, what: str) -> None:
        machine = self.machine
        taken = any(other.local == self.local and other.serves == what for other in machine.open if other is not self)
        error = "address already in use" if taken else machine.binding_fails
        if error is not None:
            raise _error(error)
        self.serves = what

    # --- for those who wait ----------------------------------------------------------------------------------------

    def readable(self) -> bool:
        """Reading would not block."""
        return bool(self._arrived or self._bytes or self._backlog or self._ended or self._error)

    def writable(self) -> bool:
        """Writing would not block; an attempt to connect has come to an end."""
        return not self._connecting and (self._room != 0 or self._error is not None)


def _error(text: str) -> OSError:
    return OSError(_NUMBERS.get(text.lower(), UNKNOWN), text)


_NUMBERS: Final = {os.strerror(number).lower(): number for number in errno.errorcode} | {
    "connection reset": errno.ECONNRESET
}


def _nobody_rests(until: float) -> bool:
    raise BrokenContract("a selector waits, and nobody lets time pass")
