"""What the application or a configuration file says about a registration: frozen, complete, and checked at once.

An `Account` that exists can be put on the wire: every text has passed the check for the slot of the grammar that it
fills (`ACCOUNT_SLOTS` and `TRANSPORT_SLOTS` say which; the slots are in `sipcore.syntax.slots`), so nothing that a
configuration holds can add a header line or break one. Where an option is None, the profile's default holds;
`Account.source` tells for each option whether the value was given, the profile's, or the standard's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import MappingProxyType

from sipcore.auth.credentials import Credential
from sipcore.errors import ConfigError
from sipcore.profiles import SIPCORE, Profile
from sipcore.syntax import slots
from sipcore.syntax.slots import SlotError, SlotTable, fill
from sipcore.syntax.uri import Uri
from sipcore.values import (
    NO_OPTIONS,
    WILDCARDS,
    Address,
    OutcomeClass,
    Protocol,
    Secret,
    SocketOptions,
    canonical_address,
    canonical_network,
    is_ip_address,
)

__all__ = ["ACCOUNT_SLOTS", "T1", "T2", "T4", "TRANSPORT_SLOTS", "Account", "Credential", "Timing", "Transport"]

T1 = 0.5
"""Seconds: the round-trip estimate (RFC 3261 section 17.1.1.1)."""
T2 = 4.0
"""Seconds: the longest interval between retransmissions (RFC 3261 section 17.1.2.2)."""
T4 = 5.0
"""Seconds: how long the network may keep a message (RFC 3261 section 17.1.2.2)."""

MAX_EXPIRES = 2**32 - 1
"""RFC 3261 section 20.19."""
MAX_MAX_FORWARDS = 255
"""RFC 3261 section 20.22."""

MIN_KEEP_ALIVE = 1.0
"""Seconds; a peer may take more keep-alives than one in a second for an attack."""

MAX_LOCAL_NETS = 256
"""Each is compared at every attempt."""

MAX_TEXTS = 16384
"""Bytes of all texts of an account: some of them stand in a REGISTER more than once, and with credentials it still has
to fit into a datagram."""
MAX_FURTHER_HEADERS = 128
"""Half of what a message may have (`sipcore.syntax.limits.MAX_HEADERS`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The timers of RFC 3261 section 17, in seconds."""

    t1: float = T1
    t2: float = T2
    t4: float = T4
    timeout: float | None = None
    """Timer F; None means 64 * T1."""

    def __post_init__(self) -> None:
        for option in ("t1", "t2", "t4"):
            value = getattr(self, option)
            if not 0.001 <= value <= 3600:
                raise ConfigError(option, value, "seconds, from 0.001 to 3600")
        if self.timeout is not None and not self.t1 <= self.timeout <= 3600:
            raise ConfigError("timeout", self.timeout, "seconds, from t1 to 3600")

    @property
    def f(self) -> float:
        """Timer F: how long a transaction waits for its final response (RFC 3261 section 17.1.2.2)."""
        return 64 * self.t1 if self.timeout is None else self.timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How messages leave: accounts with equal transports share sockets. Raises `ConfigError`.

    Behind a NAT the four options of Asterisk say what stands in Contact and Via instead of our own address, for every
    server that is outside of `local_net`; for every server when that is empty.
    """

    protocol: Protocol = Protocol.UDP
    local: Address | None = None
    """Where to bind. None lets the system choose, by the family of the remote address."""
    listen: bool = False
    """Streams: accept connections on `local`, and name its port in Contact."""
    external_signaling_address: str | None = None
    """The IP address under which the outside reaches us, without brackets. Names are never looked up: one that the
    outside shall look up goes into `external_signaling_hostname`."""
    external_signaling_hostname: str | None = None
    """The host name, written as it is, in place of `external_signaling_address`; not both."""
    external_signaling_port: int = 0
    """The port under which the outside reaches us; 0 keeps our own. It needs one of the two above."""
    local_net: tuple[str, ...] = ()
    """The networks without NAT between them and us, as address/length or address/mask."""
    options: SocketOptions = NO_OPTIONS
    """What to ask of the system for the sockets. A change holds for sockets that are opened after it."""

    def __post_init__(self) -> None:
        for option, slot in TRANSPORT_SLOTS.items():
            if getattr(self, option) is not None:
                _set(self, option, fill(option, slot, getattr(self, option)))
        if self.listen and (self.local is None or not self.protocol.reliable):
            raise ConfigError("listen", self.listen, "needs a stream transport with a local address")
        address, name, port = (
            self.external_signaling_address, self.external_signaling_hostname, self.external_signaling_port
        )
        if address is not None and name is not None:
            raise ConfigError("external_signaling_hostname", name, "not together with external_signaling_address")
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
            raise ConfigError("external_signaling_port", port, "a port from 0 to 65535")
        if port and address is None and name is None:
            expected = "needs external_signaling_address or external_signaling_hostname"
            raise ConfigError("external_signaling_port", port, expected)
        if not isinstance(self.options, SocketOptions):
            raise ConfigError("options", self.options, "a SocketOptions")

    @property
    def socket(self) -> tuple[object, ...]:
        """Of equal ones there is one socket. What is only written is not in it; nor are the options of a fixed port,
        which can be bound but once."""
        if self.local is not None and self.local[1]:
            return self.protocol, self.local, self.listen
        return self.protocol, self.local, self.listen, self.options


def _local(address: Address) -> Address:
    if not isinstance(address, tuple) or len(address) != 2:
        raise SlotError(address, "must be (IP address, port)")
    return slots.ip_address(address[0]), slots.port(address[1])


def _external_address(text: str) -> str:
    if not isinstance(text, str) or not is_ip_address(text) or "%" in text:
        expected = "an IP address without brackets; a host name goes into external_signaling_hostname"
        raise SlotError(text, expected)
    address = canonical_address(text)
    if address in WILDCARDS:
        raise SlotError(text, "an address under which somebody can reach us")
    return address


def _external_hostname(text: str) -> str:
    slots.host(text)
    if is_ip_address(text.strip("[]")):
        raise SlotError(text, "a host name; an IP address goes into external_signaling_address")
    return text


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(texts, tuple) or len(texts) > MAX_LOCAL_NETS:
        raise SlotError(texts, f"a tuple of at most {MAX_LOCAL_NETS} networks")
    return tuple(map(_network, texts))


def _network(text: str) -> str:
    try:
        if isinstance(text, str):
            return canonical_network(text)
    except ValueError:
        pass
    raise SlotError(text, "networks such as 192.168.0.0/16, 10.0.0.0/255.0.0.0 or 2001:db8::/32")


TRANSPORT_SLOTS: SlotTable = MappingProxyType(
    {
        "local": _local,
        "external_signaling_address": _external_address,
        "external_signaling_hostname": _external_hostname,
        "local_net": _networks,
    }
)
"""Which slot each text of a `Transport` fills."""

_STANDARD_TIMING = Timing()


@dataclass(frozen=True, slots=True)
class Account:
    """One registration: who, where, with which credentials, and how persistent.

    Only `aor` is needed: `Account("sip:alice@example.com", password="secret")`. Raises `ConfigError` when a value
    cannot be used; the message names the option, the value and what would be valid.
    """

    aor: str
    """The address of record, a sip URI with a user: To and From of every REGISTER (RFC 3261 section 10.2)."""
    password: Secret | str | None = field(default=None, kw_only=True)
    """With `username` a shorthand for one `Credential` of any realm. An empty password is a password."""
    name: str = field(default="", kw_only=True)
    """How commands, events and logs call the registration; the AOR when empty."""
    username: str | None = field(default=None, kw_only=True)
    """The user name for authentication; None takes the user part of the AOR."""
    credentials: tuple[Credential, ...] = field(default=(), kw_only=True)
    """Several credentials, by realm; instead of `username` and `password`."""
    registrar: str | None = field(default=None, kw_only=True)
    """Where to register; None takes the host of the AOR (RFC 3261 section 10.2.6)."""
    outbound_proxy: tuple[str, ...] = field(default=(), kw_only=True)
    """Route values, the first of which is where requests go (RFC 3261 sections 8.1.2 and 12.2.1.1)."""
    transport: Transport | None = field(default=None, kw_only=True)
    """None takes what the transport parameter of the next hop's URI says, else UDP."""
    contact_user: str | None = field(default=None, kw_only=True)
    """The user part of Contact; None takes the profile's default."""
    contact_parameters: str = field(default="", kw_only=True)
    """Parameters inside the Contact URI, as `;name=value`."""
    contact_header_parameters: str = field(default="", kw_only=True)
    """Parameters of the Contact header, as `;name=value`: feature tags, +sip.instance, reg-id."""
    line: bool = field(default=False, kw_only=True)
    """Add `;line=` and a token to the Contact URI, by which inbound requests are told apart."""
    expires: int | None = field(default=None, kw_only=True)
    """The lifetime that is asked for, in seconds (RFC 3261 section 20.19); None is 3600, or the profile's."""
    supported: tuple[str, ...] = field(default=(), kw_only=True)
    """Option tags for Supported (RFC 3261 section 20.37), in REGISTERs and removals alike. Asterisk's support_path=yes
    and support_outbound=yes are `("path", "outbound")`, in that order; what outbound needs in the Contact stands in
    `contact_header_parameters`."""
    allow: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Methods for Allow; None names those that are answered, () leaves the header out."""
    user_agent: str = field(default="", kw_only=True)
    """The User-Agent header; empty leaves it out (RFC 3261 section 20.41)."""
    compact_headers: bool = field(default=False, kw_only=True)
    """Write Via, From, To, Call-ID, Contact, Supported and Content-Length in one letter each, where every byte of a
    datagram counts (RFC 3261 section 7.3.3)."""
    rport: bool = field(default=True, kw_only=True)
    """Ask for the answer to the port that the request came from (RFC 3581). Asterisk's disable_rport=yes is False; then
    the answer goes to the port in Via, and over UDP behind a NAT that is often lost."""
    extra_headers: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    """Further header lines for every REGISTER, as (name, value)."""
    max_forwards: int = field(default=70, kw_only=True)
    """RFC 3261 section 8.1.1.6."""
    profile: Profile = field(default=SIPCORE, kw_only=True)
    """The tables of `sipcore.profiles` that decide."""
    max_retries: int | None = field(default=None, kw_only=True)
    """Retries after the first attempt, one count for all classes; None takes the profile's default, else never gives
    up."""
    retry_interval: int = field(default=60, kw_only=True)
    """ASTERISK: seconds after a temporary failure; 0 treats temporary failures as permanent."""
    forbidden_retry_interval: int = field(default=0, kw_only=True)
    """ASTERISK: seconds after a 403; 0 falls through to `fatal_retry_interval`."""
    fatal_retry_interval: int = field(default=0, kw_only=True)
    """ASTERISK: seconds after a permanent failure; 0 gives up."""
    max_random_initial_delay: int | None = field(default=None, kw_only=True)
    """The first attempt waits a random whole number of seconds below this; None is 0, or the profile's."""
    auth_rejection_permanent: bool = field(default=True, kw_only=True)
    """A refused 401 or 407 is of class `refused credentials`; otherwise it is temporary. Asterisk's option."""
    give_up: frozenset[OutcomeClass] = field(default=frozenset(), kw_only=True)
    """SIPCORE: classes after which nothing is retried."""
    redirects: int = field(default=0, kw_only=True)
    """How many 3xx are followed in one attempt (RFC 3261 section 8.1.3.4)."""
    timing: Timing = field(default=_STANDARD_TIMING, kw_only=True)
    """The transaction timers."""
    keep_alive_interval: float | None = field(default=None, kw_only=True)
    """Streams: seconds without anything sent after which a connection that carries the binding gets a CRLF CRLF (RFC
    5626 section 4.4.1), so that NATs keep it. Where several registrations share a connection the shortest counts. An
    answer is not waited for. None and 0 send none; Asterisk's default, as the option of its [global], is 90."""
    any_source: bool = field(default=False, kw_only=True)
    """UDP: accept responses from an address that was not asked; some clusters answer from another node."""

    def __post_init__(self) -> None:
        for option, kinds, expected in _KINDS:
            value = getattr(self, option)
            if not isinstance(value, kinds):
                shown = "***" if option in _SECRET_OPTIONS else value
                raise ConfigError(option, shown, f"must be {expected}")
        aor = fill("aor", ACCOUNT_SLOTS["aor"], self.aor)
        assert isinstance(aor, Uri)
        self._resolve_names(aor)
        self._check_texts()
        self._check_numbers()

    def _resolve_names(self, aor: Uri) -> None:
        if not self.name:
            _set(self, "name", self.aor)
        for option, value in self.profile.defaults.items():
            if getattr(self, option) is None:
                _set(self, option, value)
        if self.expires is None:
            _set(self, "expires", 3600)
        if self.max_random_initial_delay is None:
            _set(self, "max_random_initial_delay", 0)
        if isinstance(self.password, str):
            _set(self, "password", Secret(self.password))
        self._resolve_credentials(aor)
        if isinstance(self.outbound_proxy, str):
            _set(self, "outbound_proxy", (self.outbound_proxy,))
        _set(self, "outbound_proxy", tuple(map(_in_brackets, self.outbound_proxy)))
        if self.registrar is None:
            # How to get there is kept (RFC 3261 section 19.1.1).
            route = tuple(item for item in aor.parameters if item[0] in ("transport", "maddr"))
            registrar = str(Uri(scheme=aor.scheme, host=aor.host, port=aor.port, parameters=route))
            fill("aor", ACCOUNT_SLOTS["registrar"], registrar)
            _set(self, "registrar", registrar)

    def _resolve_credentials(self, aor: Uri) -> None:
        if self.password is None:
            derived = self.credentials if self.username is None else ()
        else:
            assert isinstance(self.password, Secret)
            derived = (Credential(username=self.username or aor.user or "", password=self.password),)
        # Equal ones come from `dataclasses.replace`.
        if self.credentials and self.credentials != derived:
            raise ConfigError("credentials", self.credentials, "either credentials, or username and password")
        if self.username is not None and self.password is None:
            raise ConfigError("username", self.username, "a password, too")
        _set(self, "credentials", derived)

    def _check_texts(self) -> None:
        for item in self.credentials:
            if not isinstance(item, Credential):
                raise ConfigError("credentials", "***", "must be a tuple of Credential")
        if not all(isinstance(item, OutcomeClass) for item in self.give_up):
            raise ConfigError("give_up", self.give_up, "must be a frozenset of OutcomeClass")
        size = len(self.aor)
        for option, slot in ACCOUNT_SLOTS.items():
            value = getattr(self, option)
            # Most options of most accounts are as they stand in the class.
            if value is not _STANDARD[option] and value is not None and option != "aor":
                fill(option, slot, value)
                size += _size(value)
        if size > MAX_TEXTS:
            raise ConfigError("extra_headers", f"{size} bytes", f"at most {MAX_TEXTS} with all other texts")
        if self.transport is not None and self.transport.protocol.reliable:
            for hop in (f"<{self.registrar}>", *self.outbound_proxy):
                if slots.route(hop).uri.get("ttl") is not None:
                    raise ConfigError("transport", self.transport.protocol, f"UDP, because of the ttl in {hop}")
        if len(self.extra_headers) > MAX_FURTHER_HEADERS:
            raise ConfigError("extra_headers", len(self.extra_headers), f"at most {MAX_FURTHER_HEADERS} headers")

    def _check_numbers(self) -> None:
        assert self.expires is not None
        for option, lowest, highest in _RANGES:
            value = getattr(self, option)
            if option == "max_retries" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
                raise ConfigError(option, value, f"a whole number from {lowest} to {highest}")
        interval = self.keep_alive_interval
        if interval is not None and (
            isinstance(interval, bool)
            or not isinstance(interval, int | float)
            or not (interval == 0 or MIN_KEEP_ALIVE <= interval <= MAX_EXPIRES)
        ):
            expected = f"None, 0, or seconds from {MIN_KEEP_ALIVE:g} to {MAX_EXPIRES}"
            raise ConfigError("keep_alive_interval", interval, expected)

    def source(self, option: str) -> str:
        """Where the value of `option` comes from: "given", "profile" or "standard". Raises KeyError when unknown."""
        standard, value = _STANDARD[option], getattr(self, option)
        if option in self.profile.defaults and value == self.profile.defaults[option]:
            return "profile"
        if option in _DERIVED:
            standard = getattr(Account(self.aor, profile=self.profile), option)
        return "standard" if value == standard else "given"


ACCOUNT_SLOTS: SlotTable = MappingProxyType(
    {
        "aor": slots.address_of_record,
        "password": slots.password,
        "name": slots.label,
        "username": slots.quoted_text,
        "registrar": slots.registrar,
        "outbound_proxy": slots.each(slots.route),
        "contact_user": slots.user,
        "contact_parameters": slots.contact_uri_parameters,
        "contact_header_parameters": slots.contact_header_parameters,
        "supported": slots.option_tags,
        "allow": slots.methods,
        "user_agent": slots.header_value,
        "extra_headers": slots.each(slots.register_header),
    }
)
"""Which slot each text of an `Account` fills; those of its credentials are in `auth.credentials`."""

_TEXT_OR_NONE = (str, type(None))
_KINDS: tuple[tuple[str, type | tuple[type, ...], str], ...] = (
    ("aor", str, "a text such as sip:alice@example.com"),
    ("password", (str, Secret, type(None)), "a text, a Secret or None"),
    ("name", str, "a text"),
    ("username", _TEXT_OR_NONE, "a text or None"),
    ("credentials", tuple, "a tuple of Credential"),
    ("registrar", _TEXT_OR_NONE, "a text such as sip:registrar.example.com, or None"),
    ("outbound_proxy", (str, tuple), "a tuple of routes such as <sip:proxy.example.com;lr>"),
    ("transport", (Transport, type(None)), "a Transport, such as Transport(protocol=Protocol.TCP), or None"),
    ("contact_user", _TEXT_OR_NONE, "a text or None"),
    ("contact_parameters", str, "a text such as ;name=value"),
    ("contact_header_parameters", str, "a text such as ;name=value"),
    ("line", bool, "True or False"),
    ("supported", tuple, "a tuple of option tags"),
    ("allow", (tuple, type(None)), "a tuple of methods or None"),
    ("user_agent", str, "a text"),
    ("compact_headers", bool, "True or False"),
    ("rport", bool, "True or False"),
    ("extra_headers", tuple, "a tuple of (name, value)"),
    ("profile", Profile, "one of the profiles SIPCORE, ASTERISK and JSSIP"),
    ("auth_rejection_permanent", bool, "True or False"),
    ("give_up", frozenset, "a frozenset of OutcomeClass"),
    ("timing", Timing, "a Timing"),
    ("any_source", bool, "True or False"),
)
"""What each option has to be; the numbers are checked with their ranges."""
_SECRET_OPTIONS = frozenset({"password", "credentials"})
_DERIVED = frozenset({"name", "expires", "registrar", "max_random_initial_delay"})
"""Options whose standard is worked out when the account is made."""
_RANGES = (
    ("expires", 1, MAX_EXPIRES),
    ("max_forwards", 0, MAX_MAX_FORWARDS),
    ("max_retries", 0, MAX_EXPIRES),
    ("retry_interval", 0, MAX_EXPIRES),
    ("forbidden_retry_interval", 0, MAX_EXPIRES),
    ("fatal_retry_interval", 0, MAX_EXPIRES),
    ("max_random_initial_delay", 0, MAX_EXPIRES),
    ("redirects", 0, 5),
)
_STANDARD: dict[str, object] = {item.name: item.default for item in fields(Account)}


def _set(made: Account | Transport, option: str, value: object) -> None:
    object.__setattr__(made, option, value)


def _in_brackets(route: object) -> object:
    # Without brackets, parameters belong to the URI here; in a Route header they would not.
    return f"<{route}>" if isinstance(route, str) and "<" not in route else route


def _size(value: object) -> int:
    if isinstance(value, tuple):
        return sum(map(_size, value))
    return len(value if value.isascii() else value.encode()) if isinstance(value, str) else 0
