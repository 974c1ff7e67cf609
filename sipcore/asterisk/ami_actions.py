"""The actions of AMI that there are: their rights, and what each answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from sipcore.asterisk.ami_text import Message, block, response
from sipcore.asterisk.cli import EVERY, Output, known_module, reloaded, run_command
from sipcore.asterisk.rendering import (
    AUTH_ORDER,
    REGISTRATION_ORDER,
    STATUS_WORDS,
    View,
    auth_options,
    auths,
    camel,
    registration_options,
)
from sipcore.errors import LocalProtocolError
from sipcore.syntax.grammar import visible
from sipcore.values import State

__all__ = ["ACTIONS", "AMI_VERSION", "Action", "AmiView", "Reply", "command_output", "privilege"]

AMI_VERSION: Final = "11.0.0"
"""Of Asterisk 22, whose texts these are; clients look at it."""


class AmiView(View, Protocol):
    """What AMI looks at beyond the command line."""

    def wall(self, moment: float) -> float:
        """A time on the clock of `now` as seconds since 1970."""

    def local(self, moment: float) -> tuple[str, str]:
        """A time on the clock of `now` as the local date and time of day: `2026-01-31`, `23:59:58`."""


class Reply(NamedTuple):
    """What an action leads to."""

    data: bytes = b""
    listing: Iterator[bytes] | None = None
    """More blocks, made as they are fetched."""
    reload: tuple[str, ...] | None = None
    """The modules to reload before `after` says the rest."""
    after: Callable[[str | None], bytes] | None = None
    """Gets None, or why the reload was refused."""


class Action(NamedTuple):
    """One action of the table."""

    name: str
    synopsis: str
    rights: tuple[str, ...]
    """Any of these classes of `write` is enough; none are needed when there are none."""
    run: Callable[[Message, AmiView, float], Reply] | None
    """None for those that the session itself answers."""


def privilege(rights: Iterable[str]) -> str:
    """How AMI writes a set of classes."""
    classes = tuple(rights)
    return ",".join((*classes, "all")) if classes else "<none>"


def command_output(message: Message, output: Output) -> bytes:
    """The answer to the action Command."""
    lines = output.text.split("\n")
    if lines[-1] == "":
        lines.pop()
    fields = [("Output", line) for line in lines]
    return response(message, "Success" if output.ok else "Error", "Command output follows", fields)


# --- what each answers -----------------------------------------------------------------------------------------------


def _ping(message: Message, view: AmiView, now: float) -> Reply:
    fields = [("Ping", "Pong"), ("Timestamp", f"{view.wall(now):.6f}")]
    return Reply(response(message, "Success", fields=fields))


def _command(message: Message, view: AmiView, now: float) -> Reply:
    line = message.get("command")
    if not line:
        return Reply(response(message, "Error", "No command provided"))
    output = run_command(line, view, now=now)
    if output.reload is None:
        return Reply(command_output(message, output))
    modules = output.reload
    return Reply(reload=modules, after=lambda error: command_output(message, reloaded(modules, error)))


def _core_status(message: Message, view: AmiView, now: float) -> Reply:
    started, loaded = view.local(view.started), view.local(view.loaded)
    fields = [
        ("CoreStartupDate", started[0]),
        ("CoreStartupTime", started[1]),
        ("CoreReloadDate", loaded[0]),
        ("CoreReloadTime", loaded[1]),
        ("CoreCurrentCalls", "0"),
        ("CoreProcessedCalls", "0"),
    ]
    return Reply(response(message, "Success", fields=fields))


def _core_settings(message: Message, view: AmiView, now: float) -> Reply:
    fields = [
        ("AMIversion", AMI_VERSION),
        ("AsteriskVersion", f"sipcore {view.version}"),
        ("SystemName", ""),
        ("CoreMaxCalls", "0"),
        ("CoreMaxLoadAvg", "0.000000"),
        ("CoreRunUser", ""),
        ("CoreRunGroup", ""),
        ("CoreMaxFilehandles", "0"),
        ("CoreRealTimeEnabled", "No"),
        ("CoreCDRenabled", "No"),
        ("CoreHTTPenabled", "No"),
    ]
    return Reply(response(message, "Success", fields=fields))


def _reload(message: Message, view: AmiView, now: float) -> Reply:
    module = message.get("module")
    if module and known_module(module) is None:
        return Reply(response(message, "Error", "No such module"))

    def after(error: str | None) -> bytes:
        if error is None:
            return response(message, "Success", "Module Reloaded")
        return response(message, "Error", f"An unknown error occurred: {visible(error, 800)}")

    return Reply(reload=(module,) if module else (), after=after)


def _register(message: Message, view: AmiView, now: float) -> Reply:
    return _send(message, view, view.register, "Reregistration", "registration")


def _unregister(message: Message, view: AmiView, now: float) -> Reply:
    return _send(message, view, view.unregister, "Unregistration", "unregistration")


def _send(message: Message, view: AmiView, method: Callable[[str], None], sent: str, noun: str) -> Reply:
    name = message.get("registration")
    if not name:
        return Reply(response(message, "Error", "Registration parameter missing."))
    if name == EVERY:
        for one in view.names():
            try:
                method(one)
            except LocalProtocolError:
                continue  # just being removed
        return Reply(response(message, "Success", f"{sent}s queued."))
    try:
        view.account(name)
    except LocalProtocolError:
        # Asterisk's text ends with a line end of its own.
        data = response(message, "Error", "Unable to retrieve registration entry")
        return Reply(data.removesuffix(b"\r\n\r\n") + b"\n\r\n\r\n")
    try:
        method(name)
    except LocalProtocolError:
        # Asterisk calls this a success, too.
        return Reply(response(message, "Success", f"Failed to queue {noun}"))
    return Reply(response(message, "Success", f"{sent} sent"))


def _show_registrations(message: Message, view: AmiView, now: float) -> Reply:
    text = "Following are Events for each Outbound registration"
    return Reply(response(message, "Success", text, event_list="start"), listing=_details(message, view, now))


def _details(message: Message, view: AmiView, now: float) -> Iterator[bytes]:
    identity = [("ActionID", message.action_id)] if message.action_id else []
    counts = {True: 0, False: 0}
    for name in sorted(view.names()):
        try:
            account, status = view.account(name), view.status(name)
        except LocalProtocolError:
            continue  # removed since
        written = view.written(name)
        options = registration_options(account, written)
        fields = [("Event", "OutboundRegistrationDetail"), *identity, ("ObjectType", "registration")]
        fields.append(("ObjectName", name))
        fields += [(camel(option), options[option]) for option in REGISTRATION_ORDER if option in options]
        planned = status.next_attempt_at
        # The truth, where Asterisk's is always 0: its timer is not the one that it looks at.
        left = 0 if planned is None else max(math.floor(planned) - math.floor(now), 0)
        fields += [("Status", STATUS_WORDS[status.state]), ("NextReg", str(left))]
        counts[status.state is State.REGISTERED] += 1
        blocks = [block(fields)]
        for auth, credential in auths(account, written):
            values = auth_options(credential)
            fields = [("Event", "AuthDetail"), *identity, ("ObjectType", "auth"), ("ObjectName", auth)]
            blocks.append(block([*fields, *((camel(option), values[option]) for option in AUTH_ORDER)]))
        yield b"".join(blocks)
    fields = [("Event", "OutboundRegistrationDetailComplete"), *identity, ("EventList", "Complete")]
    fields += [("ListItems", str(sum(counts.values()))), ("Registered", str(counts[True]))]
    yield block([*fields, ("NotRegistered", str(counts[False]))])


_SYSTEM = ("system", "reporting")

ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        action.name.lower(): action
        for action in (
            Action("Challenge", "Generate Challenge for MD5 Auth.", (), None),
            Action("Command", "Execute Asterisk CLI Command.", ("command",), _command),
            Action("CoreSettings", "Show PBX core settings (version etc).", _SYSTEM, _core_settings),
            Action("CoreStatus", "Show PBX core status variables.", _SYSTEM, _core_status),
            Action("Events", "Control Event Flow.", (), None),
            Action("ListCommands", "List available manager commands.", (), None),
            Action("Login", "Login Manager.", (), None),
            Action("Logoff", "Logoff Manager.", (), None),
            Action("Ping", "Keepalive command.", (), _ping),
            Action("PJSIPRegister", "Register an outbound registration.", _SYSTEM, _register),
            Action(
                "PJSIPShowRegistrationsOutbound", "Lists PJSIP outbound registrations.", _SYSTEM, _show_registrations
            ),
            Action("PJSIPUnregister", "Unregister an outbound registration.", _SYSTEM, _unregister),
            Action("Reload", "Send a reload event.", ("system", "config"), _reload),
        )
    }
)
"""By name in lower case, since names are compared without case; in the order of ListCommands."""
