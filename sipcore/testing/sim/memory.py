"""How much an agent keeps: invariant 9."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType

from sipcore.agent import UserAgent
from sipcore.auth.digest import DigestSession
from sipcore.testing.sim.broken import BrokenInvariant

__all__ = ["PER_REGISTRATION", "Memory", "size_of"]

PER_REGISTRATION = 65536
"""Bytes for each registration, whatever happens to it."""

SHARED = 262144
"""Bytes for what all registrations share: caches of names, lanes and texts, each with a bound of its own."""

GROWTH = 1.01
"""What a quiet agent may weigh in proportion to the first quiet time."""

LISTED = 600
"""Bytes for each binding that the registrar listed last: those of other devices are part of the status."""

SESSION = 3072
"""Bytes for each digest session that came on top: a registrar may ask for credentials of another realm for a while, and
the agent keeps its session with that one, a few at most, until it is challenged without it."""

CACHES = 6144
"""Bytes by which the bounded caches may differ between two quiet times: lanes and connections that are swept only when
there are many, an answer of the resolver, texts of an account that was changed, the room in hash tables."""


class Memory:
    """Weighs one agent after the other at quiet times."""

    def __init__(self) -> None:
        self.first = 0
        self._sessions = 0
        self.most = 0

    def begin(self, agent: UserAgent) -> None:
        """The first quiet time."""
        self.first = self.most = size_of(agent)
        self._sessions = _sessions(agent)

    def look(self, agent: UserAgent, now: float) -> None:
        """Another quiet time."""
        size = size_of(agent)
        self.most = max(self.most, size)
        registrations = len(agent.names())
        listed = sum(len(status.bindings) for status in agent.statuses())
        if size > SHARED + PER_REGISTRATION * registrations:
            raise BrokenInvariant(9, f"{size} bytes for {registrations} registrations", now)
        allowed = self.first * GROWTH + CACHES + LISTED * listed
        if size > allowed and size > allowed + SESSION * max(0, _sessions(agent) - self._sessions):
            raise BrokenInvariant(9, f"{size} bytes, after {self.first} at the first quiet time", now)


_NOT_OURS = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, MappingProxyType)


def size_of(agent: UserAgent) -> int:
    """Bytes of all that is reached from the agent, but for code and the tables that all agents share."""
    return sum(sys.getsizeof(item) for item in _reached(agent))


def _sessions(agent: UserAgent) -> int:
    return sum(isinstance(item, DigestSession) for item in _reached(agent))


def _reached(agent: UserAgent) -> Iterator[object]:
    seen: set[int] = set()
    todo: list[object] = [agent]
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, _NOT_OURS):
            continue
        seen.add(id(item))
        yield item
        todo.extend(gc.get_referents(item))
