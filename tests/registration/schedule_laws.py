"""What holds of `schedule`, `refresh_delay` and `initial_delay`, in every profile, for every number there can be."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from sipcore.config import Account
from sipcore.exchange.outcome import Outcome
from sipcore.profiles import ASTERISK, JSSIP, PROFILES, SIPCORE, Backoff, Doubling, Profile, RetryAfterRule
from sipcore.registration.schedule import MAX_WAIT, History, Plan
from sipcore.values import OutcomeClass
from tests.registration.laws import Fixed, Law, Rules, evenly, law

__all__ = ["LAWS"]

GAP = 1.0
DAY = 86400.0
ENDING = [OutcomeClass.REMOVED, OutcomeClass.TEMPORARY, OutcomeClass.CREDENTIALS, OutcomeClass.PERMANENT]
PAIRS = [(OutcomeClass.REMOVED, 200), *[(OutcomeClass.TEMPORARY, code) for code in (None, None, 401, 408, 500, 503)]]
PAIRS += [(OutcomeClass.CREDENTIALS, code) for code in (401, 401, 403, 407)]
PAIRS += [(OutcomeClass.PERMANENT, code) for code in (302, 400, 403, 404, 423)]
"""The classes that end an attempt, each with codes that lead to it."""

chances = st.floats(0.0, 1.0, exclude_max=True)


def number(random: Random) -> int:
    """Anything that a number of seconds can be; the edges often."""
    return random.choice([0, 1, 2, 60, 3600, random.randrange(5000), random.getrandbits(32)])


def count(random: Random) -> int:
    """Anything that a count of failures can be; the first ones often."""
    return random.choice([1, 2, 3, 4, 5, random.randrange(1, 20), random.randrange(1, 10**9)])


def an_end(random: Random) -> Outcome:
    """What ends an attempt without a binding; a failure with Retry-After half of the time."""
    kind, code = random.choice(PAIRS)
    return Outcome(
        kind, code=code, retry_after=random.choice([None, number(random)]) or None if code and code >= 300 else None
    )


outcomes = evenly(lambda outcome: outcome, outcome=an_end)
histories = evenly(
    History, failures=count, same_class=count, retries=range(12), standing=[False, True], proven=[False, True]
)


def accounts_of(*profiles: Profile, **options: Any) -> st.SearchStrategy[Account]:
    drawn: dict[str, Any] = {
        "aor": ["sip:alice@example.com"],
        "profile": profiles,
        "retry_interval": number,
        "forbidden_retry_interval": number,
        "fatal_retry_interval": number,
    }
    return evenly(Account, **(drawn | options))


# Somebody's own profile may hold any numbers.
HASTY = replace(
    SIPCORE,
    name="HASTY",
    retries=dict(
        zip(
            ENDING,
            [Doubling(first=1e-6, ceiling=1e-3), Backoff(base=0.0, ceiling=0.1, standing_ceiling=0.0)] * 2,
            strict=True,
        )
    ),
    retry_after=RetryAfterRule(cap=None, jitter=-0.9),
)
PATIENT = replace(
    SIPCORE,
    name="PATIENT",
    retries=dict(
        zip(
            ENDING,
            [Doubling(first=1e9, ceiling=1e99), Backoff(base=1e9, ceiling=1e99, standing_ceiling=1e99)] * 2,
            strict=True,
        )
    ),
    retry_after=RetryAfterRule(cap=None, jitter=9.0),
)

DEAF = replace(SIPCORE, name="DEAF", retry_after=None)

every = accounts_of(
    *PROFILES.values(),
    HASTY,
    PATIENT,
    DEAF,
    max_retries=[None, None, 0, 1, 5],
    give_up=[frozenset(), frozenset(ENDING[:1]), frozenset(ENDING[2:])],
)
persistent = accounts_of(SIPCORE)


def plain(outcome: Outcome) -> Outcome:
    return outcome._replace(retry_after=None)


@law("RFC3261-20.19-01", outcome=outcomes, history=histories, account=every, chance=chances)
def a_wait_has_bounds(rules: Rules, outcome: Outcome, history: History, account: Account, chance: float) -> None:
    """Law: in every profile, also in one that is made up, a wait is between the gap and what a clock can hold."""
    plan = rules.schedule(outcome, history, account, Fixed(chance))
    assert plan.delay is None or GAP <= plan.delay <= MAX_WAIT
    if account.profile is DEAF:
        assert plan == rules.schedule(plain(outcome), history, account, Fixed(chance))
    assert not plan.counted or plan.delay is not None
    assert not plan.exhausted or plan.delay is None


@law("RFC5626-4.5-04", outcome=outcomes, history=histories, account=persistent, chance=chances)
def sipcore_never_gives_up(rules: Rules, outcome: Outcome, history: History, account: Account, chance: float) -> None:
    """Law: SIPCORE has no terminal class unless it is asked for."""
    assert rules.schedule(outcome, history, account, Fixed(chance)).delay is not None


@law(outcome=outcomes, history=histories, account=every, chance=chances)
def giving_up_is_obeyed(rules: Rules, outcome: Outcome, history: History, account: Account, chance: float) -> None:
    """Law: a class that the account gives up is not retried, Retry-After or not; no other changes because of it."""
    plan = rules.schedule(outcome, history, account, Fixed(chance))
    if outcome.kind in account.give_up:
        assert plan == Plan(None, counted=False, exhausted=False)
    else:
        other = Account("sip:alice@example.com", profile=account.profile, **given(account))
        assert plan == rules.schedule(outcome, history, other, Fixed(chance))


def given(account: Account) -> dict[str, Any]:
    names = ("retry_interval", "forbidden_retry_interval", "fatal_retry_interval", "max_retries")
    return {name: getattr(account, name) for name in names}


@law(
    outcome=outcomes,
    history=histories,
    account=accounts_of(SIPCORE, ASTERISK, max_retries=range(9)),
    chance=chances,
)
def max_retries_is_a_count_of_retries(
    rules: Rules, outcome: Outcome, history: History, account: Account, chance: float
) -> None:
    """Law: `max_retries=N` means N retries after the first attempt, and then the plan says that they were made."""
    if not retries_at_all(outcome, account):
        return
    uncounted = account.profile is ASTERISK and outcome.retry_after is not None
    made = 0
    for _ in range(12):
        plan = rules.schedule(outcome, history._replace(retries=made), account, Fixed(chance))
        assert plan.exhausted == (made == account.max_retries and not uncounted)
        assert (plan.delay is None) == plan.exhausted
        assert plan.counted == (not plan.exhausted and not uncounted)
        made += plan.counted
    assert made == (0 if uncounted else account.max_retries)


def retries_at_all(outcome: Outcome, account: Account) -> bool:
    """Whether the class has a retry when `max_retries` allows it."""
    if account.profile is SIPCORE:
        return True
    waits = outcome.retry_after is not None or asterisk_interval(outcome, account) > 0
    return waits and outcome.kind is not OutcomeClass.REMOVED


@law("RFC3261-20.33-02", "RFC5626-4.5-05", outcome=outcomes, history=histories, account=persistent, chance=chances)
def sipcore_waits_for_retry_after_up_to_an_hour(
    rules: Rules, outcome: Outcome, history: History, account: Account, chance: float
) -> None:
    """Law: SIPCORE waits what Retry-After says, an hour at most, and up to a tenth more so that a crowd spreads."""
    if outcome.retry_after is None:
        return
    wait = min(outcome.retry_after, 3600)
    plan = rules.schedule(outcome, history, account, Fixed(chance))
    assert plan.delay is not None
    assert abs(plan.delay - wait * (1 + 0.1 * chance)) < 1e-6
    assert plan.counted


@law("RFC3261-20.33-02", outcome=outcomes, history=histories, account=accounts_of(ASTERISK), chance=chances)
def asterisk_waits_for_retry_after_as_it_is(
    rules: Rules, outcome: Outcome, history: History, account: Account, chance: float
) -> None:
    """Law: ASTERISK waits exactly what Retry-After says, before any interval of the class, and does not count it."""
    if outcome.retry_after is None or outcome.kind is OutcomeClass.REMOVED:
        return
    plan = rules.schedule(outcome, history, account, Fixed(chance))
    assert plan == Plan(float(outcome.retry_after), counted=False)


@law(
    "RFC5626-4.5-02",
    "RFC5626-4.5-06",
    failures=evenly(lambda failures: failures, failures=count),
    history=histories,
    account=persistent,
    chance=chances,
)
def a_temporary_failure_backs_off(
    rules: Rules, failures: int, history: History, account: Account, chance: float
) -> None:
    """Law: without a binding the wait is 50 to 100 % of min(1800, 30 * 2**failures)."""
    outcome = Outcome(OutcomeClass.TEMPORARY, code=500)
    history = history._replace(failures=failures, standing=False)
    plan = rules.schedule(outcome, history, account, Fixed(chance))
    full = min(1800.0, 30.0 * 2 ** min(failures, 30))
    assert plan.delay is not None
    assert abs(plan.delay - full * (0.5 + 0.5 * chance)) < 1e-6


@law(
    "RFC3261-10.2.4-09",
    failures=evenly(lambda failures: failures, failures=count),
    history=histories,
    account=persistent,
    chance=chances,
)
def a_standing_binding_is_fought_for(
    rules: Rules, failures: int, history: History, account: Account, chance: float
) -> None:
    """Law: while a binding stands, temporary failures are retried after 1, 2, 4, 8, then every 10 s."""
    outcome = Outcome(OutcomeClass.TEMPORARY, code=500)
    plan = rules.schedule(outcome, history._replace(failures=failures, standing=True), account, Fixed(chance))
    assert plan.delay == [1.0, 2.0, 4.0, 8.0, 10.0][min(failures, 5) - 1]


DOUBLING = {
    OutcomeClass.REMOVED: (1.0, 1800.0),
    OutcomeClass.CREDENTIALS: (600.0, DAY),
    OutcomeClass.PERMANENT: (3600.0, DAY),
}


@law(outcome=outcomes, history=histories, account=persistent, chance=chances)
def a_lasting_failure_doubles(
    rules: Rules, outcome: Outcome, history: History, account: Account, chance: float
) -> None:
    """Law: refused credentials wait 10 min, permanent failures 1 h, doubling to 24 h; removed 1 s, doubling to 30 min.

    A 401 or 407 to credentials that worked before counts as temporary twice in a row: it is more often a mistake.
    """
    if outcome.kind is OutcomeClass.TEMPORARY:
        return
    plan = rules.schedule(plain(outcome), history, account, Fixed(chance))
    challenged = outcome.kind is OutcomeClass.CREDENTIALS and outcome.code in (401, 407)
    steps = history.same_class
    if challenged and history.proven:
        if steps <= 2:
            temporary = Outcome(OutcomeClass.TEMPORARY, code=500)
            assert plan == rules.schedule(temporary, history, account, Fixed(chance))
            return
        steps -= 2
    first, ceiling = DOUBLING[outcome.kind]
    assert plan.delay == min(ceiling, first * 2.0 ** min(steps - 1, 40))


def asterisk_interval(outcome: Outcome, account: Account) -> int:
    """The interval of res_pjsip_outbound_registration for a final failure; 0 is none."""
    if outcome.code == 403:
        return account.forbidden_retry_interval or account.fatal_retry_interval
    if outcome.kind is OutcomeClass.TEMPORARY:
        return account.retry_interval or account.fatal_retry_interval
    return account.fatal_retry_interval


@law(outcome=outcomes, history=histories, account=accounts_of(ASTERISK, max_retries=[99]), chance=chances)
def asterisk_waits_its_interval(
    rules: Rules, outcome: Outcome, history: History, account: Account, chance: float
) -> None:
    """Law: ASTERISK waits the interval of the class, at least the gap; without one it never tries again by itself."""
    plan = rules.schedule(plain(outcome), history, account, Fixed(chance))
    interval = asterisk_interval(outcome, account) if outcome.kind is not OutcomeClass.REMOVED else 0
    assert plan == (Plan(max(float(interval), GAP)) if interval else Plan(None, counted=False))


@law(outcome=outcomes, history=histories, account=accounts_of(JSSIP), chance=chances)
def jssip_waits_to_be_asked(rules: Rules, outcome: Outcome, history: History, account: Account, chance: float) -> None:
    """Law: JSSIP retries nothing by itself."""
    assert rules.schedule(outcome, history, account, Fixed(chance)) == Plan(None, counted=False)


grants = st.one_of(
    st.integers(0, 200), st.integers(0, 2**32 - 1), st.sampled_from([2, 10, 11, 40, 64, 65, 80, 160, 2400])
).map(float)


@law("RFC3261-10.2.4-03", "RFC3261-10.2-14", grant=st.one_of(grants, st.sampled_from([math.inf, -1.0])), chance=chances)
def a_refresh_comes_in_time(rules: Rules, grant: float, chance: float) -> None:
    """Law: a refresh comes at least the gap after the 2xx, and before the binding lapses where the gap leaves room.

    ASTERISK leads by 10 s and JSSIP counts less than 10 s as 10, so below that theirs may come too late, as theirs do.
    """
    for profile, shortest in ((SIPCORE, 2.0), (ASTERISK, 12.0), (JSSIP, 6.0)):
        delay = rules.refresh_delay(profile.refresh, grant, Fixed(chance))
        assert GAP <= delay <= MAX_WAIT
        assert delay < grant or grant < shortest, profile.name


@law("RFC3261-10.2.4-03", grant=grants, chance=chances)
def sipcore_refreshes_a_quarter_early(rules: Rules, grant: float, chance: float) -> None:
    """Law: lead = min(max(grant/4, 40 s), 600 s, grant/2), made up to a tenth longer at random."""
    lead = min(max(grant / 4, 40.0), 600.0, grant / 2)
    delay = rules.refresh_delay(SIPCORE.refresh, grant, Fixed(chance))
    assert abs(delay - max(grant - lead * (1 + 0.1 * chance), GAP)) < 1e-5


@law("RFC3261-10.2.4-03", grant=grants, chance=chances, elapsed=st.floats(0.0, 64.0))
def sipcore_counts_from_the_request_and_the_models_from_the_answer(
    rules: Rules, grant: float, chance: float, elapsed: float
) -> None:
    """Law: SIPCORE's wait is shorter by the time that the answer took, the models' is not; none is below the gap."""
    for profile, counted in ((SIPCORE, elapsed), (ASTERISK, 0.0), (JSSIP, 0.0)):
        delay = rules.refresh_delay(profile.refresh, grant, Fixed(chance), elapsed=elapsed)
        at_once = rules.refresh_delay(profile.refresh, grant, Fixed(chance))
        assert abs(delay - max(at_once - counted, GAP)) < 1e-5, profile.name


@law(grant=grants, chance=chances)
def asterisk_refreshes_ten_seconds_early(rules: Rules, grant: float, chance: float) -> None:
    """Law: grant - 10 s, exactly, but not below the gap."""
    assert rules.refresh_delay(ASTERISK.refresh, grant, Fixed(chance)) == max(grant - 10, GAP)


@law(grant=grants, chance=chances)
def jssip_refreshes_by_its_formula(rules: Rules, grant: float, chance: float) -> None:
    """Law: above 64 s somewhere in the second half, at least 32 s before the end; up to 64 s, 5 s before the end."""
    delay = rules.refresh_delay(JSSIP.refresh, grant, Fixed(chance))
    if grant > 64:
        assert abs(delay - (grant / 2 + (grant / 2 - 32) * chance)) < 1e-5
    else:
        assert delay == max(grant, 10.0) - 5


@law(chance=chances, spread=st.one_of(st.integers(0, 100), st.integers(0, 2**32 - 1)))
def the_first_attempt_waits_a_whole_number_below_the_spread(rules: Rules, chance: float, spread: int) -> None:
    """Law: SIPCORE and JSSIP start at once or a whole number of seconds below the spread later; ASTERISK 1 s later."""
    for profile, base in ((SIPCORE, 0), (JSSIP, 0), (ASTERISK, 1)):
        account = Account("sip:alice@example.com", profile=profile, max_random_initial_delay=spread)
        delay = rules.initial_delay(account, Fixed(chance))
        assert delay == int(delay)
        assert base <= delay <= base + max(spread - 1, 0)
        assert rules.initial_delay(account, Fixed(0.0)) == base
        if spread and chance > 0.999999:
            assert delay >= base + spread * 0.99 - 1


def everything_fails(rules: Rules, outcome: Outcome, account: Account, times: int) -> list[float]:
    """The waits after each of so many equal failures in a row."""
    waits: list[float] = []
    retries = 0
    for number in range(1, times + 1):
        history = History(failures=number, same_class=number, retries=retries)
        plan = rules.schedule(outcome, history, account, Fixed(0.0))
        if plan.delay is None:
            break
        retries += plan.counted
        waits.append(plan.delay)
    return waits


@law("RFC5626-4.5-02", outcome=outcomes, account=persistent)
def waits_do_not_shrink(rules: Rules, outcome: Outcome, account: Account) -> None:
    """Law: the same failure again and again is never retried sooner than before."""
    waits = everything_fails(rules, plain(outcome), account, 40)
    assert len(waits) == 40
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]


LAWS = [item for item in list(globals().values()) if isinstance(item, Law)]
