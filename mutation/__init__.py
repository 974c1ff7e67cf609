"""Mutation testing: break the code in small ways, and see whether the tests notice.

    make mutation                                        # mutmut, then the tables, then the report
    mutmut run --max-children 1 'sipcore.auth.digest*'   # some functions
    mutmut show NAME                                     # what a mutant is
    python -m mutation tables sipcore/profiles.py        # the tables of one module
    python -m mutation report                            # the scores, once mutmut has run

mutmut, configured in `pyproject.toml`, breaks what stands in functions, and leaves the rest: tables of a module, values
of an enum, defaults of a NamedTuple, properties. Here these are the heart, so `tables` breaks them, too: an entry is
left out or gets the value of its neighbour, a number is one greater, a flag is turned over, a comparison shifted.

A mutant of `tables` is never written to a file. pytest is started in a process of its own with the plugin
`mutation.plant`, whose import hook compiles one module with the fault in it. `docs/mutation.md` holds the last scores
and says of each mutant that survived why it may. Not a part of CI: a run takes most of an hour.
"""

from __future__ import annotations

__all__: list[str] = []
