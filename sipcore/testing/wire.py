"""What happens to bytes between two addresses: they take time, get lost, doubled, late or cut, all by a seeded dice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from sipcore.values import Address

__all__ = ["Datagram", "Fault", "Wire"]


class Datagram(NamedTuple):
    """One datagram on its way."""

    at: float
    """When it was sent."""
    data: bytes
    source: Address
    destination: Address


Fault = Callable[[Datagram, Random], Iterable[tuple[float, Datagram]]]
"""What becomes of one datagram: nothing, or what arrives, each with its further delay in seconds."""


class Wire:
    """The conditions of a virtual network; they may be changed at any time, and hold for what is sent from then on.

    Datagrams are lost with probability `loss`, doubled with `duplication`, and arrive after `latency` and up to
    `jitter` seconds more, so with jitter they overtake each other. Streams arrive in order, after the same delay, and
    with `cut` in pieces of random size. Further `faults` see every datagram first.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        latency: float = 0.0,
        jitter: float = 0.0,
        loss: float = 0.0,
        duplication: float = 0.0,
        cut: bool = False,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.random = Random(seed)
        self.latency = latency
        self.jitter = jitter
        self.loss = loss
        self.duplication = duplication
        self.cut = cut
        self.faults = list(faults)

    def carry(self, datagram: Datagram) -> list[tuple[float, Datagram]]:
        """What arrives of a datagram, each with the seconds from now until it does."""
        arriving = [(0.0, datagram)]
        for fault in self.faults:
            arriving = [
                (delay + further, item)
                for delay, before in arriving
                for further, item in fault(before, self.random)
            ]
        arriving = [item for item in arriving if not self._happens(self.loss)]
        arriving += [item for item in arriving if self._happens(self.duplication)]
        return [(delay + self.delay(), item) for delay, item in arriving]

    def delay(self) -> float:
        """How long the next thing takes."""
        return self.latency + (self.jitter * self.random.random() if self.jitter else 0.0)

    def stream_delay(self, local: Address, remote: Address, now: float) -> float:
        """How long bytes of a stream, or a connection that is opened, take from `local` to `remote`."""
        return self.delay()

    def breaks_after(self, data: bytes) -> int | None:
        """After how many of these bytes their connection breaks; None when it does not."""
        return None

    def pieces(self, data: bytes) -> list[bytes]:
        """The pieces in which bytes of a stream arrive."""
        if not self.cut:
            return [data]
        pieces = []
        while data:
            size = self.random.randint(1, len(data))
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    def _happens(self, probability: float) -> bool:
        # No dice where the answer is known: switching a fault off must not change what the others do.
        return probability > 0 and self.random.random() < probability
