"""The command line's grammar, and its exit statuses for what cannot even start."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sipcore.profiles import PROFILES
from sipcore.values import Cause, OutcomeClass
from sipcore_trio.daemon import cli, client, codes
from sipcore_trio.daemon.commands import grammar
from tests.daemon.conftest import PYTHON_PATH

DOCS = Path(__file__).parents[2] / "docs" / "daemon.md"
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "sipcore: the following arguments are required: COMMAND (try sipcore --help)\n"),
        (["show"], "sipcore show: the following arguments are required: WHAT (try sipcore show --help)\n"),
        (
            ["send", "refresh", "x"],
            "sipcore send: argument action: invalid choice: 'refresh' (choose from 'register', 'unregister')"
            " (try sipcore send --help)\n",
        ),
        (
            ["list", "registration", "alice", "--control", "x"],
            "sipcore list: argument WHAT: invalid choice: 'registration' (choose from 'registrations')"
            " (try sipcore list --help)\n",
        ),
        (["run"], "sipcore run: the following arguments are required: -c/--config (try sipcore run --help)\n"),
        (["reload", "--cont", "x"], "sipcore reload: no option --cont; --control exists (try sipcore reload --help)\n"),
        (["run", "--confg", "x"], "sipcore run: no option --confg; --config exists (try sipcore run --help)\n"),
        (["--versoin"], "sipcore: no option --versoin; --version exists (try sipcore --help)\n"),
        (["reload", "-q"], "sipcore reload: no option -q (try sipcore reload --help)\n"),
        (["reload", "canary", "x"], "sipcore reload: 2 arguments too many (try sipcore reload --help)\n"),
        (
            ["run", "-c", "x", "--profile", "foo"],
            "sipcore run: argument --profile: 'foo' is none of ASTERISK, SIPCORE, JSSIP (try sipcore run --help)\n",
        ),
        (
            ["demo", "--duration", "x"],
            "sipcore demo: argument --duration: seconds, from 3 to 86400 (try sipcore demo --help)\n",
        ),
        (
            ["probe", "sip:h", "--user", "a", "--timeout", "nan"],
            "sipcore probe: argument --timeout: seconds, more than 0 and at most 86400 (try sipcore probe --help)\n",
        ),
        (
            ["probe", "sip:h", "--user", "a", "--expires", "1_0"],
            "sipcore probe: argument --expires: a whole number of seconds (try sipcore probe --help)\n",
        ),
        (
            ["demo", "--duration", "2"],
            "sipcore demo: argument --duration: seconds, from 3 to 86400 (try sipcore demo --help)\n",
        ),
        (
            ["run", "-c", "x", "--stop-within", "0"],
            "sipcore run: argument --stop-within: seconds, more than 0 and at most 86400 (try sipcore run --help)\n",
        ),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == codes.USAGE
    # Python 3.12 and later leave out the quotes in lists of choices.
    assert capsys.readouterr().err.replace("'", "") == message.replace("'", "")


@pytest.mark.parametrize("word", ["-rx", "-x", "-rnx", "-nrx", "-rvvvx"])
def test_asterisk_is_called_in_more_ways_than_one(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([word, "core show version", "--control", str(tmp_path / "none")]) == codes.UNREACHABLE
    assert "no daemon at" in capsys.readouterr().err


def test_help_takes_a_percent_sign_in_the_control_socket(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/100%s")
    with pytest.raises(SystemExit) as ended:
        cli.main(["reload", "--help"])
    assert ended.value.code == codes.OK
    assert "/run/100%s/sipcore.sock" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--password", "canary"], ["--password=canary"], ["--pasword-fiel=canary"]])
def test_a_misspelt_option_names_the_nearest_and_no_value(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["probe", "sip:h", "--user", "a", *words])
    assert ended.value.code == codes.USAGE
    said = capsys.readouterr().err
    assert said.endswith("; --password-file exists (try sipcore probe --help)\n")
    assert "canary" not in said


def test_values_that_look_like_options_are_left_to_the_grammar() -> None:
    words = ["probe", "sip:h", "--user=-x", "--timeout", "1.5", "--auth-user=--x"]
    cli._check_options(cli.parser(), words)
    assert cli.parser().parse_args(words).auth_user == "--x"
    cli._check_options(cli.parser(), ["send", "register", "--", "--name"])
    with pytest.raises(SystemExit):
        cli.main(["demo", "--duration", "-5"])


def test_the_version_is_that_of_the_distribution(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    assert project["name"] == grammar.DISTRIBUTION
    monkeypatch.setattr("importlib.metadata.version", {grammar.DISTRIBUTION: "1.2.3"}.__getitem__)
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (codes.OK, "sipcore 1.2.3\n")


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), codes.INTERRUPTED),
        (BaseExceptionGroup("", [BaseExceptionGroup("", [KeyboardInterrupt()])]), codes.INTERRUPTED),
        (BrokenPipeError(), codes.OK),
        (ExceptionGroup("", [BrokenPipeError(), BrokenPipeError()]), codes.OK),
        (BaseExceptionGroup("", [BrokenPipeError(), KeyboardInterrupt()]), codes.INTERRUPTED),
        (ExceptionGroup("", [FULL]), codes.FAILED),
        (ValueError(), None),
        (FileNotFoundError(errno.ENOENT, ""), None),
        (BaseExceptionGroup("", [KeyboardInterrupt(), ValueError()]), None),
    ],
)
def test_what_is_no_fault_of_ours_has_no_traceback(
    error: BaseException, code: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> int:
        raise error

    monkeypatch.setattr(client, "reload", fail)
    if code is None:
        with pytest.raises(type(error)):
            cli.main(["reload"])
    else:
        assert cli.main(["reload"]) == code
        assert capsys.readouterr().err == ("sipcore: cannot write: No space left on device\n" if code == 1 else "")


def test_the_command_says_what_is_not_installed() -> None:
    """The entry point that the distribution names, in a process that has no trio."""
    module, _, name = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["scripts"]["sipcore"].partition(":")
    program = f"import sys; sys.modules['trio'] = None; import {module}; sys.exit({module}.{name}())"
    ended = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (codes.USAGE, "")
    assert ended.stderr == "sipcore: the command needs trio: pip install 'sipcore-registration[daemon]'\n"


def test_an_interrupt_while_importing_ends_quietly() -> None:
    program = (
        "import signal, sys\n"
        "import sipcore_command\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.exit(sipcore_command.main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (codes.INTERRUPTED, "", "")


def test_the_profiles_offered_are_the_profiles_there_are() -> None:
    assert set(grammar.PROFILE_NAMES) == set(PROFILES)
    assert cli.parser().parse_args(["run", "-c", "x", "--profile", "jssip"]).profile == "JSSIP"


def test_the_control_socket_is_in_the_runtime_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert grammar.default_control() == "/run/user/7/sipcore.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    assert grammar.default_control() == "/run/sipcore.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert cli.parser().parse_args(["reload"]).control == "/run/sipcore.sock"


@pytest.mark.parametrize(
    "command", ["show registrations", "show registration x", "send register x", "reload", "trace x"]
)
def test_no_daemon_is_status_3(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "none.sock")
    assert cli.main([*command.split(), "--control", path]) == codes.UNREACHABLE
    assert capsys.readouterr().err == f"sipcore: no daemon at {path}: No such file or directory\n"


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (None, 10),
        (Cause(kind=OutcomeClass.TEMPORARY), 10),
        (Cause(kind=OutcomeClass.TEMPORARY, code=503), 11),
        (Cause(kind=OutcomeClass.CREDENTIALS, code=401), 12),
        (Cause(kind=OutcomeClass.PERMANENT, code=404), 13),
        (Cause(kind=OutcomeClass.PERMANENT, code=302), 14),
        (Cause(kind=OutcomeClass.PERMANENT, code=423), 15),
        (Cause(kind=OutcomeClass.REMOVED, code=200), 16),
    ],
)
def test_each_row_of_the_operators_table(cause: Cause | None, code: int) -> None:
    assert codes.probe_code(cause) == code
    assert re.search(rf"^\| {code} \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("kind", codes.PROBE)
def test_each_class_of_outcome_has_a_status_of_its_own(kind: OutcomeClass) -> None:
    code = codes.probe_code(Cause(kind=kind, code=500))
    assert code == codes.PROBE[kind]
    assert list(codes.PROBE.values()).count(code) == 1
    assert code not in (codes.FAILED, codes.USAGE, codes.UNREACHABLE, codes.NOT_REGISTERED, codes.NO_ANSWER)
    assert code not in (codes.REDIRECTED, codes.TOO_BRIEF, codes.REMOVAL_FAILED)


def test_the_operators_guide_names_every_command_option_and_status() -> None:
    text = DOCS.read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z-]+", cli.parser().format_help()))
    for command in ("run", "show", "send", "reload", "trace", "probe", "registrar", "demo"):
        assert f"sipcore {command}" in text
    for action in _all_options():
        assert f"`{action}" in text or f"{action} " in text or f"{action}`" in text, action
    assert options
    for kind, code in codes.PROBE.items():
        assert f"| {code} | {kind} " in text or code == 0
    for code in (codes.NO_ANSWER, codes.REMOVAL_FAILED, codes.UNREACHABLE, codes.NOT_REGISTERED):
        assert f"| {code} |" in text


def _all_options() -> set[str]:
    found: set[str] = set()
    todo = [cli.parser()]
    while todo:
        for action in todo.pop()._actions:
            found.update(name for name in action.option_strings if name.startswith("--") and name != "--help")
            choices = action.choices
            if isinstance(choices, dict):
                todo.extend(choices.values())
    return found
