"""Socket options beyond the address: a refused one is logged and does no harm."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

from sipcore.values import NO_OPTIONS, SocketOptions

__all__ = ["apply_options"]

_LOGGER = logging.getLogger("sipcore")


def apply_options(sock: socket.socket, options: SocketOptions) -> None:
    """Ask the system for all of them. A socket is asked before it connects: the first packet counts, too."""
    if options == NO_OPTIONS:
        return
    for option, value, level, number in _wanted(sock, options):
        if number is None:
            _LOGGER.warning("%s = %s: this system has no such socket option", option, value)
            continue
        try:
            sock.setsockopt(level, number, value)
        except OSError as error:
            _LOGGER.warning("%s = %s: the system refused it: %s", option, value, error.strerror)


def _wanted(sock: socket.socket, options: SocketOptions) -> Iterator[tuple[str, int, int, int | None]]:
    if options.tos:
        if sock.family == socket.AF_INET6:
            yield "tos", options.tos, socket.IPPROTO_IPV6, getattr(socket, "IPV6_TCLASS", None)
        else:
            yield "tos", options.tos, socket.IPPROTO_IP, getattr(socket, "IP_TOS", None)
    if options.cos:
        # After the other, which on Linux sets this one, too.
        yield "cos", options.cos, socket.SOL_SOCKET, getattr(socket, "SO_PRIORITY", None)
    if options.tcp_keepalive and sock.type == socket.SOCK_STREAM:
        yield "tcp_keepalive", 1, socket.SOL_SOCKET, socket.SO_KEEPALIVE
        for option, name in _KEEPALIVE:
            yield option, getattr(options, option), socket.IPPROTO_TCP, getattr(socket, name, None)


_KEEPALIVE = (
    ("tcp_keepalive_idle", "TCP_KEEPIDLE"),
    ("tcp_keepalive_interval", "TCP_KEEPINTVL"),
    ("tcp_keepalive_probes", "TCP_KEEPCNT"),
)
