"""Whatever happens to a user agent, in whatever order: the laws hold.

`SIPCORE_EXAMPLES=100 pytest tests/stateful/test_user_agent_machine.py` looks at a hundred times as many runs, others
each time. A failure shows the shortest run that was found as a script.
"""

from __future__ import annotations

from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import UserAgentMachine
from tests.stateful.running import PROFILE


def test_the_laws_hold() -> None:
    """Law: each of `laws`, after every call."""
    run_state_machine_as_test(UserAgentMachine, settings=PROFILE)
