"""Preferences."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import LocalProtocolError
from sipcore.syntax import format_qvalue, parse_qvalue


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("0", 0),
        ("1", 1000),
        ("0.5", 500),
        ("0.50", 500),
        ("0.500", 500),
        ("0.007", 7),
        ("0.", 0),
        ("1.", 1000),
        ("1.0", 1000),
        ("1.000", 1000),
        ("0.000", 0),
    ],
)
def test_qvalues(text: str, thousandths: int) -> None:
    assert parse_qvalue(text) == thousandths


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ".5",
        "1.001",
        "1.1",
        "2",
        "00.5",
        "0.5000",
        "0.0000",
        "٠.5",
        "0.٥",
        "0.²",
        "+0.5",
        "-0",
        "0_0",
        " 0.5",
        "0.5 ",
        "0,5",
        "0.5.5",
        "0.-5",
        "5e-1",
        "nan",
        "inf",
        "1.000000",
        "0.+5",
        "0. 5",
    ],
)
def test_what_is_no_qvalue(text: str) -> None:
    assert parse_qvalue(text) is None


@given(st.integers(0, 1000))
def test_what_was_written_is_read_back(thousandths: int) -> None:
    """Law: parse is the inverse of format, on 0 to 1000."""
    assert parse_qvalue(format_qvalue(thousandths)) == thousandths


@given(st.text(alphabet="01.5٥+ ", max_size=6) | st.text(max_size=6))
def test_the_grammar_says_what_a_qvalue_is(text: str) -> None:
    """Law: a value is given for what fits the grammar, and for nothing else."""
    fits = re.fullmatch(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", text) is not None
    assert (parse_qvalue(text) is not None) == fits


@pytest.mark.parametrize("thousandths", [-1, 1001])
def test_no_preference_outside_its_range_is_written(thousandths: int) -> None:
    with pytest.raises(LocalProtocolError):
        format_qvalue(thousandths)
