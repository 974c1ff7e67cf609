"""What goes wrong in the application: errors, interrupts and cancellations leave nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore import InboundRequest, State, Status
from tests.drivers.platforms import AsyncPlatform
from tests.drivers.scenarios import Boom, Contract, scenario, send

__all__ = ["CancellationContract", "FailureContract"]

NOT_CONFIRMED = "the removal was not confirmed within"


class FailureContract(Contract):
    """For all drivers."""

    @pytest.mark.parametrize("kind", [Boom, KeyboardInterrupt, SystemExit])
    @scenario
    async def test_what_the_block_raises_comes_out_behind_the_removal(self, kind: type[BaseException]) -> None:
        async with self.serve() as server:
            account = server.account()
            error = kind("mine")
            with pytest.raises(kind) as caught:
                async with self.platform.registered(account) as registration:
                    assert server.contacts(account) != []
                    raise error
            assert caught.value is error
            assert server.contacts(account) == []
            assert registration.status.state is State.STOPPED

    @pytest.mark.parametrize("kind", [Boom, KeyboardInterrupt])
    @scenario
    async def test_what_a_status_handler_raises_ends_the_block(self, kind: type[BaseException]) -> None:
        async with self.serve() as server:
            account = server.account()
            calls = []

            def on_status(status: Status) -> None:
                calls.append(status)
                raise kind("mine")

            with pytest.raises(kind, match="mine"):
                async with self.platform.registered(account) as registration:
                    registration.on_status(on_status)
                    registration.refresh()
                    async for _ in self.platform.statuses(registration):
                        pass
            assert len(calls) == 1
            assert server.contacts(account) == []

    @scenario
    async def test_what_a_status_handler_raises_ends_entering(self) -> None:
        async with self.serve() as server:
            account = server.account()

            def on_status(status: Status) -> None:
                raise Boom

            with pytest.raises(Boom):
                async with self.platform.registered(account, on_status=on_status) as registration:
                    async for _ in self.platform.statuses(registration):
                        pass
            assert server.contacts(account) == []

    @scenario
    async def test_what_a_request_handler_raises_ends_the_block(self) -> None:
        async with self.serve() as server:
            account = server.account()

            def on_request(registration: Any, request: InboundRequest) -> None:
                raise Boom

            with pytest.raises(Boom):
                async with self.platform.registered(account, handles=["INVITE"], on_request=on_request) as registration:
                    send(server.contacts(account)[0], "INVITE")
                    async for _ in self.platform.statuses(registration):
                        pass
            assert server.contacts(account) == []


class CancellationContract(Contract):
    """For drivers with cancellation."""

    platform: AsyncPlatform

    @scenario
    async def test_a_cancelled_block_is_left_in_good_order(self) -> None:
        async with self.serve() as server:
            account = server.account()
            mail = self.platform.mailbox()

            async def body() -> None:
                async with self.platform.registered(account) as registration:
                    mail.put(registration)
                    await self.platform.sleep_forever()

            job = self.platform.start(body)
            registration = await mail.get()
            assert server.contacts(account) != []
            job.cancel()
            assert self.platform.is_cancellation(await job.wait())
            assert server.contacts(account) == []
            assert registration.status.state is State.STOPPED

    @scenario
    async def test_cancelling_while_entering(self) -> None:
        async with self.serve(silent=True) as server:

            async def body() -> None:
                async with self.platform.registered(server.account(), leave_within=0.05):
                    pytest.fail("the block was entered")

            for steps in range(20):
                job = self.platform.start(body)
                for _ in range(steps):
                    await self.platform.step()
                job.cancel()
                assert self.platform.is_cancellation(await job.wait())

    @scenario
    async def test_cancelling_after_any_number_of_steps_leaves_no_binding(self) -> None:
        """Whenever the cancellation comes: the block ends, and the registrar holds nothing of it."""
        async with self.serve() as server:
            account = server.account()

            async def body() -> None:
                async with self.platform.registered(account):
                    await self.platform.sleep_forever()

            for steps in range(40):
                job = self.platform.start(body)
                for _ in range(steps):
                    await self.platform.step()
                job.cancel()
                assert self.platform.is_cancellation(await job.wait())
                assert server.contacts(account) == []

    @scenario
    async def test_cancelling_while_leaving_waits_for_the_bound(self) -> None:
        async with self.serve() as server:
            account = server.account()
            mail = self.platform.mailbox()

            async def body() -> None:
                async with self.platform.registered(account, leave_within=0.2) as registration:
                    server.policy(silent=True)
                    mail.put(registration)
                await self.platform.step()

            job = self.platform.start(body)
            registration = await mail.get()
            await self.platform.step()
            job.cancel()
            await self.platform.step()
            job.cancel()
            assert self.platform.is_cancellation(await job.wait())
            assert registration.status.cause.detail.startswith(NOT_CONFIRMED)

    @scenario
    async def test_a_failed_handler_does_not_cancel_what_is_around_the_block(self) -> None:
        async with self.serve() as server:
            with pytest.raises(Boom):
                async with self.platform.registered(server.account()) as registration:
                    registration.on_status(_raise)
                    registration.refresh()
                    await self.platform.sleep_forever()
            for _ in range(3):
                await self.platform.step()  # would raise, were the scenario itself cancelled

    @scenario
    async def test_a_handler_that_fails_when_the_block_is_over_already(self) -> None:
        async with self.serve() as server:
            with pytest.raises(Boom):
                async with self.platform.registered(server.account()) as registration:
                    # Fails while the block is being left, by the status of the removal.
                    registration.on_status(_raise)
            for _ in range(3):
                await self.platform.step()


def _raise(status: Status) -> None:
    raise Boom
