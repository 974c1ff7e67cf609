"""What the comparison of drivers rests on: order in one instant, and errors that come out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sipcore import OpenFlow, Protocol, Transmit
from sipcore.testing import World
from sipcore_sync.base import MAX_SLEEP
from tests.drivers.lockstep import AsyncioLockstep, Lockstep, SyncLockstep, TrioLockstep
from tests.drivers.script import Input, Script, Told
from tests.drivers.virtual_system import virtual_system

KINDS: list[type[Lockstep]] = [SyncLockstep, AsyncioLockstep, TrioLockstep]
PEER = ("192.0.2.1", 5060)


class Scene:
    """A scripted agent on a driver, with two sockets."""

    def __init__(self, kind: type[Lockstep]) -> None:
        self.world = World()
        self.inputs: list[Input] = []
        self.agent = Script(self.inputs.append)
        self.host = kind(self.world, self.agent)
        for flow in (1, 2):
            self.feed(OpenFlow(flow=flow, protocol=Protocol.UDP, local=("0.0.0.0", 5060 + flow), remote=None))
        self.inputs.clear()

    def feed(self, *outputs: OpenFlow | Transmit | Told) -> None:
        """Let the agent put them out."""
        self.host.feed(self.agent.put, *outputs)

    def arrives(self, at: float, flow: int, data: bytes) -> None:
        """A datagram."""
        self.world.at(at, lambda: self.world.send(data, PEER, ("192.0.2.10", 5060 + flow)))

    def told(self, until: float) -> list[object]:
        """What the agent was told, in short."""
        self.world.run(until)
        shown = [item.arguments[1] if item.name == "receive" else item.name for item in self.inputs]
        self.inputs.clear()
        return shown


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with virtual_system():
        scene = Scene(request.param)
        yield scene
        scene.host.stop()


def test_data_comes_before_a_timer_of_the_same_instant(scene: Scene) -> None:
    """Again and again, since trio shuffles its tasks."""
    for number in range(1, 17):
        at = number * 7.1
        scene.agent.deadline = at
        scene.feed()
        scene.arrives(at, 2, b"first")
        scene.arrives(at, 1, b"second")
        scene.arrives(at, 2, b"third")
        assert scene.told(at) == [b"first", b"second", b"third", "handle_deadline"]


def test_an_answer_of_the_same_instant_comes_before_its_timer(scene: Scene) -> None:
    """What data of an instant causes belongs to that instant, too."""
    for number in range(1, 17):
        at = number * 7.1
        scene.agent.deadline = at
        scene.feed()
        scene.arrives(at, 1, b"first")
        # The second is sent by something that happens only when the first has been seen.
        scene.world.at(at, lambda at=at: scene.world.at(at, lambda: scene.arrives(at, 1, b"second")))  # type: ignore[misc]
        assert scene.told(at) == [b"first", b"second", "handle_deadline"]


def test_time_is_told_exactly(scene: Scene) -> None:
    scene.agent.deadline = 1.25
    scene.feed()
    scene.arrives(1.0, 1, b"data")
    scene.world.run(1.249)
    assert [item.now for item in scene.inputs] == [1.0]
    scene.world.run(1.25)
    assert [item.now for item in scene.inputs] == [1.0, 1.25]


def test_a_driver_without_a_deadline_wakes_once_a_minute(scene: Scene) -> None:
    scene.feed()
    assert scene.host.next_deadline() == MAX_SLEEP
    scene.world.run(MAX_SLEEP)
    assert scene.host.next_deadline() == 2 * MAX_SLEEP


def test_what_an_input_raises_comes_out_where_it_was_fed(scene: Scene) -> None:
    def refuse(*, now: float) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scene.host.feed(refuse)
    assert not scene.host.ended


def test_what_a_loop_raises_comes_out_of_the_world(scene: Scene) -> None:
    def on_input(item: Input) -> None:
        raise ZeroDivisionError

    scene.agent.on_input = on_input
    scene.arrives(1.0, 1, b"data")
    with pytest.raises(ZeroDivisionError):
        scene.world.run(2.0)
    assert scene.host.ended


def test_a_driver_that_ends_is_at_rest(scene: Scene) -> None:
    scene.host.feed(scene.agent.close)
    scene.world.run(100.0)
    assert scene.host.ended
    assert scene.host.next_deadline() is None
