"""The Date header: an RFC 1123 date in GMT, to and from seconds since 1970 (RFC 3261 sections 20.17 and 25.1).

    rfc1123-date  =  wkday "," SP date1 SP time SP "GMT"
    date1         =  2DIGIT SP month SP 4DIGIT
    time          =  2DIGIT ":" 2DIGIT ":" 2DIGIT        00:00:00 to 23:59:59

Every field has its place, so a date is 29 characters or it is none. Case counts (section 20.17).
"""

from __future__ import annotations

from typing import Final

from sipcore.errors import LocalProtocolError

__all__ = ["format_date", "parse_date"]


def parse_date(text: str) -> int | None:
    """The seconds from 1970-01-01 00:00:00 GMT to that date, negative before it; None when it is no date.

    None rather than an error, since nothing in SIP depends on a Date: a message whose Date is malformed, or not in
    GMT, is as good as one without (RFC 4475 section 3.1.2.12). The 31st of February and the leap second 23:59:60 name
    no moment on this scale and are no dates. A day of the week that does not fit the rest is passed over, as the
    grammar does not connect the two: the rest says the same without it.
    """
    text = text.strip(" \t")
    marks = text[3:5] + text[7:8] + text[11:12] + text[16:17] + text[19:20] + text[22:23] + text[25:]
    if marks != ",    :: GMT" or text[:3] not in _WEEKDAYS:
        return None
    digits = text[5:7] + text[12:16] + text[17:19] + text[20:22] + text[23:25]
    month = _MONTHS.get(text[8:11])
    if month is None or not (digits.isdecimal() and digits.isascii()):
        return None
    day, year = int(digits[:2]), int(digits[2:6])
    hours, minutes, seconds = int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    if not 0 < day <= _days_in(year, month) or hours > 23 or minutes > 59 or seconds > 59:
        return None
    return _days(year, month, day) * 86400 + hours * 3600 + minutes * 60 + seconds


def format_date(seconds: int) -> str:
    """The inverse of `parse_date`. Raises `LocalProtocolError` outside the years 0 to 9999, which four digits hold."""
    days, rest = divmod(seconds, 86400)
    if not _FIRST_DAY <= days <= _LAST_DAY:
        raise LocalProtocolError(f"a date has a year of four digits: {seconds}")
    # By the average year, never too late and at most two years too early.
    year = days * 400 // 146097 + 1969
    while _days(year + 1, 1, 1) <= days:
        year += 1
    month = 12
    while _days(year, month, 1) > days:
        month -= 1
    day = days - _days(year, month, 1) + 1
    weekday, name = _WEEKDAYS[days % 7], _NAMES[month]
    return f"{weekday}, {day:02d} {name} {year:04d} {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d} GMT"


_WEEKDAYS: Final = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
"""From the day of the week of 1 January 1970 on."""

_NAMES: Final = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: number for number, name in enumerate(_NAMES) if name}


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar, which is carried back before it was in use."""
    # Counted in years that begin in March, so that the day that not every year has comes last: then the lengths of
    # the months before one are 153 fifths of a day for each, whatever the year.
    if month < 3:
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719469


_FIRST_DAY: Final = _days(0, 1, 1)
_LAST_DAY: Final = _days(9999, 12, 31)
