"""The daemon as an operator has it: a process, its configuration, its log, and the command line beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.programs import ENVIRONMENT, FAIL_SAFE, Program
from tests.secrecy import PASSWORD

__all__ = ["Daemon", "pjsip_conf"]

MODULE = ("-m", "sipcore_trio.daemon")


class Daemon(Program):
    """`sipcore run` with a configuration. A context manager; leaving kills what is still there."""

    def __init__(self, directory: Path, config: str, *options: str) -> None:
        self.config = directory / "pjsip.conf"
        self.config.touch(mode=0o600)
        self.config.write_text(config)
        # Unix sockets have short names only; pytest's directories are too deep.
        self._short = tempfile.mkdtemp(prefix="sipcore-")
        self._control = ("--control", os.path.join(self._short, "control"))
        super().__init__(*MODULE, "run", "-c", str(self.config), *self._control, "--log-level", "debug", *options)

    def __enter__(self) -> Daemon:
        super().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        shutil.rmtree(self._short, ignore_errors=True)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `sipcore` command against this daemon."""
        return subprocess.run(
            [sys.executable, *MODULE, *arguments, *self._control],
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
        self.signal(signal.SIGTERM)
        return self.wait()


def pjsip_conf(registrar: str, protocol: str, *, password: str = PASSWORD, expiration: int = 12) -> str:
    """A pjsip.conf with one registration, tried at once, and refreshed 10 s before it ends: after 2 s."""
    return f"""\
[system]
type = system
; The least that Asterisk takes, and 64 times as much.
timer_t1 = 100
timer_b = 6400

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
expiration = {expiration}
max_random_initial_delay = 0
retry_interval = 1
"""
