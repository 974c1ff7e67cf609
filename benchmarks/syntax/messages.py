"""The messages that every parser gets: four kinds, each in variants that differ in branch, tags, CSeq and nonce.

All are such that every peer can read them: a peer that would stop at a comma inside quotation marks could not be
timed. What comes out is the same in every run and on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

__all__ = [
    "CHALLENGED",
    "CONTACT",
    "KINDS",
    "PASSWORD",
    "REALM",
    "REQUEST_URI",
    "USER",
    "VARIANTS",
    "WRITTEN",
    "Variant",
    "contacts_on_one_line",
    "make",
    "variants",
]

VARIANTS = 10_000
"""How many different messages of a kind there are."""

USER = "user00001"
PASSWORD = "correct horse battery staple"
REALM = "example.com"
REQUEST_URI = "sip:example.com"
CONTACT = f"<sip:{USER}@192.0.2.17:40000;transport=udp>;expires=3600;q=0.7"

CALL_ID = "1e2feb89414c343c1027c4d1c386bbc4"


class Variant(NamedTuple):
    """What is different in each message of a kind."""

    branch: str
    from_tag: str
    to_tag: str
    cseq: int
    nonce: str
    second_nonce: str
    opaque: str
    cnonce: str
    response: str
    next_branch: str
    """For the request that follows."""

    @property
    def challenges(self) -> list[str]:
        """The values of the two WWW-Authenticate headers."""
        return [_challenge(self.nonce, self.opaque, "MD5"), _challenge(self.second_nonce, self.opaque, "SHA-256")]


WRITTEN = "REGISTER, 14 headers"
"""The kind that refreshes are made from."""

CHALLENGED = "401, two challenges"
"""The kind that credentials are made from."""


def variants(count: int = VARIANTS) -> list[Variant]:
    """The first `count` variants."""
    source = random.Random(3261)

    def word(digits: int) -> str:
        return f"{source.getrandbits(4 * digits):0{digits}x}"

    return [
        Variant(
            branch=f"z9hG4bK{word(32)}",
            from_tag=word(16),
            to_tag=word(16),
            cseq=source.randrange(1, 2**31 - 2),
            nonce=word(32),
            second_nonce=word(32),
            opaque=word(16),
            cnonce=word(32),
            response=word(32),
            next_branch=f"z9hG4bK{word(32)}",
        )
        for _ in range(count)
    ]


def make(kind: str, count: int = VARIANTS) -> list[bytes]:
    """`count` messages of a kind, all different."""
    return [KINDS[kind](variant).encode() for variant in variants(count)]


def _register(variant: Variant) -> str:
    # The headers and the order in which sipcore itself writes them: a REGISTER through an outbound proxy.
    return _text(
        f"REGISTER {REQUEST_URI} SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.17:40000;rport;branch={variant.branch}",
        "Route: <sip:proxy.example.com;lr>",
        f"From: <sip:{USER}@example.com>;tag={variant.from_tag}",
        f"To: <sip:{USER}@example.com>",
        f"Call-ID: {CALL_ID}",
        f"CSeq: {variant.cseq} REGISTER",
        f"Contact: {CONTACT}",
        "Expires: 3600",
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY",
        "Supported: path, outbound",
        "Max-Forwards: 70",
        "User-Agent: Benchmark/1.0",
        f"Authorization: {_credentials(variant)}",
        "Content-Length: 0",
    )


def _unauthorized(variant: Variant) -> str:
    first, second = variant.challenges
    return _text(
        "SIP/2.0 401 Unauthorized",
        f"Via: SIP/2.0/UDP 192.0.2.17:40000;rport=40000;branch={variant.branch};received=198.51.100.7",
        f"From: <sip:{USER}@example.com>;tag={variant.from_tag}",
        f"To: <sip:{USER}@example.com>;tag={variant.to_tag}",
        f"Call-ID: {CALL_ID}",
        f"CSeq: {variant.cseq} REGISTER",
        f"WWW-Authenticate: {first}",
        f"WWW-Authenticate: {second}",
        "Server: Registrar/2.1 (x86-64/linux)",
        "Content-Length: 0",
    )


def _ok(variant: Variant) -> str:
    return _text(
        "SIP/2.0 200 OK",
        f"Via: SIP/2.0/UDP 192.0.2.17:40000;rport=40000;branch={variant.branch};received=198.51.100.7",
        f"From: <sip:{USER}@example.com>;tag={variant.from_tag}",
        f"To: <sip:{USER}@example.com>;tag={variant.to_tag}",
        f"Call-ID: {CALL_ID}",
        f"CSeq: {variant.cseq} REGISTER",
        f"Contact: <sip:{USER}@192.0.2.17:40000;transport=udp>;expires=3600;q=0.7",
        f"Contact: <sip:{USER}@198.51.100.23:5060;transport=tcp>;expires=1801;q=0.5",
        f'Contact: "Desk" <sip:{USER}@desk.example.com:5066>;expires=60;q=0.1',
        "Path: <sip:edge.example.com;lr;ob>",
        "Service-Route: <sip:orig@scscf.example.com:5060;lr>",
        "Supported: path, outbound",
        "Date: Sat, 13 Nov 2010 23:29:00 GMT",
        "Server: Registrar/2.1 (x86-64/linux)",
        "Content-Length: 0",
    )


def _thirty(variant: Variant) -> str:
    # The same REGISTER as it reaches the registrar of a mobile network, through two proxies.
    return _text(
        f"REGISTER {REQUEST_URI} SIP/2.0",
        f"Via: SIP/2.0/UDP 203.0.113.9:5060;branch={variant.next_branch};received=203.0.113.9;rport=5060",
        "Via: SIP/2.0/TCP 203.0.113.4:5060;branch=z9hG4bK77ef4c2312983.1",
        "Via: SIP/2.0/UDP 192.0.2.17:40000;rport=40000;branch=z9hG4bKnashds7;received=198.51.100.7",
        "Max-Forwards: 68",
        "Route: <sip:registrar.example.com;lr>",
        "Path: <sip:term@pcscf.example.com;lr>",
        "Path: <sip:edge.example.com;lr>",
        f"From: <sip:{USER}@example.com>;tag={variant.from_tag}",
        f"To: <sip:{USER}@example.com>",
        f"Call-ID: {CALL_ID}",
        f"CSeq: {variant.cseq} REGISTER",
        f"Contact: {CONTACT}",
        "Expires: 3600",
        f"Authorization: {_credentials(variant)}",
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY",
        "Supported: path, outbound",
        "Require: path",
        "Proxy-Require: sec-agree",
        "User-Agent: Benchmark/1.0",
        "Accept: application/sdp",
        "Accept-Language: en",
        "Organization: Example",
        "Date: Sat, 13 Nov 2010 23:29:00 GMT",
        "P-Access-Network-Info: 3GPP-UTRAN-TDD;utran-cell-id-3gpp=234151D0FCE11",
        "P-Visited-Network-ID: example.net",
        "P-Charging-Vector: icid-value=1234bc9876e;icid-generated-at=192.0.2.8",
        "P-Charging-Function-Addresses: ccf=192.0.2.8",
        "Privacy: none",
        "X-Correlation-ID: 7ad8d8f6",
        "Content-Length: 0",
    )


KINDS: dict[str, Callable[[Variant], str]] = {
    "REGISTER, 14 headers": _register,
    "401, two challenges": _unauthorized,
    "200, three contacts": _ok,
    "REGISTER, 30 headers": _thirty,
}
"""By name, what writes one message of that kind."""


def contacts_on_one_line(data: bytes) -> bytes:
    """The same message with its Contacts as one list, as Kamailio and OpenSIPS write them.

    Not timed; whoever reads it right has looked for commas.
    """
    first, *others = data.split(b"\r\nContact:")
    if not others:
        return data
    last, end, rest = others[-1].partition(b"\r\n")
    return first + b"\r\nContact:" + b",".join([*others[:-1], last]) + end + rest


def _credentials(variant: Variant) -> str:
    return (
        f'Digest username="{USER}", realm="{REALM}", nonce="{variant.nonce}", uri="{REQUEST_URI}", '
        f'response="{variant.response}", algorithm=MD5, cnonce="{variant.cnonce}", opaque="{variant.opaque}", '
        "qop=auth, nc=00000001"
    )


def _challenge(nonce: str, opaque: str, algorithm: str) -> str:
    # sipmessage cannot read `qop="auth,auth-int"`.
    return f'Digest realm="{REALM}", nonce="{nonce}", opaque="{opaque}", algorithm={algorithm}, qop="auth", stale=false'


def _text(*lines: str) -> str:
    return "\r\n".join([*lines, "", ""])
