"""The tool that breaks tables: which faults it makes, and that one of them is found."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mutation.__main__ import main
from mutation.faults import faults, planted
from mutation.plant import VARIABLE

ROOT = Path(__file__).parents[1]

SOURCE = '''"""Text."""
from __future__ import annotations
__all__ = ["TABLE"]
LIMIT: float = 2 * 0.5
"""Text."""
TABLE: dict[str, State] = {A: State.X, B: State.Y, C: State.Y}
CODES = frozenset({408, 503})
class Thing:
    __slots__ = ("a",)
    flag: bool = rule(first=True)
    @property
    def usable(self) -> bool:
        """Text."""
        return not self.a < 1 and self.b is None
    @classmethod
    def left_to_mutmut(cls) -> int:
        return 1
'''

TABLES = [
    "2 -> 3",
    "0.5 -> 1.5",
    "2 * 0.5: Div",
    "A left out",
    "A: State.Y",
    "B left out",
    "B: State.X",
    "C left out",
    "C: State.X",
    "408 left out",
    "503 left out",
    "408 -> 409",
    "503 -> 504",
    "first=True left out",
    "True -> False",
    "return not self.a < 1 and self.b is None: None",
    "not self.a < 1 and self.b is None: Or",
    "not self.a < 1: no not",
    "self.a < 1: LtE",
    "1 -> 2",
    "self.b is None: IsNot",
]


def test_what_mutmut_leaves_is_broken_and_nothing_else() -> None:
    assert sorted(fault.text for fault in faults(SOURCE)) == sorted(TABLES)


def test_each_fault_is_one_change_that_compiles() -> None:
    """Law: all faults of a module differ from it and from each other."""
    texts = [ast.unparse(planted(SOURCE, number)) for number in range(len(TABLES))]
    assert len({*texts, ast.unparse(ast.parse(SOURCE))}) == len(TABLES) + 1
    for text in texts:
        compile(text, "thing", "exec")
    with pytest.raises(IndexError):
        planted(SOURCE, len(TABLES))


def test_a_fault_stands_where_its_line_says() -> None:
    lines = {fault.text: fault.line for fault in faults(SOURCE)}
    assert (lines["0.5 -> 1.5"], lines["B left out"], lines["503 left out"], lines["self.a < 1: LtE"]) == (4, 6, 7, 14)


@pytest.mark.parametrize(("broken", "guess"), [(False, "3601"), (True, "3602")])
def test_the_plugin_breaks_one_module_and_no_file(broken: bool, guess: str) -> None:
    path = ROOT / "sipcore/registration/too_brief.py"
    before = path.read_bytes()
    number = [item.text for item in faults(path.read_text("utf-8"))].index("3601 -> 3602")
    code = "import mutation.plant, sipcore.registration.too_brief as it; print(it.GUESS)"
    fault = f"sipcore.registration.too_brief:{number}" if broken else ""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: fault}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True)
    assert shown.stdout.split() == [guess]
    assert path.read_bytes() == before


def test_the_faults_of_a_module_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["tables", "--list", "sipcore/registration/too_brief.py"]) == 0
    assert ": 3601 -> 3602\n" in capsys.readouterr().out


def test_the_report_shows_scores_and_survivors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "mutants/sipcore/auth"
    place.mkdir(parents=True)
    (place / "digest.py.meta").write_text('{"exit_code_by_key": {"a": 1, "b": 0, "c": 36, "d": null}}')
    (tmp_path / "mutants/sipcore.profiles.tables.json").write_text('{"e": "killed", "f": "survived"}')
    assert main(["report"]) == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:4] == [
        ["sipcore/auth/digest.py", "4", "1", "1", "1", "66.7", "%"],
        ["sipcore.profiles,", "tables", "2", "1", "0", "1", "50.0", "%"],
        ["all", "6", "2", "1", "2", "60.0", "%"],
    ]
    assert lines[4:] == [["b"], ["d"], ["f"]]
