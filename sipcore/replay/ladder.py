"""A run as a ladder diagram in plain text: one column for each party, time going down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from unicodedata import combining, east_asian_width

from sipcore.replay.story import AGENT, APPLICATION, LATEST, Scene, seconds

__all__ = ["MAX_WIDTH", "OTHERS", "draw", "lanes", "placed"]

MAX_REMOTES: Final = 4
"""Remote addresses with a column of their own; more would fit no screen. The rest share one."""

OTHERS: Final = "others"

CALLS: Final = 26
"""Characters between application and agent: a call and a registration's name."""

MESSAGES: Final = 60
"""Characters between the agent and the first remote: status, reason, CSeq, lifetime and that it is a copy."""

MAX_HEADING: Final = 24
"""Characters of an address above its column; a longer one is cut in front, where IPv6 addresses differ least."""

NOTES: Final = 120
"""Characters of a note beside the agent."""

_LEFT: Final = 20
"""Where the columns begin, behind time and step."""

_CLOCK: Final = 14
"""Wall-clock time with milliseconds, when it is known."""

MAX_WIDTH: Final = _LEFT + _CLOCK + CALLS + max(MESSAGES + MAX_REMOTES * (MAX_HEADING + 3), NOTES) + 14
"""No line is longer, whatever the run holds."""

_DAY: Final = 86400


def draw(scenes: Iterable[Scene], *, start: float | None = None, wall: float | None = None) -> Iterator[str]:
    """The lines of the diagram.

    Times are seconds from `start`, on the agent's clock, or from the first scene. `wall` is the Unix time that the
    agent's clock 0.0 was, if anybody knows: then each line has the time of day (UTC), too.
    """
    rows = list(scenes)
    if not rows:
        yield "nothing happened"
        return
    if start is None:
        start = rows[0].now
    columns = lanes(rows, MAX_REMOTES)
    if wall is not None and not all(abs(row.now + wall) < LATEST for row in rows):
        wall = None
    left = _LEFT + (0 if wall is None else _CLOCK)
    places = _places(columns, left)
    day: int | None = None
    yield _headings(columns, places, wall is not None)
    for row in rows:
        if wall is not None and day != (today := int((row.now + wall) // _DAY)):
            day = today
            yield _ruled(f"{_date(today)} UTC", places)
        yield _row(row, columns, places, _stamp(row, start, wall))


def lanes(scenes: Iterable[Scene], most: int) -> dict[str, int]:
    """A column's number for each party: application, agent, then the first `most` remotes as they come.

    The remotes after those share one more column, `OTHERS`.
    """
    columns = {APPLICATION: 0, AGENT: 1}
    for scene in scenes:
        for party in (scene.source, scene.target):
            if party not in columns and OTHERS not in columns:
                columns[party if len(columns) < most + 2 else OTHERS] = len(columns)
    return columns


def placed(row: Scene, columns: Mapping[str, int]) -> tuple[int, int, str]:
    """From which column to which one, and the text; at `OTHERS` that begins with who it is."""
    source, target = (columns.get(party, columns.get(OTHERS, 1)) for party in (row.source, row.target))
    if OTHERS in columns and columns[OTHERS] in (source, target) and source != target:
        return source, target, f"{row.source if row.source not in columns else row.target}: {row.text}"
    return source, target, row.text


def _places(columns: dict[str, int], left: int) -> list[int]:
    places = [left, left + CALLS]
    for number in range(2, len(columns)):
        places.append(places[-1] + (MESSAGES if number == 2 else MAX_HEADING + 3))
    return places


def _headings(columns: dict[str, int], places: Sequence[int], clock: bool) -> str:
    line = f"{'time of day' if clock else '':<{_CLOCK if clock else 0}}{'seconds':>11} {'step':>7}"
    for party, number in columns.items():
        text = party if _cells(party) <= MAX_HEADING else f"…{party[1 - MAX_HEADING :]}"
        line = f"{line:<{max(places[number] - (len(text) // 2 if number else 0), len(line) + 1)}}{text}"
    return line


def _stamp(row: Scene, start: float, wall: float | None) -> str:
    text = f"{seconds(row.now - start):>11} {row.number:>7}"
    return text if wall is None else f"{_time_of_day(row.now + wall):<{_CLOCK}}{text}"


def _row(row: Scene, columns: dict[str, int], places: Sequence[int], stamp: str) -> str:
    source, target, text = placed(row, columns)
    line = list(_ruled(stamp, places))
    if source == target:
        _write(line, places[source] + 2, f"{_cut(text, NOTES)} ")
        return "".join(line).rstrip()
    low, high = places[min(source, target)] + 1, places[max(source, target)]
    inner = high - low - 6
    text = _cut(text, inner)
    dashes = "-" * (inner - _cells(text))
    _write(line, low, f"-- {text} {dashes}->" if source < target else f"<- {text} {dashes}--")
    return "".join(line).rstrip()


def _write(line: list[str], place: int, text: str) -> None:
    line.extend(" " * (place - len(line)))
    # A wide character takes the place of two, one that combines none.
    line[place : place + _cells(text)] = text


def _ruled(text: str, places: Sequence[int]) -> str:
    line = list(f"{text:<{places[-1] + 1}}")
    for place in places:
        line[place] = "|"
    return "".join(line)


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)


def _cut(text: str, cells: int) -> str:
    if _cells(text) <= cells and len(text) <= cells:
        return text
    text = text[:cells]
    while _cells(text) > cells - 1:
        text = text[:-1]
    return text + "…"


def _time_of_day(moment: float) -> str:
    milliseconds = int(moment * 1000)
    second = milliseconds // 1000 % _DAY
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{milliseconds % 1000:03d}"


def _date(day: int) -> str:
    # From the days since 1970-01-01, by eras of 400 years that begin on 1 March: then a leap day is a year's last.
    era, day = divmod(day + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    year += era * 400 + (month >= 10)
    return f"{year:04d}-{(month + 2) % 12 + 1:02d}-{day - (153 * month + 2) // 5 + 1:02d}"
