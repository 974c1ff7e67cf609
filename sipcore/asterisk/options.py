"""Which options each type of object has, and how their values read: tables, and the rules of Asterisk behind them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from sipcore.asterisk.syntax import FileFault, Option, Section, nearest
from sipcore.errors import ConfigError

__all__ = [
    "NOT_YET",
    "NOT_YET_TYPES",
    "OPTIONS",
    "Kind",
    "Values",
    "check_template",
    "is_true",
    "object_type",
    "parse_integer",
]

MAX_INTEGER = 2**32 - 1


class Kind(enum.Enum):
    """How a value reads."""

    TEXT = enum.auto()
    SECRET = enum.auto()
    """Never shown."""
    SECRETS = enum.auto()
    """Never shown, and a repeated line adds to the earlier ones instead of replacing them."""
    INTEGER = enum.auto()
    BOOLEAN = enum.auto()


def _table(**kinds: str) -> Mapping[str, Kind]:
    return MappingProxyType({name: kind for kind, names in _kinds(kinds) for name in names})


def _kinds(kinds: Mapping[str, str]) -> list[tuple[Kind, list[str]]]:
    return [(Kind[kind.upper()], names.split()) for kind, names in kinds.items()]


OPTIONS: Mapping[str, Mapping[str, Kind]] = MappingProxyType(
    {
        "global": _table(text="type user_agent", integer="max_forwards"),
        "system": _table(text="type", integer="timer_t1 timer_b", boolean="compact_headers"),
        "transport": _table(text="type protocol bind"),
        "auth": _table(
            text="type auth_type username realm supported_algorithms_uac",
            secret="password md5_cred",
            secrets="password_digest",
        ),
        "registration": _table(
            text="type server_uri client_uri contact_user contact_header_params outbound_auth outbound_proxy transport "
            "endpoint user_agent",
            integer="expiration max_random_initial_delay retry_interval forbidden_retry_interval fatal_retry_interval "
            "max_retries",
            boolean="auth_rejection_permanent line support_path support_outbound",
        ),
    }
)
"""The types and options that are supported."""

NOT_YET: Mapping[str, Mapping[str, str | None]] = MappingProxyType(
    {
        "global": dict.fromkeys(
            "keep_alive_interval contact_expiration_check_interval disable_multi_domain max_initial_qualify_time "
            "unidentified_request_period unidentified_request_count unidentified_request_prune_interval regcontext "
            "default_outbound_endpoint default_voicemail_extension debug endpoint_identifier_order default_from_user "
            "default_realm mwi_tps_queue_high mwi_tps_queue_low mwi_disable_initial_unsolicited "
            "ignore_uri_user_options use_callerid_contact send_contact_status_on_update_registration "
            "taskprocessor_overload_trigger norefersub allow_sending_180_after_183 "
            "all_codecs_on_empty_reinvite default_auth_algorithms_uas".split()
        )
        | {"default_auth_algorithms_uac": "MD5"},
        "system": dict.fromkeys(
            "threadpool_initial_size threadpool_auto_increment threadpool_idle_timeout threadpool_max_size "
            "disable_tcp_switch follow_early_media_fork accept_multiple_sdp_answers".split()
        )
        | {"disable_rport": "no"},
        "transport": dict.fromkeys(
            "ca_list_file ca_list_path cert_file cipher domain external_media_address external_signaling_address "
            "external_signaling_hostname external_signaling_port local_net method password priv_key_file "
            "tcp_keepalive_idle_time tcp_keepalive_interval_time tcp_keepalive_probe_count "
            "websocket_write_timeout".split()
        )
        | dict.fromkeys(
            "allow_wildcard_certs require_client_cert symmetric_transport tcp_keepalive_enable verify_client "
            "verify_server".split(),
            "no",
        )
        | {"allow_reload": "yes", "async_operations": "1", "cos": "0", "tos": "0"},
        "auth": dict.fromkeys(
            "nonce_lifetime oauth_clientid oauth_secret refresh_token supported_algorithms_uas".split()
        ),
        "registration": {"security_mechanisms": None, "security_negotiation": "no"},
    }
)
"""Options of Asterisk that are not supported yet. A text is the value that is accepted all the same, because it asks
for what is done anyway."""

NOT_YET_TYPES = tuple(
    "acl aor asterisk-publication contact domain_alias endpoint identify inbound-publication outbound-publish "
    "phoneprov resource_list subscription_persistence wizard".split()
)
"""Types of Asterisk that are not supported yet."""

_TRUE = frozenset({"yes", "true", "y", "t", "1", "on"})
_FALSE = frozenset({"no", "false", "n", "f", "0", "off"})


def object_type(section: Section, where: str) -> str:
    """The type of the object that a section makes: its first `type` line decides. Raises `ConfigError`."""
    option = next((option for option in section.options if option.name == "type"), None)
    if option is None:
        raise FileFault(
            f"[{section.name}]", f"has no type; one of {', '.join(OPTIONS)}", where=f"{where}:{section.line}"
        )
    kind = option.value
    if kind in OPTIONS:
        return kind
    if kind in NOT_YET_TYPES:
        raise ConfigError("type", kind, f"not supported yet; {', '.join(OPTIONS)} are", where=f"{where}:{option.line}")
    hint = nearest(kind, [*OPTIONS, *NOT_YET_TYPES])
    raise ConfigError("type", kind, f"not a type of Asterisk{hint}", where=f"{where}:{option.line}")


def check_template(section: Section, file: str, warnings: dict[str, None]) -> None:
    """Look at the options of a template, which may have no heir that would be refused for them. Raises `ConfigError`.

    What is missing is for the heirs to add; without a type, an option is right that some type has.
    """
    if any(option.name == "type" for option in section.options):
        kind = object_type(section, file)
        values = Values(section, kind, file, warnings)
        for name, reading in OPTIONS[kind].items():
            if name in values and reading is Kind.INTEGER:
                values.integer(name)
            elif name in values and reading is Kind.BOOLEAN:
                values.boolean(name)
        return
    known = sorted({name for table in (*OPTIONS.values(), *NOT_YET.values()) for name in table})
    for option in section.options:
        if not option.name.startswith("@") and option.name not in known:
            hint = nearest(option.name, known)
            raise FileFault(option.name, f"not an option of any type{hint}", where=f"{file}:{option.line}")


def is_true(text: str) -> bool:
    """Asterisk's booleans: `yes true y t 1 on` in any case are true, all else is false."""
    return text.lower() in _TRUE


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

    def __init__(self, section: Section, kind: str, file: str, warnings: dict[str, None]) -> None:
        self.section = section
        self.file = file
        self.warnings = warnings
        self._last: dict[str, Option] = {}
        self._all: dict[str, list[Option]] = {}
        table = OPTIONS[kind]
        for index, option in enumerate(section.options):
            known = table.get(option.name)
            if known is None:
                if not self._harmless(option, kind):
                    raise self._unknown(option, kind)
                continue
            earlier = self._last.get(option.name)
            if option.name == "type":
                self._check_type(option, earlier)
            elif (
                earlier is not None and index >= section.inherited and self._own(earlier) and known is not Kind.SECRETS
            ):
                self.warn(option, f"replaces the value of line {earlier.line}")
            if known is Kind.SECRETS:
                self._all.setdefault(option.name, []).append(option)
            if option.name != "type" or earlier is None:
                self._last[option.name] = option

    def __contains__(self, name: str) -> bool:
        return name in self._last

    def where(self, name: str | None = None) -> str:
        """`file:line` of an option, or of the section when it was not given."""
        option = self._last.get(name) if name else None
        return f"{self.file}:{option.line if option else self.section.line}"

    def text(self, name: str) -> str:
        """The value; empty when it was not given."""
        option = self._last.get(name)
        return option.value if option else ""

    def every(self, name: str) -> list[Option]:
        """All lines of an option that accumulates."""
        return self._all.get(name, [])

    def integer(self, name: str) -> int:
        """Raises `ConfigError`."""
        option = self._last[name]
        number = parse_integer(option.value)
        if number is None:
            raise ConfigError(name, option.value, f"a whole number from 0 to {MAX_INTEGER}", where=self.where(name))
        if len(option.value) > 1 and option.value[0] == "0" and option.value.isdigit():
            self.warn(option, f"a leading 0 means octal, as in Asterisk: {option.value} is {number}")
        return number

    def boolean(self, name: str) -> bool:
        """Anything that is not a word for true is false, as in Asterisk; but that is told."""
        option = self._last[name]
        if is_true(option.value):
            return True
        if option.value.lower() not in _FALSE:
            self.warn(option, f"{option.value!r} is neither yes nor no and counts as no, as in Asterisk")
        return False

    def warn(self, option: Option | None, text: str) -> None:
        """Keep a warning about an option, or about the whole section."""
        line, what = (option.line, option.name) if option else (self.section.line, f"[{self.section.name}]")
        self.warnings[f"{self.file}:{line}: {what}: {text}"] = None

    def warn_about(self, name: str, text: str) -> None:
        """Keep a warning about a given option."""
        self.warn(self._last[name], text)

    def missing(self, name: str, expected: str) -> ConfigError:
        """The error for an option that is needed and was not given."""
        return FileFault(f"[{self.section.name}]", f"needs {name}, {expected}", where=self.where(name))

    def _own(self, option: Option) -> bool:
        return option not in self.section.options[: self.section.inherited]

    def _check_type(self, option: Option, first: Option | None) -> None:
        if first is not None and option.value != first.value:
            self.warn(option, f"{option.value!r} is not looked at: the first type, in line {first.line}, decides")

    def _harmless(self, option: Option, kind: str) -> bool:
        # Extended fields are notes of the administrator's own tools.
        if option.name.startswith("@"):
            return True
        accepted = NOT_YET[kind].get(option.name)
        if accepted is None:
            return False
        return option.value.lower() == accepted.lower() or (
            accepted in ("yes", "no") and option.value.lower() in (_TRUE if accepted == "yes" else _FALSE)
        )

    def _unknown(self, option: Option, kind: str) -> ConfigError:
        # The value stays out of the message: a misspelt password option holds a password.
        where = f"{self.file}:{option.line}"
        if option.name in NOT_YET[kind]:
            accepted = NOT_YET[kind][option.name]
            only = f" (only {accepted!r} is)" if accepted is not None else ""
            return FileFault(option.name, f"not supported yet{only}", where=where)
        hint = nearest(option.name, [*OPTIONS[kind], *NOT_YET[kind]])
        return FileFault(option.name, f"not an option of type {kind}{hint}", where=where)
