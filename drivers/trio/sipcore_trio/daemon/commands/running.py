"""`sipcore run`."""

from __future__ import annotations

from sipcore_trio.daemon.commands.grammar import Commands, add_control, one_of, seconds, size

__all__ = ["LOG_LEVELS", "PROFILE_NAMES", "add"]

PROFILE_NAMES = ("ASTERISK", "SIPCORE", "JSSIP")

LOG_LEVELS = ("debug", "info", "warning", "error")

DEFAULT_RECORD_LIMIT = 256 << 20
"""Bytes of a file of `--record`: some hundred thousand refreshes, and less than any disk for logs holds."""


def add(commands: Commands) -> None:
    """Add the command."""
    run = commands.add_parser("run", help="keep the registrations of a pjsip.conf alive", allow_abbrev=False)
    run.add_argument("-c", "--config", required=True, metavar="FILE", help="pjsip.conf")
    run.add_argument(
        "--profile",
        type=one_of(*PROFILE_NAMES),
        default=PROFILE_NAMES[0],
        metavar="P",
        help=f"{', '.join(PROFILE_NAMES)}; default: {PROFILE_NAMES[0]}",
    )
    add_control(run)
    run.add_argument("--trace", action="store_true", help="print every message to stderr, credentials masked")
    run.add_argument(
        "--strict-permissions", action="store_true", help="refuse a file with secrets that others can read"
    )
    run.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="default: info; refreshes are debug")
    run.add_argument(
        "--stop-within",
        type=seconds(0),
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
        type=size,
        default=DEFAULT_RECORD_LIMIT,
        metavar="SIZE",
        help="where --record stops: bytes, or with K, M or G behind (256M)",
    )
    run.add_argument("--no-ring", action="store_true", help="keep no recording of the last minutes in memory")
    run.set_defaults(call="sipcore_trio.daemon.run:run")
