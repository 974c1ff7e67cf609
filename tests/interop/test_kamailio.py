"""Kamailio as the registrar, through each of the drivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcore import OutcomeClass, Protocol, RegistrationFailed, State
from tests.interop.conftest import AccountMaker
from tests.interop.kamailio import Kamailio
from tests.interop.stacks import Stack, until
from tests.secrecy import PASSWORD

pytestmark = pytest.mark.peer("kamailio")

SHORT = 3
"""Seconds of a binding that a test wants to see refreshed: half of it passes before that."""


@pytest.mark.requirement("RFC3261-10.2-06", "RFC3261-10.2.4-03", "RFC3261-10.2.2-01")
@pytest.mark.parametrize("digest", [True, False], ids=["digest", "open"])
def test_registers_refreshes_and_leaves(
    stack: Stack, protocol: Protocol, digest: bool, account: AccountMaker, log: Path
) -> None:
    with Kamailio(log, digest=digest) as kamailio:

        async def scenario() -> None:
            async with stack.registered(account(kamailio.uri, expires=SHORT)) as registration:
                first = registration.status
                assert first.state is State.REGISTERED
                assert first.expires_at is not None
                [bound] = kamailio.contacts("alice")
                assert bound.socket == f"{protocol.lower()}:127.0.0.1:{kamailio.port}"
                assert 0 < bound.expires <= SHORT
                refreshed = await until(registration, lambda status: status.expires_at != first.expires_at)
                assert refreshed.state is State.REGISTERED
                [again] = kamailio.contacts("alice")
                assert again.uri == bound.uri
                assert again.call_id == bound.call_id
                # The nonce still works: a refresh is one request, with or without digest.
                assert again.cseq == bound.cseq + 1
            assert kamailio.contacts("alice") == []
            assert registration.status.state is State.STOPPED

        stack.run(scenario)


@pytest.mark.requirement("RFC3261-22.1-03")
def test_a_wrong_password_is_refused_with_its_cause(
    stack: Stack, protocol: Protocol, account: AccountMaker, log: Path
) -> None:
    with Kamailio(log) as kamailio:

        async def scenario() -> None:
            with pytest.raises(RegistrationFailed) as caught:
                async with stack.registered(account(kamailio.uri, password=f"{PASSWORD}-wrong")):
                    pytest.fail("entered with a wrong password")
            status = caught.value.status
            assert status.state is State.REJECTED
            assert status.cause is not None
            assert status.cause.kind is OutcomeClass.CREDENTIALS
            assert status.cause.code == 401
            assert status.cause.server == f"127.0.0.1:{kamailio.port}"
            assert kamailio.contacts("alice") == []

        stack.run(scenario)


@pytest.mark.requirement("RFC3261-22.1-04", "RFC7616-3.6-01")
@pytest.mark.parametrize("protocol", [Protocol.UDP])
def test_a_nonce_that_has_expired_is_replaced_within_the_refresh(
    stack: Stack, protocol: Protocol, account: AccountMaker, log: Path
) -> None:
    # Kamailio counts whole seconds: a nonce for one second is refused after two at the latest, and the refresh comes
    # after at least 2.7 s.
    with Kamailio(log, nonce_lifetime=1) as kamailio:

        async def scenario() -> None:
            async with stack.registered(account(kamailio.uri, expires=6)) as registration:
                first = registration.status
                [bound] = kamailio.contacts("alice")
                refreshed = await until(registration, lambda status: status.expires_at != first.expires_at)
                assert refreshed.state is State.REGISTERED
                assert refreshed.attempt == 0
                [again] = kamailio.contacts("alice")
                assert again.cseq == bound.cseq + 2

        stack.run(scenario)


def test_registers_again_after_kamailio_restarted(
    stack: Stack, protocol: Protocol, account: AccountMaker, log: Path
) -> None:
    with Kamailio(log) as kamailio:

        async def scenario() -> None:
            async with stack.registered(account(kamailio.uri, expires=SHORT)) as registration:
                [before] = kamailio.contacts("alice")
                await stack.in_thread(kamailio.restart)
                async for status in registration.statuses():
                    if status.registered and (found := kamailio.contacts("alice")):
                        break
                assert [row.call_id for row in found] == [before.call_id]
                assert found[0].cseq > before.cseq
            assert kamailio.contacts("alice") == []

        stack.run(scenario)
