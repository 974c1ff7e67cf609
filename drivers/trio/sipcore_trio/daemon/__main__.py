"""`python -m sipcore_trio.daemon` is the command `sipcore`."""

from __future__ import annotations

import sys

from sipcore_trio.daemon.cli import main

if __name__ == "__main__":
    sys.exit(main())
