"""AMI over real sockets: a daemon, its registrar, and clients that behave or do not."""

from __future__ import annotations

import hashlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemon.conftest import PATIENCE, Process
from tests.secrecy import PASSWORD, heard

Start = Callable[..., Process]

MANAGER = f"""
[general]
enabled = yes
port = 0
bindaddr = 127.0.0.1
displayconnects = no

[monitor]
secret = {PASSWORD}
read = system
write = system,reporting,command

[reader]
secret = {PASSWORD}
read = system
"""


class Client:
    """A client that says and reads lines."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.lines = self.socket.makefile("rb")
        self.banner = self.line()

    def line(self) -> str:
        text = self.lines.readline().decode()
        heard(text, "what AMI sent")
        return text

    def block(self) -> dict[str, str]:
        """The fields of the next block; of a name that comes twice, the last."""
        fields = {}
        while (line := self.line()) not in ("\r\n", ""):
            name, _, value = line.rstrip("\r\n").partition(": ")
            fields[name] = value
        return fields

    def ask(self, *lines: str) -> dict[str, str]:
        """The answer; events that come before it are passed over."""
        self.socket.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        while "Event" in (answer := self.block()):
            pass
        return answer

    def login(self, user: str = "monitor", secret: str = PASSWORD) -> dict[str, str]:
        return self.ask("Action: Login", f"Username: {user}", f"Secret: {secret}")

    def wait_for(self, **fields: str) -> dict[str, str]:
        while True:
            found = self.block()
            assert found, "the connection ended"
            if fields.items() <= found.items():
                return found

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@pytest.fixture
def registrar(start: Start) -> str:
    """The port of a registrar that knows alice."""
    process = start("registrar", "--listen", "udp:127.0.0.1:0", "--user", f"alice:{PASSWORD}", "--realm", "inside")
    return process.wait_for("listening on udp:").rpartition(":")[2]


@pytest.fixture
def files(tmp_path: Path, registrar: str) -> tuple[Path, Path]:
    """A pjsip.conf with two registrations, and a manager.conf."""
    pjsip, manager = tmp_path / "pjsip.conf", tmp_path / "manager.conf"
    pjsip.write_text(configuration(registrar), "utf-8")
    manager.write_text(MANAGER, "utf-8")
    for path in (pjsip, manager):
        path.chmod(0o600)
    return pjsip, manager


def configuration(port: str) -> str:
    text = "[tr]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:0\n"
    text += f"[login]\ntype=auth\nusername=alice\npassword={PASSWORD}\n"
    for name, login in (("alice", "outbound_auth=login"), ("nobody", "")):
        text += f"[{name}]\ntype=registration\nserver_uri=sip:127.0.0.1:{port}\nclient_uri=sip:{name}@inside\n"
        text += f"max_random_initial_delay=0\ntransport=tr\n{login}\n"
    return text


@pytest.fixture
def daemon(start: Start, files: tuple[Path, Path], control: str) -> Process:
    return start("run", "-c", str(files[0]), "--control", control, "--manager", str(files[1]))


@pytest.fixture
def port(daemon: Process) -> int:
    return int(daemon.wait_for("AMI on 127.0.0.1:").rpartition(":")[2])


@pytest.fixture
def connect(port: int) -> Iterator[Callable[[], Client]]:
    clients: list[Client] = []

    def connected() -> Client:
        clients.append(Client(port))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    """Logged in."""
    found = connect()
    assert found.banner == "Asterisk Call Manager/11.0.0\r\n"
    assert found.login() == {"Response": "Success", "Message": "Authentication accepted"}
    assert found.block()["Event"] == "FullyBooted"
    return found


def registered(daemon: Process) -> None:
    daemon.wait_for("alice: Registered")
    daemon.wait_for("nobody: Rejected")


def test_shows_registers_and_tells(client: Client, daemon: Process) -> None:
    registered(daemon)
    assert client.ask("Action: PJSIPShowRegistrationsOutbound", "ActionID: 1")["EventList"] == "start"
    alice, login, nobody, end = (client.wait_for(ActionID="1") for _ in range(4))
    assert (alice["ObjectName"], alice["Status"], alice["Transport"]) == ("alice", "Registered", "tr")
    assert (alice["OutboundAuth"], login["ObjectName"], login["Password"]) == ("login", "login", "***")
    assert (nobody["ObjectName"], nobody["Status"]) == ("nobody", "Rejected")
    assert (end["ListItems"], end["Registered"], end["NotRegistered"]) == ("2", "1", "1")
    assert client.ask("Action: PJSIPUnregister", "Registration: alice")["Message"] == "Unregistration sent"
    event = client.wait_for(Event="Registry", Status="Unregistered")
    assert (event["Username"], event["Registration"]) == ("sip:alice@inside", "alice")
    assert client.ask("Action: PJSIPRegister", "Registration: alice")["Message"] == "Reregistration sent"
    client.wait_for(Event="Registry", Status="Registered", Username="sip:alice@inside")


def test_a_command(client: Client, daemon: Process) -> None:
    registered(daemon)
    client.ask("Action: Events", "EventMask: off")
    client.socket.sendall(b"Action: Command\r\nCommand: pjsip show registrations\r\nActionID: 4\r\n\r\n")
    text = ""
    while "Objects found" not in text:
        text += client.line()
    assert "Output:  alice/sip:127.0.0.1:" in text
    assert " login                       Registered        (exp. " in text


def test_reloads(client: Client, daemon: Process, files: tuple[Path, Path]) -> None:
    registered(daemon)
    # This user has no class `config`, and `system` is enough.
    answer = client.ask("Action: Reload", "Module: res_pjsip_outbound_registration.so")
    assert answer == {"Response": "Success", "Message": "Module Reloaded"}
    text = files[0].read_text("utf-8")
    files[0].write_text(f"{text}\nexpiration=-1\n", "utf-8")
    answer = client.ask("Action: Reload", "ActionID: 9")
    assert (answer["Response"], answer["ActionID"]) == ("Error", "9")
    assert "expiration" in answer["Message"]
    assert client.ask("Action: Ping")["Ping"] == "Pong"


def test_challenge_and_rights(connect: Callable[[], Client]) -> None:
    client = connect()
    challenge = client.ask("Action: Challenge", "AuthType: MD5")["Challenge"]
    key = hashlib.md5(f"{challenge}{PASSWORD}".encode()).hexdigest()
    answer = client.ask("Action: Login", "Username: reader", "AuthType: MD5", f"Key: {key}", "Events: off")
    assert answer["Message"] == "Authentication accepted"
    assert client.ask("Action: PJSIPRegister", "Registration: alice")["Message"] == "Permission denied"


def test_a_wrong_password_is_refused_and_logged(connect: Callable[[], Client], daemon: Process) -> None:
    client = connect()
    assert client.login("monitor", "wrong") == {"Response": "Error", "Message": "Authentication failed"}
    assert client.line() == ""
    assert "WARNING" in daemon.wait_for("AMI: 127.0.0.1 failed to authenticate as 'monitor'")


def test_logoff_and_leaving(connect: Callable[[], Client], client: Client) -> None:
    assert client.ask("Action: Logoff")["Message"] == "Thanks for all the fish."
    assert client.line() == ""
    rude = connect()
    rude.socket.sendall(b"Action: Log")
    rude.close()
    # Whoever says it all at once and no more is answered all the same.
    brief = connect()
    brief.socket.sendall(
        f"Action: Login\nUsername: reader\nSecret: {PASSWORD}\nEvents: off\n\nAction: Ping\n\n".encode()
    )
    brief.socket.shutdown(socket.SHUT_WR)
    assert brief.block()["Message"] == "Authentication accepted"
    assert brief.block()["Ping"] == "Pong"
    assert brief.line() == ""


def test_only_so_many_at_once(connect: Callable[[], Client]) -> None:
    clients = [connect() for _ in range(32)]
    assert all(client.banner.startswith("Asterisk") for client in clients)
    assert connect().banner == ""
    clients[0].ask("Action: Logoff")
    assert clients[0].line() == ""


def test_rubbish_ends_nothing(connect: Callable[[], Client], daemon: Process) -> None:
    client = connect()
    client.socket.sendall(bytes(range(256)) * 500 + b"\n\n")
    assert client.block()["Response"] == "Error"
    assert connect().login()["Response"] == "Success"
    assert daemon.process.poll() is None


def test_ends_with_the_daemon(client: Client, daemon: Process) -> None:
    registered(daemon)
    daemon.signal(signal.SIGTERM)
    event = client.wait_for(Event="Registry", Status="Unregistered", Registration="alice")
    assert event["Cause"].startswith("200 OK: removed on request")
    assert daemon.wait() == 0
    assert client.line() == ""


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (MANAGER.replace("127.0.0.1", "0.0.0.0"), (), "bindaddr = '0.0.0.0': only a loopback address"),
        (MANAGER.replace("enabled = yes", "enabled = no"), (), "enabled is not yes"),
        (MANAGER, ("--ami", "0.0.0.0:0"), "AMI on 0.0.0.0:0: only a loopback address is listened on"),
        ("[general]\nenabled=yes\n", (), "has no user who could log in"),
    ],
)
def test_what_keeps_it_from_starting(
    text: str, options: tuple[str, ...], expected: str, start: Start, files: tuple[Path, Path], control: str
) -> None:
    files[1].write_text(text, "utf-8")
    process = start("run", "-c", str(files[0]), "--control", control, "--manager", str(files[1]), *options)
    assert process.wait() == 2
    assert expected in process.output


def test_an_address_alone_says_nobody(start: Start, files: tuple[Path, Path], control: str) -> None:
    process = start("run", "-c", str(files[0]), "--control", control, "--ami", ":0")
    assert process.wait() == 2
    assert "--ami: needs --manager" in process.output


def test_others_can_read_the_file(start: Start, files: tuple[Path, Path], control: str) -> None:
    files[1].chmod(0o644)
    process = start("run", "-c", str(files[0]), "--control", control, "--manager", str(files[1]))
    process.wait_for("manager.conf: file: holds secrets and has mode 0644")
    strict = start(
        "run", "-c", str(files[0]), "--control", f"{control}2", "--manager", str(files[1]), "--strict-permissions"
    )
    assert strict.wait() == 2
