"""A `Status` as JSON and back as what people read: the times are wall-clock seconds, the names those of `Status`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from sipcore.syntax.grammar import visible
from sipcore.values import Binding, Cause, Status

__all__ = ["cause_text", "relative", "status_json"]

CAUSE_FIELDS = ("kind", "code", "reason", "detail", "warning", "retry_after", "server", "transport")


def status_json(status: Status, wall: Callable[[float], float]) -> dict[str, Any]:
    """All fields of `Status` under their own names; times become Unix seconds by `wall`."""

    def at(moment: float | None) -> float | None:
        return None if moment is None or not math.isfinite(moment) else round(wall(moment), 3)

    return {
        "name": status.name,
        "state": status.state,
        "phase": status.phase,
        "cause": None if status.cause is None else _cause_json(status.cause),
        "server": status.server,
        "transport": status.transport,
        "flow": status.flow,
        "attempt": status.attempt,
        "since": at(status.since),
        "expires_at": at(status.expires_at),
        "next_attempt_at": at(status.next_attempt_at),
        "bindings": [_binding_json(binding, at) for binding in status.bindings],
    }


def cause_text(cause: Mapping[str, Any] | None) -> str:
    """What the peer said and what we make of it, in one line without the server."""
    if cause is None:
        return ""
    code = cause.get("code")
    said = f"{code} {cause.get('reason') or ''}".rstrip() if code is not None else ""
    text = ": ".join(part for part in (said, cause.get("detail") or "") if part) or str(cause.get("kind") or "")
    if cause.get("warning"):
        text += f" (Warning: {cause['warning']})"
    if cause.get("retry_after") is not None:
        text += f" (Retry-After: {cause['retry_after']})"
    return visible(text, 400)


def relative(moment: float | None, now: float) -> str:
    """How far off a moment is, in the largest unit that still tells something: `in 52 s`, `in 58 min`, `5 h ago`."""
    if moment is None:
        return "-"
    seconds = moment - now
    size = abs(seconds)
    if size < 120:
        amount = f"{size:.0f} s"
    elif size < 7200:
        amount = f"{size / 60:.0f} min"
    elif size < 172800:
        amount = f"{size / 3600:.0f} h"
    else:
        amount = f"{size / 86400:.0f} d"
    if amount == "0 s":
        return "now"
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


def _cause_json(cause: Cause) -> dict[str, Any]:
    return {name: getattr(cause, name) for name in CAUSE_FIELDS}


def _binding_json(binding: Binding, at: Callable[[float | None], float | None]) -> dict[str, Any]:
    return {"uri": binding.uri, "expires_at": at(binding.expires_at), "own": binding.own}
