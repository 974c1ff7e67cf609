"""The flow that a binding was made over: calls reach us by it, so it is kept while it is used, and its end is news."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcore.exchange import Exchange
from sipcore.profiles import Backoff
from sipcore.registration.table import Wanted
from sipcore.values import OutcomeClass, State, backoff

if TYPE_CHECKING:
    from sipcore.registration.machine import Registration

__all__ = ["flow_lost", "leave_flow", "use_flow"]

SETTLED_FLOW = 120.0
"""Seconds after which a flow counts as one that lasts (RFC 5626 section 4.5 asks for a keep-alive period)."""


def use_flow(registration: Registration, exchange: Exchange) -> None:
    """The binding was made over the flow of this exchange."""
    flow = exchange.flow
    assert flow is not None
    if flow.id != registration.flow:
        leave_flow(registration)
        registration.flow = flow.id
    if flow.reliable:
        flow.users.add(registration.name)
        registration.host.keep_alive(flow.id, registration.account.keep_alive_interval)


def leave_flow(registration: Registration) -> None:
    """The binding is not on its flow any more; whoever else is on it keeps it open."""
    flow, registration.flow = registration.flow, None
    if flow is not None:
        registration.host.left_flow(flow, registration.name)


def flow_lost(registration: Registration, now: float) -> None:
    """The connection that the binding was made over ended: nobody reaches us until we register again."""
    registration.flow = None
    if registration.wanted is not Wanted.UP or registration.exchange is not None:
        return
    if registration.state is not State.REGISTERED:
        return
    if registration.failures:
        # The registrar has told us when to come again, or to wait; that it then hangs up changes nothing.
        return
    young = now - registration.listed_at < SETTLED_FLOW
    registration.flow_losses = registration.flow_losses + 1 if young else 0
    registration.plan(now + _backoff(registration), now)


def _backoff(registration: Registration) -> float:
    """The wait before a lost flow is opened again: none, unless flows end as soon as they are there."""
    rule = registration.account.profile.retries[OutcomeClass.TEMPORARY]
    if registration.flow_losses < 2 or not isinstance(rule, Backoff):
        return 0.0
    return backoff(registration.flow_losses - 1, base=rule.base, ceiling=rule.ceiling, random=registration.random)
