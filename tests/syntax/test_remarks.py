"""Retry-After, Warning and Timestamp."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.syntax import RetryAfter, Timestamp, WarningValue
from sipcore.syntax.headers import parse_retry_after
from sipcore.syntax.limits import MAX_DELTA_SECONDS, MAX_TIMESTAMP
from sipcore.syntax.remarks import parse_warnings

# --- Retry-After -----------------------------------------------------------------------------------------------------

RETRIES: list[tuple[str, RetryAfter]] = [
    ("18000", RetryAfter(18000)),
    ("18000;duration=3600", RetryAfter(18000, None, (("duration", "3600"),))),
    ("120 (I'm in a meeting)", RetryAfter(120, "I'm in a meeting")),
    ("120 ();x", RetryAfter(120, "", (("x", None),))),
    ('5 (a, b);duration=1;x="(;"', RetryAfter(5, "a, b", (("duration", "1"), ("x", '"(;"')))),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("text", "value"), RETRIES)
@pytest.mark.requirement("RFC3261-20.33-01", "RFC3261-25.1-03")
def test_retry_after_both_ways(text: str, value: RetryAfter) -> None:
    assert RetryAfter.parse(text) == value
    assert str(value) == text


@pytest.mark.requirement("RFC3261-20.33-01", "RFC3261-25.1-03")
def test_a_nested_comment_and_a_duration() -> None:
    value = RetryAfter.parse(r"120 (busy (until \) noon)) ; duration = 60")
    assert value is not None
    assert (value.seconds, value.comment, value.duration) == (120, "busy (until ) noon)", 60)


@pytest.mark.parametrize("text", ["abc", "", "-1", "1.5", "12 34", "(120)", ";duration=3600", "١٢"])
@pytest.mark.requirement("RFC3261-20.33-01")
def test_without_a_number_there_is_no_retry_after(text: str) -> None:
    assert RetryAfter.parse(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("120 (never ends", RetryAfter(120)),
        ("120(" + "(" * 10_000, RetryAfter(120)),
        ("120 (a) b", RetryAfter(120, "a")),
        ("120;a;a", RetryAfter(120)),
        ('120 (a);x="', RetryAfter(120, "a")),
        ("99999999999", RetryAfter(MAX_DELTA_SECONDS)),
    ],
)
def test_lenient_the_number_counts_whatever_stands_behind_it(text: str, value: RetryAfter) -> None:
    assert RetryAfter.parse(text) == value


@pytest.mark.parametrize(("text", "duration"), [("1;duration=0", 0), ("1;duration", None), ("1;duration=+5", None)])
def test_duration(text: str, duration: int | None) -> None:
    value = RetryAfter.parse(text)
    assert value is not None
    assert value.duration == duration


PARAMETERS = st.lists(
    st.tuples(st.sampled_from(["duration", "x", "y"]), st.sampled_from([None, "60", '"a;b"', "z"])),
    max_size=3,
    unique_by=lambda item: item[0],
).map(tuple)
TEXTS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20) | st.text(
    alphabet='()\\", ;a', max_size=20
)


@given(st.builds(RetryAfter, st.integers(0, MAX_DELTA_SECONDS), st.none() | TEXTS, PARAMETERS))
def test_retry_after_is_read_back(value: RetryAfter) -> None:
    """Law: parse is the inverse of str, on all values."""
    assert RetryAfter.parse(str(value)) == value


@given(st.text(alphabet='12();=,\\" adurtion', max_size=30))
def test_any_retry_after_has_the_same_number(text: str) -> None:
    """Law: any text gives None or a value, and its seconds are what `parse_retry_after` says."""
    value = RetryAfter.parse(text)
    assert (None if value is None else value.seconds) == parse_retry_after(text)
    if value is not None:
        assert RetryAfter.parse(str(value)) == value


# --- Warning ---------------------------------------------------------------------------------------------------------

WARNINGS: list[tuple[str, WarningValue]] = [
    (
        "307 isi.edu \"Session parameter 'foo' not understood\"",
        WarningValue(307, "isi.edu", "Session parameter 'foo' not understood"),
    ),
    ('399 example.com:5060 "a, b"', WarningValue(399, "example.com:5060", "a, b")),
    ('399 [2001:db8::1]:5060 ""', WarningValue(399, "[2001:db8::1]:5060", "")),
    (r'380 proxy-7 "say \"no\" \\"', WarningValue(380, "proxy-7", 'say "no" \\')),
    ('005 h "x"', WarningValue(5, "h", "x")),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("text", "value"), WARNINGS)
@pytest.mark.requirement("RFC3261-20.43-01")
def test_warnings_both_ways(text: str, value: WarningValue) -> None:
    assert WarningValue.parse(text) == value
    assert str(value) == text


@pytest.mark.requirement("RFC3261-20.43-01")
def test_several_warnings_in_one_line_and_in_several() -> None:
    values = ['399 a "one, two", 380 b "three"', '301 c "four"']
    assert parse_warnings(values) == (
        WarningValue(399, "a", "one, two"),
        WarningValue(380, "b", "three"),
        WarningValue(301, "c", "four"),
    )


def test_a_malformed_warning_does_not_hide_the_others() -> None:
    values = ['399 a "x", oops, 1812 b "y"', '399 "z"', '380 c "w']
    assert parse_warnings([*values, '300 d "v"']) == (WarningValue(399, "a", "x"), WarningValue(300, "d", "v"))


@pytest.mark.parametrize("text", ['399  h\t"x"', ' 399 h   "x" '])
def test_lenient_white_space_in_a_warning(text: str) -> None:
    assert WarningValue.parse(text) == WarningValue(399, "h", "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "399",
        "399 h",
        "399 h x",
        '399 "x"',
        '39 h "x"',
        '1812 h "x"',
        '399h "x"',
        '399 h"x"',
        '399 h "x" y',
        '399 h "x',
        '399 a b "x"',
        '+99 h "x"',
        '３９９ h "x"',
        '399 ä "x"',
        '399 h:x "y"',
        '"399" h "x"',
        'x "',
    ],
)
@pytest.mark.requirement("RFC3261-20.43-01")
def test_malformed_warnings(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        WarningValue.parse(text)
    assert parse_warnings([text]) == ()


AGENTS = st.sampled_from(["h", "example.com", "192.0.2.1:5060", "[::1]", "[::1]:5061", "proxy!7"])


@given(st.lists(st.builds(WarningValue, st.integers(0, 999), AGENTS, TEXTS), max_size=4))
def test_warnings_are_read_back(values: list[WarningValue]) -> None:
    """Law: parse is the inverse of str, on all values and lists of them."""
    assert parse_warnings([", ".join(str(value) for value in values)]) == tuple(values)


@given(st.text(alphabet='39 h:"\\,<>\t', max_size=30))
def test_any_warning_is_taken_or_refused(text: str) -> None:
    """Law: any text gives a value or RemoteProtocolError, and what is taken is written back equal."""
    assert isinstance(parse_warnings([text]), tuple)
    try:
        value = WarningValue.parse(text)
    except RemoteProtocolError:
        return
    assert WarningValue.parse(str(value)) == value


# --- Timestamp -------------------------------------------------------------------------------------------------------

TIMESTAMPS: list[tuple[str, Timestamp]] = [
    ("54", Timestamp(54_000_000)),
    ("54.25", Timestamp(54_250_000)),
    ("54 0.2", Timestamp(54_000_000, 200_000)),
    ("0 0", Timestamp(0, 0)),
    ("0.000001 0.00001", Timestamp(1, 10)),
    (f"{MAX_TIMESTAMP}.999999", Timestamp(MAX_TIMESTAMP * 1_000_000 + 999_999)),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("text", "value"), TIMESTAMPS)
@pytest.mark.requirement("RFC3261-20.38-01")
def test_timestamps_both_ways(text: str, value: Timestamp) -> None:
    assert Timestamp.parse(text) == value
    assert str(value) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("54.", "54"),
        ("054.50", "54.5"),
        (" 54 \t .5 ", "54 0.5"),
        ("54 .", "54 0"),
        ("54 3.", "54 3"),
        ("1.00000099", "1"),
    ],
)
def test_other_spellings_of_a_timestamp(text: str, canonical: str) -> None:
    assert str(Timestamp.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".5",
        ".",
        "x",
        "-1",
        "+1",
        "1e3",
        "1_0",
        "1.2.3",
        "54 x",
        "54 -1",
        "54 0.2 1",
        "54;x",
        "١",
        "1.١",
        "54 ١",
        "1.-5",
        str(MAX_TIMESTAMP + 1),
        "9" * 5000,
        f"1 {'9' * 5000}",
        "1 0.2x",
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    assert Timestamp.parse(text) is None


@pytest.mark.requirement("RFC3261-20.38-01")
def test_the_round_trip_does_not_count_the_delay() -> None:
    sent = Timestamp.at(54.0)
    assert str(sent) == "54"
    echoed = Timestamp.parse("54 0.2")
    assert echoed is not None
    assert echoed.microseconds == sent.microseconds
    assert echoed.round_trip(54.5) == 0.3
    assert sent.round_trip(54.5) == 0.5
    assert sent.round_trip(54.0) == 0.0


def test_a_round_trip_is_not_negative() -> None:
    assert Timestamp(54_000_000, 200_000).round_trip(54.1) is None
    assert Timestamp(54_000_000).round_trip(53.0) is None


@given(st.builds(Timestamp, st.integers(0, 10**20), st.none() | st.integers(0, 10**12)))
def test_timestamps_are_read_back(value: Timestamp) -> None:
    """Law: parse is the inverse of str, on all values."""
    assert Timestamp.parse(str(value)) == value


@given(st.text(alphabet="0123. \t-x٣", max_size=20))
def test_any_timestamp_is_a_value_or_none(text: str) -> None:
    """Law: any text gives None, or a value that is written back equal."""
    value = Timestamp.parse(text)
    if value is not None:
        assert Timestamp.parse(str(value)) == value


def test_a_negative_time_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        str(Timestamp(-1))
    with pytest.raises(LocalProtocolError):
        str(Timestamp(1, -1))
