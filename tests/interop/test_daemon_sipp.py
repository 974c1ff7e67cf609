"""The daemon at SIPp as a scripted registrar, with a pjsip.conf as Asterisk would read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcore import Protocol
from tests.interop.daemon import Daemon, pjsip_conf
from tests.interop.sipp import Sipp

pytestmark = pytest.mark.peer("sipp")


@pytest.fixture
def protocol() -> Protocol:
    """The drivers' tests look at TCP; what the daemon adds does not know the difference."""
    return Protocol.UDP


def test_423_asks_again_for_what_the_registrar_wants(protocol: Protocol, tmp_path: Path) -> None:
    with (
        Sipp(tmp_path, "too_brief", protocol) as sipp,
        Daemon(tmp_path, pjsip_conf(sipp.uri, protocol, expiration=30)) as daemon,
    ):
        daemon.line("alice: Registered: registered for 90 s")
        assert daemon.terminate() == 0
        sipp.finished()


def test_403_ends_it(protocol: Protocol, tmp_path: Path) -> None:
    with Sipp(tmp_path, "forbidden", protocol) as sipp, Daemon(tmp_path, pjsip_conf(sipp.uri, protocol)) as daemon:
        said = daemon.line("alice: Rejected", "403 Forbidden", "account is locked")
        assert "no further attempt" in said
        sipp.finished()
        assert daemon.terminate() == 0


def test_503_is_tried_again_after_retry_after_and_not_before(protocol: Protocol, tmp_path: Path) -> None:
    with Sipp(tmp_path, "unavailable", protocol) as sipp, Daemon(tmp_path, pjsip_conf(sipp.uri, protocol)) as daemon:
        # Of its own accord it would try again after retry_interval, which is 1 s.
        said = daemon.line("alice: Rejected", "503 Service Unavailable", "Retry-After: 2")
        assert "(in 2 s)" in said
        daemon.line("alice: Registered")
        assert daemon.terminate() == 0
        sipp.finished()
        refused, retried = sipp.moments()[:2]
        assert retried - refused >= 2.0


def test_silence_is_a_failure_that_says_so(protocol: Protocol, tmp_path: Path) -> None:
    with Sipp(tmp_path, "silent", protocol) as sipp, Daemon(tmp_path, pjsip_conf(sipp.uri, protocol)) as daemon:
        said = daemon.line("alice: Rejected", "no answer")
        assert f"127.0.0.1:{sipp.port} (UDP)" in said
        assert "next attempt" in said
        first, *copies = sipp.requests()
        assert set(copies) == {first}


def test_a_stale_nonce_is_replaced_without_a_word(protocol: Protocol, tmp_path: Path) -> None:
    with (
        Sipp(tmp_path, "stale", protocol) as sipp,
        # Asterisk never sends credentials before it is asked, so its profile has no stale nonce.
        Daemon(tmp_path, pjsip_conf(sipp.uri, protocol, expiration=60), "--profile", "SIPCORE") as daemon,
    ):
        daemon.line("alice: Registered: registered for 3 s")
        daemon.line("alice: Registered: refreshed for 60 s")
        assert daemon.terminate() == 0
        sipp.finished()
