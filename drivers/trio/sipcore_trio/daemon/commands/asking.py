"""The commands that ask a running daemon: `show`, `send`, `reload`, `trace`, `record`."""

from __future__ import annotations

from sipcore_trio.daemon.commands.grammar import Commands, add_control

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the commands."""
    show = commands.add_parser("show", help="show registrations", allow_abbrev=False)
    what = show.add_subparsers(dest="what", required=True, metavar="WHAT")
    every = what.add_parser("registrations", help="all of them", allow_abbrev=False)
    one = what.add_parser("registration", help="one of them in full", allow_abbrev=False)
    one.add_argument("name", metavar="NAME")
    for command in (every, one):
        command.add_argument("--json", action="store_true", help="fields as in Status, times as Unix seconds")
        add_control(command)

    send = commands.add_parser("send", help="register or un-register now", allow_abbrev=False)
    send.add_argument("action", choices=("register", "unregister"))
    send.add_argument("name", metavar="NAME", help="a registration's name, or '*all'")
    add_control(send)

    reload = commands.add_parser("reload", help="read the configuration again", allow_abbrev=False)
    add_control(reload)

    trace = commands.add_parser("trace", help="print messages as they come and go", allow_abbrev=False)
    trace.add_argument("name", metavar="NAME", help="a registration's name, or '*all'")
    add_control(trace)

    record = commands.add_parser("record", help="what the daemon recorded of the last minutes", allow_abbrev=False)
    doing = record.add_subparsers(dest="what", required=True, metavar="WHAT")
    dump = doing.add_parser("dump", help="write it to a file", allow_abbrev=False)
    dump.add_argument("file", nargs="?", default="", metavar="FILE", help="a new file, or - (sipcore-<now>.jsonl)")
    status = doing.add_parser("status", help="how much there is, and since when", allow_abbrev=False)
    for command in (dump, status):
        add_control(command)
    show.set_defaults(call="sipcore_trio.daemon.client:show")
    send.set_defaults(call="sipcore_trio.daemon.client:send")
    reload.set_defaults(call="sipcore_trio.daemon.client:reload")
    trace.set_defaults(call="sipcore_trio.daemon.client:trace")
    record.set_defaults(call="sipcore_trio.daemon.client:record")
