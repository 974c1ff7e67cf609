"""`sipcore run`."""

from __future__ import annotations

from sipcore_trio.daemon.commands.addresses import listening_address, remote_address
from sipcore_trio.daemon.commands.grammar import Commands, add_control, add_profile, seconds, size

__all__ = ["LOG_LEVELS", "add"]

LOG_LEVELS = ("debug", "info", "warning", "error")

LOG_FORMATS = ("text", "json")

READY = ("all", "any", "none")
"""How many have to be registered for `/readyz`; none asks for no more than that the configuration is loaded."""

DEFAULT_RECORD_LIMIT = 256 << 20
"""Bytes of a file of `--record`: some hundred thousand refreshes, and less than any disk for logs holds."""


def add(commands: Commands) -> None:
    """Add the command."""
    run = commands.add_parser("run", help="keep the registrations of a configuration alive", allow_abbrev=False)
    run.add_argument("-c", "--config", required=True, metavar="FILE", help="pjsip.conf, or a .toml")
    add_profile(run)
    add_control(run)
    run.add_argument("--trace", action="store_true", help="print every message to stderr, credentials masked")
    run.add_argument(
        "--strict-permissions", action="store_true", help="refuse a file with secrets that others can read"
    )
    run.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="default: info; refreshes are debug")
    run.add_argument(
        "--log-format", choices=LOG_FORMATS, default="text", help="default: text; json is one object a line"
    )
    run.add_argument("--asterisk-log", action="store_true", help="log Asterisk's texts, too, for what looks for them")
    run.add_argument(
        "--state",
        metavar="DIR",
        help="remember registrations there; bindings then stay when the daemon ends, and are found again",
    )
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

    run.add_argument(
        "--metrics",
        type=listening_address,
        metavar="HOST:PORT",
        help="serve /metrics for Prometheus; :9100 is loopback",
    )
    run.add_argument(
        "--asterisk-metrics", action="store_true", help="with --metrics: Asterisk's own series besides ours"
    )
    run.add_argument("--statsd", type=remote_address, metavar="HOST:PORT", help="send Asterisk's gauges to StatsD")
    run.add_argument(
        "--health", type=listening_address, metavar="HOST:PORT", help="serve /healthz and /readyz; :9100 is loopback"
    )
    run.add_argument("--ready", choices=READY, help="with --health: how many have to be registered for /readyz (all)")
    run.add_argument("--manager", metavar="FILE", help="a manager.conf: answer AMI as it says, on loopback only")
    run.add_argument(
        "--ami", type=listening_address, metavar="HOST:PORT", help="with --manager: where; :5038 is loopback"
    )
    run.set_defaults(call="sipcore_trio.daemon.starting:run")
