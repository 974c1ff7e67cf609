"""Many registrations through the daemon: time until all stand, CPU, memory, and whether we caused retransmissions.

The daemon is a process of its own with a `pjsip.conf` of N registrations, the embedded registrar another. A run with
one registration gives what an idle daemon costs, and is taken away from the others. Memory is the resident set
`--settle` seconds after the last 200; the best of `--runs` counts. Times are compared within one run only, and CPU as
a ratio to the floor of `floor.py`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.floor import measure_floor
from benchmarks.peer import PASSWORD, REALM, registrar

MEMORY_BAR = 6 * 1024
"""Bytes for each registration, at most."""
GROWTH_BAR = 1.25
"""CPU for each registration at the greatest count against that at the smallest, at most."""

PATIENCE = 600.0
"""Seconds after which a run counts as failed."""

_HEAD = """[global]
type = global
user_agent = benchmark

[udp]
type = transport
protocol = udp
bind = 127.0.0.1:0
"""

_ACCOUNT = """
[{name}]
type = registration
transport = udp
server_uri = sip:127.0.0.1:{port}
client_uri = sip:{name}@{realm}
contact_user = {name}
outbound_auth = {name}
max_random_initial_delay = 0

[{name}]
type = auth
username = {name}
password = {password}
"""


class Result(NamedTuple):
    """One run."""

    registrations: int
    seconds: float
    cpu: float
    rss: int
    copies: int


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default="1000,10000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--settle", type=float, default=60.0)
    arguments = parser.parse_args()
    counts = [int(text) for text in arguments.counts.split(",")]
    floor = measure_floor()
    idle = _best([_run(1, arguments.settle) for _ in range(min(arguments.runs, 3))])
    print(f"floor {floor * 1e6:.1f} us")
    print(f"a daemon with one registration: {idle.cpu:.2f} s of CPU, {idle.rss / 2**20:.1f} MiB")
    print(f"{'N':>6} {'all after':>10} {'CPU':>8} {'us each':>8} {'x floor':>8} {'bytes each':>11} {'copies':>7}")
    missed = False
    costs = []
    for count in counts:
        result = _best([_run(count, arguments.settle) for _ in range(arguments.runs)])
        each = (result.cpu - idle.cpu) / count
        memory = (result.rss - idle.rss) / count
        costs.append(each)
        print(
            f"{count:6} {result.seconds:8.2f} s {result.cpu:6.2f} s {each * 1e6:8.1f} {each / floor:8.1f} "
            f"{memory:11.0f} {result.copies:7}"
        )
        missed = missed or memory > MEMORY_BAR or result.copies > 0
    growth = costs[-1] / costs[0]
    print(f"CPU for each registration at {counts[-1]} is {growth:.2f} x that at {counts[0]} (bar {GROWTH_BAR} x)")
    return 1 if missed or growth > GROWTH_BAR else 0


def _best(results: list[Result]) -> Result:
    return Result(
        results[0].registrations,
        min(result.seconds for result in results),
        min(result.cpu for result in results),
        min(result.rss for result in results),
        # A retransmission in any run is one too many.
        max(result.copies for result in results),
    )


def _run(count: int, settle: float) -> Result:
    with registrar(count) as peer, tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "pjsip.conf"
        names = [f"user{number:05}" for number in range(count)]
        config.write_text(
            _HEAD
            + "".join(_ACCOUNT.format(name=name, port=peer.port, realm=REALM, password=PASSWORD) for name in names)
        )
        config.chmod(0o600)
        began = time.monotonic()
        daemon = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sipcore_trio.daemon",
                "run",
                "-c",
                str(config),
                "--control",
                str(Path(directory) / "control"),
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            while (counted := peer.counts())[0] < count:
                if daemon.poll() is not None or time.monotonic() - began > PATIENCE:
                    raise SystemExit(f"only {counted[0]} of {count} are registered")
                time.sleep(0.1)
            seconds = time.monotonic() - began
            cpu = _cpu(daemon.pid)
            time.sleep(settle)
            bound, requests, different = peer.counts()
            if bound < count:
                raise SystemExit(f"only {bound} of {count} stayed registered")
            return Result(count, seconds, cpu, _rss(daemon.pid), requests - different)
        finally:
            daemon.kill()
            daemon.wait()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    raise SystemExit(main())
