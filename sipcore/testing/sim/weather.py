"""The network of the simulated world: all that can happen to bytes between the client's host and the others."""

from __future__ import annotations

from collections import deque
from random import Random

from sipcore.testing.mutation.elements import ELEMENTS
from sipcore.testing.mutation.parts import fields_of
from sipcore.testing.mutation.structure import OPERATIONS
from sipcore.testing.wire import Datagram, Wire
from sipcore.values import Address

__all__ = ["Weather"]

RETRANSMITTED = 1.0
"""Seconds after the end of a partition until a stream's bytes arrive: TCP tries again by its own clock."""

MAX_REORDERED = 40.0
"""Seconds that a datagram may be late: longer than any transaction waits for it."""

SIP_HEADERS = 28
"""Bytes of IPv4 and UDP headers, which count towards the MTU."""

CAPTURED = 64
"""Datagrams, and messages of streams, that an enemy on the path keeps to send them again."""


class Weather(Wire):
    """A wire whose conditions are all at rest at first; faults change them, for a while or at once.

    `client` is the client's host; directions are seen from there. All dice come from the wire's own seeded random, and
    none is thrown for a condition that is at rest.
    """

    def __init__(self, *, seed: int, client: str, latency: float = 0.01, jitter: float = 0.01) -> None:
        super().__init__(seed=seed, latency=latency, jitter=jitter)
        self.client = client
        self.lost_out = 0.0
        """Probability that a datagram from the client's host is lost."""
        self.lost_in = 0.0
        """Probability that a datagram to it is lost."""
        self.late = 0.0
        """Probability that a datagram is late, and overtaken, by up to `lateness`."""
        self.lateness = MAX_REORDERED
        self.flipped = 0.0
        """Probability that one bit of a datagram is wrong when it arrives (IPv4 may carry UDP without a checksum)."""
        self.changed = 0.0
        """Probability that an enemy on the path changes a datagram, or what is written to a stream at once."""
        self.repeated = 0.0
        """Probability that he sends an old one once more, behind a new one."""
        self.mtu: int | None = None
        """Bytes of the largest packet that passes; larger ones vanish, as where fragments are filtered."""
        self.cut_out_until = 0.0
        """Nothing from the client's host passes before."""
        self.cut_in_until = 0.0
        """Nothing to it passes before."""
        self.resets = 0.0
        """Probability that a connection breaks while bytes are written to it, after any of them."""
        self.public: str | None = None
        """The address that a NAT gives to what the client's host sends; None without a NAT."""
        self._outside: dict[Address, Address] = {}
        self._inside: dict[Address, Address] = {}
        self._public_port = 20000
        self._captured: deque[Datagram] = deque(maxlen=CAPTURED)
        self._overheard: deque[bytes] = deque(maxlen=CAPTURED)
        self.carried = 0
        self.dropped = 0
        self.damaged = 0

    # --- datagrams -------------------------------------------------------------------------------------------------

    def carry(self, datagram: Datagram) -> list[tuple[float, Datagram]]:
        """What arrives of a datagram, each with the seconds from now until it does."""
        self.carried += 1
        outward = datagram.source[0] == self.client
        if datagram.at < (self.cut_out_until if outward else self.cut_in_until):
            self.dropped += 1
            return []
        if self.mtu is not None and len(datagram.data) + SIP_HEADERS > self.mtu:
            self.dropped += 1
            return []
        if self.public is not None:
            translated = self._translate(datagram, outward)
            if translated is None:
                self.dropped += 1
                return []
            datagram = translated
        lost = self.lost_out if outward else self.lost_in
        if self._happens(lost):
            self.dropped += 1
            return []
        if self._happens(self.flipped):
            self.damaged += 1
            datagram = datagram._replace(data=self._flip(datagram.data))
        if self._happens(self.changed):
            self.damaged += 1
            datagram = datagram._replace(data=_changed(datagram.data, self.random))
        arriving = super().carry(datagram)
        if self.repeated > 0:
            self._captured.append(datagram)
            if self._happens(self.repeated):
                arriving.append((self.delay(), self.random.choice(self._captured)))
        if self.late > 0:
            random = self.random
            arriving = [
                (delay + self.lateness * random.random() if random.random() < self.late else delay, item)
                for delay, item in arriving
            ]
        return arriving

    def rebind(self, public: str) -> None:
        """A NAT stands before the client from now on, or forgets all that it knew: other ports, nothing from before."""
        self.public = public
        self._outside.clear()
        self._inside.clear()

    def _translate(self, datagram: Datagram, outward: bool) -> Datagram | None:
        if outward:
            source = datagram.source
            outside = self._outside.get(source)
            if outside is None:
                assert self.public is not None
                self._public_port += 1
                outside = self._outside[source] = (self.public, self._public_port)
                self._inside[outside] = source
            return datagram._replace(source=outside)
        inside = self._inside.get(datagram.destination)
        return None if inside is None else datagram._replace(destination=inside)

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return data
        place = self.random.randrange(len(data))
        return data[:place] + bytes([data[place] ^ (1 << self.random.randrange(8))]) + data[place + 1 :]

    # --- streams ---------------------------------------------------------------------------------------------------

    def stream_delay(self, local: Address, remote: Address, now: float) -> float:
        """Bytes of a stream wait for the end of a partition."""
        until = self.cut_out_until if local[0] == self.client else self.cut_in_until
        stalled = until - now + RETRANSMITTED if now < until else 0.0
        return stalled + self.delay()

    def breaks_after(self, data: bytes) -> int | None:
        """After any byte, if at all."""
        return self.random.randrange(len(data) + 1) if self._happens(self.resets) else None

    def pieces(self, data: bytes) -> list[bytes]:
        """An enemy on the path writes into streams, too: whole messages, since that is how they are sent."""
        if self._happens(self.changed):
            data = _changed(data, self.random)
        pieces = super().pieces(data)
        if self.repeated > 0:
            self._overheard.append(data)
            if self._happens(self.repeated):
                pieces += super().pieces(self.random.choice(self._overheard))
        return pieces


def _changed(data: bytes, random: Random) -> bytes:
    """One thing done to a message, as the generator of mutants does it."""
    fields = fields_of(data)
    if fields and random.random() < 0.5:
        place = random.choice(fields)
        return data[: place.start] + random.choice(ELEMENTS).data + data[place.end :]
    operation = random.choice(OPERATIONS)
    places = operation.places(data)
    return operation.apply(data, random.randrange(places)) if places else data
