"""Flows are opened when needed and shared by all who go the same way."""

from __future__ import annotations

import pytest

from sipcore.commands import OpenFlow
from sipcore.config import Transport
from sipcore.flows import Flow, FlowUser
from sipcore.network.connections import Connections
from sipcore.network.targets import Target
from sipcore.values import Address, Protocol
from tests.host import Host

UDP, TCP = Transport(), Transport(protocol=Protocol.TCP)
ONE, TWO, SIX = ("192.0.2.1", 5060), ("192.0.2.2", 5060), ("2001:db8::1", 5060)


class User(FlowUser):
    def __init__(self) -> None:
        self.told: list[tuple[int, str | None]] = []

    def on_flow_open(self, flow: Flow, now: float) -> None:
        self.told.append((flow.id, None))

    def on_flow_failed(self, flow: Flow, error: str, now: float) -> None:
        self.told.append((flow.id, error))


class Net(Host):
    """A host that forgets what ended, as an agent does."""

    def __init__(self) -> None:
        super().__init__()
        self.connections = Connections(self)

    def on_flow_end(self, flow: Flow, error: str, now: float) -> None:
        super().on_flow_end(flow, error, now)
        self.connections.forget(flow)

    def get(
        self, transport: Transport, remote: Address, name: str = "h.example", user: User | None = None
    ) -> Flow | None:
        return self.connections.get(Target(transport, remote, name), user or User(), until=32.0)

    def opened_flows(self) -> list[OpenFlow]:
        return [item for item in self.outputs() if isinstance(item, OpenFlow)]


def test_a_udp_socket_serves_every_remote_of_its_family() -> None:
    net = Net()
    assert net.get(UDP, ONE) is None
    assert net.get(UDP, TWO, "other.example") is None
    assert net.get(UDP, SIX) is None
    four, six = net.opened_flows()
    assert (four.protocol, four.local, four.remote) == (Protocol.UDP, ("0.0.0.0", 0), None)
    assert (six.local, six.remote) == (("::", 0), None)
    net.flow_opened(four.flow, ("0.0.0.0", 40000), now=0.0)
    flow = net.get(UDP, ONE)
    assert flow is not None
    assert flow is net.get(UDP, TWO)
    assert flow.local == ("0.0.0.0", 40000)


def test_a_bound_transport_has_its_own_socket() -> None:
    net = Net()
    net.get(UDP, ONE)
    net.get(Transport(local=("192.0.2.9", 5062)), ONE)
    assert [item.local for item in net.opened_flows()] == [("0.0.0.0", 0), ("192.0.2.9", 5062)]


@pytest.mark.requirement("RFC3261-18.1.1-07")
def test_a_connection_is_shared_by_transport_remote_and_name() -> None:
    net = Net()
    bound = Transport(protocol=Protocol.TCP, local=("192.0.2.9", 5062))
    listening = Transport(protocol=Protocol.TCP, local=("192.0.2.9", 5062), listen=True)
    for transport in (TCP, bound, listening):
        for remote, name in ((ONE, "h.example"), (TWO, "h.example"), (ONE, "i.example"), (ONE, "h.example")):
            assert net.get(transport, remote, name) is None
    opened = net.opened_flows()
    assert len(opened) == 9
    assert [(item.remote, item.server_name) for item in opened[:3]] == [
        (ONE, "h.example"),
        (TWO, "h.example"),
        (ONE, "i.example"),
    ]
    # The port of a listener is its own: connections leave from others.
    assert {item.local for item in opened} == {None, ("192.0.2.9", 0)}


def test_all_who_wait_are_told_once() -> None:
    net = Net()
    users = [User(), User()]
    for user in users:
        assert net.get(TCP, ONE, user=user) is None
    (command,) = net.opened_flows()
    net.flow_opened(command.flow, ("192.0.2.9", 40000), ONE, now=0.0)
    net.flow_opened(command.flow, ("192.0.2.9", 40000), ONE, now=0.0)
    assert [user.told for user in users] == [[(command.flow, None)]] * 2
    assert net.get(TCP, ONE) is net.flows[command.flow]


@pytest.mark.parametrize("how", ["refused", "too late"])
def test_a_flow_that_never_opens_is_told_and_forgotten(how: str) -> None:
    net, user = Net(), User()
    net.get(TCP, ONE, user=user)
    (command,) = net.opened_flows()
    if how == "refused":
        net.flow_closed(command.flow, "refused", now=1.0)
    else:
        net.run(31.999)
        assert user.told == []
        net.run(32.0)
    assert user.told == [(command.flow, "refused" if how == "refused" else "no connection in time")]
    assert net.get(TCP, ONE) is None
    (again,) = net.opened_flows()
    assert again.flow > command.flow


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_who_asks_again_when_told_of_a_failure_gets_a_new_flow(transport: Transport) -> None:
    """Else the next target of the same socket would wait for a flow that is dead, for ever."""

    class Next(User):
        def on_flow_failed(self, flow: Flow, error: str, now: float) -> None:
            super().on_flow_failed(flow, error, now)
            assert net.get(transport, ONE, user=second) is None

    net, first, second = Net(), Next(), User()
    net.get(transport, ONE, user=first)
    (command,) = net.opened_flows()
    net.flow_closed(command.flow, "no socket", now=0.0)
    (again,) = net.opened_flows()
    assert again.flow != command.flow
    net.flow_opened(again.flow, ("192.0.2.9", 40000), ONE, now=0.0)
    assert second.told == [(again.flow, None)]


def test_a_flow_that_was_replaced_is_not_forgotten_twice() -> None:
    net = Net()
    net.get(TCP, ONE)
    (command,) = net.opened_flows()
    old = net.flows[command.flow]
    net.flow_closed(command.flow, "reset", now=0.0)
    net.get(TCP, ONE)
    net.connections.forget(old)
    net.opened_flows()
    net.get(TCP, ONE)
    assert net.opened_flows() == []


def test_an_accepted_connection_is_never_used_for_requests() -> None:
    net = Net()
    listener = net.listen(Protocol.TCP, ("192.0.2.9", 5062))
    net.flow_accepted(listener.id, ("192.0.2.9", 5062), ONE, now=0.0)
    net.outputs()
    assert net.get(TCP, ONE) is None
    assert len(net.opened_flows()) == 1
