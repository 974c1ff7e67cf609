"""One header is changed, and everything else is byte for byte what it was; what was parsed is written back whole.

The messages here are put together from physical lines, so that the expectation needs none of the parser's own ideas:
an edit takes out the lines of one header, folding included, and puts another line in the place of the first.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.message import Message, Request, Response, parse_message

Block = tuple[str, bytes]
"""Key of a header, and all of its physical lines."""

SPELLED = {
    "via": ("Via", "v", "VIA", "V", "vIA"),
    "contact": ("Contact", "m", "M", "CONTACT"),
    "subject": ("Subject", "s", "subject"),
    "to": ("To", "t", "TO"),
    "route": ("Route", "rOuTe"),
    "x-foo": ("X-Foo", "x-foo", "X-FOO"),
    "x-fo": ("X-Fo",),
    "%odd.~": ("%Odd.~",),
    "supported": ("Supported", "k", "K"),
    "www-authenticate": ("WWW-Authenticate", "Www-Authenticate"),
}
NAMES = [name for names in SPELLED.values() for name in names]
KEYS = {name: key for key, names in SPELLED.items() for name in names}

# Pieces of values, with what could be mistaken for a line, a name, a separator or another encoding.
PIECES = st.sampled_from(
    [b"", b"a", b"<sip:a@h>;x", b'"q, \\" <"', b"a:b", b"Via: c", b"a, b", b"\xff\xfe", "ü".encode(), b"\t", b" "]
)
BEFORE = st.sampled_from([b"", b"", b" ", b"\t \t"])
AFTER = st.sampled_from([b" ", b"", b"  ", b"\t"])
FOLDS = st.lists(st.tuples(st.sampled_from([b"\r\n ", b"\r\n\t", b"\r\n   \t"]), PIECES), max_size=2)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    name = draw(st.sampled_from(NAMES))
    text = name.encode() + draw(BEFORE) + b":" + draw(AFTER) + draw(PIECES)
    for fold, piece in draw(FOLDS):
        text += fold + piece
    return KEYS[name], text + b"\r\n"


@st.composite
def lengths(draw: st.DrawFn, size: int) -> list[Block]:
    name = draw(st.sampled_from(["Content-Length", "l", "L", "CONTENT-length"]))
    text = f"{name}{draw(BEFORE).decode()}:{draw(st.sampled_from(['', ' ', '  ', chr(13) + chr(10) + ' ']))}"
    line = (text + "0" * draw(st.integers(0, 2)) + str(size)).encode() + b"\r\n"
    return [("content-length", line)] * draw(st.integers(0, 2))


@st.composite
def wholes(draw: st.DrawFn) -> tuple[bytes, list[Block], bytes]:
    start = draw(st.sampled_from([b"SIP/2.0 200 OK", b"sip/2.0 299 \xff", b"REGISTER sip:h SIP/2.0", b"x a:b sip/2.0"]))
    body = draw(st.sampled_from([b"", b"hi", b"\r\n\r\n", b"Via: x\r\n\r\ny", b"\0\xff"]))
    lines = draw(st.lists(blocks(), max_size=7))
    for line in draw(lengths(len(body))):
        lines.insert(draw(st.integers(0, len(lines))), line)
    return start, lines, body


def written(start: bytes, lines: list[Block], body: bytes) -> bytes:
    return start + b"\r\n" + b"".join(text for _, text in lines) + b"\r\n" + body


VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=10).map(str.strip)


@given(wholes(), st.sampled_from(NAMES), VALUES)
@settings(max_examples=400)
def test_setting_one_header_leaves_all_others(whole: tuple[bytes, list[Block], bytes], name: str, value: str) -> None:
    """Law: with_header puts its line where the first of that name stood, takes out the others of that name, and
    changes no other byte; a new name comes last."""
    start, lines, body = whole
    message = parse_message(written(start, lines, body))
    ours = (KEYS[name], f"{name}: {value}\r\n".encode())
    expected, placed = [], False
    for key, text in lines:
        if key != KEYS[name]:
            expected.append((key, text))
        elif not placed:
            expected.append(ours)
            placed = True
    edited = message.with_header(name, value)
    assert bytes(edited) == written(start, expected if placed else [*expected, ours], body)
    assert type(edited) is type(message)
    assert edited.get_all(KEYS[name]) == [value.strip(" \t")]
    same_elsewhere(message, edited, KEYS[name])
    assert bytes(message) == written(start, lines, body)


@given(wholes(), st.sampled_from(NAMES))
@settings(max_examples=300)
def test_removing_one_header_leaves_all_others(whole: tuple[bytes, list[Block], bytes], name: str) -> None:
    """Law: without takes out every line of that name, folds and compact forms too, and changes no other byte."""
    start, lines, body = whole
    message = parse_message(written(start, lines, body))
    edited = message.without(name)
    assert bytes(edited) == written(start, [line for line in lines if line[0] != KEYS[name]], body)
    assert edited.get(KEYS[name]) is None
    same_elsewhere(message, edited, KEYS[name])


@given(wholes(), st.lists(st.tuples(st.sampled_from(NAMES), st.none() | VALUES), max_size=5))
@settings(max_examples=200)
def test_edits_of_different_headers_do_not_see_each_other(
    whole: tuple[bytes, list[Block], bytes], edits: list[tuple[str, str | None]]
) -> None:
    """Law: after any edits, a header that none of them named has the lines, in the order, that it had."""
    start, lines, body = whole
    message: Message = parse_message(written(start, lines, body))
    for name, value in edits:
        message = message.without(name) if value is None else message.with_header(name, value)
    touched = {KEYS[name] for name, _ in edits}
    left = [text for key, text in lines if key not in touched]
    data = bytes(message)
    place = len(start) + 2
    for text in left:
        place = data.index(text, place) + len(text)
    for key in set(SPELLED) - touched:
        assert len(message.get_all(key)) == sum(line[0] == key for line in lines)
    assert message.body == body


def same_elsewhere(one: Message, two: Message, key: str) -> None:
    assert (one.start_line, one.body) == (two.start_line, two.body)
    for other in [*SPELLED, "content-length"]:
        if other != key:
            assert one.get_all(other) == two.get_all(other)
    kept = [(name, value) for name, value in one.headers if KEYS.get(name) != key]
    assert [(name, value) for name, value in two.headers if KEYS.get(name) != key] == kept


# --- round trips -----------------------------------------------------------------------------------------------------


@given(wholes(), st.sampled_from([b"", b"\r\n", b"\r\n\r\n\r\n"]), st.sampled_from([b"", b"surplus", b"\r\n"]))
@settings(max_examples=300)
def test_what_was_parsed_parses_to_the_same(
    whole: tuple[bytes, list[Block], bytes], before: bytes, behind: bytes
) -> None:
    """Law: parse(bytes(parse(x))) == parse(x), part by part; the bytes are those that came, without what is around."""
    start, lines, body = whole
    data = written(start, lines, body)
    if not any(key == "content-length" for key, _ in lines):
        behind = b""
    one = parse_message(before + data + behind)
    assert bytes(one) == data
    two = parse_message(bytes(one))
    assert two == one
    assert picture(two) == picture(one)


@given(wholes())
@settings(max_examples=300)
def test_what_is_rebuilt_from_its_values_reads_the_same(whole: tuple[bytes, list[Block], bytes]) -> None:
    """Law: a message made of the values of a received one, parsed again, has the same values: names in their case,
    unknown ones among them, all in their order."""
    one = parse_message(written(*whole))
    rebuilt: Message
    if isinstance(one, Request):
        rebuilt = Request(one.method, one.uri, one.headers, one.body)
    else:
        rebuilt = Response(one.status, one.reason, one.headers, one.body)
    two = parse_message(bytes(rebuilt))
    assert without_length(picture(two)) == without_length(picture(one))
    assert picture(rebuilt) == picture(two)
    assert two.content_length == len(two.body)
    assert bytes(parse_message(bytes(two))) == bytes(rebuilt)


def picture(message: Message) -> dict[str, Any]:
    """All that can be read of a message."""
    seen: dict[str, Any] = {
        "kind": (message.method, message.uri) if isinstance(message, Request) else None,
        "start": message.start_line.upper(),
        "body": message.body,
        "headers": message.headers,
        "all": {key: message.get_all(key) for key in [*SPELLED, "content-length"]},
        "values": {key: message.values(key) for key in SPELLED},
    }
    for name in ("via", "via_count", "from_", "to", "call_id", "cseq", "contacts", "expires", "content_length"):
        try:
            seen[name] = getattr(message, name)
        except RemoteProtocolError as error:
            # What comes behind the colon quotes the text, white space and all.
            seen[name] = str(error).partition(":")[0]
    return seen


def without_length(seen: dict[str, Any]) -> dict[str, Any]:
    seen = {key: value for key, value in seen.items() if key not in ("content_length", "all")}
    seen["headers"] = [item for item in seen["headers"] if item[0].lower() not in ("content-length", "l")]
    return seen


@pytest.mark.requirement("RFC3261-25.1-06", "RFC3261-7.3.1-06")
def test_unknown_headers_keep_their_order_and_their_case() -> None:
    data = (
        b"SIP/2.0 200 OK\r\nX-One: 1\r\nvia: SIP/2.0/UDP a\r\nx-oNE : 2\r\nP-New:\r\n\t3\r\nX-ONE:\r\n"
        b"!#$&: x\r\n".replace(b"!#$&", b"!%*_+`'~.")
        + b"\r\n"
    )
    message = parse_message(data)
    assert message.headers == (
        ("X-One", "1"),
        ("via", "SIP/2.0/UDP a"),
        ("x-oNE", "2"),
        ("P-New", "3"),
        ("X-ONE", ""),
        ("!%*_+`'~.", "x"),
    )
    assert message.get_all("x-one") == ["1", "2", ""]
    assert bytes(message) == data
    edited = message.with_header("Via", "SIP/2.0/UDP b")
    assert bytes(edited) == data.replace(b"via: SIP/2.0/UDP a", b"Via: SIP/2.0/UDP b")
