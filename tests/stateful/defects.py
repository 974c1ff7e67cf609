"""Defects to plant in the core, and the law that each breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from sipcore import Cause, MessageDropped, State, StatusChanged, Transmit, Unregistered, UserAgent
from sipcore.auth.digest import DigestSession
from sipcore.endpoint import Endpoint
from sipcore.exchange import Exchange
from sipcore.registration import conclusion, machine
from sipcore.registration.attempt import Attempt
from sipcore.registration.classify import classify
from sipcore.registration.machine import Registration
from sipcore.registration.schedule import schedule
from sipcore.registration.table import Wanted
from sipcore.transaction.client import ClientTransaction
from tests.stateful.laws import (
    BrokenIdentity,
    BrokenTimer,
    ClaimedTooMuch,
    Disturbed,
    LeftBehind,
    NotSettled,
    NotSilent,
    Raised,
    SentTooMuch,
    Stuck,
    Violation,
    WrongTelling,
)

__all__ = ["DEFECTS", "Defect"]

Patch = pytest.MonkeyPatch


class Defect(NamedTuple):
    """Something wrong with the core."""

    plant: Callable[[Patch], None]
    law: type[Violation]


def lapse_untold(patch: Patch) -> None:
    """A binding lapses, and nobody is told."""
    patch.setattr(machine, "lapse", lambda registration, now: setattr(registration, "expires_at", None))


def longer_grant(patch: Patch) -> None:
    """A binding is claimed for a second more than was granted."""
    def generous(*arguments: Any) -> Any:
        outcome = classify(*arguments)
        return outcome._replace(grant=outcome.grant + 1.0) if outcome.grant else outcome

    patch.setattr("sipcore.registration.attempt.classify", generous)


def raising_response(patch: Patch) -> None:
    """A Retry-After makes an input raise."""
    real = schedule

    def fragile(outcome: Any, *rest: Any) -> Any:
        if outcome.retry_after:
            raise ZeroDivisionError
        return real(outcome, *rest)

    patch.setattr(conclusion, "schedule", fragile)


def same_cseq(patch: Patch) -> None:
    """CSeq does not rise after a challenge."""
    real = Registration.sending

    def sending(self: Registration, exchange: Exchange, flow: Any) -> None:
        real(self, exchange, flow)
        self.cseq -= exchange.requests > 0

    patch.setattr(Registration, "sending", sending)


def same_nc(patch: Patch) -> None:
    """The nonce count stays 1."""
    real = DigestSession.authorization

    def authorization(self: DigestSession, *arguments: Any) -> str:
        self.nc = 0
        return real(self, *arguments)

    patch.setattr(DigestSession, "authorization", authorization)


def two_at_once(patch: Patch) -> None:
    """A 1xx makes the request leave once more, as another one."""
    patch.setattr(Exchange, "on_provisional", lambda self, transaction, response, now: self._send(now))


def copies_for_ever(patch: Patch) -> None:
    """A transaction sends a copy after it was answered."""
    real = ClientTransaction.on_due

    def on_due(self: ClientTransaction, now: float) -> None:
        request = self.request
        real(self, now)
        if self.flow.open and self.state == "terminated" and not self.flow.reliable:
            self.table.host.transmit(self.flow, request, self.remote)

    patch.setattr(ClientTransaction, "on_due", on_due)


def no_gap(patch: Patch) -> None:
    """Attempts follow each other without a gap."""
    patch.setattr(machine, "MIN_ATTEMPT_GAP", 0.0)


def timer_in_the_past(patch: Patch) -> None:
    """A timer that is due stays armed for this very moment."""
    real = Endpoint.handle_deadline

    def handle_deadline(self: Endpoint, *, now: float) -> None:
        due = self.next_deadline()
        real(self, now=now)
        if due is not None and due <= now:
            for flow in self.flows.values():
                self.timers.arm(flow, now)

    patch.setattr(Endpoint, "handle_deadline", handle_deadline)


def second_call(patch: Patch) -> None:
    """A call of handle_deadline for which nothing is due tells something."""
    real = Endpoint.handle_deadline

    def handle_deadline(self: Endpoint, *, now: float) -> None:
        if (self.next_deadline() or 0.0) > now and self.flows:
            for registration in self._registrations.values():  # type: ignore[attr-defined]
                registration.host.network.host.put(
                    Unregistered(name=registration.name, cause=Cause(detail="idle"))
                )
        real(self, now=now)

    patch.setattr(Endpoint, "handle_deadline", handle_deadline)


def speaks_after_the_end(patch: Patch) -> None:
    """A connection that is closed is sent a last line."""
    real = Endpoint.close_flow

    def close_flow(self: Endpoint, flow: Any) -> None:
        real(self, flow)
        self.put(Transmit(flow=flow.id, data=b"\r\n\r\n", remote=None))

    patch.setattr(Endpoint, "close_flow", close_flow)


def refresh_untold(patch: Patch) -> None:
    """Events of a status that stays Registered are left out."""
    real = Registration.put

    def put(self: Registration, event: Any) -> None:
        if not (isinstance(event, StatusChanged) and event.previous is event.status.state is State.REGISTERED):
            real(self, event)

    patch.setattr(Registration, "put", put)


def wrong_previous(patch: Patch) -> None:
    """`previous` is the state that has just been entered."""
    real = Registration.put

    def put(self: Registration, event: Any) -> None:
        if isinstance(event, StatusChanged):
            event = StatusChanged(status=event.status, previous=event.status.state)
        real(self, event)

    patch.setattr(Registration, "put", put)


def forgets_to_plan(patch: Patch) -> None:
    """After a lost flow nothing is planned."""

    def flow_lost(registration: Registration, now: float) -> None:
        registration.flow = None
        if registration.state is State.REGISTERED and registration.exchange is None:
            registration.rest()

    patch.setattr("sipcore.agent.flow_lost", flow_lost)


def trusts_the_branch(patch: Patch) -> None:
    """A response is known by its branch alone."""
    patch.setattr("sipcore.agent.mismatch", lambda *arguments: None)


def close_forgets_one(patch: Patch) -> None:
    """A removed registration whose REGISTER is in flight is never stopped."""
    real = Registration.next

    def next_(self: Registration, now: float, *rest: Any) -> bool:
        if self.wanted is Wanted.GONE:
            self.rest()
            return False
        return real(self, now, *rest)

    patch.setattr(Registration, "next", next_)


def leaves_the_binding(patch: Patch) -> None:
    """A removal names the Contact of now, not the one that the registrar holds."""
    patch.setattr(Attempt, "_contacts", lambda self, now: "*" if self.everything else self.registration.contact)


def refusal_that_changes(patch: Patch) -> None:
    """An add() that is refused has done something by then."""
    real = UserAgent.add

    def add(self: UserAgent, account: Any, *, now: float) -> None:
        if account.name in self.names():
            self.put(MessageDropped(cause="added twice", flow=None, source=None))
        real(self, account, now=now)

    patch.setattr(UserAgent, "add", add)


DEFECTS: tuple[Defect, ...] = (
    Defect(raising_response, Raised),
    Defect(refusal_that_changes, Raised),
    Defect(longer_grant, ClaimedTooMuch),
    Defect(lapse_untold, WrongTelling),
    Defect(same_cseq, BrokenIdentity),
    Defect(same_nc, BrokenIdentity),
    Defect(two_at_once, BrokenIdentity),
    Defect(copies_for_ever, SentTooMuch),
    Defect(no_gap, SentTooMuch),
    Defect(timer_in_the_past, BrokenTimer),
    Defect(second_call, BrokenTimer),
    Defect(speaks_after_the_end, NotSilent),
    Defect(refresh_untold, WrongTelling),
    Defect(wrong_previous, WrongTelling),
    Defect(forgets_to_plan, Stuck),
    Defect(trusts_the_branch, Disturbed),
    Defect(close_forgets_one, NotSettled),
    Defect(leaves_the_binding, LeftBehind),
)
