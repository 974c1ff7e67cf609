"""The asyncio driver keeps the contract; and how it lives with task groups, timeouts, interrupts and mocked loops."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

import sipcore_asyncio
from sipcore import State, Status
from tests.drivers.contract import AsyncDriverContract
from tests.drivers.platforms import AsyncioPlatform
from tests.drivers.scenarios import Boom, Contract, scenario
from tests.drivers.script import Input, Script


class TestContract(AsyncDriverContract):
    """See the contract."""

    platform = AsyncioPlatform()


def fail(status: Status) -> None:
    raise Boom


class TestAsyncio(Contract):
    """What only asyncio can do wrong."""

    platform = AsyncioPlatform()

    @scenario
    async def test_a_timeout_around_the_block_is_a_timeout(self) -> None:
        async with self.serve() as server:
            account = server.account()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as timeout, sipcore_asyncio.registered(account):
                    timeout.reschedule(0.0)
                    await asyncio.Event().wait()
            assert server.contacts(account) == []

    @scenario
    async def test_a_timeout_while_a_handler_fails_is_not_lost(self) -> None:
        """Both cancel the block at once: the handler's error must not eat the cancellation of the timeout."""
        async with self.serve() as server:
            account = server.account()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as timeout, sipcore_asyncio.registered(account) as registration:
                    registration.on_status(fail)
                    registration.refresh()

                    def expire(_: Status) -> None:
                        timeout.reschedule(0.0)

                    registration.on_status(expire)
                    timeout.reschedule(0.0)
                    await asyncio.Event().wait()

    @scenario
    async def test_a_task_group_around_the_block_ends_it(self) -> None:
        async with self.serve() as server:
            account = server.account()
            entered = asyncio.Event()

            async def keep() -> None:
                async with sipcore_asyncio.registered(account):
                    entered.set()
                    await asyncio.Event().wait()

            async def break_down() -> None:
                await entered.wait()
                raise Boom

            with pytest.raises(ExceptionGroup) as caught:
                async with asyncio.TaskGroup() as group:
                    group.create_task(keep())
                    group.create_task(break_down())
            assert [type(error) for error in caught.value.exceptions] == [Boom]
            assert server.contacts(account) == []

    @scenario
    async def test_a_task_group_inside_the_block_is_ended_by_a_failed_handler(self) -> None:
        async with self.serve() as server:
            ended = asyncio.Event()

            async def child() -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()

            with pytest.raises(Boom):
                async with sipcore_asyncio.registered(server.account()) as registration, asyncio.TaskGroup() as group:
                    group.create_task(child())
                    registration.on_status(fail)
                    registration.refresh()
            assert ended.is_set()
            current = asyncio.current_task()
            assert current is not None
            assert current.cancelling() == 0

    @scenario
    async def test_a_block_that_ends_as_its_handler_fails_leaves_no_cancellation_behind(self) -> None:
        async with self.serve() as server:
            with pytest.raises(Boom):
                async with sipcore_asyncio.registered(server.account()) as registration:
                    registration._session.fail(Boom())  # as a handler called from within the block would
            current = asyncio.current_task()
            assert current is not None
            assert current.cancelling() == 0
            await asyncio.sleep(0)  # would raise what was left behind

    @scenario
    async def test_what_a_failed_handler_raised_comes_before_what_the_block_made_of_it(self) -> None:
        async with self.serve() as server:
            with pytest.raises(Boom) as caught:
                async with sipcore_asyncio.registered(server.account()) as registration:
                    registration.on_status(fail)
                    registration.refresh()
                    try:
                        await asyncio.Event().wait()
                    finally:
                        raise ZeroDivisionError
            assert isinstance(caught.value.__cause__, ZeroDivisionError)

    def test_an_interrupt_removes_the_binding(self) -> None:
        """Ctrl-C under `asyncio.run` cancels the main task; it is a KeyboardInterrupt behind the un-REGISTER."""
        after: dict[str, Any] = {}

        async def main() -> None:
            async with self.serve() as server:
                account = server.account()
                try:
                    async with sipcore_asyncio.registered(account) as registration:
                        os.kill(os.getpid(), signal.SIGINT)
                        await asyncio.Event().wait()
                finally:
                    after.update(contacts=server.contacts(account), state=registration.status.state)

        # A shell's background job starts with SIGINT ignored, and then nothing would ever interrupt.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                asyncio.run(main())
        finally:
            signal.signal(signal.SIGINT, before)
        assert after == {"contacts": [], "state": State.STOPPED}

    def test_a_loop_that_ends_without_its_tasks_leaves_nothing(self) -> None:
        """`asyncio.run` cancels what its main function has left behind, and that is left in good order."""

        async def main() -> None:
            async with self.serve() as server:
                entered = asyncio.Event()

                async def keep() -> None:
                    async with sipcore_asyncio.registered(server.account()):
                        entered.set()
                        await asyncio.Event().wait()

                self.task = asyncio.create_task(keep())
                await entered.wait()

        asyncio.run(main())
        assert self.task.cancelled()

    def test_the_hosts_clock_gives_the_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not the loop's, which stands still while the host sleeps."""
        monkeypatch.setattr("sipcore_asyncio.driver.boottime", lambda: 12345.0)

        async def main() -> float:
            return sipcore_asyncio.now()

        assert asyncio.run(main()) == 12345.0

    def test_a_mocked_loop_gives_the_time(self) -> None:
        """A day passes in no time when the loop's clock is a test's."""
        inputs: list[Input] = []

        class MockedLoop(asyncio.SelectorEventLoop):
            ahead = 1e6

            def time(self) -> float:
                return super().time() + self.ahead

        async def main() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, MockedLoop)

            def on_input(item: Input) -> None:
                inputs.append(item)
                agent.close(now=item.now)

            agent = Script(on_input)
            start = sipcore_asyncio.now()
            assert start == pytest.approx(loop.time(), abs=60)
            agent.deadline = start + 86400
            loop.call_soon(setattr, loop, "ahead", 1e6 + 86400)
            await sipcore_asyncio.Driver(agent).run()
            # The leap is noticed as well.
            assert [item.name for item in inputs] == ["network_changed", "handle_deadline"]

        with asyncio.Runner(loop_factory=MockedLoop) as runner:
            runner.run(main())
