"""The Date header, both ways."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import LocalProtocolError
from sipcore.syntax import format_date, parse_date
from sipcore.testing import Line, ok
from tests.accounts import account

DATES = [
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
    ("Sat, 13 Nov 2010 23:29:00 GMT", 1289690940),
    ("Tue, 29 Feb 2000 12:00:00 GMT", 951825600),
    ("Tue, 19 Jan 2038 03:14:08 GMT", 2**31),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799),
    ("Sat, 01 Jan 0000 00:00:00 GMT", -62167219200),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("text", "seconds"), DATES)
@pytest.mark.requirement("RFC3261-20.17-01")
def test_dates_both_ways(text: str, seconds: int) -> None:
    assert parse_date(text) == seconds
    assert parse_date(f" {text}\t") == seconds
    assert format_date(seconds) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        # the time zone is GMT
        "Fri, 01 Jan 2010 16:00:00 EST",
        "Fri, 01 Jan 2010 16:00:00 UTC",
        "Fri, 01 Jan 2010 16:00:00 +0000",
        "Fri, 01 Jan 2010 16:00:00",
        "Fri, 01 Jan 2010 16:00:00 GMT+1",
        # case counts
        "fri, 01 Jan 2010 16:00:00 GMT",
        "Fri, 01 JAN 2010 16:00:00 GMT",
        "Fri, 01 Jan 2010 16:00:00 gmt",
        # each field has its place
        "Fri, 1 Jan 2010 16:00:00 GMT",
        "Fri,01 Jan 2010 16:00:00 GMT",
        "Fri, 01  Jan 2010 16:00:00 GMT",
        "Fri, 01 Jan 10 16:00:00 GMT",
        "Fri, 01 Jan 2010 16:00 GMT",
        "Fri, 01 Jan 02010 16:00:00 GMT",
        "Fri, 01-Jan-2010 16:00:00 GMT",
        "Friday, 01-Jan-10 16:00:00 GMT",
        "Fri Jan  1 16:00:00 2010",
        "2010-01-01T16:00:00Z",
        "1262361600",
        # numerals are those of ASCII and have no sign
        "Fri, 0１ Jan 2010 16:00:00 GMT",
        "Fri, ٠١ Jan 2010 16:00:00 GMT",
        "Fri, +1 Jan 2010 16:00:00 GMT",
        "Fri, 01 Jan 2_10 16:00:00 GMT",
        "Fri,  1 Jan 2010 16:00:00 GMT",
        # names are those of days and months
        "Fry, 01 Jan 2010 16:00:00 GMT",
        "Fri, 01 Jum 2010 16:00:00 GMT",
        "   , 01 Jan 2010 16:00:00 GMT",
        "Fri, 01     2010 16:00:00 GMT",
    ],
)
@pytest.mark.requirement("RFC3261-20.17-01", "RFC4475-3.1.2.12-01")
def test_what_is_no_rfc_1123_date_in_gmt(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sat, 00 Jan 2010 00:00:00 GMT",
        "Sat, 32 Jan 2010 00:00:00 GMT",
        "Sat, 31 Feb 2010 00:00:00 GMT",
        "Sat, 29 Feb 2010 00:00:00 GMT",
        "Sat, 29 Feb 1900 00:00:00 GMT",
        "Sat, 31 Apr 2010 00:00:00 GMT",
        "Sat, 01 Jan 2010 24:00:00 GMT",
        "Sat, 01 Jan 2010 00:60:00 GMT",
        "Sat, 31 Dec 2016 23:59:60 GMT",
    ],
)
def test_what_is_spelled_like_a_date_and_names_no_moment(text: str) -> None:
    assert parse_date(text) is None


def test_lenient_a_day_of_the_week_that_does_not_fit() -> None:
    assert parse_date("Mon, 13 Nov 2010 23:29:00 GMT") == parse_date("Sat, 13 Nov 2010 23:29:00 GMT")


@given(st.datetimes())
def test_dates_are_those_of_the_calendar(moment: datetime.datetime) -> None:
    """Law: each second of the years 1 to 9999 is written as the calendar of the standard library says."""
    seconds = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)
    text = format_date(seconds)
    assert text[5:7] + text[12:16] + text[17:25] == f"{moment:%d}{moment.year:04d}{moment:%H:%M:%S}"
    assert text[:3] == ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    assert text[8:11] == "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[moment.month - 1]
    assert parse_date(text) == seconds


@given(st.integers(-62167219200, 253402300799))
def test_what_was_written_is_read_back(seconds: int) -> None:
    """Law: parse is the inverse of format, on all seconds that have a date."""
    assert parse_date(format_date(seconds)) == seconds


@given(st.text(alphabet="SatJan0123456789,: GMT٣", max_size=40) | st.text(max_size=40))
def test_any_text_is_a_date_or_none(text: str) -> None:
    """Law: any text gives None or a number whose date says the same, but for the day of the week."""
    seconds = parse_date(text)
    if seconds is not None:
        assert format_date(seconds)[3:] == text.strip(" \t")[3:]


@pytest.mark.parametrize("seconds", [-62167219201, 253402300800, 10**30, -(10**30)])
def test_a_year_has_four_digits(seconds: int) -> None:
    with pytest.raises(LocalProtocolError):
        format_date(seconds)


@pytest.mark.parametrize(
    "date", ["Fri, 01 Jan 2010 16:00:00 EST", "yesterday", "", "Sat, 13 Nov 2010 23:29:00 GMT"], ids=str
)
@pytest.mark.requirement("RFC4475-3.1.2.12-01", "RFC3261-20.17-01")
def test_a_registration_does_not_depend_on_the_date(date: str) -> None:
    line = Line(account(), script=[ok(100, f"Date: {date}")])
    line.register()
    assert line.status().registered
