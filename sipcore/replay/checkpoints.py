"""The exact state of an agent as text, and an agent of that state."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from sipcore.agent import UserAgent
from sipcore.replay.document import Part, document
from sipcore.replay.images import capture
from sipcore.replay.labels import Secrets
from sipcore.replay.recording import read

__all__ = ["checkpoint", "restore"]


def checkpoint(agent: UserAgent) -> str:
    """All that decides what the agent will do, transactions, timers and outputs that wait among it, as JSON lines.

    It is a recording of one segment in which nothing happens. The state of the random numbers is not in it, nor are
    secrets, which are named by label. Raises `ReplayError` when the agent holds an object of an unknown class.
    """
    return "".join(document([Part(capture(agent), ())], None, None))


def restore(text: str | Iterable[str], *, random: Random, secrets: Secrets | None = None) -> UserAgent:
    """The agent of a checkpoint, or of the first segment of a recording, as it begins. Raises `ReplayError`.

    Fed with the same inputs and random numbers it does the same as the original from there on. `secrets` are those of
    the original by label or registration name; without one the agent answers challenges wrongly.
    """
    recording = read(text.splitlines(keepends=True) if isinstance(text, str) else text)
    return recording.segments[0].restore(random=random, secrets=secrets)
