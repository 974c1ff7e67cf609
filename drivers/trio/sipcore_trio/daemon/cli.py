"""The command line: `sipcore run | show | send | reload | trace | record | replay | probe | registrar | demo`."""

from __future__ import annotations

import argparse
import difflib
import errno
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from sipcore_trio.daemon import codes
from sipcore_trio.daemon.commands import ADD
from sipcore_trio.daemon.commands.grammar import Parser, Version

__all__ = ["main", "parser"]

UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What is wrong with where the output goes, and not with us."""


REMOTE = re.compile(r"-[rRnvq]*+x")
"""How scripts call Asterisk: -rx, and with it what silences colours or asks for more words."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    if sys.stdout is None:  # started with a closed stdout
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for the whole process)
    code = codes.OK
    try:
        try:
            options = _parse(sys.argv[1:] if arguments is None else list(arguments))
            code = _call(options)
        finally:
            # Here and not at the interpreter's end, where nobody could say it better.
            sys.stdout.flush()
    except BaseException as error:
        excuse = _excuse(error)
        if excuse is None:
            raise
        return code or excuse
    return code


def parser() -> Parser:
    """The grammar of the command line."""
    top = Parser(prog="sipcore", description="Keeps SIP registrations alive.", allow_abbrev=False)
    top.add_argument("--version", action=Version, nargs=0, help="show the version and exit")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in ADD:
        add(commands)
    return top


def _call(options: argparse.Namespace) -> int:
    module, _, name = options.call.partition(":")
    code: int = getattr(import_module(module), name)(options)
    return code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    top = parser()
    if arguments and REMOTE.fullmatch(arguments[0]):
        arguments = ["asterisk", *arguments[1:]]
    command = _check_options(top, arguments)
    options, rest = top.parse_known_args(arguments)
    if rest:
        command.error(f"{len(rest)} argument{'' if len(rest) == 1 else 's'} too many")
    return options


def _check_options(top: Parser, arguments: Sequence[str]) -> Parser:
    # Before argparse looks: it would name the page of the wrong command, and print what may be a password.
    command = top
    for word in arguments:
        if word == "--":
            break
        if not word.startswith("-"):
            found = command.command(word)
            if found is None and command.has_commands():
                break  # No such command: argparse says which there are.
            command = found or command
        elif len(word) > 1 and " " not in word and not (word[1].isdigit() or word[1] == "."):
            name = word.partition("=")[0] if word.startswith("--") else word[:2]
            known = command.option_names()
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                command.error(f"no option {name}{f'; {near[0]} exists' if near else ''}")
    return command


def _excuse(error: BaseException) -> int | None:
    """The exit status for what is no fault of ours, also inside of groups; None for everything else."""
    if isinstance(error, BaseExceptionGroup):
        found = [_excuse(each) for each in error.exceptions]
        return None if None in found else max(code for code in found if code is not None)
    if isinstance(error, KeyboardInterrupt):
        return codes.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # `sipcore show ... | head` is no error.
        _drop_output()
        return codes.OK
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        _drop_output()
        with suppress(OSError):
            print(f"sipcore: cannot write: {error.strerror}", file=sys.stderr)
        return codes.FAILED
    return None


def _drop_output() -> None:
    # Without this the interpreter complains once more at exit about what it could not write.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
