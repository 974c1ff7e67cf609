"""Leaving names what was not removed; entering forgets whom the application has removed."""

from __future__ import annotations

from random import Random
from typing import Any, cast

import pytest

from sipcore.agent import UserAgent
from sipcore.client import Client, Entered, EnteringFailed, Left, log_line
from sipcore.commands import Command, OpenFlow
from sipcore.config import Transport
from sipcore.events import Event
from sipcore.testing import Line, Step, ok
from sipcore.values import State
from tests.accounts import account

HOST = Transport(local=("192.0.2.10", 0))


class Block:
    """A client of these accounts on a line, and the clock at 5."""

    def __init__(self, *names: str, script: Step, **options: Any) -> None:
        self.line = Line(script=[script])
        # With addresses everywhere nothing has to be resolved, which a station does for user agents alone.
        accounts = [account(name, registrar="sip:192.0.2.1", transport=HOST) for name in names]
        self.client = Client(self.line.agent, accounts, now=0.0, **options)
        # What keeps the contract of an agent can be driven as one.
        self.line.station.endpoint = cast(UserAgent, self.client)

    def told(self, kind: type[Event], until: float) -> list[Any]:
        self.line.run(until)
        return [item.output for item in self.line.station.outputs if isinstance(item.output, kind)]

    def leave(self, answer: Step | str) -> Left:
        self.line.run(5.0)
        if isinstance(answer, str):
            self.line.world.unreachable["192.0.2.1"] = answer
        else:
            self.line.peer.answer(answer)
        self.client.leave(now=self.line.now)
        [left] = self.told(Left, 100.0)
        assert isinstance(left, Left)
        return left


def outputs(client: Client) -> list[Command | Event]:
    found = []
    while (output := client.next_output()) is not None:
        found.append(output)
    return found


@pytest.mark.parametrize("answer", [500, 403, "no route to host", None], ids=str)
def test_a_removal_that_failed_is_unconfirmed(answer: Step | str) -> None:
    block = Block("alice", script=ok())
    left = block.leave(answer)
    assert left.unconfirmed == ("alice",)
    text = log_line(left, now=0.0)
    assert text is not None
    assert "alice" in text.text
    status = block.client.status("alice")
    assert status.state is State.STOPPED
    assert status.cause is not None
    assert "until it lapses" in status.cause.detail


def test_only_those_whose_removal_failed_are_named() -> None:
    block = Block("alice", "bob", script=ok())
    block.line.run(5.0)
    left = block.leave(lambda request: 403 if "bob" in str(request.to.uri) else 200)
    assert left.unconfirmed == ("bob",)


def test_a_removal_that_was_answered_is_confirmed() -> None:
    assert Block("alice", script=ok()).leave(200).unconfirmed == ()


def test_an_account_that_is_removed_while_entering_is_not_waited_for() -> None:
    block = Block("alice", "bob", script=lambda request: ok() if "bob" in str(request.to.uri) else 503, wait=None)
    assert block.told(Entered, 1.0) == []
    block.line.agent.remove("alice", now=1.0)
    assert len(block.told(Entered, 100.0)) == 1


def test_the_bound_of_entering_is_no_error_when_all_were_removed() -> None:
    block = Block("alice", script=None, wait=3.0)
    block.line.run(1.0)
    block.line.agent.remove("alice", now=1.0)
    # Its request is in flight until the bound has passed.
    assert len(block.told(EnteringFailed, 100.0)) + len(block.told(Entered, 100.0)) == 1
    assert block.line.agent.names() == ()


def test_a_bound_that_passes_after_the_account_is_gone_enters() -> None:
    line = Line(script=[None])
    client = Client(line.agent, [account()], wait=3.0, now=0.0)
    line.agent.remove("alice", now=0.0)
    client.handle_deadline(now=3.0)
    assert [type(output) for output in outputs(client) if isinstance(output, Entered | EnteringFailed)] == [Entered]


def test_a_failure_of_an_account_that_is_gone_when_it_is_read_is_no_error() -> None:
    """The application may remove it before the driver fetches the event."""
    agent = UserAgent(random=Random(1), now=0.0)
    client = Client(agent, [account(registrar="sip:192.0.2.1")], now=0.0)
    client.handle_deadline(now=0.0)
    [flow] = [output.flow for output in outputs(client) if isinstance(output, OpenFlow)]
    client.flow_closed(flow, "no such device", now=0.1)
    agent.remove("alice", now=0.1)
    assert [type(output) for output in outputs(client) if isinstance(output, Entered | EnteringFailed)] == [Entered]
