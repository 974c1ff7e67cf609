"""Supported: where it stands, and that a removal has it, too."""

from __future__ import annotations

import pytest

from sipcore.profiles import ASTERISK, JSSIP, SIPCORE, Profile
from sipcore.testing import Line, challenge, ok
from tests.accounts import account
from tests.registration.lines import every_profile

BEHIND = {
    SIPCORE: ["Expires", "Allow", "Supported", "User-Agent", "Authorization", "Content-Length"],
    JSSIP: ["Expires", "Allow", "Supported", "User-Agent", "Authorization", "Content-Length"],
    # As a live Asterisk 22 writes them, but for the credentials, which a pcap of asterisk issue 452 shows.
    ASTERISK: ["Expires", "Allow", "Supported", "Max-Forwards", "User-Agent", "Authorization", "Content-Length"],
}
"""The headers from Expires on."""


@every_profile
@pytest.mark.parametrize("tags", [("path",), ("outbound",), ("path", "outbound")])
def test_supported_stands_behind_allow_in_registers_and_behind_expires_in_removals(
    profile: Profile, tags: tuple[str, ...]
) -> None:
    made = account(profile=profile, supported=tags, user_agent="Unit", max_random_initial_delay=0)
    line = Line(made, script=[challenge(), ok(60), challenge(), 200])
    line.register(until=2.0)
    line.agent.unregister("alice", now=line.now)
    line.run(until=4.0)
    requests = line.peer.requests
    assert [request.get("expires") == "0" for request in requests] in (
        [False, False, True, True],
        [False, False, True],
    )
    for request in requests:
        assert request.get("supported") == ", ".join(tags)
        names = [name for name, _ in request.headers]
        behind = [name for name in BEHIND[profile] if name != "Authorization" or name in names]
        if request.get("expires") == "0":
            behind.remove("Allow")
        assert names[names.index("Expires") :] == behind


@every_profile
def test_without_tags_there_is_no_supported(profile: Profile) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[ok(60)])
    line.register(until=2.0)
    assert line.peer.requests[0].get("supported") is None
