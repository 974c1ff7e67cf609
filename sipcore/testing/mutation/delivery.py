"""How bytes arrive: one datagram, or a stream cut anywhere. Equal delivery: the cuts never matter.

What datagram and stream each make of the same bytes. `body` is what follows the first empty line, `n` its length.

    Content-Length      datagram                            stream
    n                   the message                         the message
    less than n         the message, the rest dropped       the message, the rest begins the next one
    more than n         refused: the body is shorter        waits for more
    absent              the message, all of the body        the stream ends: no Content-Length
    malformed           refused                             the stream ends
    contradictory       refused                             the stream ends
    twice, the same     the message                         the message
    above MAX_BODY      LimitExceeded                       LimitExceeded, the stream ends

    CRLFs in front      skipped                             keep-alives
    another CR in front refused                             the stream ends
    no empty line       refused                             waits for more, up to the limits
    start line or headers above their limit
                        refused                             LimitExceeded, the stream ends
    two messages        the first, the second dropped       both
    malformed inside    refused                             cut out by its length, then refused; the stream lives

So whenever a stream cuts a message out of the front of some bytes, the datagram of these bytes gives the same message
or the same error; where the stream ends, the datagram is refused, except where only Content-Length is missing; and
where a stream still waits, the datagram is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.framing import KeepAlive, StreamFramer
from sipcore.syntax.message import parse_message
from sipcore.testing.mutation.dice import Dice
from sipcore.testing.mutation.reading import Violation, outcome

__all__ = ["Delivered", "byte_by_byte", "check_datagram", "check_stream", "deliver", "random_cuts"]

MOST_CUTS = 12


class Delivered(NamedTuple):
    """What a framer made of a stream."""

    items: list[bytes | KeepAlive]
    error: str | None
    """Class and text."""
    pending: int
    rejected: bytes
    """The head of the message at which it ended."""


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    """Each byte by itself."""
    return (data[place : place + 1] for place in range(len(data)))


def random_cuts(data: bytes, dice: Dice) -> Iterator[bytes]:
    """A few pieces, now and then an empty one."""
    places = sorted([dice.below(len(data) + 1) for _ in range(1 + dice.below(MOST_CUTS))])
    return (data[start:end] for start, end in pairwise([0, *places, len(data)]))


def deliver(pieces: Iterator[bytes] | list[bytes], *, accepted: bool) -> Delivered:
    """Feed a new framer, up to its end."""
    framer = StreamFramer(accepted=accepted)
    receive = framer.receive
    items: list[bytes | KeepAlive] = []
    try:
        for piece in pieces:
            if found := receive(piece):
                items += found
    except RemoteProtocolError:
        pass  # It has ended: `error` was set by the piece before.
    error = None if framer.error is None else f"{type(framer.error).__name__}: {framer.error}"
    return Delivered(items, error, framer.pending, framer.rejected)


def check_stream(data: bytes, dice: Dice) -> Delivered:
    """Equal delivery of one stream: whole, byte by byte, and in random cuts. Raises `Violation`.

    The two kinds of framer differ in keep-alives only; the dice choose the one that gets it byte by byte.
    """
    kinds = (False, True) if dice.below(2) else (True, False)
    found = [deliver([data], accepted=accepted) for accepted in kinds]
    for accepted, whole in zip(kinds, found, strict=True):
        _same("random cuts", deliver(random_cuts(data, dice), accepted=accepted), whole)
    _same("byte by byte", deliver(byte_by_byte(data), accepted=kinds[0]), found[0])
    one, two = [[item for item in whole.items if isinstance(item, bytes)] for whole in found]
    if one != two or found[0][1:] != found[1][1:]:
        raise Violation("who opened the connection changes the messages")
    return found[0]


def check_datagram(data: bytes, stream: Delivered) -> None:
    """The datagram against the stream of the same bytes, by the table above. Raises `Violation`."""
    datagram = outcome(lambda: parse_message(data))
    refused = isinstance(datagram, str)
    messages = [item for item in stream.items if isinstance(item, bytes)]
    if messages:
        first = messages[0]
        if (cut_out := outcome(lambda: parse_message(first))) != datagram:
            raise Violation(f"one datagram: {datagram!r}; the first of a stream: {cut_out!r}")
        if isinstance(datagram, str) and datagram.startswith(_UNSURE_LENGTH):
            # Both refuse what was cut out; what the stream has cut out next is another message to another reader.
            raise Violation("the stream goes on behind a Content-Length that says nothing")
    elif stream.error is None:
        if not refused:
            raise Violation("the stream waits for more, and the datagram is taken")
    elif not refused and (stream.error != _NO_LENGTH or _content_length(data) is not None):
        raise Violation(f"the stream ends with {stream.error!r}, and the datagram is taken")


_NO_LENGTH = "RemoteProtocolError: no Content-Length on a stream"
_UNSURE_LENGTH = "RemoteProtocolError 400: malformed or contradictory Content-Length"


def _content_length(data: bytes) -> int | None:
    try:
        return parse_message(data).content_length
    except RemoteProtocolError:
        return None


def _same(how: str, found: Delivered, whole: Delivered) -> None:
    if found != whole:
        raise Violation(f"whole: {_short(whole)}; {how}: {_short(found)}")


def _short(found: Delivered) -> str:
    items = [len(item) if isinstance(item, bytes) else item.name for item in found.items]
    return f"{items} {found.error} {found.pending} pending"
