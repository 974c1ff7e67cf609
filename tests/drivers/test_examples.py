"""The examples do what they say, against the embedded registrar."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.drivers.scenarios import call
from tests.drivers.server import Server

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PATHS = os.pathsep.join(str(ROOT / path) for path in (".", "drivers/sync", "drivers/asyncio", "drivers/trio"))
FAIL_SAFE = 60.0


@contextmanager
def running(name: str, server: Server) -> Iterator[IO[str]]:
    """An example as a user runs it, interrupted at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-u", str(EXAMPLES / name), server.account().aor, "secret"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PATHS, "PYTHONWARNINGS": "error"},
    )
    with process:
        try:
            assert process.stdout is not None
            yield process.stdout
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=FAIL_SAFE)
            assert errors.splitlines()[-1] == "KeyboardInterrupt"
        finally:
            process.kill()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.mark.parametrize("name", ["register_trio.py", "register_asyncio.py", "register_sync.py"])
def test_it_registers_and_an_interrupt_un_registers(name: str, server: Server) -> None:
    with running(name, server) as output:
        assert output.readline() == f"Registered 127.0.0.1:{server.port} 200 OK\n"
        assert server.contacts() == 1
    assert server.contacts() == 0


@pytest.mark.parametrize("name", ["register_trio.py", "register_asyncio.py", "register_sync.py"])
def test_it_has_eight_lines(name: str) -> None:
    """Without the head, the imports of what every program imports, and blank lines."""
    code = (EXAMPLES / name).read_text(encoding="utf-8").split('"""')[2]
    lines = [line for line in code.splitlines() if line and line != "import sys"]
    assert len(lines) <= 8


def test_the_bot_is_busy(server: Server) -> None:
    with running("answer_calls.py", server) as output:
        assert output.readline() == "Registered\n"
        contact = server.driver.ask(server.registrar.bindings, server.account().aor)[0].uri
        assert call(contact, "INVITE").startswith("SIP/2.0 486 Busy Here\r\n")
        assert output.readline() == "INVITE from <sip:bob@example.com>;tag=1\n"
    assert server.contacts() == 0
