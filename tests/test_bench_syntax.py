"""The pieces of `benchmarks/bench_syntax.py` are right, so that its figures mean something. Needs no peer."""

from __future__ import annotations

import functools
import importlib
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from benchmarks import bench_syntax
from benchmarks.bench_syntax import Results, Row, run, table
from benchmarks.syntax import jssip
from benchmarks.syntax.checks import Disagreement, check, normal
from benchmarks.syntax.messages import CHALLENGED, KINDS, WRITTEN, make, variants
from benchmarks.syntax.peers import PEERS, NotInstalled, load
from benchmarks.syntax.subjects import FLOOR, Reading, Subject, caches, ours
from benchmarks.syntax.timing import measure
from sipcore.syntax import parse_message

SOME = 5
ABSENT = "not installed: pip install it"


@pytest.fixture
def sipcore_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no peer were installed."""

    def absent(*_: object) -> Any:
        raise NotInstalled(ABSENT)

    monkeypatch.setattr(bench_syntax, "load", absent)
    monkeypatch.setattr(jssip, "run", absent)


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("REGISTER, 14 headers", 14),
        ("401, two challenges", 9),
        ("200, three contacts", 14),
        ("REGISTER, 30 headers", 30),
    ],
)
def test_messages_are_what_their_names_say(kind: str, headers: int) -> None:
    for data in make(kind, SOME):
        assert len(parse_message(data).headers) == headers
        assert bytes(parse_message(data)) == data


def test_every_kind_is_named_above() -> None:
    assert list(KINDS) == ["REGISTER, 14 headers", "401, two challenges", "200, three contacts", "REGISTER, 30 headers"]
    assert WRITTEN in KINDS
    assert CHALLENGED in KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_messages_are_equal_and_each_run_has_the_same(kind: str) -> None:
    messages = make(kind, 200)
    assert len(set(messages)) == 200
    assert make(kind, 10) == messages[:10]


def test_variants_differ_in_branch_tags_cseq_and_nonce() -> None:
    some = variants(200)
    for field in ("branch", "from_tag", "to_tag", "cseq", "nonce", "second_nonce", "next_branch"):
        assert len({getattr(variant, field) for variant in some}) == 200


@pytest.mark.parametrize("kind", KINDS)
def test_the_floor_has_what_we_have(kind: str) -> None:
    (data,) = make(kind, 1)
    message = parse_message(data)
    floor: Any = FLOOR.parse(data)
    start, headers, body = floor
    assert start == message.start_line
    assert body == message.body
    assert set(headers) == {name.lower() for name, _ in message.headers}
    for name, value in headers.items():
        assert message.get_all(name) == ([value] if isinstance(value, str) else value)


def test_the_reading_is_complete() -> None:
    read = ours().read
    assert read is not None
    readings = {kind: normal(read(make(kind, 1)[0])) for kind in KINDS}
    (variant,) = variants(1)
    register, refused, ok = (readings[kind] for kind in list(KINDS)[:3])
    assert register.branch == variant.branch
    assert register.contacts == [("user00001", "192.0.2.17", 40000, "udp", 3600, "0.7")]
    assert (register.expires, register.cseq, register.method) == (3600, variant.cseq, "REGISTER")
    assert [challenge[1] for challenge in refused.challenges] == [variant.nonce, variant.second_nonce]
    assert (refused.received, refused.rport) == ("198.51.100.7", 40000)
    assert [contact[4] for contact in ok.contacts] == [3600, 1801, 60]
    assert (ok.from_tag, ok.to_tag) == (variant.from_tag, variant.to_tag)


def test_we_pass_our_own_check() -> None:
    check(ours(), SOME)


@pytest.mark.parametrize("name", PEERS)
def test_an_installed_peer_passes_the_check(name: str) -> None:
    try:
        peer = load(name)
    except NotInstalled as absent:
        pytest.skip(str(absent))
    check(peer, SOME)


def test_jssip_passes_the_check_where_it_is_installed() -> None:
    results = Results([], rows=[Row("write the next refresh", {"sipcore": 1.0}, None)])
    try:
        bench_syntax._add_jssip(results, jssip.run(1, 1))
    except NotInstalled as absent:
        pytest.skip(str(absent))
    (row,) = results.rows
    assert results.names[0].startswith("JsSIP ")
    assert row.seconds[results.names[0]] > 0


@pytest.mark.parametrize("field", Reading._fields)
def test_a_wrong_value_is_noticed(field: str) -> None:
    good = ours().read
    assert good is not None

    def bad(data: bytes) -> tuple[Any, ...]:
        values = list(good(data))
        values[Reading._fields.index(field)] = [("other",) * 6]
        return tuple(values)

    with pytest.raises(Disagreement, match=field):
        check(replace(ours(), read=bad), 1)


def test_a_wrong_answer_is_noticed() -> None:
    good = ours().answer
    assert good is not None
    with pytest.raises(Disagreement, match="not the answer"):
        check(replace(ours(), answer=lambda data: good(data).replace("00000001", "00000002")), 1)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b"Expires: 3600", b"Expires: 60", "expires"),
        (b"Max-Forwards: 70\r\n", b"", "same headers"),
        (b"REGISTER sip:", b"OPTIONS sip:", "same request"),
        (b";branch=z9hG4bK", b";branch=z9hG4bKx", "next request"),
        (b"nc=0000000", b"nc=0000001", "not the answer"),
    ],
)
def test_a_wrong_refresh_is_noticed(old: bytes, new: bytes, match: str) -> None:
    prepare = ours().prepare
    assert prepare is not None

    def bad(register: bytes, challenges: Any) -> Any:
        refresh = prepare(register, challenges)
        return lambda branch: refresh(branch).replace(old, new, 1)

    with pytest.raises(Disagreement, match=match):
        check(replace(ours(), prepare=bad), 1)


def test_a_cache_inside_sipcore_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    @functools.lru_cache
    def remembered() -> None: ...

    assert remembered not in caches()
    monkeypatch.setattr(remembered, "__module__", "sipcore.syntax")
    assert remembered in caches()


@pytest.mark.parametrize("kind", KINDS)
def test_no_module_of_ours_remembers_messages(kind: str) -> None:
    """No container at the top of a module grows, so no message makes the next one cheaper."""
    messages = make(kind, 40)
    subject = ours()
    assert subject.read is not None
    subject.read(messages[0])
    before = _sizes()
    for data in messages:
        subject.read(data)
    assert _sizes() == before


def test_each_item_of_a_batch_is_taken_once_in_each_run() -> None:
    taken: dict[str, list[int]] = {"one": [], "two": []}
    cleared: list[None] = []
    seconds = measure(
        {name: items.append for name, items in taken.items()},
        range(1200),
        runs=2,
        prepare={"one": lambda item: item, "two": lambda item: -item},
        forget={"two": [lambda: cleared.append(None)]},
    )
    assert taken["one"] == [*range(1200)] * 2
    assert taken["two"] == [-item for item in taken["one"]]
    assert len(cleared) == 2400
    assert seconds.keys() == taken.keys()
    assert all(0 < value < 1 for value in seconds.values())


@pytest.mark.parametrize(
    ("row", "ratio", "missed"),
    [
        (Row("parse", {"floor": 2.0, "sipcore": 3.0}, 1.6, over_floor=True), 1.5, False),
        (Row("parse", {"floor": 2.0, "sipcore": 3.5}, 1.6, over_floor=True), 1.75, True),
        (Row("read", {"sipcore": 1.0, "sippy": 3.0, "opensip": 4.0}, 3.0), 3.0, False),
        (Row("read", {"sipcore": 1.0, "sippy": 2.9, "opensip": 4.0}, 3.0), 2.9, True),
        (Row("read", {"sipcore": 1.0, "JsSIP 3.13.8": 2.0}, 3.0), None, False),
        (Row("read", {"sipcore": 1.0, "sippy": 0.5}, None), 0.5, False),
    ],
)
def test_a_bar(row: Row, ratio: float | None, missed: bool) -> None:
    assert row.ratio() == ratio
    assert row.missed() is missed
    assert ("MISSED" in table(Results(list(row.seconds), [row]))) is missed


@pytest.mark.usefixtures("sipcore_alone")
def test_an_absent_peer_is_a_line_of_the_table() -> None:
    results = run(SOME, 1)
    assert results.names == ["floor", "sipcore"]
    text = table(results)
    for name in (*PEERS, "JsSIP"):
        assert f"{name}: {ABSENT}" in text
    # One line for each kind parsed, one for each read, two for credentials, one for the refresh.
    assert [row.bar for row in results.rows] == [1.6] * 4 + [3.0, 2.0, 3.0, 3.0] + [2.0, None, 2.0]


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    for name in PEERS:
        with pytest.raises(NotInstalled, match=f"pip install {name}"):
            load(name)


@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--require-peers"], 1)])
def test_exit_status_of_absent_peers(monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int) -> None:
    row = Row("parse", {"floor": 1.0, "sipcore": 1.0}, 1.6, over_floor=True)
    assert _main(monkeypatch, Results(["floor", "sipcore"], [row], absent={"sippy": ABSENT}), arguments) == status


def test_exit_status_of_a_missed_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    row = Row("parse: it", {"floor": 1.0, "sipcore": 2.0}, 1.6, over_floor=True)
    assert _main(monkeypatch, Results(["floor", "sipcore"], [row])) == 1
    assert "missed: parse: it" in capsys.readouterr().out


def test_a_peer_that_does_other_work_is_left_out_and_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def lazy(name: str) -> Subject:
        return replace(ours(), name=name, read=lambda data: ("",) * len(Reading._fields))

    monkeypatch.setattr(bench_syntax, "load", lazy)
    results = run(SOME, 1, ["sippy"], ["read"])
    assert "sippy" not in results.names
    assert "does other work" in table(results)
    results.rows.clear()
    results.rows.append(Row("parse", {"floor": 1.0, "sipcore": 1.0}, None, over_floor=True))
    assert _main(monkeypatch, results) == 1


def _main(monkeypatch: pytest.MonkeyPatch, results: Results, arguments: list[str] | None = None) -> int:
    monkeypatch.setattr(bench_syntax, "run", lambda *_: results)
    monkeypatch.setattr(sys, "argv", ["bench_syntax", *(arguments or [])])
    return bench_syntax.main()


def _sizes() -> dict[str, int]:
    sizes = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "sipcore" and isinstance(module, ModuleType):
            for key, value in vars(module).items():
                if isinstance(value, dict | list | set) and not key.startswith("__"):
                    sizes[f"{name}.{key}"] = len(value)
    return sizes
