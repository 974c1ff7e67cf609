"""The logic of the convenience API under a virtual clock: entering, leaving, following, and what the log says."""

from __future__ import annotations

import gc
import logging
from dataclasses import replace
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore import (
    Account,
    Address,
    Cause,
    Event,
    FlowLost,
    ListenFailed,
    Listening,
    MessageDropped,
    OutcomeClass,
    Protocol,
    Registered,
    Rejected,
    State,
    Status,
    StatusChanged,
    Transmit,
    Transport,
    Unregistered,
    UserAgent,
)
from sipcore.client import MAX_UNREAD, Client, Entered, EnteringFailed, Left, LogLevel, Wait, log_line
from sipcore.errors import ConfigError, LocalProtocolError
from sipcore.testing import REGISTRAR, ScriptedPeer, Station, Step, World, ok
from tests.secrecy import PASSWORD

# With addresses everywhere nothing has to be resolved, which a station does for user agents alone.
HOST = Transport(local=("192.0.2.10", 0))
ALICE = Account("sip:alice@192.0.2.1", password=PASSWORD, name="alice", transport=HOST)
BOB = Account("sip:bob@192.0.2.1", password=PASSWORD, name="bob", transport=HOST)


class Block:
    """A client on a virtual network, with a scripted registrar."""

    def __init__(self, *script: Step, accounts: tuple[Account, ...] = (ALICE,), **options: Any) -> None:
        self.world = World()
        self.peer = ScriptedPeer(self.world, REGISTRAR, script)
        self.client = Client(UserAgent(random=Random(1), now=0.0), accounts, now=0.0, **options)
        # A station drives what keeps the contract of an agent, as a client does.
        self.station = Station(self.world, cast(Any, self.client))

    def run(self, until: float | None = None) -> list[Event]:
        """All events so far."""
        self.world.run(self.world.now if until is None else until)
        return [item.output for item in self.station.outputs if isinstance(item.output, Event)]

    def verdicts(self, until: float | None = None) -> list[type[Event]]:
        """How entering and leaving were decided so far."""
        return [type(event) for event in self.run(until) if isinstance(event, Entered | EnteringFailed | Left)]

    def leave(self) -> None:
        """What a driver does at the end of the block."""
        self.client.leave(now=self.world.now)


def failed(block: Block) -> Status:
    """The status that entering failed with."""
    (event,) = [event for event in block.run() if isinstance(event, EnteringFailed)]
    assert event.error.status is event.status
    return event.status


# --- entering -------------------------------------------------------------------------------------------------------


def test_the_first_success_enters() -> None:
    block = Block(ok())
    assert block.verdicts() == [Entered]
    assert block.client.status("alice").registered
    kinds = [type(event) for event in block.run()]
    assert kinds.index(Entered) == kinds.index(StatusChanged) + 1


def test_the_first_failure_does_not() -> None:
    block = Block(403)
    assert block.verdicts() == [EnteringFailed]
    cause = failed(block).cause
    assert cause is not None
    assert (cause.code, cause.kind) == (403, OutcomeClass.PERMANENT)
    assert str(failed(block).name) == "alice"


def test_waiting_for_ever_goes_on_after_a_failure() -> None:
    block = Block(503, ok(), wait=None)
    assert block.verdicts(14.9) == []
    assert block.verdicts(3600) == [Entered]


@pytest.mark.parametrize("wait", [None, 1000.0])
def test_what_is_not_tried_again_is_not_waited_for(wait: float | None) -> None:
    hopeless = replace(ALICE, give_up=frozenset({OutcomeClass.PERMANENT}))
    block = Block(404, accounts=(hopeless,), wait=wait)
    assert block.verdicts() == [EnteringFailed]
    assert failed(block).next_attempt_at is None


def test_a_bounded_wait_ends_at_its_bound() -> None:
    block = Block(wait=10.0)
    assert block.verdicts(9.999) == []
    assert block.verdicts(10.0) == [EnteringFailed]
    assert failed(block).cause is None


def test_a_bounded_wait_tells_the_last_cause() -> None:
    block = Block(503, wait=10.0)
    assert block.verdicts(9.999) == []
    assert block.verdicts(10.0) == [EnteringFailed]
    cause = failed(block).cause
    assert cause is not None
    assert cause.code == 503


def test_a_success_at_the_very_bound_counts() -> None:
    block = Block(replace(ok(), delay=10.0), wait=10.0)
    assert block.verdicts(9.999) == []
    assert block.verdicts(10.0) == [Entered]


def test_nobody_waits_when_told_so() -> None:
    block = Block(403, wait=Wait.NOT)
    assert block.verdicts() == [Entered]
    assert block.client.status("alice").state is State.REJECTED


def test_no_accounts_are_registered_at_once() -> None:
    assert Block(accounts=()).verdicts() == [Entered]


def test_all_accounts_are_waited_for() -> None:
    block = Block(ok(), None, ok(), accounts=(ALICE, BOB))
    assert block.verdicts() == []
    assert block.verdicts(33.0) == [EnteringFailed]
    assert failed(block).name == "bob"
    assert Block(ok(), accounts=(ALICE, BOB)).verdicts() == [Entered]


def test_entering_is_decided_once() -> None:
    block = Block(ok(2), 403, ok(2), wait=100.0)
    assert block.verdicts(1000) == [Entered]


def test_two_accounts_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="no other account"):
        Block(accounts=(ALICE, ALICE))


# --- leaving --------------------------------------------------------------------------------------------------------


def removals(block: Block) -> int:
    """How many removals the registrar got."""
    return sum(request.get("expires") == "0" for request in block.peer.requests)


@pytest.mark.requirement("RFC3261-10.2.2-01")
def test_leaving_removes_and_ends_with_the_answer() -> None:
    block = Block(ok())
    block.run(10.0)
    block.peer.answer(200)
    block.leave()
    assert block.verdicts() == [Entered, Left]
    assert removals(block) == 1
    assert block.client.closed
    final = block.client.status("alice")
    assert final.state is State.STOPPED
    assert final.cause is not None
    assert final.cause.detail == "removed"
    assert block.client.statuses() == [final]
    assert block.station.flows == ()


def test_leaving_is_bounded_and_says_what_was_not_confirmed() -> None:
    block = Block(ok(3600))
    block.run(10.0)
    block.peer.answer(None)
    block.leave()
    assert block.verdicts(14.999) == [Entered]
    assert block.verdicts(15.0) == [Entered, Left]
    assert block.client.closed
    final = block.client.status("alice")
    assert final.state is State.STOPPED
    assert final.expires_at == 3600.0
    assert final.next_attempt_at is None
    assert final.cause is not None
    assert "not confirmed within 5 s" in final.cause.detail
    events = block.run()
    assert events[-2:] == [
        StatusChanged(status=final, previous=State.REGISTERED),
        Left(unconfirmed=("alice",)),
    ]


def test_a_refused_removal_is_an_answer_and_the_final_cause() -> None:
    block = Block(ok())
    block.run(10.0)
    block.peer.answer(500)
    block.leave()
    assert block.verdicts(10.5) == [Entered, Left]
    final = block.client.status("alice")
    assert final.state is State.STOPPED
    assert final.cause is not None
    assert final.cause.code == 500
    assert "stands until it lapses" in final.cause.detail


def test_leaving_at_once_still_sends() -> None:
    block = Block(ok(), leave_within=0.0)
    block.run(10.0)
    block.peer.answer(None)
    block.leave()
    assert block.verdicts() == [Entered, Left]
    assert removals(block) == 1


def test_leaving_twice_is_leaving_once() -> None:
    block = Block(ok())
    block.run(10.0)
    block.peer.answer(None)
    block.leave()
    block.run(12.0)
    block.leave()
    assert block.verdicts(14.999) == [Entered]
    assert block.verdicts(15.0) == [Entered, Left]


def test_leaving_before_entering_was_decided() -> None:
    block = Block(None, wait=3.0)
    block.run(1.0)
    block.leave()
    assert block.verdicts(5.999) == []
    assert block.verdicts(6.0) == [Left]


def test_a_refused_client_leaves_at_once() -> None:
    block = Block(403)
    block.run()
    block.leave()
    assert block.verdicts() == [EnteringFailed, Left]


def test_nothing_happens_after_the_end() -> None:
    block = Block(ok())
    block.run(10.0)
    block.peer.answer(None)
    block.leave()
    block.run(15.0)
    count = len(block.station.outputs)
    client = block.client
    assert client.next_deadline() is None
    client.handle_deadline(now=1000.0)
    client.flow_closed(1, "late", now=1000.0)
    client.receive(1, b"SIP/2.0 200 OK\r\n\r\n", ("192.0.2.1", 5060), now=1000.0)
    assert client.next_output() is None
    assert len(block.station.outputs) == count


def test_what_was_removed_before_is_not_spoken_of_in_the_end() -> None:
    block = Block(ok(), accounts=(ALICE, BOB))
    block.run(10.0)
    block.client.agent.remove("bob", now=10.0)
    block.run(11.0)
    with pytest.raises(LocalProtocolError):
        block.client.status("bob")
    block.leave()
    block.run(20.0)
    assert [status.name for status in block.client.statuses()] == ["alice"]


@given(
    codes=st.lists(st.sampled_from([200, 401, 403, 404, 423, 500, 503, 600, None]), max_size=6),
    wait=st.sampled_from([None, Wait.FIRST_ATTEMPT, Wait.NOT, 0.0, 5.0]),
    stay=st.floats(0, 300),
    bound=st.floats(0, 60),
)
def test_whatever_a_registrar_does_a_block_ends(
    codes: list[int | None], wait: float | Wait | None, stay: float, bound: float
) -> None:
    """Entering is decided at most once, before leaving; leaving ends within its bound; then nothing is left to do."""
    script = [ok(60) if code == 200 else code for code in codes]
    block = Block(*script, wait=wait, leave_within=bound)
    block.run(stay)
    block.leave()
    verdicts = block.verdicts(stay + bound)
    assert verdicts[-1] is Left
    assert verdicts[:-1] in ([], [Entered], [EnteringFailed])
    assert block.client.closed
    assert block.client.next_deadline() is None
    assert block.client.status("alice").state is State.STOPPED


# --- following ------------------------------------------------------------------------------------------------------


def test_a_follower_gets_the_present_status_then_each_change_then_the_end() -> None:
    block = Block(ok(), accounts=(ALICE, BOB), wait=Wait.NOT)
    news: list[str] = []
    one = block.client.follow("alice", lambda: news.append("one"))
    every = block.client.follow(None, lambda: news.append("every"))
    first = one.take()
    assert first is not None
    assert (first.name, first.state) == ("alice", State.UNREGISTERED)
    assert one.take() is None
    block.run()
    assert news == ["one", "every", "every"] or news == ["every", "one", "every"]
    second = one.take()
    assert second is not None
    assert second.registered
    assert not one.ended
    seen = []
    while (status := every.take()) is not None:
        seen.append((status.name, status.registered))
    assert seen == [("alice", False), ("bob", False), ("alice", True), ("bob", True)]
    block.peer.answer(200)
    block.run(10.0)
    block.leave()
    block.run()
    assert one.ended
    assert every.ended
    late = block.client.follow("alice", lambda: None)
    assert late.ended
    last = late.take()
    assert last is not None
    assert last.state is State.STOPPED


def test_a_follower_that_does_not_read_keeps_the_newest() -> None:
    block = Block(ok())
    block.run()
    follower = block.client.follow("alice", lambda: None)
    status = block.client.status("alice")
    for _ in range(MAX_UNREAD):
        follower.put(status)
    unread = []
    while (taken := follower.take()) is not None:
        unread.append(taken)
    assert len(unread) == MAX_UNREAD


def test_a_follower_is_forgotten_with_its_reader() -> None:
    block = Block(ok())
    news: list[str] = []
    follower = block.client.follow("alice", lambda: news.append("news"))
    del follower
    gc.collect()
    block.run()
    assert news == []


# --- the log --------------------------------------------------------------------------------------------------------

SERVER: Address = ("192.0.2.1", 5060)
REFUSED = Cause(
    kind=OutcomeClass.CREDENTIALS, code=403, reason="Forbidden", server="192.0.2.1:5060", transport=Protocol.UDP
)


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (
            Rejected(name="alice", kind=OutcomeClass.CREDENTIALS, status=403, cause=REFUSED, retry_at=700.0),
            LogLevel.WARNING,
            "alice: rejected: refused credentials: 403 Forbidden [UDP 192.0.2.1:5060]; next attempt in 600 s",
        ),
        (
            Rejected(
                name="alice", kind=OutcomeClass.CREDENTIALS, status=403, cause=REFUSED, retry_at=None, removal=True
            ),
            LogLevel.WARNING,
            "alice: removal failed: refused credentials: 403 Forbidden [UDP 192.0.2.1:5060]; not tried again",
        ),
        (
            Unregistered(name="alice", cause=Cause(detail="the binding lapsed")),
            LogLevel.WARNING,
            "alice: unregistered: the binding lapsed",
        ),
        (
            Unregistered(name="alice", cause=Cause(kind=OutcomeClass.REMOVED, code=200, reason="OK")),
            LogLevel.INFO,
            "alice: unregistered: 200 OK",
        ),
        (
            Registered(name="alice", expires=3600.0, refreshed=False, assumed=False, refresh_at=0.0),
            LogLevel.INFO,
            "alice: registered for 3600 s",
        ),
        (
            Registered(name="alice", expires=60.0, refreshed=True, assumed=True, refresh_at=0.0),
            LogLevel.DEBUG,
            "alice: refreshed for 60 s (assumed: the answer did not list ours)",
        ),
        (
            FlowLost(flow=3, remote=SERVER, error=None, names=()),
            LogLevel.INFO,
            "flow 3 to 192.0.2.1:5060 lost: closed by the peer",
        ),
        (FlowLost(flow=3, remote=None, error="gone", names=()), LogLevel.INFO, "flow 3 lost: gone"),
        (Listening(protocol="TCP", local=("::1", 5060)), LogLevel.INFO, "listening on TCP [::1]:5060"),
        (
            ListenFailed(protocol="TCP", local=None, error="Address already in use"),
            LogLevel.WARNING,
            "cannot listen on TCP: Address already in use",
        ),
        (
            MessageDropped(cause="malformed: no colon", flow=1, source=SERVER, count=3),
            LogLevel.DEBUG,
            "dropped 3 from 192.0.2.1:5060: malformed: no colon",
        ),
        (Left(unconfirmed=()), LogLevel.DEBUG, "all bindings were removed"),
        (
            Left(unconfirmed=tuple("abcdefg")),
            LogLevel.WARNING,
            "removals not confirmed in time: a, b, c, d, e and 2 more",
        ),
    ],
)
def test_log_lines(event: Event, level: LogLevel, text: str) -> None:
    assert log_line(event, now=100.0) == (level, text)
    assert log_line(event, now=100.0, least=level + 1) is None


def test_what_is_said_by_others_is_not_logged() -> None:
    assert log_line(Entered(), now=0.0) is None


def test_levels_are_those_of_the_logging_module() -> None:
    assert {level.name: int(level) for level in LogLevel} == {
        level.name: getattr(logging, level.name) for level in LogLevel
    }


def test_transmissions_pass_unchanged() -> None:
    block = Block(ok())
    block.run()
    assert any(isinstance(item.output, Transmit) for item in block.station.outputs)


@pytest.mark.parametrize("wait", ["soon", "1", -1, float("nan"), True])
def test_a_wait_that_is_no_number_of_seconds_is_refused(wait: Any) -> None:
    agent = UserAgent(random=Random(1))
    with pytest.raises(ConfigError) as caught:
        Client(agent, [Account("sip:alice@example.com")], wait=wait, now=0.0)
    assert caught.value.option == "wait"
