"""The registrations of one agent: which there are, how each is found, and who takes over from whom.

Theory of operation. There are three layers, each one class on top of the other. `directory.py` holds the registrations
by name; it finds one by the line token or the Contact that an inbound request came for, and keeps what they share:
texts, listeners and flows. `records.py` is what is stored of each for the next process, and what was found stored by
the one before. `succession.py` is about coming and leaving: a reload says which registrations there are to be, and here
each is found new, changed, renamed, replaced or removed; at the start records are taken over, or are orphans that
nobody claims.

Conflicts, and how they are settled:

* A name may be in use again before the binding of the one that had it is gone. The old one is *former* then: it goes on
  without the name until its binding is removed.
* Two registrations of one Contact would race, and the later of their requests to arrive would win. So whoever adds
  again what is still being removed gets that one back, and requests stay in order.
* After a change of address of record or registrar the new binding comes first, and the old one goes when it stands;
  should the two be one binding to the registrar, nothing is removed.
* A record is forgotten only when nobody needs it: not when another registration has stored its own under that name.

`UserAgent` is the layer above them. They are layers and not parts, since what they keep is one state: a recording holds
it as that of the agent.
"""

from __future__ import annotations

from sipcore.roster.directory import Directory
from sipcore.roster.succession import Succession

__all__ = ["Directory", "Succession"]
