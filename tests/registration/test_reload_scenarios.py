"""What a reload sends, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.config import Account, Timing, Transport
from sipcore.errors import ConfigError, LocalProtocolError
from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.profiles import ASTERISK, PROFILES, SIPCORE, Profile
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Pair, Step, challenge, ok
from sipcore.values import OutcomeClass, Protocol, State
from tests.accounts import TCP, account, has_credentials

every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)


def up(*after: Step, **options: Any) -> Line:
    """Registered, and ten seconds later; then the script `after`."""
    line = Line(account(max_random_initial_delay=0, **options), script=[ok(100)])
    line.register(until=10.0)
    assert line.status().registered
    line.sent()
    line.told()
    line.peer.answer(*after)
    return line


def reload(line: Line, *accounts: Account) -> None:
    line.agent.reload(accounts, now=line.now)


def what(request: Request) -> tuple[str, str, list[str], str | None]:
    return request.uri, str(request.to.uri), request.values("contact"), request.get("expires")


# --- nothing changed on the wire ------------------------------------------------------------------------------------


@every_profile
def test_the_same_accounts_send_nothing(profile: Profile) -> None:
    line = up(ok(100), profile=profile)
    planned = line.status().next_attempt_at
    reload(line, account(max_random_initial_delay=0, profile=profile))
    assert line.sent(until=11.0) == []
    assert line.told() == []
    assert line.status().next_attempt_at == planned


@pytest.mark.parametrize(
    "options",
    [
        {"max_retries": 3},
        {"retry_interval": 7},
        {"give_up": frozenset({OutcomeClass.PERMANENT})},
        {"redirects": 2},
        {"timing": Timing(t1=1.0)},
        {"any_source": True},
        {"profile": ASTERISK},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_that_change_no_binding_apply_at_once_and_send_nothing(options: dict[str, Any]) -> None:
    line = up(ok(100), contact_user="alice")
    changed = account(**{"max_random_initial_delay": 0, "contact_user": "alice", **options})
    reload(line, changed)
    assert line.sent(until=20.0) == []
    assert line.agent.account("alice") == changed
    line.run(until=120.0)
    assert line.status().registered


def test_a_changed_refresh_rule_holds_from_the_next_grant_on() -> None:
    line = up(ok(100))
    reload(line, account(profile=ASTERISK, contact_user="alice", max_random_initial_delay=0))
    line.run(until=61.0)
    [event] = line.told(Registered)
    assert event.refresh_at - line.peer.received[-1].at == 90.0


# --- the same address of record and registrar -----------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.2-05", "RFC3261-10.2-06")
@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ({"expires": 700}, "expires", "700"),
        ({"user_agent": "new"}, "user-agent", "new"),
        ({"supported": ("path",)}, "supported", "path"),
        ({"extra_headers": (("X-A", "b"),)}, "x-a", "b"),
        ({"max_forwards": 20}, "max-forwards", "20"),
        ({"allow": ("INVITE",)}, "allow", "INVITE"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@every_profile
def test_the_same_contact_is_a_refresh_never_a_removal(
    profile: Profile, options: dict[str, Any], header: str, value: str
) -> None:
    line = up(ok(100), profile=profile)
    first = line.peer.requests[0]
    reload(line, account(max_random_initial_delay=0, profile=profile, **options))
    [request] = line.sent(until=12.0)
    assert request.get(header) == value
    assert request.get("expires") != "0"
    assert request.values("contact") == first.values("contact")
    assert request.call_id == first.call_id
    assert request.cseq.number == first.cseq.number + 1
    assert line.told(Unregistered) == []


@pytest.mark.requirement("RFC3261-10.2-05", "RFC3261-10.2.2-01")
@pytest.mark.parametrize(
    ("options", "contact"),
    [
        ({"contact_user": "bob"}, "<sip:bob@192.0.2.10:40000>"),
        ({"transport": Transport(local=("192.0.2.10", 5066))}, "<sip:alice@192.0.2.10:5066>"),
    ],
    ids=["user", "transport"],
)
def test_a_new_contact_replaces_the_old_one_in_one_request(options: dict[str, Any], contact: str) -> None:
    line = up(ok(100))
    first = line.peer.requests[0]
    reload(line, account(max_random_initial_delay=0, **options))
    [request] = line.sent()
    assert request.values("contact") == [contact, "<sip:alice@192.0.2.10:40000>;expires=0"]
    assert request.get("expires") == "3600"
    assert request.call_id == first.call_id
    assert request.cseq.number == first.cseq.number + 1
    assert line.told(Unregistered) == []
    # From now on the new one is all there is.
    [refresh] = line.sent(until=75.0)
    assert refresh.values("contact") == [contact]
    line.peer.answer(200)
    line.agent.unregister("alice", now=line.now)
    [removal] = line.sent()
    assert removal.values("contact") == [contact]


def test_a_line_that_is_switched_on_is_in_the_new_contact() -> None:
    line = up(ok(100))
    reload(line, account(line=True))
    # By the rules of comparison it is the same binding, so the old one is not removed beside it.
    [new] = line.sent()[0].values("contact")
    assert new.startswith("<sip:alice@192.0.2.10:40000;line=")
    assert len(new.partition(";line=")[2]) == 17
    reload(line, account(line=False))
    assert line.sent(until=12.0)[0].values("contact") == ["<sip:alice@192.0.2.10:40000>"]


@pytest.mark.requirement("RFC3261-10.2.4-02")
@pytest.mark.parametrize(
    ("options", "contact"),
    [
        ({"contact_parameters": ";ob"}, "<sip:alice@192.0.2.10:40000;ob>"),
        ({"contact_header_parameters": ";+sip.ice"}, "<sip:alice@192.0.2.10:40000>;+sip.ice"),
    ],
    ids=["parameters", "header parameters"],
)
def test_another_spelling_of_the_same_contact_is_not_removed(options: dict[str, Any], contact: str) -> None:
    """To the registrar it is the same binding, so removing the old would remove the new."""
    line = up(ok(100))
    reload(line, account(max_random_initial_delay=0, **options))
    [request] = line.sent()
    assert request.values("contact") == [contact]


def test_a_new_contact_that_is_refused_leaves_the_old_one_to_be_removed() -> None:
    line = up(503)
    reload(line, account(contact_user="bob"))
    line.run()
    assert line.status().registered
    line.peer.answer(ok(100))
    [_, request] = line.sent(until=11.0)
    assert request.values("contact") == ["<sip:bob@192.0.2.10:40000>", "<sip:alice@192.0.2.10:40000>;expires=0"]
    assert line.status().bindings[0].uri == "sip:bob@192.0.2.10:40000"


def test_a_new_contact_while_a_refresh_is_in_flight_is_sent_after_it() -> None:
    line = Line(account(), script=[ok(100), Answer(200, contact="{contact};expires=100", delay=2.0), ok(100)])
    line.register()
    due = line.status().next_attempt_at
    assert due is not None
    line.run(until=due + 1.0)
    line.sent()
    reload(line, account(contact_user="bob"))
    requests = line.sent(until=due + 4.0)
    assert requests[-1].values("contact") == [
        "<sip:bob@192.0.2.10:40000>",
        "<sip:alice@192.0.2.10:40000>;expires=0",
    ]
    assert line.status().bindings[0].uri == "sip:bob@192.0.2.10:40000"


def test_a_reload_while_the_first_attempt_is_in_flight_is_not_lost() -> None:
    line = Line(account(), script=[Answer(200, contact="{contact};expires=100", delay=2.0), ok(100)])
    line.register(until=1.0)
    reload(line, account(expires=600))
    requests = line.sent(until=5.0)
    assert requests[-1].get("expires") == "600"


# --- credentials ----------------------------------------------------------------------------------------------------


@every_profile
def test_new_credentials_are_tried_at_once(profile: Profile) -> None:
    options: dict[str, Any] = {"profile": profile, "max_random_initial_delay": 0}
    line = Line(account(password="wrong", **options), script=[challenge(nonce="n")])
    line.register(until=10.0)
    assert line.status().state is State.REJECTED
    line.sent()
    line.peer.answer(challenge(nonce="n"), ok(100))
    reload(line, account(password="right", **options))
    requests = line.sent(until=12.0)
    assert [has_credentials(request) for request in requests] == [False, True]
    assert line.status().registered
    assert line.status().attempt == 0


def test_new_credentials_while_registered_are_tried_at_once() -> None:
    """Otherwise a mistake shows only at the next refresh, when nobody looks any more."""
    line = up(challenge(), ok(100))
    reload(line, account(password="other"))
    assert [has_credentials(request) for request in line.sent()] == [False, True]


def test_old_credentials_are_not_sent_once_more_after_a_reload() -> None:
    line = Line(account(password="old"), script=[challenge(nonce="n"), ok(100)])
    line.register(until=10.0)
    line.sent()
    line.peer.answer(challenge(nonce="n"), ok(100))
    reload(line, account(password="new"))
    assert [has_credentials(request) for request in line.sent()] == [False, True]
    assert line.status().registered


def test_new_credentials_that_are_wrong_are_not_taken_for_the_registrars_trouble() -> None:
    """What the old ones had proven says nothing about the new ones."""
    line = Line(account(), script=[challenge(nonce="n"), ok(100), challenge(nonce="m")])
    line.register(until=10.0)
    line.told()
    reload(line, account(password="wrong"))
    [rejected] = line.told(Rejected)
    assert rejected.retry_at == 610.0


def test_new_credentials_while_the_old_ones_are_in_flight_are_tried_after_it() -> None:
    line = Line(
        account(password="wrong"),
        script=[challenge(nonce="n"), Answer(403, delay=2.0), challenge(nonce="m"), ok(100)],
    )
    line.register(until=1.0)
    reload(line, account(password="right"))
    line.run(until=4.0)
    assert line.status().registered


# --- another address of record or registrar -------------------------------------------------------------------------


def moved(**options: Any) -> Account:
    return Account(options.pop("aor", "sip:alice@example.com"), name="alice", password="secret", **options)


@pytest.mark.requirement("RFC3261-10.2.2-01", "RFC3261-10.2-05")
@pytest.mark.parametrize(
    "options",
    [{"aor": "sip:bob@example.com"}, {"registrar": "sip:192.0.2.2"}],
    ids=["address of record", "registrar"],
)
def test_a_new_address_registers_first_and_then_removes_the_old_by_its_own_uri(options: dict[str, Any]) -> None:
    line = up(ok(100), 200) if "aor" in options else up(200)
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
    line = up(200)
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
    line = up(ok(100))
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
    line = up(503)
    reload(line, moved(registrar="sip:192.0.2.1"))
    line.run(until=300.0)
    assert {request.uri for request in line.sent()} == {"sip:192.0.2.1"}
    line.peer.answer(ok(3600))
    line.run(until=3000.0)
    assert not any(request.get("expires") == "0" for request in line.sent())
    assert line.status().registered


def test_close_removes_the_old_address_too() -> None:
    line = up(503)
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
    line = up(ok(100), 200)
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
    line = up(ok(100), 200, ok(100), 200)
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
    line = up(503)
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
    line = up(Answer(200, delay=2.0), ok(100))
    reload(line)
    line.run(until=11.0)
    reload(line, account(expires=600))
    line.run(until=20.0)
    assert [request.get("expires") for request in line.peer.requests] == ["3600", "0", "600"]


# --- more and fewer accounts ----------------------------------------------------------------------------------------


def test_new_accounts_start_and_missing_ones_are_removed() -> None:
    line = up(ok(100))
    line.peer.answer(lambda request: 200 if request.get("expires") == "0" else ok(100))
    reload(line, account("bob"))
    sent = {(str(request.to.uri), request.get("expires")) for request in line.sent(until=11.0)}
    assert sent == {("sip:alice@example.com", "0"), ("sip:bob@example.com", "3600")}
    assert line.agent.names() == ("bob",)
    stopped = [change.name for change in line.told(StatusChanged) if change.status.state is State.STOPPED]
    assert stopped == ["alice"]


def test_what_the_application_unregistered_is_not_brought_back_by_a_reload() -> None:
    line = up(200)
    line.agent.unregister("alice", now=line.now)
    line.run(until=11.0)
    line.sent()
    reload(line, account(contact_user="bob"))
    assert line.sent(until=100.0) == []


def test_an_account_that_is_removed_and_comes_back_before_the_removal_is_answered() -> None:
    line = up(Answer(200, delay=2.0), ok(100))
    reload(line)
    line.run(until=11.0)
    reload(line, account())
    line.run(until=20.0)
    assert line.status().registered
    assert [request.get("expires") for request in line.peer.requests] == ["3600", "0", "3600"]


def test_two_accounts_of_one_name_change_nothing() -> None:
    line = up(ok(100))
    with pytest.raises(LocalProtocolError, match="alice"):
        reload(line, account("bob"), account(contact_user="x"), account(contact_user="y"))
    assert line.sent(until=11.0) == []
    assert line.agent.names() == ("alice",)


def test_a_bad_account_never_gets_as_far_as_a_reload() -> None:
    line = up(ok(100))
    with pytest.raises(ConfigError):
        reload(line, account(contact_user="a\r\nb"))
    assert line.sent(until=11.0) == []
    assert line.status().registered


def test_a_reload_does_not_shorten_the_wait_of_a_failing_registration_that_did_not_change() -> None:
    line = Line(account(), script=[503])
    line.register()
    planned = line.status().next_attempt_at
    reload(line, account())
    assert line.status().next_attempt_at == planned
    assert line.told(Rejected)


def test_a_rejected_registration_is_tried_again_when_anything_changed() -> None:
    line = Line(account(profile=ASTERISK, max_random_initial_delay=0), script=[403, ok(100)])
    line.register(until=10.0)
    assert line.status().next_attempt_at is None
    reload(line, account(profile=ASTERISK, max_random_initial_delay=0, max_retries=3))
    assert line.status().attempt == 0
    line.run(until=12.0)
    assert line.status().registered


def test_an_account_that_moves_to_tcp_and_back() -> None:
    line = up(ok(100))
    reload(line, account(transport=Transport(protocol=Protocol.TCP)))
    line.run(until=11.0)
    [first] = line.sent()
    assert first.values("contact")[1] == "<sip:alice@192.0.2.10:40000>;expires=0"
    assert ";transport=TCP" in first.values("contact")[0]
    reload(line, account(profile=SIPCORE))
    [second] = line.sent(until=12.0)
    assert second.values("contact")[0] == "<sip:alice@192.0.2.10:40000>"
    assert second.values("contact")[1].endswith(";expires=0")
    # Nobody uses the connection any more.
    line.run(until=50.0)
    assert line.peer.connections == []


def test_a_new_address_of_record_on_the_same_connection_keeps_it() -> None:
    """Both are on it for a while; that the old one leaves must not close it under the new one."""
    line = up(ok(3600), 200, transport=TCP)
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
    pair = Pair(account(), users={"alice": "secret", "bob": "secret"})
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
