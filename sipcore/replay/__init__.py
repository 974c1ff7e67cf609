"""Recordings of what happened to an agent, and playing them back.

Theory of operation
===================

The core is a function of its inputs, its clock and its random numbers, so whoever has these has the run. A
`RecordingAgent` is a `UserAgent` that notes them while they happen, in a ring in memory or line by line in a file. A
recording begins with an exact image of the agent (`checkpoint`), so it need not begin with the process.

    RecordingAgent --dump, start_sink--> lines --read--> Recording --play--> identical, or the first Difference
    UserAgent --checkpoint--> lines --restore--> UserAgent

What is written goes by closed tables (`classes`): each class, each attribute, each type. Machines, which refer to each
other, become numbered nodes; values are written where they stand. The same tables serve for copying (`images`, quick,
since it happens in a running daemon), writing, reading and checking (`shapes`).

Secrets are not in it. A password is a label (`labels`), and what could serve to verify a guessed one is masked byte for
byte in all that came and went (`masking`). That changes nothing of the run: the core never looks at its own `response`,
and the one secret that arrives, `rspauth`, is replaced by the verdict (`proof`). Compared is what is masked, so a run
plays the same with secrets and without. What differs without them: `response` values are made from placeholders.

To people it is shown by renderers, which only look at steps: `listing` writes a line for each, `story` turns them into
scenes, which `ladder` and `mermaid` draw, and `pcap` makes packets of what `paths` knows about flows. What they show
came from a peer or a file, so it is made safe for terminals where it becomes text, in `story` and `listing`.

Limits
------
* What the reader of a file can still see: names, addresses, nonces, realms, call ids, bodies of messages.
* Equal passwords have equal labels, since the core compares them.
* A password in the From of a request that is answered at once is hashed into our To tag, which then differs.
* After a `nextnonce` a -sess algorithm goes on with the first nonce, which nobody keeps, so a `response` made with the
  true password is not the true one; it is masked in any case.

To add

* an attribute or a class to the core: its row in `classes.MACHINES`, or `VALUES` and `ENUMS`; a test names what is
  missing. If it is worked out from others, `REBUILT` and `reading` instead.
* an input: `inputs.INPUTS` and a method of `RecordingAgent`.
* a secret: its label in `labels`, its place in a message in `masking`.
* a command or an event: its scene in `story`; without one its class is named. A diagram: a module that draws scenes.
* anything that old readers would take for something else: the next number of `document.FORMAT`.
"""

from __future__ import annotations

from sipcore.errors import ReplayError
from sipcore.replay.checkpoints import checkpoint, restore
from sipcore.replay.document import FORMAT, VERSION, Ending
from sipcore.replay.player import Difference, Outcome, Played, compare, play
from sipcore.replay.recorder import RecordingAgent, RingStatus
from sipcore.replay.recording import Recording, Segment, read
from sipcore.replay.steps import Step

__all__ = [
    "FORMAT",
    "VERSION",
    "Difference",
    "Ending",
    "Outcome",
    "Played",
    "Recording",
    "RecordingAgent",
    "ReplayError",
    "RingStatus",
    "Segment",
    "Step",
    "checkpoint",
    "compare",
    "play",
    "read",
    "restore",
]
