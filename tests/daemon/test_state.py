"""`--state`: killed at any moment, the next daemon goes on where the last one was."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sipcore import Listening, Protocol, Registrar
from sipcore.flows import Flow
from sipcore.syntax.message import Request
from sipcore.values import Address
from sipcore_sync import Driver
from tests.daemon.conftest import PATIENCE, Config, Ports, Process, entry
from tests.secrecy import PASSWORD

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., Process]

NAMES = tuple(f"user{number}" for number in range(12))


class Seen(NamedTuple):
    """A REGISTER that arrived, its copies not counted."""

    branch: str
    call_id: str
    cseq: int
    contacts: tuple[str, ...]


class Watched(Registrar):
    """A registrar that notes what it gets, and kills who asks when it was told to."""

    seen: tuple[Seen, ...] = ()
    victim: Process | None = None
    kill_at = 0
    kill_first = False
    """Kill before the request is looked at; else the answer is on its way."""

    def on_request(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        branch = request.via.branch or ""
        if all(item.branch != branch for item in self.seen):
            new = Seen(branch, request.call_id, request.cseq.number, tuple(request.values("contact")))
            self.seen = (*self.seen, new)
        due = self.victim is not None and len(self.seen) >= self.kill_at
        if due and self.kill_first:
            self._kill()
        super().on_request(flow, request, data, source, now)
        if due and not self.kill_first:
            self._kill()

    def _kill(self) -> None:
        victim, self.victim = self.victim, None
        if victim is not None:
            os.kill(victim.process.pid, signal.SIGKILL)


class Server:
    """The registrar in a thread of this process."""

    def __init__(self) -> None:
        self._heard = threading.Event()
        self.port = 0
        users = dict.fromkeys(NAMES, PASSWORD)
        listen = [(Protocol.UDP, ("127.0.0.1", 0))]
        self.registrar = Watched(listen, users, random=random.SystemRandom(), now=0.0)
        self.driver = Driver(self.registrar, self._on_event)
        self._thread = threading.Thread(target=self.driver.run, daemon=True)
        self._thread.start()
        assert self._heard.wait(PATIENCE)

    def _on_event(self, event: object) -> None:
        if isinstance(event, Listening):
            self.port = event.local[1]
            self._heard.set()

    def bindings(self, name: str) -> tuple[str, ...]:
        found = self.driver.ask(self.registrar.bindings, f"sip:{name}@example.com")
        return tuple(item.uri for item in found)

    def kill(self, victim: Process, *, after: int, first: bool) -> None:
        """Kill it when so many more requests have come."""

        def arm() -> None:
            self.registrar.kill_at = len(self.registrar.seen) + after
            self.registrar.kill_first = first
            self.registrar.victim = victim

        self.driver.ask(arm)

    def close(self) -> None:
        self.driver.close()
        self._thread.join(PATIENCE)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def registered(process: Process, count: int) -> None:
    """Wait until so many have been told to be."""
    for name in NAMES[:count]:
        process.wait_for(f"{name}: Registered")


@pytest.mark.requirement("RFC3261-10.2-05", "RFC3261-10.2-06")
@pytest.mark.parametrize("seed", range(2))
def test_kill_at_any_moment_uses_no_cseq_again_and_leaves_no_binding_behind(
    seed: int, server: Server, start: Start, sipcore: Run, config: Config, tmp_path: Path
) -> None:
    """Law: over any number of kills CSeq of a Call-ID only rises, each user keeps one Call-ID and one binding, which
    is the living daemon's, and `stop --unregister` leaves none."""
    dice = random.Random(seed)
    uri = f"sip:127.0.0.1:{server.port}"
    config.write(*[entry(name, uri, more="expiration = 600\n") for name in NAMES])
    state = str(tmp_path / "state")
    for _ in range(4):
        daemon = start(*config.arguments("--state", state, "--no-ring"))
        # An attempt is two requests, the second of which has the answer to the challenge.
        server.kill(daemon, after=dice.randrange(1, 2 * len(NAMES)), first=dice.random() < 0.5)
        assert daemon.wait() == -signal.SIGKILL
    # Those that were known are refreshed, which is no news.
    daemon = start(*config.arguments("--state", state, "--no-ring", "--log-level", "debug"))
    registered(daemon, len(NAMES))
    shown = json.loads(sipcore("show", "registrations", "--json", "--control", config.control).stdout)
    for status in shown:
        [own] = [item["uri"] for item in status["bindings"] if item["own"]]
        assert server.bindings(status["name"]) == (own,)
    highest: dict[str, int] = {}
    for item in server.registrar.seen:
        assert item.cseq > highest.get(item.call_id, -1)
        highest[item.call_id] = item.cseq
    assert len(highest) == len(NAMES)
    assert sipcore("stop", "--unregister", "--control", config.control).returncode == 0
    assert daemon.wait() == 0
    assert [server.bindings(name) for name in NAMES] == [()] * len(NAMES)


def test_the_end_keeps_bindings_and_the_next_daemon_resumes_them(
    server: Server, start: Start, sipcore: Run, config: Config, tmp_path: Path
) -> None:
    uri = f"sip:127.0.0.1:{server.port}"
    state = str(tmp_path / "state")
    port = _free_port()
    transport = f"[udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{port}\n"
    config.write(transport, entry("user0", uri, more="transport = udp\n"))
    first = start(*config.arguments("--state", state))
    registered(first, 1)
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    assert "keeping the bindings of 1 registration" in first.output
    [bound] = server.bindings("user0")
    requests = len(server.registrar.seen)
    second = start(*config.arguments("--state", state, "--log-level", "debug"))
    second.wait_for("user0: Registered: resumed")
    assert len(server.registrar.seen) == requests
    assert sipcore("stop", "--control", config.control).returncode == 0
    assert second.wait() == 0
    assert server.bindings("user0") == (bound,)
    # Its account is gone, and with it the password that a removal needs.
    config.write(transport, entry("user1", uri))
    third = start(*config.arguments("--state", state))
    assert "was not removed and stands until it lapses" in third.wait_for("user0: Stopped: removal failed")


def test_a_second_daemon_and_a_foreign_file_are_refused_in_one_line(
    registrar: Ports, start: Start, sipcore: Run, config: Config, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments("--state", str(state)))
    daemon.wait_for("alice: Registered")
    other = [*config.arguments("--state", str(state)), "--control", f"{config.control}2"]
    refused = sipcore(*other)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"sipcore: another sipcore uses the state directory {state}; stop it")
    assert refused.stderr.count("\n") == 1
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    (state / "state.db").write_bytes(b"something else altogether" * 40)
    refused = sipcore(*other)
    assert refused.returncode == 2
    assert f"{state}/state.db is damaged or is no state file" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_without_a_state_the_end_removes_the_bindings(
    server: Server, start: Start, sipcore: Run, config: Config
) -> None:
    config.write(entry("user0", f"sip:127.0.0.1:{server.port}"))
    daemon = start(*config.arguments())
    registered(daemon, 1)
    assert sipcore("stop", "--control", config.control).stdout == "stopping\n"
    assert daemon.wait() == 0
    assert server.bindings("user0") == ()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
