"""The trio driver keeps the contract; and how it lives with nurseries, interrupts and mock clocks."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import trio
import trio.testing

import sipcore_trio
from sipcore import State, Status
from tests.drivers.contract import AsyncDriverContract
from tests.drivers.platforms import TrioPlatform
from tests.drivers.scenarios import Boom, Contract, scenario
from tests.drivers.script import Input, Script


class TestContract(AsyncDriverContract):
    """See the contract."""

    platform = TrioPlatform()


def fail(status: Status) -> None:
    raise Boom


class TestTrio(Contract):
    """What only trio can do wrong."""

    platform = TrioPlatform()

    @scenario
    async def test_a_deadline_around_the_block(self) -> None:
        async with self.serve() as server:
            account = server.account()
            with trio.CancelScope() as scope:
                async with sipcore_trio.registered(account):
                    scope.deadline = trio.current_time()
                    await trio.sleep_forever()
            assert scope.cancelled_caught
            assert server.contacts(account) == []

    @scenario
    async def test_a_nursery_around_the_block_ends_it(self) -> None:
        async with self.serve() as server:
            account = server.account()

            async def keep(task_status: trio.TaskStatus[None]) -> None:
                async with sipcore_trio.registered(account):
                    task_status.started()
                    await trio.sleep_forever()

            with pytest.raises(ExceptionGroup) as caught:
                async with trio.open_nursery() as nursery:
                    await nursery.start(keep)
                    raise Boom
            assert [type(error) for error in caught.value.exceptions] == [Boom]
            assert server.contacts(account) == []

    @scenario
    async def test_a_nursery_inside_the_block_is_ended_by_a_failed_handler(self) -> None:
        async with self.serve() as server:
            with pytest.raises(Boom):
                async with sipcore_trio.registered(server.account()) as registration, trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep_forever)
                    registration.on_status(fail)
                    registration.refresh()

    @scenario
    async def test_a_group_that_the_block_raises_stays_as_it_is(self) -> None:
        group = ExceptionGroup("mine", [ValueError("one"), OSError("two")])
        async with self.serve() as server:
            with pytest.raises(ExceptionGroup) as caught:
                async with sipcore_trio.registered(server.account()):
                    raise group
            assert caught.value is group

    @scenario
    async def test_a_cancellation_together_with_a_failed_handler_reaches_its_scope(self) -> None:
        async with self.serve() as server:
            with trio.CancelScope() as scope:
                async with sipcore_trio.registered(server.account()) as registration:
                    registration.on_status(fail)
                    scope.cancel()
                    registration._session.fail(Boom())
                    await trio.sleep_forever()
            assert scope.cancelled_caught

    @scenario
    async def test_what_a_failed_handler_raised_comes_before_what_the_block_made_of_it(self) -> None:
        async with self.serve() as server:
            with pytest.raises(Boom) as caught:
                async with sipcore_trio.registered(server.account()) as registration:
                    registration.on_status(fail)
                    registration.refresh()
                    try:
                        await trio.sleep_forever()
                    finally:
                        raise ZeroDivisionError
            assert isinstance(caught.value.__cause__, ZeroDivisionError)

    def test_an_interrupt_removes_the_binding(self) -> None:
        """Ctrl-C raises in the main task, and is a KeyboardInterrupt behind the un-REGISTER."""
        after: dict[str, Any] = {}

        async def main() -> None:
            async with self.serve() as server:
                account = server.account()
                try:
                    async with sipcore_trio.registered(account) as registration:
                        os.kill(os.getpid(), signal.SIGINT)
                        await trio.sleep_forever()
                finally:
                    after.update(contacts=server.contacts(account), state=registration.status.state)

        # The group is the server's nursery, not the block's.
        with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
            trio.run(main)
        assert after == {"contacts": [], "state": State.STOPPED}

    def test_an_interrupt_in_a_handler_waits_until_the_agent_is_whole(self) -> None:
        inputs: list[Input] = []
        agent = Script()

        def on_input(item: Input) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                pass  # an interrupt that was not held back would raise here
            inputs.append(item)

        agent.on_input = on_input
        agent.deadline = 0.0
        with pytest.raises(KeyboardInterrupt):
            trio.run(sipcore_trio.Driver(agent).run)
        assert [item.name for item in inputs] == ["handle_deadline"]

    def test_the_hosts_clock_gives_the_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not trio's, which stands still while the host sleeps."""
        monkeypatch.setattr("sipcore_trio.driver.boottime", lambda: 12345.0)

        async def main() -> float:
            return sipcore_trio.now()

        assert trio.run(main) == 12345.0

    def test_a_mock_clock_gives_the_time(self) -> None:
        """A day passes in no time under trio's own clock for tests."""
        inputs: list[Input] = []
        clock = trio.testing.MockClock(autojump_threshold=0)

        async def main() -> None:

            def on_input(item: Input) -> None:
                inputs.append(item)
                agent.close(now=item.now)

            agent = Script(on_input)
            start = sipcore_trio.now()
            assert start == trio.current_time()
            agent.deadline = start + 86400
            await sipcore_trio.Driver(agent).run()
            assert [item.name for item in inputs] == ["handle_deadline"]
            assert inputs[0].now == start + 86400

        trio.run(main, clock=clock)
