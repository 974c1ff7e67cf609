"""Comments, and the headers in which programs name themselves: User-Agent and Server (RFC 3261 section 25.1).

    comment     =  LPAREN *(ctext / quoted-pair / comment) RPAREN
    server-val  =  product / comment
    product     =  token [ SLASH token ]
    User-Agent  =  server-val *( LWS server-val )

Comments stand nowhere else but in Retry-After; in all other headers a parenthesis is a character like any other.
Deviation: characters of a comment are not looked at, but for those that have a meaning there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.syntax.grammar import is_token, visible

__all__ = ["Comment", "Product", "end_of_comment", "format_products", "parse_products"]


class Comment(NamedTuple):
    """Words for people, in parentheses."""

    text: str
    """Without the outer parentheses, quoted-pairs undone; a comment inside it keeps its parentheses."""

    @classmethod
    def parse(cls, text: str) -> Comment:
        """Parse one comment and nothing else. Raises `RemoteProtocolError`."""
        text = text.strip(" \t")
        if end_of_comment(text, 0) != len(text):
            raise RemoteProtocolError(f"malformed comment: {visible(text)}")
        inner = text[1:-1]
        return cls(_QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner)

    def __str__(self) -> str:
        """The comment with every parenthesis escaped. Raises `LocalProtocolError` for CR, LF and NUL."""
        text = self.text
        if "\r" in text or "\n" in text or "\0" in text:
            raise LocalProtocolError(f"a comment cannot carry a line end or NUL: {visible(text)}")
        return f"({_MARK.sub(_escaped, text)})"


class Product(NamedTuple):
    """A program's name, and its version or None."""

    name: str
    version: str | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}/{self.version}"


def end_of_comment(text: str, start: int) -> int:
    """The position behind the comment that begins at `start`, or -1 when none begins there or it never ends.

    Comments may be nested as deep as the text is long.
    """
    if text[start : start + 1] != "(":
        return -1
    depth = 0
    skip = -1
    for match in _MARK.finditer(text, start):
        position = match.start()
        if position == skip:
            continue
        mark = match.group()
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth -= 1
            if not depth:
                return position + 1
        else:
            skip = position + 1
    return -1


def parse_products(text: str) -> tuple[Product | Comment, ...]:
    """What a User-Agent or Server header says, in order (RFC 3261 sections 20.35 and 20.41).

    Taken although the grammar says otherwise: no white space around a comment, as in `FPBX-16.0.40(18.9.0)`. Raises
    `RemoteProtocolError`; as many programs write what they like there, whoever only shows it takes the text as it is.
    """
    items: list[Product | Comment] = []
    position = _behind_space(text, 0)
    while position < len(text):
        if text[position] == "(":
            end = end_of_comment(text, position)
            if end < 0:
                raise RemoteProtocolError(f"a comment does not end: {visible(text)}")
            items.append(Comment.parse(text[position:end]))
            position = _behind_space(text, end)
            continue
        end = _end_of_word(text, position)
        name, version = text[position:end], None
        position = _behind_space(text, end)
        if text[position : position + 1] == "/":
            start = _behind_space(text, position + 1)
            end = _end_of_word(text, start)
            version = text[start:end]
            position = _behind_space(text, end)
        items.append(Product(name, version))
    if not items:
        raise RemoteProtocolError("no product")
    return tuple(items)


def format_products(items: Iterable[Product | Comment]) -> str:
    """The inverse of `parse_products`."""
    return " ".join([str(item) for item in items])


# One character class each: cannot backtrack.
_MARK: Final = re.compile(r"[()\\]")
_SPACE: Final = re.compile(r"[ \t]*")
_WORD: Final = re.compile(r"[^ \t/()]*")

_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match.group()}"


def _behind_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    assert match is not None
    return match.end()


def _end_of_word(text: str, start: int) -> int:
    match = _WORD.match(text, start)
    assert match is not None
    if not is_token(match.group()):
        raise RemoteProtocolError(f"malformed product: {visible(text)}")
    return match.end()
