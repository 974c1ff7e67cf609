"""Secrets outside of the configuration: in files of their own, in the environment, in the credentials of systemd."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from sipcore.values import Secret

__all__ = ["CREDENTIALS_DIRECTORY", "MAX_SECRET", "Secrets"]

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""The variable with which systemd says where a service finds its credentials (systemd.exec(5))."""

MAX_SECRET = 4096
"""Bytes; a longer file is not a password but the wrong file."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_CREDENTIAL_OTHERS = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
"""A credential of systemd is lent to the service by an access control list, whose mask shows as the group's bits."""


class Secrets:
    """The source of secrets of one configuration file. See `sipcore.native.SecretSource`."""

    def __init__(self, directory: str, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = environment

    @classmethod
    def beside(cls, path: str) -> Secrets:
        """For the configuration at `path`: relative names of files begin in its directory."""
        return cls(os.path.dirname(os.path.abspath(path)), os.environ)

    def secret(self, place: str, name: str) -> Secret:
        """The secret. Raises `OSError`, or `ValueError` with a text for the user."""
        match place:
            case "file":
                return _read(os.path.join(self._directory, name), _OTHERS)
            case "env":
                return self._variable(name)
            case "credential":
                return self._credential(name)
        raise ValueError(f"{place} is not a place for secrets")

    def _variable(self, name: str) -> Secret:
        if name not in self._environment:
            raise ValueError("the environment has no such variable")
        if not self._environment[name]:
            raise ValueError(_EMPTY)
        return Secret(self._environment[name])

    def _credential(self, name: str) -> Secret:
        directory = self._environment.get(CREDENTIALS_DIRECTORY)
        if not directory:
            raise ValueError(f"the environment has no {CREDENTIALS_DIRECTORY}; systemd sets it, see LoadCredential=")
        if "/" in name or name in (".", ".."):
            raise ValueError("the name of a credential has no / in it")
        return _read(os.path.join(directory, name), _CREDENTIAL_OTHERS)


_EMPTY = 'is empty; an empty password is written as ""'


def _read(path: str, forbidden: int) -> Secret:
    if "\0" in path:
        raise ValueError("no name of a file has a NUL in it")
    # Opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("is not a regular file")
        mode = stat.S_IMODE(status.st_mode)
        if mode & forbidden:
            raise ValueError(f"has mode {mode:04o}, so that others can read or change it; chmod 600")
        if status.st_uid not in (0, os.geteuid()):
            raise ValueError(f"belongs to another user (uid {status.st_uid})")
        data = file.read(MAX_SECRET + 1)
    if len(data) > MAX_SECRET:
        raise ValueError(f"is longer than {MAX_SECRET} bytes")
    # Editors end the last line. What is not UTF-8, and a second line, is for the password's own check to refuse.
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    if not data:
        raise ValueError(_EMPTY)
    return Secret(data.decode("utf-8", "surrogateescape"))
