"""Fixtures of the driver tests: a short attempt gap, and a look at what a test leaves behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite(
    "tests.drivers.contract_blocks",
    "tests.drivers.contract_commands",
    "tests.drivers.contract_failures",
    "tests.drivers.platforms",
)


@pytest.fixture(autouse=True)
def short_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core's least distance between attempts is a second, which each test would wait for before it un-registers."""
    monkeypatch.setattr("sipcore.registration.machine.MIN_ATTEMPT_GAP", 0.02)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No socket and no thread outlives a test."""
    sockets, threads = _sockets(), _threads()
    yield
    for thread in _threads() - threads:
        thread.join(10)  # it may be on its last line
    assert _threads() - threads == set()
    assert _sockets() - sockets == set()


def _sockets() -> set[str]:
    # Elsewhere than on Linux an unclosed socket still is a ResourceWarning, hence an error.
    found: set[str] = set()
    try:
        numbers = os.listdir("/proc/self/fd")
    except FileNotFoundError:
        return found
    for number in numbers:
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # the listing's own descriptor
            continue
        if target.startswith(("socket:", "anon_inode:[eventpoll]")):
            found.add(f"{number} {target}")
    return found


def _threads() -> set[threading.Thread]:
    # trio keeps idle worker threads for ten seconds; only `elsewhere` of the tests makes them.
    return {thread for thread in threading.enumerate() if not thread.name.startswith("Trio thread")}
