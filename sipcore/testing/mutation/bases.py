"""What arrives when nothing is wrong: the messages that mutants are made of."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["BRANCH", "CALL_ID", "CSEQ", "FROM_TAG", "SIP_BASES", "Base"]


class Base(NamedTuple):
    """One message as a peer sends it."""

    name: str
    """What it is, in a few words; stands in the `repr` of each of its mutants."""
    data: bytes


# What a message has in common with the request that it answers. Each text occurs nowhere else, so that a test can put
# an agent's own in its place and have mutants of an answer that the agent waits for.
BRANCH: Final = "z9hG4bKnashds8"
FROM_TAG: Final = "a73kszlfl"
CALL_ID: Final = "1j9FpLxk3uxtm8tn@192.0.2.10"
CSEQ: Final = "4711"


def _message(text: str, body: str = "") -> bytes:
    """Lines to a message; `{length}` is the body's."""
    content = body.strip("\n").replace("\n", "\r\n").encode() if body else b""
    lines = text.strip("\n").replace("{length}", str(len(content))).split("\n")
    return "\r\n".join([*lines, "", ""]).encode() + content


def _answer(status: str, *headers: str, method: str = "REGISTER", body: str = "") -> bytes:
    """An answer to a request of ours."""
    return _message(
        "\n".join(
            [
                f"SIP/2.0 {status}",
                f"Via: SIP/2.0/TCP 192.0.2.10:5060;branch={BRANCH};received=192.0.2.10;rport=5060",
                f'From: "Alice" <sip:alice@example.com>;tag={FROM_TAG}',
                "To: <sip:alice@example.com>;tag=37GkEhwl6",
                f"Call-ID: {CALL_ID}",
                f"CSeq: {CSEQ} {method}",
                *headers,
                "Content-Length: {length}",
            ]
        ),
        body,
    )


_REGISTER: Final = f"""
REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/TCP 192.0.2.10:5060;branch={BRANCH};rport
Max-Forwards: 70
From: "Alice" <sip:alice@example.com>;tag={FROM_TAG}
To: <sip:alice@example.com>
Call-ID: {CALL_ID}
CSeq: {CSEQ} REGISTER
Contact: <sip:alice@192.0.2.10:5060;transport=tcp;line=x7>;expires=600;+sip.instance="<urn:uuid:0C67446E-F1A1>";reg-id=1
Authorization: Digest username="alice", realm="example.com", nonce="dcd98b7102dd2f0e", uri="sip:example.com", \
response="6629fae49393a05397450978507c4ef1", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001, opaque="5ccc069c"
Expires: 3600
Supported: path, outbound, gruu
Require: gruu
User-Agent: Phone/1.2 (a comment (nested))
Content-Length: {{length}}
"""

_UNREGISTER_IN_COMPACT_FORMS: Final = f"""
REGISTER sip:[2001:db8::9]:5062;transport=udp SIP/2.0
v: SIP / 2.0 / UDP [2001:db8::a] : 5060 ;branch={BRANCH};rport
Max-Forwards:   70
f: sip:alice@example.com;tag={FROM_TAG}
t: sip:alice@example.com
i: {CALL_ID}
CSeq: {CSEQ}   REGISTER
m: *
Expires: 0
k: path,
 outbound
l: {{length}}
"""

_REGINFO: Final = """
<?xml version="1.0"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="1" state="full">
  <registration aor="sip:alice@example.com" id="as9" state="active">
    <contact id="76" state="active" event="registered" duration-registered="7322" q="0.8" expires="600">
      <uri>sip:alice@192.0.2.10:5060;line=x7</uri>
      <display-name xml:lang="en">Alice &amp; Bob</display-name>
    </contact>
  </registration>
</reginfo>
"""

_IN_DIALOG: Final = f"""
Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKnotify1;rport
Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>
Max-Forwards: 69
From: <sip:alice@example.com>;tag=37GkEhwl6
To: <sip:alice@example.com>;tag={FROM_TAG}
Call-ID: {CALL_ID}
Contact: <sip:192.0.2.1:5060;transport=tcp>
"""

SIP_BASES: Final = (
    Base(
        "401 to REGISTER",
        _answer(
            "401 Unauthorized",
            'WWW-Authenticate: Digest realm="example.com", qop="auth,auth-int", algorithm=SHA-256, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv", opaque="FQhe/qaU925kfnzjCev0", stale=false',
            'WWW-Authenticate: Digest realm="example.com", qop="auth", algorithm=MD5, nonce="dcd98b7102dd2f0e", '
            'domain="sip:example.com", charset=UTF-8, userhash=true',
            "Server: Kamailio (5.6.3 (x86_64/linux))",
        ),
    ),
    Base(
        "407 to REGISTER",
        _answer(
            "407 Proxy Authentication Required",
            'Proxy-Authenticate: Digest realm="a \\"quoted\\" realm", nonce="f84f1cec41e6cbe5aea9c8e88d359", '
            "stale=TRUE, algorithm=MD5-sess, qop=auth",
            "Proxy-Authenticate: Bearer authz_server=\"https://a.example\", scope=sip",
        ),
    ),
    Base(
        "200 to REGISTER",
        _answer(
            "200 OK",
            "Contact: <sip:alice@192.0.2.10:5060;transport=tcp;line=x7>;expires=600;q=0.5;"
            '+sip.instance="<urn:uuid:0C67446E-F1A1>";pub-gruu="sip:alice@example.com;gr=urn:uuid:0C67446E";reg-id=1',
            'Contact: "Desk; <2nd>, x=1" <sip:alice@198.51.100.7>;expires=61;q=0.1;a=b, '
            "sip:alice@[2001:db8::7]:5070;expires=7",
            "Path: <sip:p1.example.com;lr;ob>, <sip:p2.example.com;lr>",
            "Service-Route: <sip:orig@s1.example.com;lr>",
            "Service-Route: <sip:s2.example.com;lr>",
            'Authentication-Info: nextnonce="47364c23432d2e13", qop=auth, rspauth="6629fae4", cnonce="0a", nc=00000001',
            "P-Associated-URI: <sip:alice@example.com>, <tel:+15551234>",
            "Flow-Timer: 120",
            "Require: outbound",
            "Supported: path, gruu",
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS",
            "Date: Sat, 13 Nov 2010 23:29:00 GMT",
            "Expires: 600",
        ),
    ),
    Base(
        "200 to REGISTER, folded and in compact forms",
        _message(f"""
SIP/2.0 200 OK
v: SIP/2.0/UDP 192.0.2.10;branch={BRANCH}
f:\t"Alice"
 <sip:alice@example.com> ;
\ttag={FROM_TAG}
t :
 <sip:alice@example.com>;tag=3
i: {CALL_ID}
CSeq: {CSEQ}
 REGISTER
m: <sip:alice@192.0.2.10> ; expires = 60 ,
   "B" <sip:b@192.0.2.11>;expires=5
s:
l: {{length}}
"""),
    ),
    Base("423 to REGISTER", _answer("423 Interval Too Brief", "Min-Expires: 1800", "Timestamp: 54.7 0.2")),
    Base(
        "503 to REGISTER",
        _answer(
            "503 Service Unavailable",
            'Retry-After: 120 (busy (until noon)) ;duration=3600',
            'Warning: 399 example.com "overload \\"x\\"", 301 192.0.2.1:5060 "second"',
            "Error-Info: <sip:busy@example.com>",
        ),
    ),
    Base(
        "302 to REGISTER",
        _answer(
            "302 Moved Temporarily",
            "Contact: <sip:r2.example.com:5070;transport=tcp>;q=0.7;expires=30, <sips:r3.example.com>;q=1.0",
            "Contact: <sip:alice@r4.example.com?Subject=a%20b&Priority=urgent>",
        ),
    ),
    Base(
        "494 to REGISTER",
        _answer(
            "494 Security Agreement Required",
            "Security-Server: ipsec-ike;q=0.1, tls;q=0.2;d-alg=MD5",
            "Unsupported: 100rel",
            "Reason: SIP;cause=494;text=\"agree, first\"",
        ),
    ),
    Base(
        "NOTIFY of the event reg",
        _message(
            "NOTIFY sip:alice@192.0.2.10:5060;line=x7 SIP/2.0"
            + _IN_DIALOG
            + "CSeq: 9 NOTIFY\nEvent: reg;id=1\nSubscription-State: active;expires=599;retry-after=5;reason=giveup\n"
            + "Content-Type: application/reginfo+xml;charset=\"utf-8\"\nContent-Length: {length}",
            _REGINFO,
        ),
    ),
    Base("200 to SUBSCRIBE", _answer("200 OK", "Expires: 3600", "Contact: <sip:192.0.2.1>", method="SUBSCRIBE")),
    Base("202 to SUBSCRIBE", _answer("202 Accepted", "Expires: 0", "Contact: <sip:192.0.2.1>", method="SUBSCRIBE")),
    Base("489 to SUBSCRIBE", _answer("489 Bad Event", "Allow-Events: reg, presence.winfo", method="SUBSCRIBE")),
    Base("412 to PUBLISH", _answer("412 Conditional Request Failed", method="PUBLISH")),
    Base("200 to PUBLISH", _answer("200 OK", "SIP-ETag: dx200xyz", "Expires: 1800", method="PUBLISH")),
    Base(
        "OPTIONS",
        _message(
            "OPTIONS sip:alice@192.0.2.10:5060 SIP/2.0"
            + _IN_DIALOG
            + "CSeq: 63104 OPTIONS\nAccept: application/sdp;q=0.9, text/plain\nAccept-Language: da, en;q=0.7\n"
            + "Content-Length: {length}"
        ),
    ),
    Base(
        "NOTIFY of a message summary",
        _message(
            "NOTIFY sip:alice@192.0.2.10 SIP/2.0"
            + _IN_DIALOG
            + "CSeq: 1 NOTIFY\nEvent: message-summary\nSubscription-State: terminated;reason=timeout\n"
            + "Content-Type: application/simple-message-summary\nContent-Length: {length}",
            "Messages-Waiting: yes\nVoice-Message: 2/8 (0/2)\n",
        ),
    ),
    Base(
        "INVITE",
        _message(
            "INVITE sip:alice@192.0.2.10:5060;line=x7 SIP/2.0"
            + _IN_DIALOG
            + "CSeq: 314159 INVITE\nRoute: <sip:p1.example.com;lr>\nSession-Expires: 1800;refresher=uac\n"
            + "Content-Disposition: session;handling=required\nContent-Type: application/sdp\nContent-Length: {length}",
            "v=0\no=bob 2890844526 2890844526 IN IP4 198.51.100.2\ns=-\nc=IN IP4 198.51.100.2\nt=0 0\n"
            "m=audio 49172 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n",
        ),
    ),
    Base(
        "INVITE with several bodies",
        _message(
            "INVITE sip:alice@192.0.2.10 SIP/2.0"
            + _IN_DIALOG
            + "CSeq: 2 INVITE\nMIME-Version: 1.0\nContent-Type: multipart/mixed;boundary=\"a b\"\n"
            + "Content-Length: {length}",
            "a preface\n--a b\nContent-Type: application/sdp\n\nv=0\n--a b  \n"
            "Content-Type: multipart/alternative;boundary=c\nContent-Disposition: render;handling=optional\n\n"
            "--c\n\nplain text\n--c\nContent-Type: text/html; charset=utf-8\nContent-ID: <x@h>\n\n<b>text</b>\n--c--\n"
            "--a b--\nan epilogue",
        ),
    ),
    Base("REGISTER", _message(_REGISTER)),
    Base(
        "REGISTER of Contact * in compact forms",
        _message(_UNREGISTER_IN_COMPACT_FORMS),
    ),
)
"""Answers to our REGISTER, SUBSCRIBE and PUBLISH; requests that a user agent and a registrar get."""
