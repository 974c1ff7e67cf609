"""Objects of type auth, as credentials for outbound use."""

from __future__ import annotations

from collections.abc import Callable

from sipcore.asterisk.options import Values
from sipcore.asterisk.syntax import FileFault
from sipcore.auth.credentials import Credential
from sipcore.auth.hashing import Algorithm
from sipcore.errors import ConfigError
from sipcore.values import Secret

__all__ = ["read_credential"]

_AUTH_TYPES = ("userpass", "md5", "digest")
"""Three names for one thing: digest authentication."""

_DEFAULT_ALGORITHMS = (Algorithm.MD5,)
"""Asterisk's default, under every profile: which algorithms may be used is said by the file."""


def read_credential(values: Values) -> Credential:
    """What an object of type auth says. Raises `ConfigError`."""
    kind = values.text("auth_type").lower() or "userpass"
    if kind not in _AUTH_TYPES:
        expected = "not supported yet; userpass is" if kind == "google_oauth" else "one of " + ", ".join(_AUTH_TYPES)
        raise ConfigError("auth_type", values.text("auth_type"), expected, where=values.where("auth_type"))
    if not values.text("username"):
        raise values.missing("username", "the name to log in with")
    digests = _digests(values)
    password = Secret(values.text("password")) if "password" in values else None
    if password is None and not digests:
        raise values.missing("password", "or a password_digest")
    algorithms = _algorithms(values)
    for algorithm in algorithms:
        if password is None and algorithm not in digests:
            expected = f"there is neither a password nor a password_digest for {algorithm}"
            raise ConfigError(
                "supported_algorithms_uac", str(algorithm), expected, where=values.where("supported_algorithms_uac")
            )
    return _checked(
        values,
        lambda: Credential(
            username=values.text("username"),
            password=password,
            ha1=tuple(digests.items()),
            realm=values.text("realm") or None,
            algorithms=algorithms,
        ),
    )


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
        where = f"{values.file}:{option.line}"
        for item in filter(None, (item.strip() for item in option.value.split(","))):
            name, colon, text = item.partition(":")
            algorithm = Algorithm.parse(name.strip()) if colon else Algorithm.MD5
            if algorithm is None or algorithm.session:
                raise FileFault(
                    "password_digest", "needs MD5:, SHA-256: or SHA-512-256: before the digest", where=where
                )
            digests[algorithm] = _digest("password_digest", algorithm, (text if colon else name).strip(), where)
    return digests


def _digest(option: str, algorithm: Algorithm, text: str, where: str) -> Secret:
    if len(text) != algorithm.hex_length or text.strip("0123456789abcdefABCDEF"):
        expected = f"a digest of {algorithm} has {algorithm.hex_length} hexadecimal digits"
        raise FileFault(option, expected, where=where)
    return Secret(text)


def _algorithms(values: Values) -> tuple[Algorithm, ...]:
    names = [name.strip() for name in values.text("supported_algorithms_uac").split(",")]
    found = []
    for name in filter(None, names):
        algorithm = Algorithm.parse(name)
        if algorithm is None or algorithm.session:
            raise ConfigError(
                "supported_algorithms_uac",
                name,
                "one of MD5, SHA-256, SHA-512-256",
                where=values.where("supported_algorithms_uac"),
            )
        found.append(algorithm)
    return tuple(found) or _DEFAULT_ALGORITHMS
