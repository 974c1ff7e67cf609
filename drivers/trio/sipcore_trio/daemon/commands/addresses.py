"""Readers of addresses on the command line."""

from __future__ import annotations

import argparse

from sipcore.values import is_ip_address

__all__ = ["listening_address", "remote_address"]

_LISTENING = "HOST:PORT with an IP address, such as 127.0.0.1:9100 or [::1]:9100; :9100 is on loopback"
_REMOTE = "HOST:PORT, such as 127.0.0.1:8125"


def listening_address(text: str) -> tuple[str, int]:
    """Where to listen: an IP address and a port; without an address on loopback, with port 0 on any port."""
    host, port = _split(text, _LISTENING)
    host = "127.0.0.1" if host in ("", "localhost") else host
    if not is_ip_address(host):
        raise argparse.ArgumentTypeError(_LISTENING)
    return host, port


def remote_address(text: str) -> tuple[str, int]:
    """Where to send: an address or a name, and a port."""
    host, port = _split(text, _REMOTE)
    if not host or not port or not host.isprintable() or " " in host:
        raise argparse.ArgumentTypeError(_REMOTE)
    return host, port


def _split(text: str, valid: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5) or int(port) > 65535:
        raise argparse.ArgumentTypeError(valid)
    if (":" in host) != bracketed:
        raise argparse.ArgumentTypeError(valid)
    return host[1:-1] if bracketed else host, int(port)
