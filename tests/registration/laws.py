"""Laws as values: what must hold of the pure rules, so that it can be asked of the real rules and of faulty ones.

A law is a function that gets a set of `Rules` and drawn arguments, and asserts. `test_*_properties.py` and their like
ask every law of the rules of sipcore; `test_planted_faults.py` breaks one rule at a time and shows that a law notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis.strategies import DrawFn, SearchStrategy, binary, composite

from sipcore.registration.binding import read_grant
from sipcore.registration.classify import classify
from sipcore.registration.redirect import choose
from sipcore.registration.schedule import initial_delay, refresh_delay, schedule
from sipcore.registration.too_brief import raised_expires
from sipcore.syntax.message import Response

__all__ = ["REAL", "Fixed", "Law", "Rules", "evenly", "law", "parameters", "response"]


class Rules(NamedTuple):
    """The pure rules that a law may ask about."""

    classify: Callable[..., Any]
    schedule: Callable[..., Any]
    refresh_delay: Callable[..., Any]
    initial_delay: Callable[..., Any]
    raised_expires: Callable[..., Any]
    choose: Callable[..., Any]
    read_grant: Callable[..., Any]


REAL = Rules(classify, schedule, refresh_delay, initial_delay, raised_expires, choose, read_grant)


class Law(NamedTuple):
    """One law; its text is the docstring of the function that states it."""

    name: str
    requirements: tuple[str, ...]
    drawn: dict[str, SearchStrategy[Any]]
    statement: Callable[..., None]

    def check(self, rules: Rules = REAL, *, examples: int = 100, shrink: bool = True) -> None:
        """Raise AssertionError when the rules break the law. The same examples each time."""
        phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

        @settings(max_examples=examples, derandomize=True, database=None, deadline=None, phases=phases)
        @given(**self.drawn)
        def run(**arguments: Any) -> None:
            self.statement(rules, **arguments)

        run()


def law(*requirements: str, **drawn: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Law]:
    """Make a law of a statement about `rules` and the drawn arguments."""

    def make(statement: Callable[..., None]) -> Law:
        assert statement.__doc__, "a law has a text"
        return Law(statement.__name__, requirements, drawn, statement)

    return make


def parameters(laws: Iterable[Law]) -> list[Any]:
    """The laws as pytest parameters that carry their requirements."""
    return [pytest.param(item, id=item.name, marks=pytest.mark.requirement(*item.requirements)) for item in laws]


def evenly(build: Callable[..., Any], **fields: Sequence[Any] | Callable[[Random], Any]) -> SearchStrategy[Any]:
    """Values built from fields that are drawn evenly and independently, each from a sequence or by a function.

    Hypothesis prefers examples whose parts are alike; in a product of small sets that leaves corners unseen.
    """

    @composite
    def make(draw: DrawFn) -> Any:
        random = Random(draw(binary(min_size=8, max_size=8)))
        return build(
            **{name: field(random) if callable(field) else random.choice(field) for name, field in fields.items()}
        )

    return make()


class Fixed(Random):
    """A source of randomness that always draws the same number: the edges are what matters."""

    def __new__(cls, value: float) -> Fixed:
        return super().__new__(cls)

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self.value = value

    def random(self) -> float:
        return self.value


def response(status: int, *headers: tuple[str, str]) -> Response:
    """A response as it looks to the rules: only what they read."""
    return Response(status, "", headers)
