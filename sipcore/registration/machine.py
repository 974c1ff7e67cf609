"""The life of one registration, as a table and the decisions around it.

One machine for each registration. It sees what the application wants (`register`, `unregister`, `remove`), its own
deadline, and the progress and the outcome of its one exchange. It keeps apart what is wanted (`Wanted`), what the
registrar believes (`State`) and what is being done (`Phase`).

What comes from elsewhere is said by others in its own steps (`plan`, `rest`, `next`, `enter`, `forget_binding`):
`reloading.py` for an account that changed, `bound_flow.py` for a flow that ended, `resumption.py` for the binding of an
earlier process, `conclusion.py` for the end of an attempt, and `ending.py` for the end of a binding and of the
registration itself. `contacts.py` knows which Contacts the registrar may hold.

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

from sipcore.auth.client import ClientAuth
from sipcore.config import Account
from sipcore.events import Event
from sipcore.exchange import Exchange, Outcome, Reply
from sipcore.flows import Flow
from sipcore.profiles import MIN_ATTEMPT_GAP
from sipcore.registration.attempt import Attempt
from sipcore.registration.binding import Listed
from sipcore.registration.bound_flow import leave_flow
from sipcore.registration.conclusion import conclude
from sipcore.registration.contacts import in_doubt, unconfirmed_at
from sipcore.registration.ending import lapse, settle_down, stop
from sipcore.registration.host import RegistrationHost
from sipcore.registration.request import address_of_record, contact_value
from sipcore.registration.schedule import initial_delay
from sipcore.registration.table import TRANSITIONS, Trigger, Wanted
from sipcore.syntax.uri import Uri
from sipcore.values import Address, Cause, OutcomeClass, Phase, Protocol, State

if TYPE_CHECKING:
    from sipcore.registration.memory import Kept

__all__ = ["Registration"]

MAX_CSEQ = 2**31 - 1
"""RFC 3261 section 8.1.1.5: below 2**31."""

FIRST_CSEQ_BITS = 15
"""The first CSeq is random below 2**15, so that a new Call-ID does not look like the old one and never runs out."""

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

    def network_changed(self, now: float) -> None:
        """The host's addresses changed, or it slept: the Contact may be wrong, so register again, once."""
        self.contact_address = None
        if self.phase is Phase.EXCHANGING:
            # What is in flight may be answered to the address that is gone.
            assert self.exchange is not None
            assert isinstance(self.exchange.user, Attempt)
            in_doubt(self, self.exchange.user.asked, now)
        if self.wanted is Wanted.UP:
            if self.exchange is None:
                self.plan(now, now)
            else:
                self.again = True

    def listener_changed(self, now: float) -> None:
        """Contact has another port now, or the binding may have been removed by another way: register again."""
        if self.started_at > float("-inf"):
            self.network_changed(now)

    # --- deadline --------------------------------------------------------------------------------------------------

    def on_due(self, now: float) -> None:
        """The binding lapsed, or the next attempt starts."""
        if self.expires_at is not None and now >= self.expires_at:
            lapse(self, now)
        if self.planned_at is not None and now >= self.planned_at and self.exchange is None:
            due, self.planned_at = self.planned_at, None
            self._begin(due, now)
        self.arm()

    def arm(self) -> None:
        """Have `on_due` called at the earlier of the next attempt and the lapse."""
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
        self.arm()

    def rest(self) -> None:
        """No attempt is planned."""
        self.planned_at = None
        self.step(Trigger.REST)
        self.arm()

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
            stop(self, now, previous)
            return True
        else:
            self.rest()
            if self.state is not State.UNREGISTERED:
                settle_down(self, cause or Cause(detail="not registered on request"), now, previous)
                return True
        return False

    def _to_remove(self, now: float) -> bool:
        if self.expires_at is not None or unconfirmed_at(self, now) or self.everything:
            return True
        # Asterisk sends an un-REGISTER whatever the status, once something was tried.
        tried = self.started_at > float("-inf")
        return self.wanted is Wanted.DOWN and self.account.profile.register_removes_first and tried

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
        leave_flow(self)

