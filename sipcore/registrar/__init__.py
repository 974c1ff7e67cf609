"""The server's rules: who may register what, for how long, and where users can be reached.

Theory of operation. A request comes to `Rules` when its identities have been checked and it is no copy. `rules.py` goes
through RFC 3261 section 10.3 step by step and stops at the first that refuses; `policy.py` holds the numbers, and
`location.py` the bindings. There is no machine: a REGISTER is decided at once, and nothing waits.

Conflicts, and how they are settled. Two clients of one address of record: each contact is a binding of its own, found
by the rules of URI comparison, pairwise, since they are not transitive and give no key. Two requests of one client that
overtake each other: within one Call-ID the higher CSeq wins, and a request that is late for one of its contacts changes
none. A request is done as a whole or not at all. A binding that lapses at the very moment of a request has lapsed.

Authentication comes before everything that depends on the address of record, so that strangers learn nothing about who
exists; among those who have a password, a wrong address is 404 and somebody else's is 403.
"""

from __future__ import annotations

from sipcore.registrar.location import Location, StoredBinding, canonical_aor
from sipcore.registrar.policy import RegistrarPolicy
from sipcore.registrar.rules import EXTENSIONS, Rules, Users

__all__ = ["EXTENSIONS", "Location", "RegistrarPolicy", "Rules", "StoredBinding", "Users", "canonical_aor"]
