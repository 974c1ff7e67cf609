"""`UserAgent`: keeps any number of registrations alive, and hands on what their bindings bring.

The hub: it routes inputs to registrations, transactions and the inbound room, and owns no rule of SIP itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random

from sipcore.commands import Record, Remember
from sipcore.config import Account, Transport
from sipcore.endpoint import Endpoint, Listener
from sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipcore.events import FlowLost, Identify, InboundRequest, InboundResponse, ListenFailed, Listening, StatusChanged
from sipcore.exchange import Outcome, Reply
from sipcore.flows import Flow, Pinger
from sipcore.inbound import Inbound, allow
from sipcore.network import DEFAULT_PORT, Network
from sipcore.registration import Registration, Wanted
from sipcore.registration.kinds import ChallengeKind, RequestKind
from sipcore.registration.memory import Kept, key_of, news, recall, remember, stands
from sipcore.registration.orphan import Heritage, account_of
from sipcore.registration.request import Texts
from sipcore.registration.view import view
from sipcore.syntax.message import Request, Response
from sipcore.syntax.uri import Uri
from sipcore.transaction import mismatch
from sipcore.values import Address, Cause, Phase, State, Status

__all__ = ["Snapshot", "UserAgent"]

MAX_TEXTS = 1024
"""Shared texts remembered; an agent whose accounts all differ gains nothing from more."""

Snapshot = dict[str, dict[str, object]]
"""What survives a restart, by registration name: values that JSON can hold, no secrets."""


class UserAgent(Endpoint):
    """The registering side of SIP as a machine without I/O.

    Call its inputs with `now` from one clock, perform the commands and tell the events of `next_output()`, and call
    `handle_deadline` at `next_deadline()`. `random` must be `random.SystemRandom()` in production: branches, tags and
    cnonces come from it. `handles` names the methods of inbound requests that the application answers itself; INVITE
    brings ACK and CANCEL along. It is told of each by an `InboundRequest`, and
    `extensions` the option tags that it understands when a request has them in Require (RFC 3261 section 8.2.2.3).

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
        super().__init__(random=random)
        now = self.advance(now)
        self.network = Network(self)
        self.handles = frozenset(handles)
        if "INVITE" in self.handles:
            # Both are part of every INVITE (RFC 3261 sections 9.2 and 13.2.2.4); nobody else can answer for it.
            self.handles |= {"ACK", "CANCEL"}
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
        self.allowed = allow(self.handles)
        self._registrations: dict[str, Registration] = {}
        self._leaving: dict[Registration, None] = {}
        """Removed or replaced, with a binding that is not gone yet; their names may be in use again. In order, as all
        that leads to outputs."""
        self._former: dict[str, list[Registration]] = {}
        """Those of them whose name another has by now; some are removed once that one has a binding."""
        self._lines: dict[str, Registration] = {}
        self._texts: dict[object, Texts] = {}
        self._listeners: dict[tuple[object, ...], Listener] = {}
        """By the `socket` of their transports."""
        self._by_contact: dict[str, str | None] | None = None
        """Names of registrations by user, host and port of their Contact."""
        self._snapshot = {name: (record, now, wall) for name, record in (snapshot or {}).items()}
        self._remembers = remembers
        self._closing = False
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
        added = {
            (account.aor, account.registrar): account
            for name, account in wanted.items()
            if name not in self._registrations and name not in self._former
        }
        for name, registration in list(self._registrations.items()):
            if name in wanted or registration.wanted is Wanted.GONE:
                continue
            renamed = added.pop((registration.account.aor, registration.account.registrar), None)
            # One that others wait for ends together with them.
            if renamed is not None and name not in self._former:
                self._rename(registration, renamed, now)
                continue
            self._leaving[registration] = None
            registration.remove(now)
            self._remove_former(name, now)
        for name, account in wanted.items():
            old = self._registrations.get(name)
            if old is None or old.wanted is Wanted.GONE:
                self._add(account, now).register(now)
            elif (old.account.aor, old.account.registrar) != (account.aor, account.registrar):
                self._replace(old, account, now)
            else:
                self._listen(account.transport)
                old.change(account, now)
        self._by_contact = None
        self._tidy_listeners()
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
                registration.abandon(now)
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
        records, self._snapshot = self._snapshot, {}
        heritage = Heritage(item.account for item in self._registrations.values())
        for key, (record, then, wall) in records.items():
            account = account_of(record, heritage) if isinstance(record, Mapping) else None
            if account is None:
                self._forget(key)
            else:
                self._remove_orphan(key, account, record, then, wall, now)
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

    def _name_of_line(self, token: str) -> str | None:
        registration = self._lines.get(token)
        return None if registration is None else registration.name

    def _name_of_contact(self, uri: Uri) -> str | None:
        if self._by_contact is None:
            # Made when the first request comes and again after changes, since most agents never need it.
            self._by_contact = {}
            for name, registration in self._registrations.items():
                key = registration.contact_key
                # Where several have one Contact nobody can tell for whom a request is.
                self._by_contact[key] = None if key in self._by_contact else name
        host = f"{uri.host.lower()}:{uri.port or DEFAULT_PORT}"
        return self._by_contact.get(f"{uri.user}@{host}")

    # --- what subclasses may count ---------------------------------------------------------------------------------

    def on_register_sent(self, name: str, kind: RequestKind) -> None:
        """A REGISTER of that registration is about to leave; copies of it are not told."""

    def on_register_answered(self, name: str, reply: Reply, outcome: Outcome, seconds: float) -> None:
        """It got its final response, or none, so long after it left; a name that was not resolved counts, too."""

    def on_challenge(self, name: str, kind: ChallengeKind) -> None:
        """Its response was a 401 or 407; `on_register_answered` follows."""

    # --- flows and listeners ---------------------------------------------------------------------------------------

    def on_flow_end(self, flow: Flow, error: str, now: float) -> None:
        self.network.flow_ended(flow, error, now)
        users, flow.users = flow.users, set()
        if not flow.reliable:
            # Its users are not kept, since a socket rarely ends; when it does, the next one has another port.
            users = {name for name, item in self._registrations.items() if item.flow == flow.id}
        for name in sorted(users):
            registration = self._registrations.get(name)
            if registration is not None and registration.flow == flow.id:
                registration.flow_lost(now)
        if flow.local is not None and not self._closing:
            self.put(FlowLost(flow=flow.id, remote=flow.remote, error=error, names=tuple(sorted(users))))

    def on_transmit_failed(self, flow: Flow, remote: Address, error: str, now: float) -> None:
        for transaction in self.network.transactions.on_flow(flow, remote):
            transaction.flow_lost(error, now)

    def on_listening(self, listener: Listener, now: float) -> None:
        for socket, wanted in self._listeners.items():
            if wanted is listener:
                self.network.listening[socket] = listener.local
                for registration in self._registrations.values():
                    if _socket(registration) == socket:
                        registration.listener_changed(now)
        self.put(Listening(protocol=listener.protocol, local=listener.local))

    def on_listen_failed(self, listener: Listener, error: str, now: float) -> None:
        self._listeners = {key: value for key, value in self._listeners.items() if value is not listener}
        self.put(ListenFailed(protocol=listener.protocol, local=listener.local, error=error))

    def settle(self, now: float) -> None:
        if self._closing and not self._leaving:
            for listener in list(self.listeners.values()):
                self.close_listener(listener)
            for flow in list(self.flows.values()):
                self.close_flow(flow)

    # --- what registrations need -----------------------------------------------------------------------------------

    def texts(self, account: Account) -> Texts:
        """One object for all accounts whose requests differ in nothing but names; most of one configuration do not."""
        key = Texts.key(account)
        texts = self._texts.get(key)
        if texts is None:
            if len(self._texts) >= MAX_TEXTS:
                # Those in use stay alive with their registrations; this only forgets to share the oldest.
                del self._texts[next(iter(self._texts))]
            texts = self._texts[key] = Texts(account, self.allowed)
        return texts

    def line_token(self, registration: Registration) -> str:
        """A token that leads inbound requests to the registration, in place of the one before; empty when its account
        wants none."""
        self._lines.pop(registration.line, None)
        if not registration.account.line:
            return ""
        token = f"{self.random.getrandbits(64):016x}"
        self._lines[token] = registration
        return token

    def contact_changed(self) -> None:
        """What was known of Contacts is out of date."""
        self._by_contact = None

    def keep_alive(self, flow: int, interval: float | None) -> None:
        """A registration whose binding is on that flow wants a keep-alive after so many seconds; or none."""
        record = self.flows.get(flow)
        if record is not None and record.reliable and interval:
            if record.pinger is None:
                record.pinger = Pinger(record)
            record.pinger.want(interval)

    def keep_alive_interval(self, flow: Flow) -> float | None:
        users = (self._registrations.get(name) for name in flow.users)
        intervals = [user.account.keep_alive_interval for user in users if user is not None]
        return min(filter(None, intervals), default=None)

    def left_flow(self, flow: int, name: str) -> None:
        """The binding of `name` is not on that flow any more."""
        record = self.flows.get(flow)
        current = self._registrations.get(name)
        # After a change of address two registrations of one name may be on it; the one that stays needs it.
        if record is not None and (current is None or current.flow != flow):
            record.users.discard(name)
            self.network.idle.released(record, self.now)

    def succeeded(self, registration: Registration, now: float) -> None:
        """What waited for this binding may go."""
        for old in tuple(self._former.get(registration.name, ())):
            if old.successor is not None:
                old.successor = None
                # A removal that is under way may still meet the new binding: its end is waited for.
                if registration.same_binding(old) and old.phase is not Phase.REMOVING:
                    old.supersede(now)
                elif old.exchange is None:
                    old.remove(now)

    def emptied(self, registration: Registration, now: float) -> None:
        """Its `Contact: *` may have met the binding of the one that has its name now, which then registers again."""
        heir = self._registrations.get(registration.account.name)
        if heir is not None and heir.same_address_of_record(registration):
            heir.listener_changed(now)

    def note(self, registration: Registration) -> None:
        """Have what must survive the process remembered, if that changed."""
        if not self._remembers:
            return
        before = registration.kept
        record = news(registration, self.now)
        if record is not None:
            assert registration.kept is not None
            self.put(Remember(name=registration.kept.key, record=record))
            if before is not None and before.key != registration.kept.key:
                self._forget(before.key)

    def stopped(self, registration: Registration, now: float) -> None:
        """Forget a registration that has nothing left to do."""
        # One that is still configured when the agent closes keeps its identity for the next process.
        if registration.kept is not None and (registration.replaced or not self._closing):
            kept, registration.kept = registration.kept, None
            self._forget(kept.key)
        self._leaving.pop(registration, None)
        name = registration.account.name
        former = self._former.get(name, [])
        if registration in former:
            former.remove(registration)
            if not former:
                del self._former[name]
            heir = self._registrations.get(name)
            bound = heir is not None and (heir.expires_at is not None or heir.exchange is not None)
            if heir is not None and bound and heir.same_contact(registration):
                # Two names of one registrar: what removed the old binding has removed the new one.
                heir.listener_changed(now)
        if registration.line:
            self._lines.pop(registration.line, None)
        if self._registrations.get(name) is registration:
            del self._registrations[name]
            self._by_contact = None
            socket = _socket(registration)
            if socket in self._listeners and not any(
                _socket(other) == socket for other in self._registrations.values()
            ):
                self._tidy_listeners()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _add(self, account: Account, now: float) -> Registration:
        self._listen(account.transport)
        name = account.name
        former = self._former.get(name, [])
        old = self._registrations.get(name)
        if old is not None:
            former = self._former.setdefault(name, [])
            former.append(old)
        self._by_contact = None
        for item in former:
            if (item.account.aor, item.account.registrar) == (account.aor, account.registrar):
                # It is being removed, or is about to be. A second registration of the same Contact would race its
                # removal, and the later of the two requests to arrive would win; the same one goes on in order.
                former.remove(item)
                if not former:
                    self._former.pop(name, None)
                self._leaving.pop(item, None)
                if old is not None and old is not item:
                    old.lose_name()
                self._registrations[name] = item
                item.revive(account, now)
                return item
        if old is not None:
            old.lose_name()
        registration = Registration(self, account, now)
        self._registrations[name] = registration
        record, then, wall = self._snapshot.get(name, (None, now, 0.0))
        # One of another address of record or registrar is not ours, but somebody has to remove what it left.
        if isinstance(record, Mapping) and (record.get("aor"), record.get("registrar")) == (
            account.aor,
            account.registrar,
        ):
            del self._snapshot[name]
            self._recall(registration, name, record, then, wall, now)
        return registration

    def _recall(
        self, registration: Registration, key: str, record: Mapping[str, object], then: float, wall: float, now: float
    ) -> None:
        token = registration.line
        recall(registration, record, then, wall, now)
        if self._remembers:
            registration.kept = Kept(key)
        else:
            # The snapshot may be of any age, and the process that took it may have gone on.
            registration.resume_at = None
        if registration.line != token:
            self._lines.pop(token, None)
            self._lines[registration.line] = registration

    def _remove_orphan(
        self, key: str, account: Account, record: Mapping[str, object], then: float, wall: float, now: float
    ) -> None:
        registration = Registration(self, account, now)
        self._recall(registration, key, record, then, wall, now)
        if not stands(registration, now):
            self._forget(key)
            return
        name = account.name
        heir = self._registrations.get(name)
        self._leaving[registration] = None
        if heir is None:
            self._registrations[name] = registration
            registration.remove(now)
            return
        self._former.setdefault(name, []).append(registration)
        if heir.wanted is Wanted.UP:
            # As when a reload changes the address: first the new binding, then the old one goes.
            registration.retire(name)
            if heir.expires_at is not None:
                self.succeeded(heir, now)
        else:
            registration.lose_name()
            registration.remove(now)

    def _forget(self, key: str) -> None:
        """What is stored there is out of date, unless it is of the registration that has the name now."""
        current = self._registrations.get(key)
        stored = current is not None and current.kept is not None and current.kept.key == key
        if self._remembers and not stored:
            self.put(Remember(name=key, record=None))

    def _replace(self, old: Registration, account: Account, now: float) -> None:
        self._leaving[old] = None
        if old.wanted is Wanted.DOWN:
            # Un-registered on request, and it stays so: nobody takes over what may be left of the old one.
            old.remove(now)
            self._remove_former(account.name, now)
            self._add(account, now)
            return
        new = self._add(account, now)
        old.retire(account.name)
        new.register(now)

    def _rename(self, registration: Registration, account: Account, now: float) -> None:
        """The same registration under another name: whoever follows the old name is told that it ended."""
        name = registration.name
        status = view(registration)
        ended = replace(
            status, state=State.STOPPED, cause=Cause(detail=f"renamed to {account.name}"), next_attempt_at=None
        )
        self.put(StatusChanged(status=ended, previous=status.state))
        del self._registrations[name]
        self._registrations[account.name] = registration
        for flow in self.flows.values():
            if name in flow.users:
                flow.users.discard(name)
                flow.users.add(account.name)
        registration.change(account, now)

    def _remove_former(self, name: str, now: float) -> None:
        """Those that waited for the registration of that name wait no longer: nobody takes over from them."""
        for old in tuple(self._former.get(name, ())):
            if old.successor is not None:
                old.successor = None
                if old.exchange is None:
                    old.remove(now)

    def _tidy_listeners(self) -> None:
        """Close the listeners that no account asks for any more."""
        used = {_socket(registration) for registration in self._registrations.values()}
        for socket, listener in list(self._listeners.items()):
            if socket not in used:
                del self._listeners[socket]
                self.network.listening.pop(socket, None)
                self.close_listener(listener)

    def _find(self, name: str) -> Registration:
        try:
            return self._registrations[name]
        except KeyError:
            raise LocalProtocolError(f"there is no registration {name!r}") from None

    def _find_wanted(self, name: str) -> Registration:
        registration = self._find(name)
        if registration.wanted is Wanted.GONE:
            raise LocalProtocolError(f"the registration {name!r} is being removed")
        return registration

    def _listen(self, transport: Transport | None) -> None:
        if transport is not None and transport.listen and transport.socket not in self._listeners:
            assert transport.local is not None
            self._listeners[transport.socket] = self.listen(transport.protocol, transport.local, transport.options)


def _socket(registration: Registration) -> tuple[object, ...]:
    transport = registration.account.transport
    return () if transport is None else transport.socket
