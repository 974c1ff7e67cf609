"""Responses to our requests that are right in all identities but one, and requests that nobody asked for.

Theory of operation. What a *forgery* would do, if it were believed, is everything that a registrar can do, since the
classes of response in `VERDICTS` come in turn. `FIELDS` has the identities, and for each some ways to get it wrong.
Whoever makes forgeries knows more than an adversary off the path can, so they are the sharpest test of each comparison.
Nothing here may ever have an effect on a registration.

Both generators are endless, draw from one `random` and need no clock, so the same seed gives the same bytes.

To add an identity: a row of `FIELDS`, a function that gets the dice and what it is to get wrong, and gives the lines
that stand in its place. To add a class of response: a row of `VERDICTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

from sipcore.syntax.message import Request
from sipcore.values import Address

__all__ = ["FIELDS", "VERDICTS", "Known", "Spoof", "forgeries", "spoofed_requests"]


class Spoof(NamedTuple):
    """Something sent by an adversary."""

    data: bytes
    source: Address
    """Where it says that it comes from; a datagram needs no proof."""
    destination: Address


VERDICTS: Final = (
    ("100 Trying",),
    ("183 Session Progress",),
    ("200 OK", "Contact: {contact};expires=3600", "Service-Route: <sip:203.0.113.6;lr>"),
    ("200 OK", "Contact: {contact};expires=1"),
    ("200 OK", "Contact: <sip:mallory@203.0.113.6>;expires=60", "Expires: 4294967295"),
    ("200 OK",),
    ("302 Moved Temporarily", "Contact: <sip:203.0.113.6>;expires=1"),
    ("401 Unauthorized", 'WWW-Authenticate: Digest realm="example.com", nonce="{nonce}", qop="auth", stale=true'),
    ("403 Forbidden",),
    ("407 Proxy Authentication Required", 'Proxy-Authenticate: Digest realm="example.com", nonce="{nonce}"'),
    ("423 Interval Too Brief", "Min-Expires: 86400"),
    ("480 Temporarily Unavailable",),
    ("500 Server Internal Error",),
    ("503 Service Unavailable", "Retry-After: 86400"),
    ("603 Decline", 'Warning: 399 mallory "go away"'),
)
"""What a response may say: its status, and the headers that do damage. Filled in are the Contact of the request and a
nonce of the adversary's."""


class Known(NamedTuple):
    """A request as an answer to it needs it: the values that are copied, taken apart as far as they are changed."""

    transport: str
    host: str
    """Of the Via, with brackets around IPv6."""
    port: str
    branch: str
    uri: str
    """Of From and To alike: a REGISTER's address of record."""
    tag: str
    call_id: str
    number: int
    method: str
    contact: str

    @classmethod
    def of(cls, request: Request) -> Known:
        """Raises `RemoteProtocolError` when it is no request that can be answered."""
        sent, _, _ = request.values("via")[0].partition(";")
        host, _, port = sent.split()[-1].rpartition(":")
        contacts = request.values("contact")
        return cls(
            sent.split("/")[2].split()[0],
            host,
            port,
            request.via.branch or "",
            request.from_.uri_text,
            request.from_.tag or "",
            request.get("call-id") or "",
            request.cseq.number,
            request.cseq.method,
            contacts[0].partition(">")[0] + ">" if contacts else "<sip:nobody@192.0.2.10>",
        )

    def lines(self) -> dict[str, str]:
        """The headers that a response copies."""
        return {
            "via": f"Via: SIP/2.0/{self.transport} {self.host}:{self.port};rport;branch={self.branch}\r\n",
            "from": f"From: <{self.uri}>;tag={self.tag}\r\n",
            "to": f"To: <{self.uri}>;tag=a6c85cf\r\n",
            "call-id": f"Call-ID: {self.call_id}\r\n",
            "cseq": f"CSeq: {self.number} {self.method}\r\n",
        }


def forgeries(random: Random, request: Request, field: str, *, sent_to: Address, local: Address) -> Iterator[Spoof]:
    """Responses to `request` without end that are right in all but `field`, a key of `FIELDS`.

    They come from `sent_to`, where the request went, unless the source is what is wrong. Those whose "flow" is wrong
    are right in every byte: deliver them on another flow than the request's.
    """
    known = Known.of(request)
    place, mistake = FIELDS[field]
    lines = known.lines()
    order = list(lines)
    at = order.index(place)
    before, after = "".join([lines[name] for name in order[:at]]), "".join([lines[name] for name in order[at + 1 :]])
    texts = []
    for status, *headers in VERDICTS:
        tail = "".join([f"{header}\r\n" for header in headers]).replace("{contact}", known.contact)
        tail = tail.replace("{nonce}", f"{random.getrandbits(64):016x}")
        texts.append((f"SIP/2.0 {status}\r\n{before}", f"{after}{tail}Content-Length: 0\r\n\r\n"))
    dice, count = random.random, len(texts)
    while True:
        head, tail = texts[int(dice() * count)]
        source = sent_to if field != "source" else (_other_host(random, sent_to[0]), sent_to[1])
        yield Spoof(f"{head}{mistake(random, known)}{tail}".encode(), source, local)


def spoofed_requests(random: Random, contact: str, aor: str, *, sent_to: Address, local: Address) -> Iterator[Spoof]:
    """Requests without end to `contact`, the URI that a registration is reached by, or beside it; half of them say that
    they come from the registrar at `sent_to`."""
    user, _, place = contact.removeprefix("sip:").partition("@")
    place = place.partition(";")[0]
    targets = (contact, f"sip:{user}@{place}", f"sip:{user}x@{place}", f"sip:{place}", f"sips:{user}@{place}", aor)
    while True:
        method, *headers = _REQUESTS[int(random.random() * len(_REQUESTS))]
        source = sent_to if random.random() < 0.5 else (_other_host(random, sent_to[0]), sent_to[1])
        host = f"[{source[0]}]" if ":" in source[0] else source[0]
        identity = f"{random.getrandbits(64):016x}"
        body = _BODY.format(aor=aor, contact=contact) if any("reginfo" in header for header in headers) else ""
        lines = [
            f"{method} {targets[int(random.random() * len(targets))]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{source[1]};rport;branch=z9hG4bK{identity}",
            "Max-Forwards: 70",
            f"From: <{aor}>;tag={identity[:8]}",
            f"To: <{aor}>" + (f";tag={identity[8:]}" if random.random() < 0.3 else ""),
            f"Call-ID: {identity}@{host}",
            f"CSeq: {random.getrandbits(16)} {method}",
            f"Contact: <sip:mallory@{host}>",
            *headers,
            f"Content-Length: {len(body)}",
        ]
        yield Spoof("\r\n".join([*lines, "", body]).encode(), source, local)


# --- the ways to get an identity wrong -------------------------------------------------------------------------------

Mistake = Callable[[Random, Known], str]


def _branch(random: Random, known: Known) -> str:
    branch = known.branch
    way = int(random.random() * 12)
    if way == 0:
        branch += _HEX[int(random.random() * 16)]
    elif way == 1:
        branch = branch[: -1 - int(random.random() * 8)]
    elif way == 2:
        branch = f"z9hG4bK{random.getrandbits(128):032x}"
    elif way == 3:
        return known.lines()["via"].partition(";branch")[0] + "\r\n"
    else:
        # The cookie is the same in all branches; behind it each digit counts.
        branch = _other_digit(random, branch, len("z9hG4bK"))
    return _via(known, branch=branch)


def _second_via(random: Random, known: Known) -> str:
    own = known.lines()["via"]
    port, branch = 1 + int(random.random() * 65535), random.getrandbits(64)
    other = f"SIP/2.0/UDP {_any_address(random)}:{port};branch=z9hG4bK{branch:016x}"
    way = int(random.random() * 4)
    if way == 0:
        return f"{own}Via: {other}\r\n"
    if way == 1:
        return f"{own}v: {other}\r\n"
    if way == 2:
        return f"{own[:-2]}, {other}\r\n"
    # The same once more, as a loop would leave it, with something to tell the copies apart.
    return f"{own}{own[:-2]};x={branch:x}\r\n"


def _sent_by_host(random: Random, known: Known) -> str:
    way = int(random.random() * 6)
    if way == 0:
        other = f"host{random.getrandbits(24):x}.example"
    elif way == 1:
        # Not ours, and not the prefix of addresses that tests and documents give to us.
        other = f"[2001:db8:dead::{random.getrandbits(16):x}]"
    else:
        other = _any_address(random)
    return _via(known, host=other if other != known.host else "203.0.113.7")


def _sent_by_port(random: Random, known: Known) -> str:
    number = int(random.random() * 65535) + 1
    if number % 16 == 0 and known.port != "5060":
        # No port is 5060 (RFC 3261 section 18.2.2).
        return _via(known).replace(f":{known.port};", ";", 1)
    return _via(known, port=str(number if str(number) != known.port else number % 65535 + 1))


def _call_id(random: Random, known: Known) -> str:
    own = known.call_id
    way = int(random.random() * 12)
    if way == 0:
        own += _HEX[int(random.random() * 16)]
    elif way == 1:
        own = own[: -1 - int(random.random() * 8)]
    elif way == 2:
        own = f"{random.getrandbits(128):032x}"
    elif way == 3:
        # Call-IDs compare with case (RFC 3261 section 8.1.1.4).
        own = own.swapcase() if own.swapcase() != own else f"{own}x"
    elif way == 4:
        return "" if random.random() < 0.5 else f"Call-ID: {own}\r\ni: {own}\r\n"
    else:
        own = _other_digit(random, own, 0)
    return f"Call-ID: {own}\r\n"


def _cseq_number(random: Random, known: Known) -> str:
    way = int(random.random() * 8)
    if way == 0:
        return "" if random.random() < 0.5 else known.lines()["cseq"] * 2
    if way == 1:
        other = known.number + (1 if random.random() < 0.5 or not known.number else -1)
    elif way == 2:
        other = random.getrandbits(40)
    else:
        other = random.getrandbits(31)
    return f"CSeq: {other if other != known.number else other + 1} {known.method}\r\n"


def _cseq_method(random: Random, known: Known) -> str:
    way = int(random.random() * 4)
    if way == 0:
        # Methods compare with case (RFC 3261 section 7.1).
        place = int(random.random() * len(known.method))
        method = known.method[:place] + known.method[place:].swapcase()
    elif way == 1:
        method = _METHODS[int(random.random() * len(_METHODS))]
    else:
        method = f"{known.method}{random.getrandbits(32):X}"
    return f"CSeq: {known.number} {method}\r\n"


def _from_tag(random: Random, known: Known) -> str:
    tag = known.tag
    way = int(random.random() * 12)
    if way == 0:
        return f"From: <{known.uri}>\r\n"
    if way == 1:
        tag += _HEX[int(random.random() * 16)]
    elif way == 2:
        tag = tag[: -1 - int(random.random() * 8)]
    elif way == 3:
        tag = f"{random.getrandbits(64):016x}"
    else:
        tag = _other_digit(random, tag, 0)
    return f"From: <{known.uri}>;tag={tag}\r\n"


def _from_uri(random: Random, known: Known) -> str:
    if random.random() < 0.05:
        return "" if random.random() < 0.5 else known.lines()["from"] * 2
    return f"From: <{_other_uri(random, known.uri)}>;tag={known.tag}\r\n"


def _to_uri(random: Random, known: Known) -> str:
    if random.random() < 0.05:
        return "" if random.random() < 0.5 else known.lines()["to"] * 2
    return f"To: <{_other_uri(random, known.uri)}>;tag=a6c85cf\r\n"


def _right_via(random: Random, known: Known) -> str:
    return _via(known)


FIELDS: Final[Mapping[str, tuple[str, Mistake]]] = MappingProxyType(
    {
        "branch": ("via", _branch),
        "second Via": ("via", _second_via),
        "sent-by host": ("via", _sent_by_host),
        "sent-by port": ("via", _sent_by_port),
        "Call-ID": ("call-id", _call_id),
        "CSeq number": ("cseq", _cseq_number),
        "CSeq method": ("cseq", _cseq_method),
        "From tag": ("from", _from_tag),
        "From URI": ("from", _from_uri),
        "To URI": ("to", _to_uri),
        "source": ("via", _right_via),
        "flow": ("via", _right_via),
    }
)
"""Identity -> the header that is written anew, and how. On connections there is no source to forge, only the flow."""


# --- helpers ---------------------------------------------------------------------------------------------------------

_HEX: Final = "0123456789abcdef"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_METHODS: Final = ("INVITE", "ACK", "OPTIONS", "SUBSCRIBE", "PUBLISH", "NOTIFY", "BYE", "CANCEL", "MESSAGE")

_REQUESTS: Final = (
    ("NOTIFY", "Event: reg", "Subscription-State: active;expires=60", "Content-Type: application/reginfo+xml"),
    ("NOTIFY", "Event: check-sync", "Subscription-State: terminated"),
    ("NOTIFY", "Event: reg;id=1", "Subscription-State: terminated;reason=rejected;retry-after=0"),
    ("INVITE", "Require: 100rel, path"),
    ("INVITE",),
    ("OPTIONS", "Expires: 0"),
    ("REGISTER", "Expires: 0"),
    ("MESSAGE", "Expires: 1"),
    ("SUBSCRIBE", "Event: reg", "Expires: 0"),
    ("CANCEL",),
    ("BYE",),
    ("ACK",),
    ("REFER", "Refer-To: <sip:203.0.113.6>"),
    ("MALLORY",),
)
_BODY: Final = (
    '<?xml version="1.0"?><reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full"><registration '
    'aor="{aor}" id="a" state="terminated"><contact id="b" state="terminated" event="deactivated"><uri>{contact}</uri>'
    "</contact></registration></reginfo>"
)


def _via(known: Known, *, host: str | None = None, port: str | None = None, branch: str | None = None) -> str:
    place = f"{host or known.host}:{port or known.port}"
    return f"Via: SIP/2.0/{known.transport} {place};rport;branch={branch or known.branch}\r\n"


def _other_digit(random: Random, text: str, start: int) -> str:
    """One character at or behind `start` is another hexadecimal digit, in any case."""
    place = start + int(random.random() * (len(text) - start))
    found = _HEX.find(text[place].lower())
    return text[:place] + _HEX[(found + 1 + int(random.random() * 15)) % 16] + text[place + 1 :]


def _other_uri(random: Random, uri: str) -> str:
    """A URI that is not equivalent to this one, which has the form `sip:user@host` (RFC 3261 section 19.1.4)."""
    scheme, _, rest = uri.partition(":")
    user, _, host = rest.partition("@")
    way = int(random.random() * 12)
    if way == 0:
        return f"{'sips' if scheme == 'sip' else 'sip'}:{rest}"
    if way == 1:
        return f"{uri}:{1 + int(random.random() * 65535)}"
    if way == 2:
        return f"{uri};{_PARAMETERS[int(random.random() * len(_PARAMETERS))]}"
    if way == 3:
        return f"{scheme}:{user}:{random.getrandbits(32):x}@{host}"
    if way == 4:
        return f"{scheme}:{host}"
    if way == 5:
        # The user part compares with case.
        return f"{scheme}:{user.swapcase() if user.swapcase() != user else user + '0'}@{host}"
    if way == 6:
        return f"{scheme}:{user}@{_any_address(random)}"
    if way == 7:
        return f"{scheme}:{user}@{random.getrandbits(32):x}.{'example' if host[:1] == '[' else host}"
    place = int(random.random() * len(user))
    found = _LETTERS.find(user[place].lower())
    other = _LETTERS[(found + 1 + int(random.random() * 25)) % 26]
    return f"{scheme}:{user[:place]}{other}{user[place + 1 :]}{'' if way < 11 else random.getrandbits(8)}@{host}"


# Each counts when URIs are compared, even if only one has it.
_PARAMETERS: Final = ("user=phone", "transport=tcp", "method=INVITE", "ttl=1", "maddr=192.0.2.1")


def _other_host(random: Random, host: str) -> str:
    other = f"2001:db8::{random.getrandbits(16):x}" if ":" in host or random.random() < 0.1 else _any_address(random)
    return other if other != host else "203.0.113.9"


def _any_address(random: Random) -> str:
    number = random.getrandbits(32)
    if number >> 31:
        return f"192.0.2.{number & 255}"
    return f"{1 + (number >> 24) % 223}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
