"""From a URI to the addresses to try, in order (RFC 3263, as far as A and AAAA records take it)."""

from __future__ import annotations

from typing import NamedTuple
from typing import Protocol as Interface

from sipcore.config import Transport
from sipcore.network.resolver import MAX_RECORDS, Resolver
from sipcore.syntax.uri import Uri
from sipcore.values import Address, Protocol, RecordKind, canonical_address, is_ip_address

__all__ = ["Target", "TargetSearch", "TargetUser", "literal_target", "transport_for"]

DEFAULT_PORT = 5060
"""RFC 3261 section 18.1.1."""


class Target(NamedTuple):
    """One place to send a request to."""

    transport: Transport
    remote: Address
    server_name: str
    """The host that was asked for, before DNS."""


class TargetUser(Interface):
    """Who needs targets."""

    def on_targets(self, targets: list[Target], error: str | None, now: float) -> None:
        """The targets in the order to try them; none and an `error` when the name leads nowhere."""


def transport_for(uri: Uri, wanted: Transport | None) -> Transport:
    """The transport a URI asks for, unless the account says one (RFC 3263 section 4.1)."""
    if wanted is not None:
        return wanted
    if (uri.get("transport") or "").lower() == "tcp":
        return _TCP
    return _UDP


def literal_target(uri: Uri, wanted: Transport | None) -> Target | None:
    """The one target of a URI that names an address; None when a name has to be looked up."""
    host = (uri.get("maddr") or uri.host).strip("[]")
    if not is_ip_address(host):
        return None
    return Target(transport_for(uri, wanted), (canonical_address(host), uri.port or DEFAULT_PORT), uri.host)


class TargetSearch:
    """One question for the targets of a name; ends with exactly one `on_targets`."""

    __slots__ = ("_addresses", "_error", "_pending", "_port", "_transport", "_uri_host", "_user")

    def __init__(self, uri: Uri, wanted: Transport | None, user: TargetUser) -> None:
        self._user = user
        self._transport = transport_for(uri, wanted)
        self._port = uri.port or DEFAULT_PORT
        self._uri_host = uri.get("maddr") or uri.host
        self._addresses: dict[RecordKind, tuple[str, ...]] = {}
        self._pending: set[RecordKind] = set()
        self._error: str | None = None

    def start(self, resolver: Resolver, now: float) -> None:
        """Answer at once where nothing has to be asked."""
        host = self._uri_host.strip("[]")
        asking = []
        for kind in self._kinds():
            known = resolver.look(host, kind, now)
            if known is not None:
                self._addresses[kind] = known
            else:
                asking.append(kind)
        self._pending.update(asking)
        for kind in asking:
            resolver.ask(host, kind, self, now)
        if not self._pending:
            self._finish(now)

    def on_answer(self, name: str, kind: RecordKind, addresses: tuple[str, ...], error: str | None, now: float) -> None:
        """One of the two kinds is answered; with the last one the search ends."""
        if addresses:
            self._addresses[kind] = addresses
        else:
            self._error = error
        self._pending.discard(kind)
        if not self._pending:
            self._finish(now)

    def _kinds(self) -> tuple[RecordKind, ...]:
        local = self._transport.local
        if local is None:
            return (RecordKind.A, RecordKind.AAAA)
        return (RecordKind.AAAA,) if ":" in local[0] else (RecordKind.A,)

    def _finish(self, now: float) -> None:
        # IPv4 first: most registrars live there, and a UDP request into an IPv6 void costs a whole timer F.
        hosts = [host for kind in (RecordKind.A, RecordKind.AAAA) for host in self._addresses.get(kind, ())]
        targets = [Target(self._transport, (host, self._port), self._uri_host) for host in hosts[:MAX_RECORDS]]
        error = None if targets else f"{self._uri_host}: {self._error or 'no address'}"
        self._user.on_targets(targets, error, now)


_UDP = Transport()
_TCP = Transport(protocol=Protocol.TCP)
