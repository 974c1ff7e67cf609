"""The phases of a registration and what moves them, as a table; and what the application can want."""

from __future__ import annotations

import enum

from sipcore.values import Phase

__all__ = ["TRANSITIONS", "Trigger", "Wanted"]


class Trigger(enum.StrEnum):
    """What moves the phase."""

    PLAN = "plan"
    """An attempt is planned."""
    REST = "rest"
    """Nothing is planned."""
    BEGIN = "begin"
    """An attempt to register begins."""
    BEGIN_REMOVAL = "begin removal"
    """An attempt to remove the binding begins."""
    TARGETS = "targets"
    """The name is resolved."""
    SENT = "sent"
    """A request left."""


TRANSITIONS: dict[Phase, dict[Trigger, Phase]] = {
    Phase.IDLE: {
        Trigger.PLAN: Phase.WAITING,
        Trigger.REST: Phase.IDLE,
        Trigger.BEGIN: Phase.RESOLVING,
        Trigger.BEGIN_REMOVAL: Phase.REMOVING,
    },
    Phase.WAITING: {
        Trigger.PLAN: Phase.WAITING,
        Trigger.REST: Phase.IDLE,
        Trigger.BEGIN: Phase.RESOLVING,
        Trigger.BEGIN_REMOVAL: Phase.REMOVING,
    },
    Phase.RESOLVING: {Trigger.TARGETS: Phase.CONNECTING, Trigger.PLAN: Phase.WAITING, Trigger.REST: Phase.IDLE},
    Phase.CONNECTING: {Trigger.SENT: Phase.EXCHANGING, Trigger.PLAN: Phase.WAITING, Trigger.REST: Phase.IDLE},
    # Another target, a redirect or a challenge is still the same exchange; what is in flight is told by `server`.
    Phase.EXCHANGING: {
        Trigger.TARGETS: Phase.EXCHANGING,
        Trigger.SENT: Phase.EXCHANGING,
        Trigger.PLAN: Phase.WAITING,
        Trigger.REST: Phase.IDLE,
    },
    Phase.REMOVING: {
        Trigger.TARGETS: Phase.REMOVING,
        Trigger.SENT: Phase.REMOVING,
        Trigger.PLAN: Phase.WAITING,
        Trigger.REST: Phase.IDLE,
    },
}


class Wanted(enum.Enum):
    """What the application wants."""

    UP = "up"
    DOWN = "down"
    GONE = "gone"
    """Removed: un-registered if need be, then Stopped and forgotten."""
