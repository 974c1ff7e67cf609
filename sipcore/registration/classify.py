"""Into which class an answer, a silence or a failure falls: one pure function over the profile's tables.

The order of the tests is part of the behaviour: what continues the attempt is looked at before what ends it, and within
the classes that end it the more particular comes first.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from sipcore.exchange.outcome import Failure, Outcome
from sipcore.profiles import MAX_UNTRIED_CREDENTIALS, Profile
from sipcore.values import OutcomeClass

__all__ = ["TOO_MANY", "Authentication", "Context", "classify"]


TOO_MANY = "too many requests in one attempt"
"""Why an attempt ends that would have gone on."""


class Authentication(enum.StrEnum):
    """What the challenges of a 401 or 407 come to."""

    NONE = "none"
    """The response brings no challenge that can be read."""
    NEW = "new"
    """There is something new to answer, and we can."""
    EXHAUSTED = "exhausted"
    """It was answered already, and refused."""
    UNUSABLE = "unusable"
    """We have nothing to answer it with."""


class Context(NamedTuple):
    """What `classify` knows besides the response's code."""

    profile: Profile
    removal: bool = False
    """The request removes a binding."""
    authentication: Authentication = Authentication.NONE
    authentication_detail: str = ""
    stale: bool = False
    """A challenge says stale=true."""
    credentials_sent: bool = False
    """The request carried credentials."""
    answers: int = 0
    """Challenges answered in this attempt so far."""
    answers_without_stale: int = 0
    """... of which did not say stale."""
    auth_rejection_permanent: bool = True
    can_raise_expires: bool = False
    """423: there is a greater lifetime to ask for, and it was not tried yet."""
    redirects_left: int = 0
    """3xx: usable Contacts that the account still allows to follow."""
    targets_left: int = 0
    requests_left: int = 1
    binding: bool = True
    """2xx: our binding stands."""
    grant: float = 0.0
    """2xx: for how many seconds."""
    assumed: bool = False
    retry_after: int | None = None


def classify(code: int | None, failure: Failure | None, context: Context) -> Outcome:
    """The class of a final response (`code` 200 to 699) or of its absence (`failure`), with the reason in words.

    Total: every code and every context has a class. A class that continues the attempt is given only when the attempt
    may send another request.
    """
    profile = context.profile
    retry_after = context.retry_after if profile.retry_after is not None and context.retry_after else None
    if code is not None and 200 <= code < 300:
        return _success(code, context)
    going_on = _continuing(code, failure, context)
    if going_on is not None:
        if context.requests_left > 0:
            return going_on
        if code is not None:
            return Outcome(OutcomeClass.TEMPORARY, TOO_MANY, code, retry_after)
    if code is None:
        return Outcome(OutcomeClass.TEMPORARY, (failure or Failure.TIMEOUT).value)
    if code in (401, 407):
        detail = _refusal(context)
        if not context.auth_rejection_permanent:
            return Outcome(OutcomeClass.TEMPORARY, detail, code, retry_after)
        return Outcome(OutcomeClass.CREDENTIALS, detail, code, retry_after)
    if code == 403 and context.credentials_sent and profile.forbidden_is_credentials:
        return Outcome(OutcomeClass.CREDENTIALS, "forbidden with our credentials", code, retry_after)
    if code in profile.temporary or code // 100 in profile.temporary_hundreds:
        return Outcome(OutcomeClass.TEMPORARY, "", code, retry_after)
    return Outcome(OutcomeClass.PERMANENT, _PERMANENT.get(code, ""), code, retry_after)


def _success(code: int, context: Context) -> Outcome:
    if context.removal:
        return Outcome(OutcomeClass.REMOVED, "removed on request", code)
    if not context.binding:
        return Outcome(OutcomeClass.REMOVED, "the registrar does not list our contact", code)
    return Outcome(OutcomeClass.SUCCESS, "", code, None, context.grant, context.assumed)


def _continuing(code: int | None, failure: Failure | None, context: Context) -> Outcome | None:
    if code in (401, 407) and context.authentication is Authentication.NEW and _may_answer(context):
        return Outcome(OutcomeClass.CHALLENGE, "", code)
    if code == 423 and context.can_raise_expires and not context.removal:
        return Outcome(OutcomeClass.TOO_BRIEF, "", code)
    if code is not None and 300 <= code < 400 and context.redirects_left > 0:
        return Outcome(OutcomeClass.REDIRECT, "", code)
    if context.targets_left > 0:
        if failure is Failure.TIMEOUT or failure is Failure.FLOW:
            return Outcome(OutcomeClass.NEXT_TARGET, failure.value)
        if code in context.profile.next_target:
            return Outcome(OutcomeClass.NEXT_TARGET, "", code)
    return None


def _may_answer(context: Context) -> bool:
    rule = context.profile.challenge
    if rule.only_bare_requests and context.credentials_sent:
        return False
    if context.answers >= min(rule.answers, MAX_UNTRIED_CREDENTIALS):
        return False
    return context.stale or context.answers_without_stale < rule.without_stale


def _refusal(context: Context) -> str:
    if context.authentication is Authentication.NONE:
        return "the response brought no challenge that can be read"
    if context.authentication is Authentication.UNUSABLE:
        return context.authentication_detail or "no usable credentials for the challenge"
    if context.stale:
        return "the registrar calls each answer stale"
    if context.authentication is Authentication.NEW:
        return f"the registrar refused our credentials for each nonce that it gave: {_LIKELY}"
    return f"the registrar refused our credentials: {_LIKELY}"


_LIKELY = "wrong user name or password, most likely"
_PERMANENT = {
    423: "the registrar's minimum cannot be met",
    404: "the registrar does not know this address of record",
}
