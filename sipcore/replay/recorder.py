"""A `UserAgent` that remembers what happened to it: in a bounded ring, and on demand line by line elsewhere.

Nothing in the core knows of it, and a driver takes it as any agent. Each input is noted before it is done, each random
number when it is drawn, each output when it is fetched; the notes are references to objects that exist anyway. The
ring has two segments, each of which begins with an image of the agent, so the older one can go at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from random import Random
from typing import Final, NamedTuple

from sipcore.agent import Snapshot, UserAgent
from sipcore.commands import Command, Record, Transmit
from sipcore.config import Account
from sipcore.errors import ReplayError
from sipcore.events import Event, Identify, InboundRequest
from sipcore.flows import Flow
from sipcore.replay.dice import NotedDice
from sipcore.replay.document import Ending, Part, document
from sipcore.replay.images import capture
from sipcore.replay.log import Endpoint, Entry, Proof, Raised, note_event
from sipcore.replay.proof import HEADERS, expected, given
from sipcore.replay.sink import Sink
from sipcore.replay.steps import Named
from sipcore.syntax.message import Request, Response
from sipcore.values import Address

__all__ = ["RecordingAgent", "RingStatus"]

LEAN_BYTES: Final = 4 << 20
"""Bytes of a segment when little happens, for a small agent: some 2 400 refreshes, months of a usual line's life."""

LEAN_BYTES_PER_MACHINE: Final = 100
"""... and for each machine of a large one, of which a waiting registration has three. Three times that, and its 600
bytes in the images, are less than 1.5 KiB for each registration."""

FAT: Final = 1.35
"""A segment so many times longer than a lean one is given up when little happens; a smaller one stays, since an image
would be taken for little."""

BUSY_BYTES: Final = 2 * LEAN_BYTES
"""Bytes of a segment while much happens: longer, so that images are taken less often."""

BUSY_BYTES_PER_MACHINE: Final = 500
"""... and for each machine of a large agent: at 10 000 registrations that do nothing but refresh, images then cost some
5 % of the agent's CPU."""

BUSY_IMAGE: Final = 1.25
"""An image with so many times more machines than the one after it was taken in a busy time."""

CALM: Final = 15.0
"""Seconds after which a segment that has become longer than a lean one is ended. So a minute after a busy time its
notes are gone."""

LOOKS: Final = 8
"""How often a segment that is too long and too young is looked at until it may be no longer."""

INPUT_BYTES: Final = 110
"""What an input costs besides the bytes that it brings: time, small arguments, random numbers. As measured."""

OUTPUT_BYTES: Final = 150
"""What an output costs besides the bytes that it sends: a status with its times, a command with its address."""

_ALERT: Final = 1 << 62
"""Taken from the room that is left, so that there is none and each input looks: for a sink, or without a ring."""


class RingStatus(NamedTuple):
    """What the ring holds."""

    segments: int
    bytes: int
    """An estimate of what the notes keep alive, images not counted."""
    since: float
    """The clock of `now` at which the oldest segment begins."""


class RecordingAgent(UserAgent):
    """A `UserAgent` with a recorder around it; `dump` gives the recording.

    `ring=False` keeps nothing until `start_sink`. What happens in the constructor is not part of the recording, which
    begins with the agent as it is then.
    """

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        *,
        random: Random,
        handles: Iterable[str] = (),
        extensions: Iterable[str] = (),
        snapshot: Mapping[str, Mapping[str, object]] | None = None,
        now: float = 0.0,
        wall: float = 0.0,
        remembers: bool = False,
        identify: Identify | None = None,
        ring: bool = True,
    ) -> None:
        self._ring = ring
        self._sink: Sink | None = None
        self._parts: list[Part] = []
        self._past = 0
        """Bytes of the segment before the current one."""
        self._lean = self._most = 0
        """Bytes after which the current segment may end, and has to."""
        self._room = _ALERT
        """Bytes until somebody looks how long the segment is."""
        self._given = 0
        """Bytes that the current segment was given so far."""
        self._busy = False
        """The segment before holds more than is held when little happens."""
        self._look_at = inf
        self.record_error: str | None = None
        """Why nothing is recorded any more, when the agent holds what cannot be recorded."""
        self.sink_error: str | None = None
        """Why the lines of the last `start_sink` ended early: something cannot be recorded, or the sink raised."""
        self._dice = NotedDice(random)
        self._log: list[Entry] = []
        self._dice.note_in(self._log)
        super().__init__(
            accounts,
            random=self._dice,
            handles=handles,
            extensions=extensions,
            snapshot=snapshot,
            now=now,
            wall=wall,
            remembers=remembers,
            identify=identify,
        )
        if ring:
            self._turn()
        else:
            self._room = -1

    # --- the recording ---------------------------------------------------------------------------------------------

    def dump(self, *, wall: tuple[float, float] | None = None) -> Iterator[str]:
        """The ring as the lines of a recording; what happens while they are fetched is not part of it.

        `wall` are one moment's `now` and Unix time, by which a reader can tell times of day. Raises `ReplayError` when
        there is no ring, or something in it cannot be recorded.
        """
        if not self._parts:
            raise ReplayError(self.record_error or "this agent keeps no ring")
        return document([Part(image, tuple(log)) for image, log in self._parts], wall, self._ending())

    def start_sink(self, sink: Callable[[str], object], *, wall: tuple[float, float] | None = None) -> None:
        """Give every line to `sink` as it happens, beginning with header and state. Raises `ReplayError`.

        A line comes when its input is done; one with a part of a message, and all behind it, when that is complete or
        can be no more. What `sink` raises then ends the lines, and nothing else; see `sink_error`.
        """
        self.stop_sink()
        self.sink_error = None
        self._sink = Sink(sink, self, capture(self), wall, len(self._log))
        self._room = -1 if not self._ring else self._room - _ALERT

    def stop_sink(self) -> None:
        """End what `start_sink` began, with the lines that are left. When nothing was begun, nothing happens."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.flush(self._log)
            sink.end(self._ending())
            self.sink_error = sink.error
            if self._ring:
                self._room += _ALERT

    @property
    def ring_status(self) -> RingStatus:
        """What `dump` would give."""
        if not self._parts:
            return RingStatus(0, 0, self.now)
        return RingStatus(len(self._parts), self._past + self._used(), self._parts[0].image.now)

    def _ending(self) -> Ending:
        return Ending(len(self._outputs), self.next_deadline())

    def _used(self) -> int:
        """Bytes of the current segment."""
        return self._given - self._room - (_ALERT if self._sink is not None else 0)

    def _look(self, now: float) -> None:
        """The segment may have become too long, or somebody wants to know of everything that happens."""
        sink = self._sink
        if sink is not None:
            sink.flush(self._log)
            self.sink_error = sink.error
        if not self._ring:
            # Noted all the same, since it costs less than to ask each time.
            self._log.clear()
            self._room = -1
            if sink is not None:
                sink.position = 0
            return
        used, age = self._used(), now - self._parts[-1].image.now
        if used > self._most or (age >= CALM and (used > self._lean or self._busy)):
            self._turn()
        elif used > self._given:
            more = self._most // LOOKS
            self._given += more
            self._room += more
            self._look_at = self._parts[-1].image.now + CALM

    def _turn(self) -> None:
        """Begin a new segment, and forget the one before the last."""
        self._past = self._used() if self._parts else 0
        try:
            image = capture(self, self._parts[-1].image if self._parts else None)
        except ReplayError as error:
            # Whoever records must not break what is recorded.
            self.record_error = str(error)
            self._parts, self._ring, self._room = [], False, -1
            return
        self._log = []
        self._dice.note_in(self._log)
        self._parts = [*self._parts[-1:], Part(image, self._log)]
        self._lean = max(LEAN_BYTES, LEAN_BYTES_PER_MACHINE * image.size)
        self._most = max(BUSY_BYTES, BUSY_BYTES_PER_MACHINE * image.size)
        self._given = self._lean
        self._room = self._lean
        if self._sink is not None:
            self._room -= _ALERT
            self._sink.position = 0
        # What a busy time has left goes although little happens now: its notes, and an image full of transactions.
        self._busy = self._past > FAT * self._lean or self._parts[0].image.size > BUSY_IMAGE * image.size
        self._look_at = image.now + CALM if self._busy else inf

    # --- outputs ---------------------------------------------------------------------------------------------------

    def next_output(self) -> Command | Event | None:
        """See `Endpoint`."""
        # A driver asks once more each time, until there is nothing.
        if not self._outputs:
            if self._sink is not None:
                self._look(self.now)
            return None
        output = _next_output(self)
        if isinstance(output, Transmit):
            data = output.data
            self._log += ("Transmit", output.flow, data, output.remote)
            self._room -= OUTPUT_BYTES + len(data)
        elif output is not None:
            note_event(self._log, output)
            self._room -= OUTPUT_BYTES
        return output

    # --- inputs ----------------------------------------------------------------------------------------------------

    def receive(self, flow: int, data: bytes, source: Address | None = None, *, now: float) -> None:
        """See `Endpoint`."""
        if type(data) is not bytes:
            data = _kept(data)
        self._room = room = self._room - INPUT_BYTES - len(data)
        if room < 0:
            self._look(now)
        self._log += ("receive", now, flow, data, source)
        try:
            _receive(self, flow, data, source, now=now)
        except Exception as error:
            self._failed(error)
            raise

    def handle_deadline(self, *, now: float) -> None:
        """See `Endpoint`."""
        self._room = room = self._room - INPUT_BYTES
        if room < 0 or now >= self._look_at:
            self._look(now)
        self._log += ("handle_deadline", now)
        try:
            _handle_deadline(self, now=now)
        except Exception as error:
            self._failed(error)
            raise

    def register(self, name: str, *, now: float) -> None:
        """See `UserAgent`."""
        self._room = room = self._room - INPUT_BYTES
        if room < 0:
            self._look(now)
        self._log += ("register", now, name)
        try:
            _register(self, name, now=now)
        except Exception as error:
            self._failed(error)
            raise

    # The others are rare, and need not be quick.

    def add(self, account: Account, *, now: float) -> None:
        """See `UserAgent`."""
        with self._noted("add", now, account):
            super().add(account, now=now)

    def unregister(self, name: str, *, all: bool = False, now: float) -> None:
        """See `UserAgent`."""
        with self._noted("unregister", now, name, all):
            super().unregister(name, all=all, now=now)

    def remove(self, name: str, *, now: float) -> None:
        """See `UserAgent`."""
        with self._noted("remove", now, name):
            super().remove(name, now=now)

    def reload(self, accounts: Iterable[Account], *, now: float) -> None:
        """See `UserAgent`."""
        accounts = tuple(accounts)
        with self._noted("reload", now, accounts):
            super().reload(accounts, now=now)

    def close(self, *, now: float, unregister: bool = True) -> None:
        """See `UserAgent`."""
        with self._noted("close", now, unregister):
            super().close(now=now, unregister=unregister)

    def remove_orphans(self, *, now: float) -> None:
        """See `UserAgent`."""
        with self._noted("remove_orphans", now):
            super().remove_orphans(now=now)

    def respond(
        self,
        request: InboundRequest,
        status: int,
        reason: str | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        now: float,
    ) -> None:
        """See `UserAgent`."""
        headers, body = tuple(headers), _kept(body)
        asked = getattr(request, "request", request)
        with self._noted("respond", now, asked, status, reason, headers, body):
            super().respond(request, status, reason, headers=headers, body=body, now=now)

    def send_raw(self, flow: int, data: bytes, remote: Address | None = None, *, now: float) -> None:
        """See `Endpoint`."""
        data = _kept(data)
        with self._noted("send_raw", now, flow, data, remote):
            super().send_raw(flow, data, remote, now=now)

    def resolved(self, query: int, records: Sequence[Record], *, now: float) -> None:
        """See `UserAgent`."""
        records = tuple(records)
        with self._noted("resolved", now, query, records):
            super().resolved(query, records, now=now)

    def resolve_failed(self, query: int, error: str, *, now: float) -> None:
        """See `UserAgent`."""
        with self._noted("resolve_failed", now, query, error):
            super().resolve_failed(query, error, now=now)

    def network_changed(self, *, now: float) -> None:
        """See `UserAgent`."""
        with self._noted("network_changed", now):
            super().network_changed(now=now)

    def listening(self, listener: int, local: Address, *, now: float) -> None:
        """See `Endpoint`."""
        with self._noted("listening", now, listener, local):
            super().listening(listener, local, now=now)

    def listen_failed(self, listener: int, error: str, *, now: float) -> None:
        """See `Endpoint`."""
        with self._noted("listen_failed", now, listener, error):
            super().listen_failed(listener, error, now=now)

    def flow_accepted(self, listener: int, local: Address, remote: Address, *, now: float) -> int:
        """See `Endpoint`."""
        with self._noted("flow_accepted", now, listener, local, remote):
            return super().flow_accepted(listener, local, remote, now=now)

    def flow_opened(self, flow: int, local: Address, remote: Address | None = None, *, now: float) -> None:
        """See `Endpoint`."""
        with self._noted("flow_opened", now, flow, local, remote):
            super().flow_opened(flow, local, remote, now=now)

    def flow_closed(self, flow: int, error: str | None = None, *, now: float) -> None:
        """See `Endpoint`."""
        with self._noted("flow_closed", now, flow, error):
            super().flow_closed(flow, error, now=now)

    def transmit_failed(self, flow: int, remote: Address, error: str, *, now: float) -> None:
        """See `Endpoint`."""
        with self._noted("transmit_failed", now, flow, remote, error):
            super().transmit_failed(flow, remote, error, now=now)

    def snapshot(self, *, now: float, wall: float) -> Snapshot:
        """See `UserAgent`."""
        with self._noted("snapshot", now, wall):
            return super().snapshot(now=now, wall=wall)

    # --- inside ----------------------------------------------------------------------------------------------------

    def on_response(self, flow: Flow, response: Response, data: bytes, source: Address | None, now: float) -> None:
        """See `UserAgent`; what proves that the server knows the password is judged before it is masked."""
        if response.status < 300 and b"rspauth" in data.lower():
            for header in HEADERS:
                value, right = given(response, header), expected(self, response, header)
                if value is not None and right is not None:
                    self._log.append(Proof(value.lower() == right))
        _on_response(self, flow, response, data, source, now)

    def identified(self, request: Request, source: Address | None, registration: str | None) -> Named:
        """See `UserAgent`; it depends on more than the input, so it is part of the recording."""
        named = super().identified(request, source, registration)
        if self.identify is not None:
            self._log.append(Endpoint(named))
        return named

    @contextmanager
    def _noted(self, name: str, now: float, *arguments: object) -> Iterator[None]:
        size = len(arguments[1]) if len(arguments) > 1 and isinstance(arguments[1], bytes) else 0
        self._room = room = self._room - INPUT_BYTES - size
        if room < 0:
            self._look(now)
        self._log += (name, now, *arguments)
        try:
            yield
        except Exception as error:
            self._failed(error)
            raise

    def _failed(self, error: Exception) -> None:
        self._log.append(Raised(error))


def _kept(data: bytes | bytearray | memoryview) -> bytes:
    # Whoever has a buffer fills it again, and what is noted has to stay.
    return bytes(data) if isinstance(data, bytearray | memoryview) else data


# Found without a look into the table of base classes.
_receive = UserAgent.receive
_handle_deadline = UserAgent.handle_deadline
_register = UserAgent.register
_next_output = UserAgent.next_output
_on_response = UserAgent.on_response
