"""The stories are worth telling, and comparing them finds drivers that do wrong: each planted fault has its story."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import sipcore_asyncio
import sipcore_sync
import sipcore_trio
from sipcore import Event, Transmit
from sipcore.testing.sim.faults import FAULTS
from sipcore_sync.base import SocketDriver
from sipcore_sync.flows import Datagrams, Stream
from tests.drivers.contract_stories import expected
from tests.drivers.library import STORIES
from tests.drivers.lives import NOT_HERE
from tests.drivers.lockstep import AsyncioLockstep, Lockstep, SyncLockstep, TrioLockstep
from tests.drivers.stories import Story, tell
from tests.drivers.virtual_system import virtual_system

KINDS: list[type[Lockstep]] = [SyncLockstep, AsyncioLockstep, TrioLockstep]
every_driver = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def story(name: str) -> Story:
    """The one of that name."""
    (found,) = [item for item in STORIES if item.name == name]
    return found


def difference(name: str, kind: type[Lockstep]) -> str | None:
    """What a driver tells otherwise."""
    item = story(name)
    with virtual_system():
        return tell(item, kind).differs(expected(item), timed=item.timed)


@pytest.mark.parametrize("item", STORIES, ids=lambda item: item.name.replace(" ", "-"))
def test_a_story_has_its_point(item: Story) -> None:
    log = expected(item)
    text = "\n".join(told.text for told in log.events)
    assert [words for words in item.tells if words.lower() not in text.lower()] == []
    assert log.ended
    assert log.datagrams or log.streams or "connect" in item.name


def test_the_faults_that_are_left_out_exist() -> None:
    assert set(NOT_HERE) < set(FAULTS)


@every_driver
def test_a_story_is_repeated_exactly(kind: type[Lockstep]) -> None:
    """Also under trio, which shuffles its tasks."""
    with virtual_system():
        first, second = (tell(story("a third of all datagrams is lost"), kind) for _ in range(2))
    assert first == second


# --- planted faults: (name, story, what is patched) -------------------------------------------------------------------

REAL_TELL: dict[type[SocketDriver], Any] = {
    kind: kind._tell for kind in (sipcore_sync.Driver, sipcore_asyncio.Driver, sipcore_trio.Driver)
}


def swallow_ends(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """The agent is not told that a connection ended."""

    def _end(self: Stream, error: str | None) -> None:
        self._driver.flows.pop(self._number, None)
        self.abort()

    patch.setattr(Stream, "_end", _end)


def mistake_ends(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """Every end is said to be in good order."""
    real = Stream._end
    patch.setattr(Stream, "_end", lambda self, error: real(self, None))


def tell_late(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """Each event waits for the next one."""
    kept: list[Event] = []

    def _tell(self: SocketDriver, event: Event) -> None:
        kept.append(event)
        if len(kept) > 1:
            REAL_TELL[driver](self, kept.pop(0))

    patch.setattr(driver, "_tell", _tell)


def tell_in_another_order(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """Events that are told together change places."""
    kept: list[Event] = []

    def _tell(self: SocketDriver, event: Event) -> None:
        kept.append(event)
        if len(kept) == 2:
            for item in (kept.pop(), kept.pop()):
                REAL_TELL[driver](self, item)

    patch.setattr(driver, "_tell", _tell)


def never_mind_time(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """`handle_deadline` is never called."""

    def _on_time(self: SocketDriver) -> None:
        self._wake_at = math.inf
        self.drain()

    patch.setattr(driver, "_on_time", _on_time)


def wake_late(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """The timer is armed once, and never moved to an earlier time."""
    real: Callable[..., None] = SocketDriver.drain

    def drain(self: SocketDriver) -> None:
        before = self._wake_at
        if before != math.inf:
            self._wake_at = -math.inf
        real(self)
        self._wake_at = before if before != math.inf else self._wake_at

    patch.setattr(SocketDriver, "drain", drain)


def sleep_unnoticed(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """A leap of the clock is taken for a late timer."""
    patch.setattr("sipcore_sync.base.LEAP", 1e9)


def read_one_way(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """What was fed is not drained."""

    def on_readable(self: Datagrams) -> None:
        data, source = self._sock.recvfrom(65535)
        self._driver.agent.receive(self._number, data, source, now=self._driver.now())

    patch.setattr(Datagrams, "on_readable", on_readable)


def send_twice(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """The first datagram leaves twice."""
    real = Datagrams.send
    sent: list[Transmit] = []

    def send(self: Datagrams, data: bytes, remote: Any) -> None:
        if not sent:
            real(self, data, remote)
        sent.append(Transmit(flow=0, data=data))
        real(self, data, remote)

    patch.setattr(Datagrams, "send", send)


def forget_the_rest(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """What a stream does not take at once is lost."""

    def send(self: Stream, data: bytes, remote: Any = None) -> None:
        with suppress(BlockingIOError):
            self._sock.send(data)

    patch.setattr(Stream, "send", send)


def keep_failures(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """A datagram that the system refuses is taken for one that was lost."""

    def send(self: Datagrams, data: bytes, remote: Any) -> None:
        with suppress(OSError):
            self._sock.sendto(data, remote)

    patch.setattr(Datagrams, "send", send)


def never_end(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """`run()` goes on although the agent is closed."""
    patch.setattr(driver, "finished", False)


def watch_closed(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """Sockets are closed while they are watched."""
    patch.setattr(driver, "unwatch", lambda self, sock: None)


def turn_and_turn(patch: pytest.MonkeyPatch, driver: type[SocketDriver]) -> None:
    """The end of a stream is ignored, so that the socket stays readable."""
    real = Stream.on_readable

    def on_readable(self: Stream) -> None:
        ended: bool = self._sock._ended  # type: ignore[attr-defined]  # a virtual one
        if not ended:
            real(self)

    patch.setattr(Stream, "on_readable", on_readable)


Plant = Callable[[pytest.MonkeyPatch, type[SocketDriver]], None]

PLANTED: list[tuple[Plant, str]] = [
    (swallow_ends, "a stream in small pieces, reset within a message"),
    (mistake_ends, "a stream in small pieces, reset within a message"),
    (tell_late, "a challenge and refreshes"),
    (tell_in_another_order, "a challenge and refreshes"),
    (never_mind_time, "a challenge and refreshes"),
    (wake_late, "silence, then recovery"),
    (sleep_unnoticed, "a host that slept"),
    (read_one_way, "a challenge and refreshes"),
    (send_twice, "a challenge and refreshes"),
    (forget_the_rest, "a stream that takes little at once"),
    (keep_failures, "a network that cannot be reached for a while"),
    (never_end, "a challenge and refreshes"),
    (watch_closed, "a connection that the registrar closes in good order"),
    (turn_and_turn, "a connection that the registrar closes in good order"),
]


@every_driver
@pytest.mark.parametrize(("plant", "name"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_fault_is_found(
    kind: type[Lockstep], plant: Plant, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a difference, or by a broken contract: a socket that is closed under a waiting task, a loop that spins."""
    with monkeypatch.context() as patch:
        plant(patch, kind.driver_class)
        try:
            found = difference(name, kind)
        except Exception as error:
            found = repr(error)
    assert found is not None
    assert difference(name, kind) is None
