"""What the end of an attempt means for its registration: the new state, the next plan, and what is told.

One function for each way in which an attempt can end. They change the registration by its own steps (`plan`, `rest`,
`enter`, `forget_binding` and their family) and by those of `ending.py`, and each ends with the events, the reason
before the status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.exchange import Exchange, Failure, Outcome, Reply
from sipcore.profiles import MIN_ATTEMPT_GAP, Backoff
from sipcore.registration.bound_flow import use_flow
from sipcore.registration.causes import extended, failure_cause, removal_cause, success_cause
from sipcore.registration.contacts import in_doubt, unconfirmed_at
from sipcore.registration.ending import settle_down, stop
from sipcore.registration.schedule import History, initial_delay, refresh_delay, schedule
from sipcore.registration.table import Wanted
from sipcore.registration.view import view
from sipcore.values import Cause, OutcomeClass, State

if TYPE_CHECKING:
    from sipcore.registration.attempt import Attempt
    from sipcore.registration.machine import Registration

__all__ = ["conclude"]

REMOVAL_RETRIES = 2
"""Further attempts at a removal whose connection broke, in the profiles that back off."""


def conclude(
    registration: Registration, attempt: Attempt, exchange: Exchange, reply: Reply, outcome: Outcome, now: float
) -> None:
    """An attempt is over: change what has to change, plan what follows, and tell."""
    registration.exchange = None
    if exchange.flow is not None:
        registration.host.network.idle.released(exchange.flow, now)
    again, registration.again = registration.again, False
    if outcome.kind is OutcomeClass.SUCCESS:
        _succeeded(registration, exchange, attempt, reply, outcome, again, now)
    elif outcome.kind is OutcomeClass.REMOVED and attempt.removal:
        _removed(registration, attempt, reply, now)
    else:
        _failed(registration, exchange, attempt, reply, outcome, again, now)


def _succeeded(
    registration: Registration,
    exchange: Exchange,
    attempt: Attempt,
    reply: Reply,
    outcome: Outcome,
    again: bool,
    now: float,
) -> None:
    assert reply.response is not None
    assert attempt.grant is not None
    assert exchange.flow is not None
    doubt = attempt.accepted(reply.response)
    if attempt.grant.expires > outcome.grant:
        # Whoever wonders at the refreshes that are too many finds the reason in the status.
        capped = f"granted {attempt.grant.expires} s, more than was asked for: {outcome.grant:.0f} s count"
        doubt = f"{doubt}; {capped}" if doubt else capped
    previous, refreshed = registration.state, registration.expires_at is not None
    registration.forget_failures()
    registration.unconfirmed = ()
    registration.bound = registration.contact
    # The registrar counts from when it got the request, which may be as long ago as the transaction lasts: copies of
    # the request or of the answer were lost. Counted from when it left, what we claim is never more than what is.
    registration.expires_at = max(exchange.sent_at + outcome.grant, now)
    registration.others = attempt.grant.others
    registration.listed_at = now
    registration.home = exchange.remote
    use_flow(registration, exchange)
    registration.cause = success_cause(reply.response, doubt)
    registration.enter(State.REGISTERED, now)
    if registration.wanted is Wanted.UP:
        delay = refresh_delay(
            registration.account.profile.refresh, outcome.grant, registration.random, elapsed=now - exchange.sent_at
        )
        registration.plan(now if again else now + delay, now)
    registration.host.note(registration)
    registration.put(
        Registered(
            name=registration.name,
            expires=outcome.grant,
            refreshed=refreshed,
            assumed=outcome.assumed,
            refresh_at=registration.planned_at or now,
        )
    )
    if registration.wanted is not Wanted.UP:
        registration.next(now)
    registration.put(StatusChanged(status=view(registration), previous=previous))
    registration.host.succeeded(registration, now)


def _removed(registration: Registration, attempt: Attempt, reply: Reply, now: float) -> None:
    assert reply.response is not None
    attempt.accepted(reply.response)
    registration.forget_binding()
    registration.everything = registration.everything and not attempt.everything
    registration.removals_failed = 0
    registration.forget_failures()
    cause = removal_cause(reply.response, registration.server, registration.transport)
    if registration.remove_first:
        registration.remove_first = False
        # What the initial delay is for, it is for here, too; it runs from when the removal was sent.
        delay = initial_delay(registration.account, registration.random)
        registration.plan(max(now, registration.started_at + delay), now)
    elif registration.wanted is Wanted.UP or registration.everything:
        registration.plan(now, now)
    else:
        registration.rest()
    registration.host.note(registration)
    settle_down(registration, cause, now)
    if attempt.everything and registration.replaced:
        registration.host.emptied(registration, now)
    if registration.everything:
        return
    if registration.wanted is Wanted.GONE:
        stop(registration, now)


def _failed(
    registration: Registration,
    exchange: Exchange,
    attempt: Attempt,
    reply: Reply,
    outcome: Outcome,
    again: bool,
    now: float,
) -> None:
    account = registration.account
    previous = registration.state
    kind = outcome.kind
    cause = failure_cause(exchange, reply, outcome)
    if kind is OutcomeClass.REMOVED and not attempt.removal:
        # The registrar lists no binding of ours. It took the request all the same, and something on the way may
        # have rewritten our Contact, so that we do not know ours in the list.
        others = attempt.grant.others if attempt.grant is not None else ()
        registration.forget_binding()
        registration.others = others
        registration.listed_at = now
        in_doubt(registration, attempt.asked, now)
        registration.host.note(registration)
    if attempt.removal:
        _removal_failed(registration, cause, kind, reply, previous, now)
        return
    registration.failures += 1
    registration.same_class = registration.same_class + 1 if kind is registration.failed_kind else 1
    registration.failed_kind = kind
    history = History(
        failures=registration.failures - registration.failures_while_bound,
        same_class=registration.same_class,
        retries=registration.retries,
        standing=registration.expires_at is not None and now < registration.expires_at,
        proven=registration.proven,
    )
    plan = schedule(outcome, history, account, registration.random)
    if plan.exhausted:
        cause = extended(cause, f"{registration.retries} retries were made, which is the configured limit")
    if plan.counted:
        registration.retries += 1
    if registration.wanted is Wanted.UP:
        if again:
            registration.plan(now, now)
        elif plan.delay is None:
            registration.rest()
        else:
            registration.plan(now + plan.delay, now)
    registration.cause = cause
    standing = registration.expires_at is not None
    if kind is OutcomeClass.REMOVED:
        registration.enter(State.UNREGISTERED, now)
    elif standing and not account.profile.failed_refresh_rejects:
        pass
    elif reply.response is not None or account.profile.silence_rejects:
        registration.enter(State.REJECTED, now)
    registration.put(
        Rejected(name=registration.name, kind=kind, status=outcome.code, cause=cause, retry_at=registration.planned_at)
    )
    if previous is State.REGISTERED and kind is OutcomeClass.REMOVED:
        registration.put(Unregistered(name=registration.name, cause=cause))
    if registration.wanted is Wanted.UP or not registration.next(now, cause, previous):
        registration.put(StatusChanged(status=view(registration), previous=previous))


def _removal_failed(
    registration: Registration, cause: Cause, kind: OutcomeClass, reply: Reply, previous: State, now: float
) -> None:
    """What the registrar still holds lapses by itself; nothing is registered because of it."""
    registration.everything = False
    if registration.expires_at is not None or unconfirmed_at(registration, now):
        may = "stands" if reply.response is not None and registration.expires_at is not None else "may stand"
        cause = extended(cause, f"the binding was not removed and {may} until it lapses")
    registration.cause = cause
    if registration.account.profile.failed_refresh_rejects:
        registration.enter(State.REJECTED, now)
    if registration.wanted is Wanted.UP:
        # A forced register() goes on: the REGISTER replaces whatever the registrar kept.
        registration.remove_first = False
        registration.plan(now + initial_delay(registration.account, registration.random), now)
    elif reply.failure is Failure.FLOW and _may_remove_again(registration):
        # A connection that broke says nothing about the registrar; silence has been given its whole time already.
        registration.removals_failed += 1
        registration.plan(now + MIN_ATTEMPT_GAP * 2.0**registration.removals_failed, now)
    else:
        registration.rest()
    registration.put(
        Rejected(
            name=registration.name,
            kind=kind,
            status=cause.code,
            cause=registration.cause,
            retry_at=registration.planned_at,
            removal=True,
        )
    )
    if registration.wanted is Wanted.GONE and registration.planned_at is None:
        stop(registration, now, previous)
    else:
        registration.put(StatusChanged(status=view(registration), previous=previous))


def _may_remove_again(registration: Registration) -> bool:
    rule = registration.account.profile.retries[OutcomeClass.TEMPORARY]
    return isinstance(rule, Backoff) and registration.removals_failed < REMOVAL_RETRIES
