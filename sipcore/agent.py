"""`UserAgent`: keeps any number of registrations alive, and hands on what their bindings bring.

The hub: it routes inputs to registrations, transactions and the inbound room, and owns no rule of SIP itself. Which
registrations there are, and who takes over from whom, is the roster's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

from sipcore.commands import Record
from sipcore.config import Account
from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.events import FlowLost, Identify, InboundRequest, InboundResponse
from sipcore.flows import Flow
from sipcore.inbound import Inbound, allow
from sipcore.registration import Registration, Wanted
from sipcore.registration.bound_flow import flow_lost
from sipcore.registration.ending import abandon
from sipcore.registration.memory import key_of, remember
from sipcore.registration.view import view
from sipcore.roster import Succession
from sipcore.syntax.message import Request, Response
from sipcore.transaction import mismatch
from sipcore.values import Address, Status

__all__ = ["Snapshot", "UserAgent"]

Snapshot = dict[str, dict[str, object]]
"""What survives a restart, by registration name: values that JSON can hold, no secrets."""


class UserAgent(Succession):
    """The registering side of SIP as a machine without I/O.

    Call its inputs with `now` from one clock, perform the commands and tell the events of `next_output()`, and call
    `handle_deadline` at `next_deadline()`. `random` must be `random.SystemRandom()` in production: branches, tags and
    cnonces come from it. `handles` names the methods of inbound requests that the application answers itself; INVITE
    brings ACK and CANCEL along, and it is told of each by an `InboundRequest`. `extensions` names the option tags that
    it understands when a request has them in Require (RFC 3261 section 8.2.2.3).

    `snapshot` is what an earlier process left: its last `snapshot()`, or with `remembers` what its `Remember` commands
    had stored when it ended, however it ended. Then bindings are also resumed without a REGISTER where that is safe:
    over UDP, from the same local address to the same server, as long as they stand.
    """

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        *,
        random: Random,
        handles: Iterable[str] = (),
        extensions: Iterable[str] = (),
        snapshot: Mapping[str, Mapping[str, object]] | None = None,
        now: float = 0.0,
        wall: float = 0.0,
        remembers: bool = False,
        identify: Identify | None = None,
    ) -> None:
        methods = frozenset(handles)
        if "INVITE" in methods:
            # Both are part of every INVITE (RFC 3261 sections 9.2 and 13.2.2.4); nobody else can answer for it.
            methods |= {"ACK", "CANCEL"}
        super().__init__(
            random=random, allowed=allow(methods), snapshot=snapshot, now=now, wall=wall, remembers=remembers
        )
        self.handles = methods
        self.inbound = Inbound(
            self,
            handles=self.handles,
            extensions=tuple(extensions),
            by_line=self._name_of_line,
            by_contact=self._name_of_contact,
            endpoint_of=self.identified,
        )
        self.identify = identify
        """Names the endpoint of each `InboundRequest`. It may be replaced at any time, as after a reload; what it
        raises is told as a `MessageDropped`, and the request is handed over without an endpoint."""
        for account in accounts:
            self.add(account, now=now)

    # --- the application -------------------------------------------------------------------------------------------

    def add(self, account: Account, *, now: float) -> None:
        """Know a registration. Nothing is sent before `register`. Raises `LocalProtocolError` when the name is
        taken."""
        now = self.advance(now)
        if self._closing:
            raise LocalProtocolError("the agent is closing")
        old = self._registrations.get(account.name)
        if old is not None and old.wanted is not Wanted.GONE:
            raise LocalProtocolError(f"there is a registration {account.name!r} already")
        self._add(account, now)
        self.settle(now)

    def register(self, name: str, *, now: float) -> None:
        """Keep it registered from now on; when it is already, refresh it now. Raises `LocalProtocolError`."""
        now = self.advance(now)
        self._find_wanted(name).register(now)
        self.settle(now)

    def unregister(self, name: str, *, all: bool = False, now: float) -> None:
        """Remove the binding; with `all` those of other devices, too (RFC 3261 section 10.2.2).

        `register` brings it back. Raises `LocalProtocolError`.
        """
        now = self.advance(now)
        self._find_wanted(name).unregister(now, everything=all)
        self._remove_former(name, now)
        self.settle(now)

    def remove(self, name: str, *, now: float) -> None:
        """Remove the binding and forget the registration: its last status is Stopped. Raises `LocalProtocolError`."""
        now = self.advance(now)
        registration = self._find_wanted(name)
        self._leaving[registration] = None
        registration.remove(now)
        self._remove_former(name, now)
        self.settle(now)

    def reload(self, accounts: Iterable[Account], *, now: float) -> None:
        """Have exactly these registrations; what did not change is not touched.

        A change of address of record or registrar registers the new one first and then removes the old; any other
        change, also that of the name, keeps Call-ID, CSeq and flow. New ones are registered, removed ones are
        un-registered and Stopped, and those that were un-registered on request stay so. Raises `LocalProtocolError`,
        and changes nothing, when two accounts have one name or the agent is closing.
        """
        now = self.advance(now)
        if self._closing:
            raise LocalProtocolError("the agent is closing")
        wanted: dict[str, Account] = {}
        for account in accounts:
            if account.name in wanted:
                raise LocalProtocolError(f"there are two registrations {account.name!r}")
            wanted[account.name] = account
        self._reload(wanted, now)
        self.settle(now)

    def close(self, *, now: float, unregister: bool = True) -> None:
        """Remove all bindings (unless told to leave them), then close all flows; `closed` says when that is done."""
        now = self.advance(now)
        self._closing = True
        # What stands is left for the next process, and so is the memory of it.
        self._remembers = self._remembers and unregister
        self._leaving.update(dict.fromkeys(self._registrations.values()))
        for registration in list(self._leaving):
            registration.successor = None
            if not unregister:
                abandon(registration, now)
            if not registration.stopped:
                registration.remove(now)
        self.settle(now)

    def remove_orphans(self, *, now: float) -> None:
        """Remove the bindings that the snapshot has of registrations which were not added, as `remove` would have.

        Call it once when all accounts are added. Without it they are left to lapse. The login that a removal may need
        is that of an added account with the same registrar and user name. Raises `LocalProtocolError` when the agent is
        closing.
        """
        now = self.advance(now)
        if self._closing:
            raise LocalProtocolError("the agent is closing")
        self._remove_orphans(now)
        self.settle(now)

    def respond(
        self,
        request: InboundRequest,
        status: int,
        reason: str | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        now: float,
    ) -> None:
        """Answer a request that an `InboundRequest` event brought (RFC 3261 section 8.2.6).

        Raises `LocalProtocolError` when it was answered already or is too old, or when a value breaks the grammar.
        """
        now = self.advance(now)
        self.inbound.respond(request, status, reason, headers=headers, body=body, now=now)
        self.settle(now)

    def resolved(self, query: int, records: Sequence[Record], *, now: float) -> None:
        """Answer to `Resolve`."""
        now = self.advance(now)
        self.network.resolver.answer(query, records, None, now)
        self.settle(now)

    def resolve_failed(self, query: int, error: str, *, now: float) -> None:
        """Answer to `Resolve`: there is no address, and `error` says why in words."""
        now = self.advance(now)
        self.network.resolver.answer(query, (), error, now)
        self.settle(now)

    def network_changed(self, *, now: float) -> None:
        """This host's addresses changed, or it slept: every registration is renewed once, paced."""
        now = self.advance(now)
        self.network.resolver.forget()
        # A connection from an address that is gone would take a whole timeout to be found dead.
        for flow in self.network.connections.renew():
            self.network.idle.released(flow, now)
        for registration in dict.fromkeys((*self._registrations.values(), *self._leaving)):
            registration.network_changed(now)
        self.settle(now)

    # --- views -----------------------------------------------------------------------------------------------------

    def status(self, name: str) -> Status:
        """What is true of one registration. Raises `LocalProtocolError` when there is none of that name."""
        return view(self._find(name))

    def proven(self, name: str) -> bool:
        """Whether the registrar accepted the credentials before. Raises `LocalProtocolError`."""
        return self._find(name).proven

    def began(self, name: str) -> float | None:
        """When the first request of the last attempt left, None before the first. Raises `LocalProtocolError`."""
        started = self._find(name).started_at
        return started if started > float("-inf") else None

    def statuses(self) -> list[Status]:
        """All registrations, in the order in which they were added."""
        return [view(registration) for registration in self._registrations.values()]

    def names(self) -> tuple[str, ...]:
        """The names of all registrations."""
        return tuple(self._registrations)

    def account(self, name: str) -> Account:
        """The account of a registration. Raises `LocalProtocolError`."""
        return self._find(name).account

    @property
    def closed(self) -> bool:
        """True when `close` has nothing left to do."""
        return self._closing and not self._leaving and not self.flows

    def snapshot(self, *, now: float, wall: float) -> Snapshot:
        """What has to survive a restart: identities and bindings, their times as wall-clock seconds."""
        now = self.advance(now)
        known = dict.fromkeys((*self._registrations.values(), *self._leaving))
        return {key_of(item): remember(item, now, wall) for item in known if not item.stopped}

    # --- what arrives ----------------------------------------------------------------------------------------------

    def on_response(self, flow: Flow, response: Response, data: bytes, source: Address | None, now: float) -> None:
        try:
            branch = response.via.branch
            transaction = self.network.transactions.find(branch) if branch else None
            if transaction is None:
                if self.handles:
                    self.put(InboundResponse(response=response, data=data, flow=flow.id, source=source))
                else:
                    self.drop("a response to no request", flow.id, source)
                return
            wrong = mismatch(transaction, response, flow, source)
        except RemoteProtocolError:
            self.drop("a response with a malformed header", flow.id, source)
            return
        if wrong is not None:
            self.drop(wrong, flow.id, source)
            return
        try:
            transaction.receive(response, now)
        except RemoteProtocolError:
            self.drop("a response with a malformed header", flow.id, source)

    def on_request(self, flow: Flow, request: Request, data: bytes, source: Address | None, now: float) -> None:
        self.inbound.receive(flow, request, data, source, now)

    def identified(
        self, request: Request, source: Address | None, registration: str | None
    ) -> tuple[str | None, str | None]:
        """What `identify` says of a request, and the name of the error when it fails."""
        if self.identify is None:
            return None, None
        try:
            endpoint = self.identify(request, source, registration)
        except Exception as error:
            # It is not ours, and what it makes of a stranger's request must not end the agent.
            return None, type(error).__name__
        return endpoint, None

    # --- flows -----------------------------------------------------------------------------------------------------

    def on_flow_end(self, flow: Flow, error: str, now: float) -> None:
        self.network.flow_ended(flow, error, now)
        users, flow.users = flow.users, set()
        if not flow.reliable:
            # Its users are not kept, since a socket rarely ends; when it does, the next one has another port.
            users = {name for name, item in self._registrations.items() if item.flow == flow.id}
        for name in sorted(users):
            registration = self._registrations.get(name)
            if registration is not None and registration.flow == flow.id:
                flow_lost(registration, now)
        if flow.local is not None and not self._closing:
            self.put(FlowLost(flow=flow.id, remote=flow.remote, error=error, names=tuple(sorted(users))))

    def on_transmit_failed(self, flow: Flow, remote: Address, error: str, now: float) -> None:
        for transaction in self.network.transactions.on_flow(flow, remote):
            transaction.flow_lost(error, now)

    def settle(self, now: float) -> None:
        if self._closing and not self._leaving:
            for listener in list(self.listeners.values()):
                self.close_listener(listener)
            for flow in list(self.flows.values()):
                self.close_flow(flow)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _find_wanted(self, name: str) -> Registration:
        registration = self._find(name)
        if registration.wanted is Wanted.GONE:
            raise LocalProtocolError(f"the registration {name!r} is being removed")
        return registration
