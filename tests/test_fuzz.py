"""The fuzz targets run, can fail, and say what they hold; here without atheris, over their seeds and damaged ones."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import pytest

from fuzz import targets
from fuzz.__main__ import NAMES, main, smoke
from fuzz.seeds import seeds
from sipcore.auth import Challenge, parse_challenges
from sipcore.errors import RemoteProtocolError
from sipcore.syntax import KeepAlive, NameAddr, StreamFramer, Uri

RUNS = 300


@pytest.mark.parametrize("name", NAMES)
def test_every_target_runs_over_its_seeds_and_damaged_ones(name: str) -> None:
    assert len(set(seeds(name))) > 2
    assert smoke(name, RUNS, seed=1) > RUNS


def test_every_target_is_on_the_command_line_and_states_its_invariant() -> None:
    assert list(NAMES) == list(targets.TARGETS)
    for name, target in targets.TARGETS.items():
        assert target.__doc__, name


def test_smoke_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["uri", "--smoke", "--runs", "5"]) == 0
    assert "nothing found" in capsys.readouterr().out


@pytest.mark.skipif(importlib.util.find_spec("atheris") is not None, reason="atheris is installed: nothing to say")
def test_without_atheris_it_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["uri", "--", "-runs=1"]) == 2
    assert "pip install '.[fuzz]'" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--seconds=abc", "--seconds=0", "--runs=-5"])
def test_a_wrong_number_is_an_error(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["uri", "--smoke", option])
    assert "is no whole number above 0" in capsys.readouterr().err


def test_an_unknown_target_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["other"])
    assert "python -m fuzz" in capsys.readouterr().err


# --- each target can fail --------------------------------------------------------------------------------------------


def test_a_parser_that_raises_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(data: bytes) -> None:
        raise IndexError if b"\0" in data else RemoteProtocolError("no")

    monkeypatch.setattr(targets, "parse_message", parse)
    with pytest.raises(IndexError):
        smoke("message", RUNS, seed=1)


def test_a_framer_that_depends_on_the_cuts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(StreamFramer):
        def receive(self, data: bytes) -> list[bytes | KeepAlive]:
            return super().receive(data.replace(b"\r\n\r\n\r\n", b"\r\n\r\n"))

    monkeypatch.setattr(targets, "StreamFramer", Impatient)
    with pytest.raises(AssertionError):
        smoke("framer", RUNS, seed=1)


def test_a_challenge_that_changes_on_its_way_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(values: Sequence[str], *, proxy: bool) -> tuple[Challenge, ...]:
        return tuple([one._replace(nonce=one.nonce + "x") for one in parse_challenges(values, proxy=proxy)])

    monkeypatch.setattr(targets, "parse_challenges", parse)
    with pytest.raises(AssertionError):
        smoke("challenge", RUNS, seed=1)


def test_an_equivalence_of_one_direction_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    equivalent = Uri.equivalent
    monkeypatch.setattr(Uri, "equivalent", lambda one, two: len(one.host) <= len(two.host) or equivalent(one, two))
    with pytest.raises(AssertionError):
        smoke("uri", RUNS, seed=1)


def test_an_address_that_is_written_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NameAddr, "__str__", lambda address: f"<{address.uri_text}>")
    with pytest.raises(AssertionError):
        smoke("names", RUNS, seed=1)
