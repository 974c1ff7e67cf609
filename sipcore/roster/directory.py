"""Where the registrations of an agent are found, and what they share.

By name the application finds them. Inbound requests lead to one by the token of its `line` parameter, or by its
Contact. What accounts have in common is there once: the texts of their requests, the listeners that their transports
ask for, the keep-alive of a flow that several bindings are on.
"""

from __future__ import annotations

from random import Random

from sipcore.config import Account, Transport
from sipcore.endpoint import Endpoint, Listener
from sipcore.errors import LocalProtocolError
from sipcore.events import ListenFailed, Listening
from sipcore.exchange import Outcome, Reply
from sipcore.flows import Flow, Pinger
from sipcore.network import DEFAULT_PORT, Network
from sipcore.registration import Registration
from sipcore.registration.contacts import contact_key
from sipcore.registration.kinds import ChallengeKind, RequestKind
from sipcore.registration.request import Texts
from sipcore.syntax.uri import Uri

__all__ = ["Directory", "socket_of"]

MAX_TEXTS = 1024
"""Shared texts remembered; an agent whose accounts all differ gains nothing from more."""


class Directory(Endpoint):
    """The registrations by name, by line token and by Contact; see the module's text."""

    def __init__(self, *, random: Random, allowed: str) -> None:
        super().__init__(random=random)
        self.network = Network(self)
        self.allowed = allowed
        """The value of Allow in a REGISTER, unless the account has its own."""
        self._registrations: dict[str, Registration] = {}
        self._lines: dict[str, Registration] = {}
        self._by_contact: dict[str, str | None] | None = None
        """Names of registrations by user, host and port of their Contact."""
        self._texts: dict[object, Texts] = {}
        self._listeners: dict[tuple[object, ...], Listener] = {}
        """By the `socket` of their transports."""

    # --- by name ---------------------------------------------------------------------------------------------------

    def _find(self, name: str) -> Registration:
        """Raises `LocalProtocolError` when there is none of that name."""
        try:
            return self._registrations[name]
        except KeyError:
            raise LocalProtocolError(f"there is no registration {name!r}") from None

    # --- by what an inbound request came for -----------------------------------------------------------------------

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

    def _name_of_line(self, token: str) -> str | None:
        registration = self._lines.get(token)
        return None if registration is None else registration.name

    def _name_of_contact(self, uri: Uri) -> str | None:
        if self._by_contact is None:
            # Made when the first request comes and again after changes, since most agents never need it.
            self._by_contact = {}
            for name, registration in self._registrations.items():
                key = contact_key(registration)
                # Where several have one Contact nobody can tell for whom a request is.
                self._by_contact[key] = None if key in self._by_contact else name
        host = f"{uri.host.lower()}:{uri.port or DEFAULT_PORT}"
        return self._by_contact.get(f"{uri.user}@{host}")

    # --- what they share -------------------------------------------------------------------------------------------

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

    # --- listeners -------------------------------------------------------------------------------------------------

    def on_listening(self, listener: Listener, now: float) -> None:
        for socket, wanted in self._listeners.items():
            if wanted is listener:
                self.network.listening[socket] = listener.local
                for registration in self._registrations.values():
                    if socket_of(registration) == socket:
                        registration.listener_changed(now)
        self.put(Listening(protocol=listener.protocol, local=listener.local))

    def on_listen_failed(self, listener: Listener, error: str, now: float) -> None:
        self._listeners = {key: value for key, value in self._listeners.items() if value is not listener}
        self.put(ListenFailed(protocol=listener.protocol, local=listener.local, error=error))

    def _listen(self, transport: Transport | None) -> None:
        """Have the listener that a transport asks for, unless it is there already."""
        if transport is not None and transport.listen and transport.socket not in self._listeners:
            assert transport.local is not None
            self._listeners[transport.socket] = self.listen(transport.protocol, transport.local, transport.options)

    def _tidy_listeners(self) -> None:
        """Close the listeners that no account asks for any more."""
        used = {socket_of(registration) for registration in self._registrations.values()}
        for socket, listener in list(self._listeners.items()):
            if socket not in used:
                del self._listeners[socket]
                self.network.listening.pop(socket, None)
                self.close_listener(listener)

    # --- what subclasses may count ---------------------------------------------------------------------------------

    def on_register_sent(self, name: str, kind: RequestKind) -> None:
        """A REGISTER of that registration is about to leave; copies of it are not told."""

    def on_register_answered(self, name: str, reply: Reply, outcome: Outcome, seconds: float) -> None:
        """It got its final response, or none, so long after it left; a name that was not resolved counts, too."""

    def on_challenge(self, name: str, kind: ChallengeKind) -> None:
        """Its response was a 401 or 407; `on_register_answered` follows."""


def socket_of(registration: Registration) -> tuple[object, ...]:
    """What tells one listener from another: the `socket` of the registration's transport."""
    transport = registration.account.transport
    return () if transport is None else transport.socket
