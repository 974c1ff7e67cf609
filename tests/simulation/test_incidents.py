"""What broke an invariant once is lived again: each file in `incidents` is a plan that the simulation shrank."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sipcore.testing.sim import ReadError, examine_plan, read_plan

FILES = sorted((Path(__file__).parent / "incidents").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_does_not_happen_again(path: Path) -> None:
    life = examine_plan(read_plan(path)).life
    assert life.broken is None, "\n".join([str(life.broken), *life.last])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "Expecting value"),
        ("[]", "format 1"),
        ('{"format": 2, "plan": {}}', "format 1"),
        ('{"format": 1}', "not a plan"),
        ('{"format": 1, "plan": {"seed": 1, "climate": "swarm", "subscribers": [], "storms": [], "x": 1}}', "'x'"),
        (
            '{"format": 1, "plan": {"seed": 1, "climate": "swarm", "subscribers": [{"name": "user0"}], "storms": '
            '[{"lasts": 1, "incidents": [{"at": 0, "kind": "flood"}]}]}}',
            '"flood"',
        ),
    ],
)
def test_a_file_that_is_no_plan_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(ReadError) as caught:
        read_plan(path)
    assert str(path) in str(caught.value)
    assert named in str(caught.value)


def test_there_are_incidents_and_each_says_what_broke() -> None:
    assert FILES
    for path in FILES:
        document = json.loads(path.read_text())
        assert document["text"].startswith(f"invariant {document['invariant']} ")
