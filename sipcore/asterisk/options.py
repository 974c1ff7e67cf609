"""The options of one object: found by name, settled where they stand twice, and read by the rules of Asterisk."""

from __future__ import annotations

from collections.abc import Callable

from sipcore.asterisk.syntax import UNREADABLE, FileFault, Option, Section, nearest
from sipcore.asterisk.tables import OPTIONS, SINGLE, WIZARD, Kind, Known, known_option, option_names
from sipcore.errors import ConfigError

__all__ = [
    "Refuse",
    "Values",
    "check_template",
    "is_boolean",
    "is_hidden",
    "is_true",
    "object_type",
    "parse_integer",
    "refuse_at_once",
]

MAX_INTEGER = 2**32 - 1

_LEAST = {"expiration": 1}
"""What an integer has to be where 0 has no meaning."""

_TRUE = frozenset({"yes", "true", "y", "t", "1", "on"})
_FALSE = frozenset({"no", "false", "n", "f", "0", "off"})

_REPEATED = frozenset({Kind.TEXTS, Kind.SECRETS})
_HIDDEN = frozenset({Kind.SECRET, Kind.SECRETS})

Refuse = Callable[[ConfigError], None]
"""What is done with a fault: it is raised, or noted so that the reading goes on."""


def refuse_at_once(error: ConfigError) -> None:
    """Raise it."""
    raise error


def object_type(section: Section) -> str:
    """The type of the object that a section makes: its first `type` line decides. Raises `ConfigError`."""
    option = next((option for option in section.options if option.name == "type"), None)
    if option is None:
        if section.name in SINGLE:
            return section.name
        raise FileFault(f"[{section.name}]", f"has no type; one of {', '.join(_types())}", where=section.where)
    kind = option.value
    if kind in OPTIONS or kind == WIZARD:
        return kind
    raise ConfigError("type", kind, f"not a type of Asterisk{nearest(kind, _types())}", where=option.where)


def check_template(section: Section, warnings: dict[str, None], refuse: Refuse = refuse_at_once) -> None:
    """Look at the options of a template, which may have no heir that would be refused for them. Raises `ConfigError`.

    What is missing is for the heirs to add; without a type, an option is right that some type has.
    """
    if any(option.name == "type" for option in section.options):
        kind = object_type(section)
        if kind != WIZARD:
            Values(section, kind, warnings, refuse).check(used=True)
        return
    known = frozenset(option_names())
    for option in section.options:
        # An option with a slash is one of a wizard.
        if not option.name.startswith("@") and "/" not in option.name and option.name not in known:
            hint = nearest(option.name, sorted(known))
            refuse(FileFault(option.name, f"not an option of any type{hint}", where=option.where))


def is_true(text: str) -> bool:
    """Asterisk's booleans: `yes true y t 1 on` in any case are true, all else is false."""
    return text.lower() in _TRUE


def is_boolean(text: str) -> bool:
    """Whether it is one of the words for true or for false."""
    return text.lower() in _TRUE or text.lower() in _FALSE


def parse_integer(text: str) -> int | None:
    """Asterisk's unsigned integers: decimal, `0x` for hexadecimal, a leading 0 for octal; None when it is not one."""
    digits, base = text.lower(), 10
    if digits.startswith("0x"):
        digits, base = digits[2:], 16
    elif digits.startswith("0"):
        base = 8
    if not digits.isascii() or not digits.isalnum():
        return None
    try:
        number = int(digits, base)
    except ValueError:
        return None
    return number if number <= MAX_INTEGER else None


class Values:
    """The options of one object, checked by name; what was repeated is settled, and traps are told in `warnings`."""

    def __init__(self, section: Section, kind: str, warnings: dict[str, None], refuse: Refuse = refuse_at_once) -> None:
        self.section = section
        self.kind = kind
        self.warnings = warnings
        self.refuse = refuse
        self.idle: dict[str, str] = {}
        """Options without any effect in this object, each with the reason."""
        self._table = OPTIONS[kind]
        self._last: dict[str, Option] = {}
        self._all: dict[str, list[Option]] = {}
        inherited = section.inherited
        for index, option in enumerate(section.options):
            name = option.name
            known = self._table.get(name) or known_option(kind, name)
            if known is None:
                refuse(self._unknown(option))
                continue
            if UNREADABLE in option.value and known.used:
                refuse(FileFault(name, "holds bytes that are not UTF-8", where=option.where))
            earlier = self._last.get(name)
            if name == "type":
                if earlier is None:
                    self._last[name] = option
                elif option.value != earlier.value:
                    told = f"{option.value!r} is not looked at: the first type, in {self._near(earlier)}, decides"
                    self.warn(option, told)
                continue
            if known.kind in _REPEATED:
                self._all.setdefault(name, []).append(option)
            elif earlier is not None and index >= inherited and self._own(earlier):
                self.warn(option, f"replaces the value of {self._near(earlier)}")
            self._last[name] = option

    def __contains__(self, name: str) -> bool:
        return name in self._last

    def where(self, name: str | None = None) -> str:
        """`file:line` of an option, or of the section when it was not given."""
        option = self._last.get(name) if name else None
        return option.where if option else self.section.where

    def text(self, name: str) -> str:
        """The value; empty when it was not given."""
        option = self._last.get(name)
        return option.value if option else ""

    def every(self, name: str) -> list[Option]:
        """All lines of an option that accumulates."""
        return self._all.get(name, [])

    def check(self, *, used: bool) -> None:
        """Read what was given, and with `used` also what has a meaning here, for its faults alone."""
        for name in self._last:
            known = self._table.get(name)
            if known is None or (known.used and not used):
                continue
            if known.kind is Kind.INTEGER:
                self.integer(name)
            elif known.kind is Kind.BOOLEAN:
                self.boolean(name)
            elif known.kind in (Kind.SIGNED, Kind.NUMBER):
                self._number(self._last[name], known)

    def integer(self, name: str) -> int:
        """The default when it was not given. Raises `ConfigError`."""
        option = self._last.get(name)
        default = parse_integer(self._table[name].default) or 0
        if option is None:
            return default
        number = parse_integer(option.value)
        if number is None:
            expected = f"a whole number from {_LEAST.get(name, 0)} to {MAX_INTEGER}"
            self.refuse(ConfigError(name, option.value, expected, where=option.where))
            return default
        if len(option.value) > 1 and option.value[0] == "0" and option.value.isdigit():
            self.warn(option, f"a leading 0 means octal, as in Asterisk: {option.value} is {number}")
        return number

    def boolean(self, name: str) -> bool:
        """Anything that is not a word for true is false, as in Asterisk; but that is told."""
        option = self._last.get(name)
        if option is None:
            return is_true(self._table[name].default)
        if not is_boolean(option.value):
            self.warn(option, f"{option.value!r} is neither yes nor no and counts as no, as in Asterisk")
        return is_true(option.value)

    def warn(self, option: Option | None, text: str) -> None:
        """Keep a warning about an option, or about the whole section."""
        where, what = (option.where, option.name) if option else (self.section.where, f"[{self.section.name}]")
        self.warnings[f"{where}: {what}: {text}"] = None

    def warn_about(self, name: str, text: str) -> None:
        """Keep a warning about a given option."""
        self.warn(self._last.get(name), text)

    def missing(self, name: str, expected: str) -> ConfigError:
        """The error for an option that is needed and was not given."""
        return FileFault(f"[{self.section.name}]", f"needs {name}, {expected}", where=self.where(name))

    def _own(self, option: Option) -> bool:
        return option not in self.section.options[: self.section.inherited]

    def _near(self, option: Option) -> str:
        return f"line {option.line}" if option.file == self.section.file else option.where

    def _number(self, option: Option, known: Known) -> None:
        digits = option.value
        if known.kind is Kind.NUMBER:
            digits = digits.replace(".", "", 1)
        elif digits[:1] in ("-", "+"):
            digits = digits[1:]
        if not digits.isascii() or not digits.isdecimal():
            expected = "a number such as 3.0" if known.kind is Kind.NUMBER else "a whole number"
            self.refuse(ConfigError(option.name, option.value, expected, where=option.where))

    def _unknown(self, option: Option) -> ConfigError:
        # The value stays out of the message: a misspelt password option holds a password.
        hint = nearest(option.name, sorted(self._table))
        if "/" in option.name:
            hint = "; options with a slash are those of a wizard, in pjsip_wizard.conf"
        return FileFault(option.name, f"not an option of type {self.kind}{hint}", where=option.where)


def is_hidden(kind: str, name: str) -> bool:
    """Whether the value of an option is never shown; so is that of one that nobody knows."""
    known = known_option(kind, name) if kind in OPTIONS else None
    return known is None or known.kind in _HIDDEN


def _types() -> list[str]:
    return [*OPTIONS, WIZARD]
