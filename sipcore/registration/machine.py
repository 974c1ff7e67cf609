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

from typing import Protocol as Interface

from sipcore.auth.client import ClientAuth
from sipcore.config import Account
from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.exchange import Exchange, Failure, Outcome, Reply
from sipcore.flows import Flow
from sipcore.network.network import Network
from sipcore.profiles import MIN_ATTEMPT_GAP, Backoff
from sipcore.registration.attempt import Attempt
from sipcore.registration.binding import Listed
from sipcore.registration.causes import extended, failure_cause, removal_cause, success_cause
from sipcore.registration.request import (
    Texts,
    address_of_record,
    contact_value,
    distinct_contacts,
    same_on_the_wire,
)
from sipcore.registration.schedule import History, initial_delay, refresh_delay, schedule
from sipcore.registration.table import TRANSITIONS, Trigger, Wanted
from sipcore.registration.view import view
from sipcore.syntax.uri import Uri
from sipcore.values import Address, Cause, OutcomeClass, Phase, Protocol, State, backoff

__all__ = ["Registration", "RegistrationHost"]

MAX_CSEQ = 2**31 - 1
"""RFC 3261 section 8.1.1.5: below 2**31."""

MAX_UNCONFIRMED = 4
"""Contacts of unanswered REGISTERs that are removed together with the next that is answered; older ones lapse."""

REMOVAL_RETRIES = 2
"""Further attempts at a removal whose connection broke, in the profiles that back off."""

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

    def stopped(self, registration: Registration, now: float) -> None:
        """A removed registration has nothing left to do."""

    def succeeded(self, registration: Registration, now: float) -> None:
        """A binding stands."""


_NO_OTHERS: tuple[Listed, ...] = ()


class Registration:
    """One registration; see the module's text. Slotted and small, since there may be a hundred thousand."""

    __slots__ = (
        "_again",
        "_everything",
        "account",
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
        "line",
        "listed_at",
        "others",
        "phase",
        "planned_at",
        "proven",
        "removals_failed",
        "remove_first",
        "replaced",
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
        self._everything = False
        self._again = False
        """What is in flight says something that is out of date: register again when it has ended."""
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
        return self.contact[5 : min(self.contact.find(mark, 5) % (end + 1) for mark in ";>")] if end else ""

    def same_contact(self, other: Registration) -> bool:
        """True when both are the same Contact of the same address of record: to a registrar, one binding."""
        ours, theirs = self.contact, other.bound or other.contact
        if not ours or not theirs or not Uri.parse(self.account.aor).equivalent(Uri.parse(other.account.aor)):
            return False
        return len(distinct_contacts((ours, theirs))) == 1

    def same_binding(self, other: Registration) -> bool:
        """True when both were bound at the same server as the same Contact."""
        return self.home == other.home and self.same_contact(other)

    # --- what the application wants --------------------------------------------------------------------------------

    def register(self, now: float) -> None:
        """Be registered. When it is planned or refused already, try again soon; when it runs already, nothing."""
        tried = self.started_at > float("-inf")
        # Whoever asks again and again must not put off what is planned already, nor un-register what is gone.
        kept = self.state is State.UNREGISTERED or not self.account.profile.register_removes_first
        planned = self.planned_at if self.wanted is Wanted.UP and kept and not self.failures else None
        self.wanted = Wanted.UP
        self._everything = False
        self._forget_failures()
        if self.exchange is not None:
            # An attempt to register is what was asked for; one to remove is followed by one when it ends.
            return
        if tried and planned is None and self.account.profile.register_removes_first:
            self.remove_first = True
            self.expires = self.account.expires or 0
            self._plan(now, now)
        else:
            when = now + initial_delay(self.account, self.host.network.host.random)
            self._plan(when if planned is None else min(when, planned), now)

    def unregister(self, now: float, *, everything: bool = False) -> None:
        """Have no binding; with `everything` remove those of other devices, too (`Contact: *`)."""
        self.wanted = Wanted.DOWN
        self.remove_first = False
        self._everything = self._everything or everything
        self.removals_failed = 0
        self._call_off(now)
        if self.exchange is None:
            self._next(now)

    def remove(self, now: float) -> None:
        """Have no binding, then stop for good."""
        self.wanted = Wanted.GONE
        self.remove_first = False
        self._call_off(now)
        if self.exchange is None:
            self._next(now)

    def retire(self, successor: str) -> None:
        """Do nothing more until the successor is registered; then remove the binding that is left."""
        self._leave_flow()
        self.wanted = Wanted.GONE
        self.successor = successor
        self.replaced = True
        self._everything = False
        if self.exchange is None:
            self._rest()

    def supersede(self, now: float) -> None:
        """The successor made the same binding at the same server: there is nothing of ours to remove."""
        if self.exchange is not None:
            self.exchange.cancel(now)
            self.exchange = None
        self._forget_binding()
        self.contact = ""
        self.cause = None
        self._stop(now)

    def change(self, account: Account, now: float) -> None:
        """Another account of the same address of record and registrar (`reload`). Call-ID, CSeq and flow stay."""
        old, self.account = self.account, account
        if account == old:
            return
        self.texts = self.host.texts(account)
        if account.expires != old.expires:
            self.expires = account.expires or 0
        self.contact_address = None
        if account.line != bool(self.line):
            self.line = self.host.line_token(self)
        credentials = account.credentials != old.credentials
        if credentials:
            self.auth.forget()
            self.proven = False
        same = same_on_the_wire(old, account)
        if self.exchange is not None:
            # Also when nothing is wanted yet: whoever revives it registers it in the next moment.
            self._again = self._again or credentials or not same
        elif self.wanted is Wanted.UP and (credentials or not same or self.planned_at is None):
            self._forget_failures()
            # A crowd that is reloaded under a profile with an initial delay is spread by it, as at the start; but what
            # is planned to keep a binding is not put off.
            spread = account.profile.initial_delay is not None
            when = now + (initial_delay(account, self.host.network.host.random) if spread else 0.0)
            standing = self.expires_at is not None and self.planned_at is not None
            self._plan(min(when, self.planned_at) if standing and self.planned_at is not None else when, now)

    def revive(self, account: Account, now: float) -> None:
        """The application removed it and wants it back before its binding was gone: it goes on as it was."""
        self.wanted = Wanted.DOWN
        self.successor = None
        self.replaced = False
        self._everything = False
        self.change(account, now)

    def network_changed(self, now: float) -> None:
        """The host's addresses changed, or it slept: the Contact may be wrong, so register again, once."""
        self.contact_address = None
        if self.phase is Phase.EXCHANGING:
            # What is in flight may be answered to the address that is gone.
            self.doubt(now)
        if self.wanted is Wanted.UP:
            if self.exchange is None:
                self._plan(now, now)
            else:
                self._again = True

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
        self._plan(now + self._flow_backoff(), now)

    def _flow_backoff(self) -> float:
        """The wait before a lost flow is opened again: none, unless flows end as soon as they are there."""
        rule = self.account.profile.retries[OutcomeClass.TEMPORARY]
        if self.flow_losses < 2 or not isinstance(rule, Backoff):
            return 0.0
        random = self.host.network.host.random
        return backoff(self.flow_losses - 1, base=rule.base, ceiling=rule.ceiling, random=random)

    def adopt(self, contact: str, expires_at: float) -> None:
        """A binding that an earlier run made, and that the registrar still holds."""
        self.bound = contact
        self.expires_at = expires_at
        self.state = State.REGISTERED
        self._arm()

    def abandon(self, now: float) -> None:
        """Leave the binding to the registrar: it is not removed, and nothing more is sent."""
        if self.exchange is not None:
            self.exchange.cancel(now)
            self.exchange = None
        self._forget_binding()
        self._everything = False
        self._rest()

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

    def _plan(self, when: float, now: float) -> None:
        earliest = self.started_at + MIN_ATTEMPT_GAP
        self.planned_at = when if when > earliest else earliest
        self.step(Trigger.PLAN)
        self._arm()

    def _rest(self) -> None:
        self.planned_at = None
        self.step(Trigger.REST)
        self._arm()

    def _next(self, now: float, cause: Cause | None = None) -> bool:
        """No exchange runs, and the application wants no binding: remove what there may be, or rest.

        True when the application was told of a new state; `cause` is what it is told instead of that it asked for it.
        """
        if self.wanted is Wanted.GONE and self.successor is not None:
            self._rest()
        elif self._to_remove(now):
            self._plan(now, now)
        elif self.wanted is Wanted.GONE:
            self._stop(now)
            return True
        else:
            self._rest()
            if self.state is not State.UNREGISTERED:
                self._settle_down(cause or Cause(detail="not registered on request"), now)
                return True
        return False

    def _to_remove(self, now: float) -> bool:
        if self.expires_at is not None or self.unconfirmed_at(now) or self._everything:
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
            self._again = False
            exchange.cancel(now)
            if exchange.flow is not None:
                self.host.network.idle.released(exchange.flow, now)

    def _begin(self, due: float, now: float) -> None:
        removal = self.wanted is not Wanted.UP or self.remove_first
        if removal and not self.remove_first and not self._to_remove(now):
            # The binding lapsed while its removal waited for its turn.
            self._next(now)
            return
        attempt = Attempt(self, removal, everything=self._everything and self.wanted is not Wanted.UP)
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
            random = self.host.network.host.random
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

    def renew_tag(self) -> None:
        """Another From tag, for the profiles whose tag does not live as long as the Call-ID."""
        self.tag = f"{self.host.network.host.random.getrandbits(64):016x}"

    def step(self, trigger: Trigger) -> None:
        """Move the phase. An illegal step is a bug of ours, and names what was tried."""
        try:
            self.phase = TRANSITIONS[self.phase][trigger]
        except KeyError:
            raise AssertionError(f"registration: {trigger} in phase {self.phase}") from None

    # --- outcomes --------------------------------------------------------------------------------------------------

    def ended(self, attempt: Attempt, exchange: Exchange, reply: Reply, outcome: Outcome, now: float) -> None:
        """An attempt is over."""
        self.exchange = None
        if exchange.flow is not None:
            self.host.network.idle.released(exchange.flow, now)
        again, self._again = self._again, False
        if outcome.kind is OutcomeClass.SUCCESS:
            self._succeeded(exchange, attempt, reply, outcome, again, now)
        elif outcome.kind is OutcomeClass.REMOVED and attempt.removal:
            self._removed(attempt, reply, now)
        else:
            self._failed(exchange, attempt, reply, outcome, again, now)

    def _succeeded(
        self, exchange: Exchange, attempt: Attempt, reply: Reply, outcome: Outcome, again: bool, now: float
    ) -> None:
        assert reply.response is not None
        assert attempt.grant is not None
        assert exchange.flow is not None
        doubt = attempt.accepted(reply.response)
        previous, refreshed = self.state, self.expires_at is not None
        self._forget_failures()
        self.unconfirmed = ()
        self.bound = self.contact
        self.expires_at = now + outcome.grant
        self.others = attempt.grant.others
        self.listed_at = now
        self.home = exchange.remote
        self._use_flow(exchange)
        self.cause = success_cause(reply.response, doubt)
        self._enter(State.REGISTERED, now)
        if self.wanted is Wanted.UP:
            delay = refresh_delay(self.account.profile.refresh, outcome.grant, self.host.network.host.random)
            self._plan(now if again else now + delay, now)
        put = self.host.network.host.put
        put(
            Registered(
                name=self.name,
                expires=outcome.grant,
                refreshed=refreshed,
                assumed=outcome.assumed,
                refresh_at=self.planned_at or now,
            )
        )
        if self.wanted is not Wanted.UP:
            self._next(now)
        put(StatusChanged(status=view(self), previous=previous))
        self.host.succeeded(self, now)

    def _removed(self, attempt: Attempt, reply: Reply, now: float) -> None:
        assert reply.response is not None
        attempt.accepted(reply.response)
        self._forget_binding()
        self._everything = self._everything and not attempt.everything
        self.removals_failed = 0
        self._forget_failures()
        cause = removal_cause(reply.response)
        if self.remove_first:
            self.remove_first = False
            # What the initial delay is for, it is for here, too; it runs from when the removal was sent.
            delay = initial_delay(self.account, self.host.network.host.random)
            self._plan(max(now, self.started_at + delay), now)
        elif self.wanted is Wanted.UP or self._everything:
            self._plan(now, now)
        else:
            self._rest()
        self._settle_down(cause, now)
        if self._everything:
            return
        if self.wanted is Wanted.GONE:
            self._stop(now)

    def _failed(
        self, exchange: Exchange, attempt: Attempt, reply: Reply, outcome: Outcome, again: bool, now: float
    ) -> None:
        account = self.account
        previous = self.state
        kind = outcome.kind
        cause = failure_cause(exchange, reply, outcome)
        if kind is OutcomeClass.REMOVED and not attempt.removal:
            # The registrar lists no binding of ours. It took the request all the same, and something on the way may
            # have rewritten our Contact, so that we do not know ours in the list.
            others = attempt.grant.others if attempt.grant is not None else _NO_OTHERS
            self._forget_binding()
            self.others = others
            self.listed_at = now
            self.doubt(now)
        if attempt.removal:
            self._removal_failed(cause, kind, reply, previous, now)
            return
        self.failures += 1
        self.same_class = self.same_class + 1 if kind is self.failed_kind else 1
        self.failed_kind = kind
        history = History(
            failures=self.failures - self.failures_while_bound,
            same_class=self.same_class,
            retries=self.retries,
            standing=self.expires_at is not None and now < self.expires_at,
            proven=self.proven,
        )
        plan = schedule(outcome, history, account, self.host.network.host.random)
        if plan.exhausted:
            cause = extended(cause, f"{self.retries} retries were made, which is the configured limit")
        if plan.counted:
            self.retries += 1
        if self.wanted is Wanted.UP:
            if again:
                self._plan(now, now)
            elif plan.delay is None:
                self._rest()
            else:
                self._plan(now + plan.delay, now)
        self.cause = cause
        standing = self.expires_at is not None
        if kind is OutcomeClass.REMOVED:
            self._enter(State.UNREGISTERED, now)
        elif standing and not account.profile.failed_refresh_rejects:
            pass
        elif reply.response is not None or account.profile.silence_rejects:
            self._enter(State.REJECTED, now)
        put = self.host.network.host.put
        put(Rejected(name=self.name, kind=kind, status=outcome.code, cause=cause, retry_at=self.planned_at))
        if previous is State.REGISTERED and kind is OutcomeClass.REMOVED:
            put(Unregistered(name=self.name, cause=cause))
        if self.wanted is Wanted.UP or not self._next(now, cause):
            put(StatusChanged(status=view(self), previous=previous))

    def _removal_failed(self, cause: Cause, kind: OutcomeClass, reply: Reply, previous: State, now: float) -> None:
        """What the registrar still holds lapses by itself; nothing is registered because of it."""
        self._everything = False
        if self.expires_at is not None or self.unconfirmed_at(now):
            may = "stands" if reply.response is not None and self.expires_at is not None else "may stand"
            cause = extended(cause, f"the binding was not removed and {may} until it lapses")
        self.cause = cause
        if self.account.profile.failed_refresh_rejects:
            self._enter(State.REJECTED, now)
        if self.wanted is Wanted.UP:
            # A forced register() goes on: the REGISTER replaces whatever the registrar kept.
            self.remove_first = False
            self._plan(now + initial_delay(self.account, self.host.network.host.random), now)
        elif reply.failure is Failure.FLOW and self._may_remove_again():
            # A connection that broke says nothing about the registrar; silence has been given its whole time already.
            self.removals_failed += 1
            self._plan(now + MIN_ATTEMPT_GAP * 2.0**self.removals_failed, now)
        else:
            self._rest()
        put = self.host.network.host.put
        put(
            Rejected(
                name=self.name,
                kind=kind,
                status=cause.code,
                cause=self.cause,
                retry_at=self.planned_at,
                removal=True,
            )
        )
        if self.wanted is Wanted.GONE and self.planned_at is None:
            self._stop(now)
        else:
            put(StatusChanged(status=view(self), previous=previous))

    def _may_remove_again(self) -> bool:
        rule = self.account.profile.retries[OutcomeClass.TEMPORARY]
        return isinstance(rule, Backoff) and self.removals_failed < REMOVAL_RETRIES

    def doubt(self, now: float) -> None:
        """The REGISTER that was just sent may have made a binding, whatever came of it."""
        known = tuple(item for item in self.unconfirmed_at(now) if item != self.contact)
        self.unconfirmed = (*known, self.contact)[-MAX_UNCONFIRMED:]
        self.unconfirmed_until = now + self.expires

    def _lapse(self, now: float) -> None:
        """The binding's time is over."""
        unconfirmed = self.unconfirmed
        self._forget_binding()
        self.unconfirmed = unconfirmed
        self.failures_while_bound = self.failures
        if self.wanted is Wanted.GONE and self.exchange is None:
            self._stop(now)
        elif self.state is not State.REGISTERED:
            self.host.network.host.put(StatusChanged(status=view(self), previous=self.state))
        else:
            detail = "the binding lapsed"
            if self.failures and self.cause is not None:
                detail += (
                    f" after {self.failures} failed refresh{'es' if self.failures > 1 else ''}; the last: {self.cause}"
                )
            self._settle_down(Cause(detail=detail), now)

    def _settle_down(self, cause: Cause, now: float) -> None:
        previous = self.state
        self.cause = cause
        self._enter(State.UNREGISTERED, now)
        put = self.host.network.host.put
        put(Unregistered(name=self.name, cause=cause))
        put(StatusChanged(status=view(self), previous=previous))

    def _stop(self, now: float) -> None:
        previous = self.state
        self._rest()
        self.expires_at = None
        self.bound = None
        self._arm()
        self.stopped = True
        if self.cause is None or self.cause.kind in (None, OutcomeClass.SUCCESS, OutcomeClass.REMOVED):
            self.cause = Cause(detail="removed")
        self._enter(State.STOPPED, now)
        self.host.network.host.put(StatusChanged(status=view(self), previous=previous))
        self.host.stopped(self, now)

    def _enter(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state = state
            self.since = now

    def _forget_failures(self) -> None:
        self.failures = self.failures_while_bound = self.same_class = self.retries = 0
        self.failed_kind = None

    def _forget_binding(self) -> None:
        self.expires_at = None
        self.bound = None
        self.unconfirmed = ()
        self.others = _NO_OTHERS
        self._leave_flow()

    def _use_flow(self, exchange: Exchange) -> None:
        flow = exchange.flow
        assert flow is not None
        if flow.id != self.flow:
            self._leave_flow()
            self.flow = flow.id
        if flow.reliable:
            flow.users.add(self.name)

    def _leave_flow(self) -> None:
        flow, self.flow = self.flow, None
        if flow is not None:
            self.host.left_flow(flow, self.name)
