"""SIPp as a registrar that follows a script, through each of the drivers. SIPp checks what it gets, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcore import OutcomeClass, Protocol, RegistrationFailed, State, Status, Timing
from tests.interop.conftest import AccountMaker
from tests.interop.sipp import Sipp
from tests.interop.stacks import Stack, until

pytestmark = pytest.mark.peer("sipp")


@pytest.mark.requirement("RFC3261-10.2.8-01", "RFC3261-10.2.8-02")
def test_423_asks_again_for_what_the_registrar_wants(
    stack: Stack, protocol: Protocol, account: AccountMaker, tmp_path: Path
) -> None:
    with Sipp(tmp_path, "too_brief", protocol) as sipp:

        async def scenario() -> None:
            async with stack.registered(account(sipp.uri, expires=30)) as registration:
                status = registration.status
                assert status.state is State.REGISTERED
                assert [binding.own for binding in status.bindings] == [True]
            sipp.finished()

        stack.run(scenario)


def test_403_to_the_right_credentials_is_final_for_the_attempt(
    stack: Stack, protocol: Protocol, account: AccountMaker, tmp_path: Path
) -> None:
    with Sipp(tmp_path, "forbidden", protocol) as sipp:

        async def scenario() -> None:
            with pytest.raises(RegistrationFailed) as caught:
                async with stack.registered(account(sipp.uri)):
                    pytest.fail("entered although the registrar said 403")
            status = caught.value.status
            assert status.state is State.REJECTED
            assert status.cause is not None
            assert status.cause.kind is OutcomeClass.CREDENTIALS
            assert (status.cause.code, status.cause.reason) == (403, "Forbidden")
            assert status.cause.warning is not None
            assert "account is locked" in status.cause.warning
            sipp.finished()

        stack.run(scenario)


@pytest.mark.requirement("RFC3261-20.33-02")
def test_503_is_tried_again_after_retry_after_and_not_before(
    stack: Stack, protocol: Protocol, account: AccountMaker, tmp_path: Path
) -> None:
    with Sipp(tmp_path, "unavailable", protocol) as sipp:

        async def scenario() -> None:
            async with stack.registered(account(sipp.uri), wait=None) as registration:
                assert registration.status.state is State.REGISTERED
            sipp.finished()
            refused, retried = sipp.moments()[:2]
            # Without Retry-After it would be half a minute at least.
            assert 2.0 <= retried - refused < 20.0

        stack.run(scenario)


@pytest.mark.requirement("RFC3261-10.2-07")
def test_silence_is_a_failure_that_says_so(
    stack: Stack, protocol: Protocol, account: AccountMaker, tmp_path: Path
) -> None:
    timing = Timing(t1=0.05, t2=0.4, t4=0.5, timeout=1.0)
    with Sipp(tmp_path, "silent", protocol) as sipp:

        async def scenario() -> None:
            with pytest.raises(RegistrationFailed) as caught:
                async with stack.registered(account(sipp.uri, timing=timing)):
                    pytest.fail("entered although nobody answered")
            status = caught.value.status
            assert status.state is not State.REGISTERED
            assert status.cause is not None
            assert status.cause.kind is OutcomeClass.TEMPORARY
            assert status.cause.code is None
            assert status.cause.server == f"127.0.0.1:{sipp.port}"

        stack.run(scenario)
        # Giving up ends with a removal, since an answer may have been lost.
        first, *copies = [data for data in sipp.requests() if b"\nExpires: 0\r" not in data]
        assert set(copies) <= {first}
        if protocol.reliable:
            assert copies == []
        else:
            # At 0.05, 0.15, 0.35, 0.75 s; a machine under load may lose the last ones to the timeout.
            assert 1 <= len(copies) <= 4


@pytest.mark.requirement("RFC3261-22.1-04", "RFC7616-3.4-02")
def test_a_stale_nonce_is_replaced_without_leaving_registered(
    stack: Stack, protocol: Protocol, account: AccountMaker, tmp_path: Path
) -> None:
    with Sipp(tmp_path, "stale", protocol) as sipp:

        async def scenario() -> None:
            async with stack.registered(account(sipp.uri, expires=60)) as registration:
                # The script grants 3 s at first, and a minute when the new nonce was used.
                status = await until(registration, lambda now: not now.registered or lifetime(now) > 30)
                assert status.registered, f"{status.cause}\n{sipp.transcript()}"
            sipp.finished()

        stack.run(scenario)


def lifetime(status: Status) -> float:
    """Seconds from when the state began until the binding lapses."""
    return 0.0 if status.expires_at is None else status.expires_at - status.since
