"""Each invariant of the simulated world finds a defect that is planted for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from sipcore.agent import UserAgent
from sipcore.auth.digest import DigestSession
from sipcore.commands import Command, Transmit
from sipcore.config import Timing
from sipcore.events import Event, MessageDropped, Registered, StatusChanged
from sipcore.registration import attempt, conclusion, machine, request
from sipcore.registration.machine import Registration
from sipcore.registration.schedule import Plan as Retry
from sipcore.registration.table import Wanted
from sipcore.testing.sim import town
from sipcore.testing.sim.broken import INVARIANTS
from sipcore.testing.sim.life import live
from sipcore.testing.sim.plan import DAY, Incident, Plan, Storm, Subscriber
from sipcore.transaction import client as client_transaction
from sipcore.values import State

Patch = pytest.MonkeyPatch

examination = importlib.import_module("sipcore.testing.sim.examine")
"""The module; the package has a function of the same name."""

found: set[int] = set()


def plan(*incidents: Incident, days: float = 0.5, expires: int = 600, **options: Any) -> Plan:
    """Two subscribers, one storm."""
    subscribers = (
        Subscriber(name="user0", expires=expires),
        Subscriber(name="user1", expires=expires, protocol="TCP"),
    )
    return Plan(
        seed=1,
        climate="swarm",
        subscribers=subscribers,
        storms=(Storm(lasts=days * DAY, incidents=incidents),),
        jitter=0.0,
        **options,
    )


DOWN = Incident(at=1000.0, kind="registrar down", lasts=3000.0)
FORBIDDEN = Incident(at=100.0, kind="forbidden", lasts=1200.0)
CONCEALED = plan(
    Incident(at=10.0, kind="unlisted", lasts=30000.0), Incident(at=11.0, kind="smaller grants", lasts=30000.0, size=0.8)
)
"""The registrar grants less than is asked for, and does not say so."""


def breaks(number: int, made: Plan, make_agent: Callable[..., UserAgent] = UserAgent) -> str:
    broken = live(made, make_agent=make_agent).broken
    assert broken is not None, "nobody noticed"
    assert broken.number == number, str(broken)
    found.add(number)
    return broken.text


@pytest.mark.parametrize("made", [plan(), plan(DOWN), plan(FORBIDDEN), plan(loss=0.2), CONCEALED])
def test_without_a_planted_defect_all_hold(made: Plan) -> None:
    life = live(made)
    assert life.broken is None, str(life.broken)
    assert life.requests > 100
    assert life.years == pytest.approx(2 * 0.5 / 365.25, rel=0.3)


# --- 1 ----------------------------------------------------------------------------------------------------------------


def test_1_an_undocumented_exception_is_found() -> None:
    class Defect(UserAgent):
        def receive(self, flow: int, data: bytes, *arguments: Any, **keywords: Any) -> None:
            super().receive(flow, data, *arguments, **keywords)
            if b"403 Forbidden" in data:
                raise KeyError("403")

    assert "KeyError" in breaks(1, plan(FORBIDDEN), Defect)


# --- 2 ----------------------------------------------------------------------------------------------------------------


def test_2_a_binding_whose_lapse_is_not_told_is_found(monkeypatch: Patch) -> None:
    def adopt_for_ever(registration: Registration, now: float) -> None:
        registration.expires_at = None

    monkeypatch.setattr(machine, "lapse", adopt_for_ever)
    assert "after its expiry" in breaks(2, plan(DOWN))


def test_2_a_claim_of_more_than_was_granted_is_found(monkeypatch: Patch) -> None:
    def boast(self: UserAgent) -> Command | Event | None:
        output = original(self)
        return replace(output, expires=output.expires + 60) if isinstance(output, Registered) else output

    original = UserAgent.next_output
    monkeypatch.setattr(UserAgent, "next_output", boast)
    assert "granted" in breaks(2, plan())


def test_2_an_expiry_counted_from_the_answer_is_found(monkeypatch: Patch) -> None:
    """The grant is right, and what is made of it later than what the registrar holds."""

    def late(registration: Registration, exchange: Any, *arguments: Any) -> None:
        exchange.sent_at = arguments[-1]
        original(registration, exchange, *arguments)

    original = conclusion._succeeded
    monkeypatch.setattr(conclusion, "_succeeded", late)
    assert "granted until" in breaks(2, plan())


def test_2_a_contact_of_another_connection_is_found(monkeypatch: Patch) -> None:
    def keep(self: Registration, *arguments: Any) -> None:
        known = self.contact
        original(self, *arguments)
        self.contact = known or self.contact

    original = Registration.sending
    monkeypatch.setattr(Registration, "sending", keep)
    assert "where nobody listens" in breaks(2, plan(Incident(at=1000.0, kind="sockets break")))


# --- 3 ----------------------------------------------------------------------------------------------------------------


def test_3_an_agent_that_gives_up_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(conclusion, "schedule", lambda *_: Retry(None))
    assert "idle" in breaks(3, plan(DOWN))


def test_3_an_agent_that_waits_too_long_is_found(monkeypatch: Patch) -> None:
    """What is told is the usual wait; what is planned is not."""

    def slow(registration: Registration, *arguments: Any) -> None:
        original(registration, *arguments)
        registration.plan(arguments[-1] + 365 * DAY, arguments[-1])

    original = conclusion._failed
    monkeypatch.setattr(conclusion, "_failed", slow)
    assert "is planned for" in breaks(3, plan(DOWN))


def test_3_an_outage_that_puts_the_next_attempt_off_for_hours_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(conclusion, "schedule", lambda *_: Retry(20 * 3600.0))
    assert "puts the next attempt off" in breaks(3, plan(DOWN))


# --- 4 ----------------------------------------------------------------------------------------------------------------


def test_4_a_refresh_that_comes_too_late_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(conclusion, "refresh_delay", lambda rule, grant, random, **_: grant + 2.0)
    assert "had no binding for" in breaks(4, plan())


def test_4_a_short_fault_that_costs_the_binding_is_found(monkeypatch: Patch) -> None:
    """One failed refresh, and then the usual back-off instead of the quick retries while the binding stands."""
    monkeypatch.setattr(conclusion, "schedule", lambda *_: Retry(900.0))
    down = [Incident(at=500.0 + 1000.0 * n, kind="registrar down", lasts=40.0) for n in range(20)]
    assert "had no binding for" in breaks(4, plan(*down))


def test_4_a_binding_that_is_removed_to_be_made_again_is_found(monkeypatch: Patch) -> None:
    def afresh(self: Registration, now: float) -> None:
        self.remove_first = self.expires_at is not None and self.wanted is Wanted.UP
        original(self, now)

    original = Registration.on_due
    monkeypatch.setattr(Registration, "on_due", afresh)
    assert "had no binding for" in breaks(4, plan())


# --- 5 ----------------------------------------------------------------------------------------------------------------


def test_5_a_cseq_that_stays_is_found(monkeypatch: Patch) -> None:
    def stay(self: Registration, *arguments: Any) -> None:
        original(self, *arguments)
        self.cseq -= 1

    original = Registration.sending
    monkeypatch.setattr(Registration, "sending", stay)
    assert "CSeq" in breaks(5, plan())


def test_5_a_nonce_count_that_stays_is_found(monkeypatch: Patch) -> None:
    def stay(self: DigestSession, *arguments: Any) -> str:
        text = original(self, *arguments)
        self.nc = 0
        return text

    original = DigestSession.authorization
    monkeypatch.setattr(DigestSession, "authorization", stay)
    assert "nc " in breaks(5, plan())


def test_5_two_registers_at_once_are_found(monkeypatch: Patch) -> None:
    def hasty(self: Registration, now: float) -> None:
        self.exchange = None
        original(self, now)

    original = Registration.register
    monkeypatch.setattr(Registration, "register", hasty)
    wishes = [Incident(at=2.0 * number, kind="user registers", who=0) for number in range(1, 30)]
    quiet = Incident(at=1.0, kind="late answers", lasts=120.0, size=25.0)
    assert "without an answer" in breaks(5, plan(quiet, *wishes))


def test_5_a_branch_used_again_is_found(monkeypatch: Patch) -> None:
    written = request.write_register
    monkeypatch.setattr(
        attempt, "write_register", lambda *arguments, **named: written(*arguments, **{**named, "branch": "z9hG4bK1"})
    )
    assert "branch" in breaks(5, plan())


# --- 6 ----------------------------------------------------------------------------------------------------------------


def test_6_too_many_copies_are_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(town, "TIMING", Timing(t2=0.5))
    assert "sent 13 times" in breaks(6, plan(DOWN))


def test_6_an_agent_that_hammers_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(machine, "MIN_ATTEMPT_GAP", 0.0)
    monkeypatch.setattr(conclusion, "schedule", lambda *_: Retry(0.001))
    assert "a second" in breaks(6, plan(FORBIDDEN))


def test_6_attempts_closer_than_their_gap_are_found(monkeypatch: Patch) -> None:
    """Fewer requests than the bound of a second, and more than one attempt."""
    monkeypatch.setattr(machine, "MIN_ATTEMPT_GAP", 0.0)
    monkeypatch.setattr(conclusion, "schedule", lambda *_: Retry(0.4))
    assert "more than one attempt" in breaks(6, plan(FORBIDDEN))


# --- 7 ----------------------------------------------------------------------------------------------------------------


def test_7_a_deadline_that_acts_early_is_found() -> None:
    class Defect(UserAgent):
        def handle_deadline(self, *, now: float) -> None:
            deadline = self.next_deadline()
            super().handle_deadline(now=now if deadline is None else deadline)

    assert "came early" in breaks(7, plan(), Defect)


def test_7_a_deadline_that_stays_is_found(monkeypatch: Patch) -> None:
    class Defect(UserAgent):
        def handle_deadline(self, *, now: float) -> None:
            if self.now < 5000.0:
                super().handle_deadline(now=now)

    breaks(7, plan(), Defect)


# --- 8 ----------------------------------------------------------------------------------------------------------------


def test_8_an_agent_that_registers_while_it_closes_is_found() -> None:
    class Defect(UserAgent):
        def close(self, *, now: float, unregister: bool = True) -> None:
            self.register("user0", now=now)

    breaks(8, plan(), Defect)


def test_8_an_agent_that_speaks_after_its_end_is_found() -> None:
    class Defect(UserAgent):
        def next_output(self) -> Command | Event | None:
            output = super().next_output()
            if isinstance(output, Transmit):
                self.last = output
            return self.last if output is None and self.closed and self.now > 1e6 else output

    assert "after the agent was closed" in breaks(8, plan(), Defect)


def test_8_a_binding_that_is_left_behind_is_found() -> None:
    class Defect(UserAgent):
        def close(self, *, now: float, unregister: bool = True) -> None:
            super().close(now=now, unregister=False)

    assert "stays behind" in breaks(8, plan(), Defect)


def test_8_a_registration_that_nobody_wants_is_found(monkeypatch: Patch) -> None:
    def stubborn(registration: Registration, *arguments: Any) -> None:
        original(registration, *arguments)
        if registration.wanted is Wanted.DOWN:
            registration.register(arguments[-1])

    original = conclusion._removed
    monkeypatch.setattr(conclusion, "_removed", stubborn)
    assert "nobody wants" in breaks(8, plan(Incident(at=1000.0, kind="user un-registers", lasts=600.0)))


def test_8_a_removal_that_is_repeated_is_found(monkeypatch: Patch) -> None:
    def again(registration: Registration, *arguments: Any) -> None:
        if registration.wanted is Wanted.UP:
            original(registration, *arguments)
        else:
            registration.plan(arguments[-1], arguments[-1])

    original = conclusion._removed
    monkeypatch.setattr(conclusion, "_removed", again)
    assert "removals" in breaks(8, plan())


# --- 9 ----------------------------------------------------------------------------------------------------------------


def test_9_an_agent_that_keeps_what_it_heard_is_found() -> None:
    class Defect(UserAgent):
        def receive(self, flow: int, data: bytes, *arguments: Any, **keywords: Any) -> None:
            self.heard = [*getattr(self, "heard", ()), data]
            super().receive(flow, data, *arguments, **keywords)

    assert "bytes" in breaks(9, plan(), Defect)


# --- 10 ---------------------------------------------------------------------------------------------------------------


def test_10_a_change_that_is_not_told_is_found() -> None:
    class Defect(UserAgent):
        def next_output(self) -> Command | Event | None:
            output = super().next_output()
            if isinstance(output, StatusChanged) and output.status.attempt == 2:
                return super().next_output()
            return output

    assert "StatusChanged" in breaks(10, plan(DOWN), Defect)


def test_10_a_wrong_previous_state_is_found() -> None:
    class Defect(UserAgent):
        def next_output(self) -> Command | Event | None:
            output = super().next_output()
            if isinstance(output, StatusChanged) and output.status.state is State.REGISTERED:
                return replace(output, previous=State.REJECTED)
            return output

    assert "is said to have been" in breaks(10, plan(), Defect)


def test_10_an_agent_with_dice_of_its_own_is_found(monkeypatch: Patch) -> None:
    own = Random()

    def gamble(self: Registration, when: float, now: float) -> None:
        original(self, when + own.random(), now)

    original = Registration.plan
    monkeypatch.setattr(Registration, "plan", gamble)
    monkeypatch.setattr(examination, "draw", lambda *_: plan())
    broken = examination.examine(0).life.broken
    assert broken is not None
    assert broken.number == 10
    assert "the same plan" in broken.text


# --- 11 ---------------------------------------------------------------------------------------------------------------


def test_11_a_password_on_the_wire_is_found(monkeypatch: Patch) -> None:
    written = request.write_register

    def careless(texts: Any, **named: Any) -> bytes:
        return written(texts, **named).replace(b"Max-Forwards", b"X-Debug: kanarienvogel-7-user0\r\nMax-Forwards", 1)

    monkeypatch.setattr(attempt, "write_register", careless)
    assert "secret" in breaks(11, plan())


def test_11_a_wrong_digest_is_found(monkeypatch: Patch) -> None:
    original = DigestSession.authorization
    monkeypatch.setattr(
        DigestSession, "authorization", lambda self, *rest: original(self, *rest).replace('response="', 'response="0')
    )
    breaks(11, plan())


# --- 12 ---------------------------------------------------------------------------------------------------------------


def test_12_a_response_that_is_taken_from_anybody_is_found(monkeypatch: Patch) -> None:
    def any_of_them(self: client_transaction.ClientTransactions, branch: str) -> Any:
        return original(self, branch) or next(iter(self._by_branch.values()), None)

    original = client_transaction.ClientTransactions.find
    monkeypatch.setattr(client_transaction.ClientTransactions, "find", any_of_them)
    monkeypatch.setattr("sipcore.agent.mismatch", lambda *_: None)
    made = plan(Incident(at=1.0, kind="registrar down", lasts=40000.0))
    monkeypatch.setattr(examination, "draw", lambda *_: made)
    broken = examination.examine(examination.SPOOFED_EACH).life.broken
    assert broken is not None
    assert broken.number == 12


def test_what_is_only_dropped_is_not_part_of_the_trace() -> None:
    """The law of 12 holds by itself: forged responses come in numbers, and are reported, and change nothing."""
    dropped = 0

    class Counting(UserAgent):
        def next_output(self) -> Command | Event | None:
            nonlocal dropped
            output = super().next_output()
            dropped += output.count if isinstance(output, MessageDropped) else 0
            return output

    made = plan(DOWN)
    calm, spoofed = live(made), live(made, off_path=True, make_agent=Counting)
    assert spoofed.spoofed > 100
    assert dropped >= spoofed.spoofed
    assert calm.digest == spoofed.digest


def test_every_invariant_has_a_planted_defect() -> None:
    """Read from this file, so that it holds for any selection of tests."""
    names = [name for name in globals() if name.startswith("test_")]
    assert {int(name.split("_")[1]) for name in names if name.split("_")[1].isdigit()} == set(INVARIANTS)
