"""`sipcore probe`: register once, un-register, tell the outcome in one line and in the exit status."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys

import trio

from sipcore.config import MAX_EXPIRES, Account, Timing, Transport
from sipcore.errors import ConfigError, RemoteProtocolError
from sipcore.events import Event, Registered, Rejected, Unregistered
from sipcore.redact import redact_uri
from sipcore.syntax.grammar import escape_user, visible
from sipcore.syntax.uri import Uri
from sipcore.values import Cause, Protocol, Secret
from sipcore_trio.api import Agent, open_agent
from sipcore_trio.daemon import codes
from sipcore_trio.daemon.checks import check_permissions
from sipcore_trio.daemon.narrator import cause_line

__all__ = ["probe"]

PASSWORD_VARIABLE = "SIPCORE_PASSWORD"

MAX_PASSWORD = 4096
"""Characters: more is another kind of file, which may have no end."""

REMOVE_WITHIN = 5.0
"""Seconds for the un-REGISTER to a registrar that has answered before."""

LEAVE_WITHIN = 2.0
"""Seconds for the un-REGISTER otherwise: three copies of it, since the binding may be there all the same."""

GRACE = 0.1
"""Seconds past `--timeout` in which the core says in its own words that nobody answered."""

MAX_TRANSACTION = 3600.0
"""Seconds: the longest that one answer is waited for."""


def probe(options: argparse.Namespace) -> int:
    """Print one line, and return the status that `codes` lists for the outcome."""
    # The line printed here says all that the driver's log lines would.
    logging.getLogger("sipcore").addHandler(logging.NullHandler())
    logging.getLogger("sipcore").propagate = False
    try:
        account = make_account(options, read_password(options.password_file))
    except ConfigError as error:
        value = f" {visible(redact_uri(str(error.value)), 300)}" if error.value != "" else ""
        print(f"sipcore: {error.option}{value}: {error.expected}", file=sys.stderr)
        return codes.USAGE
    line, code = trio.run(_probe, account, options.timeout)
    print(line)
    return code


def read_password(path: str | None) -> Secret | None:
    """The first line of the file, else the environment's SIPCORE_PASSWORD, else none. Raises `ConfigError`."""
    if path is None:
        text = os.environ.get(PASSWORD_VARIABLE)
        return None if text is None else Secret(text)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.readline(MAX_PASSWORD + 1).rstrip("\r\n")
    except OSError as error:
        raise ConfigError("--password-file", path, error.strerror or str(error)) from None
    if len(text) > MAX_PASSWORD:
        raise ConfigError("--password-file", path, f"a first line of at most {MAX_PASSWORD} characters, the password")
    if not text:
        raise ConfigError("--password-file", path, "empty, or its first line is; the password has to stand there")
    exposed = check_permissions(path)
    if exposed is not None:
        print(f"sipcore: warning: {exposed}", file=sys.stderr)
    return Secret(text)


def make_account(options: argparse.Namespace, password: Secret | None) -> Account:
    """The registration that the arguments describe. Raises `ConfigError`."""
    try:
        uri = Uri.parse(options.uri)
    except RemoteProtocolError:
        raise ConfigError("URI", redact_uri(options.uri), "a registrar such as sip:example.com") from None
    if uri.opaque or uri.user is not None:
        raise ConfigError("URI", redact_uri(options.uri), "a registrar without a user, such as sip:example.com")
    for option, value in (("--user", options.user), ("--auth-user", options.auth_user)):
        if value == "":
            raise ConfigError(option, value, "must not be empty")
    if not 1 <= options.expires <= MAX_EXPIRES:
        raise ConfigError("--expires", options.expires, f"a whole number of seconds, from 1 to {MAX_EXPIRES}")
    timeout = max(0.001, min(options.timeout, MAX_TRANSACTION))
    transport = None if options.transport is None else Transport(protocol=Protocol(options.transport.upper()))
    return Account(
        f"{uri.scheme}:{escape_user(options.user)}@{uri.host}",
        registrar=str(uri),
        username=None if password is None else options.auth_user or options.user,
        password=password,
        expires=options.expires,
        transport=transport,
        user_agent="sipcore",
        timing=Timing(t1=min(0.5, timeout), timeout=timeout),
    )


async def _probe(account: Account, timeout: float) -> tuple[str, int]:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        attempt = _Attempt(account)
        async with trio.open_nursery() as nursery:

            async def obey() -> None:
                async for number in signals:
                    attempt.interrupted = attempt.interrupted or number
                    attempt.scope.cancel()

            nursery.start_soon(obey)
            await attempt.run(timeout)
            nursery.cancel_scope.cancel()
    return attempt.line(timeout), attempt.code()


class _Attempt:
    """One REGISTER, one un-REGISTER, and what came of both."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.interrupted = 0
        """The signal that ended it."""
        self.scope = trio.CancelScope()
        self._said: str | None = None
        """How registering succeeded."""
        self._cause: Cause | None = None
        """Why it failed, or why removing did."""
        self._removed = False
        self._news = trio.Event()

    async def run(self, timeout: float) -> None:
        """Takes at most `timeout` seconds and one of the two bounds of un-registering."""
        async with open_agent([self.account], on_event=self._on_event, leave_within=LEAVE_WITHIN) as agent:
            with self.scope:
                with trio.move_on_after(timeout + GRACE):
                    await self._news.wait()
                if self._said is None:
                    return
                with trio.move_on_after(REMOVE_WITHIN):
                    self._news = trio.Event()
                    agent.unregister(self.account.name)
                    await self._news.wait()

    def line(self, timeout: float) -> str:
        """What happened, in one line."""
        if self._said is not None:
            removed = "removed" if self._removed else f"not removed: {self._reason('no answer')}"
            text = f"{self._said}; {removed}"
        else:
            kind = (self._cause.kind if self._cause is not None else None) or "failed"
            text = f"{kind}: {self._reason(f'no answer within {timeout:g} s')}"
        return f"{self.account.aor}: {'interrupted: ' if self.interrupted else ''}{text}"

    def code(self) -> int:
        """The exit status."""
        if self.interrupted:
            return codes.interrupted(self.interrupted)
        if self._said is not None:
            return codes.OK if self._removed else codes.REMOVAL_FAILED
        return codes.probe_code(self._cause)

    def _reason(self, otherwise: str) -> str:
        return otherwise if self._cause is None else cause_line(self._cause)

    def _on_event(self, agent: Agent, event: Event) -> None:
        match event:
            case Registered() if self._said is None and self._cause is None:
                status = agent.status(event.name)
                where = f"{status.server} ({status.transport})" if status.server else "?"
                self._said = f"registered for {event.expires:.0f} s at {where}: {cause_line(status.cause)}"
            case Rejected(removal=False) if self._said is None and self._cause is None:
                self._cause = event.cause
            case Rejected(removal=True) if self._said is not None:
                self._cause = event.cause
            case Unregistered() if self._said is not None:
                self._removed = True
            case _:
                return
        self._news.set()
