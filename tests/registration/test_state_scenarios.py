"""What survives a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sipcore.events import Registered, Unregistered
from sipcore.testing import Answer, Line, challenge, ok
from sipcore.values import State
from tests.accounts import account
from tests.secrecy import PASSWORD


def snapshot(line: Line, wall: float = 1_000_000.0) -> Any:
    """The snapshot as it comes back from a file."""
    return json.loads(json.dumps(line.agent.snapshot(now=line.now, wall=wall)))


def up(**options: Any) -> Line:
    line = Line(account(**options), script=[challenge(), ok(100)])
    line.register(until=10.0)
    return line


@pytest.mark.requirement("RFC3261-10.2-05", "RFC3261-10.2-06")
def test_call_id_goes_on_and_cseq_is_never_used_twice() -> None:
    first = up()
    again = Line(account(), script=[ok(100)], snapshot=snapshot(first), start=5.0, wall=1_000_020.0, seed=2)
    again.register()
    last, [request] = first.peer.requests[-1], again.peer.requests
    assert request.call_id == last.call_id
    assert request.cseq.number == (last.cseq.number // 1000 + 2) * 1000 + 1


def test_a_binding_that_still_stands_is_known() -> None:
    again = Line(account(), script=[ok(100)], snapshot=snapshot(up()), start=5.0, wall=1_000_020.0)
    status = again.status()
    assert status.state is State.REGISTERED
    assert status.expires_at == pytest.approx(5.0 + 90.0 - 20.0)
    again.register()
    [event] = again.told(Registered)
    assert event.refreshed


def test_a_binding_whose_time_is_over_counts_as_lapsed() -> None:
    again = Line(account(), snapshot=snapshot(up()), start=5.0, wall=1_000_200.0)
    assert again.status().state is State.UNREGISTERED
    assert again.status().expires_at is None


def test_a_binding_that_is_not_registered_again_lapses_and_is_told() -> None:
    again = Line(account(), snapshot=snapshot(up()), start=0.0, wall=1_000_000.0)
    assert again.told(Unregistered, until=89.9) == []
    assert len(again.told(Unregistered, until=90.0)) == 1


def test_another_local_address_moves_the_binding() -> None:
    record = snapshot(up())
    again = Line(account(), script=[ok(100)], snapshot=record, start=5.0, wall=1_000_020.0)
    again.station.ipv4 = "192.0.2.77"
    again.register()
    [request] = again.peer.requests
    assert request.values("contact") == [
        "<sip:alice@192.0.2.77:40000>",
        "<sip:alice@192.0.2.10:40000>;expires=0",
    ]


def test_a_binding_that_lapsed_by_what_was_saved_is_removed_all_the_same() -> None:
    """It may have been refreshed between the saving and the crash."""
    again = Line(account(), script=[ok(100)], snapshot=snapshot(up()), start=5.0, wall=1_000_200.0)
    again.station.ipv4 = "192.0.2.77"
    again.register()
    [request] = again.peer.requests
    assert request.values("contact") == [
        "<sip:alice@192.0.2.77:40000>",
        "<sip:alice@192.0.2.10:40000>;expires=0",
    ]


def test_a_restored_binding_can_be_removed() -> None:
    again = Line(account(), script=[200], snapshot=snapshot(up()), start=5.0, wall=1_000_020.0)
    again.agent.unregister("alice", now=again.now)
    [request] = again.sent()
    assert request.get("expires") == "0"
    assert request.values("contact") == ["<sip:alice@192.0.2.10:40000>"]


def test_the_line_token_stays() -> None:
    first = up(line=True)
    token = first.peer.requests[0].values("contact")[0]
    again = Line(account(line=True), snapshot=snapshot(first), start=5.0, wall=1_000_020.0, seed=9)
    again.register()
    assert again.sent()[0].values("contact")[0] == token


@pytest.mark.requirement("RFC3261-10.2.8-02")
def test_a_raised_lifetime_stays() -> None:
    first = Line(account(expires=60), script=[Answer(423, ("Min-Expires: 90",)), ok(90)])
    first.register()
    again = Line(account(expires=60), snapshot=snapshot(first), seed=3)
    again.register()
    assert again.sent()[0].get("expires") == "90"


def test_a_lifetime_that_is_configured_shorter_than_before_holds() -> None:
    first = up(expires=7200)
    again = Line(account(expires=600), snapshot=snapshot(first), seed=3)
    again.register()
    assert again.sent()[0].get("expires") == "600"


def test_no_secret_is_in_it() -> None:
    line = up(password=f"{PASSWORD}-a-rather-particular-secret")
    assert "particular" not in json.dumps(snapshot(line))


@pytest.mark.parametrize("options", [{"registrar": "sip:192.0.2.1"}])
def test_the_record_of_another_registrar_is_not_used(options: dict[str, Any]) -> None:
    first = up()
    again = Line(account(**options), snapshot=snapshot(first), wall=1_000_000.0, seed=5)
    assert again.status().state is State.UNREGISTERED
    again.register()
    assert again.sent()[0].call_id != first.peer.requests[0].call_id


@pytest.mark.parametrize(
    "damage",
    [
        {"call_id": ""},
        {"call_id": 7},
        {"call_id": None},
        {"cseq": -1},
        {"cseq": "12"},
        {"cseq": 2**31},
        {"contact": 5},
        {"contact": "sip:alice@192.0.2.10"},
        {"contact": "<sip:alice@192.0.2.10"},
        {"contact": "<sip:x@y>\r\nInjected: yes"},
        {"call_id": "x\r\nInjected: yes"},
        {"expires_at": "soon"},
        {"expires_at": None},
        {"expires_at": float("nan")},
        {"expires_at": float("inf")},
        {"expires": "never"},
        {"line": 3},
        {"line": "a\r\nb"},
    ],
    ids=repr,
)
def test_a_damaged_record_does_no_harm(damage: dict[str, Any]) -> None:
    record = snapshot(up())
    record["alice"].update(damage)
    again = Line(account(), script=[ok(100)], snapshot=record, start=5.0, wall=1_000_020.0)
    again.register(until=50.0)
    assert again.status().registered
    assert all(b"Injected" not in bytes(request) for request in again.peer.requests)
    assert again.status().bindings[0].expires_at is not None


def test_a_record_of_nobody_is_forgotten() -> None:
    line = Line(account("bob"), snapshot=snapshot(up()))
    assert line.agent.names() == ("bob",)
    assert set(snapshot(line)) == {"bob"}
