"""How the machine is run: in CI, by hand for longer, and at a planted defect."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from io import StringIO

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.laws import Violation
from tests.stateful.machine import UserAgentMachine

__all__ = ["PROFILE", "counter_example"]

EXAMPLES = 400
"""Runs of the machine in CI."""

FACTOR = int(os.environ.get("SIPCORE_EXAMPLES", "1"))
"""Times as many, and others each time, by hand."""

PROFILE = settings(
    max_examples=EXAMPLES * FACTOR,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=FACTOR == 1,
    print_blob=False,
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def counter_example(*, examples: int, shrink: bool) -> Violation | None:
    """The violation that the machine finds in so many runs, the same ones each time; None when there is none."""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    try:
        with redirect_stdout(StringIO()):
            run_state_machine_as_test(
                UserAgentMachine,
                settings=settings(PROFILE, max_examples=examples, derandomize=True, phases=phases),
            )
    except Violation as violation:
        return violation
    return None
