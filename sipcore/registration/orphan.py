"""What is remembered of an account, so that its binding can be removed when nobody configures it any more.

A process may end between the reload that drops a registration and the answer to its un-REGISTER, and a configuration
may be changed while no process runs. In both cases the next one finds a record that no account claims: an orphan. It is
un-registered by what stands in the record, at its own registrar and with its own Contact and Call-ID. Secrets are never
in a record; the login is that of a registration that still is configured, if one has the same registrar and user name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sipcore.auth.credentials import Credential
from sipcore.config import Account, Transport
from sipcore.errors import ConfigError
from sipcore.profiles import PROFILES, SIPCORE
from sipcore.values import Address, Protocol

__all__ = ["Heritage", "account_of", "account_part"]

MAX_ITEMS = 64
"""Routes and logins that are read from a record: more than any account has, and a bound for what was damaged."""


def account_part(account: Account) -> dict[str, object]:
    """What a removal needs of the account."""
    transport = account.transport
    return {
        "name": account.name,
        "profile": account.profile.name,
        "outbound_proxy": account.outbound_proxy,
        "protocol": None if transport is None else transport.protocol.value,
        "local": None if transport is None else transport.local,
        "logins": tuple((item.username, item.realm) for item in account.credentials),
        "asked": account.expires,
    }


class Heritage:
    """What the configured accounts have that orphans may need: their logins and their transports."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._credentials: dict[tuple[str | None, str, str | None], Credential] = {}
        self._transports: dict[tuple[Protocol, Address | None], Transport] = {}
        for account in accounts:
            for item in account.credentials:
                self._credentials.setdefault((account.registrar, item.username, item.realm), item)
            if account.transport is not None:
                self._transports.setdefault((account.transport.protocol, account.transport.local), account.transport)

    def credentials(self, registrar: str, logins: Iterable[tuple[object, object]]) -> tuple[Credential, ...]:
        """Those of the logins that are known at that registrar; a password goes nowhere else."""
        known: Mapping[object, Credential] = self._credentials  # type: ignore[assignment]  # looked up by what may be anything
        found = (known.get((registrar, user, realm)) for user, realm in logins if _is_text(user) and _is_text(realm))
        return tuple(item for item in found if item is not None)

    def transport(self, protocol: Protocol, local: Address | None) -> Transport:
        """The configured one, whose socket is bound already, or one of its own."""
        return self._transports.get((protocol, local)) or Transport(protocol=protocol, local=local)


def account_of(record: Mapping[str, object], heritage: Heritage) -> Account | None:
    """The account of an orphan; None when the record does not say enough, or is damaged."""
    part, aor, registrar = record.get("account"), record.get("aor"), record.get("registrar")
    if not (isinstance(part, Mapping) and isinstance(aor, str) and isinstance(registrar, str)):
        return None
    name, proxies, profile = part.get("name"), part.get("outbound_proxy"), part.get("profile")
    protocol, local, logins = part.get("protocol"), part.get("local"), part.get("logins")
    if not (isinstance(name, str) and isinstance(proxies, list | tuple) and isinstance(logins, list | tuple)):
        return None
    try:
        return Account(
            aor,
            name=name,
            registrar=registrar,
            profile=PROFILES.get(profile, SIPCORE) if isinstance(profile, str) else SIPCORE,
            outbound_proxy=tuple(proxies[:MAX_ITEMS]),
            expires=_seconds(part.get("asked")),
            transport=None if protocol is None else heritage.transport(Protocol(protocol), address(local)),
            credentials=heritage.credentials(registrar, [_pair(item) for item in logins[:MAX_ITEMS]]),
        )
    except (ConfigError, ValueError, TypeError):
        return None


def address(value: object) -> Address | None:
    """An address as it comes back from JSON; None when it is none."""
    if isinstance(value, list | tuple) and len(value) == 2:
        host, port = value
        if isinstance(host, str) and isinstance(port, int):
            return host, port
    return None


def _seconds(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _pair(item: object) -> tuple[object, object]:
    return (item[0], item[1]) if isinstance(item, list | tuple) and len(item) == 2 else (None, None)


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)
