"""Each rule broken once: the laws notice.

A fault is one replacement in the source of a rule's module. The module is compiled with it, its functions take the
place of the real ones, and the law that is named must fail. When a rule is rewritten, its fault here has to be, too: a
fault that cannot be planted any more is an error, not a pass.
"""

from __future__ import annotations

import enum
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from sipcore.errors import RemoteProtocolError
from tests.registration import classify_laws, reading_laws, schedule_laws
from tests.registration.laws import REAL, Law, Rules

ALL_LAWS = {law.name: law for law in (*classify_laws.LAWS, *schedule_laws.LAWS, *reading_laws.LAWS)}


class Fault(NamedTuple):
    """What stands in a rule, what is put there instead, and the law that notices."""

    old: str
    new: str
    law: str


CLASSIFY = [
    Fault("200 <= code < 300", "code == 200", "success_is_a_2xx_with_our_binding"),
    Fault("if context.removal:", "if False:", "success_is_a_2xx_with_our_binding"),
    Fault("if not context.binding:", "if False:", "success_is_a_2xx_with_our_binding"),
    Fault("None, context.grant, context.assumed", "None, context.grant, False", "success_is_a_2xx_with_our_binding"),
    Fault("context.requests_left > 0", "context.requests_left >= 0", "nothing_goes_on_without_a_request_left"),
    Fault("context.requests_left > 0", "True", "an_attempt_ends"),
    Fault("if code in (401, 407) and", "if code == 401 and", "a_challenge_is_answered_while_the_profile_allows"),
    Fault(
        "context.authentication is Authentication.NEW and",
        "context.authentication is not Authentication.NONE and",
        "a_challenge_is_answered_while_the_profile_allows",
    ),
    Fault(
        "rule.only_bare_requests and context.credentials_sent",
        "False",
        "a_challenge_is_answered_while_the_profile_allows",
    ),
    Fault(
        "context.answers >= min(rule.answers, MAX_UNTRIED_CREDENTIALS)",
        "context.answers >= rule.answers",
        "a_challenge_is_answered_while_the_profile_allows",
    ),
    Fault(
        "context.answers >= min(rule.answers, MAX_UNTRIED_CREDENTIALS)",
        "context.answers > min(rule.answers, MAX_UNTRIED_CREDENTIALS)",
        "an_attempt_ends",
    ),
    Fault("context.stale or ", "", "a_challenge_is_answered_while_the_profile_allows"),
    Fault("< rule.without_stale", "<= rule.without_stale", "a_challenge_is_answered_while_the_profile_allows"),
    Fault("code == 423 and", "code in (421, 423) and", "too_brief_is_a_423_that_can_be_met"),
    Fault(
        "context.can_raise_expires and not context.removal", "not context.removal", "too_brief_is_a_423_that_can_be_met"
    ),
    Fault("and not context.removal:", ":", "too_brief_is_a_423_that_can_be_met"),
    Fault("300 <= code < 400", "301 <= code < 400", "a_redirect_is_followed_while_redirects_are_left"),
    Fault(
        "context.redirects_left > 0", "context.redirects_left >= 0", "a_redirect_is_followed_while_redirects_are_left"
    ),
    Fault("context.targets_left > 0", "True", "the_next_target_is_for_what_the_target_is_to_blame"),
    Fault("failure is Failure.TIMEOUT or ", "", "the_next_target_is_for_what_the_target_is_to_blame"),
    Fault(" or failure is Failure.FLOW", "", "the_next_target_is_for_what_the_target_is_to_blame"),
    Fault(
        "failure is Failure.TIMEOUT or failure is Failure.FLOW",
        "failure is not None",
        "the_next_target_is_for_what_the_target_is_to_blame",
    ),
    Fault(
        "code in context.profile.next_target",
        "code in context.profile.next_target or code == 500",
        "the_next_target_is_for_what_the_target_is_to_blame",
    ),
    Fault(
        "if code is not None:\n            return Outcome",
        "if False:\n            return Outcome",
        "out_of_requests_is_temporary_and_says_so",
    ),
    Fault("if code is None:", "if failure is Failure.TIMEOUT:", "every_answer_and_every_silence_has_a_class"),
    Fault("(failure or Failure.TIMEOUT).value", '""', "a_refusal_says_why"),
    Fault("if not context.auth_rejection_permanent:", "if False:", "what_ends_an_attempt_ends_it_by_the_table"),
    Fault("if code in (401, 407):", "if code == 401:", "what_ends_an_attempt_ends_it_by_the_table"),
    Fault("and profile.forbidden_is_credentials", "", "what_ends_an_attempt_ends_it_by_the_table"),
    Fault("code == 403 and context.credentials_sent", "code == 403", "what_ends_an_attempt_ends_it_by_the_table"),
    Fault("code in profile.temporary or ", "", "what_ends_an_attempt_ends_it_by_the_table"),
    Fault(" or code // 100 in profile.temporary_hundreds", "", "what_ends_an_attempt_ends_it_by_the_table"),
    Fault("code // 100 in", "code == 499 or code // 100 in", "an_unknown_code_counts_as_x00"),
    Fault(
        "profile.retry_after is not None and context.retry_after else",
        "context.retry_after else",
        "retry_after_goes_with_what_ends_an_attempt",
    ),
    Fault("detail, code, retry_after)", "detail, code)", "retry_after_goes_with_what_ends_an_attempt"),
    Fault(
        'OutcomeClass.CHALLENGE, "", code',
        'OutcomeClass.CHALLENGE, "", code, context.retry_after',
        "retry_after_goes_with_what_ends_an_attempt",
    ),
    Fault("context.authentication_detail or ", "", "a_refusal_says_why"),
    Fault('423: "the', '424: "the', "a_refusal_says_why"),
]

SCHEDULE = [
    Fault("grant = min(max(grant, 0.0), MAX_WAIT)", "pass", "a_refresh_comes_in_time"),
    Fault("max(grant * rule.share, rule.floor)", "grant * rule.share", "sipcore_refreshes_a_quarter_early"),
    Fault("rule.ceiling, grant * rule.at_most", "rule.ceiling", "sipcore_refreshes_a_quarter_early"),
    Fault("rule.floor), rule.ceiling, ", "rule.floor), ", "sipcore_refreshes_a_quarter_early"),
    Fault("grant - lead - rule.jitter", "grant - lead + rule.jitter", "sipcore_refreshes_a_quarter_early"),
    Fault(" - elapsed", "", "sipcore_counts_from_the_request_and_the_models_from_the_answer"),
    Fault("elapsed: float = 0.0", "elapsed: float = 1.0", "sipcore_refreshes_a_quarter_early"),
    Fault("grant - rule.lead\n    else", "grant + rule.lead\n    else", "asterisk_refreshes_ten_seconds_early"),
    Fault("return max(delay, MIN_ATTEMPT_GAP)", "return delay", "a_refresh_comes_in_time"),
    Fault("grant = max(grant, rule.minimum)", "pass", "jssip_refreshes_by_its_formula"),
    Fault("if grant > rule.threshold:", "if grant >= rule.threshold:", "jssip_refreshes_by_its_formula"),
    Fault("rule.threshold / 2) *", "rule.threshold) *", "jssip_refreshes_by_its_formula"),
    Fault("outcome.kind in account.give_up", "False", "giving_up_is_obeyed"),
    Fault("outcome.code == 403 and profile.forbidden is not None", "False", "asterisk_waits_its_interval"),
    Fault("isinstance(rule, Give)", "isinstance(rule, Give) and not outcome.retry_after", "jssip_waits_to_be_asked"),
    Fault("profile.retry_after.cap or MAX_WAIT", "MAX_WAIT", "sipcore_waits_for_retry_after_up_to_an_hour"),
    Fault(
        "1.0 + profile.retry_after.jitter",
        "1.0 - profile.retry_after.jitter",
        "sipcore_waits_for_retry_after_up_to_an_hour",
    ),
    Fault("if outcome.retry_after and", "if False and", "asterisk_waits_for_retry_after_as_it_is"),
    Fault("outcome.retry_after and profile.retry_after is not None", "outcome.retry_after", "a_wait_has_bounds"),
    Fault(
        "return Plan(_clamp(wait), counted=False)",
        "return Plan(_clamp(wait))",
        "asterisk_waits_for_retry_after_as_it_is",
    ),
    Fault("return Plan(_clamp(wait), counted=False)", "return Plan(_clamp(wait))", "max_retries_is_a_count_of_retries"),
    Fault("for option in rule.options if", "for option in rule.options[:1] if", "asterisk_waits_its_interval"),
    Fault("if not interval:", "if False:", "asterisk_waits_its_interval"),
    Fault("_clamp(float(interval))", "float(interval) / 2", "asterisk_waits_its_interval"),
    Fault("outcome.code in (401, 407) and history.proven", "history.proven", "a_lasting_failure_doubles"),
    Fault("(401, 407) and history.proven", "(401, 407)", "a_lasting_failure_doubles"),
    Fault(
        "same_class=history.same_class - PROVEN_RETRIES", "same_class=history.same_class", "a_lasting_failure_doubles"
    ),
    Fault("history.same_class <= PROVEN_RETRIES", "history.same_class < PROVEN_RETRIES", "a_lasting_failure_doubles"),
    Fault(
        "same_class=history.same_class - PROVEN_RETRIES", "same_class=history.same_class", "a_lasting_failure_doubles"
    ),
    Fault("min(rule.ceiling, rule.first", "max(rule.ceiling, rule.first", "a_lasting_failure_doubles"),
    Fault("history.same_class - 1, 64", "history.same_class, 64", "a_lasting_failure_doubles"),
    Fault("min(history.same_class - 1, 64)", "(history.same_class - 1)", "a_wait_has_bounds"),
    Fault("min(history.failures - 1, 64)", "(history.failures - 1)", "a_standing_binding_is_fought_for"),
    Fault("if history.standing:", "if False:", "a_standing_binding_is_fought_for"),
    Fault(
        "rule.standing_ceiling, MIN_ATTEMPT_GAP", "rule.ceiling, MIN_ATTEMPT_GAP", "a_standing_binding_is_fought_for"
    ),
    Fault("backoff(history.failures,", "backoff(1,", "a_temporary_failure_backs_off"),
    Fault("backoff(history.failures,", "backoff(1,", "waits_do_not_shrink"),
    Fault("base=rule.base", "base=90.0", "a_temporary_failure_backs_off"),
    Fault(
        "history.retries >= account.max_retries",
        "history.retries > account.max_retries",
        "max_retries_is_a_count_of_retries",
    ),
    Fault("account.max_retries is not None and", "account.max_retries and", "max_retries_is_a_count_of_retries"),
    Fault("exhausted=True", "exhausted=False", "max_retries_is_a_count_of_retries"),
    Fault("return Plan(None, counted=False, exhausted=True)", "return Plan(None, exhausted=True)", "a_wait_has_bounds"),
    Fault(
        "account.max_retries is not None and history.retries",
        "history.retries > 5 or account.max_retries is not None and history.retries",
        "sipcore_never_gives_up",
    ),
    Fault("min(max(wait, MIN_ATTEMPT_GAP), MAX_WAIT)", "min(wait, MAX_WAIT)", "a_wait_has_bounds"),
    Fault("min(max(wait, MIN_ATTEMPT_GAP), MAX_WAIT)", "max(wait, MIN_ATTEMPT_GAP) * 2", "a_wait_has_bounds"),
    Fault(
        "int(random.random() * spread)",
        "random.random() * spread",
        "the_first_attempt_waits_a_whole_number_below_the_spread",
    ),
    Fault("whole + rule.base", "float(whole)", "the_first_attempt_waits_a_whole_number_below_the_spread"),
]

TOO_BRIEF = [
    Fault("max(minimum, rule.floor)", "minimum", "a_tiny_min_expires_counts_as_the_floor"),
    Fault("asked < minimum <= MAX_MIN_EXPIRES", "asked <= minimum <= MAX_MIN_EXPIRES", "what_is_asked_only_grows"),
    Fault("asked < minimum <= MAX_MIN_EXPIRES", "asked < minimum", "what_is_asked_only_grows"),
    Fault("asked < minimum <= MAX_MIN_EXPIRES", "asked < minimum < MAX_MIN_EXPIRES", "a_min_expires_is_met_exactly"),
    Fault("if guessed:", "if False:", "without_a_number_one_guess_is_made"),
    Fault("asked * 2", "asked * 3", "without_a_number_one_guess_is_made"),
    Fault("if asked < MAX_MIN_EXPIRES else 0", "", "what_is_asked_only_grows"),
    Fault("if asked < GUESS else 0", "", "what_is_asked_only_grows"),
    Fault("GUESS = 3601", "GUESS = 3600", "without_a_number_one_guess_is_made"),
    Fault("    return 0\n", "    return asked + 1\n", "without_a_number_one_guess_is_made"),
]

REDIRECT = [
    Fault("if response.status not in FOLLOWED:", "if False:", "only_three_kinds_of_3xx_are_followed"),
    Fault("{300, 301, 302}", "{301, 302}", "only_three_kinds_of_3xx_are_followed"),
    Fault("except RemoteProtocolError:", "except KeyError:", "a_redirect_leads_to_a_registrar"),
    Fault('uri.scheme != "sip" or', 'uri.scheme not in ("sip", "sips") or', "a_redirect_leads_to_a_registrar"),
    Fault(
        ' or (uri.get("transport") or "udp").upper() not in Protocol.__members__', "", "a_redirect_leads_to_a_registrar"
    ),
    Fault("scheme=uri.scheme, host", "scheme=uri.scheme, user=uri.user, host", "a_redirect_leads_to_a_registrar"),
    Fault("if item[0] not in _DROPPED", "", "a_redirect_leads_to_a_registrar"),
    Fault(
        "port=uri.port, parameters=parameters",
        "port=uri.port, parameters=parameters, headers=uri.headers",
        "a_redirect_leads_to_a_registrar",
    ),
    Fault("_q(contact) > best[0]", "_q(contact) < best[0]", "the_preferred_one_is_followed"),
    Fault("return 1000 if q is None", "return 0 if q is None", "the_preferred_one_is_followed"),
    Fault("any(uri.equivalent(Uri.parse(known)) for known in tried)", "(str(uri) in tried)", "no_place_is_tried_twice"),
    Fault("any(uri.equivalent(Uri.parse(known)) for known in tried)", "False", "a_redirect_leads_to_a_registrar"),
]

BINDING = [
    Fault("return self.expires == 0 or", "return False or", "a_grant_of_0_is_no_binding"),
    Fault("(not self.listed and bool(self.others))", "False", "foreign_contacts_are_never_ours"),
    Fault("and len(tail) < 20 and", "and", "a_lifetime_is_read_alike_wherever_it_stands"),
    Fault("and tail.isascii()", "", "a_lifetime_is_read_alike_wherever_it_stands"),
    Fault("min(int(tail[9:]), 2**32 - 1)", "int(tail[9:])", "a_lifetime_is_read_alike_wherever_it_stands"),
    Fault("if len(values) == 1 and values[0].startswith", "if values and values[0].startswith", "our_contact_is_found"),
    Fault(
        "expires = asked if header is None else header\n        return",
        "expires = asked\n        return",
        "an_empty_list_grants_what_was_asked",
    ),
    Fault("expires, assumed=header is None)", "expires, assumed=True)", "an_empty_list_grants_what_was_asked"),
    Fault("contacts[0].uri_text == STAR.value", "False", "an_empty_list_grants_what_was_asked"),
    Fault("if item not in own)", ")", "our_contact_is_found"),
    Fault("if profile_assumes:", "if True:", "foreign_contacts_are_never_ours"),
    Fault("if profile_assumes:", "if False:", "foreign_contacts_are_never_ours"),
    Fault("min(known) if known", "max(known) if known", "of_several_the_shortest_counts"),
    Fault("asked if header is None else header\n    expires = min", "asked\n    expires = min", "our_contact_is_found"),
    Fault("expires == 0 and zero_is_asked", "expires == 0", "a_grant_of_0_is_no_binding"),
    Fault("expires == 0 and zero_is_asked", "False", "a_grant_of_0_is_no_binding"),
    Fault("expires == 0 and zero_is_asked", "zero_is_asked", "our_contact_is_found"),
    Fault(" and values[0].startswith(contact)", "", "a_rewritten_contact_is_ours_when_nobody_else_is_listed"),
    Fault('tail[:9] == ";expires=" and ', "", "a_lifetime_is_read_alike_wherever_it_stands"),
    Fault(
        "if len(contacts) == 1 else [None]",
        "if False else [None]",
        "a_rewritten_contact_is_ours_when_nobody_else_is_listed",
    ),
    Fault("assumed=not known and header is None)", "assumed=not known)", "our_contact_is_found"),
    Fault(
        "except RemoteProtocolError:\n            contacts",
        "except KeyError:\n            contacts",
        "whatever_a_2xx_holds_is_a_grant",
    ),
    Fault("if instance is not None:", "if False:", "the_ladder_goes_from_sure_to_likely"),
    Fault('and item.get("reg-id") == ours.get("reg-id")', "", "the_ladder_goes_from_sure_to_likely"),
    Fault("if equal:", "if False:", "our_contact_is_found"),
    Fault("theirs.equivalent(uri)", "str(theirs) == str(uri)", "our_contact_is_found"),
    Fault("    if line:", "    if False:", "the_ladder_goes_from_sure_to_likely"),
    Fault("        if by_line:", "        if True:", "the_ladder_goes_from_sure_to_likely"),
    Fault('item.get("+sip.instance") == instance and', "", "the_ladder_goes_from_sure_to_likely"),
    Fault("if len(contacts) == 1 and (uri", "if (uri", "foreign_contacts_are_never_ours"),
    Fault("uri.user == ours.uri.user", "True", "a_rewritten_contact_is_ours_when_nobody_else_is_listed"),
    Fault("MALFORMED_EXPIRES if value is None else value", "value or 0", "a_lifetime_is_read_alike_wherever_it_stands"),
    Fault(
        "except RemoteProtocolError:\n        return None",
        "except KeyError:\n        return None",
        "whatever_a_2xx_holds_is_a_grant",
    ),
]

FAULTS = {"classify": CLASSIFY, "schedule": SCHEDULE, "too_brief": TOO_BRIEF, "redirect": REDIRECT, "binding": BINDING}


def rules_from(name: str, source: str) -> Rules:
    """The real rules, but for those of one module, which come from another source."""
    real = sys.modules[f"sipcore.registration.{name}"]
    module = ModuleType(f"{name}_with_a_fault")
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, f"<{name} with a fault>", "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    for key, value in vars(real).items():
        if isinstance(value, type) and issubclass(value, enum.Enum):
            # Members are compared by identity.
            setattr(module, key, value)
    return REAL._replace(**{rule: getattr(module, rule) for rule in Rules._fields if hasattr(module, rule)})


def source_of(name: str) -> str:
    path = importlib.import_module(f"sipcore.registration.{name}").__file__
    assert path is not None
    return Path(path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param(name, fault, id=f"{name}-{fault.old.strip()}-{fault.new.strip()}")
        for name, faults in FAULTS.items()
        for fault in faults
    ],
)
def test_a_planted_fault_is_found(name: str, fault: Fault) -> None:
    source = source_of(name)
    assert fault.old in source, f"{name}.py has no {fault.old!r} any more: plant the fault where the rule is now"
    rules = rules_from(name, source.replace(fault.old, fault.new, 1))
    with pytest.raises((AssertionError, *CRASHES)):
        ALL_LAWS[fault.law].check(rules, examples=400, shrink=False)


CRASHES = (TypeError, ValueError, OverflowError, AttributeError, KeyError, RemoteProtocolError)
"""What a faulty rule may raise instead of a wrong result; the real ones raise nothing."""


@pytest.mark.parametrize("name", FAULTS)
def test_without_a_fault_the_laws_hold(name: str) -> None:
    """Else the faults would be found for the wrong reason."""
    rules = rules_from(name, source_of(name))
    assert rules != REAL
    for law in {fault.law for fault in FAULTS[name]}:
        ALL_LAWS[law].check(rules, examples=20)


def test_every_law_finds_something() -> None:
    """A law that finds no fault proves nothing."""
    named: set[str] = {fault.law for faults in FAULTS.values() for fault in faults}
    laws: list[Law] = list(ALL_LAWS.values())
    assert {law.name for law in laws} == named
