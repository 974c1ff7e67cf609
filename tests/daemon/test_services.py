"""Services of the daemon: what asks for them is told all, and what breaks takes nothing with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from sipcore_trio.daemon import services
from sipcore_trio.daemon.checks import StartError
from sipcore_trio.daemon.services import Service, wanted
from tests.daemon.conftest import Config, Ports, entry
from tests.secrecy import PASSWORD

if TYPE_CHECKING:
    from sipcore_trio.daemon.run import Daemon

SERVED = """
import signal
import sys
import trio
from sipcore_trio.daemon import cli, services
from sipcore_trio.daemon.checks import StartError

class Told(services.Service):
    name = "the witness"

    def __init__(self, daemon):
        self.daemon = daemon

    async def run(self):
        try:
            await trio.sleep_forever()
        finally:
            self.say("cancelled")

    def say(self, text):
        print("witness:", text, flush=True)

    def on_started(self):
        self.say(f"started with {len(self.daemon.agent.names())}")

    def on_event(self, event):
        self.say(type(event).__name__)
        if type(event).__name__ == "Registered":
            signal.raise_signal(signal.SIGTERM)

    def on_stopping(self):
        self.say(f"stopping is {self.daemon.stopping}")

class Broken(Told):
    name = "the broken one"

    def say(self, text):
        pass

FAULT

def refused(daemon):
    raise StartError("this port is taken")

def unwanted(daemon):
    return None

sys.modules["witness"] = sys.modules["__main__"]
makers = ("", "unwanted"), ("", "Broken"), ("trace", "refused"), ("", "Told")
services.SERVICES = tuple((option, f"witness:{name}") for option, name in makers)
sys.exit(cli.main(sys.argv[1:]))
"""


LEFT_OPEN = """
import os
import sys
from sipcore_trio.daemon import cli, services
from sipcore_trio.daemon.checks import StartError

def refused(daemon):
    raise StartError("this port is taken")

sys.modules["witness"] = sys.modules["__main__"]
services.SERVICES += (("", "witness:refused"),)
code = cli.main(sys.argv[1:])
links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
print("sockets left:", sum(os.path.exists(link) and os.readlink(link).startswith("socket:") for link in links))
sys.exit(code)
"""


def serve(config: Config, environment: dict[str, str], fault: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SERVED.replace("FAULT", fault), *config.arguments(*more)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_service_is_told_what_happens_and_lasts_to_the_end(
    registrar: Ports, config: Config, environment: dict[str, str]
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    ended = serve(config, environment, "")
    told = [line.removeprefix("witness: ") for line in ended.stdout.splitlines()]
    assert (ended.returncode, told[0], told[-1]) == (0, "started with 1", "cancelled")
    assert told.index("Registered") < told.index("stopping is True") < told.index("Unregistered")


@pytest.mark.parametrize("hook", ["on_started(self)", "on_event(self, event)", "on_stopping(self)", "run(self)"])
def test_a_service_that_breaks_takes_nothing_with_it(
    registrar: Ports, config: Config, environment: dict[str, str], hook: str
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    waits = "async " if hook.startswith("run") else ""
    ended = serve(config, environment, f"    {waits}def {hook}:\n        1 / 0\n")
    assert ended.returncode == 0
    assert ended.stderr.count("internal error, the broken one ends: ZeroDivisionError at ") == 1
    assert "witness: Unregistered" in ended.stdout


def test_a_service_that_cannot_start_ends_the_command_with_one_line(
    registrar: Ports, config: Config, environment: dict[str, str]
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    ended = serve(config, environment, "", "--trace")
    assert (ended.returncode, ended.stderr) == (2, "sipcore: this port is taken\n")


def test_what_was_made_before_one_that_cannot_start_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is another error than the two that are told in a line, and in the reverse order."""
    closed: list[str] = []

    class Made(Service):
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)

    def refused(daemon: object) -> None:
        raise StartError("this port is taken")

    found = {"first": lambda daemon: Made("first"), "second": lambda daemon: Made("second"), "third": refused}
    monkeypatch.setattr(services, "SERVICES", tuple(("", f"made:{name}") for name in found))
    monkeypatch.setattr(services, "import_module", lambda name: SimpleNamespace(**found))
    with pytest.raises(StartError):
        wanted(cast("Daemon", None))
    assert closed == ["second", "first"]


def test_each_listener_is_closed_when_a_later_service_cannot_start(
    config: Config, environment: dict[str, str], tmp_path: Path
) -> None:
    """Both ports are free again for whoever has them next in the same process."""
    config.write(entry("alice", "sip:127.0.0.1:9"))
    (tmp_path / "manager.conf").write_text(f"[general]\nenabled = yes\n[admin]\nsecret = {PASSWORD}\n")
    (tmp_path / "manager.conf").chmod(0o600)
    ended = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN, *config.arguments("--health", "127.0.0.1:0", "--manager"),
         str(tmp_path / "manager.conf"), "--ami", "127.0.0.1:0", "--statsd", "127.0.0.1:9"],
        env=environment | {"NOTIFY_SOCKET": str(tmp_path / "notify")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "sockets left: 0\n"), ended.stderr


def test_a_reload_that_is_not_read_in_time_is_refused(
    registrar: Ports, config: Config, environment: dict[str, str]
) -> None:
    """A file that never ends, such as one on a server that is gone, keeps later reloads waiting no longer than that."""
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    fault = """
import os
from sipcore_trio.daemon import run
run.READ_WITHIN = 0.2

class Reloads(Told):
    async def run(self):
        os.unlink(self.daemon.options.config)
        os.mkfifo(self.daemon.options.config)
        for _ in range(2):
            try:
                await self.daemon.reload()
            except run.RequestError as error:
                self.say(str(error))
        signal.raise_signal(signal.SIGTERM)

    def on_event(self, event):
        pass

Told = Reloads
"""
    ended = serve(config, environment, "    pass\n" + fault)
    assert ended.returncode == 0
    assert ended.stdout.count(f"{config.path}: file: is not read within 0.2 s") == 2
    assert ended.stderr.count("reload refused, nothing changed") == 2
