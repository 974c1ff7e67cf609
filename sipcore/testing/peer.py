"""A server that answers by a script: what a registrar is for most tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.framing import KeepAlive, StreamFramer
from sipcore.syntax.message import Request, Response, parse_message
from sipcore.syntax.reasons import reason_phrase
from sipcore.testing.wire import Datagram
from sipcore.testing.world import Connection, ConnectionUser, World
from sipcore.values import Address

__all__ = ["Answer", "Received", "ScriptedPeer", "Step", "challenge", "ok"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scripted peer says to one request.

    In `headers` and `contact` the peer fills in `{contact}` (the request's first Contact value), `{realm}` (its own),
    `{nonce}` (a new one for each request) and `{number}` (which request it is, from 1, copies not counted).
    """

    status: int
    headers: tuple[str, ...] = ()
    """Further lines, each `Name: value`."""
    contact: str | None = None
    """The value of Contact; None leaves it out."""
    reason: str | None = None
    """None is the usual phrase."""
    provisional: tuple[int, ...] = ()
    """Codes of the provisional responses that come at once, whenever the final one does."""
    delay: float = 0.0
    """Seconds from the request to the final response; copies of the request get none meanwhile."""
    edit: Callable[[bytes], bytes] | None = None
    """Has the last word about the bytes of the final response: to break an identity, to fold a header."""
    close: bool = False
    """On a connection: close it after the answer."""


Step = Answer | int | None | Callable[[Request], "Answer | int | None"]
"""How one request is answered; a number is that status and nothing else, None is silence."""


class Received(NamedTuple):
    """A request that a scripted peer got."""

    at: float
    request: Request
    source: Address
    copy: bool
    """True for a retransmission."""


def ok(expires: int | None = 3600, *headers: str, contacts: tuple[str, ...] = ()) -> Answer:
    """A 200 that lists the request's Contact with that lifetime, behind the other `contacts`."""
    own = "{contact}" if expires is None else f"{{contact}};expires={expires}"
    return Answer(200, headers, ", ".join([*contacts, own]))


def challenge(
    status: int = 401,
    *,
    nonce: str = "{nonce}",
    realm: str = "{realm}",
    algorithm: str | None = "MD5",
    qop: str | None = "auth",
    stale: bool | None = None,
) -> Answer:
    """A 401 or 407 with one Digest challenge (RFC 7616 section 3.3)."""
    parts = [f'realm="{realm}"', f'nonce="{nonce}"']
    if algorithm is not None:
        parts.append(f"algorithm={algorithm}")
    if qop is not None:
        parts.append(f'qop="{qop}"')
    if stale is not None:
        parts.append(f"stale={'true' if stale else 'false'}")
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return Answer(status, (f"{name}: Digest {', '.join(parts)}",))


class ScriptedPeer:
    """A server at one address, on UDP and TCP.

    Each step of the script answers one new branch; the last step repeats. A copy of a request gets the same answer
    again, as from a server transaction (RFC 3261 section 17.2.2). An empty script is silence.
    """

    def __init__(
        self, world: World, address: Address, script: Iterable[Step] = (), *, realm: str = "example.com"
    ) -> None:
        self.world = world
        self.address = address
        self.script: list[Step] = list(script)
        self.realm = realm
        self.received: list[Received] = []
        """All requests, copies among them."""
        self.connections: list[Connection] = []
        """Its ends of the connections to it that are open."""
        self.refuses_connections = False
        """Nobody listens on its TCP port."""
        self.ignores_connections = False
        """Whoever connects gets no answer at all."""
        self.pongs = 0
        """CRLF keep-alives that were answers to pings of ours."""
        self._answers: dict[str, _Answered] = {}
        self._framers: dict[int, StreamFramer] = {}
        self._numbers = 0
        world.nodes[address] = self
        world.acceptors[address] = self

    @property
    def requests(self) -> list[Request]:
        """All requests without their copies."""
        return [item.request for item in self.received if not item.copy]

    def answer(self, *script: Step) -> None:
        """From the next new branch on, follow this script."""
        self.script = list(script)

    def send(self, data: bytes, destination: Address) -> None:
        """Send a datagram of one's own: a request, or a response that nobody waits for."""
        self.world.send(data, self.address, destination)

    def close(self, error: str | None = None) -> None:
        """Close all connections; with an `error` as if the network broke them."""
        connections, self.connections = self.connections, []
        for connection in connections:
            connection.close(error)

    def write(self, request: Request, answer: Answer, source: Address | None = None) -> bytes:
        """The bytes of an answer to a request; `source` is where the request came from, if the Via is to say so."""
        # Written by hand and not by the rooms under test, so that a fault there is not hidden by its mirror image here.
        lines = [f"SIP/2.0 {answer.status} {reason_phrase(answer.status) if answer.reason is None else answer.reason}"]
        for name, value in request.headers:
            lower = _COMPACT.get(name.lower(), name.lower())
            if lower == "via" and source is not None:
                text = value.replace(";rport;", f";rport={source[1]};", 1)
                lines.append(f"Via: {text};received={source[0]}")
            elif lower == "to" and answer.status > 100:
                lines.append(f"To: {value};tag=peer{self._numbers}")
            elif lower in ("via", "from", "to", "call-id", "cseq"):
                lines.append(f"{name}: {value}")
        lines.extend(self._fill(line, request) for line in answer.headers)
        if answer.contact is not None:
            lines.append(f"Contact: {self._fill(answer.contact, request)}")
        data = ("\r\n".join([*lines, "Content-Length: 0"]) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        return data if answer.edit is None else answer.edit(data)

    # --- the network -----------------------------------------------------------------------------------------------

    def on_datagram(self, datagram: Datagram) -> None:
        """A datagram arrived."""
        source = datagram.source
        self._receive(datagram.data, source, lambda data: self.world.send(data, self.address, source), None)

    def on_connection(self, connection: Connection) -> ConnectionUser | None:
        """Somebody connects."""
        if self.ignores_connections:
            return None
        if self.refuses_connections:
            connection.close("connection refused")
        else:
            self.connections.append(connection)
            self._framers[id(connection)] = StreamFramer(accepted=True)
        return self

    def on_bytes(self, connection: Connection, data: bytes) -> None:
        """Some bytes of a stream."""
        for item in self._framers[id(connection)].receive(data):
            if isinstance(item, KeepAlive):
                self.pongs += 1
            else:
                self._receive(item, connection.remote, connection.send, connection)

    def on_end(self, connection: Connection, error: str | None) -> None:
        """The other side closed."""
        if connection in self.connections:
            self.connections.remove(connection)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _receive(
        self, data: bytes, source: Address, send: Callable[[bytes], None], connection: Connection | None
    ) -> None:
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                return
            branch = f"{message.via.branch} {message.method}"
        except RemoteProtocolError:
            # Not SIP: nobody answers that.
            return
        known = self._answers.get(branch)
        self.received.append(Received(self.world.now, message, source, copy=known is not None))
        if known is None:
            known = self._answers[branch] = self._decide(message, source)
            if known.final and known.delay > 0:
                self.world.after(known.delay, lambda: self._finish(known, send, connection))
        elif known.waiting:
            return
        for provisional in known.provisional:
            send(provisional)
        if not known.waiting:
            self._finish(known, send, connection)

    def _finish(self, answered: _Answered, send: Callable[[bytes], None], connection: Connection | None) -> None:
        answered.waiting = False
        if answered.final:
            send(answered.final)
        if answered.close and connection is not None:
            connection.close()

    def _decide(self, request: Request, source: Address) -> _Answered:
        self._numbers += 1
        step = (self.script.pop(0) if len(self.script) > 1 else self.script[0]) if self.script else None
        if callable(step):
            step = step(request)
        if step is None:
            return _Answered((), b"", 0.0, False)
        answer = Answer(step) if isinstance(step, int) else step
        provisional = tuple(self.write(request, Answer(code), source) for code in answer.provisional)
        return _Answered(provisional, self.write(request, answer, source), answer.delay, answer.close)

    def _fill(self, text: str, request: Request) -> str:
        contacts = request.values("contact")
        for field, value in (
            ("{contact}", contacts[0] if contacts else ""),
            ("{realm}", self.realm),
            ("{nonce}", f"nonce{self._numbers}"),
            ("{number}", str(self._numbers)),
        ):
            text = text.replace(field, value)
        return text


# Those of the headers that a response copies (RFC 3261 section 7.3.3).
_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id"}


class _Answered:
    """What became of one branch."""

    __slots__ = ("close", "delay", "final", "provisional", "waiting")

    def __init__(self, provisional: tuple[bytes, ...], final: bytes, delay: float, close: bool) -> None:
        self.provisional = provisional
        self.final = final
        self.delay = delay
        self.close = close
        self.waiting = delay > 0
