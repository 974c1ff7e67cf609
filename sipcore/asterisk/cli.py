"""Asterisk's command line as text: a command in, what Asterisk would print out.

Theory of operation. `run_command` splits a line as Asterisk's console does, finds the command in a table and answers at
once, with one exception: a reload takes its time and may fail, so `Output.reload` names what is to be reloaded, whoever
called does it, and `reloaded` says the rest. `sipcore -rx`, the AMI action Command and `show registrations --asterisk`
are three readers of the same texts.

The texts are those of Asterisk 22, to the byte. What differs is told in `docs/asterisk.md`; above all, no password is
printed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sipcore.asterisk.cli_text import (
    AUTH_HEADER,
    HEADER,
    NOTHING,
    TRANSPORT_HEADER,
    parameters,
    registration_row,
    registration_table,
    spell,
    split_words,
)
from sipcore.asterisk.patterns import Pattern
from sipcore.asterisk.rendering import View, auth_options, auths, registration_options, transport_name
from sipcore.auth.credentials import Credential
from sipcore.errors import LocalProtocolError
from sipcore.syntax.grammar import visible
from sipcore.values import format_address

__all__ = [
    "COMMANDS",
    "EVERY",
    "MAX_COMMAND",
    "MODULES",
    "Output",
    "complete",
    "known_module",
    "reloaded",
    "run_command",
]

EVERY: Final = "*all"
"""Stands for all registrations where one can be named."""

MAX_COMMAND: Final = 1024
"""Characters of a command: a command and a name; AMI has no longer lines either."""

MAX_ROUNDS: Final = 5_000_000
"""States of a regular expression times characters of all names, for one command: half a second of work. Matching is
linear, but ten thousand names and a thousand states are still more than a console may ask for."""

MODULES: Final = ("res_pjsip.so", "res_pjsip_outbound_registration.so", "res_pjsip_config_wizard.so")
"""The modules of Asterisk that would read the same configuration; to reload one is to reload all of it."""


Words = Sequence[str]


class Output(NamedTuple):
    """What a command printed."""

    text: str
    """Lines, each with its end."""
    ok: bool = True
    """False when Asterisk would say that the command failed."""
    reload: tuple[str, ...] | None = None
    """The modules to reload before `reloaded` says the rest; empty for all."""


class Command(NamedTuple):
    """One command of the table."""

    run: Callable[[Words, View, float], Output]
    """Gets the words behind the command's own, what is looked at, and the time."""
    usage: str
    """What `core show help` prints."""
    names: bool = False
    """A registration's name follows."""
    every: bool = False
    """... or `*all`."""


def run_command(line: str, view: View, *, now: float) -> Output:
    """Run one command line."""
    if len(line) > MAX_COMMAND:
        return Output(f"A command has at most {MAX_COMMAND} characters.\n", ok=False)
    words = split_words(line)
    if not words:
        return Output("")
    found = _find(words)
    if found is None:
        shown = visible(line.strip(), MAX_COMMAND)
        best = visible(" ".join(_best(words)), MAX_COMMAND)
        text = f"No such command '{shown}' (type 'core show help {best}' for other possible commands)\n"
        return Output(text, ok=False)
    output = COMMANDS[found].run(words[len(found.split()) :], view, now)
    if not output.ok and not output.text.startswith("Usage: "):
        return output._replace(text=f"{output.text}Command '{visible(line.strip(), MAX_COMMAND)}' failed.\n")
    return output


def reloaded(modules: tuple[str, ...], error: str | None) -> Output:
    """What a command prints when its reload is done; `error` says why it was refused, in which case nothing changed."""
    if error is not None:
        reason = visible(error, 1000)
        text = "".join(f"The module '{module}' reported a reload failure\n" for module in modules)
        return Output(f"{text}{reason}\n", ok=False)
    return Output("".join(f"Module '{module}' reloaded successfully.\n" for module in modules))


def complete(line: str, view: View) -> list[str]:
    """The words that could stand at the end of an unfinished line, as the Tab key offers them."""
    words = split_words(line)[:-1] if line and not line[-1].isspace() else split_words(line)
    start = "" if not line or line[-1].isspace() else split_words(line)[-1]
    found = _find(words)
    if found is not None and len(words) == len(found.split()):
        command = COMMANDS[found]
        names = [name for name in sorted(view.names()) if name.startswith(start)] if command.names else []
        # Only on an empty word, as in Asterisk: whoever began to type a name does not mean all.
        if command.names or not _continued(words):
            return [EVERY, *names] if command.every and not start else names
    offered = {
        command.split()[len(words)]: None
        for command in COMMANDS
        if len(command.split()) > len(words)
        and command.split()[: len(words)] == [word.lower() for word in words]
        and command.split()[len(words)].startswith(start.lower())
    }
    return sorted(offered)


def known_module(word: str) -> str | None:
    """The module that is meant, with its ending; None when there is no such module here."""
    module = word.lower().removesuffix(".so") + ".so"
    return module if module in MODULES else None


# --- the commands ----------------------------------------------------------------------------------------------------


def _registrations(words: Words, view: View, now: float) -> Output:
    names = sorted(view.names())
    if words:
        if len(words) != 2 or words[0].lower() != "like":
            return _usage("pjsip show registrations")
        try:
            names = _matching(names, words[1])
        except ValueError as error:
            shown = visible(words[1])
            return Output(f"The regular expression '{shown}' cannot be used: {error}.\n", ok=False)
    return Output("".join(registration_table(_rows(names, view, now))))


def _rows(names: Iterable[str], view: View, now: float) -> Iterator[str]:
    for name in names:
        try:
            began = view.began(name)
            yield registration_row(view.account(name), view.written(name), view.status(name), now=now, began=began)
        except LocalProtocolError:
            continue  # removed since


def _matching(names: list[str], text: str) -> list[str]:
    pattern = Pattern(text)
    if pattern.size * sum(len(name) + 1 for name in names) > MAX_ROUNDS:
        raise ValueError("too large for so many names; write it with fewer repetitions")
    return [name for name in names if pattern.search(name)]


def _registration(words: Words, view: View, now: float) -> Output:
    if not words:
        return Output("No object specified.\n", ok=False)
    name = words[0]
    try:
        account, status, began = view.account(name), view.status(name), view.began(name)
    except LocalProtocolError:
        return _unknown(name)
    written = view.written(name)
    options = registration_options(account, written)
    if written is not None and written.wizard:
        options["@pjsip_wizard"] = written.wizard
    row = registration_row(account, written, status, now=now, began=began)
    return Output(HEADER + row + parameters(options))


def _auth_list(words: Words, view: View, now: float) -> Output:
    found = _credentials(view)
    if not found:
        return Output(NOTHING)
    rows = [f"     Auth:  {name}/{found[name].username}\n" for name in sorted(found)]
    return Output(f"{AUTH_HEADER}{''.join(rows)}\nObjects found: {len(rows)}\n\n")


def _auth(words: Words, view: View, now: float) -> Output:
    if not words:
        return Output("No object specified.\n", ok=False)
    credential = _credentials(view).get(words[0])
    if credential is None:
        return _unknown(words[0])
    row = f"     Auth:  {words[0]}/{credential.username}\n"
    return Output(AUTH_HEADER + row + parameters(auth_options(credential)))


def _credentials(view: View) -> dict[str, Credential]:
    found: dict[str, Credential] = {}
    for name in view.names():
        try:
            found.update(auths(view.account(name), view.written(name)))
        except LocalProtocolError:
            continue
    return found


def _transports(words: Words, view: View, now: float) -> Output:
    rows: dict[str, str] = {}
    for name in view.names():
        try:
            account = view.account(name)
        except LocalProtocolError:
            continue
        transport = account.transport
        label = transport_name(account, view.written(name))
        if transport is not None and label:
            local = format_address(transport.local) if transport.local is not None else "0.0.0.0:0"
            rows[label] = f"Transport:  {label:<21}  {transport.protocol.lower():>6}  {0:>5}  {0:>5}  {local}\n"
    if not rows:
        return Output(NOTHING)
    return Output(f"{TRANSPORT_HEADER}{''.join(map(rows.__getitem__, sorted(rows)))}\nObjects found: {len(rows)}\n\n")


def _send_register(words: Words, view: View, now: float) -> Output:
    return _send(words, view, "register", view.register, "registration", "Re-register")


def _send_unregister(words: Words, view: View, now: float) -> Output:
    return _send(words, view, "unregister", view.unregister, "unregistration", "Unregister")


def _send(words: Words, view: View, command: str, method: Callable[[str], None], noun: str, every: str) -> Output:
    if len(words) != 1:
        return _usage(f"pjsip send {command}")
    if words[0] == EVERY:
        for name in view.names():
            try:
                method(name)
            except LocalProtocolError:
                continue  # just being removed
        return Output(f"{every} all queued\n")
    try:
        view.account(words[0])
    except LocalProtocolError:
        return Output(f"Unable to retrieve registration {visible(words[0])}\n", ok=False)
    try:
        method(words[0])
    except LocalProtocolError:
        return Output(f"Failed to queue {noun}\n", ok=False)
    return Output("")


def _pjsip_reload(words: Words, view: View, now: float) -> Output:
    return Output("", reload=MODULES[:2])


def _core_reload(words: Words, view: View, now: float) -> Output:
    return Output("", reload=())


def _module_reload(words: Words, view: View, now: float) -> Output:
    modules = []
    for word in words:
        module = known_module(word)
        if module is None:
            return Output(f"No such module '{visible(word)}'\n")
        modules.append(module)
    return Output("", reload=tuple(modules))


def _version(words: Words, view: View, now: float) -> Output:
    return Output(f"sipcore {view.version}, with the commands of Asterisk 22\n")


def _uptime(words: Words, view: View, now: float) -> Output:
    parts = (("System uptime", now - view.started), ("Last reload", now - view.loaded))
    if words:
        if [word.lower() for word in words] != ["seconds"]:
            return _usage("core show uptime")
        return Output("".join(f"{label}: {math.floor(max(age, 0.0))}\n" for label, age in parts))
    return Output("".join(f"{label}: {spell(age)}\n" for label, age in parts))


def _help(words: Words, view: View, now: float) -> Output:
    found = _find(words)
    if found is not None and len(found.split()) == len(words):
        return Output(COMMANDS[found].usage)
    # Without a topic all of them, with the beginning of one those that begin so.
    lines = [
        f"{name:>30} -- {command.usage.splitlines()[1].strip()}\n"
        for name, command in COMMANDS.items()
        if name.startswith(" ".join(words).lower())
    ]
    if not lines:
        return Output(f"No such command '{visible(' '.join(words), MAX_COMMAND)}'.\n", ok=False)
    return Output("".join(lines))


def _usage(name: str) -> Output:
    return Output(COMMANDS[name].usage, ok=False)


def _unknown(name: str) -> Output:
    # Asterisk does not count this as a failure.
    return Output(f"Unable to find object {visible(name)}.\n\n")


_LIST_USAGE = """\
Usage: pjsip {verb} registrations [ like <pattern> ]
       {what} the configured PJSIP Registrations
       Optional regular expression pattern is used to filter the list.
"""

COMMANDS: Final[Mapping[str, Command]] = {
    "core reload": Command(
        _core_reload, "Usage: core reload\n       Reads the configuration again and changes what changed.\n"
    ),
    "core show help": Command(_help, "Usage: core show help [topic]\n       Tells how a command is used.\n"),
    "core show uptime": Command(
        _uptime,
        "Usage: core show uptime [seconds]\n       Shows for how long this has been running, and since when with this "
        "configuration.\n",
    ),
    "core show version": Command(_version, "Usage: core show version\n       Shows the version of this program.\n"),
    "module reload": Command(
        _module_reload,
        "Usage: module reload [module ...]\n       Reads the configuration again; every module named here reads all "
        "of it.\n",
    ),
    "pjsip list registrations": Command(_registrations, _LIST_USAGE.format(verb="list", what="List")),
    "pjsip reload": Command(
        _pjsip_reload, "Usage: pjsip reload\n       Reads the configuration again and changes what changed.\n"
    ),
    "pjsip send register": Command(
        _send_register,
        "Usage: pjsip send register <registration> | *all \n"
        "       Unregisters the specified (or all) outbound registration(s) then starts registration(s) and schedules "
        "re-registrations.\n",
        names=True,
        every=True,
    ),
    "pjsip send unregister": Command(
        _send_unregister,
        "Usage: pjsip send unregister <registration> | *all\n"
        "       Unregisters the specified (or all) outbound registration(s) and stops future registration attempts.\n",
        names=True,
        every=True,
    ),
    "pjsip show auth": Command(_auth, "Usage: pjsip show auth <id>\n       Show the configured PJSIP Auth\n"),
    "pjsip show auths": Command(_auth_list, "Usage: pjsip show auths\n       Show the configured PJSIP Auths\n"),
    "pjsip show registration": Command(
        _registration,
        "Usage: pjsip show registration <id>\n       Show the configured PJSIP Registration\n",
        names=True,
    ),
    "pjsip show registrations": Command(_registrations, _LIST_USAGE.format(verb="show", what="Show")),
    "pjsip show transports": Command(
        _transports, "Usage: pjsip show transports\n       Show the configured PJSIP Transports\n"
    ),
}
"""The commands there are, in lower case."""

MAX_WORDS: Final = max(len(name.split()) for name in COMMANDS)


# --- finding a command ----------------------------------------------------------------------------------------------


def _find(words: Words) -> str | None:
    """The longest command that the words begin with."""
    for count in range(min(MAX_WORDS, len(words)), 0, -1):
        name = " ".join(words[:count]).lower()
        if name in COMMANDS:
            return name if _takes(name, words[count:]) else None
    return None


def _takes(name: str, rest: Words) -> bool:
    # `pjsip list registration good` is no command, although `pjsip list` begins one.
    return not rest or name not in _WITHOUT_WORDS


_WITHOUT_WORDS: Final = frozenset(
    {"core reload", "core show version", "pjsip reload", "pjsip show auths", "pjsip show transports"}
)


def _best(words: Words) -> Words:
    """The words up to the first that no command has there."""
    for count in range(1, len(words) + 1):
        if not _continued(words[:count]):
            return words[:count]
    return words


def _continued(words: Words) -> bool:
    start = " ".join(words).lower()
    return any(name.startswith(start) for name in COMMANDS)
