"""A recording of several segments: one goes over into the next, and diagrams do not show where."""

from __future__ import annotations

from random import Random

import pytest

from sipcore.replay import Recording, RecordingAgent, compare, pcap, read, recorder
from sipcore.replay.story import Scene, Story
from tests.replay.incident import START, incident, live


@pytest.fixture(params=range(1500, 24000, 900))
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """The end of the incident, from a ring so small that it begins anywhere."""
    monkeypatch.setattr(recorder, "LEAN_BYTES", request.param)
    monkeypatch.setattr(recorder, "LEAN_BYTES_PER_MACHINE", 0)
    agent = RecordingAgent(random=Random(1), now=START)
    live(agent)
    return read(agent.dump())


def test_two_segments_are_identical_when_they_are_played(cut: Recording) -> None:
    assert len(cut.segments) == 2
    assert compare(cut).difference is None


def test_a_diagram_of_the_end_is_the_end_of_the_diagram(cut: Recording) -> None:
    """Flows, unfinished messages and names are learnt from the image; only copies of what is not in it are new."""
    steps = cut.steps
    offset = len(incident().steps) - len(steps)
    whole = [bare(scene, 0) for scene in Story().tell(incident().steps) if scene.number > offset]
    opening = cut.segments[0].restore(random=Random(0))
    assert [bare(scene, offset) for scene in Story(opening).tell(steps)] == whole


def test_a_capture_of_the_end_begins_with_handshakes(cut: Recording) -> None:
    data = b"".join(pcap.write(cut.steps, agent=cut.segments[0].restore(random=Random(0))))
    assert data.count(b"REGISTER sip:") == sum(step.name == "Transmit" for step in cut.steps)


def bare(scene: Scene, offset: int) -> tuple[object, ...]:
    text = scene.text.removesuffix(" (copy)").partition(", next at ")[0]
    return scene.number + offset, scene.now, scene.source, scene.target, text, scene.names
