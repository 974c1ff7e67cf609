"""Accounts as TOML: only what differs from the defaults of their profile, and what all have in common only once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sipcore.config import Account, Credential, Timing, Transport
from sipcore.native.names import Names, credential_names, file_name, transport_names
from sipcore.native.source import dotted, quoted
from sipcore.native.tables import CREDENTIAL, REGISTRATION, SOCKET, TIMING, TRANSPORT, Option
from sipcore.profiles import SIPCORE
from sipcore.settings import Configuration
from sipcore.syntax.grammar import visible
from sipcore.values import Secret, SocketOptions, format_address

__all__ = ["SECRETS", "TomlText", "effective", "write_toml"]

SECRETS = "secrets"
"""The directory, beside the file, in which the secrets are meant to stand."""


class TomlText:
    """What was written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.secrets: dict[str, Secret] = {}
        """The secrets that were left out, by the name of the file in which they are looked for."""


def write_toml(configuration: Configuration, *, secrets: bool, head: Sequence[str] = ()) -> TomlText:
    """The text, line by line. `secrets` writes passwords and digests as they are; otherwise the text names a file for
    each."""
    return _Writer(configuration, secrets).write(head)


class _Writer:
    def __init__(self, configuration: Configuration, secrets: bool) -> None:
        self.accounts = configuration.accounts
        self.literally = secrets
        self.text = TomlText()
        self.transports: Names[Transport] = transport_names(configuration)
        self.credentials: Names[Credential] = credential_names(configuration)
        self.files: Names[tuple[str, int]] = Names(lambda wish: wish[0])
        profiles = Counter(account.profile.name for account in self.accounts)
        self.profile = profiles.most_common(1)[0][0] if profiles else SIPCORE.name

    def write(self, head: Sequence[str]) -> TomlText:
        lines = self.text.lines
        lines += [f"# {visible(line, 1000)}".rstrip() for line in head]
        registrations = [self.registration(account) for account in self.accounts]
        common = _common(registrations)
        if self.profile != SIPCORE.name:
            lines += ["", f"profile = {quoted(self.profile)}"]
        for transport, name in self.transports.items():
            self.table(("transports", name), self.values(transport, Transport(), TRANSPORT))
        for credential, name in self.credentials.items():
            self.table(("credentials", name), self.credential(credential, name))
        if common:
            self.table(("defaults",), common)
        for account, values in zip(self.accounts, registrations, strict=True):
            own = {key: value for key, value in values.items() if key not in common}
            self.table(("registrations", account.name), own)
        return self.text

    def table(self, path: tuple[str, ...], values: Mapping[str, str]) -> None:
        self.text.lines += ["", f"[{dotted(path)}]", *(f"{key} = {value}" for key, value in values.items())]

    def registration(self, account: Account) -> dict[str, str]:
        standard = Account(account.aor, profile=account.profile)
        values = {"aor": quoted(account.aor), **self.values(account, standard, REGISTRATION)}
        if account.profile.name == self.profile:
            values.pop("profile", None)
        else:
            values["profile"] = quoted(account.profile.name)
        return values

    def credential(self, credential: Credential, name: str) -> dict[str, str]:
        values = {"username": quoted(credential.username)}
        if credential.password is not None:
            values["password"] = self.secret(credential.password, name)
        if credential.ha1:
            digests = (f"{algorithm} = {self.secret(ha1, f'{name}-{algorithm}')}" for algorithm, ha1 in credential.ha1)
            values["ha1"] = f"{{ {', '.join(digests)} }}"
        for key in ("realm", "algorithms"):
            value = getattr(credential, key)
            if value is not None:
                values[key] = _toml(value)
        return {key: values[key] for key in CREDENTIAL if key in values}

    def secret(self, secret: Secret, wish: str) -> str:
        if self.literally:
            return quoted(secret.reveal())
        name = f"{SECRETS}/{self.files[file_name(wish), len(self.text.secrets)]}"
        self.text.secrets[name] = secret
        return f"{{ file = {quoted(name)} }}"

    def values(self, thing: Any, standard: Any, options: Mapping[str, Option]) -> dict[str, str]:
        """What differs from the standard, by option."""
        found = {}
        for key, option in options.items():
            value = getattr(thing, option.field)
            # Whether a stream listens by default depends on its bind.
            if value == getattr(standard, option.field) and option.field != "listen":
                continue
            text = _WRITERS.get(option.field, _plain)(self, thing, value)
            if text is not None:
                found[key] = text
        return found


def _plain(writer: _Writer, thing: Any, value: Any) -> str | None:
    return None if value is None else _toml(value)


def _password(writer: _Writer, account: Account, value: Any) -> str | None:
    return None if value is None else writer.secret(value, account.username or account.aor.partition(":")[2])


def _credentials(writer: _Writer, account: Account, value: tuple[Credential, ...]) -> str | None:
    if account.password is not None or not value:
        return None  # the shorthand says it
    names = [writer.credentials[credential] for credential in value]
    return _toml(names[0] if len(names) == 1 else names)


def _listen(writer: _Writer, transport: Transport, value: bool) -> str | None:
    default = transport.local is not None and transport.protocol.reliable
    return None if value is default else _toml(value)


def _record(standard: Any, options: Mapping[str, Option]) -> Callable[[_Writer, Any, Any], str | None]:
    def write(writer: _Writer, thing: Any, value: Any) -> str | None:
        inside = writer.values(value, standard, options)
        return f"{{ {', '.join(f'{key} = {text}' for key, text in inside.items())} }}" if inside else None

    return write


def effective(options: SocketOptions) -> SocketOptions:
    """Without the numbers for probes that are not asked for."""
    return options if options.tcp_keepalive else SocketOptions(tos=options.tos, cos=options.cos)


_SOCKET = _record(SocketOptions(), SOCKET)

_WRITERS: Mapping[str, Callable[[_Writer, Any, Any], str | None]] = {
    "password": _password,
    "credentials": _credentials,
    "transport": lambda writer, account, value: None if value is None else quoted(writer.transports[value]),
    "outbound_proxy": lambda writer, account, value: _toml(value[0] if len(value) == 1 else value),
    "extra_headers": lambda writer, account, value: _toml([f"{name}: {text}" for name, text in value]),
    "profile": lambda writer, account, value: quoted(value.name),
    "give_up": lambda writer, account, value: _toml(sorted(value)),
    "timing": _record(Timing(), TIMING),
    "protocol": lambda writer, transport, value: quoted(value.lower()),
    "local": lambda writer, transport, value: None if value is None else quoted(format_address(value)),
    "listen": _listen,
    "options": lambda writer, transport, value: _SOCKET(writer, transport, effective(value)),
}
"""Of fields that are written otherwise than read off the object."""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.0f}" if value == value // 1 else repr(value)
    if isinstance(value, str):
        return quoted(str(value))
    return f"[{', '.join(map(_toml, value))}]"


def _common(registrations: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all say alike. The rest of a way to log in would not go together with half of it."""
    if len(registrations) < 2:
        return {}
    first, *others = registrations
    alone = {"aor", "username", "password"}
    return {
        key: value
        for key, value in first.items()
        if key not in alone and all(other.get(key) == value for other in others)
    }
