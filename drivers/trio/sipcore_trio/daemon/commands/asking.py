"""The commands that ask a running daemon: `show`, `watch`, `explain`, `send`, `reload`, `stop`, `trace`, `record`."""

from __future__ import annotations

from sipcore_trio.daemon.commands.grammar import Commands, add_control

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the commands."""
    show = commands.add_parser("show", help="show registrations", allow_abbrev=False)
    what = show.add_subparsers(dest="what", required=True, metavar="WHAT")
    every = what.add_parser("registrations", help="all of them", allow_abbrev=False)
    one = what.add_parser("registration", help="one of them in full", allow_abbrev=False)
    listing = commands.add_parser("list", help="show registrations, as show does", allow_abbrev=False)
    listed = listing.add_subparsers(dest="what", required=True, metavar="WHAT").add_parser(
        "registrations", help="all of them", allow_abbrev=False
    )
    one.add_argument("name", metavar="NAME")
    for command in (every, one, listed):
        form = command.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="fields as in Status, times as Unix seconds")
        form.add_argument("--asterisk", action="store_true", help="exactly as Asterisk's command line shows it")
        add_control(command)

    asterisk = commands.add_parser(
        "asterisk", help="a command of Asterisk's, as sipcore -rx COMMAND", allow_abbrev=False
    )
    asterisk.add_argument("line", nargs="+", metavar="COMMAND", help="such as pjsip show registrations")
    asterisk.set_defaults(call="sipcore_trio.daemon.client:asterisk")
    add_control(asterisk)

    watch = commands.add_parser("watch", help="follow changes as they happen", allow_abbrev=False)
    watch.add_argument("name", nargs="?", metavar="NAME", help="a registration's name; default: all")
    watch.add_argument("--json", action="store_true", help="one object a line for each change")
    add_control(watch)

    explain = commands.add_parser("explain", help="why a registration is in its state", allow_abbrev=False)
    explain.add_argument("name", metavar="NAME")
    explain.add_argument("--json", action="store_true", help="the same as one object")
    add_control(explain)

    send = commands.add_parser("send", help="register or un-register now", allow_abbrev=False)
    send.add_argument("action", choices=("register", "unregister"))
    send.add_argument("name", metavar="NAME", help="a registration's name, or '*all'")
    add_control(send)

    reload = commands.add_parser("reload", help="read the configuration again", allow_abbrev=False)
    add_control(reload)

    stop = commands.add_parser("stop", help="end the daemon as SIGTERM does", allow_abbrev=False)
    stop.add_argument("--unregister", action="store_true", help="remove the bindings, also of a daemon with --state")
    add_control(stop)

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
    listing.set_defaults(call="sipcore_trio.daemon.client:show")
    watch.set_defaults(call="sipcore_trio.daemon.watching:watch")
    explain.set_defaults(call="sipcore_trio.daemon.client:explain")
    send.set_defaults(call="sipcore_trio.daemon.client:send")
    reload.set_defaults(call="sipcore_trio.daemon.client:reload")
    stop.set_defaults(call="sipcore_trio.daemon.client:stop")
    trace.set_defaults(call="sipcore_trio.daemon.client:trace")
    record.set_defaults(call="sipcore_trio.daemon.client:record")
