"""The floor: what one registration costs when nothing is understood.

The same four datagrams (REGISTER, 401, REGISTER with credentials, 200) sent and received over loopback UDP by a bare
loop, and the three MD5 hashes of a digest answer. Everything above it is what an implementation adds.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from hashlib import md5

__all__ = ["REGISTRATION", "measure_floor"]

_TOP = (
    "Via: SIP/2.0/UDP 127.0.0.1:40000;rport;branch=z9hG4bKc9e9c616612e7696a6cecc1b78e51061\r\n"
    "From: <sip:user00001@example.com>;tag=7311d8a3c2ce6f44\r\n"
    "To: <sip:user00001@example.com>\r\n"
    "Call-ID: 1e2feb89414c343c1027c4d1c386bbc4\r\n"
    "CSeq: 16235 REGISTER\r\n"
)
_REQUEST = (
    "REGISTER sip:example.com SIP/2.0\r\n"
    + _TOP
    + "Contact: <sip:user00001@127.0.0.1:40000>\r\nExpires: 3600\r\nAllow: OPTIONS\r\nMax-Forwards: 70\r\n"
)
_CREDENTIALS = (
    'Authorization: Digest username="user00001", realm="example.com", nonce="6ec9d28663ca828dd5f4b3b2e4b06ce6", '
    'uri="sip:example.com", response="e28494ec3d550179b38be4229f5f9c1e", algorithm=MD5, '
    'cnonce="6ec9d28663ca828dd5f4b3b2e4b06ce6", qop=auth, nc=00000001\r\n'
)
_CHALLENGE = (
    'WWW-Authenticate: Digest realm="example.com", nonce="6ec9d28663ca828dd5f4b3b2e4b06ce6", algorithm=MD5, '
    'qop="auth"\r\n'
)
_END = "Content-Length: 0\r\n\r\n"

REGISTRATION: Sequence[bytes] = tuple(
    text.encode()
    for text in (
        _REQUEST + _END,
        "SIP/2.0 401 Unauthorized\r\n" + _TOP + _CHALLENGE + _END,
        _REQUEST + _CREDENTIALS + _END,
        "SIP/2.0 200 OK\r\n" + _TOP + "Contact: <sip:user00001@127.0.0.1:40000>;expires=3600\r\n" + _END,
    )
)
"""The four messages of one registration with digest, in their usual size."""


def measure_floor(rounds: int = 20_000) -> float:
    """Seconds of CPU for one registration without an implementation, the least of five runs."""
    return min(_once(rounds // 5) for _ in range(5))


def _once(rounds: int) -> float:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
    ):
        client.bind(("127.0.0.1", 0))
        server.bind(("127.0.0.1", 0))
        here, there = client.getsockname(), server.getsockname()
        first, challenge, second, success = REGISTRATION
        began = time.process_time()
        for _ in range(rounds):
            client.sendto(first, there)
            server.recvfrom(65535)
            server.sendto(challenge, here)
            client.recvfrom(65535)
            ha1 = md5(b"user00001:example.com:secret").hexdigest()
            ha2 = md5(b"REGISTER:sip:example.com").hexdigest()
            md5(f"{ha1}:6ec9d28663ca828dd5f4b3b2e4b06ce6:00000001:0a4f113b:auth:{ha2}".encode()).hexdigest()
            client.sendto(second, there)
            server.recvfrom(65535)
            server.sendto(success, here)
            client.recvfrom(65535)
        return (time.process_time() - began) / rounds
