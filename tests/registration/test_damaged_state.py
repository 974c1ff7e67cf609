"""State from outside that was damaged is ignored, and what is taken from it does not pile up."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.testing import Line, ok
from tests.accounts import account


def record(**damage: Any) -> dict[str, Any]:
    good = {
        "aor": "sip:alice@example.com",
        "registrar": "sip:example.com",
        "call_id": "x",
        "cseq": 1000,
        "line": "abc",
        "contact": "<sip:alice@192.0.2.10:40000>",
        "expires": None,
        "expires_at": 100.0,
    }
    return {**good, **damage}


@pytest.mark.parametrize(
    "damage",
    [
        {"expires_at": 10**400},
        {"expires_at": -(10**400)},
        {"expires": 10**400},
        {"cseq": 10**400},
        {"contact": "<sip:alice@192.0.2.10>\ud800"},
        {"call_id": "\ud800"},
        {"line": "\ud800"},
        {"line": "x" * 10},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_a_value_that_nobody_could_have_written_does_no_harm(damage: dict[str, Any]) -> None:
    line = Line(account(), script=[ok(100)], snapshot={"alice": record(**damage)})
    line.register(until=200.0)
    assert line.status().registered
    assert all(request.get("expires") == "3600" for request in line.peer.requests)


@pytest.mark.parametrize("damaged", [None, 7, "record", [], [("aor", "sip:alice@example.com")]], ids=repr)
def test_a_record_that_is_no_mapping_is_ignored(damaged: Any) -> None:
    line = Line(account(), script=[ok(100)], snapshot={"alice": damaged})
    line.register(until=5.0)
    assert line.status().registered
    assert line.peer.requests[0].call_id != "x"


def test_a_token_that_was_remembered_takes_the_place_of_the_new_one_and_goes_with_its_registration() -> None:
    line = Line(
        account(line=True),
        script=[lambda request: 200 if request.get("expires") == "0" else ok()],
        snapshot={"alice": record(contact=None, expires_at=None)},
    )
    assert list(line.agent._lines) == ["abc"]
    line.register(until=1.0)
    assert line.sent()[0].get("contact") == "<sip:alice@192.0.2.10:40000;line=abc>"
    line.agent.remove("alice", now=line.now)
    line.run(until=5.0)
    assert line.agent.names() == ()
    assert line.agent._lines == {}


def test_tokens_do_not_pile_up_when_the_option_is_switched_on_and_off() -> None:
    line = Line(account(line=True), script=[ok()])
    line.register(until=1.0)
    for step in range(10):
        line.agent.reload([account(line=bool(step % 2))], now=line.now)
        line.run(until=line.now + 5.0)
        assert len(line.agent._lines) == step % 2
