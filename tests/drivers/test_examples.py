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
from tests.secrecy import PASSWORD

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PATHS = os.pathsep.join(str(ROOT / path) for path in (".", "drivers/sync", "drivers/asyncio", "drivers/trio"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": PATHS, "PYTHONWARNINGS": "error"}
FAIL_SAFE = 60.0


@contextmanager
def running(name: str, server: Server) -> Iterator[IO[str]]:
    """An example as a user runs it, interrupted at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-u", str(EXAMPLES / name), server.account().aor, PASSWORD],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    with process:
        try:
            assert process.stdout is not None
            yield process.stdout
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=FAIL_SAFE)
            assert (process.returncode, errors) == (0, "")
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


NAMES = ["register_trio.py", "register_asyncio.py", "register_sync.py", "answer_calls.py"]


def test_a_message_is_parsed_changed_and_written() -> None:
    status, output, errors = ended("syntax.py")
    assert (status, errors) == (0, "")
    assert output.startswith("OPTIONS h2.example Al 7 4\nTrue\n")


def ended(name: str, *arguments: str) -> tuple[int, str, str]:
    """An example that ends by itself: status, output, errors."""
    process = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=FAIL_SAFE,
        check=False,
    )
    return process.returncode, process.stdout, process.stderr


@pytest.mark.parametrize("name", NAMES)
def test_without_arguments_it_says_how_to_call_it(name: str) -> None:
    status, output, errors = ended(name)
    assert (status, output) == (1, "")
    assert f"python examples/{name} sip:alice@example.com secret" in errors.splitlines()
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_is_one_line(name: str, server: Server) -> None:
    aor = server.account().aor
    status, output, errors = ended(name, aor, "wrong")
    assert (status, output) == (1, "")
    # Above it stands what is logged, since nobody has set logging up.
    assert errors.splitlines()[-1].startswith(f"{aor}: 401 Unauthorized")
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", NAMES)
def test_an_address_that_is_none_is_one_line(name: str) -> None:
    status, output, errors = ended(name, "alice", "secret")
    assert (status, output) == (1, "")
    assert errors.startswith("aor = 'alice': ")
    assert errors.count("\n") == 1


def test_the_bot_is_busy(server: Server) -> None:
    with running("answer_calls.py", server) as output:
        assert output.readline() == "Registered\n"
        contact = server.driver.ask(server.registrar.bindings, server.account().aor)[0].uri
        assert call(contact, "INVITE").startswith("SIP/2.0 486 Busy Here\r\n")
        assert output.readline() == "INVITE from <sip:bob@example.com>;tag=1\n"
    assert server.contacts() == 0
