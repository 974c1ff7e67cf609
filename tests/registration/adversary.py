"""An agent with one registration in a world that does anything to it, and the promises that hold all the same.

The adversary answers each REGISTER by the next of its moves, over and over; so do its resolver and its network. The
clock is virtual. `World.run` raises AssertionError when a promise is broken.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from sipcore.agent import UserAgent
from sipcore.commands import OpenFlow, Record, Resolve, Transmit
from sipcore.config import Account
from sipcore.events import Event, Registered, Rejected, Unregistered
from sipcore.profiles import MAX_REQUESTS_PER_ATTEMPT, MAX_UNTRIED_CREDENTIALS, MIN_ATTEMPT_GAP, PROFILES
from sipcore.values import OutcomeClass, Phase, RecordKind, State
from tests.registration.laws import evenly

__all__ = ["FRESH", "HOSTILE", "Hostility", "World", "account", "answer", "hostilities"]

PASSWORD = "kanarienvogel-7"
REALMS = ("one", "two")
HA1S = [hashlib.md5(f"alice:{realm}:{PASSWORD}".encode()).hexdigest() for realm in REALMS]
LONGEST_ATTEMPT = MAX_REQUESTS_PER_ATTEMPT * (10.0 + 32.0 + 10.0 + 32.0)
"""Each request may cost a resolver that is mute, a connection that does not open, a source address, and timer F."""

Move = tuple[str, Any]


class World:
    """An agent with one registration, everything it meets, and a clock."""

    def __init__(
        self,
        account: Account,
        moves: Sequence[Move],
        *,
        resolver: Sequence[str] = ("ok",),
        network: Sequence[str] = ("ok",),
    ) -> None:
        self.agent = UserAgent([account], random=Random(7))
        self.account = account
        self.moves, self.resolver, self.network = moves, resolver, network
        self.now = 0.0
        self.turns = {"moves": 0, "resolver": 0, "network": 0}
        self.later: list[tuple[float, int, Callable[[], None]]] = []
        self.order = 0
        self.closing = False
        self.branches: set[str] = set()
        self.nonces: set[str] = set()
        self.attempt: list[float] = []
        self.untried = 0
        self.started = float("-inf")
        self.busy_since: float | None = None
        self.sent = 0
        self.successes = 0

    def run(self, until: float, steps: int) -> None:
        """Register, and let happen what happens."""
        self.agent.register(self.account.name, now=self.now)
        for _ in range(steps):
            self.drain()
            self.check()
            if not self.step(until):
                return

    def close(self) -> None:
        """Close the agent, and see that it ends, whatever the peer says to the removal."""
        self.closing = True
        self.agent.close(now=self.now)
        limit = self.now + 2 * LONGEST_ATTEMPT
        self.drain()
        while not self.agent.closed:
            assert self.step(limit), "not closed although nothing is left to wait for"
            self.drain()
        self.agent.handle_deadline(now=limit + 1e6)
        assert self.agent.next_output() is None

    def step(self, until: float) -> bool:
        """The next thing that happens; False when there is none before `until`."""
        times = [self.later[0][0]] if self.later else []
        deadline = self.agent.next_deadline()
        if deadline is not None:
            assert deadline >= self.now, "a deadline in the past would make a driver spin"
            times.append(deadline)
        if not times or min(times) > until:
            return False
        self.now = min(times)
        if self.later and self.later[0][0] <= self.now:
            heapq.heappop(self.later)[2]()
        else:
            self.agent.handle_deadline(now=self.now)
            after = self.agent.next_deadline()
            assert after is None or after > self.now
        return True

    def at(self, delay: float, action: Callable[[], None]) -> None:
        self.order += 1
        heapq.heappush(self.later, (self.now + delay, self.order, action))

    def turn(self, which: str) -> Any:
        """The next of a list that never ends."""
        items = getattr(self, which)
        self.turns[which] += 1
        return items[(self.turns[which] - 1) % len(items)]

    # --- what the agent wants ----------------------------------------------------------------------------------------

    def drain(self) -> None:
        while (output := self.agent.next_output()) is not None:
            if isinstance(output, Transmit):
                self.transmitted(output)
            elif isinstance(output, Resolve):
                self.asked(output)
            elif isinstance(output, OpenFlow):
                self.opening(output)
            if isinstance(output, Event):
                assert PASSWORD not in repr(output)
                self.told(output)

    def told(self, event: Event) -> None:
        """With the outcome of an attempt its requests are complete."""
        removed = isinstance(event, Unregistered) and event.cause.kind is OutcomeClass.REMOVED
        self.successes += isinstance(event, Registered)
        if isinstance(event, Registered | Rejected) or removed:
            self.attempt.clear()
            self.untried = 0
            self.busy_since = None

    def asked(self, query: Resolve) -> None:
        answer = "ok" if query.kind is RecordKind.SOURCE else self.turn("resolver")
        records = {"ok": [Record("192.0.2.1")], "two": [Record("192.0.2.1"), Record("192.0.2.2", 0.0)], "none": []}
        if answer in records:
            address = "192.0.2.9" if query.kind is RecordKind.SOURCE else ""
            found = [Record(address)] if address else records[answer] if query.kind is RecordKind.A else []
            self.at(0.0, lambda: self.agent.resolved(query.query, found, now=self.now))
        elif answer == "fail":
            self.at(0.5, lambda: self.agent.resolve_failed(query.query, "SERVFAIL", now=self.now))

    def opening(self, command: OpenFlow) -> None:
        answer = self.turn("network")
        if answer == "ok":
            local = ("0.0.0.0" if command.remote is None else "192.0.2.9", 40000)
            self.at(0.0, lambda: self.agent.flow_opened(command.flow, local, command.remote, now=self.now))
        elif answer == "refused":
            self.at(0.0, lambda: self.agent.flow_closed(command.flow, "refused", now=self.now))

    def transmitted(self, command: Transmit) -> None:
        text = command.data.decode()
        assert PASSWORD not in text
        assert not any(ha1 in text for ha1 in HA1S)
        if not text.startswith("REGISTER "):
            return
        headers = dict(line.split(": ", 1) for line in text.split("\r\n")[1:] if ": " in line)
        branch = headers["Via"].partition("branch=")[2]
        if branch in self.branches:
            return
        self.branches.add(branch)
        self.sent += 1
        self.count(headers)
        kind, value = self.turn("moves")
        remote = command.remote or ("192.0.2.1", 5060)
        if kind == "answer":
            data = self.answer(headers, value)
            self.at(value["delay"], lambda: self.agent.receive(command.flow, data, remote, now=self.now))
            if value.get("lost"):
                self.at(value["delay"] + 0.05, lambda: self.agent.flow_closed(command.flow, "reset", now=self.now))
        elif kind == "garbage":
            data = self.answer(headers, value).replace(b"\r\nCSeq", b"\r\nX", 1)[: value["cut"]]
            self.at(0.0, lambda: self.agent.receive(command.flow, data, remote, now=self.now))
        elif kind == "lost":
            self.at(0.1, lambda: self.agent.flow_closed(command.flow, "reset", now=self.now))
        elif kind == "unsent":
            self.at(0.0, lambda: self.agent.transmit_failed(command.flow, remote, "unreachable", now=self.now))
        elif kind == "application":
            self.at(0.2, lambda: self.interfere(value))

    def interfere(self, action: str) -> None:
        name = self.account.name
        if self.closing:
            return
        if action == "network changed":
            self.agent.network_changed(now=self.now)
        elif action == "register":
            self.agent.register(name, now=self.now)
        else:
            self.agent.unregister(name, now=self.now)
            self.agent.register(name, now=self.now)

    def answer(self, headers: dict[str, str], value: dict[str, Any]) -> bytes:
        lines = [f"SIP/2.0 {value['code']} X"]
        lines += [f"{name}: {headers[name]}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        for name, text in value["headers"]:
            own = headers["Contact"].partition(",")[0]
            lines.append(f"{name}: {text.replace('$OWN', own).replace('$NEW', f'n{self.sent}')}")
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()

    # --- the promises ------------------------------------------------------------------------------------------------

    def count(self, headers: dict[str, str]) -> None:
        """Never hammering: the gap between attempts, the requests of one, and those with credentials not tried yet."""
        if not self.attempt:
            assert self.now - self.started >= MIN_ATTEMPT_GAP - 1e-9
            self.started = self.now
        self.attempt.append(self.now)
        assert len(self.attempt) <= MAX_REQUESTS_PER_ATTEMPT
        credentials = headers.get("Authorization", "") + headers.get("Proxy-Authorization", "")
        nonces = set(re.findall(r'nonce="([^"]*)"', credentials))
        self.untried += not nonces <= self.nonces
        self.nonces |= nonces
        assert self.untried <= MAX_UNTRIED_CREDENTIALS
        assert self.sent <= MAX_REQUESTS_PER_ATTEMPT * (1 + self.now / MIN_ATTEMPT_GAP)

    def check(self) -> None:
        """Never stuck: a deadline, or an end with its cause; and an attempt ends."""
        status = self.agent.status(self.account.name)
        assert PASSWORD not in repr(status)
        if status.phase in (Phase.IDLE, Phase.WAITING):
            self.busy_since = None
            assert (status.next_attempt_at is None) == (status.phase is Phase.IDLE)
        elif self.busy_since is None:
            self.busy_since = self.now
        else:
            assert self.now - self.busy_since <= LONGEST_ATTEMPT
        if status.phase is not Phase.IDLE:
            assert self.agent.next_deadline() is not None
        else:
            assert self.account.profile.name != "SIPCORE", "it never gives up"
            assert status.state in (State.REJECTED, State.UNREGISTERED)
            assert status.cause is not None
            assert str(status.cause)


# --- what the adversary may do ---------------------------------------------------------------------------------------

NUMBERS = [
    "0",
    "1",
    "2",
    "5",
    "30",
    "60",
    "600",
    "3600",
    "604800",
    "604801",
    "4294967295",
    "99999999999",
    "abc",
    "-1",
    "",
]
CONTACTS = ["$OWN;expires=#", "$OWN", "$OWN;expires=#, <sip:bob@192.0.2.7>;expires=60", "<sip:bob@192.0.2.7>;expires=#"]
CONTACTS += ["<sip:bob@192.0.2.7>, <sip:carol@192.0.2.8>", "<sip:alice@203.0.113.1>;expires=#", "*", "<", "$OWN, $OWN"]
PLACES = [
    "<sip:192.0.2.3>",
    "<sip:192.0.2.4;transport=tcp>;q=0.5",
    "<sip:example.com>",
    "<sips:x>",
    "<sip:192.0.2.3>, <sip:192.0.2.4>",
]
CODES = [
    200,
    200,
    200,
    202,
    100,
    301,
    302,
    305,
    400,
    401,
    401,
    401,
    403,
    404,
    407,
    407,
    408,
    420,
    423,
    423,
    429,
    480,
    494,
]
CODES += [500, 501, 503, 503, 504, 600, 603, 699]


def challenge(random: Random) -> str:
    nonce = random.choice(["$NEW", "$NEW", "$NEW", "same", ""])
    parts = [
        f'realm="{random.choice(REALMS)}"',
        f'nonce="{nonce}"',
        random.choice(['qop="auth"', 'qop="auth,auth-int"', ""]),
    ]
    parts += [random.choice(["algorithm=MD5", "algorithm=SHA-256", "algorithm=MD5-sess", "algorithm=X", ""])]
    parts += [random.choice(["stale=true", "stale=TRUE", "stale=false", ""])]
    return "Digest " + ", ".join(filter(None, parts))


def headers(random: Random, code: int) -> list[tuple[str, str]]:
    found = []
    if code in (401, 407) or random.random() < 0.05:
        for _ in range(random.choice([1, 1, 1, 2, 0])):
            name = "WWW-Authenticate" if (code == 401) == (random.random() < 0.9) else "Proxy-Authenticate"
            found.append((name, challenge(random)))
    if code < 300 and random.random() < 0.9:
        found.append(("Contact", random.choice(CONTACTS).replace("#", random.choice(NUMBERS))))
    if 300 <= code < 400:
        found.append(("Contact", random.choice(PLACES)))
    if code == 423 and random.random() < 0.8:
        found.append(("Min-Expires", random.choice(NUMBERS)))
    for name, share in (("Retry-After", 0.3), ("Expires", 0.2)):
        if random.random() < share:
            found.append((name, random.choice(NUMBERS)))
    if code < 300 and random.random() < 0.3:
        found.append(("Authentication-Info", random.choice(['nextnonce="$NEW"', 'rspauth="x"', "=,=", 'nextnonce=""'])))
    return found


def move(random: Random) -> Move:
    kind = random.choices(["answer", "silence", "garbage", "lost", "unsent", "application"], [20, 2, 1, 2, 1, 1])[0]
    if kind == "application":
        return kind, random.choice(["network changed", "register", "unregister and register"])
    code = random.choice(CODES)
    return kind, {
        "code": code,
        "headers": headers(random, code),
        "delay": random.choice([0.0, 0.01, 0.01, 2.0]),
        "lost": random.random() < 0.1,
        "cut": random.choice([9999, 200, 40]),
    }


def several(random: Random, choices: Sequence[str]) -> list[str]:
    """What a resolver or a network does in turn; it works at first, so that there is something to lose."""
    return ["ok", *random.choices(choices, k=random.randrange(4))]


class Hostility(NamedTuple):
    """All that goes wrong in one run."""

    moves: list[Move]
    resolver: list[str]
    network: list[str]
    redirects: int
    line: bool


hostilities = evenly(
    Hostility,
    moves=lambda random: [move(random) for _ in range(random.randrange(1, 10))],
    resolver=lambda random: several(random, ["ok", "two", "none", "fail", "mute"]),
    network=lambda random: several(random, ["ok", "ok", "refused", "mute"]),
    redirects=[0, 5],
    line=[False, True],
)


def account(profile: str, **options: Any) -> Account:
    return Account("sip:alice@example.com", password=PASSWORD, profile=PROFILES[profile], **options)


def answer(code: int, *lines: tuple[str, str]) -> Move:
    return "answer", {"code": code, "headers": list(lines), "delay": 0.0}


STALE = answer(401, ("WWW-Authenticate", 'Digest realm="one", nonce="$NEW", qop="auth", stale=true'))
FRESH = answer(401, ("WWW-Authenticate", 'Digest realm="one", nonce="$NEW", qop="auth"'))
NEXT = answer(200, ("Contact", "$OWN;expires=2"), ("Authentication-Info", 'nextnonce="$NEW"'))
HOSTILE = {
    "every nonce is stale": [STALE],
    "every nonce is refused": [FRESH],
    "two proxies in turn": [
        answer(407, ("Proxy-Authenticate", f'Digest realm="{realm}", nonce="$NEW"')) for realm in REALMS
    ],
    "a next nonce that is stale": [FRESH, NEXT, STALE, STALE, STALE, STALE, STALE, STALE, NEXT],
    "the minimum grows": [answer(423, ("Min-Expires", str(number))) for number in range(700, 60000, 100)],
    "too brief and no minimum": [answer(423)],
    "too brief and stale in turn": [
        answer(423, ("Min-Expires", "700")),
        STALE,
        answer(423, ("Min-Expires", "800")),
        STALE,
    ],
    "retry after a second": [answer(503, ("Retry-After", "1"))],
    "retry after nothing": [answer(503, ("Retry-After", "0"))],
    "a grant of a second": [answer(200, ("Contact", "$OWN;expires=1"))],
    "a grant of nothing": [answer(200, ("Contact", "$OWN;expires=0"))],
    "somebody else's binding": [answer(200, ("Contact", "<sip:bob@192.0.2.7>;expires=60, <sip:bob@192.0.2.8>"))],
    "redirected in a ring": [answer(302, ("Contact", f"<sip:192.0.2.{n}>")) for n in (3, 4, 5, 3, 4, 5, 6)],
    "registered and cut off": [
        ("answer", {"code": 200, "headers": [("Contact", "$OWN;expires=3600")], "delay": 0.0, "lost": True})
    ],
    "cut off": [("lost", None)],
    "nothing can be sent": [("unsent", None)],
    "silence": [("silence", None)],
    "garbage": [("garbage", {"code": 200, "headers": [], "cut": 60})],
}
