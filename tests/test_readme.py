"""What the documentation shows is true: commands exist, and every example runs."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipcore_trio.daemon.cli import parser
from tests.programs import TOP, Program

README = (TOP / "README.md").read_text(encoding="utf-8")

MAX_LINES = 8
"""What an embedder needs to register, blank lines not counted."""


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def registrar() -> Iterator[Program]:
    arguments = ("registrar", "--listen", "udp:127.0.0.1:0", "--user", "alice:secret")
    with Program("-m", "sipcore_trio.daemon", *arguments) as program:
        yield program


def test_there_is_an_example_for_each_driver() -> None:
    found = "\n".join(blocks("python"))
    assert all(f"from {package} import" in found for package in ("sipcore_trio", "sipcore_asyncio", "sipcore_sync"))


REGISTERING = [code for code in blocks("python") if "registered(" in code]

SYNTAX = [code for code in blocks("python") if "registered(" not in code]

SHOWN = """OPTIONS h2.example Al 7 4
True
OPTIONS sip:bob@h2.example SIP/2.0\r
f: "Al" <sip:al@h1.example>;tag=7\r
CSeq: 4 OPTIONS\r
l: 0\r
Max-Forwards: 70\r
\r

"""


def test_eight_lines_parse_read_change_and_write_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = SYNTAX
    assert len([line for line in code.splitlines() if line.strip()]) <= MAX_LINES
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == SHOWN
    assert (TOP / "examples" / "syntax.py").read_text(encoding="utf-8").endswith(code)


@pytest.mark.parametrize("code", REGISTERING)
def test_an_example_registers_in_eight_lines_and_ctrl_c_removes_the_binding(code: str, registrar: Program) -> None:
    assert len([line for line in code.splitlines() if line.strip()]) <= MAX_LINES
    address = registrar.line("listening on udp:").rpartition("udp:")[2]
    with Program("-c", code.replace("alice@example.com", f"alice@{address}")) as example:
        example.line("Registered")
        registrar.line("200 OK")
        example.signal(signal.SIGINT)
        # The second 200 answers the removal.
        registrar.line("200 OK")


@pytest.mark.parametrize("page", sorted((TOP / "docs").glob("*.md")), ids=lambda page: page.name)
def test_the_python_in_docs_runs(page: Path) -> None:
    for code in blocks("python", page.read_text(encoding="utf-8")):
        exec(compile(code, str(page), "exec"), {"__name__": "__main__"})


def test_the_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    seen = set()
    for line in "".join(blocks("sh")).splitlines():
        words = [word for word in shlex.split(line, comments=True) if "=" not in word]
        seen.add(words[0])
        if words[0] == "make":
            assert set(words[1:]) <= targets, line
        else:
            assert words[0] == "sipcore"
            parser().parse_args(words[1:])
    assert seen == {"make", "sipcore"}


def test_links_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in (TOP / "docs").glob("*.md"))):
        page = TOP / name
        # Sections of configuration files look like links; they stand in backquotes.
        text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{name}: {target}"
