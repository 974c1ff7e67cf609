"""What the command `sipcore` starts with; the command itself is `sipcore_trio.daemon`.

Theory of operation. The command is installed with the core, while trio, on which it runs, is an extra. So it begins in
a package that needs neither, and that can say what is missing. It also takes care of Ctrl-C while everything else is
being imported, when there is nothing to be ended yet.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
USAGE = 2
NEEDED = ("trio",)


def main() -> int:
    """Run the command and return its exit status; 2 when what it needs is not installed."""
    if sys.argv[1:2] == ["run"] and hasattr(signal, "SIGHUP"):
        # It means reload, and the file is about to be read anyway.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        # At once: an exception in the middle of an import can end anywhere.
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        from sipcore_trio.daemon.cli import main as command
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        print(
            f"sipcore: the command needs {error.name}: pip install 'sipcore-registration[daemon]'",
            file=sys.stderr,
        )
        return USAGE
    finally:
        signal.signal(signal.SIGINT, before)
    return command()
