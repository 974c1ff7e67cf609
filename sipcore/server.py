"""`Registrar`: a registrar as an agent, with the same contract as `UserAgent`.

It routes what an `Endpoint` receives; the rules are in `sipcore.registrar`. Each listening address is a bound UDP
socket or a TCP listener. When one of them cannot be had or ends, `ListenFailed` says why and the others go on; it is
not tried again, since whoever runs a server wants to know and not to wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from types import MappingProxyType
from typing import Final

from sipcore.endpoint import Endpoint, Listener
from sipcore.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from sipcore.events import ListenFailed, Listening
from sipcore.flows import Flow
from sipcore.inbound import Answer, StatelessTags, answer_statelessly, refuse, screen
from sipcore.inbound.screening import fault
from sipcore.registrar import EXTENSIONS, Location, RegistrarPolicy, Rules, StoredBinding, Users
from sipcore.syntax.message import Request, Response
from sipcore.transaction.response import write_response
from sipcore.transaction.server import ServerTransactions
from sipcore.values import Address, Protocol

__all__ = ["Registrar"]

HANDLES: Final = ("REGISTER",)

_NOBODY: Final[Users] = MappingProxyType({})


class Registrar(Endpoint):
    """Registers users. Feed it what a `UserAgent` is fed; read the bindings with `bindings`."""

    def __init__(
        self,
        listen: Sequence[tuple[Protocol, Address]],
        users: Users = _NOBODY,
        *,
        policy: RegistrarPolicy | None = None,
        random: Random,
        now: float,
    ) -> None:
        """Bind and listen; `Listening` or `ListenFailed` tells about each address.

        `users` maps user names to passwords. `random` makes nonces and tags, so it has to be unpredictable wherever
        passwords matter. Raises `ConfigError` when there is nothing to listen on.
        """
        super().__init__(random=random)
        if not listen:
            raise ConfigError("listen", "", "at least one address, such as udp:127.0.0.1:5060")
        self.policy = policy or RegistrarPolicy()
        self._location = Location(self.timers)
        self._rules = Rules(self.policy, users, self._location, random=random)
        self._transactions = ServerTransactions(self, self.policy.timing)
        self._tags = StatelessTags(random)
        # A To tag needs to be unique; nobody gains anything by guessing that of a response to REGISTER.
        self._tag_start = f"{random.getrandbits(64):016x}"
        self._tag_count = 0
        self._sockets: dict[int, Address] = {}
        self._closed = False
        self.advance(now)
        for protocol, local in listen:
            if protocol.reliable:
                self.listen(protocol, local)
            else:
                until = now + self.policy.timing.f
                flow = self.open_flow(protocol, local=local, remote=None, server_name=None, until=until)
                self._sockets[flow.id] = local

    # --- the application -------------------------------------------------------------------------------------------

    def bindings(self, aor: str) -> tuple[StoredBinding, ...]:
        """The present bindings of an address of record, given as a URI. Raises `LocalProtocolError` when it is none."""
        try:
            canonical = self._rules.aor(aor)
        except RemoteProtocolError as error:
            raise LocalProtocolError(f"not an address of record: {error}") from None
        return () if canonical is None else self._location.bindings(canonical, self.now)

    @property
    def addresses(self) -> int:
        """How many addresses of record have bindings."""
        return len(self._location)

    @property
    def closed(self) -> bool:
        """True when nothing is left to do after `close`."""
        return self._closed

    def close(self, *, now: float) -> None:
        """Stop: all flows and listeners are closed. The bindings stay readable."""
        self.advance(now)
        for listener in list(self.listeners.values()):
            self.close_listener(listener)
        for flow in list(self.flows.values()):
            self.close_flow(flow)
        self._closed = True

    # --- what the endpoint tells -----------------------------------------------------------------------------------

    def on_request(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        """Answer a request."""
        if self.policy.silent:
            return
        if request.method == "REGISTER":
            self._register(flow, request, data, source, now)
        elif request.method == "ACK":
            self.drop("an ACK that nobody waits for", flow.id, source)
        else:
            answer = screen(request, HANDLES, EXTENSIONS)
            assert answer is not None
            if not answer_statelessly(self, self._tags, flow, request, source, answer):
                refuse(self, self._tags, flow, data, source, Answer(400, "Missing or malformed Via"))

    def on_response(self, flow: Flow, response: Response, data: bytes, source: Address | None, now: float) -> None:
        """A registrar asks nothing, so nobody can answer it."""
        self.drop("a response to a registrar", flow.id, source)

    def on_malformed(
        self, flow: Flow, data: bytes, error: RemoteProtocolError, source: Address | None, now: float
    ) -> None:
        """Refuse a request that cannot be read, and say what is wrong with it."""
        if not self.policy.silent:
            status = error.status_hint
            reason = None if status == 505 else f"{error.kind[:1].upper()}{error.kind[1:]}"
            refuse(self, self._tags, flow, data, source, Answer(status, reason))

    def on_flow_open(self, flow: Flow, now: float) -> None:
        """A UDP socket is bound, or a client has connected."""
        if flow.listener is None:
            assert flow.local is not None
            self._sockets[flow.id] = flow.local
            self.put(Listening(protocol=flow.protocol, local=flow.local))

    def on_flow_end(self, flow: Flow, error: str, now: float) -> None:
        """A socket could not be had or has ended; that a client goes is nothing to tell."""
        local = self._sockets.pop(flow.id, None)
        if local is not None:
            self.put(ListenFailed(protocol=flow.protocol, local=local, error=error))

    def on_listening(self, listener: Listener, now: float) -> None:
        """A TCP listener is ready."""
        self.put(Listening(protocol=listener.protocol, local=listener.local))

    def on_listen_failed(self, listener: Listener, error: str, now: float) -> None:
        """A TCP listener could not be had."""
        self.put(ListenFailed(protocol=listener.protocol, local=listener.local, error=error))

    def _register(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        try:
            transaction = self._transactions.receive(flow, request, source, now)
        except RemoteProtocolError:
            # Without a branch all the identities of RFC 2543 are needed, so it may be any of them.
            missing = fault(request) or "Via"
            self.drop(f"a request without a usable {missing}", flow.id, source)
            refuse(self, self._tags, flow, data, source, Answer(400, f"Missing or malformed {missing}"))
            return
        if transaction is None:
            return
        wrong = fault(request)
        if wrong is None:
            answer = self._rules.process(request, now)
        else:
            answer = Answer(400, f"Missing or malformed {wrong}")
        self._tag_count += 1
        headers = answer.headers
        if self.policy.server:
            headers = (*headers, ("Server", self.policy.server))
        text = write_response(
            request,
            answer.status,
            source,
            reason=answer.reason,
            to_tag=f"{self._tag_start}{self._tag_count:x}",
            headers=headers,
        )
        transaction.respond(text, answer.status, now)
