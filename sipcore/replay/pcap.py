"""A run as a packet capture for Wireshark and its family: classic pcap, raw IP, checksums and all.

The agent never saw a packet, so the packets are made up around what it did see: a datagram is one UDP packet, a
connection begins with a handshake, each write is cut into segments with running numbers, and the end is a FIN, or a RST
where there was an error. Acknowledgements travel with data only. What was masked in the recording stays masked.

Addresses. A socket bound to a wildcard sends from some address of the host: the one that the system named when it was
asked, else the one in our own Via towards that remote, else one from the ranges for documentation (RFC 5737, RFC 3849).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from sipcore.commands import Transmit
from sipcore.errors import RemoteProtocolError
from sipcore.replay.paths import Path, Paths, named
from sipcore.syntax.message import Request, parse_message
from sipcore.values import WILDCARDS, Address

if TYPE_CHECKING:
    from sipcore.agent import UserAgent
    from sipcore.replay.steps import Step

__all__ = ["LINKTYPE_RAW", "write"]

LINKTYPE_RAW: Final = 101
"""Packets begin with an IPv4 or IPv6 header, by the link-layer header types of libpcap."""

UNKNOWN_HOSTS: Final = {4: "198.51.100.1", 6: "2001:db8::1"}
"""Our own address where nobody told it."""

UNKNOWN_REMOTES: Final = {4: ("203.0.113.1", 5060), 6: ("2001:db8::2", 5060)}

SEGMENT: Final = 1400
"""Bytes of a stream in one packet: fits every usual link."""

MAX_UDP: Final = 65507
"""Bytes in a datagram that a packet of IPv4 can hold; what is longer is cut."""

_SNAPLEN: Final = 262144
_LAST_SECOND: Final = 2**32 - 1
_WINDOW: Final = 65535

_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16


class _Packet(NamedTuple):
    protocol: int
    source: Address
    target: Address
    payload: bytes
    flags: int = 0
    sequence: int = 0
    acknowledged: int = 0


def write(
    steps: Iterable[Step],
    *,
    agent: UserAgent | None = None,
    wall: float | None = None,
    first: int | None = None,
    last: int | None = None,
) -> Iterator[bytes]:
    """The bytes of the file, piece by piece: its header, then one piece for each packet.

    `agent` is the one that the run begins with, if it does not begin with an empty one. `wall` is the Unix time that
    the agent's clock 0.0 was; without it times are counted from the first step. `first` and `last` are step numbers.
    """
    steps = list(steps)
    yield struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAPLEN, LINKTYPE_RAW)
    if not steps:
        return
    offset = -steps[0].now if wall is None else wall
    capture = _Capture(agent, steps)
    number = 0
    for step in steps:
        if last is not None and step.number > last:
            return
        for packet in capture.packets(step, shown=first is None or step.number >= first):
            number += 1
            yield _record(_ip(packet, number), step.now + offset)


class _Connection:
    __slots__ = ("local", "received", "remote", "sent")

    def __init__(self, local: Address, remote: Address) -> None:
        self.local = local
        self.remote = remote
        # The next sequence number of each side. Real ones begin at random; these are easier to follow.
        self.sent = 1
        self.received = 1


class _Capture:
    def __init__(self, agent: UserAgent | None, steps: list[Step]) -> None:
        self.paths = Paths(agent)
        self._hosts = _own_addresses(steps)
        self._connections: dict[int, _Connection] = {}

    def packets(self, step: Step, *, shown: bool) -> Iterator[_Packet]:
        """The packets of one step. One that is not shown is only learnt from."""
        path = self.paths.learn(step)
        if path is None or not shown:
            return
        if step.output is None:
            yield from self._input(step, path)
        elif isinstance(step.output, Transmit):
            data, remote = step.output.data, step.output.remote
            if path.protocol.reliable:
                yield from self._stream(path, data, ours=True)
            else:
                yield self._datagram(path, data, remote, ours=True)
        elif not path.open and path.protocol.reliable:
            yield from self._end(path, ours=True)

    def _input(self, step: Step, path: Path) -> Iterator[_Packet]:
        values = named(step)
        if step.name == "receive":
            data, source = values.get("data"), values.get("source")
            if not isinstance(data, bytes):
                return
            if path.protocol.reliable:
                yield from self._stream(path, data, ours=False)
            else:
                yield self._datagram(path, data, source if isinstance(source, tuple) else None, ours=False)
        elif not path.protocol.reliable:
            return
        elif step.name in ("flow_opened", "flow_accepted"):
            yield from self._handshake(path)
        elif step.name == "flow_closed":
            yield from self._end(path, ours=False, reset=values.get("error") is not None)

    def _datagram(self, path: Path, data: bytes, remote: Address | None, *, ours: bool) -> _Packet:
        local, remote = self._ends(path, remote)
        source, target = (local, remote) if ours else (remote, local)
        return _Packet(17, source, target, data[:MAX_UDP])

    def _handshake(self, path: Path) -> Iterator[_Packet]:
        known = self._connections.get(path.flow)
        if known is not None:
            return
        local, remote = self._ends(path, path.remote)
        self._connections[path.flow] = _Connection(local, remote)
        source, target = (remote, local) if path.accepted else (local, remote)
        yield _Packet(6, source, target, b"", _SYN, 0, 0)
        yield _Packet(6, target, source, b"", _SYN | _ACK, 0, 1)
        yield _Packet(6, source, target, b"", _ACK, 1, 1)

    def _stream(self, path: Path, data: bytes, *, ours: bool) -> Iterator[_Packet]:
        # One that was open before the run began gets its handshake now, so that a reader knows who opened it.
        yield from self._handshake(path)
        connection = self._connections[path.flow]
        for start in range(0, len(data), SEGMENT):
            piece = data[start : start + SEGMENT]
            flags = _ACK | (_PSH if start + SEGMENT >= len(data) else 0)
            yield self._segment(connection, flags, piece, ours=ours)

    def _end(self, path: Path, *, ours: bool, reset: bool = False) -> Iterator[_Packet]:
        connection = self._connections.pop(path.flow, None)
        if connection is None:
            return
        if reset:
            yield self._segment(connection, _RST | _ACK, b"", ours=ours)
            return
        yield self._segment(connection, _FIN | _ACK, b"", ours=ours)
        yield self._segment(connection, _FIN | _ACK, b"", ours=not ours)
        yield self._segment(connection, _ACK, b"", ours=ours)

    def _segment(self, connection: _Connection, flags: int, data: bytes, *, ours: bool) -> _Packet:
        length = len(data) + (1 if flags & _FIN else 0)
        if ours:
            packet = _Packet(
                6, connection.local, connection.remote, data, flags, connection.sent, connection.received
            )
            connection.sent = (connection.sent + length) & 0xFFFFFFFF
        else:
            packet = _Packet(
                6, connection.remote, connection.local, data, flags, connection.received, connection.sent
            )
            connection.received = (connection.received + length) & 0xFFFFFFFF
        return packet

    def _ends(self, path: Path, remote: Address | None) -> tuple[Address, Address]:
        """Our address and the other one, both of one family."""
        local = path.local or ("0.0.0.0", 0)
        remote = _literal(remote)
        if remote is None:
            remote = UNKNOWN_REMOTES[6 if ":" in local[0] else 4]
        family = _parse(remote[0]).version
        known = _literal(local)
        if known is None or known[0] in WILDCARDS or _parse(known[0]).version != family:
            host = self._hosts.get(remote[0], UNKNOWN_HOSTS[family])
        else:
            host = known[0]
        return (host, local[1] & 0xFFFF), remote


def _own_addresses(steps: Iterable[Step]) -> dict[str, str]:
    """By remote host: the system's answer about the address towards it, else the host of our own Via."""
    paths = Paths()
    vias: dict[str, str] = {}
    for step in steps:
        paths.learn(step)
        if not isinstance(step.output, Transmit) or step.output.remote is None or step.output.remote[0] in vias:
            continue
        try:
            message = parse_message(step.output.data)
            host = message.via.host if isinstance(message, Request) else ""
        except RemoteProtocolError:
            continue
        remote = _literal(step.output.remote)
        found = _literal((host.strip("[]"), 0))
        if remote is not None and found is not None and _parse(found[0]).version == _parse(remote[0]).version:
            vias[remote[0]] = found[0]
    sources = {_literal((remote, 0)): _literal((host, 0)) for remote, host in paths.sources.items()}
    told = {remote[0]: host[0] for remote, host in sources.items() if remote is not None and host is not None}
    same = {
        remote: host for remote, host in told.items()
        if _parse(host).version == _parse(remote).version and host not in WILDCARDS
    }
    return {**vias, **same}


def _literal(address: object) -> Address | None:
    """An address that can stand in a packet: a literal without zone, and a port."""
    if not isinstance(address, tuple) or len(address) < 2:
        return None
    host, port = address[0], address[1]
    if not isinstance(host, str) or not isinstance(port, int):
        return None
    try:
        return str(_parse(host.partition("%")[0])), port & 0xFFFF
    except ValueError:
        return None


def _parse(host: str) -> IPv4Address | IPv6Address:
    return ip_address(host)


def _record(packet: bytes, moment: float) -> bytes:
    # A clock that is no time makes no packet unreadable.
    moment = min(max(moment, 0.0), float(_LAST_SECOND)) if moment == moment else 0.0
    microseconds = round(moment * 1_000_000)
    seconds, microseconds = divmod(microseconds, 1_000_000)
    return struct.pack("<IIII", min(seconds, _LAST_SECOND), microseconds, len(packet), len(packet)) + packet


def _ip(packet: _Packet, number: int) -> bytes:
    source, target = _parse(packet.source[0]), _parse(packet.target[0])
    body = _udp(packet) if packet.protocol == 17 else _tcp(packet)
    addresses = source.packed + target.packed
    if source.version == 6:
        pseudo = addresses + struct.pack(">IHBB", len(body), 0, 0, packet.protocol)
    else:
        pseudo = addresses + struct.pack(">BBH", 0, packet.protocol, len(body))
    place = 6 if packet.protocol == 17 else 16
    # RFC 768: a sum of 0 means that there is none, so one that comes out as 0 is written as all ones.
    sum_ = _checksum(pseudo + body) or (0xFFFF if packet.protocol == 17 else 0)
    body = body[:place] + struct.pack(">H", sum_) + body[place + 2 :]
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(body), packet.protocol, 64) + addresses + body
    head = struct.pack(
        ">BBHHHBBH", 0x45, 0, 20 + len(body), number & 0xFFFF, 0x4000, 64, packet.protocol, 0
    ) + addresses
    return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + body


def _udp(packet: _Packet) -> bytes:
    payload = packet.payload
    return struct.pack(">HHHH", packet.source[1], packet.target[1], 8 + len(payload), 0) + payload


def _tcp(packet: _Packet) -> bytes:
    ports = packet.source[1], packet.target[1]
    numbers = packet.sequence, packet.acknowledged
    return struct.pack(">HHIIBBHHH", *ports, *numbers, 5 << 4, packet.flags, _WINDOW, 0, 0) + packet.payload


def _checksum(data: bytes) -> int:
    """The ones' complement of the ones' complement sum (RFC 1071)."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data[: len(data) & ~1]))
    if len(data) & 1:
        total += data[-1] << 8
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
