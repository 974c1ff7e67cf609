"""Questions are asked once, shared, remembered for their time, and given up after 10 s."""

from __future__ import annotations

import math

import pytest

from sipcore.commands import Record, Resolve
from sipcore.network.resolver import MAX_NAMES, MAX_RECORDS, Resolver
from sipcore.values import RecordKind
from tests.host import Host

A, AAAA = RecordKind.A, RecordKind.AAAA


class Asker:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, RecordKind, tuple[str, ...], str | None]] = []

    def on_answer(self, name: str, kind: RecordKind, addresses: tuple[str, ...], error: str | None, now: float) -> None:
        self.told.append((name, kind, addresses, error))


def asked(host: Host) -> list[tuple[int, str, RecordKind]]:
    return [(item.query, item.name, item.kind) for item in host.outputs() if isinstance(item, Resolve)]


def test_one_question_for_all_who_ask() -> None:
    host = Host()
    resolver, one, two, other = Resolver(host), Asker(), Asker(), Asker()
    resolver.ask("h.example", A, one, 0.0)
    resolver.ask("h.example", A, two, 0.1)
    resolver.ask("h.example", AAAA, other, 0.1)
    assert asked(host) == [(1, "h.example", A), (2, "h.example", AAAA)]
    resolver.answer(1, [Record("192.0.2.1"), Record("192.0.2.2"), Record("192.0.2.1")], None, 0.2)
    assert one.told == two.told == [("h.example", A, ("192.0.2.1", "192.0.2.2"), None)]
    assert other.told == []


@pytest.mark.requirement("RFC3263-4.1-09")
@pytest.mark.parametrize(
    ("ttls", "kept"),
    [
        ([None], 60.0),
        ([300.0], 300.0),
        ([300.0, 20.0], 20.0),
        ([0.0], 1.0),
        ([-5.0], 1.0),
        ([math.nan], 1.0),
        ([1e12], 86400.0),
        ([math.inf], 86400.0),
    ],
)
def test_an_answer_is_kept_for_its_time(ttls: list[float | None], kept: float) -> None:
    host = Host()
    resolver = Resolver(host)
    resolver.ask("h.example", A, Asker(), 5.0)
    resolver.answer(1, [Record(f"192.0.2.{number}", ttl) for number, ttl in enumerate(ttls)], None, 5.0)
    known = tuple(f"192.0.2.{number}" for number in range(len(ttls)))
    assert resolver.look("h.example", A, 5.0 + kept - 0.001) == known
    assert resolver.look("h.example", A, 5.0 + kept) is None
    assert resolver.look("h.example", AAAA, 5.0) is None


def test_silence_is_given_up_after_10_s_and_a_late_answer_is_dropped() -> None:
    host = Host()
    resolver, asker = Resolver(host), Asker()
    resolver.ask("h.example", A, asker, 0.0)
    host.run(9.999)
    assert asker.told == []
    host.run(10.0)
    assert asker.told == [("h.example", A, (), "no answer from the resolver")]
    resolver.answer(1, [Record("192.0.2.1")], None, 10.1)
    assert len(asker.told) == 1
    assert resolver.look("h.example", A, 10.1) is None


@pytest.mark.parametrize(("error", "told"), [("SERVFAIL", "SERVFAIL"), (None, "no address")])
def test_a_failure_is_told_and_not_remembered(error: str | None, told: str) -> None:
    host = Host()
    resolver, asker = Resolver(host), Asker()
    resolver.ask("h.example", A, asker, 0.0)
    resolver.answer(1, [], error, 0.1)
    assert asker.told == [("h.example", A, (), told)]
    assert host.next_deadline() is None
    resolver.ask("h.example", A, asker, 0.2)
    assert asked(host)[-1] == (2, "h.example", A)


def test_who_asks_again_when_told_is_asked_for_anew() -> None:
    class Again(Asker):
        def on_answer(
            self, name: str, kind: RecordKind, addresses: tuple[str, ...], error: str | None, now: float
        ) -> None:
            super().on_answer(name, kind, addresses, error, now)
            resolver.ask(name, kind, Asker(), now)

    host = Host()
    resolver, again = Resolver(host), Again()
    resolver.ask("h.example", A, again, 0.0)
    resolver.answer(1, [], "SERVFAIL", 0.1)
    assert [number for number, _, _ in asked(host)] == [1, 2]
    assert len(again.told) == 1


def test_what_is_remembered_is_forgotten_when_the_network_changes() -> None:
    host = Host()
    resolver = Resolver(host)
    resolver.ask("h.example", A, Asker(), 0.0)
    resolver.answer(1, [Record("192.0.2.1")], None, 0.0)
    resolver.forget()
    assert resolver.look("h.example", A, 0.0) is None


def test_the_memory_has_a_bound() -> None:
    host = Host()
    resolver = Resolver(host)
    for number in range(1, MAX_NAMES + 3):
        resolver.ask(f"h{number}.example", A, Asker(), 0.0)
        resolver.answer(number, [Record("192.0.2.1")], None, 0.0)
    assert len(resolver._cache) == MAX_NAMES
    assert resolver.look("h1.example", A, 0.0) is None
    assert resolver.look(f"h{MAX_NAMES + 2}.example", A, 0.0) == ("192.0.2.1",)
    # A name that is known already takes nobody's place.
    resolver.ask(f"h{MAX_NAMES}.example", A, Asker(), 0.0)
    resolver.answer(MAX_NAMES + 3, [Record("192.0.2.2")], None, 0.0)
    assert resolver.look("h3.example", A, 0.0) == ("192.0.2.1",)
    assert resolver.look(f"h{MAX_NAMES}.example", A, 0.0) == ("192.0.2.2",)


def test_an_answer_has_a_bound() -> None:
    host = Host()
    resolver, asker = Resolver(host), Asker()
    resolver.ask("h.example", A, asker, 0.0)
    resolver.answer(1, [Record(f"192.0.2.{number}") for number in range(200)], None, 0.0)
    assert len(asker.told[0][2]) == MAX_RECORDS
