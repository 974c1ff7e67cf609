"""When one registration takes over from another: what is removed, by whom, and what it is called meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.config import Account
from sipcore.errors import LocalProtocolError
from sipcore.events import Event, FlowLost, Registered, Rejected, StatusChanged, Unregistered
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Pair, ok
from sipcore.values import State
from tests.accounts import TCP, account
from tests.registration.lines import kinds, reload
from tests.secrecy import PASSWORD

NEW_REGISTRAR = ("192.0.2.99", 5060)


def moved(**options: Any) -> Account:
    return account(registrar="sip:new.example.net", **options)


def moving(answer: int | Answer, *, expires: int = 3600, **options: Any) -> Line:
    """Registered, then reloaded to another registrar, which gives that answer; the clock is at 10."""
    line = Line(account(**options), script=[lambda request: 200 if request.get("expires") == "0" else ok(expires)])
    line.world.name("new.example.net", NEW_REGISTRAR[0])
    line.serve(NEW_REGISTRAR, answer)
    line.register(until=5.0)
    line.sent()
    line.told()
    reload(line, moved(**options))
    line.run(until=10.0)
    return line


def removals(requests: list[Request]) -> list[tuple[str, str | None]]:
    return [(request.uri, request.get("contact")) for request in requests if request.get("expires") == "0"]


# --- one binding, another spelling ----------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.2.4-02", "RFC3261-10.3-11")
@pytest.mark.parametrize(
    "options",
    [{"contact_header_parameters": ";q=0.5"}, {"contact_parameters": ";ob"}, {"line": True}],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("back", [False, True], ids=["there", "and back"])
def test_a_reload_that_only_adds_contact_parameters_leaves_exactly_one_binding(
    options: dict[str, Any], back: bool
) -> None:
    pair = Pair(account(), users={"alice": PASSWORD})
    pair.register(until=5.0)
    pair.agent.reload([account(**options)], now=pair.now)
    pair.run(until=10.0)
    if back:
        pair.agent.reload([account()], now=pair.now)
        pair.run(until=15.0)
    [binding] = pair.registrar.bindings("sip:alice@example.com")
    assert pair.status().registered
    assert pair.status().expires_at == binding.expires_at


# --- another spelling of the registrar, another name of the section -------------------------------------------------


def test_a_registrar_that_is_spelt_differently_keeps_its_binding() -> None:
    pair = Pair(account(), users={"alice": PASSWORD})
    pair.register(until=5.0)
    pair.agent.reload([account(registrar="sip:example.com:5060")], now=pair.now)
    pair.run(until=100.0)
    [binding] = pair.registrar.bindings("sip:alice@example.com")
    assert pair.status().registered
    assert binding.call_id == pair.agent.snapshot(now=pair.now, wall=0.0)["alice"]["call_id"]
    assert not any(isinstance(item.output, Unregistered) for item in pair.client.outputs)


@pytest.mark.requirement("RFC3261-19.1.4-07")
def test_a_binding_with_another_token_is_another_binding_and_is_removed() -> None:
    """Same user, host and port, but the `line` parameters differ: to the registrar these are two."""
    pair = Pair(account(line=True), users={"alice": PASSWORD})
    pair.register(until=5.0)
    pair.agent.reload([account(line=True, registrar="sip:example.com:5060")], now=pair.now)
    pair.run(until=100.0)
    [binding] = pair.registrar.bindings("sip:alice@example.com")
    assert [item.uri for item in pair.status().bindings if item.own] == [binding.uri]
    assert pair.status().registered


def test_a_renamed_section_keeps_its_registration() -> None:
    line = Line(account(name="one"), script=[ok(3600)])
    line.register(until=5.0)
    [first] = line.sent()
    line.told()
    reload(line, account(name="two"))
    assert line.sent(until=20.0) == []
    assert line.agent.names() == ("two",)
    assert line.status("two").registered
    [change] = line.told(StatusChanged)
    assert (change.status.name, change.status.state, change.previous) == ("one", State.STOPPED, State.REGISTERED)
    assert change.status.cause is not None
    assert "two" in change.status.cause.detail
    line.agent.register("two", now=line.now)
    [refresh] = line.sent()
    assert (refresh.call_id, refresh.cseq.number) == (first.call_id, first.cseq.number + 1)
    assert [event.name for event in line.told(Registered)] == ["two"]


def test_a_renamed_registration_is_found_again_when_its_connection_is_lost() -> None:
    line = Line(account(name="one", transport=TCP), script=[ok(3600)])
    line.register(until=5.0)
    reload(line, account(name="two", transport=TCP))
    line.sent()
    line.peer.close()
    assert len(line.sent(until=10.0)) == 1
    assert [event.names for event in line.told(FlowLost)] == [("two",)]


def test_a_renamed_section_that_has_moved_as_well_leaves_no_binding_behind() -> None:
    """Its predecessor waits under the old name, and would wait for ever."""
    line = moving(403)
    reload(line, account(name="other", registrar="sip:new.example.net"))
    assert ("sip:example.com", "<sip:alice@192.0.2.10:40000>") in removals(line.sent(until=20.0))
    assert line.agent.names() == ("other",)


# --- two registrars -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.2.2-01")
def test_the_old_registrar_is_left_and_then_the_new_one_is_told_once_more() -> None:
    """Two names may lead to one table: then the removal has hit the new binding."""
    line = moving(ok(3600))
    assert [(request.uri, request.get("expires")) for request in line.sent(until=100.0)] == [
        ("sip:new.example.net", "3600"),
        ("sip:example.com", "0"),
        ("sip:new.example.net", "3600"),
    ]
    assert line.status().registered


@pytest.mark.parametrize("ending", ["remove", "unregister", "reload"])
def test_when_nobody_takes_over_any_more_the_old_binding_is_removed_as_well(ending: str) -> None:
    line = moving(403)
    assert removals(line.sent()) == []
    if ending == "reload":
        reload(line)
    else:
        getattr(line.agent, ending)("alice", now=line.now)
    assert removals(line.sent(until=100.0)) == [("sip:example.com", "<sip:alice@192.0.2.10:40000>")]
    assert line.sent(until=5000.0) == []


def test_what_waits_for_a_successor_is_stopped_when_its_binding_lapses() -> None:
    line = moving(403, expires=60)
    line.told()
    changes = line.told(StatusChanged, until=64.0)
    assert [(change.status.name, change.status.state) for change in changes] == [("alice (replaced)", State.STOPPED)]
    assert removals(line.sent(until=5000.0)) == []


def test_close_without_removals_leaves_the_binding_of_the_old_registrar_too() -> None:
    line = moving(403)
    line.sent()
    line.agent.close(now=line.now, unregister=False)
    assert line.sent(until=100.0) == []
    assert line.agent.closed


def test_what_a_replaced_registration_tells_is_not_taken_for_its_successors() -> None:
    def name(event: Event) -> str:
        return event.status.name if isinstance(event, StatusChanged) else getattr(event, "name", "")

    line = moving(ok(3600))
    told = line.told(until=100.0)
    assert {name(event) for event in told if isinstance(event, Unregistered)} == {"alice (replaced)"}
    assert {name(event) for event in told if isinstance(event, Registered)} == {"alice"}
    states = [(name(event), event.status.state) for event in told if isinstance(event, StatusChanged)]
    assert ("alice (replaced)", State.STOPPED) in states
    assert {state for who, state in states if who == "alice"} == {State.REGISTERED}


def test_a_replaced_registration_that_cannot_be_removed_says_whose_binding_stands() -> None:
    line = moving(403)
    line.peer.answer(500)
    line.told()
    line.agent.remove("alice", now=line.now)
    assert [event.name for event in line.told(Rejected) if event.removal] == ["alice (replaced)"]


# --- changes in the middle of something -----------------------------------------------------------------------------


def test_an_account_that_comes_back_changed_while_its_register_is_in_flight_is_registered_as_it_is_now() -> None:
    line = Line(account(), script=[Answer(200, contact="{contact};expires=3600", delay=2.0), ok(600)])
    line.register(until=0.5)
    reload(line)
    reload(line, account(expires=600, user_agent="new"))
    line.run(until=10.0)
    last = line.peer.requests[-1]
    assert (last.get("expires"), last.get("user-agent")) == ("600", "new")
    assert line.status().registered


def test_a_closing_agent_is_not_reloaded() -> None:
    line = Line(account(), script=[Answer(200, contact="{contact};expires=3600", delay=1.0)])
    line.register(until=5.0)
    line.agent.close(now=line.now)
    line.run(until=5.2)
    with pytest.raises(LocalProtocolError, match="closing"):
        reload(line, account())
    line.run(until=100.0)
    assert line.agent.closed
    assert line.agent.next_deadline() is None


@pytest.mark.parametrize("everything", [False, True], ids=["one", "all"])
@pytest.mark.parametrize("user", [None, "phone"], ids=["same Contact", "another Contact"])
def test_a_successor_registers_again_when_a_removal_ends_that_may_have_met_its_binding(
    everything: bool, user: str | None
) -> None:
    line = Line(account(), script=[ok(100), Answer(200, delay=0.3), ok(100), ok(100)])
    line.register(until=2.0)
    line.sent()
    line.agent.unregister("alice", all=everything, now=line.now)
    line.run(until=2.1)
    # Wanted again, which has to wait for the removal; a reload that moves it does not.
    line.agent.register("alice", now=line.now)
    reload(line, account(registrar="sip:example.com:5060", contact_user=user))
    assert kinds(line, until=2.2) == ["*" if everything else "U", "R"]
    assert line.status().registered
    # A removal of another Contact alone leaves this one where it is.
    assert kinds(line, until=10.0) == (["R"] if everything or user is None else [])
    assert line.status().registered
