"""What is found wrong before anything starts."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

import pytest

from sipcore.config import Account, Transport
from sipcore.errors import ConfigError
from sipcore.profiles import ASTERISK
from sipcore.values import Protocol
from sipcore_trio.daemon.checks import (
    SPARE_DESCRIPTORS,
    StartError,
    check_addresses,
    check_permissions,
    descriptors_needed,
    load_file,
    raise_descriptors,
)

SECRETS = """\
[a]
type = auth
username = a
password = canary
[r]
type = registration
server_uri = sip:h.example
client_uri = sip:a@h.example
outbound_auth = a
"""
OPEN = SECRETS.partition("[r]")[1] + SECRETS.partition("[r]")[2].replace("outbound_auth = a\n", "")


def write(folder: Path, text: str, mode: int) -> str:
    path = folder / "p.conf"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_for_the_owner_alone(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, SECRETS, mode)
    configuration, warnings = load_file(path, ASTERISK, strict_permissions=True)
    assert len(configuration.accounts) == 1
    assert warnings == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
def test_secrets_that_others_can_read_are_a_warning_or_an_error(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, SECRETS, mode)
    told = f"{path}: file: holds secrets and has mode {mode:04o}, so that others can read or change it; chmod 600"
    assert load_file(path, ASTERISK, strict_permissions=False)[1] == [told]
    with pytest.raises(StartError) as caught:
        load_file(path, ASTERISK, strict_permissions=True)
    assert str(caught.value) == told


def test_of_several_files_those_with_secrets_matter(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    secret, begin, rest = SECRETS.partition("[r]")
    path = write(tmp_path, f"#include d/*.conf\n{begin}{rest}", 0o644)
    inner = write(tmp_path / "d", secret, 0o600)
    configuration, warnings = load_file(path, ASTERISK, strict_permissions=True)
    assert configuration.files == (path, inner)
    assert warnings == []
    Path(inner).chmod(0o644)
    with pytest.raises(StartError, match=f"^{inner}: file: holds secrets"):
        load_file(path, ASTERISK, strict_permissions=True)


def test_the_wizards_beside_the_file_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "", 0o600)
    wizard = "[w]\ntype = wizard\nremote_hosts = 192.0.2.1\nsends_registrations = yes\n"
    (tmp_path / "pjsip_wizard.conf").write_text(wizard)
    configuration, _ = load_file(path, ASTERISK, strict_permissions=True)
    assert [account.name for account in configuration.accounts] == ["w-reg-0"]


def test_a_file_without_secrets_may_be_open(tmp_path: Path) -> None:
    assert load_file(write(tmp_path, OPEN, 0o644), ASTERISK, strict_permissions=True)[1] == []


def test_a_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, SECRETS, 0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    if os.stat(path).st_uid == 0:
        os.chown(path, 4712, -1)
    assert (check_permissions(path) or "").startswith(f"{path}: file: holds secrets and belongs to another user (uid ")


def test_a_pipe_has_no_permissions_to_speak_of() -> None:
    assert check_permissions("/dev/null") is None


def test_a_file_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_file(str(tmp_path), ASTERISK, strict_permissions=False)
    assert str(caught.value) == f"{tmp_path}: file: cannot be read: Is a directory"


def test_a_file_without_end_is_not_read_to_the_end(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_file("/dev/zero", ASTERISK, strict_permissions=False)
    assert str(caught.value) == "/dev/zero: file: cannot be read: it is larger than 64 MiB"


@pytest.mark.parametrize("protocol", Protocol)
def test_an_address_in_use(protocol: Protocol) -> None:
    kind = socket.SOCK_STREAM if protocol.reliable else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol.reliable:
            taken.listen()
        local = taken.getsockname()
        with pytest.raises(StartError) as caught:
            check_addresses([((protocol, local), "p.conf:7")])
        assert str(caught.value) == f"p.conf:7: bind: {protocol} 127.0.0.1:{local[1]}: Address already in use"
        # What a running daemon holds itself is no obstacle to its reload.
        check_addresses([((protocol, local), "p.conf:7")], held=[(protocol, local)])
    check_addresses([((protocol, local), "p.conf:7")])


def test_an_address_of_another_host() -> None:
    with pytest.raises(StartError) as caught:
        check_addresses([((Protocol.UDP, ("192.0.2.1", 0)), "p.conf:7")])
    assert str(caught.value) == "p.conf:7: bind: UDP 192.0.2.1:0: Cannot assign requested address"


def test_descriptors_are_counted_for_each_server_of_a_stream() -> None:
    udp = Transport(protocol=Protocol.UDP)
    tcp = Transport(protocol=Protocol.TCP)
    accounts = [
        Account(f"sip:u@h{number % 3}.example", name=f"{transport.protocol}{number}", transport=transport)
        for number in range(9)
        for transport in (udp, tcp)
    ]
    assert descriptors_needed(accounts) == SPARE_DESCRIPTORS + 3


def test_the_soft_limit_is_raised_and_the_hard_limit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(100, 1000)]
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, pair: limits.append(pair))
    raise_descriptors(100)
    assert limits == [(100, 1000)]
    raise_descriptors(900)
    assert limits[-1] == (900, 1000)
    with pytest.raises(StartError) as caught:
        raise_descriptors(1001)
    assert str(caught.value) == (
        "up to 1001 open files may be needed, and the limit is 1000; see ulimit -n, LimitNOFILE="
    )
    limits.append((100, resource.RLIM_INFINITY))
    raise_descriptors(5000)
    assert limits[-1] == (5000, resource.RLIM_INFINITY)
