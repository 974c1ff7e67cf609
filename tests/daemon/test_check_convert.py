"""`sipcore check`, `convert` and `schema`: files in, text out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sipcore import native
from sipcore_trio.daemon import cli, codes
from sipcore_trio.daemon.secrets import Secrets
from tests.daemon.conftest import SYSTEM, entry
from tests.secrecy import PASSWORD

Write = Callable[..., str]


@pytest.fixture
def conf(tmp_path: Path) -> Write:
    def write(*parts: str, name: str = "pjsip.conf") -> str:
        path = tmp_path / name
        path.touch(mode=0o600)
        path.write_text("".join(parts))
        return str(path)

    return write


def test_check_says_of_each_option_what_becomes_of_it(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf(SYSTEM, entry("alice", "sip:example.com", more="expiration = 600"), "[a]\ntype = acl\npermit = ::1\n")
    assert cli.main(["check", "-c", path]) == codes.OK
    lines = capsys.readouterr().out.splitlines()
    assert f"{path}:10: [alice] expiration = 600: used" in [line.split(": used")[0] + ": used" for line in lines]
    assert any("[a] permit = ::1: read, not used here" in line for line in lines)
    assert any("[alice] password: used" in line for line in lines)
    assert lines[-1].endswith("0 refused")
    assert len(lines) - 1 == sum("=" in line for line in Path(path).read_text().splitlines())


def test_strict_makes_an_unused_option_an_error(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf(entry("alice", "sip:example.com"), "[a]\ntype = acl\npermit = ::1\n")
    assert cli.main(["check", "-c", path, "--strict", "--quiet"]) == codes.USAGE
    assert "permit" in capsys.readouterr().out
    assert cli.main(["check", "-c", conf(entry("alice", "sip:example.com")), "--strict"]) == codes.OK


def test_quiet_leaves_no_trap_out(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf(entry("alice", "sip:example.com", more="expiration = 010\nauth_rejection_permanent = ja"))
    assert cli.main(["check", "-c", path, "--quiet"]) == codes.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ", 1)[1] for line in lines[:-1]] == [
        "[alice] expiration = 010: used: a leading 0 means octal, as in Asterisk: 010 is 8",
        "[alice] auth_rejection_permanent = ja: used: 'ja' is neither yes nor no and counts as no, as in Asterisk",
    ]


def test_quiet_says_nothing_of_what_is_used_in_toml(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf('[registrations.alice]\naor = "sip:alice@example.com"\n', name="a.toml")
    assert cli.main(["check", "-c", path, "--quiet"]) == codes.OK
    assert capsys.readouterr().out == "1 used; 0 read, not used here; 0 refused\n"


def test_a_fault_of_a_whole_section_is_told_of_it(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf("[r]\ntype = registration\n")
    assert cli.main(["check", "-c", path, "--quiet"]) == codes.USAGE
    assert capsys.readouterr().out.startswith(f"{path}:1: [r]: refused: needs server_uri")


def test_convert_says_once_of_an_object_that_nobody_uses(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    spare = "[ws]\ntype = transport\nprotocol = ws\nbind = 0.0.0.0\n[6001]\ntype = auth\nusername = a\npassword = x\n"
    path = conf(entry("alice", "sip:example.com"), spare, "[e]\ntype = endpoint\ncontext = x\n")
    assert cli.main(["convert", "-c", path]) == codes.OK
    told = capsys.readouterr().err
    assert "transport: no registration uses this transport, and ws is not supported yet (ws)\n" in told
    assert "auth: no registration uses this auth (6001)\n" in told
    assert "endpoint: context: not used by sipcore\n" in told
    assert "protocol" not in told


def test_check_goes_on_behind_what_is_refused(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf(entry("alice", "sip:example.com", more="expiraton = 600"), entry("bob", "http://example.com"))
    assert cli.main(["check", "-c", path, "--json"]) == codes.USAGE
    notes = json.loads(capsys.readouterr().out)
    refused = {(note["section"], note["option"]): note for note in notes if note["verdict"] == "refused"}
    assert set(refused) == {("alice", "expiraton"), ("bob", "server_uri")}
    assert "expiration" in refused["alice", "expiraton"]["text"]
    assert refused["bob", "server_uri"]["where"] == f"{path}:13"


def test_check_of_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("absent.conf", "absent.toml"):
        assert cli.main(["check", "-c", str(tmp_path / name)]) == codes.USAGE
        assert f"{name}: file: refused: cannot be read: No such file" in capsys.readouterr().out


def test_check_of_toml(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good = conf(f'[registrations.alice]\naor = "sip:alice@example.com"\npassword = "{PASSWORD}"\n', name="a.toml")
    assert cli.main(["check", "-c", good]) == codes.OK
    bad = conf('[registrations.alice]\naor = "sip:alice@example.com"\nexpirs = 5\n', name="b.toml")
    assert cli.main(["check", "-c", bad]) == codes.USAGE
    assert f"{bad}:3" in capsys.readouterr().out


def test_there_and_back_again(conf: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf(entry("alice", "sip:example.com", more="expiration = 600"))
    toml = str(tmp_path / "new" / "sipcore.toml")
    assert cli.main(["convert", "-c", path, "-o", toml]) == codes.OK
    written = capsys.readouterr().out.split()
    assert written[0] == toml
    text = Path(toml).read_text()
    assert PASSWORD not in text
    for name in written:
        assert Path(name).stat().st_mode & 0o777 == 0o600
    [account] = native.parse(text, file=toml, secrets=Secrets.beside(toml)).accounts
    assert (account.name, account.expires, account.profile.name) == ("alice", 600, "ASTERISK")
    back = str(tmp_path / "back.conf")
    assert cli.main(["convert", "-c", toml, "--secrets", "-o", back]) == codes.OK
    assert cli.main(["check", "-c", back]) == codes.OK


def test_convert_touches_nothing_that_exists(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf(entry("alice", "sip:example.com"))
    assert cli.main(["convert", "-c", path, "-o", path]) == codes.USAGE
    assert capsys.readouterr().err.startswith(f"sipcore: {path}: file: nothing is overwritten")


def test_convert_of_a_faulty_file_is_one_line(conf: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf(entry("alice", "http://example.com"))
    assert cli.main(["convert", "-c", path]) == codes.USAGE
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert f"{path}:3: server_uri" in shown.err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == codes.OK
    assert json.loads(capsys.readouterr().out) == native.schema()
