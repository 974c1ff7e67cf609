"""Mutants: two numbers make one, and `examine` sees what is wrong with whoever reads it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from sipcore.syntax import CSeq, StreamFramer, framing, parse_message
from sipcore.testing import Mutant, Violation, examine, mutant
from sipcore.testing.mutation import SIP, Base, Corpus, delivery, examination, examine_all
from sipcore.testing.mutation.__main__ import SHOWN, main
from sipcore.testing.mutation.delivery import check_datagram, deliver
from sipcore.testing.mutation.dice import Dice, walk
from sipcore.testing.mutation.elements import ELEMENTS, LONG_ELEMENTS, WAYS
from sipcore.testing.mutation.parts import Parts, fields_of
from sipcore.testing.mutation.reading import parsers, read_text
from sipcore.testing.mutation.structure import CUTS, FLIPS, INSERTIONS, OPERATIONS
from tests.programs import ENVIRONMENT

# --- a mutant is two numbers -----------------------------------------------------------------------------------------


def test_a_mutant_is_a_function_of_seed_and_number() -> None:
    for number in range(300):
        one, two = mutant(5, number), Corpus("again", SIP.bases).mutant(5, number)
        assert one == two
        assert f"--seed 5 --number {number} " in one.command
    assert mutant(1, 0).data.startswith((b"SIP/2.0 ", b"NOTIFY", b"INVITE", b"REGISTER", b"OPTIONS"))


def test_numbers_give_different_cases_and_seeds_different_ones() -> None:
    for seed in (1, 2):
        assert len({mutant(seed, number).data for number in range(2000)}) > 1900
    assert len({mutant(seed, number).data for seed in range(20) for number in range(50)}) > 900


def test_no_case_comes_twice_and_all_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: before more is stacked in its place, each element, operation and place comes, and comes once."""
    small = Corpus("small", (Base("small", b"A b:c SIP/2.0\r\n\r\n"),))
    monkeypatch.setattr(Corpus, "_stacked", lambda self, seed, number: Mutant(seed, number, "stacked", (), b""))
    words = len(fields_of(small.bases[0].data))
    short = words * len(ELEMENTS) * len(WAYS)
    # Of 16 numbers seven are elements; of 48 one is a long one, and of those this is not the end.
    numbers = range(16 * short // 7 + 16)
    cases = [mutant(3, number, small) for number in numbers]
    found = [case.changes for case in cases if case.base != "stacked"]
    assert len(found) == len(set(found))
    assert len({element.data for element in (*ELEMENTS, *LONG_ELEMENTS)}) == len(ELEMENTS) + len(LONG_ELEMENTS)
    long = len([number for number in numbers if number % 48 == 15])
    assert len(found) == small.size - words * len(LONG_ELEMENTS) * len(WAYS) + long


def test_the_repr_says_what_was_done_and_not_what_it_holds() -> None:
    case = mutant(1, 2)
    assert case.base in repr(case)
    assert case.changes[0] in str(case).replace("\\\\", "\\")
    assert len(repr(mutant(1, 15))) < 400
    assert all(len(str(mutant(1, number))) < 600 for number in range(500))


def test_every_kind_of_damage_comes_in_every_round() -> None:
    changes = [change for number in range(20_000) for change in mutant(9, number).changes]
    for operation in (*OPERATIONS, *CUTS, *FLIPS, *INSERTIONS):
        assert any(change.startswith(operation.name) for change in changes), operation.name
    for way in ("replaced by", "preceded by", "followed by", "broken by"):
        assert any(f" {way} numeral" in change for change in changes)
    assert {mutant(9, number).base for number in range(200)} == {base.name for base in SIP.bases}


def test_the_walk_meets_every_number_once() -> None:
    """Law: `space` steps from anywhere are a permutation."""
    for space in (1, 2, 3, 10, 997, 1000):
        assert sorted(walk(space, step, "x", space) for step in range(7, 7 + space)) == list(range(space))


def test_dice_throw_the_same_for_ever() -> None:
    dice = Dice("some", 1)
    assert [dice.below(1000) for _ in range(6)] == [989, 194, 0, 284, 6, 364]




@pytest.mark.parametrize("base", SIP.bases, ids=lambda base: base.name)
def test_a_base_is_a_good_message(base: Base) -> None:
    message = parse_message(base.data)
    assert message.content_length == len(message.body)
    assert bytes(message) == bytes(Parts.of(base.data)) == base.data
    assert message.cseq.number > 0
    assert len(fields_of(base.data)) > 30


def test_fields_have_names_that_say_what_they_are() -> None:
    data = b'SIP/2.0 401 No\r\nVia: SIP/2.0/UDP h;branch=z9\r\nl:\r\nX: a="b c",\r\n d\r\n\r\n<e f="g">'
    assert [(field.name, data[field.start : field.end]) for field in fields_of(data)] == [
        *(("start#1", b"SIP"), ("start#2", b"2.0"), ("start#3", b"401"), ("start#4", b"No")),
        *(("Via", b"Via"), ("Via:", b"SIP/2.0/UDP h;branch=z9"), ("Via#1", b"SIP"), ("Via#2", b"2.0")),
        ("Via#3", b"UDP"),
        *(("Via#4", b"h"), ("Via#5", b"branch"), ("Via.branch", b"z9"), ("l", b"l"), ("l:", b"")),
        *(("X", b"X"), ("X:", b'a="b c",'), ("X#1", b"a"), ("X.a", b"b"), ("X#3", b"c"), ("X#1", b"d")),
        *(("body#1", b"e"), ("body#2", b"f"), ("body.f", b"g")),
    ]


# --- what the examination sees ---------------------------------------------------------------------------------------


def numbered(data: bytes) -> Mutant:
    return Mutant(0, 0, "test", ("test",), data)


GOOD = SIP.bases[0].data


def test_a_good_message_is_taken() -> None:
    assert examine(numbered(GOOD)) == "taken"


def test_a_framer_that_depends_on_the_cuts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(StreamFramer):
        def receive(self, data: bytes) -> list[Any]:
            items = super().receive(data)
            self._scanned = len(self._buffer)
            return items

    monkeypatch.setattr(delivery, "StreamFramer", Forgetful)
    with pytest.raises(Violation, match=r"byte by byte|random cuts"):
        examine(numbered(GOOD))


def test_a_datagram_that_differs_from_the_stream_is_found() -> None:
    check_datagram(GOOD, deliver([GOOD], accepted=True))
    with pytest.raises(Violation, match="waits for more"):
        check_datagram(GOOD, deliver([GOOD[:-1]], accepted=True))
    with pytest.raises(Violation, match="one datagram"):
        check_datagram(GOOD, deliver([GOOD.replace(b"401", b"402")], accepted=True))
    with pytest.raises(Violation, match="the stream ends"):
        check_datagram(GOOD, deliver([GOOD.replace(b"Content-Length: 0", b"Content-Length: x")], accepted=True))


def test_a_stream_that_goes_on_behind_two_lengths_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it cuts out is refused as the datagram is, but what it cuts out next is not what others see there."""
    twice = GOOD.replace(b"Content-Length: 0", b"Content-Length: 0\r\nContent-Length: 5")
    examine(numbered(twice))
    monkeypatch.setattr(framing, "_content_length", lambda head: 0)
    with pytest.raises(Violation, match="says nothing"):
        examine(numbered(twice))


def test_an_error_that_is_not_documented_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipcore.syntax.message.parse_cseq", lambda text: CSeq(int(text.split()[0]), "X"))
    result = examine_all([numbered(GOOD), numbered(GOOD.replace(b"4711", b"4711x"))])
    assert (result.cases, [type(error) for _, error in result.failed]) == (2, [ValueError])


def test_a_value_that_is_written_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(parsers()) >= 12
    monkeypatch.setattr(CSeq, "__str__", lambda cseq: f"{cseq.number + 1} {cseq.method}")
    with pytest.raises(Violation, match="is written '8 REGISTER'"):
        read_text("7 REGISTER")


def test_time_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "MAX_CPU", 0.0)
    result = examine_all(mutant(1, number) for number in range(100))
    assert len(result.failed) >= 1
    assert "ms of CPU" in str(result.failed[0][1])
    assert str(result.failed[-1][0]) == result.slowest_case


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer of CPU time")
def test_what_never_ends_is_named_like_all_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """One case hangs in Python code, the other within a regular expression."""

    def hang(data: bytes) -> None:
        while b"4712" in data:
            pass
        re.fullmatch(b"(?:a+)+b", data[data.find(b"aaa") :])

    monkeypatch.setattr(examination, "MAX_PATIENCE", 0.05)
    monkeypatch.setattr(examination, "read_message", lambda message: hang(bytes(message)))
    handler = signal.getsignal(signal.SIGVTALRM)
    cases = [numbered(GOOD.replace(b"4711", number)) for number in (b"4711", b"4712", b"4713")]
    cases.append(numbered(GOOD.replace(b"Content-Length: 0", b"Content-Length: 50") + b"a" * 50))
    result = examine_all(cases)
    assert [case for case, error in result.failed if "given up" in str(error)] == [cases[1], cases[3]]
    assert signal.getsignal(signal.SIGVTALRM) == handler


# --- the command line ------------------------------------------------------------------------------------------------


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "sipcore.testing.mutation", *arguments]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False)


def test_the_command_line_shows_what_a_number_stands_for() -> None:
    case = mutant(3, 7)
    assert run("--seed", "3", "--number", "7", "--raw").stdout == case.data
    shown = run("--seed", "3", "--number", "7", "--check")
    assert shown.returncode == 0
    text = shown.stdout.decode()
    assert str(case) in text
    assert f"{len(case.data)} bytes" in text
    assert "datagram: " in text
    assert "stream that we accepted: " in text
    assert '"failed": 0' in text
    assert text.isascii()


def test_the_command_line_examines_a_range() -> None:
    result = run("--seed", "3", "--number", "100", "--count", "50", "--step", "3")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["seed"], report["cases"], report["failed"]) == (3, 50, 0)
    assert sum(report["became"].values()) == 50


def test_the_command_line_shows_the_bytes_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    ends = set()
    for number in range(30):
        if len(mutant(1, number).data) > SHOWN:
            continue
        ends.add(mutant(1, number).data.endswith(b"\n"))
        main(["--seed", "1", "--number", str(number)])
        lines = capsys.readouterr().out.split("\n")[1:]
        shown = lines[: next(place for place, line in enumerate(lines) if line.endswith(" bytes"))]
        text = "".join([line.removeprefix("  ") for line in shown])
        assert text.encode().decode("unicode_escape").encode("latin-1") == mutant(1, number).data
    assert ends == {True, False}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--count 0", "--count: '0' is no whole number above 0"),
        ("--count 5 --step -1", "--step: '-1' is no whole number above 0"),
        ("--step 2", "--step goes with --count"),
        ("--raw --count 3", "--raw writes one mutant"),
        ("--number x", "invalid int value: 'x'"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments.split())
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_reader_that_has_enough_is_no_error() -> None:
    program = [sys.executable, "-m", "sipcore.testing.mutation", "--seed", "1", "--number", "5"]
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(program, env=ENVIRONMENT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert result.stderr == b""
