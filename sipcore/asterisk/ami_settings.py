"""Asterisk's manager.conf: where AMI listens and who may log in to do what.

Read as `syntax` reads all files of Asterisk. Every option that Asterisk has here is known; what is not used is told in
`ManagerSettings.notes`. Refused is what would open more than its writer thinks: an address that is not loopback, TLS
and access lists that do not exist here, filters of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Final

from sipcore.asterisk.options import is_true, parse_integer
from sipcore.asterisk.sources import Files
from sipcore.asterisk.syntax import ConfigText, FileFault, Option, Section, nearest
from sipcore.errors import ConfigError
from sipcore.settings import OptionNote, Verdict
from sipcore.values import Address, Secret, is_ip_address

__all__ = ["CLASSES", "ManagerSettings", "ManagerUser", "Rule", "load_manager", "loopback_address"]

CLASSES: Final = tuple(
    "system call log verbose command agent user config dtmf reporting cdr dialplan originate agi cc aoc test security "
    "message".split()
)
"""The classes of actions and events; `all` means every one of them."""

DEFAULT_PORT: Final = 5038

MAX_USERS: Final = 1000
"""Of one file: each login looks one up, and nobody has more programs than that."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Rule:
    """One `permit` or `deny`."""

    allow: bool
    network: Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerUser:
    """Who may log in."""

    name: str
    secret: Secret
    read: frozenset[str] = frozenset()
    """The classes of events that are told."""
    write: frozenset[str] = frozenset()
    """The classes of actions that are allowed."""
    rules: tuple[Rule, ...] = ()
    """The last that fits decides; without any that fits the address is allowed."""
    multiple: bool = True
    """May log in while logged in."""

    def admits(self, host: str) -> bool:
        """Whether one may log in from that address."""
        address = ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        address = address if mapped is None else mapped
        fitting = [rule for rule in self.rules if rule.network.version == address.version and address in rule.network]
        return fitting[-1].allow if fitting else True


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerSettings:
    """What a manager.conf says."""

    file: str
    enabled: bool
    address: Address
    """Where to listen; always a loopback address."""
    users: Mapping[str, ManagerUser]
    """By name in lower case, since names are compared without case."""
    auth_timeout: float = 30.0
    """Seconds to log in."""
    auth_limit: int = 32
    """Sessions that are not logged in, at once."""
    timestamps: bool = False
    """Events tell when they happened."""
    disabled_events: frozenset[str] = frozenset()
    """Names of events that are not told, in lower case."""
    notes: tuple[OptionNote, ...] = ()
    """What became of each option."""
    warnings: tuple[str, ...] = ()
    """What is accepted and may still not be what was meant, as `file:line: text`."""
    files: tuple[str, ...] = ()
    """All files that were read, the first one included."""


_GENERAL: Final = frozenset("enabled port bindaddr authtimeout authlimit allowmultiplelogin timestampevents".split())
_GENERAL_UNUSED: Final = (
    "webenabled displayconnects httptimeout debug brokeneventsaction channelvars displaysystemname block-sockets "
    "tlsbindaddr tlsbindport tlscertfile tlsprivatekey tlscipher tlscafile tlscapath tlsdontverifyserver tlsdisablev1 "
    "tlsdisablev11 tlsdisablev12".split()
)
_USER: Final = frozenset("secret read write permit deny allowmultiplelogin".split())
_USER_UNUSED: Final = "displayconnects writetimeout setvar".split()
_REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tlsenable": "TLS is not supported; only loopback is, where nobody listens in",
        "acl": "named access lists are not supported; write permit and deny",
        "contactacl": "named access lists are not supported; write permit and deny",
        "eventfilter": "filters of events are not supported; leave out the class of events in read",
    }
)
_USES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "enabled": "whether to listen",
        "port": "where to listen",
        "bindaddr": "where to listen",
        "authtimeout": "seconds to log in",
        "authlimit": "sessions that are not logged in",
        "allowmultiplelogin": "one session for each user, or any number",
        "timestampevents": "events tell when they happened",
        "disabledevents": "events that are not told",
        "secret": "the password",
        "read": "classes of events",
        "write": "classes of actions",
        "permit": "addresses that may log in",
        "deny": "addresses that may not",
    }
)
_SAMPLE: Final = "a loopback address such as 127.0.0.1 or ::1"


def load_manager(text: str, *, file: str = "manager.conf", files: Files | None = None) -> ManagerSettings:
    """What the text of a manager.conf says; `files` are for what it includes. Raises `ConfigError` with `file:line`."""
    return _Reader(ConfigText(text, file=file, files=files), file).read()


def loopback_address(host: str) -> str | None:
    """The address in its usual spelling when it is a loopback address, else None."""
    if host.lower() == "localhost":
        return "127.0.0.1"
    if not is_ip_address(host):
        return None
    address = ip_address(host)
    return str(address) if address.is_loopback else None


class _Reader:
    def __init__(self, text: ConfigText, file: str) -> None:
        self.text = text
        self.file = file
        self.general: dict[str, Option] = {}
        self.users: dict[str, ManagerUser] = {}
        self.notes: list[OptionNote] = []
        self.disabled: set[str] = set()

    def read(self) -> ManagerSettings:
        users = []
        for section in self.text.sections():
            if section.template:
                continue
            if section.name.lower() == "general":
                self.read_general(section)
            else:
                users.append(section)
        multiple = self.boolean(self.general.get("allowmultiplelogin"), True)
        for section in users:
            self.read_user(section, multiple)
        enabled = self.boolean(self.general.get("enabled"), False)
        return ManagerSettings(
            file=self.file,
            enabled=enabled,
            address=self.address(enabled),
            users=MappingProxyType(self.users),
            auth_timeout=float(self.integer("authtimeout", 30, 1, 3600)),
            auth_limit=self.integer("authlimit", 50, 1, 2**32 - 1),
            timestamps=self.boolean(self.general.get("timestampevents"), False),
            disabled_events=frozenset(self.disabled),
            notes=tuple(self.notes),
            warnings=tuple(self.text.warnings),
            files=self.text.files,
        )

    def read_general(self, section: Section) -> None:
        for option in section.options:
            if option.name == "disabledevents":
                self.disabled |= {name.strip().lower() for name in option.value.split(",")} - {""}
            elif option.name not in _GENERAL:
                self.other(option, section, [*_GENERAL, "disabledevents"], _GENERAL_UNUSED)
                continue
            self.general[option.name] = option
            self.note(option, section, Verdict.USED, _USES[option.name])

    def read_user(self, section: Section, multiple: bool) -> None:
        options: dict[str, Option] = {}
        rules: list[Rule] = []
        for option in section.options:
            if option.name not in _USER:
                self.other(option, section, sorted(_USER), _USER_UNUSED)
                continue
            if option.name in ("permit", "deny"):
                rules += self.rules(option)
            options[option.name] = option
            self.note(option, section, Verdict.USED, _USES[option.name])
        name = section.name.lower()
        if name in self.users:
            raise FileFault(f"[{section.name}]", "a second user of this name", where=section.where)
        if "secret" not in options or not options["secret"].value:
            raise FileFault(f"[{section.name}]", "needs secret, the password", where=section.where)
        if len(self.users) >= MAX_USERS:
            raise FileFault(f"[{section.name}]", f"more than {MAX_USERS} users", where=section.where)
        self.users[name] = ManagerUser(
            name=section.name,
            secret=Secret(options["secret"].value),
            read=self.classes(options.get("read")),
            write=self.classes(options.get("write")),
            rules=tuple(rules),
            multiple=self.boolean(options.get("allowmultiplelogin"), multiple),
        )

    def other(self, option: Option, section: Section, used: list[str], unused: list[str]) -> None:
        if option.name in _REFUSED:
            if option.name == "tlsenable" and not is_true(option.value):
                self.note(option, section, Verdict.USED, "no TLS")
                return
            raise FileFault(option.name, _REFUSED[option.name], where=option.where)
        if option.name not in unused:
            # The value stays out of the message: a misspelt secret is one.
            hint = nearest(option.name, [*used, *unused, *_REFUSED])
            raise FileFault(option.name, f"not an option of manager.conf{hint}", where=option.where)
        self.note(option, section, Verdict.UNUSED, "")

    def note(self, option: Option, section: Section, verdict: Verdict, text: str) -> None:
        kind = "general" if section.name.lower() == "general" else "user"
        value = None if option.name == "secret" else option.value
        self.notes.append(
            OptionNote(
                where=option.where,
                section=section.name,
                type=kind,
                option=option.name,
                value=value,
                verdict=verdict,
                text=text,
            )
        )

    def boolean(self, option: Option | None, standard: bool) -> bool:
        return standard if option is None else is_true(option.value)

    def integer(self, name: str, standard: int, lowest: int, highest: int) -> int:
        option = self.general.get(name)
        if option is None:
            return standard
        number = parse_integer(option.value)
        if number is None or not lowest <= number <= highest:
            raise ConfigError(name, option.value, f"a whole number from {lowest} to {highest}", where=option.where)
        return number

    def address(self, enabled: bool) -> Address:
        port = self.integer("port", DEFAULT_PORT, 0, 65535)
        option = self.general.get("bindaddr")
        # Asterisk's default is every address of the machine. Here nothing but loopback is ever listened on.
        if option is None or not option.value:
            return "127.0.0.1", port
        host = loopback_address(option.value)
        if host is None and enabled:
            raise ConfigError("bindaddr", option.value, f"only {_SAMPLE} is listened on", where=option.where)
        return host or "127.0.0.1", port

    def classes(self, option: Option | None) -> frozenset[str]:
        if option is None:
            return frozenset()
        found: set[str] = set()
        for name in filter(None, (item.strip().lower() for item in option.value.split(","))):
            if name == "all":
                found.update(CLASSES)
            elif name in CLASSES:
                found.add(name)
            elif name != "none":
                hint = nearest(name, [*CLASSES, "all"])
                expected = f"not a class; {', '.join(CLASSES)} or all are{hint}"
                raise ConfigError(option.name, name, expected, where=option.where)
        return frozenset(found)

    def rules(self, option: Option) -> list[Rule]:
        rules = []
        for item in filter(None, (item.strip() for item in option.value.split(","))):
            allow = (option.name == "permit") != item.startswith("!")
            try:
                network = ip_network(item.removeprefix("!"), strict=False)
            except ValueError:
                expected = "an address and its mask, such as 127.0.0.1/255.255.255.255 or ::1/128"
                raise ConfigError(option.name, item, expected, where=option.where) from None
            rules.append(Rule(allow, network))
        return rules
