"""No regular expression of the core goes back over what it has read (so no text makes one slow).

All of them are found: they are compiled when their module is imported, and stand there under a name. Two looks at each:
at its structure, where a repetition that can give back is allowed only when there is nothing to gain from it, and at
its time on texts that are made from it to drive each of its repetitions as far as it goes and then fail.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
from collections.abc import Collection, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import pytest

import sipcore

CORE = Path(__file__).parent.parent / "sipcore"

parser: Any = importlib.import_module("re._parser")
"""Private, but the only reader of expressions that cannot differ from the engine."""


class Expression(NamedTuple):
    """One compiled expression, where it stands and how it is used."""

    place: str
    pattern: re.Pattern[Any]
    ways: frozenset[str]
    """Methods that are called."""


@cache
def expressions() -> tuple[Expression, ...]:
    """All patterns that modules or classes of the package hold, also behind a method as `re.compile(...).fullmatch`."""
    found: dict[int, Expression] = {}
    for info in pkgutil.walk_packages(sipcore.__path__, "sipcore."):
        for place, pattern, ways in _patterns(info.name):
            known = found.setdefault(id(pattern), Expression(place, pattern, frozenset()))
            found[id(pattern)] = known._replace(ways=known.ways | ways)
    return tuple(found.values())


def _patterns(name: str) -> Iterator[Expression]:
    if name.endswith("__main__"):
        return
    module = importlib.import_module(name)
    source = Path(module.__file__ or "").read_text("utf-8")
    for place, value in _values(module):
        if isinstance(value, re.Pattern):
            used = re.findall(rf"\b{place.rpartition('.')[2]}\.(\w+)\(", source)
            yield Expression(place, value, frozenset(used))
        elif isinstance(getattr(value, "__self__", None), re.Pattern):
            method: Any = value
            yield Expression(place, method.__self__, frozenset({method.__name__}))


def _values(module: Any) -> Iterator[tuple[str, object]]:
    for name, value in vars(module).items():
        yield f"{module.__name__}.{name}", value
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield from ((f"{module.__name__}.{name}.{inner}", item) for inner, item in vars(value).items())
        elif isinstance(value, tuple | list | dict):
            items = value.values() if isinstance(value, dict) else value
            yield from ((f"{module.__name__}.{name}[...]", item) for item in items)


COMPILES = {
    "syntax/expressions.py": "for all others",
    "sim/traffic.py": "secrets, each letter for letter: nothing is repeated",
}
"""Modules that compile in a function, and why they may."""


def test_all_expressions_are_compiled_where_they_are_found() -> None:
    """`re.match` and its like compile out of sight, and so does a function that calls `re.compile`."""
    compiled, wrong = 0, []
    for path in CORE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        inside = {id(node) for scope in ast.walk(tree) if isinstance(scope, _FUNCTIONS) for node in ast.walk(scope)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "re":
                wrong.append(f"{path.name}:{node.lineno}")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner, name = node.func.value, node.func.attr
                if isinstance(owner, ast.Name) and owner.id == "re" and name != "escape":
                    compiled += 1
                    if f"{path.parent.name}/{path.name}" in COMPILES:
                        continue
                    if name != "compile" or id(node) in inside:
                        wrong.append(f"{path.name}:{node.lineno}: re.{name}")
    assert wrong == []
    # Each of them has been found as a value, too.
    assert len(expressions()) >= compiled - _same_texts()


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _same_texts() -> int:
    """The cache of `re` gives the same object for the same text, wherever it is compiled."""
    places = [item for info in pkgutil.walk_packages(sipcore.__path__, "sipcore.") for item in _patterns(info.name)]
    return len(places) - len(expressions())


# --- structure -------------------------------------------------------------------------------------------------------

FEW = 16
"""A repetition of at most so many is not what makes a text slow."""


def faults(pattern: str | bytes, flags: int = 0) -> list[str]:
    """Repetitions that may go back over any length of text: all but the possessive, atomic and short ones, and one of a
    single character with nothing behind it."""
    found: list[str] = []
    _look(list(parser.parse(pattern, flags)), found, last=True, repeated=False)
    return found


def _look(items: list[tuple[Any, Any]], found: list[str], *, last: bool, repeated: bool) -> None:
    for place, (kind, value) in enumerate(items):
        name = str(kind)
        end = last and place == len(items) - 1
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, body = value
            if most > FEW and (repeated or not end or len(body) != 1 or str(body[0][0]) not in _SINGLE):
                found.append(f"{name} of {list(body)}")
            _look(list(body), found, last=False, repeated=repeated or most > FEW)
        elif name == "POSSESSIVE_REPEAT":
            _look(list(value[2]), found, last=False, repeated=True)
        elif name == "ATOMIC_GROUP":
            _look(list(value), found, last=False, repeated=repeated)
        elif name == "SUBPATTERN":
            _look(list(value[-1]), found, last=end, repeated=repeated)
        elif name == "BRANCH":
            for branch in value[1]:
                _look(list(branch), found, last=end, repeated=repeated)
        elif name in ("ASSERT", "ASSERT_NOT"):
            _look(list(value[1]), found, last=False, repeated=repeated)
        elif name == "GROUPREF_EXISTS":
            for branch in value[1:]:
                _look(list(branch or ()), found, last=end, repeated=repeated)
        elif name not in (*_SINGLE, "AT", "FAILURE"):
            found.append(f"{name} is not understood here")  # A back reference, say: look at it, then add it.


_SINGLE = ("LITERAL", "NOT_LITERAL", "IN", "ANY")


@pytest.mark.skipif(sys.version_info < (3, 11, 5), reason="possessive groups are made greedy, see `expressions`")
@pytest.mark.parametrize("expression", expressions(), ids=lambda expression: expression.place)
@pytest.mark.requirement("RFC4475-3.1.1.7-01")
def test_no_repetition_gives_back(expression: Expression) -> None:
    assert faults(expression.pattern.pattern, expression.pattern.flags & ~re.UNICODE) == []


@pytest.mark.parametrize(
    ("pattern", "good"),
    [
        *(("[a-z]+", True), ("a++b", True), ("(?:a++;)*+b", True), ("(?>a+)b", False), ("x{1,5}y", True)),
        *(("a+b", False), ("(a+)+", False), ("(a|b)*", False), ("(?:a*)*", False), ("a*?b", False), ("(a)\\1", False)),
        *(("a.*+", True), ("a*a*", False), ("(?:a+)*+b", False), ("(?=a*)b", False), ("a{0,1000}b", False)),
        *(("(a)?+(?(1)b|c)", True), ("(a)?+(?(1)b*|c)d", False)),
    ],
)
def test_the_look_at_the_structure_sees_what_it_should(pattern: str, good: bool) -> None:
    assert (faults(pattern) == []) is good


# --- time ------------------------------------------------------------------------------------------------------------

SIZE = 8 * 1024
"""Characters. What is quadratic takes 64 million steps for so many, which is a hundred times the bound."""

MAX_CPU = 0.050 * SIZE / 65_536
"""Seconds for one text: 50 ms for 64 KiB."""

OTHERS = ("", "\0", "!", "\n", '"', ",")
"""What follows a repetition that was driven to the end."""


STRIPPED = {"sipcore.auth.fields._ITEM"}
"""Expressions whose texts have no white space at their ends: whoever calls them has taken it off."""


def hostile(pattern: re.Pattern[Any]) -> Iterator[str]:
    """Texts that begin as the expression wants it, repeat one of its repetitions, and then go wrong."""
    pumps = list(_pumps(list(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)), ""))
    for before, unit in pumps:
        if unit:
            for after in OTHERS:
                yield before + unit * (SIZE // len(unit)) + after
    units = sorted({unit for _, unit in pumps if unit} | {'"', "\\", ",", "a", " "})
    for one, two in product(units[:12], repeat=2):
        yield (one + two) * (SIZE // len(one + two))


def _pumps(items: list[tuple[Any, Any]], before: str) -> Iterator[tuple[str, str]]:
    """(what comes before it, one round of it) of each repetition."""
    for kind, value in items:
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            body = list(value[2])
            yield before, _sample(body)
            yield from _pumps(body, before)
            yield from ((before, unit + _sample(body)) for _, unit in _pumps(body, before) if len(body) > 1)
        elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
            yield from _pumps(list(value[-1] if name == "SUBPATTERN" else value), before)
        elif name == "BRANCH":
            for branch in value[1]:
                yield from _pumps(list(branch), before)
        before += _sample([(kind, value)])


def _sample(items: list[tuple[Any, Any]]) -> str:
    """A text that fits: each optional part once, of alternatives the first."""
    text = ""
    for kind, value in items:
        name = str(kind)
        if name == "LITERAL":
            text += chr(value)
        elif name == "NOT_LITERAL":
            text += "a" if value != ord("a") else "b"
        elif name == "ANY":
            text += "a"
        elif name == "IN":
            text += next(filter(_class(value), "a0A .;,\\\"")) if any(map(_class(value), "a0A .;,\\\"")) else "?"
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            text += _sample(list(value[2])) * max(value[0], 1)
        elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
            text += _sample(list(value[-1] if name == "SUBPATTERN" else value))
        elif name == "BRANCH":
            text += _sample(list(value[1][0]))
    return text


def _class(items: list[tuple[Any, Any]]) -> Any:
    def fits(character: str) -> bool:
        code, negated, inside = ord(character), False, False
        for kind, value in items:
            name = str(kind)
            negated |= name == "NEGATE"
            inside |= (name == "LITERAL" and value == code) or (name == "RANGE" and value[0] <= code <= value[1])
        return inside is not negated

    return fits


def slowest(pattern: re.Pattern[Any], names: Collection[str], *, stripped: bool = False) -> tuple[float, str]:
    """Seconds of CPU of the worst text with the worst of the ways to use the expression."""
    worst = 0.0, ""
    ways = [getattr(pattern, "findall" if name in ("finditer", "split", "sub") else name) for name in names]
    for text in dict.fromkeys(hostile(pattern)):
        text = text.strip(" \t") if stripped else text
        subject = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
        for way in ways:
            cost = 1.0
            for _ in range(4):  # The best of a few: others use this processor, too.
                began = process_time()
                way(subject)
                cost = min(cost, process_time() - began)
                if cost < MAX_CPU:
                    break
            worst = max(worst, (cost, f"{way.__name__} {text[:60]!r}... {text[-5:]!r}"))
            if cost > MAX_CPU:
                return worst
    return worst


@pytest.mark.parametrize("expression", expressions(), ids=lambda expression: expression.place)
@pytest.mark.requirement("RFC4475-3.1.1.7-01")
def test_no_text_makes_an_expression_slow(expression: Expression) -> None:
    assert expression.ways, "compiled, and not used where it stands"
    cost, how = slowest(expression.pattern, expression.ways, stripped=expression.place in STRIPPED)
    assert cost < MAX_CPU, how


@pytest.mark.parametrize(
    ("pattern", "way", "slow"),
    [("a*a*b", "match", True), ("[ab]*a[ab]*c", "fullmatch", True), ("a++b", "search", True), ("a++b", "match", False)],
)
def test_the_texts_make_a_bad_expression_slow(pattern: str, way: str, slow: bool) -> None:
    assert (slowest(re.compile(pattern), [way])[0] > MAX_CPU) is slow
