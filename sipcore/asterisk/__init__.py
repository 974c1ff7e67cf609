"""Asterisk's pjsip.conf as a source of accounts.

Theory of operation. A file and all that it includes become texts (`sources`), texts become lines without comments
(`lines`), lines become sections with their templates (`syntax`), and sections become checked options (`options`, by the
`tables` of what each type of object knows). Of these, `auths` and `transports` make what `registrations` need for their
frozen `Account`s, and `identification` the answer to who calls; a section of type wizard is first turned into the
ordinary sections that it stands for (`wizard`). `objects` goes through the text twice, since what a registration needs
may stand below it, and holds nothing of it: a file of ten thousand registrations never exists as a tree. Nothing here
opens a file: `load` is given somebody who reads (`Files`).

The same file means the same as in Asterisk, with one difference in spirit. Asterisk leaves out an object with a fault
and starts without it; here the first fault of an object, and the first option that nobody knows, refuses the whole
file, with file and line and, for a misspelling, the nearest valid word, so that a file either means what it says or
does nothing. What Asterisk passes over with a warning (a line without an equal sign, an unknown directive, a line that
is too long) is passed over here, too, and what it accepts but a reader of the file would not expect (octal numbers, a
boolean that is no boolean, a semicolon that ends a value) is accepted alike; both are told in
`Configuration.warnings`. What Asterisk knows and what has no meaning for registrations is read, checked and not used,
and what would change what is sent but is not supported yet is refused by name where a registration uses it. `examine`
says of each option which of these it is, and goes on behind a fault.

More lenient than Asterisk in two cases: without a transport object of the right kind the system chooses the local
address, where Asterisk could not send; and a transport that is named is used even when the URI says otherwise.
"""

from __future__ import annotations

from sipcore.asterisk.objects import examine, load, parse
from sipcore.asterisk.sources import Files
from sipcore.settings import Configuration

__all__ = ["Configuration", "Files", "examine", "load", "parse"]
