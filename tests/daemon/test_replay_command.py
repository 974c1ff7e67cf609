"""`sipcore replay`: identical or the first difference, lists, diagrams, captures; and what it refuses."""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sipcore.config import Account
from sipcore.replay import RecordingAgent, read
from sipcore_trio.daemon import cli, codes
from tests.daemon.conftest import PATIENCE, Process, entry
from tests.replay.incident import LADDER, PASSWORDS, SAMPLE
from tests.secrecy import PASSWORD, find

Replay = Callable[..., tuple[int, str, str]]

DOCS = Path(__file__).parents[2] / "docs" / "replay.md"


@pytest.fixture
def replay(capsys: pytest.CaptureFixture[str]) -> Replay:
    """Run the command here: exit status, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["replay", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The recording of an agent that would have done something else: its second REGISTER has another CSeq."""
    lines = SAMPLE.read_text(encoding="ascii").splitlines()
    number = next(index for index, line in enumerate(lines) if "16236 REGISTER" in line and "Transmit" in line)
    lines[number] = lines[number].replace("16236 REGISTER", "26236 REGISTER")
    path = tmp_path / "other.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_incident_is_identical(replay: Replay) -> None:
    recording = read(SAMPLE.read_text(encoding="ascii").splitlines())
    inputs = sum(step.is_input for step in recording.steps)
    outputs = len(recording.steps) - inputs
    segments = len(recording.segments)
    assert replay(str(SAMPLE)) == (
        0,
        f"identical: {inputs} inputs, {outputs} outputs in {segments} segment{'' if segments == 1 else 's'}\n",
        "",
    )


def test_also_from_stdin(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    with SAMPLE.open(encoding="ascii") as file:
        monkeypatch.setattr(sys, "stdin", file)
        code, told, _ = replay("-")
    assert code == 0
    assert told.startswith("identical: ")


def test_the_first_difference_is_shown(replay: Replay, other: Path) -> None:
    code, told, errors = replay(str(other))
    assert (code, errors) == (codes.FAILED, "")
    lines = told.splitlines()
    assert lines[0].startswith("different: step 1")
    assert "- CSeq: 26236 REGISTER" in lines
    assert "+ CSeq: 16236 REGISTER" in lines
    assert "  Call-ID" in told
    assert find(told) is None


def test_a_difference_is_safe_to_print(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "evil.jsonl"
    evil = f"16236 \\u001b[2J\\u202e{'x' * 9000}"
    path.write_text(SAMPLE.read_text(encoding="ascii").replace("16236 REGISTER", evil))
    code, told, _ = replay(str(path))
    assert code == codes.FAILED
    assert all(line.isprintable() and len(line) < 1000 for line in told.splitlines())
    assert "- CSeq: 16236 \\x1b[2J\\u202ex" in told


def test_step_by_step_up_to_the_difference(replay: Replay, other: Path) -> None:
    code, told, _ = replay(str(SAMPLE), "--step")
    assert code == 0
    steps = read(SAMPLE.read_text(encoding="ascii").splitlines()).steps
    lines = told.splitlines()
    assert len(lines) == len(steps) + 1
    assert lines[-1].startswith("identical: ")
    for line, step in zip(lines, steps, strict=False):
        direction = "in " if step.is_input else "out"
        assert re.match(rf" *{step.number} +\d+\.\d\d\d  {direction}  {step.name}\b", line), line
    code, told, _ = replay(str(other), "--step")
    assert code == codes.FAILED
    assert "+ CSeq: 16236 REGISTER" in told


def test_a_part_of_the_list(replay: Replay) -> None:
    _, told, _ = replay(str(SAMPLE), "--step", "--from", "5", "--to", "7")
    assert [line.split()[0] for line in told.splitlines()[:-1]] == ["5", "6", "7"]


def test_on_a_terminal_enter_goes_on_and_q_ends(environment: dict[str, str]) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sipcore_trio.daemon", "replay", str(SAMPLE), "--step"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
        close_fds=True,
    )
    os.close(follower)
    try:
        assert "add" in until(leader, b"add account=alice")
        os.write(leader, b"\n")
        until(leader, b"add account=bob")
        os.write(leader, b"q\n")
        assert process.wait(PATIENCE) == codes.OK
        assert b"register" not in rest(leader)
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def until(descriptor: int, text: bytes) -> str:
    seen = b""
    while text not in seen:
        seen += os.read(descriptor, 4096)
    return seen.decode()


def rest(descriptor: int) -> bytes:
    seen = b""
    try:
        while piece := os.read(descriptor, 4096):
            seen += piece
    except OSError:  # how Linux says that the other side of a terminal is gone
        pass
    return seen


# --- diagrams ------------------------------------------------------------------------------------------------------


def test_the_ladder(replay: Replay) -> None:
    assert replay(str(SAMPLE), "--ladder") == (0, LADDER.read_text(encoding="utf-8"), "")


def test_the_mermaid_diagram(replay: Replay) -> None:
    code, told, _ = replay(str(SAMPLE), "--mermaid", "--name", "bob", "--from", "21", "--to", "34")
    assert code == 0
    lines = told.splitlines()
    assert lines[0] == "sequenceDiagram"
    assert lines[4] == "    p0->>p1: 0.500 register bob"
    assert "alice" not in told


def test_a_name_that_nobody_has(replay: Replay) -> None:
    code, told, errors = replay(str(SAMPLE), "--ladder", "--name", "alcie")
    assert (code, told) == (codes.USAGE, "")
    assert errors == "sipcore: there is no registration 'alcie' in this recording; did you mean 'alice'?\n"


def test_the_packet_capture(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    assert replay(str(SAMPLE), "--pcap", str(path))[0] == 0
    data = path.read_bytes()
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    assert b"REGISTER sip:example.com SIP/2.0" in data
    assert find(data.decode("latin-1")) is None
    code, _, errors = replay(str(SAMPLE), "--pcap", str(path))
    assert code == codes.USAGE
    assert "nothing is overwritten" in errors


def test_the_packet_capture_to_stdout(environment: dict[str, str], replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    replay(str(SAMPLE), "--pcap", str(path), "--to", "40")
    ended = subprocess.run(
        [sys.executable, "-m", "sipcore_trio.daemon", "replay", str(SAMPLE), "--pcap", "-", "--to", "40"],
        capture_output=True,
        env=environment,
        timeout=PATIENCE,
        check=True,
    )
    assert ended.stdout == path.read_bytes()


# --- secrets -------------------------------------------------------------------------------------------------------


def test_with_the_passwords_it_is_identical_too(replay: Replay, tmp_path: Path) -> None:
    arguments = []
    for name, password in PASSWORDS.items():
        path = tmp_path / f"{name}.conf"
        path.touch(mode=0o600)
        path.write_text(f"{password}\n")
        arguments += ["--secret", f"{name}={path}"]
    assert replay(str(SAMPLE), *arguments)[:1] == (0,)
    conf = tmp_path / "pjsip.conf"
    conf.touch(mode=0o600)
    conf.write_text("".join(entry(name, "sip:example.com", password=password) for name, password in PASSWORDS.items()))
    code, told, errors = replay(str(SAMPLE), "-c", str(conf))
    assert (code, errors) == (0, "")
    assert told.startswith("identical: ")


def test_given_the_passwords_the_difference_shows_no_secret(replay: Replay, other: Path, tmp_path: Path) -> None:
    password = tmp_path / "password.conf"
    password.touch(mode=0o600)
    password.write_text(f"{PASSWORD}\n")
    code, told, _ = replay(str(other), "--secret", f"alice={password}")
    assert code == codes.FAILED
    assert find(told) is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--secret", "canary"], "sipcore: --secret: NAME=FILE, the first line of the file being the password\n"),
        (["--secret", "alice="], "sipcore: --secret: NAME=FILE, the first line of the file being the password\n"),
        (["--secret", "alice=/nonexistent"], "sipcore: --secret: '/nonexistent': No such file or directory\n"),
        (["-c", "/nonexistent"], "sipcore: /nonexistent: "),
    ],
)
def test_secrets_that_cannot_be_had(replay: Replay, arguments: list[str], error: str) -> None:
    code, told, errors = replay(str(SAMPLE), *arguments)
    assert (code, told) == (codes.USAGE, "")
    assert errors.startswith(error)
    assert errors.count("\n") == 1


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"{}\n", b"rubbish\n", b"\xff\xfe", b"[" * 5000, b"\x1b[2J\n", b"null\n" * 3])
def test_what_is_no_recording_is_refused_in_one_line(replay: Replay, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    for more in ((), ("--step",), ("--ladder",), ("--mermaid",), ("--pcap", str(tmp_path / "x.pcap"))):
        code, told, errors = replay(str(path), *more)
        assert (code, told) == (codes.USAGE, "")
        assert errors.startswith(f"sipcore: {path}: ")
        assert errors.count("\n") == 1
        assert errors.strip().isprintable()
    assert not (tmp_path / "x.pcap").exists()


def test_a_plan_of_the_simulation_is_told_where_it_belongs(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "sim-swarm-7.json"
    path.write_text('{\n "format": 1,\n "plan": {}\n}\n')
    code, told, errors = replay(str(path))
    assert (code, told) == (codes.USAGE, "")
    assert errors.startswith(f"sipcore: {path}: ")
    assert errors.endswith("python -m sipcore.testing.sim --plan FILE\n")


def test_a_file_that_is_not_there(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert replay(str(path)) == (codes.USAGE, "", f"sipcore: {path}: No such file or directory\n")
    assert replay(str(tmp_path)) == (codes.USAGE, "", f"sipcore: {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("arguments", [["--ladder", "--step"], ["--from", "0"], ["--to", "x"], ["--pcap"]])
def test_wrong_arguments(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["replay", "x", *arguments])
    assert ended.value.code == codes.USAGE


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--from", "5"], "--from: chooses what is shown, so it needs --step, --ladder, --mermaid or --pcap"),
        (["--to", "5"], "--to: chooses what is shown, so it needs --step, --ladder, --mermaid or --pcap"),
        (["--name", "bob"], "--name: chooses what is shown, so it needs --step, --ladder, --mermaid or --pcap"),
        (
            ["--pcap", "-", "--name", "bob"],
            "--name: a packet capture has all registrations; the filters of its readers choose",
        ),
        (["--step", "--from", "5", "--to", "4"], "--to: 4 stands before --from, which is 5"),
        *[
            ([*view, "--from", "900"], "--from: 900 stands behind the last step, which is 164")
            for view in (["--step"], ["--ladder"], ["--mermaid"], ["--pcap", "-"])
        ],
        (["--ladder", "--from", "35", "--to", "35"], "nothing to draw: nothing happened in step 35"),
        (
            ["--mermaid", "--name", "alice", "--from", "29", "--to", "32"],
            "nothing to draw: nothing happened in steps 29 to 32 about 'alice'",
        ),
        (["--pcap", "-", "--to", "12"], "nothing to capture: no packets in steps 1 to 12"),
    ],
)
def test_choices_that_choose_nothing(replay: Replay, arguments: list[str], error: str) -> None:
    assert replay(str(SAMPLE), *arguments) == (codes.USAGE, "", f"sipcore: {error}\n")


def test_a_list_without_a_line_says_which_steps_it_left_out(replay: Replay) -> None:
    code, told, _ = replay(str(SAMPLE), "--step", "--name", "alice", "--from", "29", "--to", "32")
    assert code == 0
    assert told.splitlines()[0] == "nothing to show: steps 29 to 32 about 'alice'"
    assert told.splitlines()[1].startswith("identical: ")


@pytest.mark.parametrize("view", [["--ladder"], ["--mermaid"], ["--pcap", "-"]])
def test_passwords_are_refused_where_nothing_is_played(replay: Replay, view: list[str]) -> None:
    for words in (["--secret", "alice=x"], ["-c", "x"]):
        code, told, errors = replay(str(SAMPLE), *view, *words)
        assert (code, told) == (codes.USAGE, "")
        assert errors.endswith(": passwords serve to play, and --ladder, --mermaid and --pcap play nothing\n")


def test_a_capture_of_nothing_leaves_no_file(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    assert replay(str(SAMPLE), "--pcap", str(path), "--to", "12")[0] == codes.USAGE
    assert not path.exists()


@pytest.mark.parametrize("view", [(), ("--step",), ("--ladder",), ("--mermaid",), ("--pcap", "-")])
def test_a_header_alone_holds_nothing(replay: Replay, tmp_path: Path, view: tuple[str, ...]) -> None:
    path = tmp_path / "header.jsonl"
    path.write_text(SAMPLE.read_text("ascii").splitlines(keepends=True)[0])
    error = "this recording holds nothing: behind its header there is no segment (cut off?)"
    assert replay(str(path), *view) == (codes.USAGE, "", f"sipcore: {path}: {error}\n")


def test_a_run_in_which_nothing_happened_is_played_and_not_drawn(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "idle.jsonl"
    path.write_text("".join(RecordingAgent(random=Random(1)).dump()))
    assert replay(str(path)) == (0, "identical: 0 inputs, 0 outputs in 1 segment\n", "")
    assert replay(str(path), "--step") == (0, "identical: 0 inputs, 0 outputs in 1 segment\n", "")
    for view in (["--ladder"], ["--mermaid"], ["--pcap", "-"], ["--step", "--from", "1"]):
        told = "sipcore: the recording has no steps: nothing happened to the agent\n"
        assert replay(str(path), *view) == (codes.USAGE, "", told)


def test_a_capture_that_exists_is_left_alone(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "there.pcap"
    path.write_text("mine")
    _, _, errors = replay(str(SAMPLE), "--pcap", str(path))
    assert errors == f"sipcore: {path}: capture: nothing is overwritten; name a new file\n"
    assert path.read_text() == "mine"


@pytest.mark.parametrize("view", [(), ("--step",), ("--ladder",), ("--mermaid",), ("--pcap", "-")])
def test_a_clock_that_fits_into_no_float_is_refused(replay: Replay, tmp_path: Path, view: tuple[str, ...]) -> None:
    text = SAMPLE.read_text("ascii")
    path = tmp_path / "odd.jsonl"
    path.write_text(re.sub(r'("step":1,"now":)[^,]*', rf"\g<1>{10**400}", text, count=1))
    code, told, errors = replay(str(path), *view)
    assert (code, told) == (codes.USAGE, "")
    assert "is larger than any number can be" in errors


def test_a_segment_that_was_cut_off_is_left_out(replay: Replay, tmp_path: Path) -> None:
    """Of an image behind other segments nothing can be said, so only what stands before it is played."""
    *lines, _ = SAMPLE.read_text("ascii").splitlines(keepends=True)
    lines += ['{"segment":2,"now":0.0}\n', next(line for line in lines if '"node":1,' in line)]
    path = tmp_path / "cut.jsonl"
    path.write_text("".join(lines))
    told = "identical: 82 inputs, 82 outputs in 1 segment\nthe recording was cut off: its end is missing\n"
    assert replay(str(path)) == (codes.OK, told, "")


def test_a_recording_that_ends_in_its_first_image_says_so(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_text("".join(SAMPLE.read_text("ascii").splitlines(keepends=True)[:6]))
    for view in ((), ("--ladder",)):
        code, _, errors = replay(str(path), *view)
        assert code == codes.USAGE
        assert errors.endswith("(the recording ends in this image or right behind it: cut off?)\n")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero, a file without an end")
def test_what_has_no_end_is_refused(replay: Replay) -> None:
    code, _, errors = replay("/dev/zero")
    assert (code, errors) == (codes.USAGE, "sipcore: /dev/zero: line 1: the line has more than 16777216 characters\n")
    code, _, errors = replay(str(SAMPLE), "--secret", "alice=/dev/zero")
    expected = "sipcore: --secret: '/dev/zero': a first line of at most 4096 characters, the password\n"
    assert (code, errors) == (codes.USAGE, expected)


# --- the documentation ---------------------------------------------------------------------------------------------


def test_the_diagram_in_the_documentation_is_a_real_one(replay: Replay) -> None:
    """The block stands behind the command that makes it, with `incident.jsonl` for the recording of the tests."""
    shown = re.compile(r"^\$ sipcore (replay incident\.jsonl.*)\n((?:.*\n)*?)```$", re.MULTILINE)
    found = shown.findall(DOCS.read_text("utf-8"))
    assert [command for command, _ in found if "--ladder" in command]
    for command, text in found:
        words = [str(SAMPLE) if word == "incident.jsonl" else word for word in shlex.split(command)[1:]]
        _, told, _ = replay(*words)
        assert told == text, f"for docs/replay.md:\n{told}"


def test_programs_of_the_documentation_record_what_they_do(start: Callable[..., Process]) -> None:
    server = start("registrar", "--listen", "udp:127.0.0.1:0", "--user", f"alice:{PASSWORD}")
    port = server.wait_for("listening on udp:").rpartition(":")[2]
    account = Account(f"sip:alice@127.0.0.1:{port}", password=PASSWORD)
    programs = re.findall(r"^```python\n(.*?)^```$", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    recorded = []
    for program in programs:
        names: dict[str, Any] = {}
        exec(compile(program, str(DOCS), "exec"), names)
        lines = names["run"](account) if "run" in names else names["lines"]
        recorded.append([step.name for step in read(lines).steps])
    assert [steps[:2] for steps in recorded] == [["add", "register"], ["add", "register"]]
    assert "Unregistered" in recorded[0]


def test_commands_of_the_documentation_are_understood() -> None:
    for line in re.findall(r"^(?:\$ )?sipcore (.*)$", DOCS.read_text("utf-8"), re.MULTILINE):
        cli.parser().parse_args(shlex.split(line.partition(" #")[0]))


def test_output_that_is_no_text_of_the_locale(environment: dict[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sipcore_trio.daemon", "replay", str(SAMPLE), "--ladder"],
        capture_output=True,
        env={**environment, "PYTHONIOENCODING": "ascii"},
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"\\u2192" in io.BytesIO(ended.stdout).read()
