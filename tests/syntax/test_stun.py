"""STUN and SIP on one port: what is which."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.message import Request, parse_message
from sipcore.syntax.stun import is_stun
from tests.syntax.samples import OK, REGISTER

# RFC 5389 section 6: type, length, magic cookie, transaction id.
BINDING = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(range(12))
RESPONSE = b"\x01\x01\x00\x0c\x21\x12\xa4\x42" + bytes(range(12)) + b"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"


@pytest.mark.parametrize("data", [BINDING, RESPONSE, b"\x3f" + BINDING[1:], BINDING + b"\xff" * 7])
@pytest.mark.requirement("RFC5626-8-01")
def test_stun_is_known_by_two_bits_and_the_cookie(data: bytes) -> None:
    assert is_stun(data)
    with pytest.raises(RemoteProtocolError):
        parse_message(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REGISTER,
        OK,
        b"\r\n\r\n" + OK,
        BINDING[:19],
        BINDING[:8],
        b"\x40" + BINDING[1:],
        b"\x80" + BINDING[1:],
        BINDING.replace(b"\x21\x12\xa4\x42", b"\x21\x12\xa4\x43"),
        BINDING[:4] + b"\0" + BINDING[4:],
        # RFC 3489, without a cookie
        BINDING[:4] + bytes(16),
    ],
)
@pytest.mark.requirement("RFC5626-8-01")
def test_what_is_not_stun(data: bytes) -> None:
    assert not is_stun(data)


@given(st.binary(max_size=3), st.binary(max_size=40), st.sampled_from([OK, REGISTER, b""]))
@settings(max_examples=200)
def test_no_sip_message_is_taken_for_stun(front: bytes, behind: bytes, message: bytes) -> None:
    """Law: what has the cookie in its place is no SIP message whose start line can be read."""
    data = front.ljust(4, b"\r\n"[:1]) + b"\x21\x12\xa4\x42" + behind + message
    try:
        parsed = parse_message(data)
        if isinstance(parsed, Request):
            _ = parsed.request_uri
    except RemoteProtocolError:
        return
    assert not is_stun(data)
