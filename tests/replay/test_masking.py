"""What is masked in messages: byte for byte as long as before, wherever they are cut, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import RemoteProtocolError
from sipcore.replay.masking import mask, mask_text, masked_pieces, prove
from sipcore.syntax.message import parse_message

HEAD = b"REGISTER sip:example.com SIP/2.0\r\n"
ANSWER = b"6629fae49393a05397450978507c4ef1"

SECRETS: list[tuple[bytes, bytes]] = [
    (b'Authorization: Digest username="a", response="' + ANSWER + b'", nc=1', ANSWER),
    (b'authorization : digest response="' + ANSWER + b'"', ANSWER),
    (b"Proxy-Authorization: Digest response=" + ANSWER, ANSWER),
    (b'Authorization: Digest realm="a\\"b", response="' + ANSWER + b'"', ANSWER),
    (b'Authorization: Digest\r\n realm="a",\r\n\tresponse="' + ANSWER + b'"', ANSWER),
    (b"Authorization: Digest response=\r\n " + ANSWER, ANSWER),
    (b'Authorization: Digest realm="a, response="' + ANSWER + b'"', ANSWER),
    (b'Authorization: Digest nonce="x" response="' + ANSWER + b'"', ANSWER),
    (b"Authorization: Bearer t0ken.of-a~user/+==", b"t0ken"),
    (b"Authorization: Basic dXNlcjpwYXNz", b"dXNlcjpwYXNz"),
    (b"Authorization: s3cret", b"s3cret"),
    (b"Authorization: token=s3cret", b"s3cret"),
    (b'Authorization: Digest unknown="s3cret"', b"s3cret"),
    (b'Authentication-Info: nextnonce="n", rspauth="' + ANSWER + b'"', ANSWER),
    (b"Proxy-Authentication-Info: RSPAUTH=" + ANSWER, ANSWER),
    (b"Contact: <sip:alice:pass%20word@192.0.2.1>", b"pass"),
    (b"Contact: <SIPS:alice:p&=+$,w@192.0.2.1:5061;x=y>", b"p&=+$,w"),
    (b"From: <sip:alice:s3cret@host>;tag=1", b"s3cret"),
    ("From: <sip:alice:schl\u00fcssel@host>".encode(), "schl\u00fc".encode()),
    (b"Refer-To: <sip:bob@host?Contact=<sip:c:s3cret@host>>", b"s3cret"),
]
KEPT = [
    b'Authorization: Digest username="alice", realm="r", nonce="n", uri="sip:example.com", algorithm=MD5, opaque="o"',
    b"Authorization: Digest qop=auth, nc=00000001, cnonce=\"0a4f113b\"",
    b'Authentication-Info: nextnonce="fresh", qop=auth, cnonce="c", nc=00000002',
    b'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"',
    b"Contact: <sip:alice@192.0.2.1:5060;transport=tcp>;expires=60",
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK1",
    b"X-Authorization-Of: s3cret is no credential",
]


@pytest.mark.parametrize(("line", "secret"), SECRETS)
def test_a_secret_is_masked_and_the_message_stays_as_long(line: bytes, secret: bytes) -> None:
    data = HEAD + line + b"\r\nContent-Length: 0\r\n\r\n"
    masked = mask(data)
    assert secret not in masked
    assert len(masked) == len(data)
    assert mask(masked) == masked
    assert masked.startswith(HEAD)
    assert masked.endswith(b"\r\nContent-Length: 0\r\n\r\n")
    assert [index for index, byte in enumerate(data) if byte in b"\r\n"] == [
        index for index, byte in enumerate(masked) if byte in b"\r\n"
    ]


@pytest.mark.parametrize("line", KEPT)
def test_what_is_no_secret_stays(line: bytes) -> None:
    data = HEAD + line + b"\r\n\r\n"
    assert mask(data) == data


@pytest.mark.parametrize(("line", "secret"), SECRETS)
def test_a_stream_is_masked_however_it_is_cut(line: bytes, secret: bytes) -> None:
    data = HEAD + line + b"\r\nContent-Length: 0\r\n\r\n"
    whole = mask(data)
    for position in range(1, len(data)):
        assert b"".join(masked_pieces([data[:position], data[position:]])) == whole
    assert masked_pieces([data[i : i + 1] for i in range(len(data))]) == [whole[i : i + 1] for i in range(len(whole))]


@pytest.mark.parametrize(("line", "secret"), SECRETS)
def test_of_a_message_that_never_ended_no_half_of_a_secret_is_left(line: bytes, secret: bytes) -> None:
    start = line.rindex(secret)
    for shown in range(min(3, len(secret)), len(secret) + 1):
        masked = mask(HEAD + line[: start + shown], unfinished=True)
        assert secret[:shown] not in masked[len(HEAD) + start :]


PIECES = st.sampled_from(
    [
        *(line for line, _ in SECRETS),
        *KEPT,
        *(b"\r\n", b"\n", b"\r", b" ", b'"', b"\\", b",", b"=", b":", b"@", b"sip:", b"Digest ", b"\r\n "),
        *(b"rspauth", b"response", b"Authorization:", b"%4", b"<", b">", b"\xff", b"\xc3\xbc", b"\x00"),
    ]
)
MESSAGES = st.lists(PIECES | st.binary(max_size=6), max_size=12).map(b"".join)


@settings(max_examples=400)
@given(data=MESSAGES, unfinished=st.booleans())
def test_masking_keeps_length_and_lines_and_is_done_once(data: bytes, unfinished: bool) -> None:
    """len(mask(x)) == len(x), line ends stay where they are, mask(mask(x)) == mask(x): for any bytes."""
    masked = mask(data, unfinished=unfinished)
    assert len(masked) == len(data)
    assert [byte for byte in masked if byte in b"\r\n"] == [byte for byte in data if byte in b"\r\n"]
    assert mask(masked, unfinished=unfinished) == masked


@settings(max_examples=300)
@given(data=MESSAGES)
def test_what_can_be_read_can_be_read_when_it_is_masked(data: bytes) -> None:
    """A message that parses parses masked, with the same headers; one that does not, does not."""
    message = HEAD + data.strip(b"\r\n") + b"\r\nContent-Length: 0\r\n\r\n"
    assert _names(message) == _names(mask(message))


def _names(data: bytes) -> list[str] | str:
    try:
        return [name for name, _ in parse_message(data).headers]
    except RemoteProtocolError as error:
        return error.kind


@settings(max_examples=200)
@given(data=MESSAGES)
def test_text_is_masked_as_its_bytes_are(data: bytes) -> None:
    """The text of a value and the bytes of a message that holds it are masked alike."""
    text = data.decode("utf-8", "surrogateescape")
    assert mask_text(text).encode("utf-8", "surrogateescape") == mask(data)


def test_half_characters_are_no_obstacle() -> None:
    assert mask_text("sip:a:s3cret@h \ud800 sip:b:s3cret@h") == "sip:a:000000@h \ud800 sip:b:000000@h"
    assert mask_text("\udfff:") == "\udfff:"


def test_a_long_line_of_schemes_takes_no_long_time() -> None:
    data = b"sip:" * 20_000 + b"@" + b"sip:a:b" * 20_000
    assert len(mask(data)) == len(data)


@pytest.mark.requirement("RFC7616-3.5-01")
def test_a_proof_is_put_in_where_it_was() -> None:
    head = b'SIP/2.0 200 OK\r\nAuthentication-Info: qop=auth, rspauth="%b", nc=00000001\r\n\r\nrspauth="%b"'
    data = head % (b"0" * 32, b"0" * 32)
    right = ANSWER.decode()
    assert prove(data, "authentication-info", right) == head % (ANSWER, b"0" * 32)
    assert prove(data, "proxy-authentication-info", right) == data
    assert prove(data, "authentication-info", right[:31]) == data
