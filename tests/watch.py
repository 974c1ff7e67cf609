"""The session-wide watch: whatever a test lets out is searched for the canary of `tests.secrecy`.

Theory of operation. This is a plugin of pytest's. It listens where things leave: every log record when it is handled,
whatever its level and handlers; what pytest shows of a test (captured output, tracebacks, reasons), of passing tests as
well; warnings, those of hooks that must not raise among them; some of the outputs of agents as they print, and the last
object of each kind that holds secrets; the errors that callers see; the files below the session's temporary folder, but
for configuration, which is where secrets belong. So is what other programs print: by itself where a test waits for
their end, and elsewhere (`tests.programs`) by whoever reads it, with `secrecy.heard`.

A hit fails the test that runs at that time. What comes later fails the session. A report never repeats the secret.
"""

from __future__ import annotations

import logging
import subprocess
import traceback
from collections.abc import Callable, Generator, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from sipcore.agent import UserAgent
from sipcore.config import Account, Credential
from sipcore.endpoint import Endpoint
from sipcore.errors import ConfigError, LocalProtocolError, RegistrationFailed
from sipcore.settings import Configuration
from sipcore.syntax.slots import SlotError
from tests.secrecy import Hit, find, heard, mask, taken

__all__ = ["CONFIGURATION", "HOLDERS", "PASSWORD_FILE", "PASSWORD_FOLDER", "SAMPLE", "read_files"]

SAMPLE = 61
"""One output of so many is printed: all of them would cost more than the tests. A prime, since what an agent puts out
comes in a rhythm."""

HOLDERS = (Account, Configuration, Credential, UserAgent)
"""What has secrets inside and is printed by debuggers, tracebacks with local variables and careless log lines."""

CONFIGURATION = {".conf", ".toml", ".ini", ".py", ".pyc", ".cfg", ".xml"}
"""Endings of files that tests write for programs to read: there secrets have to be."""

PASSWORD_FILE = "password"
"""The name of a file with nothing else in it."""

PASSWORD_FOLDER = "secrets"
"""The name of a folder of such files."""

MAX_FILE = 8_000_000
"""Bytes of a file that are read; no test writes more text."""


def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    _listen_to_logs(patch)
    _listen_to_outputs(patch)
    _listen_to_programs(patch)
    for holder in HOLDERS:
        _remember_the_last(patch, holder)
    for error in (ConfigError, LocalProtocolError, RegistrationFailed, SlotError):
        _listen_to_errors(patch, error)
    config.add_cleanup(patch.undo)


@pytest.fixture(scope="session", autouse=True)
def files_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the end everything that was written is read, also what was not written by a test of its own folder."""
    yield
    read_files(tmp_path_factory.getbasetemp())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """What a test wrote is read when nothing writes any more."""
    path = getattr(item, "funcargs", {}).get("tmp_path")
    try:
        return (yield)
    finally:
        if isinstance(path, Path):
            read_files(path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Every phase of every test ends here."""
    report = yield
    if report.when == "call":
        while _LAST:
            kind, held = _LAST.popitem()
            heard(repr(held), f"the repr of {kind.__name__}")
    if report.longrepr is not None:
        heard(report.longreprtext, "what is shown of the failure")
    for name, text in report.sections:
        heard(text, name)
    hits = taken()
    if hits:
        _fail(report, hits)
        # The next phase would show the same once more.
        item._report_sections[:] = [(when, key, mask(text)) for when, key, text in item._report_sections]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_warning_recorded(warning_message: Any, nodeid: str) -> None:
    """Those that are no errors; they are shown at the end of the session."""
    heard(str(warning_message.message), f"a warning of {nodeid}")
    if find(str(warning_message.message)) is not None:
        warning_message.message = UserWarning(mask(str(warning_message.message)))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    late = taken()
    if late:
        session.config.stash[_LATE] = late
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for hit in config.stash.get(_LATE, []):
        terminalreporter.write_line(f"a secret was seen after the last test: {hit}", red=True)


def read_files(folder: Path) -> None:
    """Read all files below a folder that are there for people or other programs, each state of a file once."""
    for path in folder.rglob("*"):
        secret = path.suffix in CONFIGURATION or path.name == PASSWORD_FILE or path.parent.name == PASSWORD_FOLDER
        if secret or path.is_symlink() or not path.is_file():
            continue
        state = path.stat()
        key = (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size)
        if key not in _READ:
            _READ.add(key)
            heard(path.read_bytes()[:MAX_FILE].decode("utf-8", "replace"), f"the file {path}")


_LAST: dict[type[Any], object] = {}
"""The last object of each of `HOLDERS` that the test which runs has made."""

_LATE: pytest.StashKey[list[Hit]] = pytest.StashKey()
_READ: set[tuple[int, int, int, int]] = set()


def _fail(report: pytest.TestReport, hits: list[Hit]) -> None:
    found = "\n".join(f"a secret was seen: {hit}" for hit in dict.fromkeys(hits))
    shown = mask(report.longreprtext) if report.longrepr is not None else ""
    report.outcome = "failed"
    report.longrepr = f"{found}\n{shown}".rstrip()
    report.sections = [(name, mask(text)) for name, text in report.sections]


def _listen_to_logs(patch: pytest.MonkeyPatch) -> None:
    handle = logging.Logger.handle

    def listening(logger: logging.Logger, record: logging.LogRecord) -> None:
        # Arguments, extra fields and all: a formatter may print any of them.
        text = f"{record.getMessage()}\n{vars(record)!r}"
        if record.exc_info and record.exc_info[0] is not None:
            text += "".join(traceback.format_exception(*record.exc_info))
        heard(text, f"a record of logger {logger.name}")
        handle(logger, record)

    patch.setattr(logging.Logger, "handle", listening)


def _listen_to_outputs(patch: pytest.MonkeyPatch) -> None:
    fetch = Endpoint.next_output
    turn = 0

    def listening(endpoint: Endpoint) -> Any:
        nonlocal turn
        output = fetch(endpoint)
        turn += 1
        if turn % SAMPLE == 0 and output is not None:
            heard(repr(output), f"the repr of {type(output).__name__}")
        return output

    patch.setattr(Endpoint, "next_output", listening)


def _remember_the_last(patch: pytest.MonkeyPatch, holder: type[Any]) -> None:
    made = holder.__init__

    @wraps(made)
    def listening(held: Any, *arguments: Any, **named: Any) -> None:
        made(held, *arguments, **named)
        _LAST[holder] = held

    patch.setattr(holder, "__init__", listening)


def _listen_to_programs(patch: pytest.MonkeyPatch) -> None:
    communicate = subprocess.Popen.communicate

    def listening(process: subprocess.Popen[Any], *arguments: Any, **named: Any) -> tuple[Any, Any]:
        printed = communicate(process, *arguments, **named)
        for text in printed:
            if text:
                shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
                heard(shown, "what another program printed")
        return printed

    patch.setattr(subprocess.Popen, "communicate", listening)


def _listen_to_errors(patch: pytest.MonkeyPatch, kind: type[Exception]) -> None:
    made: Callable[..., None] = kind.__init__

    def listening(error: Exception, *arguments: Any, **named: Any) -> None:
        made(error, *arguments, **named)
        if type(error) is kind:
            heard(f"{error} {error!r}", f"the text of a {kind.__name__}")

    patch.setattr(kind, "__init__", listening)
