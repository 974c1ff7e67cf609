"""The daemon as an operator has it: a process, its configuration, its log, and the command line beside it."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["Daemon", "pjsip_conf"]

FAIL_SAFE = 60.0
"""Seconds without what a test waits for; all of it comes within a few."""

TOP = Path(__file__).parent.parent.parent
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(str(TOP / part) for part in (".", "drivers/trio", "drivers/asyncio", "drivers/sync")),
    "PYTHONWARNINGS": "error",
}


class Daemon:
    """`sipcore run` with a configuration. A context manager; leaving kills what is still there."""

    def __init__(self, directory: Path, config: str) -> None:
        self.config = directory / "pjsip.conf"
        self.config.touch(mode=0o600)
        self.config.write_text(config)
        # Unix sockets have short names only; pytest's directories are too deep.
        self._short = tempfile.mkdtemp(prefix="sipcore-")
        self._control = os.path.join(self._short, "control")
        self._log = b""
        self._seen = 0

    def __enter__(self) -> Daemon:
        self._process = subprocess.Popen(
            _command("run", "-c", str(self.config), "--control", self._control, "--log-level", "debug"),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
        shutil.rmtree(self._short, ignore_errors=True)

    def line(self, *words: str) -> str:
        """The next line of the log that holds all these words."""
        assert self._process.stderr is not None
        until = time.monotonic() + FAIL_SAFE
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stderr, selectors.EVENT_READ)
            while True:
                while (end := self._log.find(b"\n", self._seen)) >= 0:
                    text = self._log[self._seen : end].decode()
                    self._seen = end + 1
                    if all(word in text for word in words):
                        return text
                left = until - time.monotonic()
                data = os.read(self._process.stderr.fileno(), 65536) if left > 0 and selector.select(left) else b""
                assert data, f"no line with {words} in the log:\n{self._log.decode()}"
                self._log += data

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `sipcore` command against this daemon."""
        return subprocess.run(
            _command(*arguments, "--control", self._control),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FAIL_SAFE,
            check=False,
        )

    def registrations(self) -> list[dict[str, Any]]:
        """What `sipcore show registrations --json` says."""
        found: list[dict[str, Any]] = json.loads(self.command("show", "registrations", "--json").stdout)
        return found

    def terminate(self) -> int:
        """SIGTERM; returns the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(FAIL_SAFE)


def pjsip_conf(registrar: str, protocol: str, *, password: str = "secret") -> str:
    """A pjsip.conf with one registration that starts at once and is refreshed every two seconds."""
    return f"""\
[transport]
type = transport
protocol = {protocol.lower()}
bind = 127.0.0.1

[credentials]
type = auth
auth_type = userpass
username = alice
password = {password}

[alice]
type = registration
transport = transport
outbound_auth = credentials
server_uri = {registrar}
client_uri = sip:alice@127.0.0.1
contact_user = alice
; Refreshed 10 s before it ends.
expiration = 12
max_random_initial_delay = 0
retry_interval = 1
"""


def _command(*arguments: str) -> Sequence[str]:
    return [sys.executable, "-m", "sipcore_trio.daemon", *arguments]
