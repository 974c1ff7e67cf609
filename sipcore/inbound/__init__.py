"""Requests that arrive: what the application handles, what is answered at once.

Theory of operation. `screening.py` decides by the request alone: a method that nobody knows is 501, malformed is 400,
a method that nobody handles 405 (OPTIONS has an answer of its own), an extension that nobody understands 420. All these
answers depend on nothing but the request, so they are sent without keeping anything: a copy gets the same bytes, To tag
included, and a flood fills no memory (RFC 3261 section 8.2.7). That holds for INVITE, too; the ACK to such a refusal is
dropped.

What the application handles starts a server transaction (`sipcore.transaction.server`), which absorbs copies, sends 100
when the answer takes long, and forgets the request when it takes too long. The application sees one `InboundRequest`
and answers with `respond`. `identify.py` finds the registration for which it came.

What cannot even be read has no headers to decide by. A user agent drops it and says so; a registrar does that, too,
and besides refuses it by `refusal.py` if it says enough of itself, since a client that hears nothing would repeat it.

Conflicts: an answer that comes after the transaction has ended, or a second one, is refused to the application and
never reaches the wire. The same request by two ways (RFC 3261 section 8.2.2.2) is given to the application once, the
other gets 482. A CANCEL that the application does not handle gets 481; one that it does handle is its own affair.
"""

from __future__ import annotations

from sipcore.inbound.identify import identify, line_of
from sipcore.inbound.inbound import Inbound, StatelessTags, answer_statelessly
from sipcore.inbound.refusal import refuse
from sipcore.inbound.screening import KNOWN_METHODS, Answer, allow, screen

__all__ = [
    "KNOWN_METHODS",
    "Answer",
    "Inbound",
    "StatelessTags",
    "allow",
    "answer_statelessly",
    "identify",
    "line_of",
    "refuse",
    "screen",
]
