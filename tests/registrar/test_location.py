"""Bindings over time: what is seen, when memory is freed, and what no sequence of requests can do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.registrar import Location, location
from sipcore.registrar.location import Change, Update
from sipcore.syntax.addresses import NameAddr
from sipcore.syntax.uri import Uri
from sipcore.timers import Timers


def change(uri: str, granted: int = 3600, parameters: tuple[tuple[str, str | None], ...] = ()) -> Change:
    return Change(NameAddr(None, uri, parameters), granted)


@contextmanager
def counted() -> Iterator[list[Uri]]:
    """The URIs that others are compared with."""
    calls: list[Uri] = []
    equivalent = Uri.equivalent

    def count(one: Uri, other: Uri) -> bool:
        calls.append(other)
        return equivalent(one, other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Uri, "equivalent", count)
        yield calls


class Bench:
    def __init__(self) -> None:
        self.timers = Timers()
        self.location = Location(self.timers)

    def update(self, aor: str, *changes: Change, call_id: str = "c", cseq: int = 1, now: float = 0.0) -> Update:
        return self.location.update(aor, changes, call_id, cseq, now, max_contacts=4)

    def run(self, now: float) -> int:
        """Handle what is due; how often something was."""
        count = 0
        while (timed := self.timers.pop(now)) is not None:
            timed.on_due(now)
            count += 1
        return count


def test_a_binding_is_gone_at_the_moment_it_lapses_and_its_memory_with_the_timer() -> None:
    bench = Bench()
    bench.update("a@h", change("sip:x@y", 60))
    assert len(bench.location.bindings("a@h", 59.999)) == 1
    assert bench.location.bindings("a@h", 60.0) == ()
    assert bench.timers.next() == 60.0
    assert bench.run(59.999) == 0
    assert bench.run(60.0) == 1
    assert len(bench.location) == 0
    assert bench.timers.next() is None


def test_the_other_bindings_stay_when_one_lapses() -> None:
    bench = Bench()
    bench.update("a@h", change("sip:x@y", 60), change("sip:z@y", 100))
    bench.run(60.0)
    assert [binding.uri for binding in bench.location.bindings("a@h", 60.0)] == ["sip:z@y"]
    assert bench.timers.next() == 100.0
    bench.run(100.0)
    assert len(bench.location) == 0


def test_what_one_request_may_have_compared_is_bounded() -> None:
    """64 contacts of a short request against ten stored ones that are equivalent but for their last parameter."""
    bench = Bench()
    long = ";".join([f"p{number}=%41%42%43" for number in range(60)])
    stored = [change(f"sip:a@h;q={number};{long}") for number in range(10)]
    for item in stored:
        assert bench.location.update("a@h", [item], "c", 1, 0.0, max_contacts=10) is Update.DONE
    before = bench.location.bindings("a@h", 0.0)
    for granted in (0, 3600):
        many = [change(f"sip:a@h;q=x{number}", granted) for number in range(64)]
        with counted() as calls:
            assert bench.location.update("a@h", many, "d", 1, 0.0, max_contacts=10) is Update.TOO_MANY_CONTACTS
        assert len(calls) < 300
        assert bench.location.bindings("a@h", 0.0) == before
    # Whoever moves an address, and names the six that it may still have, is below it with ten stored ones of 600.
    bench = Bench()
    for number in range(10):
        bench.location.update("a@h", [change(f"sip:{number:0596}@h")], "c", 1, 0.0, max_contacts=10)
    moved = [change(f"sip:x{number:0595}@h", 0) for number in range(6)]
    new = change(f"sip:%30{0:0595}@h")
    assert bench.location.update("a@h", [*moved, new], "d", 1, 0.0, max_contacts=10) is Update.DONE
    assert new.contact.uri_text in [binding.uri for binding in bench.location.bindings("a@h", 0.0)]


def test_an_equivalent_contact_is_found_at_its_place_after_others_went_and_came() -> None:
    """The parsed URIs stay beside their bindings."""
    bench = Bench()
    bench.update("a@h", change("sip:a@h"), change("sip:b@h"), change("sip:c@h"))
    assert bench.update(
        "a@h",
        *[change("sip:%61@h", 0), change("sip:%63@H"), change("sip:d@h"), change("sip:%64@h", 60)],
        *[change("sip:%62@h"), change("sip:%43@h", 0)],
        cseq=2,
    ) is Update.DONE
    assert [(binding.uri, binding.expires_at) for binding in bench.location.bindings("a@h", 0.0)] == [
        ("sip:%62@h", 3600.0),
        ("sip:%63@H", 3600.0),
        ("sip:%64@h", 60.0),
    ]


def test_a_refresh_moves_no_timer_and_an_earlier_end_does() -> None:
    bench = Bench()
    bench.update("a@h", change("sip:x@y", 100))
    bench.update("a@h", change("sip:x@y", 100), cseq=2, now=50.0)
    assert bench.timers.next() == 100.0
    assert bench.run(100.0) == 1
    assert bench.timers.next() == 150.0
    bench.update("a@h", change("sip:z@y", 10), cseq=3, now=100.0)
    assert bench.timers.next() == 110.0


def test_removing_the_last_binding_frees_all() -> None:
    bench = Bench()
    bench.update("a@h", change("sip:x@y"))
    assert bench.update("a@h", change("sip:x@y", 0), cseq=2) is Update.DONE
    assert (len(bench.location), bench.timers.next()) == (0, None)
    bench.update("a@h", change("sip:x@y"), cseq=3)
    assert bench.location.clear("a@h", "c", 4, 1.0) is Update.DONE
    assert (len(bench.location), bench.timers.next()) == (0, None)


def test_a_lapsed_binding_binds_nobody() -> None:
    bench = Bench()
    bench.update("a@h", change("sip:x@y", 60), cseq=9)
    assert bench.update("a@h", change("sip:x@y", 60), cseq=1, now=60.0) is Update.DONE
    assert [binding.cseq for binding in bench.location.bindings("a@h", 61.0)] == [1]


def test_there_is_room_for_so_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(location, "MAX_ADDRESSES", 1)
    bench = Bench()
    assert bench.update("a@h", change("sip:x@y")) is Update.DONE
    assert bench.update("b@h", change("sip:x@y")) is Update.FULL
    assert bench.update("b@h", change("sip:x@y", 0)) is Update.DONE
    assert bench.update("a@h", change("sip:z@y"), cseq=2) is Update.DONE
    assert bench.location.bindings("b@h", 1.0) == ()


CONTACTS = st.sampled_from(
    ["sip:x@y", "sip:%78@Y", "sip:x@y;p=1", "sip:x@y;p=2", "sip:z@y", "tel:1", "tel:+1-1", "sips:x@y"]
)
REQUESTS = st.tuples(
    st.lists(st.tuples(CONTACTS, st.sampled_from([0, 1, 60, 3600])), max_size=6),
    st.sampled_from(["a@h", "b@h"]),
    st.sampled_from(["c1", "c2"]),
    st.integers(0, 6),
    st.sampled_from([0.0, 0.5, 1.0, 60.0, 4000.0]),
    st.booleans(),
)


@settings(max_examples=200)
@given(st.lists(REQUESTS, max_size=25))
def test_no_sequence_breaks_the_rules(
    requests: list[tuple[list[tuple[str, int]], str, str, int, float, bool]],
) -> None:
    """For any sequence of requests: never more than the maximum, never a lapsed binding, all or nothing, and within one
    Call-ID the CSeq of a binding never falls as long as the binding stands. In the end all memory is freed."""
    bench = Bench()
    now = 0.0
    for contacts, aor, call_id, cseq, wait, clear in requests:
        now += wait
        if cseq % 2:
            bench.run(now)
        before = bench.location.bindings(aor, now)
        if clear:
            result = bench.location.clear(aor, call_id, cseq, now)
        else:
            changes = [change(uri, granted) for uri, granted in contacts]
            result = bench.update(aor, *changes, call_id=call_id, cseq=cseq, now=now)
        after = bench.location.bindings(aor, now)
        assert len(after) <= 4
        assert all(now < binding.expires_at <= now + 3600 for binding in after)
        assert len({binding.uri for binding in after}) == len(after)
        if result is not Update.DONE:
            assert after == before
        late = {binding.uri for binding in before if binding.call_id == call_id and cseq <= binding.cseq}
        if late and (clear or any(uri in late for uri, _ in contacts)):
            assert result in (Update.OUT_OF_ORDER, Update.TOO_MANY_CONTACTS)
        deadline = bench.timers.next()
        assert (deadline is None) == (len(bench.location) == 0)
    for _ in range(3):
        bench.run(now + 3600)
    assert (len(bench.location), len(bench.timers)) == (0, 0)
