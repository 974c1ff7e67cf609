"""Lines for scenarios of a registration's life: registered already, with the rest of the script to come."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.config import Account
from sipcore.profiles import PROFILES
from sipcore.testing import Line, Step, ok
from tests.accounts import account

__all__ = ["every_profile", "kinds", "reload", "up"]

every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)


def up(*after: Step, until: float = 2.0, **options: Any) -> Line:
    """Registered for 100 s at 0 (ASTERISK: at 1), the clock at `until`, nothing unread; then the script `after`."""
    line = Line(account(**{"max_random_initial_delay": 0, **options}), script=[ok(100)])
    line.register(until=until)
    assert line.status().registered
    line.sent()
    line.told()
    line.peer.answer(*after)
    return line


def kinds(line: Line, until: float | None = None) -> list[str]:
    """What was sent: R for a REGISTER, U for an un-REGISTER, * for that of all bindings; copies in lower case."""
    letters, branches = [], set()
    for request in line.sent(until):
        letter = "U" if request.get("expires") == "0" else "R"
        letter = "*" if request.get("contact") == "*" else letter
        letters.append(letter.lower() if request.via.branch in branches else letter)
        branches.add(request.via.branch)
    return letters


def reload(line: Line, *accounts: Account) -> None:
    """Have exactly these accounts from now on."""
    line.agent.reload(accounts, now=line.now)
