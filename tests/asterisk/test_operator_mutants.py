"""Configuration files, AMI and command lines, damaged by the generator of `sipcore.testing.mutation`: whatever an
operator writes, a program sends or a disk spoils, nothing comes out but `ConfigError`.

What each target promises is its docstring in `fuzz.operators`. Two numbers make a case again: seed and number.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from fuzz import operators
from fuzz.targets import TARGETS
from fuzz.texts import TEXTS
from sipcore import asterisk, native
from sipcore.asterisk.ami_settings import load_manager
from sipcore.errors import ConfigError
from sipcore.testing.mutation import Base, Corpus

CPU = 3.0
"""Seconds for each target."""

MUTANTS = 1500
"""At most so many for each; on a usual machine time is over first where files are read."""

LEAST = 60
"""A machine on which the time is over before so many has something else to do, or a mutant takes seconds."""

SLOWEST = 1.5
"""Seconds of CPU for one mutant; the largest is some 100 KiB."""

HEAD = b"X\r\n\r\n"
"""In front of what is no message, which is then a body: all its words are fields, and each of its bytes a place."""


def corpus(target: str) -> Corpus:
    """The mutants of what is written when nothing is wrong."""
    head = b"" if target == "ami" else HEAD
    return Corpus(
        target, tuple(Base(f"{target} {number}", head + text.encode()) for number, text in enumerate(TEXTS[target]))
    )


def damaged(family: Corpus, seed: int, number: int) -> bytes:
    data = family.mutant(seed, number).data
    return data if family.name == "ami" else data.partition(b"\r\n\r\n")[2] or data


@pytest.mark.parametrize("target", TEXTS)
def test_no_mutant_gets_out_anything_but_a_config_error(target: str) -> None:
    family, test = corpus(target), TARGETS[target]
    begun = time.process_time()
    number = 0
    while number < MUTANTS and (number < LEAST or time.process_time() - begun < CPU):
        data = damaged(family, 1, number)
        started = time.process_time()
        try:
            test(data)
        except Exception as error:
            raise AssertionError(f"{target}: {family.mutant(1, number)}: {data[:2000]!r}") from error
        assert time.process_time() - started < SLOWEST, f"{target}: {family.mutant(1, number)}"
        number += 1
    assert number >= LEAST


@pytest.mark.parametrize("target", TEXTS)
def test_the_mutants_are_different_and_most_of_them_are_damaged(target: str) -> None:
    family = corpus(target)
    found = {damaged(family, 1, number) for number in range(400)}
    whole = {text.encode() for text in TEXTS[target]}
    assert len(found - whole) > 200
    # Of a command line much damage falls on the head that is taken off again.
    assert sum(damaged(family, 1, number) in whole for number in range(400)) < (150 if target == "console" else 50)


def load_pjsip(text: str) -> object:
    return asterisk.load(operators.FILE, operators.Directory({operators.FILE: text.encode(), "more.conf": b""}))


def load_wizard(text: str) -> object:
    files = {operators.FILE: operators.MORE, "pjsip_wizard.conf": text.encode()}
    return asterisk.load(operators.FILE, operators.Directory(files))


def load_toml(text: str) -> object:
    return native.parse(text, secrets=operators.Vault())


LOADERS: dict[str, Callable[[str], object]] = {
    "pjsip": load_pjsip, "wizard": load_wizard, "toml": load_toml, "manager": load_manager
}  # fmt: skip


@pytest.mark.parametrize("target", LOADERS)
def test_the_undamaged_files_are_taken(target: str) -> None:
    """Or else the mutants would all end at the same first fault."""
    if target == "pjsip":
        main, calls = TEXTS["pjsip"]
        assert load_pjsip(main + calls.replace('#include "more.conf"\n', ""))
        return
    for text in TEXTS[target]:
        assert LOADERS[target](text)


@pytest.mark.parametrize("target", LOADERS)
def test_a_reader_that_raises_something_else_is_found(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> object:
        raise IndexError("of the test")

    monkeypatch.setattr(operators, "load_manager", fail)
    monkeypatch.setattr(asterisk, "load", fail)
    monkeypatch.setattr(native, "load", fail)
    with pytest.raises(IndexError):
        TARGETS[target](TEXTS[target][0].encode())


@pytest.mark.parametrize("target", ["pjsip", "wizard", "toml"])
def test_an_error_that_shows_the_password_is_found(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(*arguments: object, **options: object) -> object:
        raise ConfigError("password", operators.PASSWORD, "not told", where="f:1")

    monkeypatch.setattr(asterisk, "load", tell)
    monkeypatch.setattr(native, "load", tell)
    with pytest.raises(AssertionError):
        TARGETS[target](TEXTS[target][0].encode())


def test_an_answer_that_depends_on_the_cuts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = operators._answers
    monkeypatch.setattr(operators, "_answers", lambda pieces: answers(pieces[:3]))
    with pytest.raises(AssertionError):
        TARGETS["ami"](TEXTS["ami"][0].encode())


def test_a_command_that_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(line: str, view: object) -> list[str]:
        raise KeyError(line)

    monkeypatch.setattr(operators, "complete", fail)
    with pytest.raises(KeyError):
        TARGETS["console"](b"core")
