"""The heart: one registration from the first REGISTER to the last (RFC 3261 section 10).

Theory of operation. `machine.py` is the life of one registration. It plans attempts; each is an `Attempt`
(`attempt.py`), the user of one `Exchange`, which writes the requests (`request.py`) and judges the answers:
`binding.py` finds our Contact in a 200, `classify.py` sorts every answer into a class, `too_brief.py` and
`redirect.py` read what a 423 and a 3xx ask for. `conclusion.py` says what the end of an attempt means for the
registration, `schedule.py` when to try again, and `ending.py` what is told when a binding or the registration is over.

The rest of a registration's life happens around it. `contacts.py` keeps which Contacts the registrar may hold without
our knowing, `bound_flow.py` the flow that the binding was made over. `reloading.py` is what a new configuration does
to it. `memory.py` writes and reads what outlives the process, `resumption.py` goes on with a binding of the process
before, and `orphan.py` makes an account of a record that nobody claims. `host.py` is what all of it needs of the agent.

The rules are pure functions over the tables of `sipcore.profiles`; only machine and attempt have state, and what else
is named here changes a registration by its steps, or by the attributes that are its subject.
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
