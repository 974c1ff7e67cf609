"""What Asterisk prints of an object: its options by name, as texts, from an `Account` and what else the file says.

An `Account` alone is enough: then objects that it has no name for get one that says what they are (`alice-auth`,
`transport-udp`), as a conversion to pjsip.conf would. Passwords and digests are never among the texts, only whether
there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from sipcore.auth.credentials import Credential
from sipcore.config import Account
from sipcore.settings import Written
from sipcore.values import State, Status

__all__ = [
    "AUTH_ORDER",
    "HIDDEN",
    "REGISTRATION_ORDER",
    "STATUS_WORDS",
    "View",
    "auth_options",
    "auths",
    "camel",
    "registration_options",
    "transport_name",
]

HIDDEN: Final = "***"
"""Stands for a secret that is there. Asterisk prints the secret itself."""

NEVER: Final = str(2**32 - 1)
"""How Asterisk's `max_retries` says what None says in an `Account`: it has no word for it."""

STATUS_WORDS: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.UNREGISTERED: "Unregistered",
        State.REGISTERED: "Registered",
        State.REJECTED: "Rejected",
        State.STOPPED: "Unregistered",
    }
)
"""Asterisk has three words; its STOPPING and STOPPED print as the first."""

REGISTRATION_ORDER: Final = tuple(
    "max_retries client_uri security_negotiation auth_rejection_permanent server_uri max_random_initial_delay "
    "support_path retry_interval contact_header_params expiration transport line contact_user endpoint user_agent "
    "forbidden_retry_interval outbound_auth security_mechanisms outbound_proxy fatal_retry_interval "
    "support_outbound".split()
)
"""The options of a registration in the order of AMI, which is that of a hash table. The CLI sorts them."""

AUTH_ORDER: Final = tuple(
    "oauth_secret password_digest supported_algorithms_uas refresh_token username md5_cred realm auth_type password "
    "supported_algorithms_uac nonce_lifetime oauth_clientid".split()
)
"""The same for an auth."""


class View(Protocol):
    """What commands look at and may ask for. Whoever runs them supplies it; it decides nothing."""

    @property
    def version(self) -> str:
        """The version of this program."""

    @property
    def started(self) -> float:
        """When it started, on the clock of `now`."""

    @property
    def loaded(self) -> float:
        """When the configuration was last read, on the clock of `now`."""

    def names(self) -> tuple[str, ...]:
        """All registrations."""

    def status(self, name: str) -> Status:
        """Raises `LocalProtocolError` when there is none of that name."""

    def began(self, name: str) -> float | None:
        """When the first request of its last attempt left; None before the first. Raises `LocalProtocolError` when
        there is none of that name."""

    def account(self, name: str) -> Account:
        """Raises `LocalProtocolError` when there is none of that name."""

    def written(self, name: str) -> Written | None:
        """What else the file says of it; None when that is not known."""

    def register(self, name: str) -> None:
        """Register now. Raises `LocalProtocolError`."""

    def unregister(self, name: str) -> None:
        """Remove the binding. Raises `LocalProtocolError`."""


def auths(account: Account, written: Written | None) -> tuple[tuple[str, Credential], ...]:
    """The credentials of a registration with the names of their objects."""
    names = written.outbound_auth if written is not None else ()
    return tuple(
        (names[index] if index < len(names) else _auth_name(account.name, index), credential)
        for index, credential in enumerate(account.credentials)
    )


def transport_name(account: Account, written: Written | None) -> str:
    """The name of the registration's transport object; empty when it names none."""
    if written is not None:
        return written.transport
    return "" if account.transport is None else f"transport-{account.transport.protocol.lower()}"


def registration_options(account: Account, written: Written | None) -> dict[str, str]:
    """All options of a registration by name, in no order. Lists are joined by commas."""
    more = written if written is not None else Written(user_agent=account.user_agent)
    contact_user = account.contact_user or ""
    options = {
        "auth_rejection_permanent": _boolean(account.auth_rejection_permanent),
        "client_uri": account.aor,
        "contact_header_params": account.contact_header_parameters.removeprefix(";"),
        "contact_user": "" if contact_user == account.profile.default_contact_user else contact_user,
        "endpoint": more.endpoint,
        "expiration": str(account.expires),
        "fatal_retry_interval": str(account.fatal_retry_interval),
        "forbidden_retry_interval": str(account.forbidden_retry_interval),
        "line": _boolean(account.line),
        "max_random_initial_delay": str(account.max_random_initial_delay),
        "max_retries": NEVER if account.max_retries is None else str(account.max_retries),
        "outbound_auth": ",".join(name for name, _ in auths(account, written)),
        "outbound_proxy": more.outbound_proxy or ",".join(account.outbound_proxy),
        "retry_interval": str(account.retry_interval),
        "security_negotiation": more.security_negotiation,
        "server_uri": str(account.registrar),
        "support_outbound": "yes" if "outbound" in account.supported else "no",
        "support_path": _boolean("path" in account.supported),
        "transport": transport_name(account, written),
        "user_agent": more.user_agent,
    }
    if more.security_mechanisms:
        options["security_mechanisms"] = ",".join(more.security_mechanisms)
    return options


def auth_options(credential: Credential) -> dict[str, str]:
    """All options of an auth by name, in no order; what is secret is `HIDDEN`."""
    algorithms = ",".join(credential.algorithms or ("MD5",))
    return {
        "auth_type": "userpass",
        "md5_cred": "",
        "nonce_lifetime": "32",
        "oauth_clientid": "",
        "oauth_secret": "",
        "password": "" if credential.password is None else HIDDEN,
        "password_digest": ",".join(f"{algorithm}:{HIDDEN}" for algorithm, _ in credential.ha1),
        "realm": credential.realm or "",
        "refresh_token": "",
        "supported_algorithms_uac": algorithms,
        "supported_algorithms_uas": "MD5",
        "username": credential.username,
    }


def camel(option: str) -> str:
    """The name of an option in AMI: `max_retries` is `MaxRetries`."""
    return "".join(part.capitalize() for part in option.split("_"))


def _auth_name(name: str, index: int) -> str:
    return f"{name}-auth" if index == 0 else f"{name}-auth-{index + 1}"


def _boolean(value: bool) -> str:
    return "true" if value else "false"
