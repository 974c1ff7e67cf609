"""`probe`, `registrar` and `demo` from outside, and their parts."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sipcore import asterisk
from sipcore.errors import ConfigError
from sipcore.events import Rejected
from sipcore.profiles import SIPCORE
from sipcore.values import Cause, OutcomeClass, Protocol, Secret
from sipcore_trio.daemon import demo
from sipcore_trio.daemon.registrar import parse_listen, parse_user
from tests.daemon.conftest import PATIENCE, Process

CANARY = "canary-91bc"

Start = Callable[..., Process]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def port(start: Start) -> str:
    """A registrar that knows alice."""
    process = start("registrar", "--listen", "udp:127.0.0.1:0", "--user", f"alice:{CANARY}")
    return process.wait_for("listening on udp:").rpartition(":")[2]


def test_a_probe_that_succeeds(sipcore: Run, port: str, environment: dict[str, str]) -> None:
    environment["SIPCORE_PASSWORD"] = CANARY
    ended = sipcore("probe", f"sip:127.0.0.1:{port}", "--user", "alice")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (f"sip:alice@127.0.0.1: registered for 60 s at 127.0.0.1:{port} (UDP): 200 OK; removed\n")


def test_a_probe_with_a_password_file(sipcore: Run, port: str, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    ended = sipcore("probe", f"sip:127.0.0.1:{port}", "--user", "alice", "--password-file", str(path))
    assert (ended.returncode, ended.stderr) == (0, "")
    path.chmod(0o644)
    ended = sipcore("probe", f"sip:127.0.0.1:{port}", "--user", "alice", "--password-file", str(path))
    assert ended.returncode == 0
    assert ended.stderr.startswith(f"sipcore: warning: {path}: file: holds secrets and has mode 0644")


def test_a_probe_that_is_refused(sipcore: Run, port: str, environment: dict[str, str]) -> None:
    environment["SIPCORE_PASSWORD"] = f"{CANARY}-wrong"
    ended = sipcore("probe", f"sip:127.0.0.1:{port}", "--user", "alice")
    assert ended.returncode == 12
    assert ended.stdout.startswith("sip:alice@127.0.0.1: refused credentials: 401 Unauthorized from 127.0.0.1:")
    assert ended.stdout.count("\n") == 1
    assert CANARY not in ended.stdout + ended.stderr


def test_a_probe_of_silence(sipcore: Run, start: Start) -> None:
    silent = start("registrar", "--listen", "udp:127.0.0.1:0", "--silent")
    port = silent.wait_for("listening on udp:").rpartition(":")[2]
    ended = sipcore("probe", f"sip:127.0.0.1:{port}", "--user", "alice", "--timeout", "0.3")
    assert ended.returncode == 10
    assert ended.stdout == f"sip:alice@127.0.0.1: temporary: at 127.0.0.1:{port} (UDP): no answer\n"


def test_a_probe_where_nobody_listens(sipcore: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        ended = sipcore("probe", f"sip:127.0.0.1:{port}", "--user", "a", "--transport", "tcp")
    assert ended.returncode == 10
    assert "Connection refused" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["example.com", "--user", "a"], "sipcore: URI = 'example.com': a registrar such as sip:example.com\n"),
        (["tel:+1", "--user", "a"], "sipcore: URI = 'tel:+1': a registrar without a user, such as sip:example.com\n"),
        (
            [f"sip:a:{CANARY}@h", "--user", "a"],
            "sipcore: URI = 'sip:a:***@h': a registrar without a user, such as sip:example.com\n",
        ),
        (["sip:h", "--user", "a", "--expires", "0"], "sipcore: expires = 0: a whole number from 1 to 4294967295\n"),
        (
            ["sip:h", "--user", "a", "--password-file", "/nonexistent"],
            "sipcore: warning: /nonexistent: file: cannot be examined: No such file or directory\n"
            "sipcore: [Errno 2] No such file or directory: '/nonexistent'\n",
        ),
    ],
)
def test_a_probe_that_cannot_start(sipcore: Run, arguments: list[str], error: str) -> None:
    ended = sipcore("probe", *arguments)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", error)


def test_a_registrar_ends_with_a_signal(start: Start) -> None:
    process = start("registrar", "--listen", "udp:127.0.0.1:0", "--listen", "tcp:[::1]:0")
    process.wait_for("listening on udp:127.0.0.1:")
    process.wait_for("listening on tcp:[::1]:")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_registrar_whose_port_is_in_use(sipcore: Run, protocol: str) -> None:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            taken.listen()
        address = f"{protocol}:127.0.0.1:{taken.getsockname()[1]}"
        ended = sipcore("registrar", "--listen", address)
    assert (ended.returncode, ended.stderr) == (2, f"sipcore: --listen {address}: Address already in use\n")


def test_addresses_to_listen_on() -> None:
    assert parse_listen("udp:127.0.0.1:5070") == (Protocol.UDP, ("127.0.0.1", 5070))
    assert parse_listen("tcp:[::1]:0") == (Protocol.TCP, ("::1", 0))
    for text in (
        "udp",
        "udp:5070",
        "tls:127.0.0.1:5061",
        "udp:localhost:5070",
        "udp:127.0.0.1:65536",
        "udp:127.0.0.1:x",
    ):
        with pytest.raises(ConfigError) as caught:
            parse_listen(text)
        assert str(caught.value).startswith(f"--listen = {text!r}: ")


def test_users_of_the_registrar() -> None:
    assert parse_user("alice:a:b") == ("alice", Secret("a:b"))
    assert parse_user("alice:") == ("alice", Secret(""))
    for text in ("alice", ":secret", ""):
        with pytest.raises(ConfigError) as caught:
            parse_user(text)
        assert "secret" not in str(caught.value)


# --- demo ------------------------------------------------------------------------------------------------------------


def test_the_demo_without_a_terminal(sipcore: Run) -> None:
    ended = sipcore("demo", "--duration", "3")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "NOT OK" not in ended.stdout
    assert re.search(r"^INFO alice: Registered: registered for \d+ s: 200 OK from 127\.0\.0\.1", ended.stdout, re.M)
    assert re.search(r"^WARNING mallory: Rejected: refused credentials: 401 Unauthorized", ended.stdout, re.M)
    assert re.search(r"^WARNING nobody: \w+: temporary: at 127\.0\.0\.1:\d+ \(UDP\): no answer", ended.stdout, re.M)
    for password in demo.USERS.values():
        assert password not in ended.stdout


def test_the_demo_on_a_terminal(environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    environment |= {"TERM": "xterm", "COLUMNS": "140", "LINES": "40"}
    with subprocess.Popen(
        [sys.executable, "-m", "sipcore_trio.daemon", "demo", "--duration", "3"],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        os.close(ours)
        assert process.wait(PATIENCE) == 0
    text = shown.decode()
    for word in ("sipcore demo", "Next attempt", "alice (UDP)", "Registered", "Rejected", "no answer", "ok: "):
        assert word in text


def test_what_the_demo_expects() -> None:
    """Each expectation fails by itself when the thing did not happen."""
    ledger = good_ledger()
    assert all(good for good, _ in demo.verdicts(ledger))
    faults: list[Callable[[demo.Ledger], object]] = [
        lambda ledger: ledger.registered.pop("alice"),
        lambda ledger: ledger.refreshed.pop("bob"),
        lambda ledger: ledger.rejected.update(carol={OutcomeClass.TEMPORARY}),
        lambda ledger: ledger.left.update(carol=1),
        lambda ledger: ledger.left.pop("carol"),
        lambda ledger: ledger.rejected.pop("mallory"),
        lambda ledger: ledger.registered.update(mallory=1),
        lambda ledger: ledger.registered.update(nobody=1),
        lambda ledger: ledger.unanswered.clear(),
        lambda ledger: setattr(ledger, "closed", False),
    ]
    for fault in faults:
        ledger = good_ledger()
        fault(ledger)
        assert [good for good, _ in demo.verdicts(ledger)].count(False) == 1


def good_ledger() -> demo.Ledger:
    ledger = demo.Ledger(closed=True)
    for name in demo.GOOD:
        ledger.registered[name] = 1
        ledger.refreshed[name] = 2
        ledger.left[name] = 0
    cause = Cause(detail="")
    ledger.note(Rejected(name="mallory", kind=OutcomeClass.CREDENTIALS, status=401, cause=cause, retry_at=None))
    ledger.note(Rejected(name="nobody", kind=OutcomeClass.TEMPORARY, status=None, cause=cause, retry_at=None))
    # The removal of a binding that never was fails, too, and says nothing.
    ledger.note(
        Rejected(name="alice", kind=OutcomeClass.TEMPORARY, status=None, cause=cause, retry_at=None, removal=True)
    )
    return ledger


@pytest.mark.parametrize("duration", [3, 5, 15, 60, 3600])
def test_the_plan_fits_into_the_duration(duration: float) -> None:
    plan = demo.plan(duration)
    assert plan.timeout < duration / 2
    assert plan.expires * 0.5 < duration
    text = demo.CONFIGURATION.format(
        t1=plan.t1,
        timeout=64 * plan.t1,
        expires=plan.expires,
        registrar="127.0.0.1:1",
        stream="127.0.0.1:2",
        silent="127.0.0.1:3",
    )
    configuration = asterisk.parse(text, profile=SIPCORE)
    assert {account.name for account in configuration.accounts} == {*demo.GOOD, demo.WRONG, demo.SILENT}
    assert {account.timing.f for account in configuration.accounts} == {plan.timeout}
    assert configuration.warnings == ()
