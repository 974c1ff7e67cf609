"""What the tests of the TOML form share: a source of secrets, short ways to read, and accounts of every kind."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import strategies as st

from sipcore import native
from sipcore.auth.hashing import Algorithm
from sipcore.config import Account, Credential, Timing, Transport
from sipcore.errors import ConfigError
from sipcore.profiles import PROFILES
from sipcore.settings import Configuration
from sipcore.values import OutcomeClass, Protocol, Secret, SocketOptions
from tests.secrecy import PASSWORD, find

ALICE = '[registrations.office]\naor = "sip:alice@example.com"\n'
"""Two lines: what is appended begins in line 3."""


class Vault:
    """A source of secrets that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def secret(self, place: str, name: str) -> Secret:
        self.asked.append((place, name))
        if name == "missing":
            raise FileNotFoundError(2, "No such file or directory", name)
        if name == "open":
            raise ValueError("has mode 0644, so that others can read or change it; chmod 600")
        return Secret(PASSWORD)


def read(text: str) -> Configuration:
    return native.parse(text, file="s.toml", secrets=Vault())


def account(text: str) -> Account:
    (found,) = read(text).accounts
    return found


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert find(f"{caught.value} {caught.value!r}") is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- accounts of every kind ------------------------------------------------------------------------------------------

words = st.text("abcXYZ019-._", min_size=1, max_size=8)
labels = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda text: text.strip() != "" and text != "*all" and text.isprintable()
)
quoted_texts = st.text("abc ;\"\\#=[]{}'äß\u2003,", min_size=1, max_size=12)
hosts = st.sampled_from(["example.com", "sip.example.org:5070", "192.0.2.1", "example.net;transport=tcp"])
counts = st.integers(0, 100_000)
addresses = st.sampled_from([("0.0.0.0", 5060), ("192.0.2.9", 0), ("::", 5061), ("fe80::1%eth0", 5060)])
seconds = st.sampled_from([0.1, 0.5, 1.0, 2.0])

SOCKETS: dict[str, st.SearchStrategy[Any]] = {
    "tos": st.integers(0, 255),
    "cos": st.integers(0, 7),
    "tcp_keepalive": st.booleans(),
    "tcp_keepalive_idle": st.integers(1, 100),
    "tcp_keepalive_interval": st.integers(1, 100),
    "tcp_keepalive_probes": st.integers(1, 100),
}
TIMINGS: dict[str, st.SearchStrategy[Any]] = {
    "t1": seconds,
    "t2": st.sampled_from([4.0, 8.5]),
    "t4": st.sampled_from([5, 5.25]),
    "timeout": st.sampled_from([None, 2.0, 32.0, 33.125]),
}
CREDENTIALS: dict[str, st.SearchStrategy[Any]] = {
    "username": quoted_texts,
    "password": st.one_of(st.none(), st.builds(Secret, st.one_of(st.just(PASSWORD), st.just(""), quoted_texts))),
    "ha1": st.sampled_from([(), ((Algorithm.MD5, Secret("1" * 32)), (Algorithm.SHA_256, Secret("2" * 64)))]),
    "realm": st.one_of(st.none(), st.sampled_from(["", "*", "example.com", 'a "b"'])),
    "algorithms": st.sampled_from([None, (Algorithm.MD5,), (Algorithm.SHA_256, Algorithm.MD5_SESS)]),
}
TRANSPORTS: dict[str, st.SearchStrategy[Any]] = {
    "protocol": st.sampled_from(Protocol),
    "local": st.one_of(st.none(), addresses),
    "listen": st.booleans(),
    "external_signaling_address": st.sampled_from([None, "198.51.100.1", "2001:db8::7"]),
    "external_signaling_hostname": st.sampled_from([None, "nat.example.com"]),
    "external_signaling_port": st.sampled_from([0, 5080]),
    "local_net": st.sampled_from([(), ("192.168.0.0/16", "2001:db8::/32")]),
    "options": st.builds(SocketOptions, **SOCKETS),
}


def _built(of: Any, strategies: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Objects of the class; of what it refuses, nothing."""

    def make(values: dict[str, Any]) -> Any:
        try:
            return of(**values)
        except ConfigError:
            return None

    needed = {"username": strategies["username"]} if of is Credential else {}
    rest = {name: drawn for name, drawn in strategies.items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=rest).map(make).filter(lambda made: made is not None)


transports = _built(Transport, TRANSPORTS)
credentials = _built(Credential, CREDENTIALS)
# Each way to log in, since most mixtures of them are refused.
logins = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"password": CREDENTIALS["password"]}, optional={"username": quoted_texts}),
    st.fixed_dictionaries({"credentials": st.lists(credentials, max_size=2).map(tuple)}),
)

ACCOUNTS: dict[str, st.SearchStrategy[Any]] = {
    "aor": st.builds("sip:{}@{}".format, words, st.sampled_from(["example.com", "example.org;x=y", "[2001:db8::1]"])),
    "name": labels,
    "registrar": st.one_of(st.none(), st.builds("sip:{}".format, hosts)),
    "outbound_proxy": st.sampled_from([(), ("<sip:p.example.com;lr>",), ('"A, B" <sip:p;lr>', "<sip:q;lr>;x=y")]),
    "transport": st.one_of(st.none(), transports),
    "contact_user": st.one_of(st.none(), words),
    "contact_parameters": st.sampled_from(["", ";ob"]),
    "contact_header_parameters": st.sampled_from(["", ';reg-id=1;+sip.instance="<urn:uuid:0>"']),
    "line": st.booleans(),
    "expires": st.integers(1, 2**32 - 1),
    "supported": st.sampled_from([(), ("path",), ("path", "outbound"), ("outbound", "gruu")]),
    "allow": st.sampled_from([None, (), ("REGISTER", "OPTIONS")]),
    "user_agent": st.sampled_from(["", "sipcore", "A/1.0 (b; c)"]),
    "compact_headers": st.booleans(),
    "rport": st.booleans(),
    "extra_headers": st.sampled_from([(), (("X-Site", "a: b"), ("X-Empty", ""))]),
    "max_forwards": st.integers(0, 255),
    "profile": st.sampled_from(list(PROFILES.values())),
    "max_retries": st.one_of(st.none(), counts),
    "retry_interval": counts,
    "forbidden_retry_interval": counts,
    "fatal_retry_interval": counts,
    "max_random_initial_delay": st.one_of(st.none(), counts),
    "auth_rejection_permanent": st.booleans(),
    "give_up": st.frozensets(st.sampled_from(OutcomeClass), max_size=3),
    "redirects": st.integers(0, 5),
    "timing": _built(Timing, TIMINGS),
    "keep_alive_interval": st.sampled_from([None, 0, 1.5, 90]),
    "any_source": st.booleans(),
}


def _account(values: dict[str, Any], login: dict[str, Any]) -> Account | None:
    try:
        return Account(
            values.get("aor", "sip:alice@example.com"), **{k: v for k, v in values.items() if k != "aor"}, **login
        )
    except ConfigError:
        return None


accounts: st.SearchStrategy[Any] = st.builds(_account, st.fixed_dictionaries({}, optional=ACCOUNTS), logins).filter(
    lambda made: made is not None
)


def _fits(made: Account) -> bool:
    """Not refused by the rule that a transport has to be of the family of the next hop."""
    bound = None if made.transport is None else made.transport.local
    hop = (*made.outbound_proxy, made.registrar or "")[0]
    family = "[" if "[" in hop else "4" if "192.0.2" in hop else ""
    return bound is None or not family or (family == "[") == (":" in bound[0])


configurations = st.lists(accounts.filter(_fits), min_size=1, max_size=3, unique_by=lambda made: made.name).map(
    lambda made: Configuration(file="x", accounts=tuple(made), warnings=(), secret=True, binds={})
)

TABLES = {
    Account: ACCOUNTS, Transport: TRANSPORTS, Credential: CREDENTIALS, Timing: TIMINGS, SocketOptions: SOCKETS
}  # fmt: skip
OF_LOGINS = {"username", "password", "credentials"}


def missing() -> list[str]:
    """Fields for which nothing is drawn."""
    return [
        f"{of.__name__}.{item.name}"
        for of, drawn in TABLES.items()
        for item in fields(of)
        if item.name not in drawn and not (of is Account and item.name in OF_LOGINS)
    ]
