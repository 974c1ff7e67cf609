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
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from sipcore import asterisk
from sipcore.errors import ConfigError
from sipcore.events import Rejected
from sipcore.profiles import SIPCORE
from sipcore.values import Cause, OutcomeClass, Protocol, Secret
from sipcore_trio.daemon import cli, codes, demo, probe
from sipcore_trio.daemon.registrar import parse_listen, parse_user
from tests.daemon.conftest import PATIENCE, Process
from tests.secrecy import PASSWORD

CANARY = PASSWORD

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
        (["example.com", "--user", "a"], "sipcore: URI example.com: a registrar such as sip:example.com\n"),
        (["tel:+1", "--user", "a"], "sipcore: URI tel:+1: a registrar without a user, such as sip:example.com\n"),
        (
            [f"sip:a:{CANARY}@h", "--user", "a"],
            "sipcore: URI sip:a:***@h: a registrar without a user, such as sip:example.com\n",
        ),
        (
            ["sip:h", "--user", "a", "--expires", "0"],
            "sipcore: --expires 0: a whole number of seconds, from 1 to 4294967295\n",
        ),
        (["sip:h", "--user", ""], "sipcore: --user: must not be empty\n"),
        (["sip:h", "--user", "a", "--auth-user", ""], "sipcore: --auth-user: must not be empty\n"),
        (
            ["sip:h", "--user", "a", "--password-file", "/nonexistent"],
            "sipcore: --password-file /nonexistent: No such file or directory\n",
        ),
        (
            ["sip:h", "--user", "a", "--password-file", "/dev/null"],
            "sipcore: --password-file /dev/null: empty, or its first line is; the password has to stand there\n",
        ),
    ],
)
def test_a_probe_that_cannot_start(sipcore: Run, arguments: list[str], error: str) -> None:
    ended = sipcore("probe", *arguments)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", error)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_probe(start: Start, number: signal.Signals, code: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as registrar:
        registrar.bind(("127.0.0.1", 0))
        registrar.settimeout(PATIENCE)
        port = registrar.getsockname()[1]
        process = start("probe", f"sip:127.0.0.1:{port}", "--user", "alice", "--timeout", "600")
        request, client = registrar.recvfrom(65536)
        process.signal(number)
        # What was sent may have been taken, so it is removed.
        while b"expires=0" not in request and b"Expires: 0" not in request:
            registrar.sendto(answer(request, "200 OK", contact=b"expires=0" not in request), client)
            request, client = registrar.recvfrom(65536)
        registrar.sendto(answer(request, "200 OK"), client)
        assert process.wait() == code
    assert process.output.startswith("sip:alice@127.0.0.1: interrupted: ")
    assert "Traceback" not in process.output


def answer(request: bytes, status: str, *, contact: bool = False) -> bytes:
    """A response as a registrar writes it, to a request of our own."""
    wanted = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:") + ((b"contact:",) if contact else ())
    kept = [line for line in request.split(b"\r\n") if line.lower().startswith(wanted)]
    kept = [line + b";tag=1" if line.lower().startswith(b"to:") else line for line in kept]
    more = [b"Expires: 60"] if contact else []
    return b"\r\n".join([b"SIP/2.0 " + status.encode(), *kept, *more, b"Content-Length: 0", b"", b""])


@pytest.mark.parametrize(
    ("status", "code"),
    [("302 Moved", 14), ("423 Interval Too Brief", 15), ("404 Not Found", 13), ("503 Busy", 11), ("403 Forbidden", 13)],
)
def test_the_status_of_a_probe_tells_what_the_registrar_said(start: Start, status: str, code: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as registrar:
        registrar.bind(("127.0.0.1", 0))
        registrar.settimeout(PATIENCE)
        process = start("probe", f"sip:127.0.0.1:{registrar.getsockname()[1]}", "--user", "alice")
        request, client = registrar.recvfrom(65536)
        registrar.sendto(answer(request, status), client)
        if code == 15:  # asks once more, for longer
            request, client = registrar.recvfrom(65536)
            registrar.sendto(answer(request, status), client)
        assert process.wait() == code
    assert status in process.output


def test_the_time_of_a_probe_is_bounded_over_all_its_requests() -> None:
    """A challenge that is answered begins a transaction of its own, but no time of its own."""
    account = probe.make_account(cli.parser().parse_args(["probe", "sip:192.0.2.1", "--user", "a"]), Secret("b"))
    clock = trio.testing.MockClock(autojump_threshold=0)
    attempt = probe._Attempt(account)

    async def main() -> float:
        started = trio.current_time()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            attempt.account = replace(account, registrar=f"sip:127.0.0.1:{silent.getsockname()[1]}")
            await attempt.run(3.0)
        return trio.current_time() - started

    took = trio.run(main, clock=clock)
    assert 3.0 <= took <= 3.0 + probe.GRACE + probe.LEAVE_WITHIN + 0.01
    assert attempt.code() == codes.NO_ANSWER
    assert attempt.line(3.0) == "sip:a@192.0.2.1: failed: no answer within 3 s"


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
        assert (caught.value.option, caught.value.value) == ("--listen", text)
    assert parse_listen("UDP:127.0.0.1:1") == (Protocol.UDP, ("127.0.0.1", 1))


def test_users_of_the_registrar() -> None:
    assert parse_user("alice:a:b") == ("alice", Secret("a:b"))
    assert parse_user("alice:") == ("alice", Secret(""))
    for text in ("alice", ":secret", "", "secret", "bob:secret\r\nX: y", "bo\nb:secret"):
        with pytest.raises(ConfigError) as caught:
            parse_user(text)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--user", "a:1", "--user", "a:2"], "--user a: given twice"),
        (["--user", "canary"], "--user: NAME:PASSWORD"),
        (["--user", "a:canary\r\n"], "--user a: no line ends and no NUL, only what UTF-8 can carry"),
        (["--user", "a\tb:canary"], "--user a\\x09b: text without control characters"),
        (["--realm", ""], "--realm: text without control characters, and not empty"),
        (["--min-expires", "0"], "--min-expires 0: a whole number of seconds, from 1 to 4294967295"),
        (
            ["--min-expires", "9", "--max-expires", "8"],
            "--max-expires 8: at least --min-expires, which is 9",
        ),
        (
            ["--listen", "tls:127.0.0.1:1"],
            "--listen tls:127.0.0.1:1: udp or tcp, an IP address and a port, such as udp:127.0.0.1:5070",
        ),
    ],
)
def test_a_registrar_that_cannot_start(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["registrar", "--listen", "udp:127.0.0.1:0", *arguments]) == codes.USAGE
    assert capsys.readouterr() == ("", f"sipcore: {error}\n")


def test_a_registrar_listens_everywhere_or_says_nothing(sipcore: Run) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"udp:127.0.0.1:{taken.getsockname()[1]}"
        ended = sipcore("registrar", "--listen", "udp:127.0.0.1:0", "--listen", address)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"sipcore: --listen {address}: Address already in use\n"


# --- demo ------------------------------------------------------------------------------------------------------------


def test_the_demo_without_a_terminal(sipcore: Run) -> None:
    ended = sipcore("demo", "--duration", "3")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "NOT OK" not in ended.stdout
    assert re.search(
        r"^[\d:]{8} INFO alice: Registered: registered for \d+ s: 200 OK from 127\.0\.0\.1", ended.stdout, re.M
    )
    assert re.search(r"^[\d:]{8} WARNING mallory: Rejected: refused credentials: 401 Unauthorized", ended.stdout, re.M)
    assert re.search(
        r"^[\d:]{8} WARNING nobody: \w+: temporary: at 127\.0\.0\.1:\d+ \(UDP\): no answer", ended.stdout, re.M
    )
    for password in demo.USERS.values():
        assert password not in ended.stdout


def on_a_terminal(environment: dict[str, str], number: signal.Signals | None = None) -> tuple[int, str]:
    """The demo on a terminal of 80 columns; a signal comes when alice is registered."""
    ours, theirs = pty.openpty()
    environment |= {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(
        [sys.executable, "-m", "sipcore_trio.daemon", "demo", "--duration", "3" if number is None else "600"],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
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
            if number is not None and b"Registered" in shown:
                process.send_signal(number)
                number = None
        os.close(ours)
        status = process.wait(PATIENCE)
    return status, re.sub(r"\x1b\[[\d;]*m", "", shown.decode())


def last_picture(text: str) -> list[str]:
    return text.rpartition("sipcore demo: ")[2].splitlines()


def test_the_demo_on_a_terminal(environment: dict[str, str]) -> None:
    status, text = on_a_terminal(environment)
    assert status == 0
    for word in ("s left", "Next", "alice (UDP)", "Registered", "Rejected", "no answer", "ok: "):
        assert word in text
    title, head, *rows = last_picture(text)
    assert title.strip() == "ended"
    assert head.split() == ["Name", "State", "Server", "Expires", "Next", "Cause"]
    # One line for each, on a terminal of 80 columns; and what it shows is the end.
    for name, line in zip((*demo.GOOD, demo.WRONG, demo.SILENT), rows, strict=False):
        assert line.startswith(f"{name} (")
        assert re.search(r"\) +Stopped +127\.0\.0\.1:\d+ (UDP|TCP) ", line)
    assert rows[5].startswith("\x1b[?25h")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_demo_in_good_order(environment: dict[str, str], number: signal.Signals, code: int) -> None:
    status, text = on_a_terminal(environment, number)
    assert status == code
    assert last_picture(text)[0].strip() == "interrupted"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert text.splitlines()[-1].removeprefix("\x1b[?25h") == "interrupted: everything was un-registered"
    assert "Traceback" not in text


@pytest.mark.parametrize("target", ["pipe", "/dev/full"])
def test_the_demo_whose_output_goes_nowhere(environment: dict[str, str], target: str) -> None:
    command = [sys.executable, "-m", "sipcore_trio.daemon", "demo", "--duration", "3"]
    if target == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(target, os.O_WRONLY)
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(writer)
    if target == "pipe":
        assert (ended.returncode, ended.stderr) == (0, "")
    else:
        assert (ended.returncode, ended.stderr) == (1, "sipcore: cannot write: No space left on device\n")


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
