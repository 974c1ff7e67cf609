"""What a failure shows: a script that is short, says what is wrong, and needs nothing but sipcore."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sipcore
from tests.stateful.bench import ACCOUNTS
from tests.stateful.defects import lapse_untold
from tests.stateful.laws import WrongTelling
from tests.stateful.running import counter_example
from tests.stateful.script import literal

ROOT = Path(__file__).parent.parent.parent

NAMES = {name: getattr(sipcore, name) for name in sipcore.__all__}


@pytest.fixture(scope="module")
def found() -> WrongTelling:
    """The shortest run in which a binding lapses and nobody is told."""
    with pytest.MonkeyPatch.context() as patch:
        lapse_untold(patch)
        violation = counter_example(examples=50, shrink=True)
    assert isinstance(violation, WrongTelling)
    return violation


def test_a_shrunk_counter_example_is_a_short_script_that_runs_alone(found: WrongTelling) -> None:
    """Law: what is printed is a program, whose last line holds once the defect is gone."""
    calls = [line for line in found.script.splitlines() if line.startswith("agent.")]
    assert len(calls) <= 12, found.script
    assert "agent.register('alice', now=0.0)" in calls
    assert any(line.startswith("agent.receive(1, b'SIP/2.0 200 ") for line in calls)
    assert calls[-1].startswith("agent.handle_deadline(")
    assert "tests" not in found.script
    done = subprocess.run(
        [sys.executable, "-c", found.script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_script_names_the_law_and_what_happened(found: WrongTelling) -> None:
    assert found.script.startswith(f'"""WrongTelling: {WrongTelling.law()}\n')
    assert str(found).splitlines()[0] in found.script.split('"""')[1]
    assert found.script in getattr(found, "__notes__", [])


@pytest.mark.parametrize("account", sum(ACCOUNTS.values(), ()), ids=lambda account: account.name)
def test_literals_of_accounts_are_the_accounts(account: sipcore.Account) -> None:
    """Law: eval(literal(account)) == account."""
    assert eval(literal(account), NAMES) == account


@pytest.mark.parametrize(
    "value",
    [
        b"\x00\xff",
        1.5,
        float("inf"),
        None,
        ("192.0.2.1", 5060),
        ("one",),
        [],
        {"alice": {"cseq": 1, "line": ""}},
        sipcore.Protocol.TCP,
        frozenset({sipcore.OutcomeClass.PERMANENT}),
        sipcore.Record("192.0.2.1", 60.0),
        sipcore.Secret("x"),
        sipcore.Transport(protocol=sipcore.Protocol.TCP),
    ],
    ids=repr,
)
def test_literals_of_arguments_are_the_arguments(value: object) -> None:
    """Law: eval(literal(value)) == value."""
    assert eval(literal(value), NAMES) == value
