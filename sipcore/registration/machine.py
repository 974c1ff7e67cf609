"""The life of one registration, as a table and the decisions around it.

One machine for each registration. It sees what the application wants (`register`, `unregister`, `remove`, a changed
account), its own deadline, the progress and the outcome of its one exchange, and the end of the flow that its binding
was made over. It keeps apart what is wanted (`Wanted`), what the registrar believes (`State`) and what is being done
(`Phase`).

Conflicts, and how they are settled:

* What is wanted may change while an exchange runs. REGISTERs of one registration never overlap (RFC 3261 section 10.2),
  so the wish is kept and looked at when the exchange ends; nothing is lost and nothing is sent twice.
* The deadline is the earlier of the next attempt and the lapse of the binding. When both are due, the lapse is told
  first: the status must never claim a binding that is over.
* A removal that fails is a removal that failed. It never turns into a REGISTER.
* Attempts start at least `MIN_ATTEMPT_GAP` apart, counted from the first request that was really sent.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING
from typing import Protocol as Interface

from sipcore.auth.client import ClientAuth
from sipcore.config import Account
from sipcore.events import Event, StatusChanged, Unregistered
from sipcore.exchange import Exchange, Outcome, Reply
from sipcore.flows import Flow
from sipcore.network.network import Network
from sipcore.profiles import MIN_ATTEMPT_GAP, Backoff
from sipcore.registration.attempt import Attempt
from sipcore.registration.binding import Listed
from sipcore.registration.conclusion import conclude
from sipcore.registration.kinds import ChallengeKind, RequestKind
from sipcore.registration.request import (
    Texts,
    address_of_record,
    contact_value,
    distinct_contacts,
    same_on_the_wire,
)
from sipcore.registration.schedule import initial_delay
from sipcore.registration.table import TRANSITIONS, Trigger, Wanted
from sipcore.registration.view import view
from sipcore.syntax.uri import Uri
from sipcore.values import Address, Cause, OutcomeClass, Phase, Protocol, State, backoff

if TYPE_CHECKING:
    from sipcore.registration.memory import Kept

__all__ = ["MAX_UNCONFIRMED", "Registration", "RegistrationHost"]

MAX_CSEQ = 2**31 - 1
"""RFC 3261 section 8.1.1.5: below 2**31."""

MAX_UNCONFIRMED = 4
"""Contacts of unanswered REGISTERs that are removed together with the next that is answered; older ones lapse."""

SETTLED_FLOW = 120.0
"""Seconds after which a flow counts as one that lasts (RFC 5626 section 4.5 asks for a keep-alive period)."""

FIRST_CSEQ_BITS = 15
"""The first CSeq is random below 2**15, so that a new Call-ID does not look like the old one and never runs out."""


class RegistrationHost(Interface):
    """What the agent does for its registrations."""

    network: Network

    def texts(self, account: Account) -> Texts:
        """What the account's requests do not change."""

    def line_token(self, registration: Registration) -> str:
        """A token for the `line` parameter, by which inbound requests are found, or nothing if there is to be none."""

    def contact_changed(self) -> None:
        """A registration has another Contact than before."""

    def left_flow(self, flow: int, name: str) -> None:
        """The registration's binding is no longer bound to a flow."""

    def keep_alive(self, flow: int, interval: float | None) -> None:
        """The registration's binding is on that flow, and wants a keep-alive after so many seconds; or none."""

    def emptied(self, registration: Registration, now: float) -> None:
        """A registration whose name another has removed all bindings of its address of record."""

    def stopped(self, registration: Registration, now: float) -> None:
        """A removed registration has nothing left to do."""

    def succeeded(self, registration: Registration, now: float) -> None:
        """A binding stands."""

    def on_register_sent(self, name: str, kind: RequestKind) -> None:
        """A REGISTER leaves."""

    def on_register_answered(self, name: str, reply: Reply, outcome: Outcome, seconds: float) -> None:
        """It was answered, or was not."""

    def on_challenge(self, name: str, kind: ChallengeKind) -> None:
        """The answer was a challenge."""

    def note(self, registration: Registration) -> None:
        """Something may have changed that has to survive the process; what comes next depends on its being stored."""


_NO_OTHERS: tuple[Listed, ...] = ()


class Registration:
    """One registration; see the module's text. Slotted and small, since there may be a hundred thousand."""

    __slots__ = (
        "account",
        "again",
        "aor",
        "auth",
        "bound",
        "call_id",
        "cause",
        "contact",
        "contact_address",
        "cseq",
        "due",
        "due_key",
        "everything",
        "exchange",
        "expires",
        "expires_at",
        "failed_kind",
        "failures",
        "failures_while_bound",
        "flow",
        "flow_losses",
        "home",
        "host",
        "kept",
        "line",
        "listed_at",
        "others",
        "phase",
        "planned_at",
        "proven",
        "removals_failed",
        "remove_first",
        "replaced",
        "resume_at",
        "retries",
        "same_class",
        "server",
        "since",
        "started_at",
        "state",
        "stopped",
        "successor",
        "tag",
        "texts",
        "transport",
        "unconfirmed",
        "unconfirmed_until",
        "wanted",
    )

    def __init__(self, host: RegistrationHost, account: Account, now: float) -> None:
        random = host.network.host.random
        self.host = host
        self.account = account
        self.texts = host.texts(account)
        self.aor = address_of_record(account)
        """The value of To, and of From but for its tag."""
        self.call_id = f"{random.getrandbits(128):032x}"
        self.cseq = random.getrandbits(FIRST_CSEQ_BITS)
        self.tag = f"{random.getrandbits(64):016x}"
        self.line = ""
        if account.line:
            self.line = host.line_token(self)
        self.auth = ClientAuth()
        self.wanted = Wanted.DOWN
        self.state = State.UNREGISTERED
        self.phase = Phase.IDLE
        self.cause: Cause | None = None
        self.since = now
        self.stopped = False
        self.successor: str | None = None
        """The registration that takes over, when a reload changed the address of record or the registrar."""
        self.replaced = False
        """Another registration has the name now."""
        self.expires = account.expires or 0
        """What is asked for: the account's lifetime, or more after a 423."""
        self.expires_at: float | None = None
        self.bound: str | None = None
        """The Contact value that the registrar holds, as far as we know."""
        self.unconfirmed: tuple[str, ...] = ()
        """Contact values of REGISTERs that nobody answered, newest last: the registrar may hold them, too."""
        self.unconfirmed_until = now
        """When the last of them has lapsed in any case."""
        self.contact = ""
        self.contact_address: Address | None = None
        self.others = _NO_OTHERS
        self.listed_at = now
        self.server: Address | None = None
        """The address asked last."""
        self.home: Address | None = None
        """The address that took the binding; refreshes go there first (RFC 3261 section 10.2.4)."""
        self.transport: Protocol | None = None
        self.flow: int | None = None
        self.flow_losses = 0
        """Flows in a row that ended soon after a binding was made over them."""
        self.removals_failed = 0
        """Removals in a row that did not reach the registrar."""
        self.failures = 0
        """Failed attempts in a row."""
        self.failures_while_bound = 0
        """... of which came before the binding lapsed. Those were quick on purpose, and do not count for the
        back-off."""
        self.failed_kind: OutcomeClass | None = None
        self.same_class = 0
        self.retries = 0
        self.proven = False
        """The credentials were accepted before."""
        self.remove_first = False
        """A forced register() that has to un-register first."""
        self.started_at = float("-inf")
        """When the first request of the last attempt left."""
        self.exchange: Exchange | None = None
        self.planned_at: float | None = None
        self.everything = False
        self.again = False
        """What is in flight says something that is out of date: register again when it has ended."""
        self.kept: Kept | None = None
        """What was said to be remembered last, or is stored since an earlier run; None when nothing is."""
        self.resume_at: float | None = None
        """When the binding that an earlier run made wants its refresh, if it still is as it would be made now."""
        self.due: float | None = None
        self.due_key = 0

    @property
    def name(self) -> str:
        """The account's name; one that another registration has taken over says so."""
        return f"{self.account.name} (replaced)" if self.replaced else self.account.name

    @property
    def contact_user(self) -> str:
        """The user part of the Contact."""
        account = self.account
        return account.contact_user or account.profile.default_contact_user or Uri.parse(account.aor).user or ""

    @property
    def contact_key(self) -> str:
        """User, host and port of the Contact as it was last sent; empty before that."""
        end = len(self.contact)
        # The first of these ends what comes after "<sip:".
        key = self.contact[5 : min(self.contact.find(mark, 5) % (end + 1) for mark in ";>")] if end else ""
        user, at, host = key.rpartition("@")
        # The case of a host name, which an external one is, means nothing (RFC 3261 section 19.1.4).
        return f"{user}{at}{host.lower()}"

    def same_contact(self, other: Registration) -> bool:
        """True when both are the same Contact of the same address of record: to a registrar, one binding."""
        ours, theirs = self.contact, other.bound or other.contact
        if not ours or not theirs or not self.same_address_of_record(other):
            return False
        return len(distinct_contacts((ours, theirs))) == 1

    def same_address_of_record(self, other: Registration) -> bool:
        """True when a `Contact: *` of one removes the bindings of the other, too."""
        return Uri.parse(self.account.aor).equivalent(Uri.parse(other.account.aor))

    def same_binding(self, other: Registration) -> bool:
        """True when both were bound at the same server as the same Contact, letter for letter.

        Equal URIs are not enough: equality passes over a parameter that only one of them has (RFC 3261 section
        19.1.4), so one Contact may equal two that differ, and the registrar has put it in the place of the other one.
        """
        same_text = self.contact == (other.bound or other.contact)
        return self.home == other.home and same_text and self.same_contact(other)

    # --- what the application wants --------------------------------------------------------------------------------

    def register(self, now: float) -> None:
        """Be registered. When it is planned or refused already, try again soon; when it runs already, nothing."""
        tried = self.started_at > float("-inf")
        # Whoever asks again and again must not put off what is planned already, nor un-register what is gone.
        kept = self.state is State.UNREGISTERED or not self.account.profile.register_removes_first
        planned = self.planned_at if self.wanted is Wanted.UP and kept and not self.failures else None
        self.wanted = Wanted.UP
        self.everything = False
        self.forget_failures()
        if self.exchange is not None:
            # An attempt to register is what was asked for; one to remove is followed by one when it ends.
            return
        if tried and planned is None and self.account.profile.register_removes_first:
            self.remove_first = True
            self.expires = self.account.expires or 0
            self.plan(now, now)
        else:
            when = now + initial_delay(self.account, self.random)
            self.plan(when if planned is None else min(when, planned), now)

    def unregister(self, now: float, *, everything: bool = False) -> None:
        """Have no binding; with `everything` remove those of other devices, too (`Contact: *`)."""
        self.wanted = Wanted.DOWN
        self.remove_first = False
        self.everything = self.everything or everything
        self.removals_failed = 0
        self._call_off(now)
        if self.exchange is None:
            self.next(now)

    def remove(self, now: float) -> None:
        """Have no binding, then stop for good."""
        self.wanted = Wanted.GONE
        self.remove_first = False
        self._call_off(now)
        if self.exchange is None:
            self.next(now)

    def retire(self, successor: str) -> None:
        """Do nothing more until the successor is registered; then remove the binding that is left."""
        self.lose_name()
        self.wanted = Wanted.GONE
        self.successor = successor
        self.everything = False
        if self.exchange is None:
            self.rest()

    def lose_name(self) -> None:
        """Another registration has the name from now on: what is still told of this one must not pass for news of that
        one."""
        self._leave_flow()
        self.replaced = True
        self.host.note(self)

    def supersede(self, now: float) -> None:
        """The successor made the same binding at the same server: there is nothing of ours to remove."""
        if self.exchange is not None:
            self.exchange.cancel(now)
            self.exchange = None
        self.forget_binding()
        self.contact = ""
        self.cause = None
        self.stop(now)

    def change(self, account: Account, now: float) -> None:
        """Another account of the same address of record and registrar (`reload`). Call-ID, CSeq and flow stay."""
        old, self.account = self.account, account
        if account == old:
            return
        self.texts = self.host.texts(account)
        if account.expires != old.expires:
            self.expires = account.expires or 0
        self.contact_address = None
        if self.flow is not None:
            self.host.keep_alive(self.flow, account.keep_alive_interval)
        if account.line != bool(self.line):
            self.line = self.host.line_token(self)
        credentials = account.credentials != old.credentials
        if credentials:
            self.auth.forget()
            self.proven = False
        if self.kept is not None:
            # The record says something of the account, too, and its name is where it stands.
            self.kept = self.kept._replace(cseq=-1)
            self.host.note(self)
        same = same_on_the_wire(old, account)
        if self.exchange is not None:
            # Also when nothing is wanted yet: whoever revives it registers it in the next moment.
            self.again = self.again or credentials or not same
        elif self.wanted is Wanted.UP and (credentials or not same or self.planned_at is None):
            self.forget_failures()
            # A crowd that is reloaded under a profile with an initial delay is spread by it, as at the start; but what
            # is planned to keep a binding is not put off.
            spread = account.profile.initial_delay is not None
            when = now + (initial_delay(account, self.random) if spread else 0.0)
            standing = self.expires_at is not None and self.planned_at is not None
            self.plan(min(when, self.planned_at) if standing and self.planned_at is not None else when, now)

    def revive(self, account: Account, now: float) -> None:
        """The application removed it and wants it back before its binding was gone: it goes on as it was."""
        self.wanted = Wanted.DOWN
        self.successor = None
        self.replaced = False
        self.everything = False
        self.change(account, now)
        self.host.note(self)

    def network_changed(self, now: float) -> None:
        """The host's addresses changed, or it slept: the Contact may be wrong, so register again, once."""
        self.contact_address = None
        if self.phase is Phase.EXCHANGING:
            # What is in flight may be answered to the address that is gone.
            assert self.exchange is not None
            assert isinstance(self.exchange.user, Attempt)
            self.doubt(self.exchange.user.asked, now)
        if self.wanted is Wanted.UP:
            if self.exchange is None:
                self.plan(now, now)
            else:
                self.again = True

    def listener_changed(self, now: float) -> None:
        """Contact has another port now, or the binding may have been removed by another way: register again."""
        if self.started_at > float("-inf"):
            self.network_changed(now)

    def flow_lost(self, now: float) -> None:
        """The connection that the binding was made over ended: nobody reaches us until we register again."""
        self.flow = None
        if self.wanted is not Wanted.UP or self.exchange is not None or self.state is not State.REGISTERED:
            return
        if self.failures:
            # The registrar has told us when to come again, or to wait; that it then hangs up changes nothing.
            return
        young = now - self.listed_at < SETTLED_FLOW
        self.flow_losses = self.flow_losses + 1 if young else 0
        self.plan(now + self._flow_backoff(), now)

    def _flow_backoff(self) -> float:
        """The wait before a lost flow is opened again: none, unless flows end as soon as they are there."""
        rule = self.account.profile.retries[OutcomeClass.TEMPORARY]
        if self.flow_losses < 2 or not isinstance(rule, Backoff):
            return 0.0
        random = self.random
        return backoff(self.flow_losses - 1, base=rule.base, ceiling=rule.ceiling, random=random)

    def adopt(self, contact: str, expires_at: float) -> None:
        """A binding that an earlier run made, and that the registrar still holds."""
        self.bound = contact
        self.expires_at = expires_at
        self.state = State.REGISTERED
        self._arm()

    def resume(self, exchange: Exchange, flow: Flow, now: float) -> bool:
        """Take over the binding of an earlier process if over this flow the very same would be made; True if so.

        Only over UDP: a connection ended with its process, and whoever is called over it is not reached. Only towards
        the server that has the binding, and until the moment at which that process would have refreshed it.
        """
        when, self.resume_at = self.resume_at, None
        contact = contact_value(
            self.account, self.contact_user, exchange.contact_address, reliable=flow.reliable, line=self.line
        )
        same = contact == self.bound and exchange.remote == self.home
        if when is None or when <= now or flow.reliable or not same or self.again:
            return False
        self.exchange = None
        self.contact, self.contact_address = contact, exchange.contact_address
        self.host.contact_changed()
        self.server, self.transport = exchange.remote, flow.protocol
        self.use_flow(exchange)
        self.plan(when, now)
        self.cause = Cause(detail="resumed: an earlier process made the binding, and it is the one that we would make")
        self.put(StatusChanged(status=view(self), previous=self.state))
        self.host.succeeded(self, now)
        return True

    def abandon(self, now: float) -> None:
        """Leave the binding to the registrar: it is not removed, and nothing more is sent."""
        if self.exchange is not None:
            self.exchange.cancel(now)
            self.exchange = None
        left = self.expires_at is not None
        self.forget_binding()
        self.everything = False
        self.wanted = Wanted.GONE
        self.stop(now, detail="ended, and the binding is left as it is" if left else "removed")

    # --- deadline --------------------------------------------------------------------------------------------------

    def on_due(self, now: float) -> None:
        """The binding lapsed, or the next attempt starts."""
        if self.expires_at is not None and now >= self.expires_at:
            self._lapse(now)
        if self.planned_at is not None and now >= self.planned_at and self.exchange is None:
            due, self.planned_at = self.planned_at, None
            self._begin(due, now)
        self._arm()

    def _arm(self) -> None:
        planned, lapse = self.planned_at, self.expires_at
        if planned is None:
            due = lapse
        elif lapse is None:
            due = planned
        else:
            due = planned if planned < lapse else lapse
        timers = self.host.network.host.timers
        if due is None:
            timers.disarm(self)
        elif due != self.due:
            timers.arm(self, due)

    def plan(self, when: float, now: float) -> None:
        """The next attempt starts at `when`, or as soon after it as the attempt gap allows."""
        earliest = self.started_at + MIN_ATTEMPT_GAP
        self.planned_at = when if when > earliest else earliest
        self.step(Trigger.PLAN)
        self._arm()

    def rest(self) -> None:
        """No attempt is planned."""
        self.planned_at = None
        self.step(Trigger.REST)
        self._arm()

    def next(self, now: float, cause: Cause | None = None, previous: State | None = None) -> bool:
        """No exchange runs, and the application wants no binding: remove what there may be, or rest.

        True when the application was told of a new state; `cause` is what it is told instead of that it asked for it,
        `previous` the state that it was told last, when that is another by now.
        """
        if self.wanted is Wanted.GONE and self.successor is not None:
            self.rest()
        elif self._to_remove(now):
            self.plan(now, now)
        elif self.wanted is Wanted.GONE:
            self.stop(now, previous)
            return True
        else:
            self.rest()
            if self.state is not State.UNREGISTERED:
                self.settle_down(cause or Cause(detail="not registered on request"), now, previous)
                return True
        return False

    def _to_remove(self, now: float) -> bool:
        if self.expires_at is not None or self.unconfirmed_at(now) or self.everything:
            return True
        # Asterisk sends an un-REGISTER whatever the status, once something was tried.
        tried = self.started_at > float("-inf")
        return self.wanted is Wanted.DOWN and self.account.profile.register_removes_first and tried

    def unconfirmed_at(self, now: float) -> tuple[str, ...]:
        """The Contacts that the registrar may hold without our knowing."""
        return self.unconfirmed if now < self.unconfirmed_until else ()

    # --- attempts --------------------------------------------------------------------------------------------------

    def _call_off(self, now: float) -> None:
        """An attempt that has sent nothing yet, because it waits for an address, a connection or its turn, ends here:
        nobody has heard of it, so nothing has to be undone."""
        exchange = self.exchange
        if exchange is not None and exchange.requests == 0 and self.phase is not Phase.REMOVING:
            self.exchange = None
            self.again = False
            exchange.cancel(now)
            if exchange.flow is not None:
                self.host.network.idle.released(exchange.flow, now)

    def _begin(self, due: float, now: float) -> None:
        removal = self.wanted is not Wanted.UP or self.remove_first
        if removal and not self.remove_first and not self._to_remove(now):
            # The binding lapsed while its removal waited for its turn.
            self.next(now)
            return
        attempt = Attempt(self, removal, everything=self.everything and self.wanted is not Wanted.UP)
        self.step(Trigger.BEGIN_REMOVAL if removal else Trigger.BEGIN)
        if self.account.profile.tag_per_attempt:
            self.renew_tag()
        refresh = self.expires_at is not None
        self.exchange = exchange = Exchange(
            self.host.network,
            attempt,
            timing=self.account.timing,
            any_source=self.account.any_source,
            refresh=refresh,
            due=due,
        )
        exchange.start(self.texts.hop, now)

    def sending(self, exchange: Exchange, flow: Flow) -> None:
        """A request of ours is about to be written: count it, and know the Contact under which the flow reaches us."""
        if self.cseq >= MAX_CSEQ:
            # RFC 3261 section 8.1.1.5 leaves no room above, so a new Call-ID starts a new count.
            random = self.random
            self.call_id = f"{random.getrandbits(128):032x}"
            self.cseq = random.getrandbits(FIRST_CSEQ_BITS)
        self.cseq += 1
        self.server = exchange.remote
        self.transport = flow.protocol
        if exchange.contact_address != self.contact_address or not self.contact:
            self.contact_address = exchange.contact_address
            self.host.contact_changed()
            self.contact = contact_value(
                self.account, self.contact_user, exchange.contact_address, reliable=flow.reliable, line=self.line
            )
        self.host.note(self)

    def renew_tag(self) -> None:
        """Another From tag, for the profiles whose tag does not live as long as the Call-ID."""
        self.tag = f"{self.random.getrandbits(64):016x}"

    def step(self, trigger: Trigger) -> None:
        """Move the phase. An illegal step is a bug of ours, and names what was tried."""
        try:
            self.phase = TRANSITIONS[self.phase][trigger]
        except KeyError:
            raise AssertionError(f"registration: {trigger} in phase {self.phase}") from None

    # --- outcomes --------------------------------------------------------------------------------------------------

    def ended(self, attempt: Attempt, exchange: Exchange, reply: Reply, outcome: Outcome, now: float) -> None:
        """An attempt is over."""
        conclude(self, attempt, exchange, reply, outcome, now)

    @property
    def random(self) -> Random:
        """The agent's dice."""
        return self.host.network.host.random

    def put(self, event: Event) -> None:
        """Tell the application."""
        self.host.network.host.put(event)

    def doubt(self, asked: int, now: float) -> None:
        """The REGISTER that was just sent, and asked for so many seconds, may have made a binding, whatever came of
        it."""
        self.suspect(self.contact, now, asked)

    def suspect(self, contact: str, now: float, lifetime: int | None = None) -> None:
        """The registrar may hold that Contact, for so many seconds; None is what is asked for now."""
        until = now + (self.expires if lifetime is None else lifetime)
        known = self.unconfirmed_at(now)
        if known:
            until = max(until, self.unconfirmed_until)
        self.unconfirmed = (*(item for item in known if item != contact), contact)[-MAX_UNCONFIRMED:]
        self.unconfirmed_until = until

    def _lapse(self, now: float) -> None:
        """The binding's time is over."""
        unconfirmed = self.unconfirmed
        self.forget_binding()
        self.unconfirmed = unconfirmed
        self.host.note(self)
        self.failures_while_bound = self.failures
        if self.wanted is Wanted.GONE and self.exchange is None:
            self.stop(now)
        elif self.state is not State.REGISTERED:
            self.put(StatusChanged(status=view(self), previous=self.state))
        else:
            detail = "the binding lapsed"
            if self.failures and self.cause is not None:
                detail += (
                    f" after {self.failures} failed refresh{'es' if self.failures > 1 else ''}; the last: {self.cause}"
                )
            self.settle_down(Cause(detail=detail), now)

    def settle_down(self, cause: Cause, now: float, previous: State | None = None) -> None:
        """There is no binding any more: say why."""
        previous = previous or self.state
        self.cause = cause
        self.enter(State.UNREGISTERED, now)
        self.put(Unregistered(name=self.name, cause=cause))
        self.put(StatusChanged(status=view(self), previous=previous))

    def stop(self, now: float, previous: State | None = None, *, detail: str = "removed") -> None:
        """Nothing is left to do, for good."""
        previous = previous or self.state
        self.rest()
        self.expires_at = None
        self.bound = None
        self._arm()
        self.stopped = True
        if self.cause is None or self.cause.kind in (None, OutcomeClass.SUCCESS, OutcomeClass.REMOVED):
            self.cause = Cause(detail=detail)
        self.enter(State.STOPPED, now)
        self.put(StatusChanged(status=view(self), previous=previous))
        self.host.stopped(self, now)

    def enter(self, state: State, now: float) -> None:
        """The registrar believes something else from now on, or the same as before."""
        if state is not self.state:
            self.state = state
            self.since = now

    def forget_failures(self) -> None:
        """What failed so far counts no longer."""
        self.failures = self.failures_while_bound = self.same_class = self.retries = 0
        self.failed_kind = None

    def forget_binding(self) -> None:
        """There is no binding of ours any more, as far as we know."""
        self.expires_at = None
        self.bound = None
        self.unconfirmed = ()
        self.others = _NO_OTHERS
        self._leave_flow()

    def use_flow(self, exchange: Exchange) -> None:
        """The binding was made over the flow of this exchange."""
        flow = exchange.flow
        assert flow is not None
        if flow.id != self.flow:
            self._leave_flow()
            self.flow = flow.id
        if flow.reliable:
            flow.users.add(self.name)
            self.host.keep_alive(flow.id, self.account.keep_alive_interval)

    def _leave_flow(self) -> None:
        flow, self.flow = self.flow, None
        if flow is not None:
            self.host.left_flow(flow, self.name)
