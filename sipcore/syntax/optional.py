"""The headers that a message can do without, as properties of every message."""

from __future__ import annotations

from sipcore.syntax.dates import parse_date
from sipcore.syntax.media import ContentDisposition, EventType, MediaType
from sipcore.syntax.remarks import RetryAfter, Timestamp, WarningValue, parse_warnings

__all__ = ["OptionalHeaders"]


class OptionalHeaders:
    """What `Message` says beside what every exchange needs.

    Two kinds: where nothing depends on the header, one that is malformed counts as absent, and the message goes on
    without it; its text is still in `get`. Where a body or an event cannot be understood without it, the property
    raises `RemoteProtocolError`, also when it stands twice: two readers would see two bodies.
    """

    __slots__ = ()

    def get(self, name: str) -> str | None:
        """The value of the first line of that name, or None."""
        raise AssertionError("a message has headers")

    def once(self, name: str) -> str | None:
        """The value of a header that may not stand twice, or None. Raises `RemoteProtocolError` when it does."""
        raise AssertionError("a message has headers")

    def get_all(self, name: str) -> list[str]:
        """The value of each line of that name, in order, unsplit."""
        raise AssertionError("a message has headers")

    @property
    def date(self) -> int | None:
        """When it was sent first, in seconds since 1970; None when absent or malformed (RFC 3261 20.17)."""
        text = self.get("date")
        return None if text is None else parse_date(text)

    @property
    def retry_after_value(self) -> RetryAfter | None:
        """Retry-After with comment and duration; None when absent or malformed (RFC 3261 section 20.33).

        `retry_after` is its number alone.
        """
        text = self.get("retry-after")
        return None if text is None else RetryAfter.parse(text)

    @property
    def warnings(self) -> tuple[WarningValue, ...]:
        """All well-formed Warning values, in order (RFC 3261 section 20.43; see `parse_warnings`)."""
        return parse_warnings(self.get_all("warning"))

    @property
    def timestamp(self) -> Timestamp | None:
        """The sender's clock; None when absent or malformed (RFC 3261 section 20.38)."""
        text = self.get("timestamp")
        return None if text is None else Timestamp.parse(text)

    @property
    def content_type(self) -> MediaType | None:
        """What the body is; None when absent (RFC 3261 section 20.15). Raises `RemoteProtocolError`."""
        text = self.once("content-type")
        return None if text is None else MediaType.parse(text)

    @property
    def content_disposition(self) -> ContentDisposition | None:
        """What the body is for; None when absent (RFC 3261 section 20.11). Raises `RemoteProtocolError`."""
        text = self.once("content-disposition")
        return None if text is None else ContentDisposition.parse(text)

    @property
    def event(self) -> EventType | None:
        """The event that it is about; None when absent (RFC 6665 section 8.2.1). Raises `RemoteProtocolError`."""
        text = self.once("event")
        return None if text is None else EventType.parse(text)
