"""Services of the daemon: what asks for them is told all, and what breaks takes nothing with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.daemon.conftest import Config, Ports, entry

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
