"""Events as log lines: one line for each change, with everything that is known about it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from sipcore.events import (
    Event,
    FlowLost,
    ListenFailed,
    Listening,
    MessageDropped,
    Registered,
    Rejected,
    StatusChanged,
    Unregistered,
)
from sipcore.syntax.grammar import visible
from sipcore.values import Cause, OutcomeClass, State, Status, format_address

__all__ = ["Narrator", "Write", "cause_line", "counted", "listed", "moment"]

DROP_INTERVAL = 60.0
"""Seconds between two lines about drops of one cause: who sends rubbish must not fill the disk."""

MAX_DROP_CAUSES = 64
"""Causes kept apart; causes are few, this only bounds the memory."""

MAX_NAMES = 5
"""Registrations named in one line, such as that about a lost flow; a shared connection may have thousands."""


class Write(Protocol):
    """Where lines go; `logging.Logger.log` is one."""

    def __call__(self, level: int, text: str, /, *, extra: Mapping[str, object]) -> None:
        """One line, and what it is about under the names of `logs.FIELDS`."""


class Narrator:
    """Turns the agent's events into lines.

    The event that names the reason comes first and `StatusChanged` last, so the line is written then, when both are
    known. `write(level, text, extra=...)` gets each line, `enabled(level)` says whether anybody reads that level,
    `wall` turns a time of the agent into wall-clock seconds. `aor`, if there is one, knows the address of record of a
    name.
    """

    def __init__(
        self,
        write: Write,
        *,
        enabled: Callable[[int], bool],
        wall: Callable[[float], float],
        aor: Callable[[str], str | None] | None = None,
    ) -> None:
        self._write = write
        self._aor = aor
        self._enabled = enabled
        self._wall = wall
        self._reasons: list[Registered | Rejected | Unregistered] = []
        self._drops: dict[str, tuple[float, int]] = {}

    def tell(self, event: Event, now: float) -> None:
        """Write what there is to say about an event."""
        match event:
            case Registered() | Rejected() | Unregistered():
                self._reasons.append(event)
            case StatusChanged():
                self._status_changed(event, now)
            case MessageDropped():
                self._dropped(event, now)
            case FlowLost():
                remote = format_address(event.remote) if event.remote else "its peers"
                users = f"; it carried {listed(event.names)}" if event.names else ""
                self._write(
                    logging.WARNING,
                    f"flow to {remote} lost: {visible(event.error or 'closed')}{users}",
                    extra={
                        "event": "flow_lost",
                        "server": remote if event.remote else None,
                        "flow": event.flow,
                        "cause": visible(event.error or "closed"),
                        "registrations": len(event.names),
                    },
                )
            case Listening():
                self._write(
                    logging.INFO,
                    f"listening on {event.protocol} {format_address(event.local)}",
                    extra={"event": "listening", "transport": event.protocol},
                )
            case ListenFailed():
                local = format_address(event.local) if event.local else "?"
                self._write(
                    logging.ERROR,
                    f"cannot listen on {event.protocol} {local}: {visible(event.error)}",
                    extra={"event": "listen_failed", "transport": event.protocol, "cause": visible(event.error)},
                )
            case _:
                self._write(logging.DEBUG, visible(repr(event)), extra={"event": type(event).__name__})

    def _status_changed(self, event: StatusChanged, now: float) -> None:
        reasons, self._reasons = self._reasons, []
        status = event.status
        registered = next((reason for reason in reasons if isinstance(reason, Registered)), None)
        if registered is not None:
            quiet = registered.refreshed and event.previous is State.REGISTERED
            doubt = bool(status.cause and status.cause.detail)
            level = logging.WARNING if doubt else logging.DEBUG if quiet else logging.INFO
            if self._enabled(level):
                extra = self._fields("registered", status, status.cause)
                self._write(level, self._registered(status, registered, now), extra=extra)
            return
        rejected = next((reason for reason in reasons if isinstance(reason, Rejected)), None)
        if rejected is not None:
            what = "removal failed, " if rejected.removal else ""
            text = f"{_head(status)}: {what}{rejected.kind}: {cause_line(rejected.cause)}{self._next(status, now)}"
            self._write(logging.WARNING, text, extra=self._fields("rejected", status, rejected.cause))
        elif reasons:
            cause = reasons[0].cause if isinstance(reasons[0], Unregistered) else status.cause
            asked = cause is not None and cause.kind is OutcomeClass.REMOVED
            level = logging.INFO if asked else logging.WARNING
            if cause is not None and cause.code is not None and cause.server is None:
                cause = replace(cause, server=status.server, transport=status.transport)
            plan = "" if asked and status.next_attempt_at is None else self._next(status, now)
            text = f"{_head(status)}: {cause_line(cause)}{plan}"
            self._write(level, text, extra=self._fields("unregistered", status, cause))
        else:
            # Un-registered was told before; that it is forgotten, too, is news to few.
            quiet = status.state is event.previous or (event.previous is State.UNREGISTERED and not status.registered)
            level = logging.DEBUG if quiet else logging.INFO
            if self._enabled(level):
                plan = "" if status.next_attempt_at is None else self._next(status, now)
                text = f"{_head(status)}: {cause_line(status.cause)}{plan}"
                self._write(level, text, extra=self._fields("status_changed", status, status.cause))

    def _registered(self, status: Status, event: Registered, now: float) -> str:
        what = "refreshed" if event.refreshed else "registered"
        others = any(not binding.own for binding in status.bindings)
        why = "does not list ours among the bindings" if others else "lists no binding"
        assumed = f", assumed, since the response {why}" if event.assumed else ""
        return (
            f"{_head(status)}: {what} for {event.expires:.0f} s{assumed}: {cause_line(status.cause)}"
            f"{_server(status)}; next refresh {moment(event.refresh_at, now, self._wall)}"
        )

    def _next(self, status: Status, now: float) -> str:
        if status.next_attempt_at is None:
            return "; no further attempt"
        return f"; next attempt {moment(status.next_attempt_at, now, self._wall)}"

    def _dropped(self, event: MessageDropped, now: float) -> None:
        since, count = self._drops.get(event.cause, (float("-inf"), 0))
        count += event.count
        if now - since < DROP_INTERVAL or (event.cause not in self._drops and len(self._drops) >= MAX_DROP_CAUSES):
            if event.cause in self._drops:
                self._drops[event.cause] = (since, count)
            return
        self._drops[event.cause] = (now, 0)
        source = f" from {format_address(event.source)}" if event.source else ""
        times = f" ({count} times)" if count > 1 else ""
        self._write(
            logging.INFO,
            f"dropped{source}: {visible(event.cause)}{times}",
            extra={
                "event": "message_dropped",
                "server": format_address(event.source) if event.source else None,
                "cause": visible(event.cause),
                "count": count,
            },
        )

    def _fields(self, event: str, status: Status, cause: Cause | None) -> dict[str, object]:
        cause = cause or Cause()
        aor = None if self._aor is None else self._aor(status.name)
        return {
            "event": event,
            "registration": visible(status.name),
            "aor": None if aor is None else visible(aor),
            "state": status.state,
            "class": cause.kind,
            "code": cause.code,
            "server": cause.server or status.server,
            "transport": cause.transport or status.transport,
            "expires_at": self._unix(status.expires_at),
            "next_attempt_at": self._unix(status.next_attempt_at),
        }

    def _unix(self, moment: float | None) -> float | None:
        return None if moment is None else round(self._wall(moment), 3)


def cause_line(cause: Cause | None) -> str:
    """Code, reason phrase, Warning, Retry-After, server, transport, and what we make of it."""
    if cause is None:
        return "asked for"
    said = f"{cause.code} {cause.reason}".rstrip() if cause.code is not None else ""
    if cause.warning is not None:
        said += f" (Warning: {cause.warning})"
    if cause.retry_after is not None:
        said += f" (Retry-After: {cause.retry_after})"
    if cause.server is not None:
        said += f"{' from ' if said else 'at '}{cause.server}{f' ({cause.transport})' if cause.transport else ''}"
    parts = [part for part in (said, cause.detail) if part]
    # The words of the peer were made safe where they were read; this is the second lock on the same door.
    return visible(": ".join(parts) or str(cause.kind or "no reason"), 600)


def counted(count: int, noun: str) -> str:
    """A number with its noun, in the plural where it needs one."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - MAX_NAMES
    return f"{', '.join(visible(name) for name in names[:MAX_NAMES])}{f' and {more} more' if more > 0 else ''}"


def moment(at: float, now: float, wall: Callable[[float], float]) -> str:
    """A time of the agent for people: local time, and how many seconds off."""
    local = time.localtime(wall(at))
    form = "%H:%M:%S" if at - now < 86400 else "%Y-%m-%d %H:%M:%S"
    return f"at {time.strftime(form, local)} (in {max(at - now, 0):.0f} s)"


def _head(status: Status) -> str:
    return f"{visible(status.name)}: {status.state}"


def _server(status: Status) -> str:
    if status.server is None:
        return ""
    return f" from {status.server}{f' ({status.transport})' if status.transport else ''}"
