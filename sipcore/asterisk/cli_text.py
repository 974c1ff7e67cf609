"""The texts of Asterisk's command line: tables, columns, words, to the byte."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sipcore.asterisk.rendering import STATUS_WORDS, auths
from sipcore.config import Account
from sipcore.settings import Written
from sipcore.values import Phase, State, Status

__all__ = [
    "AUTH_HEADER",
    "HEADER",
    "NOTHING",
    "TRANSPORT_HEADER",
    "parameters",
    "registration_row",
    "registration_table",
    "spell",
    "split_words",
]

HEADER: Final = (
    "\n <Registration/ServerURI..............................>  <Auth....................>  <Status.......>\n"
    f"{'=' * 90}\n\n"
)
AUTH_HEADER: Final = (
    f"\n  I/OAuth:  <AuthId/UserName.............................................................>\n{'=' * 90}\n\n"
)
TRANSPORT_HEADER: Final = (
    f"\nTransport:  <TransportId........>  <Type>  <cos>  <tos>  <BindAddress....................>\n{'=' * 90}\n\n"
)
NOTHING: Final = "No objects found.\n\n"

NAME_AND_URI: Final = 53
"""Columns that a registration's name and its URI share."""


def registration_row(
    account: Account, written: Written | None, status: Status, *, now: float, began: float | None = None
) -> str:
    """One row of the table, with its line end; `began` is when the last attempt did."""
    name, uri = account.name, str(account.registrar)
    width = NAME_AND_URI - len(name)
    # What the conversion %-*.*s makes of a negative number: to the left, and not cut.
    uri = uri[:width].ljust(width) if width >= 0 else uri.ljust(-width)
    first = next((found for found, _ in auths(account, written)), "n/a")
    return f" {name}/{uri}  {first:<26}  {STATUS_WORDS[status.state]:<16} {_expiry(status, now, began)}\n"


def registration_table(rows: Iterable[str]) -> Iterator[str]:
    """Rows with the header and the count around them."""
    count = 0
    for row in rows:
        if not count:
            yield HEADER
        count += 1
        yield row
    yield f"\nObjects found: {count}\n\n" if count else NOTHING


def parameters(options: Mapping[str, str]) -> str:
    """Options and their values, sorted, in two columns."""
    rows = [
        (name, value)
        for name in sorted(options)
        for value in (options[name].split(",") if name in _LISTS else [options[name]])
    ]
    left = max(len("ParameterName"), *(len(name) for name, _ in rows))
    right = max(len("ParameterValue"), *(len(value) for _, value in rows))
    lines = [f" {'ParameterName':<{left}} : ParameterValue", f" {'=' * (left + right + 3)}"]
    lines += [f" {name:<{left}} : {value}" for name, value in rows]
    return "\n" + "\n".join(lines) + "\n\n"


def spell(age: float) -> str:
    """Seconds in words: `2 hours, 1 second`."""
    left = math.floor(max(age, 0.0))
    parts = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return ", ".join(parts) or "0 seconds"


def split_words(line: str) -> list[str]:
    """The words of a line: blanks separate, double quotes hold together, a backslash takes the next as it is."""
    words: list[str] = []
    word: list[str] | None = None
    quoted = escaped = False
    for character in line:
        if escaped:
            word, escaped = [*(word or ()), character], False
        elif character == "\\":
            escaped, word = True, word or []
        elif character == '"':
            quoted, word = not quoted, word or []
        elif character.isspace() and not quoted:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = word or []
            word.append(character)
    return words if word is None else [*words, "".join(word)]


def _expiry(status: Status, now: float, began: float | None) -> str:
    """How far off the next attempt is, in whole seconds of the clock, as Asterisk counts them."""
    moment = status.next_attempt_at
    if moment is None:
        if status.cause is None and status.phase is Phase.IDLE:
            return "0"  # nothing was ever asked for: Asterisk has no state of it, and prints this
        moment = _last_due(status, now, began)
    seconds = math.floor(moment) - math.floor(now)
    return f" (exp. {seconds}s)" if seconds >= 0 else f" (exp. {-seconds}s ago)"


_LISTS: Final = frozenset({"outbound_auth", "security_mechanisms"})
"""Printed with a row for each item."""

_UNITS: Final = (("year", 31536000), ("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def _last_due(status: Status, now: float, began: float | None) -> float:
    """When Asterisk's timer was due, of one that has no next attempt."""
    phase = status.phase
    # It leads to the first request of an attempt. While a server is looked for that has not left yet.
    if began is not None and (phase is Phase.EXCHANGING or (phase is Phase.IDLE and status.state is State.REJECTED)):
        return began
    return status.since if phase is Phase.IDLE else now
