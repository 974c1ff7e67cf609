"""What it costs to read a `pjsip.conf` of ten thousand registrations: CPU time, and memory that is kept; and what a
reload of it costs an agent that has them all registered.

Four files that say the same: each registration and its auth written out, both from templates, the same brought in by
`#include` from a file for each hundred, and wizards. The bar is in seconds, as a reload has to be over in the time that
a person waits for; beside it stands what splitting the same text into lines and `name = value` takes, so that figures
of different machines can be compared.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Mapping, Sequence

from sipcore.asterisk import load, parse
from sipcore.settings import Configuration
from sipcore.testing import Pair
from sipcore.testing.wire import Wire

BARS = {"plain": 2.0, "templates": 2.0, "included": 2.0, "wizards": 4.0}
"""Seconds of CPU for `REGISTRATIONS`; a wizard makes five objects for each."""

REGISTRATIONS = 10_000

RELOAD_BARS = {"one changed": 0.2, "all changed": 1.0}
"""Seconds of CPU for `REGISTRATIONS`, in the agent alone: one line of one of them was edited, which sends one REGISTER,
or one of their template, which sends nothing."""

MEMORY_BAR = 3072
"""Bytes for each registration that stay when the file has been read: accounts and credentials, and no tree."""

HEAD = "[udp]\ntype = transport\nprotocol = udp\nbind = 0.0.0.0\n"

PLAIN = """\
[trunk{0}]
type = registration
transport = udp
outbound_auth = trunk{0}
server_uri = sip:sip.example.com
client_uri = sip:user{0}@example.com
contact_user = user{0}
retry_interval = 30
expiration = 600
[trunk{0}]
type = auth
auth_type = userpass
username = user{0}
password = secret{0}
"""

TEMPLATES = """\
[r](!)
type = registration
transport = udp
server_uri = sip:sip.example.com
retry_interval = 30
expiration = 600
[a](!)
type = auth
auth_type = userpass
"""

FROM_TEMPLATES = """\
[trunk{0}](r)
outbound_auth = trunk{0}
client_uri = sip:user{0}@example.com
contact_user = user{0}
[trunk{0}](a)
username = user{0}
password = secret{0}
"""

WIZARD = """\
[trunk{0}]
type = wizard
transport = udp
remote_hosts = sip.example.com
accepts_registrations = yes
sends_registrations = yes
sends_auth = yes
outbound_auth/username = user{0}
outbound_auth/password = secret{0}
registration/contact_user = user{0}
registration/retry_interval = 30
registration/expiration = 600
"""


class Directory:
    """Files by name."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = {name: text.encode() for name, text in files.items()}

    def read(self, name: str, /) -> bytes:
        """Raises `FileNotFoundError`."""
        if name not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        return self.files[name]

    def glob(self, pattern: str, /) -> Sequence[str]:
        """All files of the pattern's directory."""
        prefix = pattern.partition("*")[0]
        return [name for name in self.files if name.startswith(prefix)]


def main() -> int:
    """Print the figures; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registrations", type=int, default=REGISTRATIONS)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    count = arguments.registrations
    missed = False
    for name, files in _forms(count).items():
        directory = Directory(files)
        floor = min(_floor(files) for _ in range(arguments.runs))
        seconds = min(_seconds(directory, count) for _ in range(arguments.runs))
        memory = _memory(directory) / count
        bar = BARS[name] * count / REGISTRATIONS
        missed |= seconds > bar or memory > MEMORY_BAR
        print(
            f"{name:10}{seconds:6.2f} s for {count} (bar {bar:.2f} s), "
            f"{seconds / floor:5.1f} x the floor; {memory:6.0f} bytes kept for each (bar {MEMORY_BAR})",
            flush=True,
        )
    floor = min(_floor(_forms(count)["templates"]) for _ in range(arguments.runs))
    for name, seconds in _reloads(count, arguments.runs).items():
        bar = RELOAD_BARS[name] * count / REGISTRATIONS
        missed |= seconds > bar
        print(f"reload, {name}: {seconds:.3f} s for {count} (bar {bar:.3f} s), {seconds / floor:.1f} x the floor")
    return int(missed)


def _forms(count: int) -> dict[str, dict[str, str]]:
    each = [FROM_TEMPLATES.format(number) for number in range(count)]
    pieces = {f"r/{at:06}.conf": "".join(each[at : at + 100]) for at in range(0, count, 100)}
    return {
        "plain": {"pjsip.conf": HEAD + "".join(PLAIN.format(number) for number in range(count))},
        "templates": {"pjsip.conf": HEAD + TEMPLATES + "".join(each)},
        "included": {"pjsip.conf": HEAD + TEMPLATES + "#include r/*.conf\n", **pieces},
        "wizards": {
            "pjsip.conf": HEAD,
            "pjsip_wizard.conf": "".join(WIZARD.format(number) for number in range(count)),
        },
    }


def _floor(files: Mapping[str, str]) -> float:
    begun = time.process_time()
    for text in files.values():
        found: dict[str, str] = {}
        for line in text.split("\n"):
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
    return time.process_time() - begun


def _seconds(directory: Directory, count: int) -> float:
    gc.collect()
    begun = time.process_time()
    configuration = load("pjsip.conf", directory)
    taken = time.process_time() - begun
    assert len(configuration.accounts) == count
    return taken


def _reloads(count: int, runs: int) -> dict[str, float]:
    """Seconds of CPU by what changed, the least of some runs, each there and back."""
    text = _forms(count)["templates"]["pjsip.conf"].replace("sip:sip.example.com", "sip:example.com")
    edits = {
        "one changed": text.replace("contact_user = user0\n", "contact_user = user0\nexpiration = 700\n", 1),
        "all changed": text.replace("retry_interval = 30", "retry_interval = 31", 1),
    }
    before = parse(text).accounts
    users = {f"user{number}": f"secret{number}" for number in range(count)}
    # A latency, since all at one instant would be too much for the virtual world.
    pair = Pair(*before, users=users, wire=Wire(latency=0.01))
    pair.register(until=60.0)
    assert all(status.registered for status in pair.agent.statuses())
    least: dict[str, float] = {}
    for name, edited in edits.items():
        after = parse(edited).accounts
        for accounts in (after, before) * runs:
            gc.collect()
            begun = time.process_time()
            pair.agent.reload(accounts, now=pair.now)
            taken = time.process_time() - begun
            least[name] = min(taken, least.get(name, taken))
            pair.run(until=pair.now + 2.0)
    return least


def _memory(directory: Directory) -> float:
    gc.collect()
    tracemalloc.start()
    kept: Configuration = load("pjsip.conf", directory)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept.accounts
    return size


if __name__ == "__main__":
    raise SystemExit(main())
