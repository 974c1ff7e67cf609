"""The recorder: what it notes, what it holds on to, and what it gives away while it happens."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from inspect import Parameter, isfunction, signature
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.agent import UserAgent
from sipcore.config import Account
from sipcore.errors import LocalProtocolError
from sipcore.replay import VERSION, RecordingAgent, ReplayError, compare, read, recorder
from sipcore.replay.inputs import INPUTS
from sipcore.testing import Line, challenge, ok
from sipcore.testing import line as line_module
from tests.accounts import TCP, account
from tests.replay.lives import CANARIES, live

SEEDS = st.integers(0, 10_000)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """alice's line, its agent recorded; she is registered for a minute at a time."""
    monkeypatch.setattr(line_module, "UserAgent", RecordingAgent)
    return Line(account(), script=[challenge(), ok(60)])


def agent_of(line: Line) -> RecordingAgent:
    assert isinstance(line.agent, RecordingAgent)
    return line.agent


def test_every_input_of_the_agent_is_recorded() -> None:
    """A new input of the core needs a method here, or its calls would be missing in every recording."""
    takes_now = {
        name
        for kind in UserAgent.__mro__
        for name, item in vars(kind).items()
        if not name.startswith("_") and isfunction(item) and _is_keyword(signature(item).parameters.get("now"))
    }
    assert takes_now == set(INPUTS)
    assert set(INPUTS) <= set(vars(RecordingAgent))


def _is_keyword(parameter: Parameter | None) -> bool:
    return parameter is not None and parameter.kind is Parameter.KEYWORD_ONLY


def test_a_recording_says_what_happened_in_order(line: Line) -> None:
    line.register(until=1.0)
    steps = read(agent_of(line).dump(wall=(0.0, 1.7e9))).steps
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    names = [step.name for step in steps]
    assert names[:3] == ["register", "handle_deadline", "Resolve"]
    assert names[-2:] == ["Registered", "StatusChanged"]
    received = next(step for step in steps if step.name == "receive")
    assert isinstance(received.arguments[1], bytes)
    assert received.arguments[1].startswith(b"SIP/2.0 401 Unauthorized\r\n")
    assert received.arguments[2] == ("192.0.2.1", 5060)
    assert [draw[0] for draw in received.random] == ["getrandbits:128", "getrandbits:128"]


def test_the_header_says_who_recorded_and_when(line: Line) -> None:
    recording = read(agent_of(line).dump(wall=(5.0, 1.7e9)))
    assert recording.wall == (5.0, 1.7e9)
    assert recording.version == VERSION
    assert recording.secrets == ("alice/password",)
    assert read(agent_of(line).dump()).wall is None


def test_what_is_refused_to_the_application_is_recorded_with_its_error(line: Line) -> None:
    with pytest.raises(LocalProtocolError):
        line.agent.register("nobody", now=line.now)
    with pytest.raises(LocalProtocolError):
        line.agent.add(account(), now=line.now)
    recording = read(agent_of(line).dump())
    assert [step.error for step in recording.steps] == [
        "LocalProtocolError: there is no registration 'nobody'",
        "LocalProtocolError: there is a registration 'alice' already",
    ]
    assert compare(recording).identical


def test_a_bug_of_the_core_is_recorded_too(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, now: float) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr(UserAgent, "settle", broken)
    with pytest.raises(AssertionError):
        line.agent.handle_deadline(now=1.0)
    recording = read(agent_of(line).dump())
    assert recording.steps[-1].error == "AssertionError: a bug"
    assert compare(recording).identical
    monkeypatch.undo()
    difference = compare(recording).difference
    assert difference is not None
    assert difference.kind == "error"


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
def test_what_came_in_a_buffer_stays_what_it_was(kind: Callable[[bytes], bytearray | memoryview]) -> None:
    """Whoever reads into one buffer again and again gives the same object for all that arrives."""
    agent = RecordingAgent([account(transport=TCP, registrar="sip:192.0.2.1")], random=Random(1))
    lines: list[str] = []
    agent.start_sink(lines.append)
    agent.register("alice", now=0.0)
    agent.handle_deadline(now=0.0)
    agent.flow_opened(1, ("192.0.2.10", 4000), ("192.0.2.1", 5060), now=0.0)
    while agent.next_output() is not None:
        pass
    message = b"OPTIONS sip:alice@192.0.2.10 SIP/2.0\r\nContent-Length: 0\r\n\r\n"
    for data in (message[:20], message[20:]):
        buffer = kind(data)
        agent.receive(1, buffer, now=1.0)  # type: ignore[arg-type]
        buffer[:] = bytes(len(buffer))
    own = kind(b"own bytes")
    agent.send_raw(1, own, now=2.0)  # type: ignore[arg-type]
    own[:] = bytes(len(own))
    while agent.next_output() is not None:
        pass
    agent.stop_sink()
    for recording in (read(agent.dump()), read(lines)):
        received = [step.arguments[1] for step in recording.steps if step.name == "receive"]
        assert received == [message[:20], message[20:]]
        assert compare(recording).identical
    assert agent.sink_error is None


def test_a_dump_does_not_see_what_happens_while_it_is_fetched(line: Line) -> None:
    line.register(until=1.0)
    lines = agent_of(line).dump()
    first = next(lines)
    line.run(until=100.0)
    recording = read([first, *lines])
    assert all(step.now <= 1.0 for step in recording.steps)
    assert compare(recording).identical


# --- the ring --------------------------------------------------------------------------------------------------------


def test_the_ring_forgets_the_oldest_segment(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "LEAN_BYTES", 20_000)
    monkeypatch.setattr(recorder, "LEAN_BYTES_PER_MACHINE", 0)
    agent = RecordingAgent([account()], random=Random(1))
    life = Line(script=[challenge(), ok(60)])
    life.world.residents.clear()
    life.agent = agent
    station = type(life.station)(life.world, agent)
    agent.register("alice", now=0.0)
    sizes = []
    for minute in range(60):
        life.run(until=60.0 * minute)
        sizes.append(agent.ring_status.bytes)
        assert agent.ring_status.segments <= 2
    assert station.outputs
    assert max(sizes) < 3 * 20_000
    assert agent.ring_status.since > 1000.0
    recording = read(agent.dump())
    assert len(recording.segments) == 2
    assert compare(recording).identical


def test_the_ring_is_bounded_while_much_happens_in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the calm in which a lean segment would end, a busy one ends at its own bound."""
    monkeypatch.setattr(recorder, "LEAN_BYTES", 20_000)
    monkeypatch.setattr(recorder, "BUSY_BYTES", 40_000)
    monkeypatch.setattr(recorder, "LEAN_BYTES_PER_MACHINE", 0)
    monkeypatch.setattr(recorder, "BUSY_BYTES_PER_MACHINE", 0)
    agent = RecordingAgent([account()], random=Random(1))
    sizes = []
    for _ in range(2000):
        agent.receive(1, b"x" * 500, ("192.0.2.1", 5060), now=0.0)
        sizes.append(agent.ring_status.bytes)
    assert 60_000 < max(sizes) < 2 * 40_000 + 10_000
    assert agent.ring_status.segments == 2


def test_a_minute_after_a_busy_time_its_notes_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "LEAN_BYTES", 20_000)
    monkeypatch.setattr(recorder, "BUSY_BYTES", 400_000)
    monkeypatch.setattr(recorder, "LEAN_BYTES_PER_MACHINE", 0)
    monkeypatch.setattr(recorder, "BUSY_BYTES_PER_MACHINE", 0)
    agent = RecordingAgent([account()], random=Random(1))
    for _ in range(500):
        agent.receive(1, b"x" * 500, ("192.0.2.1", 5060), now=0.0)
    assert agent.ring_status.bytes > 200_000
    for second in range(60):
        agent.handle_deadline(now=float(second))
    assert agent.ring_status.bytes < 20_000


def test_estimates_of_the_ring_are_near_the_truth(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "CALM", 1e9)
    line.register(until=1.0)
    agent = agent_of(line)
    line.station.on_output = lambda output: None
    tracemalloc.start()
    try:
        estimated = agent.ring_status.bytes
        line.run(until=line.now + 30_000.0)
        estimated = agent.ring_status.bytes - estimated
        agent._log.clear()
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        line.run(until=line.now + 30_000.0)
        gc.collect()
        real = tracemalloc.get_traced_memory()[0] - held
    finally:
        tracemalloc.stop()
    # The scripted registrar keeps each request, too.
    assert 0.3 * estimated < real < 4 * estimated


def test_without_a_ring_nothing_is_kept() -> None:
    agent = RecordingAgent([account()], random=Random(1), ring=False)
    for _ in range(100):
        agent.receive(1, b"x" * 500, ("192.0.2.1", 5060), now=0.0)
    assert len(agent._log) < 10
    assert agent.ring_status == (0, 0, 0.0)
    with pytest.raises(ReplayError, match="keeps no ring"):
        agent.dump()


def test_an_agent_that_cannot_be_recorded_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        """Not in the tables."""

    agent = RecordingAgent([account()], random=Random(1))
    agent.network.idle = Odd()  # type: ignore[assignment]
    agent._turn()
    agent.register("alice", now=0.0)
    assert agent.record_error == "a Odd cannot be recorded: it is not in the table of machines"
    with pytest.raises(ReplayError, match="Odd"):
        agent.dump()


# --- the sink --------------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(seed=SEEDS)
def test_a_sink_gets_the_same_steps_as_the_ring(seed: int) -> None:
    """Line by line or at the end, with streams cut anywhere: the same steps, and no secret in either."""
    lines: list[str] = []
    begun = [False]

    def make(accounts: list[Account], *, random: Random, handles: list[str], now: float) -> UserAgent:
        agent = RecordingAgent(accounts, random=random, handles=handles, now=now)
        agent.start_sink(lines.append)
        begun[0] = True
        return agent

    life = live(make, seed)  # type: ignore[arg-type]
    agent = life.agent
    assert isinstance(agent, RecordingAgent)
    agent.stop_sink()
    recording = read(lines)
    outcome = compare(recording)
    assert outcome.identical, f"\n{outcome.difference}"
    ring = read(agent.dump())
    if len(ring.segments) == 1:
        assert [line for _, line in recording.segments[0].lines] == [line for _, line in ring.segments[0].lines]
    assert not any(canary in "".join(lines) for canary in CANARIES)


def test_a_sink_begins_in_the_middle_of_a_life(line: Line) -> None:
    line.register(until=70.0)
    lines: list[str] = []
    agent_of(line).start_sink(lines.append)
    line.run(until=300.0)
    agent_of(line).stop_sink()
    count = len(lines)
    line.run(until=400.0)
    assert len(lines) == count
    recording = read(lines)
    assert recording.segments[0].now > 1.0
    assert len(recording.steps) > 10
    assert recording.ending is not None
    assert compare(recording).identical
    assert compare(read(agent_of(line).dump())).identical


def test_a_line_comes_when_its_input_is_done(line: Line) -> None:
    lines: list[str] = []
    agent = agent_of(line)
    agent.start_sink(lines.append)
    before = len(lines)
    agent.register("alice", now=0.0)
    assert len(lines) == before
    while agent.next_output() is not None:
        pass
    assert '"do":"register"' in lines[before]


def test_a_piece_of_a_message_is_written_with_its_rest() -> None:
    """The password of a URI is cut: the first half may not be written before it is known for one."""
    agent = RecordingAgent([account(transport=TCP, registrar="sip:192.0.2.1")], random=Random(1))
    lines: list[str] = []
    agent.start_sink(lines.append)
    agent.register("alice", now=0.0)
    agent.handle_deadline(now=0.0)
    agent.flow_opened(1, ("192.0.2.10", 4000), ("192.0.2.1", 5060), now=0.0)
    while agent.next_output() is not None:
        pass
    message = b"NOTIFY sip:alice:pass5word@192.0.2.10 SIP/2.0\r\nContent-Length: 0\r\n\r\n"
    agent.receive(1, message[:22], now=1.0)
    agent.register("alice", now=1.0)
    while agent.next_output() is not None:
        pass
    assert "receive" not in lines[-1]
    assert not any('"do":"receive"' in text for text in lines)
    agent.receive(1, message[22:], now=2.0)
    while agent.next_output() is not None:
        pass
    text = "".join(lines)
    assert text.count('"do":"receive"') == 2
    assert "pass5" not in text
    assert "5word" not in text
    agent.receive(1, message[:22], now=3.0)
    agent.flow_closed(1, "reset", now=4.0)
    while agent.next_output() is not None:
        pass
    assert "".join(lines).count('"do":"receive"') == 3
    agent.stop_sink()
    assert "pass5" not in "".join(lines)
    assert compare(read(lines)).identical


@pytest.mark.parametrize("at", ["flush", "end"])
def test_a_sink_that_fails_ends_the_lines_and_nothing_else(line: Line, at: str) -> None:
    """A disk that is full: the agent lives on as if nobody recorded, its ring too, and the reason can be had."""
    written = 0

    def put(text: str) -> None:
        nonlocal written
        if full[0]:
            raise OSError(28, "No space left on device")
        written += 1

    full = [False]
    agent = agent_of(line)
    agent.start_sink(put)
    begun = written
    full[0] = at == "flush"
    line.register(until=100.0)
    assert line.agent.status("alice").registered
    assert (written > begun) is (at == "end")
    assert agent.sink_error == (None if at == "end" else "OSError: [Errno 28] No space left on device")
    full[0] = True
    agent.stop_sink()
    assert agent.sink_error == "OSError: [Errno 28] No space left on device"
    assert compare(read(agent.dump())).identical


def test_a_file_whose_writer_was_killed_can_be_played(line: Line) -> None:
    lines: list[str] = []
    agent_of(line).start_sink(lines.append)
    line.register(until=100.0)
    text = "".join(lines)
    recording = read(text[:-30].splitlines(keepends=True))
    assert recording.ending is None
    assert len(recording.steps) > 5
    assert compare(recording).identical
