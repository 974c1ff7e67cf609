"""Tokens, quoted strings, lists, numbers, hosts, and text made safe to show."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.syntax.grammar import (
    check_escapes,
    check_line,
    check_user,
    delta_seconds,
    escape_user,
    is_host,
    is_token,
    parse_host_port,
    parse_uint,
    quote,
    split_list,
    stray_nul,
    unquote,
    visible,
)
from sipcore.syntax.message import Request, parse_message

TEXT = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=40)


# --- tokens and quoted strings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a", "REGISTER", "RE%47IST%45R", "!interesting-Method0123456789_*+`.%indeed'~"])
@pytest.mark.requirement("RFC4475-3.1.1.2-01", "RFC4475-3.1.1.5-01")
def test_tokens(text: str) -> None:
    assert is_token(text)


@pytest.mark.parametrize("text", ["", " ", "a b", "a\tb", "a:b", "a,b", 'a"', "a/b", "[a]", "a=b", "ä", "a\r\n", "a\0"])
def test_no_tokens(text: str) -> None:
    assert not is_token(text)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("alice", '"alice"'),
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ('a"b,c;d\\e', r'"a\"b,c;d\\e"'),
        ("Iñaki", '"Iñaki"'),
    ],
)
@pytest.mark.requirement("RFC3261-25.1-01", "RFC3261-25.1-02", "RFC3261-25.1-05")
def test_quoting_both_ways(text: str, quoted: str) -> None:
    assert quote(text) == quoted
    assert unquote(quoted) == text


@given(TEXT)
@settings(max_examples=200)
def test_unquote_is_the_inverse_of_quote(text: str) -> None:
    """Law: unquote(quote(x)) == x for every x that can be quoted."""
    assert unquote(quote(text)) == text


def test_a_token_is_its_own_value() -> None:
    assert unquote("MD5") == "MD5"
    assert unquote("") == ""


def test_a_backslash_quotes_any_character() -> None:
    assert unquote(r'"\a\;\ "') == "a; "


@pytest.mark.parametrize("text", ['"', '"a', '"a\\"', '"a"b', '"a" "b"', '"a\\'])
@pytest.mark.requirement("RFC4475-3.1.2.6-01")
def test_a_quoted_string_that_does_not_end_where_the_text_ends_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        unquote(text)


@pytest.mark.parametrize("character", ["\r", "\n", "\0"])
@pytest.mark.requirement("RFC3261-25.1-02")
def test_a_line_end_is_not_quoted_away(character: str) -> None:
    with pytest.raises(LocalProtocolError):
        quote(f"a{character}b")


@pytest.mark.requirement("RFC4475-3.1.1.2-01")
@pytest.mark.parametrize(
    ("line", "stray"),
    [
        ("T: a", False),
        ('T: "\\\0" <sip:a>', False),
        ('T: "a\\\0\\\\" <sip:a>, "\\\0b"', False),
        ("T: \0", True),
        ("T: \\\0", True),
        ('T: "\0"', True),
        ('T: "\\\\\0"', True),
        ('T: "\\\0', True),
        ('T: "a" \0', True),
        ('T: "\\\0" \\\0 "b"', True),
        ('T: "a\r\n \\\0" <sip:a>', False),
        ('T: "a\r\n\t\\\0\r\n " <sip:a>', False),
        ('T: "a\r\n b" \\\0 "c"', True),
    ],
)
def test_a_nul_stands_behind_the_backslash_of_a_quoted_string_or_nowhere(line: str, stray: bool) -> None:
    assert stray_nul(f"SIP/2.0 200 OK\r\nX: y\r\n{line}") is stray
    data = f"SIP/2.0 200 OK\r\nX: y\r\n{line}\r\n\r\n".encode()
    if stray:
        with pytest.raises(RemoteProtocolError):
            parse_message(data)
    else:
        response = parse_message(data)
        assert bytes(Request("A", "b:c", response.headers)).count(b"\0") == data.count(b"\0")


def test_a_nul_in_the_start_line_is_always_one_too_many() -> None:
    assert stray_nul('SIP/2.0 200 "\\\0"\r\nX: y')


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("", []),
        ("  ", []),
        ("a", ["a"]),
        (" a ", ["a"]),
        ("a,b", ["a", "b"]),
        ("a ,\tb", ["a", "b"]),
        ("<sip:a,b@h>", ["<sip:a,b@h>"]),
        ("<sip:a,b,c@h>,<sip:d@h>", ["<sip:a,b,c@h>", "<sip:d@h>"]),
        ("<sip:a@h>;q=1, sip:b@h", ["<sip:a@h>;q=1", "sip:b@h"]),
        ('"A, B" <sip:a@h>, <sip:b@h>', ['"A, B" <sip:a@h>', "<sip:b@h>"]),
        (r'"A\", B" <sip:a@h>, <sip:b@h>', [r'"A\", B" <sip:a@h>', "<sip:b@h>"]),
        (r'"A\\" <sip:a@h>, <sip:b@h>', [r'"A\\" <sip:a@h>', "<sip:b@h>"]),
        ('"x>" <sip:a,b@h>, <sip:c@h>', ['"x>" <sip:a,b@h>', "<sip:c@h>"]),
        ('"<" <sip:a@h>, <sip:b@h>', ['"<" <sip:a@h>', "<sip:b@h>"]),
        ('<sip:a@h>;x="<,>", b', ['<sip:a@h>;x="<,>"', "b"]),
        ("a,,b", ["a", "", "b"]),
        ("a,", ["a", ""]),
        (",", ["", ""]),
        ("<a,b", ["<a,b"]),
        ('"a,b', ['"a,b']),
        ("<a,<b>,c", ["<a,<b>", "c"]),
    ],
)
@pytest.mark.requirement("RFC3261-7.3.1-05", "RFC3261-25.1-01", "RFC3261-25.1-04")
def test_lists_are_split_at_commas_that_are_no_data(value: str, items: list[str]) -> None:
    assert split_list(value) == items


@given(st.text(alphabet='a,<>"\\ ', max_size=30))
@settings(max_examples=300)
def test_splitting_loses_nothing(value: str) -> None:
    """Law: the items, joined by commas, are the value but for white space."""
    joined = ",".join(split_list(value))
    assert joined.replace(" ", "") == value.replace(" ", "")


@given(st.text(alphabet="a,<>\\ ", max_size=30))
@settings(max_examples=300)
def test_quoted_strings_elsewhere_change_nothing(value: str) -> None:
    """Law: a value without quotation marks is split the same when an item with some stands in front of it."""
    assert split_list(f'"",{value}')[1:] == (split_list(value) or [""])


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("0009", 9), ("4294967295", 2**32 - 1), ("4294967296", 2**32 - 1), ("9" * 5000, 2**32 - 1)],
)
@pytest.mark.requirement("RFC3261-20.19-01", "RFC3261-10.2-14")
def test_numbers_are_read_and_clamped(text: str, number: int) -> None:
    assert delta_seconds(text) == number


def test_leading_zeros_do_not_make_a_number_large() -> None:
    assert parse_uint("0" * 5000 + "7", maximum=10) == 7
    assert parse_uint("0" * 5000, maximum=10) == 0


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", " 1", "1 ", "1.5", "abc", "0x10", "٢٠٠", "²", "1\n"])
@pytest.mark.requirement("RFC3261-20.14-02")
def test_what_int_would_take_besides_digits_is_no_number(text: str) -> None:
    assert delta_seconds(text) is None


# --- hosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "example.com.",
        "localhost",
        "a",
        "xn--bcher-kva.example",
        "3com.example",
        "192.0.2.1",
        "0.0.0.0",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[1::2]",
        "[1:2:3:4:5:6:7:8]",
        "[2001:db8::10]",
        "[::ffff:192.0.2.128]",
        "[::1.2.3.4]",
        "[1:2:3:4:5:6:1.2.3.4]",
        "[ABCD:ef01::]",
        "[2001:db8::10:5070]",
        "a." * 127 + "b",
    ],
)
@pytest.mark.requirement("RFC5954-4.1-01", "RFC5118-4.1-01", "RFC5118-4.9-01")
def test_hosts(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        ".example.com",
        "example..com",
        "-a.example",
        "a-.example",
        "a.-b",
        "a-",
        "example.a-",
        "ex%61mple.com",
        "exämple.com",
        "a b",
        "256.0.0.1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4.",
        "01.2.3.4",
        "12345",
        "2001:db8::10",
        "[1::2::3]",
        "[1:2:3:4:5:6:7:8:9]",
        "[1:2:3:4:5:6:7]",
        "[:1]",
        "[1:]",
        "[::1.2.3]",
        "[::1.2.3.256]",
        "[g::]",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[]",
        "[::1",
        "::1]",
        "[192.0.2.1]",
        "[12345::]",
        "a" * 256,
    ],
)
@pytest.mark.requirement("RFC5954-4.1-01", "RFC5118-4.2-01", "RFC3261-19.1.2-02")
def test_no_hosts(host: str) -> None:
    assert not is_host(host)


def test_lenient_a_last_label_that_begins_with_a_digit() -> None:
    assert is_host("example.9com")
    assert not is_host("example.9")


def test_lenient_an_underscore_in_a_host_name() -> None:
    assert is_host("my_pbx.example")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.com", "example.com", None),
        ("example.com:5060", "example.com", 5060),
        ("example.com:00005060", "example.com", 5060),
        ("[2001:db8::10]:5070", "[2001:db8::10]", 5070),
        ("[2001:db8::10:5070]", "[2001:db8::10:5070]", None),
    ],
)
@pytest.mark.requirement("RFC5118-4.3-01", "RFC5118-4.4-01")
def test_host_and_port(text: str, host: str, port: int | None) -> None:
    assert parse_host_port(text) == (host, port)


@pytest.mark.requirement("RFC5118-4.10-01")
def test_lenient_three_colons_in_an_ipv6_address() -> None:
    assert parse_host_port("[2001:db8:::192.0.2.1]:5060") == ("[2001:db8::192.0.2.1]", 5060)


@pytest.mark.parametrize(
    "text", ["", ":5060", "h:", "h:0", "h:65536", "h:-1", "h:5060x", "h:5 0", "h : 5060", "[::1]5060", "[::1]:", "[::1"]
)
@pytest.mark.requirement("RFC5118-4.2-01")
def test_malformed_host_and_port(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_host_port(text)


# --- what configuration is checked with ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a b", 'any "thing" <at> all; really, Iñaki 日本', "\xa0"])
def test_lines(text: str) -> None:
    assert check_line(text)


@pytest.mark.parametrize(
    "character", ["\r", "\n", "\0", "\t", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\u2029", "\ud800"]
)
@pytest.mark.requirement("RFC3261-7.1-02")
def test_no_lines(character: str) -> None:
    assert not check_line(f"a{character}b")


@pytest.mark.parametrize("text", ["alice", "+1-212-555-1212", "user;par=u%40example.net", "a&b=c$d,e?f/g", "%00"])
@pytest.mark.requirement("RFC4475-3.1.1.9-01", "RFC4475-3.1.1.4-01")
def test_user_parts(text: str) -> None:
    assert check_user(text)
    assert check_escapes(text)


@pytest.mark.parametrize("text", ["", "a b", "a@b", "a:b", "#31#", "50%", "50%o", "50%0g", "ä", "a<b", 'a"', "a\r\nb"])
def test_no_user_parts(text: str) -> None:
    assert not check_user(text)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("alice", "alice"),
        ("j@s0n x", "j%40s0n%20x"),
        ("a:b", "a%3Ab"),
        ("50%", "50%25"),
        ("#31#", "%2331%23"),
        ("ä", "%C3%A4"),
    ],
)
@pytest.mark.requirement("RFC3261-19.1.2-01")
def test_user_parts_are_escaped(text: str, escaped: str) -> None:
    assert escape_user(text) == escaped


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
@settings(max_examples=200)
def test_an_escaped_user_is_a_user(text: str) -> None:
    """Law: whatever text a user name is, its escaped form may stand in a URI."""
    assert check_user(escape_user(text))


# --- text to show ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Not Found", "Not Found"),
        ("Iñaki 日本", "Iñaki 日本"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("\udc80\udcff", "\\x80\\xff"),
        ("\uffff", "\\uffff"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_text_is_made_safe_to_show(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_text_to_show_is_cut() -> None:
    assert visible("a" * 200) == "a" * 200
    assert visible("a" * 201) == "a" * 199 + "…"
    assert visible("abcdef", 4) == "abc…"
    assert len(visible("\0" * 100_000)) == 200


@given(st.text(max_size=300), st.integers(1, 250))
@settings(max_examples=200)
def test_what_is_shown_is_printable_and_short(text: str, limit: int) -> None:
    """Law: whatever comes in, what is shown has only printable characters and no more than the limit."""
    shown = visible(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit


def test_the_character_classes_are_those_of_the_grammar() -> None:
    tokens = {chr(code) for code in range(256) if is_token(chr(code))}
    assert tokens == set(string.ascii_letters + string.digits + "-.!%*_+`'~")
    users = {chr(code) for code in range(256) if check_user(chr(code))}
    assert users == set(string.ascii_letters + string.digits + "-_.!~*'()&=+$,;?/")
