"""What is shipped beside the code: the unit, the container, the alerts and the dashboard name only what exists."""

from __future__ import annotations

import json
import re
import shlex
from configparser import RawConfigParser
from pathlib import Path

import pytest

from sipcore_trio.daemon.cli import parser
from sipcore_trio.daemon.counts import Counts
from sipcore_trio.daemon.metrics import Snapshot, SnapshotCollector
from tests.daemon.conftest import TOP

PACKAGING = TOP / "packaging"


def metric_names() -> set[str]:
    """All names that a scrape can hold."""
    collector = SnapshotCollector(Snapshot((), Counts().general(), "SIPCORE"), asterisk="x")
    found: set[str] = set()
    for family in collector.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}
        found |= {f"{family.name}{suffix}" for suffix in suffixes.get(family.type, ("",))}
    return found


def words_of_sipcore(words: list[str]) -> None:
    """Fails unless the words are a command of ours and its options."""
    top = parser()
    command = top
    for word in words[1:]:
        if word.startswith("--"):
            assert word in command.option_names(), word
        else:
            command = command.command(word) or command
    assert command is not top
    assert top.parse_args(words[1:])


def test_the_options_of_the_unit_exist() -> None:
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as the documentation of configparser has it
    unit.read(PACKAGING / "systemd" / "sipcore.service")
    service = unit["Service"]
    assert service["Type"] == "notify-reload"
    assert service["DynamicUser"] == service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == ""
    assert service["ProtectSystem"] == "strict"
    words_of_sipcore(shlex.split(service["ExecStart"]))


@pytest.mark.parametrize("keyword", ["ENTRYPOINT", "CMD"])
def test_the_commands_of_the_container_exist(keyword: str) -> None:
    text = (PACKAGING / "Containerfile").read_text()
    assert re.search(r"(?m)^USER sipcore$", text)
    entry = json.loads(re.search(r"(?m)^ENTRYPOINT (\[.*\])$", text)[1])  # type: ignore[index]  # else the test fails
    health, more = (json.loads(found) for found in re.findall(r"(?m)^(?: +)?CMD (\[.*\])$", text))
    words_of_sipcore(health if keyword == "CMD" else entry + more)


@pytest.mark.parametrize("path", ["prometheus/alerts.yaml", "grafana/sipcore.json"])
def test_each_metric_that_is_used_exists(path: str) -> None:
    text = (PACKAGING / path).read_text()
    used = set(re.findall(r"\b(?:sipcore|asterisk)_[a-z_]+", text))
    assert used
    assert used <= metric_names()


def test_the_dashboard_is_one() -> None:
    board = json.loads((PACKAGING / "grafana" / "sipcore.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(target["expr"] for panel in board["panels"] for target in panel["targets"])


def test_the_metrics_that_are_documented_are_those_that_exist() -> None:
    text = Path(TOP / "docs" / "daemon.md").read_text()
    told = set(re.findall(r"`((?:sipcore|asterisk)_[a-z_]+)`", text))
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in metric_names()}
    assert told == families
