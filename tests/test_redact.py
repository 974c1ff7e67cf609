"""What a trace may show: everything but what could be used to log in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.redact import MASK, redact, redact_uri

SECRET = "5ecre7canary"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"sip:alice:{SECRET}@example.com", f"sip:alice:{MASK}@example.com"),
        (f"SIPS:alice:{SECRET}@example.com;x=y", f"SIPS:alice:{MASK}@example.com;x=y"),
        (f'"A" <sip:a:{SECRET}@h>, <sip:b@h:5060>', f'"A" <sip:a:{MASK}@h>, <sip:b@h:5060>'),
        (f"<sip:a@h>,<sip:b:{SECRET}@h>", f"<sip:a@h>,<sip:b:{MASK}@h>"),
        (f"sip:u:{SECRET}@[2001:db8::1]:5060", f"sip:u:{MASK}@[2001:db8::1]:5060"),
        (f"sip:u:{SECRET},{SECRET}@h", f"sip:u:{MASK}@h"),
        (f"sip:u:{SECRET}@{SECRET}@h", f"sip:u:{MASK}@h"),
        ("sip:u:@h", f"sip:u:{MASK}@h"),
    ],
)
def test_passwords_in_uris(text: str, shown: str) -> None:
    assert redact_uri(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "sip:alice@example.com",
        "sip:h:5060",
        "sip:h:5060 x@y",
        "sip:[::1]:5060;lr",
        "gossip: a:b@c",
        "tel:+1234",
        "sip",
        "",
    ],
)
def test_what_holds_no_password_stays(text: str) -> None:
    assert redact_uri(text) == text


DIGEST = (
    'Digest username="alice", realm="a, b", nonce="n\\"1", uri="sip:example.com", response="{}", algorithm=MD5, '
    'cnonce="c", opaque="o", qop=auth, nc=00000001'
)


@pytest.mark.parametrize(
    "header", ["Authorization", "authorization", "Proxy-Authorization", "AUTHORIZATION ", "Authorization\t"]
)
def test_digest_keeps_what_an_operator_compares(header: str) -> None:
    message = f"REGISTER sip:example.com SIP/2.0\r\n{header}: {DIGEST.format(SECRET)}\r\nX: y\r\n\r\n"
    assert redact(message.encode()) == (
        f"REGISTER sip:example.com SIP/2.0\n{header}: {DIGEST.format('').replace(chr(34) * 2, MASK)}\nX: y\n\n"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"Authorization: Bearer {SECRET}", f"Authorization: Bearer {MASK}"),
        (f"Authorization: Basic {SECRET}==", f"Authorization: Basic {MASK}"),
        (f"Authorization: {SECRET}", f"Authorization: {MASK}"),
        (f"Authorization:Digest response={SECRET}", f"Authorization: Digest response={MASK}"),
        (f'Authorization: DIGEST Response = "{SECRET}"', f"Authorization: DIGEST Response={MASK}"),
        (f'Authorization: Digest response="{SECRET}, nc=1', f"Authorization: Digest response={MASK}"),
        (f"Authorization: Digest {SECRET}", f"Authorization: Digest {MASK}"),
        (f'Authorization: Digest auts="{SECRET}"', f"Authorization: Digest auts={MASK}"),
        (f'Authorization: Digest nc=1, Digest response="{SECRET}"', f"Authorization: Digest nc=1, {MASK}"),
        (f'Authorization: Digest uri="sip:a:{SECRET}@h"', f'Authorization: Digest uri="sip:a:{MASK}@h"'),
        (f'Authorization: Digest nc=1,\r\n  response="{SECRET}"', f"Authorization: Digest nc=1, response={MASK}"),
        (f'Authorization:\r\n\tDigest response="{SECRET}"', f"Authorization: Digest response={MASK}"),
        (
            f'Authentication-Info: nextnonce="n", rspauth="{SECRET}"',
            f'Authentication-Info: nextnonce="n", rspauth={MASK}',
        ),
        (f"To: <sip:a:{SECRET}@h>", f"To: <sip:a:{MASK}@h>"),
    ],
)
def test_lines(line: str, shown: str) -> None:
    assert redact(f"SIP/2.0 200 OK\r\n{line}\r\nY: z".encode()) == f"SIP/2.0 200 OK\n{shown}\nY: z"


def test_challenges_stay_whole() -> None:
    line = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", stale=true'
    assert redact(line.encode()) == line


def test_a_body_is_shown_but_for_passwords_in_uris() -> None:
    assert redact(f"A: b\r\n\r\nAuthorization: x\r\nsip:u:{SECRET}@h".encode()) == (
        f"A: b\n\nAuthorization: x\nsip:u:{MASK}@h"
    )


def test_broken_line_ends_hide_nothing_from_the_mask() -> None:
    for end in ("\n", "\r", "\r\n"):
        assert SECRET not in redact(f"A: b{end}Authorization: Digest response={SECRET}{end}".encode())


@given(
    name=st.sampled_from(["Authorization", "Proxy-Authorization", "authorization"]),
    scheme=st.sampled_from(["Digest ", "Digest\t", "Bearer ", "Basic ", "", "digest  ", "Foo "]),
    before=st.text(alphabet='ab=,"\\ \t', max_size=12),
    after=st.text(alphabet='ab=,"\\ \t', max_size=12),
)
def test_no_spelling_of_response_gets_through(name: str, scheme: str, before: str, after: str) -> None:
    """However broken a credentials header is, the value of a parameter that is not known to be harmless is masked."""
    line = f'{name}: {scheme}{before},response="{SECRET}"{after}'
    assert SECRET not in redact(line.encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data: bytes) -> None:
    """Whatever arrives can be shown as text."""
    assert isinstance(redact(data), str)


@given(before=st.text(alphabet="İſKß \x00", max_size=8))
def test_characters_that_grow_in_lower_case_hide_no_password(before: str) -> None:
    """What stands before a URI decides nothing about its password, also when it is longer in lower case."""
    assert redact_uri(f"{before}SIPS:alice:{SECRET}@h") == f"{before}SIPS:alice:***@h"
