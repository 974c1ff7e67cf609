"""What must hold of `classify`, in every profile, for every code from 200 to 699, every failure and every context."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from hypothesis import strategies as st

from sipcore.exchange.outcome import CONTINUING, Failure, Outcome
from sipcore.profiles import PROFILES, SIPCORE, ChallengeRule
from sipcore.registration.classify import TOO_MANY, Authentication, Context
from sipcore.values import OutcomeClass
from tests.registration.laws import Law, Rules, evenly, law

__all__ = ["LAWS"]

CODES = range(200, 700)
REPLIES: list[tuple[int | None, Failure | None]] = [(code, None) for code in CODES]
REPLIES += [(None, failure) for failure in Failure] + [(None, None)]

GREEDY = replace(
    SIPCORE, name="GREEDY", challenge=ChallengeRule(answers=99, without_stale=99, only_bare_requests=False)
)
"""Somebody's own profile, which the limits hold, too."""

contexts = evenly(
    Context,
    profile=[*PROFILES.values(), GREEDY],
    removal=[False, True],
    # What leads further is drawn more often than what ends at once.
    authentication=[*Authentication, *[Authentication.NEW] * 4],
    authentication_detail=["", "realm x: no credential"],
    stale=[False, True],
    credentials_sent=[False, True],
    answers=range(5),
    answers_without_stale=range(4),
    auth_rejection_permanent=[False, True],
    can_raise_expires=[False, True],
    redirects_left=range(2),
    targets_left=range(2),
    requests_left=[0, 1, 1, 7],
    binding=[False, True],
    grant=[1.0, 3600.0],
    assumed=[False, True],
    retry_after=[None, 0, 1, 2**32 - 1],
)


class Ends(NamedTuple):
    """What a profile makes of the codes that end an attempt; the rest is permanent."""

    temporary: frozenset[int]
    reads_retry_after: bool
    forbidden_is_credentials: bool


# The rows of the table of classes, written out once more so that a slip in the profiles shows.
ENDS = {
    "SIPCORE": Ends(frozenset({408, 429, 480, *range(500, 700)}), True, True),
    "ASTERISK": Ends(frozenset({408, 500, 502, 503, 504, *range(600, 700)}), True, False),
    "JSSIP": Ends(frozenset({408}), False, False),
}
ENDS["GREEDY"] = ENDS["SIPCORE"]

NEXT_TARGET = {408, 503}


def may_answer(context: Context) -> bool:
    """Whether one more answer to a challenge is allowed: in words of the table, not of the profiles."""
    name = context.profile.name
    if name == "ASTERISK" and context.credentials_sent:
        return False
    answers, without_stale = {"SIPCORE": (3, 2), "ASTERISK": (3, 3), "JSSIP": (2, 1), "GREEDY": (3, 99)}[name]
    return context.answers < answers and (context.stale or context.answers_without_stale < without_stale)


def of_all(rules: Rules, context: Context) -> list[tuple[int | None, Failure | None, Outcome]]:
    return [(code, failure, rules.classify(code, failure, context)) for code, failure in REPLIES]


@law("RFC3261-8.1.3.2-01", context=contexts)
def every_answer_and_every_silence_has_a_class(rules: Rules, context: Context) -> None:
    """Law: classify is total, and its outcome keeps the code of the answer."""
    for code, _, outcome in of_all(rules, context):
        assert isinstance(outcome.kind, OutcomeClass)
        assert outcome.code == code


@law("RFC3261-10.2.4-07", "RFC3261-10.2.4-08", context=contexts)
def success_is_a_2xx_with_our_binding(rules: Rules, context: Context) -> None:
    """Law: success if and only if 2xx, our binding stands and nothing was to be removed; any other 2xx is removed."""
    for code, _, outcome in of_all(rules, context):
        success = code is not None and code < 300 and context.binding and not context.removal
        assert (outcome.kind is OutcomeClass.SUCCESS) == success, code
        assert (outcome.kind is OutcomeClass.REMOVED) == (code is not None and code < 300 and not success), code
        assert (outcome.grant, outcome.assumed) == ((context.grant, context.assumed) if success else (0.0, False))


@law("RFC3261-8.1.3.5-06", context=contexts)
def nothing_goes_on_without_a_request_left(rules: Rules, context: Context) -> None:
    """Law: a class that continues the attempt is given only while the attempt may send another request."""
    for left in (0, -1):
        assert all(
            outcome.kind not in CONTINUING for _, _, outcome in of_all(rules, context._replace(requests_left=left))
        )


@law("RFC3261-22.1-03", "RFC3261-22.1-04", "RFC3261-22.1-05", context=contexts)
def a_challenge_is_answered_while_the_profile_allows(rules: Rules, context: Context) -> None:
    """Law: challenge if and only if 401 or 407, something new to answer, and an answer and a request are left."""
    going = context.requests_left > 0 and context.authentication is Authentication.NEW and may_answer(context)
    for code, _, outcome in of_all(rules, context):
        assert (outcome.kind is OutcomeClass.CHALLENGE) == (code in (401, 407) and going), code


@law("RFC3261-10.2.8-01", "RFC3261-20.23-01", context=contexts)
def too_brief_is_a_423_that_can_be_met(rules: Rules, context: Context) -> None:
    """Law: too brief if and only if 423 to a request that registers, with a greater lifetime and a request left."""
    going = context.requests_left > 0 and context.can_raise_expires and not context.removal
    for code, _, outcome in of_all(rules, context):
        assert (outcome.kind is OutcomeClass.TOO_BRIEF) == (code == 423 and going), code


@law("RFC3261-8.1.3.4-06", context=contexts)
def a_redirect_is_followed_while_redirects_are_left(rules: Rules, context: Context) -> None:
    """Law: redirect if and only if 3xx and both a redirect and a request are left."""
    going = context.requests_left > 0 and context.redirects_left > 0
    for code, _, outcome in of_all(rules, context):
        assert (outcome.kind is OutcomeClass.REDIRECT) == (code is not None and 300 <= code < 400 and going), code


@law("RFC3263-4.3-01", "RFC3263-4.3-02", context=contexts)
def the_next_target_is_for_what_the_target_is_to_blame(rules: Rules, context: Context) -> None:
    """Law: next target if and only if silence, a lost flow, 408 or 503, and both a target and a request are left."""
    going = context.requests_left > 0 and context.targets_left > 0
    for code, failure, outcome in of_all(rules, context):
        blamed = code in NEXT_TARGET or failure in (Failure.TIMEOUT, Failure.FLOW)
        assert (outcome.kind is OutcomeClass.NEXT_TARGET) == (blamed and going), (code, failure)


@law("RFC3261-21.4.9-01", "RFC3261-8.1.3.1-01", "RFC4320-4.2-01", context=contexts)
def what_ends_an_attempt_ends_it_by_the_table(rules: Rules, context: Context) -> None:
    """Law: whatever neither succeeds nor continues has the class that the profile's row of the table says."""
    ends = ENDS[context.profile.name]
    for code, _, outcome in of_all(rules, context):
        if outcome.kind in CONTINUING or (code is not None and code < 300):
            continue
        if outcome.detail == TOO_MANY:
            # It would have gone on; the laws of the continuing classes say when.
            assert context.requests_left <= 0
            expected = OutcomeClass.TEMPORARY
        elif code is None or (code in (401, 407) and not context.auth_rejection_permanent):
            expected = OutcomeClass.TEMPORARY
        elif code in (401, 407) or (code == 403 and context.credentials_sent and ends.forbidden_is_credentials):
            expected = OutcomeClass.CREDENTIALS
        else:
            expected = OutcomeClass.TEMPORARY if code in ends.temporary else OutcomeClass.PERMANENT
        assert outcome.kind is expected, code


@law("RFC3261-8.1.3.5-06", context=contexts)
def out_of_requests_is_temporary_and_says_so(rules: Rules, context: Context) -> None:
    """Law: an answer that would have led to another request, but for the bound, is temporary; nothing else says so."""
    for left in (0, 1):
        outcomes = of_all(rules, context._replace(requests_left=left))
        would = [item[2].kind for item in of_all(rules, context._replace(requests_left=1))]
        for (code, _, outcome), kind in zip(outcomes, would, strict=True):
            bounded = left == 0 and code is not None and kind in CONTINUING
            assert (outcome.detail == TOO_MANY) == bounded, code
            assert not bounded or outcome.kind is OutcomeClass.TEMPORARY


@law("RFC3261-8.1.3.2-01", "RFC3261-21.4.19-01", context=contexts)
def an_unknown_code_counts_as_x00(rules: Rules, context: Context) -> None:
    """Law: a code that means nothing special is treated as the first of its hundred (ASTERISK names its 5xx)."""
    for code in (299, 399, 499, 599, 699):
        if code == 599 and context.profile.name == "ASTERISK":
            continue
        assert rules.classify(code, None, context).kind is rules.classify(code // 100 * 100, None, context).kind


@law("RFC3261-20.33-02", context=contexts)
def retry_after_goes_with_what_ends_an_attempt(rules: Rules, context: Context) -> None:
    """Law: Retry-After is kept for each answer that ends an attempt without a binding, where the profile reads it."""
    for code, _, outcome in of_all(rules, context):
        ends = code is not None and code >= 300 and outcome.kind not in CONTINUING
        read = ends and ENDS[context.profile.name].reads_retry_after and context.retry_after
        assert outcome.retry_after == (context.retry_after if read else None), code


def refused(context: Context) -> str:
    """What people are told of a 401 or 407 that ends an attempt."""
    if context.authentication is Authentication.UNUSABLE and context.authentication_detail:
        return context.authentication_detail
    if context.authentication in (Authentication.NEW, Authentication.EXHAUSTED) and context.stale:
        return "the registrar calls each answer stale"
    likely = "wrong user name or password, most likely"
    return {
        Authentication.NONE: "the response brought no challenge that can be read",
        Authentication.UNUSABLE: "no usable credentials for the challenge",
        Authentication.NEW: f"the registrar refused our credentials for each nonce that it gave: {likely}",
        Authentication.EXHAUSTED: f"the registrar refused our credentials: {likely}",
    }[context.authentication]


@law("RFC3261-22.2-03", context=contexts)
def a_refusal_says_why(rules: Rules, context: Context) -> None:
    """Law: what the code alone does not tell is told in words: failures, refused credentials, removed bindings."""
    for code, failure, outcome in of_all(rules, context):
        if outcome.kind in CONTINUING and failure is None:
            continue
        if failure is not None:
            assert outcome.detail == failure.value
        elif code is None:
            assert outcome.detail
        elif outcome.kind is OutcomeClass.REMOVED:
            assert ("on request" in outcome.detail) == context.removal
        elif code in (401, 407):
            if outcome.detail == TOO_MANY:
                assert context.requests_left <= 0
            else:
                assert outcome.detail == refused(context)
        elif outcome.kind is OutcomeClass.CREDENTIALS or code in (404, 423):
            assert outcome.detail


moves = st.lists(
    st.tuples(
        st.sampled_from([200, 302, 401, 401, 407, 408, 423, 503, None]),
        st.sampled_from(Authentication),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@law("RFC3261-8.1.3.5-06", "RFC3261-22.1-04", context=contexts, moves=moves)
def an_attempt_ends(rules: Rules, context: Context, moves: list[tuple[int | None, Authentication, bool, bool]]) -> None:
    """Law: whatever answers come, in whatever order, one attempt sends at most 8 requests and answers 3 challenges."""
    context = context._replace(answers=0, answers_without_stale=0, targets_left=64, redirects_left=64)
    answers = without_stale = 0
    for sent in range(1, 100):
        assert sent <= 8
        code, authentication, stale, credentials = moves[sent % len(moves)]
        context = context._replace(
            authentication=authentication, stale=stale, credentials_sent=credentials, requests_left=8 - sent
        )
        outcome = rules.classify(code, None if code else Failure.TIMEOUT, context)
        if outcome.kind not in CONTINUING:
            return
        if outcome.kind is OutcomeClass.CHALLENGE:
            answers += 1
            without_stale += not stale
            context = context._replace(answers=answers, answers_without_stale=without_stale)
        assert answers <= 3


LAWS = [item for item in list(globals().values()) if isinstance(item, Law)]
