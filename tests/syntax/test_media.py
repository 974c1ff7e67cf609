"""Content-Type, Content-Disposition and Event."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax import ContentDisposition, EventType, MediaType
from sipcore.syntax.limits import MAX_PARAMETERS

MEDIA: list[tuple[str, MediaType]] = [
    ("application/sdp", MediaType("application", "sdp")),
    ("application/reginfo+xml", MediaType("application", "reginfo+xml")),
    ("text/html;charset=ISO-8859-4", MediaType("text", "html", (("charset", "ISO-8859-4"),))),
    (
        'multipart/related;type="application/rlmi+xml";boundary="a b;c"',
        MediaType("multipart", "related", (("type", '"application/rlmi+xml"'), ("boundary", '"a b;c"'))),
    ),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("text", "value"), MEDIA)
def test_media_types_both_ways(text: str, value: MediaType) -> None:
    assert MediaType.parse(text) == value
    assert str(value) == text


def test_case_white_space_and_quotes_of_a_media_type() -> None:
    value = MediaType.parse(' Multipart / MIXED ; Boundary = "a\\"b" ; x ')
    assert (value.type, value.subtype, value.name) == ("multipart", "mixed", "multipart/mixed")
    assert (value.get("boundary"), value.get("x"), value.get("y")) == ('a"b', "", None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "text/",
        "/plain",
        "text/plain/x",
        "text plain",
        "te xt/plain",
        "text/plain;",
        "text/plain;a=1;a=2",
        'text/plain;a="x',
        "text/plain, text/html",
        "ä/b",
        'text/"plain"',
        "text/plain x",
    ],
)
def test_malformed_media_types(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        MediaType.parse(text)


@pytest.mark.parametrize(
    ("text", "kind", "optional"),
    [
        ("session", "session", False),
        ("Signal ; Handling = OPTIONAL", "signal", True),
        ("render;handling=required", "render", False),
        ("render;handling=whatever", "render", False),
        ("render;handling", "render", False),
        ("icon;x=optional", "icon", False),
    ],
)
@pytest.mark.requirement("RFC5621-9.3-01")
def test_content_dispositions(text: str, kind: str, optional: bool) -> None:
    value = ContentDisposition.parse(text)
    assert (value.type, value.optional) == (kind, optional)
    assert ContentDisposition.parse(str(value)) == value


@pytest.mark.parametrize(
    "text", ["", ";handling=optional", "a b", "a/b", "a;handling=optional;handling=required", "a,b"]
)
def test_malformed_content_dispositions(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        ContentDisposition.parse(text)


@pytest.mark.parametrize(
    ("text", "package", "templates", "id_"),
    [
        ("reg", "reg", (), None),
        ("presence.winfo", "presence", ("winfo",), None),
        ("presence.winfo.Winfo;id=a7", "presence", ("winfo", "Winfo"), "a7"),
        ("REG", "REG", (), None),
    ],
)
def test_events_keep_their_case(text: str, package: str, templates: tuple[str, ...], id_: str | None) -> None:
    event = EventType.parse(text)
    assert (event.package, event.templates, event.id) == (package, templates, id_)
    assert str(event) == text


@pytest.mark.parametrize("text", ["", ".", "reg.", ".winfo", "a..b", "a b", "a;", "reg,presence"])
def test_malformed_events(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        EventType.parse(text)


def test_the_number_of_parameters_is_limited() -> None:
    text = "".join(f";p{number}=x" for number in range(MAX_PARAMETERS + 1))
    for parse, head in ((MediaType.parse, "a/b"), (ContentDisposition.parse, "a"), (EventType.parse, "a")):
        with pytest.raises(LimitExceeded):
            parse(head + text)


@given(st.text(alphabet='aA/.;=" \\\t,é', max_size=30))
def test_any_text_is_taken_or_refused(text: str) -> None:
    """Law: each parser takes any text or raises RemoteProtocolError, and what it takes is written back equal."""
    for kind in (MediaType, ContentDisposition, EventType):
        try:
            value = kind.parse(text)
        except RemoteProtocolError:
            continue
        assert kind.parse(str(value)) == value
