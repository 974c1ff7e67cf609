"""Which transports share a socket, and what the commands ask of the system for it."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.commands import Listen, OpenFlow
from sipcore.config import Transport
from sipcore.errors import ConfigError
from sipcore.testing import Line, ok
from sipcore.values import NO_OPTIONS, Protocol, SocketOptions, canonical_network, is_within
from tests.accounts import account
from tests.registration.lines import reload

CS3 = SocketOptions(tos=0x60)


def opened(line: Line) -> list[OpenFlow]:
    return [item.output for item in line.station.outputs if isinstance(item.output, OpenFlow)]


def started(*transports: Transport) -> Line:
    names = ("alice", "bob")[: len(transports)]
    line = Line(*[account(name, transport=item) for name, item in zip(names, transports, strict=True)], script=[ok()])
    line.register(until=2.0)
    return line


@pytest.mark.parametrize("protocol", list(Protocol))
def test_the_command_asks_for_the_options_of_the_transport(protocol: Protocol) -> None:
    [command] = opened(started(Transport(protocol=protocol, options=CS3)))
    assert command.options == CS3
    [command] = opened(started(Transport(protocol=protocol)))
    assert command.options == NO_OPTIONS


def test_a_listener_has_them_too() -> None:
    line = started(Transport(protocol=Protocol.TCP, local=("192.0.2.10", 5060), listen=True, options=CS3))
    [listen] = [item.output for item in line.station.outputs if isinstance(item.output, Listen)]
    assert listen.options == CS3


@pytest.mark.parametrize("protocol", list(Protocol))
def test_what_is_only_written_makes_no_second_socket(protocol: Protocol) -> None:
    one = Transport(protocol=protocol)
    two = Transport(protocol=protocol, external_signaling_hostname="pbx.example", local_net=("10.0.0.0/8",))
    assert len(opened(started(one, two))) == 1


@pytest.mark.parametrize("protocol", list(Protocol))
def test_other_options_make_a_second_socket_where_the_system_chooses_the_port(protocol: Protocol) -> None:
    line = started(Transport(protocol=protocol), Transport(protocol=protocol, options=CS3))
    assert [command.options for command in opened(line)] == [NO_OPTIONS, CS3]


def test_a_fixed_port_is_bound_once_whatever_the_options() -> None:
    local = ("192.0.2.10", 5060)
    line = started(Transport(local=local), Transport(local=local, options=CS3))
    assert [command.options for command in opened(line)] == [NO_OPTIONS]
    assert all(line.status(name).registered for name in ("alice", "bob"))


def test_a_reload_of_options_sends_nothing() -> None:
    line = started(Transport())
    line.sent()
    reload(line, account(transport=Transport(options=CS3)))
    assert line.sent(until=20.0) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"external_signaling_address": "pbx.example"}, "external_signaling_hostname"),
        ({"external_signaling_address": "0.0.0.0"}, "external_signaling_address"),
        ({"external_signaling_address": "fe80::1%eth0"}, "external_signaling_address"),
        ({"external_signaling_address": "[2001:db8::1]"}, "external_signaling_address"),
        ({"external_signaling_hostname": "192.0.2.1"}, "external_signaling_address"),
        ({"external_signaling_hostname": "[2001:db8::1]"}, "external_signaling_address"),
        ({"external_signaling_hostname": "a b"}, "external_signaling_hostname"),
        ({"external_signaling_hostname": "x\r\nEvil: 1"}, "external_signaling_hostname"),
        ({"external_signaling_hostname": "x:5060"}, "external_signaling_hostname"),
        ({"external_signaling_address": "192.0.2.1", "external_signaling_hostname": "x"}, "not together"),
        ({"external_signaling_port": 5060}, "external_signaling_port"),
        ({"external_signaling_hostname": "x", "external_signaling_port": 65536}, "external_signaling_port"),
        ({"external_signaling_hostname": "x", "external_signaling_port": True}, "external_signaling_port"),
        ({"local_net": "10.0.0.0/8"}, "local_net"),
        ({"local_net": ("ten",)}, "local_net"),
        ({"local_net": (10,)}, "local_net"),
        ({"local_net": ("10.0.0.0/0.255.255.255",)}, "local_net"),
        ({"local_net": ("10.0.0.0/8",) * 257}, "local_net"),
        ({"options": None}, "options"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Transport(**options)


@pytest.mark.parametrize(
    "options",
    [{"tos": 256}, {"tos": -1}, {"cos": 8}, {"cos": True}, {"tcp_keepalive": 1}, {"tcp_keepalive_idle": 0}],
)
def test_socket_options_have_ranges(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        SocketOptions(**options)


def test_networks_have_one_spelling() -> None:
    made = Transport(local_net=("10.1.2.3/255.0.0.0", "192.0.2.1", "2001:DB8::/32"))
    assert made.local_net == ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32")
    assert canonical_network("0.0.0.0/0") == "0.0.0.0/0"
    assert is_within("fe80::1%eth0", "fe80::/64")
    assert not is_within("10.0.0.1", "::/0")
