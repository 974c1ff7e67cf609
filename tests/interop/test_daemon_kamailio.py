"""The daemon at Kamailio, with a pjsip.conf as Asterisk would read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcore import Protocol
from tests.interop.daemon import Daemon, pjsip_conf
from tests.interop.kamailio import Kamailio
from tests.secrecy import PASSWORD

pytestmark = pytest.mark.peer("kamailio")

WIZARD = """\
[trunk]
type = wizard
sends_auth = yes
sends_registrations = yes
sends_line_with_registrations = yes
transport = udp
remote_hosts = {host}
outbound_auth/username = alice
outbound_auth/password = {password}
client_uri_pattern = sip:alice@127.0.0.1
registration/contact_user = wizard
registration/expiration = 600
registration/max_random_initial_delay = 0
"""


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
        Daemon(tmp_path, pjsip_conf(kamailio.uri, protocol, password=f"{PASSWORD}-wrong-canary")) as daemon,
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


def test_a_wizard_registers_as_its_objects_would(tmp_path: Path, log: Path) -> None:
    """Asterisk's two files, with an include between them; what Kamailio holds is what `-rx` names."""
    with Kamailio(log) as kamailio:
        host = f"127.0.0.1:{kamailio.port}"
        for name, text in (
            ("transports.conf", "[udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1\n"),
            ("pjsip_wizard.conf", WIZARD.format(host=host, password=PASSWORD)),
        ):
            (tmp_path / name).touch(mode=0o600)
            (tmp_path / name).write_text(text)
        with Daemon(tmp_path, "#include transports.conf\n") as daemon:
            daemon.line("trunk-reg-0: Registered: registered for 600 s")
            [bound] = kamailio.contacts("alice")
            assert bound.uri.startswith("sip:wizard@127.0.0.1:")
            assert ";line=" in bound.uri
            shown = daemon.command("asterisk", "pjsip show registrations").stdout
            assert f" trunk-reg-0/sip:{host} " in shown
            assert "trunk-oauth                 Registered" in shown
            assert daemon.terminate() == 0
        assert kamailio.contacts("alice") == []
