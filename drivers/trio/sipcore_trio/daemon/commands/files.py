"""The commands that read files: `check`, `convert`, `schema`, `replay`."""

from __future__ import annotations

from sipcore_trio.daemon.commands.grammar import Commands, add_profile, number

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the commands."""
    check = commands.add_parser("check", help="what becomes of each option of a configuration", allow_abbrev=False)
    check.add_argument("-c", "--config", required=True, metavar="FILE", help="pjsip.conf, or a .toml")
    check.add_argument("--strict", action="store_true", help="an option that is read and not used is an error")
    check.add_argument("--quiet", action="store_true", help="leave out the options that are used")
    check.add_argument("--json", action="store_true", help="a list of objects")
    check.set_defaults(call="sipcore_trio.daemon.examining:check")

    convert = commands.add_parser("convert", help="a pjsip.conf as TOML, or TOML as a pjsip.conf", allow_abbrev=False)
    convert.add_argument("-c", "--config", required=True, metavar="FILE", help="pjsip.conf, or a .toml")
    convert.add_argument("-o", "--output", metavar="FILE", help="a new file; default: stdout")
    convert.add_argument("--secrets", action="store_true", help="write passwords into the text")
    convert.set_defaults(call="sipcore_trio.daemon.examining:convert")
    for command in (check, convert):
        add_profile(command)

    schema = commands.add_parser("schema", help="the JSON Schema of the TOML form", allow_abbrev=False)
    schema.set_defaults(call="sipcore_trio.daemon.examining:schema")

    replay = commands.add_parser("replay", help="play a recording back, or draw it", allow_abbrev=False)
    replay.add_argument("file", metavar="FILE", help="a recording, or - for stdin")
    shown = replay.add_mutually_exclusive_group()
    shown.add_argument("--step", action="store_true", help="show step by step what happens; Enter goes on, q ends")
    shown.add_argument("--ladder", action="store_true", help="draw a ladder diagram in text")
    shown.add_argument("--mermaid", action="store_true", help="draw a Mermaid sequence diagram")
    shown.add_argument("--pcap", metavar="FILE", help="write a packet capture to a new file, or -")
    replay.add_argument("--from", dest="first", type=number, metavar="N", help="show from step N on")
    replay.add_argument("--to", dest="last", type=number, metavar="M", help="show up to step M")
    replay.add_argument("--name", metavar="NAME", help="show one registration, and what concerns all")
    replay.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a registration's password is the first line of FILE; repeatable",
    )
    replay.add_argument("-c", "--config", metavar="FILE", help="take passwords from this pjsip.conf")
    replay.set_defaults(call="sipcore_trio.daemon.replaying:replay")
