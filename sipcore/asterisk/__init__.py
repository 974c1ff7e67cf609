"""Asterisk's pjsip.conf as a source of accounts.

Theory of operation. Text becomes sections (`syntax`: comments, templates, `file:line`), sections become checked
options (`options`: tables of what each type of object knows), and options become frozen `Account`s (`objects`). Nothing
here opens a file: `load` is given a function that reads.

The same file means the same as in Asterisk, with one difference in spirit. Asterisk skips what it does not understand
and starts without it; here the first thing that is wrong, unknown or not supported yet refuses the whole file, with the
file and the line and, for a misspelling, the nearest valid word, so that a file either means what it says or does
nothing. What Asterisk accepts but a reader of the file would not expect (octal numbers, a boolean that is no boolean,
a semicolon that ends a value) is accepted alike and told in `Configuration.warnings`.

More lenient than Asterisk in one case: without a transport object of the right kind the system chooses the local
address, where Asterisk could not send.
"""

from __future__ import annotations

from sipcore.asterisk.objects import load, parse
from sipcore.settings import Configuration

__all__ = ["Configuration", "load", "parse"]
