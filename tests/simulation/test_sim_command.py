"""The command of the simulation: what it refuses, and how a failure that only a comparison shows can be seen again."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sipcore.registration.machine import Registration
from sipcore.replay import compare, read
from sipcore.testing.sim import COMPARISONS, Incident, Plan, ReadError, Storm, Subscriber, examine_plan, read_plan
from sipcore.testing.sim import __main__ as command
from sipcore.testing.sim.host import Host
from sipcore.transaction import client as client_transaction

examination = importlib.import_module("sipcore.testing.sim.examine")
"""The module; the package has a function of the same name."""


def plan(*incidents: Incident, **options: Any) -> Plan:
    subscribers = (Subscriber(name="user0", expires=600), Subscriber(name="user1", expires=600))
    storms = (Storm(lasts=43200.0, incidents=incidents),)
    return Plan(seed=30, climate="swarm", subscribers=subscribers, storms=storms, jitter=0.0, **options)


DOWN = Incident(at=1.0, kind="registrar down", lasts=40000.0)
SEGMENTS = Incident(at=0.5, kind="segments", lasts=60.0)


def gamble(patch: pytest.MonkeyPatch) -> None:
    """Planted: an agent with dice of its own, so that no two lives of one plan are the same."""
    own, original = Random(), Registration.plan

    def planned(self: Registration, when: float, now: float) -> None:
        original(self, when + own.random(), now)

    patch.setattr(Registration, "plan", planned)


def take_any_response(patch: pytest.MonkeyPatch) -> None:
    """Planted: a response from anybody is taken for the one that is awaited."""
    original = client_transaction.ClientTransactions.find

    def found(self: client_transaction.ClientTransactions, branch: str) -> Any:
        return original(self, branch) or next(iter(self._by_branch.values()), None)

    patch.setattr(client_transaction.ClientTransactions, "find", found)
    patch.setattr("sipcore.agent.mismatch", lambda *_: None)


def run(patch: pytest.MonkeyPatch, made: Plan, folder: Path, seed: int) -> int:
    patch.setattr(examination, "draw", lambda *_: made)
    return command.main(["--seed", str(seed), "--years", "0.0001", "--write", str(folder), "--quiet"])


@pytest.mark.parametrize(
    ("plant", "seed", "number", "needed"),
    [
        pytest.param(gamble, examination.AGAIN_EACH, 10, [], id="again"),
        pytest.param(take_any_response, examination.SPOOFED_EACH, 12, ["registrar down"], id="off the path"),
        pytest.param(gamble, examination.RECORDED_EACH // 2, 10, [], id="recorded"),
    ],
)
def test_what_only_a_comparison_shows_is_shrunk_and_its_file_shows_it_again(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    plant: Any,
    seed: int,
    number: int,
    needed: list[str],
) -> None:
    """Law: the file that is written fails for as long as the defect is there, and passes when it is gone."""
    path = tmp_path / "sim-swarm-30.json"
    with monkeypatch.context() as patch:
        plant(patch)
        assert run(patch, plan(SEGMENTS, DOWN), tmp_path, seed) == 1
        printed = capsys.readouterr().out
        assert f"invariant {number}" in printed
        small = read_plan(path)
        assert [incident.kind for incident in small.storms[0].incidents] == needed
        assert len(small.subscribers) == 1
        broken = examine_plan(small).life.broken
        assert broken is not None
        assert broken.number == number
        assert command.main(["--plan", str(path)]) == 1
        assert f"invariant {number}" in capsys.readouterr().out
    assert command.main(["--plan", str(path)]) == 0
    assert "all invariants hold" in capsys.readouterr().out


def test_shrinking_ends_when_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gamble(monkeypatch)
    monkeypatch.setattr(command, "SHRINKING", -1.0)
    assert run(monkeypatch, plan(SEGMENTS, DOWN), tmp_path, examination.AGAIN_EACH) == 1
    assert "2 incidents left" in capsys.readouterr().out


def test_a_life_is_compared_in_all_ways_and_holds() -> None:
    examined = examine_plan(plan(DOWN), COMPARISONS)
    assert examined.life.broken is None
    assert examined.comparison is None
    assert examined.life.spoofed > 100


def test_the_folder_is_made_and_the_recording_has_no_empty_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Host, "crash", lambda self, *, state: 1 / 0)
    folder = tmp_path / "not" / "yet"
    assert run(monkeypatch, plan(Incident(at=10.0, kind="crash")), folder, 1) == 1
    text = (folder / "sim-swarm-30.jsonl").read_text()
    assert "\n\n" not in text
    assert compare(read(text.splitlines())).identical
    assert sorted(path.name for path in folder.iterdir()) == ["sim-swarm-30.json", "sim-swarm-30.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--years", "0"], "--years: '0'"),
        (["--years", "-1"], "--years: '-1'"),
        (["--years", "nan"], "--years: 'nan'"),
        (["--years", "inf"], "--until-failure"),
        (["--years", "many"], "--years"),
        (["--processes", "0"], "--processes: '0'"),
        (["--processes", "-3"], "--processes: '-3'"),
        (["--write", "{file}"], "nothing can be written to"),
        (["--write", "{file}/below"], "nothing can be written to"),
        (["--seed", "x"], "--seed"),
    ],
)
def test_arguments_that_mean_nothing_are_refused_before_the_run(
    arguments: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stopped:
        command.main([text.format(file=tmp_path / "file") for text in arguments])
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert named in printed.err.splitlines()[-1]


PLACES: list[tuple[tuple[str | int, ...], object, str]] = [
    (("subscribers", 0, "expires"), "x", 'plan.subscribers[0].expires is "x", which is not a whole number'),
    (("subscribers", 0, "expires"), 0, "plan.subscribers[0].expires is 0"),
    (("subscribers", 0, "profile"), "ASTERIX", "ASTERISK"),
    (("subscribers", 0, "protocol"), "SCTP", "there are UDP, TCP"),
    (("subscribers", 0, "name"), "a b", "plan.subscribers[0].name"),
    (("subscribers", 0, "line"), 1, "which is not true or false"),
    (("subscribers", 0, "supported"), "path", "which is no list"),
    (("subscribers", 1, "name"), "user0", "as that of another one"),
    (("subscribers", 0, "expirse"), 60, "'expires'"),
    (("subscribers",), [], "plan.subscribers is empty"),
    (("subscribers",), {}, "which is no list"),
    (("storms",), [], "plan.storms is empty"),
    (("storms", 0), 7, "plan.storms[0] is 7, which is no object"),
    (("storms", 0), {}, "plan.storms[0] lacks lasts"),
    (("storms", 0, "lasts"), -1, "plan.storms[0].lasts is -1"),
    (("storms", 0, "incidents", 0, "who"), 7, "plan.storms[0].incidents[0].who is 7; there are 2"),
    (("storms", 0, "incidents", 0, "at"), float("nan"), "plan.storms[0].incidents[0].at is NaN"),
    (("storms", 0, "incidents", 0, "at"), 10**400, "plan.storms[0].incidents[0].at"),
    (("storms", 0, "incidents", 0, "kind"), "flood", '"flood"; there are loss'),
    (("storms", 0, "incidents", 0, "size"), 3.0, "plan.storms[0].incidents[0].size is 3.0"),
    (("loss",), 1.0, "plan.loss is 1.0"),
    (("latency",), True, "plan.latency is true"),
    (("ttl",), "long", "which is not a number or null"),
    (("climate",), "rain", "there are swarm"),
    (("rules",), {"qopp": None}, "plan.rules has no 'qopp'; the nearest is 'qop'"),
    (("rules",), {"status": "403"}, 'plan.rules.status is "403"'),
    (("rules",), {"algorithms": ["MD4"]}, '"MD4"; there are MD5'),
    (("rules",), {"down": "maybe"}, "one of 'mute'"),
    ((), [], "plan is [], which is no object"),
]
"""Where a plan is wrong, what stands there, and what the error says."""


@pytest.mark.parametrize(("place", "value", "named"), PLACES, ids=[text for _, _, text in PLACES])
def test_a_wrong_value_in_a_plan_is_told_with_its_place(
    place: tuple[str | int, ...], value: object, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = {"format": 1, "plan": json.loads(json.dumps(plan(DOWN).to_json()))}
    item: Any = document
    *way, last = ("plan", *place)
    for step in way:
        item = item[step]
    item[last] = value
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document))
    assert command.main(["--plan", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{path}: ")
    assert printed.err.count("\n") == 1
    assert named in printed.err


def test_a_plan_file_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ReadError, match="nested"):
        read_plan(path)
