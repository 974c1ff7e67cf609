"""What is stored of each registration, and what is found stored of an earlier process.

What a record holds, and when a new one is worth writing, says `sipcore.registration.memory`. Here is under which name
it is stored, and who may still need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from sipcore.commands import Remember
from sipcore.registration import Registration
from sipcore.registration.memory import Kept, news, recall
from sipcore.roster.directory import Directory

__all__ = ["Records"]


class Records(Directory):
    """The records of an earlier process, and those that are written for the next one."""

    def __init__(
        self,
        *,
        random: Random,
        allowed: str,
        snapshot: Mapping[str, Mapping[str, object]] | None,
        now: float,
        wall: float,
        remembers: bool,
    ) -> None:
        super().__init__(random=random, allowed=allowed)
        now = self.advance(now)
        self._snapshot = {name: (record, now, wall) for name, record in (snapshot or {}).items()}
        self._remembers = remembers

    def note(self, registration: Registration) -> None:
        """Have what must survive the process remembered, if that changed."""
        if not self._remembers:
            return
        before = registration.kept
        record = news(registration, self.now)
        if record is not None:
            assert registration.kept is not None
            self.put(Remember(name=registration.kept.key, record=record))
            if before is not None and before.key != registration.kept.key:
                self._forget(before.key)

    def _forget(self, key: str) -> None:
        """What is stored there is out of date, unless it is of the registration that has the name now."""
        current = self._registrations.get(key)
        stored = current is not None and current.kept is not None and current.kept.key == key
        if self._remembers and not stored:
            self.put(Remember(name=key, record=None))

    def _recall(
        self, registration: Registration, key: str, record: Mapping[str, object], then: float, wall: float, now: float
    ) -> None:
        token = registration.line
        recall(registration, record, then, wall, now)
        if self._remembers:
            registration.kept = Kept(key)
        else:
            # The snapshot may be of any age, and the process that took it may have gone on.
            registration.resume_at = None
            registration.auth.forget()
        if registration.line != token:
            self._lines.pop(token, None)
            self._lines[registration.line] = registration
