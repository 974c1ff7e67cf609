"""The bindings of the registrar model, and its own reading of contacts and of what makes two URIs equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from sipcore.testing.sim.registrar_rules import Held

__all__ = [
    "Binding",
    "Contact",
    "Store",
    "Uri",
    "as_wire",
    "from_wire",
    "parse_contacts",
    "parse_uri",
    "split_list",
    "user_of",
]

MAX_CALLS: Final = 4096
"""Call-IDs whose last CSeq is remembered; then the oldest are forgotten. A simulated client has one for each
registration and start."""

MAX_READ: Final = 4096
"""Texts whose meaning is remembered: a client sends the same Contact for months."""

_SPECIAL = ("user", "ttl", "method", "maddr", "transport")
"""URI parameters that make a difference if only one of two URIs has them (RFC 3261 section 19.1.4)."""


_HOST = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[:]"

_NOWHERE = frozenset(' <>"\\^`{|}')
"""Characters that no URI has."""


class Uri:
    """What counts when a SIP URI is compared."""

    __slots__ = ("base", "headers", "others", "text")

    def __init__(self, text: str, base: tuple[str, ...], others: dict[str, str], headers: str) -> None:
        self.text = text
        self.base = base
        """Scheme, user information, host, port and the special parameters."""
        self.others = others
        self.headers = headers

    def same(self, other: Uri) -> bool:
        """RFC 3261 section 19.1.4: default values do not stand for absent ones, and parameters count if both have
        them."""
        if self.text == other.text:
            return True
        if self.base != other.base or self.headers != other.headers:
            return False
        mine, theirs = self.others, other.others
        return all(theirs.get(name, value) == value for name, value in mine.items())


class Contact:
    """One value of a Contact header."""

    __slots__ = ("expires", "instance", "parameters", "reg_id", "uri")

    def __init__(self, uri: Uri, parameters: list[tuple[str, str | None]]) -> None:
        self.uri = uri
        self.parameters = "".join(
            f";{name}" if value is None else f";{name}={value}" for name, value in parameters if name != "expires"
        )
        known = dict(parameters)
        expires = known.get("expires")
        self.expires = expires
        """The parameter's text, None when there is none."""
        self.instance = known.get("+sip.instance")
        self.reg_id = known.get("reg-id")


class Binding:
    """One contact at which a user can be reached."""

    __slots__ = ("call_id", "contact", "cseq", "expires_at", "own")

    def __init__(self, contact: Contact, expires_at: float, call_id: str, cseq: int, own: bool) -> None:
        self.contact = contact
        self.expires_at = expires_at
        self.call_id = call_id
        self.cseq = cseq
        self.own = own


class Store:
    """What several registrars behind one name know together: bindings, and how far each Call-ID has counted."""

    def __init__(self) -> None:
        self._bindings: dict[str, list[Binding]] = {}
        self._calls: dict[str, tuple[int, str]] = {}

    def live(self, user: str, now: float) -> list[Binding]:
        """The bindings that stand at `now`. What has lapsed is forgotten; the list is the store's own."""
        bindings = self._bindings.get(user)
        if not bindings:
            return []
        for binding in bindings:
            if binding.expires_at <= now:
                self._bindings[user] = bindings = [item for item in bindings if item.expires_at > now]
                break
        return bindings

    def held(self, user: str, now: float) -> list[Held]:
        """The same as values, oldest first."""
        return [
            Held(item.contact.uri.text, item.expires_at, item.call_id, item.cseq, item.own)
            for item in self.live(as_wire(user), now)
        ]

    def put(self, user: str, bindings: list[Binding]) -> None:
        """These and no others."""
        if bindings:
            self._bindings[user] = bindings
        else:
            self._bindings.pop(user, None)

    def plant(self, user: str, contact: str, expires_at: float) -> None:
        """Another client of that user has bound `contact`, a Contact value."""
        parsed = parse_contacts(as_wire(contact))
        if not parsed or parsed == "*":
            raise ValueError(f"not a contact: {contact!r}")
        name = as_wire(user)
        made = [Binding(item, expires_at, "another client", 0, False) for item in parsed]
        self.put(name, [*self._bindings.get(name, ()), *made])

    def forget(self) -> None:
        """As if the disk were lost."""
        self._bindings.clear()
        self._calls.clear()

    def counted(self, call_id: str, cseq: int, branch: str) -> tuple[bool, bool]:
        """Note a request: whether a higher CSeq of its Call-ID was here before, and whether this one was in another
        request."""
        calls = self._calls
        known = calls.get(call_id)
        if known is None:
            if len(calls) >= MAX_CALLS:
                del calls[next(iter(calls))]
        elif cseq <= known[0]:
            return cseq < known[0], cseq == known[0] and branch != known[1]
        calls[call_id] = cseq, branch
        return False, False


def as_wire(text: str) -> str:
    """The text with one character for each byte that it has on the wire."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def from_wire(text: str) -> str:
    """The text that `as_wire` was made of."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogateescape")


_contacts: dict[str, list[Contact] | Literal["*"] | None] = {}
_users: dict[str, str] = {}


def parse_contacts(text: str) -> list[Contact] | Literal["*"] | None:
    """The contacts of a header value, `"*"`, or None when it cannot be read."""
    if text in _contacts:
        return _contacts[text]
    if len(_contacts) >= MAX_READ:
        _contacts.clear()
    _contacts[text] = result = _read_contacts(text)
    return result


def user_of(text: str) -> str:
    """The user part of a To or From value; empty when it has none."""
    user = _users.get(text)
    if user is None:
        if len(_users) >= MAX_READ:
            _users.clear()
        parts = _name_addr(text)
        uri = None if parts is None else parse_uri(parts[0])
        _users[text] = user = uri.base[1].partition(":")[0] if uri is not None else ""
    return user


def split_list(text: str) -> list[str]:
    """The values of a list, split at commas outside quotes and angle brackets."""
    if "," not in text:
        return [text]
    values, start, quoted, bracket, escaped = [], 0, False, False, False
    for index, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = letter == "\\"
            quoted = letter != '"'
        elif letter == '"':
            quoted = True
        elif letter == "<":
            bracket = True
        elif letter == ">":
            bracket = False
        elif letter == "," and not bracket:
            values.append(text[start:index].strip())
            start = index + 1
    return [*values, text[start:].strip()]


def parse_uri(text: str) -> Uri | None:
    """A SIP or SIPS URI; None for what is none."""
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme not in ("sip", "sips") or not colon:
        return None
    address, _, headers = rest.partition("?")
    user, at, address = address.rpartition("@")
    if at and not user:
        return None
    where, *parameters = address.split(";")
    if not at and "@" in rest:
        return None
    host, port = _host_and_port(where)
    if not host or host.strip(_HOST) or (port and not (port.isascii() and port.isdigit())):
        return None
    if not text.isascii() or not text.isprintable() or not _NOWHERE.isdisjoint(text):
        return None
    special = dict.fromkeys(_SPECIAL, "")
    others: dict[str, str] = {}
    for item in parameters:
        name, equals, value = item.partition("=")
        name, value = _unescaped(name.lower()), _unescaped(value.lower())
        target = special if name in special else others
        target[name] = value if equals else "\0"
    base = (scheme, _unescaped(user), host.lower(), port, *special.values())
    return Uri(text, base, others, "&".join(sorted(headers.lower().split("&"))))


def _host_and_port(where: str) -> tuple[str, str]:
    if where.startswith("["):
        host, _, port = where.partition("]")
        return host + "]", port.removeprefix(":")
    host, _, port = where.partition(":")
    return host, port


def _unescaped(text: str) -> str:
    first, *pieces = text.split("%")
    done = [first]
    for piece in pieces:
        try:
            done.append(chr(int(piece[:2], 16)) + piece[2:])
        except ValueError:
            done.append("%" + piece)
    return "".join(done)


def _read_contacts(text: str) -> list[Contact] | Literal["*"] | None:
    if text == "*":
        return "*"
    found = []
    for value in split_list(text):
        parts = _name_addr(value)
        if parts is None:
            return None
        uri = parse_uri(parts[0])
        if uri is None:
            return None
        found.append(Contact(uri, parts[1]))
    return found


def _name_addr(value: str) -> tuple[str, list[tuple[str, str | None]]] | None:
    """The URI and the header parameters, names in lower case."""
    name = value
    if name.startswith('"'):
        end = _end_of_quoted(name)
        if end is None:
            return None
        name = name[end:]
    before, less, rest = name.partition("<")
    if less:
        uri, greater, tail = rest.partition(">")
        if not greater:
            return None
    else:
        if name is not value:
            return None
        uri, mark, tail = before.partition(";")
        tail = mark + tail
    parameters = _parameters(tail)
    return None if parameters is None else (uri.strip(), parameters)


def _parameters(tail: str) -> list[tuple[str, str | None]] | None:
    if not tail.strip():
        return []
    pieces = _split_parameters(tail)
    if pieces[0].strip():
        return None
    found: list[tuple[str, str | None]] = []
    for piece in pieces[1:]:
        name, equals, value = piece.partition("=")
        found.append((name.strip().lower(), value.strip() if equals else None))
    return found


def _split_parameters(tail: str) -> Sequence[str]:
    if '"' not in tail:
        return tail.split(";")
    pieces, start, quoted, escaped = [], 0, False, False
    for index, letter in enumerate(tail):
        if escaped:
            escaped = False
        elif quoted:
            escaped = letter == "\\"
            quoted = letter != '"'
        elif letter == '"':
            quoted = True
        elif letter == ";":
            pieces.append(tail[start:index])
            start = index + 1
    return [*pieces, tail[start:]]


def _end_of_quoted(text: str) -> int | None:
    escaped = False
    for index in range(1, len(text)):
        if escaped:
            escaped = False
        elif text[index] == "\\":
            escaped = True
        elif text[index] == '"':
            return index + 1
    return None
