"""Extended regular expressions of POSIX: what they match, what is refused, and that none takes long."""

from __future__ import annotations

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.asterisk.patterns import MAX_DEPTH, BadPattern, Pattern


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "", True),
        ("^endpoint$", "endpoint", True),
        ("^endpoint$", "endpoints", False),
        ("a|b", "xxb", True),
        ("x{2,3}y", "axxy", True),
        ("x{2}y", "xy", False),
        ("^x{0,1}$", "xx", False),
        ("^(ab){2,}$", "ababab", True),
        ("[[:digit:]]+z", "a1z", True),
        ("[^a-c]", "abc", False),
        ("[]x]", "]", True),
        ("[a-]", "-", True),
        ("^(a|bc?)+$", "abbca", True),
        ("a**", "", True),
        ("\\.", "a.b", True),
        ("\\.", "ab", False),
        (".", "", False),
    ],
)
def test_matches(pattern: str, text: str, matches: bool) -> None:
    assert Pattern(pattern).search(text) is matches


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a)", "[", "[a", "[z-a]", "[[:nothing:]]", "*", "a|*", "a{", "a{2,1}", "a{256}", "a{x}", "\\", "(" * 60],
)
def test_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        Pattern(pattern)


def test_what_would_take_long_is_refused_or_quick() -> None:
    with pytest.raises(BadPattern):
        Pattern("((a{200}){200}){200}")
    with pytest.raises(BadPattern):
        Pattern("(" * (MAX_DEPTH + 1) + ")" * (MAX_DEPTH + 1))
    begun = process_time()
    assert not Pattern("^(a*)*(a|aa)+b$").search("a" * 4000)
    assert process_time() - begun < 1


@given(st.text(alphabet="ab.|()*", max_size=8), st.text(alphabet="ab", max_size=8))
def test_it_agrees_with_python_where_both_mean_the_same(pattern: str, text: str) -> None:
    """Literals, dots, stars, branches and brackets match the same as in Python."""
    try:
        mine = Pattern(pattern)
    except BadPattern:
        return
    # Python has another meaning for a star behind a star, and none for one behind an empty bracket in a star.
    if "**" in pattern:
        return
    assert mine.search(text) is (re.compile(pattern).search(text) is not None)
