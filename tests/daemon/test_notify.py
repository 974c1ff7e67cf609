"""Notes to systemd: what is sent, when, and that the watchdog starves when the driver does."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing

from sipcore_sync.base import LEAP, MAX_SLEEP
from sipcore_trio.daemon import notify, pulse
from sipcore_trio.daemon.pulse import LATE, Pulse
from tests.daemon.conftest import PATIENCE, Config, Ports, Process, entry
from tests.secrecy import heard


class Systemd:
    """The other side of the socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(PATIENCE)

    def note(self) -> list[str]:
        text = self._socket.recv(4096).decode()
        heard(text, "a note to systemd")
        return text.split("\n")

    def until(self, line: str) -> list[str]:
        """The first note with a line that begins so."""
        while True:
            note = self.note()
            if any(one.startswith(line) for one in note):
                return note

    def rest(self) -> list[list[str]]:
        """What is there still, but for pings and pleas for time."""
        self._socket.setblocking(False)
        found: list[list[str]] = []
        with suppress(BlockingIOError):
            while True:
                found.append(self.note())
        return [note for note in found if not note[0].startswith(("WATCHDOG=", "EXTEND_TIMEOUT_USEC="))]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, control: str, environment: dict[str, str]) -> Iterator[Systemd]:
    address = str(Path(control).with_name("notify")) if request.param == "path" else f"@sipcore-test-{os.getpid()}"
    other = Systemd(address)
    environment |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
    yield other
    other.close()


def test_ready_reload_watchdog_and_stop(
    registrar: Ports, config: Config, start: Callable[..., Process], systemd: Systemd
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments("--log-level", "debug"))
    assert systemd.until("READY=1")[1].startswith("STATUS=0/1 registered")
    assert systemd.until("STATUS=1/1") == ["STATUS=1/1 registered"]
    assert systemd.until("WATCHDOG=1") == ["WATCHDOG=1"]
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.signal(signal.SIGHUP)
    reloading = systemd.until("RELOADING=1")
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert reloading[1].startswith("MONOTONIC_USEC=")
    assert before <= int(reloading[1].partition("=")[2]) <= after
    assert systemd.until("READY=1") == ["READY=1", "STATUS=1/1 registered"]
    daemon.signal(signal.SIGTERM)
    assert systemd.until("STOPPING=1") == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=15000000", "STATUS=stopping"]
    assert daemon.wait() == 0
    # The removals are changes, too, but nobody is to read "0/0 registered" of a service that ends.
    assert not systemd.rest()


def test_a_refused_reload_ends_as_ready(
    registrar: Ports, config: Config, start: Callable[..., Process], systemd: Systemd
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments())
    systemd.until("READY=1")
    daemon.wait_for("Registered")
    config.write("[alice]\ntype = nonsense\n")
    daemon.signal(signal.SIGHUP)
    systemd.until("RELOADING=1")
    assert systemd.until("READY=1")[0] == "READY=1"
    daemon.wait_for("reload refused")


def test_the_status_tells_the_next_attempt(config: Config, start: Callable[..., Process], systemd: Systemd) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    config.write(entry("alice", f"sip:127.0.0.1:{port}"))
    start(*config.arguments())
    status = systemd.until("STATUS=0/1 registered, next attempt at ")[-1]
    assert "(in " in status


@pytest.mark.parametrize("path", ["", "relative"])
def test_without_a_socket_nothing_is_told(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    assert notify.make(cast(Any, None)) is None


def test_a_socket_that_is_gone_does_no_harm(
    registrar: Ports, config: Config, start: Callable[..., Process], environment: dict[str, str], tmp_path: Path
) -> None:
    environment["NOTIFY_SOCKET"] = str(tmp_path / "nobody")
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments())
    daemon.wait_for("Registered")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert "internal error" not in daemon.output


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("30000000", "", 30.0),
        pytest.param("30000000", str(os.getpid()), 30.0, id="ours"),
        ("30000000", "1", None),
        ("0", "", None),
        ("", "", None),
        ("soon", "", None),
        ("-1", "", None),
    ],
)
def test_the_watchdog_that_is_meant_for_us(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert notify._watchdog() == seconds


class Clocks:
    """Both clocks, and a daemon that lives by them."""

    CLOCK_MONOTONIC = 1
    CLOCK_BOOTTIME = 7

    def __init__(self) -> None:
        self.now = 1000.0
        self.asleep = 0.0
        self.deadline: float | None = None
        self.driver = SimpleNamespace(running=True, now=lambda: self.now + self.asleep)
        self.agent = SimpleNamespace(next_deadline=lambda: self.deadline)

    def monotonic(self) -> float:
        return self.now

    def clock_gettime(self, clock: int) -> float:
        return self.now + self.asleep


def clocks(monkeypatch: pytest.MonkeyPatch) -> tuple[Clocks, Pulse]:
    made = Clocks()
    monkeypatch.setattr(pulse, "time", made)
    return made, Pulse(cast(Any, made))


def test_a_driver_that_misses_its_deadline_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing just before, the effect just after: that is when the ping stops."""
    daemon, watched = clocks(monkeypatch)
    assert watched.fault() == ""
    daemon.deadline = daemon.now
    daemon.now += LATE
    assert watched.fault() == ""
    daemon.now += 1
    assert watched.fault() == f"the driver is {LATE + 1:.0f} s late"
    daemon.deadline = None
    daemon.driver.running = False
    assert watched.fault() == "the driver does not run"


def test_a_host_that_slept_is_given_time_to_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon, watched = clocks(monkeypatch)
    daemon.deadline = daemon.now + 1
    daemon.asleep += LEAP + 3600
    daemon.now += 1
    assert watched.fault() == ""
    daemon.now += MAX_SLEEP + LATE
    assert watched.fault() == ""
    daemon.now += 1
    assert watched.fault() != ""


def test_the_ping_stops_with_the_driver_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """At half of the time that systemd waits, and only while there is no fault."""
    daemon = SimpleNamespace()
    notes = notify.Notes(cast(Any, daemon), "/nowhere", watchdog=30.0)
    sent: list[float] = []
    fault = ""

    async def main() -> None:
        nonlocal fault
        start = trio.current_time()
        monkeypatch.setattr(notes, "send", lambda *lines: sent.append(trio.current_time() - start))
        monkeypatch.setattr(notes._pulse, "fault", lambda: fault)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notes.run)
            await trio.sleep(31)
            fault = "stuck"
            await trio.sleep(60)
            fault = ""
            await trio.sleep(15)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert sent == pytest.approx([0, 15, 30, 105])
