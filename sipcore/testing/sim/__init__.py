"""The simulated world: years of trouble in minutes, all from one seed.

Theory of operation. `draw` makes a `Plan` from a seed: who registers where, and every incident of the whole life, as
data. `live` builds a `Town` from it and lets it happen: the agent on a `Station`, the network (`Weather`), one or two
registrars (`SimRegistrar`, which shares no code with the core), a user, and those who watch. Time is the world's, and
all dice are made of the plan's seed and a purpose, so a plan has one outcome. Storms, in which incidents happen, take
turns with quiet times, which last until everybody who wants to be registered is: that is liveness, and it has a bound.

After every step of the world the watchers look: `Traffic` at the bytes sent, without the core's parser; `Claims` at
what the agent tells and what the registrars did; `Memory` at the agent's weight at quiet times; `Trace` keeps a hash of
everything, `MessageDropped` left out. What does not hold is a `BrokenInvariant` with its number. `examine` lives some
seeds again in the ways of `COMPARISONS`: to see the same trace, and with an adversary off the path, who must not be
seen in it. A failing plan is shrunk by leaving incidents out, in the comparison that it failed in, and written as a
file that a test examines in all of them; see `tests/simulation/incidents`.

To add

* a fault: a row of `FAULTS`. Its grade says what the agent may not be blamed for meanwhile; if it forges what arrives,
  no claim is held against the registrars in that life. The plan draws it from then on.
* a behaviour of the registrar: an attribute of `Rules`, and a fault that changes it or a line in `plan._rules`.
* a condition of the network: an attribute of `Weather` that does nothing at rest, and a fault that changes it.
* something a user or operator does: a method of `Operator`, and a fault that calls it; what happens to the client's
  computer is a method of `Host`.
* an invariant: a number in `INVARIANTS`, whoever watches for it, and a planted defect in
  `tests/simulation/test_planted_defects.py` that trips it.
* another kind of peer or a second agent: it lives in the same `World`, and the `Town` connects it.
* a kind of life: a row of `CLIMATES`, which `--profile` can name.

`python -m sipcore.testing.sim --help` runs it; `docs/simulation.md` reports what long runs showed.
"""

from __future__ import annotations

from sipcore.testing.sim.broken import INVARIANTS, BrokenInvariant
from sipcore.testing.sim.climates import CLIMATES, Climate
from sipcore.testing.sim.examine import COMPARISONS, Examined, examine, examine_plan
from sipcore.testing.sim.faults import FAULTS, Fault, Grade
from sipcore.testing.sim.figures import Figures
from sipcore.testing.sim.incident_files import ReadError, read_plan, write_failure
from sipcore.testing.sim.life import Life, live
from sipcore.testing.sim.lives import lives
from sipcore.testing.sim.plan import Incident, Plan, PlanError, Storm, Subscriber, draw
from sipcore.testing.sim.registrar import SimRegistrar
from sipcore.testing.sim.registrar_rules import Handled, Held, Rules
from sipcore.testing.sim.shrink import shrink

__all__ = [
    "CLIMATES",
    "COMPARISONS",
    "FAULTS",
    "INVARIANTS",
    "BrokenInvariant",
    "Climate",
    "Examined",
    "Fault",
    "Figures",
    "Grade",
    "Handled",
    "Held",
    "Incident",
    "Life",
    "Plan",
    "PlanError",
    "ReadError",
    "Rules",
    "SimRegistrar",
    "Storm",
    "Subscriber",
    "draw",
    "examine",
    "examine_plan",
    "live",
    "lives",
    "read_plan",
    "shrink",
    "write_failure",
]
