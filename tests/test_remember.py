"""What an agent has remembered when it is killed: at any moment the next one knows enough."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sipcore import Account, LocalProtocolError, Registered, Rejected, Remember, StatusChanged, Transmit, Unregistered
from sipcore.profiles import ASTERISK
from sipcore.syntax.message import Request, parse_message
from sipcore.testing import Line, challenge, ok
from sipcore.values import State
from tests.accounts import account

WALL = 1_000_000.0


def line(*accounts: Account, **options: Any) -> Line:
    return Line(*accounts, remembers=True, **options)


def stored(of: Line) -> Any:
    """What a store gives back; the wall clock is always `WALL` ahead."""
    return json.loads(json.dumps(of.station.stored.snapshot(WALL)))


def saved(of: Line) -> Any:
    """What a daemon leaves that ends in good order."""
    return json.loads(json.dumps(of.agent.snapshot(now=of.now, wall=WALL + of.now)))


def after(first: Line, *accounts: Account, start: float, **options: Any) -> Line:
    """Another process, which knows what the first one had said to remember."""
    return line(*accounts, snapshot=stored(first), start=start, wall=WALL + start, seed=2, **options)


def outputs(of: Line) -> list[Any]:
    return [item.output for item in of.station.outputs]


def writes(of: Line, name: str = "alice") -> list[Any]:
    return [item.record for item in outputs(of) if isinstance(item, Remember) and item.name == name]


def up(**options: Any) -> Line:
    first = line(account(**options), script=[challenge(), ok(100)])
    first.register(until=10.0)
    return first


def contacts(request: Request) -> tuple[str, ...]:
    return tuple(request.values("contact"))


# --- what is written, and when ---------------------------------------------------------------------------------------


def test_an_agent_that_is_not_asked_to_remembers_nothing() -> None:
    first = Line(account(), script=[ok(100)])
    first.register(until=10.0)
    assert not any(isinstance(item, Remember) for item in outputs(first))


def test_the_record_comes_before_the_request_that_it_covers() -> None:
    first = up()
    kinds = [type(item) for item in outputs(first) if isinstance(item, Remember | Transmit | Registered)]
    assert kinds == [Remember, Transmit, Transmit, Remember, Registered]
    before, behind = writes(first)
    [request, _] = first.peer.requests
    assert before["call_id"] == request.call_id
    assert before["cseq"] >= request.cseq.number + 1000
    assert before["unconfirmed"] == contacts(request)
    assert before["contact"] is None
    assert behind["contact"] == contacts(request)[0]
    assert behind["expires_at"] == first.status().expires_at
    assert behind["refresh_at"] == first.status().next_attempt_at
    assert behind["unconfirmed"] == ()


def test_the_record_is_an_entry_of_the_snapshot() -> None:
    first = up(line=True)
    snapshot = saved(first)
    assert len(snapshot["alice"].pop("nonces")) == 1
    assert stored(first) == snapshot


def test_no_secret_is_in_a_record() -> None:
    assert "particular" not in json.dumps(stored(up(password="a rather particular secret")))


def test_a_refresh_writes_once_and_an_attempt_that_is_refused_not_at_all() -> None:
    first = line(account(), script=[ok(100), ok(100), ok(100), 500, 500, 500])
    first.register(until=10.0)
    assert len(writes(first)) == 2
    first.run(until=first.status().next_attempt_at)
    assert len(writes(first)) == 3
    first.run(until=first.status().next_attempt_at)
    assert len(writes(first)) == 4
    requests = len(first.peer.requests)
    first.run(until=first.status().next_attempt_at)
    assert len(first.peer.requests) > requests
    assert len(writes(first)) == 4


def test_silence_writes_once_for_each_lifetime_and_not_with_each_attempt() -> None:
    first = line(account(expires=3600))
    first.register(until=7200.0)
    assert len({parse_message(item.data).cseq for item in outputs(first) if isinstance(item, Transmit)}) > 7
    assert 1 <= len(writes(first)) <= 3


@pytest.mark.requirement("RFC3261-10.2-06")
def test_every_block_of_cseq_is_written_before_it_is_used() -> None:
    first = line(account(expires=60), script=[ok(60)])
    first.register(until=1.0)
    first.agent._registrations["alice"].cseq = 4998
    first.run(until=200.0)
    covered: Any = -1
    used = []
    for item in outputs(first)[2:]:
        if isinstance(item, Remember) and item.record is not None:
            covered = item.record["cseq"]
        elif isinstance(item, Transmit):
            number = parse_message(item.data).cseq.number
            if 4998 < number < 5100:
                used.append(number)
                assert number <= covered
    assert used[:2] == [4999, 5000]
    assert covered == 7000


def test_a_removal_is_written_and_the_end_of_a_registration_forgotten() -> None:
    first = line(account(), account("bob"), script=[lambda request: 200 if request.get("expires") == "0" else ok()])
    first.register(until=1.0)
    first.agent.unregister("alice", now=first.now)
    first.agent.remove("bob", now=first.now)
    first.run(until=5.0)
    [*_, last] = writes(first)
    assert (last["contact"], last["expires_at"]) == (None, None)
    assert writes(first, "bob")[-1] is None
    assert list(stored(first)) == ["alice"]


def test_a_lapse_is_written() -> None:
    first = line(account(), script=[ok(100), None])
    first.register(until=101.0)
    assert first.status().state is State.UNREGISTERED
    assert writes(first)[-1]["contact"] is None


def test_leaving_the_bindings_leaves_the_memory_of_them() -> None:
    first = up()
    before = stored(first)
    first.agent.close(now=first.now, unregister=False)
    first.run(until=60.0)
    assert first.agent.closed
    assert stored(first) == before


def test_closing_keeps_the_identity_and_what_could_not_be_removed() -> None:
    first = up()
    call_id = first.peer.requests[0].call_id
    first.agent.close(now=first.now)
    first.run(until=11.0)
    assert stored(first)["alice"]["contact"] is None
    assert stored(first)["alice"]["call_id"] == call_id
    second = line(account(), script=[ok(100), None])
    second.register(until=1.0)
    bound = stored(second)["alice"]["contact"]
    second.agent.close(now=second.now)
    second.run(until=60.0)
    assert second.agent.closed
    assert stored(second)["alice"]["contact"] == bound


def test_a_renamed_registration_is_stored_under_its_new_name() -> None:
    first = up()
    record = stored(first)["alice"]
    first.agent.reload([account(name="alicia")], now=first.now)
    first.run()
    assert list(stored(first)) == ["alicia"]
    assert stored(first)["alicia"]["call_id"] == record["call_id"]


# --- killed at any moment --------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.2-05", "RFC3261-10.2-06")
def test_killed_before_the_answer_the_next_one_removes_the_contact_that_may_be_bound() -> None:
    first = line(account(), script=[None])
    first.register(until=1.0)
    second = after(first, account(), start=2.0, script=[ok(100)])
    second.station.ipv4 = "192.0.2.77"
    second.register()
    [request] = second.peer.requests
    assert contacts(request) == ("<sip:alice@192.0.2.77:40000>", "<sip:alice@192.0.2.10:40000>;expires=0")
    assert request.call_id == first.peer.requests[0].call_id
    assert request.cseq.number > first.peer.requests[0].cseq.number


def test_killed_at_any_output_no_cseq_is_used_again_and_no_contact_is_forgotten() -> None:
    """Law: whatever prefix of the outputs was performed, the records in it cover the requests in it."""
    first = line(
        account(expires=60),
        script=[challenge(), ok(60), ok(60), 423, None, ok(60), lambda request: 200],
    )
    first.register(until=300.0)
    first.station.ipv4 = "192.0.2.78"
    first.agent.network_changed(now=first.now)
    first.run(until=500.0)
    first.agent.unregister("alice", now=first.now)
    first.run(until=600.0)
    record: Any = None
    request: Any
    used: dict[str, int] = {}
    may_hold: set[str] = set()
    transmitted = 0
    for item in outputs(first):
        if isinstance(item, Remember):
            record = item.record
            if record["contact"] is None and not record["unconfirmed"]:
                may_hold.clear()
        elif isinstance(item, Transmit):
            transmitted += 1
            request = parse_message(item.data)
            assert isinstance(request, Request)
            used[request.call_id] = max(used.get(request.call_id, 0), request.cseq.number)
            if request.get("expires") != "0":
                may_hold |= {value for value in contacts(request) if "expires=0" not in value}
            assert record["call_id"] == request.call_id
            assert record["cseq"] >= used[request.call_id]
            # Those that were removed since may still be in it; those that may stand must be.
            assert contacts(request)[0].partition(";")[0] in {record["contact"], *record["unconfirmed"]} | may_hold
            newest = contacts(request)[0]
            if request.get("expires") != "0":
                assert newest in {record["contact"], *record["unconfirmed"]}
    assert transmitted > 10


def test_an_identity_of_an_unclean_end_is_written_again_before_it_is_used() -> None:
    first = up()
    second = after(first, account(), start=2000.0, script=[ok(100)])
    second.register()
    [record, _] = writes(second)
    assert record["cseq"] >= second.peer.requests[0].cseq.number + 1000


@pytest.mark.parametrize(
    "damage",
    [
        {"unconfirmed": "<sip:alice@192.0.2.66>"},
        {"unconfirmed": ["<sip:alice@192.0.2.66>\r\nInjected: yes"]},
        {"unconfirmed": ["<sip:alice@192.0.2.66>", 7]},
        {"unconfirmed": {"a": "b"}},
        {"unconfirmed_until": "soon"},
        {"unconfirmed_until": float("nan")},
        {"unconfirmed_until": True},
        {"unconfirmed_until": WALL - 1.0},
        {"unconfirmed_until": 10**400},
    ],
    ids=repr,
)
def test_contacts_in_doubt_that_are_damaged_or_old_are_ignored(damage: dict[str, Any]) -> None:
    records = stored(up())
    doubt = {"unconfirmed": ["<sip:alice@192.0.2.66>"], "unconfirmed_until": WALL + 5000.0}
    records["alice"].update({"contact": None, "expires_at": None, **doubt, **damage})
    second = line(account(), snapshot=records, start=12.0, wall=WALL + 12.0, script=[ok(100)])
    second.register(until=13.0)
    [request] = second.peer.requests
    assert contacts(request) == ("<sip:alice@192.0.2.10:40000>",)


# --- registrations that are there no more ----------------------------------------------------------------------------


def removal(first: Line) -> list[Request]:
    return [request for request in first.peer.requests if request.get("expires") == "0"]


@pytest.mark.requirement("RFC3261-10.2-05")
def test_the_removal_of_an_account_that_is_gone_is_finished_by_the_next_process() -> None:
    first = up()
    first.peer.answer(None)
    first.agent.remove("alice", now=first.now)
    first.run(until=11.0)
    assert list(stored(first)) == ["alice"]
    second = after(first, account("bob"), start=12.0, script=[200])
    second.agent.remove_orphans(now=second.now)
    second.run(until=20.0)
    [request] = removal(second)
    assert request.get("to") == "<sip:alice@example.com>"
    assert request.call_id == first.peer.requests[0].call_id
    assert contacts(request) == contacts(first.peer.requests[0])
    assert second.agent.names() == ("bob",)
    assert stored(second) == {}


def test_an_account_that_left_the_configuration_while_nothing_ran_is_removed() -> None:
    second = after(up(), start=12.0, script=[200])
    second.agent.remove_orphans(now=second.now)
    second.run(until=20.0)
    assert len(removal(second)) == 1
    assert [status.status.state for status in second.told(StatusChanged)][-1] is State.STOPPED


def test_without_asking_orphans_are_left_alone() -> None:
    second = after(up(), account("bob"), start=12.0)
    second.run(until=20.0)
    assert second.peer.requests == []


def test_the_login_of_an_orphan_is_that_of_another_account_with_the_same_user_name() -> None:
    first = up(username="line7")
    other = account("bob", username="line7")
    second = after(first, other, start=12.0, script=[challenge(), 200])
    second.agent.remove_orphans(now=second.now)
    second.run(until=20.0)
    assert [request.get("authorization") is not None for request in removal(second)] == [False, True]
    assert len(second.told(Unregistered)) == 1


def test_without_a_login_it_is_told_that_the_binding_stands() -> None:
    second = after(up(), start=12.0, script=[challenge()])
    second.agent.remove_orphans(now=second.now)
    [event] = second.told(Rejected, until=20.0)
    assert event.removal
    assert "not removed" in str(event.cause)
    assert stored(second) == {}


@pytest.mark.requirement("RFC3261-10.2-05")
def test_another_registrar_of_the_same_name_takes_over_first() -> None:
    first = up()
    moved = account(registrar="sip:192.0.2.9")
    second = after(first, moved, start=12.0, script=[200])
    there = second.serve(("192.0.2.9", 5060), ok(100))
    second.agent.register("alice", now=second.now)
    second.agent.remove_orphans(now=second.now)
    assert second.agent.names() == ("alice",)
    second.run(until=20.0)
    assert second.status("alice").registered
    [request] = removal(second)
    new = there.requests[0]
    assert request.call_id == first.peer.requests[0].call_id != new.call_id
    order = [item for item in outputs(second) if isinstance(item, Registered | Transmit)]
    assert [isinstance(item, Registered) for item in order[:2]] == [False, True]
    assert list(stored(second)) == ["alice"]
    assert stored(second)["alice"]["registrar"] == "sip:192.0.2.9"


def test_killed_in_the_middle_of_a_takeover_the_old_one_is_removed_all_the_same() -> None:
    first = up()
    moved = account(registrar="sip:192.0.2.9")
    first.agent.reload([moved], now=first.now)
    first.run(until=11.0)
    assert len(stored(first)) == 2
    second = after(first, moved, start=12.0, script=[200])
    second.serve(("192.0.2.9", 5060), ok(100))
    second.agent.register("alice", now=second.now)
    second.agent.remove_orphans(now=second.now)
    second.run(until=20.0)
    assert len(removal(second)) == 1
    assert list(stored(second)) == ["alice"]


def test_what_an_heir_has_stored_already_stays_when_the_orphan_goes() -> None:
    first = up()
    moved = account(registrar="sip:192.0.2.9")
    second = after(first, moved, start=12.0, script=[200])
    second.serve(("192.0.2.9", 5060), ok(100))
    second.register(until=13.0)
    before = stored(second)
    assert before["alice"]["registrar"] == "sip:192.0.2.9"
    second.agent.remove_orphans(now=second.now)
    second.run()
    assert stored(second)["alice"]["call_id"] == before["alice"]["call_id"]
    second.run(until=20.0)
    assert list(stored(second)) == ["alice"]


def test_an_end_that_leaves_the_bindings_leaves_what_is_still_to_be_removed() -> None:
    first = up()
    first.agent.reload([account(registrar="sip:192.0.2.9")], now=first.now)
    first.run(until=11.0)
    before = stored(first)
    first.agent.close(now=first.now, unregister=False)
    first.run(until=60.0)
    assert first.agent.closed
    assert len(before) == 2
    assert stored(first) == before


def test_an_orphan_whose_account_comes_back_goes_on_as_it_was() -> None:
    first = up()
    second = after(first, start=12.0, script=[None, ok(100)])
    second.agent.remove_orphans(now=second.now)
    second.run(until=13.0)
    second.agent.add(account(), now=second.now)
    second.agent.register("alice", now=second.now)
    second.run(until=60.0)
    assert second.status("alice").registered
    assert second.peer.requests[-1].call_id == first.peer.requests[0].call_id
    assert stored(second)["alice"]["contact"] == contacts(second.peer.requests[-1])[0]


@pytest.mark.parametrize(
    "damage",
    [
        {"account": None},
        {"account": 7},
        {"account": {}},
        {"account": {"name": "x\r\ny", "outbound_proxy": [], "logins": []}},
        {"account": {"name": "x", "outbound_proxy": ["<sip:p>\r\nA: b"], "logins": []}},
        {"account": {"name": "x", "outbound_proxy": [], "logins": [], "protocol": "SCTP"}},
        {"account": {"name": "x", "outbound_proxy": [], "logins": [], "protocol": "UDP", "local": ["a", "b"]}},
        {"account": {"name": "x", "outbound_proxy": [], "logins": [], "protocol": ["UDP"]}},
        {"account": {"name": "x", "outbound_proxy": [], "logins": [], "asked": 10**400}},
        {"account": {"name": "x", "outbound_proxy": [7], "logins": [7, ["a"], [[], {}]]}},
        {"aor": "sip:alice@x\r\ny"},
        {"registrar": 7},
        {"call_id": "x\r\nInjected: yes"},
        {"contact": None, "expires_at": None},
    ],
    ids=repr,
)
def test_a_damaged_orphan_is_forgotten_or_removed_and_does_no_harm(damage: dict[str, Any]) -> None:
    records = stored(up())
    records["alice"].update(damage)
    second = line(snapshot=records, start=12.0, wall=WALL + 12.0, script=[200])
    second.agent.remove_orphans(now=second.now)
    second.run(until=20.0)
    assert second.agent.names() == ()
    assert all(b"Injected" not in bytes(request) for request in second.peer.requests)
    assert stored(second) == {}


def test_an_agent_that_closes_looks_after_no_orphans() -> None:
    second = after(up(), start=12.0)
    second.agent.close(now=second.now)
    with pytest.raises(LocalProtocolError, match="closing"):
        second.agent.remove_orphans(now=second.now)


# --- resuming --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.2-05")
def test_the_same_local_address_resumes_the_binding_without_a_request() -> None:
    first = up()
    status = first.status()
    assert status.next_attempt_at is not None
    second = after(first, account(), start=12.0, script=[ok(100)])
    second.register(until=status.next_attempt_at - 0.001)
    assert second.peer.requests == []
    resumed = second.status()
    assert resumed.registered
    assert resumed.expires_at == pytest.approx(status.expires_at)
    assert resumed.next_attempt_at == pytest.approx(status.next_attempt_at)
    assert resumed.cause is not None
    assert resumed.cause.detail.startswith("resumed")
    second.run(until=status.next_attempt_at + 0.001)
    [request] = second.peer.requests
    assert request.call_id == first.peer.requests[0].call_id
    assert request.cseq.number > first.peer.requests[-1].cseq.number
    assert second.status().registered


def test_a_resumed_binding_is_refreshed_at_once_when_asked_and_can_be_removed() -> None:
    second = after(up(), account(), start=12.0, script=[ok(100), 200])
    second.register(until=15.0)
    second.register(until=16.0)
    assert [request.get("expires") for request in second.peer.requests] == ["3600"]
    third = after(up(), account(), start=12.0, script=[200])
    third.register(until=15.0)
    third.agent.unregister("alice", now=third.now)
    [request] = third.sent(until=16.0)
    assert request.get("expires") == "0"
    assert not third.status().registered


@pytest.mark.parametrize(
    "otherwise",
    [
        {"ipv4": "192.0.2.77"},
        {"start": 99.0},
        {"start": 5000.0},
        {"changed": account(expires=600)},
        {"changed": account(contact_user="phone")},
        {"server": "192.0.2.2"},
        {"damage": {"refresh_at": None}},
        {"damage": {"home": None}},
        {"damage": {"unconfirmed": ["<sip:alice@192.0.2.66>"], "unconfirmed_until": WALL + 5000.0}},
    ],
    ids=lambda otherwise: str(next(iter(otherwise.items()))),
)
def test_anything_else_registers_again(otherwise: dict[str, Any]) -> None:
    records = stored(up())
    records["alice"].update(otherwise.get("damage", {}))
    start = otherwise.get("start", 12.0)
    second = line(
        otherwise.get("changed", account()), snapshot=records, start=start, wall=WALL + start, seed=2, script=[ok(100)]
    )
    second.serve(("192.0.2.2", 5060), ok(100))
    second.station.ipv4 = otherwise.get("ipv4", "192.0.2.10")
    second.world.name("example.com", otherwise.get("server", "192.0.2.1"))
    second.register(until=start + 1.0)
    assert len(second.sent()) == 1
    assert second.status().registered


def test_a_connection_is_never_resumed() -> None:
    aor = "sip:alice@example.com;transport=tcp"
    tcp = Account(aor, name="alice", password="secret")
    first = line(tcp, script=[ok(100)])
    first.register(until=10.0)
    assert first.status().registered
    second = after(first, tcp, start=12.0, script=[ok(100)])
    second.register(until=13.0)
    assert len(second.peer.requests) == 1


def test_a_snapshot_alone_is_not_resumed_for_it_may_be_of_any_age() -> None:
    first = up()
    second = Line(account(), snapshot=stored(first), start=12.0, wall=WALL + 12.0, script=[ok(100)])
    second.register(until=13.0)
    assert len(second.peer.requests) == 1


# --- many ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.2-05")
def test_ten_thousand_that_were_restored_cause_no_storm() -> None:
    """With a registrar that is silent no more than a window leaves in each T1, whoever restarted and why."""
    count, window, t1 = 10_000, 64, 0.5
    accounts = [Account(f"sip:u{n}@example.com", name=f"u{n}", registrar="sip:192.0.2.1") for n in range(count)]
    template = stored(up())["alice"]
    records = {
        item.name: {
            **template,
            "aor": item.aor,
            "registrar": item.registrar,
            "call_id": item.name,
            "contact": f"<sip:{item.name}@192.0.2.10:40001>",
        }
        for item in accounts
    }
    second = line(*accounts, snapshot=records, start=12.0, wall=WALL + 12.0)
    second.register(until=12.0 + 10 * t1 - 0.001)
    first_sent: dict[str, float] = {}
    for item in second.station.outputs:
        if isinstance(item.output, Transmit):
            first_sent.setdefault(parse_message(item.output.data).call_id, item.at)
    per_t1 = [0] * 10
    for at in first_sent.values():
        per_t1[int((at - 12.0) / t1)] += 1
    assert per_t1 == [window] * 10
    remembered = sum(isinstance(item.output, Remember) for item in second.station.outputs)
    assert remembered == len(first_sent)


# --- nonces ----------------------------------------------------------------------------------------------------------


def again(first: Line, *accounts: Account, snapshot: Any = None, remembers: bool = True) -> Line:
    """Another process, behind one that ended in good order."""
    kept = saved(first) if snapshot is None else snapshot
    script = [challenge(nonce="n2"), ok()]
    return Line(*accounts, remembers=remembers, snapshot=kept, start=11.0, wall=WALL + 11.0, seed=2, script=script)


def answers(of: Line) -> list[str | None]:
    of.register(until=100.0)
    return [request.get("authorization") for request in of.peer.requests]


def test_a_nonce_outlives_a_stop_in_good_order_and_counts_on() -> None:
    first = up()
    before = first.peer.requests[-1].get("authorization")
    unasked = answers(again(first, account()))[0]
    assert before is not None
    assert unasked is not None
    assert "nc=00000001" in before
    assert "nc=00000002" in unasked
    assert before.partition("nonce=")[2].partition(",")[0] in unasked


def test_what_is_kept_of_a_nonce_was_said_in_the_open() -> None:
    [kept] = saved(up(password="a rather particular secret"))["alice"]["nonces"]
    assert set(kept) == {"challenge", "proxy", "nc"}
    assert kept["challenge"].startswith("Digest realm=")
    assert "response" not in kept["challenge"]
    assert "particular" not in str(kept)


def test_who_was_killed_leaves_no_nonce() -> None:
    assert "nonces" not in stored(up())["alice"]
    second = again(up(), account())
    answers(second)
    # Written before the request that uses it, so that nobody uses the same count again.
    assert "nonces" not in stored(second)["alice"]


@pytest.mark.parametrize(
    "changed",
    [
        {"logins": "another user"},
        {"profile": "ASTERISK"},
        {"nonces": "Digest"},
        {"nonces": [["challenge"]]},
        {"nonces": [{"challenge": 'Digest realm="a", nonce="b"', "proxy": False, "nc": -1}]},
        {"nonces": [{"challenge": 'Digest realm="a", nonce="b"', "proxy": False, "nc": 2**32}]},
        {"nonces": [{"challenge": 'Digest realm="a", nonce="b"', "proxy": False, "nc": True}]},
        {"nonces": [{"challenge": 'Digest realm="a", nonce="b"', "proxy": 1, "nc": 1}]},
        {"nonces": [{"challenge": 'Digest realm="a"', "proxy": False, "nc": 1}]},
        {"nonces": [{"challenge": 'Digest realm="a", nonce="b", algorithm=MD5-sess', "proxy": False, "nc": 1}]},
        {"nonces": [{"challenge": 'Digest realm="a\r\nX: y", nonce="b"', "proxy": False, "nc": 1}]},
        {"nonces": [{"challenge": 7, "proxy": False, "nc": 1}]},
    ],
    ids=str,
)
def test_a_nonce_that_does_not_fit_any_more_is_left_out(changed: dict[str, Any]) -> None:
    snapshot = saved(up())
    made = account()
    if "nonces" in changed:
        snapshot["alice"]["nonces"] = changed["nonces"]
    elif "profile" in changed:
        made = account(profile=ASTERISK, max_random_initial_delay=0)
    else:
        snapshot["alice"]["account"]["logins"] = [["carol", None]]
    assert answers(again(up(), made, snapshot=snapshot))[0] is None


def test_a_snapshot_of_any_age_brings_no_nonce() -> None:
    first = up()
    assert "nonces" in saved(first)["alice"]
    assert answers(again(first, account(), remembers=False))[0] is None


def test_a_session_whose_key_hangs_on_a_cnonce_is_not_kept() -> None:
    first = line(account(), script=[challenge(algorithm="MD5-sess"), ok(100)])
    first.register(until=10.0)
    assert first.status().state is State.REGISTERED
    assert "nonces" not in saved(first)["alice"]
