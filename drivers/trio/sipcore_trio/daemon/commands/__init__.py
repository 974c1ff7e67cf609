"""The grammar of the command line, some commands in each module.

Each module has `add(commands)`. A command names what carries it out as `call="module:function"`, which is imported when
it is called: `--help` and a misspelt option need none of it. The function gets the options and returns the exit status.
"""

from __future__ import annotations

from collections.abc import Callable

from sipcore_trio.daemon.commands import asking, files, running, tools
from sipcore_trio.daemon.commands.grammar import Commands

__all__ = ["ADD"]

ADD: tuple[Callable[[Commands], None], ...] = (running.add, asking.add, files.add, tools.add)
"""In the order of `sipcore --help`."""
