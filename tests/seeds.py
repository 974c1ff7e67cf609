"""A seed of this run alone, for tests that look elsewhere each time; `SIPCORE_SEED=...` repeats a run."""

from __future__ import annotations

import os
from random import SystemRandom

__all__ = ["FRESH_SEED"]

FRESH_SEED = int(os.environ.get("SIPCORE_SEED") or SystemRandom().getrandbits(32))
