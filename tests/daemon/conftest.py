"""A registrar and daemons as processes of their own, on loopback and on ports that the system chose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.secrecy import PASSWORD, heard

TOP = Path(__file__).parents[2]

PATIENCE = 30.0
"""Seconds after which a test gives up; nothing here takes more than one or two."""

PYTHON_PATH = os.pathsep.join(str(TOP / part) for part in (".", "drivers/trio", "drivers/sync", "drivers/asyncio"))


class Process:
    """A `sipcore` command that runs; its output is collected, and can be waited for."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sipcore_trio.daemon", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        with self._news:
            return "\n".join(self.lines)

    def wait_for(self, text: str, *, start: int = 0) -> str:
        """The first line from number `start` on that holds `text`."""
        with self._news:
            found = self._news.wait_for(lambda: self._find(text, start) is not None or self._ended, PATIENCE)
            line = self._find(text, start)
        assert found, f"no {text!r} in time in:\n{self.output}"
        assert line is not None, f"no {text!r} in:\n{self.output}"
        return line

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit status."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        heard(self.output, "what a command printed")

    def _find(self, text: str, start: int) -> str | None:
        return next((line for line in self.lines[start:] if text in line), None)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@pytest.fixture
def environment() -> dict[str, str]:
    """What the processes inherit; a test may add to it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIPCORE_", "JOURNAL_"))}
    return {**kept, "PYTHONPATH": PYTHON_PATH, "PYTHONWARNINGS": "error", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., Process]]:
    """Start a `sipcore` command; whatever still runs at the end is killed."""
    started: list[Process] = []

    def run(*arguments: str) -> Process:
        started.append(Process(list(arguments), environment))
        return started[-1]

    yield run
    for process in started:
        process.kill()


@pytest.fixture
def sipcore(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a `sipcore` command to its end."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sipcore_trio.daemon", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            timeout=PATIENCE,
            check=False,
        )

    return run


@pytest.fixture
def control() -> Iterator[str]:
    """A path for a control socket; pytest's own directories can be too long for one."""
    with tempfile.TemporaryDirectory(prefix="sipcore-") as folder:
        yield str(Path(folder) / "control.sock")


class Ports(NamedTuple):
    udp: int
    tcp: int
    process: Process


@pytest.fixture
def registrar(start: Callable[..., Process]) -> Ports:
    """A registrar that knows alice, bob and carol."""
    users = [part for name in ("alice", "bob", "carol") for part in ("--user", f"{name}:{PASSWORD}")]
    process = start("registrar", "--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0", *users)
    udp = int(process.wait_for("listening on udp:").rpartition(":")[2])
    tcp = int(process.wait_for("listening on tcp:").rpartition(":")[2])
    return Ports(udp, tcp, process)


def entry(name: str, uri: str, *, password: str = PASSWORD, more: str = "") -> str:
    return f"""\
[{name}]
type = registration
server_uri = {uri}
client_uri = sip:{name}@example.com
outbound_auth = {name}
{more}
[{name}]
type = auth
username = {name}
password = {password}
"""


SYSTEM = "[system]\ntype = system\ntimer_t1 = 20\ntimer_b = 1280\n"


class Config:
    """A configuration file and the daemon's arguments for it."""

    def __init__(self, folder: Path, control: str) -> None:
        self.path = folder / "pjsip.conf"
        self.control = control

    def write(self, *parts: str) -> None:
        self.path.touch(mode=0o600)
        self.path.write_text("".join((SYSTEM, *parts)))

    def arguments(self, *more: str, profile: str = "SIPCORE") -> list[str]:
        return ["run", "-c", str(self.path), "--control", self.control, "--profile", profile, *more]


@pytest.fixture
def config(tmp_path: Path, control: str) -> Config:
    return Config(tmp_path, control)
