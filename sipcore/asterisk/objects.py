"""From sections to accounts: transports, credentials, the global numbers, and the registrations that name them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sipcore.asterisk.auths import DEFAULT_ALGORITHMS, read_algorithms, read_credential
from sipcore.asterisk.identification import IdentificationReader
from sipcore.asterisk.notes import NoteTaker
from sipcore.asterisk.options import Refuse, Values, check_template, is_hidden, object_type, refuse_at_once
from sipcore.asterisk.registrations import Surroundings, read_account
from sipcore.asterisk.sources import Files, as_files, directory
from sipcore.asterisk.syntax import ConfigText, FileFault, Section, decode
from sipcore.asterisk.tables import SINGLE, WIZARD
from sipcore.asterisk.transports import read_transport
from sipcore.asterisk.wizard import check_options, expand
from sipcore.auth.hashing import Algorithm
from sipcore.config import Account, Timing
from sipcore.errors import ConfigError
from sipcore.profiles import ASTERISK, Profile
from sipcore.settings import Configuration, OptionNote, Written
from sipcore.values import Address, Protocol

__all__ = ["DEFAULT_USER_AGENT", "WIZARD_FILE", "examine", "load", "parse"]

DEFAULT_USER_AGENT = "sipcore"
"""Asterisk always names itself; the version is left out, since it helps nobody but attackers."""

WIZARD_FILE = "pjsip_wizard.conf"
"""Beside the pjsip.conf; of it only the sections of type wizard are looked at."""

EVERY = "*all"
"""Stands for all registrations where one can be named, as in Asterisk; so none can have it for a name."""

TIMER_B = 32.0
"""Seconds; Asterisk's default of timer_b, which is also what it waits for the answer to a REGISTER."""

KEEP_ALIVE_INTERVAL = 90.0
"""Seconds; Asterisk's default."""

_ALGORITHMS = ("default_auth_algorithms_uac", "default_auth_algorithms_uas")

_MATTERS = frozenset({"registration", "auth", "transport", "endpoint", "identify", "domain_alias", *SINGLE})
"""Types of which a second object of the same name is refused; of the others it is told."""


def load(file: str, files: Files | Callable[[str], bytes], *, profile: Profile = ASTERISK) -> Configuration:
    """Read a pjsip.conf, what it includes, and the pjsip_wizard.conf beside it. Raises `ConfigError`.

    A plain function that reads will do for `files`; then the wizard's file is left out, and so are patterns.
    """
    text, wizards = _open(file, files)
    configuration = _Builder(text, wizards, profile, refuse_at_once).build()
    assert configuration is not None
    return configuration


def parse(text: str, *, file: str = "pjsip.conf", profile: Profile = ASTERISK) -> Configuration:
    """What the text of a pjsip.conf says, under the given profile. Raises `ConfigError` with `file:line`."""
    configuration = _Builder(ConfigText(text, file=file), None, profile, refuse_at_once).build()
    assert configuration is not None
    return configuration


def examine(file: str, files: Files | Callable[[str], bytes], *, profile: Profile = ASTERISK) -> tuple[OptionNote, ...]:
    """What becomes of each option when `load` reads the same, in the order of the files and their lines.

    It goes on behind a fault and raises nothing; but a fault in the syntax ends the reading, since what follows it
    cannot be known. What `load` would refuse has the verdict REFUSED.
    """
    faults: list[ConfigError] = []
    try:
        text, wizards = _open(file, files)
    except ConfigError as error:
        return NoteTaker().finish([error], (), (file,))
    notes = NoteTaker()
    builder = _Builder(text, wizards, profile, faults.append, notes)
    builder.build()
    return notes.finish(faults, builder.warnings, builder.files)


def _open(file: str, files: Files | Callable[[str], bytes]) -> tuple[ConfigText, ConfigText | None]:
    reader = as_files(files)
    try:
        text = ConfigText(decode(reader.read(file)), file=file, files=reader)
    except OSError as error:
        raise _unreadable(file, error) from None
    if callable(files):
        return text, None
    name = directory(file) + WIZARD_FILE
    try:
        data = reader.read(name)
    except (FileNotFoundError, NotADirectoryError):
        return text, None
    except OSError as error:
        raise _unreadable(name, error) from None
    return text, ConfigText(decode(data), file=name, files=reader, warnings=text.warnings)


def _unreadable(file: str, error: OSError) -> FileFault:
    return FileFault("file", f"cannot be read: {error.strerror or type(error).__name__}", where=file)


class _Object(NamedTuple):
    section: Section
    kind: str
    made: bool
    """A wizard made it."""


class _Builder:
    """Goes through the text twice: what registrations need may stand below them."""

    def __init__(
        self,
        text: ConfigText,
        wizards: ConfigText | None,
        profile: Profile,
        refuse: Refuse,
        notes: NoteTaker | None = None,
    ) -> None:
        self.text = text
        self.wizards = wizards
        self.refuse = refuse
        self.notes = notes
        self.warnings = text.warnings
        self.around = Surroundings(
            {"profile": profile, "user_agent": DEFAULT_USER_AGENT, "keep_alive_interval": KEEP_ALIVE_INTERVAL}
        )
        self.first: dict[tuple[str, str], Section] = {}
        self.identification = IdentificationReader(self.warnings)
        self.algorithms: tuple[tuple[Algorithm, ...], tuple[Algorithm, ...]] = (DEFAULT_ALGORITHMS,) * 2
        self.cut_off = False
        self.secret_files: dict[str, None] = {}
        self.awaited: list[Values] = []
        """Transports and auths: only at the end it is known whether a registration uses them."""
        self.written: dict[str, Written] = {}

    @property
    def files(self) -> tuple[str, ...]:
        """All files that were read."""
        return self.text.files if self.wizards is None else (*self.text.files, *self.wizards.files)

    # --- the two ways ----------------------------------------------------------------------------------------------

    def build(self) -> Configuration:
        """What it all says. With a fault that did not end it, it lacks what is at fault."""
        self.find_algorithms()
        for item in self.objects(first=True):
            if item.kind != "registration":
                self.guarded(item, self.prepare)
        accounts: list[Account] = []
        for item in self.objects(first=False):
            if item.kind == "registration":
                account = self.guarded(item, self.account)
                if account is not None:
                    accounts.append(account)
        self.note_awaited()
        identification = self.identification.finish()
        if not accounts and not self.cut_off and not any(kind == "registration" for kind, _ in self.around.faulty):
            # An empty or cut-off file: taken at its word, it would remove every registration there is.
            self.refuse(FileFault("file", "has no section of type registration", where=self.text.file))
        binds: dict[tuple[Protocol, Address], str] = {}
        for declared in self.around.transports.values():
            transport = declared.transport
            if transport is not None and transport.local is not None:
                binds.setdefault((transport.protocol, transport.local), declared.where)
        return Configuration(
            file=self.text.file,
            accounts=tuple(accounts),
            warnings=tuple(self.warnings),
            secret=bool(self.around.credentials),
            binds=MappingProxyType(binds),
            files=self.files,
            secret_files=tuple(self.secret_files),
            identify=None if identification is None else identification.identify,
            written=MappingProxyType(self.written),
        )

    def objects(self, *, first: bool) -> Iterator[_Object]:
        """All objects in order; on the first way also a look at what makes none."""
        try:
            for section in self.text.sections():
                kind = self.kind(section, first)
                if kind is None:
                    continue
                if section.template:
                    if first:
                        self.template(section, kind)
                elif kind != WIZARD:
                    yield _Object(section, kind, made=False)
                elif first:
                    self.pass_over(section, kind, f"wizards are looked at in {WIZARD_FILE} alone, as in Asterisk")
            if self.wizards is not None:
                for section in self.wizards.sections():
                    yield from self.wizard(section, first)
        except ConfigError as error:
            # Only the syntax is read in here; what is done with an object has its own guard.
            self.cut_off = True
            self.refuse(error)

    def kind(self, section: Section, first: bool) -> str | None:
        """The type; empty for a template without one, None when it is refused."""
        if section.template and all(option.name != "type" for option in section.options):
            return ""
        try:
            return object_type(section)
        except ConfigError as error:
            if first:
                self.refuse(error)
                self.note_unused(section, "", "")
            self.around.faulty.add(("", section.name))
            return None

    def template(self, section: Section, kind: str) -> None:
        if self.notes is not None:
            self.notes.template(section, kind)
        if kind != WIZARD:
            check_template(section, self.warnings, self.refuse)

    def wizard(self, section: Section, first: bool) -> Iterator[_Object]:
        kind = next((option.value for option in section.options if option.name == "type"), "")
        if kind != WIZARD and (kind or not section.template):
            if first and not section.template:
                self.pass_over(section, kind, "only sections of type wizard are looked at here, as in Asterisk")
            return
        try:
            if section.template:
                if first:
                    if self.notes is not None:
                        self.notes.template(section, WIZARD)
                    check_options(section, self.refuse)
                return
            good = check_options(section, self.refuse if first else _pass)
            expansion = expand(section, self.warnings) if good else None
        except ConfigError as error:
            expansion = None
            if first:
                self.refuse(error)
        if expansion is None:
            self.around.faulty.add(("registration", section.name))
            if first:
                self.note_unused(section, WIZARD, "this wizard is refused")
            return
        if first and self.notes is not None:
            self.notes.wizard(section, expansion.idle)
        for made in expansion.sections:
            yield _Object(made, object_type(made), made=True)

    def pass_over(self, section: Section, kind: str, why: str) -> None:
        self.warnings[f"{section.where}: [{section.name}]: {why}"] = None
        self.note_unused(section, kind, why)

    def guarded(self, item: _Object, read: Callable[[Values], Account | None]) -> Account | None:
        """What `read` makes of an object; None when it is refused, and that was noted."""
        section, kind, made = item
        values: Values | None = None
        try:
            self.check_name(section, kind)
            values = Values(section, kind, self.warnings, self.refuse)
            return read(values)
        except ConfigError as error:
            self.around.faulty.add((kind, section.name))
            self.refuse(error)
            return None
        finally:
            if self.notes is not None and not made:
                declared: Mapping[str, Collection[str]] = {
                    "transport": self.around.transports,
                    "auth": self.around.credentials,
                }
                if values is not None and section.name in declared.get(kind, ()):
                    self.awaited.append(values)
                else:
                    self.notes.object(section, kind, {} if values is None else values.idle)

    def check_name(self, section: Section, kind: str) -> None:
        if section.name == EVERY:
            raise FileFault(f"[{EVERY}]", "stands for all registrations", where=section.where)
        single = kind in SINGLE
        key = (kind, "" if single else section.name)
        first = self.first.setdefault(key, section)
        if first is section:
            return
        near = f"line {first.line}" if first.file == section.file else first.where
        told = f"a second {kind}; the first is in {near}"
        if not single:
            none_left = ", so that none would be left" if kind == "registration" else ""
            told = (
                f"a second {kind} of this name; the first is in {near}; Asterisk then discards every {kind}{none_left}"
            )
        if kind in _MATTERS:
            raise FileFault(f"[{section.name}]", told, where=section.where)
        self.warnings[f"{section.where}: [{section.name}]: {told}"] = None

    # --- objects ---------------------------------------------------------------------------------------------------

    def prepare(self, values: Values) -> None:
        section, kind = values.section, values.kind
        match kind:
            case "global":
                self.globals(values)
            case "system":
                self.system(values)
            case "transport":
                self.transport(section.name, values)
            case "auth":
                uac, uas = self.algorithms
                self.secret_files |= {
                    option.file: None for option in section.options if is_hidden(kind, option.name) and option.value
                }
                self.around.credentials[section.name] = read_credential(values, uac, uas)
            case _:
                values.check(used=True)
        self.identification.take(section, kind)

    def account(self, values: Values) -> Account:
        account = read_account(values, self.around)
        self.identification.take(values.section, values.kind)
        self.written[account.name] = _written(values)
        return account

    def transport(self, name: str, values: Values) -> None:
        declared = read_transport(values)
        made = declared.transport
        for other, earlier in self.around.transports.items():
            known = earlier.transport
            if made is not None and known is not None and (made.protocol, made.local) == (known.protocol, known.local):
                line = earlier.where.rpartition(":")[2]
                expected = f"transport {other!r} in line {line} has the same bind and protocol"
                raise ConfigError("bind", values.text("bind"), expected, where=values.where("bind"))
        self.around.transports[name] = declared

    def globals(self, values: Values) -> None:
        common = self.around.common
        values.check(used=True)
        if "max_forwards" in values:
            common["max_forwards"] = values.integer("max_forwards")
            _probe(values, "max_forwards", max_forwards=common["max_forwards"])
        if values.text("user_agent"):
            common["user_agent"] = values.text("user_agent")
            _probe(values, "user_agent", user_agent=common["user_agent"])
        common["keep_alive_interval"] = float(values.integer("keep_alive_interval"))
        for name in _ALGORITHMS:
            read_algorithms(values, name)

    def find_algorithms(self) -> None:
        """The algorithms of auths that name none. They may stand below, so they need a way of their own."""
        if not any("default_auth_algorithms" in text.lower() for text in self.text.sources.texts.values()):
            return
        for section, kind, _ in self.objects(first=False):
            if kind == "global":
                values = Values(section, kind, {}, _pass)
                try:
                    uac, uas = (read_algorithms(values, name) or DEFAULT_ALGORITHMS for name in _ALGORITHMS)
                except ConfigError:
                    return  # It is told when its turn comes.
                self.algorithms = (uac, uas)
                return

    def system(self, values: Values) -> None:
        common = self.around.common
        values.check(used=True)
        if "compact_headers" in values:
            common["compact_headers"] = values.boolean("compact_headers")
        if "disable_rport" in values:
            common["rport"] = not values.boolean("disable_rport")
        if not values.boolean("disable_tcp_switch"):
            expected = "not supported yet (only 'yes' is): a request that is too large for UDP is not sent over TCP"
            values.refuse(FileFault("disable_tcp_switch", expected, where=values.where("disable_tcp_switch")))
        t1 = values.integer("timer_t1") / 1000
        timeout = values.integer("timer_b") / 1000
        if timeout < 64 * t1:
            if "timer_b" in values:
                values.warn_about(
                    "timer_b", f"less than 64 times timer_t1; raised to {64 * t1 * 1000:.0f}, as in Asterisk"
                )
            timeout = 64 * t1
        try:
            common["timing"] = Timing(t1=t1, timeout=timeout)
        except ConfigError:
            name = "timer_t1" if "timer_t1" in values and not 0.001 <= t1 <= 50 else "timer_b"
            expected = "milliseconds: timer_t1 from 1 to 50000, timer_b to 3600000"
            raise ConfigError(name, values.text(name), expected, where=values.where(name)) from None

    # --- notes -----------------------------------------------------------------------------------------------------

    def note_unused(self, section: Section, kind: str, why: str) -> None:
        if self.notes is not None:
            self.notes.unused(section, kind, why)

    def note_awaited(self) -> None:
        if self.notes is None:
            return
        for values in self.awaited:
            name, kind = values.section.name, values.kind
            idle = dict(values.idle)
            if name not in (self.around.chosen if kind == "transport" else self.around.trusted):
                told = f"no registration uses this {kind}"
                if kind == "transport" and self.around.transports[name].transport is None:
                    told += f", and {self.around.transports[name].protocol} is not supported yet"
                idle |= {option.name: told for option in values.section.options}
            self.notes.object(values.section, kind, idle)


def _pass(error: ConfigError) -> None:
    """What was told already, or will be."""


def _probe(values: Values, name: str, **options: Any) -> None:
    # What all registrations inherit is checked once, so that the error names the line that is wrong.
    try:
        Account("sip:probe@probe.invalid", **options)
    except ConfigError as error:
        raise ConfigError(name, values.text(name), error.expected, where=values.where(name)) from None


def _written(values: Values) -> Written:
    """What an `Account` does not keep. Equal ones are common where nothing but the transport is named."""
    made_by = (option.value for option in values.section.options if option.name == "@pjsip_wizard")
    return Written(
        transport=values.text("transport"),
        outbound_auth=_names(values.text("outbound_auth")),
        endpoint=values.text("endpoint"),
        user_agent=values.text("user_agent"),
        outbound_proxy=values.text("outbound_proxy"),
        security_negotiation=values.text("security_negotiation") or "no",
        security_mechanisms=_names(values.text("security_mechanisms")),
        wizard=next(made_by, ""),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))
