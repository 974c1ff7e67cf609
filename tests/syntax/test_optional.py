"""The headers that a message can do without."""

from __future__ import annotations

import pytest

from sipcore.errors import RemoteProtocolError
from sipcore.syntax import (
    ContentDisposition,
    EventType,
    MediaType,
    Message,
    Response,
    RetryAfter,
    Timestamp,
    WarningValue,
    parse_message,
)


def message(*lines: str) -> Message:
    return parse_message("\r\n".join(["SIP/2.0 200 OK", *lines, "", ""]).encode())


@pytest.mark.requirement("RFC3261-20.17-01", "RFC3261-20.33-01", "RFC3261-20.43-01")
def test_what_is_there_is_read() -> None:
    full = message(
        "Date: Sat, 13 Nov 2010\r\n 23:29:00 GMT",
        "Retry-After: 120 (busy);duration=60",
        'Warning: 399 a "x", 380 b "y"',
        'warning: 301 c "z"',
        "Timestamp: 54 0.2",
        "c: application/sdp",
        "Content-Disposition: session;handling=optional",
        "o: reg;id=1",
    )
    assert full.date == 1289690940
    assert full.retry_after_value == RetryAfter(120, "busy", (("duration", "60"),))
    assert full.retry_after == 120
    assert full.warnings == (WarningValue(399, "a", "x"), WarningValue(380, "b", "y"), WarningValue(301, "c", "z"))
    assert full.timestamp == Timestamp(54_000_000, 200_000)
    assert full.content_type == MediaType("application", "sdp")
    assert full.content_disposition == ContentDisposition("session", (("handling", "optional"),))
    assert full.event == EventType("reg", (("id", "1"),))


@pytest.mark.parametrize("bare", [message(), Response(200, "OK")], ids=["received", "made"])
def test_what_is_not_there_is_absent(bare: Message) -> None:
    assert (bare.date, bare.retry_after_value, bare.warnings, bare.timestamp) == (None, None, (), None)
    assert (bare.content_type, bare.content_disposition, bare.event) == (None, None, None)


@pytest.mark.requirement("RFC3261-20.17-01", "RFC4475-3.1.2.12-01")
def test_what_nothing_depends_on_may_be_malformed() -> None:
    odd = message("Date: Fri, 01 Jan 2010 16:00:00 EST", "Retry-After: soon", "Warning: beware", "Timestamp: now")
    assert (odd.date, odd.retry_after_value, odd.warnings, odd.timestamp) == (None, None, (), None)
    assert odd.get("date") == "Fri, 01 Jan 2010 16:00:00 EST"


@pytest.mark.parametrize("name", ["content_type", "content_disposition", "event"])
def test_what_a_body_or_an_event_depends_on_may_not(name: str) -> None:
    odd = message("Content-Type: ?", "Content-Disposition: ?", "Event: ?")
    with pytest.raises(RemoteProtocolError):
        getattr(odd, name)


@pytest.mark.requirement("RFC4475-3.3.8-01")
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("content_type", ("Content-Type: text/plain", "c: application/sdp")),
        ("content_disposition", ("Content-Disposition: session", "Content-Disposition: render")),
        ("event", ("Event: reg", "o: presence")),
    ],
)
def test_what_a_body_or_an_event_depends_on_stands_once(name: str, lines: tuple[str, str]) -> None:
    with pytest.raises(RemoteProtocolError, match="more than one"):
        getattr(message(*lines), name)
