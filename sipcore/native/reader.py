"""From the document to accounts: named tables, what registrations inherit, and what has no effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from sipcore.asterisk.faults import FileFault, nearest
from sipcore.config import Account, Credential, Transport
from sipcore.errors import ConfigError
from sipcore.native import kinds
from sipcore.native.addresses import bind_address
from sipcore.native.secrets import Reference, SecretSource
from sipcore.native.source import Place, Source
from sipcore.native.tables import CREDENTIAL, DEFAULTS, REGISTRATION, TABLES, TRANSPORT, Option
from sipcore.profiles import SIPCORE, Counted, Profile
from sipcore.settings import Configuration
from sipcore.syntax.addresses import parse_name_addr
from sipcore.values import Address, Protocol, Secret, is_ip_address

__all__ = ["EVERY", "TOP", "Reader", "Report", "check_shape"]

EVERY = "*all"
"""Stands for all registrations where one can be named; so none can have it for a name."""

TOP = ("profile", "defaults", *TABLES)
"""What the file itself has."""

Report = Callable[[Place, ConfigError], None]
"""Told each fault with its place; the reader goes on where it returns."""

_LOGIN = ("username", "password")
_NEVER_SHOWN = frozenset({"password", "ha1", "credentials"})


class Reader:
    """Reads one document. Without `secrets`, references to secrets are taken as if they could be read."""

    def __init__(self, source: Source, secrets: SecretSource | None, report: Report) -> None:
        self.source = source
        self.secrets = secrets
        self.report = report
        self.place = Place(source)
        self.idle: dict[Place, str] = {}
        """What is given and has no effect, and why."""
        self.literal = False
        self.transports: dict[str, Transport] = {}
        self.credentials: dict[str, Credential] = {}
        self.used: set[tuple[str, str]] = set()
        self.profile: Profile = SIPCORE
        self.defaults: dict[str, Any] = {}

    def read(self) -> Configuration:
        """All of it. What is wrong goes to `report`."""
        document = self.source.document
        for key in document:
            if key not in TOP:
                child = self.place.child(key)
                self.report(child, kinds.unknown(child, TOP))
        if "profile" in document:
            option, place = REGISTRATION["profile"], self.place.child("profile")
            self.profile = self.value(option, document["profile"], place) or SIPCORE
        for name, table, place in self.tables("transports"):
            self.add_transport(name, self.options(table, TRANSPORT, place), place)
        for name, table, place in self.tables("credentials"):
            self.add_credential(name, self.options(table, CREDENTIAL, place), place)
        if "defaults" in document:
            self.read_defaults(document["defaults"], self.place.child("defaults"))
        accounts = tuple(self.accounts())
        self.look_for_idle_defaults(accounts)
        if not accounts and not document.get("registrations"):
            # An empty or cut-off file: taken at its word, it would remove every registration there is.
            fault = FileFault("file", "has no table [registrations.NAME]", where=self.source.file)
            self.report(self.place, fault)
        self.look_for_unused()
        warnings = (f"{place.where}: {place.name}: {text}" for place, text in self.idle.items())
        return Configuration(
            file=self.source.file,
            accounts=accounts,
            warnings=tuple(warnings),
            secret=self.literal,
            binds=MappingProxyType(self.binds()),
            files=(self.source.file,),
        )

    # --- tables ----------------------------------------------------------------------------------------------------

    def tables(self, kind: str) -> Iterator[tuple[str, Any, Place]]:
        place = self.place.child(kind)
        tables = self.source.document.get(kind, {})
        if not isinstance(tables, dict):
            self.report(place, place.fault(f"must be a table of tables [{kind}.NAME]"))
            return
        for name, table in tables.items():
            if not name or name == EVERY:
                child = place.child(name)
                self.report(child, child.fault("needs a name" if not name else "stands for all registrations"))
            yield name, table, place.child(name)

    def options(self, table: Any, known: Mapping[str, Option], place: Place) -> dict[str, Any]:
        """The values that are as they should be; the others are reported."""
        if not isinstance(table, dict):
            self.report(place, place.fault("must be a table"))
            return {}
        found = {}
        for key, value in table.items():
            child = place.child(key)
            if key not in known:
                self.report(child, kinds.unknown(child, known))
            elif (read := self.value(known[key], value, child)) is not None:
                found[key] = read
        return found

    def value(self, option: Option, value: Any, place: Place) -> Any:
        try:
            return option.kind.read(value, place)
        except ConfigError as error:
            self.report(place, error)
            return None

    def add_transport(self, name: str, values: dict[str, Any], place: Place) -> None:
        if "bind" in values:
            address = bind_address(values["bind"])
            if address is None:
                expected = "an IP address with or without a port, such as 0.0.0.0:5060 or [::]:5060"
                self.report(place.child("bind"), place.child("bind").wrong(values["bind"], expected))
                return
            values["bind"] = address
            # A stream that is bound to a port is there to be reached, as in Asterisk.
            values.setdefault("listen", values.get("protocol", Protocol.UDP).reliable)
        made = self.made(Transport, values, TRANSPORT, place)
        if made is not None:
            self.transports[name] = made

    def add_credential(self, name: str, values: dict[str, Any], place: Place) -> None:
        if "username" not in values:
            self.report(place, place.fault("needs username, the name to log in with"))
            return
        if self.resolve(values, place):
            made = self.made(Credential, values, CREDENTIAL, place)
            if made is not None:
                self.credentials[name] = made

    def made(self, of: Any, values: Mapping[str, Any], options: Mapping[str, Option], place: Place) -> Any:
        """An object of the class, or None when that is reported."""
        arguments = {}
        for key, value in values.items():
            option = options[key]
            if option.record is not None:
                value = self.made(option.make, value, option.record, place.child(key))
                if value is None:
                    return None
            arguments[option.field] = value
        try:
            return of(**arguments)
        except ConfigError as error:
            fault = self.translated(error, options, lambda key: place.child(key) if key in values else place)
            self.report(*fault)
            return None

    def translated(
        self, error: ConfigError, options: Mapping[str, Option], at: Callable[[str], Place]
    ) -> tuple[Place, ConfigError]:
        """The error of a class in the words of the file."""
        field = error.option.partition(" ")[0]
        key = next((key for key, option in options.items() if option.field == field), field)
        place = at(key)
        if place.path[-1] != key or field in _NEVER_SHOWN:
            return place, FileFault(place.name, f"{key}: {error.expected}", where=place.where)
        return place, ConfigError(place.name, error.value, error.expected, where=place.where)

    # --- secrets ---------------------------------------------------------------------------------------------------

    def resolve(self, values: dict[str, Any], place: Place) -> bool:
        """Puts secrets in the place of references; False when one was reported."""
        try:
            if "password" in values:
                values["password"] = self.secret(values["password"], place.child("password"), "unread")
            if "ha1" in values:
                inside = place.child("ha1")
                values["ha1"] = tuple(
                    (algorithm, self.secret(item, inside.child(algorithm), "0" * algorithm.hex_length))
                    for algorithm, item in values["ha1"]
                )
        except _Unread as error:
            self.report(error.place, error.fault)
            return False
        return True

    def secret(self, value: Secret | Reference, place: Place, unread: str) -> Secret:
        if isinstance(value, Secret):
            self.literal = True
            return value
        if self.secrets is None:
            return Secret(unread)
        try:
            return self.secrets.secret(value.place, value.name)
        except OSError as error:
            said = f"cannot be read: {error.strerror or type(error).__name__}"
        except ValueError as error:
            said = str(error)
        child = place.child(value.place)
        raise _Unread(child, ConfigError(child.name, value.name, said, where=child.where))

    # --- registrations ---------------------------------------------------------------------------------------------

    def read_defaults(self, table: Any, place: Place) -> None:
        values = self.options(table, DEFAULTS, place)
        if not self.resolve(values, place):
            return
        self.defaults = values
        # Looked at also when every registration has a value of its own.
        probe = {key: value for key, value in values.items() if key not in ("credentials", "transport", *_LOGIN)}
        self.account("probe", {**probe, "aor": "sip:probe@probe.invalid"}, lambda key: place.child(key))
        for kind, known in (("transport", self.transports), ("credentials", self.credentials)):
            if kind in values:
                self.named(kind, values[kind], known, place.child(kind))

    def accounts(self) -> Iterator[Account]:
        for name, table, place in self.tables("registrations"):
            own = self.options(table, REGISTRATION, place)
            if not isinstance(table, dict):
                continue
            if "aor" not in table:
                self.report(place, place.fault("needs aor, such as sip:alice@example.com"))
            if "aor" not in own or not self.resolve(own, place):
                continue
            account = self.account(name, self.merged(own), self.origin(own, place))
            if account is not None and self.fits(account, self.origin(own, place)("transport")):
                self.look_for_idle(account, own, place)
                yield account

    def fits(self, account: Account, place: Place) -> bool:
        bound = None if account.transport is None else account.transport.local
        host = parse_name_addr((*account.outbound_proxy, f"<{account.registrar}>")[0]).uri.host
        literal = is_ip_address(host.strip("[]"))
        if bound is None or not literal or (":" in bound[0]) == host.startswith("["):
            return True
        families = ("IPv6", "IPv4") if ":" in bound[0] else ("IPv4", "IPv6")
        expected = f"binds an {families[0]} address, and the next hop is an {families[1]} address"
        self.report(place, place.fault(expected))
        return False

    def merged(self, own: Mapping[str, Any]) -> dict[str, Any]:
        inherited = dict(self.defaults)
        # Who says one way to log in does not mean the other.
        for way, other in ((_LOGIN, ("credentials",)), (("credentials",), _LOGIN)):
            if any(key in own for key in way):
                for key in other:
                    inherited.pop(key, None)
        for key, value in own.items():
            inherited[key] = {**inherited.get(key, {}), **value} if isinstance(value, dict) else value
        return inherited

    def origin(self, own: Mapping[str, Any], place: Place) -> Callable[[str], Place]:
        defaults = self.place.child("defaults")
        return lambda key: place.child(key) if key in own else defaults.child(key) if key in self.defaults else place

    def account(self, name: str, values: dict[str, Any], at: Callable[[str], Place]) -> Account | None:
        values.setdefault("profile", self.profile)
        arguments: dict[str, Any] = {"name": name}
        for key, value in values.items():
            option = REGISTRATION[key]
            if key in ("credentials", "transport"):
                known: Mapping[str, Any] = self.credentials if key == "credentials" else self.transports
                found = self.named(key, value, known, at(key))
                if found is None:
                    return None
                value = found if key == "credentials" else found[0]
            elif option.record is not None:
                value = self.made(option.make, value, option.record, at(key))
                if value is None:
                    return None
            arguments[option.field] = value
        try:
            return Account(**arguments)
        except ConfigError as error:
            self.report(*self.translated(error, REGISTRATION, at))
            return None

    def named(self, key: str, names: Any, known: Mapping[str, Any], place: Place) -> tuple[Any, ...] | None:
        kind = "transports" if key == "transport" else key
        found = []
        for name in (names,) if isinstance(names, str) else names:
            self.used.add((kind, name))
            if name not in known:
                tables = self.source.document.get(kind)
                # One that is there and wrong was reported itself.
                if not isinstance(tables, dict) or name not in tables:
                    expected = f"there is no table [{kind}.NAME] of that name{nearest(name, list(known))}"
                    self.report(place, ConfigError(place.name, name, expected, where=place.where))
                return None
            found.append(known[name])
        return tuple(found)

    # --- what has no effect ----------------------------------------------------------------------------------------

    def look_for_idle(self, account: Account, own: Mapping[str, Any], place: Place) -> None:
        for key, (needs, why) in _NEEDS.items():
            if key in own and not needs(account):
                self.idle[place.child(key)] = f"has no effect {why.format(profile=account.profile.name)}"

    def look_for_idle_defaults(self, accounts: tuple[Account, ...]) -> None:
        for key, (needs, why) in _NEEDS.items():
            if key in self.defaults and accounts and not any(map(needs, accounts)):
                profiles = " and ".join(sorted({account.profile.name for account in accounts}))
                self.idle[self.place.child("defaults").child(key)] = f"has no effect {why.format(profile=profiles)}"

    def look_for_unused(self) -> None:
        for kind, known in (("transports", self.transports), ("credentials", self.credentials)):
            for name in known:
                if (kind, name) not in self.used:
                    self.idle[self.place.child(kind).child(name)] = "no registration uses it"

    def binds(self) -> dict[tuple[Protocol, Address], str]:
        found: dict[tuple[Protocol, Address], str] = {}
        for name, transport in self.transports.items():
            if transport.local is not None and ("transports", name) in self.used:
                place = self.place.child("transports").child(name).child("bind")
                found.setdefault((transport.protocol, transport.local), place.where)
        return found


class _Unread(Exception):
    def __init__(self, place: Place, fault: ConfigError) -> None:
        self.place = place
        self.fault = fault


def check_shape(source: Source) -> None:
    """Raises `ConfigError` for an unknown key and for a value of a wrong type, and for nothing else."""

    def stop(place: Place, error: ConfigError) -> None:
        raise error

    reader = Reader(source, None, stop)
    for key in source.document:
        if key not in TOP:
            raise kinds.unknown(Place(source, (key,)), TOP)
    if "profile" in source.document:
        reader.value(REGISTRATION["profile"], source.document["profile"], Place(source, ("profile",)))
    for kind, options in TABLES.items():
        for _, table, place in reader.tables(kind):
            reader.options(table, options, place)
    if "defaults" in source.document:
        reader.options(source.document["defaults"], DEFAULTS, Place(source, ("defaults",)))


def _counted(option: str) -> Callable[[Account], bool]:
    return lambda account: option in _intervals(account.profile)


def _intervals(profile: Profile) -> set[str]:
    rules = (*profile.retries.values(), profile.forbidden)
    return {option for rule in rules if isinstance(rule, Counted) for option in rule.options}


_PROFILE = "under the profile {profile}"
_NEEDS: Mapping[str, tuple[Callable[[Account], bool], str]] = MappingProxyType(
    {
        "retry_interval": (_counted("retry_interval"), _PROFILE),
        "forbidden_retry_interval": (_counted("forbidden_retry_interval"), _PROFILE),
        "fatal_retry_interval": (_counted("fatal_retry_interval"), _PROFILE),
        "redirects": (lambda account: not account.redirects or account.profile.redirects, _PROFILE),
        "any_source": (
            lambda account: account.transport is None or not account.transport.protocol.reliable,
            "on streams",
        ),
        "keep_alive_interval": (
            lambda account: account.transport is None or account.transport.protocol.reliable,
            "over UDP",
        ),
    }
)
"""What an option needs to have an effect, and what to say when that is missing."""
