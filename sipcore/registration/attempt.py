"""One attempt of a registration: what its requests say, and what the answers mean.

An `Attempt` is the user of one `Exchange`. It writes the REGISTERs, judges each reply by the profile's tables, and
gives the outcome that ends the attempt to its registration. What has to outlive it (CSeq, Contact, lifetime, nonces)
is the registration's; what one attempt has to remember between its requests is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcore.auth.challenge import parse_challenges
from sipcore.auth.client import AuthVerdict, ClientAuth, Verdict
from sipcore.auth.digest import InfoResult
from sipcore.errors import RemoteProtocolError
from sipcore.exchange import Exchange, Outcome, Reply, Step, Written
from sipcore.network.targets import literal_target
from sipcore.registration import redirect, too_brief
from sipcore.registration.binding import Grant, read_grant
from sipcore.registration.classify import Authentication, Context, classify
from sipcore.registration.contacts import in_doubt, unconfirmed_at
from sipcore.registration.kinds import challenge_kind, request_kind
from sipcore.registration.request import distinct_contacts, write_register
from sipcore.registration.resumption import resume
from sipcore.registration.table import Trigger
from sipcore.syntax.message import Response
from sipcore.syntax.uri import Uri
from sipcore.values import OutcomeClass

if TYPE_CHECKING:
    from sipcore.registration.machine import Registration

__all__ = ["Attempt"]

_AUTHENTICATION = {
    Verdict.NEW: Authentication.NEW,
    Verdict.EXHAUSTED: Authentication.EXHAUSTED,
    Verdict.UNUSABLE: Authentication.UNUSABLE,
    Verdict.NONE: Authentication.NONE,
}
_NO_CHALLENGE = AuthVerdict(Verdict.NONE)


class Attempt:
    """One attempt to register or to remove; see the module's text."""

    __slots__ = (
        "_answering",
        "_answers",
        "_answers_without_stale",
        "_auth",
        "_guessed",
        "_next_uri",
        "_redirects",
        "_request_uri",
        "_tried",
        "asked",
        "credentials_sent",
        "everything",
        "grant",
        "registration",
        "removal",
    )

    def __init__(self, registration: Registration, removal: bool, *, everything: bool) -> None:
        self.registration = registration
        self.removal = removal
        self.everything = everything
        """The removal is of all bindings of the address of record."""
        self.asked = 0
        """The lifetime that the last request asked for; a reload may have changed the registration's since."""
        self.credentials_sent = False
        """The last request carried credentials."""
        self.grant: Grant | None = None
        """What the 2xx said about our binding."""
        self._auth = registration.auth
        self._answering = False
        self._answers = 0
        self._answers_without_stale = 0
        self._guessed = False
        self._redirects = 0
        self._request_uri: str | None = None
        # Where a redirect led; None is the account's registrar.
        self._next_uri: Uri | None = None
        self._tried: set[str] = set()

    @property
    def provisional_restarts_copies(self) -> bool:
        """As the profile says."""
        return self.registration.account.profile.provisional_restarts_copies

    @property
    def reopens_connections(self) -> bool:
        """As the profile says."""
        return self.registration.account.profile.reopens_connections

    @property
    def request_uri(self) -> str:
        """The Request-URI of the last request."""
        return self._request_uri or self.registration.texts.request_uri

    # --- requests --------------------------------------------------------------------------------------------------

    def on_targets_found(self, now: float) -> None:
        """The exchange knows where to send."""
        registration = self.registration
        registration.step(Trigger.TARGETS)
        if registration.home is not None and registration.exchange is not None:
            registration.exchange.prefer(registration.home)

    def satisfied(self, exchange: Exchange, now: float) -> bool:
        """Whether the binding of an earlier process is what this attempt would make; then it is taken over."""
        registration = self.registration
        if registration.resume_at is None:
            return False
        assert exchange.flow is not None
        return not self.removal and resume(registration, exchange, exchange.flow, now)

    def on_sent(self, now: float) -> None:
        """A request left."""
        self.registration.step(Trigger.SENT)

    def write(self, exchange: Exchange, branch: str, now: float) -> Written:
        """The next REGISTER of this attempt."""
        registration = self.registration
        flow = exchange.flow
        assert flow is not None
        if exchange.requests == 0:
            registration.started_at = now
        registration.sending(exchange, flow)
        registration.host.on_register_sent(
            registration.name,
            request_kind(
                removal=self.removal, answering=self._answering, standing=registration.expires_at is not None
            ),
        )
        random = registration.host.network.host.random
        request_uri = self.request_uri
        if self._answering:
            self._answering = False
            credentials = self._auth.credentials("REGISTER", request_uri, b"", random)
        else:
            policy = registration.account.profile.auth
            credentials = self._auth.preemptive("REGISTER", request_uri, b"", random, policy)
            if credentials and any(session.nc == 1 and session.sent for session in self._auth.sessions):
                # A nonce that came with the last 2xx has not been tried either, so it is one of the answers.
                self._answers += 1
        self.credentials_sent = bool(credentials)
        self.asked = 0 if self.removal else registration.expires
        aor, call_id, cseq = registration.aor, registration.call_id, registration.cseq
        from_value = f"{aor};tag={registration.tag}"
        data = write_register(
            registration.texts,
            protocol=flow.protocol,
            sent_by=exchange.sent_by,
            branch=branch,
            aor=aor,
            from_value=from_value,
            call_id=call_id,
            cseq=cseq,
            contacts=self._contacts(now),
            expires=self.asked,
            credentials=credentials,
            request_uri=request_uri,
            removal=self.removal,
        )
        return Written(data, call_id, f"{cseq} REGISTER", from_value, aor)

    def _contacts(self, now: float) -> str:
        registration = self.registration
        contact, bound = registration.contact, registration.bound
        if self.everything:
            return "*"
        unconfirmed = unconfirmed_at(registration, now)
        if not unconfirmed and (bound is None or bound == contact):
            return contact
        known = (*(() if bound is None else (bound,)), *unconfirmed)
        if self.removal:
            return ", ".join(distinct_contacts(known))
        # One REGISTER moves the binding: at no moment is there none, and the old ones do not stay behind.
        old = distinct_contacts((contact, *known))[1:]
        return ", ".join((contact, *(f"{item};expires=0" for item in old)))

    # --- answers ---------------------------------------------------------------------------------------------------

    def judge(self, exchange: Exchange, reply: Reply, now: float) -> Outcome:
        """What a reply means, by the profile's tables."""
        outcome = self._judge(exchange, reply, now)
        registration = self.registration
        registration.host.on_register_answered(registration.name, reply, outcome, now - exchange.sent_at)
        return outcome

    def _judge(self, exchange: Exchange, reply: Reply, now: float) -> Outcome:
        response = reply.response
        if response is None:
            if exchange.requests and not self.removal:
                # Whatever comes next, from another connection it has another Contact.
                in_doubt(self.registration, self.asked, now)
            context = Context(
                self.registration.account.profile,
                self.removal,
                targets_left=len(exchange.targets),
                requests_left=exchange.requests_left,
            )
            self._answering = self.credentials_sent
            return classify(None, reply.failure, context)
        try:
            return self._judge_success(response) if response.status < 300 else self._judge_failure(exchange, response)
        except RemoteProtocolError as error:
            # Its identities are ours, so it ends the request; what else it says stays its secret.
            return Outcome(OutcomeClass.TEMPORARY, f"the response cannot be read: {error}", response.status)

    def on_outcome(self, exchange: Exchange, reply: Reply, outcome: Outcome, now: float) -> None:
        """The attempt is over."""
        refused = reply.response is not None and outcome.kind is not OutcomeClass.SUCCESS
        if refused and not self.removal and self.credentials_sent and outcome.code not in (401, 407):
            self._auth.refused()
        self.registration.ended(self, exchange, reply, outcome, now)

    def accepted(self, response: Response) -> str:
        """Learn from a 2xx to a request with credentials; returns a doubt about who sent it, or nothing."""
        if not self.credentials_sent:
            return ""
        self.registration.proven = True
        info = response.get("authentication-info")
        proxy_info = response.get("proxy-authentication-info")
        if self._auth.succeeded(info, proxy_info, uri=self.request_uri, body=response.body) is InfoResult.WRONG:
            return "the registrar did not prove that it knows the password (rspauth is wrong)"
        return ""

    def redirect(self, now: float) -> Step:
        """Where the 3xx that was just judged leads."""
        uri = self._next_uri
        assert uri is not None
        self._redirects += 1
        self._request_uri = str(uri)
        # Whoever redirects us may lead to anybody, who must not see what we know of others.
        self._auth = ClientAuth()
        if self.registration.account.outbound_proxy:
            return self.registration.texts.hop
        return Step(uri, None, literal_target(uri, None))

    def _judge_success(self, response: Response) -> Outcome:
        registration = self.registration
        profile = registration.account.profile
        if self.removal:
            return classify(response.status, None, Context(profile, True))
        self.grant = grant = read_grant(
            response,
            registration.contact,
            asked=self.asked,
            profile_assumes=profile.assume_unlisted,
            zero_is_asked=profile.zero_grant_is_asked,
        )
        seconds = min(grant.expires, self.asked) if profile.grant_within_asked else grant.expires
        context = Context(profile, binding=not grant.lost, grant=float(seconds), assumed=grant.assumed)
        return classify(response.status, None, context)

    def _judge_failure(self, exchange: Exchange, response: Response) -> Outcome:
        registration = self.registration
        account, code = registration.account, response.status
        verdict = _NO_CHALLENGE
        raised = redirects = 0
        if code == 401 or code == 407:
            verdict = self._read_challenges(response)
            kind = challenge_kind(verdict, credentials_sent=self.credentials_sent)
            registration.host.on_challenge(registration.name, kind)
        elif code == 423:
            raised = too_brief.raised_expires(
                account.profile.too_brief,
                asked=registration.expires,
                minimum=response.min_expires,
                guessed=self._guessed,
            )
        elif code < 400 and account.profile.redirects:
            redirects = self._read_redirect(response)
        context = Context(
            account.profile,
            self.removal,
            _AUTHENTICATION[verdict.kind],
            verdict.reason,
            verdict.stale,
            self.credentials_sent,
            self._answers,
            self._answers_without_stale,
            account.auth_rejection_permanent,
            can_raise_expires=raised > 0,
            redirects_left=redirects,
            targets_left=len(exchange.targets),
            requests_left=exchange.requests_left,
            retry_after=response.retry_after,
        )
        outcome = classify(code, None, context)
        if outcome.kind is OutcomeClass.CHALLENGE:
            self._answering = True
            self._answers += 1
            if not context.stale:
                self._answers_without_stale += 1
        elif outcome.kind is OutcomeClass.TOO_BRIEF:
            self._guessed = self._guessed or response.min_expires is None
            registration.expires = raised
            # Whoever looks at the lifetime has taken the credentials: they need no second challenge, and if there is
            # one all the same, it is the first of a new request.
            self._answering = self.credentials_sent and account.profile.auth.proactive
            self._answers_without_stale = 0
            if account.profile.tag_per_attempt:
                registration.renew_tag()
        elif outcome.kind is OutcomeClass.NEXT_TARGET:
            # The same request goes to the next address, credentials included (RFC 3263 section 4.3).
            self._answering = self.credentials_sent
        return outcome

    def _read_challenges(self, response: Response) -> AuthVerdict:
        credentials = self.registration.account.credentials
        if self._request_uri is not None:
            # A credential of any realm would answer anybody that a redirect leads to.
            credentials = tuple(item for item in credentials if item.realm not in (None, "*"))
        return self._auth.answer(
            parse_challenges(response.get_all("www-authenticate"), proxy=False),
            parse_challenges(response.get_all("proxy-authenticate"), proxy=True),
            credentials,
            self.registration.account.profile.auth,
        )

    def _read_redirect(self, response: Response) -> int:
        left = self.registration.account.redirects - self._redirects
        if left <= 0:
            return 0
        self._tried.add(self.request_uri)
        self._next_uri = redirect.choose(response, self._tried)
        return left if self._next_uri is not None else 0
