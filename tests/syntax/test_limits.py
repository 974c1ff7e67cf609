"""Every limit, exactly: what reaches it passes, one more is `LimitExceeded`, or what its row says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sipcore.auth import parse_challenges
from sipcore.auth.fields import MALFORMED, MAX_VALUE, parse_fields
from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax import StreamFramer, Uri, limits, parse_message
from sipcore.syntax.addresses import parse_contacts, parse_name_addr
from sipcore.syntax.grammar import parse_host_port
from sipcore.syntax.headers import parse_cseq, parse_expires
from sipcore.syntax.via import parse_via


def response(*lines: str, start: str = "SIP/2.0 200 OK", body: bytes = b"") -> bytes:
    return "\r\n".join([start, *lines, "", ""]).encode() + body


def datagram(data: bytes) -> object:
    return parse_message(data)


def stream(data: bytes) -> object:
    framer = StreamFramer()
    items = framer.receive(data)
    if framer.error is not None:
        raise framer.error
    (item,) = items
    assert isinstance(item, bytes)
    return parse_message(item)


def block(size: int) -> bytes:
    """A message whose headers have that many bytes, none of its lines being too long."""
    text = "SIP/2.0 200 OK\r\nl: 0"
    while (rest := size - len(text)) > 0:
        text += "\r\nX: ".ljust(min(rest, 9000) if rest - 9000 > 10 or rest <= 9000 else 5000, "x")
    assert len(text) == size
    return f"{text}\r\n\r\n".encode()


class Row(NamedTuple):
    """One limit in one place."""

    limit: str
    read: Callable[[int], object]
    """Read something of that size, length or number."""


ROWS = [
    Row("MAX_START_LINE", lambda n: datagram(response("l: 0", start="SIP/2.0 200 ".ljust(n, "x")))),
    Row("MAX_START_LINE", lambda n: datagram(response("l: 0", start=f"A sip:{'a' * (n - 14)} SIP/2.0"))),
    Row("MAX_START_LINE", lambda n: stream(response("l: 0", start="SIP/2.0 200 ".ljust(n, "x")))),
    Row("MAX_LINE", lambda n: datagram(response("X:".ljust(n, "x")))),
    Row("MAX_LINE", lambda n: datagram(response("l: 0", "X: a", " ".ljust(n - 4, "x")))),
    Row("MAX_LINE", lambda n: stream(response("l: 0", "X:".ljust(n, "x")))),
    Row("MAX_HEADERS", lambda n: datagram(response(*["X: y"] * n))),
    Row("MAX_HEADERS", lambda n: datagram(response(*["X: y"] * n, body=b"a body"))),
    Row("MAX_HEADERS", lambda n: stream(response("l: 0", *["X: y"] * (n - 1)))),
    Row("MAX_HEADER_BLOCK", lambda n: datagram(block(n))),
    Row("MAX_HEADER_BLOCK", lambda n: stream(block(n))),
    Row("MAX_BODY", lambda n: datagram(response(body=b"x" * n))),
    Row("MAX_BODY", lambda n: datagram(response(f"l: {n}", body=b"x" * n))),
    Row("MAX_BODY", lambda n: stream(response(f"l: {n}", body=b"x" * n))),
    Row("MAX_CONTACTS", lambda n: parse_contacts(["<sip:a@h>"] * n)),
    Row("MAX_CONTACTS", lambda n: parse_contacts([", ".join(["<sip:a@h>"] * n)])),
    Row("MAX_CONTACTS", lambda n: parse_message(response(*["m: <sip:a@h>"] * n)).contacts),
    Row("MAX_PARAMETERS", lambda n: parse_name_addr("<sip:a@h>" + parameters(n))),
    Row("MAX_PARAMETERS", lambda n: parse_name_addr('<sip:a@h>;a="b"' + parameters(n - 1))),
    Row("MAX_PARAMETERS", lambda n: parse_name_addr("sip:a@h" + parameters(n))),
    Row("MAX_PARAMETERS", lambda n: parse_via("SIP/2.0/UDP h" + parameters(n))),
    Row("MAX_PARAMETERS", lambda n: Uri.parse("sip:a@h" + parameters(n))),
]


def parameters(count: int) -> str:
    return "".join([f";p{number}" for number in range(count)])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.limit)
@pytest.mark.requirement("RFC3261-18.3-04", "RFC4475-3.1.1.7-01")
def test_at_the_limit_it_passes_and_one_above_it_is_an_error_of_its_own(row: Row) -> None:
    limit = getattr(limits, row.limit)
    assert row.read(limit) is not None
    assert row.read(limit - 1) is not None
    with pytest.raises(LimitExceeded) as caught:
        row.read(limit + 1)
    assert caught.value.status_hint == 513
    with pytest.raises(LimitExceeded):
        row.read(limit + 1000)


# --- what is no LimitExceeded ----------------------------------------------------------------------------------------


def host(length: int) -> str:
    return ("a" * 60 + ".") * (length // 61) + "b" * (length % 61)


REFUSED = [
    Row("MAX_HOST", lambda n: parse_host_port(host(n))),
    Row("MAX_HOST", lambda n: Uri.parse(f"sip:a@{host(n)}")),
    Row("MAX_HOST", lambda n: parse_via(f"SIP/2.0/UDP {host(n)};rport")),
    Row("MAX_HOST", lambda n: parse_name_addr(f"<sip:{host(n)}>").uri),
    Row("MAX_PORT", lambda n: parse_host_port(f"h:{n}")),
    Row("MAX_PORT", lambda n: Uri.parse(f"sip:a@h:{n}")),
    Row("MAX_PORT", lambda n: parse_via(f"SIP/2.0/UDP h:{n}")),
    Row("MAX_PORT", lambda n: parse_via(f"SIP/2.0/UDP [::1] : {n}")),
    Row("MAX_PORT", lambda n: parse_name_addr(f"<sip:h:{n}>").uri),
    Row("MAX_CSEQ", lambda n: parse_cseq(f"{n} REGISTER")),
    Row("MAX_CSEQ", lambda n: parse_cseq(f"000{n}\tX")),
]
"""A name or number beyond its limit is malformed: nothing is too long about it."""


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.limit)
@pytest.mark.requirement("RFC3261-20.16-01")
def test_beyond_what_the_grammar_has_room_for_a_value_is_malformed(row: Row) -> None:
    limit = getattr(limits, row.limit)
    assert row.read(limit) is not None
    for size in (limit + 1, limit * 2):
        with pytest.raises(RemoteProtocolError) as caught:
            row.read(size)
        assert not isinstance(caught.value, LimitExceeded)


@pytest.mark.requirement("RFC3261-20.19-01")
def test_longer_intervals_count_as_the_longest() -> None:
    longest = limits.MAX_DELTA_SECONDS
    for number in (longest, longest + 1, 10**30, 10**300):
        assert parse_expires(str(number)) == longest
        message = parse_message(response(f"Expires: {number}", f"Min-Expires: {number}", f"Retry-After: {number}"))
        assert (message.expires, message.min_expires, message.retry_after) == (longest, longest, longest)
    assert parse_expires(str(longest - 1)) == longest - 1


@pytest.mark.requirement("RFC3261-20.27-01")
def test_a_challenge_with_too_much_in_it_is_passed_over_and_the_message_goes_on() -> None:
    many = [f'Digest realm="{number}", nonce="n"' for number in range(limits.MAX_CHALLENGES + 1)]
    assert len(parse_challenges(many[:-1], proxy=False)) == limits.MAX_CHALLENGES
    assert len(parse_challenges(many, proxy=False)) == limits.MAX_CHALLENGES
    assert len(parse_challenges([", ".join(many)], proxy=False)) == limits.MAX_CHALLENGES
    for count in (limits.MAX_PARAMETERS, limits.MAX_PARAMETERS + 1):
        text = ", ".join([f"p{number}=1" for number in range(count)])
        assert (MALFORMED in parse_fields(text)) is (count > limits.MAX_PARAMETERS)
    for length in (MAX_VALUE, MAX_VALUE + 1):
        assert (MALFORMED in parse_fields(f'a="{"x" * length}"')) is (length > MAX_VALUE)


ELSEWHERE = {
    "MAX_DATAGRAM": "test_endpoint_framing.py",
    "MAX_KEEPALIVES": "test_endpoint.py",
    "MAX_MECHANISMS": "syntax/test_mechanisms.py",
    "MAX_TIMESTAMP": "syntax/test_remarks.py",
    "MAX_BODY_PARTS": "syntax/test_bodies.py",
    "MAX_BODY_NESTING": "syntax/test_bodies.py",
    "MAX_PART_HEADERS": "syntax/test_bodies.py",
}
"""Limits that are tested where their subject is."""


def test_no_limit_is_without_a_test() -> None:
    here = {row.limit for row in (*ROWS, *REFUSED)} | {"MAX_DELTA_SECONDS", "MAX_CHALLENGES"}
    assert here | set(ELSEWHERE) == set(limits.__all__)
    for limit, name in ELSEWHERE.items():
        assert limit in Path(__file__).parent.parent.joinpath(name).read_text("utf-8"), limit
