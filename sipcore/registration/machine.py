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

import enum
from typing import Protocol as Interface

from sipcore.auth.challenge import parse_challenges
from sipcore.auth.client import AuthVerdict, ClientAuth, Verdict
from sipcore.auth.digest import InfoResult
from sipcore.config import Account
from sipcore.errors import RemoteProtocolError
from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.exchange import Exchange, Outcome, Reply, Step, Written
from sipcore.network.network import Network
from sipcore.network.targets import literal_target
from sipcore.profiles import MIN_ATTEMPT_GAP
from sipcore.registration import redirect, too_brief
from sipcore.registration.binding import Grant, Listed, read_grant
from sipcore.registration.classify import Authentication, Context, classify
from sipcore.registration.request import Texts, contact_value, write_register
from sipcore.registration.schedule import History, initial_delay, refresh_delay, schedule
from sipcore.syntax.grammar import visible
from sipcore.syntax.headers import NameAddr
from sipcore.syntax.message import Response
from sipcore.syntax.uri import Uri
from sipcore.values import Address, Binding, Cause, OutcomeClass, Phase, Protocol, State, Status, format_address

__all__ = ["TRANSITIONS", "Registration", "RegistrationHost", "Trigger", "Wanted"]

MAX_CSEQ = 2**31 - 1
"""RFC 3261 section 8.1.1.5: below 2**31."""

FIRST_CSEQ_BITS = 15
"""The first CSeq is random below 2**15, so that a new Call-ID does not look like the old one and never runs out."""


class Trigger(enum.StrEnum):
    """What moves the phase."""

    PLAN = "plan"
    """An attempt is planned."""
    REST = "rest"
    """Nothing is planned."""
    BEGIN = "begin"
    """An attempt to register begins."""
    BEGIN_REMOVAL = "begin removal"
    """An attempt to remove the binding begins."""
    TARGETS = "targets"
    """The name is resolved."""
    SENT = "sent"
    """A request left."""


TRANSITIONS: dict[Phase, dict[Trigger, Phase]] = {
    Phase.IDLE: {
        Trigger.PLAN: Phase.WAITING,
        Trigger.REST: Phase.IDLE,
        Trigger.BEGIN: Phase.RESOLVING,
        Trigger.BEGIN_REMOVAL: Phase.REMOVING,
    },
    Phase.WAITING: {
        Trigger.PLAN: Phase.WAITING,
        Trigger.REST: Phase.IDLE,
        Trigger.BEGIN: Phase.RESOLVING,
        Trigger.BEGIN_REMOVAL: Phase.REMOVING,
    },
    Phase.RESOLVING: {Trigger.TARGETS: Phase.CONNECTING, Trigger.PLAN: Phase.WAITING, Trigger.REST: Phase.IDLE},
    Phase.CONNECTING: {Trigger.SENT: Phase.EXCHANGING, Trigger.PLAN: Phase.WAITING, Trigger.REST: Phase.IDLE},
    # Another target, a redirect or a challenge is still the same exchange; what is in flight is told by `server`.
    Phase.EXCHANGING: {
        Trigger.TARGETS: Phase.EXCHANGING,
        Trigger.SENT: Phase.EXCHANGING,
        Trigger.PLAN: Phase.WAITING,
        Trigger.REST: Phase.IDLE,
    },
    Phase.REMOVING: {
        Trigger.TARGETS: Phase.REMOVING,
        Trigger.SENT: Phase.REMOVING,
        Trigger.PLAN: Phase.WAITING,
        Trigger.REST: Phase.IDLE,
    },
}


class Wanted(enum.Enum):
    """What the application wants."""

    UP = "up"
    DOWN = "down"
    GONE = "gone"
    """Removed: un-registered if need be, then Stopped and forgotten."""


class RegistrationHost(Interface):
    """What the agent does for its registrations."""

    network: Network

    def texts(self, account: Account) -> Texts:
        """What the account's requests do not change."""

    def line_token(self, registration: Registration) -> str:
        """A token for the `line` parameter, by which inbound requests are found."""

    def left_flow(self, flow: int, name: str) -> None:
        """The registration's binding is no longer bound to a flow."""

    def stopped(self, registration: Registration, now: float) -> None:
        """A removed registration has nothing left to do."""

    def succeeded(self, registration: Registration, now: float) -> None:
        """A binding stands."""


_RESPONSE_OK = Cause(kind=OutcomeClass.SUCCESS, code=200, reason="OK")
_NO_OTHERS: tuple[Listed, ...] = ()


class Registration:
    """One registration; see the module's text. Slotted and small, since there may be a hundred thousand."""

    __slots__ = (
        "_again",
        "_attempt",
        "_contact_address",
        "_job_all",
        "_listed_at",
        "_others",
        "_planned_at",
        "account",
        "aor",
        "auth",
        "bound",
        "call_id",
        "cause",
        "contact",
        "counted",
        "cseq",
        "doubt",
        "due",
        "due_key",
        "exchange",
        "expires",
        "expires_at",
        "failed_kind",
        "failures",
        "failures_while_bound",
        "flow",
        "host",
        "line",
        "phase",
        "proven",
        "remove_first",
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
        "wanted",
    )

    def __init__(self, host: RegistrationHost, account: Account, now: float) -> None:
        random = host.network.host.random
        self.host = host
        self.account = account
        self.texts = host.texts(account)
        self.aor = f"<{account.aor}>"
        """The value of To, and of From but for its tag."""
        self.call_id = f"{random.getrandbits(128):032x}"
        self.cseq = random.getrandbits(FIRST_CSEQ_BITS)
        self.tag = f"{random.getrandbits(64):016x}"
        self.line = host.line_token(self) if account.line else ""
        self.auth = ClientAuth()
        self.wanted = Wanted.DOWN
        self.state = State.UNREGISTERED
        self.phase = Phase.IDLE
        self.cause: Cause | None = None
        self.since = now
        self.stopped = False
        self.successor: str | None = None
        """The registration that takes over, when a reload changed the address of record or the registrar."""
        self.expires = account.expires or 0
        """What is asked for: the account's lifetime, or more after a 423."""
        self.expires_at: float | None = None
        self.bound: str | None = None
        """The Contact value that the registrar holds, as far as we know."""
        self.doubt = False
        """A REGISTER went unanswered, so there may be a binding that we do not know of."""
        self.contact = ""
        self._contact_address: Address | None = None
        self._others = _NO_OTHERS
        self._listed_at = now
        self.server: Address | None = None
        self.transport: Protocol | None = None
        self.flow: int | None = None
        self.failures = 0
        """Failed attempts in a row."""
        self.failures_while_bound = 0
        """... of which came before the binding lapsed. Those were quick on purpose, and do not count for the back-off."""
        self.failed_kind: OutcomeClass | None = None
        self.same_class = 0
        self.retries = 0
        self.counted = False
        """The attempt that is planned counts against `max_retries`."""
        self.proven = False
        """The credentials were accepted before."""
        self.remove_first = False
        """A forced register() that has to un-register first."""
        self.started_at = float("-inf")
        """When the first request of the last attempt left."""
        self.exchange: Exchange | None = None
        self._attempt: _Attempt | None = None
        self._planned_at: float | None = None
        self._job_all = False
        self._again = False
        """What is in flight says something that is out of date: register again when it has ended."""
        self.due: float | None = None
        self.due_key = 0

    @property
    def name(self) -> str:
        """The account's name."""
        return self.account.name

    @property
    def contact_user(self) -> str:
        """The user part of the Contact."""
        account = self.account
        return account.contact_user or account.profile.default_contact_user or Uri.parse(account.aor).user or ""

    @property
    def contact_uri(self) -> Uri | None:
        """The Contact URI as it was last sent; None before that."""
        return NameAddr.parse(self.contact).uri if self.contact else None

    # --- what the application wants --------------------------------------------------------------------------------

    def register(self, now: float) -> None:
        """Be registered. When it is planned or refused already, try again soon; when it runs already, nothing."""
        tried = self.started_at > float("-inf")
        self.wanted = Wanted.UP
        self._forget_failures()
        if self.exchange is not None:
            # An attempt to register is what was asked for; one to remove is followed by one when it ends.
            return
        if tried and self.account.profile.register_removes_first:
            self.remove_first = True
            self.expires = self.account.expires or 0
            self._plan(now, now)
        else:
            self._plan(now + initial_delay(self.account, self.host.network.host.random), now)

    def unregister(self, now: float, *, everything: bool = False) -> None:
        """Have no binding; with `everything` remove those of other devices, too (`Contact: *`)."""
        self.wanted = Wanted.DOWN
        self.remove_first = False
        self._job_all = self._job_all or everything
        if self.exchange is None:
            self._next(now)

    def remove(self, now: float) -> None:
        """Have no binding, then stop for good."""
        self.wanted = Wanted.GONE
        self.remove_first = False
        if self.exchange is None:
            self._next(now)

    def retire(self, successor: str) -> None:
        """Do nothing more until the successor is registered; then remove the binding that is left."""
        self.wanted = Wanted.GONE
        self.successor = successor
        if self.exchange is None:
            self._rest()

    def change(self, account: Account, now: float) -> None:
        """Another account of the same address of record and registrar (`reload`). Call-ID, CSeq and flow stay."""
        old, self.account = self.account, account
        if account == old:
            return
        self.texts = self.host.texts(account)
        self.expires = account.expires or 0
        self._contact_address = None
        if account.line and not self.line:
            self.line = self.host.line_token(self)
        credentials = account.credentials != old.credentials
        if credentials:
            self.auth.forget()
            self.proven = False
        if self.wanted is not Wanted.UP:
            return
        same = _same_on_the_wire(old, account)
        if self.exchange is not None:
            self._again = self._again or credentials or not same
        elif credentials or not same or self._planned_at is None:
            self._forget_failures()
            self._plan(now, now)

    def revive(self, account: Account, now: float) -> None:
        """The application removed it and wants it back before its binding was gone: it goes on as it was."""
        self.wanted = Wanted.DOWN
        self.successor = None
        self.change(account, now)

    def network_changed(self, now: float) -> None:
        """The host's addresses changed, or it slept: the Contact may be wrong, so register again, once."""
        self._contact_address = None
        if self.wanted is Wanted.UP:
            if self.exchange is None:
                self._plan(now, now)
            else:
                self._again = True

    def flow_lost(self, now: float) -> None:
        """The connection that the binding was made over ended: nobody reaches us until we register again."""
        self.flow = None
        if self.wanted is Wanted.UP and self.exchange is None and self.state is State.REGISTERED:
            self._plan(now, now)

    def adopt(self, contact: str, expires_at: float) -> None:
        """A binding that an earlier run made, and that the registrar still holds."""
        self.bound = contact
        self.expires_at = expires_at
        self.state = State.REGISTERED
        self._arm()

    def abandon(self) -> None:
        """Leave the binding to the registrar: it is not removed, and nothing more is sent."""
        if self.exchange is not None:
            self.exchange.cancel()
            self.exchange = self._attempt = None
        self._forget_binding()
        self._job_all = False
        self._rest()

    # --- views -----------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """What is true now."""
        server = self.server
        return Status(
            name=self.account.name,
            state=self.state,
            phase=self.phase,
            cause=self.cause,
            server=None if server is None else format_address(server),
            transport=self.transport,
            flow=self.flow,
            attempt=self.failures,
            since=self.since,
            expires_at=self.expires_at,
            next_attempt_at=self._planned_at,
            bindings=self._bindings(),
        )

    def _bindings(self) -> tuple[Binding, ...]:
        own: tuple[Binding, ...] = ()
        if self.bound is not None and self.expires_at is not None:
            uri = self.bound[1 : self.bound.index(">")]
            own = (Binding(uri=uri, expires_at=self.expires_at, own=True),)
        at = self._listed_at
        return own + tuple(
            Binding(
                uri=visible(item.uri), expires_at=None if item.expires is None else at + item.expires, own=False
            )
            for item in self._others
        )

    # --- deadline --------------------------------------------------------------------------------------------------

    def on_due(self, now: float) -> None:
        """The binding lapsed, or the next attempt starts."""
        if self.expires_at is not None and now >= self.expires_at:
            self._lapse(now)
        if self._planned_at is not None and now >= self._planned_at and self.exchange is None:
            due, self._planned_at = self._planned_at, None
            self._begin(due, now)
        self._arm()

    def _arm(self) -> None:
        planned, lapse = self._planned_at, self.expires_at
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
        self._planned_at = when if when > earliest else earliest
        self.phase = TRANSITIONS[self.phase][Trigger.PLAN]
        self._arm()

    def _rest(self) -> None:
        self._planned_at = None
        self.phase = TRANSITIONS[self.phase][Trigger.REST]
        self._arm()

    def _next(self, now: float) -> None:
        """No exchange runs, and the application wants no binding: remove what there may be, or rest."""
        if self.wanted is Wanted.GONE and self.successor is not None:
            self._rest()
        elif self._to_remove():
            self._plan(now, now)
        elif self.wanted is Wanted.GONE:
            self._stop(now)
        else:
            self._rest()
            if self.state is not State.UNREGISTERED:
                self._settle_down(Cause(detail="not registered on request"), now)

    def _to_remove(self) -> bool:
        if self.expires_at is not None or self.doubt or self._job_all:
            return True
        # Asterisk sends an un-REGISTER whatever the status, once something was tried.
        return (
            self.wanted is Wanted.DOWN
            and self.account.profile.register_removes_first
            and self.state is State.REJECTED
        )

    # --- attempts --------------------------------------------------------------------------------------------------

    def _begin(self, due: float, now: float) -> None:
        removal = self.wanted is not Wanted.UP or self.remove_first
        if removal and not self.remove_first and not self._to_remove():
            # The binding lapsed while its removal waited for its turn.
            self._next(now)
            return
        self._attempt = _Attempt(self.auth, removal, everything=self._job_all and self.wanted is not Wanted.UP)
        self.phase = TRANSITIONS[self.phase][Trigger.BEGIN_REMOVAL if removal else Trigger.BEGIN]
        if self.account.profile.tag_per_attempt:
            self.tag = f"{self.host.network.host.random.getrandbits(64):016x}"
        refresh = self.expires_at is not None
        self.exchange = exchange = Exchange(
            self.host.network,
            self,
            timing=self.account.timing,
            any_source=self.account.any_source,
            refresh=refresh,
            due=due,
        )
        exchange.start(self.texts.hop, now)

    def on_targets_found(self, now: float) -> None:
        """The exchange knows where to send."""
        self.phase = TRANSITIONS[self.phase][Trigger.TARGETS]
        if self.server is not None and self.exchange is not None:
            self.exchange.prefer(self.server)

    def on_sent(self, now: float) -> None:
        """A request left."""
        self.phase = TRANSITIONS[self.phase][Trigger.SENT]

    def write(self, exchange: Exchange, branch: str, now: float) -> Written:
        """The next REGISTER of this attempt."""
        attempt = self._attempt
        assert attempt is not None
        account, texts = self.account, self.texts
        if exchange.requests == 0:
            self.started_at = now
        self._count_cseq()
        assert exchange.flow is not None
        self.server = exchange.remote
        self.transport = exchange.flow.protocol
        if exchange.contact_address != self._contact_address or not self.contact:
            self._make_contact(exchange)
        random = self.host.network.host.random
        request_uri = attempt.request_uri or texts.request_uri
        if attempt.answering:
            credentials = attempt.auth.credentials("REGISTER", request_uri, b"", random)
        else:
            credentials = attempt.auth.preemptive("REGISTER", request_uri, b"", random, account.profile.auth)
        attempt.answering = False
        attempt.credentials_sent = bool(credentials)
        from_value = f"{self.aor};tag={self.tag}"
        data = write_register(
            texts,
            protocol=exchange.flow.protocol,
            sent_by=exchange.sent_by,
            branch=branch,
            aor=self.aor,
            from_value=from_value,
            call_id=self.call_id,
            cseq=self.cseq,
            contacts=self._contacts(attempt),
            expires=0 if attempt.removal else self.expires,
            credentials=credentials,
            request_uri=request_uri,
            removal=attempt.removal,
        )
        return Written(data, self.call_id, f"{self.cseq} REGISTER", from_value, self.aor)

    def _count_cseq(self) -> None:
        if self.cseq >= MAX_CSEQ:
            # RFC 3261 section 8.1.1.5 leaves no room above, so a new Call-ID starts a new count.
            random = self.host.network.host.random
            self.call_id = f"{random.getrandbits(128):032x}"
            self.cseq = random.getrandbits(FIRST_CSEQ_BITS)
        self.cseq += 1

    def _make_contact(self, exchange: Exchange) -> None:
        assert exchange.flow is not None
        self._contact_address = exchange.contact_address
        self.contact = contact_value(
            self.account,
            self.contact_user,
            exchange.contact_address,
            reliable=exchange.flow.reliable,
            line=self.line,
        )

    def _contacts(self, attempt: _Attempt) -> str:
        if attempt.everything:
            return "*"
        if attempt.removal:
            return self.bound or self.contact
        if self.bound is not None and self.bound != self.contact:
            # One REGISTER moves the binding: at no moment is there none, and the old one does not stay behind.
            return f"{self.contact}, {self.bound};expires=0"
        return self.contact

    # --- answers ---------------------------------------------------------------------------------------------------

    def judge(self, exchange: Exchange, reply: Reply, now: float) -> Outcome:
        """What a reply means, by the profile's tables."""
        try:
            return self._judge(exchange, reply)
        except RemoteProtocolError as error:
            # Its identities are ours, so it ends the request; what else it says stays its secret.
            code = reply.response.status if reply.response is not None else None
            return Outcome(OutcomeClass.TEMPORARY, f"the response cannot be read: {error}", code)

    def _judge(self, exchange: Exchange, reply: Reply) -> Outcome:
        attempt = self._attempt
        assert attempt is not None
        response = reply.response
        account = self.account
        if response is None:
            context = Context(
                account.profile,
                attempt.removal,
                targets_left=len(exchange.targets),
                requests_left=exchange.requests_left,
            )
            return classify(None, reply.failure, context)
        code = response.status
        if code < 300:
            return self._judge_success(attempt, response, code)
        verdict = _NO_CHALLENGE
        raised = redirects = 0
        if code == 401 or code == 407:
            verdict = self._read_challenges(attempt, response)
        elif code == 423:
            raised = too_brief.raised_expires(
                account.profile.too_brief, asked=self.expires, minimum=response.min_expires, guessed=attempt.guessed
            )
        elif code < 400 and account.profile.redirects:
            redirects = self._read_redirect(attempt, response)
        context = Context(
            account.profile,
            attempt.removal,
            _AUTHENTICATION[verdict.kind],
            verdict.reason,
            verdict.stale,
            attempt.credentials_sent,
            attempt.answers,
            attempt.answers_without_stale,
            account.auth_rejection_permanent,
            can_raise_expires=raised > 0,
            redirects_left=redirects,
            targets_left=len(exchange.targets),
            requests_left=exchange.requests_left,
            retry_after=response.retry_after,
        )
        outcome = classify(code, None, context)
        if outcome.kind is OutcomeClass.CHALLENGE:
            attempt.answering = True
            attempt.answers += 1
            if not context.stale:
                attempt.answers_without_stale += 1
        elif outcome.kind is OutcomeClass.TOO_BRIEF:
            attempt.guessed = attempt.guessed or response.min_expires is None
            self.expires = raised
        return outcome

    def _judge_success(self, attempt: _Attempt, response: Response, code: int) -> Outcome:
        profile = self.account.profile
        if attempt.removal:
            return classify(code, None, Context(profile, True))
        grant = read_grant(
            response,
            self.contact,
            asked=self.expires,
            profile_assumes=profile.assume_unlisted,
            zero_is_asked=profile.zero_grant_is_asked,
        )
        attempt.grant = grant
        seconds = min(grant.expires, self.expires) if profile.grant_within_asked else grant.expires
        return classify(
            code, None, Context(profile, binding=not grant.lost, grant=float(seconds), assumed=grant.assumed)
        )

    def _read_challenges(self, attempt: _Attempt, response: Response) -> AuthVerdict:
        credentials = self.account.credentials
        if attempt.request_uri is not None:
            # Whoever redirects us may lead to anybody, and a credential of any realm would answer anybody.
            credentials = tuple(item for item in credentials if item.realm not in (None, "*"))
        return attempt.auth.answer(
            parse_challenges(response.get_all("www-authenticate"), proxy=False),
            parse_challenges(response.get_all("proxy-authenticate"), proxy=True),
            credentials,
            self.account.profile.auth,
        )

    def _read_redirect(self, attempt: _Attempt, response: Response) -> int:
        left = self.account.redirects - attempt.redirects
        if left <= 0:
            return 0
        attempt.tried.add(attempt.request_uri or self.texts.request_uri)
        attempt.next_uri = redirect.choose(response, attempt.tried)
        return left if attempt.next_uri is not None else 0

    def redirect(self, now: float) -> Step:
        """Where the 3xx that was just judged leads."""
        attempt = self._attempt
        assert attempt is not None
        assert attempt.next_uri is not None
        attempt.redirects += 1
        attempt.auth = ClientAuth()
        attempt.request_uri = str(attempt.next_uri)
        self.server = None
        return Step(attempt.next_uri, None, literal_target(attempt.next_uri, None))

    # --- outcomes --------------------------------------------------------------------------------------------------

    def on_outcome(self, exchange: Exchange, reply: Reply, outcome: Outcome, now: float) -> None:
        """The attempt is over."""
        attempt = self._attempt
        assert attempt is not None
        self.exchange = self._attempt = None
        again, self._again = self._again, False
        if outcome.kind is OutcomeClass.SUCCESS:
            self._succeeded(exchange, attempt, reply, outcome, again, now)
        elif outcome.kind is OutcomeClass.REMOVED and attempt.removal:
            self._removed(attempt, reply, now)
        else:
            self._failed(exchange, attempt, reply, outcome, again, now)

    def _succeeded(
        self, exchange: Exchange, attempt: _Attempt, reply: Reply, outcome: Outcome, again: bool, now: float
    ) -> None:
        assert reply.response is not None
        assert attempt.grant is not None
        assert exchange.flow is not None
        doubt = self._note_authentication(attempt, reply.response)
        previous, refreshed = self.state, self.expires_at is not None
        self._forget_failures()
        self.doubt = False
        self.bound = self.contact
        self.expires_at = now + outcome.grant
        self._others = attempt.grant.others
        self._listed_at = now
        self._use_flow(exchange)
        self.cause = _ok(reply.response, doubt)
        self._enter(State.REGISTERED, now)
        if self.wanted is Wanted.UP:
            delay = refresh_delay(self.account.profile.refresh, outcome.grant, self.host.network.host.random)
            self._plan(now if again else now + delay, now)
        put = self.host.network.host.put
        put(
            Registered(
                name=self.account.name,
                expires=outcome.grant,
                refreshed=refreshed,
                assumed=outcome.assumed,
                refresh_at=self._planned_at or now,
            )
        )
        if self.wanted is not Wanted.UP:
            self._next(now)
        put(StatusChanged(status=self.status(), previous=previous))
        self.host.succeeded(self, now)

    def _removed(self, attempt: _Attempt, reply: Reply, now: float) -> None:
        assert reply.response is not None
        self._note_authentication(attempt, reply.response)
        self._forget_binding()
        self._job_all = False
        self._forget_failures()
        cause = Cause(
            kind=OutcomeClass.REMOVED,
            code=reply.response.status,
            reason=visible(reply.response.reason),
            detail="removed on request",
        )
        if self.remove_first:
            self.remove_first = False
            # What the initial delay is for, it is for here, too; it runs from when the removal was sent.
            delay = initial_delay(self.account, self.host.network.host.random)
            self._plan(max(now, self.started_at + delay), now)
        elif self.wanted is Wanted.UP:
            self._plan(now, now)
        else:
            self._rest()
        self._settle_down(cause, now)
        if self.wanted is Wanted.GONE:
            self._stop(now)

    def _failed(
        self, exchange: Exchange, attempt: _Attempt, reply: Reply, outcome: Outcome, again: bool, now: float
    ) -> None:
        account = self.account
        previous = self.state
        kind = outcome.kind
        cause = self._cause(exchange, reply, outcome)
        if kind is OutcomeClass.REMOVED and not attempt.removal:
            # The registrar says that there is no binding of ours.
            self._forget_binding()
        elif reply.response is None and exchange.requests:
            self.doubt = True
        elif outcome.code not in (401, 407) and attempt.credentials_sent:
            attempt.auth.refused()
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
            cause = _more(cause, f"{self.retries} retries were made, which is the configured limit")
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
        put(
            Rejected(
                name=account.name, kind=kind, status=outcome.code, cause=cause, retry_at=self._planned_at, removal=False
            )
        )
        if previous is State.REGISTERED and kind is OutcomeClass.REMOVED:
            put(Unregistered(name=account.name, cause=cause))
        if self.wanted is not Wanted.UP:
            self._next(now)
        if not self.stopped:
            put(StatusChanged(status=self.status(), previous=previous))

    def _removal_failed(
        self, cause: Cause, kind: OutcomeClass, reply: Reply, previous: State, now: float
    ) -> None:
        """What the registrar still holds lapses by itself; nothing is registered because of it."""
        self._job_all = False
        self.doubt = False
        self.cause = _more(cause, "the binding was not removed and stands until it lapses") if self.expires_at else cause
        if self.account.profile.failed_refresh_rejects:
            self._enter(State.REJECTED, now)
        if self.wanted is Wanted.UP:
            # A forced register() goes on: the REGISTER replaces whatever the registrar kept.
            self.remove_first = False
            self._plan(now + initial_delay(self.account, self.host.network.host.random), now)
        else:
            self._rest()
        put = self.host.network.host.put
        put(
            Rejected(
                name=self.account.name,
                kind=kind,
                status=cause.code,
                cause=self.cause,
                retry_at=self._planned_at,
                removal=True,
            )
        )
        if self.wanted is Wanted.GONE:
            self._stop(now)
        else:
            put(StatusChanged(status=self.status(), previous=previous))

    def _lapse(self, now: float) -> None:
        """The binding's time is over."""
        self._forget_binding()
        self.failures_while_bound = self.failures
        if self.state is State.REGISTERED:
            detail = "the binding lapsed"
            if self.failures and self.cause is not None:
                detail += f" after {self.failures} failed refresh{'es' if self.failures > 1 else ''}; the last: {self.cause}"
            self._settle_down(Cause(detail=detail), now)

    def _settle_down(self, cause: Cause, now: float) -> None:
        previous = self.state
        self.cause = cause
        self._enter(State.UNREGISTERED, now)
        put = self.host.network.host.put
        put(Unregistered(name=self.account.name, cause=cause))
        put(StatusChanged(status=self.status(), previous=previous))

    def _stop(self, now: float) -> None:
        previous = self.state
        self._rest()
        self.expires_at = None
        self.bound = None
        self._arm()
        self.stopped = True
        if self.cause is None or self.cause.code is None or self.cause.code < 300:
            self.cause = Cause(detail="removed")
        self._enter(State.STOPPED, now)
        self.host.network.host.put(StatusChanged(status=self.status(), previous=previous))
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
        self.doubt = False
        self._others = _NO_OTHERS
        self._leave_flow()

    def _use_flow(self, exchange: Exchange) -> None:
        flow = exchange.flow
        assert flow is not None
        if flow.id != self.flow:
            self._leave_flow()
            self.flow = flow.id
        if flow.reliable:
            flow.users.add(self.account.name)

    def _leave_flow(self) -> None:
        if self.flow is not None:
            self.host.left_flow(self.flow, self.account.name)
            self.flow = None

    def _note_authentication(self, attempt: _Attempt, response: Response) -> str:
        """Learn from a 2xx to a request with credentials; returns a doubt about who sent it, or nothing."""
        if not attempt.credentials_sent:
            return ""
        self.proven = True
        info = response.get("authentication-info")
        proxy_info = response.get("proxy-authentication-info")
        uri = attempt.request_uri or self.texts.request_uri
        if attempt.auth.succeeded(info, proxy_info, uri=uri, body=response.body) is InfoResult.WRONG:
            return "the registrar did not prove that it knows the password (rspauth is wrong)"
        return ""

    def _cause(self, exchange: Exchange, reply: Reply, outcome: Outcome) -> Cause:
        response = reply.response
        remote = exchange.remote
        server = format_address(remote) if remote is not None else None
        transport = exchange.target.transport.protocol if exchange.target is not None else None
        if response is None:
            detail = outcome.detail
            if reply.error:
                detail = f"{detail}: {visible(reply.error)}"
            return Cause(kind=outcome.kind, detail=detail, server=server, transport=transport)
        warning = response.get("warning")
        return Cause(
            kind=outcome.kind,
            code=response.status,
            reason=visible(response.reason),
            detail=outcome.detail,
            warning=visible(warning) if warning is not None else None,
            retry_after=response.retry_after,
            server=server,
            transport=transport,
        )


class _Attempt:
    """What one attempt has to remember between its requests."""

    __slots__ = (
        "answering",
        "answers",
        "answers_without_stale",
        "auth",
        "credentials_sent",
        "everything",
        "grant",
        "guessed",
        "next_uri",
        "redirects",
        "removal",
        "request_uri",
        "tried",
    )

    def __init__(self, auth: ClientAuth, removal: bool, *, everything: bool) -> None:
        self.auth = auth
        """The registration's own, until a redirect leads to somebody who must not see what it knows."""
        self.removal = removal
        self.everything = everything
        self.answering = False
        self.answers = 0
        self.answers_without_stale = 0
        self.credentials_sent = False
        self.guessed = False
        self.grant: Grant | None = None
        self.redirects = 0
        self.request_uri: str | None = None
        """Where a redirect led; None is the account's registrar."""
        self.next_uri: Uri | None = None
        self.tried: set[str] = set()


_AUTHENTICATION = {
    Verdict.NEW: Authentication.NEW,
    Verdict.EXHAUSTED: Authentication.EXHAUSTED,
    Verdict.UNUSABLE: Authentication.UNUSABLE,
    Verdict.NONE: Authentication.NONE,
}

_NO_CHALLENGE = AuthVerdict(Verdict.NONE)

_LIVE_OPTIONS = frozenset(
    "name profile max_retries retry_interval forbidden_retry_interval fatal_retry_interval max_random_initial_delay "
    "auth_rejection_permanent give_up redirects timing any_source password username credentials".split()
)
"""Options that change no request: they apply at once, and nothing is sent because of them."""


def _same_on_the_wire(one: Account, other: Account) -> bool:
    slots = Account.__slots__
    return all(getattr(one, slot) == getattr(other, slot) for slot in slots if slot not in _LIVE_OPTIONS)


def _ok(response: Response, doubt: str) -> Cause:
    if response.status == 200 and response.reason == "OK" and not doubt:
        return _RESPONSE_OK
    return Cause(kind=OutcomeClass.SUCCESS, code=response.status, reason=visible(response.reason), detail=doubt)


def _more(cause: Cause, text: str) -> Cause:
    return Cause(
        kind=cause.kind,
        code=cause.code,
        reason=cause.reason,
        detail=f"{cause.detail}; {text}" if cause.detail else text,
        warning=cause.warning,
        retry_after=cause.retry_after,
        server=cause.server,
        transport=cause.transport,
    )
