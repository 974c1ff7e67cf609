"""The registrar of the simulated world: an independent model, which shares nothing with the core that it judges.

Theory of operation. `SimRegistrar` takes an address in a `World`, for datagrams and connections. It splits what arrives
by hand (`registrar_messages`), computes digests by itself (`registrar_digest`) and keeps bindings with its own idea of
equal URIs (`registrar_store`), so that a fault of the core is not hidden by its mirror image. It keeps RFC 3261 section
10.3 strictly where its `Rules` say nothing else. The rules are mutable, and the simulation changes them while it runs;
a new behaviour is a new attribute there and one place that reads it. No dice are thrown for a rule at rest.

A request passes, in this order: the transactions (a copy gets the stored answer), the referee (`registrar_referee`, who
notes in `faults` what no client may send, and changes nothing), refusals, the gates (proxy, registrar), the bindings.
Each new request is told to `journal` when its answer is decided; what it asks for has taken effect then, whatever
becomes of the answer.

Memory is bounded by time: answers are kept for 64*T1, requests to be known again for `REMEMBERED`, nonces for their
lifetime and a while.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from random import Random
from typing import Final

from sipcore.testing.sim.registrar_bindings import NO_FINDING, Outcome, bind, describe, read_contacts
from sipcore.testing.sim.registrar_digest import DIGEST_RIGHT, Finding, Gate, Users
from sipcore.testing.sim.registrar_messages import (
    Request,
    damaged,
    read_request,
    shaped,
    top_via,
    via_answered,
    write,
)
from sipcore.testing.sim.registrar_referee import inspect
from sipcore.testing.sim.registrar_rules import MAX_FAULTS, Counters, Handled, Held, Rules, Verdict
from sipcore.testing.sim.registrar_store import Store, from_wire, user_of
from sipcore.testing.sim.registrar_streams import Stream
from sipcore.testing.wire import Datagram
from sipcore.testing.world import Connection, ConnectionUser, World
from sipcore.values import Address

__all__ = ["Counters", "Handled", "Held", "Rules", "SimRegistrar", "Store", "Verdict"]

ANSWERED: Final = 32.0
"""Seconds for which a copy gets the stored answer: timer J, 64*T1 (RFC 3261 section 17.2.2)."""

REMEMBERED: Final = 300.0
"""Seconds for which a request is known again: longer than the network keeps anything."""

EXTENSIONS: Final = frozenset({"path", "outbound"})
"""Option tags that a client may require."""


class _Transaction:
    __slots__ = ("answer", "data", "until")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.until = math.inf
        self.answer: bytes | None = None


class SimRegistrar:
    """A registrar at one address of a world, on UDP and TCP.

    `users` are passwords by user part; `self.users` may be changed at any time. Two registrars with the same `store`
    stand behind one name and know the same bindings, but not each other's nonces.
    """

    def __init__(
        self,
        world: World,
        address: Address,
        users: Mapping[str, str],
        *,
        seed: int,
        realm: str = "example.com",
        rules: Rules | None = None,
        store: Store | None = None,
    ) -> None:
        self.world = world
        self.address = address
        self.users = Users(users.items())
        self.rules = Rules() if rules is None else rules
        self.store = Store() if store is None else store
        self.journal: Callable[[Handled], object] | None = None
        """Told of each new request when its answer is decided."""
        self.faults: list[str] = []
        """What came that no client may send: time, Call-ID, and what."""
        self.counters = Counters()
        self.up = True
        self._dice = Random(f"dice {seed}")
        names = Random(f"names {seed}")
        self._proxy = Gate(f"proxy.{realm}", self.users, random=names)
        self._gate = Gate(realm, self.users, random=names)
        self._tags = 0
        self._others = count()
        self._tag = f"{names.getrandbits(32):08x}"
        self._life = 0
        self._transactions: dict[str, _Transaction] = {}
        self._order: deque[tuple[float, str, _Transaction]] = deque()
        self._streams: dict[int, Stream] = {}
        world.nodes[address] = self
        world.acceptors[address] = self

    # --- for the simulation ----------------------------------------------------------------------------------------

    def bindings(self, user: str) -> list[Held]:
        """Those of a user that stand now, oldest first."""
        return self.store.held(user, self.world.now)

    def plant(self, user: str, contact: str, expires: float) -> None:
        """Another client of that user binds `contact`, a Contact value, for so many seconds."""
        self.store.plant(user, contact, self.world.now + expires)

    def restart(self, *, keep_bindings: bool) -> None:
        """The process ends and starts again: nonces and transactions are forgotten, connections reset, and the bindings
        of the whole store, too, unless they are kept."""
        self._reset()
        if not keep_bindings:
            self.store.forget()

    def stop(self) -> None:
        """Not there any more, in the way that `Rules.down` says. Harmless when it is down already."""
        if not self.up:
            return
        self.up = False
        self._reset()
        self.world.nodes.pop(self.address, None)
        if self.rules.down != "mute":
            self.world.acceptors.pop(self.address, None)
        if self.rules.down == "unreachable":
            self.world.unreachable[self.address[0]] = "no route to host"

    def start(self) -> None:
        """There again, with the bindings. Harmless when it is up."""
        if self.up:
            return
        self.up = True
        self.world.nodes[self.address] = self
        self.world.acceptors[self.address] = self
        if self.world.unreachable.get(self.address[0]) == "no route to host":
            del self.world.unreachable[self.address[0]]

    @property
    def connections(self) -> list[Connection]:
        """Its ends of the connections that are open now."""
        return [stream.connection for stream in self._streams.values()]

    @property
    def remembered(self) -> int:
        """How many transactions and nonces are in memory."""
        return len(self._transactions) + len(self._gate) + len(self._proxy)

    # --- the network -----------------------------------------------------------------------------------------------

    def on_datagram(self, datagram: Datagram) -> None:
        """One arrived."""
        if self.rules.silent:
            return
        data = datagram.data
        if not data.strip(b"\r\n\0"):
            self.counters.keepalives += 1
            return
        text = data.decode("latin-1")
        head, end, body = text.partition("\r\n\r\n")
        if not end:
            self._fault("", "a datagram without an empty line")
        request = read_request(head, body)
        if isinstance(request, str):
            self.noise(request)
            return
        length = request.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:9]) < len(body):
            # RFC 3261 section 18.3: what is more than the body is none of it.
            self._fault(request.headers.get("call-id", ""), "more bytes than Content-Length says")
            request.body = body[: int(length[:9])]
        self.take(request, data, text, datagram.source, None)

    def on_connection(self, connection: Connection) -> ConnectionUser | None:
        """Somebody connects."""
        if not self.up or self.rules.ignores_connections:
            return None
        stream = Stream(self, connection)
        if self.rules.refuses_connections:
            # The caller's end is told in its own time that there was never a connection.
            connection.open = False
            if connection.other is not None:
                connection.other.open = False
                connection.other.error = "connection refused"
            return stream
        self._streams[id(connection)] = stream
        stream.watch()
        return stream

    def gone(self, stream: Stream) -> None:
        """A connection has ended."""
        self._streams.pop(id(stream.connection), None)

    def _reset(self) -> None:
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.connection.close("connection reset")
        self._life += 1
        self._transactions.clear()
        self._order.clear()
        self._gate.forget()
        self._proxy.forget()

    # --- one request -----------------------------------------------------------------------------------------------

    def take(self, request: Request, data: bytes, text: str, source: Address, stream: Stream | None) -> None:
        """Serve a request that came as `data`, on a stream or as a datagram."""
        protocol = "UDP" if stream is None else "TCP"
        headers, now, counters = request.headers, self.world.now, self.counters
        call_id = headers.get("call-id", "")
        via = top_via(headers.get("via", ""))
        if via is None:
            self._fault(call_id, f"Via {headers.get('via')!r}")
            self.noise("no usable Via")
            return
        _, host, branch, port = via
        # RFC 3261 section 17.2.3.
        key = f"{branch} {host} {port} {request.method}"
        known = self._transactions.get(key)
        late = False
        if known is not None:
            same = known.data == data
            if not same:
                self._fault(call_id, f"branch {branch} again with another content")
            if now < known.until:
                counters.copies += 1
                if known.answer is not None:
                    vias, asks = via_answered(request.all("via"), host, source)
                    self._carry(known.answer, source, source if asks else (source[0], port), stream)
                return
            late = same
        counters.requests += 1
        counters.late += late
        transaction = self._remember(key, data, now)
        judge = self.rules.judge and not late
        if judge:
            inspect(request, text, protocol, lambda what: self._fault(call_id, what))
        if request.method == "ACK":
            return
        number = headers.get("cseq", "").partition(" ")[0]
        cseq = int(number) if number.isascii() and number.isdigit() and len(number) < 11 else -1
        lower, again = self.store.counted(call_id, cseq, branch)
        if again and judge:
            self._fault(call_id, f"CSeq {cseq} in two requests")
        outcome = Outcome()
        user = user_of(headers.get("to", ""))
        missing = [name for name in ("to", "from", "call-id", "cseq") if name not in headers]
        if missing or cseq < 0 or not request.version.startswith("SIP/2.0"):
            outcome.refuse(400)
        elif request.method != "REGISTER":
            outcome.refuse(*((200,) if request.method == "OPTIONS" else (405, "Allow: REGISTER, OPTIONS")))
        else:
            self._register(request, outcome, user, call_id, cseq, branch, judge)
        status = outcome.status
        counters.by_status[status] = counters.by_status.get(status, 0) + 1
        if self.journal is not None:
            method, contacts, asked, granted = request.method, outcome.contacts, outcome.asked, outcome.granted
            verdict, detail, _, nonce, nc, _, _ = outcome.finding
            name = from_wire(user)
            self.journal(
                Handled(
                    now, method, name, call_id, cseq, branch, contacts, asked, status, granted,
                    verdict, detail, nc, nonce, source, protocol, late, lower,
                )
            )  # fmt: skip
        vias, asks = via_answered(request.all("via"), host, source)
        self._answer(request, outcome, vias, transaction, source, source if asks else (source[0], port), stream)

    def _register(
        self, request: Request, outcome: Outcome, user: str, call_id: str, cseq: int, branch: str, judge: bool
    ) -> None:
        """Decide about one REGISTER (RFC 3261 section 10.3)."""
        rules, headers = self.rules, request.headers
        read_contacts(request, outcome)
        if rules.overload > 0 and self._dice.random() < rules.overload:
            outcome.refuse(503, *self._retry_after())
            return
        if rules.status is not None and not rules.status_after_auth:
            self._forced(outcome)
            return
        if "require" in headers or "proxy-require" in headers:
            tags = [tag.strip() for name in ("require", "proxy-require") for tag in headers.get(name, "").split(",")]
            unknown = [tag for tag in tags if tag and tag.lower() not in EXTENSIONS]
            if unknown:
                outcome.refuse(420, f"Unsupported: {', '.join(unknown)}")
                return
        finding = NO_FINDING
        if rules.proxy_auth:
            finding = self._ask(self._proxy, "proxy-authorization", 407, request, outcome, branch, call_id, judge)
            if finding.verdict != "right":
                return
        if rules.auth:
            finding = self._ask(self._gate, "authorization", 401, request, outcome, branch, call_id, judge)
            if finding.verdict != "right":
                return
        if rules.status is not None:
            self._forced(outcome)
            return
        if not user or (rules.auth and from_wire(user) not in self.users):
            outcome.refuse(404)
            return
        if rules.auth and finding.username.partition("@")[0] != user:
            outcome.refuse(403)
            return
        now = self.world.now
        if bind(self.store, rules, self._dice, now, request, outcome, user, call_id, cseq):
            if (rules.nextnonce or rules.rspauth is not None) and rules.auth:
                info = self._gate.info(finding, now, rules)
                if info is not None:
                    outcome.lines.append(f"Authentication-Info: {info}")
            describe(self.store, rules, now, request, outcome, user)

    def _ask(
        self, gate: Gate, name: str, status: int, request: Request, outcome: Outcome, branch: str, call_id: str,
        judge: bool,
    ) -> Finding:  # fmt: skip
        """What the credentials for one gate are worth; the outcome is a challenge unless they are right."""
        rules, now = self.rules, self.world.now
        finding = NO_FINDING
        if name in request.headers:
            finding = gate.check(
                request.all(name), request.method, request.uri, request.body, branch, now, rules,
                (lambda what: self._fault(call_id, what)) if judge else _overlook,
            )  # fmt: skip
        if rules.challenge_always and finding.verdict == "right":
            finding = finding._replace(verdict="stale", detail="every nonce is stale", info=None)
        outcome.finding = finding
        if finding.verdict != "right":
            stale = finding.verdict == "stale" or finding.detail == DIGEST_RIGHT
            header = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
            other = f"{self._tag}.{next(self._others):x}"
            further = [value.replace("{nonce}", other) for value in rules.further_challenges]
            values = [*further, *gate.challenges(now, rules, stale=stale)]
            outcome.refuse(status, *[f"{header}: {value}" for value in values])
        return finding

    def _forced(self, outcome: Outcome) -> None:
        rules = self.rules
        status = rules.status or 500
        lines = self._retry_after()
        if rules.redirect is not None and 300 <= status < 400:
            lines.append(f"Contact: {rules.redirect}")
        if status == 423:
            lines.append(f"Min-Expires: {rules.min_expires}")
        outcome.refuse(status, *lines, reason=rules.reason)

    def _retry_after(self) -> list[str]:
        return [] if self.rules.retry_after is None else [f"Retry-After: {self.rules.retry_after}"]

    # --- answers ---------------------------------------------------------------------------------------------------

    def _answer(
        self,
        request: Request,
        outcome: Outcome,
        vias: list[str],
        transaction: _Transaction,
        source: Address,
        back: Address,
        stream: Stream | None,
    ) -> None:
        rules = self.rules
        for status in rules.provisional:
            lines = write(status, None, request, vias, self._tag, [])
            self._carry(_encoded(lines), source, back, stream)
        self._tags += 1
        tag = f"{self._tag}{self._tags:x}"
        lines = write(outcome.status, outcome.reason, request, vias, tag, [*outcome.lines, *rules.headers])
        if rules.damage > 0 and self._dice.random() < rules.damage:
            lines = damaged(lines, rules, self._dice)
        if rules.compact or rules.folded or rules.odd_case:
            lines = shaped(lines, rules)
        answer = _encoded(lines)
        delay = rules.delay
        if rules.delay_spread > 0:
            delay += rules.delay_spread * self._dice.random()
        if delay <= 0:
            self._finish(transaction, answer, source, back, stream)
        else:
            life = self._life
            self.world.after(
                delay,
                # Not if it was started again meanwhile.
                lambda: self._finish(transaction, answer, source, back, stream) if life == self._life else None,
            )

    def _finish(
        self, transaction: _Transaction, answer: bytes, source: Address, back: Address, stream: Stream | None
    ) -> None:
        transaction.answer = answer
        transaction.until = self.world.now + ANSWERED
        for _ in range(1 + self.rules.copies):
            self._carry(answer, source, back, stream)
        if stream is not None and self.rules.close_after_answer:
            stream.close()

    def _carry(self, answer: bytes, source: Address, back: Address, stream: Stream | None) -> None:
        if stream is not None:
            stream.send(answer)
        elif self.up:
            port = self.rules.from_port
            self.world.send(answer, self.address if port is None else (self.address[0], port), back)

    def _remember(self, key: str, data: bytes, now: float) -> _Transaction:
        transactions, order = self._transactions, self._order
        while order and order[0][0] <= now:
            _, old, known = order.popleft()
            if transactions.get(old) is not known:
                continue
            if known.until <= now:
                del transactions[old]
            else:
                order.append((now + REMEMBERED, old, known))
        transaction = transactions[key] = _Transaction(data)
        order.append((now + REMEMBERED, key, transaction))
        return transaction

    # --- the referee -----------------------------------------------------------------------------------------------

    def noise(self, what: str) -> None:
        """Something came that is not even a request."""
        self.counters.noise += 1
        # A client may well answer: some rules let us send what looks like a request.
        if what != "a response":
            self._fault("", what)

    def _fault(self, call_id: str, what: str) -> None:
        if not self.rules.judge:
            return
        self.counters.faults += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(f"{self.world.now:.3f} {call_id}: {what}")


def _encoded(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _overlook(what: str) -> None:
    """Where nobody is judged."""
