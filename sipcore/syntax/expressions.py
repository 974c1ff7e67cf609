"""Regular expressions that never go back, on interpreters where that works and on those where it does not.

All expressions of the core are possessive: what a group or a run has taken it keeps, so the time is linear in the text.
Before CPython 3.11.5 a possessive group whose iteration fails half-way does not return to where that iteration began
(cpython issue 106052). There the groups are made greedy, and the runs of single characters stay possessive. That is
linear, too, since a group that is given back leaves nothing that another could take otherwise, and only slower.
"""

from __future__ import annotations

import re
import sys
from typing import AnyStr, Final

__all__ = ["GROUPS_WORK", "compile_possessive"]

GROUPS_WORK: Final = sys.version_info >= (3, 11, 5)
"""Whether this interpreter has possessive groups right."""

_POSSESSIVE_GROUP: Final = re.compile(r"(\)(?:[?*+]|\{[0-9]++,[0-9]++\}))\+")


def compile_possessive(expression: AnyStr, flags: int = 0, *, groups_work: bool = GROUPS_WORK) -> re.Pattern[AnyStr]:
    """`re.compile`, the possessive groups made greedy where the interpreter has them wrong."""
    if groups_work:
        return re.compile(expression, flags)
    if isinstance(expression, bytes):
        # Latin-1 is a character for each byte.
        text = _POSSESSIVE_GROUP.sub(r"\1", expression.decode("latin-1"))
        return re.compile(text.encode("latin-1"), flags)
    return re.compile(_POSSESSIVE_GROUP.sub(r"\1", expression), flags)
