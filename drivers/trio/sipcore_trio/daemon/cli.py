"""The command line: `sipcore run | show | send | reload | trace | record | replay | probe | registrar | demo`."""

from __future__ import annotations

import argparse
import difflib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from sipcore_trio.daemon import codes

__all__ = ["default_control", "main", "parser"]

PROFILE_NAMES = ("ASTERISK", "SIPCORE", "JSSIP")

MIN_DEMO = 3
"""Seconds: in less nothing can be refreshed, and no silence noticed."""

LOG_LEVELS = ("debug", "info", "warning", "error")

DEFAULT_RECORD_LIMIT = 256 << 20
"""Bytes of a file of `--record`: some hundred thousand refreshes, and less than any disk for logs holds."""

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30}
"""By how many bits each shifts."""

DISTRIBUTION = "sipcore-registration"

UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What is wrong with where the output goes, and not with us."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    if sys.stdout is None:  # started with a closed stdout
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for the whole process)
    code = codes.OK
    try:
        try:
            options = _parse(sys.argv[1:] if arguments is None else arguments)
            code = _COMMANDS[options.command](options)
        finally:
            # Here and not at the interpreter's end, where nobody could say it better.
            sys.stdout.flush()
    except BaseException as error:
        excuse = _excuse(error)
        if excuse is None:
            raise
        return code or excuse
    return code


def default_control() -> str:
    """Where the control socket is when nobody says: the user's runtime directory, else the system's."""
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR") or "/run", "sipcore.sock")


def parser() -> _Parser:
    """The grammar of the command line."""
    top = _Parser(prog="sipcore", description="Keeps SIP registrations alive.", allow_abbrev=False)
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="keep the registrations of a pjsip.conf alive", allow_abbrev=False)
    run.add_argument("-c", "--config", required=True, metavar="FILE", help="pjsip.conf")
    run.add_argument(
        "--profile",
        type=_one_of(*PROFILE_NAMES),
        default=PROFILE_NAMES[0],
        metavar="P",
        help=f"{', '.join(PROFILE_NAMES)}; default: {PROFILE_NAMES[0]}",
    )
    _control(run)
    run.add_argument("--trace", action="store_true", help="print every message to stderr, credentials masked")
    run.add_argument(
        "--strict-permissions", action="store_true", help="refuse a file with secrets that others can read"
    )
    run.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="default: info; refreshes are debug")
    run.add_argument(
        "--stop-within",
        type=_seconds(0),
        metavar="S",
        help="how long un-registering may take (10, and 1 for every 500)",
    )

    run.add_argument(
        "--record",
        nargs="?",
        const="",
        metavar="FILE",
        help="write everything that happens to a new file, for sipcore replay (sipcore-<start>.jsonl)",
    )
    run.add_argument(
        "--record-limit",
        type=_size,
        default=DEFAULT_RECORD_LIMIT,
        metavar="SIZE",
        help="where --record stops: bytes, or with K, M or G behind (256M)",
    )
    run.add_argument("--no-ring", action="store_true", help="keep no recording of the last minutes in memory")

    show = commands.add_parser("show", help="show registrations", allow_abbrev=False)
    what = show.add_subparsers(dest="what", required=True, metavar="WHAT")
    every = what.add_parser("registrations", help="all of them", allow_abbrev=False)
    one = what.add_parser("registration", help="one of them in full", allow_abbrev=False)
    one.add_argument("name", metavar="NAME")
    for command in (every, one):
        command.add_argument("--json", action="store_true", help="fields as in Status, times as Unix seconds")
        _control(command)

    send = commands.add_parser("send", help="register or un-register now", allow_abbrev=False)
    send.add_argument("action", choices=("register", "unregister"))
    send.add_argument("name", metavar="NAME", help="a registration's name, or '*all'")
    _control(send)

    reload = commands.add_parser("reload", help="read the configuration again", allow_abbrev=False)
    _control(reload)

    trace = commands.add_parser("trace", help="print messages as they come and go", allow_abbrev=False)
    trace.add_argument("name", metavar="NAME", help="a registration's name, or '*all'")
    _control(trace)

    record = commands.add_parser("record", help="what the daemon recorded of the last minutes", allow_abbrev=False)
    doing = record.add_subparsers(dest="what", required=True, metavar="WHAT")
    dump = doing.add_parser("dump", help="write it to a file", allow_abbrev=False)
    dump.add_argument("file", nargs="?", default="", metavar="FILE", help="a new file, or - (sipcore-<now>.jsonl)")
    status = doing.add_parser("status", help="how much there is, and since when", allow_abbrev=False)
    for command in (dump, status):
        _control(command)

    replay = commands.add_parser("replay", help="play a recording back, or draw it", allow_abbrev=False)
    replay.add_argument("file", metavar="FILE", help="a recording, or - for stdin")
    shown = replay.add_mutually_exclusive_group()
    shown.add_argument("--step", action="store_true", help="show step by step what happens; Enter goes on, q ends")
    shown.add_argument("--ladder", action="store_true", help="draw a ladder diagram in text")
    shown.add_argument("--mermaid", action="store_true", help="draw a Mermaid sequence diagram")
    shown.add_argument("--pcap", metavar="FILE", help="write a packet capture to a new file, or -")
    replay.add_argument("--from", dest="first", type=_number, metavar="N", help="show from step N on")
    replay.add_argument("--to", dest="last", type=_number, metavar="M", help="show up to step M")
    replay.add_argument("--name", metavar="NAME", help="show one registration, and what concerns all")
    replay.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a registration's password is the first line of FILE; repeatable",
    )
    replay.add_argument("-c", "--config", metavar="FILE", help="take passwords from this pjsip.conf")

    probe = commands.add_parser("probe", help="register once, un-register, tell the outcome", allow_abbrev=False)
    probe.add_argument("uri", metavar="URI", help="the registrar, such as sip:example.com")
    probe.add_argument("--user", required=True, metavar="U", help="the user part of the address of record")
    probe.add_argument("--auth-user", metavar="NAME", help="the user name for authentication, if it differs")
    probe.add_argument("--password-file", metavar="FILE", help="else the environment's SIPCORE_PASSWORD")
    probe.add_argument("--expires", type=_whole, default=60, metavar="S", help="lifetime to ask for (60)")
    probe.add_argument("--transport", type=_one_of("udp", "tcp"), metavar="udp|tcp", help="default: as the URI says")
    probe.add_argument(
        "--timeout", type=_seconds(0), default=32.0, metavar="S", help="how long registering may take (32)"
    )

    registrar = commands.add_parser("registrar", help="run a registrar for tests", allow_abbrev=False)
    registrar.add_argument(
        "--listen",
        action="append",
        required=True,
        metavar="PROTOCOL:ADDRESS:PORT",
        help="udp:127.0.0.1:5070; repeatable",
    )
    registrar.add_argument(
        "--user", action="append", default=[], metavar="NAME:PASSWORD", help="repeatable; without any, nobody is asked"
    )
    registrar.add_argument("--realm", metavar="R", help="default: sipcore")
    registrar.add_argument("--min-expires", type=_whole, metavar="S")
    registrar.add_argument("--max-expires", type=_whole, metavar="S")
    registrar.add_argument("--silent", action="store_true", help="answer nothing at all")
    registrar.add_argument("--log-level", choices=LOG_LEVELS, default="info")

    demo = commands.add_parser("demo", help="watch registrations live, all on this machine", allow_abbrev=False)
    demo.add_argument("--duration", type=_seconds(MIN_DEMO), default=15.0, metavar="S", help="default: 15")
    return top


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line, like every other error; the usage is a --help away.
        self.exit(codes.USAGE, f"{self.prog}: {message} (try {self.prog} --help)\n")

    def option_names(self) -> list[str]:
        return [name for action in self._actions for name in action.option_strings]

    def command(self, name: str) -> _Parser | None:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found = action.choices.get(name)
                return found if isinstance(found, _Parser) else None
        return None


class _Version(argparse.Action):
    # An action of our own, since looking the version up costs more than all of the grammar.
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            text = version(DISTRIBUTION)
        except PackageNotFoundError:
            text = "(not installed)"
        print(f"sipcore {text}")
        parser.exit(codes.OK)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    top = parser()
    command = _check_options(top, arguments)
    options, rest = top.parse_known_args(arguments)
    if rest:
        command.error(f"{len(rest)} argument{'' if len(rest) == 1 else 's'} too many")
    return options


def _check_options(top: _Parser, arguments: Sequence[str]) -> _Parser:
    # Before argparse looks: it would name the page of the wrong command, and print what may be a password.
    command = top
    for word in arguments:
        if word == "--":
            break
        if not word.startswith("-"):
            command = command.command(word) or command
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


def _control(command: argparse.ArgumentParser) -> None:
    command.add_argument("--control", default=default_control(), metavar="PATH", help=f"default: {default_control()}")


def _seconds(least: float) -> Callable[[str], float]:
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


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise argparse.ArgumentTypeError("a whole number of seconds")
    return int(text)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) > 0):
        raise argparse.ArgumentTypeError("a step's number, from 1")
    return int(text)


def _size(text: str) -> int:
    digits, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    if unit not in _UNITS or not (digits.isascii() and digits.isdigit() and 0 < len(digits) <= 15) or not int(digits):
        raise argparse.ArgumentTypeError("bytes, such as 1048576, or with K, M or G behind, such as 256M")
    return int(digits) << _UNITS[unit]


def _one_of(*names: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        for name in names:
            if name.lower() == text.lower():
                return name
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names)}")

    return convert


def _run(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.run import run

    return run(options)


def _show(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.client import show

    return show(options)


def _send(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.client import send

    return send(options)


def _reload(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.client import reload

    return reload(options)


def _trace(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.client import trace

    return trace(options)


def _record(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.client import record

    return record(options)


def _replay(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.replaying import replay

    return replay(options)


def _probe(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.probe import probe

    return probe(options)


def _registrar(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.registrar import registrar

    return registrar(options)


def _demo(options: argparse.Namespace) -> int:
    from sipcore_trio.daemon.demo import demo

    return demo(options)


_COMMANDS = {
    "run": _run,
    "show": _show,
    "send": _send,
    "reload": _reload,
    "trace": _trace,
    "record": _record,
    "replay": _replay,
    "probe": _probe,
    "registrar": _registrar,
    "demo": _demo,
}
