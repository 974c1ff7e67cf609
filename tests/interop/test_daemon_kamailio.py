"""The daemon at Kamailio, with a pjsip.conf as Asterisk would read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcore import Protocol
from tests.interop.daemon import Daemon, pjsip_conf
from tests.interop.kamailio import Kamailio

pytestmark = pytest.mark.peer("kamailio")


@pytest.mark.parametrize("digest", [True, False], ids=["digest", "open"])
def test_registers_refreshes_and_removes_its_binding_on_sigterm(
    protocol: Protocol, digest: bool, tmp_path: Path, log: Path
) -> None:
    with (
        Kamailio(log, digest=digest) as kamailio,
        Daemon(tmp_path, pjsip_conf(kamailio.uri, protocol)) as daemon,
    ):
        daemon.line("alice: Registered: registered for 12 s")
        [bound] = kamailio.contacts("alice")
        assert bound.socket == f"{protocol.lower()}:127.0.0.1:{kamailio.port}"
        [shown] = daemon.registrations()
        assert (shown["name"], shown["state"], shown["transport"]) == ("alice", "Registered", str(protocol))
        assert shown["server"] == f"127.0.0.1:{kamailio.port}"
        daemon.line("alice: Registered: refreshed for 12 s")
        [again] = kamailio.contacts("alice")
        assert again.uri == bound.uri
        assert again.call_id == bound.call_id
        assert again.cseq > bound.cseq
        assert daemon.terminate() == 0
        assert kamailio.contacts("alice") == []


def test_the_command_line_removes_a_binding_and_makes_it_again(protocol: Protocol, tmp_path: Path, log: Path) -> None:
    with Kamailio(log) as kamailio, Daemon(tmp_path, pjsip_conf(kamailio.uri, protocol)) as daemon:
        daemon.line("alice: Registered")
        assert daemon.command("send", "unregister", "alice").returncode == 0
        daemon.line("alice: Unregistered")
        assert kamailio.contacts("alice") == []
        assert daemon.command("show", "registration", "alice").returncode == 4
        assert daemon.command("send", "register", "alice").returncode == 0
        daemon.line("alice: Registered")
        assert len(kamailio.contacts("alice")) == 1
        assert daemon.terminate() == 0


def test_a_wrong_password_is_rejected_and_says_so(protocol: Protocol, tmp_path: Path, log: Path) -> None:
    with (
        Kamailio(log) as kamailio,
        Daemon(tmp_path, pjsip_conf(kamailio.uri, protocol, password="wrong-canary")) as daemon,
    ):
        said = daemon.line("alice: Rejected")
        assert "401 Unauthorized" in said
        assert "no further attempt" in said
        [shown] = daemon.registrations()
        assert shown["state"] == "Rejected"
        assert shown["cause"]["kind"] == "refused credentials"
        assert "wrong-canary" not in said + str(shown)
        assert kamailio.contacts("alice") == []
        assert daemon.terminate() == 0


def test_registers_again_after_kamailio_restarted(protocol: Protocol, tmp_path: Path, log: Path) -> None:
    with Kamailio(log) as kamailio, Daemon(tmp_path, pjsip_conf(kamailio.uri, protocol)) as daemon:
        daemon.line("alice: Registered")
        kamailio.restart()
        # The log may still hold a refresh of the time before.
        for _ in range(5):
            if kamailio.contacts("alice"):
                break
            daemon.line("alice: Registered")
        assert len(kamailio.contacts("alice")) == 1
        assert daemon.terminate() == 0
        assert kamailio.contacts("alice") == []
