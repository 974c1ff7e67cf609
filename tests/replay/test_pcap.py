"""Packet captures: every packet is whole, checksums are right, and another reader finds the messages again."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from io import BytesIO
from ipaddress import ip_address
from typing import NamedTuple

import dpkt  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.commands import CloseFlow, Command, OpenFlow, Record, Resolve, Transmit
from sipcore.replay import pcap
from sipcore.replay.steps import Step
from sipcore.values import Address, Protocol, RecordKind
from tests.replay.incident import WALL, incident

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class Packet(NamedTuple):
    moment: float
    source: Address
    target: Address
    protocol: int
    flags: int
    sequence: int
    acknowledged: int
    payload: bytes


def total(data: bytes) -> int:
    """The ones' complement sum, word by word: 0xffff over anything that holds its own checksum."""
    result = 0
    for start in range(0, len(data), 2):
        result += int.from_bytes(data[start : start + 2].ljust(2, b"\0"), "big")
        result = (result & 0xFFFF) + (result >> 16)
    return result


def read(data: bytes) -> list[Packet]:
    """The packets of a capture, their lengths and checksums verified by a few lines that share nothing with ours."""
    magic, major, minor, _, _, snaplen, link = struct.unpack("<IHHiIII", data[:24])
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 101)
    packets, place = [], 24
    while place < len(data):
        seconds, micros, kept, length = struct.unpack_from("<IIII", data, place)
        assert kept == length <= snaplen
        assert micros < 1_000_000
        packets.append(packet(seconds + micros / 1e6, data[place + 16 : place + 16 + kept]))
        place += 16 + kept
    assert place == len(data)
    return packets


def packet(moment: float, data: bytes) -> Packet:
    if data[0] >> 4 == 4:
        assert data[0] == 0x45
        assert total(data[:20]) == 0xFFFF
        assert struct.unpack_from(">H", data, 2) == (len(data),)
        protocol, hosts, body = data[9], (data[12:16], data[16:20]), data[20:]
        pseudo = data[12:20] + struct.pack(">BBH", 0, protocol, len(body))
    else:
        assert data[0] >> 4 == 6
        assert struct.unpack_from(">H", data, 4) == (len(data) - 40,)
        protocol, hosts, body = data[6], (data[8:24], data[24:40]), data[40:]
        pseudo = data[8:40] + struct.pack(">IHBB", len(body), 0, 0, protocol)
    assert total(pseudo + body) == 0xFFFF
    source, target = struct.unpack_from(">HH", body)
    ends = (str(ip_address(hosts[0])), source), (str(ip_address(hosts[1])), target)
    if protocol == 17:
        length, written = struct.unpack_from(">HH", body, 4)
        assert length == len(body)
        assert written != 0  # 0 says that there is none
        return Packet(moment, *ends, protocol, 0, 0, 0, body[8:])
    assert protocol == 6
    sequence, acknowledged, offset, flags = struct.unpack_from(">IIBB", body, 4)
    assert offset == 5 << 4
    return Packet(moment, *ends, protocol, flags, sequence, acknowledged, body[20:])


class Script:
    """Steps written by hand, one a second."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def put(self, output: Command) -> Script:
        self.steps.append(Step(len(self.steps) + 1, self.now, type(output).__name__, output=output))
        return self

    def call(self, name: str, *arguments: object, **keywords: object) -> Script:
        self.steps.append(Step(len(self.steps) + 1, self.now, name, arguments, keywords))
        return self

    @property
    def now(self) -> float:
        return 100.0 + len(self.steps)

    def packets(self, **options: float | int | None) -> list[Packet]:
        return read(b"".join(pcap.write(self.steps, **options)))  # type: ignore[arg-type]


REMOTE: Address = ("192.0.2.1", 5060)
REMOTE6: Address = ("2001:db8::9", 5062)


def opened(local: Address, remote: Address | None = None) -> Script:
    """A flow, number 1: UDP, or TCP when it leads somewhere."""
    protocol = Protocol.UDP if remote is None else Protocol.TCP
    return (
        Script()
        .put(OpenFlow(flow=1, protocol=protocol, local=local if remote is None else None, remote=remote))
        .call("flow_opened", 1, local, remote)
    )


def test_datagrams_both_ways() -> None:
    script = opened(("192.0.2.10", 5070))
    script.put(Transmit(flow=1, data=b"out", remote=REMOTE)).call("receive", 1, b"in", REMOTE)
    one, two = script.packets()
    assert one == Packet(2.0, ("192.0.2.10", 5070), REMOTE, 17, 0, 0, 0, b"out")
    assert two == Packet(3.0, REMOTE, ("192.0.2.10", 5070), 17, 0, 0, 0, b"in")


def test_keywords_are_arguments_too() -> None:
    script = opened(("192.0.2.10", 5070)).call("receive", 1, source=REMOTE, data=b"in")
    assert [item.payload for item in script.packets()] == [b"in"]


def test_ipv6_has_no_zone_in_a_packet() -> None:
    script = opened(("fe80::1%eth0", 5070)).put(Transmit(flow=1, data=b"x", remote=("fe80::2%eth0", 5060)))
    (one,) = script.packets()
    assert (one.source, one.target) == (("fe80::1", 5070), ("fe80::2", 5060))


VIA = b"REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP %b:5070;branch=z9hG4bKx\r\n\r\n"


@pytest.mark.parametrize(
    ("wildcard", "remote", "told", "data", "host"),
    [
        ("0.0.0.0", REMOTE, "192.0.2.77", b"x", "192.0.2.77"),
        ("0.0.0.0", REMOTE, None, VIA % b"192.0.2.55", "192.0.2.55"),
        ("0.0.0.0", REMOTE, "192.0.2.77", VIA % b"192.0.2.55", "192.0.2.77"),
        ("0.0.0.0", REMOTE, None, VIA % b"public.example.com", "198.51.100.1"),
        ("0.0.0.0", REMOTE, "0.0.0.0", b"x", "198.51.100.1"),
        ("0.0.0.0", REMOTE, None, b"x", "198.51.100.1"),
        ("::", REMOTE6, "2001:db8::77", b"x", "2001:db8::77"),
        ("::", REMOTE6, None, VIA % b"[2001:db8::55]", "2001:db8::55"),
        ("::", REMOTE6, None, b"x", "2001:db8::1"),
        ("::", REMOTE, None, b"x", "198.51.100.1"),
    ],
)
def test_a_wildcard_is_replaced(wildcard: str, remote: Address, told: str | None, data: bytes, host: str) -> None:
    """By the system's answer, else our own Via, else an address for documentation; also for what came before."""
    script = opened((wildcard, 5070)).call("receive", 1, b"early", remote)
    script.put(Resolve(query=7, name=remote[0], kind=RecordKind.SOURCE))
    if told is not None:
        script.call("resolved", 7, [Record(told)])
    script.put(Transmit(flow=1, data=data, remote=remote))
    early, late = script.packets()
    assert early.target == late.source == (host, 5070)
    assert early.source == late.target == remote


def test_times_are_wall_times_when_they_are_known() -> None:
    script = opened(("192.0.2.10", 5070)).call("receive", 1, b"x", REMOTE)
    assert [item.moment for item in script.packets()] == [2.0]
    assert [item.moment for item in script.packets(wall=1_700_000_000.25)] == [1_700_000_102.25]


@pytest.mark.parametrize(
    "moment", [float("nan"), float("inf"), float("-inf"), -1e300, 1e300, 2.0**32, 2.0**32 - 1e-7]
)
def test_a_time_that_is_none_breaks_no_file(moment: float) -> None:
    script = opened(("192.0.2.10", 5070)).call("receive", 1, b"x", REMOTE)
    script.steps[-1] = script.steps[-1]._replace(now=moment)
    assert len(script.packets()) == 1


def test_a_datagram_that_no_packet_holds_is_cut() -> None:
    for remote in (REMOTE, REMOTE6):
        script = opened(("192.0.2.10" if remote is REMOTE else "2001:db8::10", 5070))
        (one,) = script.call("receive", 1, bytes(65535), remote).packets()
        assert len(one.payload) == 65507


def test_a_checksum_of_zero_is_written_as_ones() -> None:
    """RFC 768: 0 would mean that there is none. The payload makes the sum come out as 0."""
    script = opened(("192.0.2.10", 5070)).call("receive", 1, b"\0\0", REMOTE)
    (one,) = script.packets()
    data = b"".join(pcap.write(script.steps))
    missing = struct.unpack_from(">H", data, 24 + 16 + 20 + 6)[0]
    script.steps[-1] = script.steps[-1]._replace(arguments=(1, struct.pack(">H", missing), REMOTE))
    data = b"".join(pcap.write(script.steps))
    assert struct.unpack_from(">H", data, 24 + 16 + 20 + 6)[0] == 0xFFFF
    assert one.payload == b"\0\0"
    script.packets()


# --- connections ---------------------------------------------------------------------------------------------------

LOCAL: Address = ("192.0.2.10", 40000)


def stream() -> Script:
    return opened(LOCAL, REMOTE)


def numbers(packets: Sequence[Packet], source: Address) -> Iterator[tuple[int, bytes]]:
    return ((item.sequence, item.payload) for item in packets if item.source == source)


def test_a_connection_begins_with_a_handshake_and_numbers_run_on() -> None:
    long = bytes(range(256)) * 12
    script = stream().put(Transmit(flow=1, data=long)).call("receive", 1, b"abc").call("receive", 1, b"de")
    packets = script.packets()
    assert [(item.source, item.flags) for item in packets[:3]] == [(LOCAL, SYN), (REMOTE, SYN | ACK), (LOCAL, ACK)]
    assert [(item.sequence, item.acknowledged) for item in packets[:3]] == [(0, 0), (0, 1), (1, 1)]
    for source, content in ((LOCAL, long), (REMOTE, b"abcde")):
        text, place = b"", 1
        for sequence, payload in list(numbers(packets[3:], source)):
            assert sequence == place
            assert len(payload) <= 1460
            text += payload
            place += len(payload)
        assert text == content
    assert packets[-1].acknowledged == 1 + len(long)
    pushed = [bool(item.flags & PSH) for item in packets[3:]]
    assert pushed == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("end", "flags"),
    [
        (lambda script: script.put(CloseFlow(flow=1)), [(LOCAL, FIN | ACK), (REMOTE, FIN | ACK), (LOCAL, ACK)]),
        (lambda script: script.call("flow_closed", 1), [(REMOTE, FIN | ACK), (LOCAL, FIN | ACK), (REMOTE, ACK)]),
        (lambda script: script.call("flow_closed", 1, "connection reset"), [(REMOTE, RST | ACK)]),
    ],
)
def test_how_a_connection_ends(end: object, flags: list[tuple[Address, int]]) -> None:
    script = stream().put(Transmit(flow=1, data=b"abc"))
    assert callable(end)
    end(script)
    script.call("receive", 1, b"late").call("flow_closed", 1)
    packets = script.packets()[4:]
    assert [(item.source, item.flags) for item in packets] == flags
    assert packets[0].sequence + packets[0].acknowledged == 5
    if len(packets) == 3:
        assert packets[1].acknowledged == packets[0].sequence + 1
        assert packets[2].acknowledged == packets[1].sequence + 1
        assert packets[2].sequence == packets[0].sequence + 1


def test_one_that_never_came_up_leaves_nothing() -> None:
    script = Script().put(OpenFlow(flow=1, protocol=Protocol.TCP, local=None, remote=REMOTE))
    assert script.call("flow_closed", 1, "connection refused").packets() == []


def test_an_accepted_connection_was_opened_by_the_other_side() -> None:
    script = Script().call("flow_accepted", 1, LOCAL, REMOTE).call("receive", 1, b"abc")
    packets = script.packets()
    assert [(item.source, item.flags) for item in packets[:3]] == [(REMOTE, SYN), (LOCAL, SYN | ACK), (REMOTE, ACK)]
    assert (packets[3].source, packets[3].payload) == (REMOTE, b"abc")


def test_a_selection_begins_with_a_handshake_of_its_own() -> None:
    script = stream().put(Transmit(flow=1, data=b"abc")).call("receive", 1, b"def").call("receive", 1, b"ghi")
    packets = script.packets(first=4, last=4)
    assert [item.flags for item in packets[:3]] == [SYN, SYN | ACK, ACK]
    assert [item.payload for item in packets[3:]] == [b"def"]


# --- whole runs ----------------------------------------------------------------------------------------------------


def test_another_reader_finds_all_messages_of_the_incident() -> None:
    """dpkt reads what the agent sent and received: each datagram, and each stream put together by its numbers."""
    recording = incident()
    data = b"".join(pcap.write(recording.steps, wall=WALL - recording.steps[0].now))
    read(data)
    sent = [step.output.data for step in recording.steps if isinstance(step.output, Transmit)]
    got = [step.arguments[1] for step in recording.steps if step.name == "receive"]
    found: dict[str, list[bytes]] = {"192.0.2.10": [], "192.0.2.1": [], "192.0.2.2": []}
    streams: dict[tuple[object, ...], bytes] = {}
    moments = []
    for moment, raw in dpkt.pcap.Reader(BytesIO(data)):
        moments.append(moment)
        ip = dpkt.ip.IP(raw)
        source = str(ip_address(ip.src))
        if isinstance(ip.data, dpkt.udp.UDP):
            found[source].append(ip.data.data)
        else:
            key = (source, ip.data.sport, ip.data.dport)
            if ip.data.flags & dpkt.tcp.TH_SYN:
                streams[key] = b""
            elif ip.data.data:
                assert len(streams[key]) + 1 == ip.data.seq
                streams[key] += ip.data.data
    assert moments == sorted(moments)
    assert moments[0] >= WALL
    udp = [item for item in sent if b"/UDP" in item]
    assert found["192.0.2.10"] == udp
    assert found["192.0.2.1"] == [item for item in got if isinstance(item, bytes) and b"/UDP" in item]
    tcp = b"".join(item for item in sent if b"/TCP" in item)
    assert b"".join(text for key, text in streams.items() if key[0] == "192.0.2.10") == tcp
    assert b"".join(text for key, text in streams.items() if key[0] == "192.0.2.2") == b"".join(
        item for item in got if isinstance(item, bytes) and b"/TCP" in item
    )
    assert len(streams) == 4


addresses = st.tuples(
    st.one_of(
        st.ip_addresses().map(str), st.sampled_from(["0.0.0.0", "::", "fe80::1%x", "no address", "", "1.2.3.4.5", "%"])
    ),
    st.integers(-1, 70000),
)


@settings(max_examples=60)
@given(
    local=addresses,
    remote=addresses,
    reliable=st.booleans(),
    moves=st.lists(st.tuples(st.sampled_from(["out", "in", "end", "open"]), st.binary(max_size=3000)), max_size=6),
)
def test_any_steps_make_a_whole_file(
    local: Address, remote: Address, reliable: bool, moves: list[tuple[str, bytes]]
) -> None:
    """Whatever addresses and bytes a recording holds, every packet is well formed."""
    script = opened(local, remote if reliable else None)
    for move, data in moves:
        if move == "out":
            script.put(Transmit(flow=1, data=data, remote=None if reliable else remote))
        elif move == "in":
            script.call("receive", 1, data, None if reliable else remote)
        elif move == "end":
            script.call("flow_closed", 1, data.hex() or None)
        else:
            script.call("flow_opened", 1, local, remote)
    packets = script.packets()
    assert all(ip_address(item.source[0]).version == ip_address(item.target[0]).version for item in packets)
