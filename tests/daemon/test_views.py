"""Statuses as JSON and as text."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest

from sipcore.values import Binding, Cause, OutcomeClass, Phase, Protocol, State, Status
from sipcore_trio.daemon import render, views, watching

WALL = 1_000_000.0
"""What is 0 on the agent's clock."""


def status(**changes: object) -> Status:
    values: dict[str, object] = {
        "name": "alice",
        "state": State.REGISTERED,
        "phase": Phase.WAITING,
        "cause": Cause(kind=OutcomeClass.SUCCESS, code=200, reason="OK"),
        "server": "192.0.2.1:5060",
        "transport": Protocol.UDP,
        "flow": 1,
        "attempt": 0,
        "since": 10.0,
        "expires_at": 70.0,
        "next_attempt_at": 60.5,
        "bindings": (Binding(uri="sip:alice@192.0.2.9", expires_at=70.0, own=True),),
    }
    return Status(**(values | changes))  # type: ignore[arg-type]  # one test changes one field


def as_json(**changes: object) -> dict[str, object]:
    text = json.dumps(views.status_json(status(**changes), lambda moment: moment + WALL))
    found: dict[str, object] = json.loads(text)
    return found


def test_the_fields_are_those_of_status() -> None:
    assert list(as_json()) == [field.name for field in dataclasses.fields(Status)]
    assert list(views.CAUSE_FIELDS) == [field.name for field in dataclasses.fields(Cause)]
    found = as_json()
    assert isinstance(found["cause"], dict)
    assert isinstance(found["bindings"], list)
    assert set(found["cause"]) == set(views.CAUSE_FIELDS)
    assert set(found["bindings"][0]) == {field.name for field in dataclasses.fields(Binding)}


def test_times_are_unix_seconds() -> None:
    found = as_json()
    assert found["since"] == WALL + 10
    assert found["expires_at"] == WALL + 70
    assert found["next_attempt_at"] == WALL + 60.5
    assert found["bindings"] == [{"uri": "sip:alice@192.0.2.9", "expires_at": WALL + 70, "own": True}]


def test_what_is_not_known_is_null() -> None:
    found = as_json(
        cause=None, server=None, transport=None, flow=None, expires_at=None, next_attempt_at=None, bindings=()
    )
    assert [found[name] for name in ("cause", "server", "transport", "flow", "expires_at", "next_attempt_at")] == [
        None
    ] * 6
    assert found["bindings"] == []
    assert as_json(since=float("-inf"))["since"] is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "now"),
        (-0.4, "now"),
        (1, "in 1 s"),
        (119, "in 119 s"),
        (120, "in 2 min"),
        (7199, "in 120 min"),
        (7200, "in 2 h"),
        (172800, "in 2 d"),
        (-5, "5 s ago"),
        (-90000, "25 h ago"),
    ],
)
def test_relative(seconds: float, text: str) -> None:
    assert views.relative(WALL + seconds, WALL) == text


def test_relative_of_nothing() -> None:
    assert views.relative(None, WALL) == "-"


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (None, ""),
        (Cause(), ""),
        (Cause(kind=OutcomeClass.TEMPORARY), "temporary"),
        (Cause(code=403, reason="Forbidden"), "403 Forbidden"),
        (Cause(detail="the binding lapsed"), "the binding lapsed"),
        (
            Cause(code=503, reason="Busy", detail="later", warning='399 h "w"', retry_after=7),
            '503 Busy: later (Warning: 399 h "w") (Retry-After: 7)',
        ),
    ],
)
def test_cause_text(cause: Cause | None, text: str) -> None:
    found = as_json(cause=cause)["cause"]
    assert views.cause_text(found) == text  # type: ignore[arg-type]  # it came through JSON


def test_words_of_a_peer_cannot_move_the_cursor() -> None:
    item = as_json(cause=Cause(code=500, reason="\x1b[2J\u202eevil\n"), name="a\x07")
    cells = render.row(item, WALL)
    assert all(cell.isprintable() for cell in cells)
    assert all(line.isprintable() for line in render.detail(item, WALL))


def test_plain_columns() -> None:
    out = io.StringIO()
    render.print_table([as_json(), as_json(name="a-longer-name", state=State.REJECTED, phase=Phase.EXCHANGING)], out)
    lines = out.getvalue().splitlines()
    assert lines[0].split("  ")[0] == "NAME"
    assert lines[0].index("STATE") == lines[1].index("Registered") == lines[2].index("Rejected (in exchange)")
    assert lines[0].index("CAUSE") == lines[1].index("200 OK")
    assert not any(line.endswith(" ") for line in lines)


def test_an_empty_table_is_its_head() -> None:
    out = io.StringIO()
    render.print_table([], out)
    assert out.getvalue() == "NAME  STATE  SERVER  EXPIRES  NEXT ATTEMPT  CAUSE\n"


def test_the_table_on_a_terminal_takes_words_literally() -> None:
    from rich.console import Console

    table = render.rich_table([as_json(cause=Cause(code=500, reason="[red]no markup[/red]"))], WALL, title="t")
    out = io.StringIO()
    Console(file=out, width=160, force_terminal=True).print(table)
    assert "[red]no markup[/red]" in out.getvalue()
    assert "Registered" in out.getvalue()


def test_detail_names_everything() -> None:
    lines = list(render.detail(as_json(), WALL))
    assert "name: alice" in lines
    assert "cause: 200 OK" in lines
    assert "class: success" in lines
    assert "binding: sip:alice@192.0.2.9, in 70 s (ours)" in lines
    assert any(line.startswith("expires_at: ") and line.endswith("(in 70 s)") for line in lines)
    assert "expires_at: -" in render.detail(as_json(expires_at=None), WALL)


def test_a_live_table_says_what_it_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[watching.Line] = [
        {"registration": as_json()},
        {"complete": True},
        {"note": "3 changes were [b]left out[/b]"},
    ]
    watching._as_table(iter(lines))
    shown = capsys.readouterr().out
    assert "sipcore: 3 changes were [b]left out[/b]" in shown
    assert "alice" in shown
