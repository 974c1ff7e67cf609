"""The daemon from outside: a process with a configuration, a registrar, signals and a control socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.daemon.conftest import Process

CANARY = "canary-5e0f"

Start = Callable[..., Process]
Run = Callable[..., subprocess.CompletedProcess[str]]


class Ports(NamedTuple):
    udp: int
    tcp: int
    process: Process


@pytest.fixture
def registrar(start: Start) -> Ports:
    """A registrar that knows alice, bob and carol."""
    users = [part for name in ("alice", "bob", "carol") for part in ("--user", f"{name}:{CANARY}")]
    process = start("registrar", "--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0", *users)
    udp = int(process.wait_for("listening on udp:").rpartition(":")[2])
    tcp = int(process.wait_for("listening on tcp:").rpartition(":")[2])
    return Ports(udp, tcp, process)


def entry(name: str, uri: str, *, password: str = CANARY, more: str = "") -> str:
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
    daemon.wait_for("alice: Unregistered: 200 OK: removed on request")
    assert sipcore("show", "registrations", *control).returncode == 4
    assert sipcore("show", "registration", "alice", *control).returncode == 4
    assert sipcore("show", "registration", "bob", *control).returncode == 0
    seen = len(daemon.lines)
    assert sipcore("send", "register", "*all", *control).stdout == "register: 2 registrations\n"
    daemon.wait_for("alice: Registered: registered", start=seen)

    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert "alice: Unregistered: 200 OK: removed on request" in daemon.output[daemon.output.index("stopping") :]
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
    assert "alice: Unregistered: 200 OK: removed on request" in daemon.output


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
    daemon.wait_for("alice: Unregistered: 200 OK: removed on request", start=seen)
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
    assert "removals were not answered within 0.2 s" in daemon.lines[-1]


def test_a_second_signal_ends_it_at_once(start: Start, sipcore: Run, config: Config) -> None:
    silent = start("registrar", "--listen", "udp:127.0.0.1:0", "--silent")
    port = silent.wait_for("listening on udp:").rpartition(":")[2]
    config.write(entry("alice", f"sip:127.0.0.1:{port}").replace("timer_b = 1280", "timer_b = 60000"))
    daemon = start(*config.arguments("--stop-within", "86400"))
    daemon.wait_for("temporary: at ")
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
        ("[alice]\ntype = auth", "[alice]\ntype = aor", ":12: type = 'aor': not supported yet; "),
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


def test_under_a_journal_lines_have_no_time(start: Start, config: Config, environment: dict[str, str]) -> None:
    environment["JOURNAL_STREAM"] = "1:2"
    config.write(GOOD)
    assert start(*config.arguments()).wait_for("1 registration").startswith("INFO ")
