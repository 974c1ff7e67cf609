"""The trace of a run as one hash: all bytes sent and all events with their times, but for what was only dropped."""

from __future__ import annotations

import hashlib
from collections import deque

from sipcore.commands import Command, Transmit
from sipcore.events import Event, MessageDropped, Registered, Rejected, StatusChanged, Unregistered

__all__ = ["Trace"]

LAST = 40
"""Lines kept of what happened last, for whoever reads the report of a failure."""


class Trace:
    """Follows the outputs of one life. `MessageDropped` is left out: whoever is off the path may cause those."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.outputs = 0
        self.last: deque[tuple[float, Command | Event | str]] = deque(maxlen=LAST)

    def on_output(self, output: Command | Event, now: float) -> None:
        """Something was put out."""
        if isinstance(output, MessageDropped):
            return
        self.outputs += 1
        self.last.append((now, output))
        if isinstance(output, Transmit):
            self._hash.update(b"%r %d %r " % (now, output.flow, output.remote))
            self._hash.update(output.data)
        elif isinstance(output, StatusChanged):
            status = output.status
            self._add(f"{now!r} {status.name} {status.state} {status.phase} {status.expires_at!r} {status.attempt}")
            self._add(f"{status.next_attempt_at!r} {status.cause}")
        elif isinstance(output, Registered):
            self._add(f"{now!r} {output.name} {output.expires!r} {output.refreshed} {output.refresh_at!r}")
        elif isinstance(output, Rejected | Unregistered):
            self._add(f"{now!r} {type(output).__name__} {output.name} {output.cause}")
        else:
            self._add(f"{now!r} {output!r}")

    def note(self, text: str, now: float) -> None:
        """Something that the world did."""
        self.last.append((now, text))

    @property
    def digest(self) -> str:
        """The hash up to now."""
        return self._hash.hexdigest()

    def _add(self, text: str) -> None:
        self._hash.update(text.encode("utf-8", "backslashreplace"))
