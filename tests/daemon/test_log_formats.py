"""The log as text and as JSON lines, and a stderr that is full, slow or gone."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TextIO

import pytest

from sipcore_trio.daemon import logs
from sipcore_trio.daemon.logs import LineHandler, show_trace, start_logging
from tests.daemon.conftest import Config, Ports, Process, entry
from tests.secrecy import STEM


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The logger, as it was afterwards."""
    one = logs.LOGGER
    before = (one.handlers[:], one.propagate, one.level)
    flags = {name: getattr(logging, name) for name in ("logThreads", "logProcesses", "logMultiprocessing")}
    raises = logging.raiseExceptions
    yield one
    one.handlers[:], one.propagate = before[:2]
    one.setLevel(before[2])
    for name, value in flags.items():
        monkeypatch.setattr(logging, name, value)
    logging.raiseExceptions = raises


def test_json_lines_of_a_daemon(registrar: Ports, config: Config, start: Callable[..., Process]) -> None:
    uri = f"sip:127.0.0.1:{registrar.udp}"
    config.write(entry("alice", uri), entry("bob", uri, password=f"{STEM}-wrong"))
    daemon = start(*config.arguments("--log-format", "json", "--trace"))
    daemon.wait_for("alice: Registered")
    daemon.wait_for("bob: Rejected")
    daemon.process.terminate()
    assert daemon.wait() == 0
    items: list[dict[str, Any]] = [json.loads(line) for line in daemon.lines]
    for item in items:
        assert list(item)[:4] == ["time", "level", "logger", "message"]
        assert datetime.fromisoformat(item["time"]).utcoffset() is not None
    by_event = {(item["event"], item.get("registration")): item for item in items if "event" in item}
    alice, bob = by_event["registered", "alice"], by_event["rejected", "bob"]
    server = f"127.0.0.1:{registrar.udp}"
    assert (alice["aor"], alice["server"], alice["transport"]) == ("sip:alice@example.com", server, "UDP")
    assert (alice["level"], alice["state"], alice["code"], alice["class"]) == ("info", "Registered", 200, "success")
    assert (bob["level"], bob["code"], bob["class"]) == ("warning", 401, "refused credentials")
    assert alice["expires_at"] > alice["next_attempt_at"] > datetime.fromisoformat(alice["time"]).timestamp()
    assert any("REGISTER sip:" in item["message"] for item in items if item.get("event") == "trace")


def test_the_lines_of_asterisk(registrar: Ports, config: Config, start: Callable[..., Process]) -> None:
    uri = f"sip:127.0.0.1:{registrar.udp}"
    config.write(entry("bob", uri, password=f"{STEM}-wrong"))
    daemon = start(*config.arguments("--asterisk-log", profile="ASTERISK"))
    line = daemon.wait_for("res_pjsip_outbound_registration.c: ")
    expected = f"Fatal response '401' received from '{uri}' on registration attempt to 'sip:bob@example.com', "
    assert expected in line
    assert " WARNING " in line


def test_what_is_no_field_is_not_told(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("info", "json").info("one\nline", extra={"code": 200, "password": "x", "server": None})
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    item = json.loads(line)
    assert (item["message"], item["code"]) == ("one\nline", 200)
    assert item.keys() == {"time", "level", "logger", "message", "code"}


@pytest.mark.parametrize(("form", "lines"), [("text", 2), ("json", 1)])
def test_a_trace_is_written_at_any_level(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], form: str, lines: int
) -> None:
    start_logging("error", form)
    show_trace(b"", "--- headline\nREGISTER")
    assert capsys.readouterr().err.count("\n") == lines


def pipe() -> tuple[int, TextIO]:
    reading, writing = os.pipe()
    return reading, open(writing, "w", encoding="utf-8", errors="backslashreplace")


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("sipcore", logging.INFO, "", 0, text, None, None)


def test_a_pipe_that_nobody_reads_does_not_stop_us() -> None:
    """Thousands of lines into a pipe that holds some; when it is read again the log says what it did not hold."""
    reading, stream = pipe()
    handler = LineHandler(stream)
    for number in range(3000):
        handler.emit(record(f"{number} {'x' * 90}"))
    taken = os.read(reading, 1 << 20).decode().splitlines()
    assert 100 < len(taken) < 2000
    assert [line.partition(" ")[0] for line in taken] == [str(number) for number in range(len(taken))]
    handler.emit(record("again"))
    stream.close()
    rest = os.read(reading, 1 << 20).decode().splitlines()
    os.close(reading)
    assert rest == [f"{3000 - len(taken)} lines were left out, since stderr took no more", "again"]


def test_a_long_line_does_not_stop_us_either() -> None:
    reading, stream = pipe()
    handler = LineHandler(stream)
    for _ in range(3):
        handler.emit(record("ä" * 100_000))
    assert len(os.read(reading, 1 << 20)) > 50_000
    stream.close()
    os.close(reading)


def test_a_stream_that_is_gone() -> None:
    reading, stream = pipe()
    handler = LineHandler(stream)
    os.close(reading)
    handler.emit(record("nobody"))
    with pytest.raises(BrokenPipeError):  # what is buffered comes up once more here, and nowhere else
        stream.close()
    handler.emit(record("closed"))
    LineHandler(None).emit(record("none"))


def test_a_stream_that_is_no_file() -> None:
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.emit(record("text"))
    assert stream.getvalue() == "text\n"


FULL = """
import os, sys
from sipcore_trio.daemon import cli
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_daemon_whose_stderr_is_full_registers_and_ends(
    registrar: Ports, config: Config, environment: dict[str, str], sipcore: Callable[..., Any]
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    process = subprocess.Popen(
        [sys.executable, "-c", FULL, *config.arguments("--trace")], env=environment, stderr=writing
    )
    os.close(writing)
    try:
        registrar.process.wait_for("200 OK")
        assert process.poll() is None
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)
