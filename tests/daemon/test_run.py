"""The daemon from outside: a process with a configuration, a registrar, signals and a control socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sipcore_trio.daemon import cli, client
from tests.daemon.conftest import PATIENCE, SYSTEM, Config, Ports, Process, entry
from tests.secrecy import PASSWORD

CANARY = PASSWORD

Start = Callable[..., Process]
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_life(start: Start, sipcore: Run, registrar: Ports, config: Config) -> None:
    """Registered, shown, un-registered, registered again, and un-registered by SIGTERM."""
    config.write(
        entry("alice", f"sip:127.0.0.1:{registrar.udp}"),
        entry("bob", f"sip:127.0.0.1:{registrar.tcp}\\;transport=tcp"),
    )
    daemon = start(*config.arguments())
    daemon.wait_for(
        f"alice: Registered: registered for 3600 s: 200 OK from 127.0.0.1:{registrar.udp} (UDP); next refresh"
    )
    daemon.wait_for(
        f"bob: Registered: registered for 3600 s: 200 OK from 127.0.0.1:{registrar.tcp} (TCP); next refresh"
    )
    assert stat.S_IMODE(os.stat(config.control).st_mode) == 0o600
    control = ("--control", config.control)

    shown = sipcore("show", "registrations", "--json", *control)
    assert shown.returncode == 0
    alice, bob = json.loads(shown.stdout)
    assert (alice["name"], alice["state"], alice["transport"]) == ("alice", "Registered", "UDP")
    assert (bob["name"], bob["state"], bob["transport"]) == ("bob", "Registered", "TCP")
    assert alice["cause"]["code"] == 200
    assert [binding["own"] for binding in alice["bindings"]] == [True]

    table = sipcore("show", "registrations", *control)
    assert [line.split()[:2] for line in table.stdout.splitlines()] == [
        ["NAME", "STATE"],
        ["alice", "Registered"],
        ["bob", "Registered"],
    ]
    one = sipcore("show", "registration", "bob", *control)
    assert "state: Registered" in one.stdout.splitlines()
    assert json.loads(sipcore("show", "registration", "bob", "--json", *control).stdout)["name"] == "bob"

    assert sipcore("send", "unregister", "alice", *control).stdout == "unregister: alice\n"
    daemon.wait_for(f"alice: Unregistered: 200 OK from 127.0.0.1:{registrar.udp} (UDP): removed on request")
    assert sipcore("show", "registrations", *control).returncode == 4
    assert sipcore("show", "registration", "alice", *control).returncode == 4
    assert sipcore("show", "registration", "bob", *control).returncode == 0
    seen = len(daemon.lines)
    assert sipcore("send", "register", "*all", *control).stdout == "register: 2 registrations\n"
    daemon.wait_for("alice: Registered: registered", start=seen)

    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    stopping = daemon.output[daemon.output.index("stopping: removing the bindings of 2 registrations") :]
    assert f"alice: Unregistered: 200 OK from 127.0.0.1:{registrar.udp} (UDP): removed on request" in stopping
    assert daemon.lines[-1].endswith("INFO stopped")
    assert not Path(config.control).exists()


def test_under_the_profile_of_asterisk_by_default(start: Start, registrar: Ports, config: Config) -> None:
    more = "max_random_initial_delay = 0\nexpiration = 120\n"
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}", more=more))
    daemon = start("run", "-c", str(config.path), "--control", config.control)
    daemon.wait_for("1 registration, profile ASTERISK")
    line = daemon.wait_for("alice: Registered: registered for 120 s")
    assert line.endswith("(in 110 s)")
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    assert f"alice: Unregistered: 200 OK from 127.0.0.1:{registrar.udp} (UDP): removed" in daemon.output
    assert "stopping: removing the bindings of 1 registration\n" in daemon.output


def test_names_that_are_not_there(start: Start, sipcore: Run, registrar: Ports, config: Config) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    start(*config.arguments()).wait_for("alice: Registered")
    for command in (["show", "registration"], ["send", "register"], ["send", "unregister"], ["trace"]):
        refused = sipcore(*command, "alcie", "--control", config.control)
        assert refused.returncode == 1
        assert refused.stderr == "sipcore: there is no registration 'alcie'; did you mean 'alice'?\n"


def test_reload(start: Start, sipcore: Run, registrar: Ports, config: Config) -> None:
    """Added, removed, changed and untouched registrations; a bad file changes nothing and says why."""
    uri = f"sip:127.0.0.1:{registrar.udp}"
    config.write(entry("alice", uri), entry("bob", uri))
    daemon = start(*config.arguments())
    daemon.wait_for("alice: Registered")
    daemon.wait_for("bob: Registered")
    control = ("--control", config.control)
    before = json.loads(sipcore("show", "registration", "bob", "--json", *control).stdout)
    seen = len(daemon.lines)

    config.write(entry("bob", uri), entry("carol", uri))
    assert sipcore("reload", *control).stdout == "2 registrations\n"
    daemon.wait_for("carol: Registered", start=seen)
    daemon.wait_for("alice: Unregistered: 200 OK from", start=seen)
    names = [item["name"] for item in json.loads(sipcore("show", "registrations", "--json", *control).stdout)]
    assert names == ["bob", "carol"]
    after = json.loads(sipcore("show", "registration", "bob", "--json", *control).stdout)
    # The offset between the two clocks is measured anew each time.
    assert after["since"] == pytest.approx(before["since"], abs=0.01)
    assert not [line for line in daemon.lines[seen:] if "bob" in line]

    config.write(entry("bob", uri, more="expiraton = 60"))
    refused = sipcore("reload", *control)
    told = f"{config.path}:10: expiraton: not an option of type registration; did you mean 'expiration'?"
    assert (refused.returncode, refused.stderr) == (2, f"sipcore: {told}\n")
    daemon.wait_for(f"ERROR reload refused, nothing changed: {told}")
    assert len(json.loads(sipcore("show", "registrations", "--json", *control).stdout)) == 2

    seen = len(daemon.lines)
    config.write(entry("alice", uri))
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("alice: Registered", start=seen)
    seen = len(daemon.lines)
    config.path.unlink()
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("reload refused, nothing changed", start=seen)
    assert sipcore("show", "registrations", *control).returncode == 0


def test_a_reload_that_never_ends_keeps_nobody_from_ending_the_daemon(
    start: Start, sipcore: Run, registrar: Ports, config: Config, environment: dict[str, str], control: str
) -> None:
    """As with a file on a server that is gone: reading it blocks, here in a pipe that nobody writes to."""
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    notes = Path(control).with_name("notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(notes))
        systemd.settimeout(30.0)
        environment["NOTIFY_SOCKET"] = str(notes)
        daemon = start(*config.arguments())
        daemon.wait_for("Registered")
        config.path.unlink()
        os.mkfifo(config.path, 0o600)
        told: list[str] = []
        for _ in range(3):
            daemon.signal(signal.SIGHUP)
            while not told or not told[-1].startswith("RELOADING=1"):
                told.append(systemd.recv(4096).decode())
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        daemon.wait_for("removed on request")
        systemd.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                told.append(systemd.recv(4096).decode())
        stopping = next(index for index, note in enumerate(told) if note.startswith("STOPPING=1"))
        assert not any(note.startswith("READY=1") for note in told[stopping:])


def test_a_reload_that_needs_an_address_in_use_changes_nothing(
    start: Start, sipcore: Run, registrar: Ports, config: Config
) -> None:
    uri = f"sip:127.0.0.1:{registrar.udp}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        port = own.getsockname()[1]
    transport = f"[t]\ntype = transport\nbind = 127.0.0.1:{port}\n"
    config.write(transport, entry("alice", uri))
    daemon = start(*config.arguments())
    daemon.wait_for("alice: Registered")
    control = ("--control", config.control)
    # Its own address is in use by itself, which is no obstacle.
    assert sipcore("reload", *control).returncode == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        other = taken.getsockname()[1]
        config.write(transport.replace(str(port), str(other)), entry("bob", uri))
        refused = sipcore("reload", *control)
    assert refused.returncode == 2
    assert refused.stderr == f"sipcore: {config.path}:7: bind: UDP 127.0.0.1:{other}: Address already in use\n"
    shown = json.loads(sipcore("show", "registrations", "--json", *control).stdout)
    assert [(item["name"], item["state"]) for item in shown] == [("alice", "Registered")]


def test_a_wrong_password_is_told_with_all_that_is_known(
    start: Start, sipcore: Run, registrar: Ports, config: Config
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}", password=f"{CANARY}-wrong"))
    daemon = start(*config.arguments("--log-level", "debug"))
    line = daemon.wait_for("alice: Rejected: refused credentials")
    assert f"401 Unauthorized from 127.0.0.1:{registrar.udp} (UDP)" in line
    assert "next attempt at " in line
    assert sipcore("show", "registration", "alice", "--control", config.control).returncode == 4


def test_a_trace_shows_messages_without_secrets(start: Start, registrar: Ports, config: Config, sipcore: Run) -> None:
    config.write(
        entry("alice", f"sip:127.0.0.1:{registrar.udp}"),
        entry("bob", f"sip:127.0.0.1:{registrar.tcp}\\;transport=tcp"),
    )
    daemon = start(*config.arguments("--trace"))
    daemon.wait_for("alice: Registered")
    daemon.wait_for("bob: Registered")
    tracer = start("trace", "bob", "--control", config.control)
    tracer.wait_for("tracing bob")
    sipcore("send", "register", "*all", "--control", config.control)
    tracer.wait_for("received from")
    tracer.wait_for("Authorization: Digest")
    for output in (daemon.output, tracer.output):
        assert "response=***" in output
        assert 'response="' not in output
    assert "REGISTER sip:" in tracer.output
    assert "alice" not in tracer.output
    assert f"sent to 127.0.0.1:{registrar.tcp} (TCP)" in tracer.output
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert tracer.wait() == 3, "the daemon ended, and a trace never ends by itself"


def test_a_registrar_that_is_silent_does_not_hold_up_the_end(start: Start, config: Config) -> None:
    silent = start("registrar", "--listen", "udp:127.0.0.1:0", "--silent")
    port = silent.wait_for("listening on udp:").rpartition(":")[2]
    config.write(entry("alice", f"sip:127.0.0.1:{port}"))
    daemon = start(*config.arguments("--stop-within", "0.2"))
    daemon.wait_for("temporary: at ")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert daemon.lines[-1].endswith("WARNING stopped: 1 removal not confirmed within 0.2 s: alice")


def test_a_second_signal_ends_it_at_once(start: Start, sipcore: Run, config: Config) -> None:
    silent = start("registrar", "--listen", "udp:127.0.0.1:0", "--silent")
    port = silent.wait_for("listening on udp:").rpartition(":")[2]
    config.write(entry("alice", f"sip:127.0.0.1:{port}"))
    config.path.write_text(config.path.read_text().replace("timer_b = 1280", "timer_b = 3600000"))
    daemon = start(*config.arguments("--stop-within", "86400", "--trace"))
    daemon.wait_for("sent to")
    daemon.signal(signal.SIGTERM)
    daemon.wait_for("stopping")
    # Nothing is registered any more once the end has begun.
    refused = sipcore("send", "register", "alice", "--control", config.control)
    assert (refused.returncode, refused.stderr) == (1, "sipcore: the daemon is stopping\n")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert not Path(config.control).exists()


GOOD = entry("alice", "sip:127.0.0.1:9")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "client_uri",
            "cleint_uri",
            ":8: cleint_uri: not an option of type registration; did you mean 'client_uri'?",
        ),
        ("sip:127.0.0.1:9", "127.0.0.1", ":7: server_uri = '127.0.0.1': "),
        (
            "outbound_auth = alice",
            "outbound_auth = alise",
            ":9: outbound_auth = 'alise': no section [alise] of type auth; did you mean 'alice'?",
        ),
        ("= alice\np", "= al\rice\np", ":13: line: holds the character U+000D, which no value can carry"),
        ("= alice\np", "= alice\r\nrealm = x\r\np", None),
        ("type = auth", "type = auth\nrealm = \0", ":13: line: holds the character U+0000, which no value can carry"),
        ("[alice]\ntype = auth", "[alice]\ntype = aor", ":13: username: not an option of type aor"),
    ],
)
def test_bad_input_starts_nothing(
    sipcore: Run, start: Start, config: Config, old: str, new: str, error: str | None
) -> None:
    config.write(GOOD.replace(old, new))
    if error is None:
        # The line ends of other systems are no fault.
        start(*config.arguments()).wait_for("1 registration, profile")
        return
    ended = sipcore(*config.arguments())
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"sipcore: {config.path}{error}")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""
    assert CANARY not in ended.stderr
    assert not Path(config.control).exists()


def test_a_port_in_use_starts_nothing(sipcore: Run, config: Config) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        config.write(GOOD, f"[t]\ntype = transport\nbind = 127.0.0.1:{port}\n")
        ended = sipcore(*config.arguments())
    assert ended.returncode == 2
    assert ended.stderr == f"sipcore: {config.path}:17: bind: UDP 127.0.0.1:{port}: Address already in use\n"
    assert not Path(config.control).exists()


def test_an_address_of_another_host_starts_nothing(sipcore: Run, config: Config) -> None:
    config.write(GOOD, "[t]\ntype = transport\nbind = 192.0.2.1:5060\n")
    ended = sipcore(*config.arguments())
    assert ended.returncode == 2
    assert ended.stderr == f"sipcore: {config.path}:17: bind: UDP 192.0.2.1:5060: Cannot assign requested address\n"


def test_an_unreadable_file_starts_nothing(sipcore: Run, config: Config) -> None:
    ended = sipcore(*config.arguments())
    assert (ended.returncode, ended.stderr) == (
        2,
        f"sipcore: {config.path}: file: cannot be read: No such file or directory\n",
    )


def test_a_control_socket_in_use_starts_nothing(start: Start, sipcore: Run, config: Config) -> None:
    config.write(GOOD)
    start(*config.arguments()).wait_for("1 registration")
    ended = sipcore(*config.arguments())
    assert ended.returncode == 2
    assert ended.stderr == f"sipcore: {config.control}: control socket: another daemon listens here; see --control\n"
    assert Path(config.control).exists()


def test_permissions(start: Start, sipcore: Run, config: Config) -> None:
    config.write(GOOD)
    config.path.chmod(0o644)
    told = f"{config.path}: file: holds secrets and has mode 0644, so that others can read or change it; chmod 600"
    ended = sipcore(*config.arguments("--strict-permissions"))
    assert (ended.returncode, ended.stderr) == (2, f"sipcore: {told}\n")
    start(*config.arguments()).wait_for(f"WARNING {told}")


def test_warnings_are_logged(start: Start, config: Config) -> None:
    config.write(GOOD.replace("type = registration", "type = registration\nretry_interval = 010"))
    daemon = start(*config.arguments())
    daemon.wait_for(f"WARNING {config.path}:7: retry_interval: a leading 0 means octal, as in Asterisk: 010 is 8")


def test_under_a_journal_lines_have_no_time(config: Config, environment: dict[str, str]) -> None:
    # The variable counts only where it tells of the very stderr that there is.
    config.write(GOOD)
    log = config.path.with_suffix(".log")
    with log.open("w") as stderr:
        status = os.fstat(stderr.fileno())
        for stream, stamped in ((f"{status.st_dev}:{status.st_ino}", False), ("1:2", True), ("", True)):
            stderr.truncate(0)
            ended = subprocess.run(
                [sys.executable, "-c", LOGGED],
                env={**environment, "JOURNAL_STREAM": stream},
                stderr=stderr,
                check=True,
            )
            assert ended.returncode == 0
            assert log.read_text().lstrip("\0").startswith("INFO ") is not stamped


LOGGED = "from sipcore_trio.daemon.logs import start_logging; start_logging('info').info('x')"


def test_an_empty_or_cut_off_file_removes_nothing(start: Start, sipcore: Run, registrar: Ports, config: Config) -> None:
    config.write()
    told = f"sipcore: {config.path}: file: has no section of type registration\n"
    ended = sipcore(*config.arguments())
    assert (ended.returncode, ended.stderr) == (2, told)
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments())
    daemon.wait_for("alice: Registered")
    config.path.write_text("")
    refused = sipcore("reload", "--control", config.control)
    assert (refused.returncode, refused.stderr) == (2, told)
    seen = len(daemon.lines)
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("reload refused, nothing changed", start=seen)
    assert sipcore("show", "registrations", "--control", config.control).returncode == 0


def test_nothing_is_not_registered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], control: str
) -> None:
    monkeypatch.setattr(client, "exchange", lambda path, request: iter([{"ok": True}]))
    assert cli.main(["show", "registrations", "--control", control]) == 4
    assert capsys.readouterr().out == "NAME  STATE  SERVER  EXPIRES  NEXT ATTEMPT  CAUSE\n"
    assert cli.main(["show", "registration", "alice", "--control", control]) == 3


def test_garbage_on_the_control_socket_ends_nothing(
    start: Start, sipcore: Run, registrar: Ports, config: Config
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    start(*config.arguments()).wait_for("alice: Registered")
    for line in (b'{"command": []}', b'{"command": {}}', b'{"command": "trace", "name": []}', b'{"command": "show"'):
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(config.control)
            rude.sendall(line + b"\n")
            assert json.loads(rude.recv(1000))["ok"] is False
    assert sipcore("show", "registrations", "--control", config.control).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("closed", [False, True])
def test_a_trace_to_a_full_or_closed_stderr_ends_nothing(
    sipcore: Run, registrar: Ports, config: Config, environment: dict[str, str], closed: bool
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    command = [sys.executable, "-m", "sipcore_trio.daemon", *config.arguments("--trace")]
    redirected = "2>&-" if closed else "2>/dev/full"
    daemon = subprocess.Popen(["sh", "-c", f'exec "$@" {redirected}', "sh", *command], env=environment)
    try:
        registrar.process.wait_for("200 OK")
        assert sipcore("send", "register", "alice", "--control", config.control).returncode == 0
        seen = len(registrar.process.lines)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
        registrar.process.wait_for("alice", start=seen)
    finally:
        daemon.kill()
        daemon.wait()


def test_a_look_that_fails_ends_nothing(registrar: Ports, config: Config, environment: dict[str, str]) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    program = FAULTY.format(fault="run.show_trace = broken")
    daemon = subprocess.Popen([sys.executable, "-c", program, *config.arguments("--trace")], env=environment)
    try:
        registrar.process.wait_for("200 OK")
        daemon.terminate()
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
        daemon.wait()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGHUP, None)], ids=lambda value: str(value)
)
@pytest.mark.parametrize("phase", ["loading", "opening"])
def test_a_signal_before_anything_is_started(
    start: Start, config: Config, environment: dict[str, str], number: signal.Signals, code: int | None, phase: str
) -> None:
    config.write(GOOD)
    program = EARLY.format(number=int(number), module={"loading": "load_file", "opening": "ControlSocket"}[phase])
    ended = subprocess.Popen(
        [sys.executable, "-c", program, *config.arguments("--stop-within", "0.1")],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert ended.stderr is not None
    try:
        if code is None:
            assert "1 registration, profile" in ended.stderr.readline()
            ended.terminate()
        _, output = ended.communicate(timeout=PATIENCE)
        assert ended.returncode == 0
        assert ("stopping" in output) is (code is None)
        assert "Traceback" not in output
        assert not Path(config.control).exists()
    finally:
        ended.kill()
        ended.wait()
        ended.stderr.close()


EARLY = """
import os, sys
from sipcore_trio.daemon import cli, starting
real = starting.{module}
def signalled(*arguments, **keywords):
    os.kill(os.getpid(), {number})
    return real(*arguments, **keywords)
starting.{module} = signalled
sys.exit(cli.main(sys.argv[1:]))
"""
"""The daemon, with a signal to itself at one step of its start."""


@pytest.mark.parametrize(
    "fault",
    [
        "run.Narrator.tell = broken",
        "run.Daemon.on_event = broken",
        "run.ControlSocket.serve = broken_task",
        "run.Daemon._signals = broken_task",
        "run.TracedAgent.on_response = broken_once(run.TracedAgent.on_response)",
        "run.Daemon._tidy = broken",
    ],
)
def test_a_fault_of_our_own_ends_with_the_bindings_removed(
    registrar: Ports, config: Config, environment: dict[str, str], fault: str
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    ended = subprocess.run(
        [sys.executable, "-c", FAULTY.format(fault=fault), *config.arguments("--stop-within", "5")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert "ERROR internal error, the daemon ends: ZeroDivisionError at " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "stopping: removing the bindings of 1 registration" in ended.stderr
    assert not Path(config.control).exists()
    if "on_event" not in fault:
        assert "not confirmed" not in ended.stderr


FAULTY = """
import sys
import trio
from sipcore_trio.daemon import cli, run
def broken(*arguments):
    1 / 0
async def broken_task(*arguments):
    await trio.sleep(0.3)
    1 / 0
def broken_once(real):
    left = [1]
    def method(*arguments):
        if left:
            left.pop()
            1 / 0
        return real(*arguments)
    return method
{fault}
sys.exit(cli.main(sys.argv[1:]))
"""
"""The daemon, with one part of it broken."""


def test_all_registrations_but_those_that_are_just_being_removed(start: Start, sipcore: Run, config: Config) -> None:
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    uri = f"sip:127.0.0.1:{silent.getsockname()[1]}"
    slow = SYSTEM.replace("1280", "60000")
    config.path.touch(mode=0o600)
    config.path.write_text(slow + entry("alice", uri) + entry("bob", uri))
    daemon = start(*config.arguments("--stop-within", "0.1"))
    with silent:
        while b"alice" not in silent.recv(65536):
            pass
    config.path.write_text(slow + entry("bob", uri))
    control = ("--control", config.control)
    assert sipcore("reload", *control).stdout == "1 registration\n"
    for command in ("register", "unregister"):
        done = sipcore("send", command, "*all", *control)
        assert done.stdout == f"{command}: 1 registration; 1 skipped, just being removed\n"
        one = sipcore("send", command, "alice", *control)
        assert (one.returncode, one.stderr) == (1, "sipcore: the registration 'alice' is being removed\n")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0


def test_a_trace_that_is_interrupted(start: Start, registrar: Ports, config: Config) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    start(*config.arguments()).wait_for("alice: Registered")
    tracer = start("trace", "alice", "--control", config.control)
    tracer.wait_for("tracing alice")
    tracer.signal(signal.SIGINT)
    assert tracer.wait() == 130
    assert "Traceback" not in tracer.output


def test_a_locale_that_lacks_a_character(
    start: Start, sipcore: Run, config: Config, environment: dict[str, str]
) -> None:
    config.write(entry("b\u00fcro", "sip:127.0.0.1:9").replace("sip:b\u00fcro@", "sip:b@"))
    start(*config.arguments()).wait_for("1 registration")
    environment["PYTHONIOENCODING"] = "ascii"
    shown = sipcore("show", "registrations", "--control", config.control)
    assert (shown.returncode, shown.stderr) == (4, "")
    assert "b\\xfcro" in shown.stdout
