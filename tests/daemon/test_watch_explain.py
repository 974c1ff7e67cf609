"""`sipcore watch` and `sipcore explain`, over the control socket of a real daemon."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable

from tests.daemon.conftest import Config, Ports, Process, entry
from tests.secrecy import PASSWORD, heard

Start = Callable[..., Process]
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_watch_follows_each_change(start: Start, sipcore: Run, registrar: Ports, config: Config) -> None:
    config.write(
        entry("alice", f"sip:127.0.0.1:{registrar.udp}"),
        entry("bob", f"sip:127.0.0.1:{registrar.udp}"),
    )
    start(*config.arguments()).wait_for("bob: Registered")
    control = ("--control", config.control)
    everyone = start("watch", *control)
    one = start("watch", "alice", "--json", *control)
    everyone.wait_for("bob: Registered, 127.0.0.1")
    one.wait_for('"state":"Registered"')
    seen = len(one.lines)
    sipcore("send", "unregister", "*all", *control)
    everyone.wait_for("alice: Unregistered")
    everyone.wait_for("bob: Unregistered")
    one.wait_for('"state":"Unregistered"', start=seen)
    items = [json.loads(line) for line in one.lines]
    assert {item["name"] for item in items} == {"alice"}
    everyone.signal(signal.SIGINT)
    assert everyone.wait() == 130
    assert "Traceback" not in everyone.output


def test_watch_tells_of_the_end_of_the_daemon(start: Start, registrar: Ports, config: Config) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments())
    daemon.wait_for("alice: Registered")
    watcher = start("watch", "--control", config.control)
    watcher.wait_for("alice: Registered")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert watcher.wait() == 3
    assert "alice: Unregistered" in watcher.output
    assert "closed the connection" in watcher.output


def test_watch_of_a_name_that_is_not_there(start: Start, sipcore: Run, registrar: Ports, config: Config) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    start(*config.arguments()).wait_for("alice: Registered")
    for command in ("watch", "explain"):
        done = sipcore(command, "alise", "--control", config.control)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "sipcore: there is no registration 'alise'; did you mean 'alice'?\n"


def test_on_a_terminal_watch_shows_a_table(
    start: Start, registrar: Ports, config: Config, environment: dict[str, str]
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    start(*config.arguments()).wait_for("alice: Registered")
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "sipcore_trio.daemon", "watch", "--control", config.control]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm"}) as on:
        os.close(theirs)
        shown = b""
        while b"Registered" not in shown:
            shown += os.read(ours, 4096)
        on.send_signal(signal.SIGINT)
        assert on.wait(timeout=30) == 130
        os.close(ours)
    heard(shown.decode("utf-8", "replace"), "sipcore watch")
    assert b"alice" in shown


def test_explain_names_the_fatal_response(start: Start, sipcore: Run, registrar: Ports, config: Config) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}", password=f"{PASSWORD}-wrong"))
    daemon = start(*config.arguments(profile="ASTERISK"))
    daemon.wait_for("alice: Rejected")
    text = sipcore("explain", "alice", "--control", config.control)
    assert text.returncode == 0
    assert "alice is not registered: it was rejected" in text.stdout
    assert "Fatal response '401' received from" in text.stdout
    assert "Next: nothing until somebody asks: sipcore send register alice" in text.stdout
    same = json.loads(sipcore("explain", "alice", "--json", "--control", config.control).stdout)
    assert set(same) == {"summary", "said", "rule", "next", "advice"}
    assert "wrong" not in [same["summary"], same["said"], *same["advice"][:1]]


def test_asterisks_commands_as_scripts_give_them(
    start: Start, sipcore: Run, registrar: Ports, config: Config
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"), entry("bob", f"sip:127.0.0.1:{registrar.udp}"))
    start(*config.arguments()).wait_for("bob: Registered")
    control = ("--control", config.control)
    shown = sipcore("-rx", "pjsip show registrations", *control)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("\n <Registration/ServerURI...")
    assert f" alice/sip:127.0.0.1:{registrar.udp}" in shown.stdout
    assert shown.stdout.endswith("\nObjects found: 2\n\n")
    for words in (("show", "registrations"), ("list", "registrations")):
        same = sipcore(*words, "--asterisk", *control)
        assert [line[:90] for line in same.stdout.splitlines()] == [line[:90] for line in shown.stdout.splitlines()]
        assert same.returncode == 0
    one = sipcore("show", "registration", "alice", "--asterisk", *control).stdout
    assert " client_uri               : sip:alice@example.com\n" in one
    assert sipcore("-rx", "pjsip send unregister alice", *control).returncode == 0
    assert sipcore("-rx", "module reload res_pjsip_outbound_registration.so", *control).stdout == (
        "Module 'res_pjsip_outbound_registration.so' reloaded successfully.\n"
    )
    wrong = sipcore("-rx", "pjsip shw registrations", *control)
    assert wrong.returncode == 1
    assert wrong.stdout.startswith("No such command 'pjsip shw registrations'")
    config.path.write_text("[x]\ntype = registration\n")
    refused = sipcore("asterisk", "core", "reload", *control)
    assert refused.returncode == 1
    assert "server_uri" in refused.stdout
