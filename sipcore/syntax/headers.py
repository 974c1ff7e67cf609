"""CSeq, and the headers that are one number (RFC 3261 section 20)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.grammar import delta_seconds, is_token, parse_uint, visible
from sipcore.syntax.limits import MAX_CSEQ

__all__ = ["CSeq", "parse_cseq", "parse_expires", "parse_retry_after"]


class CSeq(NamedTuple):
    """The order of requests in a dialog or registration (RFC 3261 section 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """See `parse_cseq`."""
        return parse_cseq(text)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_cseq(text: str) -> CSeq:
    """Parse a CSeq value; the method's case counts (RFC 3261 section 20.16).

    Raises `RemoteProtocolError`, also for a number of 2**31 or more.
    """
    match = _usual_cseq(text)
    if match is not None:
        digits, method = match.groups()
        return _new(CSeq, (int(digits), method))
    digits, _, method = text.replace("\t", " ").strip(" ").partition(" ")
    number = parse_uint(digits, maximum=MAX_CSEQ + 1)
    method = method.lstrip(" ")
    if number is None or number > MAX_CSEQ or not is_token(method):
        raise RemoteProtocolError(f"malformed CSeq: {visible(text)}")
    return CSeq(number, method)


def parse_retry_after(text: str) -> int | None:
    """The seconds of a Retry-After; comment and parameters are passed over (RFC 3261 section 20.33).

    None when malformed; at most 2**32-1.
    """
    digits, _, _ = text.partition(";")
    digits, _, _ = digits.partition("(")
    return delta_seconds(digits.strip(" \t"))


def parse_expires(text: str) -> int | None:
    """The seconds of an Expires or Min-Expires header or parameter, at most 2**32-1 (RFC 3261 section 20.19).

    None when malformed: what that means depends on the place.
    """
    if _usual_seconds(text) is not None:
        return int(text)
    return delta_seconds(text.strip(" \t"))


_usual_cseq: Final = re.compile(r"(1?[0-9]{1,9}+) ([A-Z]++)").fullmatch

_usual_seconds: Final = re.compile(r"[0-9]{1,9}+").fullmatch

# A NamedTuple's own constructor is a Python function and costs more than all the rest of parsing a CSeq.
_new: Final = tuple.__new__
