"""Why a registration is in its state, in plain words: what the peer said, which rule applied, what happens next, and
what could be changed.

Theory of operation. Everything here is read from three things: the `Status`, the `Account` with its profile's tables,
and whether the credentials were ever accepted. The advice is a table of cases, each with a test of its own; all that
fit are given, the likeliest first. Nothing here decides: the rule that is told is looked up in the table by which
`registration.schedule` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sipcore.config import Account
from sipcore.profiles import Backoff, Counted, Doubling, Give
from sipcore.values import Cause, OutcomeClass, Phase, State, Status

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answers to an operator's questions, as sentences."""

    summary: str
    """What is true."""
    said: str
    """What the peer said, or what happened instead."""
    rule: str
    """What that counts as, and the rule of the profile that follows from it."""
    next: str
    """What happens next."""
    advice: tuple[str, ...]
    """What could be looked at or changed; empty when all is well."""

    def lines(self) -> Iterator[str]:
        """The whole as lines of text."""
        yield self.summary
        for title, text in (("Heard", self.said), ("Rule", self.rule), ("Next", self.next)):
            if text:
                yield f"{title}: {text}"
        for text in self.advice:
            yield f"Try: {text}"


_ENDING = (OutcomeClass.TEMPORARY, OutcomeClass.CREDENTIALS, OutcomeClass.PERMANENT)


class _Case(NamedTuple):
    status: Status
    account: Account
    proven: bool
    now: float

    @property
    def cause(self) -> Cause:
        return self.status.cause or Cause()

    @property
    def over(self) -> bool:
        """Nothing more is planned, though a binding is wanted or was refused."""
        return self.status.next_attempt_at is None and self.status.phase is Phase.IDLE

    @property
    def fatal(self) -> bool:
        """What Asterisk logs as `Fatal response '401'`."""
        refused = self.cause.code in (401, 407) and self.status.state is State.REJECTED
        counted = self.cause.kind in _ENDING and isinstance(self.account.profile.retries[self.cause.kind], Counted)
        return refused and self.over and counted


def explain(status: Status, account: Account, *, proven: bool, now: float) -> Explanation:
    """What to tell of that status, on the clock of `now`; `proven` says that the credentials were accepted before."""
    case = _Case(status, account, proven, now)
    return Explanation(
        summary=_summary(case),
        said=_said(case),
        rule=_rule(case),
        next=_next(case),
        advice=tuple(text(case) for fits, text in _ADVICE if fits(case)),
    )


def _summary(case: _Case) -> str:
    status, name = case.status, case.status.name
    since = _ago(case.now - status.since)
    if status.state is State.REGISTERED:
        until = "" if status.expires_at is None else f"; without a refresh it lapses {_in(status.expires_at, case.now)}"
        failed = f"; the refresh failed {_times(status.attempt)} so far" if status.attempt else ""
        return f"{name} is registered at {status.server or 'the registrar'}, for {since} now{until}{failed}."
    if status.state is State.REJECTED:
        count = f" {_times(status.attempt)} in a row" if status.attempt > 1 else ""
        return f"{name} is not registered: it was rejected{count}, {since} ago."
    if status.state is State.STOPPED:
        return f"{name} is stopped: it was removed from the configuration."
    if status.cause is None:
        return f"{name} is not registered yet: nothing was tried so far."
    return f"{name} is not registered, since {since}."


def _said(case: _Case) -> str:
    cause = case.cause
    if case.status.cause is None:
        return ""
    where = f" from {cause.server} over {cause.transport}" if cause.server else ""
    if cause.code is not None:
        text = f"{cause.code} {cause.reason}".rstrip() + where
        if cause.detail:
            text += f": {cause.detail}"
    elif cause.kind is None:
        # The application's own wish, or the clock.
        text = cause.detail
    else:
        asked = f", asked {cause.server} over {cause.transport}" if cause.server else ""
        text = (cause.detail or "no answer") + asked
    if cause.warning:
        text += f"; Warning: {cause.warning}"
    if cause.retry_after is not None:
        text += f"; Retry-After: {cause.retry_after} s"
    return text + "."


def _rule(case: _Case) -> str:
    kind, account = case.cause.kind, case.account
    profile = account.profile
    listed = kind is OutcomeClass.REMOVED and "does not list" in case.cause.detail
    if kind is None or kind not in profile.retries or (kind is OutcomeClass.REMOVED and not listed):
        return ""
    if kind in account.give_up:
        return f"this is class '{kind}', after which this registration gives up (give_up)."
    if case.cause.retry_after and profile.retry_after is not None:
        cap = profile.retry_after.cap
        bound = f", up to {cap} s" if cap is not None else ""
        return f"this is class '{kind}'; Retry-After comes before the interval of the class{bound}."
    rule = profile.retries[kind]
    if case.cause.code == 403 and profile.forbidden is not None:
        rule = profile.forbidden
    head = f"this is class '{kind}'; profile {profile.name} "
    match rule:
        case Give():
            return head + "does not try again by itself."
        case Counted(options=options):
            values = ", ".join(f"{option}={getattr(account, option)}" for option in options)
            most = "" if account.max_retries is None else f", at most {account.max_retries} times"
            return head + f"tries again after the first of these that is not 0{most}: {values}."
        case Doubling(first=first, ceiling=ceiling):
            return head + f"tries again after {_span(first)}, then twice as long each time, up to {_span(ceiling)}."
        case Backoff(base=base, ceiling=ceiling, standing_ceiling=standing):
            if case.status.state is State.REGISTERED:
                return head + f"tries again soon while the binding stands, at least every {_span(standing)}."
            return head + f"backs off at random from {_span(base)} up to {_span(ceiling)}."
    raise AssertionError(rule)


_DOING = {
    Phase.RESOLVING: "the registrar's address is being looked up",
    Phase.CONNECTING: "a connection is being opened",
    Phase.EXCHANGING: "a REGISTER is on its way",
    Phase.REMOVING: "the binding is being removed",
}


def _next(case: _Case) -> str:
    status = case.status
    if status.phase in _DOING:
        return f"{_DOING[status.phase]}, now."
    if status.next_attempt_at is not None:
        what = "the binding is refreshed" if status.state is State.REGISTERED else "the next attempt starts"
        return f"{what} {_in(status.next_attempt_at, case.now)}."
    if status.state is State.REGISTERED:
        return "nothing until somebody asks; the binding is left to lapse."
    if status.state is State.STOPPED:
        return "nothing."
    return f"nothing until somebody asks: sipcore send register {status.name}"


# --- advice ----------------------------------------------------------------------------------------------------------


def _refused(case: _Case) -> bool:
    return case.cause.code in (401, 407) and case.status.state is not State.STOPPED and case.cause.kind is not None


def _stale(case: _Case) -> bool:
    return _refused(case) and "stale" in case.cause.detail


def _unusable(case: _Case) -> bool:
    return _refused(case) and not _stale(case) and not _answered(case)


def _answered(case: _Case) -> bool:
    return "refused our credentials" in case.cause.detail


def _silent(case: _Case) -> bool:
    return case.cause.kind is OutcomeClass.TEMPORARY and case.cause.code is None


def _code(*codes: int) -> Callable[[_Case], bool]:
    return lambda case: case.cause.code in codes and case.cause.kind is not None


def _always(text: str) -> Callable[[_Case], str]:
    return lambda case: text


def _fatal_text(case: _Case) -> str:
    code, account = case.cause.code, case.account
    text = (
        f"this is Asterisk's \"Fatal response '{code}' received from '{account.registrar}' on registration attempt to "
        f"'{account.aor}', stopping outbound registration\": a challenge came that is not answered a second time, "
        "auth_rejection_permanent is yes, and fatal_retry_interval is 0."
    )
    if case.proven:
        text += " These credentials worked before, so the password is hardly the reason."
    return text


_ADVICE: tuple[tuple[Callable[[_Case], bool], Callable[[_Case], str]], ...] = (
    (
        lambda case: _answered(case) and not case.proven and _refused(case),
        lambda case: (
            f"check user name and password: {_user(case)} was never accepted here; the registrar may expect another "
            "user name for authentication than the address has."
        ),
    ),
    (lambda case: case.fatal, _fatal_text),
    (
        lambda case: case.fatal and case.proven and not _unusable(case),
        _always(
            "a server that gives nonces for one use, forgets them, or does not share them among its nodes refuses "
            "what was right; so does a lock after too many failures, or a database that does not answer. Such things "
            "pass: set auth_rejection_permanent=no, or fatal_retry_interval=300, so that it is tried again."
        ),
    ),
    (
        lambda case: case.fatal,
        _always("--profile SIPCORE keeps the nonce in use, answers a new one, and never gives up."),
    ),
    (
        lambda case: _answered(case) and case.proven and not case.fatal and _refused(case),
        _always("these credentials worked before: was the password changed, or the line locked?"),
    ),
    (
        _stale,
        _always(
            "the registrar calls each answer stale: its clock, its nonce lifetime, or nodes that do not share nonces; "
            "it must be mended there."
        ),
    ),
    (
        lambda case: _unusable(case) and not case.account.credentials,
        _always("it has no credentials: name an auth object in outbound_auth, or give a password."),
    ),
    (
        lambda case: _unusable(case) and bool(case.account.credentials),
        _always(
            "no credential fits the challenge: compare its realm and algorithm with realm and "
            "supported_algorithms_uac; an empty realm fits all."
        ),
    ),
    (
        _code(403),
        _always(
            "the registrar forbids it: a blocked or unpaid line, a wrong address, or a lock after failures. Ask the "
            "provider; forbidden_retry_interval tries again under ASTERISK."
        ),
    ),
    (_code(404), _always("the registrar does not know this address: check user and domain of client_uri (aor).")),
    (
        _code(423),
        _always("the registrar wants a longer lifetime than could be agreed: raise expiration (expires)."),
    ),
    (
        _code(420),
        _always("the registrar does not know an extension that was required: see support_path, support_outbound."),
    ),
    (_code(439), _always("the registrar does not do outbound: set support_outbound=no and drop reg-id.")),
    (
        lambda case: case.cause.code is not None and 300 <= case.cause.code < 400,
        _always("the registrar sends us elsewhere: register there, or allow redirects."),
    ),
    (_code(429, 480, 503), _always("the registrar is busy or closed for now; it is tried again.")),
    (
        lambda case: _silent(case) and "no address" in case.cause.detail,
        lambda case: f"the name in {case.account.registrar} has no address: check it, and the resolver of this host.",
    ),
    (
        lambda case: _silent(case) and "no address" not in case.cause.detail,
        _always(
            "nobody answered: check address, port and protocol, and what filters between here and there; sipcore trace "
            "shows what leaves and what comes."
        ),
    ),
    (
        lambda case: case.cause.kind is OutcomeClass.REMOVED and "does not list" in case.cause.detail,
        _always(
            "the registrar answers 2xx and does not list our Contact: it may have changed it on the way (an ALG), or a "
            "limit of devices dropped it."
        ),
    ),
    (
        lambda case: case.over and case.status.state is State.REJECTED and not case.fatal,
        lambda case: f"sipcore send register {case.status.name} tries once more now.",
    ),
)
"""When a case fits, and what is said then."""


def _user(case: _Case) -> str:
    names = sorted({credential.username for credential in case.account.credentials})
    return " or ".join(names) or "nobody"


# --- times -----------------------------------------------------------------------------------------------------------


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _span(seconds: float) -> str:
    for size, unit in ((172800.0, 86400), (7200.0, 3600), (600.0, 60)):
        if seconds >= size:
            return f"{seconds / unit:.0f} {'d' if unit == 86400 else 'h' if unit == 3600 else 'min'}"
    return f"{seconds:.0f} s"


def _ago(seconds: float) -> str:
    return _span(max(seconds, 0.0))


def _in(moment: float, now: float) -> str:
    return "now" if moment <= now else f"in {_span(moment - now)}"
