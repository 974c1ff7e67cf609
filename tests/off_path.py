"""Twins: two agents with equal lives, one of which gets forgeries between any two things that happen.

Whatever the forgeries are, the twins stay equal: same outputs but for `MessageDropped`, same deadline, same dice, same
state, down to each object that can be reached. `forge` raises AssertionError, which names field, moment and the last
forgery, when one of these fails, or when a forgery is not reported.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import islice
from random import Random
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import NamedTuple

from sipcore.agent import UserAgent
from sipcore.commands import Transmit
from sipcore.config import Account
from sipcore.events import InboundRequest, InboundResponse, MessageDropped
from sipcore.flows import Flow
from sipcore.profiles import PROFILES
from sipcore.syntax.message import Request, parse_message
from sipcore.testing import Answer, Line, Step, challenge, ok
from sipcore.testing.forgery import FIELDS, forgeries
from sipcore.values import Address
from tests.accounts import TCP, account

__all__ = ["Sent", "Twins", "fingerprint", "forge"]

CLOSING = 110.0
"""Seconds after which the twins are told to close."""

LAST = 111.0
"""When the last forgeries come; the removals are in flight then."""

RECENT = 2
"""Requests of one registration that are forged answers to at once: the one in flight, and the one before."""

STRAY = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKstray\r\nFrom: <sip:a@h>;tag=a\r\nTo: <sip:a@h>;tag=b\r\n"
    b"Call-ID: c\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
)

Script = tuple[Step, ...]


def _later(delay: float, answer: Answer) -> Answer:
    return Answer(answer.status, answer.headers, answer.contact, provisional=answer.provisional, delay=delay)


# Each registration has a registrar of its own, so that each is in another state most of the time.
LIVES: tuple[tuple[Account, Address, Script], ...] = (
    (account("alice"), ("192.0.2.1", 5060), (_later(2.0, challenge()), _later(3.0, ok(40)))),
    (account("bob", registrar="sip:192.0.2.2"), ("192.0.2.2", 5060), ()),
    (
        account("carol", registrar="sip:192.0.2.3:5080"),
        ("192.0.2.3", 5080),
        (Answer(200, contact="{contact};expires=60", provisional=(100,), delay=6.0),),
    ),
    (
        account("dave", registrar="sip:192.0.2.4", transport=TCP),
        ("192.0.2.4", 5060),
        (_later(4.0, challenge(algorithm="SHA-256")), _later(5.0, ok(50))),
    ),
    (account("erin", registrar="sip:192.0.2.5", transport=TCP), ("192.0.2.5", 5060), ()),
    (
        account("frank", registrar="sip:[2001:db8::1]"),
        ("2001:db8::1", 5060),
        (Answer(423, ("Min-Expires: 7200",), delay=3.0), _later(1.0, ok(30))),
    ),
    (account("grace", registrar="sip:192.0.2.7", any_source=True), ("192.0.2.7", 5060), (_later(5.0, ok(20)),)),
    (
        account("heidi", registrar="sip:192.0.2.8", profile=PROFILES["ASTERISK"]),
        ("192.0.2.8", 5060),
        (_later(7.0, Answer(503, ("Retry-After: 5",))), _later(7.0, ok(60)), Answer(403, delay=3.0)),
    ),
)


class Sent(NamedTuple):
    """A request that an agent sent, and what its answers have to come by."""

    request: Request
    flow: int
    reliable: bool
    sent_to: Address
    local: Address
    any_source: bool
    state: str
    """Of its transaction; "over" when there is none any more."""


class Twins:
    """The two, at the same moment."""

    def __init__(self, seed: int, *, handles: Iterable[str] = ()) -> None:
        self.one = _line(seed, handles)
        """Gets the forgeries."""
        self.other = _line(seed, handles)
        self._compared = 0
        self._handles = bool(handles)

    @property
    def now(self) -> float:
        """Of both."""
        return self.one.now

    def until(self, moment: float) -> None:
        """Let both live on; at `CLOSING` they are told to close."""
        for line in (self.one, self.other):
            if line.now < CLOSING <= moment:
                line.run(CLOSING)
                line.agent.close(now=line.now)
            line.run(moment)

    def compare(self, what: str) -> None:
        """Raises AssertionError unless the twins are equal, in what they did since the last time and in what they are.

        Agents that hand requests over remember those; of them only what registrations show is compared.
        """
        one, other = self.one.agent, self.other.agent
        assert trace(self.one) == trace(self.other), f"other outputs after {what}"
        assert one.statuses() == other.statuses(), f"another status after {what}"
        assert one.random.getstate() == other.random.getstate(), f"dice were thrown after {what}"
        assert one.snapshot(now=self.now, wall=0.0) == other.snapshot(now=self.now, wall=0.0), f"after {what}"
        if not self._handles:
            assert one.next_deadline() == other.next_deadline(), f"another deadline after {what}"
            assert fingerprint(one) == fingerprint(other), f"another state after {what}"

    def hear(self, flow: int) -> None:
        """Let both get the same on a connection: who sends anything at all, forgeries included, shows that it lives."""
        for line in (self.one, self.other):
            line.agent.receive(flow, STRAY, now=self.now)
            assert isinstance(line.agent.next_output(), MessageDropped | InboundResponse)

    def other_flows(self, sent: Sent) -> list[int]:
        """Those that are open and not the request's."""
        return [flow.id for flow in self.one.agent.flows.values() if flow.id != sent.flow and flow.open]

    def can_be_wrong(self, sent: Sent, field: str) -> bool:
        """A connection has no other source than its flow, some accounts allow any, and some agents have one flow."""
        if field == "source":
            return not (sent.reliable or sent.any_source)
        return field != "flow" or bool(self.other_flows(sent))

    def sent(self) -> list[Sent]:
        """The last requests of each registration, in flight or not, whose flows are still open."""
        found: dict[str, dict[str, Sent]] = {}
        agent = self.one.agent
        for item in self.one.station.outputs:
            if not isinstance(item.output, Transmit) or not item.output.data.startswith(b"REGISTER "):
                continue
            flow = agent.flows.get(item.output.flow)
            message = parse_message(item.output.data)
            if flow is None or not isinstance(message, Request):
                continue
            user = message.to.uri.user or ""
            remote = item.output.remote or flow.remote
            assert remote is not None
            assert flow.local is not None
            branch = message.via.branch or ""
            transaction = agent.network.transactions.find(branch)
            state = "over" if transaction is None else str(transaction.state)
            sent = Sent(message, flow.id, flow.reliable, remote, flow.local, user == "grace", state)
            found.setdefault(user, {})[branch] = sent
        return [sent for branches in found.values() for sent in list(branches.values())[-RECENT:]]


def trace(line: Line) -> list[tuple[float, object]]:
    """What a life put out, and when, without what it dropped, and without what it said to those who asked it."""
    return [(item.at, item.output) for item in line.station.outputs if not _is_reply(item.output)]


def _is_reply(output: object) -> bool:
    if isinstance(output, Transmit):
        return output.data.startswith(b"SIP/2.0 ")
    return isinstance(output, MessageDropped | InboundRequest)


def forge(
    seed: int, count: int, *, fields: Iterable[str] = tuple(FIELDS), moments: int = 40
) -> Counter[tuple[str, str]]:
    """Two lives with `count` forgeries in the one; gives how many there were of each field and state of transaction."""
    random = Random(seed)
    twins = Twins(seed)
    fields = tuple(fields)
    told: Counter[tuple[str, str]] = Counter()
    # Early there is most to win: everything is in flight.
    times = sorted([0.0, LAST, *[LAST * random.random() ** 2 for _ in range(moments - 2)]])
    left = count
    for number, moment in enumerate(times):
        twins.until(moment)
        # Those that nobody waits for are the easy ones.
        chosen = [sent for sent in twins.sent() if sent.state != "over" or random.random() < 0.2]
        turns = [(sent, field) for sent in chosen for field in fields if twins.can_be_wrong(sent, field)]
        random.shuffle(turns)
        share = left // (moments - number)
        for turn, (sent, field) in enumerate(turns):
            size = (share * (turn + 1)) // len(turns) - (share * turn) // len(turns)
            done = _batch(twins, random, sent, field, size)
            told[field, sent.state] += done
            left -= done
        twins.compare(f"forgeries of seed {seed} at {moment}")
    twins.until(LAST + 100.0)
    twins.compare(f"all forgeries of seed {seed}")
    assert twins.one.agent.closed
    assert told.total() == count
    return told


def _batch(twins: Twins, random: Random, sent: Sent, field: str, size: int) -> int:
    """`size` forgeries of one field, with nothing between them."""
    agent, now = twins.one.agent, twins.now
    flows = [sent.flow] if field != "flow" else twins.other_flows(sent)
    deadline = agent.next_deadline()
    last = b""
    for turn, spoof in enumerate(
        islice(forgeries(random, sent.request, field, sent_to=sent.sent_to, local=sent.local), size)
    ):
        last = spoof.data
        agent.receive(flows[turn % len(flows)], last, spoof.source, now=now)
        assert agent.next_deadline() == deadline, f"another deadline after a wrong {field}:\n{last.decode()}"
    dropped = 0
    while (output := agent.next_output()) is not None:
        assert isinstance(output, MessageDropped), f"{output} after a wrong {field} at {now}, last:\n{last.decode()}"
        dropped += output.count
    assert dropped == size, f"of {size} with a wrong {field} {dropped} were told; the last:\n{last!r}"
    for number in flows if size else ():
        if agent.flows[number].reliable:
            twins.hear(number)
    return dropped


def _line(seed: int, handles: Iterable[str]) -> Line:
    line = Line(*[made for made, _, _ in LIVES], script=LIVES[0][2], seed=seed, handles=handles)
    for _, address, script in LIVES[1:]:
        line.serve(address, *script)
    line.register()
    return line


# --- state, as one number --------------------------------------------------------------------------------------------

_PLAIN = (str, bytes, int, float, bool, type(None), Enum)


def fingerprint(agent: UserAgent) -> str:
    """A digest of all that can be reached from an agent, but for what waits to be fetched."""
    texts: list[str] = []
    _walk(agent, {}, texts)
    return hashlib.blake2b("\n".join(texts).encode("utf-8", "surrogateescape")).hexdigest()


def _walk(value: object, seen: dict[int, int], texts: list[str]) -> None:
    """Write every value down once, in an order that depends on nothing but the values."""
    if isinstance(value, _PLAIN):
        texts.append(repr(value))
        return
    if id(value) in seen:
        texts.append(f"#{seen[id(value)]}")
        return
    seen[id(value)] = len(seen)
    texts.append(type(value).__qualname__)
    if isinstance(value, Random):
        texts.append(repr(hash(value.getstate())))
    elif isinstance(value, tuple | list | deque):
        for item in value:
            _walk(item, seen, texts)
    elif isinstance(value, set | frozenset):
        for item in sorted(value, key=_order):
            _walk(item, seen, texts)
    elif isinstance(value, dict):
        for key, item in value.items():
            _walk(key, seen, texts)
            _walk(item, seen, texts)
    elif isinstance(value, MethodType):
        texts.append(value.__func__.__qualname__)
        _walk(value.__self__, seen, texts)
    elif isinstance(value, type | FunctionType | BuiltinFunctionType):
        texts.append(value.__qualname__)
    elif isinstance(value, bytearray):
        texts.append(repr(bytes(value)))
    else:
        for name, item in _attributes(value):
            if not isinstance(value, Flow) or not _is_others(value, name):
                texts.append(name)
                _walk(item, seen, texts)


def _is_others(flow: Flow, name: str) -> bool:
    """Nothing looks at `heard_at` on UDP; on a connection the other twin has heard something, too. Whoever is answered
    on a connection puts off its next ping, which says no more than the answer."""
    return (name == "heard_at" and not flow.reliable) or name == "sent_at"


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    yield from vars(value).items() if hasattr(value, "__dict__") else ()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            full = f"_{kind.__name__.lstrip('_')}{name}" if name[:2] == "__" and name[-2:] != "__" else name
            if name != "__weakref__" and hasattr(value, full):
                yield name, getattr(value, full)


def _order(value: object) -> str:
    if isinstance(value, (*_PLAIN, tuple)):
        return repr(value)
    return str(getattr(value, "branch", type(value).__qualname__))
