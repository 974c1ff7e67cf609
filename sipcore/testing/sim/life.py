"""One plan lived from end to end, and what there is to say about it."""

from __future__ import annotations

import traceback
from collections import Counter
from typing import NamedTuple

from sipcore.agent import UserAgent
from sipcore.replay import RecordingAgent
from sipcore.testing.sim.adversary import OffPath
from sipcore.testing.sim.broken import BrokenInvariant
from sipcore.testing.sim.plan import YEAR, Plan
from sipcore.testing.sim.town import WALL, MakeAgent, Town
from sipcore.testing.world import BrokenContract

__all__ = ["Life", "live", "live_recorded"]


class Life(NamedTuple):
    """What came of one plan."""

    plan: Plan
    broken: BrokenInvariant | None
    """The invariant that did not hold; None when all did."""
    digest: str
    """The hash of the trace."""
    years: float
    """Registration-years that were lived: somebody wanted to be registered, and asked for an hour or less. Leaps of the
    clock are left out."""
    requests: int
    """REGISTER transactions."""
    answered: int
    """Those to which a final response came back."""
    copies: int
    faults: Counter[str]
    """Incidents that began, by kind."""
    attempts: int
    failed: int
    wanted: float
    """Seconds in which somebody wanted to be registered."""
    claimed: float
    """Seconds in which the agent said that somebody was."""
    covered: float
    """Seconds in which a registrar had a binding of somebody's agent."""
    gaps: tuple[float, ...]
    """Seconds without a binding that somebody wanted, each; faults explain all of them."""
    recoveries: tuple[float, ...]
    """Seconds from the end of a storm until all were registered at both ends."""
    memory: tuple[int, int]
    """Bytes of the agent at the first quiet time, and at the one where it had most."""
    datagrams: tuple[int, int, int]
    """Datagrams that were sent by anybody, lost and damaged."""
    spoofed: int
    last: tuple[str, ...]
    """What happened last, when an invariant was broken."""


def live(plan: Plan, *, make_agent: MakeAgent = UserAgent, off_path: bool = False) -> Life:
    """Live a plan; with `off_path` somebody who sees nothing sends what might be taken for responses."""
    return _lived(Town(plan, make_agent=make_agent), plan, off_path)


def live_recorded(plan: Plan) -> tuple[Life, list[str]]:
    """Live a plan with a recorder around the agent; the lines are what its ring holds in the end."""
    town = Town(plan, make_agent=RecordingAgent, weigh=False)
    life = _lived(town, plan, False)
    assert isinstance(town.agent, RecordingAgent)
    now = town.world.now
    return life, list(town.agent.dump(wall=(now, WALL + now)))


def _lived(town: Town, plan: Plan, off_path: bool) -> Life:
    broken: BrokenInvariant | None = None
    adversary = OffPath(town, plan) if off_path else None
    try:
        town.run()
    except BrokenInvariant as error:
        broken = error
    except BrokenContract as error:
        broken = BrokenInvariant(7, str(error), town.world.now)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} (in {where.name}, line {where.lineno} of {where.filename})"
        broken = BrokenInvariant(1, text, town.world.now)
    claims = town.claims
    claims.cover_until(town.world.now)
    return Life(
        plan=plan,
        broken=broken,
        digest=town.trace.digest,
        years=claims.counted_for / YEAR,
        requests=town.traffic.transactions,
        answered=town.traffic.answered,
        copies=town.traffic.copies,
        faults=town.incidents,
        attempts=sum(claim.attempts for claim in claims.claims.values()),
        failed=sum(claim.failed for claim in claims.claims.values()),
        wanted=claims.wanted_for,
        claimed=sum(claim.registered_for for claim in claims.claims.values()),
        covered=sum(claims.covered.values()),
        gaps=tuple(length for _, _, length in claims.gaps),
        recoveries=tuple(town.recoveries),
        memory=(town.memory.first, town.memory.most),
        datagrams=(town.weather.carried, town.weather.dropped, town.weather.damaged),
        spoofed=adversary.sent if adversary is not None else 0,
        last=tuple(f"{at:14.3f} {item}" for at, item in town.trace.last) if broken is not None else (),
    )
