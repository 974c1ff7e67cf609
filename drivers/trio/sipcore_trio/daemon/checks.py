"""All that can be found wrong before anything is started: the file, its permissions, descriptors, addresses."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Collection, Iterable

from sipcore import native
from sipcore.asterisk import Configuration, load
from sipcore.config import Account
from sipcore.profiles import ASTERISK, Profile
from sipcore.values import Address, Protocol, format_address
from sipcore_sync.sockets import bind_datagrams, error_text, listen_streams
from sipcore_trio.daemon.secrets import Secrets

__all__ = [
    "StartError",
    "SystemFiles",
    "check_addresses",
    "check_permissions",
    "descriptors_needed",
    "load_file",
    "raise_descriptors",
]

SPARE_DESCRIPTORS = 64
"""Besides connections: standard streams, the event loop's own, UDP sockets, listeners, control sessions."""


MAX_FILE = 64 << 20
"""Bytes of one file of a configuration: as much as all of them may have; a device or a disk image has no end."""


class StartError(Exception):
    """Something that keeps the daemon from starting, or a reload from being done; the text is for the user."""


def load_file(path: str, profile: Profile, *, strict_permissions: bool) -> tuple[Configuration, list[str]]:
    """Read a configuration; also what to warn about. Raises `ConfigError` and `StartError`."""
    if path.endswith(native.ENDING):
        if profile is not ASTERISK:
            raise StartError(f"--profile: is for a pjsip.conf; {path} says itself which profile it wants")
        configuration = native.load(path, SystemFiles().read, secrets=Secrets.beside(path))
    else:
        configuration = load(path, SystemFiles(), profile=profile)
    warnings = list(configuration.warnings)
    if configuration.secret:
        exposed = [text for text in map(check_permissions, configuration.secret_files or (path,)) if text is not None]
        if exposed and strict_permissions:
            raise StartError(exposed[0])
        warnings += exposed
    return configuration, warnings


def check_permissions(path: str) -> str | None:
    """What is wrong with the permissions of a file that holds secrets; None when nothing is."""
    try:
        status = os.stat(path)
    except OSError as error:
        return f"{path}: file: cannot be examined: {error.strerror or error}"
    if not stat.S_ISREG(status.st_mode):
        return None  # a pipe or a descriptor that somebody passed in
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        return f"{path}: file: holds secrets and has mode {mode:04o}, so that others can read or change it; chmod 600"
    if status.st_uid not in (0, os.geteuid()):
        return f"{path}: file: holds secrets and belongs to another user (uid {status.st_uid})"
    return None


def check_addresses(
    wanted: Iterable[tuple[tuple[Protocol, Address], str]], *, held: Collection[tuple[Protocol, Address]] = ()
) -> None:
    """Bind each address once and let it go again. `held` are those that are ours already. Raises `StartError`."""
    for (protocol, local), where in wanted:
        if (protocol, local) in held:
            continue
        try:
            sock = listen_streams(local) if protocol.reliable else bind_datagrams(local)
        except OSError as error:
            raise StartError(f"{where}: bind: {protocol} {format_address(local)}: {error_text(error)}") from None
        sock.close()


def descriptors_needed(accounts: Iterable[Account]) -> int:
    """How many descriptors these accounts can come to need at once: on streams one for each server, at the worst."""
    streams = {
        (account.transport, account.outbound_proxy[0] if account.outbound_proxy else account.registrar)
        for account in accounts
        if account.transport is None or account.transport.protocol.reliable
    }
    return SPARE_DESCRIPTORS + len(streams)


def raise_descriptors(needed: int) -> None:
    """Raise the soft limit of open files to what is needed. Raises `StartError` when the hard limit is below."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= needed:
        return
    if hard != unlimited and hard < needed:
        raise StartError(
            f"up to {needed} open files may be needed, and the limit is {hard}; see ulimit -n, LimitNOFILE="
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class SystemFiles:
    """The files of this machine, as a configuration asks for them."""

    def read(self, name: str, /) -> bytes:
        """Raises `OSError`, also for what is larger than `MAX_FILE`."""
        with open(name, "rb") as file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise OSError(errno.EFBIG, f"it is larger than {MAX_FILE >> 20} MiB")
        return data

    def glob(self, pattern: str, /) -> list[str]:
        """As in Asterisk, `*` and `?` match no leading dot."""
        return glob.glob(pattern)
