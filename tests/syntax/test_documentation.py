"""What docs/syntax.md says of the room is what the room does, and every public name says what it is."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import sipcore.syntax
from sipcore.syntax import limits

TOP = Path(__file__).parents[2]

PAGE = (TOP / "docs" / "syntax.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its two head lines."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def first_sentences() -> dict[str, str]:
    """Of each limit's docstring; they are no objects' docstrings, so they are read from the source."""
    body = ast.parse(inspect.getsource(limits)).body
    found = {}
    for one, two in pairwise(body):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(two, ast.Expr):
            assert isinstance(two.value, ast.Constant)
            found[one.target.id] = re.split(r"(?<=[.:])\s", " ".join(str(two.value.value).split()))[0].rstrip(".:")
    return found


def test_the_table_of_limits_is_that_of_the_module() -> None:
    sentences = first_sentences()
    assert sorted(sentences) == sorted(limits.__all__)
    assert rows("Limits") == [[f"`{name}`", str(getattr(limits, name)), text] for name, text in sentences.items()]


def test_every_leniency_names_a_function_and_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    table = rows("What is taken beyond the grammar")
    assert len(table) > 10
    for _, function, test in table:
        place, _, names = function.strip("`").partition(".")
        found: Any = importlib.import_module(f"sipcore.syntax.{place}")
        for name in names.split("."):
            found = getattr(found, name)
        assert f"\ndef {test.strip('`')}(" in tests, test


def test_every_test_of_a_leniency_is_in_the_table() -> None:
    named = {test.strip("`") for _, _, test in rows("What is taken beyond the grammar")}
    found: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        found |= set(re.findall(r"^def (test_lenient_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))
    # White space in a Via is legal (RFC 3261 section 25.1), and so is the case of its protocol.
    assert found - named <= {"test_lenient_white_space_and_case_in_a_via"}


def public() -> list[tuple[str, Any]]:
    """Every class and function of the room, and every public method and property of those classes."""
    found: list[tuple[str, Any]] = []
    for name in sipcore.syntax.__all__:
        value = getattr(sipcore.syntax, name)
        if inspect.isfunction(value):
            found.append((name, value))
        if inspect.isclass(value):
            found.append((name, value))
            members = {key: member for kind in value.__mro__[-2::-1] for key, member in vars(kind).items()}
            for key, member in members.items():
                if key[0] != "_" and isinstance(member, property | classmethod | staticmethod | type(public)):
                    found.append((f"{name}.{key}", inspect.getattr_static(value, key)))
    return found


def described(value: Any) -> str:
    value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    return value.__doc__ or ""


@pytest.mark.parametrize(("name", "value"), public(), ids=[name for name, _ in public()])
def test_every_public_name_says_what_it_is(name: str, value: Any) -> None:
    text = described(value)
    # A NamedTuple without a docstring has its signature for one.
    assert len(text) > 10, name
    assert not text.startswith(f"{name}("), name
    assert text.splitlines()[0][-1] in ".:;,`" or len(text.splitlines()) > 1, name


def calls_a_parser(value: Any) -> bool:
    value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    return str(value.__name__).startswith("parse")


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, value in public() if not isinstance(value, property) and not inspect.isclass(value)],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_every_parser_says_what_it_raises_or_gives(name: str, value: Any) -> None:
    if calls_a_parser(value):
        assert re.search(r"Raises|Never raises|raises|None|See `parse", described(value)), name


def source_of(value: Any) -> str:
    """The docstrings of the thing and of what stands around it: a section named for a class holds for its parts."""
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    module = inspect.getmodule(value)
    return f"{value.__doc__}\n{module.__doc__ if module else ''}"


@pytest.mark.parametrize(("name", "value"), public(), ids=[name for name, _ in public()])
def test_every_public_name_has_an_rfc_in_sight(name: str, value: Any) -> None:
    """In its own docstring, its class's or its module's."""
    own = described(value) + source_of(value) + (described(getattr(sipcore.syntax, name.partition(".")[0])))
    assert "RFC" in own, name
