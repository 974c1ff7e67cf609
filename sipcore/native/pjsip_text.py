"""Accounts as a pjsip.conf.

Of `[global]` and `[system]` there is one for all registrations: it gets what most of them have. What a line cannot
carry is left out. What got lost in either way is not worked out here: whoever calls reads the text again and compares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sipcore.auth.hashing import Algorithm
from sipcore.config import Account, Credential, Timing, Transport
from sipcore.native.names import Names, credential_names, transport_names
from sipcore.settings import Configuration
from sipcore.syntax.grammar import visible
from sipcore.values import format_address

__all__ = ["LEFT_OUT", "write_pjsip"]

LEFT_OUT = "left out"
"""Stands in a comment in the place of each secret that was not to be written."""

MAX_LINE = 8000
"""Characters; Asterisk skips lines that do not fit into its buffer of 8192 bytes."""

WILDCARD = ("0.0.0.0", 0)
"""The bind of a transport that has none: every transport of Asterisk has one."""

T = TypeVar("T", bound=Hashable)

Lines = Iterator[tuple[str, str | None]]


def write_pjsip(configuration: Configuration, *, secrets: bool, head: Sequence[str] = ()) -> str:
    """The text. Without `secrets`, what holds a secret is a comment, and the file cannot be used until that is filled
    in."""
    return _Writer(configuration, secrets).write(head)


class _Writer:
    def __init__(self, configuration: Configuration, secrets: bool) -> None:
        self.accounts = configuration.accounts
        self.secrets = secrets
        self.lines: list[str] = []
        self.agent = ""
        """Of the global object."""
        self.transports: Names[Transport] = transport_names(configuration)
        self.credentials: Names[Credential] = credential_names(configuration)
        self.sections: Names[str] = Names(_section_name)

    def write(self, head: Sequence[str]) -> str:
        self.lines += [f"; {visible(line, 1000)}".rstrip() for line in head]
        for account in self.accounts:
            if account.transport is not None:
                self.transports[account.transport]
            for credential in account.credentials:
                self.credentials[credential]
        if self.accounts:
            self.common()
        for transport, name in self.transports.items():
            self.section(name, "transport", _transport(transport))
        for credential, name in self.credentials.items():
            self.section(name, "auth", self.auth(credential))
        for account in self.accounts:
            self.section(self.sections[account.name], "registration", self.registration(account))
        return "\n".join(self.lines) + "\n"

    def section(self, name: str, kind: str, lines: Lines) -> None:
        self.lines += ["", f"[{_escaped(name)}]", f"type = {kind}"]
        for option, value in lines:
            if value is None:
                self.lines.append(f"; {option} = {LEFT_OUT}")
            elif _fits(option, value):
                self.lines.append(f"{option} = {_escaped(value)}")

    def most(self, of: Callable[[Account], T]) -> T:
        return Counter(map(of, self.accounts)).most_common(1)[0][0]

    def common(self) -> None:
        agent = self.agent = self.most(lambda account: account.user_agent)
        forwards = self.most(lambda account: account.max_forwards)
        self.section("global", "global", _given({
            "user_agent": agent or None,
            "max_forwards": forwards if forwards != 70 else None,
            "keep_alive_interval": self.most(lambda account: _whole(account.keep_alive_interval or 0)),
        }))  # fmt: skip
        timing = self.most(lambda account: (account.timing.t1, account.timing.f))
        compact = self.most(lambda account: account.compact_headers)
        rport = self.most(lambda account: account.rport)
        standard = Timing()
        if timing != (standard.t1, standard.f) or compact or not rport:
            self.section("system", "system", _given({
                "timer_t1": _whole(timing[0] * 1000),
                "timer_b": _whole(timing[1] * 1000),
                "compact_headers": compact or None,
                "disable_rport": None if rport else True,
            }))  # fmt: skip

    def auth(self, credential: Credential) -> Lines:
        yield "auth_type", "userpass"
        yield "username", credential.username
        if credential.password is not None:
            yield "password", credential.password.reveal() if self.secrets else None
        for algorithm, ha1 in credential.ha1:
            yield "password_digest", f"{algorithm}:{ha1.reveal()}" if self.secrets else None
        if credential.realm:
            yield "realm", credential.realm
        usable = [item for item in Algorithm if not item.session and credential.supports(item)]
        if usable != [Algorithm.MD5]:
            chosen = usable if credential.algorithms is None else credential.algorithms
            yield "supported_algorithms_uac", ", ".join(chosen)

    def registration(self, account: Account) -> Lines:
        standard = Account(account.aor, profile=account.profile)
        yield "server_uri", account.registrar
        yield "client_uri", account.aor
        if account.transport is not None:
            yield "transport", self.transports[account.transport]
        if account.credentials:
            yield "outbound_auth", ", ".join(self.credentials[credential] for credential in account.credentials)
        if account.outbound_proxy:
            yield "outbound_proxy", ", ".join(account.outbound_proxy)
        if account.contact_header_parameters:
            yield "contact_header_params", account.contact_header_parameters.lstrip(" \t").removeprefix(";")
        for option, field in _PLAIN.items():
            value = getattr(account, field)
            if value != getattr(standard, field) and value is not None:
                yield option, _text(value)
        for tag in ("path", "outbound"):
            if tag in account.supported:
                yield f"support_{tag}", "yes"
        if account.line:
            yield "line", "yes"
            # Asterisk takes no line without an endpoint.
            yield "endpoint", self.sections[account.name]
        if account.user_agent != self.agent and account.user_agent:
            yield "user_agent", account.user_agent


_PLAIN: Mapping[str, str] = {
    "contact_user": "contact_user",
    "expiration": "expires",
    "max_random_initial_delay": "max_random_initial_delay",
    "retry_interval": "retry_interval",
    "forbidden_retry_interval": "forbidden_retry_interval",
    "fatal_retry_interval": "fatal_retry_interval",
    "max_retries": "max_retries",
    "auth_rejection_permanent": "auth_rejection_permanent",
}
"""Options of a registration that are written when they differ from what the profile does without them."""


def _transport(transport: Transport) -> Lines:
    yield "protocol", transport.protocol.lower()
    yield "bind", format_address(transport.local or WILDCARD)
    options = transport.options
    yield from _given(
        {
            "external_signaling_address": transport.external_signaling_address,
            "external_signaling_hostname": transport.external_signaling_hostname,
            "external_signaling_port": transport.external_signaling_port or None,
            "tos": options.tos or None,
            "cos": options.cos or None,
        }
    )
    for network in transport.local_net:
        yield "local_net", network
    if options.tcp_keepalive:
        yield "tcp_keepalive_enable", "yes"
        for option, field in _KEEPALIVE.items():
            yield option, str(getattr(options, field))


_KEEPALIVE: Mapping[str, str] = {
    "tcp_keepalive_idle_time": "tcp_keepalive_idle",
    "tcp_keepalive_interval_time": "tcp_keepalive_interval",
    "tcp_keepalive_probe_count": "tcp_keepalive_probes",
}


def _given(values: Mapping[str, Any]) -> Lines:
    return ((option, _text(value)) for option, value in values.items() if value is not None)


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _whole(value: float) -> int:
    return round(value)


def _fits(option: str, value: str) -> bool:
    if not value:
        return option == "password"
    return value.strip(" \t") == value and len(option) + 2 * len(value) < MAX_LINE


def _section_name(name: str) -> str:
    return name.replace("]", ")").strip()[: MAX_LINE // 4] or "_"


def _escaped(text: str) -> str:
    # Also behind a backslash: the one that belongs to the semicolon is the one that goes.
    return text.replace(";", "\\;")
