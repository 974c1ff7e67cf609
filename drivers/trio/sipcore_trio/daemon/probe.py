"""`sipcore probe`: register once, un-register, tell the outcome in one line and in the exit status."""

from __future__ import annotations

import argparse
import logging
import os
import sys

import trio

from sipcore.client import Wait
from sipcore.config import Account, Timing, Transport
from sipcore.errors import ConfigError, RegistrationFailed, RemoteProtocolError
from sipcore.events import Event, Rejected
from sipcore.redact import redact_uri
from sipcore.syntax.grammar import escape_user, visible
from sipcore.syntax.uri import Uri
from sipcore.values import Protocol, Secret, Status
from sipcore_trio.api import Agent, open_agent
from sipcore_trio.daemon import codes
from sipcore_trio.daemon.checks import check_permissions
from sipcore_trio.daemon.narrator import cause_line

__all__ = ["probe"]

PASSWORD_VARIABLE = "SIPCORE_PASSWORD"

LEAVE_WITHIN = 5.0
"""Seconds for the un-REGISTER."""


def probe(options: argparse.Namespace) -> int:
    """Print one line, and return the status that `codes` lists for the outcome."""
    # The line printed here says all that the driver's log lines would.
    logging.getLogger("sipcore").addHandler(logging.NullHandler())
    logging.getLogger("sipcore").propagate = False
    try:
        account = make_account(options, read_password(options.password_file))
    except (ConfigError, OSError) as error:
        print(f"sipcore: {visible(redact_uri(str(error)), 600)}", file=sys.stderr)
        return codes.USAGE
    line, code = trio.run(_probe, account)
    print(line)
    return code


def read_password(path: str | None) -> Secret | None:
    """The first line of the file, else the environment's SIPCORE_PASSWORD, else none. Raises `OSError`."""
    if path is None:
        text = os.environ.get(PASSWORD_VARIABLE)
        return None if text is None else Secret(text)
    exposed = check_permissions(path)
    if exposed is not None:
        print(f"sipcore: warning: {exposed}", file=sys.stderr)
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return Secret(file.readline().rstrip("\r\n"))


def make_account(options: argparse.Namespace, password: Secret | None) -> Account:
    """The registration that the arguments describe. Raises `ConfigError`."""
    try:
        uri = Uri.parse(options.uri)
    except RemoteProtocolError:
        raise ConfigError("URI", redact_uri(options.uri), "a registrar such as sip:example.com") from None
    if uri.opaque or uri.user is not None:
        raise ConfigError("URI", redact_uri(options.uri), "a registrar without a user, such as sip:example.com")
    transport = None if options.transport is None else Transport(protocol=Protocol(options.transport.upper()))
    return Account(
        f"{uri.scheme}:{escape_user(options.user)}@{uri.host}",
        registrar=str(uri),
        username=None if password is None else options.auth_user or options.user,
        password=password,
        expires=options.expires,
        transport=transport,
        user_agent="sipcore",
        timing=Timing(t1=min(0.5, options.timeout), timeout=options.timeout),
    )


async def _probe(account: Account) -> tuple[str, int]:
    failed_removal: Rejected | None = None
    status: Status | None = None

    def on_event(agent: Agent, event: Event) -> None:
        nonlocal failed_removal
        if isinstance(event, Rejected) and event.removal:
            failed_removal = event

    try:
        async with open_agent(
            [account], on_event=on_event, wait=Wait.FIRST_ATTEMPT, leave_within=LEAVE_WITHIN
        ) as agent:
            (status,) = agent.statuses()
            granted = (status.expires_at or agent.now()) - agent.now()
            where = f"{status.server} ({status.transport})" if status.server else "?"
            said = f"registered for {granted:.0f} s at {where}: {cause_line(status.cause)}"
        (final,) = agent.statuses()
    except RegistrationFailed as error:
        cause = error.status.cause
        kind = cause.kind if cause is not None and cause.kind is not None else "failed"
        return f"{account.aor}: {kind}: {cause_line(cause)}", codes.probe_code(cause)
    if failed_removal is not None:
        return f"{account.aor}: {said}; not removed: {cause_line(failed_removal.cause)}", codes.REMOVAL_FAILED
    if final.registered:
        return f"{account.aor}: {said}; not removed: {cause_line(final.cause)}", codes.REMOVAL_FAILED
    return f"{account.aor}: {said}; removed", codes.OK
