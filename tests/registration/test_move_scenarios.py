"""Reloads that change the address of record or the registrar: the new one first, then the old by its own URI."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.config import Account
from sipcore.events import StatusChanged
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Pair, ok
from sipcore.values import State
from tests.accounts import TCP, account
from tests.registration.lines import reload, up
from tests.secrecy import PASSWORD


def what(request: Request) -> tuple[str, str, list[str], str | None]:
    return request.uri, str(request.to.uri), request.values("contact"), request.get("expires")


def moved(**options: Any) -> Account:
    return Account(options.pop("aor", "sip:alice@example.com"), name="alice", password=PASSWORD, **options)


@pytest.mark.requirement("RFC3261-10.2.2-01", "RFC3261-10.2-05")
@pytest.mark.parametrize(
    "options",
    [{"aor": "sip:bob@example.com"}, {"registrar": "sip:192.0.2.2"}],
    ids=["address of record", "registrar"],
)
def test_a_new_address_registers_first_and_then_removes_the_old_by_its_own_uri(options: dict[str, Any]) -> None:
    line = up(ok(100), 200, until=10.0) if "aor" in options else up(200, until=10.0)
    line.serve(("192.0.2.2", 5060), ok(100))
    first = line.peer.requests[0]
    reload(line, moved(**options))
    new, removal, *again = line.sent(until=15.0)
    # Two registrars may keep one table: then the removal hit the new binding, so it is made once more.
    assert [request.call_id for request in again] == ([new.call_id] if "registrar" in options else [])
    assert new.get("expires") == "3600"
    assert new.call_id != first.call_id
    assert what(new)[:2] != what(first)[:2]
    assert removal.call_id == first.call_id
    assert what(removal) == (*what(first)[:3], "0")
    assert line.agent.names() == ("alice",)
    assert line.status().registered


def test_the_old_address_stays_until_the_new_one_is_registered() -> None:
    line = up(200, until=10.0)
    other = line.serve(("192.0.2.2", 5060), 503)
    reload(line, moved(registrar="sip:192.0.2.2"))
    line.run(until=20.0)
    assert not any(request.get("expires") == "0" for request in line.sent())
    assert line.status().state is State.REJECTED
    other.answer(ok(3600))
    line.run(until=100.0)
    assert [request.get("expires") for request in line.sent()] == ["3600", "0", "3600"]


def test_another_name_of_the_same_registrar_takes_the_binding_over() -> None:
    """An un-REGISTER of the old would remove the binding that the new one has just made."""
    line = up(ok(100), until=10.0)
    reload(line, moved(registrar="sip:example.com:5060"))
    [request] = line.sent(until=11.0)
    assert request.get("expires") == "3600"
    assert line.status().registered
    assert [(event.name, event.status.state) for event in line.told(StatusChanged)] == [
        ("alice", State.REGISTERED),
        ("alice (replaced)", State.STOPPED),
    ]


def test_the_old_address_is_not_removed_after_its_binding_lapsed() -> None:
    """Nor is it refreshed: it waits for its successor and does nothing."""
    line = up(503, until=10.0)
    reload(line, moved(registrar="sip:192.0.2.1"))
    line.run(until=300.0)
    assert {request.uri for request in line.sent()} == {"sip:192.0.2.1"}
    line.peer.answer(ok(3600))
    line.run(until=3000.0)
    assert not any(request.get("expires") == "0" for request in line.sent())
    assert line.status().registered


def test_close_removes_the_old_address_too() -> None:
    line = up(503, until=10.0)
    reload(line, moved(registrar="sip:192.0.2.1"))
    line.run(until=11.0)
    line.sent()
    line.peer.answer(200)
    line.agent.close(now=line.now)
    [removal] = line.sent()
    assert removal.uri == "sip:example.com"
    assert removal.get("expires") == "0"
    assert line.agent.closed


def test_two_moves_in_a_row_remove_what_each_left() -> None:
    line = up(ok(100), 200, until=10.0)
    reload(line, moved(aor="sip:bob@example.com"))
    reload(line, moved(aor="sip:carol@example.com"))
    line.run(until=20.0)
    sent = [(str(request.to.uri), request.get("expires")) for request in line.sent()]
    assert ("sip:carol@example.com", "3600") in sent
    assert ("sip:alice@example.com", "0") in sent
    assert line.status().registered
    kept = [aor for aor, expires in sent if expires != "0"]
    removed = [aor for aor, expires in sent if expires == "0"]
    assert set(kept) - set(removed) == {"sip:carol@example.com"}


def test_moving_there_and_back_ends_registered_with_the_first() -> None:
    line = up(ok(100), 200, ok(100), 200, until=10.0)
    reload(line, moved(aor="sip:bob@example.com"))
    line.run(until=12.0)
    reload(line, moved())
    line.run(until=14.0)
    assert [(str(request.to.uri), request.get("expires")) for request in line.sent()] == [
        ("sip:bob@example.com", "3600"),
        ("sip:alice@example.com", "0"),
        ("sip:alice@example.com", "3600"),
        ("sip:bob@example.com", "0"),
    ]


def test_moving_back_before_the_new_address_was_registered_keeps_the_old_binding() -> None:
    """The old one was about to be removed; it goes on as it was, and the new one has nothing to remove."""
    line = up(503, until=10.0)
    reload(line, moved(registrar="sip:192.0.2.1"))
    line.run(until=11.0)
    line.sent()
    line.peer.answer(ok(100))
    reload(line, moved())
    line.run(until=200.0)
    assert {(request.uri, request.get("expires")) for request in line.sent()} == {("sip:example.com", "3600")}
    assert line.status().registered
    line.peer.answer(200)
    line.agent.remove("alice", now=line.now)
    assert [request.get("expires") for request in line.sent()] == ["0"]
    assert line.agent.names() == ()


def test_an_account_that_comes_back_changed_before_its_removal_is_answered() -> None:
    line = up(Answer(200, delay=2.0), ok(100), until=10.0)
    reload(line)
    line.run(until=11.0)
    reload(line, account(expires=600))
    line.run(until=20.0)
    assert [request.get("expires") for request in line.peer.requests] == ["3600", "0", "600"]


def test_a_new_address_of_record_on_the_same_connection_keeps_it() -> None:
    """Both are on it for a while; that the old one leaves must not close it under the new one."""
    line = up(ok(3600), 200, transport=TCP, until=10.0)
    reload(line, moved(aor="sip:bob@example.com", transport=TCP))
    line.run(until=200.0)
    assert len(line.peer.connections) == 1
    assert line.status().flow == 1
    line.peer.close()
    line.peer.answer(ok(3600))
    line.run(until=202.0)
    assert len(line.peer.connections) == 1
    assert line.status().flow == 2


def test_moving_back_while_the_old_binding_is_being_removed_leaves_it_registered() -> None:
    """Two registrations of one Contact would race: whoever comes last at the registrar, wins."""
    pair = Pair(account(), users={"alice": PASSWORD, "bob": PASSWORD})
    pair.world.wire.latency = 0.2
    pair.register(until=10.0)
    for step in range(30):
        pair.agent.reload([moved(aor="sip:bob@example.com")], now=pair.now)
        pair.run(until=pair.now + step * 0.1)
        pair.agent.reload([moved()], now=pair.now)
        pair.run(until=pair.now + 10.0)
        assert pair.status().registered
        assert len(pair.registrar.bindings("sip:alice@example.com")) == 1
        assert pair.registrar.bindings("sip:bob@example.com") == ()
