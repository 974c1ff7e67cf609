"""Who follows a registration by its events alone is never told of a state that it was not in."""

from __future__ import annotations

import pytest

from sipcore.events import Event, Registered, Rejected, StatusChanged
from sipcore.profiles import ASTERISK
from sipcore.testing import Answer, Line, ok
from sipcore.values import State
from tests.accounts import account

ELSEWHERE = ("192.0.2.99", 5060)


def states(told: list[Event]) -> list[tuple[str, State, State]]:
    return [(item.name, item.previous, item.status.state) for item in told if isinstance(item, StatusChanged)]


@pytest.mark.parametrize("wish", ["remove", "unregister"])
def test_a_refusal_that_comes_when_nothing_is_wanted_any_more_is_no_state_of_its_own(wish: str) -> None:
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0), script=[Answer(403, delay=0.5), 200])
    line.register(until=1.2)
    getattr(line.agent, wish)("alice", now=line.now)
    line.run(until=10.0)
    told = states(line.told())
    assert [item[1] for item in told[1:]] == [item[2] for item in told[:-1]]
    assert told[0][1] is State.UNREGISTERED


def test_a_removal_that_fails_goes_from_the_state_that_was_told_to_stopped() -> None:
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0), script=[ok(100), 403])
    line.register(until=2.0)
    line.told()
    line.agent.remove("alice", now=line.now)
    line.run(until=10.0)
    assert states(line.told()) == [("alice", State.REGISTERED, State.STOPPED)]


def test_what_is_told_of_a_removed_registration_is_no_news_of_the_one_that_has_its_name_now() -> None:
    line = Line(account(), script=[ok(100), Answer(200, delay=1.0)])
    line.world.name("new.example.net", ELSEWHERE[0])
    line.serve(ELSEWHERE, ok(100))
    line.register(until=2.0)
    line.told()
    line.agent.remove("alice", now=line.now)
    line.run(until=2.1)
    line.agent.add(account(registrar="sip:new.example.net"), now=line.now)
    line.agent.register("alice", now=line.now)
    line.run(until=10.0)
    told = line.told()
    assert [item for item in states(told) if item[1] is not item[2]] == [
        ("alice", State.UNREGISTERED, State.REGISTERED),
        ("alice (replaced)", State.REGISTERED, State.UNREGISTERED),
        ("alice (replaced)", State.UNREGISTERED, State.STOPPED),
    ]
    assert {item.name for item in told if isinstance(item, Registered)} == {"alice"}
    assert line.status().registered


def test_the_first_of_two_registrars_that_comes_back_takes_its_name_back_too() -> None:
    line = Line(account(), script=[None])
    line.world.name("new.example.net", ELSEWHERE[0])
    line.serve(ELSEWHERE, Answer(403, delay=5.0))
    here, there = account(), account(registrar="sip:new.example.net")
    line.register(until=0.1)
    line.agent.reload([there], now=line.now)
    line.run(until=1.2)
    line.agent.reload([], now=line.now)
    line.agent.reload([here], now=line.now)
    line.told()
    line.run(until=10.0)
    assert {item.name for item in line.told() if isinstance(item, Rejected | StatusChanged)} == {"alice (replaced)"}
