"""The Mermaid diagram: what it says of a known run, and that no text in it means anything to Mermaid."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.replay import mermaid
from sipcore.replay.story import Scene, Story, selected
from tests.replay.incident import incident

BEGINNING = """\
sequenceDiagram
    actor p0 as application
    participant p1 as agent
    participant p2 as UDP 192.0.2.1:5060
    p0->>p1: 0.000 add alice
    p0->>p1: 0.000 register alice
    Note right of p1: 0.000 deadline
    Note right of p1: 0.000 question 1: A of example.com
    Note right of p1: 0.000 question 2: AAAA of example.com
    Note right of p1: 0.000 answer 1: 192.0.2.1
    Note right of p1: 0.000 answer 2: no such record
    Note right of p1: 0.000 opens flow 1, UDP at 0.0.0.0:0
    Note right of p1: 0.000 flow 1 is open at 0.0.0.0:40000
    Note right of p1: 0.000 question 3: SOURCE of 192.0.2.1
    Note right of p1: 0.000 answer 3: 192.0.2.10
    p1->>p2: 0.000 REGISTER 16235, expires 60
    p2->>p1: 0.040 401 Unauthorized (16235 REGISTER)
    p1->>p2: 0.040 REGISTER 16236, expires 60, credentials
    p2->>p1: 0.080 423 Interval Too Brief (16236 REGISTER), min 120
    p1->>p2: 0.080 REGISTER 16237, expires 120, credentials
    p2->>p1: 0.120 200 OK (16237 REGISTER), expires 120
    Note right of p1: 0.120 alice: Unregistered #8594; Registered for 120 s, next at 76.299: 200 OK
"""

ROW = re.compile(r"    (?:Note right of p\d+|p\d+->>p\d+): -?[\d.]+ (?P<text>.*)")
PARTICIPANT = re.compile(r"    (?:actor|participant) p\d+ as (?P<text>.*)")
ENTITY = re.compile(r"#(\d+);")


def shown(text: str) -> str:
    """What a reader of the diagram sees: Mermaid takes `#59;` for what HTML calls `&#59;`."""
    assert ";" not in ENTITY.sub("", text)
    assert "#" not in ENTITY.sub("", text)
    return unescape(ENTITY.sub(r"&#\1;", text))


def test_the_incident_begins_as_before() -> None:
    recording = incident()
    rows = selected(Story().tell(recording.steps), last=20, name="alice")
    assert "\n".join(mermaid.draw(rows, start=recording.steps[0].now)) + "\n" == BEGINNING


def test_every_line_is_a_statement() -> None:
    recording = incident()
    rows = list(Story().tell(recording.steps))
    lines = list(mermaid.draw(rows))
    assert lines[0] == "sequenceDiagram"
    people = [line for line in lines if PARTICIPANT.fullmatch(line)]
    assert len(people) == 4
    told = [match["text"] for line in lines if (match := ROW.fullmatch(line)) is not None]
    assert [shown(text) for text in told] == [row.text for row in rows]
    assert len(lines) == 1 + len(people) + len(told)


@pytest.mark.parametrize(
    "text",
    ["a; b", "a #59; b", '"quote"', "<script>x</script>", "a &lt; b", "end", "%%{init: {}}%%", "a -->> p9: b", "→"],
)
def test_no_text_means_anything(text: str) -> None:
    (*_, line) = mermaid.draw([Scene(1, 0.0, "agent", "agent", text, None)])
    match = ROW.fullmatch(line)
    assert match is not None
    assert shown(match["text"]) == text
    assert not set('<>&"%{}') & set(line)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1), st.text()), max_size=5))
def test_any_words_stay_within_their_line(rows: list[tuple[str, str, str]]) -> None:
    """Each scene is one line of printable ASCII, whatever parties and texts are called."""
    scenes = [Scene(1, 0.0, source, target, text, None) for source, target, text in rows]
    lines = list(mermaid.draw(scenes))
    assert sum(ROW.fullmatch(line) is not None for line in lines) == len(scenes)
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_an_empty_run_is_an_empty_diagram() -> None:
    assert list(mermaid.draw([])) == ["sequenceDiagram", "    actor p0 as application", "    participant p1 as agent"]
