"""Bindings that the registrar may hold though nobody has confirmed them: they are not left behind."""

from __future__ import annotations

import pytest

from sipcore.events import Rejected
from sipcore.registration.contacts import MAX_UNCONFIRMED
from sipcore.testing import REGISTRAR, Answer, Line, Pair, challenge, ok
from sipcore.values import Phase, State
from tests.accounts import T1_100, TCP, account
from tests.registration.lines import kinds, reload
from tests.secrecy import PASSWORD

UDP_CONTACT = "<sip:alice@192.0.2.10:40000>"


def contacts(line: Line, until: float | None = None) -> list[tuple[list[str], str | None]]:
    """Contacts and Expires of what was sent, without copies."""
    found: dict[str | None, tuple[list[str], str | None]] = {}
    for request in line.sent(until):
        found.setdefault(request.via.branch, (request.values("contact"), request.get("expires")))
    return list(found.values())


def test_a_binding_made_over_a_connection_that_then_died_is_removed_by_the_next_register() -> None:
    """Its 200 was lost, and the next connection has another port."""
    line = Line(account(transport=TCP, timing=T1_100), script=[None])
    line.register(until=7.0)
    line.sent()
    line.peer.answer(ok(3600))
    [(values, expires)] = contacts(line, until=100.0)
    assert values == [
        "<sip:alice@192.0.2.10:40001;transport=TCP>",
        "<sip:alice@192.0.2.10:40000;transport=TCP>;expires=0",
    ]
    assert expires == "3600"
    # It is confirmed to be gone, so nothing more is said of it.
    line.agent.register("alice", now=line.now)
    assert [values for values, _ in contacts(line)] == [["<sip:alice@192.0.2.10:40001;transport=TCP>"]]


def test_a_binding_at_the_old_address_whose_answer_was_lost_is_removed_by_unregister() -> None:
    line = Line(account(timing=T1_100), script=[ok(3600), None])
    line.register(until=5.0)
    line.station.ipv4 = "192.0.2.11"
    line.agent.network_changed(now=line.now)
    line.run(until=12.0)
    assert line.status().state is State.REGISTERED
    line.sent()
    line.peer.answer(200)
    line.agent.unregister("alice", now=line.now)
    [(values, expires)] = contacts(line, until=20.0)
    assert sorted(values) == [UDP_CONTACT, "<sip:alice@192.0.2.11:40000>"]
    assert expires == "0"


def test_a_silent_first_address_may_have_bound_us_over_its_own_connection() -> None:
    """Both addresses may keep one table, and the second connection has another port."""
    line = Line(account(transport=TCP, timing=T1_100), script=[None])
    line.world.name("example.com", REGISTRAR[0], "192.0.2.2")
    line.serve(("192.0.2.2", 5060), ok(3600))
    line.register(until=10.0)
    assert line.status().registered
    assert [values for values, _ in contacts(line)] == [
        ["<sip:alice@192.0.2.10:40000;transport=TCP>"],
        ["<sip:alice@192.0.2.10:40001;transport=TCP>", "<sip:alice@192.0.2.10:40000;transport=TCP>;expires=0"],
    ]


def test_an_address_that_changes_while_a_register_is_in_flight_leaves_no_second_binding() -> None:
    """The 200 goes to the address that is gone, and what comes to the new one is the answer to a copy."""
    pair = Pair(account(), users={"alice": PASSWORD})
    pair.world.wire.latency = 0.4
    pair.register(until=0.9)
    assert pair.status().phase is Phase.EXCHANGING
    pair.client.ipv4 = "192.0.2.11"
    pair.agent.network_changed(now=pair.now)
    pair.run(until=100.0)
    assert pair.status().registered
    [binding] = pair.registrar.bindings("sip:alice@example.com")
    assert binding.uri == "sip:alice@192.0.2.11:40000"
    pair.agent.close(now=pair.now)
    pair.run(until=150.0)
    assert pair.registrar.bindings("sip:alice@example.com") == ()


def test_a_failure_that_comes_after_the_address_changed_may_be_the_answer_to_a_copy() -> None:
    """The first copy may have been bound, and its 200 sent to the address that is gone."""
    line = Line(account(), script=[Answer(403, delay=3.0), ok(3600)])
    line.register(until=1.0)
    line.station.ipv4 = "192.0.2.11"
    line.agent.network_changed(now=line.now)
    line.run(until=10.0)
    assert contacts(line)[-1] == (["<sip:alice@192.0.2.11:40000>", f"{UDP_CONTACT};expires=0"], "3600")


def test_the_same_holds_for_a_registration_that_is_being_replaced() -> None:
    line = Line(account(), script=[Answer(403, delay=3.0), 200])
    line.serve(("192.0.2.2", 5060), ok(3600))
    line.register(until=1.0)
    reload(line, account(registrar="sip:192.0.2.2"))
    line.run(until=2.0)
    line.station.ipv4 = "192.0.2.11"
    line.agent.network_changed(now=line.now)
    line.run(until=20.0)
    assert [request.get("contact") for request in line.peer.requests if request.get("expires") == "0"] == [UDP_CONTACT]


def test_only_the_newest_unconfirmed_contacts_are_named() -> None:
    """A request must stay a datagram; what is left out lapses."""
    line = Line(account(transport=TCP, timing=T1_100), script=[None])
    line.register(until=20000.0)
    assert len(line.peer.requests) > MAX_UNCONFIRMED + 2
    line.sent()
    line.agent.register("alice", now=line.now)
    [(values, _)] = contacts(line)
    assert len(values) == MAX_UNCONFIRMED + 1
    assert all(value.endswith(";expires=0") for value in values[1:])


def test_an_unconfirmed_contact_is_forgotten_when_it_has_lapsed_in_any_case() -> None:
    line = Line(account(timing=T1_100, expires=60), script=[None])
    line.register(until=7.0)
    line.agent.unregister("alice", now=line.now)
    line.run(until=67.0)
    assert {expires for _, expires in contacts(line)} == {"60", "0"}
    line.station.ipv4 = "192.0.2.11"
    line.agent.network_changed(now=line.now)
    line.peer.answer(ok(60))
    line.agent.register("alice", now=line.now)
    assert [values for values, _ in contacts(line)] == [["<sip:alice@192.0.2.11:40000>"]]


@pytest.mark.parametrize("again", ["unregister", "close"])
def test_a_removal_that_nobody_answered_is_tried_again_when_asked_again(again: str) -> None:
    line = Line(account(timing=T1_100), script=[None])
    line.register(until=7.0)
    line.agent.unregister("alice", now=line.now)
    line.run(until=20.0)
    assert [expires for _, expires in contacts(line)] == ["3600", "0"]
    assert line.status().phase is Phase.IDLE
    line.peer.answer(200)
    if again == "close":
        line.agent.close(now=line.now)
    else:
        line.agent.unregister("alice", now=line.now)
    assert contacts(line, until=30.0) == [([UDP_CONTACT], "0")]


def test_a_registrar_that_lists_only_others_may_hold_us_all_the_same() -> None:
    line = Line(account(), script=[Answer(200, contact="<sip:x@198.51.100.1>;expires=60, <sip:y@198.51.100.2>")])
    line.register(until=0.5)
    status = line.status()
    assert status.state is State.UNREGISTERED
    assert [(binding.uri, binding.expires_at, binding.own) for binding in status.bindings] == [
        ("sip:x@198.51.100.1", 60.0, False),
        ("sip:y@198.51.100.2", None, False),
    ]
    assert line.told(Rejected)
    line.sent()
    line.peer.answer(200)
    line.agent.unregister("alice", now=line.now)
    assert contacts(line, until=10.0) == [([UDP_CONTACT], "0")]


def test_a_refused_register_leaves_nothing_to_remove() -> None:
    """A response says that the request was not carried out."""
    line = Line(account(), script=[challenge(), 403])
    line.register(until=5.0)
    line.sent()
    line.agent.unregister("alice", now=line.now)
    assert kinds(line, until=100.0) == []


def test_after_a_reload_the_contact_that_nobody_confirmed_is_removed_too() -> None:
    line = Line(account(timing=T1_100), script=[None])
    line.register(until=7.0)
    line.sent()
    line.peer.answer(ok(3600))
    reload(line, account(timing=T1_100, contact_user="bob"))
    [(values, _)] = contacts(line, until=10.0)
    assert values == ["<sip:bob@192.0.2.10:40000>", f"{UDP_CONTACT};expires=0"]


def test_a_contact_in_doubt_is_remembered_for_as_long_as_its_register_asked() -> None:
    """A reload in between asks for less, and the registrar may hold what the older request asked for."""
    line = Line(account(transport=TCP, timing=T1_100, expires=3600), script=[None])
    line.register(until=1.0)
    reload(line, account(transport=TCP, timing=T1_100, expires=60))
    line.run(until=7.0)
    line.sent()
    # The next is not answered either, and asks for less; by 200 s only what the first asked for still stands.
    line.run(until=200.0)
    line.sent()
    line.peer.answer(ok(60))
    [(values, expires)] = contacts(line, until=400.0)[:1]
    assert expires == "60"
    assert "<sip:alice@192.0.2.10:40000;transport=TCP>;expires=0" in values


def test_a_contact_in_doubt_is_forgotten_when_what_its_register_asked_for_is_over() -> None:
    """A reload in between asks for more, which the older request did not."""
    line = Line(account(timing=T1_100, expires=60), script=[None])
    line.register(until=1.0)
    line.agent.network_changed(now=line.now)
    reload(line, account(timing=T1_100, expires=3600))
    line.agent.unregister("alice", now=line.now)
    line.run(until=300.0)
    line.sent()
    line.agent.unregister("alice", now=line.now)
    assert contacts(line, until=400.0) == []
