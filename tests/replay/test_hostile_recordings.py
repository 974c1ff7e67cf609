"""A recording may come from a stranger: it is refused with a text, or it plays; nothing else happens, nor for long."""

from __future__ import annotations

import json
import time
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.replay import ReplayError, checkpoint, compare, play, read, restore
from sipcore.replay.classes import ENUMS, MACHINES, VALUES
from sipcore.replay.images import PLANS
from sipcore.testing import Line
from sipcore.testing import line as line_module
from tests.accounts import account
from tests.replay.lives import CuttingAgent, Life, live

SECONDS = 5.0
"""CPU for a document of some 200 KiB: playing a sound one takes a tenth of it."""


@cache
def lines() -> tuple[str, ...]:
    """A recording with much in it."""

    def between(life: Life) -> None:
        if life.random.random() < 0.3:
            assert isinstance(life.agent, CuttingAgent)
            life.agent.cut()

    life = live(CuttingAgent, 11, moves=12, between=between)
    assert isinstance(life.agent, CuttingAgent)
    return tuple(life.agent.whole())


def play_all(text: list[str]) -> str:
    """What comes of a document: it is identical, differs, or is refused; anything else is a fault of ours."""
    began = time.process_time()
    try:
        outcome = compare(read(text))
    except ReplayError as error:
        said, result = str(error), "refused"
    else:
        said, result = str(outcome.difference), "identical" if outcome.identical else "differs"
    assert 0 < len(said) < 200_000
    assert time.process_time() - began < SECONDS
    return result


def test_the_sample_is_sound() -> None:
    assert play_all(list(lines())) == "identical"


@pytest.mark.parametrize("more", [[], ["\n"], ['{"end":0,"pending":0,"deadline":null}\n'], ['{"segment":1,"no']])
def test_a_header_alone_is_no_run(more: list[str]) -> None:
    """There is nothing of which to say that it is identical."""
    with pytest.raises(ReplayError, match="holds nothing: behind its header there is no segment"):
        read([lines()[0], *more])


ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    1e308,
    0.5,
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
    {"x": 1},
    {"float": "nan"},
    {"float": "-inf"},
    {"float": "inf"},
    {"node": 1},
    {"node": 2},
    {"node": 10**9},
    {"node": True},
    {"node": "1"},
    {"bytes": "x"},
    {"bytes": 5},
    {"enum": "State.REGISTERED"},
    {"enum": "os.system"},
    {"enum": 5},
    {"secret": "alice/password"},
    {"secret": "x/ha1:ROT13"},
    {"secret": 5},
    {"profile": "ASTERISK"},
    {"profile": []},
    {"Account": {"aor": "sip:a@b"}},
    {"__import__": "os"},
    {"subprocess.Popen": ["true"]},
    {"Path": "/"},
    {"dict": [[{"list": []}, 1]]},
    {"list": 5},
    {"frozenset": [{"list": []}]},
    {"error": ["KeyboardInterrupt", "x", 1]},
    {"error": 5},
    {"Record": {"address": "192.0.2.1", "ttl": {"float": "nan"}}},
    {"Response": {"data": {"bytes": "x"}}},
    "sip:" * 500,
    ["a"] * 500,
]


def places(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a JSON value."""
    result = [path] if path else []
    if isinstance(found, dict):
        for key, item in found.items():
            result += places(item, (*path, key))
    elif isinstance(found, list):
        for index, item in enumerate(found):
            result += places(item, (*path, index))
    return result


def put(found: Any, path: tuple[Any, ...], value: Any) -> None:
    """Put another value there."""
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = value


@settings(max_examples=250)
@given(data=st.data())
def test_any_value_may_be_another(data: st.DataObject) -> None:
    """One to three values anywhere in the document replaced by odd ones, or by others of the same document."""
    text = list(lines())
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(text) - 1))
        found = json.loads(text[index])
        path = data.draw(st.sampled_from(places(found)))
        value: Any = data.draw(st.sampled_from(ODD))
        if data.draw(st.booleans()):
            other = json.loads(text[data.draw(st.integers(0, len(text) - 1))])
            value = other
            for key in data.draw(st.sampled_from(places(other))):
                value = value[key]
        put(found, path, value)
        text[index] = json.dumps(found) + "\n"
    play_all(text)


@settings(max_examples=150)
@given(data=st.data())
def test_lines_may_be_missing_doubled_or_in_another_order(data: st.DataObject) -> None:
    text = list(lines())
    for _ in range(data.draw(st.integers(1, 4))):
        one, other = (data.draw(st.integers(0, len(text) - 1)) for _ in range(2))
        match data.draw(st.integers(0, 3)):
            case 0:
                del text[one]
            case 1:
                text.insert(one, text[other])
            case 2:
                text[one], text[other] = text[other], text[one]
            case _:
                text[one] = text[one][: data.draw(st.integers(0, len(text[one])))]
        if len(text) < 2:
            return
    play_all(text)


@settings(max_examples=150)
@given(junk=st.lists(st.text(max_size=40) | st.binary(max_size=20).map(lambda it: it.decode("latin-1")), max_size=5))
def test_any_text_is_refused(junk: list[str]) -> None:
    with pytest.raises(ReplayError):
        read(junk)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"step":' + "[" * 100_000,
        '{"segment":1,"now":' + "9" * 10_000 + "}",
        '{"segment":1,"now":NaN}',
        '{"segment":1,"now":-Infinity}',
        "null",
        "[]",
        '"x"',
        "{",
        "\x00",
        "x" * ((1 << 24) + 1),
    ],
)
def test_what_is_no_json_of_ours_is_refused(text: str) -> None:
    head = lines()[0]
    with pytest.raises(ReplayError, match="line 2: "):
        read([head, text + "\n"])


def test_a_deep_value_is_refused() -> None:
    text = list(lines())
    index = next(i for i, line in enumerate(text) if '"do":"register"' in line)
    found = json.loads(text[index])
    value: Any = 1
    for _ in range(200):
        value = [value]
    found["with"] = [value]
    text[index] = json.dumps(found) + "\n"
    with pytest.raises(ReplayError, match="more than 32 values in each other"):
        read(text)


def test_what_is_due_for_ever_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval of 0 seconds: each copy is due at the moment of the one before."""
    monkeypatch.setattr(line_module, "UserAgent", CuttingAgent)
    line = Line(account(registrar="sip:192.0.2.1"), script=[])
    line.register(until=0.7)
    assert isinstance(line.agent, CuttingAgent)
    line.agent.cut()
    line.run(until=5.0)
    text = line.agent.whole()
    for index, found in enumerate(map(json.loads, text)):
        if found.get("is") == "ClientTransaction":
            found["has"].update({"interval": 0.0, "t2": 0.0})
            text[index] = json.dumps(found) + "\n"
    began = time.process_time()
    differences = [played.difference for played in play(read(text), segment=2)]
    assert str(differences[-1]).endswith("ReplayError: a deadline is due again and again")
    assert time.process_time() - began < SECONDS


def test_a_recording_of_another_format_is_refused_with_a_clear_text() -> None:
    header = json.loads(lines()[0])
    header["format"] = 2
    with pytest.raises(ReplayError, match="line 1: format 2 cannot be read here; this version reads format 1"):
        read([json.dumps(header) + "\n", *lines()[1:]])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"do": "shutdown"}, "do: 'shutdown' is not an input; known are add, register,"),
        ({"do": "__class__"}, "is not an input"),
        ({"with": []}, r"register takes \(name\)"),
        ({"by": {"x": 1}}, r"register takes \(name\)"),
        ({"drew": [["getrandbits:8", 256]]}, r"drew: each is \[\"random\""),
        ({"drew": [["getrandbits:99999", 1]]}, "drew: each is"),
        ({"drew": 5}, "drew: 5 is not of type list"),
        ({"proofs": ["perhaps"]}, "proofs: each is right or wrong"),
        ({"raised": 5}, "raised: an error is a text"),
        ({"now": "noon"}, "now: a step has a time in seconds"),
        ({"step": 7}, "step 7 stands behind step 0: something is missing"),
        ({"colour": "red"}, "'colour' is not known here; known are step, now, do,"),
        ({"with": [{"os.system": "true"}]}, "'os.system' is not a kind of value that is known here"),
    ],
)
def test_errors_name_the_line_and_what_would_be_valid(change: dict[str, Any], text: str) -> None:
    document = list(lines())
    index = next(i for i, line in enumerate(document) if '"step":1,' in line)
    found = json.loads(document[index])
    assert found["do"] == "register"
    document[index] = json.dumps({**found, **change}) + "\n"
    with pytest.raises(ReplayError, match=f"line {index + 1}: .*{text}"):
        read(document)


def test_errors_of_an_image_name_line_class_and_attribute() -> None:
    text = list(lines())
    index = next(i for i, line in enumerate(text) if '"is":"Registration"' in line)
    found = json.loads(text[index])
    for field, value, said in (
        ("cseq", "one", "'one' is not of type int"),
        ("auth", {"node": 1}, "node 1 is a UserAgent, not a ClientAuth"),
        ("auth", None, "None is not a reference such as"),
        ("state", {"enum": "State.HAPPY"}, "'State.HAPPY' is not a member"),
        ("account", None, "None is not of type Account"),
    ):
        changed = {**found, "has": {**found["has"], field: value}}
        document = [*text[:index], json.dumps(changed) + "\n", *text[index + 1 :]]
        with pytest.raises(ReplayError, match=f"line {index + 1}: Registration.{field}: {said}"):
            compare(read(document))
    del found["has"]["cseq"]
    with pytest.raises(ReplayError, match=r"a Registration with other attributes than .*: \['cseq'\]"):
        compare(read([*text[:index], json.dumps(found) + "\n", *text[index + 1 :]]))


def test_nothing_is_made_that_is_not_in_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each class that a document can name is one of the core's own, and there is no way from a name to another."""
    for kind in (*MACHINES, *VALUES.values(), *ENUMS.values()):
        assert kind.__module__.startswith("sipcore."), kind
    assert {plan.name for plan in PLANS.values()}.isdisjoint(VALUES)

    def refuse(name: str, *rest: object) -> object:
        raise AssertionError(f"import of {name}")

    read(lines())
    monkeypatch.setattr("builtins.__import__", refuse)
    try:
        read(lines())
    finally:
        monkeypatch.undo()


def test_a_checkpoint_is_read_as_strictly() -> None:
    text = checkpoint(read(lines()).segments[-1].restore(random=Random(0)))
    assert restore(text, random=Random(0)).names()
    with pytest.raises(ReplayError):
        restore(text[: len(text) // 2], random=Random(0))
    with pytest.raises(ReplayError, match="line 1"):
        restore("", random=Random(0))
    assert list(play(read(text.splitlines()))) == []
