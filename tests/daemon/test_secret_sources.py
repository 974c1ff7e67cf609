"""Secrets outside of the configuration, and TOML files as the daemon reads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sipcore.errors import ConfigError
from sipcore.profiles import ASTERISK, SIPCORE
from sipcore.values import Secret
from sipcore_trio.daemon.checks import StartError, load_file
from sipcore_trio.daemon.secrets import MAX_SECRET, Secrets

PASSWORD = "ordinary-5e0f"
"""Not the one of the other tests: it has to be written into files, where that one may not be."""


def write(path: Path, data: bytes, mode: int = 0o600) -> str:
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


def refusal(secrets: Secrets, place: str, name: str) -> str:
    with pytest.raises(ValueError) as caught:
        secrets.secret(place, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_file_of_its_own(tmp_path: Path, ending: bytes) -> None:
    write(tmp_path / "p", PASSWORD.encode() + ending)
    secrets = Secrets(str(tmp_path), {})
    assert secrets.secret("file", "p") == Secret(PASSWORD)
    assert secrets.secret("file", str(tmp_path / "p")) == Secret(PASSWORD)


def test_only_one_line_end_goes(tmp_path: Path) -> None:
    write(tmp_path / "p", b" a \n\n")
    assert Secrets(str(tmp_path), {}).secret("file", "p") == Secret(" a \n")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601, 0o610])
def test_a_file_that_others_can_read_or_change(tmp_path: Path, mode: int) -> None:
    write(tmp_path / "p", b"x", mode)
    told = f"has mode {mode:04o}, so that others can read or change it; chmod 600"
    assert refusal(Secrets(str(tmp_path), {}), "file", "p") == told


def test_a_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "p", b"x")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    if os.stat(path).st_uid == 0:
        os.chown(path, 4712, -1)
    assert refusal(Secrets(str(tmp_path), {}), "file", "p").startswith("belongs to another user (uid ")


def test_files_that_hold_no_secret(tmp_path: Path) -> None:
    secrets = Secrets(str(tmp_path), {})
    write(tmp_path / "empty", b"\n")
    assert refusal(secrets, "file", "empty") == 'is empty; an empty password is written as ""'
    write(tmp_path / "long", b"x" * (MAX_SECRET + 1))
    assert refusal(secrets, "file", "long") == f"is longer than {MAX_SECRET} bytes"
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refusal(secrets, "file", "pipe") == "is not a regular file"
    assert refusal(secrets, "file", "a\0b") == "no name of a file has a NUL in it"
    with pytest.raises(FileNotFoundError):
        secrets.secret("file", "none")
    with pytest.raises(OSError):
        secrets.secret("file", ".")


def test_the_longest(tmp_path: Path) -> None:
    write(tmp_path / "p", b"x" * (MAX_SECRET - 1) + b"\n")
    assert Secrets(str(tmp_path), {}).secret("file", "p") == Secret("x" * (MAX_SECRET - 1))


def test_a_variable_of_the_environment() -> None:
    secrets = Secrets("/", {"P": PASSWORD, "E": ""})
    assert secrets.secret("env", "P") == Secret(PASSWORD)
    assert refusal(secrets, "env", "Q") == "the environment has no such variable"
    assert refusal(secrets, "env", "E") == 'is empty; an empty password is written as ""'


def test_a_credential_of_systemd(tmp_path: Path) -> None:
    # The bit of the group is the mask of the list that lends it to the service.
    write(tmp_path / "trunk", PASSWORD.encode(), 0o440)
    secrets = Secrets("/", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert secrets.secret("credential", "trunk") == Secret(PASSWORD)
    for name in ("../trunk", "/etc/passwd", "..", "."):
        assert refusal(secrets, "credential", name) == "the name of a credential has no / in it"
    write(tmp_path / "open", b"x", 0o444)
    assert refusal(secrets, "credential", "open").startswith("has mode 0444, ")
    assert refusal(Secrets("/", {}), "credential", "trunk").startswith("the environment has no CREDENTIALS_DIRECTORY; ")


# --- TOML in the daemon ----------------------------------------------------------------------------------------------

TOML = '[registrations.a]\naor = "sip:a@example.com"\npassword = {}\n'


def test_a_file_that_ends_in_toml(tmp_path: Path) -> None:
    write(tmp_path / "secret", PASSWORD.encode())
    path = write(tmp_path / "s.toml", TOML.format('{ file = "secret" }').encode(), 0o644)
    configuration, warnings = load_file(path, ASTERISK, strict_permissions=True)
    assert configuration.accounts[0].profile is SIPCORE
    assert configuration.accounts[0].password == Secret(PASSWORD)
    assert warnings == []


def test_a_file_with_the_password_in_it_is_for_its_owner(tmp_path: Path) -> None:
    path = write(tmp_path / "s.toml", TOML.format(f'"{PASSWORD}"').encode(), 0o644)
    (warning,) = load_file(path, ASTERISK, strict_permissions=False)[1]
    assert "holds secrets and has mode 0644" in warning


def test_a_secret_that_is_exposed_names_the_line(tmp_path: Path) -> None:
    write(tmp_path / "secret", PASSWORD.encode(), 0o644)
    path = write(tmp_path / "s.toml", TOML.format('{ file = "secret" }').encode())
    with pytest.raises(ConfigError) as caught:
        load_file(path, ASTERISK, strict_permissions=False)
    assert str(caught.value) == (
        f"{path}:3: registrations.a.password.file = 'secret': has mode 0644, so that others can read or change it; "
        "chmod 600"
    )


def test_a_toml_file_says_its_profile_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "s.toml", TOML.format('""').encode())
    with pytest.raises(StartError) as caught:
        load_file(path, SIPCORE, strict_permissions=False)
    assert str(caught.value) == f"--profile: is for a pjsip.conf; {path} says itself which profile it wants"
