"""Playing back: no difference where there is none, and the first one where there is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sipcore.auth import Algorithm
from sipcore.commands import Transmit
from sipcore.config import Transport
from sipcore.errors import LocalProtocolError
from sipcore.events import InboundRequest, Rejected, StatusChanged
from sipcore.replay import VERSION, RecordingAgent, ReplayError, compare, play, read
from sipcore.replay.player import MAX_LINE
from sipcore.syntax.message import Request
from sipcore.testing import Answer, Line, Wire, challenge, ok
from sipcore.testing import line as line_module
from tests.accounts import TCP, account
from tests.replay.lives import CANARIES, CuttingAgent, Life, all_secrets, live, password, proving
from tests.secrecy import PASSWORD

TOP = Path(__file__).parent.parent.parent


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A recording of alice's first minutes."""
    monkeypatch.setattr(line_module, "UserAgent", RecordingAgent)
    line = Line(account(), script=[challenge(), ok(60)])
    line.register(until=100.0)
    assert isinstance(line.agent, RecordingAgent)
    return list(line.agent.dump())


def changed(lines: list[str], change: Callable[[dict[str, Any]], bool]) -> list[str]:
    """The same with the first line changed of which `change` says so."""
    result = list(lines)
    for index, text in enumerate(result):
        found = json.loads(text)
        if change(found):
            result[index] = json.dumps(found) + "\n"
            return result
    raise AssertionError("no line was changed")


def test_a_run_plays_as_it_was(lines: list[str]) -> None:
    outcome = compare(read(lines))
    assert outcome.identical
    assert outcome.inputs + outcome.outputs == len(read(lines).steps)
    assert outcome.segments == 1


def test_with_the_secrets_the_played_run_has_real_responses(lines: list[str]) -> None:
    recording = read(lines)
    for secrets in ({"alice": PASSWORD}, {"alice/password": PASSWORD}):
        sent = [played.output for played in play(recording, secrets) if isinstance(played.output, Transmit)]
        request = next(item for item in sent if b"Authorization" in item.data)
        text = request.data.decode()
        nonce, cnonce, uri = (text.split(f'{name}="')[1].split('"')[0] for name in ("nonce", "cnonce", "uri"))
        key = Algorithm.MD5.hash(f"alice:example.com:{PASSWORD}")
        right = Algorithm.MD5.hash(f"{key}:{nonce}:00000001:{cnonce}:auth:{Algorithm.MD5.hash(f'REGISTER:{uri}')}")
        assert f'response="{right}"' in text
    assert compare(recording, {"alice": PASSWORD}).identical
    without = [played.output for played in play(recording) if isinstance(played.output, Transmit)]
    assert not any(right in item.data.decode() for item in without)


def test_a_changed_output_is_the_first_difference(lines: list[str]) -> None:
    def change(found: dict[str, Any]) -> bool:
        data = found.get("out", {}).get("Transmit", {}).get("data")
        if data is None:
            return False
        data["bytes"] = data["bytes"].replace("Expires: 3600", "Expires: 3601")
        return True

    difference = compare(read(changed(lines, change))).difference
    assert difference is not None
    assert difference.kind == "output"
    assert difference.step is not None
    assert difference.step.name == "Transmit"
    assert difference.lines == (("Expires: 3601", "Expires: 3600"),)
    assert str(difference).splitlines()[1:] == ["  recorded: Expires: 3601", "  replayed: Expires: 3600"]


def test_a_difference_is_safe_to_print_whatever_the_file_says(lines: list[str]) -> None:
    """Neither the version of a stranger's recorder nor his lines reach a terminal as they are, or at any length."""
    evil = "\x1b[2J\u202e\x07"

    def change(found: dict[str, Any]) -> bool:
        data = found.get("out", {}).get("Transmit", {}).get("data")
        if data is None:
            return False
        data["bytes"] = data["bytes"].replace("Expires: 3600", f"Expires: {evil}{'x' * 9000}\r\nX: \ud800\udcff")
        return True

    text = changed(lines, change)
    head = json.loads(text[0])
    difference = compare(read([json.dumps(head | {"version": evil}), *text[1:]])).difference
    assert difference is not None
    assert evil in difference.note + "".join(difference.recorded)
    shown = str(difference).split("\n")
    assert all(line.isprintable() and len(line) < 2 * MAX_LINE for line in shown)
    assert "\\x1b[2J\\u202e\\x07" in shown[0]
    assert shown[1].startswith("  recorded: Expires: \\x1b[2J\\u202e\\x07xxx")


def test_an_output_too_few_is_a_difference(lines: list[str]) -> None:
    found = [json.loads(text) for text in lines]
    last = next(index for index in reversed(range(len(found))) if "out" in found[index])
    name = next(iter(found[last]["out"]))
    del found[last]
    for item in found[last:]:
        for key in ("step", "end"):
            if key in item:
                item[key] -= 1
    difference = compare(read([json.dumps(item) + "\n" for item in found])).difference
    assert difference is not None
    assert difference.kind in ("output", "end"), name


def test_an_output_too_many_is_a_difference(lines: list[str]) -> None:
    found = [json.loads(text) for text in lines]
    end = found.pop()
    found.append({**next(item for item in found if "out" in item), "step": end["end"] + 1})
    found.append({**end, "end": end["end"] + 1})
    difference = compare(read([json.dumps(item) + "\n" for item in found])).difference
    assert difference is not None
    assert difference.replayed == ("nothing",)


def test_other_random_numbers_than_recorded_are_a_difference(lines: list[str]) -> None:
    def change(found: dict[str, Any]) -> bool:
        if "drew" not in found:
            return False
        found["drew"].append(["random", 0.25])
        return True

    difference = compare(read(changed(lines, change))).difference
    assert difference is not None
    assert difference.kind == "random"
    assert ("random: 0.25", None) in difference.lines


def test_an_error_that_did_not_come_is_a_difference(lines: list[str]) -> None:
    def change(found: dict[str, Any]) -> bool:
        if "do" not in found:
            return False
        found["raised"] = "LocalProtocolError: it was refused"
        return True

    difference = compare(read(changed(lines, change))).difference
    assert difference is not None
    assert difference.lines == (("LocalProtocolError: it was refused", "no error"),)


def test_a_state_that_has_had_no_effect_yet_is_a_difference() -> None:
    life = live(CuttingAgent, 3, moves=4, between=lambda life: life.agent.cut())  # type: ignore[attr-defined]
    assert isinstance(life.agent, CuttingAgent)
    found = [json.loads(text) for text in life.agent.whole()]
    second = next(index for index, item in enumerate(found) if item.get("segment") == 2)
    node = next(item for item in found[second:] if item.get("is") == "Registration")
    node["has"]["failures"] += 1
    difference = compare(read([json.dumps(item) + "\n" for item in found])).difference
    assert difference is not None
    assert difference.kind == "state"
    assert len(difference.lines) == 1
    assert difference.lines[0][0] == f"failures = {node['has']['failures']}"


def test_a_deadline_that_moved_is_a_difference(lines: list[str]) -> None:
    found = json.loads(lines[-1])
    found["deadline"] += 1.0
    difference = compare(read([*lines[:-1], json.dumps(found) + "\n"])).difference
    assert difference is not None
    assert difference.kind == "end"


def test_another_version_is_played_and_mentioned_in_a_difference(lines: list[str]) -> None:
    header = json.loads(lines[0])
    header["version"] = "9.9"
    assert compare(read([json.dumps(header) + "\n", *lines[1:]])).identical
    found = json.loads(lines[-1])
    found["deadline"] += 1.0
    difference = compare(read([json.dumps(header) + "\n", *lines[1:-1], json.dumps(found) + "\n"])).difference
    assert f"recorded by sipcore 9.9, played by {VERSION}" in str(difference)


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == VERSION


def test_each_segment_can_be_played_alone() -> None:
    life = live(CuttingAgent, 5, moves=6, between=lambda life: life.agent.cut())  # type: ignore[attr-defined]
    assert isinstance(life.agent, CuttingAgent)
    recording = read(life.agent.whole())
    assert len(recording.segments) == 7
    for segment in recording.segments:
        steps = list(play(recording, segment=segment.number))
        assert all(played.difference is None for played in steps)
        assert [played.step for played in steps] == segment.steps
    with pytest.raises(ReplayError, match="no segment 8; there are 7"):
        list(play(recording, segment=8))


def test_with_all_secrets_lives_play_the_same() -> None:
    for seed in range(5):
        life = live(CuttingAgent, seed, between=_cut)
        assert isinstance(life.agent, CuttingAgent)
        outcome = compare(read(life.agent.whole()), all_secrets())
        assert outcome.identical, f"\n{outcome.difference}"


def _cut(life: Life) -> None:
    assert isinstance(life.agent, CuttingAgent)
    if life.random.random() < 0.3:
        life.agent.cut()


def test_the_application_answers_the_very_request_that_it_was_given() -> None:
    """Two requests that say the same are told apart; one from before the recording began is known, too."""
    agent = CuttingAgent(random=Random(1), handles=["MESSAGE"])
    agent.add(account(registrar="sip:192.0.2.1"), now=0.0)
    agent.register("alice", now=0.0)
    agent.handle_deadline(now=0.0)
    agent.flow_opened(1, ("192.0.2.10", 4000), now=0.0)
    told = []
    for number in (1, 2, 3):
        text = (
            f"MESSAGE sip:alice@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{number}\r\n"
            f"From: <sip:bob@example.com>;tag={number}\r\nTo: <sip:alice@example.com>\r\nCall-ID: {number}\r\n"
            f"CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
        )
        agent.receive(1, text.encode(), ("192.0.2.1", 5060), now=1.0)
        while (output := agent.next_output()) is not None:
            if isinstance(output, InboundRequest):
                told.append(output)
        if number == 2:
            agent.cut()
    agent.respond(told[1], 404, now=1.0)
    agent.respond(told[0], 200, headers=[("X-A", "b")], now=1.0)
    agent.respond(told[2], 486, "Not now", now=1.0)
    with pytest.raises(LocalProtocolError):
        agent.respond(told[2], 200, now=1.0)
    sent = []
    while (output := agent.next_output()) is not None:
        if isinstance(output, Transmit):
            sent.append(output.data.split(b"\r\n")[0])
    assert sent == [b"SIP/2.0 404 Not Found", b"SIP/2.0 200 OK", b"SIP/2.0 486 Not now"]
    recording = read(agent.whole())
    assert compare(recording).identical
    answered = [step for step in recording.steps if step.name == "respond"]
    assert all(isinstance(step.arguments[0], Request) for step in answered)
    assert answered[3].error is not None


@pytest.mark.parametrize("transport", [None, TCP])
@pytest.mark.parametrize("right", [True, False])
@pytest.mark.requirement("RFC7616-3.5-01")
def test_the_verdict_about_rspauth_is_kept_and_its_value_is_not(
    right: bool, transport: Transport | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A right `rspauth` stays right and a wrong one wrong, with the true password and with a placeholder."""

    monkeypatch.setattr(line_module, "UserAgent", RecordingAgent)
    seen: list[str] = []

    def answer(request: Request) -> Answer:
        if request.get("authorization") is None:
            return challenge(algorithm="MD5", qop="auth")
        proof = proving(request, right=right)
        seen.append(proof.headers[0].split('rspauth="')[1].split('"')[0])
        return proof

    user = account("user1", password=password("user1"), transport=transport)
    line = Line(user, script=[answer], wire=Wire(seed=3, cut=True))
    line.register(until=100.0)
    assert len(seen) > 1
    assert isinstance(line.agent, RecordingAgent)
    lines = list(line.agent.dump())
    text = "".join(lines)
    assert not any(item in text for item in (*seen, *CANARIES))
    recording = read(lines)
    proofs = [word for step in recording.steps for word in step.proofs]
    assert set(proofs) == {"right" if right else "wrong"}
    for secrets in ({}, all_secrets(), {"user1": "another"}):
        outcome = compare(recording, secrets)
        assert outcome.identical, f"\n{outcome.difference}"
    # A verdict that was changed changes the run.
    other = text.replace(f'"proofs":["{proofs[0]}"]', '"proofs":["wrong"]' if right else '"proofs":["right"]')
    assert not compare(read(other.splitlines(keepends=True))).identical
    causes = [step.output.status.cause for step in recording.steps if isinstance(step.output, StatusChanged)]
    assert any("rspauth is wrong" in str(cause) for cause in causes) != right
    assert not any(isinstance(step.output, Rejected) for step in recording.steps)
