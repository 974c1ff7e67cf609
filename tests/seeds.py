"""A seed of this run alone, for tests that look elsewhere each time; `SIPCORE_SEED=...` repeats a run."""

from __future__ import annotations

import os
from random import SystemRandom

__all__ = ["FRESH_SEED"]

if not os.environ.get("SIPCORE_SEED"):
    # The processes among which a run is divided have to have the same.
    os.environ["SIPCORE_SEED"] = str(SystemRandom().getrandbits(32))

FRESH_SEED = int(os.environ["SIPCORE_SEED"])
