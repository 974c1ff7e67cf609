"""Leaping clocks, sleeping machines and changed networks: no storm, nothing lost, nothing claimed that is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipcore.events import Registered, StatusChanged, Unregistered
from sipcore.profiles import PROFILES, Profile
from sipcore.testing import Line, ok
from sipcore.values import State
from tests.accounts import T1_100, TCP, account

DAY = 86400.0
every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)


def up(profile: Profile = PROFILES["SIPCORE"], count: int = 1, **options: Any) -> Line:
    accounts = [account(f"user{n}", profile=profile, max_random_initial_delay=0, **options) for n in range(count)]
    line = Line(*accounts, script=[ok(100)])
    line.register(until=10.0)
    assert all(status.registered for status in line.agent.statuses())
    line.sent()
    line.told()
    return line


@pytest.mark.requirement("RFC3261-10.2.4-10")
@every_profile
@pytest.mark.parametrize("seconds", [200.0, DAY, 30 * DAY, 3650 * DAY])
def test_a_leap_forward_is_one_register_and_the_lapse_is_told(profile: Profile, seconds: float) -> None:
    line = up(profile)
    line.world.leap(seconds)
    assert len(line.sent()) == 1
    lapsed, registered = [event for event in line.told() if not isinstance(event, StatusChanged)]
    assert isinstance(lapsed, Unregistered)
    assert "lapsed" in lapsed.cause.detail
    assert isinstance(registered, Registered)
    assert not registered.refreshed
    assert line.status().registered
    assert line.sent(until=line.now + 20.0) == []


def test_a_leap_within_the_binding_is_one_refresh_and_no_lapse() -> None:
    line = up()
    line.world.leap(80.0)
    assert len(line.sent()) == 1
    [event] = [event for event in line.told() if not isinstance(event, StatusChanged)]
    assert isinstance(event, Registered)
    assert event.refreshed


@pytest.mark.requirement("RFC3261-10.2.4-10", "RFC5626-4.5-06")
def test_a_leap_of_many_is_one_register_each_and_paced() -> None:
    line = up(count=500)
    line.wire.latency = 0.05
    line.world.leap(DAY)
    first = line.sent()
    assert len(first) == 64
    line.run(until=line.now + 20.0)
    requests = line.sent()
    assert len(first) + len(requests) == 500
    assert all(status.registered for status in line.agent.statuses())


def test_a_leap_over_a_request_in_flight_is_one_copy_or_one_failure() -> None:
    line = Line(account(timing=T1_100), script=[None])
    line.register(until=1.0)
    line.sent()
    line.world.leap(2.0)
    assert len(line.sent()) == 1
    line.world.leap(DAY)
    assert len(line.sent()) == 0
    assert line.status().attempt == 1


@pytest.mark.parametrize("back", [1.0, 5.0, 1e6])
def test_a_clock_that_goes_back_stands_still_until_it_is_past(back: float) -> None:
    line = up()
    planned = line.status().next_attempt_at
    line.agent.handle_deadline(now=line.now - back)
    line.agent.receive(1, b"\r\n\r\n", ("192.0.2.1", 5060), now=line.now - back)
    line.agent.network_changed(now=line.now - back)
    assert len(line.sent()) == 1
    assert line.status().next_attempt_at is not None
    assert planned is not None
    assert line.status().since >= 0.0
    line.agent.handle_deadline(now=0.0)
    assert line.sent() == []


def test_the_same_moment_again_and_again_does_nothing_more() -> None:
    line = up()
    planned = line.status().next_attempt_at
    assert planned is not None
    line.run(until=planned)
    line.sent()
    for _ in range(100):
        line.agent.handle_deadline(now=line.now)
    assert line.sent() == []


def test_deadlines_that_come_late_send_once() -> None:
    line = up()
    planned = line.status().next_attempt_at
    assert planned is not None
    line.world.leap(planned - line.now + 3.0)
    assert len(line.sent()) == 1


# --- the network ----------------------------------------------------------------------------------------------------


def test_a_changed_network_renews_every_registration_once() -> None:
    line = up(count=20)
    line.agent.network_changed(now=line.now)
    line.agent.network_changed(now=line.now)
    assert len(line.sent(until=line.now + 5.0)) == 20


def test_a_new_address_moves_the_binding() -> None:
    """The old Contact is removed in the same request that registers the new one."""
    line = up(transport=TCP)
    line.station.ipv4 = "192.0.2.77"
    line.station.break_flow(line.station.flows[0], "network is down")
    line.agent.network_changed(now=line.now)
    line.run(until=line.now + 2.0)
    request = line.peer.requests[-1]
    new, old = request.values("contact")
    assert "192.0.2.77" in new
    assert old.startswith("<sip:user0@192.0.2.10:")
    assert old.endswith(";expires=0")
    assert line.status("user0").registered


def test_a_new_address_on_udp_moves_the_binding() -> None:
    line = up()
    line.station.ipv4 = "192.0.2.77"
    line.agent.network_changed(now=line.now)
    line.run(until=line.now + 2.0)
    request = line.peer.requests[-1]
    assert request.values("contact") == [
        "<sip:user0@192.0.2.77:40000>",
        "<sip:user0@192.0.2.10:40000>;expires=0",
    ]
    assert line.status("user0").bindings[0].uri == "sip:user0@192.0.2.77:40000"


@every_profile
def test_a_changed_network_wakes_what_had_given_up(profile: Profile) -> None:
    line = Line(account(profile=profile, max_random_initial_delay=0, max_retries=0), script=[403])
    line.register(until=10.0)
    assert line.status().state is State.REJECTED
    line.peer.answer(ok(100))
    line.agent.network_changed(now=line.now)
    line.run(until=12.0)
    assert line.status().registered


def test_a_changed_network_does_not_start_what_is_not_wanted() -> None:
    line = Line(account(), script=[ok(100)])
    line.agent.network_changed(now=0.0)
    assert line.sent(until=10.0) == []


def test_a_changed_network_in_flight_is_answered_by_one_more_register() -> None:
    line = Line(account(), script=[None])
    line.register(until=1.0)
    line.agent.network_changed(now=line.now)
    line.peer.answer(ok(100))
    # The one in flight fails at 32 s; then it goes on at once, without the back-off of a failure.
    line.run(until=32.0)
    assert len(line.peer.requests) == 2
    assert line.status().registered


@every_profile
@pytest.mark.requirement("RFC3261-10.2.4-03")
def test_a_late_answer_stretches_no_claim(profile: Profile) -> None:
    """The registrar counts from when it got the request; an answer that took 20 s must not make us claim 20 s more."""
    line = Line(account(profile=profile, max_random_initial_delay=0), script=[replace(ok(300), delay=20.0)])
    line.register(until=30.0)
    sent_at = next(item.at for item in line.peer.received)
    assert line.status().state is State.REGISTERED
    assert line.status().expires_at == sent_at + 300.0


def test_an_answer_after_the_grants_whole_time_is_no_binding_any_more() -> None:
    line = Line(account(), script=[replace(ok(10), delay=20.0), None])
    line.register(until=20.0)
    assert [type(event) for event in line.told()][-4:] == [Registered, StatusChanged, Unregistered, StatusChanged]
    assert line.status().state is State.UNREGISTERED
    assert line.agent.next_deadline() is not None
