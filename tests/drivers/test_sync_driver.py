"""The blocking driver keeps the contract; and what only blocking code can do: poll, and call from other threads."""

from __future__ import annotations

import selectors
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import sipcore_sync
from sipcore import Event, InboundRequest, Registered, State, Status
from sipcore.errors import LocalProtocolError, RegistrationFailed
from tests.drivers.contract import DriverContract
from tests.drivers.platforms import SyncPlatform
from tests.drivers.script import Input, Script, Told
from tests.drivers.server import Server

FAIL_SAFE = 30.0


class TestContract(DriverContract):
    """See the contract."""

    platform = SyncPlatform()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


# --- polling ----------------------------------------------------------------------------------------------------------


def test_no_thread_is_needed(server: Server) -> None:
    before = threading.active_count()
    with sipcore_sync.registered(server.account(), threaded=False) as registration:
        assert threading.active_count() == before
        assert server.contacts() == 1
        registration.refresh()
        seen: list[Status] = []
        registration.on_status(seen.append)
        while not seen:
            assert registration.poll(FAIL_SAFE)
        assert seen[0].registered
    assert server.contacts() == 0
    assert registration.status.state is State.STOPPED


def test_statuses_poll_when_there_is_no_thread(server: Server) -> None:
    with sipcore_sync.registered(server.account(), threaded=False) as registration:
        statuses = registration.statuses(timeout=FAIL_SAFE)
        first = next(statuses)
        registration.refresh()
        second = next(statuses)
        assert first.registered
        assert second.registered
        assert second != first
        assert list(registration.statuses(timeout=0.0)) == [registration.status]


def test_polling_without_anything_to_do_returns_at_once(server: Server) -> None:
    with sipcore_sync.registered(server.account(), threaded=False) as registration:
        assert registration.poll() is False
        assert registration.poll(0.001) is False


def test_a_refusal_without_a_thread(server: Server) -> None:
    with (
        pytest.raises(RegistrationFailed, match="401"),
        sipcore_sync.registered(server.account("wrong"), threaded=False),
    ):
        pytest.fail("the block was entered")


def test_what_a_handler_raises_comes_out_of_poll(server: Server) -> None:
    def on_status(status: Status) -> None:
        raise ZeroDivisionError

    def poll_for_ever() -> None:
        with sipcore_sync.registered(server.account(), threaded=False) as registration:
            registration.on_status(on_status)
            registration.refresh()
            while True:
                registration.poll(FAIL_SAFE)

    with pytest.raises(ZeroDivisionError):
        poll_for_ever()
    assert server.contacts() == 0


@pytest.mark.parametrize("threaded", [False, True])
def test_an_interrupt_in_the_wait_removes_the_binding(
    server: Server, threaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C arrives where blocking code waits: in the selector, or for the thread."""

    def wait(registration: Any) -> None:
        if threaded:
            monkeypatch.setattr(threading.Event, "wait", interrupt)
        else:
            monkeypatch.setattr(selectors.DefaultSelector, "select", interrupt)
        for _ in registration.statuses(timeout=FAIL_SAFE):
            pass

    def interrupt(*_: object) -> None:
        monkeypatch.undo()
        monkeypatch.setattr("sipcore.registration.machine.MIN_ATTEMPT_GAP", 0.02)
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        sipcore_sync.registered(server.account(), threaded=threaded) as registration,
    ):
        wait(registration)
    assert server.contacts() == 0
    assert registration.status.state is State.STOPPED


def test_a_second_interrupt_leaves_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever interrupts the un-REGISTER means it; nothing is left running all the same."""
    stack = ExitStack()
    registration = stack.enter_context(sipcore_sync.registered(server.account(), threaded=False))
    server.silence()

    def interrupt(*_: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(selectors.DefaultSelector, "select", interrupt)
    with pytest.raises(KeyboardInterrupt):
        stack.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        registration.poll()


def test_a_program_that_polls_rarely_did_not_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what passes while the driver itself waits says that the host slept."""
    inputs: list[Input] = []
    clock = [1000.0]
    monkeypatch.setattr("sipcore_sync.driver.boottime", lambda: clock[0])
    with sipcore_sync.Driver(Script(inputs.append)) as driver:
        driver.poll()
        clock[0] += 3600
        driver.poll()
        assert inputs == []

        def select(*_: object) -> list[object]:
            clock[0] += 3600
            return []

        monkeypatch.setattr(selectors.DefaultSelector, "select", select)
        driver.poll()
        assert [item.name for item in inputs] == ["network_changed"]


# --- threads ----------------------------------------------------------------------------------------------------------


def test_a_block_with_a_thread_is_not_polled(server: Server) -> None:
    with (
        sipcore_sync.registered(server.account()) as registration,
        pytest.raises(LocalProtocolError, match="has a thread"),
    ):
        registration.poll()


def test_a_handler_cannot_poll(server: Server) -> None:
    errors: list[LocalProtocolError] = []
    agent = Script()
    agent.put(Told(text="now"), now=0.0)

    def on_event(event: Event) -> None:
        with pytest.raises(LocalProtocolError, match="polled already") as caught:
            driver.poll()
        errors.append(caught.value)

    with sipcore_sync.Driver(agent, on_event) as driver:
        assert driver.poll()
    assert len(errors) == 1


def test_a_closed_driver_is_not_polled() -> None:
    driver = sipcore_sync.Driver(Script())
    driver.close()
    driver.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        driver.poll()


def test_a_driver_closed_by_its_handler_is_closed_when_the_handler_returns() -> None:
    agent = Script()
    agent.put(Told(text="now"), now=0.0)
    driver = sipcore_sync.Driver(agent, lambda _: driver.close())
    assert driver.poll()
    assert not driver.running


def test_an_event_after_one_whose_handler_failed_is_kept() -> None:
    agent = Script()
    agent.put(Told(text="one"), Told(text="two"), now=0.0)
    seen: list[str] = []

    def on_event(event: Event) -> None:
        assert isinstance(event, Told)
        seen.append(event.text)
        if event.text == "one":
            raise ZeroDivisionError

    with sipcore_sync.Driver(agent, on_event) as driver:
        with pytest.raises(ZeroDivisionError):
            driver.poll()
        assert driver.poll()
    assert seen == ["one", "two"]


def test_calls_from_any_thread_wake_the_one_that_waits(server: Server) -> None:
    """A refresh asked for by another thread is answered long before the driver would wake by itself."""
    refreshed = threading.Event()

    def on_event(_: object, event: Event) -> None:
        if isinstance(event, Registered) and event.refreshed:
            refreshed.set()

    name = server.account().name
    with sipcore_sync.open_agent([server.account()], wait=FAIL_SAFE, on_event=on_event) as agent:
        threads = [threading.Thread(target=agent.register, args=(name,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(FAIL_SAFE)
        assert refreshed.wait(FAIL_SAFE)


def test_a_thread_that_ends_by_a_bug_does_not_hang_the_block(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def select(*_: object) -> None:
        monkeypatch.undo()
        raise ZeroDivisionError

    monkeypatch.setattr(selectors.DefaultSelector, "select", select)
    # However long leaving may take: nobody is there to do it.
    with pytest.raises(ZeroDivisionError), sipcore_sync.registered(server.account(), leave_within=1e6):
        pytest.fail("the block was entered")


def test_events_reach_handlers_without_a_lock(server: Server) -> None:
    """A handler that waits for another thread, which calls the agent, is no deadlock."""
    done = threading.Event()

    def on_request(registration: Any, request: InboundRequest) -> None:
        raise AssertionError("not asked for")

    def look() -> None:
        assert registration.status.name == registration.name
        done.set()

    def on_status(status: Status) -> None:
        helper = threading.Thread(target=look)
        helper.start()
        helper.join(FAIL_SAFE)
        assert done.is_set()

    with sipcore_sync.registered(server.account(), handles=["INVITE"], on_request=on_request) as registration:
        registration.on_status(on_status)
        registration.refresh()
        assert done.wait(FAIL_SAFE)
