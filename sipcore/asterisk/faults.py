"""What is wrong with a file, and what was probably meant."""

from __future__ import annotations

from collections.abc import Sequence

from sipcore.errors import ConfigError

__all__ = ["FileFault", "nearest"]


class FileFault(ConfigError):
    """A fault of a file that has no value to show, or none that may be shown, since it could be a secret."""

    def __init__(self, option: str, expected: str, *, where: str) -> None:
        super().__init__(option, None, expected, where=where)

    def __str__(self) -> str:
        return f"{self.where}: {self.option}: {self.expected}"


def nearest(name: str, known: Sequence[str]) -> str:
    """`; did you mean '...'?` when a known name is close to `name`, else nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
