"""A `Line` whose accounts are those of a pjsip.conf, and the console's view of its agent."""

from __future__ import annotations

from typing import Any, Final

from sipcore.asterisk import Configuration, Files, load, parse
from sipcore.config import Account
from sipcore.profiles import ASTERISK, Profile
from sipcore.settings import Written
from sipcore.testing import Line, Step
from sipcore.values import Status
from tests.secrecy import PASSWORD

__all__ = ["AUTH", "REGISTRATION", "AgentView", "conf_line", "reload_text", "text_of", "times"]

REGISTRATION: Final = {
    "type": "registration",
    "server_uri": "sip:example.com",
    "client_uri": "sip:alice@example.com",
    "outbound_auth": "alice",
    "max_random_initial_delay": "0",
}
"""The first REGISTER leaves after exactly 1 s."""

AUTH: Final = {"type": "auth", "username": "alice", "password": PASSWORD}


def text_of(name: str, *tables: dict[str, str | None], **options: str | None) -> str:
    """One section; later options win, and one that is None is left out. A line end in a value makes several lines."""
    merged: dict[str, str | None] = {}
    for table in (*tables, options):
        merged |= table
    lines = [
        f"{option} = {part}"
        for option, value in merged.items()
        if value is not None
        for part in value.split("\n")
    ]
    return "\n".join([f"[{name}]", *lines, ""])


def conf_line(
    text: str, *script: Step, until: float = 0.0, profile: Profile = ASTERISK, files: Files | None = None, **more: Any
) -> Line:
    """All that the text says, registered at 0; `files` are read instead of the text."""
    configuration = parse(text, profile=profile) if files is None else load("pjsip.conf", files, profile=profile)
    line = Line(*configuration.accounts, script=script, **more)
    line.agent.identify = configuration.identify
    line.register(until=until)
    return line


def reload_text(line: Line, text: str, *, profile: Profile = ASTERISK) -> Configuration:
    """The file was edited and is read again. Raises `ConfigError`, and then the agent knows nothing of it."""
    configuration = parse(text, profile=profile)
    line.agent.reload(configuration.accounts, now=line.now)
    line.agent.identify = configuration.identify
    return configuration


def times(line: Line) -> list[float]:
    """When the registrar got requests, without their copies."""
    return [item.at for item in line.peer.received if not item.copy]


class AgentView:
    """What the commands of the console and of AMI look at, with a line's agent behind it."""

    version = "1.2.3"
    started = 0.0
    loaded = 0.0

    def __init__(self, line: Line, configuration: Configuration | None = None) -> None:
        self.line = line
        self.configuration = configuration

    def names(self) -> tuple[str, ...]:
        return self.line.agent.names()

    def status(self, name: str) -> Status:
        return self.line.agent.status(name)

    def began(self, name: str) -> float | None:
        return self.line.agent.began(name)

    def account(self, name: str) -> Account:
        return self.line.agent.account(name)

    def written(self, name: str) -> Written | None:
        return None if self.configuration is None else self.configuration.written.get(name)

    def register(self, name: str) -> None:
        self.line.agent.register(name, now=self.line.now)

    def unregister(self, name: str) -> None:
        self.line.agent.unregister(name, now=self.line.now)

    def wall(self, moment: float) -> float:
        return moment + 1_700_000_000.0

    def local(self, moment: float) -> tuple[str, str]:
        return "2026-01-31", f"12:00:{moment % 60:02.0f}"
