"""A run as a Mermaid sequence diagram, for pages that draw one (documentation, issue trackers)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sipcore.replay.ladder import lanes, placed
from sipcore.replay.story import APPLICATION, Scene, seconds

__all__ = ["draw"]

MAX_REMOTES: Final = 12
"""Remote addresses with a column of their own; the rest share one."""

# All else is written as a numeric entity: `;` ends a statement, `#` begins an entity or a comment, `<` and `&` are
# HTML, and letters beyond ASCII, in the wrong order, are what Mermaid itself keeps entities in while it works.
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:()/@=_-+*?!'[]")


def draw(scenes: Iterable[Scene], *, start: float | None = None) -> Iterator[str]:
    """The lines of the diagram; times are seconds from `start`, on the agent's clock, or from the first scene."""
    rows = list(scenes)
    if start is None:
        start = rows[0].now if rows else 0.0
    columns = lanes(rows, MAX_REMOTES)
    yield "sequenceDiagram"
    for party, number in columns.items():
        yield f"    {'actor' if party == APPLICATION else 'participant'} p{number} as {_text(party)}"
    for row in rows:
        source, target, text = placed(row, columns)
        text = _text(f"{seconds(row.now - start)} {text}")
        if source == target:
            yield f"    Note right of p{source}: {text}"
        else:
            yield f"    p{source}->>p{target}: {text}"


def _text(text: str) -> str:
    return "".join(character if character in _PLAIN else f"#{ord(character)};" for character in text)
