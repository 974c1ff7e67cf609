"""Messages that are as they should be, for tests that look at one thing about them."""

from __future__ import annotations

__all__ = ["OK", "REGISTER", "lines"]


def lines(*text: str, body: bytes = b"") -> bytes:
    """A message of these lines, without their CRLFs."""
    return "".join(f"{line}\r\n" for line in (*text, "")).encode("utf-8", "surrogateescape") + body


REGISTER = lines(
    "REGISTER sip:example.com SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport",
    "Max-Forwards: 70",
    "From: <sip:alice@example.com>;tag=1",
    "To: <sip:alice@example.com>",
    "Call-ID: a84b4c76e66710",
    "CSeq: 7 REGISTER",
    "Contact: <sip:alice@192.0.2.1:5060>;expires=600",
    "Expires: 3600",
    "Content-Length: 0",
)

OK = lines(
    "SIP/2.0 200 OK",
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport=5060;received=192.0.2.1",
    "From: <sip:alice@example.com>;tag=1",
    "To: <sip:alice@example.com>;tag=2",
    "Call-ID: a84b4c76e66710",
    "CSeq: 7 REGISTER",
    "Contact: <sip:alice@192.0.2.1:5060>;expires=600, <sip:b@h>;expires=5",
    "Contact: <sip:c@h>",
    "Server: any (thing)",
    "Content-Length: 0",
)


WELL_FORMED = {
    "register": REGISTER,
    "ok": OK,
    "register-with-credentials": lines(
        "REGISTER sip:example.com SIP/2.0",
        "Via: SIP/2.0/TCP [2001:db8::9]:5070;branch=z9hG4bKy;alias",
        "Route: <sip:[2001:db8::1]:5060;transport=tcp;lr>",
        "Max-Forwards: 70",
        'From: "Alice, \\"A\\"" <sip:alice@example.com>;tag=a1b2',
        "To: Alice Example <sip:alice@example.com>",
        "Call-ID: a84b4c76e66710@[2001:db8::9]",
        "CSeq: 2147483647 REGISTER",
        'Contact: <sip:alice@[2001:db8::9]:5070;transport=tcp>;+sip.instance="<urn:uuid:f81d4fae>";reg-id=1;q=0.7',
        "Supported: path, outbound, gruu",
        'Authorization: Digest username="alice", realm="example.com", nonce="dcd98b", uri="sip:example.com", '
        'response="0123456789abcdef0123456789abcdef", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001',
        "Expires: 600",
        "User-Agent: any/1.0 (thing)",
        "Content-Length: 0",
    ),
    "remove-all": lines(
        "REGISTER sip:example.com:5062;transport=udp SIP/2.0",
        "v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKz;rport",
        "f: sip:alice@example.com;tag=1",
        "t: sip:alice@example.com",
        "i: x",
        "CSeq: 8 REGISTER",
        "m: *",
        "Expires: 0",
        "l: 0",
    ),
    "challenge": lines(
        "SIP/2.0 401 Unauthorized",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport=5060;received=192.0.2.1",
        "From: <sip:alice@example.com>;tag=1",
        "To: <sip:alice@example.com>;tag=2",
        "Call-ID: a84b4c76e66710",
        "CSeq: 7 REGISTER",
        'WWW-Authenticate: Digest realm="example.com", nonce="n1", algorithm=SHA-256, qop="auth,auth-int", opaque="o"',
        'WWW-Authenticate: Digest realm="example.com", nonce="n2", algorithm=MD5, qop="auth", stale=true',
        "Content-Length: 0",
    ),
    "proxy-challenge": lines(
        "SIP/2.0 407 Proxy Authentication Required",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx",
        "From: <sip:alice@example.com>;tag=1",
        "To: <sip:alice@example.com>;tag=2",
        "Call-ID: a84b4c76e66710",
        "CSeq: 7 REGISTER",
        'Proxy-Authenticate: Digest realm="proxy of \\"all\\", really", nonce="n=="',
        "Content-Length: 0",
    ),
    "path": lines(
        "SIP/2.0 200 OK",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx",
        "From: <sip:alice@example.com>;tag=1",
        "To: <sip:alice@example.com>;tag=2",
        "Call-ID: a84b4c76e66710",
        "CSeq: 7 REGISTER",
        "Contact: <sip:alice@192.0.2.1;transport=tcp>;expires=600;q=1",
        'Contact: "Desk" <sips:alice@desk.example.com>;expires=60, <tel:+1-201-555-0123>;expires=5',
        "Path: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>",
        "Service-Route: <sip:orig@p2.example.com;lr>",
        "P-Associated-URI: <sip:alice@example.com>",
        "Date: Sat, 13 Nov 2010 23:29:00 GMT",
        "Content-Length: 0",
    ),
    "too-brief": lines(
        "SIP/2.0 423 Interval Too Brief",
        "Via: SIP/2.0/TLS client.example.com:5061;branch=z9hG4bKx",
        "From: <sips:alice@example.com>;tag=1",
        "To: <sips:alice@example.com>;tag=2",
        "Call-ID: a84b4c76e66710",
        "CSeq: 7 REGISTER",
        "Min-Expires: 7200",
        "Retry-After: 18000;duration=3600",
        "Content-Length: 0",
    ),
    "folded": lines(
        "SIP/2.0 200 OK",
        "Via: SIP/2.0/UDP 192.0.2.1:5060",
        " ;branch=z9hG4bKx",
        "From: <sip:alice@example.com>;tag=1",
        "To: <sip:alice@example.com>",
        "\t;tag=2",
        "Call-ID: a84b4c76e66710",
        "CSeq: 7 REGISTER",
        "Content-Length: 0",
    ),
    "with-a-body": lines(
        "MESSAGE sip:bob;x=1:secret@example.com;user=phone?Subject=a%20b SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx",
        "Via: SIP/2.0/TCP h2.example.com;branch=z9hG4bKv;received=192.0.2.7, SIP / 2.0 / UDP 192.0.2.8",
        "Max-Forwards: 70",
        "From: <sip:%61lice@example.com>;tag=1",
        "To: <sip:bob@EXAMPLE.com;user=phone>",
        "Call-ID: a84b4c76e66710",
        "CSeq:   0007   MESSAGE",
        "Content-Type: text/plain;charset=utf-8",
        "Content-Length: 6",
        "X-Unknown: kept, as \\ it ; is",
        body="né\r\n\r".encode(),
    ),
}
"""Messages that break no rule, and use what the grammar offers."""
