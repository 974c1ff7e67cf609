"""How a REGISTER is written (RFC 3261 sections 8.1.1 and 10.2).

Everything that is equal in all requests of an account is put into text once (`Texts`); a request then is one format
string. All values were checked when the `Account` was made, so nothing needs to be escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sipcore.config import Account, Transport
from sipcore.exchange.exchange import Step
from sipcore.network.targets import literal_target
from sipcore.syntax.addresses import NameAddr, parse_name_addr
from sipcore.syntax.uri import Uri
from sipcore.values import NO_OPTIONS, Address

__all__ = ["Texts", "address_of_record", "contact_value", "distinct_contacts", "same_on_the_wire", "write_register"]


class Texts:
    """What the requests of an account do not change; accounts that differ in none of it share one object."""

    __slots__ = ("allow", "hop", "names", "request_uri", "routes", "rport", "tail")

    def __init__(self, account: Account, allowed: str) -> None:
        uri = Uri.parse(account.registrar or "")
        if account.profile.userless_request_uri and uri.user is not None:
            uri = uri.without_user()
        routes = [parse_name_addr(route) for route in account.outbound_proxy]
        hop = routes[0].uri if routes else uri
        self.hop = Step(hop, account.transport, literal_target(hop, account.transport))
        """Where the requests go: the first route, else the registrar (RFC 3261 section 8.1.2)."""
        if routes and routes[0].uri.get("lr") is None:
            # A strict router takes the place of the Request-URI, and the registrar goes to the end of the routes
            # (RFC 3261 section 12.2.1.1).
            routes.append(NameAddr(None, str(uri)))
            uri = routes.pop(0).uri
        self.request_uri = str(uri)
        self.routes = "".join(f"Route: {route}\r\n" for route in routes)
        if account.profile.max_forwards_first:
            self.routes += _max_forwards(account)
        allow = allowed if account.allow is None else ", ".join(account.allow)
        self.allow = f"Allow: {allow}\r\n" if allow else ""
        self.names = _COMPACT if account.compact_headers else _LONG
        self.rport = ";rport" if account.rport else ""
        self.tail = _tail(account)

    @staticmethod
    def key(account: Account) -> object:
        """Accounts with equal keys can share their texts."""
        return (
            account.registrar,
            account.outbound_proxy,
            account.transport,
            account.profile,
            account.allow,
            account.supported,
            account.max_forwards,
            account.user_agent,
            account.compact_headers,
            account.rport,
            account.extra_headers,
        )


def write_register(
    texts: Texts,
    *,
    protocol: str,
    sent_by: str,
    branch: str,
    aor: str,
    from_value: str,
    call_id: str,
    cseq: int,
    contacts: str,
    expires: int,
    credentials: Iterable[tuple[str, str]],
    request_uri: str,
    removal: bool,
) -> bytes:
    """The bytes of one REGISTER. `contacts` is the whole value of the Contact header.

    A removal says nothing of what could be asked of us: it has no Allow.
    """
    authorization = "".join([f"{name}: {value}\r\n" for name, value in credentials])
    via, from_, to, call, contact, length = texts.names
    return (
        f"REGISTER {request_uri} SIP/2.0\r\n"
        f"{via}: SIP/2.0/{protocol} {sent_by}{texts.rport};branch={branch}\r\n"
        f"{texts.routes}"
        f"{from_}: {from_value}\r\n"
        f"{to}: {aor}\r\n"
        f"{call}: {call_id}\r\n"
        f"CSeq: {cseq} REGISTER\r\n"
        f"{contact}: {contacts}\r\n"
        f"Expires: {expires}\r\n"
        f"{texts.allow if not removal else ''}"
        f"{texts.tail}"
        f"{authorization}"
        f"{length}: 0\r\n\r\n"
    ).encode("utf-8", "surrogateescape")


def address_of_record(account: Account) -> str:
    """The value of To, and of From but for its tag (RFC 3261 section 10.2)."""
    if not account.profile.bare_aor:
        return f"<{account.aor}>"
    uri = Uri.parse(account.aor)
    return f"<{uri.scheme}:{uri.user}@{uri.host}>"


def contact_value(account: Account, user: str, address: Address, *, reliable: bool, line: str) -> str:
    """The Contact under which we can be reached at `address`: name-addr with all its parameters."""
    host, port = address
    if ":" in host:
        # A zone means nothing to anybody else (RFC 4007 section 11.2).
        host = f"[{host.partition('%')[0]}]"
    transport = ";transport=TCP" if reliable else ""
    token = f";line={line}" if line else ""
    return (
        f"<sip:{user}@{host}:{port}{transport}{account.contact_parameters}{token}>{account.contact_header_parameters}"
    )


def distinct_contacts(values: Sequence[str]) -> list[str]:
    """The Contact values in order, without those whose URI equals an earlier one (RFC 3261 section 19.1.4).

    To a registrar equal URIs are one binding, whatever the parameters behind them.
    """
    kept: list[tuple[str, Uri]] = []
    for value in values:
        uri = parse_name_addr(value).uri
        if not any(uri.equivalent(other) for _, other in kept):
            kept.append((value, uri))
    return [value for value, _ in kept]


def same_on_the_wire(one: Account, other: Account) -> bool:
    """True when both accounts lead to the same requests."""
    slots = [slot for slot in Account.__slots__ if slot not in _LIVE_OPTIONS]
    return all(getattr(one, slot) == getattr(other, slot) for slot in slots) and _without_options(
        one.transport
    ) == _without_options(other.transport)


_LIVE_OPTIONS = frozenset(
    "name profile max_retries retry_interval forbidden_retry_interval fatal_retry_interval max_random_initial_delay "
    "auth_rejection_permanent give_up redirects timing any_source keep_alive_interval password username credentials "
    "transport".split()
)
"""Options that change no request: they apply at once, and nothing is sent because of them. Of the transport that is
true of the socket's options alone."""


def _without_options(transport: Transport | None) -> Transport | None:
    return None if transport is None else replace(transport, options=NO_OPTIONS)


# Via, From, To, Call-ID, Contact and Content-Length, as they are named (RFC 3261 section 7.3.3).
_LONG = ("Via", "From", "To", "Call-ID", "Contact", "Content-Length")
_COMPACT = ("v", "f", "t", "i", "m", "l")


def _tail(account: Account) -> str:
    lines = []
    if account.supported:
        lines.append(f"{'k' if account.compact_headers else 'Supported'}: {', '.join(account.supported)}")
    if not account.profile.max_forwards_first:
        lines.append(_max_forwards(account).rstrip())
    if account.user_agent:
        lines.append(f"User-Agent: {account.user_agent}")
    lines.extend(f"{name}: {value}" for name, value in account.extra_headers)
    return "".join(f"{line}\r\n" for line in lines)


def _max_forwards(account: Account) -> str:
    return f"Max-Forwards: {account.max_forwards}\r\n"
