"""Where the targets start: the messages of the tests, taken apart as each target wants them."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Final

from fuzz.texts import TEXTS

__all__ = ["seeds"]

TESTS: Final = Path(__file__).parents[1] / "tests" / "syntax"

ADDRESSES: Final = (b"from", b"f", b"to", b"t", b"contact", b"m", b"route", b"record-route", b"path", b"service-route")
CHALLENGES: Final = (b"www-authenticate", b"proxy-authenticate", b"authorization", b"proxy-authorization")


def seeds(target: str) -> list[bytes]:
    """The first inputs of the target of that name, each once, in the same order each time."""
    if target in TEXTS:
        # All of them, and each piece of the longer ones by itself: what is wrong in the first hides what follows it.
        pieces = [f"[{piece}" for text in TEXTS[target] for piece in text.split("\n[")[1:]]
        return _unique([text.encode() for text in (*TEXTS[target], *pieces)])
    messages = _messages()
    if target == "message":
        return messages
    if target == "framer":
        return [side + _encoded(message) + b"\x80\xa0\xb0" for message in messages for side in (b"\0", b"\xff")]
    if target == "challenge":
        return _unique([b"\n".join(_values(message, CHALLENGES)) for message in messages])
    lines = _unique([value for message in messages for value in _values(message, ADDRESSES)])
    if target == "uri":
        uris = _unique([line.partition(b"<")[2].partition(b">")[0] or line.partition(b";")[0] for line in lines])
        return [b"\n".join(pair) for pair in zip(uris, uris[1:] + uris[:1], strict=True)]
    return lines


def _messages() -> list[bytes]:
    # By path and not by import: `tests` is a name that other distributions take, too.
    well_formed: dict[str, bytes] = runpy.run_path(str(TESTS / "samples.py"))["WELL_FORMED"]
    return [*well_formed.values(), *[path.read_bytes() for path in sorted((TESTS / "torture").glob("*.dat"))]]


def _encoded(message: bytes) -> bytes:
    """As operations of the framer's target."""
    pieces = [message[at : at + 127] for at in range(0, len(message), 127)]
    return b"".join([bytes([len(piece)]) + piece for piece in pieces])


def _values(message: bytes, names: tuple[bytes, ...]) -> list[bytes]:
    head = message.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    pairs = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return [value.strip() for name, _, value in pairs if name.strip().lower() in names]


def _unique(items: list[bytes]) -> list[bytes]:
    return list(dict.fromkeys([item for item in items if item]))
