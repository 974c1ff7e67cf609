"""What a reload sends, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipcore.config import Timing, Transport
from sipcore.errors import ConfigError, LocalProtocolError
from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.profiles import ASTERISK, SIPCORE, Profile
from sipcore.testing import Answer, Line, challenge, ok
from sipcore.values import OutcomeClass, Protocol, State
from tests.accounts import account, has_credentials
from tests.registration.lines import every_profile, reload, up
from tests.secrecy import PASSWORD

# --- nothing changed on the wire ------------------------------------------------------------------------------------


@every_profile
def test_the_same_accounts_send_nothing(profile: Profile) -> None:
    line = up(ok(100), profile=profile, until=10.0)
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
    line = up(ok(100), contact_user="alice", until=10.0)
    changed = account(**{"max_random_initial_delay": 0, "contact_user": "alice", **options})
    reload(line, changed)
    assert line.sent(until=20.0) == []
    assert line.agent.account("alice") == changed
    line.run(until=120.0)
    assert line.status().registered


def test_a_changed_refresh_rule_holds_from_the_next_grant_on() -> None:
    line = up(ok(100), until=10.0)
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
    line = up(ok(100), profile=profile, until=10.0)
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
    line = up(ok(100), until=10.0)
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
    line = up(ok(100), until=10.0)
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
    line = up(ok(100), until=10.0)
    reload(line, account(max_random_initial_delay=0, **options))
    [request] = line.sent()
    assert request.values("contact") == [contact]


def test_a_new_contact_that_is_refused_leaves_the_old_one_to_be_removed() -> None:
    line = up(503, until=10.0)
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
    line = Line(account(password=f"{PASSWORD}-wrong", **options), script=[challenge(nonce="n")])
    line.register(until=10.0)
    assert line.status().state is State.REJECTED
    line.sent()
    line.peer.answer(challenge(nonce="n"), ok(100))
    reload(line, account(password=f"{PASSWORD}-right", **options))
    requests = line.sent(until=12.0)
    assert [has_credentials(request) for request in requests] == [False, True]
    assert line.status().registered
    assert line.status().attempt == 0


def test_new_credentials_while_registered_are_tried_at_once() -> None:
    """Otherwise a mistake shows only at the next refresh, when nobody looks any more."""
    line = up(challenge(), ok(100), until=10.0)
    reload(line, account(password=f"{PASSWORD}-other"))
    assert [has_credentials(request) for request in line.sent()] == [False, True]


def test_old_credentials_are_not_sent_once_more_after_a_reload() -> None:
    line = Line(account(password=f"{PASSWORD}-old"), script=[challenge(nonce="n"), ok(100)])
    line.register(until=10.0)
    line.sent()
    line.peer.answer(challenge(nonce="n"), ok(100))
    reload(line, account(password=f"{PASSWORD}-new"))
    assert [has_credentials(request) for request in line.sent()] == [False, True]
    assert line.status().registered


def test_new_credentials_that_are_wrong_are_not_taken_for_the_registrars_trouble() -> None:
    """What the old ones had proven says nothing about the new ones."""
    line = Line(account(), script=[challenge(nonce="n"), ok(100), challenge(nonce="m")])
    line.register(until=10.0)
    line.told()
    reload(line, account(password=f"{PASSWORD}-wrong"))
    [rejected] = line.told(Rejected)
    assert rejected.retry_at == 610.0


def test_new_credentials_while_the_old_ones_are_in_flight_are_tried_after_it() -> None:
    line = Line(
        account(password=f"{PASSWORD}-wrong"),
        script=[challenge(nonce="n"), Answer(403, delay=2.0), challenge(nonce="m"), ok(100)],
    )
    line.register(until=1.0)
    reload(line, account(password=f"{PASSWORD}-right"))
    line.run(until=4.0)
    assert line.status().registered


# --- more and fewer accounts ----------------------------------------------------------------------------------------


def test_new_accounts_start_and_missing_ones_are_removed() -> None:
    line = up(ok(100), until=10.0)
    line.peer.answer(lambda request: 200 if request.get("expires") == "0" else ok(100))
    reload(line, account("bob"))
    sent = {(str(request.to.uri), request.get("expires")) for request in line.sent(until=11.0)}
    assert sent == {("sip:alice@example.com", "0"), ("sip:bob@example.com", "3600")}
    assert line.agent.names() == ("bob",)
    stopped = [change.name for change in line.told(StatusChanged) if change.status.state is State.STOPPED]
    assert stopped == ["alice"]


def test_what_the_application_unregistered_is_not_brought_back_by_a_reload() -> None:
    line = up(200, until=10.0)
    line.agent.unregister("alice", now=line.now)
    line.run(until=11.0)
    line.sent()
    reload(line, account(contact_user="bob"))
    assert line.sent(until=100.0) == []


def test_an_account_that_is_removed_and_comes_back_before_the_removal_is_answered() -> None:
    line = up(Answer(200, delay=2.0), ok(100), until=10.0)
    reload(line)
    line.run(until=11.0)
    reload(line, account())
    line.run(until=20.0)
    assert line.status().registered
    assert [request.get("expires") for request in line.peer.requests] == ["3600", "0", "3600"]


def test_two_accounts_of_one_name_change_nothing() -> None:
    line = up(ok(100), until=10.0)
    with pytest.raises(LocalProtocolError, match="alice"):
        reload(line, account("bob"), account(contact_user="x"), account(contact_user="y"))
    assert line.sent(until=11.0) == []
    assert line.agent.names() == ("alice",)


def test_a_bad_account_never_gets_as_far_as_a_reload() -> None:
    line = up(ok(100), until=10.0)
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
    line = up(ok(100), until=10.0)
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


@pytest.mark.parametrize(("asked", "afterwards"), [(60, 3600), (3600, 60)])
@pytest.mark.parametrize("answer", [Answer(200), Answer(200, contact="{contact};expires=7200")], ids=["none", "more"])
def test_a_grant_is_measured_by_what_its_request_asked_for_not_by_a_reload_since(
    answer: Answer, asked: int, afterwards: int
) -> None:
    line = Line(account(expires=asked), script=[replace(answer, delay=0.3), 500])
    line.register(until=0.1)
    reload(line, account(expires=afterwards))
    assert [event.expires for event in line.told(Registered, until=0.5)] == [asked]
    assert line.status().expires_at == asked


@pytest.mark.parametrize("until", [5.0, 10.0], ids=["while it is removed", "afterwards"])
def test_what_was_un_registered_on_request_stays_so_at_another_registrar(until: float) -> None:
    line = Line(account(), script=[ok(3600), Answer(200, delay=1.0)])
    other = line.serve(("192.0.2.99", 5060), ok(3600))
    line.world.name("new.example.net", "192.0.2.99")
    line.register(until=4.5)
    line.agent.unregister("alice", now=line.now)
    line.run(until=until)
    line.agent.reload([account(registrar="sip:new.example.net")], now=line.now)
    line.run(until=100.0)
    assert line.status().state is State.UNREGISTERED
    assert other.requests == []
    line.agent.register("alice", now=line.now)
    line.run(until=110.0)
    assert line.status().registered
    assert len(other.requests) == 1
