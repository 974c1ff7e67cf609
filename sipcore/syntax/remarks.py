"""What a response says besides its status: Retry-After, Warning and Timestamp (RFC 3261 sections 20.33, 20.43, 20.38).

Retry-After    =  delta-seconds [ comment ] *( SEMI retry-param )
warning-value  =  3DIGIT SP ( hostport / token ) SP quoted-string
Timestamp      =  1*DIGIT [ "." *DIGIT ] [ LWS delay ]
delay          =  *DIGIT [ "." *DIGIT ]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.syntax.comments import Comment, end_of_comment
from sipcore.syntax.grammar import (
    delta_seconds,
    is_token,
    parse_host_port,
    parse_uint,
    quote,
    split_list,
    unquote,
    visible,
)
from sipcore.syntax.headers import parse_retry_after
from sipcore.syntax.limits import MAX_TIMESTAMP
from sipcore.syntax.parameters import Parameters, format_parameters, get, parse_parameters

__all__ = ["RetryAfter", "Timestamp", "WarningValue", "parse_warnings"]


class RetryAfter(NamedTuple):
    """When to try again (RFC 3261 section 20.33)."""

    seconds: int
    """At most 2**32-1."""
    comment: str | None = None
    """Why, for people; without its parentheses."""
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> RetryAfter | None:
        """Parse the value; None when it does not begin with a number.

        The number is worth more than the words behind it: a comment that does not end and parameters that are
        malformed are left out, so that `seconds` is there whenever `parse_retry_after` gives it.
        """
        seconds = parse_retry_after(text)
        if seconds is None:
            return None
        tail = text[min([place for place in (text.find("("), text.find(";")) if place >= 0], default=len(text)) :]
        comment = None
        if tail[:1] == "(":
            end = end_of_comment(tail, 0)
            if end < 0:
                return cls(seconds)
            comment = Comment.parse(tail[:end]).text
            tail = tail[end:]
        try:
            return cls(seconds, comment, parse_parameters(tail, "Retry-After"))
        except RemoteProtocolError:
            return cls(seconds, comment)

    @property
    def duration(self) -> int | None:
        """For how many seconds the callee can be reached from then on; None when unknown or malformed."""
        return delta_seconds(get(self.parameters, "duration") or "")

    def __str__(self) -> str:
        comment = "" if self.comment is None else f" {Comment(self.comment)}"
        return f"{self.seconds}{comment}{format_parameters(self.parameters)}"


class WarningValue(NamedTuple):
    """One remark about a response, for people (RFC 3261 section 20.43)."""

    code: int
    """Three digits; 399 is for anything, and nothing may be done because of it."""
    agent: str
    """Who says so: `host`, `host:port` or a token, as written."""
    text: str
    """Unquoted; not made safe for a terminal."""

    @classmethod
    def parse(cls, text: str) -> WarningValue:
        """Parse one value. Raises `RemoteProtocolError`.

        Taken although the grammar wants one space: any white space between the three.
        """
        text = text.strip(" \t")
        code = parse_uint(text[:3], maximum=999)
        place = text.find('"')
        agent = text[3:place].strip(" \t")
        if code is None or place < 0 or text[3] not in " \t" or text[place - 1] not in " \t":
            raise RemoteProtocolError(f"malformed Warning: {visible(text)}")
        if not is_token(agent):
            parse_host_port(agent)
        return cls(code, agent, unquote(text[place:]))

    def __str__(self) -> str:
        return f"{self.code:03d} {self.agent} {quote(self.text)}"


def parse_warnings(values: Iterable[str]) -> tuple[WarningValue, ...]:
    """Every well-formed value of the given Warning lines, in order.

    Malformed ones are passed over: they are words for people, and no reason to lose the response or the other values.
    """
    warnings: list[WarningValue] = []
    for value in values:
        for item in split_list(value):
            try:
                warnings.append(WarningValue.parse(item))
            except RemoteProtocolError:
                continue
    return tuple(warnings)


class Timestamp(NamedTuple):
    """The sender's clock, and what the other side needed (RFC 3261 sections 20.38 and 8.2.6.1)."""

    microseconds: int
    """On a clock of which only the sender knows the start."""
    delay: int | None = None
    """Microseconds from receiving the request to sending the response; None when it does not say."""

    @classmethod
    def parse(cls, text: str) -> Timestamp | None:
        """Parse the value; digits beyond the microsecond are cut off.

        None when malformed, or above `MAX_TIMESTAMP` seconds: the header serves to measure, and nothing is lost with
        it but the measurement.
        """
        time, _, delay = text.replace("\t", " ").strip(" ").partition(" ")
        if not time[:1].isdecimal():
            return None
        microseconds = _microseconds(time)
        waited = _microseconds(delay.lstrip(" ")) if delay else None
        if microseconds is None or (delay and waited is None):
            return None
        return cls(microseconds, waited)

    @classmethod
    def at(cls, now: float) -> Timestamp:
        """What to send at `now`, in seconds."""
        return cls(round(now * _MICRO))

    def round_trip(self, now: float) -> float | None:
        """Seconds that this, sent back to its sender, was on the way: up to `now`, on the sender's clock.

        The delay is not counted. None when what is left is negative: then it is not our timestamp, or the delay is
        not true.
        """
        left = round(now * _MICRO) - self.microseconds - (self.delay or 0)
        return left / _MICRO if left >= 0 else None

    def __str__(self) -> str:
        """The header's value. Raises `LocalProtocolError` for a negative time."""
        time = _seconds(self.microseconds)
        return time if self.delay is None else f"{time} {_seconds(self.delay)}"


_MICRO: Final = 1_000_000
"""Of a second."""


def _microseconds(text: str) -> int | None:
    """Both parts of the number may be empty, as in the grammar of `delay`."""
    whole, _, fraction = text.partition(".")
    seconds = parse_uint(whole or "0", maximum=MAX_TIMESTAMP + 1)
    if seconds is None or seconds > MAX_TIMESTAMP or not (fraction or "0").isdecimal() or not fraction.isascii():
        return None
    return seconds * _MICRO + int(fraction[:6].ljust(6, "0"))


def _seconds(microseconds: int) -> str:
    if microseconds < 0:
        raise LocalProtocolError(f"a Timestamp is not negative: {microseconds}")
    whole, fraction = divmod(microseconds, _MICRO)
    return f"{whole}.{fraction:06d}".rstrip("0") if fraction else str(whole)
