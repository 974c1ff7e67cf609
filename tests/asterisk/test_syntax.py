"""Sections, comments, templates: what Asterisk's reader makes of a file, and what ours refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.asterisk.syntax import MAX_LINE, MAX_NESTING, UNREADABLE, ConfigText, Section, decode, nearest
from sipcore.errors import ConfigError


def sections(text: str) -> tuple[Section, ...]:
    return tuple(ConfigText(text, file="p.conf").sections())


def options(text: str) -> list[tuple[str, str]]:
    """The options of the last section."""
    return [(option.name, option.value) for option in sections(text)[-1].options]


def warnings(text: str) -> list[str]:
    config = ConfigText(text, file="p.conf")
    list(config.sections())
    return list(config.warnings)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=b", ("a", "b")),
        ("a = b", ("a", "b")),
        ("\t a\t=\tb \t", ("a", "b")),
        ("a => b", ("a", "b")),
        ("a=>b", ("a", "b")),
        ("a = > b", ("a", "> b")),
        ("a = b = c", ("a", "b = c")),
        ("a=", ("a", "")),
        ("A_Long_Name = Value", ("a_long_name", "Value")),
        ('a = "quoted" ', ("a", '"quoted"')),
        ("a = b c  d", ("a", "b c  d")),
        ("a = b ; comment", ("a", "b")),
        ("a = b;-- comment --; c", ("a", "b c")),
        ("a = sip:x\\;transport=tcp", ("a", "sip:x;transport=tcp")),
        ("a = x\\;y\\;z ; end", ("a", "x;y;z")),
        ("a = C:\\path", ("a", "C:\\path")),
        ("\\[a = b", ("[a", "b")),
        ("a = b\r", ("a", "b")),
        ("a = grüße", ("a", "grüße")),
        ("a = x---;y", ("a", "x---")),
        ("a = x;---- not a block ----;", ("a", "x")),
        ("a = x\\;-- y", ("a", "x;-- y")),
    ],
)
def test_a_line(line: str, expected: tuple[str, str]) -> None:
    assert options(f"[s]\n{line}\n") == [expected]


def test_block_comments_nest_and_span_lines() -> None:
    text = "[s]\na=1\n;-- one\nb=2\n;-- two\nc=3\n--;\nd=4 --; e=5\n;--;--;\nf=6\n--; --;\ng=7\n"
    assert options(text) == [("a", "1"), ("e", "5"), ("g", "7")]


def test_an_escaped_semicolon_in_a_block_comment_closes_nothing() -> None:
    assert options("[s]\n;-- --\\; a=1\n--;\nb=2\n") == [("b", "2")]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert [section.name for section in sections(decode(b"\xef\xbb\xbf[s]\na=b\n"))] == ["s"]


def test_undecodable_bytes_do_no_harm_in_comments() -> None:
    assert options(decode(b"[s]\n; Gr\xfc\xdfe\na=b ; \xff\n")) == [("a", "b")]


def test_lines_are_counted_and_kept() -> None:
    (section,) = sections("\n; c\n[s]\n\na = 1\n;--\n--;\nb = 2")
    assert section.line == 3
    assert [option.line for option in section.options] == [5, 8]


def test_templates_are_inherited_in_order_and_own_lines_come_last() -> None:
    text = "[one](!)\na=1\nb=1\n[two](!)\nb=2\n[s](one,two)\nc=3\n"
    *templates, section = sections(text)
    assert [template.template for template in templates] == [True, True]
    assert options(text) == [("a", "1"), ("b", "1"), ("b", "2"), ("c", "3")]
    assert section.inherited == 3
    assert [option.line for option in section.options] == [2, 3, 5, 7]
    assert not section.template


def test_a_template_may_inherit_and_a_plain_section_may_be_a_parent() -> None:
    text = "[plain]\na=1\n[t](!,plain)\nb=2\n[s](T)\n"
    assert options(text) == [("a", "1"), ("b", "2")]
    assert [section.template for section in sections(text)] == [False, True, False]


def test_plus_appends_to_the_first_section_of_the_name() -> None:
    first, second = sections("[s]\na=1\n[s]\nb=2\n[s](+)\nc=3\n")
    assert [option.name for option in first.options] == ["a", "c"]
    assert [option.name for option in second.options] == ["b"]


def test_what_is_appended_later_is_not_inherited_earlier() -> None:
    _, child = sections("[t](!)\na=1\n[s](t)\n[t](+TEMPLATES=include)\nb=2\n")
    assert [option.name for option in child.options] == ["a"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a=b\n", "p.conf:1: line: stands before the first [section]"),
        ("[s\n", "p.conf:1: section: has no closing ']'"),
        ("[]\n", "p.conf:1: section: has no name"),
        ("[s](!\n", "p.conf:1: section: has no closing ')'"),
        ("[base](!)\n[s](bsae)\n", "p.conf:2: [bsae]: no section of that name stands above; did you mean 'base'?"),
        ("[s](later)\n[later](!)\n", "p.conf:1: [later]: no section of that name stands above"),
        ("[s](+)\n", "p.conf:1: [s]: no section of that name stands above"),
        ("[s]\n[s](+a=b)\n", "p.conf:2: [s]: no section of that name above fits the filter"),
        ("[s]\n[s](+a)\n", "p.conf:2: section: a filter has the form '+name=expression'"),
        ("[s]\n[s](+a=b&c)\n", "p.conf:2: section: a filter has the form '+name=expression'"),
        ("[s]\n[s](+a=[)\n", "p.conf:2: section: its filter is no regular expression: '[' without ']'"),
        (
            "[s](!)\n[s](+)\n",
            "p.conf:2: [s]: only a template of that name stands above, to which '(+TEMPLATES=include)' appends",
        ),
        ("[s]\n[t](+,s)\n", "p.conf:2: [t]: no section of that name stands above"),
        ("[s]()\n", "p.conf:1: [s]: an empty name stands between the brackets"),
        ("[s]\n\\\n", "p.conf:2: line: has nothing behind the '\\' at its beginning"),
        (
            "#include other.conf\n",
            "p.conf:1: #include: other.conf: there is only a text here, and nobody who reads files",
        ),
        (
            "#exec /bin/true\n",
            "p.conf:1: #exec: commands are not run: put what it prints into a file and #include that",
        ),
        ("[s]\na=b\rc=d\n", "p.conf:2: line: holds the character U+000D, which no value can carry"),
        ("[s]\na=b\0\n", "p.conf:2: line: holds the character U+0000, which no value can carry"),
        ("[s]\na=\x1b[2J\n", "p.conf:2: line: holds the character U+001B, which no value can carry"),
        (";-- " * (MAX_NESTING + 1), "p.conf:1: comment: more than 128 comments within each other"),
    ],
)
def test_refused(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sections(text)
    assert str(caught.value) == error
    assert caught.value.where == error.split(": ")[0]


def test_bytes_that_are_not_utf8_are_kept_as_unreadable_and_refused_in_names() -> None:
    assert options(decode(b"[s]\na=x\xfc\xdfy\n")) == [("a", f"x{UNREADABLE}{UNREADABLE}y")]
    for text in (b"[s\xfc]\n", b"[s]\na\xfc=1\n"):
        with pytest.raises(ConfigError, match="not UTF-8"):
            sections(decode(text))


def test_the_longest_line_and_the_deepest_comment_are_taken() -> None:
    assert options(f"[s]\na={'x' * (MAX_LINE - 2)}\n") == [("a", "x" * (MAX_LINE - 2))]
    assert options("[s]\n" + ";-- " * MAX_NESTING + "--; " * MAX_NESTING + "a=b") == [("a", "b")]


@pytest.mark.parametrize(
    ("text", "kept", "warning"),
    [
        ("hello", [], "p.conf:2: line: has no '=', so it is not looked at, as in Asterisk"),
        ("=b", [], "p.conf:2: line: has no name before the '=', so it is not looked at, as in Asterisk"),
        (
            f"a={'x' * (MAX_LINE - 1)}\nb=1",
            [("b", "1")],
            f"p.conf:2: line: longer than {MAX_LINE} bytes, so it is skipped, as in Asterisk",
        ),
        (
            f"a={'ß' * (MAX_LINE // 2)}\nb=1",
            [("b", "1")],
            f"p.conf:2: line: longer than {MAX_LINE} bytes, so it is skipped, as in Asterisk",
        ),
        (
            "a=1\n;-- x\n;-- y\n--;\nb=2",
            [("a", "1")],
            "p.conf:3: comment: ';--' is never closed by '--;', so all that follows is a comment, as in Asterisk",
        ),
        (
            "# a comment\na=1",
            [("a", "1")],
            "p.conf:2: line: a line with '#' is a directive, and this is none that is known; comments begin with a "
            "semicolon; it is not looked at, as in Asterisk",
        ),
        (
            "#inlcude x\na=1",
            [("a", "1")],
            "p.conf:2: line: a line with '#' is a directive, and this is none that is known; did you mean 'include'?; "
            "it is not looked at, as in Asterisk",
        ),
        (
            "#Include\na=1",
            [("a", "1")],
            "p.conf:2: line: '#include' needs the name of a file; it is not looked at, as in Asterisk",
        ),
    ],
)
def test_what_asterisk_passes_over_is_passed_over_and_told(
    text: str, kept: list[tuple[str, str]], warning: str
) -> None:
    assert options(f"[s]\n{text}\n") == kept
    assert warnings(f"[s]\n{text}\n") == [warning]


@pytest.mark.parametrize(("line", "template"), [("[s] (!)", False), ("[s](!) x", True), ("[s]x", False)])
def test_what_follows_a_section_is_told(line: str, template: bool) -> None:
    assert sections(line)[0].template is template
    assert warnings(line)[0].startswith("p.conf:1: [s]: what follows is not looked at, as in Asterisk")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a = x", "a += y"], [("a", "x y")]),
        (["a = x", "a +=y"], [("a", "xy")]),
        (["a += y"], [("a", "y")]),
        (["a = 1", "b = 2", "a = 3", "A+=,4"], [("a", "1"), ("b", "2"), ("a", "3,4")]),
        (["a = 1", "a = 1", "a += 2"], [("a", "1 2"), ("a", "1")]),
        (["a =", "a += y"], [("a", "y")]),
        (["a + = y"], [("a +", "y")]),
        (["\\=a = 1"], [("=a", "1")]),
    ],
)
def test_plus_equals_adds_to_the_last_value_of_the_name(lines: list[str], expected: list[tuple[str, str]]) -> None:
    assert options("[s]\n" + "\n".join(lines)) == expected


def test_plus_equals_adds_to_what_is_inherited_and_leaves_the_template_alone() -> None:
    template, child = sections("[t](!)\na=1\n[s](t)\na+=,2\n")
    assert [(option.value, option.where) for option in child.options] == [("1,2", "p.conf:2")]
    assert template.options[0].value == "1"


@pytest.mark.parametrize(
    ("head", "grown"),
    [
        ("[s](+)", 0),
        ("[S](+)", 0),
        ("[s](+type=b)", 1),
        ("[s](+ type = ^b$ )", 1),
        ("[s](+^ty=^[ab]$&x=2)", 1),
        ("[s](+type=.)", 0),
        ("[s](+TEMPLATES=include)", 0),
        ("[s](+TEMPLATES=restrict)", 2),
        ("[s](+TEMPLATES=include&type=t)", 2),
        ("[s](!,+)", 0),
        ("[s](extra,+)", 0),
    ],
)
def test_plus_appends_to_the_first_section_that_fits(head: str, grown: int) -> None:
    text = f"[s]\ntype=a\n[s]\ntype=b\nx=2\n[s](!)\ntype=t\n[extra](!)\ne=1\n{head}\nnew=1\n"
    found = sections(text)
    assert [section.name for section in found] == ["s", "s", "s", "extra"]
    names = [[option.name for option in section.options] for section in found[:3]]
    assert [index for index, each in enumerate(names) if "new" in each] == [grown]
    assert found[grown].template is ("!" in head or grown == 2)
    assert ("e" in names[grown]) is ("extra" in head)


@pytest.mark.parametrize("line", ["uri = sip:x;transport=tcp", "uri=sip:x;lr ; rest"])
def test_a_semicolon_that_cuts_a_value_is_told(line: str) -> None:
    assert warnings(f"[s]\n{line}\n") == [
        "p.conf:2: uri: its value ends where ';' begins a comment; write '\\;' for a semicolon"
    ]


@pytest.mark.parametrize("line", ["a = b ;c", "a = b; c", "a = b;", "a = b;; c", "; a = b;c", "a = b\\;c", "a=b;---x"])
def test_a_plain_comment_is_not_told(line: str) -> None:
    assert warnings(f"[s]\n{line}\n") == []


def test_the_warning_holds_nothing_of_the_value() -> None:
    assert "canary" not in warnings("[s]\npassword = canary;canary\n")[0]


def test_nearest() -> None:
    assert nearest("expiraton", ["expiration", "type"]) == "; did you mean 'expiration'?"
    assert nearest("zzz", ["expiration", "type"]) == ""


@given(st.text(alphabet="[]()!+,;-\\=>#a \t\r\n\0\x85é", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text either becomes sections or raises `ConfigError` with a place; nothing else."""
    refused: ConfigError | None = None
    parsed: tuple[Section, ...] = ()
    try:
        parsed = sections(text)
    except ConfigError as error:
        refused = error
    assert refused is None or (refused.where or "").startswith("p.conf:")
    assert "\n" not in str(refused)
    assert all(section.inherited <= len(section.options) for section in parsed)


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
            st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20).filter(lambda value: value[:1] != ">"),
        ),
        max_size=8,
    )
)
def test_what_is_written_escaped_is_read_back(pairs: list[tuple[str, str]]) -> None:
    """Writing `name = value` with each `;` escaped is inverse to reading, whatever else the value holds."""
    # A backslash before a semicolon cannot be written: Asterisk has no escape for it.
    pairs = [(name, value.replace("\\;", ";")) for name, value in pairs]
    escaped = [f"{name} = {value.replace(';', chr(92) + ';')}" for name, value in pairs]
    assert options("[s]\n" + "\n".join(escaped)) == pairs
