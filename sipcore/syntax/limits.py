"""Every length and count that is bounded in what a peer sends, each with its reason.

Whatever passes one of these is a `LimitExceeded`, never a slow or a large parse.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "MAX_BODY",
    "MAX_BODY_NESTING",
    "MAX_BODY_PARTS",
    "MAX_CHALLENGES",
    "MAX_CONTACTS",
    "MAX_CSEQ",
    "MAX_DATAGRAM",
    "MAX_DELTA_SECONDS",
    "MAX_HEADERS",
    "MAX_HEADER_BLOCK",
    "MAX_HOST",
    "MAX_KEEPALIVES",
    "MAX_LINE",
    "MAX_MECHANISMS",
    "MAX_PARAMETERS",
    "MAX_PART_HEADERS",
    "MAX_PORT",
    "MAX_START_LINE",
    "MAX_TIMESTAMP",
]

MAX_START_LINE: Final = 8192
"""Characters of the first line. Real ones stay below 300; 8 KiB is what web servers grant a request line."""

MAX_LINE: Final = 16384
"""Characters of one header, folding undone. The longest real ones are certificates and tokens of a few KiB."""

MAX_HEADERS: Final = 256
"""Header lines of one message. A path through 70 hops with Via and Record-Route stays below it."""

MAX_HEADER_BLOCK: Final = 65536
"""Bytes from the start line to the empty line: no more than a datagram could carry."""

MAX_BODY: Final = 65536
"""Bytes of a body. A reginfo document of 100 contacts has 30 KiB; on a datagram it could not be longer."""

MAX_DATAGRAM: Final = 65535
"""Bytes of a UDP datagram: its length field has 16 bits (RFC 3261 section 18.1.1)."""

MAX_CONTACTS: Final = 64
"""Contacts of one message. Registrars keep 1 to 10 for an address of record; each costs a comparison."""

MAX_CHALLENGES: Final = 16
"""Challenges that are looked at in one response: four realms with four algorithms each."""

MAX_PARAMETERS: Final = 64
"""Parameters of one header value or URI. Feature tags (RFC 3840) bring a Contact to about 30."""

MAX_KEEPALIVES: Final = 64
"""CRLF keep-alives that a flow may send in one second; the flow's owner, who knows the time, counts."""

MAX_HOST: Final = 255
"""Characters of a host name (RFC 1035 section 2.3.4)."""

MAX_PORT: Final = 65535
"""The largest port number of UDP and TCP."""

MAX_CSEQ: Final = 2**31 - 1
"""A CSeq number is below 2**31 (RFC 3261 section 8.1.1.5)."""

MAX_DELTA_SECONDS: Final = 2**32 - 1
"""Larger intervals count as this one (RFC 3261 section 20.19)."""

MAX_TIMESTAMP: Final = 2**63 - 1
"""The whole part of a Timestamp. Its unit should be the second, but some clocks are counters of 64 bits."""

MAX_MECHANISMS: Final = 32
"""Mechanisms of one Security header. Fewer than ten are registered; ipsec-3gpp comes once for each two algorithms."""

MAX_BODY_PARTS: Final = 64
"""Parts of a multipart body, those of its parts among them. A list of 50 resources is the most that is met."""

MAX_BODY_NESTING: Final = 4
"""Multipart bodies inside one another: mixed, alternative, related and signed are the four that make sense."""

MAX_PART_HEADERS: Final = 8192
"""Bytes of the headers of one body part. There are three or four; the longest is a Content-Type of 300."""
