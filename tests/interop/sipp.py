"""SIPp as a scripted registrar: one scenario of `scenarios/`, played once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.conftest import find_peer
from tests.interop.kamailio import free_port

__all__ = ["Sipp"]

SCENARIOS = Path(__file__).with_name("scenarios")

READY_WITHIN = 30.0
"""Seconds until SIPp must listen. A fail-safe, not a measure; so is the next."""
DONE_WITHIN = 60


class Sipp:
    """SIPp, playing a scenario for one Call-ID. A context manager; `finished()` says whether all went as scripted."""

    def __init__(self, directory: Path, scenario: str, protocol: str) -> None:
        self._directory = directory
        self._scenario = scenario
        self._protocol = protocol
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def uri(self) -> str:
        """Where to register."""
        return f"sip:127.0.0.1:{self.port}"

    def __enter__(self) -> Sipp:
        program = find_peer("sipp")
        assert program is not None
        self.port = free_port()
        with self._path("log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(program, "-sf", str(SCENARIOS / f"{self._scenario}.xml"), "-m", "1"),
                    *("-i", "127.0.0.1", "-bind_local", "-p", str(self.port), "-t", f"{self._protocol[0].lower()}1"),
                    *("-timeout", str(DONE_WITHIN), "-timeout_error", "-nostdin", "-skip_rlimit"),
                    *("-trace_msg", "-message_file", str(self._path("messages"))),
                    *("-trace_err", "-error_file", str(self._path("errors"))),
                ],
                cwd=self._directory,
                # SIPp draws its screen even without a terminal, and ends when it does not know what kind it has.
                env={"TERM": "vt100"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def finished(self) -> None:
        """Wait until the scenario is over. Raises AssertionError when it did not go as scripted."""
        assert self._process is not None
        code = self._process.wait(DONE_WITHIN * 2)
        assert code == 0, f"SIPp ended with {code}\n{self.transcript()}"

    def requests(self) -> list[bytes]:
        """All requests that arrived so far, copies included, in order."""
        return [message for _, message in self._received()]

    def moments(self) -> list[float]:
        """When they arrived, in seconds on SIPp's clock."""
        return [moment for moment, _ in self._received()]

    def _received(self) -> Iterator[tuple[float, bytes]]:
        """SIPp notes a line of dashes with the time, what happened, an empty line, and the message."""
        for part in self._path("messages").read_bytes().split(b"-" * 47 + b" ")[1:]:
            head, _, message = part.partition(b"\n\n")
            time, _, what = head.partition(b"\n")
            if b"message received" in what:
                yield datetime.fromisoformat(time.decode()).timestamp(), message

    def transcript(self) -> str:
        """What SIPp noted, for a failing test."""
        paths = (self._path("errors"), self._path("messages"))
        return "\n".join(path.read_text(errors="replace") for path in paths if path.exists())

    def _path(self, suffix: str) -> Path:
        return self._directory / f"{self._scenario}.{suffix}"

    def _wait_until_ready(self) -> None:
        """Ask the system, not SIPp: anything sent to it would count as part of the scenario."""
        assert self._process is not None
        table = Path("/proc/net", self._protocol.lower())
        wanted = f"0100007F:{self.port:04X}"
        for _ in range(int(READY_WITHIN / 0.02)):
            if any(line.split()[1] == wanted for line in table.read_text().splitlines()):
                return
            try:
                self._process.wait(0.02)
                break
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"SIPp does not listen\n{self.transcript()}\n{self._path('log').read_text()}")
