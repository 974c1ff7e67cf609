"""The lines that Asterisk writes into its log, word for word, for those who search logs for them.

A table: what happened, the level, the text. Asterisk tells failures as warnings and successes at debug level only; so
do these. Each line names server and client URI, never the registration.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sipcore.asterisk.faults import FileFault
from sipcore.config import Account
from sipcore.errors import ConfigError
from sipcore.events import Event, FlowLost, Registered, Rejected, Unregistered
from sipcore.profiles import Counted, Give
from sipcore.redact import redact_uri
from sipcore.syntax.grammar import visible
from sipcore.values import OutcomeClass

__all__ = ["MODULE", "TEXTS", "LogLine", "asterisk_log", "log_line", "refusal_log"]

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
        "no server": LogLine("ERROR", "No server URI specified on outbound registration '{name}'"),
        "no client": LogLine("ERROR", "No client URI specified on outbound registration '{name}'"),
        "server": LogLine(
            "ERROR", "Server URI or hostname length exceeds pjproject limit or is not a sip(s) uri: '{value}'"
        ),
        "client": LogLine(
            "ERROR", "Client URI or hostname length exceeds pjproject limit or is not a sip(s) uri: '{value}'"
        ),
        "transport": LogLine("ERROR", "Unable to retrieve PJSIP transport '{value}'"),
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


def refusal_log(error: Exception) -> tuple[LogLine, ...]:
    """What Asterisk writes of the fault for which a file was refused; nothing for those that it has no text for."""
    if not isinstance(error, ConfigError):
        return ()
    if isinstance(error, FileFault):
        # It has no value: what is missing stands in `expected`, and the section where an option would.
        option = error.expected.removeprefix("needs ").partition(",")[0]
        key = _MISSING.get(option) if error.expected.startswith("needs ") else None
    else:
        key = _WRONG.get(error.option)
    if key is None:
        return ()
    values = {"name": visible(error.option.strip("[]"), 512), "value": visible(redact_uri(str(error.value)), 512)}
    return (LogLine(TEXTS[key].level, TEXTS[key].text.format_map(values)),)


def log_line(line: LogLine, *, when: str, thread: int) -> str:
    """A line as it stands in Asterisk's log: `[2026-01-31 12:00:00.000] WARNING[7] res_...: text`."""
    return f"[{when}] {line.level}[{thread}] {MODULE}: {line.text}"


_MISSING: Final = {"server_uri": "no server", "client_uri": "no client"}
_WRONG: Final = {"server_uri": "server", "client_uri": "client", "transport": "transport"}


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
