"""Where a 3xx leads (RFC 3261 sections 8.1.3.4 and 21.3)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.addresses import NameAddr
from sipcore.syntax.limits import MAX_CONTACTS
from sipcore.syntax.message import Response
from sipcore.syntax.qvalues import parse_qvalue
from sipcore.syntax.uri import Uri
from sipcore.values import Protocol

__all__ = ["choose"]

_DROPPED = frozenset({"method", "lr", "ttl"})
"""Parameters that a Request-URI does not have, or such a Contact (RFC 3261 section 19.1.1, table 1); ttl would need a
multicast address, and without it is 1, which is far enough."""

FOLLOWED = frozenset({300, 301, 302})
"""305 asks for a proxy and 380 for another service; neither is another place for the same REGISTER."""


def choose(response: Response, tried: AbstractSet[str]) -> Uri | None:
    """The Contact with the highest q that was not tried in this attempt; None when there is none to follow.

    Of a URI remains what names a registrar (RFC 3261 section 10.2). User and headers do not: else whoever redirects us
    could write a From, a Route or an Authorization into our request (section 19.1.5). Neither do `_DROPPED`. It was
    tried when it is equivalent to one of `tried`, which are the texts of URIs.
    """
    if response.status not in FOLLOWED:
        return None
    best: tuple[int, Uri] | None = None
    for value in response.values("contact")[:MAX_CONTACTS]:
        try:
            contact = NameAddr.parse(value)
            uri = contact.uri
        except RemoteProtocolError:
            continue
        # A sips URI needs TLS, and leaving sips or another secure transport for plain ones would be a downgrade.
        if uri.scheme != "sip" or (uri.get("transport") or "udp").upper() not in Protocol.__members__:
            continue
        parameters = tuple(item for item in uri.parameters if item[0] not in _DROPPED)
        uri = Uri(scheme=uri.scheme, host=uri.host, port=uri.port, parameters=parameters)
        if (best is None or _q(contact) > best[0]) and not any(uri.equivalent(Uri.parse(known)) for known in tried):
            best = (_q(contact), uri)
    return best[1] if best is not None else None


def _q(contact: NameAddr) -> int:
    """The preference in thousandths; the highest when it is missing or malformed (RFC 3261 section 20.10)."""
    q = parse_qvalue(contact.get("q") or "")
    return 1000 if q is None else q
