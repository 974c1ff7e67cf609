"""When to try again: pure functions over the profile's tables.

Every number that a peer can send is clamped here, so that no answer leads to a wait below the attempt gap or to one
that a clock cannot hold.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from sipcore.config import Account
from sipcore.exchange.outcome import Outcome
from sipcore.profiles import (
    MIN_ATTEMPT_GAP,
    Backoff,
    Counted,
    Doubling,
    FixedLead,
    Give,
    JsSipLead,
    RefreshRule,
    RetryRule,
    ShareLead,
)
from sipcore.values import OutcomeClass, backoff

__all__ = ["MAX_WAIT", "History", "Plan", "initial_delay", "refresh_delay", "schedule"]

MAX_WAIT = float(2**32)
"""Seconds; more than any header can ask for."""

PROVEN_RETRIES = 2
"""A refusal of credentials that worked before is more often the registrar's trouble than ours: a nonce that another
node of its cluster does not know, a database that does not answer. So the first refusals in a row count as
temporary."""


class History(NamedTuple):
    """What happened before, as far as it matters for the next wait."""

    failures: int = 1
    """Failed attempts in a row, this one included."""
    same_class: int = 1
    """... of the same class, this one included."""
    retries: int = 0
    """Retries counted against `max_retries` since the last success."""
    standing: bool = False
    """A binding still stands."""
    proven: bool = False
    """These credentials were accepted before."""


class Plan(NamedTuple):
    """What follows a failure."""

    delay: float | None
    """Seconds until the next attempt; None: none."""
    counted: bool = True
    """The next attempt counts against `max_retries`."""
    exhausted: bool = False
    """There is none because `max_retries` were made."""


def refresh_delay(rule: RefreshRule, grant: float, random: Random, *, elapsed: float = 0.0) -> float:
    """Seconds from the 2xx to the next refresh; at least the attempt gap.

    `elapsed` are the seconds from the request to the 2xx: the grant may run since then. The models count from the 2xx.
    """
    grant = min(max(grant, 0.0), MAX_WAIT)
    if isinstance(rule, ShareLead):
        lead = min(max(grant * rule.share, rule.floor), rule.ceiling, grant * rule.at_most)
        delay = grant - lead - rule.jitter * lead * random.random() - elapsed
    elif isinstance(rule, FixedLead):
        delay = grant - rule.lead
    else:
        delay = _jssip(rule, grant, random)
    return max(delay, MIN_ATTEMPT_GAP)


def schedule(outcome: Outcome, history: History, account: Account, random: Random) -> Plan:
    """What follows an outcome that ends an attempt without a binding. Retry-After comes before the class's own rule."""
    profile = account.profile
    if outcome.kind in account.give_up:
        return Plan(None, counted=False)
    rule: RetryRule = profile.retries[outcome.kind]
    if outcome.code == 403 and profile.forbidden is not None:
        rule = profile.forbidden
    if isinstance(rule, Give):
        return Plan(None, counted=False)
    if outcome.retry_after and profile.retry_after is not None:
        wait = float(min(outcome.retry_after, profile.retry_after.cap or MAX_WAIT))
        wait *= 1.0 + profile.retry_after.jitter * random.random()
        if isinstance(rule, Counted):
            return Plan(_clamp(wait), counted=False)
        return _bounded(_clamp(wait), history, account)
    if isinstance(rule, Counted):
        interval = next((value for option in rule.options if (value := getattr(account, option))), 0)
        if not interval:
            return Plan(None, counted=False)
        return _bounded(_clamp(float(interval)), history, account)
    if outcome.kind is OutcomeClass.CREDENTIALS and _registrars_trouble(outcome, history):
        if history.same_class <= PROVEN_RETRIES:
            rule = profile.retries[OutcomeClass.TEMPORARY]
        else:
            # Those that counted as temporary are no steps of the doubling.
            history = history._replace(same_class=history.same_class - PROVEN_RETRIES)
    return _bounded(_clamp(_wait(rule, history, random)), history, account)


def initial_delay(account: Account, random: Random) -> float:
    """Seconds before the first attempt, and before a forced one in the profiles that delay those, too."""
    spread = account.max_random_initial_delay or 0
    whole = int(random.random() * spread) if spread > 0 else 0
    rule = account.profile.initial_delay
    return whole + rule.base if rule is not None else float(whole)


def _registrars_trouble(outcome: Outcome, history: History) -> bool:
    # A 403 is a decision, often a lock; only a challenge that comes again is likely to be a mistake.
    return outcome.code in (401, 407) and history.proven


def _wait(rule: RetryRule, history: History, random: Random) -> float:
    if isinstance(rule, Doubling):
        return min(rule.ceiling, rule.first * 2.0 ** min(history.same_class - 1, 64))
    assert isinstance(rule, Backoff)
    if history.standing:
        return min(rule.standing_ceiling, MIN_ATTEMPT_GAP * 2.0 ** min(history.failures - 1, 64))
    return backoff(history.failures, base=rule.base, ceiling=rule.ceiling, random=random)


def _bounded(wait: float, history: History, account: Account) -> Plan:
    if account.max_retries is not None and history.retries >= account.max_retries:
        return Plan(None, counted=False, exhausted=True)
    return Plan(wait)


def _clamp(wait: float) -> float:
    return min(max(wait, MIN_ATTEMPT_GAP), MAX_WAIT)


def _jssip(rule: JsSipLead, grant: float, random: Random) -> float:
    grant = max(grant, rule.minimum)
    if grant > rule.threshold:
        return grant / 2 + (grant / 2 - rule.threshold / 2) * random.random()
    return grant - rule.lead
