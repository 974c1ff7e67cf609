"""Random lives of an agent in which most of what can happen does, from one seed: what recordings are tested with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any, Protocol

from sipcore.agent import UserAgent
from sipcore.auth import Algorithm, Credential
from sipcore.auth.computation import a2_hash, response
from sipcore.auth.fields import parse_fields
from sipcore.config import Account, Transport
from sipcore.errors import LocalProtocolError
from sipcore.events import InboundRequest
from sipcore.profiles import PROFILES, SIPCORE, Profile
from sipcore.replay import RecordingAgent
from sipcore.replay.document import Ending, Part, document
from sipcore.syntax.message import Request
from sipcore.testing import REGISTRAR, Answer, ScriptedPeer, Station, Step, Wire, World, challenge, ok
from sipcore.values import Protocol as TransportProtocol
from sipcore.values import Secret
from tests.secrecy import STEM, TOKEN

__all__ = [
    "CANARIES", "CuttingAgent", "Life", "Make", "OWN_PROFILE", "account", "all_secrets", "live", "password", "proving",
]  # fmt: skip

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "MESSAGE", "INFO")
REALM = "example.com"

TRANSPORTS = (
    None,
    Transport(protocol=TransportProtocol.TCP),
    Transport(protocol=TransportProtocol.TCP, local=("192.0.2.10", 5062), listen=True),
    Transport(local=("192.0.2.10", 5061)),
)

OWN_PROFILE = replace(SIPCORE, name="HOUSE", silence_rejects=True)
"""A profile that is none of ours."""

CANARIES = (f"{STEM}-7-", "5ec2e7-in-uri", TOKEN)
"""What stands in every secret of a life, but for hashes."""


class Make(Protocol):
    """How the agent of a life is made."""

    def __call__(self, accounts: Iterable[Account], *, random: Random, handles: Iterable[str], now: float) -> UserAgent:
        """An agent."""


def password(user: str) -> str:
    """The password of an account; each has its own, of which the canary knows H(A1)."""
    return CANARIES[0] + user


def all_secrets() -> dict[str, str]:
    """All secrets of a life by their labels."""
    secrets = {}
    for number in range(10):
        user = f"user{number}"
        secrets[f"{user}/password"] = password(user)
        secrets[f"{user}/ha1:MD5:{REALM}"] = Algorithm.MD5.hash(f"{user}:{REALM}:{password(user)}")
    return secrets


def account(random: Random, number: int) -> Account:
    """One of many kinds of account."""
    user = f"user{number}"
    profile: Profile = random.choice([*PROFILES.values(), OWN_PROFILE])
    options: dict[str, Any] = {"password": password(user)}
    if number % 4 == 3:
        digest = Secret(Algorithm.MD5.hash(f"{user}:{REALM}:{password(user)}"))
        options = {
            "credentials": (
                Credential(username=user, ha1=((Algorithm.MD5, digest),), realm=REALM),
                Credential(username=user, password=Secret(password(user))),
            )
        }
    return Account(
        f"sip:{user}@example.com",
        name=user,
        profile=profile,
        transport=random.choice(TRANSPORTS),
        registrar=random.choice([None, None, "sip:192.0.2.1", "sip:nowhere.example.net"]),
        line=random.random() < 0.3,
        redirects=random.choice([0, 2]),
        max_random_initial_delay=random.choice([0, 3]),
        supported=("path", "outbound"),
        expires=random.choice([60, 120, 600]),
        extra_headers=(("X-Room", "12"),),
        **options,
    )


class Life:
    """A world with one agent in it."""

    def __init__(self, make: Make, seed: int) -> None:
        self.random = random = Random(seed)
        self.world = World(
            start=random.choice([0.0, 1234.5]),
            wire=Wire(
                seed=seed,
                latency=random.choice([0.0, 0.03]),
                jitter=random.choice([0.0, 0.2]),
                loss=random.choice([0.0, 0.2]),
                duplication=random.choice([0.0, 0.1]),
                cut=random.random() < 0.7,
            ),
        )
        self.world.name("example.com", REGISTRAR[0], "192.0.2.2", ttl=random.choice([None, 5.0]))
        self.accounts = [account(random, number) for number in range(random.randint(1, 6))]
        self.agent = make(self.accounts, random=Random(seed + 1), handles=METHODS, now=self.world.now)
        self.station = Station(self.world, self.agent)
        self.peer = ScriptedPeer(self.world, REGISTRAR, [self.answer] * 500)
        self.second = ScriptedPeer(self.world, ("192.0.2.2", 5060), [self.answer] * 500)
        self._heard = 0
        self._requests = 0
        self._waiting: list[InboundRequest] = []
        for item in self.accounts:
            self.agent.register(item.name, now=self.now)

    @property
    def now(self) -> float:
        """The clock."""
        return self.world.now

    def move(self) -> None:
        """One thing happens, then some time passes."""
        action = self.random.choice(self.actions())
        with suppress(LocalProtocolError):
            action()
        self.world.run(self.now + self.random.choice([0.0, 0.01, 0.3, 1.0, 7.0, 40.0, 400.0]))

    def actions(self) -> list[Callable[[], object]]:
        """What can happen."""
        agent, random = self.agent, self.random
        name = random.choice([item.name for item in self.accounts])
        return [
            lambda: agent.register(name, now=self.now),
            lambda: agent.unregister(name, all=random.random() < 0.3, now=self.now),
            lambda: agent.remove(name, now=self.now),
            lambda: agent.add(account(random, random.randint(0, 9)), now=self.now),
            self.reload,
            lambda: agent.network_changed(now=self.now),
            lambda: agent.register("nobody", now=self.now),
            lambda: self.peer.close("connection reset"),
            lambda: self.break_flow(),
            lambda: self.ask(),
            lambda: self.ask(),
            lambda: self.answer_one(),
            lambda: self.garbage(),
            lambda: self.partial(),
            lambda: agent.handle_deadline(now=self.now - 1.0),
            lambda: agent.snapshot(now=self.now, wall=1.7e9),
            lambda: self.world.name_fails("example.com", random.choice([None, "no such name"])),
            lambda: self.station.transmitting_fails.update({REGISTRAR: "network is unreachable"}),
            self.station.transmitting_fails.clear,
            lambda: agent.send_raw(1, b"BYE sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n", REGISTRAR, now=self.now),
            lambda: agent.resolved(99, [], now=self.now),
            lambda: agent.transmit_failed(1, REGISTRAR, "no route", now=self.now),
            lambda: agent.handle_deadline(now=self.now),
        ]

    # --- the registrar ---------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer | int | None:
        """What the registrar says to one request."""
        random = self.random
        if request.expires == 0 and random.random() < 0.6:
            return Answer(200)
        if request.get("authorization") is None and random.random() < 0.7:
            return self.challenge()
        steps: list[Step] = [
            ok(random.choice([30, 60, 3600])),
            ok(60, "Authentication-Info: nextnonce=\"fresh{number}\""),
            proving(request, right=True),
            proving(request, right=False),
            self.challenge(),
            challenge(stale=True),
            challenge(407),
            Answer(423, ("Min-Expires: 700",)),
            Answer(503, ("Retry-After: 3",), provisional=(100,)),
            Answer(500, delay=2.0),
            403,
            404,
            Answer(302, contact="<sip:192.0.2.2:5060>"),
            None,
            ok(60, contacts=("<sip:other@192.0.2.77>;expires=50",)),
            Answer(200, close=True),
        ]
        chosen = random.choice(steps)
        assert isinstance(chosen, Answer | int | None)
        return chosen

    def challenge(self) -> Answer:
        """A challenge of some kind."""
        random = self.random
        return challenge(
            algorithm=random.choice([None, "MD5", "MD5-sess", "SHA-256", "SHA-256-sess"]),
            qop=random.choice([None, "auth", "auth-int", "auth,auth-int"]),
            nonce=random.choice(["{nonce}", "always the same"]),
        )

    # --- the application and the network ---------------------------------------------------------------------------

    def reload(self) -> None:
        """Another configuration."""
        self.accounts = [account(self.random, number) for number in self.random.sample(range(10), 3)]
        self.agent.reload(self.accounts, now=self.now)

    def break_flow(self) -> None:
        """A flow of the agent ends."""
        if self.station.flows:
            self.station.break_flow(self.random.choice(self.station.flows))

    def ask(self) -> None:
        """A request arrives, perhaps twice; some have credentials, or a password in a URI."""
        self._requests += 1
        random = self.random
        method = random.choice([*METHODS, "OPTIONS", "NOTIFY", "WONDER"])
        host = random.choice(["192.0.2.10", "user1@192.0.2.10", "x:5ec2e7-in-uri@192.0.2.10"])
        number = random.choice([self._requests, max(1, self._requests - 1)])
        text = (
            f"{method} sip:{host} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-in{number}\r\n"
            f"From: <sip:caller@example.com>;tag=c{number}\r\nTo: <sip:{host}>\r\nCall-ID: in{number}\r\n"
            f"CSeq: {number} {method}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 0\r\n\r\n"
        )
        self.arrive(text.encode())

    def arrive(self, data: bytes) -> None:
        """Bytes for the agent, by some way."""
        connections = [*self.peer.connections, *self.second.connections]
        if connections and self.random.random() < 0.5:
            self.random.choice(connections).send(data)
        elif self.random.random() < 0.3:
            self.world.connect(("192.0.2.50", 7000), ("192.0.2.10", 5062), lambda it: _Sending(it, data), _ignore)
        else:
            for host, port in self.station.sockets:
                address = ("192.0.2.10" if host in ("0.0.0.0", "::") else host, port)
                self.peer.send(data, address)
                self.peer.send(data, address)

    def garbage(self) -> None:
        """What is no message."""
        self.arrive(self.random.choice([b"\r\n\r\n", b"hello\r\n\r\n", b"\x00\x01\x00\x00", b"SIP/2.0 200 OK\r\n\r\n"]))

    def partial(self) -> None:
        """The beginning of a message, and no more."""
        data = b"MESSAGE sip:x:5ec2e7-in-uri@192.0.2.10 SIP/2.0\r\nFrom: <sip:y:5ec2e7-in-uri"
        for host, port in self.station.sockets:
            self.peer.send(data, ("192.0.2.10" if host in ("0.0.0.0", "::") else host, port))
        for connection in self.peer.connections[:1]:
            connection.send(data[:50])

    def answer_one(self) -> None:
        """The application answers one of the requests that it was told of, or tries to."""
        told = [item.output for item in self.station.outputs[self._heard :]]
        self._heard = len(self.station.outputs)
        self._waiting += [item for item in told if isinstance(item, InboundRequest)]
        if self._waiting:
            request = self.random.choice(self._waiting)
            status = self.random.choice([100, 180, 200, 404, 486])
            self.agent.respond(request, status, headers=[("X-Said", "so")], now=self.now)


class _Sending:
    """Who connects to the agent, says something, and listens no more."""

    def __init__(self, connection: Any, data: bytes) -> None:
        connection.send(data)

    def on_bytes(self, connection: Any, data: bytes) -> None:
        """Ignored."""

    def on_end(self, connection: Any, error: str | None) -> None:
        """Ignored."""


def _ignore(error: str) -> None:
    """Nobody listens."""


def proving(request: Request, *, right: bool) -> Answer:
    """A 200 that proves, or seems to prove, that the registrar knows the password."""
    value = request.get("authorization")
    if value is None:
        return ok(60)
    fields = parse_fields(value.partition(" ")[2])
    algorithm = Algorithm.parse(fields.get("algorithm"))
    if algorithm is None or "nc" not in fields:
        return ok(60)
    user = fields["username"]
    key = algorithm.hash(f"{user}:{fields['realm']}:{password(user)}")
    if algorithm.session:
        key = algorithm.hash(f"{key}:{fields['nonce']}:{fields['cnonce']}")
    qop = fields["qop"]
    a2 = a2_hash(algorithm, "", fields["uri"], qop, b"")
    proof = response(algorithm, Secret(key), fields["nonce"], fields["nc"], fields["cnonce"], qop, a2)
    if not right:
        proof = proof[::-1]
    return ok(60, f'Authentication-Info: qop={qop}, rspauth="{proof}", nc={fields["nc"]}')


class CuttingAgent(RecordingAgent):
    """Begins a new segment when it is told to, too, and forgets none."""

    def cut(self) -> None:
        """Begin a new segment with the next input."""
        self._turn()

    def whole(self) -> list[str]:
        """All segments as a recording."""
        parts = [Part(image, tuple(log)) for image, log in self._all]
        return list(document(parts, None, Ending(len(self._outputs), self.next_deadline())))

    def _turn(self) -> None:
        super()._turn()
        if self._parts:
            self._all = [*getattr(self, "_all", []), self._parts[-1]]


def live(make: Make, seed: int, moves: int = 25, *, between: Callable[[Life], object] = lambda life: None) -> Life:
    """A life of that many moves; `between` is called before each."""
    life = Life(make, seed)
    for _ in range(moves):
        between(life)
        life.move()
    return life
