"""Which endpoint an inbound request belongs to, by the rules of a pjsip.conf.

Theory of operation. `IdentificationReader` takes the sections that have a say (endpoint, identify, domain_alias,
registration, global) one by one, whatever their order, and makes an `Identification` of them, whose `identify` is what
`UserAgent` asks. The registration for which a request came is looked at first: with `line = yes` it names its endpoint.
Then the ways of `endpoint_identifier_order` follow, and behind them those that it leaves out; the first that finds an
endpoint decides:

    ip              `match` of an identify: addresses and networks, with or without the port of the sender
    header          `match_header` of an identify
    request_uri     `match_request_uri` of an identify
    username        an endpoint named like the user of From: user@domain, user@alias of the domain, user
    auth_username   the same with user name and realm of the Authorization header
    anonymous       an endpoint named anonymous, with domain, alias or without either

`identify_by` of the endpoint that is found permits username and auth_username; for what an identify says there is no
need to permit anything, as in Asterisk. Of several identifies that match the first of the file decides. What an
identify or a registration names is taken at its word, also when its endpoint is not in the file.

Left out, as it cannot be known here: host names in `match` are not looked up, so they match nothing, and that is told;
and the `domain` of the transport by which a request came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import MappingProxyType
from typing import Final, NamedTuple

from sipcore.asterisk.options import is_true
from sipcore.asterisk.patterns import BadPattern, Pattern
from sipcore.asterisk.syntax import FileFault, Option, Section, nearest
from sipcore.auth.fields import parse_schemes, unescape
from sipcore.errors import ConfigError, RemoteProtocolError
from sipcore.syntax.grammar import check_escapes, is_token, parse_host_port, parse_uint
from sipcore.syntax.message import Request
from sipcore.syntax.uri import Uri
from sipcore.values import Address

__all__ = [
    "DEFAULT_IDENTIFY_BY",
    "DEFAULT_ORDER",
    "WAYS",
    "Identification",
    "IdentificationReader",
    "IdentifyRule",
    "Network",
]

WAYS: Final = ("ip", "header", "request_uri", "username", "auth_username", "anonymous")
"""All ways, in the order in which those are tried that `endpoint_identifier_order` leaves out."""

DEFAULT_ORDER: Final = ("ip", "username", "anonymous")
"""Of `endpoint_identifier_order`."""

DEFAULT_IDENTIFY_BY: Final = ("username", "ip")
"""Of an endpoint's `identify_by`."""

METHODS: Final = WAYS[:-1]
"""What `identify_by` may list."""

KINDS: Final = frozenset({"endpoint", "identify", "domain_alias", "registration", "global"})
"""The types of objects that have a say."""

MAX_PORT: Final = 65535

MAX_VALUE: Final = 4096
"""Characters of a header or a URI in which an expression is looked for. Asterisk has room for as many, and passes over
what is longer; here it also bounds the time that a stranger's request takes."""


class Network(NamedTuple):
    """One item of `match`."""

    version: int
    """4 or 6."""
    prefix: int
    """How many bits have to be equal."""
    bits: int
    """These bits."""
    port: int | None
    """The sender's port; None for any."""


class IdentifyRule(NamedTuple):
    """One identify."""

    endpoint: str
    networks: tuple[Network, ...] = ()
    header: tuple[str, str | Pattern] | None = None
    """Name and value, or the expression that is looked for in the value."""
    request_uri: str | Pattern | None = None


class Identification:
    """What a configuration says about who calls. Immutable.

    `identify` has the type `Identify`; it never raises because of what a request says.
    """

    __slots__ = ("_aliases", "_by_network", "_endpoints", "_headers", "_lines", "_order", "_request_uris", "_truncate")

    def __init__(
        self,
        *,
        order: Sequence[str] = DEFAULT_ORDER,
        endpoints: Mapping[str, Iterable[str]] | None = None,
        rules: Iterable[IdentifyRule] = (),
        aliases: Mapping[str, str] | None = None,
        lines: Mapping[str, str] | None = None,
        ignore_user_options: bool = False,
    ) -> None:
        """`endpoints` has the name of each with its `identify_by`, `aliases` the domain for which each stands, or None
        where domains are not looked at, `lines` the endpoint by the name of each registration that has one.

        With `ignore_user_options` the user of From ends before its first semicolon.
        """
        self._order = (*order, *[way for way in WAYS if way not in order])
        self._endpoints = {name: frozenset(methods) for name, methods in (endpoints or {}).items()}
        self._aliases = aliases
        self._lines = dict(lines or {})
        self._truncate = ignore_user_options
        self._headers: list[tuple[str, str | Pattern, str]] = []
        self._request_uris: list[tuple[str | Pattern, str]] = []
        # Whoever has ten thousand of them asks one question for each length of prefix.
        self._by_network: dict[tuple[int, int], dict[int, list[tuple[int, int | None, str]]]] = {}
        for number, rule in enumerate(rules):
            for network in rule.networks:
                same = self._by_network.setdefault((network.version, network.prefix), {})
                same.setdefault(network.bits, []).append((number, network.port, rule.endpoint))
            if rule.header is not None:
                self._headers.append((*rule.header, rule.endpoint))
            if rule.request_uri is not None:
                self._request_uris.append((rule.request_uri, rule.endpoint))

    def identify(self, request: Request, source: Address | None, registration: str | None) -> str | None:
        """The endpoint of a request that `source` sent and that came for a registration, or None."""
        if registration is not None:
            endpoint = self._lines.get(registration)
            if endpoint is not None:
                return endpoint
        for way in self._order:
            endpoint = self._by(way, request, source)
            if endpoint is not None:
                return endpoint
        return None

    def _by(self, way: str, request: Request, source: Address | None) -> str | None:
        match way:
            case "ip":
                return self._by_source(source)
            case "header":
                return next((name for header, value, name in self._headers if _has(request, header, value)), None)
            case "request_uri":
                return next((name for value, name in self._request_uris if _equals(request.uri, value)), None)
            case "username":
                return self._by_from(request)
            case "auth_username":
                return self._by_authorization(request)
            case _:
                uri = _from_uri(request)
                return None if uri is None else self._named("anonymous", uri.host)

    def _by_source(self, source: Address | None) -> str | None:
        address = None if source is None or not self._by_network else _address(source[0])
        if source is None or address is None:
            return None
        bits, length = int.from_bytes(address.packed), address.max_prefixlen
        found = [
            entry
            for (version, prefix), networks in self._by_network.items()
            if version == address.version
            for entry in networks.get(bits >> (length - prefix), ())
            if entry[1] in (None, source[1])
        ]
        return min(found, key=lambda entry: entry[0])[2] if found else None

    def _by_from(self, request: Request) -> str | None:
        uri = _from_uri(request)
        if uri is None or uri.user is None:
            return None
        user = _unescaped(uri.user.partition(";")[0] if self._truncate else uri.user)
        return self._permitted("username", self._named(user, uri.host))

    def _by_authorization(self, request: Request) -> str | None:
        for value in request.get_all("authorization"):
            for scheme, fields in parse_schemes(value):
                if scheme.lower() != "digest":
                    # Asterisk looks no further either.
                    return None
                user, realm = (unescape(fields.get(name, "")) for name in ("username", "realm"))
                found = self._permitted("auth_username", self._named(user, realm))
                if found is not None:
                    return found
        return None

    def _named(self, user: str, domain: str) -> str | None:
        """The endpoint of that name, with the domain if there is one with it."""
        names = [user]
        if self._aliases is not None:
            domain = domain.strip("[]")
            alias = self._aliases.get(domain)
            names = [f"{user}@{domain}", *([] if alias is None else [f"{user}@{alias}"]), user]
        return next((name for name in names if name in self._endpoints), None)

    def _permitted(self, method: str, name: str | None) -> str | None:
        return name if name is not None and method in self._endpoints[name] else None


class IdentificationReader:
    """Makes an `Identification` of the sections of a configuration.

    Whoever reads a configuration gives it each object, wizards expanded, with `take`, and then asks for `finish`.
    """

    def __init__(self, warnings: dict[str, None]) -> None:
        """What is accepted and may not be what was meant is added to `warnings`, as `file:line: option: text`."""
        self._warnings = warnings
        self._order: Sequence[str] = DEFAULT_ORDER
        self._multi_domain = True
        self._ignore_user_options = False
        self._endpoints: dict[str, tuple[str, ...]] = {}
        self._rules: list[tuple[IdentifyRule, Option]] = []
        self._aliases: dict[str, str] = {}
        self._lines: dict[str, str] = {}

    def take(self, section: Section, kind: str) -> None:
        """An object and its type; one that has no say in this is passed over. Raises `ConfigError`."""
        if kind not in KINDS:
            return
        last = {option.name: option for option in section.options}
        match kind:
            case "global":
                self._take_global(last)
            case "endpoint":
                methods = _words(last.get("identify_by"), METHODS)
                self._endpoints[section.name] = DEFAULT_IDENTIFY_BY if methods is None else methods
            case "identify":
                self._take_identify(section, last)
            case "domain_alias":
                domain = last.get("domain")
                if domain is None or not domain.value:
                    raise FileFault(f"[{section.name}]", "needs domain", where=section.where)
                self._aliases[section.name] = domain.value
            case "registration":
                line, endpoint = last.get("line"), last.get("endpoint")
                if line is not None and is_true(line.value) and endpoint is not None and endpoint.value:
                    self._lines[section.name] = endpoint.value

    def finish(self) -> Identification | None:
        """What all of it says; None when there is no endpoint that could be found."""
        for rule, option in self._rules:
            methods = self._endpoints.get(rule.endpoint)
            if methods is None:
                hint = nearest(rule.endpoint, list(self._endpoints))
                self._warn(option, f"no section [{rule.endpoint}] of type endpoint{hint}; it is named all the same")
            elif rule.networks and "ip" not in methods:
                self._warn(option, f"[{rule.endpoint}] is found by its address, although identify_by does not list ip")
        if not (self._endpoints or self._rules or self._lines):
            return None
        return Identification(
            order=self._order,
            endpoints=self._endpoints,
            rules=[rule for rule, _ in self._rules],
            aliases=MappingProxyType(self._aliases) if self._multi_domain else None,
            lines=self._lines,
            ignore_user_options=self._ignore_user_options,
        )

    def _take_global(self, last: Mapping[str, Option]) -> None:
        option = last.get("endpoint_identifier_order")
        if option is not None:
            names = [name.strip(" \t") for name in option.value.split(",")]
            for name in names:
                if name not in WAYS:
                    # A module that is not loaded has no identifier either, and Asterisk goes on without it.
                    self._warn(option, f"{name!r} is not one of {', '.join(WAYS)}{nearest(name, WAYS)}")
            self._order = tuple(dict.fromkeys(name for name in names if name in WAYS))
        multi_domain = last.get("disable_multi_domain")
        self._multi_domain = multi_domain is None or not is_true(multi_domain.value)
        ignore = last.get("ignore_uri_user_options")
        self._ignore_user_options = ignore is not None and is_true(ignore.value)

    def _take_identify(self, section: Section, last: Mapping[str, Option]) -> None:
        endpoint = last.get("endpoint")
        if endpoint is None or not endpoint.value:
            raise FileFault(f"[{section.name}]", "needs endpoint", where=section.where)
        matches = [option for option in section.options if option.name == "match" and option.value]
        header, request_uri = last.get("match_header"), last.get("match_request_uri")
        header = header if header is not None and header.value else None
        request_uri = request_uri if request_uri is not None and request_uri.value else None
        if not matches and header is None and request_uri is None:
            expected = "needs at least one of match, match_header, match_request_uri"
            raise FileFault(f"[{section.name}]", expected, where=section.where)
        rule = IdentifyRule(
            endpoint=endpoint.value,
            networks=tuple([network for option in matches for network in self._networks(option)]),
            header=None if header is None else _header(header),
            request_uri=None if request_uri is None else _value(request_uri, request_uri.value),
        )
        self._rules.append((rule, endpoint))
        for option in filter(None, (header, request_uri)):
            for letter in "dDbB":
                if f"\\{letter}" in option.value:
                    self._warn(option, f"'\\{letter}' is the letter {letter} in a POSIX expression; a digit is [0-9]")

    def _networks(self, option: Option) -> list[Network]:
        found: list[Network] = []
        for item in filter(None, (item.strip(" \t") for item in option.value.split(","))):
            network = _network(item)
            if network is not None:
                found.append(network)
            elif _is_name(item):
                self._warn(option, f"{item!r} is a name, which is not looked up here: it matches nothing")
            else:
                expected = (
                    "an address, a network such as 192.0.2.0/24, either with a port as in 192.0.2.1:5060, or a name"
                )
                raise ConfigError("match", item, expected, where=option.where)
        return found

    def _warn(self, option: Option, text: str) -> None:
        self._warnings[f"{option.where}: {option.name}: {text}"] = None


def _words(option: Option | None, known: Sequence[str]) -> tuple[str, ...] | None:
    if option is None:
        return None
    words = tuple(filter(None, (word.strip(" \t").lower() for word in option.value.split(","))))
    for word in words:
        if word not in known:
            expected = f"a list of {', '.join(known)}{nearest(word, known)}"
            raise ConfigError(option.name, word, expected, where=option.where)
    return words


def _network(item: str) -> Network | None:
    """One item of `match`: address, `address:port`, `[address]:port`, each with `/mask` behind it or not."""
    place, slash, mask = item.partition("/")
    port: int | None = None
    if place.startswith("["):
        place, _, rest = place[1:].partition("]")
        if rest:
            port = parse_uint(rest[1:], maximum=MAX_PORT + 1) if rest[0] == ":" else None
            if port is None:
                return None
    elif place.count(":") == 1:
        place, _, digits = place.partition(":")
        port = parse_uint(digits, maximum=MAX_PORT + 1)
        if port is None:
            return None
    if port is not None and not 0 < port <= MAX_PORT:
        return None
    try:
        # Bits behind the mask do not count, as in Asterisk.
        network = ip_network(f"{place}{slash}{mask}", strict=False)
    except ValueError:
        return None
    length = network.max_prefixlen - network.prefixlen
    return Network(network.version, network.prefixlen, int.from_bytes(network.network_address.packed) >> length, port)


def _is_name(item: str) -> bool:
    """A host name, with or without a port."""
    try:
        return bool(parse_host_port(item))
    except RemoteProtocolError:
        return False


def _header(option: Option) -> tuple[str, str | Pattern]:
    name, colon, value = option.value.partition(":")
    name = name.strip(" \t")
    if not colon or not is_token(name):
        expected = "the name of a header, ':' and its value, or an expression as in X-Line: /^trunk/"
        raise ConfigError(option.name, option.value, expected, where=option.where)
    return name, _value(option, value.strip(" \t"))


def _value(option: Option, text: str) -> str | Pattern:
    if len(text) <= 2 or text[0] != "/" or text[-1] != "/":
        return "" if text == "//" else text
    try:
        return Pattern(text[1:-1])
    except BadPattern as error:
        raise ConfigError(option.name, option.value, str(error), where=option.where) from None


def _has(request: Request, header: str, value: str | Pattern) -> bool:
    return any(_equals(text, value) for text in request.get_all(header))


def _equals(text: str, value: str | Pattern) -> bool:
    return text == value if isinstance(value, str) else len(text) <= MAX_VALUE and value.search(text)


def _from_uri(request: Request) -> Uri | None:
    try:
        uri = request.from_.uri
    except RemoteProtocolError:
        return None
    return uri if uri.scheme in ("sip", "sips") else None


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _unescaped(user: str) -> str:
    if "%" not in user or not check_escapes(user):
        return user
    first, *pieces = user.encode("utf-8", "surrogateescape").split(b"%")
    escaped = [bytes.fromhex(piece[:2].decode()) + piece[2:] for piece in pieces]
    return b"".join([first, *escaped]).decode("utf-8", "surrogateescape")
