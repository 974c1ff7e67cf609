"""The words of `sipcore.values` but for `Secret`: causes, status, addresses, and the back-off formula."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.values import (
    Address,
    Cause,
    OutcomeClass,
    Phase,
    Protocol,
    State,
    Status,
    backoff,
    format_address,
    is_ip_address,
)
from tests.registration.laws import Fixed


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (Cause(), ""),
        (Cause(code=403), "403"),
        (Cause(code=403, reason="Forbidden"), "403 Forbidden"),
        (Cause(code=403, reason="Forbidden", detail="with our credentials"), "403 Forbidden: with our credentials"),
        (Cause(detail="no answer"), "no answer"),
        (Cause(kind=OutcomeClass.TEMPORARY), "temporary"),
        (Cause(kind=OutcomeClass.TEMPORARY, detail="no answer"), "no answer"),
        (Cause(code=503, reason="Busy", warning='399 h "x"'), '503 Busy (Warning: 399 h "x")'),
        (Cause(code=503, server="192.0.2.1:5060", transport=Protocol.TCP), "503 [TCP 192.0.2.1:5060]"),
    ],
)
def test_a_cause_in_words(cause: Cause, text: str) -> None:
    assert str(cause) == text


@pytest.mark.parametrize("state", State)
def test_registered_is_one_state_of_four(state: State) -> None:
    status = Status(
        name="alice",
        state=state,
        phase=Phase.EXCHANGING,
        cause=None,
        server=None,
        transport=None,
        flow=None,
        attempt=0,
        since=0.0,
        expires_at=None,
        next_attempt_at=None,
        bindings=(),
    )
    assert status.registered == (state is State.REGISTERED)


def test_words_print_as_people_write_them() -> None:
    assert [str(state) for state in State] == ["Unregistered", "Registered", "Rejected", "Stopped"]
    assert f"{Phase.EXCHANGING} {Protocol.UDP} {OutcomeClass.CREDENTIALS}" == "in exchange UDP refused credentials"


@pytest.mark.requirement("RFC3261-18-01")
def test_which_transport_repeats_by_itself() -> None:
    assert {protocol: protocol.reliable for protocol in Protocol} == {Protocol.UDP: False, Protocol.TCP: True}


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (("192.0.2.1", 5060), "192.0.2.1:5060"),
        (("2001:db8::1", 5060), "[2001:db8::1]:5060"),
        (("fe80::1%eth0", 1), "[fe80::1%eth0]:1"),
    ],
)
def test_an_address_in_words(address: Address, text: str) -> None:
    assert format_address(address) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("::", True),
        ("fe80::1%eth0", True),
        ("::ffff:192.0.2.1", True),
        ("example.com", False),
        ("h1", False),
        ("1", False),
        ("1.2.3", False),
        ("1.2.3.4.5", False),
        ("1.2.3.256", False),
        ("01.2.3.4", False),
        ("[::1]", False),
        ("h:1", False),
        (":", False),
        ("", False),
        ("１.2.3.4", False),
    ],
)
def test_what_is_an_ip_address(text: str, expected: bool) -> None:
    assert is_ip_address(text) is expected


@pytest.mark.requirement("RFC5626-4.5-02")
@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [(0, 15, 30), (1, 30, 60), (2, 60, 120), (5, 480, 960), (6, 900, 1800), (99, 900, 1800)],
)
def test_the_backoff_of_rfc_5626(failures: int, least: float, most: float) -> None:
    assert backoff(failures, base=30.0, ceiling=1800.0, random=Fixed(0.0)) == least
    assert backoff(failures, base=30.0, ceiling=1800.0, random=Fixed(1.0)) == most


@settings(deadline=None, derandomize=True, database=None)
@given(
    failures=st.integers(0, 10**12), base=st.floats(0.0, 1e6), ceiling=st.floats(0.0, 1e9), chance=st.floats(0.0, 1.0)
)
def test_the_backoff_is_bounded_and_grows(failures: int, base: float, ceiling: float, chance: float) -> None:
    """Law: never above the ceiling, never below half of what it backs off to, never shrinking with more failures."""
    wait = backoff(failures, base=base, ceiling=ceiling, random=Fixed(chance))
    assert math.isfinite(wait)
    assert 0.0 <= wait <= ceiling
    assert wait >= backoff(failures, base=base, ceiling=ceiling, random=Fixed(0.0))
    assert backoff(failures + 1, base=base, ceiling=ceiling, random=Fixed(chance)) >= wait
