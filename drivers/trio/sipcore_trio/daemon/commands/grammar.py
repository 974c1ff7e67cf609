"""What the grammars of all commands are made of: the parser, and the readers of values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import NoReturn, TypeAlias

from sipcore_trio.daemon import codes

__all__ = [
    "DISTRIBUTION",
    "PROFILE_NAMES",
    "Commands",
    "Parser",
    "Version",
    "add_control",
    "add_profile",
    "default_control",
    "number",
    "one_of",
    "seconds",
    "size",
    "whole",
]

DISTRIBUTION = "sipcore-registration"

PROFILE_NAMES = ("ASTERISK", "SIPCORE", "JSSIP")

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30}
"""By how many bits each shifts."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        # One line, like every other error; the usage is a --help away.
        self.exit(codes.USAGE, f"{self.prog}: {message} (try {self.prog} --help)\n")

    def option_names(self) -> list[str]:
        """All options of this command."""
        return [name for action in self._actions for name in action.option_strings]

    def has_commands(self) -> bool:
        """Whether there are commands below this one."""
        return any(isinstance(action, argparse._SubParsersAction) for action in self._actions)

    def command(self, name: str) -> Parser | None:
        """The command of that name below this one."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found = action.choices.get(name)
                return found if isinstance(found, Parser) else None
        return None


class Version(argparse.Action):
    """`--version`."""

    # An action of our own, since looking the version up costs more than all of the grammar.
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            text = version(DISTRIBUTION)
        except PackageNotFoundError:
            text = "(not installed)"
        print(f"sipcore {text}")
        parser.exit(codes.OK)


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""Where commands are added."""


def default_control() -> str:
    """Where the control socket is when nobody says: the user's runtime directory, else the system's."""
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR") or "/run", "sipcore.sock")


def add_control(command: argparse.ArgumentParser) -> None:
    """The option `--control`."""
    # argparse takes a percent sign in a help text for a name of its own.
    shown = default_control().replace("%", "%%")
    command.add_argument("--control", default=default_control(), metavar="PATH", help=f"default: {shown}")


def add_profile(command: argparse.ArgumentParser) -> None:
    """The option `--profile`."""
    command.add_argument(
        "--profile",
        type=one_of(*PROFILE_NAMES),
        default=PROFILE_NAMES[0],
        metavar="P",
        help=f"of a pjsip.conf: {', '.join(PROFILE_NAMES)}; default: {PROFILE_NAMES[0]}",
    )


def seconds(least: float) -> Callable[[str], float]:
    """A reader of seconds, at least `least` and more than 0."""
    valid = f"seconds, from {least} to 86400" if least else "seconds, more than 0 and at most 86400"

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(valid) from None
        if not (least <= value <= 86400 and value > 0):
            raise argparse.ArgumentTypeError(valid)
        return value

    return convert


def whole(text: str) -> int:
    """A whole number of seconds."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise argparse.ArgumentTypeError("a whole number of seconds")
    return int(text)


def number(text: str) -> int:
    """A step's number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) > 0):
        raise argparse.ArgumentTypeError("a step's number, from 1")
    return int(text)


def size(text: str) -> int:
    """Bytes, also with K, M or G behind."""
    digits, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    if unit not in _UNITS or not (digits.isascii() and digits.isdigit() and 0 < len(digits) <= 15) or not int(digits):
        raise argparse.ArgumentTypeError("bytes, such as 1048576, or with K, M or G behind, such as 256M")
    return int(digits) << _UNITS[unit]


def one_of(*names: str) -> Callable[[str], str]:
    """A reader of one of these words, in any case."""

    def convert(text: str) -> str:
        for name in names:
            if name.lower() == text.lower():
                return name
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names)}")

    return convert
