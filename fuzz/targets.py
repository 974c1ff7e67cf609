"""What is fuzzed, and what must hold: each target's docstring is its invariant."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Final

from fuzz.operators import ami, console, manager, pjsip, toml, wizard
from sipcore.auth import (
    ASTERISK_POLICY,
    JSSIP_POLICY,
    SIPCORE_POLICY,
    Algorithm,
    Challenge,
    Credential,
    DigestVerifier,
    VerifyOutcome,
    parse_challenges,
    select,
)
from sipcore.auth.fields import MALFORMED, parse_schemes
from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.syntax import (
    STAR,
    KeepAlive,
    Message,
    NameAddr,
    Request,
    StreamFramer,
    Uri,
    make_response,
    parse_message,
)
from sipcore.syntax.addresses import parse_contacts
from sipcore.syntax.limits import MAX_BODY, MAX_HEADER_BLOCK
from sipcore.syntax.via import parse_via
from sipcore.values import Secret

__all__ = ["MESSAGES", "TARGETS", "challenge", "framer", "message", "names", "uri"]


def message(data: bytes) -> None:
    """Any datagram is taken or refused by `RemoteProtocolError`, whole and header by header, never another way.

    The refusal has an answer's code. What is taken is written back as it came, parses to itself again, and stays byte
    for byte as it was but for the header that is set and taken out. A request can be answered. Each Via and address
    is the inverse of its text.
    """
    refused: RemoteProtocolError | None = None
    try:
        read = parse_message(data)
    except RemoteProtocolError as error:
        refused = error
    if refused is not None:
        assert refused.status_hint in (400, 505, 513)
        return
    assert bytes(read) in data
    assert parse_message(bytes(read)) == read
    for name in _PROPERTIES:
        with suppress(RemoteProtocolError):
            getattr(read, name)
    for value in read.values("via"):
        with suppress(RemoteProtocolError):
            via = parse_via(value)
            assert parse_via(str(via)) == via
    _edited(read)
    if isinstance(read, Request):
        with suppress(RemoteProtocolError):
            assert Uri.parse(str(read.request_uri)) == read.request_uri
        answer = make_response(read, 400, to_tag="t")
        assert parse_message(bytes(answer)) == answer


def framer(data: bytes) -> None:
    """A stream gives the same messages, keep-alives and error however it is cut: at once, in pieces, byte by byte.

    The bytes are a list of operations: see `_operations`. What is cut out is a part of the stream in its order, and a
    datagram parser takes or refuses all of it, never a part. What waits is bounded. A dead framer stays dead.
    """
    accepted = data[:1] > b"\x7f"
    chunks = _operations(data[1:])
    stream = b"".join(chunks)
    items, error = _delivered(chunks, accepted)
    assert (items, error) == _delivered([stream], accepted)
    if len(stream) <= _BYTEWISE:
        assert (items, error) == _delivered([stream[at : at + 1] for at in range(len(stream))], accepted)
    position = 0
    for item in items:
        if isinstance(item, bytes):
            position = stream.index(item, position) + len(item)
            with suppress(RemoteProtocolError):
                assert bytes(parse_message(item)) == item


def challenge(data: bytes) -> None:
    """Whatever challenges a server sends, an answer is one header line, can be read, and answers what was asked.

    Each line is one header value. Nothing is raised; a challenge is the inverse of its text. Every answer names the
    challenge's nonce, and a verifier of that realm with another key calls it `STALE`: right but for the nonce. The
    same bytes as credentials are never accepted.
    """
    values = data.decode("utf-8", "surrogateescape").split("\n")
    asked = parse_challenges(values, proxy=False)
    for one in asked:
        if one.digest:
            assert parse_challenges([str(one)], proxy=False) == (one,)
    for policy in (SIPCORE_POLICY, ASTERISK_POLICY, JSSIP_POLICY):
        for session in select(asked, [_CREDENTIAL], policy).sessions:
            for _ in range(2):
                _check_answer(session.challenge, session.authorization("REGISTER", _REGISTRAR, b"body", Random(1)))
    found = _verifier("example.com").verify(values, "REGISTER", _REGISTRAR, b"", _lookup, 0.0)
    assert found.outcome is not VerifyOutcome.OK


def uri(data: bytes) -> None:
    """Of two URIs, one a line: each is the inverse of its text, and equivalence is reflexive and symmetric.

    Refusal is `RemoteProtocolError`. Equal URIs are equivalent and have one hash.
    """
    found: list[Uri] = []
    for line in data.decode("utf-8", "surrogateescape").split("\n")[:2]:
        with suppress(RemoteProtocolError):
            found.append(Uri.parse(line))
    for one in found:
        text = str(one)
        assert Uri.parse(text) == one
        assert str(Uri.parse(text)) == text
        assert one.equivalent(one)
        scheme, _, rest = text.partition(":")
        assert one.equivalent(Uri.parse(f"{scheme.upper()}:{rest}"))
        for two in found:
            assert one.equivalent(two) is two.equivalent(one)
            assert one != two or (one.equivalent(two) and hash(one) == hash(two))


def names(data: bytes) -> None:
    """A list of addresses is refused by `RemoteProtocolError` or is the inverse of its text, whole and one by one.

    Each line is one Contact line, and a line has no CR. The URI of an address shows its faults when it is asked for.
    """
    lines = data.replace(b"\r", b"").decode("utf-8", "surrogateescape").split("\n")
    try:
        contacts = parse_contacts(lines)
    except RemoteProtocolError:
        return
    if contacts is STAR:
        return
    assert parse_contacts([", ".join([str(contact) for contact in contacts])]) == contacts
    for contact in contacts:
        assert NameAddr.parse(str(contact)) == contact
        assert hash(NameAddr.parse(str(contact))) == hash(contact)
        assert repr(contact)
        with suppress(RemoteProtocolError):
            assert str(contact.uri) == str(Uri.parse(contact.uri_text))


Target = Callable[[bytes], None]

TARGETS: Final[dict[str, Target]] = {
    "message": message,
    "framer": framer,
    "challenge": challenge,
    "uri": uri,
    "names": names,
    "pjsip": pjsip,
    "wizard": wizard,
    "toml": toml,
    "manager": manager,
    "ami": ami,
    "console": console,
}
"""By the name on the command line."""

# --- messages --------------------------------------------------------------------------------------------------------

_PROPERTIES: Final = [name for name in dir(Message) if isinstance(getattr(Message, name), property)]

_EDITED: Final = "X-Fuzz"


def _edited(read: Message) -> None:
    if read.get(_EDITED.lower()) is not None:
        return
    try:
        longer = read.with_header(_EDITED, "1")
    except LocalProtocolError:
        return  # It had as many headers, or bytes, as there may be.
    assert longer.get(_EDITED.lower()) == "1"
    assert longer.headers == (*read.headers, (_EDITED, "1"))
    assert longer.body == read.body
    assert bytes(longer.without(_EDITED)) == bytes(read)


# --- streams ---------------------------------------------------------------------------------------------------------

MESSAGES: Final = (
    b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n",
    b"OPTIONS sip:h SIP/2.0\r\nContent-Length\t:\r\n 3\r\n\r\n\r\n\r",
)
"""What an operation can put into the stream as a whole."""

_BYTEWISE: Final = 1024
"""Streams up to here are delivered byte by byte, too; longer ones would take most of the time."""


def _operations(data: bytes) -> list[bytes]:
    """The pieces of a stream.

    Of each operation the first byte says what it is: below 128 the length of a piece, which follows; then a CRLF, a
    double CRLF, one of `MESSAGES` at once or in two pieces; and that the piece before is delivered byte by byte.
    """
    chunks: list[bytes] = []
    position = 0
    while position < len(data):
        code = data[position]
        position += 1
        if code < 128:
            chunks.append(data[position : position + code])
            position += code
        elif code < 160:
            chunks.append(b"\r\n")
        elif code < 176:
            chunks.append(b"\r\n\r\n")
        elif code < 208:
            chunks.append(MESSAGES[code % len(MESSAGES)])
        elif code < 240:
            whole = MESSAGES[code % len(MESSAGES)]
            cut = code % len(whole)
            chunks += [whole[:cut], whole[cut:]]
        elif chunks:
            last = chunks.pop()
            chunks += [last[at : at + 1] for at in range(len(last))]
    return chunks


def _delivered(chunks: list[bytes], accepted: bool) -> tuple[list[bytes | KeepAlive], str]:
    stream = StreamFramer(accepted=accepted)
    items: list[bytes | KeepAlive] = []
    for chunk in chunks:
        items += stream.receive(chunk)
        assert stream.pending <= MAX_HEADER_BLOCK + MAX_BODY + len(chunk)
        if stream.error is not None:
            assert stream.pending == 0
            try:
                stream.receive(b"")
            except RemoteProtocolError:
                return items, f"{type(stream.error).__name__}: {stream.error}"
            raise AssertionError("a dead framer took more")
    return items, ""


# --- authentication --------------------------------------------------------------------------------------------------

_REGISTRAR: Final = "sip:example.com"
_CREDENTIAL: Final = Credential(username="alice", password=Secret("secret"))


def _lookup(username: str, realm: str) -> Credential | None:
    return _CREDENTIAL if username == "alice" else None


def _verifier(realm: str, *qops: str) -> DigestVerifier:
    return DigestVerifier(realm, random=Random(2), algorithms=tuple(Algorithm), qops=qops)


def _check_answer(one: Challenge, answer: str) -> None:
    assert not {"\r", "\n"} & set(answer)
    ((scheme, fields),) = parse_schemes(answer)
    assert scheme == "Digest"
    assert MALFORMED not in fields
    assert f"nonce={one.echo('nonce', one.nonce)}" in answer
    if "userhash" in fields:
        return  # Who it is, only a verifier with an index of hashes knows.
    try:
        verifier = _verifier(one.realm, "auth", "auth-int")
    except LocalProtocolError:
        return  # A realm that we would never have, but answer.
    found = verifier.verify(answer, "REGISTER", _REGISTRAR, b"body", _lookup, 0.0)
    assert found.outcome is VerifyOutcome.STALE, found
