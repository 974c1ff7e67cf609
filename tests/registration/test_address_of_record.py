"""What To and From say of the address of record."""

from __future__ import annotations

import pytest

from sipcore.config import Account
from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.testing import REGISTRAR, Line, ok

AOR = "sip:alice@example.com:5060;transport=udp"


@pytest.mark.requirement("RFC3261-19.1.1-04", "RFC3261-10.2-02", "RFC3261-10.2-03")
@pytest.mark.parametrize(
    ("profile", "written"),
    [
        (SIPCORE, "<sip:alice@example.com>"),
        (JSSIP, "<sip:alice@example.com>"),
        (ASTERISK, f"<{AOR}>"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_port_and_parameters_of_the_aor_stay_out_of_to_and_from(profile: Profile, written: str) -> None:
    account = Account(AOR, name="alice", registrar="sip:example.com", profile=profile, max_random_initial_delay=0)
    line = Line(account, script=[ok(100)])
    line.register(until=5.0)
    request = line.peer.requests[0]
    assert request.get("to") == written
    assert (request.get("from") or "").startswith(f"{written};tag=")
    assert line.status().registered


@pytest.mark.requirement("RFC3261-19.1.1-04")
@pytest.mark.parametrize("profile", [SIPCORE, JSSIP], ids=lambda profile: profile.name)
def test_port_and_transport_of_the_aor_still_say_where_the_registrar_is(profile: Profile) -> None:
    line = Line(Account("sip:alice@example.com:5080;transport=tcp", name="alice", profile=profile))
    registrar = line.serve((REGISTRAR[0], 5080), ok(100))
    line.register(until=5.0)
    assert line.peer.requests == []
    [request] = registrar.requests
    assert len(registrar.connections) == 1
    assert request.get("to") == "<sip:alice@example.com>"
    assert (request.get("from") or "").startswith("<sip:alice@example.com>;tag=")
    assert line.status().registered


def test_a_profile_is_short_in_a_listing() -> None:
    assert repr(SIPCORE) == "<profile SIPCORE>"
    assert "<profile SIPCORE>" in repr(Account("sip:alice@example.com"))
