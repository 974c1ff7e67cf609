"""The bench that an agent runs on: each call is written down, made, and held against the laws.

It is the agent's driver, resolver and network at once, and does nothing by itself: what was asked for waits in
`resolving`, `opening`, `listening` and `asked` until the machine answers it, or does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from sipcore import (
    ASTERISK,
    JSSIP,
    Account,
    Address,
    CloseFlow,
    CloseListener,
    InboundRequest,
    Listen,
    LocalProtocolError,
    OpenFlow,
    Phase,
    Protocol,
    Record,
    RecordKind,
    Resolve,
    State,
    Timing,
    Transmit,
    Transport,
    UserAgent,
)
from tests.secrecy import PASSWORD
from tests.stateful.laws import BrokenTimer, LeftBehind, NotSettled, Raised, Violation
from tests.stateful.model import SLACK, WALL, Call, Model, Output, View
from tests.stateful.script import Expression, Script
from tests.stateful.traffic import Delivered
from tests.stateful.wire import Asked, answer, read_request

__all__ = ["ACCOUNTS", "HOST", "REFUSABLE", "Bench", "accept"]

HOST = "192.0.2.10"
"""Our address."""
SERVERS = ("192.0.2.1", "192.0.2.2")
"""What names lead to."""

_TCP = Transport(protocol=Protocol.TCP)
_LISTENING = Transport(protocol=Protocol.TCP, local=(HOST, 5062), listen=True)

ACCOUNTS: dict[str, tuple[Account, ...]] = {
    # The first of each is what runs begin with; the others come by reload.
    "alice": (
        Account("sip:alice@example.com", name="alice", password=PASSWORD, registrar="sip:192.0.2.1"),
        Account("sip:alice@example.com", name="alice", password=f"{PASSWORD}-2", registrar="sip:192.0.2.1", expires=60),
        Account("sip:alice@example.com", name="alice", password=PASSWORD, registrar="sip:example.com", redirects=2),
        Account("sip:alice@example.com", name="alice", registrar="sip:192.0.2.1", contact_user="phone", max_retries=2),
        Account("sip:alice2@example.com", name="alice", password=PASSWORD, registrar="sip:192.0.2.1", line=True),
    ),
    "bob": (
        Account("sip:bob@example.com", name="bob", password=PASSWORD, profile=ASTERISK, max_random_initial_delay=0),
        Account("sip:bob@example.com", name="bob", password=PASSWORD, profile=ASTERISK, fatal_retry_interval=300),
        Account("sip:bob@example.com", name="bob", profile=ASTERISK, auth_rejection_permanent=False, transport=_TCP),
        Account("sip:bob2@example.com", name="bob", password=PASSWORD, profile=ASTERISK, registrar="sip:192.0.2.2"),
    ),
    "carol": (
        Account("sip:carol@example.com", name="carol", password=PASSWORD, registrar="sip:192.0.2.1", transport=_TCP),
        Account(
            "sip:carol@example.com",
            name="carol",
            password=PASSWORD,
            registrar="sip:192.0.2.1",
            transport=_LISTENING,
            line=True,
        ),
        Account("sip:carol@example.com", name="carol", password=PASSWORD, profile=JSSIP, transport=_TCP),
        Account(
            "sip:carol@example.com", name="carol", password=PASSWORD, registrar="sip:192.0.2.1", timing=Timing(t4=1.0)
        ),
    ),
    # Alice under another name.
    "dave": (Account("sip:alice@example.com", name="dave", password=PASSWORD, registrar="sip:192.0.2.1"),),
}

REFUSABLE = frozenset({"add", "register", "unregister", "remove", "reload", "respond", "send_raw", "close"})
"""The calls that may raise LocalProtocolError."""

KEPT = 12
"""Requests that can still be answered, late or not."""

DAY = 86400.0
MAX_ROUNDS = 300


def accept(asked: Asked) -> tuple[list[str], Delivered]:
    """The header lines of a 200 as a plain registrar gives it, and what it grants."""
    if asked.removal:
        return [], Delivered(asked, 200)
    lines = [f"Contact: {asked.contact};expires={asked.expires}"]
    grant = float(asked.expires)
    return lines, Delivered(asked, 200, most=grant, exact=grant, listed=True)


class Bench:
    """One agent, or several one after another; see the module's text."""

    agent: UserAgent

    def __init__(self, accounts: Sequence[Account], *, seed: int) -> None:
        self.now = 0.0
        self.script = Script()
        self.model = Model()
        self.asked: list[Asked] = []
        self.said: dict[str, list[bytes]] = {}
        """Final responses that were delivered, by branch."""
        self.inbound: list[tuple[int, InboundRequest]] = []
        """Requests that the application has not answered yet, each with its number."""
        self.requests = 0
        self.ignored: list[Resolve] = []
        """Questions that nobody has answered."""
        self.peers = 0
        """Accepted connections and inbound requests so far."""
        self.broken = False
        """A law did not hold: what would follow means nothing."""
        self._seeds = seed
        self._start(accounts, None)

    def _start(self, accounts: Sequence[Account], snapshot: dict[str, dict[str, object]] | None) -> None:
        self.opening: list[OpenFlow] = []
        self.resolving: list[Resolve] = []
        self.listening: list[Listen] = []
        self.flows: dict[int, tuple[Protocol, Address]] = {}
        """Flows that are open, with the other side of a connection."""
        self.listeners: dict[int, Address] = {}
        self.tails: dict[int, tuple[bytes, Delivered | None]] = {}
        """What is missing of a message that has begun to arrive."""
        self.tainted: set[int] = set()
        """Streams of which nobody knows where the next message begins."""
        self.dead_flows = [1]
        self._seeds += 1
        self.random = Random(self._seeds)
        options: dict[str, Any] = {
            "random": Expression(f"Random({self._seeds})"),
            "handles": ["MESSAGE", "INVITE"],
            "now": self.now,
        }
        if snapshot is not None:
            options |= {"wall": WALL + self.now, "snapshot": snapshot}
        self.script.create(accounts, options)
        self.model.restarted(accounts, snapshot or {})
        with self._told():
            self.agent = UserAgent(accounts, **{**options, "random": self.random})
            self.view = self._view()
            self._drain(Call(self.script.calls, "UserAgent", (accounts,), {}, self.now))

    # --- calls -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Violations leave with the script that shows them."""
        try:
            yield
        except Violation as violation:
            law = f"{type(violation).__name__}: {violation.law()}"
            self.broken = True
            if not violation.script:
                violation.script = self.script.text(law, str(violation), violation.evidence)
                violation.add_note(violation.script)
            raise

    def call(
        self,
        method: str,
        *arguments: Any,
        now: float | None = None,
        delivered: Delivered | None = None,
        quiet: bool = False,
        shown: Sequence[object] | None = None,
        **options: Any,
    ) -> object:
        """One call of the agent's interface, and all laws. `shown` are the arguments as the script writes them."""
        with self._told():
            now = self.now if now is None else now
            self.script.call(method, arguments if shown is None else shown, options, now)
            call = Call(self.script.calls, method, arguments, options, max(now, self.now), delivered, quiet)
            state = self.random.getstate() if method in REFUSABLE else None
            result: object = None
            try:
                result = getattr(self.agent, method)(*arguments, now=now, **options)
            except LocalProtocolError as error:
                if method not in REFUSABLE:
                    raise Raised(f"{method} raised {error!r}") from error
                self.script.refused()
                call = call._replace(refused=True)
                # A tag is drawn before the transaction has a look whether it may answer; nothing else depends on it.
                if method != "respond" and self.random.getstate() != state:
                    unchanged = "state == agent.random.getstate()"
                    raise Raised(f"{method} was refused, and drew random numbers", unchanged) from error
            except Exception as error:
                raise Raised(f"{method} raised {error!r}") from error
            if method == "flow_accepted" and isinstance(result, int):
                self.flows[result] = (Protocol.TCP, arguments[2])
                self.model.streams[result] = True
            self._drain(call)
            return result

    def _view(self) -> View:
        return View(tuple(self.agent.statuses()), self.agent.next_deadline(), self.agent.closed)

    def _drain(self, call: Call) -> None:
        outputs: list[Output] = []
        while (output := self.agent.next_output()) is not None:
            outputs.append(output)
        self.script.drained(outputs)
        before, self.view = self.view, self._view()
        for index, output in enumerate(outputs):
            self._perform(output, (call.number, index))
        self.model.judge(call, before, outputs, self.view, self.agent)

    def _perform(self, output: Output, place: tuple[int, int]) -> None:
        if isinstance(output, Resolve):
            self.resolving.append(output)
        elif isinstance(output, OpenFlow):
            self.opening.append(output)
        elif isinstance(output, Listen):
            self.listening.append(output)
        elif isinstance(output, CloseListener):
            self.listeners.pop(output.listener, None)
        elif isinstance(output, CloseFlow):
            self.forget(output.flow)
        elif isinstance(output, Transmit):
            remote = output.remote or self.flows.get(output.flow, (Protocol.TCP, ("", 0)))[1]
            asked = read_request(output.data, output.flow, output.remote or ("", 0), self.now, place)
            if asked is not None and asked.branch not in self.model.branches:
                self.asked = [*self.asked, asked._replace(remote=remote)][-KEPT:]
        elif isinstance(output, InboundRequest):
            self.inbound.append((self.requests, output))
            self.requests += 1

    def forget(self, flow: int) -> None:
        """A flow is no more."""
        self.flows.pop(flow, None)
        self.tails.pop(flow, None)
        self.tainted.discard(flow)
        self.opening = [item for item in self.opening if item.flow != flow]
        self.dead_flows.append(flow)

    # --- time ------------------------------------------------------------------------------------------------------

    def pass_time(self, to: float) -> None:
        """It is `to`, and the driver's timer fires; a second call of it changes nothing."""
        self.now = max(self.now, to)
        self.call("handle_deadline")
        self.call("handle_deadline", quiet=True)

    # --- answers ---------------------------------------------------------------------------------------------------

    def waits(self, asked: Asked) -> bool:
        """True when a request is surely in flight."""
        return self.model.flying.get(asked.branch, False)

    def waiting(self) -> list[Asked]:
        """Requests that are surely in flight, and whose answer can arrive."""
        return [item for item in self.asked if self.waits(item) and item.flow in self.flows]

    def receive(self, flow: int, data: bytes, source: Address, delivered: Delivered | None, *, quiet: bool) -> None:
        """Bytes arrive, behind what is missing of a message on that stream."""
        tail, known = self.tails.pop(flow, (b"", None))
        if tail:
            self._receive(flow, tail, source, known, quiet=False)
        if flow in self.flows:
            self._receive(flow, data, source, delivered, quiet=quiet)

    def _receive(self, flow: int, data: bytes, source: Address, delivered: Delivered | None, *, quiet: bool) -> None:
        if flow in self.tainted and delivered is not None:
            delivered = delivered._replace(sure=False)
        if self.flows[flow][0] is Protocol.TCP:
            self.call("receive", flow, data, delivered=delivered, quiet=quiet)
        else:
            self.call("receive", flow, data, source, delivered=delivered, quiet=quiet)

    def reply(self, delivered: Delivered, data: bytes, *, cut: int = 0) -> None:
        """A response that fits arrives; with `cut` only that many bytes of it, if it is a stream."""
        asked = delivered.asked
        if asked.flow not in self.flows:
            return
        if cut and self.flows[asked.flow][0] is Protocol.TCP and not self.tails.get(asked.flow):
            self._receive(asked.flow, data[:cut], asked.remote, None, quiet=False)
            if asked.flow in self.flows:
                self.tails[asked.flow] = (data[cut:], delivered)
            return
        if delivered.sure and delivered.code >= 200 and asked.flow not in self.tainted:
            self.said.setdefault(asked.branch, []).append(data)
        self.receive(asked.flow, data, asked.remote, delivered, quiet=False)

    def respond(self, place: int, status: int) -> None:
        """The application answers a request; once more, it may not."""
        number, request = self.inbound[place]
        self.call("respond", request, status, shown=[Expression(f"requests[{number}]"), status])

    def resolve(self, query: Resolve) -> None:
        """A good answer."""
        addresses: tuple[str, ...] = SERVERS
        if query.kind is RecordKind.SOURCE:
            addresses = (HOST,)
        elif query.kind is RecordKind.AAAA:
            addresses = ()
        self.resolving.remove(query)
        if addresses:
            self.call("resolved", query.query, [Record(address, None) for address in addresses])
        else:
            self.call("resolve_failed", query.query, "no such record")

    def open(self, wanted: OpenFlow) -> None:
        """The socket is there."""
        self.opening.remove(wanted)
        local = ("0.0.0.0", 40000 + wanted.flow) if wanted.protocol is Protocol.UDP else (HOST, 40000 + wanted.flow)
        self.flows[wanted.flow] = (wanted.protocol, wanted.remote or ("", 0))
        self.call("flow_opened", wanted.flow, local, wanted.remote)

    def listen(self, wanted: Listen) -> None:
        """The listener is there."""
        self.listening.remove(wanted)
        self.listeners[wanted.listener] = wanted.local
        self.call("listening", wanted.listener, wanted.local)

    def well(self) -> bool:
        """Something that was asked for is answered, and well; False when nothing is open."""
        waiting = self.waiting()
        if self.resolving:
            self.resolve(self.resolving[0])
        elif self.opening:
            self.open(self.opening[0])
        elif self.listening:
            self.listen(self.listening[0])
        elif self.tails:
            flow = next(iter(self.tails))
            tail, known = self.tails.pop(flow)
            self._receive(flow, tail, self.flows[flow][1], known, quiet=False)
        elif waiting:
            lines, delivered = accept(waiting[0])
            self.reply(delivered, answer(waiting[0], 200, lines))
        else:
            return False
        return True

    def until_asked(self) -> list[Asked]:
        """What waits for an answer; when nothing does, all goes well until something does, if it does soon."""
        for _ in range(12):
            waiting = self.waiting()
            if waiting:
                return waiting
            if not self.well():
                if self.view.deadline is None:
                    break
                self.pass_time(self.view.deadline)
        return self.waiting()

    def go_well(self, rounds: int) -> None:
        """All goes well for so many answers, with time passing where there is nothing to answer for two seconds."""
        for _ in range(rounds):
            deadline = self.view.deadline
            if not self.well():
                if deadline is None or deadline > self.now + 2.0:
                    return
                self.pass_time(deadline)

    # --- another life ----------------------------------------------------------------------------------------------

    def restart(self, accounts: Sequence[Account], *, keep: bool) -> None:
        """The process dies; the next one has the snapshot of its last moment, or nothing."""
        snapshot = self.agent.snapshot(now=self.now, wall=WALL + self.now) if keep else None
        self.inbound.clear()
        self.ignored.clear()
        self._start(accounts, snapshot)

    # --- the end ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """From now on everything is answered well: what is wanted comes up, and close ends, without a binding left."""
        with self._told():
            self._no_more_damage()
            if not self.model.closing:
                self._come_up()
                self.call("close")
            self._go_down()

    def _no_more_damage(self) -> None:
        """Streams whose next message nobody can find are closed by their peer."""
        for flow in sorted(self.tainted):
            self.forget(flow)
            self.call("flow_closed", flow)

    def _unsettled(self) -> list[str]:
        found = []
        for status in self.view.statuses:
            up = status.state is State.REGISTERED and status.phase is Phase.WAITING
            rests = status.phase is Phase.IDLE and status.cause is not None
            if self.model.wanted.get(status.name) == "up" and not up and not rests:
                found.append(status.name)
        return found

    def _come_up(self) -> None:
        start = self.now
        for _ in range(MAX_ROUNDS):
            if self.well():
                continue
            unsettled = self._unsettled()
            if not unsettled:
                return
            status = self.agent.status(unsettled[0])
            # Straight to its attempt: what it costs the others is that their bindings lapse, which they survive.
            when = status.next_attempt_at if status.phase is Phase.WAITING else self.view.deadline
            if when is None:
                break
            if status.phase is Phase.WAITING and status.cause is None and self.now > start + DAY:
                break
            self.pass_time(when)
        name = self._unsettled()[0]
        raise NotSettled(f"{name} does not come up: {self.agent.status(name)}", f"agent.status({name!r}).registered")

    def _go_down(self) -> None:
        start = self.now
        for _ in range(MAX_ROUNDS):
            if self.well():
                continue
            if self.agent.closed:
                break
            deadline = self.view.deadline
            if deadline is None:
                raise NotSettled("close never ends", "agent.closed")
            if self.now > start + DAY:
                raise NotSettled("close takes days", "agent.closed")
            self.pass_time(deadline)
        if not self.agent.closed:
            raise NotSettled("close does not end", "agent.closed")
        for aor, held in self.model.bindings.items():
            for uri, (until, number) in held.items():
                if until > self.now + SLACK:
                    raise LeftBehind(
                        f"{uri} of {aor} stands until {until}",
                        f"any({uri.encode()!r} in data and (b'Expires: 0' in data or"
                        f" b'>;expires=0' in data) for call in outputs[{number + 1}:]"
                        " for item in call for data in [getattr(item, 'data', b'')])",
                    )
        for _ in range(MAX_ROUNDS):
            if self.view.deadline is None:
                return
            self.pass_time(self.view.deadline)
        raise BrokenTimer("a closed agent has deadlines for ever", "agent.next_deadline() is None")
