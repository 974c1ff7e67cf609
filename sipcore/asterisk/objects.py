"""From sections to accounts: transports, credentials, the global numbers, and the registrations that name them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sipcore.asterisk.auths import read_credential
from sipcore.asterisk.options import OPTIONS, Kind, Values, check_template, object_type
from sipcore.asterisk.syntax import ConfigText, FileFault, Section, decode, nearest
from sipcore.asterisk.transports import family, next_hop, read_transport
from sipcore.auth.credentials import Credential
from sipcore.config import Account, Timing, Transport
from sipcore.errors import ConfigError, RemoteProtocolError
from sipcore.profiles import ASTERISK, Profile
from sipcore.redact import redact_uri
from sipcore.settings import Configuration
from sipcore.syntax.addresses import parse_name_addr
from sipcore.syntax.grammar import split_list
from sipcore.values import Address, Protocol

__all__ = ["DEFAULT_USER_AGENT", "load", "parse"]

DEFAULT_USER_AGENT = "sipcore"
"""Asterisk always names itself; the version is left out, since it helps nobody but attackers."""

EVERY = "*all"
"""Stands for all registrations where one can be named, as in Asterisk; so none can have it for a name."""

TIMER_B = 32.0
"""Seconds; Asterisk's default of timer_b, which is also what it waits for the answer to a REGISTER."""


def load(file: str, read: Callable[[str], bytes], *, profile: Profile = ASTERISK) -> Configuration:
    """Read a pjsip.conf through `read`, which may raise `OSError`. Raises `ConfigError`."""
    try:
        data = read(file)
    except OSError as error:
        raise FileFault("file", f"cannot be read: {error.strerror or type(error).__name__}", where=file) from None
    return parse(decode(data), file=file, profile=profile)


def parse(text: str, *, file: str = "pjsip.conf", profile: Profile = ASTERISK) -> Configuration:
    """What the text of a pjsip.conf says, under the given profile. Raises `ConfigError` with `file:line`."""
    return _Builder(ConfigText(text, file=file), profile).build()


class _Named(NamedTuple):
    transport: Transport
    where: str


_ACCOUNT_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "server_uri": "registrar",
        "client_uri": "aor",
        "contact_user": "contact_user",
        "contact_header_params": "contact_header_parameters",
        "expiration": "expires",
        "max_random_initial_delay": "max_random_initial_delay",
        "retry_interval": "retry_interval",
        "forbidden_retry_interval": "forbidden_retry_interval",
        "fatal_retry_interval": "fatal_retry_interval",
        "max_retries": "max_retries",
        "auth_rejection_permanent": "auth_rejection_permanent",
        "outbound_proxy": "outbound_proxy",
        "line": "line",
        "user_agent": "user_agent",
    }
)
"""The name of each option here, and in `Account`."""

_FILE_NAMES = {ours: theirs for theirs, ours in _ACCOUNT_OPTIONS.items()}


class _Builder:
    """Reads the text twice: what registrations need may stand below them."""

    def __init__(self, text: ConfigText, profile: Profile) -> None:
        self.text = text
        self.transports: dict[str, _Named] = {}
        self.credentials: dict[str, Credential] = {}
        self.user_agent = DEFAULT_USER_AGENT
        self.common: dict[str, Any] = {"profile": profile}
        self.lines: dict[tuple[str, str], int] = {}

    def build(self) -> Configuration:
        for section in self.text.sections():
            if section.template:
                check_template(section, self.text.file, self.text.warnings)
            elif (kind := object_type(section, self.text.file)) != "registration":
                self.prepare(section, kind)
        accounts = tuple(
            self.account(self.values(section, kind)) for section, kind in self.objects() if kind == "registration"
        )
        if not accounts:
            # An empty or cut-off file: taken at its word, it would remove every registration there is.
            raise FileFault("file", "has no section of type registration", where=self.text.file)
        binds: dict[tuple[Protocol, Address], str] = {}
        for transport, where in self.transports.values():
            if transport.local is not None:
                binds.setdefault((transport.protocol, transport.local), where)
        return Configuration(
            file=self.text.file,
            accounts=accounts,
            warnings=tuple(self.text.warnings),
            secret=bool(self.credentials),
            binds=MappingProxyType(binds),
        )

    def objects(self) -> Iterator[tuple[Section, str]]:
        for section in self.text.sections():
            if not section.template:
                yield section, object_type(section, self.text.file)

    def values(self, section: Section, kind: str) -> Values:
        if section.name == EVERY:
            raise FileFault(f"[{EVERY}]", "stands for all registrations", where=self.text.where(section.line))
        single = kind in ("global", "system")
        first = self.lines.setdefault((kind, "" if single else section.name), section.line)
        if first != section.line:
            what = f"a second {kind}" if single else f"a second {kind} of this name"
            raise FileFault(
                f"[{section.name}]", f"{what}; the first is in line {first}", where=self.text.where(section.line)
            )
        return Values(section, kind, self.text.file, self.text.warnings)

    def prepare(self, section: Section, kind: str) -> None:
        values = self.values(section, kind)
        match kind:
            case "global":
                self.globals(values)
            case "system":
                self.system(values)
            case "transport":
                self.add_transport(section.name, values)
            case "auth":
                self.credentials[section.name] = read_credential(values)

    def add_transport(self, name: str, values: Values) -> None:
        transport = read_transport(values)
        for other, (earlier, where) in self.transports.items():
            if earlier == transport:
                line = where.rpartition(":")[2]
                expected = f"transport {other!r} in line {line} has the same bind and protocol"
                raise ConfigError("bind", values.text("bind"), expected, where=values.where("bind"))
        self.transports[name] = _Named(transport, values.where("bind"))

    def globals(self, values: Values) -> None:
        if "max_forwards" in values:
            self.common["max_forwards"] = values.integer("max_forwards")
            self.probe(values, "max_forwards", max_forwards=self.common["max_forwards"])
        if values.text("user_agent"):
            self.user_agent = values.text("user_agent")
            self.probe(values, "user_agent", user_agent=self.user_agent)

    def system(self, values: Values) -> None:
        if "compact_headers" in values:
            self.common["compact_headers"] = values.boolean("compact_headers")
        t1 = values.integer("timer_t1") / 1000 if "timer_t1" in values else 0.5
        timeout = values.integer("timer_b") / 1000 if "timer_b" in values else TIMER_B
        if timeout < 64 * t1:
            if "timer_b" in values:
                values.warn_about(
                    "timer_b", f"less than 64 times timer_t1; raised to {64 * t1 * 1000:.0f}, as in Asterisk"
                )
            timeout = 64 * t1
        try:
            self.common["timing"] = Timing(t1=t1, timeout=timeout)
        except ConfigError:
            name = "timer_t1" if "timer_t1" in values and not 0.001 <= t1 <= 50 else "timer_b"
            raise ConfigError(
                name,
                values.text(name),
                "milliseconds: timer_t1 from 1 to 50000, timer_b to 3600000",
                where=values.where(name),
            ) from None

    def probe(self, values: Values, name: str, **options: Any) -> None:
        # What all registrations inherit is checked once, so that the error names the line that is wrong.
        try:
            Account("sip:probe@probe.invalid", **options)
        except ConfigError as error:
            raise ConfigError(name, values.text(name), error.expected, where=values.where(name)) from None

    def account(self, values: Values) -> Account:
        options = dict(self.common)
        options["name"] = values.section.name
        options["user_agent"] = self.user_agent
        for name in ("server_uri", "client_uri"):
            if not values.text(name):
                raise values.missing(name, "a SIP URI")
            options[_ACCOUNT_OPTIONS[name]] = _bare(values.text(name))
        for name, kind in OPTIONS["registration"].items():
            if name in values and name in _ACCOUNT_OPTIONS:
                if kind is Kind.INTEGER:
                    options[_ACCOUNT_OPTIONS[name]] = values.integer(name)
                elif kind is Kind.BOOLEAN:
                    options[_ACCOUNT_OPTIONS[name]] = values.boolean(name)
        for name in ("contact_user", "user_agent"):
            if values.text(name):
                options[name] = values.text(name)
        if values.text("contact_header_params"):
            options["contact_header_parameters"] = ";" + values.text("contact_header_params")
        supported = [
            tag for tag in ("path", "outbound") if f"support_{tag}" in values and values.boolean(f"support_{tag}")
        ]
        options["supported"] = tuple(supported)
        if values.text("outbound_proxy"):
            options["outbound_proxy"] = self.proxies(values)
        options["credentials"] = self.named_credentials(values)
        self.check_line(values, bool(options.get("line")))
        options["transport"] = self.transport(values, options)
        aor = options.pop("aor")
        try:
            return Account(aor, **options)
        except ConfigError as error:
            name = _FILE_NAMES.get(error.option, error.option)
            shown = redact_uri(values.text(name)) if name in values else error.value
            raise ConfigError(name, shown, error.expected, where=values.where(name)) from None

    def check_line(self, values: Values, line: bool) -> None:
        # Asterisk's rule: the endpoint is what the line identifies, so neither is given without the other.
        if line and not values.text("endpoint"):
            raise ConfigError("line", values.text("line"), "needs an endpoint", where=values.where("line"))
        if values.text("endpoint") and not line:
            raise ConfigError("endpoint", values.text("endpoint"), "needs line = yes", where=values.where("endpoint"))

    def proxies(self, values: Values) -> tuple[str, ...]:
        routes = []
        for item in split_list(values.text("outbound_proxy")):
            # Without brackets, parameters belong to the URI here; in a Route header they would not.
            route = item if "<" in item else f"<{item}>"
            try:
                uri = parse_name_addr(route).uri
            except RemoteProtocolError:
                expected = "a route such as <sip:proxy.example.com\\;lr>"
                raise ConfigError(
                    "outbound_proxy", redact_uri(item), expected, where=values.where("outbound_proxy")
                ) from None
            if uri.get("lr") is None:
                values.warn_about("outbound_proxy", "has no \\;lr, so the proxy is asked to route strictly (RFC 2543)")
            routes.append(route)
        return tuple(routes)

    def named_credentials(self, values: Values) -> tuple[Credential, ...]:
        names = [name.strip() for name in values.text("outbound_auth").split(",")]
        found = []
        for name in filter(None, names):
            credential = self.credentials.get(name)
            if credential is None:
                hint = nearest(name, list(self.credentials))
                expected = f"no section [{name}] of type auth{hint}"
                raise ConfigError("outbound_auth", name, expected, where=values.where("outbound_auth"))
            found.append(credential)
        return tuple(found)

    def transport(self, values: Values, options: dict[str, Any]) -> Transport | None:
        option = "outbound_proxy" if "outbound_proxy" in options else "server_uri"
        hop = options["outbound_proxy"][0] if option == "outbound_proxy" else f"<{options['registrar']}>"
        wanted, literal = next_hop(hop, option, values)
        name = values.text("transport")
        if name:
            if name not in self.transports:
                hint = nearest(name, list(self.transports))
                expected = f"no section [{name}] of type transport{hint}"
                raise ConfigError("transport", name, expected, where=values.where("transport"))
            chosen = self.transports[name].transport
            if wanted is not None and wanted is not chosen.protocol:
                values.warn_about(
                    "transport", f"is {chosen.protocol}, although {option} says transport={wanted.lower()}"
                )
            bound = family(chosen)
            if None not in (literal, bound) and literal != bound:
                expected = f"binds an IPv{bound} address, and {option} names an IPv{literal} address"
                raise ConfigError("transport", name, expected, where=values.where("transport"))
            return chosen
        # As in Asterisk: the first transport of the right kind. Without any the system chooses, where Asterisk fails.
        for transport, _ in self.transports.values():
            if transport.protocol is (wanted or Protocol.UDP) and literal in (None, family(transport)):
                return transport
        return None


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text
