"""A client of the registrar model that writes, reads and computes by itself, for the tests of the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from sipcore.testing import Datagram, World
from sipcore.testing.sim.registrar import Handled, Rules, SimRegistrar
from sipcore.testing.world import Connection, ConnectionUser
from tests.secrecy import PASSWORD

CLIENT = ("192.0.2.10", 5062)
SERVER = ("192.0.2.1", 5060)
CONTACT = "<sip:alice@192.0.2.10:5062>"


class Answer(NamedTuple):
    """A response, its header names as they were sent."""

    at: float
    status: int
    lines: tuple[str, ...]
    source: tuple[str, int]

    def all(self, name: str) -> list[str]:
        """The values of a header."""
        return [line.partition(":")[2].strip() for line in self.lines if line.partition(":")[0].lower() == name]

    def one(self, name: str) -> str:
        """The value of a header that stands there once."""
        (value,) = self.all(name)
        return value


def fields(value: str) -> dict[str, str]:
    """The parameters of a challenge; no value of ours has a comma inside."""
    items = [item.strip().partition("=") for item in value.partition(" ")[2].split(",")]
    return {name: text.strip('"') for name, _, text in items}


class Caller:
    """One client host in a world of its own, with datagrams and one connection."""

    def __init__(self, rules: Rules | None = None, users: Mapping[str, str] | None = None, **options: Any) -> None:
        self.world = World()
        self.registrar = SimRegistrar(
            self.world, SERVER, users or {"alice": PASSWORD, "bob": "hidden"}, seed=1, rules=rules, **options
        )
        self.rules = self.registrar.rules
        self.told: list[Handled] = []
        self.registrar.journal = self.told.append
        self.got: list[Answer] = []
        self.nonces: dict[str, int] = {}
        self.cseq = 0
        self.stream: Connection | None = None
        self.ended: list[str | None] = []
        self.refused: list[str] = []
        self.raw = b""
        self.pongs = 0
        self.pieces: list[bytes] = []
        self.world.nodes[CLIENT] = self

    # --- the network ---

    def on_datagram(self, datagram: Datagram) -> None:
        """An answer."""
        self._take(datagram.data, datagram.source)

    def on_bytes(self, connection: Connection, data: bytes) -> None:
        """Some of the answers."""
        self.pieces.append(data)
        self.raw += data
        while True:
            while self.raw.startswith(b"\r\n"):
                self.raw = self.raw[2:]
                self.pongs += 1
            if b"\r\n\r\n" not in self.raw:
                break
            head, _, self.raw = self.raw.partition(b"\r\n\r\n")
            self._take(head + b"\r\n\r\n", connection.remote)

    def on_end(self, connection: Connection, error: str | None) -> None:
        """The registrar closed."""
        self.ended.append(error)

    def connect(self) -> None:
        """Open a connection and let it happen."""

        def opened(connection: Connection) -> ConnectionUser:
            self.stream = connection
            return self

        self.world.connect(CLIENT, SERVER, opened, self.refused.append)
        self.world.run(self.world.now)

    def send(self, data: bytes) -> list[Answer]:
        """On the connection if there is one; what came at once."""
        if self.stream is not None:
            self.stream.send(data)
        else:
            self.world.send(data, CLIENT, SERVER)
        return self.later(0.0)

    def later(self, seconds: float) -> list[Answer]:
        """What came within that time."""
        self.world.run(self.world.now + seconds)
        got, self.got = self.got, []
        return got

    def _take(self, data: bytes, source: tuple[str, int]) -> None:
        head = data.decode("latin-1").partition("\r\n\r\n")[0]
        first, *lines = head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
        self.got.append(Answer(self.world.now, int(first.split(" ")[1]), tuple(lines), source))

    # --- requests ---

    def request(self, contact: str | None = CONTACT, expires: int | None = 3600, **options: Any) -> bytes:
        """A REGISTER. Options: user, method, uri, cseq, call, branch, authorization, lines, without, protocol, body."""
        self.cseq += 1
        cseq = options.get("cseq", self.cseq)
        user, method = options.get("user", "alice"), options.get("method", "REGISTER")
        protocol = options.get("protocol", "UDP" if self.stream is None else "TCP")
        branch = options.get("branch", f"z9hG4bK{self.cseq}x{options.get('call', 'call')}")
        body: str = options.get("body", "")
        headers = {
            "Via": f"SIP/2.0/{protocol} 192.0.2.10:5062;rport;branch={branch}",
            "Max-Forwards": "70",
            "From": f"<sip:{user}@example.com>;tag=a",
            "To": f"<sip:{user}@example.com>",
            "Call-ID": options.get("call", "call"),
            "CSeq": f"{cseq} {method}",
            "Contact": contact,
            "Expires": expires,
            "Authorization": options.get("authorization"),
            "Content-Length": len(body),
        }
        headers |= options.get("headers", {})
        lines: list[str] = [f"{options.get('method', 'REGISTER')} {options.get('uri', 'sip:example.com')} SIP/2.0"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
        lines += options.get("lines", ())
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def ask(self, contact: str | None = CONTACT, expires: int | None = 3600, **options: Any) -> Answer:
        """Send a REGISTER; the one answer that came at once."""
        (answer,) = self.send(self.request(contact, expires, **options))
        return answer

    def register(self, contact: str | None = CONTACT, expires: int | None = 3600, **options: Any) -> Answer:
        """The same, and answer the challenges that come."""
        password, user = options.pop("password", PASSWORD), options.get("user", "alice")
        further = options.pop("headers", {})
        challenges: dict[str, str] = {}
        for _ in range(4):
            replies = {name: self.credentials(value, user, password) for name, value in challenges.items()}
            answer = self.ask(contact, expires, **options, headers={**further, **replies})
            if answer.status not in (401, 407):
                break
            kind = "WWW" if answer.status == 401 else "Proxy"
            values = answer.all(f"{kind.lower()}-authenticate")
            name = "Authorization" if kind == "WWW" else "Proxy-Authorization"
            challenges[name] = next(value for value in values if value.startswith("Digest"))
        return answer

    def credentials(self, challenge: str, user: str = "alice", password: str = PASSWORD, **changes: str | None) -> str:
        """The value of Authorization that answers a challenge; `changes` replace parameters, or with None drop them."""
        asked = fields(challenge)
        algorithm = asked.get("algorithm", "MD5")
        realm, nonce, qop = asked["realm"], asked["nonce"], asked.get("qop")
        uri = changes.get("uri") or "sip:example.com"
        name = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[algorithm.removesuffix("-sess")]

        def hashed(text: str) -> str:
            return hashlib.new(name, text.encode()).hexdigest()

        self.nonces[nonce] = self.nonces.get(nonce, 0) + 1
        nc, cnonce = changes.get("nc") or f"{self.nonces[nonce]:08x}", changes.get("cnonce") or "c0ffee"
        key = hashed(f"{user}:{realm}:{password}")
        if algorithm.endswith("-sess"):
            key = hashed(f"{key}:{nonce}:{cnonce}")
        what = hashed(f"REGISTER:{uri}")
        response = hashed(f"{key}:{nonce}:{what}" if qop is None else f"{key}:{nonce}:{nc}:{cnonce}:{qop}:{what}")
        quoted: dict[str, str | None] = {"username": user, "realm": realm, "nonce": nonce}
        quoted |= {"uri": uri, "response": response}
        plain: dict[str, str | None] = {}
        if "algorithm" in asked:
            plain["algorithm"] = algorithm
        if "opaque" in asked:
            quoted["opaque"] = asked["opaque"]
        if qop is not None:
            quoted["cnonce"] = cnonce
            plain |= {"qop": qop, "nc": nc}
        parts = [f'{name}="{value}"' for name, value in (quoted | _of(changes, quoted)).items() if value is not None]
        parts += [f"{name}={value}" for name, value in (plain | _of(changes, plain)).items() if value is not None]
        return f"Digest {', '.join(parts)}"

    @property
    def contacts(self) -> list[str]:
        """The URIs that alice has bound now."""
        return [held.contact for held in self.registrar.bindings("alice")]


def _of(changes: Mapping[str, str | None], names: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: value for name, value in changes.items() if name in names}
