"""The heart: one registration from the first REGISTER to the last (RFC 3261 section 10).

Theory of operation. `machine.py` is the life of one registration. It plans attempts, and each attempt is one
`Exchange`, for which it writes the requests (`request.py`) and judges the answers: `binding.py` finds our Contact in a
200, `classify.py` sorts every answer into a class, `schedule.py` says when to try again, `too_brief.py` and
`redirect.py` read what a 423 and a 3xx ask for. All of these are pure functions over the tables of `sipcore.profiles`;
only the machine has state.
"""

from __future__ import annotations

from sipcore.registration.classify import Authentication, Context, classify
from sipcore.registration.machine import Registration
from sipcore.registration.schedule import History, Plan, refresh_delay, schedule
from sipcore.registration.table import Wanted

__all__ = [
    "Authentication",
    "Context",
    "History",
    "Plan",
    "Registration",
    "Wanted",
    "classify",
    "refresh_delay",
    "schedule",
]
