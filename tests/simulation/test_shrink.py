"""A failing plan becomes small, and the command says how to see it again."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from sipcore.replay import compare, read
from sipcore.testing.sim import FAULTS, Incident, Plan, Storm, draw, live, read_plan, shrink
from sipcore.testing.sim import __main__ as command
from sipcore.testing.sim.host import Host
from sipcore.testing.sim.life import live_recorded

examination = importlib.import_module("sipcore.testing.sim.examine")
"""The module; the package has a function of the same name."""


def busy_plan() -> Plan:
    plans = (draw(seed) for seed in range(100))
    return next(plan for plan in plans if plan.incidents > 60 and len(plan.storms) > 3)


def kinds(plan: Plan) -> list[str]:
    return [incident.kind for storm in plan.storms for incident in storm.incidents]


def test_what_is_not_needed_is_left_out() -> None:
    """Law: the shrunk plan still breaks, and breaks no longer when any one incident is taken away."""
    plan = busy_plan()
    pair = (kinds(plan)[3], kinds(plan)[17])

    def breaks(candidate: Plan) -> bool:
        return all(kind in kinds(candidate) for kind in pair)

    small = shrink(plan, breaks)
    assert sorted(set(kinds(small))) == sorted(set(pair))
    assert small.incidents == len(set(pair))
    assert len(small.subscribers) == 1
    assert small.rules == {}
    for storm in small.storms:
        assert storm.incidents


def test_it_ends_after_the_trials_that_it_was_given() -> None:
    tried = 0

    def breaks(candidate: Plan) -> bool:
        nonlocal tried
        tried += 1
        return True

    shrink(busy_plan(), breaks, trials=7)
    assert tried == 7


def test_an_incident_that_is_left_out_changes_nothing_for_the_others() -> None:
    """Law: nothing that happens draws from the dice that drew the plan, so each part has its own."""
    plan = replace(draw(2), storms=(Storm(lasts=20000.0),))
    harmless = Incident(at=19999.0, kind="clock stands")
    assert live(plan).digest == live(replace(plan, storms=(Storm(lasts=20000.0, incidents=(harmless,)),))).digest


def test_a_failing_run_prints_and_writes_all_that_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is planted: one of three incidents raises, which breaks invariant 1."""
    plan = Plan(
        seed=7,
        climate="swarm",
        subscribers=draw(1).subscribers,
        storms=(
            Storm(
                lasts=90000.0,
                incidents=(
                    Incident(at=10.0, kind="slow answers", lasts=50.0, size=0.5),
                    Incident(at=4000.0, kind="crash without state"),
                    Incident(at=4100.0, kind="segments", lasts=100.0),
                ),
            ),
        ),
    )
    monkeypatch.setattr(Host, "crash", lambda self, *, state: 1 / 0)
    monkeypatch.setattr(examination, "draw", lambda *_: plan)
    status = command.main(["--seed", "7", "--years", "0.001", "--write", str(tmp_path), "--quiet"])
    printed = capsys.readouterr().out
    assert status == 1
    assert "seed 7" in printed
    assert "commit" in printed
    assert "invariant 1" in printed
    assert "1 incident left" in printed
    assert "crash without state" in printed.split(" left:")[1]
    small = read_plan(tmp_path / "sim-swarm-7.json")
    assert kinds(small) == ["crash without state"]
    assert json.loads((tmp_path / "sim-swarm-7.json").read_text())["invariant"] == 1
    lines = (tmp_path / "sim-swarm-7.jsonl").read_text().splitlines()
    assert compare(read(lines)).identical
    assert command.main(["--plan", str(tmp_path / "sim-swarm-7.json")]) == 1
    assert "invariant 1" in capsys.readouterr().out


def test_the_command_reports_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seed", "3", "--years", "0.01", "--profile", "hostile", "--quiet"]) == 0
    printed = capsys.readouterr().out
    for words in ("registration-years", "REGISTER transactions", "gaps without a binding", "broken invariants"):
        assert words in printed


def test_the_command_refuses_what_is_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--plan", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        command.main(["--profile", "rain"])
    assert stopped.value.code == 2


def test_a_recorded_life_is_the_same_life_and_plays_back() -> None:
    plan = replace(draw(2), storms=draw(2).storms[:1])
    life = live(plan)
    recorded, lines = live_recorded(plan)
    assert recorded.digest == life.digest
    outcome = compare(read(lines))
    assert outcome.identical, outcome.difference
    assert outcome.inputs > 100


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_alone_breaks_nothing(kind: str) -> None:
    """Law: whatever happens once, all invariants hold, and the fault was really there."""
    fault = FAULTS[kind]
    lasts, size = min(fault.lasts[1], 3000.0), fault.size[1] if kind != "clock leaps" else 4000.0
    incident = Incident(at=2000.0, kind=kind, lasts=lasts, size=size)
    plan = replace(draw(1), subscribers=draw(4).subscribers, storms=(Storm(lasts=9000.0, incidents=(incident,)),))
    life = live(plan)
    assert life.broken is None, "\n".join([str(life.broken), *life.last])
    assert life.faults == {kind: 1}
