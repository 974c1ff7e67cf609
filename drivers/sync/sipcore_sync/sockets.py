"""From the core's words to the platform's: addresses, sockets, look-ups, and the clock. Shared by the three drivers.

Every function raises plain `OSError`; whose failure that is, a flow's or one datagram's, the caller knows.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from sipcore.commands import Record
from sipcore.values import NO_OPTIONS, Address, RecordKind, SocketOptions, is_ip_address
from sipcore_sync.options import apply_options

__all__ = [
    "accept",
    "address_of",
    "bind_datagrams",
    "boottime",
    "close_stream",
    "connect_stream",
    "error_text",
    "listen_streams",
    "look_up",
    "sockaddr",
    "unreachable",
]

SockAddr = tuple[Any, ...]
"""What the socket module takes and gives: (host, port) for IPv4, (host, port, flow info, scope) for IPv6."""

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes asked for each UDP socket, so that the answers to a burst wait in the kernel; the system may grant less."""
SEND_BUFFER = 1024 * 1024
"""Bytes asked for each UDP socket, since a datagram that does not fit is dropped."""
BACKLOG = 1024
"""Connections that may wait to be accepted."""
LAST_READS = 16
"""Reads of what a peer still sent to a stream that we close: enough to spare it a reset, and bounded."""

# Linux, <linux/in.h>, <linux/in6.h> and <linux/errqueue.h>; the socket module does not name them on Python 3.11.
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_ORIGIN_ICMP = 2
_ORIGIN_ICMP6 = 3
_EXTENDED_ERROR = struct.Struct("=IBBBxII")
# Source quench and time exceeded say nothing about whether the peer can be reached (RFC 3261 section 18.4).
_NO_FAILURE = frozenset({(_ORIGIN_ICMP, 4), (_ORIGIN_ICMP, 11), (_ORIGIN_ICMP6, 3)})


def boottime() -> float:
    """Seconds on a clock that never steps and that counts the time this host was asleep, where the system has one."""
    return time.clock_gettime(_CLOCK)


# CLOCK_MONOTONIC stands still while a Linux host sleeps, and bindings lapse in that time all the same.
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def error_text(error: Exception) -> str:
    """The system's own words for what went wrong, without the number."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def sockaddr(address: Address) -> SockAddr:
    """The form in which the socket module takes an address; a zone becomes the scope number (RFC 4007 section 11)."""
    host, port = address
    if ":" not in host:
        return address
    host, _, zone = host.partition("%")
    if not zone:
        return (host, port, 0, 0)
    return (host, port, 0, int(zone) if zone.isdigit() else socket.if_nametoindex(zone))


def address_of(name: SockAddr) -> Address:
    """The core's form of what the socket module gives; a scope number becomes the zone."""
    if len(name) == 2:
        return name
    host, port, _, scope = name
    if scope and "%" not in host:
        try:
            host = f"{host}%{socket.if_indextoname(scope)}"
        except OSError:  # the interface went away in this moment; its number still is a zone
            host = f"{host}%{scope}"
    return (host, port)


def bind_datagrams(local: Address, options: SocketOptions = NO_OPTIONS) -> socket.socket:
    """An unconnected, non-blocking UDP socket, which serves every remote of its family."""
    sock = _socket(local, socket.SOCK_DGRAM)
    try:
        for option, size in ((socket.SO_RCVBUF, RECEIVE_BUFFER), (socket.SO_SNDBUF, SEND_BUFFER)):
            # Linux cuts the size down to what it allows; other systems refuse what is too much, and keep the default.
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, size)
        if sys.platform == "linux":
            # Without it an unconnected socket is never told of ICMP, and a port where nobody listens costs timer F.
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        apply_options(sock, options)
        sock.bind(sockaddr(local))
    except BaseException:
        sock.close()
        raise
    return sock


def unreachable(sock: socket.socket) -> Iterator[tuple[Address, str] | None]:
    """What ICMP reported about datagrams of this socket, each as (remote, error); None for a report of no failure.

    Must be read to its end: the socket stays readable as long as a report waits (Linux; elsewhere there are none).
    """
    if sys.platform != "linux":
        return
    while True:
        try:
            _, ancillary, _, name = sock.recvmsg(0, 256, socket.MSG_ERRQUEUE)
        except OSError:
            return
        for level, kind, content in ancillary:
            if (level, kind) in _RECVERR and len(content) >= _EXTENDED_ERROR.size:
                number, origin, icmp, _, _, _ = _EXTENDED_ERROR.unpack_from(content)
                yield None if (origin, icmp) in _NO_FAILURE else (address_of(name), os.strerror(number))


_RECVERR = frozenset({(socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)})


def connect_stream(
    local: Address | None, remote: Address, options: SocketOptions = NO_OPTIONS
) -> socket.socket:
    """A TCP socket on its way to `remote`: it is connected, or has failed, when it becomes writable."""
    sock = _socket(remote, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        apply_options(sock, options)
        if local is not None:
            sock.bind(sockaddr(local))
        with suppress(BlockingIOError):
            sock.connect(sockaddr(remote))
    except BaseException:
        sock.close()
        raise
    return sock


def listen_streams(local: Address, options: SocketOptions = NO_OPTIONS) -> socket.socket:
    """A TCP socket that accepts connections."""
    sock = _socket(local, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            # A restart need not wait for connections of the last run that linger in TIME-WAIT.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        apply_options(sock, options)
        sock.bind(sockaddr(local))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def accept(
    listener: socket.socket, options: SocketOptions = NO_OPTIONS
) -> tuple[socket.socket, Address] | None:
    """The next connection and its remote address; None when there is none now."""
    try:
        sock, name = listener.accept()
    except (BlockingIOError, ConnectionAbortedError):
        return None
    sock.setblocking(False)
    with suppress(OSError):  # it may be over already, which its reader will find out
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Some of the listener's are inherited, others are not: on Linux the priority.
    apply_options(sock, options)
    return sock, address_of(name)


def close_stream(sock: socket.socket) -> None:
    """Close so that what was sent last arrives: unread input would turn the end into a reset, which may overtake it."""
    with suppress(OSError):
        for _ in range(LAST_READS):
            if not sock.recv(65536):
                break
    sock.close()


def look_up(name: str, kind: RecordKind) -> Sequence[Record]:
    """The platform's answer: the addresses of a host, or the local address towards one. Raises `OSError`.

    SOURCE and literals are answered at once; other names may block for as long as the platform's resolver likes.
    """
    if kind is RecordKind.SOURCE:
        with _socket((name, 0), socket.SOCK_DGRAM) as sock:
            # Connecting a UDP socket sends nothing; the port only must not be 0.
            sock.connect(sockaddr((name, 9)))
            return [Record(address_of(sock.getsockname())[0])]
    family = socket.AF_INET6 if kind is RecordKind.AAAA else socket.AF_INET
    if is_ip_address(name):
        return [Record(name)] if (":" in name) == (family == socket.AF_INET6) else []
    try:
        found = socket.getaddrinfo(name, None, family, socket.SOCK_DGRAM)
    except (UnicodeError, ValueError) as error:
        raise OSError(f"not a host name: {error}") from None
    return [Record(host) for host in dict.fromkeys(address_of(entry[4])[0] for entry in found)]


def _socket(address: Address, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if sock.family == socket.AF_INET6:
            # IPv4 has sockets of its own; mapped addresses would be a second spelling of the same peer.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    except BaseException:
        sock.close()
        raise
    return sock
