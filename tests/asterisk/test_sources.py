"""Several files as one configuration: #include, #tryinclude, patterns, and what of it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.asterisk import load
from sipcore.asterisk.sources import MAX_DEPTH, MAX_INCLUSIONS
from sipcore.asterisk.syntax import ConfigText, Section
from sipcore.errors import ConfigError


class Tree:
    """Files by name. A text that is an error is raised."""

    def __init__(self, files: dict[str, str | OSError]) -> None:
        self.files = files
        self.asked: list[str] = []

    def read(self, name: str, /) -> bytes:
        self.asked.append(name)
        found = self.files.get(name, FileNotFoundError(2, "No such file or directory"))
        if isinstance(found, OSError):
            raise found
        return found.encode()

    def glob(self, pattern: str, /) -> Sequence[str]:
        # In an order of no meaning, as a directory has it.
        return [name for name in reversed(self.files) if fnmatchcase(name, pattern)]


def config(main: str, files: dict[str, str | OSError] | None = None) -> ConfigText:
    return ConfigText(main, file="/etc/a/p.conf", files=Tree(files or {}))


def read(main: str, files: dict[str, str | OSError] | None = None) -> tuple[Section, ...]:
    return tuple(config(main, files).sections())


def shown(sections: Sequence[Section]) -> list[tuple[str, list[str]]]:
    return [(section.name, [option.value for option in section.options]) for section in sections]


@pytest.mark.parametrize(
    "line",
    [
        "#include one.conf",
        '#include "one.conf"',
        "#include <one.conf>",
        "#include   /etc/a/one.conf",
        "#Include one.conf ; comment",
        "#tryinclude one.conf",
        "#include on?.conf",
        "#include {one,two}.conf",
    ],
)
def test_a_file_is_included_where_the_line_stands(line: str) -> None:
    found = read(f"[a]\nx=1\n{line}\n[c]\nx=3\n", {"/etc/a/one.conf": "[b]\nx=2\n", "/elsewhere/one.conf": "["})
    assert shown(found) == [("a", ["1"]), ("b", ["2"]), ("c", ["3"])]
    assert [section.where for section in found] == ["/etc/a/p.conf:1", "/etc/a/one.conf:1", "/etc/a/p.conf:4"]
    assert [section.options[0].where for section in found][1] == "/etc/a/one.conf:2"


def test_a_pattern_stands_for_its_files_in_the_order_of_their_names() -> None:
    files: dict[str, str | OSError] = {f"/etc/a/r/{name}.conf": f"[{name}]\n" for name in ("c", "a", "b")}
    assert [section.name for section in read("#include r/*.conf\n", files)] == ["a", "b", "c"]
    assert [section.name for section in read("#include r/{c,a*,c}.conf\n", files)] == ["c", "a"]


def test_names_are_relative_to_the_first_file_also_from_below() -> None:
    files: dict[str, str | OSError] = {"/etc/a/d/one.conf": "#include two.conf\n", "/etc/a/two.conf": "[b]\n"}
    assert [section.name for section in read("#include d/one.conf\n", files)] == ["b"]


def test_options_of_an_included_file_belong_to_the_section_above_and_the_section_goes_on_behind() -> None:
    found = read("[a]\nx=1\n#include o.conf\nx=4\n", {"/etc/a/o.conf": "x=2\n[b]\nx=3\n"})
    assert shown(found) == [("a", ["1", "2", "4"]), ("b", ["3"])]


def test_the_next_file_begins_with_the_section_that_began_last() -> None:
    # A trap of Asterisk: it is not the section of the line.
    files: dict[str, str | OSError] = {"/etc/a/o.conf": "[b]\nx=2\n", "/etc/a/q.conf": "x=3\n"}
    assert shown(read("[a]\nx=1\n#include o.conf\n#include q.conf\nx=4\n", files)) == [
        ("a", ["1", "4"]),
        ("b", ["2", "3"]),
    ]


def test_templates_serve_all_files_below() -> None:
    found = read("#include t.conf\n[s](t)\ny=2\n", {"/etc/a/t.conf": "[t](!)\nx=1\n"})
    assert shown(found)[1] == ("s", ["1", "2"])
    assert found[1].options[0].where == "/etc/a/t.conf:2"


def test_a_section_is_appended_to_across_files() -> None:
    assert shown(read("[s]\nx=1\n#include o.conf\n", {"/etc/a/o.conf": "[s](+)\nx=2\n"})) == [("s", ["1", "2"])]


def test_a_comment_ends_with_its_file_and_hides_an_include() -> None:
    text = config("#include o.conf\n[a]\n;--\n#include no.conf\n--;\n", {"/etc/a/o.conf": ";--\n"})
    assert [section.name for section in text.sections()] == ["a"]
    assert [warning.partition(": ")[0] for warning in text.warnings] == ["/etc/a/o.conf:1"]


def test_one_file_may_be_included_twice_and_is_read_once() -> None:
    tree = Tree({"/o.conf": "x=1\n"})
    text = ConfigText("[a]\n#include /o.conf\n[b]\n#include /o.conf\n", file="p.conf", files=tree)
    assert shown(tuple(text.sections())) == [("a", ["1"]), ("b", ["1"])]
    assert shown(tuple(text.sections())) == [("a", ["1"]), ("b", ["1"])]
    assert tree.asked == ["/o.conf"]
    assert text.files == ("p.conf", "/o.conf")


def test_what_is_not_there_may_be_tried() -> None:
    files: dict[str, str | OSError] = {"/etc/a/d": IsADirectoryError(21, "Is a directory")}
    text = config("#tryinclude no.conf\n#tryinclude no/*.conf\n#tryinclude d*\n[a]\n", files)
    assert [section.name for section in text.sections()] == ["a"]
    assert list(text.warnings) == [
        "/etc/a/p.conf:3: #tryinclude: /etc/a/d is a directory; it is not looked at, as in Asterisk"
    ]


@pytest.mark.parametrize(
    ("main", "files", "error"),
    [
        ("\n#include no.conf\n", {}, "p.conf:2: #include: /etc/a/no.conf: cannot be read: No such file or directory"),
        ("#include *.no\n", {}, "p.conf:1: #include: *.no: there is no such file"),
        (
            "#tryinclude o.conf\n",
            {"o.conf": PermissionError(13, "Permission denied")},
            "p.conf:1: #tryinclude: /etc/a/o.conf: cannot be read: Permission denied",
        ),
        (
            "#include o.conf\n",
            {"o.conf": "[a]\n#include o.conf\n"},
            "o.conf:2: #include: goes round in a circle: /etc/a/o.conf includes /etc/a/o.conf",
        ),
        (
            "#include o.conf\n",
            {"o.conf": "#include q.conf\n", "q.conf": "#include /etc/a/p.conf\n"},
            "q.conf:1: #include: goes round in a circle: /etc/a/p.conf includes /etc/a/o.conf includes /etc/a/q.conf "
            "includes /etc/a/p.conf",
        ),
        (
            "#include 1\n",
            {str(number): f"#include {number + 1}\n" for number in range(1, 20)},
            f"{MAX_DEPTH - 1}:1: #include: more than {MAX_DEPTH} files within each other",
        ),
        ("#include o\x1b.conf\n", {}, "p.conf:1: #include: the name holds a character that no file here can have"),
        ("[a]\n#include o.conf\n", {"o.conf": "[b\n"}, "o.conf:1: section: has no closing ']'"),
        ("#include o.conf\n", {"o.conf": "x=1\n"}, "o.conf:1: line: stands before the first [section]"),
    ],
)
def test_refused(main: str, files: dict[str, str | OSError], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(main, {f"/etc/a/{name}": text for name, text in files.items()})
    assert str(caught.value) == f"/etc/a/{error}"


def test_files_that_include_others_many_times_over_come_to_an_end() -> None:
    files: dict[str, str | OSError] = {f"/etc/a/{n}": f"#include {n + 1}\n" * 20 for n in range(5)}
    files["/etc/a/5"] = ""
    with pytest.raises(ConfigError, match=f"more than {MAX_INCLUSIONS} inclusions"):
        read("#include 0\n", files)


def test_a_plain_function_reads_but_knows_no_patterns() -> None:
    files = {"p.conf": b"#include o.conf\n", "o.conf": b"[r]\ntype=registration\nserver_uri=sip:h.example\n"}
    files["o.conf"] += b"client_uri=sip:u@h.example\n"
    configuration = load("p.conf", files.__getitem__)
    assert [account.name for account in configuration.accounts] == ["r"]
    assert configuration.files == ("p.conf", "o.conf")
    files["p.conf"] = b"#include *.conf\n"
    with pytest.raises(ConfigError, match="cannot be searched"):
        load("p.conf", files.__getitem__)


def test_a_section_is_given_out_when_it_is_complete_also_from_an_included_file() -> None:
    """What is read behind a section is not needed for it: nothing waits for the end of the file."""
    registrations = "".join(f"[r{number}]\nx=1\n" for number in range(50))
    text = config("[g]\nx=1\n#include r.conf\n[z]\n", {"/etc/a/r.conf": registrations + "[broken\n"})
    seen = []
    with pytest.raises(ConfigError):
        for section in text.sections():
            seen.append(section.name)
    assert seen == ["g", *(f"r{number}" for number in range(49))]


@given(
    st.lists(
        st.sampled_from(
            [
                "[a]",
                "[b](!)",
                "[c](a)",
                "[a](+)",
                "x=1",
                "y+=2",
                ";--",
                "--;",
                "#include o",
                "#tryinclude q",
                "#include *",
            ]
        ),
        max_size=12,
    ),
    st.lists(st.sampled_from(["[a]", "[d](b)", "z=1", "#include q", "#include p", ";--"]), max_size=5),
)
def test_however_it_is_cut_into_files_it_is_read_the_same_twice_or_refused(main: list[str], other: list[str]) -> None:
    """Any files either become the same sections each time, or raise `ConfigError` with a place; nothing else."""
    texts = {"p": "\n".join(main), "o": "\n".join(other), "q": "w=1"}
    config = ConfigText(texts["p"], file="p", files=Tree(dict(texts)))
    refused: ConfigError | None = None
    first: tuple[Section, ...] | None = None
    try:
        first = tuple(config.sections())
    except ConfigError as error:
        refused = error
    assert refused is None or (refused.where or "")[:2] in ("p:", "o:", "q:")
    assert first is None or tuple(config.sections()) == first
