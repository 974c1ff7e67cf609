"""The command line's grammar, and its exit statuses for what cannot even start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sipcore.profiles import PROFILES
from sipcore.values import Cause, OutcomeClass
from sipcore_trio.daemon import cli, codes

DOCS = Path(__file__).parents[2] / "docs" / "daemon.md"


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
        (["run"], "sipcore run: the following arguments are required: -c/--config (try sipcore run --help)\n"),
        (["reload", "--cont", "x"], "sipcore: unrecognized arguments: --cont x (try sipcore --help)\n"),
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


def test_the_profiles_offered_are_the_profiles_there_are() -> None:
    assert set(cli.PROFILE_NAMES) == set(PROFILES)
    assert cli.parser().parse_args(["run", "-c", "x", "--profile", "jssip"]).profile == "JSSIP"


def test_the_control_socket_is_in_the_runtime_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert cli.default_control() == "/run/user/7/sipcore.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    assert cli.default_control() == "/run/sipcore.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert cli.parser().parse_args(["reload"]).control == "/run/sipcore.sock"


@pytest.mark.parametrize(
    "command", ["show registrations", "show registration x", "send register x", "reload", "trace x"]
)
def test_no_daemon_is_status_3(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "none.sock")
    assert cli.main([*command.split(), "--control", path]) == codes.UNREACHABLE
    assert capsys.readouterr().err == f"sipcore: no daemon at {path}: No such file or directory\n"


@pytest.mark.parametrize("kind", OutcomeClass)
def test_each_class_of_outcome_has_a_status_of_its_own(kind: OutcomeClass) -> None:
    code = codes.probe_code(Cause(kind=kind, code=500))
    assert code == codes.PROBE[kind]
    assert list(codes.PROBE.values()).count(code) == 1
    assert code not in (codes.FAILED, codes.USAGE, codes.UNREACHABLE, codes.NOT_REGISTERED, codes.NO_ANSWER)


def test_no_answer_is_told_apart_from_a_temporary_answer() -> None:
    assert codes.probe_code(Cause(kind=OutcomeClass.TEMPORARY)) == codes.NO_ANSWER
    assert codes.probe_code(Cause(kind=OutcomeClass.TEMPORARY, code=503)) == 11
    assert codes.probe_code(None) == codes.NO_ANSWER


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
