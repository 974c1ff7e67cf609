"""STUN on the port of SIP: told apart, so that neither counts as a broken piece of the other (RFC 5626 section 8)."""

from __future__ import annotations

from typing import Final

__all__ = ["is_stun"]

# The magic cookie of RFC 5389 section 6. Its second byte is a control character: none of these bytes, in this place,
# can stand in what begins a SIP message.
_COOKIE: Final = b"\x21\x12\xa4\x42"

_HEADER_SIZE: Final = 20


def is_stun(data: bytes) -> bool:
    """Whether a datagram is a STUN message and not SIP: a whole header, its first two bits 00, the magic cookie.

    What is behind the header is not looked at. STUN of RFC 3489 has no cookie and is not recognised.
    """
    return data[4:8] == _COOKIE and data[0] < 0x40 and len(data) >= _HEADER_SIZE
