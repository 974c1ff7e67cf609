"""From a URI to the addresses to try."""

from __future__ import annotations

import pytest

from sipcore.commands import Record, Resolve
from sipcore.config import Transport
from sipcore.network.resolver import Resolver
from sipcore.network.targets import Target, TargetSearch, literal_target, transport_for
from sipcore.syntax.uri import Uri
from sipcore.values import Address, Protocol, RecordKind
from tests.host import Host

UDP, TCP = Transport(), Transport(protocol=Protocol.TCP)


class User:
    def __init__(self) -> None:
        self.told: list[tuple[list[Target], str | None]] = []

    def on_targets(self, targets: list[Target], error: str | None, now: float) -> None:
        self.told.append((targets, error))

    @property
    def remotes(self) -> list[Address]:
        ((targets, error),) = self.told
        assert error is None
        return [target.remote for target in targets]


class Search:
    """A search that has begun, and what it asked."""

    def __init__(self, uri: str, wanted: Transport | None = None, host: Host | None = None) -> None:
        self.host = host or Host()
        self.resolver = Resolver(self.host)
        self.user = User()
        self.again(uri, wanted)

    def again(self, uri: str, wanted: Transport | None = None, now: float = 0.0) -> None:
        self.user.told.clear()
        TargetSearch(Uri.parse(uri), wanted, self.user).start(self.resolver, now)
        self.asked = {item.kind: item for item in self.host.outputs() if isinstance(item, Resolve)}

    def answer(self, kind: RecordKind, *addresses: str, error: str | None = None) -> None:
        self.resolver.answer(self.asked[kind].query, [Record(address) for address in addresses], error, 0.0)


@pytest.mark.requirement("RFC3263-4.1-01", "RFC3263-4.1-03", "RFC3261-19.1.1-06")
@pytest.mark.parametrize(
    ("uri", "wanted", "transport"),
    [
        ("sip:h.example", None, UDP),
        ("sip:h.example;transport=udp", None, UDP),
        ("sip:h.example;transport=tcp", None, TCP),
        ("sip:h.example;transport=TCP", None, TCP),
        ("sip:h.example;transport=tcp", UDP, UDP),
        ("sip:h.example", TCP, TCP),
    ],
)
def test_the_account_says_the_transport_or_else_the_uri(
    uri: str, wanted: Transport | None, transport: Transport
) -> None:
    assert transport_for(Uri.parse(uri), wanted) == transport


@pytest.mark.requirement("RFC3263-4.1-02", "RFC3261-19.1.1-06")
@pytest.mark.parametrize(
    ("uri", "remote"),
    [
        ("sip:192.0.2.1", ("192.0.2.1", 5060)),
        ("sip:192.0.2.1:5070", ("192.0.2.1", 5070)),
        ("sip:[2001:db8::1]:5070", ("2001:db8::1", 5070)),
        ("sip:h.example;maddr=192.0.2.5", ("192.0.2.5", 5060)),
        ("sip:h.example;maddr=[2001:db8::5]", ("2001:db8::5", 5060)),
    ],
)
def test_an_address_needs_no_resolver(uri: str, remote: Address) -> None:
    target = literal_target(Uri.parse(uri), None)
    assert target is not None
    assert target.remote == remote
    assert target.transport == UDP
    over_tcp = literal_target(Uri.parse(f"{uri};transport=tcp"), None)
    assert over_tcp is not None
    assert (over_tcp.remote, over_tcp.transport) == (remote, TCP)


@pytest.mark.parametrize("uri", ["sip:h.example", "sip:192.0.2.1;maddr=h.example"])
def test_a_name_has_no_literal_target(uri: str) -> None:
    assert literal_target(Uri.parse(uri), None) is None


@pytest.mark.requirement("RFC3263-4.2-01")
def test_both_families_are_asked_for_and_ipv4_goes_first() -> None:
    search = Search("sip:h.example:5070")
    assert set(search.asked) == {RecordKind.A, RecordKind.AAAA}
    search.answer(RecordKind.AAAA, "2001:db8::1")
    assert search.user.told == []
    search.answer(RecordKind.A, "192.0.2.1", "192.0.2.2")
    assert search.user.remotes == [("192.0.2.1", 5070), ("192.0.2.2", 5070), ("2001:db8::1", 5070)]
    assert {target.server_name for target in search.user.told[0][0]} == {"h.example"}


@pytest.mark.parametrize(
    ("local", "kind"), [("192.0.2.9", RecordKind.A), ("0.0.0.0", RecordKind.A), ("::", RecordKind.AAAA)]
)
def test_a_bound_address_tells_the_family(local: str, kind: RecordKind) -> None:
    assert set(Search("sip:h.example", Transport(local=(local, 0))).asked) == {kind}


def test_maddr_takes_the_place_of_the_host() -> None:
    search = Search("sip:h.example;maddr=m.example")
    assert {item.name for item in search.asked.values()} == {"m.example"}


@pytest.mark.parametrize("first", [RecordKind.A, RecordKind.AAAA])
def test_one_family_is_enough(first: RecordKind) -> None:
    search = Search("sip:h.example")
    second = RecordKind.AAAA if first is RecordKind.A else RecordKind.A
    search.answer(first, error="NXDOMAIN")
    search.answer(second, "192.0.2.1")
    assert search.user.remotes == [("192.0.2.1", 5060)]


def test_a_name_that_leads_nowhere_says_so_once() -> None:
    search = Search("sip:h.example")
    search.answer(RecordKind.A, error="SERVFAIL")
    search.answer(RecordKind.AAAA, error="no such name")
    assert search.user.told == [([], "h.example: no such name")]


def test_silence_ends_the_search() -> None:
    search = Search("sip:h.example")
    search.host.run(9.999)
    assert search.user.told == []
    search.host.run(10.0)
    assert search.user.told == [([], "h.example: no answer from the resolver")]


def test_what_is_known_is_not_asked_again() -> None:
    search = Search("sip:h.example")
    search.answer(RecordKind.A, "192.0.2.1")
    search.answer(RecordKind.AAAA, "2001:db8::1")
    search.again("sip:h.example:5080")
    assert search.asked == {}
    assert search.user.remotes == [("192.0.2.1", 5080), ("2001:db8::1", 5080)]
    search.again("sip:h.example", now=60.0)
    assert set(search.asked) == {RecordKind.A, RecordKind.AAAA}


def test_what_is_half_known_is_asked_for_by_half() -> None:
    search = Search("sip:h.example")
    search.answer(RecordKind.A, "192.0.2.1")
    search.answer(RecordKind.AAAA, error="no address")
    search.again("sip:h.example")
    assert set(search.asked) == {RecordKind.AAAA}
    search.answer(RecordKind.AAAA, error="no address")
    assert search.user.remotes == [("192.0.2.1", 5060)]
