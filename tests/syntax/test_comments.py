"""Comments and products."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.syntax import Comment, Product, format_products, parse_products
from sipcore.syntax.comments import end_of_comment


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("()", ""),
        ("(I'm in a meeting)", "I'm in a meeting"),
        ("(a (b (c)) d)", "a (b (c)) d"),
        (r"(busy (until \) noon))", "busy (until ) noon)"),
        (r"(\(\\\))", r"(\)"),
        (r'("\")', '""'),
        ('(not " quoted)', 'not " quoted'),
        ("(ünï)", "ünï"),
        (" ( x ) ", " x "),
    ],
)
@pytest.mark.requirement("RFC3261-25.1-03")
def test_comments(text: str, inner: str) -> None:
    comment = Comment.parse(text)
    assert comment == Comment(inner)
    assert Comment.parse(str(comment)) == comment


@pytest.mark.parametrize("text", ["", "x", "(", ")", "(a", "(a))", "(a) b", "((a)", r"(a\)", "(a)(b)", "\\()"])
@pytest.mark.requirement("RFC3261-25.1-03")
def test_malformed_comments(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Comment.parse(text)


def test_where_a_comment_ends() -> None:
    assert end_of_comment(r"120 (a (b\)) ) ;x", 4) == 14
    assert end_of_comment("120 (a", 4) == -1
    assert end_of_comment("120", 0) == -1
    assert end_of_comment("120", 3) == -1


@pytest.mark.requirement("RFC3261-25.1-03")
def test_ten_thousand_comments_in_one_another() -> None:
    text = "(" * 10_000 + ")" * 10_000
    comment = Comment.parse(text)
    assert comment.text == text[1:-1]
    assert Comment.parse(str(comment)) == comment
    with pytest.raises(RemoteProtocolError):
        Comment.parse(text[:-1])


PRODUCTS: list[tuple[str, tuple[Product | Comment, ...]]] = [
    ("sipcore", (Product("sipcore"),)),
    ("Softphone/Beta1.5", (Product("Softphone", "Beta1.5"),)),
    ("HomeServer/v2 (x) gw", (Product("HomeServer", "v2"), Comment("x"), Product("gw"))),
    ("(nameless)", (Comment("nameless"),)),
    ("Asterisk PBX 20.5.0", (Product("Asterisk"), Product("PBX"), Product("20.5.0"))),
]
"""Used for parse and for write."""


@pytest.mark.parametrize(("text", "products"), PRODUCTS)
def test_products_both_ways(text: str, products: tuple[Product | Comment, ...]) -> None:
    assert parse_products(text) == products
    assert format_products(products) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" a / 1 \t b ", "a/1 b"),
        ("a /1 (x)", "a/1 (x)"),
        ("a/ 1", "a/1"),
    ],
)
def test_white_space_around_a_slash(text: str, canonical: str) -> None:
    assert format_products(parse_products(text)) == canonical


@pytest.mark.parametrize("text", ["FPBX-16.0.40(18.9.0)", "FPBX-16.0.40 (18.9.0)"])
def test_lenient_no_white_space_around_a_comment(text: str) -> None:
    assert parse_products(text) == (Product("FPBX-16.0.40"), Comment("18.9.0"))
    assert parse_products(f"{text}x")[2:] == (Product("x"),)


@pytest.mark.parametrize(
    "text", ["", " ", "/", "a/", "/1", "a//1", "a/1/2", "a/(x)", "a)", "a (b", "ä", 'a "b"', "a,b"]
)
def test_malformed_products(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_products(text)


WORDS = st.text(alphabet="abcAB09-.!%*_+`'~", min_size=1, max_size=8)
INNER = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=12) | st.text(
    alphabet="()\\ a", max_size=12
)


@given(st.lists(st.builds(Product, WORDS, st.none() | WORDS) | st.builds(Comment, INNER), min_size=1, max_size=6))
def test_what_was_written_is_read_back(items: list[Product | Comment]) -> None:
    """Law: parse is the inverse of format, on all products and comments."""
    assert parse_products(format_products(items)) == tuple(items)


@given(st.text(alphabet='()\\/ \tab"é', max_size=30))
def test_any_text_is_taken_or_refused(text: str) -> None:
    """Law: any text gives products or RemoteProtocolError, and what is taken is written back equal."""
    try:
        products = parse_products(text)
    except RemoteProtocolError:
        return
    assert parse_products(format_products(products)) == products


@pytest.mark.parametrize("text", ["a\r\nVia: x", "a\n", "\0"])
def test_no_comment_breaks_out_of_its_line(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        str(Comment(text))
