"""The faults of one module: what mutmut does not break, broken in all the ways there are, one at a time."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

__all__ = ["Fault", "faults", "planted"]

REACHED_BY_MUTMUT: Final = {"staticmethod", "classmethod"}
"""A function with any other decorator is left out by mutmut."""

NOT_CODE: Final = {"__all__", "__slots__"}
"""Names whose value only lists names: a fault there is found by the import, and proves nothing."""

Operators = dict[type[ast.AST], type[ast.AST]]

COMPARISONS: Final[Operators] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: Final[Operators] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


class Fault(NamedTuple):
    """One change of a module."""

    line: int
    text: str
    """What was changed, and to what."""


def faults(source: str) -> list[Fault]:
    """All faults of a module's source; the number of one is its place in the list."""
    return [fault for _, fault in _walk(ast.parse(source))]


def planted(source: str, number: int) -> ast.Module:
    """The module with one fault in it. Raises `IndexError` when there is none of that number."""
    tree = ast.parse(source)
    # The generator mends what it broke when it goes on, so it is left where it is.
    for index, (broken, _) in enumerate(_walk(tree)):
        if index == number:
            return ast.fix_missing_locations(broken)
    raise IndexError(number)


def _walk(tree: ast.Module) -> Iterator[tuple[ast.Module, Fault]]:
    for node in _outside(tree.body):
        for line, text, change, mend in _changes(node):
            change()
            yield tree, Fault(line, text)
            mend()


def _outside(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Every node that mutmut does not reach and that decides something."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield from _outside(statement.body)
        elif isinstance(statement, ast.FunctionDef):
            names = {item.id if isinstance(item, ast.Name) else "" for item in statement.decorator_list}
            if not names <= REACHED_BY_MUTMUT:
                for inner in statement.body:
                    yield from _values(inner)
        elif isinstance(statement, ast.AnnAssign):
            if statement.value is not None and not _named(statement.target):
                yield from _values(statement.value)
        elif isinstance(statement, ast.Assign) and not any(map(_named, statement.targets)):
            yield from _values(statement.value)


def _values(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _values(child)


def _named(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id in NOT_CODE


Change = tuple[int, str, Callable[[], None], Callable[[], None]]


def _changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Dict):
        yield from _entries(node)
    elif isinstance(node, ast.Set):
        for index in range(len(node.elts)):
            left = [*node.elts[:index], *node.elts[index + 1 :]] or [ast.Constant(0)]
            yield _set(node, "elts", left, f"{ast.unparse(node.elts[index])} left out")
    elif isinstance(node, ast.Call):
        for index, keyword in enumerate(node.keywords):
            rest = [*node.keywords[:index], *node.keywords[index + 1 :]]
            yield _set(node, "keywords", rest, f"{ast.unparse(keyword)} left out", keyword.lineno)
    elif isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            other = COMPARISONS[type(operator)]()
            ops = [*node.ops[:index], other, *node.ops[index + 1 :]]
            yield _set(node, "ops", ops, f"{ast.unparse(node)}: {type(other).__name__}")
    elif isinstance(node, ast.BinOp | ast.BoolOp):
        if swapped := ARITHMETIC.get(type(node.op)):
            yield _set(node, "op", swapped(), f"{ast.unparse(node)}: {swapped.__name__}")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _set(node, "op", ast.UAdd(), f"{ast.unparse(node)}: no not")
    elif isinstance(node, ast.Return) and node.value is not None:
        yield _set(node, "value", ast.Constant(None), f"{ast.unparse(node)}: None")


def _constants(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield _set(node, "value", not value, f"{value} -> {not value}")
    elif isinstance(value, int | float):
        yield _set(node, "value", value + 1, f"{value} -> {value + 1}")
    elif isinstance(value, str):
        yield _set(node, "value", f"XX{value}XX", f"{value!r} -> 'XX{value}XX'")


def _entries(node: ast.Dict) -> Iterator[Change]:
    """Each entry left out, and each with the value of the next one that has another."""
    for index, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
        name = ast.unparse(key) if key is not None else f"**{ast.unparse(value)}"
        keys = [*node.keys[:index], *node.keys[index + 1 :]]
        values = [*node.values[:index], *node.values[index + 1 :]]

        def leave_out(keys: list[ast.expr | None] = keys, values: list[ast.expr] = values) -> None:
            node.keys, node.values = keys, values

        def put_back(
            keys: list[ast.expr | None] = node.keys, values: list[ast.expr] = node.values
        ) -> None:
            node.keys, node.values = keys, values

        yield value.lineno, f"{name} left out", leave_out, put_back
        order = [*node.values[index + 1 :], *node.values[:index]]
        others = [other for other in order if ast.dump(other) != ast.dump(value)]
        if key is not None and others:
            swapped = [*node.values[:index], others[0], *node.values[index + 1 :]]
            yield _set(node, "values", swapped, f"{name}: {ast.unparse(others[0])}", value.lineno)


def _set(node: ast.AST, field: str, value: object, text: str, line: int | None = None) -> Change:
    old = getattr(node, field)
    place = line if line is not None else int(getattr(node, "lineno", 0))
    return place, " ".join(text.split()), lambda: setattr(node, field, value), lambda: setattr(node, field, old)
