"""Extended regular expressions of POSIX, as the filters of `(+name=expression)` have them.

Not those of Python: some signs mean something else there, and one that goes back over what it has read can take for
ever. Here all ways through the expression are followed at once, so that the time is bounded by text times expression.

    expression = branch *("|" branch)
    branch     = *(atom *("*" / "+" / "?" / "{" m ["," [n]] "}"))
    atom       = "(" expression ")" / "[" ... "]" / "." / "^" / "$" / "\\" character / character
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sipcore.syntax.grammar import parse_uint

__all__ = ["BadPattern", "Pattern"]

MAX_NODES: Final = 1000
"""Steps of an expression with its repetitions written out."""

MAX_DEPTH: Final = 50
"""Brackets within brackets."""

MAX_SIGNS: Final = 100
"""Repetitions in an expression; each may be one of another, and takes a frame of the interpreter's stack."""

MAX_REPEAT: Final = 255
"""As in POSIX (RE_DUP_MAX)."""

_CLASSES: Final[dict[str, Callable[[str], bool]]] = {
    "alpha": str.isalpha,
    "digit": lambda character: character in "0123456789",
    "alnum": str.isalnum,
    "upper": str.isupper,
    "lower": str.islower,
    "space": str.isspace,
    "blank": lambda character: character in " \t",
    "punct": lambda character: character.isprintable() and not character.isalnum() and not character.isspace(),
    "print": str.isprintable,
    "graph": lambda character: character.isprintable() and not character.isspace(),
    "cntrl": lambda character: not character.isprintable(),
    "xdigit": lambda character: character in "0123456789abcdefABCDEF",
}

_ESCAPES: Final[dict[str, Callable[[str], bool]]] = {
    "w": lambda character: character.isalnum() or character == "_",
    "W": lambda character: not (character.isalnum() or character == "_"),
    "s": str.isspace,
    "S": lambda character: not character.isspace(),
}
"""What glibc, and so Asterisk, has besides POSIX."""

_Tree = tuple[Any, ...]
"""What an expression is made of: a word, and what belongs to it."""


class BadPattern(ValueError):
    """An expression that cannot be read; the text says what is wrong."""


class _Node(NamedTuple):
    test: Callable[[str], bool] | None
    """Of one character; None for a fork, and for a place."""
    place: str
    """`^` and `$`."""
    ways: tuple[int, ...]
    """Where it goes on."""


class Pattern:
    """One expression. Raises `BadPattern`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._nodes: list[_Node] = [_Node(None, "end", ())]
        self._depth = self._signs = 0
        self._first = self._build(self._expression(), 0)
        if self._at < len(text):
            raise BadPattern(f"')' without '(' at {self._at + 1}")

    @property
    def size(self) -> int:
        """How many states it has: what one character of a text can cost."""
        return len(self._nodes)

    def search(self, text: str) -> bool:
        """Whether it matches anywhere in `text`."""
        last = len(text)
        states: set[int] = set()
        for position in range(last + 1):
            states = self._closure({self._first, *states}, position == 0, position == last)
            if 0 in states:
                return True
            if position < last:
                character = text[position]
                nodes = [self._nodes[state] for state in states]
                states = {node.ways[0] for node in nodes if node.test is not None and node.test(character)}
        return False

    def _closure(self, states: set[int], begin: bool, end: bool) -> set[int]:
        found: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in found:
                continue
            found.add(state)
            node = self._nodes[state]
            if node.test is None and (not node.place or (node.place == "^" and begin) or (node.place == "$" and end)):
                waiting += node.ways
        return found

    # --- reading: a tree of tuples ---------------------------------------------------------------------------------

    def _expression(self) -> _Tree:
        branches = [self._branch()]
        while self._text[self._at : self._at + 1] == "|":
            self._at += 1
            branches.append(self._branch())
        return branches[0] if len(branches) == 1 else ("or", tuple(branches))

    def _branch(self) -> _Tree:
        items: list[_Tree] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            item = self._atom()
            while (sign := self._text[self._at : self._at + 1]) and sign in "*+?{":
                item = self._repeated(item, sign)
            items.append(item)
        return ("and", tuple(items))

    def _repeated(self, item: _Tree, sign: str) -> _Tree:
        self._at += 1
        self._signs += 1
        if self._signs > MAX_SIGNS:
            raise BadPattern("too many repetitions")
        if sign != "{":
            return ("repeat", item, 1 if sign == "+" else 0, 1 if sign == "?" else None)
        inside, brace, _ = self._text[self._at :].partition("}")
        self._at += len(inside) + 1
        least, comma, most = inside.partition(",")
        low = parse_uint(least, maximum=MAX_REPEAT + 1)
        high = low if not comma else parse_uint(most, maximum=MAX_REPEAT + 1) if most else None
        numbers = [number for number in (low, high) if number is not None]
        if not brace or low is None or (high is None and most) or max(numbers) > MAX_REPEAT or numbers[-1] < low:
            raise BadPattern(f"'{{' begins no number of repetitions (at most {MAX_REPEAT})")
        return ("repeat", item, low, high)

    def _atom(self) -> _Tree:
        character = self._text[self._at]
        self._at += 1
        if character == "(":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise BadPattern("too many '(' within each other")
            inside = self._expression()
            self._depth -= 1
            if self._text[self._at : self._at + 1] != ")":
                raise BadPattern("'(' without ')'")
            self._at += 1
            return inside
        if character == "[":
            return ("test", self._set())
        if character in "^$":
            return ("place", character)
        if character == ".":
            return ("test", lambda _: True)
        if character in "*+?{":
            raise BadPattern(f"nothing to repeat before {character!r}")
        if character == "\\":
            if self._at == len(self._text):
                raise BadPattern("ends with a backslash")
            character = self._text[self._at]
            self._at += 1
            if character in _ESCAPES:
                return ("test", _ESCAPES[character])
        return ("test", character.__eq__)

    def _set(self) -> Callable[[str], bool]:
        text, at = self._text, self._at
        inverse = text[at : at + 1] == "^"
        at += inverse
        tests: list[Callable[[str], bool]] = []
        singles: set[str] = set()
        first = at
        while text[at : at + 1] != "]" or at == first:
            if at >= len(text):
                raise BadPattern("'[' without ']'")
            if text.startswith("[:", at):
                name, colon, _ = text[at + 2 :].partition(":]")
                if not colon or name not in _CLASSES:
                    raise BadPattern("'[:' begins no class of characters")
                tests.append(_CLASSES[name])
                at += len(name) + 4
            elif text[at + 1 : at + 2] == "-" and text[at + 2 : at + 3] not in ("]", ""):
                low, high = text[at], text[at + 2]
                if high < low:
                    raise BadPattern("a range in '[...]' that ends before it begins")
                tests.append(_between(low, high))
                at += 3
            else:
                singles.add(text[at])
                at += 1
        self._at = at + 1
        tests.append(singles.__contains__)
        chosen = tuple(tests)
        return lambda character: any(test(character) for test in chosen) is not inverse

    # --- building: from the end to the beginning -------------------------------------------------------------------

    def _add(self, node: _Node) -> int:
        if len(self._nodes) >= MAX_NODES:
            raise BadPattern("too long, with its repetitions written out")
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _build(self, tree: _Tree, following: int) -> int:
        """The number of the first node of a tree that goes on with `following`."""
        match tree:
            case ("or", branches):
                return self._add(_Node(None, "", tuple(self._build(branch, following) for branch in branches)))
            case ("and", items):
                for item in reversed(items):
                    following = self._build(item, following)
                return following
            case ("repeat", item, low, high):
                if high is None:
                    loop = self._add(_Node(None, "", ()))
                    self._nodes[loop] = _Node(None, "", (self._build(item, loop), following))
                    following = loop
                else:
                    end = following
                    for _ in range(high - low):
                        following = self._add(_Node(None, "", (self._build(item, following), end)))
                for _ in range(low):
                    start = self._build(item, following)
                    # What takes nothing need not be repeated; in each other such repetitions would never end.
                    if start == following:
                        break
                    following = start
                return following
            case ("place", sign):
                return self._add(_Node(None, sign, (following,)))
            case _:
                return self._add(_Node(tree[1], "", (following,)))


def _between(low: str, high: str) -> Callable[[str], bool]:
    return lambda character: low <= character <= high
