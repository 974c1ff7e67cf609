"""Mutations of the structure: lines that are missing, twice, folded, elsewhere; bytes that are cut, added, flipped.

An operation has a number of places in a message, and is applied at one of them. To add one, write a function of message
and place, and put it into `OPERATIONS` with a function that counts the places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from sipcore.syntax.names import COMPACT_FORMS, header_key
from sipcore.testing.mutation.parts import Parts

__all__ = ["CUTS", "FLIPS", "INSERTIONS", "OPERATIONS", "Operation"]

FLIPPED: Final = 512
"""Bytes from the front whose bits are flipped."""


class Operation(NamedTuple):
    """One way to change a message."""

    name: str
    places: Callable[[bytes], int]
    """How many places there are in these bytes; 0 when it cannot be applied."""
    apply: Callable[[bytes, int], bytes]
    """The message changed at one of the places."""


_INSERTED: Final = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b",", b";", b":", b"=", b'"', b"<", b">", b"\\", b"@", b"%", b"(", b"/",
    b"\r\n ", b"\r\n\r\n", b"\xff", b"\xc2\x80", b"\xe2\x80\xa8", b"0", b"_", b"a",
)


def _lines(data: bytes) -> int:
    return len(Parts.of(data).lines)


def _on_line(change: Callable[[bytes], tuple[bytes, ...]]) -> Callable[[bytes, int], bytes]:
    def apply(data: bytes, place: int) -> bytes:
        parts = Parts.of(data)
        return parts.with_line(place, *change(parts.lines[place]))

    return apply


def _header(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Name, what stands between name and value, value."""
    name, colon, value = line.partition(b":")
    stripped = value.lstrip(b" \t")
    return name, colon + value[: len(value) - len(stripped)], stripped


def _named(line: bytes) -> str:
    return header_key(_header(line)[0].strip(b" \t").decode("latin-1"))


def _renamed(change: Callable[[bytes], bytes]) -> Callable[[bytes, int], bytes]:
    def rename(line: bytes) -> tuple[bytes]:
        name, between, value = _header(line)
        return (change(name) + between + value,)

    return _on_line(rename)


def _revalued(change: Callable[[bytes], bytes]) -> Callable[[bytes, int], bytes]:
    def revalue(line: bytes) -> tuple[bytes]:
        name, between, value = _header(line)
        return (name + between + change(value),)

    return _on_line(revalue)


def _spaced(between: bytes) -> Callable[[bytes, int], bytes]:
    return _on_line(lambda line: (_header(line)[0] + between + _header(line)[2],))


_LONG_TO_COMPACT: Final = {long: short for short, long in COMPACT_FORMS.items()}


def _swap_form(name: bytes) -> bytes:
    text = name.strip(b" \t").decode("latin-1").lower()
    other = COMPACT_FORMS.get(text) or _LONG_TO_COMPACT.get(text)
    return name if other is None else other.encode()


def _moved(back: bool) -> Callable[[bytes, int], bytes]:
    def move(data: bytes, place: int) -> bytes:
        parts = Parts.of(data)
        line = parts.lines[place]
        others = (*parts.lines[:place], *parts.lines[place + 1 :])
        return parts.with_lines(*others, line) if back else parts.with_lines(line, *others)

    return move


def _repeated_last(change: Callable[[bytes], bytes]) -> Callable[[bytes, int], bytes]:
    def repeat(data: bytes, place: int) -> bytes:
        parts = Parts.of(data)
        return parts.with_lines(*parts.lines, change(parts.lines[place]))

    return repeat


def _another_value(line: bytes) -> bytes:
    """The same header with a value that is as good, as far as one can tell: another digit or letter at its end."""
    for place in range(len(line) - 1, 0, -1):
        if line[place : place + 1].isalnum():
            return line[:place] + (b"8" if line[place : place + 1].isdigit() else b"z") + line[place + 1 :]
    return line


def _split_at_commas(line: bytes) -> tuple[bytes, ...]:
    name, between, value = _header(line)
    return tuple([name + between + piece.strip() for piece in value.split(b",")])


def _merge(data: bytes, place: int) -> bytes:
    """The line joins the first one of its name, by a comma; one without a fellow is doubled in itself."""
    parts = Parts.of(data)
    line = parts.lines[place]
    value = _header(line)[2]
    for other, known in enumerate(parts.lines):
        if other != place and _named(known) == _named(line):
            lines = [*parts.lines]
            lines[other] = known + b", " + value
            del lines[place]
            return parts.with_lines(*lines)
    return parts.with_line(place, line + b", " + value)


def _join(data: bytes, place: int) -> bytes:
    """The end of a line is lost."""
    parts = Parts.of(data)
    lines = (parts.start, *parts.lines)
    joined = (*lines[:place], lines[place] + lines[place + 1], *lines[place + 2 :])
    return bytes(Parts(joined[0], joined[1:], parts.body))


def _ended_by(end: bytes) -> Callable[[bytes, int], bytes]:
    def apply(data: bytes, place: int) -> bytes:
        parts = Parts.of(data)
        lines = (parts.start, *parts.lines, b"")
        head = b"\r\n".join(lines[: place + 1]) + end + b"\r\n".join(lines[place + 1 :])
        return head + b"\r\n" + parts.body

    return apply


def _spaces(data: bytes) -> list[int]:
    head = data.partition(b"\r\n\r\n")[0]
    first = head.find(b"\r\n")
    return [place for place, code in enumerate(head) if code in b" \t" and place > first >= 0]


def _folded_at(fold: bytes) -> Callable[[bytes, int], bytes]:
    def apply(data: bytes, place: int) -> bytes:
        at = _spaces(data)[place]
        return data[:at] + fold + data[at + 1 :]

    return apply


def _fold_all(data: bytes, place: int) -> bytes:
    parts = Parts.of(data)
    return parts.with_lines(*[line.replace(b" ", b"\r\n\t" if place else b"\r\n ") for line in parts.lines])


def _unfold(data: bytes, place: int) -> bytes:
    parts = Parts.of(data)
    head = b"\r\n".join([parts.start, *parts.lines])
    with_one = head.replace(b"\r\n ", b" " * (place + 1)).replace(b"\r\n\t", b"\t" * (place + 1))
    return with_one + b"\r\n\r\n" + parts.body


def _shuffled(data: bytes, place: int) -> bytes:
    lines = Parts.of(data).lines
    return Parts.of(data).with_lines(*(lines[::-1] if place == 0 else (*lines[place:], *lines[:place])))


def _body_length(change: bytes, *, twice: bool = False) -> Callable[[bytes, int], bytes]:
    """Content-Length says something else; `%d` is the length of the body, one less and one more by place."""

    def apply(data: bytes, place: int) -> bytes:
        parts = Parts.of(data)
        value = change.replace(b"%d", str(max(len(parts.body) + (0, -1, 1, 7)[place], 0)).encode())
        kept = [line for line in parts.lines if twice or _named(line) != "content-length"]
        return parts.with_lines(*kept, b"Content-Length: " + value)

    return apply


def _another_body(data: bytes, place: int) -> bytes:
    parts = Parts.of(data)
    body = (b"", b"x", b"\r\n", b"\r\n\r\n", b"\0" * 9, data, parts.body * 3, b"x" * 65_536, b"x" * 65_537)[place]
    return bytes(parts._replace(body=body))


_AROUND: Final = (
    b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n", b"\r", b"\n", b"\r\r\n", b" ", b"\0", b"\xef\xbb\xbf", b"x", b"\r\n ",
    b"\0\0\0\0", b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n", b"SIP/2.0 100 Trying\r\nl: 4\r\n\r\n\r\n\r\n",
    b"BYE sip:a SIP/2.0\r\n\r\n",
)


def _always(places: int) -> Callable[[bytes], int]:
    return lambda data: places


def _per_line(name: str, apply: Callable[[bytes, int], bytes]) -> Operation:
    return Operation(name, _lines, apply)


_LENGTHS: Final = (b"000%d", b"+%d", b"-%d", b"%d_0", b"%d.0", b"0x%d")

OPERATIONS: Final = (
    _per_line("a header is missing", _on_line(lambda line: ())),
    _per_line("a header stands twice", _on_line(lambda line: (line, line))),
    _per_line("a header stands twice, far apart", _repeated_last(lambda line: line)),
    _per_line("a header stands twice, with another value", _repeated_last(_another_value)),
    _per_line("a header stands twice, once in the other form", _repeated_last(lambda line: _swap_line(line))),
    _per_line("a header stands twice, once empty", _repeated_last(lambda line: _header(line)[0] + b":")),
    _per_line("a header comes first", _moved(back=False)),
    _per_line("a header comes last", _moved(back=True)),
    Operation("the headers come in another order", _lines, _shuffled),
    _per_line("a name in the other form", _renamed(_swap_form)),
    _per_line("a name in capitals", _renamed(bytes.upper)),
    _per_line("a name in small letters", _renamed(bytes.lower)),
    _per_line("a name in mixed letters", _renamed(bytes.swapcase)),
    _per_line("a value in capitals", _revalued(bytes.upper)),
    _per_line("a value in small letters", _revalued(bytes.lower)),
    _per_line("a value twice", _revalued(lambda value: value + value)),
    _per_line("a value twice, by comma", _revalued(lambda value: value + b"," + value)),
    _per_line("no value", _revalued(lambda value: b"")),
    _per_line("a value with space behind it", _revalued(lambda value: value + b" \t ")),
    _per_line("no name", _renamed(lambda name: b"")),
    _per_line("no colon", _on_line(lambda line: (line.replace(b":", b"", 1),))),
    _per_line("no space behind the colon", _spaced(b":")),
    _per_line("space before the colon", _spaced(b" \t: ")),
    _per_line("a tab behind the colon", _spaced(b":\t")),
    _per_line("a fold behind the colon", _spaced(b":\r\n ")),
    _per_line("a fold before the colon", _spaced(b"\r\n : ")),
    _per_line("two empty folds behind the colon", _spaced(b":\r\n \r\n\t ")),
    _per_line("space before the name", _renamed(lambda name: b" " + name)),
    _per_line("a header split at its commas", _on_line(_split_at_commas)),
    _per_line("headers of one name merged by a comma", _merge),
    Operation("a line end is missing", lambda data: len(Parts.of(data).lines), _join),
    *[
        Operation(f"a line end is {end!r}", lambda data: len(Parts.of(data).lines) + 1, _ended_by(end))
        for end in (b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\r\n", b"\0\r\n")
    ],
    Operation("folded at one space", lambda data: len(_spaces(data)), _folded_at(b"\r\n ")),
    Operation("folded at one space, by a tab", lambda data: len(_spaces(data)), _folded_at(b" \r\n\t")),
    Operation("broken at one space", lambda data: len(_spaces(data)), _folded_at(b"\r\n")),
    Operation("folded at every space", _always(2), _fold_all),
    Operation("unfolded", _always(3), _unfold),
    Operation("another Content-Length", _always(4), _body_length(b"%d")),
    Operation("another Content-Length besides", _always(4), _body_length(b"%d", twice=True)),
    *[
        Operation(f"Content-Length {value!r}", _always(4), _body_length(value))
        for value in (*_LENGTHS, b"%d, %d", b'"%d"', b"%d;a=b", b" ", b"9%d99999")
    ],
    Operation("another body", _always(9), _another_body),
    Operation("something in front", _always(len(_AROUND)), lambda data, place: _AROUND[place] + data),
    Operation("something behind", _always(len(_AROUND)), lambda data, place: data + _AROUND[place]),
    Operation("something around", _always(len(_AROUND)), lambda data, place: _AROUND[place] + data + _AROUND[place]),
    Operation("the message twice", _always(3), lambda data, place: data + b"\r\n" * place + data),
)
"""What happens to whole lines, to white space and to the length."""

CUTS: Final = (Operation("cut off behind byte", len, lambda data, place: data[:place]),)
"""Truncated at every byte."""

INSERTIONS: Final = tuple(
    [
        Operation(
            f"{piece!r} inserted at byte",
            lambda data: len(data) + 1,
            lambda data, place, piece=piece: data[:place] + piece + data[place:],  # type: ignore[misc]  # bound early
        )
        for piece in _INSERTED
    ]
)
"""Something put in at every byte."""


def _flip(data: bytes, place: int) -> bytes:
    at, bit = divmod(place, 8)
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


FLIPS: Final = (Operation("flipped bit", lambda data: 8 * min(len(data), FLIPPED), _flip),)
"""Each bit of the first bytes."""


def _swap_line(line: bytes) -> bytes:
    name, between, value = _header(line)
    return _swap_form(name) + between + value
