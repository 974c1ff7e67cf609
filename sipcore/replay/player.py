"""Playing a recording back: the recorded inputs to a restored agent, and its outputs beside the recorded ones.

Theory of operation. Each segment begins with its image, so each can be played alone. An input is given with the time
and the random numbers that were recorded; where the recorder fetched an output, one is fetched. Compared is what is
written of both, masked, so that a reader without the secrets sees no difference either. Between two segments the
state of the agent is compared with the next image, which finds also what has had no effect yet.

A played agent may be anything that a damaged or hostile document describes, so whatever it raises is a difference like
any other, and a timer that is due again and again ends the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from sipcore.agent import UserAgent
from sipcore.commands import Command, Transmit
from sipcore.errors import RemoteProtocolError, ReplayError
from sipcore.events import Event, InboundRequest
from sipcore.flows import Flow
from sipcore.replay.dice import PlayedDice
from sipcore.replay.document import VERSION, framers
from sipcore.replay.images import capture
from sipcore.replay.labels import Labels, Secrets, Vault
from sipcore.replay.masking import mask, mask_text, prove
from sipcore.replay.proof import HEADERS, expected, given
from sipcore.replay.reading import PART_NAMES, Reader, restored
from sipcore.replay.recording import Recording, Segment, step_of
from sipcore.replay.shapes import Json
from sipcore.replay.steps import Draw, Named, Step
from sipcore.replay.writing import Writer
from sipcore.syntax.grammar import visible
from sipcore.syntax.message import Request, Response, parse_message
from sipcore.timers import Timed, Timers
from sipcore.values import Address

__all__ = ["Difference", "Outcome", "Played", "compare", "play"]

MAX_DUE: Final = 10_000
"""Deadlines that may be due in one input besides four times as many as are armed: an agent that is sound has each
machine due once or twice."""

MAX_LINE: Final = 400
"""Characters of a line of a difference when it is shown."""


class Difference(NamedTuple):
    """Where the played run first went another way than the recorded one."""

    step: Step | None
    """The step at which it showed; None for what shows behind the last one."""
    kind: str
    """What differs: `output`, `error`, `random`, `state` or `end`."""
    recorded: tuple[str, ...]
    """What was recorded, line by line."""
    replayed: tuple[str, ...]
    """What came instead."""
    note: str = ""

    @property
    def lines(self) -> tuple[tuple[str | None, str | None], ...]:
        """The lines side by side that are not equal; None where one side has no line left."""
        pairs = zip_longest(self.recorded, self.replayed)
        return tuple((one, other) for one, other in pairs if one != other)

    def __str__(self) -> str:
        """Safe to print; `recorded` and `replayed` themselves are as the peer wrote them, but masked."""
        where = "at the end" if self.step is None else f"step {self.step.number} ({self.step.name} at {self.step.now})"
        text = [visible(f"{where}: the {self.kind} differs{f' ({self.note})' if self.note else ''}", MAX_LINE)]
        for one, other in self.lines:
            text += [f"  recorded: {_shown(one)}", f"  replayed: {_shown(other)}"]
        return "\n".join(text)


class Played(NamedTuple):
    """One step of a recording, played."""

    segment: int
    step: Step
    """As recorded."""
    output: Command | Event | None
    """What came where the recording has an output; the real one, which holds real responses when the secrets are."""
    difference: Difference | None
    """The last thing that is played has one, if there is any."""


class Outcome(NamedTuple):
    """What became of a whole recording."""

    segments: int
    inputs: int
    """How many were played."""
    outputs: int
    """How many came as recorded."""
    difference: Difference | None

    @property
    def identical(self) -> bool:
        """True when there was no difference."""
        return self.difference is None


def compare(recording: Recording, secrets: Secrets | None = None) -> Outcome:
    """Play all segments. Raises `ReplayError` when an image cannot be used."""
    segments = inputs = outputs = 0
    for played in play(recording, secrets):
        segments = played.segment
        if played.difference is not None:
            return Outcome(segments, inputs, outputs, played.difference)
        if played.step.is_input:
            inputs += 1
        else:
            outputs += 1
    return Outcome(max(segments, len(recording.segments)), inputs, outputs, None)


def play(recording: Recording, secrets: Secrets | None = None, *, segment: int | None = None) -> Iterator[Played]:
    """Play a recording step by step, or one of its segments (1, 2, ...), up to the first difference.

    `secrets` are given by label (`Recording.secrets`) or passwords by registration name; what is missing is replaced.
    Raises `ReplayError` when an image cannot be used, or there is no such segment.
    """
    if segment is not None and not 1 <= segment <= len(recording.segments):
        raise ReplayError(f"there is no segment {segment}; there are {len(recording.segments)}")
    note = "" if recording.version == VERSION else f"recorded by sipcore {recording.version}, played by {VERSION}"
    vault = Vault(secrets)
    for index, part in enumerate(recording.segments):
        if segment is not None and part.number != segment:
            continue
        player = _Player(part, vault, note)
        for step, (_, line) in zip(part.steps, part.lines, strict=True):
            played = player.play(step, line)
            yield played
            if played.difference is not None:
                return
        following = recording.segments[index + 1] if index + 1 < len(recording.segments) else None
        difference = player.end(recording) if following is None else player.arrive(following)
        if difference is not None:
            last = part.steps[-1] if part.steps else Step(0, part.now, "nothing")
            yield Played(part.number, last, None, difference)
            return


class _Player:
    """Plays one segment."""

    def __init__(self, segment: Segment, vault: Vault, note: str) -> None:
        self._segment = segment
        self._vault = vault
        self._note = note
        self._reader: Reader = segment.reader(vault)
        self._dice = PlayedDice()
        self._agent = restored(self._reader, _PlayedAgent, self._dice, last=segment.last)
        self._agent.begin()
        self._requests: dict[int, Request] = {}
        """What the agent handed out for each recorded request, by the recorded one's address."""
        self._kept: list[Request] = []
        self._shown = _Shown()

    def play(self, recorded: Step, line: Mapping[str, Json]) -> Played:
        """One step; `line` is what stood in the document, read again with the secrets."""
        step = step_of(line, self._reader)
        if step.output is not None:
            output = self._agent.next_output()
            return Played(self._segment.number, recorded, output, self._compare(recorded, step.output, output))
        return Played(self._segment.number, recorded, None, self._input(recorded, step))

    def _input(self, recorded: Step, step: Step) -> Difference | None:
        arguments = [
            self._requests.get(id(item), item) if isinstance(item, Request) else item for item in step.arguments
        ]
        self._dice.load(step.random)
        self._agent.proofs = list(step.proofs)
        self._agent.endpoints = list(step.endpoints)
        error: str | None = None
        try:
            getattr(self._agent, step.name)(*arguments, **step.keywords, now=step.now)
        except Exception as raised:
            error = mask_text(f"{type(raised).__name__}: {raised}")
        if error != recorded.error:
            return self._difference(recorded, "error", _said(recorded.error), _said(error))
        if self._dice.drawn != step.random:
            return self._difference(recorded, "random", _draws(step.random), _draws(self._dice.drawn))
        return None

    def _compare(self, recorded: Step, one: Command | Event, other: Command | Event | None) -> Difference | None:
        if other is None:
            return self._difference(recorded, "output", self._shown.lines(one), ("nothing",))
        if isinstance(one, InboundRequest) and isinstance(other, InboundRequest):
            self._requests[id(one.request)] = other.request
            self._kept.append(one.request)
        try:
            if self._shown.value(one) == self._shown.value(other):
                return None
        except ReplayError as error:
            return self._difference(recorded, "output", self._shown.lines(one), (str(error),))
        return self._difference(recorded, "output", self._shown.lines(one), self._shown.lines(other))

    def end(self, recording: Recording) -> Difference | None:
        """What shows behind the last step."""
        ending = recording.ending
        if ending is None:
            return None
        pending, deadline = len(self._agent._outputs), self._agent.next_deadline()
        if (pending, deadline) == (ending.pending, ending.deadline):
            return None
        return self._difference(
            None,
            "end",
            (f"{ending.pending} outputs not fetched, deadline {ending.deadline}",),
            (f"{pending} outputs not fetched, deadline {deadline}",),
        )

    def arrive(self, following: Segment) -> Difference | None:
        """The state against the image of the next segment."""
        labels = Labels()
        for label, secret in self._vault.made.items():
            labels.learn(secret, label)
        self._agent.finish()
        try:
            image = capture(self._agent)
            # What framers hold was fed masked, and was masked knowing what comes behind it.
            held = {address: data for _, address, data in framers(image)}
            nodes = list(Writer(labels).image(image, held))
        except ReplayError as error:
            return self._difference(None, "state", (), (str(error),))
        recorded = list(following.nodes)
        # Behind the image stand requests and profiles that its steps have brought.
        while len(recorded) > len(nodes) and recorded[-1].kind in PART_NAMES:
            recorded.pop()
        for node, theirs in zip_longest(recorded, nodes):
            one = () if node is None else _node(node.number, node.kind, node.has)
            other = () if theirs is None else _node(theirs["node"], theirs["is"], theirs["has"])
            if one != other:
                return self._difference(None, "state", one, other)
        return None

    def _difference(
        self, step: Step | None, kind: str, recorded: Sequence[str], replayed: Sequence[str]
    ) -> Difference:
        return Difference(step, kind, tuple(recorded), tuple(replayed), self._note)


class _PlayedAgent(UserAgent):
    """An agent that is told which proofs were right and what `identify` said, and that is not due for ever."""

    proofs: list[str]
    endpoints: list[Named]

    def begin(self) -> None:
        """Take the place of the restored agent's timers."""
        self.proofs = []
        self.endpoints = []
        timers = _BoundedTimers()
        timers._heap, timers._key, timers._dead = self.timers._heap, self.timers._key, self.timers._dead
        self.timers = timers

    def finish(self) -> None:
        """Nothing more is played: an image of it knows only timers of the usual kind."""
        timers = Timers()
        timers._heap, timers._key, timers._dead = self.timers._heap, self.timers._key, self.timers._dead
        self.timers = timers

    def handle_deadline(self, *, now: float) -> None:
        """See `Endpoint`."""
        timers = self.timers
        assert isinstance(timers, _BoundedTimers)
        timers.left = 4 * len(timers) + MAX_DUE
        super().handle_deadline(now=now)

    def identified(self, request: Request, source: Address | None, registration: str | None) -> Named:
        """See `UserAgent`."""
        return self.endpoints.pop(0) if self.endpoints else (None, None)

    def on_response(self, flow: Flow, response: Response, data: bytes, source: Address | None, now: float) -> None:
        """See `UserAgent`."""
        if self.proofs and response.status < 300:
            for header in HEADERS:
                if self.proofs and given(response, header) is not None:
                    right = expected(self, response, header)
                    if right is not None and self.proofs.pop(0) == "right":
                        data = prove(data, header, right)
            try:
                message = parse_message(data)
            except RemoteProtocolError:
                message = response
            if isinstance(message, Response):
                response = message
        super().on_response(flow, response, data, source, now)


class _BoundedTimers(Timers):
    """Timers that are due so often and no more."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        super().__init__()
        self.left = MAX_DUE

    def pop(self, now: float) -> Timed | None:
        self.left -= 1
        if self.left < 0:
            raise ReplayError("a deadline is due again and again")
        return super().pop(now)


class _Shown(Writer):
    """Writes outputs for comparison: a request by what it says."""

    def request(self, request: Request) -> Json:
        """What it says."""
        return {"Request": self.value(bytes(request))}

    def lines(self, output: Command | Event) -> tuple[str, ...]:
        """An output as lines for people."""
        if isinstance(output, Transmit):
            head = f"Transmit on flow {output.flow}{'' if output.remote is None else f' to {output.remote}'}"
            text = mask(output.data, unfinished=True).decode("utf-8", "backslashreplace")
            return (head, *text.removesuffix("\r\n").split("\r\n"))
        ((name, has),) = self.value(output).items()
        return (name, *(f"{field} = {value!r}" for field, value in has.items()))


def _node(number: int, kind: str, has: Mapping[str, Json]) -> tuple[str, ...]:
    # Numbers are compared by what they are: 10 is 10.0.
    return (f"node {number}: {kind}", *(f"{field} = {_plain(value)!r}" for field, value in has.items()))


def _plain(value: Json) -> Json:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _said(error: str | None) -> tuple[str, ...]:
    return ("no error" if error is None else error,)


def _draws(draws: Sequence[Draw]) -> tuple[str, ...]:
    return tuple(f"{kind}: {value}" for kind, value in draws) or ("nothing drawn",)


def _shown(line: str | None) -> str:
    return "-" if line is None else visible(line, MAX_LINE)
