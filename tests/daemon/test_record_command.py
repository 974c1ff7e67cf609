"""`sipcore run --record`, `sipcore record`: a daemon's recordings, from outside."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from random import Random

import pytest
import trio

from sipcore.errors import LocalProtocolError
from sipcore.replay import compare, read
from sipcore_trio.daemon import cli, codes, recording
from sipcore_trio.daemon.checks import StartError
from sipcore_trio.daemon.control import RequestError
from sipcore_trio.daemon.recording import PIECE, RecordedAgent, RecordFile, create, dumped, pieces
from tests.accounts import account
from tests.daemon.conftest import Config, Process, entry
from tests.secrecy import PASSWORD, find

Start = Callable[..., Process]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def port(start: Start) -> int:
    """Of a registrar on UDP that knows alice."""
    process = start("registrar", "--listen", "udp:127.0.0.1:0", "--user", f"alice:{PASSWORD}")
    return int(process.wait_for("listening on udp:").rpartition(":")[2])


@pytest.fixture
def config(tmp_path: Path, control: str, port: int) -> Config:
    made = Config(tmp_path, control)
    made.write(entry("alice", f"sip:127.0.0.1:{port}", password=PASSWORD))
    return made


def check(text: str) -> list[str]:
    """A recording of these tests is identical when it is played, holds no secret, and says these steps."""
    assert find(text) is None
    recording = read(text.splitlines(keepends=True))
    assert compare(recording).difference is None
    return [step.name for step in recording.steps]


def test_a_whole_life_in_a_file(start: Start, config: Config, tmp_path: Path) -> None:
    path = tmp_path / "life.jsonl"
    daemon = start(*config.arguments("--record", str(path)))
    daemon.wait_for("alice: Registered")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # What was performed has been written.
    assert check(path.read_text(encoding="ascii"))[:2] == ["add", "register"]
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    names = check(path.read_text(encoding="ascii"))
    assert path.read_text(encoding="ascii").splitlines()[-1].startswith('{"end":')
    assert names.count("Registered") == 1
    assert names[-1] == "CloseFlow"
    assert "Unregistered" in names


def test_a_file_without_a_name_is_called_after_the_moment(start: Start, config: Config, tmp_path: Path) -> None:
    with chdir(tmp_path):
        daemon = start(*config.arguments("--record"))
    daemon.wait_for("alice: Registered")
    (path,) = tmp_path.glob("sipcore-*.jsonl")
    assert re.fullmatch(r"sipcore-\d{8}T\d{6}\.jsonl", path.name)


def test_a_file_that_exists_is_left_alone(sipcore: Run, config: Config, tmp_path: Path) -> None:
    path = tmp_path / "there.jsonl"
    path.write_text("mine")
    ended = sipcore(*config.arguments("--record", str(path)))
    assert ended.returncode == codes.USAGE
    assert ended.stderr == f"sipcore: {path}: recording: nothing is overwritten; name a new file\n"
    assert path.read_text() == "mine"
    assert not os.path.exists(config.control)


def test_a_file_ends_at_its_limit_with_a_whole_line(start: Start, config: Config, tmp_path: Path) -> None:
    path = tmp_path / "short.jsonl"
    daemon = start(*config.arguments("--record", str(path), "--record-limit", "5K"))
    line = daemon.wait_for("recording to")
    assert line.endswith(f"INFO recording to {path} stopped: its limit of 5120 bytes is reached")
    assert path.stat().st_size <= 5120
    assert check(path.read_text(encoding="ascii"))
    daemon.wait_for("alice: Registered")


def test_a_limit_below_the_first_image_is_refused_before_anything_starts(
    sipcore: Run, config: Config, tmp_path: Path
) -> None:
    path = tmp_path / "short.jsonl"
    ended = sipcore(*config.arguments("--record", str(path), "--record-limit", "1K"))
    assert ended.returncode == codes.USAGE
    text = "1024 bytes; at least 4K, since a recording begins with an image of the agent"
    assert ended.stderr == f"sipcore: --record-limit: {text}\n"
    assert not path.exists()
    assert not os.path.exists(config.control)


def test_the_first_image_fits_into_the_smallest_limit_and_can_be_played(tmp_path: Path, log: logging.Logger) -> None:
    path = tmp_path / "short.jsonl"
    file = RecordFile.wanted(str(path), recording.MIN_LIMIT, log)
    assert file is not None
    agent = RecordedAgent(random=Random(1))
    agent.record_to(file, now=0.0)
    agent.add(account(), now=1.0)
    for second in range(100):
        agent.register("alice", now=float(second))
        while agent.next_output() is not None:
            pass
    assert file.ended == f"its limit of {recording.MIN_LIMIT} bytes is reached"
    assert check(path.read_text(encoding="ascii"))[:2] == ["add", "register"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_ends_the_recording_and_nothing_else(
    start: Start, config: Config, tmp_path: Path, environment: dict[str, str]
) -> None:
    # A file cannot be created on /dev/full, so the daemon is told that it was.
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "true_open = os.open\n"
        "def open(path, flags, mode=0o777, **more):\n"
        "    if str(path).endswith('full.jsonl'):\n"
        "        return true_open('/dev/full', os.O_WRONLY)\n"
        "    return true_open(path, flags, mode, **more)\n"
        "os.open = open\n"
    )
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    path = str(tmp_path / "full.jsonl")
    daemon = start(*config.arguments("--record", path))
    line = daemon.wait_for("recording to")
    assert line.endswith(f"WARNING recording to {path} stopped: No space left on device")
    daemon.wait_for("alice: Registered")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert len([line for line in daemon.lines if "recording" in line]) == 1


# --- the ring ------------------------------------------------------------------------------------------------------


def test_the_ring_can_be_had_at_any_time(start: Start, sipcore: Run, config: Config, tmp_path: Path) -> None:
    daemon = start(*config.arguments())
    daemon.wait_for("alice: Registered")
    control = ("--control", config.control)
    path = tmp_path / "ring.jsonl"
    dumped = sipcore("record", "dump", str(path), *control)
    assert (dumped.returncode, dumped.stdout, dumped.stderr) == (0, f"{path}\n", "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Registered" in check(path.read_text(encoding="ascii"))
    printed = sipcore("record", "dump", "-", *control)
    assert check(printed.stdout)[:2] == ["add", "register"]
    again = sipcore("record", "dump", str(path), *control)
    assert (again.returncode, again.stdout) == (codes.USAGE, "")
    assert "nothing is overwritten" in again.stderr
    told = sipcore("record", "status", *control)
    assert told.returncode == 0
    assert re.search(r"^ring: 1 segment, about \d+ bytes, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", told.stdout)
    assert "file: none" in told.stdout


def test_without_a_ring_there_is_none(start: Start, sipcore: Run, config: Config, tmp_path: Path) -> None:
    daemon = start(*config.arguments("--no-ring"))
    daemon.wait_for("alice: Registered")
    control = ("--control", config.control)
    path = tmp_path / "ring.jsonl"
    dumped = sipcore("record", "dump", str(path), *control)
    assert dumped.returncode == codes.FAILED
    assert dumped.stderr == "sipcore: the daemon keeps no recording in memory, since it was started with --no-ring\n"
    assert not path.exists()
    assert sipcore("record", "status", *control).stdout == "ring: none\nfile: none\n"


def test_everything_that_steers_a_daemon_is_in_it(
    start: Start, sipcore: Run, control: str, tmp_path: Path
) -> None:
    """Connections, a refusal, orders, a reload, a trace that looks on: ring and file are identical when played."""
    users = [part for name in ("alice", "bob") for part in ("--user", f"{name}:{PASSWORD}")]
    server = start("registrar", "--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0", *users)
    udp = int(server.wait_for("listening on udp:").rpartition(":")[2])
    tcp = int(server.wait_for("listening on tcp:").rpartition(":")[2])
    alice = entry("alice", f"sip:127.0.0.1:{udp}", password=PASSWORD)
    bob = entry("bob", f"sip:127.0.0.1:{tcp}\\;transport=tcp", password=PASSWORD)
    eve = entry("eve", f"sip:127.0.0.1:{udp}", password=PASSWORD)
    config = Config(tmp_path, control)
    config.write(alice, bob, eve)
    path = tmp_path / "file.jsonl"
    daemon = start(*config.arguments("--record", str(path), "--trace"))
    for line in ("alice: Registered", "bob: Registered", "eve: Rejected"):
        daemon.wait_for(line)
    to = ("--control", control)
    assert sipcore("send", "unregister", "alice", *to).returncode == 0
    daemon.wait_for("alice: Unregistered")
    config.write(alice, bob)
    assert sipcore("reload", *to).returncode == 0
    seen = len(daemon.lines)
    assert sipcore("send", "register", "*all", *to).returncode == 0
    daemon.wait_for("alice: Registered", start=seen)
    ring = check(sipcore("record", "dump", "-", *to).stdout)
    assert {"add", "register", "unregister", "reload", "flow_opened", "Rejected", "receive"} <= set(ring)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert check(path.read_text(encoding="ascii"))[: len(ring)] == ring


def test_a_file_needs_no_ring(start: Start, sipcore: Run, config: Config, tmp_path: Path) -> None:
    path = tmp_path / "life.jsonl"
    daemon = start(*config.arguments("--no-ring", "--record", str(path)))
    daemon.wait_for("alice: Registered")
    told = sipcore("record", "status", "--control", config.control).stdout
    assert re.fullmatch(rf"ring: none\nfile: {path}, \d+ bytes, at most {256 << 20}\n", told)
    assert sipcore("record", "dump", "-", "--control", config.control).returncode == codes.FAILED
    assert "Registered" in check(path.read_text(encoding="ascii"))


def test_no_daemon_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.jsonl"
    control = str(tmp_path / "none.sock")
    assert cli.main(["record", "dump", str(path), "--control", control]) == codes.UNREACHABLE
    assert capsys.readouterr().err == f"sipcore: no daemon at {control}: No such file or directory\n"
    assert not path.exists()


def test_half_a_dump_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sipcore_trio.daemon import client

    def exchange(*_: object, **__: object) -> object:
        yield {"piece": "{}\n"}
        raise client.Unreachable("gone")

    monkeypatch.setattr(client, "exchange", exchange)
    path = tmp_path / "half.jsonl"
    assert cli.main(["record", "dump", str(path), "--control", "x"]) == codes.UNREACHABLE
    assert not path.exists()
    assert capsys.readouterr().err == "sipcore: gone\n"


# --- the parts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    caplog.set_level(logging.INFO)
    return logging.getLogger("tests.record")


def test_lines_reach_the_file_with_each_burst(tmp_path: Path, log: logging.Logger) -> None:
    file = RecordFile(str(tmp_path / "x"), 1000, log)
    file.write("one")
    file.write("two\n")
    assert (tmp_path / "x").read_bytes() == b""
    file.flush()
    assert (tmp_path / "x").read_bytes() == b"one\ntwo\n"
    file.write("three")
    file.close()
    file.close()
    assert (tmp_path / "x").read_bytes() == b"one\ntwo\nthree\n"
    assert (file.written, file.ended) == (14, "the daemon ended")


def test_a_long_burst_is_written_meanwhile(tmp_path: Path, log: logging.Logger) -> None:
    file = RecordFile(str(tmp_path / "x"), 1 << 30, log)
    file.write("x" * recording.BUFFER)
    assert (tmp_path / "x").stat().st_size == recording.BUFFER + 1
    file.close()


def test_the_limit_holds_and_is_told_once(
    tmp_path: Path, log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    file = RecordFile(str(tmp_path / "x"), 8, log)
    for text in ("one", "two", "three", "4"):
        file.write(text)
    file.flush()
    file.close()
    assert (tmp_path / "x").read_bytes() == b"one\ntwo\n"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"recording to {tmp_path / 'x'} stopped: its limit of 8 bytes is reached")
    ]


def test_what_was_written_by_half_is_taken_back(
    tmp_path: Path, log: logging.Logger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up in the middle of a line: whole lines are left, and one warning."""
    file = RecordFile(str(tmp_path / "x"), 1000, log)
    file.write("one")
    file.flush()
    true_write = os.write
    rooms = [2, 0]

    def write(descriptor: int, data: bytes) -> int:
        room = rooms.pop(0)
        if not room:
            raise OSError(28, "No space left on device")
        return true_write(descriptor, data[:room])

    monkeypatch.setattr(os, "write", write)
    file.write("two")
    file.flush()
    file.write("three")
    file.flush()
    file.close()
    assert (tmp_path / "x").read_bytes() == b"one\n"
    assert file.written == 4
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"recording to {tmp_path / 'x'} stopped: No space left on device")
    ]


def test_a_recording_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartError):
        create(str(tmp_path / "x"))
    with pytest.raises(StartError, match=r"x\\x00|embedded null"):
        create(str(tmp_path / "x\0"))


def test_one_dump_at_a_time_and_a_client_that_leaves_ends_it() -> None:
    agent = RecordedAgent(random=Random(1))

    async def main() -> None:
        first = dumped(agent, now=0.0)
        assert (await anext(first)).startswith('{"sipcore":"recording"')
        with pytest.raises(RequestError, match="another dump"):
            await anext(dumped(agent, now=0.0))
        await first.aclose()
        assert check("".join([piece async for piece in dumped(agent, now=0.0)])) == []

    trio.run(main)


def test_what_cannot_be_recorded_is_told_and_ends_nothing(tmp_path: Path, log: logging.Logger) -> None:
    agent = RecordedAgent(random=Random(1))
    agent._snapshot = {"x": ({"y": object()}, 0.0, 0.0)}

    async def main() -> None:
        with pytest.raises(RequestError, match="cannot be recorded"):
            _ = [piece async for piece in dumped(agent, now=0.0)]

    agent._turn()
    trio.run(main)
    file = RecordFile(str(tmp_path / "x"), 1 << 20, log)
    agent.record_to(file, now=0.0)
    assert "cannot be recorded" in file.ended
    assert agent.next_output() is None


def test_an_input_that_cannot_be_recorded_ends_the_file_with_a_line(
    tmp_path: Path, log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """A name of an unknown class, say, of an enumeration of the application's."""

    class Name(str):
        __slots__ = ()

    agent = RecordedAgent(random=Random(1))
    file = RecordFile(str(tmp_path / "run.jsonl"), 1 << 20, log)
    agent.record_to(file, now=0.0)
    with pytest.raises(LocalProtocolError):
        agent.register(Name("alice"), now=1.0)
    assert agent.next_output() is None
    assert file.ended == agent.sink_error == "a Name cannot be recorded: it is not in the table of values"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    agent.network_changed(now=2.0)
    assert agent.next_output() is None
    assert read(Path(file.path).read_text().splitlines(keepends=True)).steps == []


def test_pieces_are_bounded_and_lose_nothing() -> None:
    lines = ["a" * 10, "b" * (3 * PIECE), "", "c\n"]
    found = list(pieces(iter(lines)))
    assert "".join(found) == "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    assert all(0 < len(piece) < 2 * PIECE for piece in found)
    # A client reads lines of bounded length.
    assert all(len(json.dumps({"piece": piece})) < 1 << 20 for piece in found)


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("64k", 65536), ("256M", 256 << 20), ("2G", 2 << 30), ("1048576", 1 << 20)]
)
def test_sizes(text: str, size: int) -> None:
    assert cli.parser().parse_args(["run", "-c", "x", "--record-limit", text]).record_limit == size


@pytest.mark.parametrize("text", ["", "0", "-1", "M", "1.5M", "1T", "٣", "1 M"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "-c", "x", f"--record-limit={text}"])

