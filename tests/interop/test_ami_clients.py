"""AMI with clients that are not ours: pystrix, and ami-io on Node. Each does what a monitoring script does."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from tests.interop.daemon import Daemon
from tests.programs import FAIL_SAFE, Program
from tests.secrecy import PASSWORD, heard

NODE = Path(__file__).with_name("ami_client")

MANAGER = f"""
[general]
enabled = yes
port = 0
[monitor]
secret = {PASSWORD}
read = system,reporting
write = system,reporting,command
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of AMI of a daemon that keeps alice registered."""
    with ExitStack() as stack:
        registrar = Program(
            *("-m", "sipcore_trio.daemon", "registrar", "--listen", "udp:127.0.0.1:0"),
            *("--user", f"alice:{PASSWORD}", "--realm", "inside"),
        )
        stack.enter_context(registrar)
        uri = "sip:" + registrar.line("listening on udp:").rpartition("udp:")[2].strip()
        manager = tmp_path / "manager.conf"
        manager.touch(mode=0o600)
        manager.write_text(MANAGER)
        config = (
            "[tr]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:0\n"
            f"[login]\ntype=auth\nusername=alice\npassword={PASSWORD}\n"
            f"[alice]\ntype=registration\nserver_uri={uri}\nclient_uri=sip:alice@inside\nmax_random_initial_delay=0\n"
            "transport=tr\noutbound_auth=login\n"
        )
        daemon = stack.enter_context(Daemon(tmp_path, config, "--manager", str(manager)))
        found = int(daemon.line("AMI on 127.0.0.1:").rpartition(":")[2])
        daemon.line("alice: Registered")
        yield found


# --- pystrix ---------------------------------------------------------------------------------------------------------


class Pystrix:
    """A connection of pystrix's; what it is sent is looked at, and its events can be waited for."""

    def __init__(self, port: int, ami: Any) -> None:
        self.ami = ami
        self.events: SimpleQueue[dict[str, str]] = SimpleQueue()
        self.manager = ami.Manager()
        self.manager.register_callback("", self._event)
        self.manager.connect("127.0.0.1", port)

    def request(self, action: str, **fields: str) -> Any:
        request = self.ami.ami._Request(action)
        request.update(fields)
        return self.send(request)

    def send(self, request: Any) -> Any:
        answer = self.manager.send_action(request)
        assert answer is not None, "no answer"
        heard(str(dict(answer.response)) + str(answer.response.data), "what pystrix was sent")
        return answer.response

    def wait_for(self, **fields: str) -> dict[str, str]:
        while True:
            try:
                event = self.events.get(timeout=FAIL_SAFE)
            except Empty:
                raise AssertionError(f"no event with {fields}") from None
            if fields.items() <= event.items():
                return event

    def _event(self, event: Any, manager: Any) -> None:
        heard(str(dict(event)), "what pystrix was told")
        self.events.put(dict(event))


@pytest.fixture
def pystrix(port: int) -> Iterator[Pystrix]:
    ami = pytest.importorskip("pystrix.ami", reason="pystrix is not installed; it is in the extra `test`")
    client = Pystrix(port, ami)
    yield client
    client.manager.close()


closes_under_its_reader = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
"""Pystrix closes its socket while a thread of its own still reads from it."""


def plain(client: Pystrix) -> Any:
    return client.ami.core.Login("monitor", PASSWORD)


def challenged(client: Pystrix) -> Any:
    challenge = client.send(client.ami.core.Challenge())["Challenge"]
    return client.ami.core.Login("monitor", PASSWORD, challenge=challenge)


@closes_under_its_reader
@pytest.mark.parametrize("login", [plain, challenged])
def test_pystrix_monitors_and_steers(login: Callable[[Pystrix], Any], pystrix: Pystrix) -> None:
    assert pystrix.manager.get_asterisk_info() == ("Asterisk Call Manager", "11.0.0")
    assert pystrix.send(login(pystrix)).success
    assert pystrix.wait_for(Event="FullyBooted")["Status"] == "Fully Booted"
    assert pystrix.request("Ping")["Ping"] == "Pong"

    assert pystrix.request("PJSIPShowRegistrationsOutbound")["EventList"] == "start"
    detail = pystrix.wait_for(Event="OutboundRegistrationDetail")
    assert (detail["ObjectName"], detail["Status"], detail["OutboundAuth"]) == ("alice", "Registered", "login")
    assert pystrix.wait_for(Event="AuthDetail")["Password"] == "***"
    end = pystrix.wait_for(Event="OutboundRegistrationDetailComplete")
    assert (end["ListItems"], end["Registered"]) == ("1", "1")

    assert pystrix.request("PJSIPUnregister", Registration="alice")["Message"] == "Unregistration sent"
    assert pystrix.wait_for(Event="Registry", Status="Unregistered")["Username"] == "sip:alice@inside"
    assert pystrix.request("PJSIPRegister", Registration="*all")["Message"] == "Reregistrations queued."
    pystrix.wait_for(Event="Registry", Status="Registered")

    command = pystrix.send(pystrix.ami.core.Command("pjsip show registrations"))
    assert command.success
    assert command["Output"] == ""  # the last line; pystrix keeps one of each name
    assert pystrix.send(pystrix.ami.core.Reload())["Message"] == "Module Reloaded"
    assert pystrix.request("QueueStatus")["Response"] == "Error"
    assert pystrix.send(pystrix.ami.core.Logoff())["Response"] == "Goodbye"


@closes_under_its_reader
def test_pystrix_is_refused_with_a_wrong_password(pystrix: Pystrix) -> None:
    with pytest.raises(pystrix.ami.core.ManagerAuthError, match="Authentication failed"):
        pystrix.manager.send_action(pystrix.ami.core.Login("monitor", "wrong"))


# --- ami-io ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def node() -> Callable[..., list[tuple[str, Any]]]:
    """Runs the client of ami-io; what it said."""
    if not (NODE / "node_modules" / "ami-io").is_dir():
        reason = "ami-io is not installed; npm install --prefix tests/interop/ami_client"
        if os.environ.get("SIPCORE_REQUIRE_PEERS") == "1":
            pytest.fail(f"{reason} (SIPCORE_REQUIRE_PEERS=1)", pytrace=False)
        pytest.skip(reason)

    def run(port: int, password: str) -> list[tuple[str, Any]]:
        done = subprocess.run(
            ["node", str(NODE / "client.cjs"), str(port), "monitor", password],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FAIL_SAFE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [(item["what"], item["value"]) for item in map(json.loads, done.stdout.splitlines())]

    return run


@pytest.mark.peer("node")
def test_ami_io_monitors_and_steers(port: int, node: Callable[..., list[tuple[str, Any]]]) -> None:
    assert node(port, PASSWORD) == [
        ("login", "11.0.0"),
        ("answer", "start"),
        (
            "list",
            [
                ["OutboundRegistrationDetail", "alice", "Registered", None],
                ["AuthDetail", "login", None, "***"],
                ["OutboundRegistrationDetailComplete", None, None, None],
            ],
        ),
        ("unregister", "Unregistration sent"),
        ("event", "Unregistered"),
        ("register", "Reregistration sent"),
        ("event", "Registered"),
        ("ping", "Pong"),
        ("unknown", "Invalid/unknown command: QueueStatus. Use Action: ListCommands to show available commands."),
        ("reload", "Module Reloaded"),
    ]


@pytest.mark.peer("node")
def test_ami_io_is_refused_with_a_wrong_password(port: int, node: Callable[..., list[tuple[str, Any]]]) -> None:
    assert node(port, "wrong") == [("login", "refused")]
