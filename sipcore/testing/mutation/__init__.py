"""Damaged messages without end, each with a number by which it can be had again, and what each has to survive.

Theory of operation. A *mutant* is a *base*, a message as a peer sends it, with one thing done to it, or a few:

* an *element*, a text or numeral on which parsers have failed, comes to a *field*: replaces it, or stands before it,
  behind it, or in its middle. The fields are found in the bytes: names, values, and every word of the start line, the
  values and the body, so parameters of challenges and attributes of XML are fields like all others;
* an *operation* changes the structure: headers go missing, stand twice, change places, forms and case; lines are
  folded, unfolded, split and merged; Content-Length says something else; the message is cut off, something is put in at
  every byte, bits are flipped, a second message follows.

`mutant(seed, number)` is a pure function. All that a base, a field and an element, or an operation and a place, can
make is numbered, and the seed walks through these numbers in an order of its own, so that a run of any length is spread
over all of it, runs of other seeds see other cases, and the two numbers are the whole case: what fails is shown by

    python -m sipcore.testing.mutation --seed S --number N --check

`examine` says what is promised of every mutant. It is read by everything that reads anything, and nothing but
`RemoteProtocolError` comes out; what was read is written and read again; a stream is cut into the same messages, with
the same end, however its bytes arrive; and a datagram is taken as the stream is (`delivery` has the table of what
either does when Content-Length is not exact). `examine_all` also looks at the CPU time of each.

To add

* a base: a row of `SIP_BASES`; its fields and places are found;
* an element: a row of one of the families in `elements`;
* an operation: a row of `OPERATIONS` in `structure`: how many places it has in some bytes, and what it does at one;
* another kind of message: a `Corpus` of its own bases. Whatever has a start line, headers and an empty line will do, as
  the answer to a WebSocket upgrade or the actions of a management interface have;
* a promise: a function in `reading` (of one message) or `delivery` (of the ways to it), called by `examine`.

A mutant's number holds for one version of this package: any of these additions gives the numbers to other cases.
"""

from __future__ import annotations

from sipcore.testing.mutation.bases import SIP_BASES, Base
from sipcore.testing.mutation.corpus import SIP, Corpus, Mutant, mutant
from sipcore.testing.mutation.examination import MAX_CPU, Examination, examine, examine_all
from sipcore.testing.mutation.reading import Violation

__all__ = [
    "MAX_CPU",
    "SIP",
    "SIP_BASES",
    "Base",
    "Corpus",
    "Examination",
    "Mutant",
    "Violation",
    "examine",
    "examine_all",
    "mutant",
]
