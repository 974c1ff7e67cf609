"""The pieces of `bench_syntax`: messages, what is asked of a parser, and the parsers that are asked.

    messages    four kinds of message, ten thousand variants of each
    subjects    what a `Subject` can do, and two of them: the floor and sipcore
    peers       the Python libraries that are compared, each loaded only when it is there
    jssip       JsSIP, which runs and times itself inside Node
    checks      that all of them read and write the same, before anything is timed
    timing      how seconds are taken

`benchmarks/README.md` says what the figures mean.
"""

from __future__ import annotations
