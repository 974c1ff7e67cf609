"""Targets of what an operator writes and types: configuration files, bytes of AMI, command lines. Their invariants are
their docstrings; `fuzz.targets` has them in its table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Final

from sipcore import asterisk, native
from sipcore.agent import UserAgent
from sipcore.asterisk.ami import AmiSession, Manager
from sipcore.asterisk.ami_settings import load_manager
from sipcore.asterisk.cli import complete, reloaded, run_command
from sipcore.asterisk.objects import WIZARD_FILE
from sipcore.config import Account
from sipcore.errors import ConfigError
from sipcore.settings import Configuration, OptionNote, Verdict, Written
from sipcore.values import Secret

__all__ = ["PASSWORD", "ami", "console", "manager", "pjsip", "toml", "wizard"]

PASSWORD: Final = "nachtigall-91c2"
"""In the seeds wherever a password stands; nothing that is told may hold it while its line is whole: in a line that
damage has joined to another it may be part of a value that is no secret."""


def pjsip(data: bytes) -> None:
    """Any bytes are a pjsip.conf or are refused by `ConfigError`, in one line that shows no password.

    `examine` raises nothing and refuses an option exactly when `load` refuses the file. What is taken can be written as
    TOML and as pjsip.conf, or is refused for that by `ConfigError`.
    """
    _configuration(Directory({FILE: data, "more.conf": ONE_MORE}), _secret(data))


def wizard(data: bytes) -> None:
    """Any bytes are a pjsip_wizard.conf beside a pjsip.conf, with the same promises."""
    _configuration(Directory({FILE: MORE, WIZARD_FILE: data}), _secret(data))


def toml(data: bytes) -> None:
    """Any bytes are a sipcore.toml or are refused by `ConfigError`, in one line that shows no password.

    `examine` raises nothing and refuses something exactly when `load` refuses the file.
    """
    secret = _secret(data)
    notes = native.examine(TOML, lambda name: data, secrets=Vault())
    _check_notes(notes, secret)
    try:
        loaded = native.load(TOML, lambda name: data, secrets=Vault())
    except ConfigError as error:
        _check_error(error, secret)
        assert any(note.verdict is Verdict.REFUSED for note in notes)
        return
    assert all(note.verdict is not Verdict.REFUSED for note in notes)
    _written_again(loaded, secret)


def manager(data: bytes) -> None:
    """Any bytes are a manager.conf or are refused by `ConfigError`, in one line that shows no password."""
    try:
        settings = load_manager(data.decode("utf-8", "surrogateescape"))
    except ConfigError as error:
        _check_error(error, _secret(data))
    else:
        assert _secret(data) not in repr(settings)


def ami(data: bytes) -> None:
    """Any bytes that a client sends, cut anywhere, get the same answer, before a login and behind one.

    An answer consists of whole lines, without passwords, and without control characters but the tab.
    """
    for head in (b"", LOGIN):
        stream = head + data
        whole = _answers([stream])
        middle = len(stream) // 2
        assert whole == _answers([stream[:middle], stream[middle:]])
        if len(stream) <= BYTEWISE:
            assert whole == _answers([stream[at : at + 1] for at in range(len(stream))])
        _check_text(whole)
        assert not whole or whole.endswith(b"\n")


def console(data: bytes) -> None:
    """Any line is a command or is answered with what would be one; in whole lines, without control characters but
    the tab.

    What the Tab key offers behind it is a list of words. Nothing is raised.
    """
    view = Console()
    line = data.decode("utf-8", "surrogateescape")
    output = run_command(line, view, now=10.0)
    _check_text(output.text.encode("utf-8", "surrogateescape"))
    assert not output.text or output.text.endswith("\n")
    if output.reload is not None:
        for error in (None, line):
            told = reloaded(output.reload, error).text
            _check_text(told.encode("utf-8", "surrogateescape"))
    assert all(isinstance(word, str) for word in complete(line, view))


# --- configuration ---------------------------------------------------------------------------------------------------

FILE: Final = "pjsip.conf"
TOML: Final = "sipcore.toml"

MORE: Final = b"""\
[udp]
type = transport
bind = 0.0.0.0
[more]
type = registration
server_uri = sip:example.com
client_uri = sip:more@example.com
"""
"""Beside a wizard."""

ONE_MORE: Final = MORE.partition(b"0.0.0.0\n")[2]
"""What is included."""


class Directory:
    """Files by name."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def read(self, name: str, /) -> bytes:
        """Raises `FileNotFoundError`."""
        if name not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        return self.files[name]

    def glob(self, pattern: str, /) -> Sequence[str]:
        """One file, or none, or a fault of the system, by the pattern's length."""
        if len(pattern) % 7 == 3:
            raise OSError(13, "Permission denied")
        return ["more.conf"] if len(pattern) % 2 else []


class Vault:
    """Secrets by name; some are missing, and some may be read by others."""

    def secret(self, place: str, name: str) -> Secret:
        """Raises as the daemon's does."""
        if len(name) % 7 == 3:
            raise FileNotFoundError(2, "No such file or directory")
        if len(name) % 7 == 5:
            raise ValueError("has mode 0644, so that others can read it")
        return Secret(PASSWORD)


def _secret(data: bytes) -> str:
    """What may not be told: the password, or when a line with it is damaged something that nobody can tell."""
    lines = [line.strip() for line in data.split(b"\n") if PASSWORD.encode() in line]
    return PASSWORD if all(_SECRET_LINE.fullmatch(line) for line in lines) else "\0nothing"


_SECRET_LINE: Final = re.compile(rb'(?:(?:outbound_auth/)?password|secret|set_var) = "?(?:PIN=)?nachtigall-91c2"?')


def _configuration(files: Directory, secret: str) -> None:
    notes = asterisk.examine(FILE, files)
    _check_notes(notes, secret)
    try:
        loaded = asterisk.load(FILE, files)
    except ConfigError as error:
        _check_error(error, secret)
        assert any(note.verdict is Verdict.REFUSED for note in notes)
        return
    assert all(note.verdict is not Verdict.REFUSED for note in notes)
    assert loaded.accounts
    _written_again(loaded, secret)


def _written_again(loaded: Configuration, secret: str) -> None:
    assert secret not in repr(loaded)
    for convert in (native.to_toml, native.to_pjsip):
        with suppress(ConfigError):
            assert secret not in convert(loaded).text


def _check_notes(notes: Sequence[OptionNote], secret: str) -> None:
    for note in notes:
        assert secret not in repr(note)


def _check_error(error: ConfigError, secret: str) -> None:
    assert "\n" not in str(error)
    assert secret not in f"{error} {error!r}"


# --- lines of operators ----------------------------------------------------------------------------------------------

LOGIN: Final = f"Action: Login\r\nUsername: admin\r\nSecret: {PASSWORD}\r\n\r\n".encode()

MANAGER: Final = f"""\
[general]
enabled = yes
[admin]
secret = {PASSWORD}
read = all
write = all
"""

BYTEWISE: Final = 400
"""Bytes that are also sent one by one; longer ones would take most of the time."""

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Console:
    """An agent with two registrations, as the console sees it."""

    version = "1.2.3"
    started = 0.0
    loaded = 0.0

    def __init__(self) -> None:
        accounts = [Account(f"sip:{name}@example.com", name=name, password=PASSWORD) for name in ("one", "two")]
        self.agent = UserAgent(accounts, random=Random(1))
        self.names, self.status, self.account = self.agent.names, self.agent.status, self.agent.account
        self.began = self.agent.began

    def written(self, name: str) -> Written | None:
        return Written(transport="udp", outbound_auth=(name,))

    def register(self, name: str) -> None:
        self.agent.register(name, now=10.0)

    def unregister(self, name: str) -> None:
        self.agent.unregister(name, now=10.0)

    def wall(self, moment: float) -> float:
        return moment

    def local(self, moment: float) -> tuple[str, str]:
        return "2026-01-31", "12:00:00"


def _answers(pieces: list[bytes]) -> bytes:
    session = Manager(load_manager(MANAGER), Console(), random=Random(1)).connect("127.0.0.1", now=10.0)
    assert session is not None
    found = list(_taken(session))
    for piece in pieces:
        session.receive(piece, now=10.0)
        found += _taken(session)
        while session.wants_reload is not None:
            session.reloaded(None, now=10.0)
            found += _taken(session)
    return b"".join(found)


def _taken(session: AmiSession) -> Iterator[bytes]:
    while data := session.take(now=10.0):
        yield data


def _check_text(data: bytes) -> None:
    assert PASSWORD.encode() not in data
    assert _CONTROL.search(data) is None
