"""The window of a flow and remote holds whatever the requests are: first ones, answers to challenges, repeats."""

from __future__ import annotations

import pytest

from sipcore.network.pacing import WINDOW
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Wire, challenge, ok
from tests.accounts import account, has_credentials

T1 = 0.5


@pytest.mark.parametrize("latency", [0.1875, 0.3125, 0.4375])  # sums of these are exact
def test_the_window_holds_when_challenges_come_after_t1(latency: float) -> None:
    """By then the place of the first request has gone to somebody else."""

    def script(request: Request) -> Answer:
        return ok(3600) if has_credentials(request) else challenge()

    line = Line(*(account(f"u{n}") for n in range(200)), script=[script], wire=Wire(latency=latency))
    line.register(until=10.0)
    assert all(status.registered for status in line.agent.statuses())
    # When the datagram left is when it arrived, less the time on the wire; answers come `latency` after that.
    sent = [item.at - latency for item in line.peer.received if not item.copy]
    greatest = 0
    for at in sent:
        young = sum(1 for start in sent if at - T1 < start <= at and at - start < 2 * latency)
        greatest = max(greatest, young)
    assert greatest == WINDOW
