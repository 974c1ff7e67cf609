"""64 KiB of anything: messages that are made to cost time, and the measure of what they may cost.

The measure is `bytes.split` on the same data: once at the line ends, and once at the byte that the message is full of,
which is the cheapest way in Python to look at each of these bytes and to make something of it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from time import process_time
from typing import NamedTuple

from sipcore.errors import RemoteProtocolError
from sipcore.syntax import StreamFramer, parse_message
from sipcore.syntax.limits import MAX_LINE, MAX_START_LINE
from sipcore.testing.mutation.reading import read_refused, read_values

__all__ = ["KIB_64", "UNITS", "Hostile", "cost", "hostile", "read", "split", "stream"]

KIB_64 = 65_536

UNITS = [
    *(
        ",",
        '"',
        "\\",
        "<",
        ">",
        ";",
        "=",
        ":",
        "(",
        ")",
        "%",
        "@",
        "[",
        "/",
        " ",
        "\t",
        "0",
        "9",
        "a",
        ".",
        "*",
        "é",
        "\x1b",
    ),
    *(
        '\\"',
        '"\\',
        '"",',
        "<,",
        "<>,",
        "<a>,",
        ";a=",
        ';a="',
        "a=b,",
        "a,",
        'a="b",',
        "()",
        "a.",
        "%41",
        ", ",
        "a ",
        "::",
    ),
    *("\udcff", "\u2028", "=,", "sip:", "<sip:a@h>,"),
]
"""What the messages are full of."""

HEADERS = [
    *("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "Expires", "Min-Expires", "Retry-After", "Date"),
    *("WWW-Authenticate", "Proxy-Authenticate", "Authorization", "Authentication-Info", "Content-Type", "Event"),
    *("Content-Disposition", "Warning", "Timestamp", "Security-Server", "Server", "X-Unknown"),
]
"""Those that have a grammar which somebody reads, and one that has none."""

BEGINNINGS = {
    "Via": "SIP/2.0/UDP h;branch=z",
    "From": '"a',
    "To": "<sip:a@h>;tag=",
    "Contact": "<sip:a@h;lr",
    "WWW-Authenticate": 'Digest realm="',
    "Proxy-Authenticate": "Digest nonce=",
    "Authorization": 'Digest username="a", ',
    "Content-Type": "multipart/mixed;boundary=",
    "Warning": '399 h "',
    "Retry-After": "5 (",
    "Server": "a (",
}
"""So that what follows is reached."""


class Hostile(NamedTuple):
    """A message and where it is bad."""

    slot: str
    unit: str
    data: bytes


def hostile(size: int = KIB_64, units: list[str] = UNITS) -> Iterator[Hostile]:
    """Each unit in each slot, of that many bytes in all; as many lines as it takes."""
    for unit in units:
        for header in HEADERS:
            for beginning in ("", BEGINNINGS.get(header)):
                if beginning is not None:
                    slot = f"{header}: {beginning}".rstrip(": ")
                    yield Hostile(slot, unit, _headers(header, beginning, unit, size))
        yield Hostile("start line", unit, _start(unit, size))
        yield Hostile("names", unit, _lines(f"{_fill(unit, 40)}: x", size))
        yield Hostile("folds", unit, _lines(f"X: {_fill(unit, 8)}\r\n {_fill(unit, 8)}", size))
        yield Hostile("body", unit, _body("text/plain", unit, size))
        yield Hostile("multipart body", unit, _body("multipart/mixed;boundary=x", f"\r\n--x\r\n{unit}", size))
        yield Hostile("no message", unit, _encoded(_fill(unit, size)))


def read(data: bytes) -> None:
    """Parse it, and read everything."""
    try:
        message = parse_message(data)
    except RemoteProtocolError:
        read_refused(data)
    else:
        read_values(message)


def stream(data: bytes) -> None:
    """Cut it out of a stream that arrives in segments."""
    framer = StreamFramer()
    for place in range(0, len(data), 1460):
        framer.receive(data[place : place + 1460])
        if framer.error is not None:
            return


def split(case: Hostile) -> None:
    """The measure."""
    case.data.split(b"\r\n")
    case.data.split(_encoded(case.unit)[:1])


def cost(run: Callable[[], object], *, rounds: int = 3) -> float:
    """Seconds of CPU, the least of some rounds, without the collector, which looks at more than this."""
    best = float("inf")
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            began = process_time()
            run()
            best = min(best, process_time() - began)
    finally:
        if collecting:
            gc.enable()
    return best


def _fill(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _message(start: str, lines: list[str], body: str = "") -> bytes:
    content = _encoded(body)
    return _encoded("\r\n".join([start, *lines, f"Content-Length: {len(content)}", "", ""])) + content


def _headers(header: str, beginning: str, unit: str, size: int) -> bytes:
    # A quarter in each line: as much as a line may have.
    share = min(MAX_LINE, size // 4) - 200
    if not unit.isascii():
        share //= 3
    value = beginning + _fill(unit, share)
    return _message("SIP/2.0 200 OK" if header != "Authorization" else "A sip:a SIP/2.0", [f"{header}: {value}"] * 4)


def _lines(line: str, size: int) -> bytes:
    return _message("SIP/2.0 200 OK", [line] * ((size - 100) // (len(_encoded(line)) + 2)))


def _start(unit: str, size: int) -> bytes:
    room = MAX_START_LINE if size >= KIB_64 else MAX_START_LINE * size // KIB_64
    fill = _fill(unit.replace(" ", "x").replace("\t", "x"), (room - 40) // (1 if unit.isascii() else 3))
    return _message(f"REGISTER sip:a@h;{fill} SIP/2.0", [f"X: {'x' * 1000}"] * ((size - room) // 1010))


def _body(kind: str, unit: str, size: int) -> bytes:
    text = _fill(unit, (size - 200) // (1 if unit.isascii() else 3))
    return _message("SIP/2.0 200 OK", [f"Content-Type: {kind}"], text)
