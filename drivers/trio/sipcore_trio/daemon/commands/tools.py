"""The commands that need no daemon: `probe`, `registrar`, `demo`."""

from __future__ import annotations

from sipcore_trio.daemon.commands.grammar import Commands, one_of, seconds, whole
from sipcore_trio.daemon.commands.running import LOG_LEVELS

__all__ = ["add"]

MIN_DEMO = 3
"""Seconds: in less nothing can be refreshed, and no silence noticed."""


def add(commands: Commands) -> None:
    """Add the commands."""
    probe = commands.add_parser("probe", help="register once, un-register, tell the outcome", allow_abbrev=False)
    probe.add_argument("uri", metavar="URI", help="the registrar, such as sip:example.com")
    probe.add_argument("--user", required=True, metavar="U", help="the user part of the address of record")
    probe.add_argument("--auth-user", metavar="NAME", help="the user name for authentication, if it differs")
    probe.add_argument("--password-file", metavar="FILE", help="else the environment's SIPCORE_PASSWORD")
    probe.add_argument("--expires", type=whole, default=60, metavar="S", help="lifetime to ask for (60)")
    probe.add_argument("--transport", type=one_of("udp", "tcp"), metavar="udp|tcp", help="default: as the URI says")
    probe.add_argument(
        "--timeout", type=seconds(0), default=32.0, metavar="S", help="how long registering may take (32)"
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
    registrar.add_argument("--min-expires", type=whole, metavar="S")
    registrar.add_argument("--max-expires", type=whole, metavar="S")
    registrar.add_argument("--silent", action="store_true", help="answer nothing at all")
    registrar.add_argument("--log-level", choices=LOG_LEVELS, default="info")

    demo = commands.add_parser("demo", help="watch registrations live, all on this machine", allow_abbrev=False)
    demo.add_argument("--duration", type=seconds(MIN_DEMO), default=15.0, metavar="S", help="default: 15")
    probe.set_defaults(call="sipcore_trio.daemon.probe:probe")
    registrar.set_defaults(call="sipcore_trio.daemon.registrar:registrar")
    demo.set_defaults(call="sipcore_trio.daemon.demo:demo")
