"""The twenty behaviours of Asterisk's outbound registration that are most easily got wrong: a test for each.

Where the ASTERISK profile does as Asterisk does, that is asserted; where a deviation of `docs/profiles.md` or
`docs/asterisk.md` says otherwise, the name says `ours` and the docstring says which. All accounts come from the text of
a pjsip.conf.
"""

from __future__ import annotations

import re
from random import Random

import pytest

from sipcore.asterisk import parse
from sipcore.asterisk.ami import Manager
from sipcore.asterisk.ami_settings import load_manager
from sipcore.asterisk.cli import run_command
from sipcore.asterisk.tables import OPTIONS
from sipcore.errors import ConfigError
from sipcore.events import Registered, Rejected, Unregistered
from sipcore.profiles import ASTERISK, SIPCORE
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.values import SocketOptions, State
from tests.accounts import has_credentials
from tests.asterisk.conf_lines import AUTH, REGISTRATION, AgentView, conf_line, reload_text, text_of, times
from tests.secrecy import PASSWORD


def conf(**options: str | None) -> str:
    return text_of("alice", dict(REGISTRATION), **options) + text_of("alice", dict(AUTH))


def line(*script: Step, until: float = 1.5, **options: str | None) -> Line:
    return conf_line(conf(**options), *script, until=until)


def answered(one: Line) -> list[bool]:
    return [has_credentials(request) for request in one.peer.requests]


def shown(one: Line, command: str = "pjsip show registrations") -> str:
    return run_command(command, AgentView(one), now=one.now).text


def field(request: Request, name: str) -> str:
    found = re.search(rf'\b{name}="?([^",]*)', request.get("authorization") or "")
    assert found, name
    return found[1]


@pytest.mark.parametrize(
    ("script", "word"), [([ok(60)], "Registered"), ([404], "Rejected"), ([503], "Rejected"), ([None], "Unregistered")]
)
def test_trap_01_three_words_are_shown(script: list[Step], word: str) -> None:
    assert f"  {word:<16} " in shown(line(*script))


def test_trap_01_stopped_is_shown_as_unregistered() -> None:
    one = line(ok(60), Answer(200, delay=5.0))
    one.agent.unregister("alice", now=one.now)
    one.run(until=20.0)
    assert "  Unregistered " in shown(one)
    assert not any(word in shown(one) for word in ("Stopped", "Stopping"))


def test_trap_02_no_request_carries_credentials_up_front() -> None:
    one = line(challenge(), ok(20), challenge(), 403, challenge(), ok(60), until=30.0, forbidden_retry_interval="9")
    assert times(one) == [1.0, 1.0, 11.0, 11.0, 20.0, 20.0]
    assert answered(one) == [False, True] * 3


def test_trap_03_each_answer_has_nc_1_and_a_new_cnonce_even_to_the_same_nonce() -> None:
    one = line(challenge(nonce="same"), ok(20), challenge(nonce="same"), ok(20), until=15.0)
    first, second = one.peer.requests[1], one.peer.requests[3]
    assert field(first, "nonce") == field(second, "nonce") == "same"
    assert field(first, "nc") == field(second, "nc") == "00000001"
    assert field(first, "cnonce") != field(second, "cnonce")


@pytest.mark.parametrize("stale", [None, True, False])
@pytest.mark.parametrize("nonce", ["one", "another"])
def test_trap_04_a_second_challenge_is_final_whatever_it_says(nonce: str, stale: bool | None) -> None:
    one = line(challenge(nonce="one"), challenge(nonce=nonce, stale=stale), ok(60), until=5000.0)
    assert answered(one) == [False, True]
    assert one.status().state is State.REJECTED
    assert one.status().next_attempt_at is None


def test_trap_05_after_a_423_a_challenge_is_answered_again() -> None:
    brief = Answer(423, ("Min-Expires: 20",))
    one = line(challenge(nonce="a"), brief, challenge(nonce="b"), ok(20), expiration="10")
    assert answered(one) == [False, True, False, True]
    assert [request.get("expires") for request in one.peer.requests] == ["10", "10", "20", "20"]
    assert one.status().registered


@pytest.mark.parametrize(("value", "attempts"), [("0", 1), ("1", 2), ("3", 4)])
def test_trap_06_max_retries_counts_retries_not_attempts(value: str, attempts: int) -> None:
    one = line(503, until=5000.0, max_retries=value, retry_interval="5")
    assert len(times(one)) == attempts
    assert one.status().next_attempt_at is None


def test_trap_06_there_is_no_number_for_ever() -> None:
    one = line(503, until=5000.0, max_retries="0", retry_interval="5")
    assert len(times(one)) == 1
    with pytest.raises(ConfigError, match="max_retries"):
        parse(conf(max_retries="-1"))


@pytest.mark.parametrize("code", [600, 603, 604, 606, 699, 500, 502, 503, 504, 408])
def test_trap_07_these_are_temporary(code: int) -> None:
    assert times(line(code, until=70.0)) == [1.0, 61.0]


@pytest.mark.parametrize("code", [501, 505, 513, 555, 580, 480, 404, 429, 423, 300, 302, 305])
def test_trap_07_and_these_are_fatal(code: int) -> None:
    one = line(code, code, until=5000.0)
    assert len(set(times(one))) == 1
    assert one.status().next_attempt_at is None


@pytest.mark.parametrize("code", [302, 401, 403, 404, 423, 480, 486, 500, 503, 603])
def test_trap_08_retry_after_beats_the_class_has_no_cap_and_costs_no_retry(code: int) -> None:
    later = Answer(code, ("Retry-After: 100000",))
    # A first 423 is answered with a longer Expires, so that here the second is the one that counts.
    one = line(later, later, later, later, ok(60), until=450_000.0, max_retries="0")
    assert sorted({round(at) for at in times(one)})[:2] == [1, 100_001]
    assert one.status().registered


def test_trap_09_retry_interval_0_makes_temporary_failures_fatal() -> None:
    assert times(line(503, until=5000.0, retry_interval="0")) == [1.0]
    assert times(line(503, ok(600), until=50.0, retry_interval="0", fatal_retry_interval="7")) == [1.0, 8.0]


@pytest.mark.parametrize("grant", [1, 5, 10])
def test_trap_10_ours_a_short_grant_is_refreshed_after_the_gap_and_does_not_loop(grant: int) -> None:
    """Deviation: the gap of one second between two attempts. Asterisk waits `grant - 10`, at least 0, so it asks
    without end."""
    assert times(line(ok(grant), until=6.5)) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(("grant", "wait"), [(11, 1.0), (20, 10.0), (60, 50.0), (3600, 3590.0)])
def test_trap_10_the_refresh_comes_ten_seconds_before_the_end(grant: int, wait: float) -> None:
    one = line(ok(grant))
    assert one.status().next_attempt_at == 1.0 + wait


def test_trap_11_the_margin_is_shorter_than_timer_f_so_one_silence_costs_the_binding() -> None:
    """Under SIPCORE the refresh starts early enough for the whole of timer F; and in both the lapse is told."""
    told = {}
    for profile in (ASTERISK, SIPCORE):
        one = conf_line(conf(), ok(120), None, ok(120), until=0.0, profile=profile)
        one.run(until=150.0)
        [first, *_] = one.told(Registered)
        told[profile] = first.refresh_at
        gone = one.told(Unregistered)
        assert len(gone) <= 1
        assert times(one)[1] == pytest.approx(first.refresh_at)
    assert told[ASTERISK] == 1.0 + 120 - 10
    assert told[SIPCORE] + 32.0 < 120


def test_trap_11_ours_the_lapse_itself_is_told() -> None:
    """Asterisk goes on showing Registered until timer F; here the status follows the binding's end."""
    one = line(ok(60), None, until=62.0)
    assert one.status().state is State.UNREGISTERED
    [event] = one.told(Unregistered)
    assert event.name == "alice"


def test_trap_12_exp_is_the_time_to_the_next_attempt() -> None:
    assert "(exp. 50s)" in shown(line(ok(60), until=1.0))
    one = line(503, until=1.0)
    assert "(exp. 60s)" in shown(one)
    one.run(until=21.0)
    assert "(exp. 40s)" in shown(one)


@pytest.mark.parametrize(("script", "left"), [([ok(60)], 50), ([503], 60), ([404], 0)])
def test_trap_13_ours_nextreg_tells_the_truth(script: list[Step], left: int) -> None:
    """Deviation: in Asterisk it is always 0, as it looks at a timer that is never used."""
    one = line(*script, until=1.0)
    users = load_manager("[general]\nenabled = yes\n[u]\nsecret = u\nread = all\nwrite = all\n")
    session = Manager(users, AgentView(one), random=Random(1)).connect("127.0.0.1", now=one.now)
    assert session is not None
    session.receive(b"Action: Login\r\nUsername: u\r\nSecret: u\r\n\r\n", now=one.now)
    session.receive(b"Action: PJSIPShowRegistrationsOutbound\r\n\r\n", now=one.now)
    data = b""
    while chunk := session.take(now=one.now):
        data += chunk
    assert f"NextReg: {left}\r\n".encode() in data
    assert PASSWORD.encode() not in data


def test_trap_14_ours_all_is_unregistered_and_each_can_be_asked_for_again() -> None:
    """Deviation: `*all` keeps the objects. In Asterisk `send register alice` then finds nothing."""
    text = conf() + text_of("bob", dict(REGISTRATION), client_uri="sip:bob@example.com")
    one = conf_line(text, ok(600), until=2.0)
    one.peer.answer(lambda request: 200 if request.get("expires") == "0" else ok(600))
    output = run_command("pjsip send unregister *all", AgentView(one), now=one.now)
    assert output.text == "Unregister all queued\n"
    one.run(until=3.0)
    assert {one.status(name).state for name in ("alice", "bob")} == {State.UNREGISTERED}
    output = run_command("pjsip send register alice", AgentView(one), now=one.now)
    assert (output.ok, output.text) == (True, "")
    one.run(until=10.0)
    assert one.status("alice").registered
    assert not one.status("bob").registered


@pytest.mark.parametrize("failure", [None, 503, 408, 500])
def test_trap_15_ours_a_failed_removal_never_becomes_a_register(failure: Step) -> None:
    """Deviation: in Asterisk the un-REGISTER goes through the same tree, and its retry is a REGISTER."""
    one = line(ok(3600), failure)
    one.agent.unregister("alice", now=one.now)
    one.run(until=5000.0)
    assert {request.get("expires") for request in one.peer.requests[1:]} == {"0"}
    assert not one.status().registered
    assert one.status().next_attempt_at is None


def test_trap_16_ours_a_refresh_that_falls_due_in_a_removal_is_not_lost_and_nothing_is_sent_beside_it() -> None:
    """Deviation: commands in flight are queued. In Asterisk the timer's send fails as busy and is not planned again."""
    one = line(ok(20), Answer(200, delay=8.0), ok(600), until=9.0)
    one.agent.unregister("alice", now=one.now)
    one.agent.register("alice", now=one.now)
    one.run(until=10.9)
    assert len(times(one)) == 2
    one.run(until=30.0)
    assert one.status().registered
    assert one.status().next_attempt_at is not None


def test_trap_17_ours_an_option_that_changes_no_binding_sends_nothing() -> None:
    """Deviation: Asterisk removes the binding and starts over with another Call-ID for any change."""
    one = line(ok(600), until=5.0)
    before = one.status()
    reload_text(one, conf(retry_interval="77", max_retries="3"))
    one.run(until=20.0)
    assert times(one) == [1.0]
    assert one.status() == before


def test_trap_17_ours_the_binding_is_refreshed_under_its_call_id_where_the_request_changes() -> None:
    one = line(ok(600), until=5.0)
    reload_text(one, conf(expiration="700"))
    one.run(until=20.0)
    first, second = one.peer.requests
    assert (second.call_id, second.get("expires")) == (first.call_id, "700")


def test_trap_17_a_changed_auth_restarts_what_was_rejected_for_good() -> None:
    one = line(challenge(), challenge(), until=100.0)
    assert one.status().next_attempt_at is None
    one.peer.answer(challenge(), ok(600))
    changed = text_of("alice", dict(REGISTRATION)) + text_of("alice", dict(AUTH), password="other")
    reload_text(one, changed)
    one.run(until=103.0)
    assert one.status().registered
    assert one.status().attempt == 0


def test_trap_18_ours_a_second_section_of_one_name_refuses_the_file_and_says_what_asterisk_does() -> None:
    """Asterisk discards all registrations and goes on; a file with none left would remove every binding."""
    twice = conf() + text_of("alice", dict(REGISTRATION))
    with pytest.raises(ConfigError, match="Asterisk then discards every registration") as caught:
        parse(twice)
    assert "pjsip.conf:11" in str(caught.value)
    one = line(ok(600))
    with pytest.raises(ConfigError):
        reload_text(one, twice)
    one.run(until=100.0)
    assert times(one) == [1.0]


def test_trap_18_one_name_for_two_types_is_usual() -> None:
    assert len(parse(conf()).accounts) == 1


def test_trap_19_defaults_are_those_of_the_code() -> None:
    assert OPTIONS["auth"]["auth_type"].default == "userpass"
    assert OPTIONS["transport"]["tcp_keepalive_interval_time"].default == "1"
    tcp = "[t]\ntype = transport\nprotocol = tcp\nbind = 192.0.2.10\ntcp_keepalive_enable = yes\n"
    [account] = parse(tcp + conf(transport="t")).accounts
    assert account.transport is not None
    assert account.transport.options == SocketOptions(
        tcp_keepalive=True, tcp_keepalive_idle=30, tcp_keepalive_interval=1, tcp_keepalive_probes=5
    )


def test_trap_20_contact_is_not_rewritten_from_received_and_rport() -> None:
    """The peer's 200 says `received` and `rport`, as if a NAT stood between; only external_signaling_address counts."""

    def behind_nat(data: bytes) -> bytes:
        return data.replace(b"received=192.0.2.10", b"received=198.51.100.7").replace(b"rport=", b"rport=1")

    answer = Answer(200, contact="{contact};expires=20", edit=behind_nat)
    one = line(answer, until=60.0)
    contacts = {request.get("contact") for request in one.peer.requests}
    assert len(one.peer.requests) > 2
    assert contacts == {"<sip:s@192.0.2.10:40000>"}
    nat = "[t]\ntype = transport\nbind = 192.0.2.10:5060\nexternal_signaling_address = 198.51.100.7\n"
    one = conf_line(nat + conf(transport="t"), ok(60), until=1.5)
    assert one.peer.requests[0].get("contact") == "<sip:s@198.51.100.7:5060>"


def test_there_is_a_test_for_each_of_the_twenty() -> None:
    numbers = {int(name[10:12]) for name in globals() if name.startswith("test_trap_")}
    assert numbers == set(range(1, 21))


def test_the_rejections_of_a_dead_registrar_are_told() -> None:
    """Behind trap 6: when the last retry failed, an event says that nothing follows."""
    one = line(503, until=5000.0, max_retries="1", retry_interval="5")
    assert [event.retry_at for event in one.told(Rejected)] == [6.0, None]
