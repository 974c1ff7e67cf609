"""Objects of type registration, as accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from sipcore.asterisk.options import Values
from sipcore.asterisk.syntax import nearest
from sipcore.asterisk.transports import Declared, family, next_hop
from sipcore.auth.credentials import Credential
from sipcore.config import Account, Transport
from sipcore.errors import ConfigError, RemoteProtocolError
from sipcore.redact import redact_uri
from sipcore.syntax.addresses import parse_name_addr
from sipcore.syntax.grammar import split_list
from sipcore.values import Protocol

__all__ = ["FILE_NAMES", "Surroundings", "read_account"]

MAX_URI: Final = 511
"""Characters of a URI, brackets and all (Asterisk's build of pjproject)."""

MAX_HOST: Final = 254
MAX_HOST_WITHOUT_PORT: Final = 244
"""Ten less: room for `_sips._tcp.` before it, by which the port is looked up."""

_TEXTS: Final = MappingProxyType({"contact_user": "contact_user", "user_agent": "user_agent"})
_INTEGERS: Final = MappingProxyType(
    {
        "expiration": "expires",
        "max_random_initial_delay": "max_random_initial_delay",
        "retry_interval": "retry_interval",
        "forbidden_retry_interval": "forbidden_retry_interval",
        "fatal_retry_interval": "fatal_retry_interval",
        "max_retries": "max_retries",
    }
)
_BOOLEANS: Final = MappingProxyType({"auth_rejection_permanent": "auth_rejection_permanent", "line": "line"})
_URIS: Final = MappingProxyType({"server_uri": "registrar", "client_uri": "aor"})
_OTHERS: Final = MappingProxyType(
    {"contact_header_params": "contact_header_parameters", "outbound_proxy": "outbound_proxy"}
)

FILE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {ours: theirs for table in (_TEXTS, _INTEGERS, _BOOLEANS, _URIS, _OTHERS) for theirs, ours in table.items()}
)
"""The options of `Account` by name, each with what the file calls it."""

_MECHANISMS: Final = ("none", "msrp-tls", "sdes-srtp", "dtls-srtp")


@dataclass(slots=True)
class Surroundings:
    """What a registration finds around it in its file."""

    common: dict[str, Any]
    """Options that all accounts have."""
    transports: dict[str, Declared] = field(default_factory=dict)
    credentials: dict[str, Credential] = field(default_factory=dict)
    faulty: set[tuple[str, str]] = field(default_factory=set)
    """Type and name of objects that stand there, and of which nothing could be made."""
    chosen: set[str] = field(default_factory=set)
    """The transports that a registration uses."""
    trusted: set[str] = field(default_factory=set)
    """The auths that a registration uses."""


def read_account(values: Values, around: Surroundings) -> Account:
    """What an object of type registration says. Raises `ConfigError`."""
    options = dict(around.common)
    options["name"] = values.section.name
    for name, ours in _URIS.items():
        text = values.text(name)
        if not text:
            raise values.missing(name, "a SIP URI")
        if len(text) > MAX_HOST_WITHOUT_PORT:
            _check_length(values, name, text)
        options[ours] = _bare(text)
    for name, ours in _INTEGERS.items():
        if name in values:
            options[ours] = values.integer(name)
    for name, ours in _BOOLEANS.items():
        if name in values:
            options[ours] = values.boolean(name)
    for name, ours in _TEXTS.items():
        if values.text(name):
            options[ours] = values.text(name)
    if values.text("contact_header_params"):
        options["contact_header_parameters"] = ";" + values.text("contact_header_params")
    options["supported"] = tuple(tag for tag in ("path", "outbound") if values.boolean(f"support_{tag}"))
    if values.text("outbound_proxy"):
        options["outbound_proxy"] = _proxies(values)
    if "security_mechanisms" in values or "security_negotiation" in values:
        _check_security(values)
    options["credentials"] = _credentials(values, around)
    _check_line(values, bool(options.get("line")))
    options["transport"] = _transport(values, options, around)
    aor = options.pop("aor")
    try:
        return Account(aor, **options)
    except ConfigError as error:
        name = FILE_NAMES.get(error.option, error.option)
        shown = redact_uri(values.text(name)) if name in values else error.value
        raise ConfigError(name, shown, error.expected, where=values.where(name)) from None


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _check_length(values: Values, name: str, text: str) -> None:
    expected = ""
    if len(text) > MAX_URI:
        expected = f"at most {MAX_URI} characters, as in Asterisk"
    else:
        try:
            uri = parse_name_addr(f"<{_bare(text)}>").uri
        except RemoteProtocolError:
            return  # the account's own check says it better
        most = MAX_HOST_WITHOUT_PORT if uri.port is None else MAX_HOST
        if len(uri.host) > most:
            expected = f"a host of at most {most} characters, as in Asterisk"
    if expected:
        raise ConfigError(name, redact_uri(text), expected, where=values.where(name))


def _check_line(values: Values, line: bool) -> None:
    # Asterisk's rule: the endpoint is what the line identifies, so neither is given without the other.
    if line and not values.text("endpoint"):
        raise ConfigError("line", values.text("line"), "needs an endpoint", where=values.where("line"))
    if values.text("endpoint") and not line:
        raise ConfigError("endpoint", values.text("endpoint"), "needs line = yes", where=values.where("endpoint"))


def _check_security(values: Values) -> None:
    """The security agreement of RFC 3329, which is checked, and not supported yet."""
    where = values.where("security_negotiation")
    negotiation = values.text("security_negotiation").lower() or "no"
    for item in split_list(values.text("security_mechanisms")):
        name = item.partition(";")[0].strip().lower()
        if name not in _MECHANISMS:
            expected = f"{name!r} is not one of {', '.join(_MECHANISMS)}{nearest(name, _MECHANISMS)}"
            values.warn_about("security_mechanisms", f"{expected}; it is left out, as in Asterisk")
    if negotiation not in ("no", "mediasec"):
        raise ConfigError("security_negotiation", values.text("security_negotiation"), "no or mediasec", where=where)
    if negotiation == "mediasec":
        expected = "not supported yet (only 'no' is)"
        raise ConfigError("security_negotiation", values.text("security_negotiation"), expected, where=where)
    if "security_mechanisms" in values:
        values.idle["security_mechanisms"] = "has no effect without security_negotiation = mediasec"


def _proxies(values: Values) -> tuple[str, ...]:
    routes = []
    for item in split_list(values.text("outbound_proxy")):
        # Without brackets, parameters belong to the URI here; in a Route header they would not.
        route = item if "<" in item else f"<{item}>"
        try:
            uri = parse_name_addr(route).uri
        except RemoteProtocolError:
            expected = "a route such as <sip:proxy.example.com\\;lr>"
            where = values.where("outbound_proxy")
            raise ConfigError("outbound_proxy", redact_uri(item), expected, where=where) from None
        if uri.get("lr") is None:
            values.warn_about("outbound_proxy", "has no \\;lr, so the proxy is asked to route strictly (RFC 2543)")
        routes.append(route)
    return tuple(routes)


def _credentials(values: Values, around: Surroundings) -> tuple[Credential, ...]:
    found = []
    for name in filter(None, (name.strip() for name in values.text("outbound_auth").split(","))):
        credential = around.credentials.get(name)
        if credential is not None:
            around.trusted.add(name)
            found.append(credential)
        elif ("auth", name) not in around.faulty:
            values.refuse(_nothing(values, "outbound_auth", name, "auth", around.credentials))
    return tuple(found)


def _nothing(values: Values, option: str, name: str, kind: str, known: Collection[str]) -> ConfigError:
    expected = f"no section [{name}] of type {kind}{nearest(name, list(known))}"
    return ConfigError(option, name, expected, where=values.where(option))


def _transport(values: Values, options: dict[str, Any], around: Surroundings) -> Transport | None:
    option = "outbound_proxy" if "outbound_proxy" in options else "server_uri"
    hop = options["outbound_proxy"][0] if option == "outbound_proxy" else f"<{options['registrar']}>"
    wanted, literal = next_hop(hop, option, values)
    name = values.text("transport")
    if not name:
        # As in Asterisk: the first transport of the right kind. Without any the system chooses, where Asterisk fails.
        for other, declared in around.transports.items():
            transport = declared.transport
            if transport is None or transport.protocol is not (wanted or Protocol.UDP):
                continue
            if literal in (None, family(transport)):
                around.chosen.add(other)
                return transport
        return None
    found = around.transports.get(name)
    if found is None:
        if ("transport", name) not in around.faulty:
            values.refuse(_nothing(values, "transport", name, "transport", around.transports))
        return None
    around.chosen.add(name)
    chosen = found.transport
    if chosen is None:
        expected = f"its protocol, {found.protocol}, is not supported yet; udp and tcp are"
        raise ConfigError("transport", name, expected, where=values.where("transport"))
    if wanted is not None and wanted is not chosen.protocol:
        values.warn_about("transport", f"is {chosen.protocol}, although {option} says transport={wanted.lower()}")
    bound = family(chosen)
    if None not in (literal, bound) and literal != bound:
        expected = f"binds an IPv{bound} address, and {option} names an IPv{literal} address"
        raise ConfigError("transport", name, expected, where=values.where("transport"))
    return chosen
