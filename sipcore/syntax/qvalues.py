"""Preferences from 0 to 1, as whole thousandths (RFC 3261 section 25.1).

    qvalue  =  ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )

Thousandths, since two preferences are compared and 0.5 and 0.500 are one, which neither texts nor floats promise.
"""

from __future__ import annotations

from sipcore.errors import LocalProtocolError

__all__ = ["format_qvalue", "parse_qvalue"]


def parse_qvalue(text: str) -> int | None:
    """0 to 1000, or None when `text` is no qvalue: what that means depends on the place."""
    whole, _, fraction = text.partition(".")
    if whole not in ("0", "1") or len(fraction) > 3:
        return None
    if not fraction:
        return 1000 if whole == "1" else 0
    if not (fraction.isdecimal() and fraction.isascii()):
        return None
    thousandths = int(fraction.ljust(3, "0"))
    if whole == "0":
        return thousandths
    return None if thousandths else 1000


def format_qvalue(thousandths: int) -> str:
    """The shortest text for it. Raises `LocalProtocolError` outside 0 to 1000."""
    if not 0 <= thousandths <= 1000:
        raise LocalProtocolError(f"a preference is 0 to 1000 thousandths: {thousandths}")
    if thousandths % 1000 == 0:
        return str(thousandths // 1000)
    return f"0.{thousandths:03d}".rstrip("0")
