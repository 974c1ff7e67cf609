"""Fuzz targets of the rooms that read what a peer sends, or what an operator writes and types, for atheris.

    make fuzz TARGET=uri SECONDS=60
    python -m fuzz framer --seconds 600 -- -max_len=9999   # what follows the dashes is libFuzzer's
    python -m fuzz framer --smoke                          # without atheris: the seeds, and some damaged ones

A target takes any bytes and asserts its invariant, which its docstring states. Seeds are the messages of the tests and
the files and lines of `texts`.
What libFuzzer finds worth keeping, and what it finds wrong, is kept in `.fuzz/`; `python -m fuzz TARGET -- FILE` runs
one input again.

`sipcore.testing.mutation` looks for faults with a generator that knows SIP, and runs in every test run; the fuzzer
knows nothing of SIP but which branches an input has reached, and runs as long as one lets it.
"""

from __future__ import annotations

__all__: list[str] = []
