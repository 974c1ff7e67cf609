"""Bodies of several parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from sipcore.syntax import BodyPart, Response, body_of, format_multipart, parse_message, parse_multipart, select_parts
from sipcore.syntax.limits import MAX_BODY_NESTING, MAX_BODY_PARTS, MAX_PART_HEADERS

TEXT = ("Content-Type", "text/plain")
REGINFO = ("Content-Type", "application/reginfo+xml")
OPTIONAL = ("Content-Disposition", "render;handling=optional")
SUPPORTED = {"application/reginfo+xml", "application/sdp"}


def part(*headers: tuple[str, str], body: bytes = b"x") -> BodyPart:
    return BodyPart(headers, body)


def multipart(
    subtype: str, *parts: BodyPart, boundary: str = "b", headers: tuple[tuple[str, str], ...] = ()
) -> BodyPart:
    kind = ("Content-Type", f"multipart/{subtype};boundary={boundary}")
    return BodyPart((kind, *headers), format_multipart(parts, boundary))


# --- cutting ---------------------------------------------------------------------------------------------------------

BODIES: list[tuple[bytes, tuple[BodyPart, ...]]] = [
    (b"--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--\r\n", (part(TEXT, body=b"hi"),)),
    (b"--b\r\n\r\n\r\n--b--\r\n", (part(body=b""),)),
    (
        b"--b\r\n\r\nhi\r\n\r\n--b\r\nA: b\r\nC: d\r\n\r\n--\r\n--b--\r\n",
        (part(body=b"hi\r\n"), part(("A", "b"), ("C", "d"), body=b"--")),
    ),
    (b"--b\r\nA: b\r\n\r\n\0\xff\r\r\n\n--b\r\n--b--\r\n", (part(("A", "b"), body=b"\0\xff\r\r\n\n--b"),)),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("data", "parts"), BODIES, ids=["one", "empty", "two", "binary"])
@pytest.mark.requirement("RFC4475-3.1.1.11-01")
def test_parts_both_ways(data: bytes, parts: tuple[BodyPart, ...]) -> None:
    assert parse_multipart(data, "b") == parts
    assert format_multipart(parts, "b") == data
    assert parse_multipart(data.removesuffix(b"\r\n"), "b") == parts


@pytest.mark.parametrize(
    "data",
    [
        b"this is\r\nfor others\r\n--b\r\n\r\nhi\r\n--b--\r\nand so is\r\n--b\r\nthis",
        b"\r\n--b\r\n\r\nhi\r\n--b--",
        b"--b \t\r\n\r\nhi\r\n--b--\t \r\n",
        b"x--b\r\n--b\r\n\r\nhi\r\n--b--",
    ],
    ids=["preamble and epilogue", "empty preamble", "padding", "not at the start of a line"],
)
def test_what_stands_around_the_parts_is_left_out(data: bytes) -> None:
    assert parse_multipart(data, "b") == (part(body=b"hi"),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hi",
        b"--c\r\n\r\nhi\r\n--c--",
        b"--b",
        b"--b\r\n",
        b"--b--\r\n",
        b"--b\r\n\r\nhi",
        b"--b\r\n\r\nhi\r\n--b",
        b"--b\r\n\r\nhi\r\n--b\r\n",
        b"--b\r\n\r\nhi\r\n--b-",
        b"--b\r\n--b--\r\n",
        b"--b\r\n--b: x\r\n\r\nhi\r\n--b--",
        b"--b\r\n\r\nhi\r\n--bc\r\n\r\nho\r\n--b--",
        b"--b\r\n\r\nhi\r\n--b--c\r\n",
        b"--bc\r\n\r\nhi\r\n--b--",
        b"--b\n\nhi\n--b--\n",
        b"--b\r\n\r\nhi\n--b--\n",
        b"--b\r\nhi\r\n--b--",
        b"--b\r\nA: b\r\n--b--",
        b"--b\r\nA b\r\n\r\nhi\r\n--b--",
        b"--b\r\nA\xe4: b\r\n\r\nhi\r\n--b--",
        b"--b\r\n A: b\r\n\r\nhi\r\n--b--",
        b"--b\r\n: b\r\n\r\nhi\r\n--b--",
        b"--b\r\nA: b\nC: d\r\n\r\nhi\r\n--b--",
        b"--b\r\nA: b\rC: d\r\n\r\nhi\r\n--b--",
        b"--b\r\nA: b\0\r\n\r\nhi\r\n--b--",
    ],
)
def test_malformed_bodies(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_multipart(data, "b")


@pytest.mark.parametrize("boundary", ["", "a" * 71, "a ", "a\r\nb", 'a"b', "ä", "a;b", "a\0"])
def test_malformed_boundaries(boundary: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_multipart(b"--" + boundary.encode() + b"\r\n\r\n--" + boundary.encode() + b"--", boundary)
    with pytest.raises(LocalProtocolError):
        format_multipart([part()], boundary)


@pytest.mark.parametrize("boundary", ["a", "a" * 70, "a b", "--", "=_'()+_,-./:?"])
def test_boundaries(boundary: str) -> None:
    assert parse_multipart(format_multipart([part(TEXT)], boundary), boundary) == (part(TEXT),)


def test_headers_may_be_folded_and_a_part_may_have_nothing_else() -> None:
    data = (
        b"--b\r\ncontent-TYPE : multipart/mixed;\r\n\t boundary=c\r\nX:\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\n--b--"
    )
    first, second = parse_multipart(data, "b")
    assert first.headers == (("content-TYPE", "multipart/mixed;  boundary=c"), ("X", ""))
    assert (first.content_type.name, first.content_type.get("boundary"), first.body) == ("multipart/mixed", "c", b"")
    assert second == part(TEXT, body=b"")


def test_the_limits() -> None:
    assert len(parse_multipart(format_multipart([part()] * MAX_BODY_PARTS, "b"), "b")) == MAX_BODY_PARTS
    with pytest.raises(LimitExceeded):
        parse_multipart(format_multipart([part()] * (MAX_BODY_PARTS + 1), "b"), "b")
    fits = part(("A", "x" * (MAX_PART_HEADERS - 3)))
    assert parse_multipart(format_multipart([fits], "b"), "b") == (fits,)
    with pytest.raises(LimitExceeded):
        parse_multipart(format_multipart([part(("A", "x" * (MAX_PART_HEADERS - 2)))], "b"), "b")


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [part(body=b"--b")],
        [part(body=b"x\r\n--bc")],
        [part(("--b", "x"))],
        [part(("A B", "x"))],
        [part(("A", "x\r\nB: y"))],
        [part(("A", "\udcff"))],
    ],
    ids=["none", "boundary first", "boundary", "boundary as a name", "name", "line end", "no UTF-8"],
)
def test_what_cannot_be_read_back_is_not_written(parts: list[BodyPart]) -> None:
    with pytest.raises(LocalProtocolError):
        format_multipart(parts, "b")


BYTES = st.binary(max_size=20) | st.lists(st.sampled_from([b"\r\n", b"--", b"b", b"a: b"]), max_size=6).map(b"".join)
HEADERS = st.lists(st.tuples(st.sampled_from(["A", "Content-Type"]), st.sampled_from(["", "b", "c: d"])), max_size=3)


@given(st.lists(st.builds(BodyPart, HEADERS.map(tuple), BYTES), min_size=1, max_size=4))
def test_what_was_written_is_read_back(parts: list[BodyPart]) -> None:
    """Law: parse is the inverse of format, on all parts that do not hold the boundary."""
    try:
        data = format_multipart(parts, "b")
    except LocalProtocolError:
        assert any(b"\r\n--b" in b"\r\n" + item.body for item in parts)
        return
    assert parse_multipart(data, "b") == tuple(parts)


@given(st.lists(st.sampled_from([b"\r\n", b"--b", b"--", b"\n", b"a: b", b":", b" ", b"\xff", b"x"]), max_size=20))
def test_any_bytes_are_taken_or_refused(pieces: list[bytes]) -> None:
    """Law: any bytes give parts or RemoteProtocolError, and what is in the parts was in the bytes, in order."""
    data = b"".join(pieces)
    try:
        parts = parse_multipart(data, "b")
    except RemoteProtocolError:
        return
    place = 0
    for item in parts:
        place = data.index(item.body, place) + len(item.body)


# --- what a part says ------------------------------------------------------------------------------------------------


def test_what_a_part_is_when_it_does_not_say() -> None:
    bare = part()
    assert (bare.content_type.name, bare.content_disposition.type, bare.content_id) == ("text/plain", "render", None)
    assert not bare.encoded
    assert part(("Content-Type", "application/SDP")).content_disposition.type == "session"


def test_what_a_part_says() -> None:
    said = part(TEXT, ("CONTENT-ID", "<a@h>"), ("content-disposition", "Signal"), ("Content-Transfer-Encoding", "8BIT"))
    assert (said.content_disposition.type, said.content_id, said.encoded) == ("signal", "a@h", False)
    assert [part(("Content-ID", text)).content_id for text in ("<a@h", "a@h>", "<")] == ["<a@h", "a@h>", "<"]
    assert part(("Content-Transfer-Encoding", "base64")).encoded
    assert part(("Content-Encoding", "gzip")).encoded


@pytest.mark.parametrize("headers", [(TEXT, TEXT), (TEXT, ("content-type", "text/html")), (("Content-Type", "x"),)])
def test_a_part_of_two_types_or_none_is_malformed(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(RemoteProtocolError):
        _ = BodyPart(headers, b"").content_type


def test_only_a_multipart_body_with_a_boundary_has_parts() -> None:
    with pytest.raises(RemoteProtocolError):
        part(TEXT).parts()
    with pytest.raises(RemoteProtocolError):
        part(("Content-Type", "multipart/mixed")).parts()


# --- choosing --------------------------------------------------------------------------------------------------------


def notify(*parts: BodyPart, handling: str = "") -> BodyPart:
    body = format_multipart(parts, "boundary1")
    data = (
        b"NOTIFY sip:alice@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\n"
        b"To: <sip:a@h>;tag=2\r\nCall-ID: x\r\nCSeq: 1 NOTIFY\r\nEvent: reg\r\n"
        b'c: multipart/mixed;boundary="boundary1"\r\n'
        + handling.encode()
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )
    whole = body_of(parse_message(data))
    assert whole is not None
    return whole


@pytest.mark.requirement("RFC5621-9.3-01")
def test_supported_parts_are_used_and_optional_ones_passed_over() -> None:
    reginfo = part(REGINFO, body=b"<reginfo/>")
    assert select_parts(notify(reginfo, part(TEXT, OPTIONAL)), SUPPORTED) == ((reginfo,), ())
    assert select_parts(notify(part(TEXT, OPTIONAL), reginfo), SUPPORTED) == ((reginfo,), ())


@pytest.mark.requirement("RFC5621-9.3-01")
def test_an_unsupported_part_that_is_required_is_reported() -> None:
    reginfo = part(REGINFO)
    for missing in (part(TEXT), part(TEXT, ("Content-Disposition", "render;handling=required")), part()):
        assert select_parts(notify(reginfo, missing), SUPPORTED) == ((reginfo,), (missing,))


def test_a_body_that_is_no_multipart() -> None:
    for content, used in (("application/reginfo+xml", True), ("text/plain", False)):
        whole = body_of(Response(200, "OK", [("Content-Type", content)], b"x"))
        assert whole is not None
        assert select_parts(whole, SUPPORTED) == (((whole,), ()) if used else ((), (whole,)))
    assert body_of(Response(200, "OK")) is None
    with pytest.raises(RemoteProtocolError):
        body_of(Response(200, "OK", [], b"x"))


def test_an_optional_multipart_is_used_whole_or_not_at_all() -> None:
    inner = (part(REGINFO), part(TEXT))
    assert select_parts(notify(*inner, handling="Content-Disposition: render;handling=optional\r\n"), SUPPORTED) == (
        (),
        (),
    )
    nested = multipart("mixed", *inner, headers=(OPTIONAL,))
    other = part(REGINFO, body=b"other")
    assert select_parts(notify(nested, other), SUPPORTED) == ((other,), ())


@pytest.mark.requirement("RFC5621-9.3-01")
def test_other_multiparts_are_taken_as_mixed() -> None:
    reginfo, sdp = part(REGINFO), part(("Content-Type", "application/sdp"))
    for subtype in ("related", "parallel", "invented"):
        nested = multipart(subtype, reginfo, part(TEXT, OPTIONAL))
        assert select_parts(notify(nested, sdp), SUPPORTED) == ((reginfo, sdp), ())


def test_a_multipart_that_is_understood_is_used_whole() -> None:
    related = multipart("related", part(TEXT))
    assert select_parts(related, {"multipart/related"}) == ((related,), ())


def test_of_alternatives_the_last_that_is_understood_counts() -> None:
    first, last, required = part(REGINFO, body=b"1"), part(REGINFO, body=b"2"), part(TEXT)
    assert select_parts(multipart("alternative", first, last, required), SUPPORTED) == ((last,), ())
    both = multipart("mixed", first, last, boundary="c")
    half = multipart("mixed", first, required, boundary="d")
    assert select_parts(multipart("alternative", first, both, half), SUPPORTED) == ((first, last), ())


def test_when_no_alternative_is_understood_the_handling_of_the_whole_counts() -> None:
    required = multipart("alternative", part(TEXT, OPTIONAL), part(TEXT))
    assert select_parts(required, SUPPORTED) == ((), (required,))
    assert select_parts(multipart("alternative", part(TEXT), headers=(OPTIONAL,)), SUPPORTED) == ((), ())


def test_what_is_encoded_is_not_understood() -> None:
    encoded = part(REGINFO, ("Content-Encoding", "gzip"))
    assert select_parts(encoded, SUPPORTED) == ((), (encoded,))
    assert select_parts(part(REGINFO, OPTIONAL, ("Content-Transfer-Encoding", "base64")), SUPPORTED) == ((), ())
    outer = multipart("mixed", part(REGINFO), headers=(("Content-Encoding", "gzip"),))
    assert select_parts(outer, SUPPORTED) == ((), (outer,))


def test_disposition_types_are_understood_or_not() -> None:
    referred = part(REGINFO, ("Content-Disposition", "by-reference"))
    assert select_parts(referred, SUPPORTED) == ((), (referred,))
    assert select_parts(referred, SUPPORTED, {"by-reference"}) == ((referred,), ())
    shown = part(REGINFO)
    assert select_parts(shown, SUPPORTED, {"session"}) == ((), (shown,))
    assert select_parts(shown, SUPPORTED, {"render"}) == ((shown,), ())


def test_nesting_and_the_number_of_all_parts_are_limited() -> None:
    whole = part(REGINFO)
    for level in range(MAX_BODY_NESTING):
        whole = multipart("mixed", whole, boundary=f"b{level}")
    assert len(select_parts(whole, SUPPORTED).used) == 1
    with pytest.raises(LimitExceeded):
        select_parts(multipart("mixed", whole, boundary="c"), SUPPORTED)
    half = multipart("mixed", *[part(REGINFO)] * (MAX_BODY_PARTS // 2), boundary="c")
    with pytest.raises(LimitExceeded):
        select_parts(multipart("mixed", half, half), SUPPORTED)


def test_a_malformed_body_inside_is_malformed() -> None:
    with pytest.raises(RemoteProtocolError):
        select_parts(notify(part(("Content-Type", "multipart/mixed;boundary=x"))), SUPPORTED)
