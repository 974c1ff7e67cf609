"""An attempt goes on at the next address: with what it has, and not for ever."""

from __future__ import annotations

import pytest

from sipcore.commands import OpenFlow
from sipcore.events import Rejected
from sipcore.profiles import ASTERISK, MAX_REQUESTS_PER_ATTEMPT, SIPCORE, Profile
from sipcore.syntax.message import Request
from sipcore.testing import REGISTRAR, Line, Step, challenge, ok
from tests.accounts import T1_100, TCP, account, has_credentials

SECOND = ("192.0.2.2", 5060)


def test_an_attempt_tries_at_most_eight_addresses() -> None:
    line = Line(account(transport=TCP, registrar="sip:many.example.net"))
    line.world.name("many.example.net", *(f"198.51.100.{n}" for n in range(1, 60)))
    line.register(until=3000.0)
    [first, *_] = line.told(Rejected)
    starts = [item.at for item in line.station.outputs if isinstance(item.output, Rejected)]
    opened = [item.at for item in line.station.outputs if isinstance(item.output, OpenFlow)]
    assert sum(1 for at in opened if at <= starts[0]) == MAX_REQUESTS_PER_ATTEMPT == 8
    assert first.cause.detail
    assert len(opened) <= 8 * (len(starts) + 1)


@pytest.mark.requirement("RFC3263-4.3-01", "RFC3263-4.3-02")
@pytest.mark.parametrize("profile", [SIPCORE, ASTERISK], ids=lambda profile: profile.name)
@pytest.mark.parametrize("failure", [503, None], ids=str)
def test_credentials_go_along_to_the_next_address(profile: Profile, failure: Step) -> None:
    def first(request: Request) -> Step:
        return failure if has_credentials(request) else challenge()

    def script(request: Request) -> int | None:
        answer = first(request)
        assert not callable(answer)
        return answer  # type: ignore[return-value] # an Answer is a step, too

    line = Line(account(profile=profile, max_random_initial_delay=0, timing=T1_100), script=[script])
    line.world.name("example.com", REGISTRAR[0], SECOND[0])
    other = line.serve(SECOND, ok(60))
    line.register(until=20.0)
    assert [has_credentials(request) for request in line.peer.requests] == [False, True]
    assert [has_credentials(request) for request in other.requests] == [True]
    assert line.status().registered
