"""The configuration wizard: one section of type wizard stands for all that one peer needs.

Theory of operation. `expand` is a pure function from the wizard's section to ordinary ones: endpoint, aor, auth (for
what we send and for what we accept), identify, phoneprov and registrations. Whoever reads a configuration calls it for
each section of type wizard that is no template, and reads `Expansion.sections` as if they stood in the file in its
place: each has its `type` as its first option. A template is only looked at by `check_options`. `Expansion.idle` are
the options of which nothing was made; all others have become something.

Nothing is checked here that the objects check themselves. What the wizard says as `registration/expiration` is an
option `expiration` with the file and line of that very line, so an error names the line that has to be changed; what
the wizard makes up has the line of the option that asks for it.

The order of the options is Asterisk's, and matters: of a repeated option the last wins, so what the wizard makes wins
over what was passed through. Two things differ. A host with a port keeps its address in `match` also when it is IPv6,
which Asterisk cuts at the first colon; and an unknown `${NAME}` in a pattern is refused, where Asterisk leaves a hole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from sipcore.asterisk.options import Refuse, is_true, refuse_at_once
from sipcore.asterisk.syntax import FileFault, Option, Section, nearest
from sipcore.errors import ConfigError
from sipcore.redact import MASK, redact_uri

__all__ = ["OPTIONS", "PREFIXES", "Expansion", "check_options", "expand", "export"]

OPTIONS: Final = (
    *"type transport remote_hosts outbound_proxy sends_auth accepts_auth sends_registrations".split(),
    *"sends_line_with_registrations accepts_registrations has_phoneprov".split(),
    *"server_uri_pattern client_uri_pattern contact_pattern".split(),
    *"has_hint hint_context hint_exten hint_application".split(),
)
"""The wizard's own options."""

PREFIXES: Final = ("endpoint", "aor", "outbound_auth", "inbound_auth", "identify", "phoneprov", "registration")
"""What may stand before the slash of an option that is passed through."""

DIALPLAN: Final = frozenset({"has_hint", "hint_context", "hint_exten", "hint_application"})
"""Of these Asterisk makes extensions, and we nothing."""

_HOST: Final = "sip:${REMOTE_HOST}"
_USER: Final = "sip:${USERNAME}@${REMOTE_HOST}"

_FALSE: Final = frozenset({"no", "false", "n", "f", "0", "off"})

_HARMLESS: Final = frozenset(
    "type auth_type username realm nonce_lifetime oauth_clientid supported_algorithms_uac supported_algorithms_uas "
    "@pjsip_wizard".split()
)
"""What of an auth may be shown; so an option that is misspelt is not."""

_SECRET: Final = frozenset({"password", "md5_cred", "password_digest", "refresh_token", "oauth_secret"})
"""What is never shown, whatever object it belongs to."""


class Expansion(NamedTuple):
    """What a wizard stands for."""

    sections: tuple[Section, ...]
    """In the order endpoint, aor, auths, identify, phoneprov, registrations."""
    idle: tuple[Option, ...]
    """Options of the wizard of which nothing was made, since what they are for was not asked for."""


def expand(section: Section, warnings: dict[str, None]) -> Expansion:
    """The sections for which a section of type wizard stands. Raises `ConfigError` with file and line.

    What is accepted and may not be what was meant is added to `warnings`, as `file:line: option: text`.
    """
    check_options(section)
    return _Wizard(section, warnings).expansion()


def check_options(section: Section, refuse: Refuse = refuse_at_once) -> bool:
    """Whether all options of a wizard, or of a template for wizards, are known by name. Raises `ConfigError`, unless
    `refuse` notes it."""
    good = True
    for option in section.options:
        prefix, slash, rest = option.name.partition("/")
        if option.name.startswith("@") or option.name in OPTIONS or (prefix in PREFIXES and rest):
            continue
        if not slash:
            expected = f"not an option of type wizard{nearest(option.name, OPTIONS)}"
        elif prefix not in PREFIXES:
            expected = f"a wizard makes no object {prefix!r}{nearest(prefix, PREFIXES)}"
        else:
            expected = "has no name behind the slash"
        refuse(FileFault(option.name, expected, where=option.where))
        good = False
    return good


def export(sections: Iterable[Section], *, secrets: bool) -> str:
    """Sections as the text of a pjsip.conf, each as `[name]`, `type = ...` and its options.

    With `secrets` it can be read again and means the same; without, passwords and the like are masked.
    """
    return "".join(line + "\n" for section in sections for line in _lines(section, secrets))


class _Wizard:
    """One section, and what its options say."""

    def __init__(self, section: Section, warnings: dict[str, None]) -> None:
        self.section = section
        self.name = section.name
        self.warnings = warnings
        self.last: dict[str, Option] = {}
        self.passed: dict[str, list[Option]] = {prefix: [] for prefix in PREFIXES}
        self.inherited: dict[str, int] = dict.fromkeys(PREFIXES, 0)
        self.idle: list[Option] = []
        for index, option in enumerate(section.options):
            prefix, slash, rest = option.name.partition("/")
            if slash and prefix in PREFIXES:
                self.passed[prefix].append(Option(rest, option.value, option.line, option.file))
                self.inherited[prefix] += index < section.inherited
            else:
                self.last[option.name] = option
        self.sends_auth = self.boolean("sends_auth")
        self.accepts_auth = self.boolean("accepts_auth")
        self.registers = self.boolean("sends_registrations")
        self.sends_line = self.boolean("sends_line_with_registrations")
        self.is_registrar = self.boolean("accepts_registrations")
        self.has_phoneprov = self.boolean("has_phoneprov")
        self.hosts = self.remote_hosts()

    def expansion(self) -> Expansion:
        """What it stands for."""
        sections = (
            self.endpoint(),
            self.aor(),
            *self.auth("outbound_auth", "-oauth", self.sends_auth, "sends_auth"),
            *self.auth("inbound_auth", "-iauth", self.accepts_auth, "accepts_auth"),
            *self.identify(),
            *self.phoneprov(),
            *self.registrations(),
        )
        self.idle += [option for name, option in self.last.items() if name in DIALPLAN or name.startswith("@")]
        return Expansion(sections, tuple(self.idle))

    # --- the objects -----------------------------------------------------------------------------------------------

    def endpoint(self) -> Section:
        made = [self.mark(), self.option("aors", self.name), *self.copied("outbound_proxy"), *self.hints()]
        made += self.copied("transport")
        if self.sends_auth:
            made.append(self.option("outbound_auth", f"{self.name}-oauth", "sends_auth"))
        if self.accepts_auth:
            made.append(self.option("auth", f"{self.name}-iauth", "accepts_auth"))
        return self.made("endpoint", "", "endpoint", made)

    def aor(self) -> Section:
        made = [self.mark(), *self.copied("outbound_proxy")]
        if self.has("aor", "contact") or not self.hosts:
            self.is_idle("contact_pattern", "since there is an aor/contact" if self.hosts else "without remote_hosts")
        else:
            by = "contact_pattern" if "contact_pattern" in self.last else "remote_hosts"
            for host in self.hosts:
                contact = self.filled("contact_pattern", _HOST, {"REMOTE_HOST": host})
                made += [self.option("contact", contact, by)] if contact else []
        return self.made("aor", "", "aor", made)

    def auth(self, prefix: str, suffix: str, wanted: bool, switch: str) -> Iterator[Section]:
        if not wanted:
            self.are_idle(prefix, f"without {switch} = yes")
            return
        self.need(self.has(prefix, "username"), f"{prefix}/username", switch)
        made = [self.mark()]
        if not self.has(prefix, "auth_type"):
            made.append(self.option("auth_type", "userpass", switch))
        yield self.made("auth", suffix, prefix, made)

    def identify(self) -> Iterator[Section]:
        if self.is_registrar or self.sends_line:
            switch = "accepts_registrations" if self.is_registrar else "sends_line_with_registrations"
            self.are_idle("identify", f"since {switch} = yes tells who calls")
            return
        if not self.hosts:
            expected = "needs remote_hosts, or accepts_registrations or sends_line_with_registrations = yes"
            raise FileFault(f"[{self.name}]", expected, where=self.where("remote_hosts"))
        made = [self.option("endpoint", self.name), self.mark()]
        if not self.has("identify", "match"):
            made += [self.option("match", _without_port(host), "remote_hosts") for host in self.hosts]
        yield self.made("identify", "-identify", "identify", made)

    def phoneprov(self) -> Iterator[Section]:
        if not self.has_phoneprov:
            self.are_idle("phoneprov", "without has_phoneprov = yes")
            return
        self.need(self.has("phoneprov", "mac"), "phoneprov/MAC", "has_phoneprov")
        yield self.made("phoneprov", "-phoneprov", "phoneprov", [self.option("endpoint", self.name), self.mark()])

    def registrations(self) -> Iterator[Section]:
        if not self.registers:
            for name in ("server_uri_pattern", "client_uri_pattern"):
                self.is_idle(name, "without sends_registrations = yes")
            self.are_idle("registration", "without sends_registrations = yes")
            if self.sends_line:
                self.warn(
                    self.last["sends_line_with_registrations"], "nobody is told it without sends_registrations = yes"
                )
            return
        self.need(bool(self.hosts), "remote_hosts", "sends_registrations")
        username = self.passed_last("outbound_auth", "username") if self.sends_auth else None
        for number, host in enumerate(self.hosts):
            variables = {"REMOTE_HOST": host, "USERNAME": self.name if username is None else username.value}
            made = [*self.copied("outbound_proxy"), self.mark()]
            for name, pattern in (("server_uri", _HOST), ("client_uri", _USER)):
                uri = self.filled(f"{name}_pattern", pattern, variables)
                by = f"{name}_pattern" if f"{name}_pattern" in self.last else "remote_hosts"
                made += [self.option(name, uri, by)] if uri else []
            if self.sends_auth:
                made.append(self.option("outbound_auth", f"{self.name}-oauth", "sends_auth"))
            made += self.copied("transport")
            if self.sends_line:
                switch = "sends_line_with_registrations"
                made += [self.option("line", "yes", switch), self.option("endpoint", self.name, switch)]
            yield self.made("registration", f"-reg-{number}", "registration", made)

    # --- their options ---------------------------------------------------------------------------------------------

    def made(self, kind: str, suffix: str, prefix: str, made: list[Option]) -> Section:
        """A section: its type, what was passed through to it, and what is made up for it."""
        section = self.section
        return Section(
            name=self.name + suffix,
            line=section.line,
            template=False,
            options=(self.option("type", kind, "type"), *self.passed[prefix], *made),
            inherited=1 + self.inherited[prefix],
            file=section.file,
        )

    def option(self, name: str, value: str, by: str = "") -> Option:
        """An option that is made up, at the place of the one that asks for it."""
        asked = self.last.get(by)
        if asked is None:
            return Option(name, value, self.section.line, self.section.file)
        return Option(name, value, asked.line, asked.file)

    def mark(self) -> Option:
        return self.option("@pjsip_wizard", self.name)

    def copied(self, name: str) -> list[Option]:
        option = self.last.get(name)
        return [option] if option is not None and option.value else []

    def hints(self) -> list[Option]:
        if not self.copied("hint_exten"):
            return []
        context = self.copied("hint_context") or [
            option for option in self.passed["endpoint"] if option.name == "context" and option.value
        ]
        return [
            self.option("@hint_context", context[-1].value if context else "default", "hint_exten"),
            self.option("@hint_exten", self.last["hint_exten"].value, "hint_exten"),
        ]

    def filled(self, name: str, pattern: str, variables: Mapping[str, str]) -> str:
        """A pattern with its variables filled in; empty when the pattern is."""
        option = self.last.get(name)
        text = pattern if option is None else option.value
        parts: list[str] = []
        while (start := text.find("${")) >= 0:
            variable, brace, rest = text[start + 2 :].partition("}")
            if not brace or variable not in variables:
                assert option is not None
                known = " and ".join(f"${{{known}}}" for known in variables)
                expected = f"only {known} can be filled in here"
                raise ConfigError(name, redact_uri(option.value), expected, where=option.where)
            parts += [text[:start], variables[variable]]
            text = rest
        return "".join([*parts, text])

    # --- what was given --------------------------------------------------------------------------------------------

    def remote_hosts(self) -> tuple[str, ...]:
        option = self.last.get("remote_hosts")
        if option is None or not option.value:
            return ()
        hosts = tuple(host.strip(" \t") for host in option.value.split(","))
        if "" in hosts:
            expected = "hosts with or without a port, separated by commas; one of them is empty"
            raise ConfigError(option.name, option.value, expected, where=option.where)
        return hosts

    def boolean(self, name: str) -> bool:
        option = self.last.get(name)
        if option is None or is_true(option.value):
            return option is not None
        if option.value.lower() not in _FALSE:
            self.warn(option, f"{option.value!r} is neither yes nor no and counts as no, as in Asterisk")
        return False

    def has(self, prefix: str, name: str) -> bool:
        return self.passed_last(prefix, name) is not None

    def passed_last(self, prefix: str, name: str) -> Option | None:
        return next((option for option in reversed(self.passed[prefix]) if option.name == name), None)

    def need(self, given: bool, option: str, switch: str) -> None:
        if not given:
            raise FileFault(f"[{self.name}]", f"needs {option}, since {switch} = yes", where=self.where(switch))

    def where(self, name: str) -> str:
        option = self.last.get(name)
        return self.section.where if option is None else option.where

    # --- what nothing is made of -----------------------------------------------------------------------------------

    def are_idle(self, prefix: str, why: str) -> None:
        for index, option in enumerate(self.passed[prefix]):
            whole = option._replace(name=f"{prefix}/{option.name}")
            self.idle.append(whole)
            # A template serves many, and most of them need only a part of it.
            if index >= self.inherited[prefix]:
                self.warn(whole, f"nothing is made of it {why}")

    def is_idle(self, name: str, why: str) -> None:
        option = self.last.get(name)
        if option is not None:
            self.idle.append(option)
            if option not in self.section.options[: self.section.inherited]:
                self.warn(option, f"nothing is made of it {why}")

    def warn(self, option: Option, text: str) -> None:
        self.warnings[f"{option.where}: {option.name}: {text}"] = None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    # With several colons it is an IPv6 address, which has no port without brackets.
    return host.partition(":")[0] if host.count(":") == 1 else host


def _lines(section: Section, secrets: bool) -> Iterator[str]:
    kind, *options = section.options
    yield ""
    yield f"[{_escaped(section.name)}]{'(!)' if section.template else ''}"
    yield f"type = {_escaped(kind.value)}"
    seen: set[str] = set()
    for option in options:
        # As in Asterisk what is empty is left out, unless it takes back what stands above it.
        if not option.value and option.name not in seen:
            continue
        seen.add(option.name)
        value = option.value if secrets else _masked(kind.value, option)
        escape = "\\" if option.name[0] in "[#\\" else ""
        yield f"{escape}{_escaped(option.name)} = {_escaped(value)}".rstrip(" ")


def _masked(kind: str, option: Option) -> str:
    if option.name in _SECRET or (kind == "auth" and option.name not in _HARMLESS):
        return MASK
    return redact_uri(option.value)


def _escaped(text: str) -> str:
    return text.replace(";", "\\;")
