"""Objects of type auth, as credentials for outbound use."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from sipcore.asterisk.options import Values
from sipcore.asterisk.syntax import FileFault
from sipcore.auth.credentials import Credential
from sipcore.auth.hashing import Algorithm
from sipcore.errors import ConfigError
from sipcore.values import Secret

__all__ = ["DEFAULT_ALGORITHMS", "read_algorithms", "read_credential"]

_AUTH_TYPES: Final = ("userpass", "md5", "digest")
"""Three names for one thing: digest authentication."""

_OAUTH: Final = "google_oauth"
_OAUTH_OPTIONS: Final = ("refresh_token", "oauth_clientid", "oauth_secret")

DEFAULT_ALGORITHMS: Final = (Algorithm.MD5,)
"""Asterisk's default, under every profile: which algorithms may be used is said by the file."""

_ANY_REALM: Final = "*"


def read_credential(
    values: Values,
    uac: tuple[Algorithm, ...] = DEFAULT_ALGORITHMS,
    uas: tuple[Algorithm, ...] = DEFAULT_ALGORITHMS,
) -> Credential:
    """What an object of type auth says; `uac` and `uas` are the algorithms if it names none. Raises `ConfigError`."""
    values.check(used=False)
    kind = values.text("auth_type").lower() or "userpass"
    if kind == _OAUTH:
        for name in ("username", *_OAUTH_OPTIONS):
            if not values.text(name):
                raise values.missing(name, f"for auth_type = {_OAUTH}")
    if kind not in _AUTH_TYPES:
        expected = "not supported yet; userpass is" if kind == _OAUTH else "one of " + ", ".join(_AUTH_TYPES)
        raise ConfigError("auth_type", values.text("auth_type"), expected, where=values.where("auth_type"))
    for name in _OAUTH_OPTIONS:
        if name in values:
            values.idle[name] = f"has no effect without auth_type = {_OAUTH}"
    if not values.text("username"):
        raise values.missing("username", "the name to log in with")
    digests = _digests(values)
    password = Secret(values.text("password")) if "password" in values else None
    if password is None and not digests:
        raise values.missing("password", "or a password_digest")
    algorithms = read_algorithms(values, "supported_algorithms_uac") or uac
    _check_algorithms(values, "supported_algorithms_uac", algorithms, password, digests)
    # What Asterisk would answer as a server is not used here, but it rejects an auth that could not.
    inbound = read_algorithms(values, "supported_algorithms_uas") or uas
    _check_algorithms(values, "supported_algorithms_uas", inbound, password, digests)
    realm = values.text("realm")
    return _checked(
        values,
        lambda: Credential(
            username=values.text("username"),
            password=password,
            ha1=tuple(digests.items()),
            realm=None if realm in ("", _ANY_REALM) else realm,
            algorithms=algorithms,
        ),
    )


def read_algorithms(values: Values, name: str) -> tuple[Algorithm, ...]:
    """The algorithms that an option lists; none when it was not given. Raises `ConfigError`."""
    found = []
    for item in filter(None, (item.strip() for item in values.text(name).split(","))):
        algorithm = Algorithm.parse(item)
        if algorithm is None or algorithm.session:
            raise ConfigError(name, item, "one of MD5, SHA-256, SHA-512-256", where=values.where(name))
        found.append(algorithm)
    return tuple(found)


def _check_algorithms(
    values: Values,
    name: str,
    algorithms: tuple[Algorithm, ...],
    password: Secret | None,
    digests: Collection[Algorithm],
) -> None:
    for algorithm in algorithms:
        if password is None and algorithm not in digests:
            expected = f"there is neither a password nor a password_digest for {algorithm}"
            if name not in values:
                expected += ", which is the default of this option"
            raise ConfigError(name, str(algorithm), expected, where=values.where(name))


def _checked(values: Values, make: Callable[[], Credential]) -> Credential:
    try:
        return make()
    except ConfigError as error:
        name = error.option if error.option in values else "username"
        raise ConfigError(error.option, error.value, error.expected, where=values.where(name)) from None


def _digests(values: Values) -> dict[Algorithm, Secret]:
    digests: dict[Algorithm, Secret] = {}
    if values.text("md5_cred"):
        values.warn_about("md5_cred", "is deprecated; write password_digest = MD5:...")
        digests[Algorithm.MD5] = _digest("md5_cred", Algorithm.MD5, values.text("md5_cred"), values.where("md5_cred"))
    for option in values.every("password_digest"):
        for item in filter(None, (item.strip() for item in option.value.split(","))):
            name, colon, text = item.partition(":")
            algorithm = Algorithm.parse(name.strip()) if colon else Algorithm.MD5
            if algorithm is None or algorithm.session:
                raise FileFault(
                    "password_digest", "needs MD5:, SHA-256: or SHA-512-256: before the digest", where=option.where
                )
            digests[algorithm] = _digest("password_digest", algorithm, (text if colon else name).strip(), option.where)
    return digests


def _digest(option: str, algorithm: Algorithm, text: str, where: str) -> Secret:
    if len(text) != algorithm.hex_length or text.strip("0123456789abcdefABCDEF"):
        expected = f"a digest of {algorithm} has {algorithm.hex_length} hexadecimal digits"
        raise FileFault(option, expected, where=where)
    return Secret(text)
