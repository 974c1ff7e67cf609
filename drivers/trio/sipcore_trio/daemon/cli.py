"""The command line: `sipcore run | show | send | reload | trace | probe | registrar | demo`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from sipcore_trio.daemon import codes

__all__ = ["default_control", "main", "parser"]

PROFILE_NAMES = ("ASTERISK", "SIPCORE", "JSSIP")

MIN_DEMO = 3
"""Seconds: in less nothing can be refreshed, and no silence noticed."""

LOG_LEVELS = ("debug", "info", "warning", "error")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        return codes.INTERRUPTED
    except BrokenPipeError:
        # `sipcore show ... | head` is no error; without this the interpreter complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return codes.OK


def default_control() -> str:
    """Where the control socket is when nobody says: the user's runtime directory, else the system's."""
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR") or "/run", "sipcore.sock")


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    top = _Parser(prog="sipcore", description="Keeps SIP registrations alive.", allow_abbrev=False)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="keep the registrations of a pjsip.conf alive", allow_abbrev=False)
    run.add_argument("-c", "--config", required=True, metavar="FILE", help="pjsip.conf")
    run.add_argument("--profile", type=str.upper, choices=PROFILE_NAMES, default="ASTERISK", help="default: ASTERISK")
    _control(run)
    run.add_argument("--trace", action="store_true", help="print every message to stderr, credentials masked")
    run.add_argument(
        "--strict-permissions", action="store_true", help="refuse a file with secrets that others can read"
    )
    run.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="default: info; refreshes are debug")
    run.add_argument(
        "--stop-within", type=_seconds, metavar="S", help="how long un-registering may take (10, and 1 for every 500)"
    )

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

    probe = commands.add_parser("probe", help="register once, un-register, tell the outcome", allow_abbrev=False)
    probe.add_argument("uri", metavar="URI", help="the registrar, such as sip:example.com")
    probe.add_argument("--user", required=True, metavar="U", help="the user part of the address of record")
    probe.add_argument("--auth-user", metavar="NAME", help="the user name for authentication, if it differs")
    probe.add_argument("--password-file", metavar="FILE", help="else the environment's SIPCORE_PASSWORD")
    probe.add_argument("--expires", type=int, default=60, metavar="S", help="lifetime to ask for (60)")
    probe.add_argument("--transport", type=str.lower, choices=("udp", "tcp"), help="default: as the URI says")
    probe.add_argument("--timeout", type=_seconds, default=32.0, metavar="S", help="how long to wait for answers (32)")

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
    registrar.add_argument("--min-expires", type=int, metavar="S")
    registrar.add_argument("--max-expires", type=int, metavar="S")
    registrar.add_argument("--silent", action="store_true", help="answer nothing at all")
    registrar.add_argument("--log-level", choices=LOG_LEVELS, default="info")

    demo = commands.add_parser("demo", help="watch registrations live, all on this machine", allow_abbrev=False)
    demo.add_argument("--duration", type=_demo_seconds, default=15.0, metavar="S", help="default: 15")
    return top


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line, like every other error; the usage is a --help away.
        self.exit(codes.USAGE, f"{self.prog}: {message} (try {self.prog} --help)\n")


def _control(command: argparse.ArgumentParser) -> None:
    command.add_argument("--control", default=default_control(), metavar="PATH", help=f"default: {default_control()}")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError("seconds, more than 0 and at most 86400")
    return value


def _demo_seconds(text: str) -> float:
    value = float(text)
    if not MIN_DEMO <= value <= 86400:
        raise argparse.ArgumentTypeError(f"seconds, from {MIN_DEMO} to 86400")
    return value


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
    "probe": _probe,
    "registrar": _registrar,
    "demo": _demo,
}
