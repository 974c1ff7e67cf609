"""What a status says about its reason, where it would be easy to say less."""

from __future__ import annotations

import pytest

from sipcore.client import log_line
from sipcore.events import StatusChanged
from sipcore.profiles import ASTERISK
from sipcore.testing import Line, ok
from sipcore.values import State
from tests.accounts import account
from tests.registration.lines import up


@pytest.mark.requirement("RFC3261-20.43-01")
def test_the_warning_of_a_success_is_in_its_cause() -> None:
    line = Line(account(), script=[ok(100, 'Warning: 399 example.com "your password expires \x1b[31mtomorrow"')])
    line.register()
    cause = line.status().cause
    assert cause is not None
    assert cause.code == 200
    assert cause.warning is not None
    assert "tomorrow" in cause.warning
    assert "\x1b" not in str(cause)


def test_a_lapse_after_a_rejection_is_told() -> None:
    """Under ASTERISK a refused refresh is Rejected at once, while the binding still stands for a while."""
    line = up(403, profile=ASTERISK)
    line.run(until=100.0)
    status = line.status()
    assert status.state is State.REJECTED
    assert status.expires_at == 101.0
    assert len(status.bindings) == 1
    line.told()
    [change] = line.told(StatusChanged, until=101.0)
    assert (change.previous, change.status.state) == (State.REJECTED, State.REJECTED)
    assert (change.status.expires_at, change.status.bindings) == (None, ())
    assert change.status.cause == status.cause


def test_a_refused_removal_says_that_the_binding_stands() -> None:
    line = up(403)
    line.agent.unregister("alice", now=line.now)
    texts = [line_.text for event in line.told() if (line_ := log_line(event, now=line.now)) is not None]
    assert any("403" in text and "stands until it lapses" in text for text in texts)
