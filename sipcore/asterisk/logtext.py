"""The lines that Asterisk writes into its log, word for word, for those who search logs for them.

A table: what happened, the level, the text. Asterisk tells failures as warnings and successes at debug level only; so
do these. Each line names server and client URI, never the registration.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sipcore.config import Account
from sipcore.events import Event, FlowLost, Registered, Rejected, Unregistered
from sipcore.profiles import Counted, Give
from sipcore.syntax.grammar import visible
from sipcore.values import OutcomeClass

__all__ = ["MODULE", "TEXTS", "LogLine", "asterisk_log", "log_line"]

MODULE: Final = "res_pjsip_outbound_registration.c"
"""Where Asterisk writes them."""

NO_ANSWER: Final = 408
"""What Asterisk calls silence where it prints a code."""


class LogLine(NamedTuple):
    """One line of the log."""

    level: str
    """`WARNING`, `NOTICE`, `ERROR` or `DEBUG`."""
    text: str


TEXTS: Final[Mapping[str, LogLine]] = MappingProxyType(
    {
        "temporary": LogLine(
            "WARNING",
            "Temporal response '{code}' received from '{server}' on registration attempt to '{client}', "
            "retrying in '{wait}'",
        ),
        "silence": LogLine(
            "WARNING",
            "No response received from '{server}' on registration attempt to '{client}', retrying in '{wait}'",
        ),
        "exhausted": LogLine(
            "WARNING",
            "Maximum retries reached when attempting outbound registration to '{server}' with client '{client}', "
            "stopping registration attempt",
        ),
        "forbidden": LogLine(
            "WARNING",
            "403 Forbidden fatal response received from '{server}' on registration attempt to '{client}', "
            "retrying in '{wait}' seconds",
        ),
        "fatal, again": LogLine(
            "WARNING",
            "'{code}' fatal response received from '{server}' on registration attempt to '{client}', "
            "retrying in '{wait}' seconds",
        ),
        "fatal": LogLine(
            "WARNING",
            "Fatal response '{code}' received from '{server}' on registration attempt to '{client}', "
            "stopping outbound registration",
        ),
        "fatal silence": LogLine("WARNING", "Fatal registration attempt to '{client}', stopping outbound registration"),
        "no credentials": LogLine(
            "WARNING", "Failed to create authenticated REGISTER request to server '{server}' from client '{client}'"
        ),
        "registered": LogLine("DEBUG", "Outbound registration to '{server}' with client '{client}' successful"),
        "scheduled": LogLine(
            "DEBUG", "Scheduling outbound registration to server '{server}' from client '{client}' in {wait} seconds"
        ),
        "unregistered": LogLine("DEBUG", "Outbound unregistration to '{server}' with client '{client}' successful"),
        "shutdown": LogLine(
            "DEBUG", "Outbound registration transport to server '{server}' from client '{client}' shutdown"
        ),
    }
)
"""By what happened."""


def asterisk_log(event: Event, account: Account, *, now: float) -> tuple[LogLine, ...]:
    """What Asterisk writes when that happens to the registration of that account; nothing for most events."""
    match event:
        case Rejected():
            keys = _rejected(event, account)
            wait = 0.0 if event.retry_at is None else event.retry_at - now
        case Registered():
            keys = ("registered", "scheduled")
            wait = event.refresh_at - now
        case Unregistered() if event.cause.kind is OutcomeClass.REMOVED:
            keys, wait = ("unregistered",), 0.0
        case FlowLost() if account.name in event.names:
            keys, wait = ("shutdown",), 0.0
        case _:
            return ()
    code = event.status if isinstance(event, Rejected) else None
    values = {
        "server": visible(str(account.registrar), 512),
        "client": visible(account.aor, 512),
        "code": str(NO_ANSWER if code is None else code),
        "wait": f"{max(wait, 0.0):.0f}",
    }
    return tuple(LogLine(TEXTS[key].level, TEXTS[key].text.format_map(values)) for key in keys)


def log_line(line: LogLine, *, when: str, thread: int) -> str:
    """A line as it stands in Asterisk's log: `[2026-01-31 12:00:00.000] WARNING[7] res_...: text`."""
    return f"[{when}] {line.level}[{thread}] {MODULE}: {line.text}"


def _rejected(event: Rejected, account: Account) -> tuple[str, ...]:
    first = ("no credentials",) if event.status in (401, 407) and not account.credentials else ()
    return (*first, _outcome(event, account))


def _outcome(event: Rejected, account: Account) -> str:
    """Asterisk's tree of decisions, read from its end: what it says of what was decided."""
    silent = event.status is None
    temporary = event.kind is OutcomeClass.TEMPORARY and _retries_temporary(account)
    if event.retry_at is None:
        if temporary:
            return "exhausted"
        return "fatal silence" if silent else "fatal"
    if temporary or (event.cause.retry_after and account.profile.retry_after is not None):
        return "silence" if silent else "temporary"
    return "forbidden" if event.status == 403 and account.forbidden_retry_interval else "fatal, again"


def _retries_temporary(account: Account) -> bool:
    # Where they are not, as with retry_interval = 0, they count as fatal.
    rule = account.profile.retries[OutcomeClass.TEMPORARY]
    return getattr(account, rule.options[0]) > 0 if isinstance(rule, Counted) else not isinstance(rule, Give)
