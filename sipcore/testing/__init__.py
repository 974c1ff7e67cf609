"""Tools for tests: an agent's whole surroundings made of plain values, with a clock that only the test moves.

Theory of operation. A `World` is a clock and a network: names, addresses, datagrams, connections, and one queue of what
happens when. A `Station` is a driver on that network: it performs the commands of one endpoint, a `UserAgent` or a
`Registrar`, and keeps all that it put out. A `ScriptedPeer` is a server that answers by a list of steps. Whatever
travels passes the `Wire`, which loses, doubles, delays, reorders and cuts by its own seeded dice. `Line` puts an agent
and a scripted registrar together, `Pair` an agent and a real `Registrar`; most tests need nothing else.

Nothing here happens by itself: time passes in `World.run`, which `Line.sent`, `Line.told` and `run` call, and jumps to
the next thing that is due. In one instant what arrives comes before deadlines, and each in the order of its cause. So a
test says "nothing until 0.499, a copy at 0.5", and an equal test gives equal bytes.

The station also holds the endpoint to its contract: a deadline that stays in the past, a transmission on a closed flow,
or two sides that answer each other for ever without time passing raise `BrokenContract`.

`mutation` and `forgery` are other tools, which need no world: damaged messages by number, and what a parser has to do
with each; and responses that are right in all identities but one, which nothing may come of.

To add

* a fault of the network: append a function to `Wire.faults`; it gets each datagram and says what arrives of it, and
  when (nothing: lost; two: doubled; another text: damaged). It may look at time, addresses and content.
* a fault of the host: `World.unreachable`, `World.name_fails`, `Station.binding_fails`, `Station.transmitting_fails`,
  `Station.break_flow`, a changed `Station.ipv4`, `World.leap` for a machine that slept.
* a behaviour of a peer: a step. A step may be a function of the request, and an answer's `edit` has the last word about
  its bytes. Whole other peers take an address in `World.nodes` (datagrams) or `World.acceptors` (connections).
* a world of many: more stations and peers in one `World`; residents are asked in the order in which they came.
"""

from __future__ import annotations

from sipcore.testing.line import REGISTRAR, Line
from sipcore.testing.mutation import Mutant, Violation, examine, mutant
from sipcore.testing.pair import Pair
from sipcore.testing.peer import Answer, Received, ScriptedPeer, Step, challenge, ok
from sipcore.testing.station import Output, Station
from sipcore.testing.wire import Datagram, Fault, Wire
from sipcore.testing.world import BrokenContract, Connection, ConnectionUser, World

__all__ = [
    "REGISTRAR",
    "Answer",
    "BrokenContract",
    "Connection",
    "ConnectionUser",
    "Datagram",
    "Fault",
    "Line",
    "Mutant",
    "Output",
    "Pair",
    "Received",
    "ScriptedPeer",
    "Station",
    "Step",
    "Violation",
    "Wire",
    "World",
    "challenge",
    "examine",
    "mutant",
    "ok",
]
